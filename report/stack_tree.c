/* SPDX-License-Identifier: Apache-2.0 */
#include "report/stack_tree.h"

void stack_tree_release(struct stack_tree *t)
{
	vec_release(&t->nodes);
	hashidx_release(&t->index);
}

static uint32_t child_of(struct stack_tree *t, uint32_t caller, uint32_t function)
{
	uint64_t hash = hash_u64((uint64_t)caller << 32 | function);

	hashidx_each(&t->index, hash, id)
		if (t->nodes.at[id].caller == caller && t->nodes.at[id].function == function)
			return id;
	vec_push(&t->nodes, (struct tree_node){ .function = function, .caller = caller });
	hashidx_add(&t->index, hash, (uint32_t)t->nodes.nr - 1);
	return (uint32_t)t->nodes.nr - 1;
}

void stack_tree_add(struct stack_tree *t, const uint32_t *chain, size_t nr, uint64_t nr_samples,
		    uint64_t weight)
{
	uint32_t at = 0;

	if (!t->nodes.nr)
		vec_push(&t->nodes, (struct tree_node){ 0 });
	while (nr--)
		if (chain[nr] != UINT32_MAX)
			at = child_of(t, at, chain[nr]);
	t->nodes.at[at].nr_samples += nr_samples;
	t->nodes.at[at].self += weight;
}
