/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdint.h>

#include "base/vec.h"

Suite *check_vec_suite(void);

struct numbers {
	VEC(int) at;
};

static struct numbers up_to(int nr)
{
	struct numbers n = { 0 };
	int i;

	for (i = 0; i < nr; i++)
		vec_push(&n.at, i);
	return n;
}

START_TEST(each_of_nothing_is_nothing)
{
	struct numbers n = { 0 };

	vec_each(&n.at, it)
		ck_abort_msg("%d stands in an empty array", *it);
	vec_release(&n.at);
}
END_TEST

START_TEST(push_keeps_the_order)
{
	struct numbers n = up_to(1000);
	int want = 0;

	ck_assert_uint_eq(n.at.nr, 1000);
	ck_assert_uint_ge(n.at.cap, 1000);
	vec_each(&n.at, it)
		ck_assert_int_eq(*it, want++);
	ck_assert_int_eq(want, 1000);
	ck_assert_int_eq(*vec_last(&n.at), 999);
	vec_release(&n.at);
	ck_assert_ptr_null(n.at.at);
	ck_assert_uint_eq(n.at.nr + n.at.cap, 0);
}
END_TEST

START_TEST(push_takes_compound_literals)
{
	struct pair {
		int a, b;
	};
	VEC(struct pair) v = { 0 };

	vec_push(&v, (struct pair){ 1, 2 });
	vec_push(&v, (struct pair){ .b = 4 });
	ck_assert_int_eq(v.at[0].a + 10 * v.at[0].b, 21);
	ck_assert_int_eq(v.at[1].a + 10 * v.at[1].b, 40);
	vec_release(&v);
}
END_TEST

START_TEST(reserve_changes_no_element)
{
	struct numbers n = up_to(3);

	vec_reserve(&n.at, 100);
	ck_assert_uint_ge(n.at.cap, 100);
	ck_assert_uint_eq(n.at.nr, 3);
	ck_assert_int_eq(n.at.at[2], 2);
	vec_reserve(&n.at, 1);
	ck_assert_uint_ge(n.at.cap, 100);
	vec_release(&n.at);
}
END_TEST

/* Of 0..9: where -1 goes in, or what is taken out. */
static const struct {
	size_t at;
	size_t nr_removed; /* 0: insert */
	int want[11];
	size_t nr;
} moves[] = {
	{ 0, 0, { -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 11 },
	{ 5, 0, { 0, 1, 2, 3, 4, -1, 5, 6, 7, 8, 9 }, 11 },
	{ 10, 0, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1 }, 11 },
	{ 0, 1, { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 9 },
	{ 9, 1, { 0, 1, 2, 3, 4, 5, 6, 7, 8 }, 9 },
	{ 3, 4, { 0, 1, 2, 7, 8, 9 }, 6 },
	{ 0, 10, { 0 }, 0 },
};

START_TEST(insert_and_remove_move_the_rest)
{
	struct numbers n = up_to(10);
	size_t i;

	if (moves[_i].nr_removed)
		vec_remove(&n.at, moves[_i].at, moves[_i].nr_removed);
	else
		vec_insert(&n.at, moves[_i].at, -1);
	ck_assert_uint_eq(n.at.nr, moves[_i].nr);
	for (i = 0; i < n.at.nr; i++)
		ck_assert_int_eq(n.at.at[i], moves[_i].want[i]);
	vec_release(&n.at);
}
END_TEST

Suite *check_vec_suite(void)
{
	Suite *s = suite_create("vec");
	TCase *tc = tcase_create("vec");

	tcase_add_test(tc, each_of_nothing_is_nothing);
	tcase_add_test(tc, push_keeps_the_order);
	tcase_add_test(tc, push_takes_compound_literals);
	tcase_add_test(tc, reserve_changes_no_element);
	tcase_add_loop_test(tc, insert_and_remove_move_the_rest, 0, ARRAY_LEN(moves));
	suite_add_tcase(s, tc);
	return s;
}
