/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/python_enabled.h"

#include <Zydis/Mnemonic.h>
#include <Zydis/Register.h>

enum {
	CALL_INSNS = 4,		/* from the jump to the call: jumps on, and the argument */
	FIRST_BLOCKS = 64,	/* before the interpreter's first instruction */
};

struct addresses {
	VEC(uint64_t) at;
};

static bool is_relative(const struct python_insn *i)
{
	return i->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i->operands[0].imm.is_relative;
}

static bool names(const struct python_insn *i, uint64_t vaddr)
{
	ZyanU8 k;

	for (k = 0; k < i->in.operand_count_visible; k++)
		if (i->operands[k].type == ZYDIS_OPERAND_TYPE_MEMORY)
			return python_insn_address(i) == vaddr;
	return false;
}

static bool is_call_of(const struct python_insn *i, uint64_t function)
{
	return i->in.mnemonic == ZYDIS_MNEMONIC_CALL && is_relative(i) && python_insn_address(i) == function;
}

/* `mov %reg, %rdi` */
static bool is_argument(const struct python_insn *i)
{
	return i->in.mnemonic == ZYDIS_MNEMONIC_MOV &&
	       i->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       i->operands[0].reg.value == ZYDIS_REGISTER_RDI &&
	       i->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

/* Whether code does nothing but call the function; which register its argument is in. */
static bool leads_to_call(const struct python_code *c, uint64_t at, uint64_t function, struct python_test *t)
{
	ZydisRegister argument = ZYDIS_REGISTER_RDI;
	struct python_insn i;
	int n;

	for (n = 0; n < CALL_INSNS && python_insn_at(c, at, &i); n++) {
		if (is_call_of(&i, function)) {
			t->call = at;
			t->reg = python_register_off(argument);
			return t->reg >= 0;
		}
		if (is_argument(&i) && argument == ZYDIS_REGISTER_RDI)
			argument = i.operands[1].reg.value;
		else if (i.in.mnemonic != ZYDIS_MNEMONIC_JMP || !is_relative(&i))
			return false;
		at = i.in.mnemonic == ZYDIS_MNEMONIC_JMP ? python_insn_address(&i) : i.next;
	}
	return false;
}

static bool is_covered(const struct python_tests *tests, uint64_t call)
{
	vec_each(&tests->at, t)
		if (t->call == call)
			return true;
	return false;
}

/* The call is where the semaphore is not 0. */
static bool read_jump(const struct python_code *c, const struct python_insn *i, uint64_t function,
		      struct python_test *t)
{
	t->jump = i->vaddr;
	if (i->in.mnemonic == ZYDIS_MNEMONIC_JNZ)
		return leads_to_call(c, python_insn_address(i), function, t);
	return i->in.mnemonic == ZYDIS_MNEMONIC_JZ && leads_to_call(c, i->next, function, t);
}

/* Elsewhere than in the code that is looked through, and than as the probe's own operand. */
static bool is_named_elsewhere(const struct python_code *c, uint64_t begin, uint64_t end, const struct python_probe *p)
{
	return python_code_names(c, p->semaphore, 0, UINT64_MAX) !=
	       python_code_names(c, p->semaphore, begin, end) +
		       python_code_names(c, p->semaphore, p->function, p->site);
}

bool python_tests_find(const struct python_code *c, uint64_t begin, uint64_t end,
		       const struct python_probe *probe, struct python_tests *ret)
{
	struct python_test t = { 0 };
	size_t nr_calls = 0;
	struct python_insn i;
	uint64_t at;

	for (at = begin; at < end; at = i.next) {
		if (!python_insn_at(c, at, &i))
			return false;
		if (names(&i, probe->semaphore)) {
			t = (struct python_test){ .begin = at };
		} else if (t.begin && python_insn_ends_block(&i)) {
			if (!read_jump(c, &i, probe->function, &t))
				return false;
			nr_calls += !is_covered(ret, t.call);
			vec_push(&ret->at, t);
			t.begin = 0;
		}
	}
	return nr_calls && nr_calls == python_code_calls(c, probe->function, probe->function, NULL) &&
	       !is_named_elsewhere(c, begin, end, probe);
}

static bool has(const struct addresses *a, uint64_t address)
{
	vec_each(&a->at, it)
		if (*it == address)
			return true;
	return false;
}

static void add_jump(struct addresses *to, const struct python_insn *i)
{
	uint64_t address = is_relative(i) ? python_insn_address(i) : 0;

	if (address && !has(to, address))
		vec_push(&to->at, address);
}

/* The test that a block goes by; where it leads else is added to *next. */
static const struct python_test *pass_block(const struct python_code *c, uint64_t at,
					    const struct python_tests *tests, struct addresses *next)
{
	struct python_insn i;

	while (python_insn_at(c, at, &i)) {
		vec_each(&tests->at, t)
			if (t->begin == at)
				return t;
		if (i.in.meta.category == ZYDIS_CATEGORY_COND_BR ||
		    i.in.meta.category == ZYDIS_CATEGORY_UNCOND_BR)
			add_jump(next, &i);
		if (i.in.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
		    i.in.meta.category == ZYDIS_CATEGORY_RET)
			break;
		at = i.next;
	}
	return NULL;
}

bool python_tests_keep_first(const struct python_code *c, uint64_t begin, struct python_tests *tests)
{
	struct addresses blocks = { 0 };
	const struct python_test *found = NULL;
	size_t n;

	vec_push(&blocks.at, begin);
	for (n = 0; n < blocks.at.nr && n < FIRST_BLOCKS && !found; n++)
		found = pass_block(c, blocks.at.at[n], tests, &blocks);
	if (found) {
		tests->at.at[0] = *found;
		tests->at.nr = 1;
	}
	vec_release(&blocks.at);
	return found != NULL;
}

void python_tests_release(struct python_tests *t)
{
	vec_release(&t->at);
}
