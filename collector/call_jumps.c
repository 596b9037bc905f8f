/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_jumps.h"

#include <Zydis/Utils.h>
#include <stdlib.h>
#include <string.h>

/*
 * Where an address is put together is looked for so many instructions before the jump (in libLLVM 14 it takes fewer than
 * 12). No switch has more entries. Code that has no name is followed through so many blocks, and no more bytes of code are
 * looked at: behind these, jumps may lead anywhere. Longer parts are a mistake of the file's. A jump whose
 * index does not begin at 0 names a place so many entries before its table, at most. Jumps by addresses add at most 5 different
 * numbers, and for most functions fewer than 8,000 entries are read (Python's _PyUnicode_ToNumeric: 137,879; a million take
 * 10 ms); of a function that has more of either, as a crafted one may, the rest is not known.
 */
enum { BLOCK_MAX = 16, TABLE_MAX = 4096, BIAS_MAX = 256, FOLLOWED_MAX = 256, COLD_BYTES_MAX = 1 << 20, CODE_BYTES_MAX = 4 << 20,
       DISPS_MAX = 64, ENTRIES_MAX = 1 << 20 };

#define COLD ".cold"

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
		if (strstr(sym->name, COLD))
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

struct range {
	uint64_t begin, end;
};

/* In an instruction, which has it in a register from then on. */
struct address {
	uint64_t at;
	ZydisRegister in;	/* ZYDIS_REGISTER_NONE: it reads what is there */
};

/* One function, and what is known of it so far. */
struct search {
	const struct call_code *c;
	struct range function;
	struct call_jumps *found;
	VEC(struct range) elsewhere;	/* code of the function's that stands there */
	VEC(uint64_t) starts;		/* places there that jumps lead to, not followed yet */
	VEC(struct address) named;	/* addresses that instructions take: of tables, for some */
	VEC(struct address) read;	/* and those that they read, or have as numbers */
	uint64_t from_stack;		/* registers that are given an address on the stack, or what was kept there: bits */
	VEC(uint64_t) tables;		/* those of tables that jumps name */
	bool has_sums;			/* it jumps by a table of distances from the table */
	VEC(uint64_t) disps;		/* and by addresses that it reads: what is added to tables of them */
	bool has_labels, takes_begin, has_functions;	/* to what these lead */
	uint64_t asked;			/* a jump, in the file; 0: none */
	uint64_t table;			/* that it names; 0: none */
	bool is_variable;		/* it names a variable, as the GOT's are */
	uint64_t base;			/* the table whose entry it takes: one whose address it was just given, */
	uint64_t bases;			/* or one whose address is in one of these registers, in bits, */
	bool is_stack;			/* or it is on the stack, or its address is */
	bool is_own;			/* that may be a table of labels */
	uint64_t bytes, nr_entries;	/* looked at */
	bool is_cut;			/* there is more */
	struct python_insn last[BLOCK_MAX];
	unsigned int nr;		/* ever; the last BLOCK_MAX of the block are there */
	bool is_nameless;		/* what is looked at: it may be another function, which has tables of its own */
	bool is_end;			/* code does not run on behind the last one */
};

static bool is_in(const struct range *r, uint64_t vaddr)
{
	return vaddr >= r->begin && vaddr < r->end;
}

static bool is_known(const struct search *s, uint64_t vaddr)
{
	vec_each(&s->elsewhere, r)
		if (is_in(r, vaddr))
			return true;
	return is_in(&s->function, vaddr);
}

static void note(const struct search *s, uint64_t to)
{
	if (is_in(&s->function, to) && to - s->function.begin < s->found->first)
		s->found->first = to - s->function.begin;
}

/* Another function, or this one. */
static bool is_function(const struct search *s, uint64_t vaddr)
{
	uint64_t off = python_code_off(&s->c->bytes, vaddr);
	const struct image_symbol *sym = off ? image_symbol_before(s->c->image, off) : NULL;

	return sym && sym->off == off && sym->is_function && !strstr(sym->name, COLD);
}

/* ---- jumps ---- */

static ZydisRegister whole(ZydisRegister r)
{
	return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);
}

static uint64_t bit_of(ZydisRegister r)
{
	ZyanI8 id = ZydisRegisterGetId(whole(r));

	return id < 0 ? 0 : 1ULL << id % 64;
}

/*
 * What wrote the register last before that instruction, without another one's value that it took; NULL: that is not
 * known, but it was in the register that is left in *r.
 */
static const struct python_insn *writer_of(const struct search *s, ZydisRegister *r, const struct python_insn *before)
{
	unsigned int n = s->nr;
	ZyanU8 k;

	while (n && before != &s->last[n % BLOCK_MAX])
		n--;
	for (; n && s->nr - n < BLOCK_MAX - 1; n--) {
		const struct python_insn *i = &s->last[(n - 1) % BLOCK_MAX];
		const ZydisDecodedOperand *o = i->operands;

		for (k = 0; k < i->in.operand_count; k++, o++)
			if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
			    whole(o->reg.value) == whole(*r))
				break;
		if (k == i->in.operand_count)
			continue;
		if (i->in.mnemonic != ZYDIS_MNEMONIC_MOV || i->operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
			return i;
		*r = i->operands[1].reg.value;
	}
	return NULL;
}

/* 0: there is none in the operand. */
static uint64_t table_of(const struct search *s, const ZydisDecodedOperand *from)
{
	uint64_t disp = (uint64_t)from->mem.disp.value;

	if (from->mem.base == ZYDIS_REGISTER_NONE)
		return disp;
	return s->c->image->is_fixed && from->mem.base != ZYDIS_REGISTER_RIP && python_code_at(&s->c->bytes, disp, 1, 0) ? disp : 0;
}

static bool is_of(const struct python_insn *i, ZydisMnemonic mnemonic)
{
	return i->in.mnemonic == mnemonic && i->operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY;
}

/* It takes an address on the stack, or what was kept there. */
static bool takes_from_stack(const struct search *s, const struct python_insn *i)
{
	const ZydisDecodedOperand *o = &i->operands[1];
	ZydisRegister base = o->type == ZYDIS_OPERAND_TYPE_MEMORY ? o->mem.base : ZYDIS_REGISTER_NONE;

	if (i->in.mnemonic != ZYDIS_MNEMONIC_MOV && i->in.mnemonic != ZYDIS_MNEMONIC_LEA)
		return false;
	if (o->type == ZYDIS_OPERAND_TYPE_REGISTER)
		return o->reg.value == ZYDIS_REGISTER_RSP;
	return base == ZYDIS_REGISTER_RSP || (base == ZYDIS_REGISTER_RBP && s->from_stack & bit_of(base));
}

/* Where the file has a fixed address, a number may be one. 0: there is none that it takes. */
static uint64_t address_taken(const struct search *s, const struct python_insn *i)
{
	if (is_of(i, ZYDIS_MNEMONIC_LEA) && i->operands[1].mem.base == ZYDIS_REGISTER_RIP)
		return python_insn_address(i);
	if (s->c->image->is_fixed && i->in.mnemonic == ZYDIS_MNEMONIC_MOV && i->operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return i->operands[1].imm.value.u;
	return 0;
}

/*
 * The address of the function's own table stands in an instruction, and may be kept in a register or on the stack. What
 * is read from elsewhere right before the jump is not that.
 */
static void note_base(struct search *s, const struct python_insn *reader, ZydisRegister r)
{
	const struct python_insn *i = writer_of(s, &r, reader);
	uint64_t taken = i ? address_taken(s, i) : 0;

	if (r == ZYDIS_REGISTER_RSP || (i && takes_from_stack(s, i)))
		s->is_stack = true;
	else if (taken)
		s->base = taken;
	else if (!i || i->operands[1].type != ZYDIS_OPERAND_TYPE_MEMORY || i->in.mnemonic == ZYDIS_MNEMONIC_LEA)
		s->bases |= bit_of(r);
}

static void note_disp(struct search *s, uint64_t disp)
{
	vec_each(&s->disps, known)
		if (*known == disp)
			return;
	if (s->disps.nr == DISPS_MAX)
		s->is_cut = true;
	else
		vec_push(&s->disps, disp);
}

/*
 * Whatever the table's address is made of: what stands in the operand may be part of it, or behind it. Without an index it
 * is a vtable's, or a struct's, or labels are gone through one by one, or the index was added before.
 */
static void note_pointers(struct search *s, const struct python_insn *jump, const struct python_insn *reader)
{
	const ZydisDecodedOperand *from = &reader->operands[reader != jump];
	uint64_t table = table_of(s, from);

	note_disp(s, 0);
	if (table)
		vec_push(&s->tables, table);
	else if (from->mem.base != ZYDIS_REGISTER_RIP)
		note_disp(s, (uint64_t)from->mem.disp.value);
	if (!s->asked || python_code_off(&s->c->bytes, jump->vaddr) != s->asked)
		return;
	s->table = table;
	if (from->mem.index != ZYDIS_REGISTER_NONE && from->mem.base != ZYDIS_REGISTER_NONE)
		note_base(s, reader, from->mem.base);
	if (from->mem.index != ZYDIS_REGISTER_NONE && from->mem.scale == 1)
		note_base(s, reader, from->mem.index);
	s->is_variable = reader == jump && from->mem.base == ZYDIS_REGISTER_RIP;
	if (s->is_variable)
		s->table = python_insn_address(jump);
}

static void note_indirect(struct search *s, const struct python_insn *jump)
{
	const ZydisDecodedOperand *to = &jump->operands[0];
	ZydisRegister r = to->type == ZYDIS_OPERAND_TYPE_REGISTER ? to->reg.value : ZYDIS_REGISTER_NONE;
	const struct python_insn *i = r ? writer_of(s, &r, jump) : NULL;

	if (to->type == ZYDIS_OPERAND_TYPE_MEMORY)
		note_pointers(s, jump, jump);
	else if (i && is_of(i, ZYDIS_MNEMONIC_MOV))
		note_pointers(s, jump, i);
	else if (i ? i->in.mnemonic == ZYDIS_MNEMONIC_ADD ||
			     (is_of(i, ZYDIS_MNEMONIC_LEA) && i->operands[1].mem.base != ZYDIS_REGISTER_RIP) :
		     (jump->in.attributes & ZYDIS_ATTRIB_HAS_NOTRACK) != 0)
		s->has_sums = true;
}

static bool is_jump(const struct python_insn *i)
{
	return i->in.meta.category == ZYDIS_CATEGORY_COND_BR || i->in.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
}

static void note_jump(struct search *s, const struct python_insn *i)
{
	bool is_fixed = i->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	uint64_t to = is_fixed ? python_insn_address(i) : 0;

	if (!is_fixed && !s->is_nameless)
		note_indirect(s, i);
	else if (is_fixed && !is_in(&s->function, i->vaddr))
		note(s, to);
	if (is_fixed && !is_known(s, to) && !is_function(s, to))
		vec_push(&s->starts, to);
}

/* Where the file has a fixed address, numbers may be addresses. */
static void note_addresses(struct search *s, const struct python_insn *i)
{
	bool is_fixed = s->c->image->is_fixed;
	ZydisRegister in = i->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER ? i->operands[0].reg.value : ZYDIS_REGISTER_NONE;
	ZyanU8 k;

	if (takes_from_stack(s, i))
		s->from_stack |= bit_of(in);
	for (k = 0; k < i->in.operand_count_visible; k++) {
		const ZydisDecodedOperand *o = &i->operands[k];

		if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.base == ZYDIS_REGISTER_RIP) {
			if (i->in.mnemonic == ZYDIS_MNEMONIC_LEA)
				vec_push(&s->named, (struct address){ python_insn_address(i), in });
			else
				vec_push(&s->read, (struct address){ python_insn_address(i), ZYDIS_REGISTER_NONE });
		} else if (is_fixed && o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.base == ZYDIS_REGISTER_NONE) {
			vec_push(&s->read, (struct address){ (uint64_t)o->mem.disp.value, ZYDIS_REGISTER_NONE });
		} else if (is_fixed && o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i->in.mnemonic == ZYDIS_MNEMONIC_MOV) {
			vec_push(&s->read, (struct address){ o->imm.value.u, in });
		}
	}
}

static bool runs_on(const struct python_insn *i)
{
	return i->in.meta.category != ZYDIS_CATEGORY_UNCOND_BR && i->in.meta.category != ZYDIS_CATEGORY_RET &&
	       i->in.mnemonic != ZYDIS_MNEMONIC_UD2 && i->in.mnemonic != ZYDIS_MNEMONIC_HLT;
}

/* Where who raises an exception of OCaml's goes on: no jump of the function's leads there. */
static bool is_handler(const struct search *s, const struct python_insn *push)
{
	const struct python_insn *before = s->nr ? &s->last[(s->nr - 1) % BLOCK_MAX] : NULL;

	return before && push->in.mnemonic == ZYDIS_MNEMONIC_PUSH && is_of(before, ZYDIS_MNEMONIC_LEA) &&
	       before->operands[1].mem.base == ZYDIS_REGISTER_RIP && push->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       push->operands[0].reg.value == before->operands[0].reg.value;
}

/* Bytes of it; 0: they are no code. */
static unsigned int look_at(struct search *s, uint64_t vaddr)
{
	struct python_insn *i = &s->last[s->nr % BLOCK_MAX];

	if (!python_insn_at(&s->c->bytes, vaddr, i)) {
		s->nr = 0;
		return 0;
	}
	if (is_jump(i))
		note_jump(s, i);
	else if (is_handler(s, i))
		s->named.nr--;
	else
		note_addresses(s, i);
	s->is_end = !runs_on(i);
	s->nr = s->is_end || i->in.meta.category == ZYDIS_CATEGORY_CALL ? 0 : s->nr + 1;
	return i->in.length;
}

/* ---- code ---- */

/* From end to end: what leads to its blocks does not matter. */
static void look_through(struct search *s, const struct range *r)
{
	uint64_t at = r->begin;

	s->nr = 0;
	while (at < r->end && s->bytes < CODE_BYTES_MAX) {
		unsigned int len = look_at(s, at);

		at += len ? len : 1;
		s->bytes += len ? len : 1;
	}
}

/* Also those that exceptions alone lead to. */
static void add_cold(struct search *s, const char *name)
{
	size_t len = strlen(name), low = 0, high = s->c->cold.nr, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (strcmp(s->c->cold.at[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < s->c->cold.nr && !strncmp(s->c->cold.at[low]->name, name, len); low++) {
		const struct image_symbol *sym = s->c->cold.at[low];

		if (strncmp(sym->name + len, COLD, strlen(COLD)) || sym->size >= COLD_BYTES_MAX)
			continue;
		if (s->elsewhere.nr == FOLLOWED_MAX)
			s->is_cut = true;
		else
			vec_push(&s->elsewhere, (struct range){ sym->vaddr, sym->vaddr + sym->size });
	}
}

/* Up to where code ends, or is known. */
static void follow(struct search *s, uint64_t begin)
{
	struct range r = { begin, begin };
	unsigned int len = 1;

	s->nr = 0;
	for (s->is_end = false; len && !s->is_end && s->bytes < CODE_BYTES_MAX && !is_known(s, r.end); r.end += len) {
		len = look_at(s, r.end);
		s->bytes += len;
	}
	if (r.end != begin)
		vec_push(&s->elsewhere, r);
}

static void look_at_named(struct search *s, const char *name)
{
	size_t i;

	add_cold(s, name);
	look_through(s, &s->function);
	for (i = 0; i < s->elsewhere.nr; i++)
		look_through(s, &(struct range){ s->elsewhere.at[i].begin, s->elsewhere.at[i].end });
	s->is_cut |= s->bytes >= CODE_BYTES_MAX;
}

static void look_at_code(struct search *s, const char *name)
{
	size_t nr;

	look_at_named(s, name);
	nr = s->elsewhere.nr;
	s->is_nameless = true;
	while (s->starts.nr && s->elsewhere.nr - nr < FOLLOWED_MAX && s->bytes < CODE_BYTES_MAX)
		follow(s, s->starts.at[--s->starts.nr]);
	s->is_cut |= s->starts.nr || s->bytes >= CODE_BYTES_MAX;
}

/* ---- tables ---- */

/* One more entry, of all tables together. */
static bool may_read(struct search *s)
{
	s->is_cut |= s->nr_entries++ >= ENTRIES_MAX;
	return !s->is_cut;
}

static bool read_pointer(struct search *s, uint64_t table, size_t i, uint64_t *ret_to)
{
	return may_read(s) && python_code_pointer(&s->c->bytes, table + i * sizeof(uint64_t), ret_to);
}

static bool read_distance(struct search *s, uint64_t table, size_t i, uint64_t *ret_to)
{
	const void *at = python_code_at(&s->c->bytes, table + i * sizeof(int32_t), sizeof(int32_t), 0);
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

	vec_each(&s->named, table) {
		is_any |= read_distance(s, table->at, 0, &to) && python_code_off(&s->c->bytes, to);
		for (i = 0; i < TABLE_MAX && read_distance(s, table->at, i, &to) && is_known(s, to); i++)
			note(s, to);
	}
	return is_any;
}

/* The function's begin is one where there are others. */
static bool is_label(const struct search *s, uint64_t to)
{
	return is_known(s, to) && to != s->function.begin;
}

static void note_label(struct search *s, uint64_t to)
{
	s->has_labels |= is_label(s, to);
	s->takes_begin |= to == s->function.begin;
	if (is_label(s, to))
		note(s, to);
}

/* Up to the first entry that leads elsewhere. In a table of functions this one may stand first. True: there are labels. */
static bool note_entries(struct search *s, uint64_t table)
{
	bool is_all_begin = true;
	uint64_t to;
	size_t i;

	for (i = 0; i < TABLE_MAX && read_pointer(s, table, i, &to) && is_known(s, to); i++) {
		note_label(s, to);
		is_all_begin &= to == s->function.begin;
	}
	if (is_all_begin && read_pointer(s, table, i, &to))
		s->has_functions |= python_code_off(&s->c->bytes, to) != 0;
	return !is_all_begin;
}

/* A label that stands there, or that a table there leads to. True: it is a table. */
static bool note_labels(struct search *s, uint64_t at)
{
	bool is_table = false;

	note_label(s, at);
	vec_each(&s->disps, disp)
		is_table |= note_entries(s, at + *disp);
	return is_table;
}

static void read_address(struct search *s, const struct address *a)
{
	bool is_base = a->in && (a->at == s->base || s->bases & bit_of(a->in));

	s->is_own |= note_labels(s, a->at) && is_base;
}

/* Labels have no names outside of the function: it has their addresses itself, or a constant that it reads has. */
static void read_addresses(struct search *s)
{
	if (!s->disps.nr)
		return;
	vec_each(&s->named, a)
		read_address(s, a);
	vec_each(&s->read, a)
		read_address(s, a);
}

static void read_tables(struct search *s)
{
	vec_each(&s->tables, at)
		note_labels(s, *at);
	if (s->has_labels && s->takes_begin)
		note(s, s->function.begin);
}

static void search_release(struct search *s)
{
	vec_release(&s->elsewhere);
	vec_release(&s->starts);
	vec_release(&s->named);
	vec_release(&s->read);
	vec_release(&s->tables);
	vec_release(&s->disps);
}

void call_jumps_find(const struct call_code *c, const struct image_symbol *sym, uint64_t len, struct call_jumps *ret)
{
	struct search s = { .c = c, .function = { sym->vaddr, sym->vaddr + len }, .found = ret };

	*ret = (struct call_jumps){ .first = UINT64_MAX };
	look_at_code(&s, sym->name);
	read_addresses(&s);
	read_tables(&s);
	if ((s.has_sums && !read_distances(&s)) || s.is_cut)
		ret->first = 0;
	search_release(&s);
}

/* ---- one jump ---- */

/* By an address from anywhere: unless it is from a table of labels, or on the stack, it may be a label's or a function's. */
static enum call_jumps_way way_of_pointer(struct search *s)
{
	read_addresses(s);
	s->is_own |= s->is_stack || s->bases & s->from_stack;
	if (!s->has_labels)
		return CALL_JUMPS_LEAVES;
	return s->is_own && !s->has_functions ? CALL_JUMPS_STAYS : CALL_JUMPS_UNKNOWN;
}

static enum call_jumps_way way_of_variable(struct search *s)
{
	uint64_t to;

	vec_push(&s->read, (struct address){ s->table, ZYDIS_REGISTER_NONE });
	if (python_code_pointer(&s->c->bytes, s->table, &to) && !is_label(s, to))
		return CALL_JUMPS_LEAVES;
	return way_of_pointer(s);
}

/* What stands behind a table of functions may be another one. */
static enum call_jumps_way way_of_table(struct search *s)
{
	bool has_functions = false;
	uint64_t to;
	size_t i;

	for (i = 0; i < BIAS_MAX && python_code_pointer(&s->c->bytes, s->table + i * sizeof(uint64_t), &to); i++) {
		if (is_label(s, to))
			return has_functions ? CALL_JUMPS_UNKNOWN : CALL_JUMPS_STAYS;
		has_functions |= !is_known(s, to) && python_code_off(&s->c->bytes, to);
	}
	return has_functions ? CALL_JUMPS_LEAVES : way_of_pointer(s);
}

enum call_jumps_way call_jumps_way(const struct call_code *c, const struct image_symbol *sym, uint64_t off)
{
	struct call_jumps ignored = { 0 };
	struct search s = { .c = c, .function = { sym->vaddr, sym->vaddr + sym->size }, .found = &ignored, .asked = off };
	enum call_jumps_way way;

	look_at_named(&s, sym->name);
	note_disp(&s, 0);
	way = s.is_variable ? way_of_variable(&s) : s.table ? way_of_table(&s) : way_of_pointer(&s);
	search_release(&s);
	return s.is_cut ? CALL_JUMPS_UNKNOWN : way;
}
