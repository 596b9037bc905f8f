/* SPDX-License-Identifier: Apache-2.0 */
#include "report/durations.h"

/* What is left of a duration is its first bits, so that 256 different ones are between x and 2 x.
 */
enum { KEPT_BITS = 9 };

/* How many may wait, unsorted: less costs a sort too often, more costs memory. */
enum { NR_WAITING_MIN = 1024 };

static uint64_t rounded(uint64_t ns)
{
	int bits = ns ? 64 - __builtin_clzll(ns) : 0;

	return bits > KEPT_BITS ? ns >> (bits - KEPT_BITS) << (bits - KEPT_BITS) : ns;
}

static int by_ns(const void *a, const void *b)
{
	const struct duration *x = a, *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

static void sort(struct durations *d)
{
	size_t nr = 0, i;

	if (d->nr_sorted == d->list.nr)
		return;
	qsort(d->list.at, d->list.nr, sizeof(*d->list.at), by_ns);
	for (i = 0; i < d->list.nr; i++)
		if (nr && d->list.at[nr - 1].ns == d->list.at[i].ns)
			d->list.at[nr - 1].nr += d->list.at[i].nr;
		else
			d->list.at[nr++] = d->list.at[i];
	d->list.nr = d->nr_sorted = nr;
}

/* From 1 us to 1 s there are 5,000 that are rounded. */
static void settle(struct durations *d)
{
	sort(d);
	if (d->is_rounded || !d->nr_exact_max || d->list.nr <= d->nr_exact_max)
		return;
	vec_each(&d->list, it)
		it->ns = rounded(it->ns);
	d->is_rounded = true;
	d->nr_sorted = 0;
	sort(d);
}

void durations_add(struct durations *d, uint64_t ns)
{
	size_t nr_waiting_max = d->nr_sorted > NR_WAITING_MIN ? d->nr_sorted : NR_WAITING_MIN;

	d->nr++;
	d->sum_ns += (double)ns;
	d->max_ns = ns > d->max_ns ? ns : d->max_ns;
	vec_push(&d->list, (struct duration){ d->is_rounded ? rounded(ns) : ns, 1 });
	if (d->nr_exact_max && d->list.nr - d->nr_sorted >= nr_waiting_max)
		settle(d);
}

void durations_release(struct durations *d)
{
	vec_release(&d->list);
}

double durations_mean_ns(const struct durations *d)
{
	return d->nr ? d->sum_ns / (double)d->nr : 0;
}

uint64_t durations_quantile_ns(struct durations *d, double q)
{
	uint64_t rank = (uint64_t)(q * (double)d->nr), nr = 0;
	size_t i;

	/* Nearest rank: the smallest whole number of values that is no less than q of them. */
	rank += (double)rank < q * (double)d->nr;
	settle(d);
	for (i = 0; i < d->list.nr; i++) {
		nr += d->list.at[i].nr;
		if (nr >= rank)
			break;
	}
	/* The largest is known exactly. */
	return i + 1 >= d->list.nr ? d->max_ns : d->list.at[i].ns;
}
