/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How to get from one frame to its caller's, at one place in code. The CFA is the value of the stack
 * pointer at the call, before it (DWARF 5, section 6.4.1); all else is relative to it:
 *
 *	x86-64, behind "push %rbp; mov %rsp,%rbp; push %rbx":
 *
 *	cfa = rbp + 16		rsp = cfa		pc = *(cfa - 8)
 *	rbp = *(cfa - 16)	rbx = *(cfa - 24)	r12 .. r15 stay
 *
 * Rules of this form are 64 bytes. The few others (PLT stubs, signal frames, stacks that are aligned
 * anew) are equations whose sides are expressions.
 */
#ifndef UNWINDER_RULE_H
#define UNWINDER_RULE_H

#include "unwinder/expression.h"
#include "unwinder/regs.h"

enum rule_kind {
	RULE_NONE,		/* nothing is known about this place */
	RULE_CFA,		/* cfa = register + cfa_off */
	RULE_EQUATIONS,
	RULE_BAD,		/* there is unwind info, and it makes no sense */
};

enum { RULE_MAX_SAVED = 12 };	/* aarch64 saves x19 to x30 */

struct rule {
	uint64_t kept;		/* bit n: register n of the caller is the callee's */
	union {
		struct rule_saved {
			int16_t word;	/* the register is *(cfa + 8 * word) */
			uint8_t reg, zero;	/* rules are compared as bytes */
		} saved[RULE_MAX_SAVED];
		const struct equations *equations;	/* RULE_EQUATIONS; lent */
	};
	int32_t cfa_off;
	uint8_t cfa_reg;
	uint8_t kind;		/* enum rule_kind */
	uint8_t nr_saved;
	uint8_t ra : 6;		/* the register that holds the caller's pc after the step */
	uint8_t is_guess : 1;	/* nothing is said of this place, but of one shortly before it */
	uint8_t is_signal : 1;	/* the caller was interrupted: its pc is no return address */
};

enum equation_side {
	EQUATION_VALUE,		/* the register is the expression's value */
	EQUATION_AT,		/* the register is the word that the expression points to */
};

struct equation {
	uint8_t reg;
	enum equation_side side;
	struct expression expression;
};

/* The CFA first, then any register in terms of it and of the callee's registers. */
struct equations {
	struct expression cfa;
	size_t nr;
	struct equation at[];
};

/*
 * From a frame to its caller's, in place. UNWIND_STOP_ROOT: there it is, unless *ret_is_outermost: the
 * frame has no caller, and *r is as it was. Else why not; *r is undefined then.
 */
enum unwind_stop rule_step(const struct rule *rule, const struct unwind_arch *arch, struct regs *r,
			   const struct stack_copy *stack, bool *ret_is_outermost);

/*
 * The same by frame pointer, for code without a rule: *fp is the caller's frame pointer and the word
 * above it the return address, on all processors that have a table here.
 */
enum unwind_stop rule_step_by_frame_pointer(const struct unwind_arch *arch, struct regs *r,
					    const struct stack_copy *stack, bool *ret_is_outermost);

#endif
