/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between processors: one table each. Registers are known by their DWARF numbers
 * everywhere here (System V ABI AMD64, figure 3.36; DWARF for the Arm 64-bit Architecture, section 4.1);
 * the kernel's numbers (perf_regs.h) stand in the tables only.
 */
#ifndef UNWINDER_ARCH_H
#define UNWINDER_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	UNWIND_MAX_REGS = 34,	/* DWARF numbers that rules speak of: aarch64's x0 to x30, sp, two more */
	UNWIND_PC = 255,	/* in perf_to_dwarf: the program counter */
	UNWIND_NO_REG = 254,	/* none of ours */
};

struct unwind_arch {
	const char *name;		/* as uname -m has it */
	uint8_t nr_regs;		/* DWARF numbers from 0 on */
	uint8_t sp, fp;			/* DWARF numbers */
	uint8_t pc;			/* the same; UNWIND_NO_REG where DWARF numbers none */
	uint64_t perf_mask;		/* of perf_event_attr.sample_regs_user: all that rules may ask for */
	const uint8_t *perf_to_dwarf;	/* by the kernel's number */
	uint8_t nr_perf_regs;
	bool pushes_return;		/* calls put the return address right below the caller's stack pointer */
	uint64_t callee_saved;		/* bit n: a function that says nothing of register n leaves it alone */
	uint64_t code_mask;		/* bits of a return address that are address (the rest signs it) */
};

/* NULL: none of that name. "arm64" is "aarch64" too, as perf writes it. */
const struct unwind_arch *unwind_arch_find(const char *name);
/* The processor that this program was built for; NULL: no table for it. */
const struct unwind_arch *unwind_arch_native(void);

#endif
