/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>

#include "report/prepared.h"

Suite *check_prepared_suite(void);

static void set(struct prepared *p, const char *name, const char *text)
{
	struct text *t = text_new(piece_of(text));

	prepared_set(p, piece_of(name), t);
	text_drop(t);
}

static bool has(struct prepared *p, const char *name, const char *text)
{
	struct text *t = prepared_find(p, piece_of(name));

	return t && t->len == strlen(text) && !memcmp(t->s, text, t->len);
}

START_TEST(name_stands_for_its_last_text)
{
	struct prepared p = { .max = 4, .max_bytes = 4096 };
	struct text *held;

	set(&p, "a", "one");
	held = text_hold(prepared_find(&p, piece_of("a")));
	set(&p, "a", "two");
	set(&p, "", "unnamed");
	ck_assert(has(&p, "a", "two"));
	ck_assert(has(&p, "", "unnamed"));
	ck_assert_uint_eq(held->len, 3);
	ck_assert_mem_eq(held->s, "one", 3);
	text_drop(held);
	prepared_set(&p, piece_of("a"), NULL);
	ck_assert_ptr_null(prepared_find(&p, piece_of("a")));
	prepared_release(&p);
}
END_TEST

START_TEST(oldest_goes_first)
{
	struct prepared p = { .max = 2, .max_bytes = 4096 };

	set(&p, "a", "1");
	set(&p, "b", "2");
	ck_assert(has(&p, "a", "1"));
	set(&p, "c", "3");
	ck_assert(has(&p, "a", "1"));
	ck_assert(!has(&p, "b", "2"));
	ck_assert(has(&p, "c", "3"));
	prepared_release(&p);
}
END_TEST

START_TEST(bytes_are_bounded)
{
	struct prepared p = { .max = 1000, .max_bytes = 65536 };
	char text[2000], name[200];
	int i;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		set(&p, name, text);
		ck_assert_uint_le(p.nr_bytes, 65536);
	}
	ck_assert_uint_ge(p.entries.nr, 50);
	ck_assert_uint_eq(prepared_find(&p, piece_of("s999"))->len, PREPARED_TEXT_MAX);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	set(&p, name, "text");
	ck_assert_ptr_null(prepared_find(&p, piece_of(name)));
	prepared_release(&p);
}
END_TEST

Suite *check_prepared_suite(void)
{
	Suite *s = suite_create("prepared");
	TCase *tc = tcase_create("prepared");

	tcase_add_test(tc, name_stands_for_its_last_text);
	tcase_add_test(tc, oldest_goes_first);
	tcase_add_test(tc, bytes_are_bounded);
	suite_add_tcase(s, tc);
	return s;
}
