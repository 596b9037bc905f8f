/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says of processes, threads and children. Nothing here holds a process still. */
#ifndef COLLECTOR_TARGET_H
#define COLLECTOR_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"

struct pids {
	VEC(uint32_t) at;
};

/* "17,42": adds them. -EINVAL: not a list of pids. */
int pids_parse(struct pids *pids, const char *text, struct err *e);
bool pids_has(const struct pids *pids, uint32_t pid);
void pids_release(struct pids *pids);

/* -EPERM: /proc is another pid namespace's, where our numbers are other processes'. Before anything is read there. */
int proc_check(struct err *e);
/* -ESRCH with the process named, also of a zombie. A thread's id is taken for its process's: perf -p does too. */
int process_check(uint32_t *pid, struct err *e);
/* Adds the children of the processes in *pids, theirs, and so on. Returns how many came new. */
size_t pids_add_descendants(struct pids *pids);
/* Adds the ids of a process's threads; none when it is gone. */
void process_threads(uint32_t pid, struct pids *ret_tids);
/* The name of a thread ("" when it is gone) in 64 bytes: the kernel's has 16, a kthread's more. */
struct thread_name {
	char text[64];
};
struct thread_name thread_name(uint32_t pid, uint32_t tid);
/* The process's pid inside its innermost pid namespace; pid itself when that cannot be read. */
uint32_t process_inner_pid(uint32_t pid);
/* Real and effective user ids of the process; those of nobody when it is gone. */
void process_uids(uint32_t pid, uint32_t ret_uids[2]);
/* What each of its descriptors leads to, as /proc/PID/fd has it: "socket:[17]". -errno: they may not be looked at. */
int process_descriptors(uint32_t pid, void (*take)(void *self, const char *link), void *self);
/* Its program is; false where that cannot be read. */
bool process_is_32_bit(uint32_t pid);
/*
 * The number under which /proc still knows the process's memory, program and root: its pid, or, where
 * its first thread has ended and others go on, the id of one of these; /proc/PID/maps is empty then.
 * 0: it is gone; a zombie is too, whose parent has not asked yet.
 */
uint32_t process_live_task(uint32_t pid);
/* True: process_live_task() has none. */
bool process_is_gone(uint32_t pid);
/* True: this program's pids are the kernel's own, which BPF programs see. */
bool in_first_pid_namespace(void);

#endif
