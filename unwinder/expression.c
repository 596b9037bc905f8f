/* SPDX-License-Identifier: Apache-2.0 */
#include "unwinder/expression.h"

#include <dwarf.h>

enum { MAX_DEPTH = 32, MAX_STEPS = 256 };

struct machine {
	const struct expression *x;
	const struct regs *regs;
	const struct stack_copy *stack;
	uint64_t cfa;
	uint64_t at[MAX_DEPTH];
	size_t nr;
	enum unwind_stop stop;		/* ROOT: going on */
};

static void push(struct machine *m, uint64_t value)
{
	if (m->nr == MAX_DEPTH)
		m->stop = UNWIND_STOP_BAD_RULE;
	else
		m->at[m->nr++] = value;
}

static uint64_t pop(struct machine *m)
{
	if (m->nr)
		return m->at[--m->nr];
	m->stop = UNWIND_STOP_BAD_RULE;
	return 0;
}

/* Entry i from the top, 0 being the top. */
static void pick(struct machine *m, uint64_t i)
{
	if (i < m->nr)
		push(m, m->at[m->nr - 1 - i]);
	else
		m->stop = UNWIND_STOP_BAD_RULE;
}

static void push_reg(struct machine *m, uint64_t reg, uint64_t off)
{
	uint64_t value;

	if (reg < UNWIND_MAX_REGS && regs_get(m->regs, (unsigned int)reg, &value))
		push(m, value + off);
	else
		m->stop = UNWIND_STOP_BAD_RULE;
}

static void deref(struct machine *m, uint64_t nr_bytes)
{
	uint64_t word = 0;
	enum unwind_stop stop = stack_read(m->stack, pop(m), &word);

	if (m->stop == UNWIND_STOP_ROOT)
		m->stop = stop;
	if (nr_bytes < sizeof(word))
		word &= (1ULL << nr_bytes * 8) - 1;
	push(m, word);
}

static void divide(struct machine *m, int64_t a, int64_t b)
{
	if (!b || (a == INT64_MIN && b == -1))
		m->stop = UNWIND_STOP_BAD_RULE;
	else
		push(m, (uint64_t)(a / b));
}

static void remainder_of(struct machine *m, uint64_t a, uint64_t b)
{
	if (b)
		push(m, a % b);
	else
		m->stop = UNWIND_STOP_BAD_RULE;
}

static void rotate(struct machine *m)
{
	uint64_t a = pop(m), b = pop(m), c = pop(m);

	push(m, a);
	push(m, c);
	push(m, b);
}

static bool binary(struct machine *m, uint8_t atom)
{
	uint64_t b, a;

	switch (atom) {
	case DW_OP_and: case DW_OP_or: case DW_OP_xor: case DW_OP_plus: case DW_OP_minus: case DW_OP_mul:
	case DW_OP_div: case DW_OP_mod: case DW_OP_shl: case DW_OP_shr: case DW_OP_shra:
	case DW_OP_eq: case DW_OP_ne: case DW_OP_lt: case DW_OP_le: case DW_OP_gt: case DW_OP_ge:
	case DW_OP_swap:
		break;
	default:
		return false;
	}
	b = pop(m);
	a = pop(m);
	switch (atom) {
	case DW_OP_and: push(m, a & b); break;
	case DW_OP_or: push(m, a | b); break;
	case DW_OP_xor: push(m, a ^ b); break;
	case DW_OP_plus: push(m, a + b); break;
	case DW_OP_minus: push(m, a - b); break;
	case DW_OP_mul: push(m, a * b); break;
	case DW_OP_div: divide(m, (int64_t)a, (int64_t)b); break;
	case DW_OP_mod: remainder_of(m, a, b); break;
	case DW_OP_shl: push(m, b < 64 ? a << b : 0); break;
	case DW_OP_shr: push(m, b < 64 ? a >> b : 0); break;
	case DW_OP_shra: push(m, (uint64_t)((int64_t)a >> (b < 64 ? b : 63))); break;
	case DW_OP_eq: push(m, a == b); break;
	case DW_OP_ne: push(m, a != b); break;
	case DW_OP_lt: push(m, (int64_t)a < (int64_t)b); break;
	case DW_OP_le: push(m, (int64_t)a <= (int64_t)b); break;
	case DW_OP_gt: push(m, (int64_t)a > (int64_t)b); break;
	case DW_OP_ge: push(m, (int64_t)a >= (int64_t)b); break;
	case DW_OP_swap: push(m, b); push(m, a); break;
	}
	return true;
}

static bool unary(struct machine *m, const Dwarf_Op *op)
{
	uint64_t a;

	switch (op->atom) {
	case DW_OP_drop: pop(m); return true;
	case DW_OP_neg: push(m, -pop(m)); return true;
	case DW_OP_not: push(m, ~pop(m)); return true;
	case DW_OP_abs: a = pop(m); push(m, (int64_t)a < 0 ? -a : a); return true;
	case DW_OP_plus_uconst: push(m, pop(m) + op->number); return true;
	case DW_OP_deref: deref(m, 8); return true;
	case DW_OP_deref_size: deref(m, op->number); return true;
	default: return false;
	}
}

static bool constant(struct machine *m, const Dwarf_Op *op)
{
	uint8_t atom = op->atom;

	if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) {
		push(m, atom - DW_OP_lit0);
		return true;
	}
	if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31) {
		push_reg(m, atom - DW_OP_breg0, op->number);
		return true;
	}
	switch (atom) {
	case DW_OP_addr:
	case DW_OP_const1u: case DW_OP_const1s: case DW_OP_const2u: case DW_OP_const2s:
	case DW_OP_const4u: case DW_OP_const4s: case DW_OP_const8u: case DW_OP_const8s:
	case DW_OP_constu: case DW_OP_consts:
		push(m, op->number);
		return true;
	case DW_OP_bregx: push_reg(m, op->number, op->number2); return true;
	case DW_OP_call_frame_cfa: push(m, m->cfa); return true;
	case DW_OP_dup: pick(m, 0); return true;
	case DW_OP_over: pick(m, 1); return true;
	case DW_OP_pick: pick(m, op->number); return true;
	case DW_OP_rot: rotate(m); return true;
	case DW_OP_nop: case DW_OP_stack_value: return true;
	default: return false;
	}
}

/*
 * A branch is relative to what follows it: three bytes, the operation's code and its operand. The
 * index of its target, or nr_ops where no operation begins there.
 */
static size_t branch_target(const struct expression *x, const Dwarf_Op *op)
{
	Dwarf_Word want = op->offset + 3 + (Dwarf_Word)(int64_t)(int16_t)op->number;
	size_t i;

	for (i = 0; i < x->nr_ops; i++)
		if (x->ops[i].offset == want)
			break;
	return i;
}

static bool is_branch(struct machine *m, const Dwarf_Op *op)
{
	return op->atom == DW_OP_skip || (op->atom == DW_OP_bra && pop(m));
}

enum unwind_stop expression_value(const struct expression *x, const struct regs *regs, uint64_t cfa,
				  const struct stack_copy *stack, uint64_t *ret_value)
{
	struct machine m = { .x = x, .regs = regs, .stack = stack, .cfa = cfa, .stop = UNWIND_STOP_ROOT };
	size_t i = 0, nr_steps;

	for (nr_steps = 0; i < x->nr_ops && m.stop == UNWIND_STOP_ROOT; nr_steps++) {
		const Dwarf_Op *op = &x->ops[i];

		if (nr_steps == MAX_STEPS)
			return UNWIND_STOP_BAD_RULE;
		if (is_branch(&m, op)) {
			i = branch_target(x, op);
			if (i == x->nr_ops)
				return UNWIND_STOP_BAD_RULE;
			continue;
		}
		if (op->atom != DW_OP_bra && !constant(&m, op) && !unary(&m, op) && !binary(&m, op->atom))
			return UNWIND_STOP_BAD_RULE;
		i++;
	}
	*ret_value = pop(&m);
	return m.stop;
}
