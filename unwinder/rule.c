/* SPDX-License-Identifier: Apache-2.0 */
#include "unwinder/rule.h"

#include <assert.h>

static_assert(sizeof(struct rule) == 64, "a rule is a cache line");

/* What the registers were before the step. */
struct callee {
	uint64_t known, sp;
};

/*
 * A word below the stack pointer was popped already: in an epilogue the rules still say that it is
 * saved there, but the register has its value back. A register whose word is not in the copy is not
 * known; only if it is the return address, the walk ends with it.
 */
static enum unwind_stop load(const struct rule *rule, const struct callee *callee, struct regs *r,
			     const struct stack_copy *stack, uint64_t addr, unsigned int reg)
{
	uint64_t value;
	enum unwind_stop stop;

	if (addr < callee->sp && reg != rule->ra) {
		r->known |= callee->known & 1ULL << reg;
		return UNWIND_STOP_ROOT;
	}
	stop = stack_read(stack, addr, &value);
	if (stop == UNWIND_STOP_ROOT)
		regs_set(r, reg, value);
	else
		r->known &= ~(1ULL << reg);
	return reg == rule->ra ? stop : UNWIND_STOP_ROOT;
}

static enum unwind_stop step_by_cfa(const struct rule *rule, const struct unwind_arch *arch,
				    struct regs *r, const struct stack_copy *stack)
{
	const struct callee callee = { r->known, r->value[arch->sp] };
	enum unwind_stop stop = UNWIND_STOP_ROOT;
	uint64_t cfa;
	size_t i;

	if (!regs_get(r, rule->cfa_reg, &cfa))
		return UNWIND_STOP_BAD_RULE;
	cfa += (uint64_t)(int64_t)rule->cfa_off;
	r->known &= rule->kept;
	for (i = 0; i < rule->nr_saved && stop == UNWIND_STOP_ROOT; i++)
		stop = load(rule, &callee, r, stack, cfa + (uint64_t)(8 * (int64_t)rule->saved[i].word),
			    rule->saved[i].reg);
	regs_set(r, arch->sp, cfa);
	return stop;
}

static enum unwind_stop step_by_equations(const struct rule *rule, const struct unwind_arch *arch,
					  struct regs *r, const struct stack_copy *stack)
{
	const struct equations *all = rule->equations;
	const struct regs before = *r;
	const struct callee callee = { r->known, r->value[arch->sp] };
	uint64_t cfa, value;
	enum unwind_stop stop = expression_value(&all->cfa, &before, 0, stack, &cfa);
	size_t i;

	if (stop != UNWIND_STOP_ROOT)
		return stop;
	r->known &= rule->kept;
	regs_set(r, arch->sp, cfa);
	for (i = 0; i < all->nr; i++) {
		const struct equation *q = &all->at[i];

		stop = expression_value(&q->expression, &before, cfa, stack, &value);
		if (stop != UNWIND_STOP_ROOT)
			return stop;
		if (q->side == EQUATION_VALUE)
			regs_set(r, q->reg, value);
		else
			stop = load(rule, &callee, r, stack, value, q->reg);
		if (stop != UNWIND_STOP_ROOT)
			return stop;
	}
	return UNWIND_STOP_ROOT;
}

/* No rule for its return address, or one that says it has none: _start, clone, the ends of threads. */
static void take_return_address(const struct rule *rule, const struct unwind_arch *arch, struct regs *r,
				bool *ret_is_outermost)
{
	uint64_t pc;

	*ret_is_outermost = !regs_get(r, rule->ra, &pc) || !(pc & arch->code_mask);
	if (!*ret_is_outermost)
		r->pc = pc & arch->code_mask;
}

enum unwind_stop rule_step(const struct rule *rule, const struct unwind_arch *arch, struct regs *r,
			   const struct stack_copy *stack, bool *ret_is_outermost)
{
	enum unwind_stop stop;

	if (arch->pc != UNWIND_NO_REG)
		regs_set(r, arch->pc, r->pc);
	switch (rule->kind) {
	case RULE_CFA:
		stop = step_by_cfa(rule, arch, r, stack);
		break;
	case RULE_EQUATIONS:
		stop = step_by_equations(rule, arch, r, stack);
		break;
	case RULE_BAD:
		return UNWIND_STOP_BAD_RULE;
	default:
		return UNWIND_STOP_NO_RULE;
	}
	if (stop == UNWIND_STOP_ROOT)
		take_return_address(rule, arch, r, ret_is_outermost);
	return stop;
}

/*
 * System V ABI AMD64, section 3.2.2; Procedure Call Standard for the Arm 64-bit Architecture, section
 * 6.4.6. A frame pointer of 0 ends the list. One that is below the stack pointer, or not aligned, is
 * none: the code uses the register for something else.
 */
enum unwind_stop rule_step_by_frame_pointer(const struct unwind_arch *arch, struct regs *r,
					    const struct stack_copy *stack, bool *ret_is_outermost)
{
	uint64_t sp = r->value[arch->sp], fp, caller_fp, pc;
	enum unwind_stop stop;

	*ret_is_outermost = false;
	if (!regs_get(r, arch->fp, &fp))
		return UNWIND_STOP_NO_RULE;
	*ret_is_outermost = !fp;
	if (!fp)
		return UNWIND_STOP_ROOT;
	if (fp < sp || fp % 8)
		return UNWIND_STOP_NO_RULE;
	stop = stack_read(stack, fp + 8, &pc);
	if (stop == UNWIND_STOP_ROOT)
		stop = stack_read(stack, fp, &caller_fp);
	if (stop != UNWIND_STOP_ROOT)
		return stop == UNWIND_STOP_SHORT ? stop : UNWIND_STOP_NO_RULE;
	*ret_is_outermost = !(pc & arch->code_mask);
	if (*ret_is_outermost)
		return UNWIND_STOP_ROOT;
	r->pc = pc & arch->code_mask;
	r->known = 0;
	regs_set(r, arch->fp, caller_fp);
	regs_set(r, arch->sp, fp + 16);
	return UNWIND_STOP_ROOT;
}
