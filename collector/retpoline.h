/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indirect jumps as compilers make them against speculation (GCC's -mindirect-branch=thunk, clang's -mretpoline): a jump to
 * a thunk, or the thunk itself in the place of the jump. It is known by its code: copies of it have no names.
 *
 *	        jmp     __x86_indirect_thunk_rax
 *
 *	__x86_indirect_thunk_rax:
 *	        call    1f
 *	2:      pause
 *	        jmp     2b
 *	1:      mov     %rax, (%rsp)            or, where the address was pushed before: lea 8(%rsp), %rsp
 *	        ret
 *
 * Who brings thunks of his own (thunk-extern) may have others: lfence; jmp *%rax, as for AMD's processors, jmp *%rax alone, or
 * push %rax; ret. Before and among all these endbr64, nops and lfence may stand. A function that is called last and begins
 * with such a jump is one, too.
 */
#ifndef COLLECTOR_RETPOLINE_H
#define COLLECTOR_RETPOLINE_H

#include "collector/python_code.h"

/*
 * What stands there jumps to what is in the register; ZYDIS_REGISTER_NONE: to what was pushed right before the jump to it, or, if
 * nothing was, it returns, as with -mfunction-return=thunk. False: it does neither.
 */
bool retpoline_at(const struct python_code *c, uint64_t vaddr, ZydisRegister *ret);

/* What stands there does nothing but return: so Linux's own thunk of -mfunction-return=thunk-extern does, or an empty function. */
bool retpoline_returns_at(const struct python_code *c, uint64_t vaddr);

#endif
