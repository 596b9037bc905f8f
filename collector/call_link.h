/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BPF program on places in one file, for one process: all its threads, and no other process, even
 * where that has the same file mapped. Everything is taken away when the descriptors are closed.
 *
 * One uprobe-multi link where the kernel has them (6.6), else a perf event and a link for each place. So it is, too, of a
 * process whose first thread has ended and others go on: such a link knows a process by its first thread's memory,
 * which is gone then; an event by that of any thread that lives.
 */
#ifndef COLLECTOR_CALL_LINK_H
#define COLLECTOR_CALL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"
#include "collector/patched.h"

/* BPF_TRACE_UPROBE_MULTI of linux/bpf.h: what the program that is for those links expects. */
#define CALL_LINK_MULTI_TYPE 48

struct call_place {
	uint64_t off;		/* in the file */
	uint64_t semaphore_off;	/* in the file; 0: none */
	uint64_t cookie;
	struct patched_range code;	/* that leads there, with the instruction itself */
};

/* Valid when zeroed. */
struct call_link {
	VEC(int) fds;
	uint32_t task;	/* the thread by which the kernel knows the process: when it has ended, calls may be missed */
};

/* The probes on one file in one process; file: an index that the owner knows. */
struct call_attached {
	uint32_t pid;
	size_t file;
	struct call_link link;
};

/* Valid when zeroed. */
struct call_attachments {
	VEC(struct call_attached) at;
};

struct call_programs {
	int multi_fd;	/* loaded to expect CALL_LINK_MULTI_TYPE; negative: none */
	int single_fd;
};

/*
 * True: the kernel's uprobe-multi links are for one thread, where they should be for its process (6.6 to 6.9, before
 * 46ba0e49b642): they are not to be had. Told by what it says to one for the process -1, which it has been refusing at
 * once since (-EINVAL), and looked for before (-ESRCH).
 */
bool call_link_is_of_thread(int said);
/* What it says. */
int call_link_ask(int multi_fd);

/*
 * path opens the file. -ESRCH: the process is gone; -EPERM; -EMFILE where the kernel has no
 * uprobe-multi links and RLIMIT_NOFILE is too low for so many places. The link is empty then.
 */
int call_link_attach(struct call_link *l, const struct call_programs *programs, const char *path,
		     const struct call_place *places, size_t nr, uint32_t pid, struct err *e);
void call_link_release(struct call_link *l);
/* Marks the places that no probe belongs at in the process, and returns how many, or an error: patched_find(). */
int call_link_find_patched(struct call_place *places, size_t nr, const struct patched_file *file, uint32_t pid);

/* A path that opens what the descriptor has open, for as long as it has. */
#define CALL_LINK_PATH_SIZE 32
const char *call_link_path(int fd, char ret[CALL_LINK_PATH_SIZE]);

bool call_attachments_have(const struct call_attachments *a, uint32_t pid, size_t file);
/* Is one of them there for as long as this thread only? See struct call_link. */
bool call_attachments_hang_at(const struct call_attachments *a, uint32_t task);
void call_attachments_detach(struct call_attachments *a, uint32_t pid);
/* All of them. */
void call_attachments_release(struct call_attachments *a);

#endif
