/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwinds its stack as LuaJIT does for an error of Lua's: without exception tables. Of 1000 calls each second one throws.
 * Prints how many were caught. Not position-independent.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unwind.h>

/* Calls it with that argument. 1: it threw. */
int catches(void (*f)(int i), int i);
extern char landing[];
_Unwind_Reason_Code personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				struct _Unwind_Exception *exception, struct _Unwind_Context *context);

asm(".text\n.globl catches, landing\n.type catches, @function\n"
    "catches: .cfi_startproc\n .cfi_personality 0, personality\n push %rbx\n .cfi_adjust_cfa_offset 8\n"
    " mov %rdi, %rax\n mov %esi, %edi\n call *%rax\n xor %eax, %eax\n pop %rbx\n .cfi_remember_state\n .cfi_adjust_cfa_offset -8\n ret\n"
    "landing: .cfi_restore_state\n mov $1, %eax\n pop %rbx\n .cfi_adjust_cfa_offset -8\n ret\n .cfi_endproc\n"
    ".size catches, . - catches\n");

_Unwind_Reason_Code personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	(void)version, (void)class, (void)exception;
	if (actions & _UA_SEARCH_PHASE)
		return _URC_HANDLER_FOUND;
	_Unwind_SetIP(context, (uintptr_t)landing);
	return _URC_INSTALL_CONTEXT;
}

static struct _Unwind_Exception thrown;

__attribute__((noinline)) void throws(int i);

void throws(int i)
{
	if (i % 2)
		return;
	_Unwind_RaiseException(&thrown);
	/* Nobody caught it. */
	abort();
}

int main(void)
{
	int i, nr_caught = 0;

	for (i = 0; i < 1000; i++)
		nr_caught += catches(throws, i);
	printf("%d\n", nr_caught);
	return 0;
}
