/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stacks of a table as a tree of functions, for renderers that draw stacks and not sums. Samples
 * whose stacks have the same functions are one node, whatever the lines they were at.
 *
 *	stack_tree_add(&tree, chain, nr, 1, weight);	again for each stack
 *	...
 *	stack_tree_release(&tree);
 */
#ifndef REPORT_STACK_TREE_H
#define REPORT_STACK_TREE_H

#include "base/hash.h"
#include "base/vec.h"

struct tree_node {
	uint32_t function;	/* index in profile.functions */
	uint32_t caller;	/* index in the tree, less than its own; 0: the root, which is no function */
	uint64_t nr_samples, self;	/* of the stacks that end here; weights as in profile.h */
};

/* Valid when zeroed. at[0] is the root, where there is anything. */
struct stack_tree {
	VEC(struct tree_node) nodes;
	struct hashidx index;
};

void stack_tree_release(struct stack_tree *t);
/*
 * chain: nr functions, innermost first, at least one. UINT32_MAX is one that is not known
 * (resolve.h): it has no node.
 */
void stack_tree_add(struct stack_tree *t, const uint32_t *chain, size_t nr, uint64_t nr_samples,
		    uint64_t weight);

#endif
