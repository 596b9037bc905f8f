/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/units.h"
#include "collector/pace.h"

Suite *check_pace_suite(void);

static const uint64_t rates[] = { PACE_MIN_HZ, 99, 999, 20000, 100000 };

/* A period counts from when it was set; who ticks last before the next one is lost. 5000 draws: 0.2 % of error, or less. */
START_TEST(clocks_tick_as_often_as_was_asked_for)
{
	enum { NR_DRAWS = 5000 };
	uint64_t keep_ns = pace_keep_ns(rates[_i]);
	double want = (double)rates[_i] / PACE_CLOCKS * (double)keep_ns / (double)NS_PER_SEC, nr = 0;
	int i;

	for (i = 0; i < NR_DRAWS; i++)
		nr += (double)(keep_ns / pace_draw_ns(rates[_i]));
	ck_assert_double_ge(nr / NR_DRAWS, 0.99 * want);
	ck_assert_double_le(nr / NR_DRAWS, 1.01 * want);
}
END_TEST

START_TEST(periods_differ)
{
	uint64_t least = UINT64_MAX, most = 0;
	int i;

	for (i = 0; i < 1000; i++) {
		uint64_t ns = pace_draw_ns(rates[_i]);

		least = ns < least ? ns : least;
		most = ns > most ? ns : most;
	}
	ck_assert_uint_ge(10 * most, 14 * least);
	ck_assert_uint_le(10 * most, 16 * least);
}
END_TEST

Suite *check_pace_suite(void)
{
	Suite *s = suite_create("pace");
	TCase *tc = tcase_create("pace");

	tcase_add_loop_test(tc, clocks_tick_as_often_as_was_asked_for, 0, sizeof(rates) / sizeof(*rates));
	tcase_add_loop_test(tc, periods_differ, 0, sizeof(rates) / sizeof(*rates));
	suite_add_tcase(s, tc);
	return s;
}
