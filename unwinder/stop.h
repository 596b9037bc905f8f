/* SPDX-License-Identifier: Apache-2.0 */
/* Why a walk ended. One list feeds the enum, the words, and the keys that tallies go by. */
#ifndef UNWINDER_STOP_H
#define UNWINDER_STOP_H

#include <stddef.h>
#include <stdint.h>

#define UNWIND_STOPS(X)                                                                            \
	X(ROOT, "root", "outermost frame")                                                         \
	X(SHORT, "short", "stack copy ended")                                                      \
	X(NO_RULE, "no_rule", "no unwind info, no frame pointer")                                  \
	X(NO_CODE, "no_code", "return address outside of code")                                    \
	X(BAD_STACK, "bad_stack", "frame outside of the stack")                                    \
	X(BAD_RULE, "bad_rule", "unwind info makes no sense")                                      \
	X(LOOP, "loop", "frame does not grow")                                                     \
	X(TOO_DEEP, "too_deep", "more than 1024 frames")                                           \
	X(NO_REGS, "no_regs", "no registers of a 64-bit program")

#define UNWIND_STOP_ID(id, key, text) UNWIND_STOP_##id,
enum unwind_stop { UNWIND_STOPS(UNWIND_STOP_ID) UNWIND_NR_STOPS };

enum { UNWIND_MAX_FRAMES = 1024 };

/* Samples by how the walk of their user's stack ended, and frames by what led to their caller. */
struct unwind_tally {
	uint64_t nr_stops[UNWIND_NR_STOPS];
	uint64_t nr_frames;
	uint64_t nr_guessed;	/* frames whose caller a frame pointer named, for want of a rule */
};

void unwind_tally_add(struct unwind_tally *sum, const struct unwind_tally *t);
/*
 * By key: "stacks_root" and so on for the stops, "stack_frames", "stack_frames_guessed". Other keys are
 * not ours, and left alone.
 */
void unwind_tally_set(struct unwind_tally *t, const char *key, uint64_t count);
/* The i-th of UNWIND_NR_TALLIES, to be written down. The key is static. */
enum { UNWIND_NR_TALLIES = UNWIND_NR_STOPS + 2 };
uint64_t unwind_tally_get(const struct unwind_tally *t, size_t i, const char **ret_key);
const char *unwind_stop_key(enum unwind_stop stop);
const char *unwind_stop_text(enum unwind_stop stop);

#endif
