/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols by address: of several at one address the one that perf shows, then one for every byte.
 * Shared by the sources that have a list of names and addresses and no more.
 */
#ifndef SYMBOLIZER_SYMTAB_H
#define SYMBOLIZER_SYMTAB_H

#include <stdint.h>

#include "base/arena.h"
#include "symbolizer/ranges.h"

enum symbol_binding {
	SYMBOL_GLOBAL,
	SYMBOL_LOCAL,
	SYMBOL_WEAK,
};

struct symbol {
	uint64_t start;
	uint64_t end;		/* == start: up to the next symbol, but no further than limit */
	uint64_t limit;
	const char *name;	/* lent until the symtab is released */
	enum symbol_binding binding;
	bool is_plt;		/* name is the function's that the stub jumps to */
	uint32_t shown;		/* string id of the name as shown; 0: not made yet */
	uint32_t place;		/* in the table, set by symtab_finish() */
	uint32_t module;	/* string id of the kernel module it is in; 0: none */
};

struct symtab {
	VEC(struct symbol) symbols;
	struct ranges at;
	struct arena names;	/* of names that live nowhere else */
};

/* Puts aliases in order of preference, gives sizes, and makes symtab_find() work. */
void symtab_finish(struct symtab *t);
/* The preferred one of those that cover vaddr; NULL: none does. */
struct symbol *symtab_find(const struct symtab *t, uint64_t vaddr);
/* The preferred symbol that starts at vaddr, if `name` is one that starts there too; else NULL. */
const struct symbol *symtab_alias(const struct symtab *t, uint64_t vaddr, const char *name);
void symtab_release(struct symtab *t);

#endif
