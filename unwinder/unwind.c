/* SPDX-License-Identifier: Apache-2.0 */
#include "unwinder/unwind.h"

#include "base/hash.h"

/*
 * Places of the cache by pc: 24 bytes each. A python3 under Flask has some 3,000 return addresses and
 * some 10,000 places where samples are taken.
 */
enum { NR_KNOWN = 1 << 15 };

struct known {
	uint64_t pc, stamp;	/* stamp 0: free */
	const struct rule *rule;	/* NULL: no code there */
};

struct unwinder {
	const struct unwind_arch *arch;
	struct unwind_tally tally;
	struct known known[NR_KNOWN];
};

struct unwinder *unwinder_new(const struct unwind_arch *arch)
{
	struct unwinder *u = xcalloc(1, sizeof(*u));

	u->arch = arch;
	return u;
}

void unwinder_free(struct unwinder *u)
{
	free(u);
}

const struct unwind_tally *unwinder_tally(const struct unwinder *u)
{
	return &u->tally;
}

void unwinder_count(struct unwinder *u, enum unwind_stop stop)
{
	u->tally.nr_stops[stop]++;
}

static const struct rule *find_rule(const struct unwind_space *space, uint64_t pc)
{
	static const struct rule no_rule = { .kind = RULE_NONE };
	struct unwind_code code = { 0 };

	if (!space->find(space->ctx, pc, &code))
		return NULL;
	return code.cfi ? cfi_rule(code.cfi, code.vaddr) : &no_rule;
}

static const struct rule *rule_at(struct unwinder *u, const struct unwind_space *space, uint64_t pc)
{
	struct known *k = &u->known[hash_mix(space->stamp, pc) >> 32 & (NR_KNOWN - 1)];

	if (k->pc != pc || k->stamp != space->stamp)
		*k = (struct known){ pc, space->stamp, find_rule(space, pc) };
	return k->rule;
}

/* What one step came to. */
struct step {
	enum unwind_stop stop;		/* ROOT and not outermost: go on */
	bool is_outermost, is_signal, is_guessed;
};

/* Below a frame the stack grows only upwards, unless a signal came in on a stack of its own. */
static bool is_above(const struct unwind_arch *arch, const struct regs *r, uint64_t old_sp, uint64_t old_pc)
{
	uint64_t sp = r->value[arch->sp];

	return sp > old_sp || (sp == old_sp && r->pc != old_pc);
}

/*
 * By frame pointer. One of 0 is how start-up code marks the outermost frame for what it calls (System V ABI
 * AMD64, section 3.4.1), and ends a list of them. But code that was interrupted, and has not called anybody,
 * may just not use the register.
 */
static struct step take_guessed_step(const struct unwind_arch *arch, struct regs *r,
				     const struct stack_copy *stack, bool is_return)
{
	struct step s = { .is_guessed = true };
	uint64_t fp;

	if (!is_return && regs_get(r, arch->fp, &fp) && !fp)
		s.stop = UNWIND_STOP_NO_RULE;
	else
		s.stop = rule_step_by_frame_pointer(arch, r, stack, &s.is_outermost);
	return s;
}

static struct step take_step(const struct unwind_arch *arch, const struct rule *rule, struct regs *r,
			     const struct stack_copy *stack, bool is_return)
{
	uint64_t old_sp = r->value[arch->sp], old_pc = r->pc;
	struct step s = { 0 };

	if (!rule || rule->kind == RULE_NONE) {
		s = take_guessed_step(arch, r, stack, is_return);
	} else {
		s.is_signal = rule->is_signal;
		s.is_guessed = rule->is_guess;
		s.stop = rule_step(rule, arch, r, stack, &s.is_outermost);
	}
	if (s.stop == UNWIND_STOP_ROOT && !s.is_outermost && !s.is_signal &&
	    !is_above(arch, r, old_sp, old_pc))
		s.stop = UNWIND_STOP_LOOP;
	return s;
}

/* The rule of the caller that a step has led to; its pc is put right where another's stood in its place. */
static const struct rule *rule_of_caller(struct unwinder *u, const struct unwind_space *space,
					 struct regs *regs, bool is_return)
{
	const struct rule *rule = rule_at(u, space, regs->pc - is_return);
	uint64_t slot = regs->value[u->arch->sp] - sizeof(uint64_t);

	if (rule || !space->original || !u->arch->pushes_return ||
	    !space->original(space->ctx, slot, &regs->pc))
		return rule;
	return rule_at(u, space, regs->pc - is_return);
}

enum unwind_stop unwind(struct unwinder *u, const struct unwind_space *space, struct regs *regs,
			const struct stack_copy *stack, struct unwind_frames *ret)
{
	struct unwind_frame frame = { .addr = regs->pc };
	const struct rule *rule = rule_at(u, space, regs->pc);
	struct step step = { 0 };

	for (ret->at.nr = 0;;) {
		vec_push(&ret->at, frame);
		u->tally.nr_guessed += frame.is_guessed;
		step = take_step(u->arch, rule, regs, stack, frame.is_return);
		if (step.stop != UNWIND_STOP_ROOT || step.is_outermost)
			break;
		rule = rule_of_caller(u, space, regs, !step.is_signal);
		frame = (struct unwind_frame){ regs->pc, !step.is_signal, step.is_guessed };
		/* What a signal's handler returns to is no call's: it is where the trampoline begins. */
		if (rule && rule->is_signal)
			frame.is_return = false;
		if (!rule)
			step.stop = step.is_guessed ? UNWIND_STOP_NO_RULE : UNWIND_STOP_NO_CODE;
		else if (ret->at.nr == UNWIND_MAX_FRAMES)
			step.stop = UNWIND_STOP_TOO_DEEP;
		if (step.stop != UNWIND_STOP_ROOT)
			break;
	}
	u->tally.nr_frames += ret->at.nr;
	u->tally.nr_stops[step.stop]++;
	return step.stop;
}
