/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "collector/exits.h"

Suite *check_exits_suite(void);

enum { OFF = 0x1000 };

/* Code as gas writes it, and where in it a function is left. */
static const struct {
	const char *what;
	uint8_t code[24];
	size_t len;
	size_t nr, nr_tail_calls;
	uint64_t at[3];
} cases[] = {
	{ "push %rbp; pop %rbp; ret", { 0x55, 0x5d, 0xc3 }, 3, 1, 0, { 2 } },
	{ "repz ret; ret $8", { 0xf3, 0xc3, 0xc2, 8, 0 }, 5, 2, 0, { 0, 2 } },
	{ "je over the first ret; ret; ret", { 0x74, 1, 0xc3, 0xc3 }, 4, 2, 0, { 2, 3 } },
	{ "call inside; ud2: never returns", { 0xe8, 0, 0, 0, 0, 0x0f, 0x0b }, 7, 0, 0, { 0 } },
	{ "jmp to itself", { 0xeb, 0xfe }, 2, 0, 0, { 0 } },
	{ "jmp far behind the end", { 0x90, 0xe9, 0, 1, 0, 0 }, 6, 1, 1, { 1 } },
	{ "jmp before the beginning", { 0xeb, 0xf0 }, 2, 1, 1, { 0 } },
	{ "je far behind the end: a cold part", { 0x0f, 0x84, 0, 1, 0, 0, 0xc3 }, 7, 1, 0, { 6 } },
	{ "jmp *0x10(%rax): by a vtable", { 0xff, 0x60, 0x10 }, 3, 1, 1, { 0 } },
	{ "jmp *0x10(%rip): by the GOT", { 0xff, 0x25, 0x10, 0, 0, 0 }, 6, 1, 1, { 0 } },
	{ "jmp *table(,%rax,8): a switch", { 0xff, 0x24, 0xc5, 0, 0, 0, 0 }, 7, 0, 0, { 0 } },
	{ "add %rdx,%rax; jmp *%rax: a switch", { 0x48, 0x01, 0xd0, 0xff, 0xe0 }, 5, 0, 0, { 0 } },
	{ "notrack jmp *%rax: a switch", { 0x3e, 0xff, 0xe0 }, 3, 0, 0, { 0 } },
	{ "jmp *%rax: a pointer", { 0xff, 0xe0 }, 2, 1, 1, { 0 } },
	{ "add %rdx,%rcx; jmp *%rax: a pointer", { 0x48, 0x01, 0xd1, 0xff, 0xe0 }, 5, 1, 1, { 3 } },
};

START_TEST(exits_are_found)
{
	struct exits x = { 0 };
	size_t i;

	ck_assert(exits_find(&x, cases[_i].code, cases[_i].len, OFF));
	ck_assert_msg(x.offs.nr == cases[_i].nr, "%s: %zu exits", cases[_i].what, x.offs.nr);
	ck_assert_msg(x.nr_tail_calls == cases[_i].nr_tail_calls, "%s: %zu tail calls", cases[_i].what,
		      x.nr_tail_calls);
	for (i = 0; i < x.offs.nr; i++)
		ck_assert_uint_eq(x.offs.at[i], OFF + cases[_i].at[i]);
	exits_release(&x);
}
END_TEST

/* Cut in the middle of an instruction, or no instruction at all: what was found before stays. */
START_TEST(no_code_adds_nothing)
{
	static const uint8_t cut[] = { 0xc3, 0xe8, 0, 0 }, none[] = { 0xc3, 0x06 }, good[] = { 0xc3 };
	struct exits x = { 0 };

	ck_assert(exits_find(&x, good, sizeof(good), OFF));
	ck_assert(!exits_find(&x, cut, sizeof(cut), OFF));
	ck_assert(!exits_find(&x, none, sizeof(none), OFF));
	ck_assert_uint_eq(x.offs.nr, 1);
	exits_release(&x);
}
END_TEST

Suite *check_exits_suite(void)
{
	Suite *s = suite_create("exits");
	TCase *tc = tcase_create("find");

	tcase_add_loop_test(tc, exits_are_found, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, no_code_adds_nothing);
	suite_add_tcase(s, tc);
	return s;
}
