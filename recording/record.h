/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of the waist: one record of a recording, decoded. Pointers lend from the reader's
 * bytes and live as long as the reader says (reader.h). Times are CLOCK_MONOTONIC nanoseconds in
 * our own recordings, and whatever clock perf used in perf's.
 */
#ifndef RECORDING_RECORD_H
#define RECORDING_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "recording/perf_format.h"

enum { BUILD_ID_MAX = 20 };	/* bytes: what the kernel and perf.data have room for */

/*
 * What tells a file from others at its path. Where its linker wrote none, a checksum of its bytes (file_sum.h) stands in
 * its place; in MMAP2 records in that of the inode's generation, a number of 32 bits: perf would want it in the file.
 */
struct build_id {
	uint8_t len;		/* 0: none known */
	uint8_t bytes[BUILD_ID_MAX];
	bool is_sum;		/* a checksum; of no matter to who compares, and not said in notes */
};

/* One event of the recording (one perf_event_attr). Owned by the reader. */
struct event_desc {
	struct perf_event_attr attr;
	const char *name;	/* "cpu-clock", "wperf:mark"; made up from the attr where none is given */
	uint32_t index;		/* among the recording's events */
	bool is_clock;		/* periods are nanoseconds: cpu-clock, task-clock */
	bool is_bpf_output;	/* its samples may be marks: mark.h */
};

struct callchain {
	const uint8_t *ips;	/* nr u64, unaligned: read them with callchain_at() */
	uint64_t nr;
};

/* Entry i, innermost first; values >= PERF_CONTEXT_MAX are context marks, not addresses. */
static inline uint64_t callchain_at(const struct callchain *c, uint64_t i)
{
	uint64_t ip;

	memcpy(&ip, c->ips + i * sizeof(ip), sizeof(ip));
	return ip;
}

struct record {
	uint64_t pos;			/* where it stands in the stream, bytes */
	uint32_t type;			/* PERF_RECORD_* */
	uint16_t misc;
	uint16_t size;			/* of the whole record, its header included */
	const uint8_t *body;		/* behind the header: size - 8 bytes */
	const struct event_desc *event;	/* NULL where the record names none that is known */
	uint64_t time;			/* ns; 0: unknown, made up by the recorder at its start */
	uint32_t pid, tid;		/* UINT32_MAX: unknown */
	uint32_t cpu;			/* UINT32_MAX: unknown */
	union {
		struct {
			uint64_t ip;
			uint64_t period;	/* where not recorded: the event's own, 1 where it has none */
			uint64_t addr;
			struct callchain chain;
			const uint8_t *raw;	/* raw_len bytes; NULL where none */
			uint32_t raw_len;
			const uint8_t *user_regs;	/* nr_user_regs u64, unaligned */
			uint64_t user_regs_mask, user_regs_abi;
			uint32_t nr_user_regs;
			const uint8_t *user_stack;	/* user_stack_len bytes that are valid */
			uint64_t user_stack_len;
			bool is_user_stack_cut;	/* the stack went on where the copy's room ended */
		} sample;
		struct {
			uint64_t start, len;	/* bytes of address space */
			uint64_t off;		/* of start in the file */
			uint32_t prot, flags;	/* 0 in an MMAP record */
			struct build_id build_id;
			uint32_t dev_major, dev_minor;	/* these and the inode: 0 where a linker's build-id */
			uint64_t inode, inode_generation;	/* stands in their place */
			const char *path;
			bool is_exec;		/* holds code: without PERF_RECORD_MISC_MMAP_DATA */
		} mmap;			/* PERF_RECORD_MMAP and MMAP2 */
		struct {
			const char *name;
			bool is_exec;
		} comm;
		struct {
			uint32_t ppid, ptid;
		} task;			/* FORK and EXIT */
		struct {
			uint64_t nr;
		} lost;			/* LOST and LOST_SAMPLES */
		struct {
			uint64_t addr;		/* of code that the kernel makes as it runs: a BPF program, say */
			uint32_t len;
			const char *name;
		} ksymbol;		/* KSYMBOL; of one that goes, the name is NULL */
		struct {
			uint32_t kind;		/* enum note_kind */
			struct cursor payload;
		} note;			/* note.h; type is PERF_RECORD_EVENT_UPDATE */
	};
};

#endif
