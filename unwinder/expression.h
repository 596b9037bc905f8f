/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DWARF expressions, as far as unwind info uses them: arithmetic over registers and words of the stack
 * (DWARF 5, section 2.5.1). The PLT's and the signal frames' are of this kind.
 */
#ifndef UNWINDER_EXPRESSION_H
#define UNWINDER_EXPRESSION_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwinder/regs.h"

/* An expression is lent by who parsed it: Dwarf_Op.offset is where a branch finds its target. */
struct expression {
	const Dwarf_Op *ops;
	size_t nr_ops;
};

/*
 * Its value: what is on top of the stack at the end. cfa is what DW_OP_call_frame_cfa pushes.
 * UNWIND_STOP_ROOT: *ret_value is set. Else the reason why it has none: an operation or a register that
 * is not known, a word that is not in the copy, a stack of more than 32, more than 256 steps.
 */
enum unwind_stop expression_value(const struct expression *x, const struct regs *regs, uint64_t cfa,
				  const struct stack_copy *stack, uint64_t *ret_value);

#endif
