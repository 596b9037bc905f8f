/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <math.h>

#include "base/units.h"
#include "collector/pace.h"

Suite *check_pace_suite(void);

static const uint64_t rates[] = { PACE_MIN_HZ, 99, 999, 20000, 100000 };

/* A period counts from when it was set; who ticks last before the next one is lost. */
START_TEST(clocks_tick_as_often_as_was_asked_for)
{
	enum { NR_DRAWS = 2000 };
	uint64_t keep_ns = pace_keep_ns(rates[_i]), ns[PACE_CLOCKS], nr = 0;
	double want = (double)rates[_i] * (double)keep_ns / (double)NS_PER_SEC;
	int i, k;

	for (i = 0; i < NR_DRAWS; i++) {
		uint64_t before = nr;

		pace_draw(rates[_i], ns);
		for (k = 0; k < PACE_CLOCKS; k++)
			nr += keep_ns / ns[k];
		/* Each time, but for what is not over with each clock. */
		ck_assert_double_le(fabs((double)(nr - before) - want), PACE_CLOCKS + want / 10000);
	}
	/* Periods are whole nanoseconds. */
	ck_assert_double_le(fabs((double)nr / NR_DRAWS - want), 0.1 + want / 10000);
}
END_TEST

START_TEST(periods_differ)
{
	uint64_t ns[PACE_CLOCKS], least = UINT64_MAX, most = 0;
	int i;

	for (i = 0; i < 1000; i++) {
		pace_draw(rates[_i], ns);
		least = ns[i % PACE_CLOCKS] < least ? ns[i % PACE_CLOCKS] : least;
		most = ns[i % PACE_CLOCKS] > most ? ns[i % PACE_CLOCKS] : most;
	}
	ck_assert_uint_ge(10 * most, 14 * least);
	ck_assert_uint_le(10 * most, 25 * least);
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
