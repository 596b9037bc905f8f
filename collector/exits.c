/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/exits.h"

#include <Zydis/Decoder.h>
#include <Zydis/Utils.h>

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
enum { BLOCK_MAX = 16 };

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
		       (i->in.mnemonic == ZYDIS_MNEMONIC_LEA &&
			i->operands[1].mem.index != ZYDIS_REGISTER_NONE);
	}
	return false;
}

/*
 * A jump through a register or memory leaves the function, or goes by a table to another part of it, as
 * switches do: compilers take the entry with an index, or add it to the table's address before.
 */
static bool is_by_table(const struct instruction *jump, const struct block *before)
{
	const ZydisDecodedOperand *to = &jump->operands[0];

	if (jump->in.attributes & ZYDIS_ATTRIB_HAS_NOTRACK)
		return true;
	if (to->type == ZYDIS_OPERAND_TYPE_MEMORY)
		return to->mem.index != ZYDIS_REGISTER_NONE || to->mem.base == ZYDIS_REGISTER_NONE;
	return is_sum(before, to->reg.value);
}

/* Jcc rel8, rel32: 70+cc, 0F 80+cc (Intel SDM 2, appendix B.1.4.7). 0: by a counter, not flags. */
static unsigned char condition_of(const struct instruction *i)
{
	bool is_jcc = (i->in.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && i->in.opcode >> 4 == 7) ||
		      (i->in.opcode_map == ZYDIS_OPCODE_MAP_0F && i->in.opcode >> 4 == 8);

	return is_jcc ? EXIT_CONDITION(i->in.opcode & 15) : 0;
}

static bool stays(uint64_t to, uint64_t off, size_t len)
{
	return to >= off && to - off < len;
}

/* The jumps and returns of a piece of code at off. False: one that leaves in a way not known here. */
static bool add_exit(struct exits *x, const struct instruction *i, const struct block *before,
		     uint64_t off, size_t len)
{
	bool is_conditional = i->in.meta.category == ZYDIS_CATEGORY_COND_BR;
	struct exit exit = { .off = i->off, .code_off = off, .is_tail_call = true };

	if (i->in.meta.category == ZYDIS_CATEGORY_RET) {
		exit.is_tail_call = false;
	} else if (!is_conditional && i->in.mnemonic != ZYDIS_MNEMONIC_JMP) {
		return true;
	} else if (i->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		exit.to = i->off + i->in.length + (uint64_t)i->operands[0].imm.value.s;
		if (stays(exit.to, off, len))
			return true;
	} else if (is_by_table(i, before)) {
		return true;
	}
	if (is_conditional)
		exit.condition = condition_of(i);
	if (is_conditional && !exit.condition)
		return false;
	vec_push(&x->at, exit);
	return true;
}

bool exits_find(struct exits *x, const uint8_t *code, size_t len, uint64_t off)
{
	size_t nr_before = x->at.nr, at;
	struct block block = { .nr = 0 };
	ZydisDecoder decoder;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return false;
	for (at = 0; at < len;) {
		struct instruction *now = &block.at[block.nr % BLOCK_MAX];

		now->off = off + at;
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code + at, len - at, &now->in,
						       now->operands)) ||
		    !add_exit(x, now, &block, off, len)) {
			x->at.nr = nr_before;
			return false;
		}
		block.nr = is_block_end(now) ? 0 : block.nr + 1;
		at += now->in.length;
	}
	return true;
}

void exits_release(struct exits *x)
{
	vec_release(&x->at);
}
