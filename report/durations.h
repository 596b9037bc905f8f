/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long many things took: their number, mean, maximum and quantiles. Exact; or, for those that
 * never end, exact up to a number of different durations, and from then on to 1/256 of each, or to as
 * much of it that they are no more than that number:
 *
 *	d.nr_exact_max = 1536;
 *	durations_add(&d, ns);
 *	...
 *	durations_settle(&d);
 *	p99 = durations_quantile_ns(&d, 0.99);
 *	durations_release(&d);
 *
 * Valid when zeroed.
 */
#ifndef REPORT_DURATIONS_H
#define REPORT_DURATIONS_H

#include <stdint.h>

#include "base/vec.h"

/* Of one endpoint in a report: a megabyte, or two while it is read. */
enum { DURATIONS_EXACT = 1 << 16 };

struct duration {
	uint64_t ns, nr;
};

struct durations {
	size_t nr_exact_max;	/* 0: all of them, however many */
	int kept_bits;		/* of each; 0: all of them */
	uint64_t nr, max_ns;
	double sum_ns;
	VEC(struct duration) list;
	size_t nr_sorted;	/* the first of the list: ascending, no two equal */
};

void durations_add(struct durations *d, uint64_t ns);
/* All those of another one, too; it may be rounded more than `into` would have. */
void durations_add_all(struct durations *into, const struct durations *from);
/* Before quantiles are asked for; more may be added after it. */
void durations_settle(struct durations *d);
void durations_release(struct durations *d);
/* 0 where there are none, as the one below. */
double durations_mean_ns(const struct durations *d);
/* The q-th quantile, 0 to 1: the smallest with at least q of all up to it. */
uint64_t durations_quantile_ns(const struct durations *d, double q);

#endif
