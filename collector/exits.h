/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a function's activation ends, found in its code: every return, and every jump that leaves it
 * for another function (a tail call). A probe there needs no return probe. A return probe puts the
 * kernel's address in the place of the return address, and who unwinds the stack through it is lost:
 * a C++ exception ends the program, a Go stack that moves takes it along.
 *
 * Where a jump leads to is told and not judged: who knows the symbols knows whether that is another
 * function, or a part of this one that the compiler moved away (NAME.cold).
 *
 * x86-64. At each exit the stack pointer is what it was at the function's entry.
 */
#ifndef COLLECTOR_EXITS_H
#define COLLECTOR_EXITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct exit {
	uint64_t off;		/* of the instruction, in the file */
	uint64_t code_off;	/* of the piece of code that it is in */
	uint64_t to;		/* a jump's target, in the file; 0: a return, or a target found at run time */
	bool is_tail_call;	/* a jump: what is called there runs on behind the exit */
	unsigned char condition;	/* EXIT_CONDITION() of probe.h; 0: always taken */
};

/* Valid when zeroed. */
struct exits {
	VEC(struct exit) at;	/* ascending within each piece of code */
};

/*
 * Adds the exits of one piece of code: len bytes that stand at off in their file. Pure. False: bytes
 * that are no instructions, or a jump by a counter (loop, jrcxz) that leaves; nothing is added then.
 */
bool exits_find(struct exits *x, const uint8_t *code, size_t len, uint64_t off);
void exits_release(struct exits *x);

#endif
