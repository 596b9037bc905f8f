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
