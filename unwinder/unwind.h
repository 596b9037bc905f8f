/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a thread's registers and a copy of its stack to the return addresses on it.
 *
 *	u = unwinder_new(arch);
 *	regs_of_perf(arch, mask, words, nr, &regs);
 *	stop = unwind(u, &space, &regs, &stack, &frames);
 *	unwinder_free(u);
 *
 * Rules are cached by pc: once warm, a frame is a look-up and the loads that its rule asks for. The
 * space is only asked for addresses that are not in the cache.
 */
#ifndef UNWINDER_UNWIND_H
#define UNWINDER_UNWIND_H

#include "base/vec.h"
#include "unwinder/cfi.h"

/* Code, as far as unwinding goes. */
struct unwind_code {
	struct cfi *cfi;	/* NULL: code without a file, or with one that cannot be read */
	uint64_t vaddr;		/* in it */
};

/* One process as it is now. */
struct unwind_space {
	void *ctx;
	/* False: nothing executable is mapped at addr. */
	bool (*find)(void *ctx, uint64_t addr, struct unwind_code *ret);
	/*
	 * The return address that was at slot before somebody put another one in its place. False: nobody
	 * is known to have done so. May be NULL.
	 */
	bool (*original)(void *ctx, uint64_t slot, uint64_t *ret_addr);
	uint64_t stamp;		/* another one whenever an answer of find may have changed; never 0 */
};

struct unwind_frame {
	uint64_t addr;		/* runtime */
	bool is_return;		/* addr is a return address: the code that runs stands before it */
	bool is_guessed;	/* it was found by frame pointer, for want of a rule */
};

struct unwind_frames {
	VEC(struct unwind_frame) at;	/* innermost first */
};

struct unwinder;

/* arch is lent. */
struct unwinder *unwinder_new(const struct unwind_arch *arch);
void unwinder_free(struct unwinder *u);

/*
 * Puts the frames into *ret, emptying it before: always at least the one where regs stand. Ends in
 * bounded time whatever the rules and the stack hold. regs is used up.
 */
enum unwind_stop unwind(struct unwinder *u, const struct unwind_space *space, struct regs *regs,
			const struct stack_copy *stack, struct unwind_frames *ret);

/* Of all walks so far. */
const struct unwind_tally *unwinder_tally(const struct unwinder *u);
/* A sample whose registers were of no use counts too. */
void unwinder_count(struct unwinder *u, enum unwind_stop stop);

#endif
