/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a function's activation ends, found in its code: every return, and every jump that leaves it
 * for another function (a tail call). A probe there needs no return probe. A return probe puts the
 * kernel's address in the place of the return address, and who unwinds the stack through it is lost:
 * a C++ exception ends the program, a Go stack that moves takes it along, and so is who returns on another stack.
 *
 * A breakpoint in data, or in the midst of an instruction, breaks the function. So only what is certainly code is
 * looked at: what the entry leads to, by falling through and by jumps to fixed places. Where the jumps of a switch lead
 * to is not known, nor where exceptions are caught. If there are such, the rest has to be taken for code from end to
 * end, and is if a compiler made it (these put no data among their code; unwind info for all of it tells), if its
 * instructions fill the room between what is known exactly, if all jumps between both lead to instructions, and if
 * no address in it is taken, as one of data would be. Else the exits are not known. Where there are none, the rest is
 * never run.
 *
 * Where a jump leads to is told and not judged: who knows the symbols knows whether that is another
 * function, or a part of this one that the compiler moved away (NAME.cold), and who knows the file's tables,
 * whether an address from there is a function's, or a label's (call_jumps.h).
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
	uint64_t to;		/* a jump's target, in the file; 0: a return, or an address found at run time */
	bool is_tail_call;	/* a jump: what is called there runs on behind the exit */
	unsigned char condition;	/* EXIT_CONDITION() of probe.h; 0: always taken */
};

/* Valid when zeroed. */
struct exits {
	VEC(struct exit) at;	/* ascending within each piece of code */
};

/* The function from its entry on, or a part of it that stands elsewhere. */
struct exits_piece {
	const uint8_t *code;
	size_t len;
	uint64_t off;		/* of the first byte, in the file */
	uint64_t vaddr;		/* where it will run; 0: anywhere */
	bool is_compiled;	/* by a compiler: no data stands in it */
};

/* What a jump leads to, outside of the pieces (retpoline.h). */
enum exits_thunk {
	EXITS_NO_THUNK,
	EXITS_THUNK,		/* it goes on to an address that is found at run time, */
	EXITS_RETURNS,		/* or to what is on the stack: what was pushed right before, or else it returns */
};
typedef enum exits_thunk (*exits_thunk_at)(void *data, uint64_t off);

/*
 * Adds the exits of a function. The first piece begins with its entry. is_caught: something may go on in the midst of what
 * a compiler made, as who catches an exception does. thunk_at: NULL: there are none. Pure. False: they are not known (see
 * above), or there is a jump by a counter (loop, jrcxz) that leaves, or a call of a place inside, whose return is none of
 * the function's; nothing is added then.
 */
bool exits_find(struct exits *x, const struct exits_piece *pieces, size_t nr, bool is_caught, exits_thunk_at thunk_at, void *data);
void exits_release(struct exits *x);

/* Pure. Decoded from end to end, one has a jump into the other. */
bool exits_are_joined(const struct exits_piece *a, const struct exits_piece *b);

#endif
