/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/alloc.h"
#include "base/units.h"

Suite *check_units_suite(void);

struct quantity {
	const char *text;
	uint64_t want;
	bool is_bad;
};

static const struct quantity times[] = {
	{ "0", 0, false },
	{ "1", NS_PER_SEC, false },
	{ "1.5", 1500000000, false },
	{ ".5s", 500000000, false },
	{ "250ms", 250000000, false },
	{ "250 ms", 250000000, false },
	{ "10us", 10000, false },
	{ "7ns", 7, false },
	{ "0.1ms", 100000, false },
	{ "3m", 180000000000, false },
	{ "2min", 120000000000, false },
	{ "1h", 3600000000000, false },
	{ "10MS", 10000000, false },
	{ "", 0, true },
	{ "s", 0, true },
	{ ".", 0, true },
	{ "-1", 0, true },
	{ "+1", 0, true },
	{ " 1", 0, true },
	{ "1x", 0, true },
	{ "1ms2", 0, true },
	{ "inf", 0, true },
	{ "nan", 0, true },
	{ "1e400", 0, true },
	{ "1e30", 0, true },
};

START_TEST(times_are_nanoseconds)
{
	uint64_t ns = 42;

	ck_assert(parse_time_ns(times[_i].text, &ns) != times[_i].is_bad);
	ck_assert_uint_eq(ns, times[_i].is_bad ? 42 : times[_i].want);
}
END_TEST

static const struct quantity sizes[] = {
	{ "0", 0, false },
	{ "4096", 4096, false },
	{ "4096B", 4096, false },
	{ "64K", 65536, false },
	{ "64k", 65536, false },
	{ "64KB", 65536, false },
	{ "64KiB", 65536, false },
	{ "10M", 10485760, false },
	{ "1.5M", 1572864, false },
	{ "2G", 2147483648, false },
	{ "2GiB", 2147483648, false },
	{ "1T", 1099511627776, false },
	{ "", 0, true },
	{ "K", 0, true },
	{ "-1K", 0, true },
	{ "1Q", 0, true },
	{ "1K1", 0, true },
	{ "99999999T", 0, true },
};

START_TEST(sizes_are_powers_of_1024)
{
	uint64_t bytes = 42;

	ck_assert(parse_bytes(sizes[_i].text, &bytes) != sizes[_i].is_bad);
	ck_assert_uint_eq(bytes, sizes[_i].is_bad ? 42 : sizes[_i].want);
}
END_TEST

static const struct {
	const char *text;
	uint64_t min, max, want;
	bool is_bad;
} numbers[] = {
	{ "5", 1, 10, 5, false },
	{ "1", 1, 10, 1, false },
	{ "10", 1, 10, 10, false },
	{ "010", 1, 10, 10, false },
	{ "0", 1, 10, 0, true },
	{ "11", 1, 10, 0, true },
	{ "18446744073709551615", 0, UINT64_MAX, UINT64_MAX, false },
	{ "18446744073709551616", 0, UINT64_MAX, 0, true },
	{ "-1", 0, UINT64_MAX, 0, true },
	{ "+1", 0, 10, 0, true },
	{ " 1", 0, 10, 0, true },
	{ "1 ", 0, 10, 0, true },
	{ "0x10", 0, 100, 0, true },
	{ "", 0, 10, 0, true },
};

START_TEST(numbers_are_whole_and_in_range)
{
	uint64_t value = 42;

	ck_assert(parse_u64(numbers[_i].text, numbers[_i].min, numbers[_i].max, &value) !=
		  numbers[_i].is_bad);
	ck_assert_uint_eq(value, numbers[_i].is_bad ? 42 : numbers[_i].want);
}
END_TEST

static const struct {
	double seconds;
	const char *want;
} durations[] = {
	{ 0, "0.0 ns" },	  { 812e-9, "812.0 ns" }, { 0.9999e-6, "999.9 ns" },
	{ 0.99996e-6, "1.0 us" }, { 812e-6, "812.0 us" }, { 3.2e-3, "3.2 ms" },
	{ 0.99994, "999.9 ms" },  { 0.99996, "1.0 s" },	  { 12.14, "12.1 s" },
	{ 3600, "3600.0 s" },
};

START_TEST(durations_take_the_unit_that_reads_best)
{
	struct str b = { 0 };

	str_add_duration(&b, durations[_i].seconds);
	ck_assert_str_eq(str_cstr(&b), durations[_i].want);
	str_release(&b);
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *want;
} amounts[] = {
	{ 0, "0 bytes" },	  { 999, "999 bytes" },
	{ 1000, "1.0 KB" },	  { 1400000, "1.4 MB" },
	{ 999949, "999.9 KB" },	  { 999950, "1.0 MB" },
	{ 3000000000, "3.0 GB" }, { UINT64_MAX, "18446744.1 TB" },
};

static const struct {
	uint64_t epoch_ns;
	const char *text;
} moments[] = {
	{ 0, "1970-01-01T00:00:00.000000Z" },
	{ 999, "1970-01-01T00:00:00.000000Z" },
	{ 1700000000000001999, "2023-11-14T22:13:20.000001Z" },
	{ 1709251199999999999, "2024-02-29T23:59:59.999999Z" },
	{ INT64_MAX, "2262-04-11T23:47:16.854775Z" },
};

START_TEST(moments_are_as_rfc_3339_has_them)
{
	struct str text = { 0 };

	str_add_time_of_day(&text, moments[_i].epoch_ns);
	ck_assert_str_eq(str_cstr(&text), moments[_i].text);
	str_release(&text);
}
END_TEST

START_TEST(what_64_bits_do_not_hold_is_the_most_that_they_do)
{
	ck_assert_uint_eq(whole_number(0), 0);
	ck_assert_uint_eq(whole_number(1.5), 2);
	ck_assert_uint_eq(whole_number(0x1p63), 1ULL << 63);
	ck_assert_uint_eq(whole_number(0x1p64), UINT64_MAX);
	ck_assert_uint_eq(whole_number(1e308 * 10), UINT64_MAX);
}
END_TEST

START_TEST(amounts_are_powers_of_1000)
{
	struct str b = { 0 };

	str_add_bytes_size(&b, amounts[_i].bytes);
	ck_assert_str_eq(str_cstr(&b), amounts[_i].want);
	str_release(&b);
}
END_TEST

Suite *check_units_suite(void)
{
	Suite *s = suite_create("units");
	TCase *tc = tcase_create("units");

	tcase_add_loop_test(tc, times_are_nanoseconds, 0, ARRAY_LEN(times));
	tcase_add_loop_test(tc, sizes_are_powers_of_1024, 0, ARRAY_LEN(sizes));
	tcase_add_loop_test(tc, numbers_are_whole_and_in_range, 0, ARRAY_LEN(numbers));
	tcase_add_loop_test(tc, durations_take_the_unit_that_reads_best, 0, ARRAY_LEN(durations));
	tcase_add_loop_test(tc, amounts_are_powers_of_1000, 0, ARRAY_LEN(amounts));
	tcase_add_test(tc, what_64_bits_do_not_hold_is_the_most_that_they_do);
	tcase_add_loop_test(tc, moments_are_as_rfc_3339_has_them, 0, ARRAY_LEN(moments));
	suite_add_tcase(s, tc);
	return s;
}
