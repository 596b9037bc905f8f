/* SPDX-License-Identifier: Apache-2.0 */
#include "report/durations.h"

/*
 * What is left of a duration is its first bits: with 9 of them, 256 different ones are between x and 2 x.
 * With one there are 64 at all.
 */
enum { KEPT_BITS_MAX = 9 };

/* So many may wait, unsorted, or a quarter of what is sorted: less costs a sort too often, more costs memory. */
enum { NR_WAITING_MIN = 512 };

static uint64_t rounded(const struct durations *d, uint64_t ns)
{
	int bits = ns ? 64 - __builtin_clzll(ns) : 0;

	return d->kept_bits && bits > d->kept_bits ?
		       ns >> (bits - d->kept_bits) << (bits - d->kept_bits) : ns;
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

/* Fewer bits until they are few enough. */
void durations_settle(struct durations *d)
{
	sort(d);
	while (d->nr_exact_max && d->list.nr > d->nr_exact_max && d->kept_bits != 1) {
		d->kept_bits = d->kept_bits ? d->kept_bits - 1 : KEPT_BITS_MAX;
		vec_each(&d->list, it)
			it->ns = rounded(d, it->ns);
		d->nr_sorted = 0;
		sort(d);
	}
}

static void add(struct durations *d, uint64_t ns, uint64_t nr)
{
	size_t nr_waiting = d->list.nr - d->nr_sorted;

	if (d->nr_exact_max && nr_waiting >= NR_WAITING_MIN && nr_waiting >= d->nr_sorted / 4)
		durations_settle(d);
	vec_push(&d->list, (struct duration){ rounded(d, ns), nr });
}

void durations_add(struct durations *d, uint64_t ns)
{
	d->nr++;
	d->sum_ns += (double)ns;
	d->max_ns = ns > d->max_ns ? ns : d->max_ns;
	add(d, ns, 1);
}

void durations_add_all(struct durations *into, const struct durations *from)
{
	into->nr += from->nr;
	into->sum_ns += from->sum_ns;
	into->max_ns = from->max_ns > into->max_ns ? from->max_ns : into->max_ns;
	vec_each(&from->list, it)
		add(into, it->ns, it->nr);
}

void durations_release(struct durations *d)
{
	vec_release(&d->list);
}

double durations_mean_ns(const struct durations *d)
{
	return d->nr ? d->sum_ns / (double)d->nr : 0;
}

uint64_t durations_quantile_ns(const struct durations *d, double q)
{
	uint64_t rank = (uint64_t)(q * (double)d->nr), nr = 0;
	size_t i;

	/* Nearest rank: the smallest whole number of values that is no less than q of them. */
	rank += (double)rank < q * (double)d->nr;
	for (i = 0; i < d->list.nr; i++) {
		nr += d->list.at[i].nr;
		if (nr >= rank)
			break;
	}
	/* The largest is known exactly. */
	return rank >= d->nr ? d->max_ns : d->list.at[i].ns;
}
