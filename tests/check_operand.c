/* SPDX-License-Identifier: Apache-2.0 */
#include <asm/ptrace.h>
#include <check.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "collector/operand.h"

Suite *check_operand_suite(void);

#define SITE 0x401000
#define OFF(reg) offsetof(struct pt_regs, reg)
#define NO PROBE_NO_REG
#define REG(n, sign, name, low)                                                                    \
	{ .kind = PROBE_ARG_REG, .size = (n), .is_signed = (sign), .reg = OFF(name),               \
	  .bit = (low), .index = NO }
#define CONST(n, sign, v)                                                                          \
	{ .kind = PROBE_ARG_CONST, .size = (n), .is_signed = (sign), .reg = NO, .index = NO,       \
	  .value = (v) }
#define MEM(n, sign, base, i, scale, v)                                                            \
	{ .kind = PROBE_ARG_MEM, .size = (n), .is_signed = (sign), .reg = (base), .index = (i),    \
	  .shift = (scale), .value = (v) }

static bool known_symbol(void *self, const char *name, size_t len, uint64_t *ret_vaddr)
{
	static const char known[] = "counters";

	(void)self;
	*ret_vaddr = 0x404000;
	return len == strlen(known) && !memcmp(name, known, len);
}

static const struct operand_scope moving = { .vaddr = SITE, .symbol = known_symbol };
static const struct operand_scope fixed = { .vaddr = SITE, .is_fixed = true,
					    .symbol = known_symbol };

static const struct {
	const char *text;
	bool is_fixed;
	struct probe_arg want;
} good[] = {
	{ "8@%rax", false, REG(8, 0, rax, 0) },
	{ "-4@%edi", false, REG(4, 1, rdi, 0) },
	{ "2@%r15w", false, REG(2, 0, r15, 0) },
	{ "-1@%sil", false, REG(1, 1, rsi, 0) },
	{ "1@%bpl", false, REG(1, 0, rbp, 0) },
	{ "1@%r8b", false, REG(1, 0, r8, 0) },
	{ "1@%ah", false, REG(1, 0, rax, 8) },
	{ "4@%r10d", false, REG(4, 0, r10, 0) },
	{ "8@%rsp", false, REG(8, 0, rsp, 0) },
	{ "4@$5", false, CONST(4, 0, 5) },
	{ "-4@$-1", false, CONST(4, 1, -1) },
	{ "8@$0xfF", false, CONST(8, 0, 255) },
	{ "8@$18446744073709551615", false, CONST(8, 0, -1) },
	{ "8@$counters+8", true, CONST(8, 0, 0x404008) },
	{ "8@-8(%rbp)", false, MEM(8, 0, OFF(rbp), NO, 0, -8) },
	{ "-4@(%rbx)", false, MEM(4, 1, OFF(rbx), NO, 0, 0) },
	{ "8@0x10(%rsp)", false, MEM(8, 0, OFF(rsp), NO, 0, 16) },
	{ "8@-16+24(%rsp)", false, MEM(8, 0, OFF(rsp), NO, 0, 8) },
	{ "8@8(%rax,%rdx,8)", false, MEM(8, 0, OFF(rax), OFF(rdx), 3, 8) },
	{ "1@(%rax,%rdx)", false, MEM(1, 0, OFF(rax), OFF(rdx), 0, 0) },
	{ "2@(%rax,%r9,1)", false, MEM(2, 0, OFF(rax), OFF(r9), 0, 0) },
	{ "2@-2(,%r9,2)", false, MEM(2, 0, NO, OFF(r9), 1, -2) },
	{ "4@(%rax,%r9,4)", false, MEM(4, 0, OFF(rax), OFF(r9), 2, 0) },
	{ "8@counters(%rip)", false, MEM(8, 0, OFF(rip), NO, 0, 0x3000) },
	{ "8@counters+4(%rip)", false, MEM(8, 0, OFF(rip), NO, 0, 0x3004) },
	{ "8@4+counters(%rip)", false, MEM(8, 0, OFF(rip), NO, 0, 0x3004) },
	{ "8@counters-4(%rip)", false, MEM(8, 0, OFF(rip), NO, 0, 0x2ffc) },
	{ "4@counters", false, MEM(4, 0, OFF(rip), NO, 0, 0x3000) },
	{ "4@counters(,%rax,4)", true, MEM(4, 0, NO, OFF(rax), 2, 0x404000) },
};

START_TEST(operands_become_rules)
{
	const struct probe_arg *want = &good[_i].want;
	struct probe_arg got;
	const char *why;

	ck_assert_uint_eq(operand_count(good[_i].text), 1);
	why = operand_parse(good[_i].text, 1, good[_i].is_fixed ? &fixed : &moving, &got);
	ck_assert_msg(!why, "%s: %s", good[_i].text, why);
	ck_assert_uint_eq(got.kind, want->kind);
	ck_assert_uint_eq(got.size, want->size);
	ck_assert_uint_eq(got.is_signed, want->is_signed);
	ck_assert_uint_eq(got.shift, want->shift);
	ck_assert_uint_eq(got.bit, want->bit);
	ck_assert_uint_eq(got.reg, want->reg);
	ck_assert_uint_eq(got.index, want->index);
	ck_assert_int_eq(got.value, want->value);
}
END_TEST

static const struct {
	const char *text, *why;
} bad[] = {
	{ "", "no such argument" },
	{ "8", "unknown form" },
	{ "8@", "unknown form" },
	{ "@%rax", "unknown form" },
	{ "%rax", "unknown form" },
	{ "-@%rax", "unknown form" },
	{ "3@%rax", "1, 2, 4 or 8" },
	{ "0@%rax", "1, 2, 4 or 8" },
	{ "16@%rax", "1, 2, 4 or 8" },
	{ "8f@%xmm0", "floating point" },
	{ "-8f@8(%rsp)", "floating point" },
	{ "8@%xmm0", "floating point" },
	{ "8@%rzx", "segment" },
	{ "4@%fs:-4", "segment" },
	{ "8@%rax)", "segment" },
	{ "8@%rax,%rbx", "segment" },
	{ "8@8(%rax", "unknown form" },
	{ "8@8(%rax,%rdx,3)", "unknown form" },
	{ "8@8(%rax,%rdx,8", "unknown form" },
	{ "8@8(%rax,8)", "unknown form" },
	{ "8@()", "unknown form" },
	{ "8@8()", "unknown form" },
	{ "8@(%ah)", "unknown form" },
	{ "8@(%rax,%rip,1)", "unknown form" },
	{ "8@(%rax)x", "unknown form" },
	{ "8@0x(%rax)", "unknown form" },
	{ "8@-(%rax)", "unknown form" },
	{ "8@8+(%rax)", "unknown form" },
	{ "8@-counters(%rip)", "unknown form" },
	{ "8@counters+counters(%rip)", "unknown form" },
	{ "8@unheard(%rip)", "not known" },
	{ "8@.LC0(%rip)", "not known" },
	{ "8@counters@GOTPCREL(%rip)", "table of the loader" },
	{ "8@counters(%rax)", "not fixed" },
	{ "8@$counters", "not fixed" },
	{ "8@8(%rip)", "not fixed" },
	{ "8@$", "unknown form" },
	{ "8@$5x", "unknown form" },
	{ "8@[sp, 16]", "unknown form" },
	{ "8@x0", "not known" },
};

START_TEST(what_cannot_be_read_has_a_reason)
{
	struct probe_arg got;
	const char *why = operand_parse(bad[_i].text, 1, &moving, &got);

	ck_assert_msg(why && strstr(why, bad[_i].why), "'%s': %s", bad[_i].text,
		      why ? why : "taken");
	ck_assert_uint_eq(got.kind, PROBE_ARG_NONE);
}
END_TEST

START_TEST(lists_are_parted_at_blanks)
{
	static const char list[] = "  8@%rbp\t-4@8(%rax, %rdx, 1)  4@$7 ";
	struct probe_arg got;

	ck_assert_uint_eq(operand_count(""), 0);
	ck_assert_uint_eq(operand_count("   "), 0);
	ck_assert_uint_eq(operand_count(list), 3);
	ck_assert_ptr_null(operand_parse(list, 1, &moving, &got));
	ck_assert_uint_eq(got.reg, OFF(rbp));
	ck_assert_ptr_nonnull(operand_parse(list, 2, &moving, &got));
	ck_assert_ptr_null(operand_parse(list, 3, &moving, &got));
	ck_assert_int_eq(got.value, 7);
	ck_assert_ptr_nonnull(operand_parse(list, 4, &moving, &got));
	ck_assert_ptr_nonnull(operand_parse(list, 0, &moving, &got));
}
END_TEST

/* System V ABI, AMD64 supplement, figure 3.4. */
START_TEST(functions_take_the_registers_of_the_abi)
{
	static const unsigned short want[] = { OFF(rdi), OFF(rsi), OFF(rdx),
					       OFF(rcx), OFF(r8),  OFF(r9) };
	struct probe_arg got;
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(want); i++) {
		ck_assert_ptr_null(operand_of_function(i + 1, &got));
		ck_assert_uint_eq(got.kind, PROBE_ARG_REG);
		ck_assert_uint_eq(got.size, 8);
		ck_assert_uint_eq(got.reg, want[i]);
	}
	ck_assert_ptr_nonnull(operand_of_function(0, &got));
	ck_assert_ptr_nonnull(operand_of_function(7, &got));
	ck_assert_uint_eq(got.kind, PROBE_ARG_NONE);
}
END_TEST

/* Programs that run in the kernel read this struct: its layout is fixed. */
START_TEST(the_layout_is_the_same_for_every_compiler)
{
	ck_assert_uint_eq(sizeof(struct probe_arg), 24);
	ck_assert_uint_eq(offsetof(struct probe_arg, reg), 6);
	ck_assert_uint_eq(offsetof(struct probe_arg, value), 16);
	ck_assert_uint_eq(OFF(rip), 16 * 8);
	ck_assert_uint_eq(OFF(rsp), 19 * 8);
}
END_TEST

Suite *check_operand_suite(void)
{
	Suite *s = suite_create("operand");
	TCase *tc = tcase_create("operand");

	tcase_add_loop_test(tc, operands_become_rules, 0, ARRAY_LEN(good));
	tcase_add_loop_test(tc, what_cannot_be_read_has_a_reason, 0, ARRAY_LEN(bad));
	tcase_add_test(tc, lists_are_parted_at_blanks);
	tcase_add_test(tc, functions_take_the_registers_of_the_abi);
	tcase_add_test(tc, the_layout_is_the_same_for_every_compiler);
	suite_add_tcase(s, tc);
	return s;
}
