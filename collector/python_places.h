/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where probes go that see Python's functions entered and left: a file with CPython 3.11's code in, places
 * out. Nothing but the file is looked at.
 *
 * Left: where the interpreter looks whether the USDT probe function__return is enabled (python_enabled.h), which it does
 * on return, yield and exceptions. Entered: function__entry is not reached in 3.11, other than when an exception is
 * thrown into a generator or the frame is traced (github.com/python/cpython/issues/98894). The place for what is thrown
 * is taken, the first one that _PyEval_EvalFrameDefault() leads to; frames that are traced come by all others, too.
 * What a frame does first, and each time that it is resumed, is the instruction RESUME. The code for it, and for
 * RESUME_QUICK, which takes its place when the function is warm, begins where the table of that function says which
 * leads from opcodes to code: a table of 256 addresses that it refers to.
 *
 * Where that is not understood, the USDT probes themselves are taken, with their semaphores.
 *
 * Code that is freed: the function in PyCode_Type (tp_dealloc of Include/cpython/object.h), which has the code object in
 * the register of a function's first argument. Not where that is not found: then no cookie tells of it.
 *
 * Which register has the frame's address: the code of both instructions stores the current one at
 * frame + 0x38, and the functions with the USDT probes are given it, their only argument, and keep it.
 */
#ifndef COLLECTOR_PYTHON_PLACES_H
#define COLLECTOR_PYTHON_PLACES_H

#include "base/err.h"
#include "base/vec.h"
#include "collector/call_link.h"

struct python_places {
	VEC(struct call_place) at;	/* with cookies as python_calls.h has them */
};

/*
 * open_path opens the file; module is its name in errors. -ENOEXEC: there is no Python in it. -EOPNOTSUPP:
 * it has no such probes, another version, or code as no compiler known here makes it; *e says which, and
 * what can be done. *ret grows on success only.
 */
int python_places_find(const char *open_path, const char *module, struct python_places *ret, struct err *e);
void python_places_release(struct python_places *p);

#endif
