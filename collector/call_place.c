/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_place.h"

#include <Zydis/Decoder.h>
#include <Zydis/Formatter.h>
#include <string.h>

/* Longer entry blocks are looked at no further: at their end a probe would come late. */
enum { ENTRY_BYTES_MAX = 256, NOP5_BYTES = 5 };

struct instruction {
	ZydisDecodedInstruction in;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static bool decode(const ZydisDecoder *decoder, const uint8_t *code, size_t len, struct instruction *i)
{
	return !ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, code, len, &i->in, i->operands));
}

static bool is_jump(const struct instruction *i)
{
	return i->in.meta.category == ZYDIS_CATEGORY_COND_BR ||
	       i->in.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
}

static bool ends_block(const struct instruction *i)
{
	return is_jump(i) || i->in.meta.category == ZYDIS_CATEGORY_CALL ||
	       i->in.meta.category == ZYDIS_CATEGORY_RET ||
	       i->in.meta.category == ZYDIS_CATEGORY_SYSCALL ||
	       i->in.meta.category == ZYDIS_CATEGORY_INTERRUPT;
}

static bool is_relative(const struct instruction *i)
{
	return i->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i->operands[0].imm.is_relative;
}

static bool is_emulated(const struct instruction *i)
{
	const ZydisDecodedOperand *to = &i->operands[0];

	/* With a prefix of its size or a lock the kernel does not know it. */
	if (i->in.attributes & (ZYDIS_ATTRIB_HAS_OPERANDSIZE | ZYDIS_ATTRIB_HAS_LOCK))
		return false;
	switch (i->in.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		return to->type == ZYDIS_OPERAND_TYPE_REGISTER && to->size == 64 &&
		       i->in.opcode >= 0x50 && i->in.opcode <= 0x57;
	case ZYDIS_MNEMONIC_NOP:
		return i->in.length != NOP5_BYTES && (i->in.opcode == 0x90 || i->in.opcode == 0x1f);
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_JMP:
		return is_relative(i);
	default:
		/* Not those by a counter. */
		return i->in.meta.category == ZYDIS_CATEGORY_COND_BR && is_relative(i) &&
		       (i->in.opcode_map == ZYDIS_OPCODE_MAP_0F || i->in.opcode >> 4 == 7);
	}
}

/*
 * The kernel steps over it; what it refuses (good_insns_64, good_2byte_insns, is_prefix_bad()), as far as
 * functions have it, is not.
 */
static bool is_stepped(const struct instruction *i)
{
	if (i->in.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX ||
	    i->in.encoding == ZYDIS_INSTRUCTION_ENCODING_XOP)
		return false;
	if (i->in.attributes & (ZYDIS_ATTRIB_HAS_LOCK | ZYDIS_ATTRIB_HAS_SEGMENT_CS |
				ZYDIS_ATTRIB_HAS_SEGMENT_DS | ZYDIS_ATTRIB_HAS_SEGMENT_ES |
				ZYDIS_ATTRIB_HAS_SEGMENT_SS))
		return false;
	if (i->in.mnemonic == ZYDIS_MNEMONIC_NOP && i->in.length == NOP5_BYTES)
		return false;
	switch (i->in.meta.category) {
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_IO:
	case ZYDIS_CATEGORY_IOSTRINGOP:
	case ZYDIS_CATEGORY_SYSTEM:
	case ZYDIS_CATEGORY_SYSRET:
		return false;
	default:
		return i->in.mnemonic != ZYDIS_MNEMONIC_HLT && i->in.mnemonic != ZYDIS_MNEMONIC_UD2;
	}
}

/*
 * What an instruction takes from the stack pointer, added to *sp_add. False: that is not known, or it
 * leaves the stack.
 */
static bool follow_sp(const struct instruction *i, uint32_t *sp_add)
{
	const ZydisDecodedOperand *to = &i->operands[0], *from = &i->operands[1];
	ZyanU8 k;

	if (i->in.mnemonic == ZYDIS_MNEMONIC_PUSH && i->in.operand_width == 64) {
		*sp_add += 8;
		return true;
	}
	if (i->in.mnemonic == ZYDIS_MNEMONIC_SUB && to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    to->reg.value == ZYDIS_REGISTER_RSP && from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
	    from->imm.value.s >= 0 && from->imm.value.s < 0x8000) {
		*sp_add += (uint32_t)from->imm.value.s;
		return *sp_add < 0x8000;
	}
	for (k = 0; k < i->in.operand_count; k++)
		if (i->operands[k].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (i->operands[k].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, i->operands[k].reg.value) ==
			    ZYDIS_REGISTER_RSP)
			return false;
	return true;
}

/* The lowest place in the function that a jump in it leads to; false: not all of it is code. */
static bool first_target(const ZydisDecoder *decoder, const uint8_t *code, size_t len, size_t *ret_target)
{
	size_t at, first = len;

	for (at = 0; at < len;) {
		struct instruction i;
		uint64_t to;

		if (!decode(decoder, code + at, len - at, &i))
			return false;
		at += i.in.length;
		if (!is_jump(&i) || !is_relative(&i))
			continue;
		to = at + (uint64_t)i.operands[0].imm.value.s;
		if (to < first)
			first = to;
	}
	*ret_target = first;
	return true;
}

static void describe(const struct instruction *i, struct call_placement *p)
{
	ZydisFormatter formatter;

	if (ZYAN_FAILED(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT)) ||
	    ZYAN_FAILED(ZydisFormatterFormatInstruction(&formatter, &i->in, i->operands,
							i->in.operand_count_visible, p->text,
							sizeof(p->text), ZYDIS_RUNTIME_ADDRESS_NONE,
							NULL)))
		p->text[0] = '\0';
}

/* Up to the end of the entry block, or where a jump leads to: the first that is fit. */
static bool find_fit(const ZydisDecoder *decoder, const uint8_t *code, size_t len, size_t end,
		     bool (*is_fit)(const struct instruction *i), struct call_placement *p)
{
	uint32_t sp_add = 0;
	size_t at;

	for (at = 0; at < end && at < ENTRY_BYTES_MAX;) {
		struct instruction i;

		if (!decode(decoder, code + at, len - at, &i))
			return false;
		if (is_fit(&i)) {
			p->off = (uint32_t)at;
			p->sp_add = sp_add;
			describe(&i, p);
			return true;
		}
		if (ends_block(&i) || !follow_sp(&i, &sp_add))
			return false;
		at += i.in.length;
	}
	return false;
}

static void refuse(struct call_placement *p, const char *why)
{
	p->kind = CALL_PLACE_NONE;
	p->why = why;
}

void call_place_find(const uint8_t *code, size_t len, struct call_placement *ret)
{
	struct instruction first;
	ZydisDecoder decoder;
	size_t target;

	*ret = (struct call_placement){ .kind = CALL_PLACE_NONE };
	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    !decode(&decoder, code, len, &first)) {
		refuse(ret, "its first byte begins no instruction");
		return;
	}
	if (!first_target(&decoder, code, len, &target)) {
		/* Jumps may lead anywhere but, most likely, to the entry. */
		target = 1;
		ret->why = "it has bytes that are no code";
	} else if (!target) {
		refuse(ret, "a loop leads back to its first instruction");
		return;
	}
	if (find_fit(&decoder, code, len, target, is_emulated, ret)) {
		ret->kind = CALL_PLACE_EMULATED;
		ret->why = NULL;
	} else if (find_fit(&decoder, code, len, target, is_stepped, ret)) {
		ret->kind = CALL_PLACE_STEPPED;
		ret->why = ret->why ? ret->why : "nothing in its entry block is emulated";
	} else {
		refuse(ret, "the kernel takes no probe on what it begins with");
	}
}
