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
	uint64_t target;	/* the code lies at 0x1000 */
} codes[] = {
	/* sub $16, %rdi; jmp -30 */
	{ "\x48\x83\xef\x10\xeb\xe2", 6, 0x1000 + 6 - 30 },
	/* endbr64; mov (%rdi), %r10; add -24(%r10), %rdi; jmp +0x100 */
	{ "\xf3\x0f\x1e\xfa\x4c\x8b\x17\x49\x03\x7a\xe8\xe9\x00\x01\x00\x00", 16, 0x1000 + 16 + 0x100 },
	/* mov 8(%rdi), %eax; imul %esi, %eax; ret: the function's body */
	{ "\x8b\x47\x08\x0f\xaf\xc6\xc3", 7, 0 },
	/* test %esi, %esi; je +2; jmp -30: may go elsewhere */
	{ "\x85\xf6\x74\x02\xeb\xe2", 6, 0 },
	/* jmp *8(%rax): whereto is not known */
	{ "\xff\x60\x08", 3, 0 },
	/* cut off */
	{ "\x48\x83\xef\x10\xeb", 5, 0 },
	{ "", 0, 0 },
};

START_TEST(code_that_only_goes_on)
{
	ck_assert_uint_eq(thunk_target((const uint8_t *)codes[_i].code, codes[_i].len, 0x1000),
			  codes[_i].target);
}
END_TEST

Suite *check_thunk_suite(void)
{
	Suite *s = suite_create("thunk");
	TCase *tc = tcase_create("thunk");

	tcase_add_loop_test(tc, a_thunk_names_its_function, 0, ARRAY_LEN(symbols));
	tcase_add_loop_test(tc, code_that_only_goes_on, 0, ARRAY_LEN(codes));
	suite_add_tcase(s, tc);
	return s;
}
