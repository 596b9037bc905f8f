/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <dwarf.h>

#include "base/alloc.h"
#include "unwinder/expression.h"

Suite *check_expression_suite(void);

enum { STACK = 0x7000, CFA = 0x7100, NR_WORDS = 32, REG_3 = 0x333, REG_7 = STACK, MAX_OPS = 12 };

struct expression_case {
	Dwarf_Op ops[MAX_OPS];	/* up to the first of atom 0; offsets count 1 byte, of branches 3 */
	uint64_t value;
	enum unwind_stop stop;
};

#define OP(a)	 { .atom = DW_OP_##a }
#define OPN(a, n) { .atom = DW_OP_##a, .number = (Dwarf_Word)(n) }
#define OPNN(a, n, m) { .atom = DW_OP_##a, .number = (Dwarf_Word)(n), .number2 = (Dwarf_Word)(m) }
#define MINUS(n) ((uint64_t)-(int64_t)(n))
#define GOOD	 UNWIND_STOP_ROOT
#define BAD	 UNWIND_STOP_BAD_RULE

static const struct expression_case cases[] = {
	/* constants */
	{ { OP(lit0) }, 0, GOOD },
	{ { OP(lit31) }, 31, GOOD },
	{ { OPN(addr, 0x401000) }, 0x401000, GOOD },
	{ { OPN(const1u, 200) }, 200, GOOD },
	{ { OPN(const1s, -2) }, MINUS(2), GOOD },
	{ { OPN(const2u, 60000) }, 60000, GOOD },
	{ { OPN(const2s, -300) }, MINUS(300), GOOD },
	{ { OPN(const4u, 4000000000) }, 4000000000, GOOD },
	{ { OPN(const4s, -70000) }, MINUS(70000), GOOD },
	{ { OPN(const8u, UINT64_MAX) }, UINT64_MAX, GOOD },
	{ { OPN(const8s, INT64_MIN) }, 1ULL << 63, GOOD },
	{ { OPN(constu, 5) }, 5, GOOD },
	{ { OPN(consts, -5) }, MINUS(5), GOOD },
	/* registers, the CFA, the stack's words, which hold their own numbers + 1 */
	{ { OPN(breg3, 0) }, REG_3, GOOD },
	{ { OPN(breg7, -8) }, STACK - 8, GOOD },
	{ { OPNN(bregx, 3, 4) }, REG_3 + 4, GOOD },
	{ { OPN(breg4, 0) }, 0, BAD },
	{ { OPNN(bregx, 1ULL << 40, 0) }, 0, BAD },
	{ { OP(call_frame_cfa) }, CFA, GOOD },
	{ { OPN(breg7, 16), OP(deref) }, 3, GOOD },
	{ { OPN(breg7, 1), OP(deref) }, 2ULL << 56, GOOD },
	{ { OPN(breg7, 6), OPN(deref_size, 4) }, 0x20000, GOOD },
	{ { OPN(breg7, 0), OPN(deref_size, 1) }, 1, GOOD },
	{ { OPN(breg7, -8), OP(deref) }, 0, UNWIND_STOP_BAD_STACK },
	{ { OPN(breg7, 8 * NR_WORDS - 7), OP(deref) }, 0, UNWIND_STOP_SHORT },
	/* the stack of numbers */
	{ { OP(lit3), OP(lit4), OP(drop) }, 3, GOOD },
	{ { OP(lit3), OP(dup), OP(plus) }, 6, GOOD },
	{ { OP(lit3), OP(lit4), OP(over), OP(minus) }, 1, GOOD },
	{ { OP(lit3), OP(lit4), OP(swap), OP(minus) }, 1, GOOD },
	{ { OP(lit5), OP(lit6), OP(lit7), OPN(pick, 2) }, 5, GOOD },
	{ { OP(lit5), OPN(pick, 1) }, 0, BAD },
	/* rot: the top goes third, the others up: 1 2 3 is 3 1 2 */
	{ { OP(lit1), OP(lit2), OP(lit3), OP(rot) }, 2, GOOD },
	{ { OP(lit1), OP(lit2), OP(lit3), OP(rot), OP(drop) }, 1, GOOD },
	{ { OP(lit1), OP(lit2), OP(lit3), OP(rot), OP(drop), OP(drop) }, 3, GOOD },
	{ { OP(lit1), OP(nop), OP(stack_value) }, 1, GOOD },
	/* arithmetic */
	{ { OP(lit12), OP(lit10), OP(and) }, 8, GOOD },
	{ { OP(lit12), OP(lit10), OP(or) }, 14, GOOD },
	{ { OP(lit12), OP(lit10), OP(xor) }, 6, GOOD },
	{ { OP(lit12), OP(lit10), OP(plus) }, 22, GOOD },
	{ { OP(lit10), OP(lit12), OP(minus) }, MINUS(2), GOOD },
	{ { OP(lit12), OP(lit10), OP(mul) }, 120, GOOD },
	{ { OPN(consts, -7), OP(lit2), OP(div) }, MINUS(3), GOOD },
	{ { OP(lit17), OP(lit5), OP(mod) }, 2, GOOD },
	{ { OP(lit3), OP(lit4), OP(shl) }, 48, GOOD },
	{ { OP(lit3), OPN(constu, 64), OP(shl) }, 0, GOOD },
	{ { OPN(consts, -16), OPN(constu, 60), OP(shr) }, 15, GOOD },
	{ { OPN(consts, -16), OPN(constu, 99), OP(shr) }, 0, GOOD },
	{ { OPN(consts, -16), OP(lit2), OP(shra) }, MINUS(4), GOOD },
	{ { OPN(consts, -16), OPN(constu, 99), OP(shra) }, MINUS(1), GOOD },
	{ { OP(lit5), OP(neg) }, MINUS(5), GOOD },
	{ { OP(lit5), OP(not) }, MINUS(6), GOOD },
	{ { OPN(consts, -5), OP(abs) }, 5, GOOD },
	{ { OP(lit5), OP(abs) }, 5, GOOD },
	{ { OP(lit5), OPN(plus_uconst, 300) }, 305, GOOD },
	/* comparisons are signed */
	{ { OPN(consts, -1), OP(lit1), OP(lt) }, 1, GOOD },
	{ { OPN(consts, -1), OP(lit1), OP(gt) }, 0, GOOD },
	{ { OP(lit1), OP(lit1), OP(le) }, 1, GOOD },
	{ { OP(lit1), OP(lit1), OP(ge) }, 1, GOOD },
	{ { OP(lit1), OP(lit1), OP(eq) }, 1, GOOD },
	{ { OP(lit1), OP(lit1), OP(ne) }, 0, GOOD },
	/* branches: over one operation; not taken; to the end; out of the expression; into an operand */
	{ { OP(lit1), OPN(skip, 1), OP(lit2), OP(lit3), OP(plus) }, 4, GOOD },
	{ { OP(lit9), OP(lit1), OPN(bra, 1), OP(lit2), OP(lit3), OP(plus) }, 12, GOOD },
	{ { OP(lit9), OP(lit0), OPN(bra, 1), OP(lit2), OP(plus) }, 11, GOOD },
	{ { OP(lit1), OPN(skip, 100), OP(lit2) }, 0, BAD },
	{ { OP(lit1), OPN(skip, 2), OPN(skip, 0), OP(lit2) }, 0, BAD },
	/* counts down from 5 */
	{ { OP(lit5), OP(lit1), OP(minus), OP(dup), OPN(bra, -6), OP(lit7), OP(plus) }, 7, GOOD },
	/* what has no value */
	{ { OP(lit1), OP(lit0), OP(div) }, 0, BAD },
	{ { OP(lit1), OP(lit0), OP(mod) }, 0, BAD },
	{ { OPN(const8s, INT64_MIN), OPN(consts, -1), OP(div) }, 0, BAD },
	{ { { 0 } }, 0, BAD },
	{ { OP(plus) }, 0, BAD },
	{ { OP(lit1), OP(plus) }, 0, BAD },
	{ { OP(drop) }, 0, BAD },
	{ { OP(dup) }, 0, BAD },
	{ { OP(lit1), OP(drop) }, 0, BAD },
	{ { OP(lit1), OP(lit2), OP(rot) }, 0, BAD },
	{ { OP(deref) }, 0, BAD },
	{ { OP(neg) }, 0, BAD },
	{ { OP(swap) }, 0, BAD },
	{ { OP(bra) }, 0, BAD },
	{ { OP(lit1), OP(push_object_address) }, 0, BAD },
	{ { OP(lit1), { .atom = 0xff } }, 0, BAD },
	/* for ever */
	{ { OPN(skip, -3) }, 0, BAD },
	{ { OP(lit1), OPN(bra, -4) }, 0, BAD },
	/* as long as there is room: 4 bytes a turn, 32 numbers */
	{ { OP(lit1), OPN(skip, -4) }, 0, BAD },
};

static enum unwind_stop evaluate(const Dwarf_Op *ops, size_t nr, uint64_t *ret_value)
{
	uint64_t words[NR_WORDS];
	struct stack_copy stack = { STACK, (const uint8_t *)words, sizeof(words), true };
	struct expression x = { ops, nr };
	struct regs regs = { 0 };
	size_t i;

	for (i = 0; i < NR_WORDS; i++)
		words[i] = i + 1;
	regs_set(&regs, 3, REG_3);
	regs_set(&regs, 7, REG_7);
	return expression_value(&x, &regs, CFA, &stack, ret_value);
}

static size_t lay_out(const Dwarf_Op *from, Dwarf_Op *to)
{
	Dwarf_Word off = 0;
	size_t nr;

	for (nr = 0; nr < MAX_OPS && from[nr].atom; nr++) {
		to[nr] = from[nr];
		to[nr].offset = off;
		off += from[nr].atom == DW_OP_skip || from[nr].atom == DW_OP_bra ? 3 : 1;
	}
	return nr;
}

START_TEST(expression_has_hand_computed_value)
{
	Dwarf_Op ops[MAX_OPS];
	size_t nr = lay_out(cases[_i].ops, ops);
	uint64_t value = 0;

	ck_assert_int_eq(evaluate(ops, nr, &value), cases[_i].stop);
	if (cases[_i].stop == GOOD)
		ck_assert_uint_eq(value, cases[_i].value);
}
END_TEST

START_TEST(numbers_and_steps_are_limited)
{
	Dwarf_Op ops[257];
	uint64_t value;
	size_t i;

	for (i = 0; i < ARRAY_LEN(ops); i++)
		ops[i] = (Dwarf_Op){ .atom = DW_OP_lit7, .offset = i };
	ck_assert_int_eq(evaluate(ops, 32, &value), GOOD);
	ck_assert_uint_eq(value, 7);
	ck_assert_int_eq(evaluate(ops, 33, &value), BAD);
	for (i = 1; i < ARRAY_LEN(ops); i++)
		ops[i].atom = DW_OP_nop;
	ck_assert_int_eq(evaluate(ops, 256, &value), GOOD);
	ck_assert_int_eq(evaluate(ops, 257, &value), BAD);
}
END_TEST

/*
 * The lazy PLT's: 8 bytes were pushed once the stub's 11th byte is reached, of 16.
 * DW_OP_breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus
 */
START_TEST(plt_pushes_in_its_second_half)
{
	static const Dwarf_Op ops[] = { OPN(breg7, 8), OPN(breg16, 0), OP(lit15), OP(and), OP(lit11),
					OP(ge), OP(lit3), OP(shl), OP(plus) };
	struct expression x = { ops, ARRAY_LEN(ops) };
	struct stack_copy stack = { .start = STACK };
	uint64_t pc, value;

	for (pc = 0x401020; pc < 0x401040; pc++) {
		struct regs regs = { 0 };

		regs_set(&regs, 7, STACK);
		regs_set(&regs, 16, pc);
		ck_assert_int_eq(expression_value(&x, &regs, 0, &stack, &value), GOOD);
		ck_assert_uint_eq(value, STACK + 8 + (pc % 16 >= 11 ? 8 : 0));
	}
}
END_TEST

/* A signal's frame on x86-64: rsp stands 160 bytes into it, rip 168 (struct ucontext, asm/sigcontext.h). */
START_TEST(signal_frame_holds_what_was_interrupted)
{
	static const Dwarf_Op cfa[] = { OPN(breg7, 160), OP(deref) }, rip[] = { OPN(breg7, 168) };
	uint64_t value;

	ck_assert_int_eq(evaluate(cfa, 2, &value), GOOD);
	ck_assert_uint_eq(value, 160 / 8 + 1);
	ck_assert_int_eq(evaluate(rip, 1, &value), GOOD);
	ck_assert_uint_eq(value, STACK + 168);
}
END_TEST

Suite *check_expression_suite(void)
{
	Suite *s = suite_create("expression");
	TCase *tc = tcase_create("expression");

	tcase_add_loop_test(tc, expression_has_hand_computed_value, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, numbers_and_steps_are_limited);
	tcase_add_test(tc, plt_pushes_in_its_second_half);
	tcase_add_test(tc, signal_frame_holds_what_was_interrupted);
	suite_add_tcase(s, tc);
	return s;
}
