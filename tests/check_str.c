/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

Suite *check_str_suite(void);

START_TEST(grows_and_stays_terminated)
{
	struct str b = { 0 };
	size_t i;

	ck_assert_str_eq(str_cstr(&b), "");
	ck_assert_ptr_null(b.s);
	for (i = 0; i < 1000; i++) {
		str_add_char(&b, (char)('a' + i % 26));
		ck_assert_uint_eq(b.len, i + 1);
		ck_assert_uint_eq(strlen(b.s), i + 1);
	}
	str_clear(&b);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_str_eq(b.s, "");
	str_add(&b, "again");
	str_addf(&b, " %d %s", 17, "x");
	ck_assert_str_eq(b.s, "again 17 x");
	str_release(&b);
	ck_assert_ptr_null(b.s);
}
END_TEST

START_TEST(addf_takes_any_length)
{
	struct str b = { 0 };
	size_t len;

	for (len = 0; len < 300; len++) {
		str_clear(&b);
		str_add(&b, "<");
		str_addf(&b, "%*s", (int)len, "");
		str_add(&b, ">");
		ck_assert_uint_eq(b.len, len + 2);
		ck_assert_int_eq(b.s[len + 1], '>');
	}
	str_release(&b);
}
END_TEST

START_TEST(bytes_may_hold_nul)
{
	struct str b = { 0 };

	str_add_bytes(&b, "a\0b", 3);
	str_add_bytes(&b, NULL, 0);
	ck_assert_uint_eq(b.len, 3);
	ck_assert_mem_eq(b.s, "a\0b", 4);
	str_release(&b);
}
END_TEST

START_TEST(take_gives_the_text_away)
{
	struct str b = { 0 };
	char *s = str_take(&b);

	ck_assert_str_eq(s, "");
	free(s);
	str_add(&b, "text");
	s = str_take(&b);
	ck_assert_str_eq(s, "text");
	ck_assert_ptr_null(b.s);
	ck_assert_uint_eq(b.len, 0);
	free(s);
	str_add(&b, "new");
	ck_assert_str_eq(str_cstr(&b), "new");
	str_release(&b);
}
END_TEST

/* repr: what Python 3 prints for the text; NULL where the bytes are no text there. */
static const struct {
	const char *bytes, *escaped, *repr;
} escapes[] = {
	{ "", "", "''" },
	{ "plain", "plain", "'plain'" },
	{ "a\nb\tc\rd", "a\\nb\\tc\\rd", "'a\\nb\\tc\\rd'" },
	{ "back\\slash", "back\\\\slash", "'back\\\\slash'" },
	{ "\x1b[31m", "\\x1b[31m", "'\\x1b[31m'" },
	{ "\x7f", "\\x7f", "'\\x7f'" },
	{ "caf\xc3\xa9", "caf\xc3\xa9", "'caf\xc3\xa9'" },
	{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "'\xf0\x9f\x98\x80'" },
	{ "it's", "it's", "\"it's\"" },
	{ "say \"x\"", "say \"x\"", "'say \"x\"'" },
	{ "'\"", "'\"", "'\\'\"'" },
	{ "\xc2\x85", "\\x85", "'\\x85'" },
	{ "\xc2\xa0", "\xc2\xa0", "'\\xa0'" },
	{ "\xc2\xad", "\xc2\xad", "'\\xad'" },
	{ "\xe2\x80\x8b", "\xe2\x80\x8b", "'\\u200b'" },
	{ "\xe2\x80\xa8\xe2\x80\xa9", "\xe2\x80\xa8\xe2\x80\xa9", "'\\u2028\\u2029'" },
	{ "\xe2\x80\xae", "\xe2\x80\xae", "'\\u202e'" },
	{ "\xe2\x80\x90\xe2\x80\xb0", "\xe2\x80\x90\xe2\x80\xb0", "'\xe2\x80\x90\xe2\x80\xb0'" },
	{ "\xe2\x81\x9f\xe2\x81\xaf", "\xe2\x81\x9f\xe2\x81\xaf", "'\\u205f\\u206f'" },
	{ "\xe3\x80\x80\xef\xbb\xbf", "\xe3\x80\x80\xef\xbb\xbf", "'\\u3000\\ufeff'" },
	{ "\xef\xbf\xbf\xef\xbf\xbd", "\xef\xbf\xbf\xef\xbf\xbd", "'\\uffff\xef\xbf\xbd'" },
	{ "\xf0\xaf\xbf\xbe", "\xf0\xaf\xbf\xbe", "'\\U0002fffe'" },
	{ "\xf3\xa0\x80\x81", "\xf3\xa0\x80\x81", "'\\U000e0001'" },
	{ "\xff", "\\xff", NULL },
	{ "\xc3", "\\xc3", NULL },
	{ "\xc3(", "\\xc3(", NULL },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80", NULL },
	{ "\xc0\xaf", "\\xc0\\xaf", NULL },
	{ "ok\xe2\x82", "ok\\xe2\\x82", NULL },
};

START_TEST(escapes_what_terminals_obey)
{
	const char *bytes = escapes[_i].bytes;
	struct str b = { 0 };

	str_add_escaped(&b, bytes, strlen(bytes));
	ck_assert_str_eq(str_cstr(&b), escapes[_i].escaped);
	str_clear(&b);
	str_add_repr(&b, bytes, strlen(bytes));
	if (escapes[_i].repr)
		ck_assert_str_eq(str_cstr(&b), escapes[_i].repr);
	str_release(&b);
}
END_TEST

START_TEST(what_is_not_seen_is_shown)
{
	static const char text[] = "/\xe2\x80\xa8ls\xe2\x80\xae\xc3\xa4'\n";
	struct str b = { 0 };

	str_add_visible(&b, text, strlen(text));
	ck_assert_str_eq(str_cstr(&b), "/\\u2028ls\\u202e\xc3\xa4'\\n");
	str_release(&b);
}
END_TEST

/* The corners of Unicode's table of well-formed sequences, and one step outside of each. */
static const struct {
	const char *bytes;
	size_t left, want;
} sequences[] = {
	{ "", 0, 0 },
	{ "a", 1, 1 },
	{ "\x7f", 1, 1 },
	{ "\x80", 1, 0 },
	{ "\xc1\xbf", 2, 0 },
	{ "\xc2\x80", 2, 2 },
	{ "\xc2\x80", 1, 0 },
	{ "\xdf\xbf", 2, 2 },
	{ "\xc2\xc2", 2, 0 },
	{ "\xe0\x9f\xbf", 3, 0 },
	{ "\xe0\xa0\x80", 3, 3 },
	{ "\xe0\xa0\x80", 2, 0 },
	{ "\xed\x9f\xbf", 3, 3 },
	{ "\xed\xa0\x80", 3, 0 },
	{ "\xee\x80\x80", 3, 3 },
	{ "\xef\xbf\xbf", 3, 3 },
	{ "\xf0\x8f\xbf\xbf", 4, 0 },
	{ "\xf0\x90\x80\x80", 4, 4 },
	{ "\xf4\x8f\xbf\xbf", 4, 4 },
	{ "\xf4\x90\x80\x80", 4, 0 },
	{ "\xf5\x80\x80\x80", 4, 0 },
	{ "\xf0\x90\x80", 3, 0 },
};

START_TEST(utf8_is_well_formed_or_none)
{
	ck_assert_uint_eq(utf8_len(sequences[_i].bytes, sequences[_i].left), sequences[_i].want);
}
END_TEST

static const struct {
	const char *s, *part;
	bool starts, ends;
} affixes[] = {
	{ "", "", true, true },	       { "abc", "", true, true },
	{ "abc", "ab", true, false },  { "abc", "bc", false, true },
	{ "abc", "abc", true, true },  { "abc", "abcd", false, false },
	{ "bc", "abc", false, false }, { "ABC", "ab", false, false },
};

START_TEST(finds_beginnings_and_ends)
{
	ck_assert(str_starts(affixes[_i].s, affixes[_i].part) == affixes[_i].starts);
	ck_assert(str_ends(affixes[_i].s, affixes[_i].part) == affixes[_i].ends);
}
END_TEST

static const struct {
	const char *a, *b;
	unsigned int want;
} distances[] = {
	{ "", "", 0 },
	{ "", "abc", 3 },
	{ "same", "same", 0 },
	{ "cycles", "cylces", 1 }, /* neighbours swapped */
	{ "kitten", "sitting", 3 },
	{ "ab", "ba", 1 },
	{ "ca", "abc", 3 }, /* 2 where a swapped pair may be edited again */
	{ "cpu-clock", "cpuclock", 1 },
};

START_TEST(distance_counts_edits)
{
	ck_assert_uint_eq(str_distance(distances[_i].a, distances[_i].b), distances[_i].want);
	ck_assert_uint_eq(str_distance(distances[_i].b, distances[_i].a), distances[_i].want);
}
END_TEST

Suite *check_str_suite(void)
{
	Suite *s = suite_create("str");
	TCase *tc = tcase_create("str");

	tcase_add_test(tc, grows_and_stays_terminated);
	tcase_add_test(tc, addf_takes_any_length);
	tcase_add_test(tc, bytes_may_hold_nul);
	tcase_add_test(tc, take_gives_the_text_away);
	tcase_add_loop_test(tc, escapes_what_terminals_obey, 0, ARRAY_LEN(escapes));
	tcase_add_test(tc, what_is_not_seen_is_shown);
	tcase_add_loop_test(tc, utf8_is_well_formed_or_none, 0, ARRAY_LEN(sequences));
	tcase_add_loop_test(tc, finds_beginnings_and_ends, 0, ARRAY_LEN(affixes));
	tcase_add_loop_test(tc, distance_counts_edits, 0, ARRAY_LEN(distances));
	suite_add_tcase(s, tc);
	return s;
}
