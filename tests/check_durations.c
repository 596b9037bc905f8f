/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/hash.h"
#include "report/durations.h"
#include "report/profile.h"

Suite *check_durations_suite(void);

static const double quantiles[] = { 0, 0.01, 0.5, 0.9, 0.99, 0.999, 1 };

/* From 1 us to some seconds, as many in each octave. */
static uint64_t duration_of(uint64_t i)
{
	uint64_t h = hash_u64(i);

	return (1000 + h % 1000) << (h >> 32) % 22;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static const struct {
	size_t nr, nr_exact_max;
	bool is_exact;
} cases[] = {
	{ 0, 0, true },		 { 1, 0, true },	 { 2, 10, true },
	{ 1000, 0, true },	 { 1000, 1000, true },	 { 50000, 0, true },
	{ 50000, 100000, true }, { 50000, 4096, false }, { 200000, 4096, false },
};

START_TEST(durations_agree_with_a_sorted_list)
{
	size_t nr = cases[_i].nr, i;
	uint64_t *sorted = xcalloc(nr + 1, sizeof(*sorted));
	struct durations d = { .nr_exact_max = cases[_i].nr_exact_max };
	double sum = 0;

	for (i = 0; i < nr; i++) {
		sorted[i] = duration_of(i);
		sum += (double)sorted[i];
		durations_add(&d, sorted[i]);
		/* looking at it changes nothing */
		if (i % 1009 == 0)
			durations_quantile_ns(&d, 0.5);
	}
	qsort(sorted, nr, sizeof(*sorted), by_value);
	ck_assert_uint_eq(d.nr, nr);
	ck_assert_double_eq(durations_mean_ns(&d), nr ? sum / (double)nr : 0);
	for (i = 0; i < ARRAY_LEN(quantiles); i++) {
		uint64_t want = quantile_u64(sorted, nr, quantiles[i]);
		uint64_t got = durations_quantile_ns(&d, quantiles[i]);

		ck_assert_uint_le(got, want);
		ck_assert_uint_ge(got, cases[_i].is_exact ? want : want - want / 256);
	}
	ck_assert_uint_eq(durations_quantile_ns(&d, 1), nr ? sorted[nr - 1] : 0);
	if (!cases[_i].is_exact)
		ck_assert_uint_lt(d.list.cap, 20000);
	durations_release(&d);
	free(sorted);
}
END_TEST

Suite *check_durations_suite(void)
{
	Suite *s = suite_create("durations");
	TCase *tc = tcase_create("durations");

	tcase_add_loop_test(tc, durations_agree_with_a_sorted_list, 0, ARRAY_LEN(cases));
	suite_add_tcase(s, tc);
	return s;
}
