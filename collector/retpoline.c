/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/retpoline.h"

/* Nops and the like before an instruction: more than these are no thunk's. */
enum { FILLERS_MAX = 16 };

/* It puts what is in a register in the place of its return address. */
static bool is_mov(const struct python_insn *i)
{
	const ZydisDecodedOperand *to = &i->operands[0];

	return i->in.mnemonic == ZYDIS_MNEMONIC_MOV && to->type == ZYDIS_OPERAND_TYPE_MEMORY && to->mem.base == ZYDIS_REGISTER_RSP &&
	       to->mem.index == ZYDIS_REGISTER_NONE && !to->mem.disp.value && i->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

/* Or drops that. */
static bool is_lea(const struct python_insn *i)
{
	const ZydisDecodedOperand *from = &i->operands[1];

	return i->in.mnemonic == ZYDIS_MNEMONIC_LEA && i->operands[0].reg.value == ZYDIS_REGISTER_RSP &&
	       from->mem.base == ZYDIS_REGISTER_RSP && from->mem.index == ZYDIS_REGISTER_NONE &&
	       from->mem.disp.value == sizeof(uint64_t);
}

static bool is_jump(const struct python_insn *i)
{
	return i->in.mnemonic == ZYDIS_MNEMONIC_JMP && i->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

static bool is_push(const struct python_insn *i)
{
	return i->in.mnemonic == ZYDIS_MNEMONIC_PUSH && i->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

static bool is_call(const struct python_insn *i)
{
	return i->in.meta.category == ZYDIS_CATEGORY_CALL && i->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

static bool is_filler(const struct python_insn *i)
{
	return i->in.mnemonic == ZYDIS_MNEMONIC_NOP || i->in.mnemonic == ZYDIS_MNEMONIC_ENDBR64 || i->in.mnemonic == ZYDIS_MNEMONIC_LFENCE;
}

/* The first one that does something. */
static bool look_at(const struct python_code *c, uint64_t vaddr, struct python_insn *ret)
{
	unsigned int n;

	for (n = 0; n < FILLERS_MAX && python_insn_at(c, vaddr, ret); n++, vaddr = ret->next)
		if (!is_filler(ret))
			return true;
	return false;
}

bool retpoline_returns_at(const struct python_code *c, uint64_t vaddr)
{
	struct python_insn i;

	return look_at(c, vaddr, &i) && i.in.meta.category == ZYDIS_CATEGORY_RET;
}

bool retpoline_at(const struct python_code *c, uint64_t vaddr, ZydisRegister *ret)
{
	ZydisRegister by = ZYDIS_REGISTER_NONE;
	struct python_insn i;

	if (!look_at(c, vaddr, &i))
		return false;
	if (is_jump(&i)) {
		*ret = i.operands[0].reg.value;
		return true;
	}
	if (is_call(&i)) {
		if (!look_at(c, python_insn_address(&i), &i) || (!is_mov(&i) && !is_lea(&i)))
			return false;
		by = is_mov(&i) ? i.operands[1].reg.value : by;
	} else if (is_push(&i)) {
		by = i.operands[0].reg.value;
	} else {
		return false;
	}
	if (!retpoline_returns_at(c, i.next))
		return false;
	*ret = by;
	return true;
}
