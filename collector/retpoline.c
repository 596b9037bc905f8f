/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/retpoline.h"

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

bool retpoline_at(const struct python_code *c, uint64_t vaddr, ZydisRegister *ret)
{
	struct python_insn call, i, behind;

	if (!python_insn_at(c, vaddr, &call) || call.in.meta.category != ZYDIS_CATEGORY_CALL ||
	    call.operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !python_insn_at(c, python_insn_address(&call), &i) ||
	    !python_insn_at(c, i.next, &behind) || behind.in.meta.category != ZYDIS_CATEGORY_RET || (!is_mov(&i) && !is_lea(&i)))
		return false;
	*ret = is_mov(&i) ? i.operands[1].reg.value : ZYDIS_REGISTER_NONE;
	return true;
}
