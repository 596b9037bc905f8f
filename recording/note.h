/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What perf.data has no place for. A note is a PERF_RECORD_EVENT_UPDATE whose update type is ours:
 * perf looks the event up (id 0: the first one), finds an update type that it does not know, and goes
 * on without a word (perf_event__process_event_update() in tools/perf/util/header.c). Notes stand in
 * the stream, so that a recording cut short still has all that was written before the cut.
 *
 *	u64 header | u64 type = NOTE_UPDATE_TYPE | u64 id = 0 | u32 kind | u32 zero | payload | pad to 8
 *
 * Payloads, in the order of their fields; str is NUL-terminated:
 *
 *	INFO	str key, str value, again and again to an empty key. Of a key the last one wins.
 *		version, marker; begin_ns, and at the end of a whole recording end_ns: decimal,
 *		on its clock; begin_epoch_ns: what the wall clock said at begin_ns, since 1970;
 *		set_ns, set_epoch_ns: the same for a later moment, where the wall clock was set before it
 *	MARKER	u32 id, u32 flags (enum marker_flags), str spec, str name
 *	FILE	u32 id, u32 kind (enum file_kind), u32 pid, u64 size, u64 off, u8 build-id length, build-id,
 *		str path, u32 chunk length, chunk. One note a chunk of the file, chunks in order.
 *	TALLY	str key, u64 count, again and again to an empty key. Written at the end; the last one wins.
 *	FUNCTION	u32 id, u32 flags (enum function_flags), u32 pid, u32 line, u64 off, u8 build-id length,
 *		build-id, str file, str name. Of an id the flags of all are or'ed.
 *	NODES	u32 node, u32 parent, u32 function, again and again to a node 0: see call_mark.h
 */
#ifndef RECORDING_NOTE_H
#define RECORDING_NOTE_H

#include "base/hash.h"
#include "recording/record.h"

#define NOTE_UPDATE_TYPE 0x6665726570770001ULL	/* "wperf" and a version */

enum note_kind {
	NOTE_INFO = 1,
	NOTE_MARKER = 2,
	NOTE_FILE = 3,
	NOTE_TALLY = 4,
	NOTE_FUNCTION = 5,
	NOTE_NODES = 6,
};

/* The copy of a file that would be gone, or out of reach, when the report is made. */
enum file_kind {
	FILE_ELF = 1,		/* path is as in the maps; build_id is its own */
	FILE_PERF_MAP = 2,	/* /tmp/perf-PID.map of pid */
	FILE_VDSO = 3,		/* an ELF image too; path is "[vdso]" */
	FILE_KALLSYMS = 4,	/* the lines of /proc/kallsyms that the samples need, and _stext's */
};

enum marker_flags {
	MARKER_HAS_LABEL = 1,	/* its begin marks carry a label */
	MARKER_HAS_ID = 2,	/* begin and end are joined by the marks' id, not by thread */
	MARKER_IS_SOCKETS = 8,	/* requests are exchanges on connections: struct socket_mark */
	MARKER_IS_CALL = 4,	/* a request is one call of a function: marks carry the stack pointer */
	MARKER_BY_RETURN = 16,	/* of before: return probes end them, of which the kernel keeps so many for a thread */
};

struct note_marker {
	uint32_t id, flags;
	const char *spec;	/* as the user wrote it */
	const char *name;	/* what a request without label is called: function or probe name */
};

struct note_file {
	uint32_t id;
	enum file_kind kind;
	uint32_t pid;
	uint64_t size, off;	/* of the whole file; of this chunk */
	struct build_id build_id;
	const char *path;
	const uint8_t *chunk;
	uint32_t chunk_len;
};

enum function_flags {
	FUNCTION_IS_NAMED = 1,	/* file, line and name are as they are to be shown; else they are looked up */
	FUNCTION_IS_TIMED = 2,	/* rows have the time that was spent in it */
	FUNCTION_IS_INEXACT = 4,	/* some of its calls are in no row */
	FUNCTION_IS_ALIASED = 8,	/* its file has other names for it: it is shown by the one here */
	FUNCTION_IS_AMISS = 16,	/* calls of it are missing, in any table: also in one that has none of it */
};

/* A function whose calls are counted. */
struct note_function {
	uint32_t id, flags;
	uint32_t pid;		/* 0: of every process that maps the file */
	uint32_t line;		/* of a named one; else 0 */
	uint64_t off;		/* of its entry in the file; of a named one 0 */
	struct build_id build_id;
	const char *file;	/* as mapped; of a named one its source */
	const char *name;
};

struct note_node {
	uint32_t node, parent, function;
};

/* Each false: the payload is cut short or makes no sense; *ret is untouched then. Strings lend. */
bool note_parse_marker(struct cursor payload, struct note_marker *ret);
bool note_parse_file(struct cursor payload, struct note_file *ret);
bool note_parse_function(struct cursor payload, struct note_function *ret);
/* The next of an INFO, TALLY or NODES payload; false at the end. Advances the cursor. */
bool note_next_info(struct cursor *payload, const char **ret_key, const char **ret_value);
bool note_next_tally(struct cursor *payload, const char **ret_key, uint64_t *ret_count);
bool note_next_node(struct cursor *payload, struct note_node *ret);

#endif
