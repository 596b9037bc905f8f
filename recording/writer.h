/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a recording: the file form to a path, the pipe form to "-" (stdout).
 *
 *	writer_open("wperf.data", &config, &w, &e);
 *	writer_comm(w, pid, tid, "nginx");
 *	writer_append(w, iov, nr);	whole records, as the kernel wrote them
 *	writer_finish(w, &e);		lengths and feature sections; without it the file stays readable
 *	writer_free(w);
 *
 * Appending does not return errors: the first one is kept, what follows it is dropped, and
 * writer_error() tells. The file then ends with the last record that was written whole.
 *
 * Whoever reads a pipe stream may stop doing so. Appending then waits for it, as long as nobody
 * wants to end: see is_stopping in struct writer_config.
 */
#ifndef RECORDING_WRITER_H
#define RECORDING_WRITER_H

#include <sys/uio.h>

#include "base/err.h"
#include "base/vec.h"
#include "recording/note.h"
#include "recording/record.h"

struct writer;

struct writer_event {
	struct perf_event_attr attr;
	const char *name;
	VEC(uint64_t) ids;	/* PERF_EVENT_IOC_ID of every descriptor of the event */
};

/* All lent until writer_free(). All events have sample_id_all, and IP, TID, TIME, CPU and IDENTIFIER. */
struct writer_config {
	const struct writer_event *events;
	size_t nr_events;
	int argc;
	char **argv;		/* the command line, for whoever asks how this was recorded */
	/* How long a reader of the stream that stopped is waited for: struct sink_patience, sink.h. */
	bool (*is_stopping)(void *self);
	void *self;
	int wake_fd;
};

/*
 * An existing regular file with something in it becomes PATH.old. Negative errno: the file cannot be
 * made or its first bytes cannot be written.
 */
int writer_open(const char *path, const struct writer_config *config, struct writer **ret_writer,
		struct err *e);
/*
 * Whole records, gathered from fewer than SINK_PARTS_MAX parts; the bytes are written (or the error
 * is kept) before this returns.
 */
void writer_append(struct writer *w, const struct iovec *parts, int nr_parts);
/* What the writer made itself is buffered until the next writer_append() or writer_flush(). */
void writer_flush(struct writer *w);

void writer_comm(struct writer *w, uint32_t pid, uint32_t tid, const char *name);
/* A thread of a process, or a child: ppid is the parent's, or pid itself for a thread. */
void writer_fork(struct writer *w, uint32_t pid, uint32_t tid, uint32_t ppid, uint32_t ptid);
/* As struct record has it. */
struct writer_mmap {
	uint32_t pid, tid, cpu;
	uint64_t time;		/* 0: it was so before the first event */
	uint64_t start, len, off;
	uint32_t prot, flags;
	uint32_t dev_major, dev_minor;
	uint64_t inode;
	struct build_id build_id;	/* a linker's stands in the place of device and inode */
	const char *path;
	bool is_kernel;
};
void writer_mmap(struct writer *w, const struct writer_mmap *m);
/* A sample of the BPF output event, the event-th of the recording, with these bytes as its raw part. */
struct writer_mark {
	uint32_t pid, tid;
	uint64_t time;
	const void *bytes;
	size_t len;
};
void writer_mark(struct writer *w, size_t event, const struct writer_mark *m);
/* Records that found no room in a ring, where the kernel did not write it down itself. */
void writer_lost(struct writer *w, uint64_t nr_lost);
/* All rings were drained once: see report/order.h. */
void writer_finished_round(struct writer *w);

/* pairs: key, value, key, value, ..., NULL. */
void writer_note_info(struct writer *w, const char *const *pairs);
void writer_note_marker(struct writer *w, const struct note_marker *m);
/* bytes: the whole file, f->size of them; f's off and chunk are not looked at. */
void writer_note_file(struct writer *w, const struct note_file *f, const void *bytes);
struct tally {
	const char *key;
	uint64_t count;
};
void writer_note_tally(struct writer *w, const struct tally *tallies, size_t nr);
void writer_note_function(struct writer *w, const struct note_function *f);
/* Any number of them. */
void writer_note_nodes(struct writer *w, const struct note_node *nodes, size_t nr);

/* Bytes of the whole recording so far. */
uint64_t writer_nr_bytes(const struct writer *w);
/* 0, or the negative errno of the first write that failed; *e then says it in words. */
int writer_error(const struct writer *w, struct err *e);
/* Flushes, completes the file and closes it. Also after an error, as far as the disk lets it. */
int writer_finish(struct writer *w, struct err *e);
/*
 * Nothing came of it: the new file goes, and what it replaced comes back. Before writer_free().
 */
void writer_abandon(struct writer *w);
/* Does not finish. NULL is a no-op. */
void writer_free(struct writer *w);

#endif
