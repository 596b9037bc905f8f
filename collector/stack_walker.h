/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples with registers and a copy of the stack become samples with a callchain: what the kernel writes
 * into the rings is unwound on its way into the file.
 *
 *	in	header | ... | nr, kernel's chain		| registers | stack, 24 KiB
 *	out	header | ... | nr, kernel's chain, user's chain
 *
 * The walker keeps the target's mappings as they change; so it is shown records in the order of time.
 */
#ifndef COLLECTOR_STACK_WALKER_H
#define COLLECTOR_STACK_WALKER_H

#include "recording/record.h"
#include "recording/writer.h"
#include "unwinder/stop.h"

struct stack_walker;

enum {
	/* Of a rewritten sample, header included: 1024 frames of the user's and the kernel's 127. */
	STACK_WALKER_SAMPLE_MAX = 16 * 1024,
};

/* NULL: there is no table for this processor. */
struct stack_walker *stack_walker_new(void);
void stack_walker_free(struct stack_walker *w);

/* What the kernel has to be asked for, to bytes of stack a sample. */
void stack_walker_ask(struct stack_walker *w, uint32_t stack_bytes, struct perf_event_attr *attr);
/* What describes the rewritten samples, from the attributes that were asked for. */
void stack_walker_describe(struct perf_event_attr *attr);

/* A mapping of code, its build-id filled in where it has one. */
void stack_walker_mmap(struct stack_walker *w, const struct writer_mmap *m);
/* FORK, COMM and EXIT; all others are left alone. */
void stack_walker_record(struct stack_walker *w, const struct record *r);
/*
 * A function was called on which there is a return probe: the return address at that place of its stack will be
 * the kernel's while it runs.
 */
void stack_walker_called(struct stack_walker *w, uint32_t pid, uint32_t tid, uint64_t slot,
			 uint64_t return_addr);
/* A probe was hit: on a function's first byte, if the stack pointer is as it is there. */
void stack_walker_probed(struct stack_walker *w, uint32_t pid, uint64_t addr, uint64_t sp);
/* The file has a probe there, in some processes: the return address is sp_add bytes above the stack pointer. */
void stack_walker_probed_file(struct stack_walker *w, uint64_t dev, uint64_t inode, uint64_t off, uint32_t sp_add);
/*
 * The kernel runs an instruction with such a probe out of line: when a thread stands that many bytes into the copy, before
 * the instruction or behind it, the return address is sp_add bytes above the stack pointer; CALL_PLACE_NO_SP: somewhere.
 */
void stack_walker_stepped(struct stack_walker *w, uint32_t copy_off, uint32_t sp_add);
/* The process is gone, and so are its samples. */
void stack_walker_forget(struct stack_walker *w, uint32_t pid);

/*
 * The sample, rewritten, into out, which is aligned and has STACK_WALKER_SAMPLE_MAX bytes. Returns how many it
 * has become.
 */
size_t stack_walker_sample(struct stack_walker *w, const struct record *r, void *out);

const struct unwind_tally *stack_walker_tally(const struct stack_walker *w);

#endif
