/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a function's instructions say of its jumps: where fixed ones from other parts lead, which tables and addresses are
 * named, how a jump finds its table. What stands in the tables is call_jumps.h's.
 *
 *	struct jump_search s = { .c = &code, .function = { begin, end }, .first = UINT64_MAX };
 *
 *	jump_search_all(&s, name);
 *	... s.tables, s.named, s.is_cut ...
 *	jump_search_release(&s);
 */
#ifndef COLLECTOR_JUMP_SEARCH_H
#define COLLECTOR_JUMP_SEARCH_H

#include "collector/call_jumps.h"

/* Where an address is put together is looked for so many instructions before the jump: in libLLVM 14 it takes fewer than 12. */
#define JUMP_SEARCH_LAST 16

/* In virtual addresses of the file, as all here. */
struct code_range {
	uint64_t begin, end;
};

/* In an instruction, which has it in a register from then on. */
struct taken_address {
	uint64_t at;
	ZydisRegister in;	/* ZYDIS_REGISTER_NONE: it reads what is there */
};

/* One function, and what is known of it so far. */
struct jump_search {
	const struct call_code *c;	/* lent */
	struct code_range function;
	uint64_t asked;			/* a jump, in the file; 0: none */
	uint64_t first;			/* the lowest place that is jumped to, from the function's first byte on */
	VEC(struct code_range) elsewhere;	/* code of the function's that stands there: */
	size_t nr_named;		/* these have its name, behind them others may have come */
	VEC(uint64_t) starts;		/* places there that jumps lead to, not followed yet */
	VEC(struct taken_address) named;	/* addresses that instructions take: of tables, for some */
	VEC(struct taken_address) read;	/* and those that they read, or have as numbers */
	uint64_t from_stack;		/* registers that are given an address on the stack, or what was kept there: bits */
	VEC(uint64_t) tables;		/* those of tables that jumps name */
	VEC(uint64_t) disps;		/* of jumps by addresses that they read: what is added to tables of them */
	bool has_sums;			/* it jumps by a table of distances from the table, */
	bool has_other_sums;		/* by the sum of something else, */
	bool has_unclear;		/* or in a way that is not understood, these sums among them */
	uint64_t bytes;			/* looked at */
	bool is_cut;			/* there is more */

	/* Of the jump that is asked for: */
	uint64_t table;			/* that it names; 0: none */
	bool is_variable;		/* it names a variable, as the GOT's are */
	uint64_t base;			/* the table whose entry it takes: one whose address it was just given, */
	uint64_t bases;			/* or one whose address is in one of these registers, in bits, */
	bool is_stack;			/* or it is on the stack, or its address is */
	bool is_unclear;		/* it has none that is known of */

	/* While code is looked at: */
	struct python_insn last[JUMP_SEARCH_LAST];
	unsigned int nr;		/* ever; the last ones of the block are there */
	bool is_nameless;		/* it may be another function, which has tables of its own */
	bool is_end;			/* code does not run on behind the last one */
};

/* The function, and the parts that were moved out of its way by its name. */
void jump_search_named(struct jump_search *s, const char *name);
/* These, and the code without a name that they jump to. */
void jump_search_all(struct jump_search *s, const char *name);
void jump_search_release(struct jump_search *s);

/* Whether this is code of the function's. */
bool jump_search_is_known(const struct jump_search *s, uint64_t vaddr);
/* One more place that may be jumped to; outside of the function's own bytes it is ignored. */
void jump_search_note(struct jump_search *s, uint64_t to);
/* One more of disps, once; where there are too many of them, the search is_cut. */
void jump_search_note_disp(struct jump_search *s, uint64_t disp);
/* The register's, in from_stack and bases. */
uint64_t jump_search_bit(ZydisRegister r);

#endif
