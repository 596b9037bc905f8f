/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "collector/exits.h"

Suite *check_exits_suite(void);

enum { OFF = 0x1000 };

struct found {
	uint64_t at;
	int64_t to; /* from OFF; NOWHERE: none */
	int condition;
};

#define NOWHERE INT64_MAX

/* Code as gas writes it, and where in it a function is left. */
static const struct {
	const char *what;
	uint8_t code[24];
	size_t len;
	size_t nr, nr_tail_calls;
	struct found found[3];
} cases[] = {
	{ "push %rbp; pop %rbp; ret", { 0x55, 0x5d, 0xc3 }, 3, 1, 0, { { 2, NOWHERE, 0 } } },
	{ "repz ret; ret $8", { 0xf3, 0xc3, 0xc2, 8, 0 }, 5, 2, 0,
	  { { 0, NOWHERE, 0 }, { 2, NOWHERE, 0 } } },
	{ "je over the first ret; ret; ret", { 0x74, 1, 0xc3, 0xc3 }, 4, 2, 0,
	  { { 2, NOWHERE, 0 }, { 3, NOWHERE, 0 } } },
	{ "call inside; ud2: never returns", { 0xe8, 0, 0, 0, 0, 0x0f, 0x0b }, 7, 0, 0, { { 0 } } },
	{ "jmp to itself", { 0xeb, 0xfe }, 2, 0, 0, { { 0 } } },
	{ "jmp far behind the end", { 0x90, 0xe9, 0, 1, 0, 0 }, 6, 1, 1, { { 1, 0x106, 0 } } },
	{ "jmp before the beginning", { 0xeb, 0xf0 }, 2, 1, 1, { { 0, -14, 0 } } },
	{ "je far behind the end: 84, so 4", { 0x0f, 0x84, 0, 1, 0, 0, 0xc3 }, 7, 2, 1,
	  { { 0, 0x106, 5 }, { 6, NOWHERE, 0 } } },
	{ "jg before the beginning: 7f, so 15", { 0x7f, 0xf0, 0xc3 }, 3, 2, 1,
	  { { 0, -14, 16 }, { 2, NOWHERE, 0 } } },
	{ "jmp *0x10(%rax): by a vtable", { 0xff, 0x60, 0x10 }, 3, 1, 1, { { 0, NOWHERE, 0 } } },
	{ "jmp *0x10(%rip): by the GOT", { 0xff, 0x25, 0x10, 0, 0, 0 }, 6, 1, 1,
	  { { 0, NOWHERE, 0 } } },
	{ "jmp *table(,%rax,8): a switch", { 0xff, 0x24, 0xc5, 0, 0, 0, 0 }, 7, 0, 0, { { 0 } } },
	{ "add %rdx,%rax; jmp *%rax: a switch", { 0x48, 0x01, 0xd0, 0xff, 0xe0 }, 5, 0, 0, { { 0 } } },
	{ "add %rdx,%rax; xor %ecx,%ecx; lea 8(%rsp),%rsi; jmp *%rax: a switch",
	  { 0x48, 0x01, 0xd0, 0x31, 0xc9, 0x48, 0x8d, 0x74, 0x24, 8, 0xff, 0xe0 }, 12, 0, 0, { { 0 } } },
	{ "add %rdx,%rax; mov %rax,%rcx; jmp *%rcx: a switch",
	  { 0x48, 0x01, 0xd0, 0x48, 0x89, 0xc1, 0xff, 0xe1 }, 8, 0, 0, { { 0 } } },
	{ "lea (%rax,%rdx),%rcx; jmp *%rcx: a switch", { 0x48, 0x8d, 0x0c, 0x10, 0xff, 0xe1 }, 6, 0, 0,
	  { { 0 } } },
	{ "notrack jmp *%rax: a switch", { 0x3e, 0xff, 0xe0 }, 3, 0, 0, { { 0 } } },
	{ "jmp *%rax: a pointer", { 0xff, 0xe0 }, 2, 1, 1, { { 0, NOWHERE, 0 } } },
	{ "add %rdx,%rcx; jmp *%rax: a pointer", { 0x48, 0x01, 0xd1, 0xff, 0xe0 }, 5, 1, 1,
	  { { 3, NOWHERE, 0 } } },
	{ "add %rdx,%rax; mov (%rax),%rax; jmp *%rax: a pointer",
	  { 0x48, 0x01, 0xd0, 0x48, 0x8b, 0x00, 0xff, 0xe0 }, 8, 1, 1, { { 6, NOWHERE, 0 } } },
	{ "add %rdx,%rax; call; jmp *%rax: a pointer",
	  { 0x48, 0x01, 0xd0, 0xe8, 0, 0, 0, 0, 0xff, 0xe0 }, 10, 1, 1, { { 8, NOWHERE, 0 } } },
};

START_TEST(exits_are_found)
{
	size_t i, nr_tail_calls = 0;
	struct exits x = { 0 };

	ck_assert(exits_find(&x, cases[_i].code, cases[_i].len, OFF));
	ck_assert_msg(x.at.nr == cases[_i].nr, "%s: %zu exits", cases[_i].what, x.at.nr);
	for (i = 0; i < x.at.nr; i++) {
		const struct found *want = &cases[_i].found[i];
		const struct exit *exit = &x.at.at[i];

		nr_tail_calls += exit->is_tail_call;
		ck_assert_uint_eq(exit->off, OFF + want->at);
		ck_assert_int_eq(exit->condition, want->condition);
		ck_assert_uint_eq(exit->to, want->to == NOWHERE ? 0 : OFF + (uint64_t)want->to);
	}
	ck_assert_msg(nr_tail_calls == cases[_i].nr_tail_calls, "%s: %zu tail calls", cases[_i].what,
		      nr_tail_calls);
	exits_release(&x);
}
END_TEST

/* Cut inside an instruction, none at all, or jrcxz out of it: what was found before stays. */
START_TEST(no_code_adds_nothing)
{
	static const uint8_t cut[] = { 0xc3, 0xe8, 0, 0 }, none[] = { 0xc3, 0x06 }, good[] = { 0xc3 },
			     counts[] = { 0xc3, 0xe3, 0x70 }, loops[] = { 0xe2, 0xfe };
	struct exits x = { 0 };

	ck_assert(exits_find(&x, good, sizeof(good), OFF));
	ck_assert(!exits_find(&x, cut, sizeof(cut), OFF));
	ck_assert(!exits_find(&x, none, sizeof(none), OFF));
	ck_assert(!exits_find(&x, counts, sizeof(counts), OFF));
	ck_assert(exits_find(&x, loops, sizeof(loops), OFF));
	ck_assert_uint_eq(x.at.nr, 1);
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
