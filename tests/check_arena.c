/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"

Suite *check_arena_suite(void);

static const size_t sizes[] = {
	0, 1, 7, 8, 15, 16, 17, 1000, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 << 20
};

START_TEST(pieces_are_aligned_and_apart)
{
	struct arena a = { 0 };
	char *first = arena_alloc(&a, sizes[_i]), *second = arena_alloc(&a, sizes[_i]);

	ck_assert_uint_eq((uintptr_t)first % alignof(max_align_t), 0);
	ck_assert_uint_eq((uintptr_t)second % alignof(max_align_t), 0);
	ck_assert_ptr_ne(first, second);
	memset(first, 1, sizes[_i]);
	memset(second, 2, sizes[_i]);
	if (sizes[_i]) {
		ck_assert_int_eq(first[0], 1);
		ck_assert_int_eq(first[sizes[_i] - 1], 1);
		ck_assert_int_eq(second[sizes[_i] - 1], 2);
	}
	ck_assert_uint_ge(a.nr_bytes, 2 * sizes[_i]);
	arena_release(&a);
	ck_assert_ptr_null(a.blocks);
	ck_assert_uint_eq(a.nr_bytes, 0);
}
END_TEST

START_TEST(small_pieces_survive_large_ones)
{
	enum { NR = 2000 };
	struct arena a = { 0 };
	char *small[NR];
	size_t i;

	for (i = 0; i < NR; i++) {
		small[i] = arena_alloc(&a, 40);
		memset(small[i], (int)(i % 251), 40);
		if (i % 100 == 0)
			memset(arena_alloc(&a, 300 * 1024), 0xff, 300 * 1024);
	}
	for (i = 0; i < NR; i++)
		ck_assert(small[i][0] == (char)(i % 251) && small[i][39] == (char)(i % 251));
	arena_release(&a);
}
END_TEST

START_TEST(copies_are_copies)
{
	struct arena a = { 0 };
	char text[] = "some text";
	char *dup = arena_dup(&a, text, sizeof(text)), *cut = arena_strndup(&a, text, 4);

	text[0] = 'X';
	ck_assert_str_eq(dup, "some text");
	ck_assert_str_eq(cut, "some");
	ck_assert_ptr_nonnull(arena_dup(&a, NULL, 0));
	arena_release(&a);
}
END_TEST

Suite *check_arena_suite(void)
{
	Suite *s = suite_create("arena");
	TCase *tc = tcase_create("arena");

	tcase_add_loop_test(tc, pieces_are_aligned_and_apart, 0, ARRAY_LEN(sizes));
	tcase_add_test(tc, small_pieces_survive_large_ones);
	tcase_add_test(tc, copies_are_copies);
	suite_add_tcase(s, tc);
	return s;
}
