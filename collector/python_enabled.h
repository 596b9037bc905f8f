/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the interpreter looks whether a USDT probe is enabled:
 *
 *	if (PyDTrace_FUNCTION_RETURN_ENABLED())         cmpw    $0, semaphore(%rip)
 *		dtrace_function_return(frame);          jne     1f
 *	                                                ...
 *	                                        1:      mov     %rbx, %rdi
 *	                                                call    dtrace_function_return
 *
 * The compiler makes several of one such place. The jump, which the kernel emulates, is passed each time
 * that the probe would be, enabled or not, and the frame is in a register there. Whoever enables the probe pays
 * for what its function works out, two strings and a line number, whether that is of use or not.
 * Pure: code in, places out.
 */
#ifndef COLLECTOR_PYTHON_ENABLED_H
#define COLLECTOR_PYTHON_ENABLED_H

#include "base/vec.h"
#include "collector/python_code.h"

/* Link-time addresses. */
struct python_probe {
	uint64_t semaphore;
	uint64_t function;	/* with the probe in it, whose one argument is the frame */
	uint64_t site;		/* the probe */
};

struct python_test {
	uint64_t begin, jump;	/* the instruction that names the semaphore, and the one that tells */
	uint64_t call;		/* of the probe's function */
	int reg;		/* where in struct pt_regs the frame's address is, at the jump */
};

struct python_tests {
	VEC(struct python_test) at;
};

/*
 * Of the code between two addresses. False: the semaphore is named there for something else, or elsewhere (in what the
 * compiler moved out of the function), or the probe's function is called where none of these leads to, so they may not
 * see all that the probe would.
 */
bool python_tests_find(const struct python_code *c, uint64_t begin, uint64_t end,
		       const struct python_probe *probe, struct python_tests *ret);
/*
 * Keeps the first one that code leads to, by jumps to fixed places: in the interpreter that is what it does before its
 * first instruction. False: none was met.
 */
bool python_tests_keep_first(const struct python_code *c, uint64_t begin, struct python_tests *tests);
void python_tests_release(struct python_tests *t);

#endif
