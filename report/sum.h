/* SPDX-License-Identifier: Apache-2.0 */
/* All arithmetic of a report: gathered stacks to the profile's tables. */
#ifndef REPORT_SUM_H
#define REPORT_SUM_H

#include "report/gather.h"
#include "report/resolve.h"

/*
 * Moves the gathered groups into profile->groups, sums up their functions and callers, and sorts
 * both as profile.h says. Groups without requests and samples are dropped. Returns how many samples
 * --root left out.
 */
uint64_t sum_groups(struct profile *p, struct gather *g, struct resolve *r);

#endif
