/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/jump_search.h"

#include <stdlib.h>
#include <string.h>

/*
 * No switch has more entries. A jump whose index does not begin at 0 names a place so many entries before its table, at
 * most. For most functions fewer than 8,000 entries are read (Python's _PyUnicode_ToNumeric: 137,879; a million take 10 ms);
 * of a function that has more, as a crafted one may, the rest is not known.
 */
enum { TABLE_MAX = 4096, BIAS_MAX = 256, ENTRIES_MAX = 1 << 20 };

const struct call_jumps call_jumps_anywhere = { 0 };

static int by_name(const void *va, const void *vb)
{
	const struct image_symbol *const *a = va, *const *b = vb;

	return strcmp((*a)->name, (*b)->name);
}

void call_code_open(struct call_code *c, const struct image *image, int fd)
{
	*c = (struct call_code){ .image = image };
	elf_version(EV_CURRENT);
	c->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!c->elf || !python_code_open(&c->bytes, c->elf))
		return;
	vec_each(&image->symbols, sym)
		if (strstr(sym->name, CALL_CODE_COLD))
			vec_push(&c->cold, sym);
	if (c->cold.nr)
		qsort(c->cold.at, c->cold.nr, sizeof(*c->cold.at), by_name);
}

void call_code_release(struct call_code *c)
{
	vec_release(&c->cold);
	vec_release(&c->entered);
	python_code_release(&c->bytes);
	elf_end(c->elf);
	*c = (struct call_code){ 0 };
}

/* A function's tables, and what they lead to. */
struct search {
	struct jump_search code;
	bool has_labels, takes_begin, has_functions;
	bool is_own;			/* the table of the jump that is asked for may be one of labels */
	uint64_t nr_entries;		/* looked at */
};

/* ---- tables ---- */

/* One more entry, of all tables together. */
static bool may_read(struct search *s)
{
	s->code.is_cut |= s->nr_entries++ >= ENTRIES_MAX;
	return !s->code.is_cut;
}

static bool read_pointer(struct search *s, uint64_t table, size_t i, uint64_t *ret_to)
{
	return may_read(s) && python_code_pointer(&s->code.c->bytes, table + i * sizeof(uint64_t), ret_to);
}

static bool read_distance(struct search *s, uint64_t table, size_t i, uint64_t *ret_to)
{
	const void *at = python_code_at(&s->code.c->bytes, table + i * sizeof(int32_t), sizeof(int32_t), 0);
	int32_t distance;

	if (!at || !may_read(s))
		return false;
	memcpy(&distance, at, sizeof(distance));
	*ret_to = table + (uint64_t)(int64_t)distance;
	return true;
}

/* Whether one of what is named is a table of distances: it begins with that of code. */
static bool read_distances(struct search *s)
{
	bool is_any = false;
	uint64_t to;
	size_t i;

	vec_each(&s->code.named, table) {
		is_any |= read_distance(s, table->at, 0, &to) && python_code_off(&s->code.c->bytes, to);
		for (i = 0; i < TABLE_MAX && read_distance(s, table->at, i, &to) && jump_search_is_known(&s->code, to); i++)
			jump_search_note(&s->code, to);
	}
	return is_any;
}

/* The function's begin is one where there are others. */
static bool is_label(const struct search *s, uint64_t to)
{
	return jump_search_is_known(&s->code, to) && to != s->code.function.begin;
}

static void note_label(struct search *s, uint64_t to)
{
	s->has_labels |= is_label(s, to);
	s->takes_begin |= to == s->code.function.begin;
	if (is_label(s, to))
		jump_search_note(&s->code, to);
}

/* Up to the first entry that leads elsewhere. In a table of functions this one may stand first. True: there are labels. */
static bool note_entries(struct search *s, uint64_t table)
{
	bool is_all_begin = true;
	uint64_t to;
	size_t i;

	for (i = 0; i < TABLE_MAX && read_pointer(s, table, i, &to) && jump_search_is_known(&s->code, to); i++) {
		note_label(s, to);
		is_all_begin &= to == s->code.function.begin;
	}
	if (is_all_begin && read_pointer(s, table, i, &to))
		s->has_functions |= python_code_off(&s->code.c->bytes, to) != 0;
	return !is_all_begin;
}

/* A label that stands there, or that a table there leads to. True: it is a table. */
static bool note_labels(struct search *s, uint64_t at)
{
	bool is_table = false;

	note_label(s, at);
	vec_each(&s->code.disps, disp)
		is_table |= note_entries(s, at + *disp);
	return is_table;
}

static void read_address(struct search *s, const struct taken_address *a)
{
	bool is_base = a->in && (a->at == s->code.base || s->code.bases & jump_search_bit(a->in));

	s->is_own |= note_labels(s, a->at) && is_base;
}

/* Labels have no names outside of the function: it has their addresses itself, or a constant that it reads has. */
static void read_addresses(struct search *s)
{
	if (!s->code.disps.nr)
		return;
	vec_each(&s->code.named, a)
		read_address(s, a);
	vec_each(&s->code.read, a)
		read_address(s, a);
}

static void read_tables(struct search *s)
{
	vec_each(&s->code.tables, at)
		note_labels(s, *at);
	if (s->has_labels && s->takes_begin)
		jump_search_note(&s->code, s->code.function.begin);
}

void call_jumps_find(const struct call_code *c, const struct image_symbol *sym, uint64_t len, struct call_jumps *ret)
{
	struct search s = { .code = { .c = c, .function = { sym->vaddr, sym->vaddr + len }, .first = UINT64_MAX } };

	jump_search_all(&s.code, sym->name);
	read_addresses(&s);
	read_tables(&s);
	if ((s.code.has_sums && !read_distances(&s)) || s.code.is_cut)
		s.code.first = 0;
	*ret = (struct call_jumps){ .first = s.code.first };
	jump_search_release(&s.code);
}

/* ---- one jump ---- */

/* By an address from anywhere: unless it is from a table of labels, or on the stack, it may be a label's or a function's. */
static enum call_jumps_way way_of_pointer(struct search *s)
{
	read_addresses(s);
	s->is_own |= s->code.is_stack || s->code.bases & s->code.from_stack;
	if (!s->has_labels)
		return CALL_JUMPS_LEAVES;
	return s->is_own && !s->has_functions ? CALL_JUMPS_STAYS : CALL_JUMPS_UNKNOWN;
}

static enum call_jumps_way way_of_variable(struct search *s)
{
	uint64_t to;

	vec_push(&s->code.read, (struct taken_address){ s->code.table, ZYDIS_REGISTER_NONE });
	if (python_code_pointer(&s->code.c->bytes, s->code.table, &to) && !is_label(s, to))
		return CALL_JUMPS_LEAVES;
	return way_of_pointer(s);
}

/* What stands behind a table of functions may be another one. */
static enum call_jumps_way way_of_table(struct search *s)
{
	bool has_functions = false;
	uint64_t to;
	size_t i;

	for (i = 0; i < BIAS_MAX && python_code_pointer(&s->code.c->bytes, s->code.table + i * sizeof(uint64_t), &to); i++) {
		if (is_label(s, to))
			return has_functions ? CALL_JUMPS_UNKNOWN : CALL_JUMPS_STAYS;
		has_functions |= !jump_search_is_known(&s->code, to) && python_code_off(&s->code.c->bytes, to);
	}
	return has_functions ? CALL_JUMPS_LEAVES : way_of_pointer(s);
}

enum call_jumps_way call_jumps_way(const struct call_code *c, const struct image_symbol *sym, uint64_t off)
{
	struct search s = { .code = { .c = c, .function = { sym->vaddr, sym->vaddr + sym->size }, .asked = off } };
	enum call_jumps_way way;

	jump_search_named(&s.code, sym->name);
	jump_search_note_disp(&s.code, 0);
	way = s.code.is_variable ? way_of_variable(&s) : s.code.table ? way_of_table(&s) : way_of_pointer(&s);
	jump_search_release(&s.code);
	return s.code.is_cut ? CALL_JUMPS_UNKNOWN : way;
}
