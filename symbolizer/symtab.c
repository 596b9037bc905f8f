/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/symtab.h"

#include <stdlib.h>
#include <string.h>

static size_t nr_underscores(const char *name)
{
	return strspn(name, "_");
}

/* "cfree@GLIBC_2.2.5", as against "free@@GLIBC_2.2.5": what only old programs still call it. */
static bool is_old_name(const char *name)
{
	const char *version = strchr(name, '@');

	return version && version != name && version[1] != '@';
}

/*
 * Which of two names of one address is shown; perf's order of preference (choose_best_symbol() in
 * tools/perf/util/symbol.c of Linux 6.1), so that both tools speak of the same functions, but for
 * old names: perf's free() is cfree@GLIBC_2.2.5. > 0: a.
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
	if (is_old_name(a->name) != is_old_name(b->name))
		return is_old_name(b->name) ? 1 : -1;
	a_len = nr_underscores(a->name);
	b_len = nr_underscores(b->name);
	if (a_len != b_len)
		return a_len < b_len ? 1 : -1;
	a_len = strlen(a->name);
	b_len = strlen(b->name);
	if (a_len != b_len)
		return a_len > b_len ? 1 : -1;
	return a->place < b->place ? 1 : -1;
}

static int by_start(const void *x, const void *y)
{
	const struct symbol *a = x, *b = y;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return -compare_names(a, b);
}

static bool is_sorted(const struct symtab *t)
{
	size_t i;

	for (i = 1; i < t->symbols.nr; i++)
		if (by_start(&t->symbols.at[i - 1], &t->symbols.at[i]) > 0)
			return false;
	return true;
}

void symtab_finish(struct symtab *t)
{
	size_t nr = t->symbols.nr, i, next;

	if (!nr)
		return;
	ranges_release(&t->at);
	for (i = 0; i < nr; i++)
		t->symbols.at[i].place = (uint32_t)i;
	/* The kernel's hundred thousand are in order as they come. */
	if (!is_sorted(t))
		qsort(t->symbols.at, nr, sizeof(t->symbols.at[0]), by_start);
	for (i = 0; i < nr; i = next) {
		struct symbol *s = &t->symbols.at[i];

		for (next = i + 1; next < nr && t->symbols.at[next].start == s->start; next++)
			;
		if (s->end <= s->start) {
			s->end = s->limit;
			if (next < nr && t->symbols.at[next].start < s->limit)
				s->end = t->symbols.at[next].start;
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

/* Without its version, which is the linker's business. */
static bool is_called(const struct symbol *s, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(s->name, name, len) && (!s->name[len] || s->name[len] == '@');
}

const struct symbol *symtab_alias(const struct symtab *t, uint64_t vaddr, const char *name)
{
	const struct symbol *best = symtab_find(t, vaddr), *s;

	if (!best || best->start != vaddr)
		return NULL;
	for (s = best; s < t->symbols.at + t->symbols.nr && s->start == vaddr; s++)
		if (is_called(s, name))
			return best;
	return NULL;
}

void symtab_release(struct symtab *t)
{
	vec_release(&t->symbols);
	ranges_release(&t->at);
	arena_release(&t->names);
}
