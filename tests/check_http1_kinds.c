/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "report/http1_kinds.h"

Suite *check_http1_kinds_suite(void);

START_TEST(each_number_has_its_own)
{
	struct http1_kinds k = { 0 };
	uint64_t i, first = UINT64_MAX - 500;

	for (i = 0; i < HTTP1_KINDS_MAX; i++)
		http1_kinds_set(&k, first + i, (enum http1_kind)(i * 7 % 4));
	for (i = 0; i < HTTP1_KINDS_MAX; i++)
		ck_assert_uint_eq(http1_kinds_get(&k, first + i), i * 7 % 4);
	http1_kinds_set(&k, first + 5, HTTP1_PLAIN);
	ck_assert_uint_eq(http1_kinds_get(&k, first + 4), 4 * 7 % 4);
	ck_assert_uint_eq(http1_kinds_get(&k, first + 5), HTTP1_PLAIN);
	ck_assert_uint_eq(http1_kinds_get(&k, first + 6), 6 * 7 % 4);
	http1_kinds_release(&k);
	ck_assert_uint_eq(http1_kinds_get(&k, first + 6), HTTP1_PLAIN);
}
END_TEST

START_TEST(plain_ones_take_no_memory)
{
	struct http1_kinds k = { 0 };

	http1_kinds_set(&k, 1, HTTP1_PLAIN);
	ck_assert_ptr_null(k.bits);
	http1_kinds_set(&k, 1 + HTTP1_KINDS_MAX, HTTP1_BARE);
	http1_kinds_set(&k, 1, HTTP1_PLAIN);
	ck_assert_uint_eq(http1_kinds_get(&k, 1 + HTTP1_KINDS_MAX), HTTP1_PLAIN);
	http1_kinds_release(&k);
	http1_kinds_release(&k);
}
END_TEST

Suite *check_http1_kinds_suite(void)
{
	Suite *s = suite_create("http1_kinds");
	TCase *tc = tcase_create("kinds");

	tcase_add_test(tc, each_number_has_its_own);
	tcase_add_test(tc, plain_ones_take_no_memory);
	suite_add_tcase(s, tc);
	return s;
}
