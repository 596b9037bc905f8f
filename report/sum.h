/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All arithmetic of a report: gathered stacks to the profile's tables. What was found out about a
 * stack is kept, so that tables can be taken one after the other as well as all at once:
 *
 *	sum = sum_new(&profile, &resolve);
 *	nr_filtered += sum_groups(sum, &gather);
 *	...
 *	sum_tell(sum, &profile.tallies);
 *	sum_free(sum);
 */
#ifndef REPORT_SUM_H
#define REPORT_SUM_H

#include "report/gather.h"
#include "report/resolve.h"

struct sum;

/* Both lent; the profile is the one that r adds its functions to. */
struct sum *sum_new(struct profile *p, struct resolve *r);
/* NULL is a no-op. */
void sum_free(struct sum *s);
/*
 * Moves the gathered groups into profile->groups, sums up their functions and callers, and sorts
 * both as profile.h says. Groups without requests, samples and counted calls are dropped. Returns how
 * many samples --root left out.
 */
uint64_t sum_groups(struct sum *s, struct gather *g);
/* Why numbers of all tables so far are marked, and samples are in none; other tallies are left alone. */
void sum_tell(const struct sum *s, struct tallies *t);

#endif
