/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where one argument of a probe lies when the probe is hit. A BPF program reads it by these rules,
 * so this file includes nothing and uses plain integer types.
 *
 *	CONST	value
 *	REG	(register reg) >> bit
 *	MEM	bytes at (register reg) + ((register index) << shift) + value
 *
 * and of that the low `size` bytes, sign-extended where is_signed. Registers are byte offsets in
 * struct pt_regs, the context of a uprobe's program. An operand that the note writes relative to
 * the instruction pointer is MEM with reg = ip and a value corrected for the probe's own address:
 * at a uprobe, regs->ip is the address of the probe itself.
 */
#ifndef COLLECTOR_PROBE_ARG_H
#define COLLECTOR_PROBE_ARG_H

/* As many as <sys/sdt.h> can write. */
#define PROBE_ARGS_MAX 12
#define PROBE_NO_REG 0xffff

enum probe_arg_kind {
	PROBE_ARG_NONE = 0,	/* cannot be read; struct probe_args says why */
	PROBE_ARG_CONST,
	PROBE_ARG_REG,
	PROBE_ARG_MEM,
};

struct probe_arg {
	unsigned char kind;	/* enum probe_arg_kind */
	unsigned char size;	/* bytes: 1, 2, 4 or 8 */
	unsigned char is_signed;
	unsigned char shift;	/* MEM: 0 to 3 */
	unsigned char bit;	/* REG: 8 for %ah and its kin, else 0 */
	unsigned char zero;
	unsigned short reg;	/* REG, MEM: offset in struct pt_regs, or PROBE_NO_REG */
	unsigned short index;	/* MEM: likewise */
	unsigned short zero2;
	long long value;	/* CONST: the value; MEM: the displacement, bytes */
};

#endif
