/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_midst.h"

#include <stdlib.h>
#include <string.h>

#include "collector/call_place.h"

/*
 * A short jump, and how far it leads; code that is decoded from anywhere on falls in step with what was meant long before
 * so many bytes.
 */
enum { SHORT_BYTES = 2 + 128, STEP_BYTES = 1024 };
/* call, jmp, jcc with a distance of four bytes: E8, E9, 0F 80+cc (Intel SDM 2, appendix B). */
enum { CALL_OPCODE = 0xe8, JMP_OPCODE = 0xe9, JCC_OPCODE = 0x80, LONG_BYTES = 5 };

/* ---- from anywhere ---- */

static bool is_of(const struct call_code *c, const struct image_symbol *sym, uint64_t vaddr)
{
	return vaddr >= sym->vaddr && vaddr - sym->vaddr < image_symbol_size(c->image, sym, UINT64_MAX);
}

static void note_far(struct call_code *c, uint64_t from, uint64_t to)
{
	uint64_t off = python_code_off(&c->bytes, to);
	const struct image_symbol *sym = off ? image_symbol_before(c->image, off) : NULL;

	if (sym && off != sym->off && off - sym->off < CALL_PLACE_BYTES_MAX && !is_of(c, sym, from))
		vec_push(&c->entered, to);
}

static void read_segment(struct call_code *c, const GElf_Phdr *p)
{
	const uint8_t *bytes = c->bytes.bytes + p->p_offset;
	uint64_t i;
	int32_t rel;

	for (i = 1; i + LONG_BYTES <= p->p_filesz; i++) {
		if (bytes[i] != CALL_OPCODE && bytes[i] != JMP_OPCODE && (bytes[i - 1] != 0x0f || (bytes[i] & 0xf0) != JCC_OPCODE))
			continue;
		memcpy(&rel, bytes + i + 1, sizeof(rel));
		note_far(c, p->p_vaddr + i, p->p_vaddr + i + LONG_BYTES + (uint64_t)(int64_t)rel);
	}
}

static int by_value(const void *va, const void *vb)
{
	const uint64_t *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

static void read_file(struct call_code *c)
{
	c->is_read = true;
	vec_each(&c->bytes.segments, p)
		if (p->p_flags & PF_X)
			read_segment(c, p);
	if (c->entered.nr)
		qsort(c->entered.at, c->entered.nr, sizeof(*c->entered.at), by_value);
}

/* ---- to one function ---- */

struct search {
	const struct call_code *c;
	uint64_t begin, end;	/* of what may be entered, without the first byte */
	uint64_t first;
};

static void note(struct search *s, uint64_t to)
{
	if (to >= s->begin && to < s->end && to < s->first)
		s->first = to;
}

static void look_far(struct search *s)
{
	size_t low = 0, high = s->c->entered.nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->c->entered.at[middle] < s->begin)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < s->c->entered.nr)
		note(s, s->c->entered.at[low]);
}

static void look_through(struct search *s, uint64_t from, uint64_t to)
{
	struct python_insn i;

	while (from < to) {
		bool is_code = python_insn_at(&s->c->bytes, from, &i);

		if (is_code && i.operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i.operands[0].imm.is_relative)
			note(s, python_insn_address(&i));
		from += is_code ? i.in.length : 1;
	}
}

/* A function begins there, if that is known. */
static uint64_t step_before(const struct call_code *c, const struct image_symbol *sym)
{
	const struct image_symbol *before = sym->off > SHORT_BYTES ? image_symbol_before(c->image, sym->off - SHORT_BYTES) : NULL;

	if (before && sym->vaddr > before->vaddr && sym->vaddr - before->vaddr < STEP_BYTES)
		return before->vaddr;
	return sym->vaddr > STEP_BYTES ? sym->vaddr - STEP_BYTES : 0;
}

static void look_at_symbols(struct search *s, const struct image_symbol *sym)
{
	const struct image *m = s->c->image;

	while (sym < m->symbols.at + m->symbols.nr && sym->vaddr < s->begin)
		sym++;
	if (sym < m->symbols.at + m->symbols.nr)
		note(s, sym->vaddr);
}

uint64_t call_midst_find(struct call_code *c, const struct image_symbol *sym, uint64_t len)
{
	uint64_t reach = len < CALL_PLACE_BYTES_MAX ? len : CALL_PLACE_BYTES_MAX;
	struct search s = { .c = c, .begin = sym->vaddr + 1, .end = sym->vaddr + reach, .first = UINT64_MAX };

	if (!c->is_read)
		read_file(c);
	look_far(&s);
	look_through(&s, step_before(c, sym), sym->vaddr);
	look_through(&s, sym->vaddr + len, s.end + SHORT_BYTES);
	look_at_symbols(&s, sym);
	return s.first == UINT64_MAX ? 0 : s.first - sym->vaddr;
}
