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
	vec_release(&c->pointers);
	python_code_release(&c->bytes);
	elf_end(c->elf);
	*c = (struct call_code){ 0 };
}

/* A function's tables, and what they lead to. */
struct search {
	struct jump_search code;
	struct call_code *file;		/* the same as its c */
	bool has_labels, takes_begin, has_functions;
	bool takes_own;			/* an instruction has an address of its own code's */
	bool is_own;			/* the table of the jump that is asked for may be one of labels */
	uint64_t nr_entries;		/* looked at */
	VEC(struct code_range) extents;	/* those of the tables that jumps name */
	struct code_range words;	/* from the first to the last label that the file has elsewhere */
};

/* ---- words of the file ---- */

static int by_to(const void *va, const void *vb)
{
	const struct python_pointer *a = va, *b = vb;

	return (a->to > b->to) - (a->to < b->to);
}

static void add_pointer(struct call_code *c, const struct python_pointer *p)
{
	if (python_code_off(&c->bytes, p->to))
		vec_push(&c->pointers, *p);
}

/* Where the file has a fixed address no relocation tells which words are pointers. */
static void read_words(struct call_code *c, const GElf_Phdr *segment)
{
	struct python_pointer p = { .vaddr = (segment->p_vaddr + sizeof(p.to) - 1) & -sizeof(p.to) };

	for (; p.vaddr + sizeof(p.to) <= segment->p_vaddr + segment->p_filesz; p.vaddr += sizeof(p.to)) {
		memcpy(&p.to, c->bytes.bytes + segment->p_offset + (p.vaddr - segment->p_vaddr), sizeof(p.to));
		add_pointer(c, &p);
	}
}

static void read_pointers(struct call_code *c)
{
	c->has_pointers = true;
	vec_each(&c->bytes.moved, p)
		add_pointer(c, p);
	if (c->image->is_fixed)
		vec_each(&c->bytes.segments, segment)
			read_words(c, segment);
	if (c->pointers.nr)
		qsort(c->pointers.at, c->pointers.nr, sizeof(*c->pointers.at), by_to);
}

/* The first one that has that address, or a higher one. */
static size_t first_pointer(const struct call_code *c, uint64_t to)
{
	size_t low = 0, high = c->pointers.nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->pointers.at[middle].to < to)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

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

/* Up to behind the last entry that leads to code of the function's. */
static uint64_t table_end(struct search *s, uint64_t table)
{
	uint64_t end = table, to;
	size_t i;

	for (i = 0; i < TABLE_MAX && read_pointer(s, table, i, &to); i++)
		if (jump_search_is_known(&s->code, to))
			end = table + (i + 1) * sizeof(to);
		else if (end != table || i >= BIAS_MAX)
			break;
	return end;
}

/* Not in a table that a jump names, as a switch does. */
static bool is_other(struct search *s, const struct python_pointer *p)
{
	vec_each(&s->extents, e)
		if (may_read(s) && p->vaddr >= e->begin && p->vaddr < e->end)
			return false;
	return true;
}

static void widen(struct code_range *r, uint64_t vaddr)
{
	if (!r->end || vaddr < r->begin)
		r->begin = vaddr;
	if (vaddr >= r->end)
		r->end = vaddr + 1;
}

/* Whatever the jump looks like that takes it, an address in the function that the file has anywhere is a label's. */
static void note_words(struct search *s, const struct code_range *r)
{
	const struct call_code *c = s->file;
	size_t i;

	for (i = first_pointer(c, r->begin); i < c->pointers.nr && c->pointers.at[i].to < r->end && may_read(s); i++) {
		const struct python_pointer *p = &c->pointers.at[i];

		if (!is_label(s, p->to))
			continue;
		jump_search_note(&s->code, p->to);
		if (is_other(s, p)) {
			s->has_labels = true;
			widen(&s->words, p->vaddr);
		}
	}
}

/* Anywhere else the function's begin is the function. */
static void note_begins(struct search *s)
{
	const struct call_code *c = s->file;
	uint64_t begin = s->code.function.begin, around = BIAS_MAX * sizeof(uint64_t);
	size_t i;

	for (i = first_pointer(c, begin); i < c->pointers.nr && c->pointers.at[i].to == begin && may_read(s); i++)
		s->takes_begin |= s->words.end && c->pointers.at[i].vaddr + around >= s->words.begin &&
				  c->pointers.at[i].vaddr < s->words.end + around;
}

static void read_pointed(struct search *s)
{
	size_t i;

	if (!s->code.disps.nr)
		return;
	if (!s->file->has_pointers)
		read_pointers(s->file);
	vec_each(&s->code.tables, table)
		vec_push(&s->extents, (struct code_range){ *table, table_end(s, *table) });
	note_words(s, &s->code.function);
	for (i = 0; i < s->code.nr_named; i++)
		note_words(s, &s->code.elsewhere.at[i]);
	note_begins(s);
}

/* Without what has no name, which may be another function's. */
static bool is_own_code(const struct search *s, uint64_t vaddr)
{
	bool yes = vaddr >= s->code.function.begin && vaddr < s->code.function.end;
	size_t i;

	for (i = 0; i < s->code.nr_named; i++)
		yes |= vaddr >= s->code.elsewhere.at[i].begin && vaddr < s->code.elsewhere.at[i].end;
	return yes;
}

static void read_address(struct search *s, const struct taken_address *a)
{
	bool is_base = a->in && (a->at == s->code.base || s->code.bases & jump_search_bit(a->in));

	s->takes_own |= is_own_code(s, a->at);
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

/* An address of its own may be what a jump that is not understood adds something to. */
static bool is_anywhere(struct search *s)
{
	if (s->code.has_other_sums || (s->code.has_unclear && s->takes_own))
		return true;
	return (s->code.has_sums && !read_distances(s)) || s->code.is_cut;
}

void call_jumps_find(struct call_code *c, const struct image_symbol *sym, uint64_t len, struct call_jumps *ret)
{
	struct search s = { .code = { .c = c, .function = { sym->vaddr, sym->vaddr + len }, .first = UINT64_MAX }, .file = c };

	jump_search_all(&s.code, sym->name);
	read_pointed(&s);
	read_addresses(&s);
	read_tables(&s);
	if (is_anywhere(&s))
		s.code.first = 0;
	*ret = (struct call_jumps){ .first = s.code.first };
	vec_release(&s.extents);
	jump_search_release(&s.code);
}

/* ---- one jump ---- */

/* By an address from anywhere: unless it is from a table of labels, or on the stack, it may be a label's or a function's. */
static enum call_jumps_way way_of_pointer(struct search *s)
{
	read_pointed(s);
	read_addresses(s);
	s->is_own |= s->code.is_stack || s->code.bases & s->code.from_stack;
	if (!s->has_labels && !(s->code.is_unclear && s->takes_own))
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

enum call_jumps_way call_jumps_way(struct call_code *c, const struct image_symbol *sym, uint64_t off)
{
	struct search s = { .code = { .c = c, .function = { sym->vaddr, sym->vaddr + sym->size }, .asked = off }, .file = c };
	enum call_jumps_way way;

	jump_search_named(&s.code, sym->name);
	jump_search_note_disp(&s.code, 0);
	way = s.code.is_variable ? way_of_variable(&s) : s.code.table ? way_of_table(&s) : way_of_pointer(&s);
	vec_release(&s.extents);
	jump_search_release(&s.code);
	return s.code.is_cut ? CALL_JUMPS_UNKNOWN : way;
}
