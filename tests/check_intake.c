/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "report/intake.h"

Suite *check_intake_suite(void);

static struct intake intake_of_text(const char *text, uint64_t nr_unknown)
{
	struct chunk c = { (const uint8_t *)text, strlen(text), strlen(text) + nr_unknown };

	return intake_of(&c);
}

static const struct {
	const char *first, *second; /* chunks; the second may be NULL */
	uint64_t nr_unknown;	    /* of the first */
	size_t keep;
	enum taken want;
	const char *line;
} lines[] = {
	{ "abc\r\nd", NULL, 0, 8, TAKEN, "abc" },  { "abc\nd", NULL, 0, 8, TAKEN, "abc" },
	{ "\n", NULL, 0, 8, TAKEN, "" },	   { "\r\n", NULL, 0, 8, TAKEN, "" },
	{ "abcdef\n", NULL, 0, 3, TAKEN, "abc" },  { "ab", "c\r\nd", 0, 8, TAKEN, "abc" },
	{ "abc\r", "\n", 0, 8, TAKEN, "abc" },	   { "abcdef", "gh\n", 0, 3, TAKEN, "abc" },
	{ "", "a\n", 0, 3, TAKEN, "a" },	   { "ab", "cd", 0, 8, TAKEN_PART, NULL },
	{ "ab", NULL, 1, 8, TAKEN_UNKNOWN, NULL }, { "ab\n", NULL, 1, 8, TAKEN, "ab" },
};

START_TEST(line_is_taken)
{
	struct intake in = intake_of_text(lines[_i].first, lines[_i].nr_unknown);
	struct held h = { 0 };
	struct piece line;
	enum taken taken = intake_line(&in, &h, lines[_i].keep, &line);

	if (taken == TAKEN_PART && lines[_i].second) {
		in = intake_of_text(lines[_i].second, 0);
		taken = intake_line(&in, &h, lines[_i].keep, &line);
	}
	ck_assert_int_eq(taken, lines[_i].want);
	if (taken == TAKEN)
		ck_assert(piece_is(line, lines[_i].line));
	ck_assert_uint_eq(h.bytes.nr, taken == TAKEN_PART ? 4 : 0);
	held_release(&h);
}
END_TEST

START_TEST(bytes_are_taken_in_parts)
{
	struct intake in = intake_of_text("ab", 0);
	struct held h = { 0 };
	struct piece p;

	ck_assert_int_eq(intake_bytes(&in, &h, 5, &p), TAKEN_PART);
	in = intake_of_text("c", 0);
	ck_assert_int_eq(intake_bytes(&in, &h, 5, &p), TAKEN_PART);
	in = intake_of_text("defg", 0);
	ck_assert_int_eq(intake_bytes(&in, &h, 5, &p), TAKEN);
	ck_assert(piece_is(p, "abcde"));
	ck_assert_int_eq(intake_bytes(&in, &h, 2, &p), TAKEN);
	ck_assert(piece_is(p, "fg"));
	in = intake_of_text("a", 9);
	ck_assert_int_eq(intake_bytes(&in, &h, 5, &p), TAKEN_UNKNOWN);
	ck_assert_uint_eq(in.unknown, 9);
	held_release(&h);
}
END_TEST

START_TEST(skipping_is_arithmetic)
{
	struct intake in = intake_of_text("abc", 10);

	ck_assert_uint_eq(intake_skip(&in, 2), 2);
	ck_assert_uint_eq(intake_skip(&in, 4), 4);
	ck_assert_uint_eq(in.known, 0);
	ck_assert_uint_eq(in.unknown, 7);
	ck_assert_uint_eq(intake_skip(&in, UINT64_MAX), 7);
	ck_assert_uint_eq(intake_skip(&in, 1), 0);
}
END_TEST

START_TEST(body_keeps_what_has_no_gap)
{
	struct intake in = intake_of_text("abc", 2);
	struct body b = { 0 };

	body_begin(&b, 8, 6);
	ck_assert(!body_take(&b, &in));
	in = intake_of_text("fghi", 0);
	ck_assert(body_take(&b, &in));
	ck_assert(piece_is(body_kept(&b), "abc"));
	ck_assert_uint_eq(in.known, 1);
	body_begin(&b, 4, 2);
	in = intake_of_text("a", 0);
	ck_assert(!body_take(&b, &in));
	in = intake_of_text("bcd", 0);
	ck_assert(body_take(&b, &in));
	ck_assert(piece_is(body_kept(&b), "ab"));
	body_begin(&b, 0, 2);
	ck_assert(body_take(&b, &in));
	ck_assert_uint_eq(body_kept(&b).len, 0);
	body_release(&b);
}
END_TEST

static const struct {
	const char *text;
	bool is_number;
	uint64_t want;
} numbers[] = {
	{ "0", true, 0 },
	{ "17", true, 17 },
	{ "999999999999999999", true, 999999999999999999 },
	{ "1000000000000000000", false, 0 },
	{ "", false, 0 },
	{ "-1", false, 0 },
	{ "+1", false, 0 },
	{ "1a", false, 0 },
};

START_TEST(numbers_are_digits)
{
	struct piece p = { (const uint8_t *)numbers[_i].text, strlen(numbers[_i].text) };
	uint64_t got = 0;

	ck_assert(piece_number(p, &got) == numbers[_i].is_number);
	ck_assert_uint_eq(got, numbers[_i].want);
}
END_TEST

START_TEST(words_and_strings)
{
	struct piece left = { (const uint8_t *)"  a bc ", 7 }, p;

	ck_assert(piece_word(&left, &p) && piece_is(p, "a"));
	ck_assert(piece_word(&left, &p) && piece_is(p, "bc"));
	ck_assert(!piece_word(&left, &p));
	left = (struct piece){ (const uint8_t *)"a\0\0b", 4 };
	ck_assert(piece_cstr(&left, &p) && piece_is(p, "a"));
	ck_assert(piece_cstr(&left, &p) && piece_is(p, ""));
	ck_assert(!piece_cstr(&left, &p));
	ck_assert(piece_is(left, "b"));
	ck_assert_uint_eq(load_be32((const uint8_t *)"\xff\1\2\3"), 0xff010203);
}
END_TEST

Suite *check_intake_suite(void)
{
	Suite *s = suite_create("intake");
	TCase *tc = tcase_create("intake");

	tcase_add_loop_test(tc, line_is_taken, 0, ARRAY_LEN(lines));
	tcase_add_test(tc, bytes_are_taken_in_parts);
	tcase_add_test(tc, skipping_is_arithmetic);
	tcase_add_test(tc, body_keeps_what_has_no_gap);
	tcase_add_loop_test(tc, numbers_are_digits, 0, ARRAY_LEN(numbers));
	tcase_add_test(tc, words_and_strings);
	suite_add_tcase(s, tc);
	return s;
}
