/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was there while one recording was made: processes and their mappings, threads and their
 * names, markers, and the files that travelled along. Records come in by time (order.h), so that
 * what stands here is what holds at the time of the last one.
 *
 *	session_init(&s, reader, symbolizer, strings);
 *	session_record(&s, &record);
 *	code = session_locate(&s, process, cpumode, addr);
 *	session_release(&s);
 *
 * Processes and threads are known by dense indexes; a pid that is used again gets a new one. They
 * stay, or with forgets_ended they are used again some time after the end of whom they stood for.
 * Nothing of the recording's is trusted: ids without introduction are made up when first seen.
 */
#ifndef REPORT_SESSION_H
#define REPORT_SESSION_H

#include "base/hash.h"
#include "base/str.h"
#include "base/vec.h"
#include "recording/note.h"
#include "recording/reader.h"
#include "recording/space.h"
#include "report/wall_clock.h"
#include "symbolizer/symbolizer.h"
#include "unwinder/stop.h"

struct process {
	struct space space;
	uint32_t pid;
	uint32_t name;		/* of its first thread, or the last exec; "" where never said */
	uint32_t nr_threads;	/* known and not ended */
	uint32_t nr_kept;	/* known, ended or not */
	uint32_t unknown;	/* session_unknown_thread(), which is none of these; UINT32_MAX: not needed yet */
	bool is_uncounted;	/* set by who reads marks of calls: CALL_IS_UNCOUNTED; an exec clears it */
	bool is_newcomer;	/* it began while recording */
	uint64_t counted_ns;	/* set by who reads marks of calls: not all were counted before; 0: none are told to be missing, or not yet */
};

struct thread {
	uint32_t pid, tid;	/* tid UINT32_MAX: it stands for those that nobody knows */
	uint32_t process;	/* index in session.processes */
	uint32_t name;		/* "" where never said */
	bool is_ended;
};

/* How many threads are known after their end: what was on its way when it came is still theirs. */
#define SESSION_ENDED_KEPT 64

struct marker {
	uint32_t id, flags;	/* enum marker_flags */
	uint32_t name, spec;	/* strings */
};

/* A file in the recording, as far as its chunks have come. */
struct file_copy {
	struct note_file head;		/* path: own copy; chunk: none */
	struct str bytes;
	bool is_given;			/* the symbolizer has it */
	bool is_elf;			/* begins as an ELF image does */
};

/* Code as the symbolizer wants it. */
struct code {
	uint32_t module;
	bool is_kernel;
	uint64_t addr;		/* see enum module_kind */
};

struct session {
	uint32_t input;			/* which one of the report's: from 0 on */
	struct reader *reader;		/* all three lent */
	struct symbolizer *symbolizer;	/* NULL: nothing is ever to be located */
	struct strings *strings;
	VEC(struct process) processes;
	VEC(struct thread) threads;
	bool forgets_ended;		/* to be set before the first record */
	VEC(uint32_t) free_processes, free_threads;
	uint32_t ended[SESSION_ENDED_KEPT];	/* threads, the oldest at nr_ended % that many */
	uint64_t nr_ended;
	VEC(struct marker) markers;
	VEC(struct file_copy) files;
	struct u64map process_of_pid, thread_of_ids, marker_of_id, file_of_id;
	struct u64map module_of_path;	/* of files whose records carry no build-id */
	uint64_t kernel_start;		/* address of _stext or _text; 0: unknown */
	struct build_id kernel_build_id;
	uint32_t kernel_module, unknown_module;
	bool has_kernel_module, has_unknown_module;
	uint32_t marker_info;		/* the INFO note's "marker": what was asked for; "" */
	uint64_t begin_ns, end_ns;	/* INFO's: of the recording; 0: not said */
	struct wall_clock wall_clock;	/* as INFO says it */
	double cycles_per_second;	/* INFO's: of a CPU that works; 0: not known */
	uint64_t nr_lost, nr_throttled;
	/* as the recorder counted them */
	uint64_t nr_lost_told, nr_marks_unsent, nr_calls_lost, nr_calls_callerless, nr_processes_not_followed;
	uint64_t nr_files_unreachable, nr_calls_unseen, nr_threads_32_bit, nr_datagram_sockets;
	struct unwind_tally stacks;	/* as the recorder unwound them */
	uint64_t nr_cut_files;		/* of the recording's copies, incomplete ones */
};

/* symbolizer may be NULL where no address is to be located. */
void session_init(struct session *s, struct reader *reader, struct symbolizer *symbolizer,
		  struct strings *strings);
void session_release(struct session *s);
/* Samples, and all that says nothing of the above, are left alone. */
void session_record(struct session *s, const struct record *r);
/* At the end of the recording: hands on what came in part and is of use nevertheless. */
void session_finish(struct session *s);

/* Index of the thread, which is made up (and its process) where it was never introduced. */
uint32_t session_thread(struct session *s, uint32_t pid, uint32_t tid);
/* The same, or UINT32_MAX where the thread is not known. */
uint32_t session_find_thread(const struct session *s, uint32_t pid, uint32_t tid);
/* What is of a process's threads and has none; it never begins and ends. pid UINT32_MAX: nor has it a process. */
uint32_t session_unknown_thread(struct session *s, uint32_t pid);
/* Is it the last one of its process that is known and has not ended? */
bool session_is_last_thread(const struct session *s, uint32_t thread);
/* The wall clock at that moment of the recording's, in ns since 1970; 0: the recording does not say. */
uint64_t session_epoch_ns(struct session *s, uint64_t ns);
/* NULL: the marker was never introduced. Lent until the next record. */
const struct marker *session_marker(const struct session *s, uint32_t id);

/* The module of a file as it was mapped; recorded->len is 0 where its records have no build-id. */
uint32_t session_module(struct session *s, const char *path, const struct build_id *recorded);
/* addr as the process sees it in the mode PERF_RECORD_MISC_USER, _KERNEL ... Never fails. */
struct code session_locate(struct session *s, uint32_t process, unsigned int cpumode,
			   uint64_t addr);

#endif
