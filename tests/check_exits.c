/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/alloc.h"
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
	{ "jrcxz to the next; repz ret", { 0xe3, 0, 0xf3, 0xc3 }, 4, 1, 0, { { 2, NOWHERE, 0 } } },
	{ "je over the first ret; ret $8; ret", { 0x74, 3, 0xc2, 8, 0, 0xc3 }, 6, 2, 0,
	  { { 2, NOWHERE, 0 }, { 5, NOWHERE, 0 } } },
	{ "je over the first ret; ret; ret", { 0x74, 1, 0xc3, 0xc3 }, 4, 2, 0,
	  { { 2, NOWHERE, 0 }, { 3, NOWHERE, 0 } } },
	{ "call; ud2: never returns", { 0xe8, 0, 1, 0, 0, 0x0f, 0x0b }, 7, 0, 0, { { 0 } } },
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
	{ "jmp *table(,%rax,8): by a table of labels or functions", { 0xff, 0x24, 0xc5, 0, 0, 0, 0 }, 7, 1, 1, { { 0, NOWHERE, 0 } } },
	{ "mov (%rcx,%rdx,8),%rdx; jmp *%rdx: the same", { 0x48, 0x8b, 0x14, 0xd1, 0xff, 0xe2 }, 6, 1, 1, { { 4, NOWHERE, 0 } } },
	{ "add %rdx,%rax; jmp *%rax: a switch", { 0x48, 0x01, 0xd0, 0xff, 0xe0 }, 5, 0, 0, { { 0 } } },
	{ "add %rdx,%rax; xor %ecx,%ecx; lea 8(%rsp),%rsi; jmp *%rax: a switch",
	  { 0x48, 0x01, 0xd0, 0x31, 0xc9, 0x48, 0x8d, 0x74, 0x24, 8, 0xff, 0xe0 }, 12, 0, 0, { { 0 } } },
	{ "add %rdx,%rax; mov %rax,%rcx; jmp *%rcx: a switch",
	  { 0x48, 0x01, 0xd0, 0x48, 0x89, 0xc1, 0xff, 0xe1 }, 8, 0, 0, { { 0 } } },
	{ "lea (%rax,%rdx),%rcx; jmp *%rcx: a switch", { 0x48, 0x8d, 0x0c, 0x10, 0xff, 0xe1 }, 6, 0, 0,
	  { { 0 } } },
	{ "lea 0x401740(%rdx),%rdx; jmp *%rdx: a switch", { 0x48, 0x8d, 0x92, 0x40, 0x17, 0x40, 0, 0xff, 0xe2 }, 9, 0, 0, { { 0 } } },
	{ "lea 0x10(%rip),%rax; jmp *%rax: a pointer", { 0x48, 0x8d, 5, 0x10, 0, 0, 0, 0xff, 0xe0 }, 9, 1, 1, { { 7, NOWHERE, 0 } } },
	{ "notrack jmp *%rax: a switch", { 0x3e, 0xff, 0xe0 }, 3, 0, 0, { { 0 } } },
	{ "je behind the lock; lock incl (%rdi); ret", { 0x74, 1, 0xf0, 0xff, 0x07, 0xc3 }, 6, 1, 0, { { 5, NOWHERE, 0 } } },
	{ "jmp *%rax: a pointer", { 0xff, 0xe0 }, 2, 1, 1, { { 0, NOWHERE, 0 } } },
	{ "add %rdx,%rcx; jmp *%rax: a pointer", { 0x48, 0x01, 0xd1, 0xff, 0xe0 }, 5, 1, 1,
	  { { 3, NOWHERE, 0 } } },
	{ "add %rdx,%rax; mov (%rax),%rax; jmp *%rax: a pointer",
	  { 0x48, 0x01, 0xd0, 0x48, 0x8b, 0x00, 0xff, 0xe0 }, 8, 1, 1, { { 6, NOWHERE, 0 } } },
	{ "add %rdx,%rax; call; jmp *%rax: a pointer",
	  { 0x48, 0x01, 0xd0, 0xe8, 0, 1, 0, 0, 0xff, 0xe0 }, 10, 1, 1, { { 8, NOWHERE, 0 } } },
};

static bool find(struct exits *x, const uint8_t *code, size_t len)
{
	const struct exits_piece piece = { .code = code, .len = len, .off = OFF };

	return exits_find(x, &piece, 1, false, NULL, NULL);
}

START_TEST(exits_are_found)
{
	size_t i, nr_tail_calls = 0;
	struct exits x = { 0 };

	ck_assert(find(&x, cases[_i].code, cases[_i].len));
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
	static const uint8_t cut[] = { 0x74, 1, 0xc3, 0xe8, 0, 0 }, none[] = { 0x74, 1, 0xc3, 0x06 }, good[] = { 0xc3 },
			     counts[] = { 0xe3, 0x70, 0xc3 }, loops[] = { 0xe2, 0xfe },
			     calls[] = { 0xe8, 1, 0, 0, 0, 0xc3, 0xc3 };
	struct exits x = { 0 };

	ck_assert(find(&x, good, sizeof(good)));
	ck_assert(!find(&x, cut, sizeof(cut)));
	ck_assert(!find(&x, none, sizeof(none)));
	ck_assert(!find(&x, counts, sizeof(counts)));
	ck_assert(!find(&x, calls, sizeof(calls)));
	ck_assert(find(&x, loops, sizeof(loops)));
	ck_assert_uint_eq(x.at.nr, 1);
	exits_release(&x);
}
END_TEST

#define SWITCH 0x48, 0x01, 0xd0, 0xff, 0xe0	/* add %rdx,%rax; jmp *%rax */

enum { NOT_FOUND = -1 };

/* What nothing known leads to, by who made the code: how many exits there are then. */
static const struct {
	const char *what;
	uint8_t code[24];
	size_t len;
	int nr, nr_compiled, nr_caught;	/* by hand; by a compiler; the same where exceptions are caught */
} rests[] = {
	{ "ret; ret", { 0xc3, 0xc3 }, 2, 1, 1, 2 },
	{ "ret; pushes an address; pop; ret", { 0xc3, 0x6a, 1, 0x58, 0xc3 }, 5, 1, 1, 2 },
	{ "a table behind the ret: c3 00 00, 00 00", { 0xc3, 0xc3, 0, 0, 0, 0 }, 6, 1, 1, 2 },
	{ "je to the last ret; lea table(%rip),%rax; ret; the table: c3 90; ret",
	  { 0x74, 10, 0x48, 0x8d, 5, 1, 0, 0, 0, 0xc3, 0xc3, 0x90, 0xc3 }, 13, 2, 2, NOT_FOUND },
	{ "the same by an address, mov 0x401007(,%rax,4),%eax: c3 90",
	  { 0x8b, 4, 0x85, 8, 0x10, 0x40, 0, 0xc3, 0xc3, 0x90 }, 10, 1, 1, NOT_FOUND },
	{ "or mov $0x401007,%eax", { 0xb8, 6, 0x10, 0x40, 0, 0xc3, 0xc3, 0x90 }, 8, 1, 1, NOT_FOUND },
	{ "lea back(%rip),%r11; push %r11; ret; back: mov $5,%eax; ret",
	  { 0x4c, 0x8d, 0x1d, 3, 0, 0, 0, 0x41, 0x53, 0xc3, 0xb8, 5, 0, 0, 0, 0xc3 }, 16, 1, 1, 2 },
	{ "a constant that is no code", { 0xc3, 0xc3, 0x06, 0x06, 0x06 }, 5, 1, 1, NOT_FOUND },
	{ "one whose end is in the code behind: jmp over c3 b8; ret; ret",
	  { 0xeb, 2, 0xc3, 0xb8, 0xc3, 0x90, 0x90, 0x90, 0x90 }, 9, 1, 1, NOT_FOUND },
	{ "one that would jump into the midst of an instruction",
	  { 0xb8, 0, 0, 0, 0, 0xc3, 0xeb, 0xf9, 0xc3 }, 9, 1, 1, NOT_FOUND },
	{ "one that would call it", { 0xb8, 0, 0, 0, 0, 0xc3, 0xe8, 0xf6, 0xff, 0xff, 0xff }, 11, 1, 1, NOT_FOUND },
	{ "a switch; ret", { SWITCH, 0xc3 }, 6, NOT_FOUND, 1, 1 },
	{ "a switch; nops", { SWITCH, 0x66, 0x90 }, 7, 0, 0, 0 },
	{ "a switch; no code", { SWITCH, 0x06 }, 6, NOT_FOUND, NOT_FOUND, NOT_FOUND },
	{ "ja to the ret; a switch; ret; ret", { 0x77, 5, SWITCH, 0xc3, 0xc3 }, 9, NOT_FOUND, 2, 2 },
	{ "jmp *%rax; ret", { 0xff, 0xe0, 0xc3 }, 3, NOT_FOUND, 2, 2 },
	{ "jmp *0x100(%rip); ret", { 0xff, 0x25, 0, 1, 0, 0, 0xc3 }, 7, 1, 1, 2 },
};

static void check_rest(bool is_compiled, bool is_caught, int want, int i)
{
	const struct exits_piece piece = { .code = rests[i].code, .len = rests[i].len, .off = OFF, .vaddr = 0x401000,
					   .is_compiled = is_compiled };
	struct exits x = { 0 };
	int nr = exits_find(&x, &piece, 1, is_caught, NULL, NULL) ? (int)x.at.nr : NOT_FOUND;

	ck_assert_msg(nr == want, "%s: %d exits, not %d", rests[i].what, nr, want);
	exits_release(&x);
}

START_TEST(the_rest_is_code_or_nothing)
{
	check_rest(false, false, rests[_i].nr, _i);
	check_rest(false, true, rests[_i].nr, _i);
	check_rest(true, false, rests[_i].nr_compiled, _i);
	check_rest(true, true, rests[_i].nr_caught, _i);
}
END_TEST

/* test; je to the other one; ret. There: nop; jmp back. A switch there may lead anywhere. */
START_TEST(pieces_are_one_function)
{
	static const uint8_t body[] = { 0x85, 0xff, 0x0f, 0x84, 0xf8, 0, 0, 0, 0xc3 },
			     back[] = { 0x90, 0xe9, 0x02, 0xff, 0xff, 0xff }, none[] = { 0x90, 0x06 }, rest[] = { 0x90, 0xc3, SWITCH, 0xc3 };
	struct exits_piece pieces[] = { { .code = body, .len = sizeof(body), .off = OFF },
					{ .code = back, .len = sizeof(back), .off = OFF + 0x100 } };
	struct exits x = { 0 };

	ck_assert(exits_find(&x, pieces, 2, false, NULL, NULL));
	ck_assert_uint_eq(x.at.nr, 1);
	ck_assert_uint_eq(x.at.at[0].off, OFF + 8);
	ck_assert_uint_eq(x.at.at[0].code_off, OFF);
	pieces[1].code = none;
	pieces[1].len = sizeof(none);
	ck_assert(!exits_find(&x, pieces, 2, false, NULL, NULL));
	pieces[1].code = rest;
	pieces[1].len = sizeof(rest);
	ck_assert(exits_find(&x, pieces, 2, false, NULL, NULL));
	ck_assert_uint_eq(x.at.nr, 3);
	ck_assert_uint_eq(x.at.at[2].off, OFF + 0x101);
	ck_assert_uint_eq(x.at.at[2].code_off, OFF + 0x100);
	exits_release(&x);
}
END_TEST

struct a_thunk {
	uint64_t off;
	enum exits_thunk is;
};

static enum exits_thunk thunk_at(void *data, uint64_t off)
{
	const struct a_thunk *t = data;

	return off == t->off ? t->is : EXITS_NO_THUNK;
}

/* A jump to one may go on in the function, and so to the last ret. */
START_TEST(a_jump_to_a_thunk_goes_anywhere)
{
	static const uint8_t code[] = { 0x90, 0xe9, 0xfa, 0, 0, 0, 0xc3 };
	const struct exits_piece piece = { .code = code, .len = sizeof(code), .off = OFF, .is_compiled = true };
	struct a_thunk thunk = { OFF + 0x100, EXITS_THUNK }, other = { OFF + 0x101, EXITS_THUNK };
	struct exits x = { 0 };

	ck_assert(exits_find(&x, &piece, 1, false, thunk_at, &other));
	ck_assert_uint_eq(x.at.nr, 1);
	ck_assert_uint_eq(x.at.at[0].to, OFF + 0x100);
	exits_release(&x);
	ck_assert(exits_find(&x, &piece, 1, false, thunk_at, &thunk));
	ck_assert_uint_eq(x.at.nr, 2);
	ck_assert(x.at.at[0].is_tail_call && !x.at.at[0].to && !x.at.at[1].is_tail_call);
	exits_release(&x);
}
END_TEST

/* push %rax; jmp; ret: behind the jump nothing is known to be run, but where it may lead. */
START_TEST(a_jump_to_a_return_is_one)
{
	static const uint8_t returns[] = { 0x90, 0xe9, 0xfa, 0, 0, 0, 0xc3 }, pushed[] = { 0x50, 0xe9, 0xfa, 0, 0, 0, 0xc3 },
			     sometimes[] = { 0x90, 0x0f, 0x84, 0xf9, 0, 0, 0, 0xc3 };
	const struct exits_piece piece = { .code = returns, .len = sizeof(returns), .off = OFF, .is_compiled = true },
				 behind_push = { .code = pushed, .len = sizeof(pushed), .off = OFF, .is_compiled = true },
				 conditional = { .code = sometimes, .len = sizeof(sometimes), .off = OFF, .is_compiled = true };
	struct a_thunk thunk = { OFF + 0x100, EXITS_RETURNS };
	struct exits x = { 0 };

	ck_assert(exits_find(&x, &piece, 1, false, thunk_at, &thunk));
	ck_assert_uint_eq(x.at.nr, 1);
	ck_assert(!x.at.at[0].is_tail_call && !x.at.at[0].to && !x.at.at[0].condition);
	exits_release(&x);
	ck_assert(exits_find(&x, &behind_push, 1, false, thunk_at, &thunk));
	ck_assert_uint_eq(x.at.nr, 2);
	ck_assert(x.at.at[0].is_tail_call && !x.at.at[0].to && !x.at.at[1].is_tail_call);
	exits_release(&x);
	ck_assert(exits_find(&x, &conditional, 1, false, thunk_at, &thunk));
	ck_assert_uint_eq(x.at.nr, 2);
	ck_assert(!x.at.at[0].is_tail_call && x.at.at[0].condition && !x.at.at[1].is_tail_call && !x.at.at[1].condition);
	exits_release(&x);
}
END_TEST

START_TEST(pieces_are_joined_by_a_jump)
{
	static const uint8_t to_b[] = { 0x06, 0x85, 0xff, 0x0f, 0x84, 0xf7, 0, 0, 0, 0xc3 }, none[] = { 0x90, 0xc3 },
			     to_a[] = { 0x90, 0xe9, 0x02, 0xff, 0xff, 0xff };
	const struct exits_piece joined = { .code = to_b, .len = sizeof(to_b), .off = OFF }, alone = { .code = none, .len = sizeof(none), .off = OFF },
				 b = { .code = none, .len = sizeof(none), .off = OFF + 0x100 },
				 back = { .code = to_a, .len = sizeof(to_a), .off = OFF + 0xf8 };

	ck_assert(exits_are_joined(&joined, &b) && exits_are_joined(&b, &joined));
	ck_assert(exits_are_joined(&back, &alone));
	ck_assert(!exits_are_joined(&alone, &b));
}
END_TEST

Suite *check_exits_suite(void)
{
	Suite *s = suite_create("exits");
	TCase *tc = tcase_create("find");

	tcase_add_loop_test(tc, exits_are_found, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, no_code_adds_nothing);
	tcase_add_loop_test(tc, the_rest_is_code_or_nothing, 0, ARRAY_LEN(rests));
	tcase_add_test(tc, a_jump_to_a_return_is_one);
	tcase_add_test(tc, pieces_are_one_function);
	tcase_add_test(tc, a_jump_to_a_thunk_goes_anywhere);
	tcase_add_test(tc, pieces_are_joined_by_a_jump);
	suite_add_tcase(s, tc);
	return s;
}
