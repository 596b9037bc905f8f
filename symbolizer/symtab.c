/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/symtab.h"

#include <stdlib.h>
#include <string.h>

static size_t nr_underscores(const char *name)
{
	return strspn(name, "_");
}

/*
 * Which of two names of one address is shown; perf's order of preference (choose_best_symbol() in
 * tools/perf/util/symbol.c of Linux 6.1), so that both tools speak of the same functions. > 0: a.
 */
static int compare_names(const struct symbol *a, const struct symbol *b)
{
	bool a_sized = a->end > a->start, b_sized = b->end > b->start;
	size_t a_len, b_len;

	if (a_sized != b_sized)
		return a_sized ? 1 : -1;
	if ((a->binding == SYMBOL_WEAK) != (b->binding == SYMBOL_WEAK))
		return b->binding == SYMBOL_WEAK ? 1 : -1;
	if ((a->binding == SYMBOL_GLOBAL) != (b->binding == SYMBOL_GLOBAL))
		return a->binding == SYMBOL_GLOBAL ? 1 : -1;
	a_len = nr_underscores(a->name);
	b_len = nr_underscores(b->name);
	if (a_len != b_len)
		return a_len < b_len ? 1 : -1;
	a_len = strlen(a->name);
	b_len = strlen(b->name);
	if (a_len != b_len)
		return a_len > b_len ? 1 : -1;
	return strcmp(b->name, a->name);
}

static int by_start(const void *x, const void *y)
{
	const struct symbol *a = x, *b = y;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return -compare_names(a, b);
}

void symtab_finish(struct symtab *t)
{
	size_t nr = 0, i;

	if (!t->symbols.nr)
		return;
	qsort(t->symbols.at, t->symbols.nr, sizeof(t->symbols.at[0]), by_start);
	for (i = 0; i < t->symbols.nr; i++)
		if (!nr || t->symbols.at[nr - 1].start != t->symbols.at[i].start)
			t->symbols.at[nr++] = t->symbols.at[i];
	t->symbols.nr = nr;
	for (i = 0; i < nr; i++) {
		struct symbol *s = &t->symbols.at[i];

		if (s->end <= s->start) {
			s->end = s->limit;
			if (i + 1 < nr && s[1].start < s->limit)
				s->end = s[1].start;
		}
		ranges_add(&t->at, s->start, s->end, (uint32_t)i);
	}
	ranges_flatten(&t->at, RANGES_INNERMOST);
}

struct symbol *symtab_find(const struct symtab *t, uint64_t vaddr)
{
	uint32_t id;

	return ranges_find(&t->at, vaddr, &id) ? &t->symbols.at[id] : NULL;
}

void symtab_release(struct symtab *t)
{
	vec_release(&t->symbols);
	ranges_release(&t->at);
	arena_release(&t->names);
}
