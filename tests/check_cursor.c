/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/cursor.h"

Suite *check_cursor_suite(void);

static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

/* u8, u16, u32, u64 of the first len bytes, at odd addresses: the first that does not fit fails. */
START_TEST(reads_in_order_and_stops_at_the_end)
{
	size_t len = (size_t)_i;
	struct cursor c = cursor_of(bytes, len);
	uint8_t b = cursor_u8(&c);
	uint16_t h = cursor_u16(&c);
	uint32_t w = cursor_u32(&c);
	uint64_t d = cursor_u64(&c);

	ck_assert_uint_eq(b, len >= 1 ? 1 : 0);
	ck_assert_uint_eq(h, len >= 3 ? 0x0302 : 0);
	ck_assert_uint_eq(w, len >= 7 ? 0x07060504 : 0);
	ck_assert_uint_eq(d, len >= 15 ? 0x0f0e0d0c0b0a0908ULL : 0);
	ck_assert(c.failed == (len < 15));
	ck_assert(c.at <= c.end);
}
END_TEST

START_TEST(failure_stays)
{
	struct cursor c = cursor_of(bytes, 4);

	ck_assert_uint_eq(cursor_u64(&c), 0);
	ck_assert(c.failed);
	ck_assert_uint_eq(cursor_u8(&c), 0);
	ck_assert_ptr_null(cursor_take(&c, 0));
	ck_assert_str_eq(cursor_str(&c), "");
	ck_assert(c.failed);
}
END_TEST

START_TEST(take_lends_the_bytes)
{
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	cursor_skip(&c, 3);
	ck_assert_ptr_eq(cursor_take(&c, 4), bytes + 3);
	ck_assert_uint_eq(cursor_left(&c), sizeof(bytes) - 7);
	ck_assert_ptr_eq(cursor_take(&c, 0), bytes + 7);
	ck_assert_ptr_null(cursor_take(&c, SIZE_MAX));
	ck_assert(c.failed);
}
END_TEST

START_TEST(copy_gives_zeros_instead)
{
	struct cursor c = cursor_of(bytes, 2);
	uint8_t got[3] = { 9, 9, 9 };

	cursor_copy(&c, got, sizeof(got));
	ck_assert_mem_eq(got, "\0\0\0", 3);
	ck_assert(c.failed);
}
END_TEST

static const struct {
	const char *text;
	size_t len;
	const char *want;
	size_t left;
	bool fails;
} strings[] = {
	{ "abc", 4, "abc", 0, false }, { "abc\0d", 6, "abc", 2, false }, { "", 1, "", 0, false },
	{ "abc", 3, "", 3, true },     { "", 0, "", 0, true },
};

START_TEST(strings_end_with_nul_or_fail)
{
	struct cursor c = cursor_of(strings[_i].text, strings[_i].len);

	ck_assert_str_eq(cursor_str(&c), strings[_i].want);
	ck_assert(c.failed == strings[_i].fails);
	ck_assert_uint_eq(cursor_left(&c), strings[_i].left);
}
END_TEST

/* Figures 22 and 23 of DWARF 5, section 7.6, and the ends of the range. */
static const struct {
	const char *bytes;
	size_t len;
	uint64_t as_unsigned;
	int64_t as_signed;
	bool fails;
} lebs[] = {
	{ "\x02", 1, 2, 2, false },
	{ "\x7f", 1, 127, -1, false },
	{ "\x80\x01", 2, 128, 128, false },
	{ "\x81\x7f", 2, 16257, -127, false },
	{ "\xff\x7e", 2, 16255, -129, false },
	{ "\xb9\x64", 2, 12857, -3527, false },
	{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, UINT64_MAX, -1, false },
	{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", 10, UINT64_C(1) << 63, INT64_MIN, false },
	{ "\x85\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12, 5, 5, false },
	{ "\x85", 1, 5, 5, true },
	{ "", 0, 0, 0, true },
};

START_TEST(leb128_is_seven_bits_a_byte)
{
	struct cursor u = cursor_of(lebs[_i].bytes, lebs[_i].len), s = u;

	ck_assert_uint_eq(cursor_uleb(&u), lebs[_i].as_unsigned);
	ck_assert_int_eq(cursor_sleb(&s), lebs[_i].as_signed);
	ck_assert(u.failed == lebs[_i].fails && s.failed == lebs[_i].fails);
	ck_assert_uint_eq(cursor_left(&u), 0);
}
END_TEST

Suite *check_cursor_suite(void)
{
	Suite *s = suite_create("cursor");
	TCase *tc = tcase_create("cursor");

	tcase_add_loop_test(tc, reads_in_order_and_stops_at_the_end, 0, sizeof(bytes) + 1);
	tcase_add_test(tc, failure_stays);
	tcase_add_test(tc, take_lends_the_bytes);
	tcase_add_test(tc, copy_gives_zeros_instead);
	tcase_add_loop_test(tc, strings_end_with_nul_or_fail, 0,
			    sizeof(strings) / sizeof(strings[0]));
	tcase_add_loop_test(tc, leb128_is_seven_bits_a_byte, 0, sizeof(lebs) / sizeof(lebs[0]));
	suite_add_tcase(s, tc);
	return s;
}
