/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/exits.h"

#include <Zydis/Decoder.h>
#include <Zydis/Utils.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "collector/probe.h"

struct instruction {
	ZydisDecodedInstruction in;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	uint64_t off;	/* in the file */
};

/*
 * The last instructions without a jump or a call among them. Compilers put the address of a switch's
 * branch together a few instructions before the jump: in libLLVM 14 fewer than 12.
 */
enum { BLOCK_MAX = 16, LOCK = 0xf0 };

struct block {
	struct instruction at[BLOCK_MAX];
	unsigned int nr;	/* ever; the last BLOCK_MAX of them are there */
};

static bool is_block_end(const struct instruction *i)
{
	switch (i->in.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_RET:
		return true;
	default:
		return false;
	}
}

static ZydisRegister whole(ZydisRegister r)
{
	return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);
}

static bool writes(const struct instruction *i, ZydisRegister r)
{
	ZyanU8 k;

	for (k = 0; k < i->in.operand_count; k++) {
		const ZydisDecodedOperand *o = &i->operands[k];

		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && whole(o->reg.value) == r &&
		    (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			return true;
	}
	return false;
}

/*
 * The register holds the sum of a table's address and an entry of it: what wrote it last, in this block,
 * is an addition. It may have been carried over from another register.
 */
static bool is_sum(const struct block *b, ZydisRegister r)
{
	unsigned int n;

	for (n = b->nr; n && b->nr - n < BLOCK_MAX; n--) {
		const struct instruction *i = &b->at[(n - 1) % BLOCK_MAX];

		if (!writes(i, r))
			continue;
		if (i->in.mnemonic == ZYDIS_MNEMONIC_MOV &&
		    i->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER) {
			r = whole(i->operands[1].reg.value);
			continue;
		}
		return i->in.mnemonic == ZYDIS_MNEMONIC_ADD ||
		       (i->in.mnemonic == ZYDIS_MNEMONIC_LEA && i->operands[1].mem.base != ZYDIS_REGISTER_RIP);
	}
	return false;
}

/* To another part of the function, as switches go: compilers add an entry of a table to the table's address before. */
static bool is_by_distance(const struct instruction *jump, const struct block *before)
{
	const ZydisDecodedOperand *to = &jump->operands[0];

	return (jump->in.attributes & ZYDIS_ATTRIB_HAS_NOTRACK) ||
	       (to->type == ZYDIS_OPERAND_TYPE_REGISTER && is_sum(before, to->reg.value));
}

/* To what a variable says, as the GOT's are. */
static bool is_by_pointer(const struct instruction *jump)
{
	const ZydisDecodedOperand *to = &jump->operands[0];

	return to->type == ZYDIS_OPERAND_TYPE_MEMORY && to->mem.base == ZYDIS_REGISTER_RIP &&
	       !(jump->in.attributes & ZYDIS_ATTRIB_HAS_NOTRACK);
}

/* Jcc rel8, rel32: 70+cc, 0F 80+cc (Intel SDM 2, appendix B.1.4.7). 0: by a counter, not flags. */
static unsigned char condition_of(const struct instruction *i)
{
	bool is_jcc = (i->in.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && i->in.opcode >> 4 == 7) ||
		      (i->in.opcode_map == ZYDIS_OPCODE_MAP_0F && i->in.opcode >> 4 == 8);

	return is_jcc ? EXIT_CONDITION(i->in.opcode & 15) : 0;
}

/* ---- what is code ---- */

/* Of a byte. */
enum mark {
	MARK_UNKNOWN,
	MARK_BEGINS,		/* an instruction that the entry leads to */
	MARK_GOES_ON,
	MARK_SWEPT_BEGINS,	/* one of the rest */
	MARK_SWEPT_GOES_ON,
};

struct flow {
	const struct exits_piece *pieces;
	size_t nr;
	bool is_caught;		/* exits_find() */
	exits_thunk_at thunk_at;
	void *data;
	uint8_t **marks;	/* for each piece its bytes' */
	VEC(uint64_t) starts;	/* offsets that are known to be run, and not followed yet */
	ZydisDecoder decoder;
};

/* NULL: off is in none. */
static const struct exits_piece *piece_of(const struct flow *f, uint64_t off)
{
	size_t i;

	for (i = 0; i < f->nr; i++)
		if (off >= f->pieces[i].off && off - f->pieces[i].off < f->pieces[i].len)
			return &f->pieces[i];
	return NULL;
}

static uint8_t *mark_at(const struct flow *f, const struct exits_piece *p, uint64_t off)
{
	return &f->marks[p - f->pieces][off - p->off];
}

static bool begins(uint8_t mark)
{
	return mark == MARK_BEGINS || mark == MARK_SWEPT_BEGINS;
}

static bool is_swept(uint8_t mark)
{
	return mark == MARK_SWEPT_BEGINS || mark == MARK_SWEPT_GOES_ON;
}

/* A lock is one of its own: glibc jumps behind it where a process has one thread. */
static bool decode(const struct flow *f, const struct exits_piece *p, uint64_t off, struct instruction *ret)
{
	const uint8_t *code = p->code + (off - p->off);

	ret->off = off;
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&f->decoder, code, p->len - (off - p->off), &ret->in, ret->operands)))
		return false;
	if (*code == LOCK)
		ret->in.length = 1;
	return true;
}

/* Marks the instruction's bytes. False: some are another one's. */
static bool mark(struct flow *f, const struct exits_piece *p, const struct instruction *i, enum mark first)
{
	uint8_t *marks = mark_at(f, p, i->off);
	ZyanU8 k;

	for (k = 0; k < i->in.length; k++) {
		if (marks[k] != MARK_UNKNOWN)
			return false;
		marks[k] = (uint8_t)(k ? first + 1 : first);
	}
	return true;
}

static bool is_jump(const struct instruction *i)
{
	return i->in.meta.category == ZYDIS_CATEGORY_COND_BR || i->in.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
}

/* Of a jump or a call to a fixed place. */
static bool has_target(const struct instruction *i, uint64_t *ret_target)
{
	const ZydisDecodedOperand *to = &i->operands[0];

	if (to->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !to->imm.is_relative)
		return false;
	*ret_target = i->off + i->in.length + (uint64_t)to->imm.value.s;
	return true;
}

static bool runs_on(const struct instruction *i)
{
	switch (i->in.meta.category) {
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_SYSRET:
		return false;
	default:
		return i->in.mnemonic != ZYDIS_MNEMONIC_UD2 && i->in.mnemonic != ZYDIS_MNEMONIC_HLT &&
		       i->in.mnemonic != ZYDIS_MNEMONIC_INT3;
	}
}

/* A call of what is inside, other than the whole again: it returns by a ret that leaves nothing. */
static bool is_inner_call(const struct flow *f, const struct instruction *i)
{
	uint64_t to;

	return i->in.meta.category == ZYDIS_CATEGORY_CALL && has_target(i, &to) && to != f->pieces[0].off &&
	       piece_of(f, to);
}

/* An address that is put on the stack is where who raises an exception of OCaml's goes on. */
static void add_pushed(struct flow *f, const struct exits_piece *p, const struct instruction *lea)
{
	struct instruction next;

	if (!f->is_caught || !p->is_compiled || lea->in.mnemonic != ZYDIS_MNEMONIC_LEA ||
	    lea->operands[1].mem.base != ZYDIS_REGISTER_RIP || lea->off + lea->in.length >= p->off + p->len ||
	    !decode(f, p, lea->off + lea->in.length, &next) || next.in.mnemonic != ZYDIS_MNEMONIC_PUSH || next.operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    next.operands[0].reg.value != lea->operands[0].reg.value)
		return;
	vec_push(&f->starts, lea->off + lea->in.length + (uint64_t)lea->operands[1].mem.disp.value);
}

/* From off on until code ends, or is known already. What runs out of a piece is not followed. */
static bool follow(struct flow *f, uint64_t off)
{
	const struct exits_piece *p = piece_of(f, off);
	struct instruction i;
	uint64_t to;

	for (; p && off - p->off < p->len; off += i.in.length) {
		if (*mark_at(f, p, off) == MARK_BEGINS)
			return true;
		if (!decode(f, p, off, &i) || !mark(f, p, &i, MARK_BEGINS) || is_inner_call(f, &i))
			return false;
		if (is_jump(&i) && has_target(&i, &to))
			vec_push(&f->starts, to);
		add_pushed(f, p, &i);
		if (!runs_on(&i))
			return true;
	}
	return true;
}

static bool follow_all(struct flow *f)
{
	vec_push(&f->starts, f->pieces[0].off);
	while (f->starts.nr)
		if (!follow(f, f->starts.at[--f->starts.nr]))
			return false;
	return true;
}

/* ---- the rest ---- */

static bool is_padding(const struct instruction *i)
{
	return i->in.mnemonic == ZYDIS_MNEMONIC_NOP || i->in.mnemonic == ZYDIS_MNEMONIC_INT3;
}

/* From off up to what is known. */
static bool sweep(struct flow *f, const struct exits_piece *p, uint64_t off)
{
	struct instruction i;

	for (; off - p->off < p->len && *mark_at(f, p, off) == MARK_UNKNOWN; off += i.in.length)
		if (!decode(f, p, off, &i) || !mark(f, p, &i, MARK_SWEPT_BEGINS) || is_inner_call(f, &i) ||
		    !(p->is_compiled || is_padding(&i)))
			return false;
	return true;
}

/* The operand names an address in the rest. */
static bool names_rest(const struct flow *f, const struct instruction *i, const ZydisDecodedOperand *o)
{
	uint64_t value = 0, off;
	size_t k;

	if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.base == ZYDIS_REGISTER_RIP) {
		off = i->off + i->in.length + (uint64_t)o->mem.disp.value;
		return piece_of(f, off) && is_swept(*mark_at(f, piece_of(f, off), off));
	}
	if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.base == ZYDIS_REGISTER_NONE)
		value = (uint64_t)o->mem.disp.value;
	else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && !o->imm.is_relative)
		value = o->imm.value.u;
	for (k = 0; k < f->nr; k++) {
		const struct exits_piece *p = &f->pieces[k];

		if (p->vaddr && value >= p->vaddr && value - p->vaddr < p->len)
			return is_swept(f->marks[k][value - p->vaddr]);
	}
	return false;
}

/* The rest is no data to an instruction, which jumps into no other's midst. */
static bool is_at_one(const struct flow *f, const struct instruction *i)
{
	uint64_t to;
	ZyanU8 k;

	if (is_jump(i) && has_target(i, &to) && piece_of(f, to) && !begins(*mark_at(f, piece_of(f, to), to)))
		return false;
	for (k = 0; k < i->in.operand_count_visible; k++)
		if (names_rest(f, i, &i->operands[k]))
			return false;
	return true;
}

static bool sweep_piece(struct flow *f, const struct exits_piece *p)
{
	uint64_t off;

	for (off = p->off; off - p->off < p->len; off++)
		if (*mark_at(f, p, off) == MARK_UNKNOWN && !sweep(f, p, off))
			return false;
	return true;
}

static bool sweep_all(struct flow *f)
{
	struct instruction i;
	uint64_t off;
	size_t k;

	for (k = 0; k < f->nr; k++)
		if (!sweep_piece(f, &f->pieces[k]))
			return false;
	for (k = 0; k < f->nr; k++) {
		const struct exits_piece *p = &f->pieces[k];

		for (off = p->off; off - p->off < p->len; off += i.in.length)
			if (!decode(f, p, off, &i) || !is_at_one(f, &i))
				return false;
	}
	return true;
}

/* ---- exits ---- */

static bool is_behind_push(const struct block *before)
{
	return before->nr && before->at[(before->nr - 1) % BLOCK_MAX].in.mnemonic == ZYDIS_MNEMONIC_PUSH;
}

/* False: it leaves in a way not known here. *is_open: it goes, or may go, on in a place that is not known. */
static bool add_exit(struct exits *x, const struct flow *f, const struct exits_piece *p, const struct instruction *i,
		     const struct block *before, bool *is_open)
{
	bool is_conditional = i->in.meta.category == ZYDIS_CATEGORY_COND_BR;
	struct exit exit = { .off = i->off, .code_off = p->off, .is_tail_call = true };
	enum exits_thunk thunk;

	if (i->in.meta.category == ZYDIS_CATEGORY_RET) {
		exit.is_tail_call = false;
	} else if (!is_conditional && i->in.mnemonic != ZYDIS_MNEMONIC_JMP) {
		return true;
	} else if (has_target(i, &exit.to)) {
		if (piece_of(f, exit.to))
			return true;
		thunk = f->thunk_at ? f->thunk_at(f->data, exit.to) : EXITS_NO_THUNK;
		exit.to = thunk ? 0 : exit.to;
		exit.is_tail_call = thunk != EXITS_RETURNS || is_behind_push(before);
		*is_open |= thunk && exit.is_tail_call;
	} else if (!is_by_pointer(i)) {
		*is_open = true;
		if (is_by_distance(i, before))
			return true;
	}
	if (is_conditional)
		exit.condition = condition_of(i);
	if (is_conditional && !exit.condition)
		return false;
	vec_push(&x->at, exit);
	return true;
}

static bool add_exits(struct exits *x, const struct flow *f, const struct exits_piece *p, bool *is_open)
{
	struct block block = { .nr = 0 };
	uint64_t off = p->off;

	while (off - p->off < p->len) {
		struct instruction *now = &block.at[block.nr % BLOCK_MAX];

		if (!begins(*mark_at(f, p, off))) {
			block.nr = 0;
			off++;
			continue;
		}
		if (!decode(f, p, off, now) || !add_exit(x, f, p, now, &block, is_open))
			return false;
		block.nr = is_block_end(now) ? 0 : block.nr + 1;
		off += now->in.length;
	}
	return true;
}

static bool add_all(struct exits *x, const struct flow *f, bool *is_open)
{
	size_t k;

	for (k = 0; k < f->nr; k++)
		if (!add_exits(x, f, &f->pieces[k], is_open))
			return false;
	return true;
}

static bool find(struct exits *x, struct flow *f)
{
	size_t nr_before = x->at.nr;
	/* Nobody comes to what is caught but by the unwind info that compilers write. */
	bool is_open = f->is_caught && f->pieces[0].is_compiled;

	if (!follow_all(f) || !add_all(x, f, &is_open))
		return false;
	if (!is_open)
		return true;
	x->at.nr = nr_before;
	return sweep_all(f) && add_all(x, f, &is_open);
}

bool exits_find(struct exits *x, const struct exits_piece *pieces, size_t nr, bool is_caught, exits_thunk_at thunk_at, void *data)
{
	struct flow f = { .pieces = pieces, .nr = nr, .is_caught = is_caught, .thunk_at = thunk_at, .data = data };
	size_t nr_before = x->at.nr, k;
	bool found;

	if (ZYAN_FAILED(ZydisDecoderInit(&f.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return false;
	f.marks = xcalloc(nr, sizeof(*f.marks));
	for (k = 0; k < nr; k++)
		f.marks[k] = xcalloc(pieces[k].len, 1);
	found = find(x, &f);
	if (!found)
		x->at.nr = nr_before;
	for (k = 0; k < nr; k++)
		free(f.marks[k]);
	free(f.marks);
	vec_release(&f.starts);
	return found;
}

static bool leads_into(const ZydisDecoder *decoder, const struct exits_piece *from, const struct exits_piece *to)
{
	struct instruction i;
	uint64_t target;
	size_t at;

	for (at = 0; at < from->len; at += i.in.length) {
		i.off = from->off + at;
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, from->code + at, from->len - at, &i.in, i.operands)))
			i.in.length = 1;
		else if (is_jump(&i) && has_target(&i, &target) && target >= to->off && target - to->off < to->len)
			return true;
	}
	return false;
}

bool exits_are_joined(const struct exits_piece *a, const struct exits_piece *b)
{
	ZydisDecoder decoder;

	return !ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) &&
	       (leads_into(&decoder, a, b) || leads_into(&decoder, b, a));
}

void exits_release(struct exits *x)
{
	vec_release(&x->at);
}
