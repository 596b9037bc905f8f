/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/hash.h"
#include "report/durations.h"

Suite *check_durations_suite(void);

static const double quantiles[] = { 0, 0.01, 0.5, 0.9, 0.99, 0.999, 1 };

/* From 1 us on, as many in each octave. */
static uint64_t duration_of(uint64_t i, unsigned int nr_octaves)
{
	uint64_t h = hash_u64(i);

	return (1000 + h % 1000) << (h >> 32) % nr_octaves;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t quantile_of(const uint64_t *sorted, size_t nr, double q)
{
	size_t rank;

	if (!nr)
		return 0;
	/* Nearest rank: the smallest whole number of values that is no less than q of them. */
	rank = (size_t)(q * (double)nr);
	if ((double)rank < q * (double)nr)
		rank++;
	rank = rank < 1 ? 1 : rank > nr ? nr : rank;
	return sorted[rank - 1];
}

static const struct {
	size_t nr, nr_exact_max;
	unsigned int nr_octaves;
	uint64_t one_in;	/* of a duration is what may be missing; 0: nothing */
} cases[] = {
	{ 0, 0, 22, 0 },
	{ 1, 0, 22, 0 },
	{ 2, 10, 22, 0 },
	{ 1000, 0, 22, 0 },
	{ 1000, 1000, 22, 0 },
	{ 50000, 0, 22, 0 },
	{ 50000, 100000, 22, 0 },
	{ 50000, 1536, 6, 256 },
	{ 200000, 1536, 6, 256 },
	{ 50000, 1536, 12, 128 },
	{ 50000, 1536, 22, 64 },
	{ 200000, 1536, 22, 64 },
	{ 50000, 100, 22, 4 },
	{ 50000, 1, 22, 1 },
};

START_TEST(durations_agree_with_a_sorted_list)
{
	size_t nr = cases[_i].nr, i;
	uint64_t *sorted = xcalloc(nr + 1, sizeof(*sorted));
	struct durations d = { .nr_exact_max = cases[_i].nr_exact_max };
	double sum = 0;

	for (i = 0; i < nr; i++) {
		sorted[i] = duration_of(i, cases[_i].nr_octaves);
		sum += (double)sorted[i];
		durations_add(&d, sorted[i]);
		/* looking at it changes nothing */
		if (i % 1009 == 0)
			durations_settle(&d);
	}
	durations_settle(&d);
	qsort(sorted, nr, sizeof(*sorted), by_value);
	ck_assert_uint_eq(d.nr, nr);
	ck_assert_double_eq(durations_mean_ns(&d), nr ? sum / (double)nr : 0);
	for (i = 0; i < ARRAY_LEN(quantiles); i++) {
		uint64_t want = quantile_of(sorted, nr, quantiles[i]);
		uint64_t got = durations_quantile_ns(&d, quantiles[i]);

		ck_assert_uint_le(got, want);
		ck_assert_uint_ge(got, want - (cases[_i].one_in ? want / cases[_i].one_in : 0));
	}
	ck_assert_uint_eq(durations_quantile_ns(&d, 1), nr ? sorted[nr - 1] : 0);
	if (cases[_i].one_in == 256)
		ck_assert_int_eq(d.kept_bits, 9);
	if (cases[_i].one_in)
		ck_assert_uint_le(d.list.cap, 2048);
	durations_release(&d);
	free(sorted);
}
END_TEST

static const struct {
	double q;
	uint64_t want;
} quantile_cases[] = { { 0, 1 }, { 0.1, 1 }, { 0.11, 2 }, { 0.5, 5 }, { 0.9, 9 }, { 0.99, 10 }, { 1, 10 } };

START_TEST(quantiles_are_values_that_occurred)
{
	struct durations d = { 0 };
	uint64_t i;

	ck_assert_uint_eq(durations_quantile_ns(&d, quantile_cases[_i].q), 0);
	for (i = 1; i <= 10; i++) {
		durations_add(&d, i);
		durations_settle(&d);
		ck_assert_uint_eq(durations_quantile_ns(&d, 0), 1);
	}
	ck_assert_uint_eq(durations_quantile_ns(&d, quantile_cases[_i].q), quantile_cases[_i].want);
	durations_release(&d);
}
END_TEST

/* Two halves are one whole; what is rounded already stays so. */
START_TEST(durations_of_several_are_added)
{
	struct durations whole = { .nr_exact_max = 1536 }, half[2] = { whole, whole };
	size_t i;

	for (i = 0; i < 20000; i++) {
		durations_add(&whole, duration_of(i, 6));
		durations_add(&half[i % 2], duration_of(i, 6));
	}
	durations_add_all(&half[0], &half[1]);
	durations_settle(&whole);
	durations_settle(&half[0]);
	ck_assert_uint_eq(half[0].nr, whole.nr);
	ck_assert_uint_eq(half[0].max_ns, whole.max_ns);
	ck_assert_double_eq_tol(half[0].sum_ns, whole.sum_ns, whole.sum_ns * 1e-12);
	for (i = 0; i < ARRAY_LEN(quantiles); i++)
		ck_assert_uint_eq(durations_quantile_ns(&half[0], quantiles[i]),
				  durations_quantile_ns(&whole, quantiles[i]));
	ck_assert_uint_le(half[0].list.cap, 8192);
	durations_release(&whole);
	durations_release(&half[0]);
	durations_release(&half[1]);
}
END_TEST

/* Millions, of which hardly two are equal: memory and time are those of the exact ones' maximum. */
START_TEST(durations_without_end_take_no_more_memory)
{
	struct durations d = { .nr_exact_max = DURATIONS_EXACT };
	uint64_t i;

	for (i = 0; i < 3000000; i++)
		durations_add(&d, hash_u64(i) >> 30);
	durations_settle(&d);
	ck_assert_int_eq(d.kept_bits, 9);
	ck_assert_uint_le(d.list.cap, 4 * DURATIONS_EXACT);
	ck_assert_uint_le(durations_quantile_ns(&d, 0.5), 1ULL << 33);
	ck_assert_uint_ge(durations_quantile_ns(&d, 0.5), (1ULL << 33) - (1ULL << 33) / 200);
	durations_release(&d);
}
END_TEST

Suite *check_durations_suite(void)
{
	Suite *s = suite_create("durations");
	TCase *tc = tcase_create("durations");

	tcase_add_loop_test(tc, durations_agree_with_a_sorted_list, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, quantiles_are_values_that_occurred, 0, ARRAY_LEN(quantile_cases));
	tcase_add_test(tc, durations_of_several_are_added);
	tcase_add_test(tc, durations_without_end_take_no_more_memory);
	suite_add_tcase(s, tc);
	return s;
}
