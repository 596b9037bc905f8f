/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operands to struct probe_arg. A USDT note lists the arguments of its site as the compiler wrote
 * them, size before operand, in AT&T syntax on x86-64:
 *
 *	-4@%edi  8@%rax  8@-8(%rbp)  4@$5  8@8(%rax,%rdx,8)  8@counters+16(%rip)  8f@%xmm0
 *
 * The size is in bytes, negative where the type is signed; f marks floating point.
 */
#ifndef COLLECTOR_OPERAND_H
#define COLLECTOR_OPERAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/probe_arg.h"

/* The System V ABI for AMD64 (3.2.3) passes six integer arguments in registers. */
#define FUNCTION_ARGS_MAX 6

/* What the operands of one site may refer to. */
struct operand_scope {
	uint64_t vaddr;		/* of the site */
	bool is_fixed;		/* ET_EXEC: link-time addresses are runtime addresses */
	/* The link-time address of a symbol; false: unknown. NULL knows none. */
	bool (*symbol)(void *self, const char *name, size_t len, uint64_t *ret_vaddr);
	void *self;
};

/* How many arguments a note's list has. */
unsigned int operand_count(const char *list);
/*
 * The n-th argument of the list, from 1. NULL on success; else why it cannot be read, a constant
 * string, and ret->kind is PROBE_ARG_NONE.
 */
const char *operand_parse(const char *list, unsigned int n, const struct operand_scope *scope,
			  struct probe_arg *ret);
/* The n-th integer argument of a function at its first instruction; returns as above. */
const char *operand_of_function(unsigned int n, struct probe_arg *ret);

#endif
