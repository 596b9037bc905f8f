/* SPDX-License-Identifier: Apache-2.0 */
/* Where a thread stood, and the bytes of its stack that were copied with it. */
#ifndef UNWINDER_REGS_H
#define UNWINDER_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "unwinder/arch.h"
#include "unwinder/stop.h"

struct regs {
	uint64_t pc;
	uint64_t known;			/* bit n: value[n] is */
	uint64_t value[UNWIND_MAX_REGS];	/* by DWARF number */
};

static inline bool regs_get(const struct regs *r, unsigned int reg, uint64_t *ret_value)
{
	if (reg >= UNWIND_MAX_REGS || !(r->known >> reg & 1))
		return false;
	*ret_value = r->value[reg];
	return true;
}

static inline void regs_set(struct regs *r, unsigned int reg, uint64_t value)
{
	r->value[reg] = value;
	r->known |= 1ULL << reg;
}

/*
 * Registers as the kernel writes them into a sample: a u64 for each bit of mask, lowest first,
 * unaligned. False: the program counter or the stack pointer is not among them.
 */
bool regs_of_perf(const struct unwind_arch *arch, uint64_t mask, const uint8_t *words, size_t nr_words,
		  struct regs *ret);

struct stack_copy {
	uint64_t start;		/* address of bytes[0]: the stack pointer when they were copied */
	const uint8_t *bytes;
	uint64_t len;
	bool is_cut;		/* there was more stack than room for it */
};

/* UNWIND_STOP_ROOT: read. */
static inline enum unwind_stop stack_read(const struct stack_copy *s, uint64_t addr, uint64_t *ret_word)
{
	uint64_t at = addr - s->start;

	if (at <= s->len && s->len - at >= sizeof(*ret_word)) {
		memcpy(ret_word, s->bytes + at, sizeof(*ret_word));
		return UNWIND_STOP_ROOT;
	}
	return addr >= s->start && s->is_cut ? UNWIND_STOP_SHORT : UNWIND_STOP_BAD_STACK;
}

#endif
