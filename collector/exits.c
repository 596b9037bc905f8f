/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/exits.h"

#include <Zydis/Decoder.h>

struct instruction {
	ZydisDecodedInstruction in;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/*
 * A jump through a register or memory leaves the function, or goes by a table to another part of it, as
 * switches do: compilers take the entry with an index, or add it to the table's address right before.
 */
static bool is_by_table(const struct instruction *jump, const struct instruction *before)
{
	const ZydisDecodedOperand *to = &jump->operands[0];

	if (jump->in.attributes & ZYDIS_ATTRIB_HAS_NOTRACK)
		return true;
	if (to->type == ZYDIS_OPERAND_TYPE_MEMORY)
		return to->mem.index != ZYDIS_REGISTER_NONE || to->mem.base == ZYDIS_REGISTER_NONE;
	return before->in.mnemonic == ZYDIS_MNEMONIC_ADD &&
	       before->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       before->operands[0].reg.value == to->reg.value;
}

/* at: where the jump stands among the len bytes. Conditional jumps lead to cold parts, not away. */
static bool is_tail_call(const struct instruction *i, const struct instruction *before, size_t at,
			 size_t len)
{
	if (i->in.mnemonic != ZYDIS_MNEMONIC_JMP)
		return false;
	if (i->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		int64_t to = (int64_t)(at + i->in.length) + i->operands[0].imm.value.s;

		return to < 0 || to >= (int64_t)len;
	}
	return !is_by_table(i, before);
}

bool exits_find(struct exits *x, const uint8_t *code, size_t len, uint64_t off)
{
	size_t nr_before = x->offs.nr, nr_tail_calls = 0, at;
	struct instruction now = { 0 }, before = { 0 };
	ZydisDecoder decoder;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return false;
	for (at = 0; at < len; at += now.in.length, before = now) {
		bool is_tail;

		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code + at, len - at, &now.in,
						       now.operands))) {
			x->offs.nr = nr_before;
			return false;
		}
		is_tail = is_tail_call(&now, &before, at, len);
		nr_tail_calls += is_tail;
		if (is_tail || now.in.meta.category == ZYDIS_CATEGORY_RET)
			vec_push(&x->offs, off + at);
	}
	x->nr_tail_calls += nr_tail_calls;
	return true;
}

void exits_release(struct exits *x)
{
	vec_release(&x->offs);
}
