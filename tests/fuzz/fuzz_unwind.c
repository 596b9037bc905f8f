/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any registers and any stack are walked by any rules: a walk has between 1 and 1024 frames and ends
 * with a reason, however it goes.
 *
 *	u8 flags: 1 aarch64, 2 the stack is cut, 4 hidden return addresses | u8 n |
 *	u8 pc, from the code's beginning on | s8 for each register: words from the stack's beginning on;
 *	-128: not known | 16 n bytes of stack |
 *	an ELF file, whose code stands at its own addresses
 */
#include <assert.h>
#include <dwarf.h>
#include <stdint.h>

#include "base/cursor.h"
#include "unwinder/unwind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STACK = 0x7000, TEXT = 0x401000, TEXT_BYTES = 0x10000, JIT = 0x10000 };

static bool find_code(void *ctx, uint64_t addr, struct unwind_code *ret)
{
	ret->cfi = addr < JIT ? NULL : ctx;
	ret->vaddr = addr;
	return (addr >= TEXT && addr < TEXT + TEXT_BYTES) || addr < 0x100;
}

static bool find_original(void *ctx, uint64_t slot, uint64_t *ret_addr)
{
	(void)ctx;
	*ret_addr = TEXT + slot % 64;
	return slot % 16 == 0;
}

static struct regs read_regs(struct cursor *in, const struct unwind_arch *arch)
{
	struct regs r = { .pc = TEXT + cursor_u8(in) };
	unsigned int i;

	for (i = 0; i < arch->nr_regs; i++) {
		int8_t words = (int8_t)cursor_u8(in);

		if (words != INT8_MIN)
			regs_set(&r, i, STACK + (uint64_t)(8 * (int64_t)words));
	}
	regs_set(&r, arch->sp, STACK);
	return r;
}

static void check_walk(const struct unwind_arch *arch, struct cfi *c, uint8_t flags, struct regs regs,
		       const struct stack_copy *stack)
{
	struct unwind_space space = { c, find_code, flags & 4 ? find_original : NULL, 1 };
	struct unwinder *u = unwinder_new(arch);
	struct unwind_frames frames = { 0 };
	uint64_t pc = regs.pc;
	enum unwind_stop stop = unwind(u, &space, &regs, stack, &frames);

	assert(stop < UNWIND_NR_STOPS);
	assert(frames.at.nr >= 1 && frames.at.nr <= UNWIND_MAX_FRAMES + 1);
	assert(frames.at.at[0].addr == pc && !frames.at.at[0].is_return);
	assert(unwinder_tally(u)->nr_stops[stop] == 1);
	assert(unwinder_tally(u)->nr_frames == frames.at.nr);
	vec_release(&frames.at);
	unwinder_free(u);
}

/* The stack once more, as an expression: a byte of operation, a byte of operand. */
static void check_expression(const struct regs *regs, const struct stack_copy *stack)
{
	Dwarf_Op ops[64];
	struct expression x = { ops, 0 };
	uint64_t value;

	for (; x.nr_ops < 64 && 2 * x.nr_ops + 1 < stack->len; x.nr_ops++) {
		const uint8_t *at = stack->bytes + 2 * x.nr_ops;
		Dwarf_Word number = (Dwarf_Word)(int64_t)(int8_t)at[1];

		ops[x.nr_ops] = (Dwarf_Op){ .atom = at[0], .number = number, .number2 = number,
					    .offset = 3 * x.nr_ops };
	}
	assert(expression_value(&x, regs, STACK, stack, &value) < UNWIND_NR_STOPS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_of(data, size);
	uint8_t flags = cursor_u8(&in), nr = cursor_u8(&in);
	const struct unwind_arch *arch = unwind_arch_find(flags & 1 ? "aarch64" : "x86_64");
	struct regs regs = read_regs(&in, arch);
	struct stack_copy stack = { STACK, cursor_take(&in, 16u * nr), 16u * nr, flags & 2 };
	struct err e;
	struct cfi *c;

	if (in.failed)
		return 0;
	c = cfi_open_image(in.at, cursor_left(&in), &e);
	check_walk(arch, c && cfi_arch(c) == arch ? c : NULL, flags, regs, &stack);
	check_expression(&regs, &stack);
	cfi_free(c);
	return 0;
}
