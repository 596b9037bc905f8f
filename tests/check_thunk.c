/* SPDX-License-Identifier: Apache-2.0 */
/* Which symbols are thunks', and which code only goes on to another function. */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "collector/thunk.h"

Suite *check_thunk_suite(void);

static const struct {
	const char *symbol, *function;
} symbols[] = {
	{ "_ZThn16_N1X1hEi", "N1X1hEi" },
	{ "_ZTh8_N1X1hEi", "N1X1hEi" },
	{ "_ZTv0_n24_N1Y1fEi", "N1Y1fEi" },
	{ "_ZTvn8_n24_N1Y1fEi@@V1", "N1Y1fEi@@V1" },
	{ "_ZTch0_h16_N1M1gEv", "N1M1gEv" },
	{ "_ZTcvn8_n24_hn16_N1M1gEv", "N1M1gEv" },
	{ "_ZTch0_v0_n24_N1M1gEv", "N1M1gEv" },
	{ "_ZTch0_N1M1gEv", NULL },
	/* virtual table, type's name, and what only looks like one */
	{ "_ZTV1X", NULL },
	{ "_ZTS1X", NULL },
	{ "_ZThn_N1X1hEi", NULL },
	{ "_ZThn16", NULL },
	{ "_ZTv0_N1Y1fEi", NULL },
	{ "_ZN1X1hEi", NULL },
	{ "", NULL },
};

START_TEST(a_thunk_names_its_function)
{
	const char *got = thunk_function(symbols[_i].symbol);

	if (symbols[_i].function)
		ck_assert_pstr_eq(got, symbols[_i].function);
	else
		ck_assert_ptr_null(got);
}
END_TEST

/* The function begins at 0x1100, the code lies at 0x1000. */
static const struct {
	const char *what, *code;
	size_t len;
	bool passes_on;
} codes[] = {
	{ "sub $16, %rdi; jmp f", "\x48\x83\xef\x10\xe9\xf7\0\0\0", 9, true },
	{ "endbr64; mov (%rdi), %r10; add -24(%r10), %rdi; jmp f", "\xf3\x0f\x1e\xfa\x4c\x8b\x17\x49\x03\x7a\xe8\xe9\xf0\0\0\0", 16, true },
	{ "a body: mov 8(%rdi), %eax; imul %esi, %eax; ret", "\x8b\x47\x08\x0f\xaf\xc6\xc3", 7, false },
	{ "-pg: call mcount; sub $16, %rdi; jmp f", "\xe8\0\x02\0\0\x48\x83\xef\x10\xe9\xf2\0\0\0", 14, true },
	{ "-fxray-instrument: jmp +1; nop; jmp f", "\xeb\x01\x90\xe9\xf8\0\0\0", 8, true },
	{ "-fsplit-stack: jae +6; call __morestack; ret; jmp f", "\x73\x06\xe8\0\x02\0\0\xc3\xe9\xf3\0\0\0", 13, true },
	{ "adjusts what it gives back: call f; test %rax, %rax; je +4; add $16, %rax; ret", "\xe8\xfb\0\0\0\x48\x85\xc0\x74\x04\x48\x83\xc0\x10\xc3", 15, true },
	{ "a body that calls itself: push; test %esi, %esi; je +5; call f; pop; ret", "\x53\x85\xf6\x74\x05\xe8\xf6\0\0\0\x5b\xc3", 12, false },
	{ "jumps to itself: cmp %rax, %rdx; jne +5; jmp f; jmp *%rax", "\x48\x39\xc2\x75\x05\xe9\xf6\0\0\0\xff\xe0", 12, false },
	{ "jumps to itself or returns: test %esi, %esi; jne f; ret", "\x85\xf6\x0f\x85\xf8\0\0\0\xc3", 9, false },
	{ "goes on elsewhere: test %esi, %esi; jne f; jmp +0x200", "\x85\xf6\x0f\x85\xf8\0\0\0\xe9\0\x02\0\0", 13, false },
	{ "calls another: push; call +0x200; pop; ret", "\x53\xe8\0\x02\0\0\x5b\xc3", 8, false },
	{ "two ways, both to it: je +5; jmp f; jmp f", "\x74\x05\xe9\xf9\0\0\0\xe9\xf4\0\0\0", 12, true },
	{ "a loop before it: dec %esi; jne -4; jmp f", "\xff\xce\x75\xfc\xe9\xf7\0\0\0", 9, true },
	{ "a loop without an end: dec %esi; jmp -4", "\xff\xce\xeb\xfc", 4, false },
	{ "it is not known whereto: jmp *8(%rax)", "\xff\x60\x08", 3, false },
	{ "cut off", "\x48\x83\xef\x10\xe9", 5, false },
	{ "longer than a thunk", "\x48\x83\xef\x10", 4, false },
	{ "nothing", "", 0, false },
};

static bool is_function(const void *data, uint64_t off)
{
	(void)data;
	return off == 0x1100;
}

START_TEST(all_ways_lead_to_the_function)
{
	ck_assert_msg(thunk_passes_on((const uint8_t *)codes[_i].code, codes[_i].len, 0x1000, is_function, NULL) == codes[_i].passes_on,
		      "%s", codes[_i].what);
}
END_TEST

Suite *check_thunk_suite(void)
{
	Suite *s = suite_create("thunk");
	TCase *tc = tcase_create("thunk");

	tcase_add_loop_test(tc, a_thunk_names_its_function, 0, ARRAY_LEN(symbols));
	tcase_add_loop_test(tc, all_ways_lead_to_the_function, 0, ARRAY_LEN(codes));
	suite_add_tcase(s, tc);
	return s;
}
