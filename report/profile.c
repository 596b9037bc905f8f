/* SPDX-License-Identifier: Apache-2.0 */
#include "report/profile.h"

void group_release(struct group *g)
{
	vec_each(&g->functions, f)
		vec_release(&f->callers);
	vec_release(&g->functions);
	stack_tree_release(&g->tree);
	durations_release(&g->elapsed);
	vec_release(&g->status);
}

void profile_release(struct profile *p)
{
	vec_each(&p->groups, g)
		group_release(g);
	vec_release(&p->groups);
	vec_release(&p->functions);
}

uint64_t quantile_u64(const uint64_t *sorted, size_t nr, double q)
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
