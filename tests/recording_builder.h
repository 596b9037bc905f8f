/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes recordings for tests and benchmarks: appends records to a perf.data of the file form.
 *
 *	struct recording_builder b;
 *
 *	builder_init(&b, NULL);
 *	builder_comm(&b, 0, 10, 10, "server", false);
 *	builder_sample(&b, 1000, 10, 10, (uint64_t[]){ 0x1004, 0x2008 }, 2);
 *	bytes = builder_finish(&b, &len);
 *	... reader_open_bytes(bytes, len, ...)
 *	builder_release(&b);
 *
 * There are three events: 0 samples (cpu-clock unless said otherwise), 1 carries the marks, and 2
 * is unused until builder_add_clock(). Addresses of builder_sample() are the user's, innermost
 * first. A time of 0 is a record made up by the recorder.
 */
#ifndef TESTS_RECORDING_BUILDER_H
#define TESTS_RECORDING_BUILDER_H

#include <stdbool.h>

#include "base/str.h"
#include "base/vec.h"
#include "recording/call_mark.h"
#include "recording/mark.h"
#include "recording/note.h"
#include "recording/socket_mark.h"

#define BUILDER_PERIOD_NS 1000000	/* of each sample: 1 ms */

struct recording_builder {
	struct str bytes;
	uint64_t period, id;	/* of the next sample: its weight, its event */
	uint64_t data_off, clock_off;
	uint32_t nr_files;
};

/* sampling: type, config, freq and period of event 0; NULL: cpu-clock at 1000 Hz. */
void builder_init(struct recording_builder *b, const struct perf_event_attr *sampling);
void builder_release(struct recording_builder *b);
/* Event 2 becomes a cpu-clock, and samples are its own from here on. */
void builder_add_clock(struct recording_builder *b);

void builder_mmap(struct recording_builder *b, uint64_t time, uint32_t pid, uint64_t start,
		  uint64_t len, uint64_t off, const char *path);
void builder_kernel_mmap(struct recording_builder *b, uint64_t start, uint64_t len);
void builder_comm(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		  const char *name, bool is_exec);
void builder_fork(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		  uint32_t ppid, uint32_t ptid);
void builder_exit(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid);
void builder_lost(struct recording_builder *b, uint64_t time, uint64_t nr);
void builder_round(struct recording_builder *b);
void builder_sample(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		    const uint64_t *ips, size_t nr_ips);
/* The chain as it stands: context marks and all. */
void builder_raw_sample(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
			uint16_t cpumode, const uint64_t *chain, size_t nr);

void builder_marker(struct recording_builder *b, uint32_t id, uint32_t flags, const char *name);
/* The whole text of a process's perf map. */
void builder_perf_map(struct recording_builder *b, uint32_t pid, const char *text);
void builder_note(struct recording_builder *b, enum note_kind kind, const void *payload,
		  size_t len);
void builder_function(struct recording_builder *b, const struct note_function *f);
void builder_nodes(struct recording_builder *b, const struct note_node *nodes, size_t nr);
/* Counted calls of a thread: flags are enum call_flags. */
void builder_calls(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		   unsigned int flags, const struct call_row *rows, size_t nr);
/* m.magic and m.label_len are filled in; label may be NULL. */
void builder_mark(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		  struct mark_head m, const char *label);
/* m.magic, its thread, m.len and m.room are filled in; m.ns, when it was made, is not. */
void builder_socket_mark(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
			 struct socket_mark m, const void *bytes, size_t len);
/* As they are, with their bytes. */
void builder_socket_marks(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
			  const void *marks, size_t len);
void builder_begin(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		   uint32_t marker, const char *label);
void builder_end(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		 uint32_t marker);

/* The recording as it is so far; more may be added after it. Lent until the next call. */
const void *builder_finish(struct recording_builder *b, size_t *ret_len);
void builder_write(struct recording_builder *b, const char *path);

#endif
