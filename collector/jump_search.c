/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/jump_search.h"

#include <Zydis/Utils.h>
#include <string.h>

#include "collector/retpoline.h"

/*
 * Code that has no name is followed through so many blocks, and no more bytes of code are looked at: behind these, jumps may
 * lead anywhere. Longer parts are a mistake of the file's. Jumps by addresses add at most 5 different numbers; of a
 * function that has more, as a crafted one may, the rest is not known.
 */
enum { FOLLOWED_MAX = 256, COLD_BYTES_MAX = 1 << 20, CODE_BYTES_MAX = 4 << 20, DISPS_MAX = 64 };

static bool is_in(const struct code_range *r, uint64_t vaddr)
{
	return vaddr >= r->begin && vaddr < r->end;
}

bool jump_search_is_known(const struct jump_search *s, uint64_t vaddr)
{
	vec_each(&s->elsewhere, r)
		if (is_in(r, vaddr))
			return true;
	return is_in(&s->function, vaddr);
}

void jump_search_note(struct jump_search *s, uint64_t to)
{
	if (is_in(&s->function, to) && to - s->function.begin < s->first)
		s->first = to - s->function.begin;
}

/* Another function, or this one. */
static bool is_function(const struct jump_search *s, uint64_t vaddr)
{
	uint64_t off = python_code_off(&s->c->bytes, vaddr);
	const struct image_symbol *sym = off ? image_symbol_before(s->c->image, off) : NULL;

	return sym && sym->off == off && sym->is_function && !strstr(sym->name, CALL_CODE_COLD);
}

/* ---- jumps ---- */

static ZydisRegister whole(ZydisRegister r)
{
	return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);
}

uint64_t jump_search_bit(ZydisRegister r)
{
	ZyanI8 id = ZydisRegisterGetId(whole(r));

	return id < 0 ? 0 : 1ULL << id % 64;
}

/*
 * What wrote the register last before that instruction, without another one's value that it took; NULL: that is not
 * known, but it was in the register that is left in *r.
 */
static const struct python_insn *writer_of(const struct jump_search *s, ZydisRegister *r, const struct python_insn *before)
{
	unsigned int n = s->nr;
	ZyanU8 k;

	while (n && before != &s->last[n % JUMP_SEARCH_LAST])
		n--;
	for (; n && s->nr - n < JUMP_SEARCH_LAST - 1; n--) {
		const struct python_insn *i = &s->last[(n - 1) % JUMP_SEARCH_LAST];
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
static uint64_t table_of(const struct jump_search *s, const ZydisDecodedOperand *from)
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
static bool takes_from_stack(const struct jump_search *s, const struct python_insn *i)
{
	const ZydisDecodedOperand *o = &i->operands[1];
	ZydisRegister base = o->type == ZYDIS_OPERAND_TYPE_MEMORY ? o->mem.base : ZYDIS_REGISTER_NONE;

	if (i->in.mnemonic != ZYDIS_MNEMONIC_MOV && i->in.mnemonic != ZYDIS_MNEMONIC_LEA)
		return false;
	if (o->type == ZYDIS_OPERAND_TYPE_REGISTER)
		return o->reg.value == ZYDIS_REGISTER_RSP;
	return base == ZYDIS_REGISTER_RSP || (base == ZYDIS_REGISTER_RBP && s->from_stack & jump_search_bit(base));
}

/* Where the file has a fixed address, a number may be one. 0: there is none that it takes. */
static uint64_t address_taken(const struct jump_search *s, const struct python_insn *i)
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
static void note_base(struct jump_search *s, const struct python_insn *reader, ZydisRegister r)
{
	const struct python_insn *i = writer_of(s, &r, reader);
	uint64_t taken = i ? address_taken(s, i) : 0;

	if (r == ZYDIS_REGISTER_RSP || (i && takes_from_stack(s, i)))
		s->is_stack = true;
	else if (taken)
		s->base = taken;
	else if (!i || i->operands[1].type != ZYDIS_OPERAND_TYPE_MEMORY || i->in.mnemonic == ZYDIS_MNEMONIC_LEA)
		s->bases |= jump_search_bit(r);
}

void jump_search_note_disp(struct jump_search *s, uint64_t disp)
{
	vec_each(&s->disps, known)
		if (*known == disp)
			return;
	if (s->disps.nr == DISPS_MAX)
		s->is_cut = true;
	else
		vec_push(&s->disps, disp);
}

static bool is_asked(const struct jump_search *s, const struct python_insn *jump)
{
	return s->asked && python_code_off(&s->c->bytes, jump->vaddr) == s->asked;
}

/*
 * Whatever the table's address is made of: what stands in the operand may be part of it, or behind it. Without an index it
 * is a vtable's, or a struct's, or labels are gone through one by one, or the index was added before.
 */
static void note_pointers(struct jump_search *s, const struct python_insn *jump, const struct python_insn *reader,
			  const ZydisDecodedOperand *from)
{
	uint64_t table = table_of(s, from);

	jump_search_note_disp(s, 0);
	if (table)
		vec_push(&s->tables, table);
	else if (from->mem.base != ZYDIS_REGISTER_RIP)
		jump_search_note_disp(s, (uint64_t)from->mem.disp.value);
	if (!is_asked(s, jump))
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

/* What reads the distance of 32 bits that is in the register; NULL: something else is. */
static const struct python_insn *distance_reader(const struct jump_search *s, ZydisRegister r, const struct python_insn *before)
{
	const struct python_insn *i = writer_of(s, &r, before);

	if (!i || (i->in.mnemonic != ZYDIS_MNEMONIC_MOVSXD && i->in.mnemonic != ZYDIS_MNEMONIC_CDQE))
		return NULL;
	if (is_of(i, ZYDIS_MNEMONIC_MOVSXD))
		return i;
	r = i->in.mnemonic == ZYDIS_MNEMONIC_CDQE ? ZYDIS_REGISTER_EAX : i->operands[1].reg.value;
	i = writer_of(s, &r, i);
	return i && is_of(i, ZYDIS_MNEMONIC_MOV) && i->operands[1].size == 32 ? i : NULL;
}

/* One register before one instruction, another one before another. */
static bool is_same(const struct jump_search *s, ZydisRegister a, const struct python_insn *before_a, ZydisRegister b,
		    const struct python_insn *before_b)
{
	const struct python_insn *wrote_a = writer_of(s, &a, before_a), *wrote_b = writer_of(s, &b, before_b);
	uint64_t taken = wrote_a ? address_taken(s, wrote_a) : 0;

	if (taken && wrote_b)
		return taken == address_taken(s, wrote_b);
	return wrote_a == wrote_b && whole(a) == whole(b);
}

static bool is_from_table(const struct jump_search *s, const struct python_insn *sum, ZydisRegister table, ZydisRegister distance)
{
	const struct python_insn *reader = distance_reader(s, distance, sum);

	return reader && (is_same(s, reader->operands[1].mem.base, reader, table, sum) ||
			  is_same(s, reader->operands[1].mem.index, reader, table, sum));
}

/* A table's address, and a distance from there that it has. */
static bool is_own_sum(const struct jump_search *s, const struct python_insn *sum)
{
	const ZydisDecodedOperand *o = sum->operands;
	ZydisRegister a, b;

	if (sum->in.mnemonic == ZYDIS_MNEMONIC_ADD && o[1].type == ZYDIS_OPERAND_TYPE_REGISTER) {
		a = o[0].reg.value;
		b = o[1].reg.value;
	} else if (is_of(sum, ZYDIS_MNEMONIC_LEA) && o[1].mem.scale == 1 && !o[1].mem.disp.value) {
		a = o[1].mem.base;
		b = o[1].mem.index;
	} else {
		return false;
	}
	return is_from_table(s, sum, a, b) || is_from_table(s, sum, b, a);
}

static bool is_sum(const struct python_insn *i)
{
	return i->in.mnemonic == ZYDIS_MNEMONIC_ADD ||
	       (is_of(i, ZYDIS_MNEMONIC_LEA) && i->operands[1].mem.base != ZYDIS_REGISTER_RIP);
}

/* To what is in a register; ZYDIS_REGISTER_NONE: somewhere. */
static void note_register(struct jump_search *s, const struct python_insn *jump, ZydisRegister r)
{
	const struct python_insn *i = r ? writer_of(s, &r, jump) : NULL;

	if (i && is_of(i, ZYDIS_MNEMONIC_MOV)) {
		note_pointers(s, jump, i, &i->operands[1]);
	} else if (i ? is_own_sum(s, i) : (jump->in.attributes & ZYDIS_ATTRIB_HAS_NOTRACK) != 0) {
		s->has_sums = true;
	} else {
		bool is_clear = i && address_taken(s, i);

		jump_search_note_disp(s, 0);
		s->has_other_sums |= i && is_sum(i);
		s->has_unclear |= !is_clear;
		s->is_unclear |= !is_clear && is_asked(s, jump);
	}
}

/* To what was pushed right before; else it returns. */
static void note_pushed(struct jump_search *s, const struct python_insn *jump)
{
	const struct python_insn *push = s->nr ? &s->last[(s->nr - 1) % JUMP_SEARCH_LAST] : NULL;
	const ZydisDecodedOperand *from = push && push->in.mnemonic == ZYDIS_MNEMONIC_PUSH ? &push->operands[0] : NULL;

	if (!from)
		return;
	if (from->type == ZYDIS_OPERAND_TYPE_MEMORY)
		note_pointers(s, jump, push, from);
	else
		note_register(s, jump, from->type == ZYDIS_OPERAND_TYPE_REGISTER ? from->reg.value : ZYDIS_REGISTER_NONE);
}

static void note_retpoline(struct jump_search *s, const struct python_insn *jump, ZydisRegister by)
{
	if (by)
		note_register(s, jump, by);
	else
		note_pushed(s, jump);
}

static void note_indirect(struct jump_search *s, const struct python_insn *jump)
{
	const ZydisDecodedOperand *to = &jump->operands[0];

	if (to->type == ZYDIS_OPERAND_TYPE_MEMORY)
		note_pointers(s, jump, jump, to);
	else
		note_register(s, jump, to->reg.value);
}

static bool is_jump(const struct python_insn *i)
{
	return i->in.meta.category == ZYDIS_CATEGORY_COND_BR || i->in.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
}

static void note_fixed(struct jump_search *s, const struct python_insn *i)
{
	uint64_t to = python_insn_address(i);
	bool is_elsewhere = !jump_search_is_known(s, to);
	ZydisRegister by;

	if (is_elsewhere && retpoline_at(&s->c->bytes, to, &by)) {
		if (!s->is_nameless)
			note_retpoline(s, i, by);
		return;
	}
	if (!is_in(&s->function, i->vaddr))
		jump_search_note(s, to);
	if (is_elsewhere && !is_function(s, to))
		vec_push(&s->starts, to);
}

static void note_jump(struct jump_search *s, const struct python_insn *i)
{
	if (i->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		note_fixed(s, i);
	else if (!s->is_nameless)
		note_indirect(s, i);
}

/* A call of what is inside may be the inside of a jump. */
static void note_call(struct jump_search *s, const struct python_insn *i)
{
	ZydisRegister by;

	if (!s->is_nameless && i->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && is_in(&s->function, python_insn_address(i)) &&
	    retpoline_at(&s->c->bytes, i->vaddr, &by))
		note_retpoline(s, i, by);
}

/* Which may be an address, or added to one. */
static uint64_t number_in(const ZydisDecodedOperand *o)
{
	if (o->type == ZYDIS_OPERAND_TYPE_MEMORY)
		return (uint64_t)o->mem.disp.value;
	return o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && !o->imm.is_relative ? o->imm.value.u : 0;
}

/* Where the file has a fixed address, numbers may be addresses. */
static void note_addresses(struct jump_search *s, const struct python_insn *i)
{
	bool is_fixed = s->c->image->is_fixed;
	ZydisRegister in = i->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER ? i->operands[0].reg.value : ZYDIS_REGISTER_NONE;
	ZyanU8 k;

	if (takes_from_stack(s, i))
		s->from_stack |= jump_search_bit(in);
	for (k = 0; k < i->in.operand_count_visible; k++) {
		const ZydisDecodedOperand *o = &i->operands[k];

		if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.base == ZYDIS_REGISTER_RIP) {
			if (i->in.mnemonic == ZYDIS_MNEMONIC_LEA)
				vec_push(&s->named, (struct taken_address){ python_insn_address(i), in });
			else
				vec_push(&s->read, (struct taken_address){ python_insn_address(i), ZYDIS_REGISTER_NONE });
		} else if (is_fixed && o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.base == ZYDIS_REGISTER_NONE) {
			vec_push(&s->read, (struct taken_address){ (uint64_t)o->mem.disp.value, ZYDIS_REGISTER_NONE });
		} else if (is_fixed && o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i->in.mnemonic == ZYDIS_MNEMONIC_MOV) {
			vec_push(&s->read, (struct taken_address){ o->imm.value.u, in });
		} else if (is_fixed && jump_search_is_known(s, number_in(o))) {
			vec_push(&s->read, (struct taken_address){ number_in(o), ZYDIS_REGISTER_NONE });
		}
	}
}

static bool runs_on(const struct python_insn *i)
{
	return i->in.meta.category != ZYDIS_CATEGORY_UNCOND_BR && i->in.meta.category != ZYDIS_CATEGORY_RET &&
	       i->in.mnemonic != ZYDIS_MNEMONIC_UD2 && i->in.mnemonic != ZYDIS_MNEMONIC_HLT;
}

/* Where who raises an exception of OCaml's goes on: no jump of the function's leads there. */
static bool is_handler(const struct jump_search *s, const struct python_insn *push)
{
	const struct python_insn *before = s->nr ? &s->last[(s->nr - 1) % JUMP_SEARCH_LAST] : NULL;

	return before && push->in.mnemonic == ZYDIS_MNEMONIC_PUSH && is_of(before, ZYDIS_MNEMONIC_LEA) &&
	       before->operands[1].mem.base == ZYDIS_REGISTER_RIP && push->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       push->operands[0].reg.value == before->operands[0].reg.value;
}

/* Bytes of it; 0: they are no code. */
static unsigned int look_at(struct jump_search *s, uint64_t vaddr)
{
	struct python_insn *i = &s->last[s->nr % JUMP_SEARCH_LAST];

	if (!python_insn_at(&s->c->bytes, vaddr, i)) {
		s->nr = 0;
		return 0;
	}
	if (i->in.meta.category == ZYDIS_CATEGORY_CALL)
		note_call(s, i);
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
static void look_through(struct jump_search *s, const struct code_range *r)
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
static void add_cold(struct jump_search *s, const char *name)
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

		if (strncmp(sym->name + len, CALL_CODE_COLD, strlen(CALL_CODE_COLD)) || sym->size >= COLD_BYTES_MAX)
			continue;
		if (s->elsewhere.nr == FOLLOWED_MAX)
			s->is_cut = true;
		else
			vec_push(&s->elsewhere, (struct code_range){ sym->vaddr, sym->vaddr + sym->size });
	}
}

/* Up to where code ends, or is known. */
static void follow(struct jump_search *s, uint64_t begin)
{
	struct code_range r = { begin, begin };
	unsigned int len = 1;

	s->nr = 0;
	for (s->is_end = false; len && !s->is_end && s->bytes < CODE_BYTES_MAX && !jump_search_is_known(s, r.end); r.end += len) {
		len = look_at(s, r.end);
		s->bytes += len;
	}
	if (r.end != begin)
		vec_push(&s->elsewhere, r);
}

void jump_search_named(struct jump_search *s, const char *name)
{
	size_t i;

	add_cold(s, name);
	s->nr_named = s->elsewhere.nr;
	look_through(s, &s->function);
	for (i = 0; i < s->elsewhere.nr; i++)
		look_through(s, &(struct code_range){ s->elsewhere.at[i].begin, s->elsewhere.at[i].end });
	s->is_cut |= s->bytes >= CODE_BYTES_MAX;
}

void jump_search_all(struct jump_search *s, const char *name)
{
	jump_search_named(s, name);
	s->is_nameless = true;
	while (s->starts.nr && s->elsewhere.nr - s->nr_named < FOLLOWED_MAX && s->bytes < CODE_BYTES_MAX)
		follow(s, s->starts.at[--s->starts.nr]);
	s->is_cut |= s->starts.nr || s->bytes >= CODE_BYTES_MAX;
}

void jump_search_release(struct jump_search *s)
{
	vec_release(&s->elsewhere);
	vec_release(&s->starts);
	vec_release(&s->named);
	vec_release(&s->read);
	vec_release(&s->tables);
	vec_release(&s->disps);
}
