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

static const struct {
	const char *code;
	size_t len;
	uint64_t targets[3];	/* the code lies at 0x1000 */
} codes[] = {
	/* sub $16, %rdi; jmp -30 */
	{ "\x48\x83\xef\x10\xeb\xe2", 6, { 0x1000 + 6 - 30 } },
	/* endbr64; mov (%rdi), %r10; add -24(%r10), %rdi; jmp +0x100 */
	{ "\xf3\x0f\x1e\xfa\x4c\x8b\x17\x49\x03\x7a\xe8\xe9\x00\x01\x00\x00", 16, { 0x1000 + 16 + 0x100 } },
	/* mov 8(%rdi), %eax; imul %esi, %eax; ret: the function's body */
	{ "\x8b\x47\x08\x0f\xaf\xc6\xc3", 7, { 0 } },
	/* call mcount; sub $16, %rdi; jmp +0x100: -pg */
	{ "\xe8\x00\x02\x00\x00\x48\x83\xef\x10\xe9\x00\x01\x00\x00", 14, { 0x1000 + 5 + 0x200, 0x1000 + 14 + 0x100 } },
	/* jmp +1; nop; jmp +0x100: -fxray-instrument */
	{ "\xeb\x01\x90\xe9\x00\x01\x00\x00", 8, { 0x1003, 0x1108 } },
	/* call +0x100; test %rax, %rax; je +4; add $16, %rax; ret: what it gives back is adjusted */
	{ "\xe8\x00\x01\x00\x00\x48\x85\xc0\x74\x04\x48\x83\xc0\x10\xc3", 15, { 0x1105, 0x1000 + 14 } },
	/* jmp *8(%rax): whereto is not known */
	{ "\xff\x60\x08", 3, { 0 } },
	/* cut off */
	{ "\x48\x83\xef\x10\xeb", 5, { 0 } },
	{ "", 0, { 0 } },
};

START_TEST(where_code_goes_on)
{
	size_t at = 0, i;

	for (i = 0; !i || codes[_i].targets[i - 1]; i++)
		ck_assert_uint_eq(thunk_target((const uint8_t *)codes[_i].code, codes[_i].len, 0x1000, &at), codes[_i].targets[i]);
}
END_TEST

Suite *check_thunk_suite(void)
{
	Suite *s = suite_create("thunk");
	TCase *tc = tcase_create("thunk");

	tcase_add_loop_test(tc, a_thunk_names_its_function, 0, ARRAY_LEN(symbols));
	tcase_add_loop_test(tc, where_code_goes_on, 0, ARRAY_LEN(codes));
	suite_add_tcase(s, tc);
	return s;
}
