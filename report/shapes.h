/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks as sums need them: which functions and which pairs of a function and its caller are on each, once, so that
 * recursion counts once.
 *
 *	struct shapes shapes = { .resolve = &resolve, .counted = &counted };
 *
 *	shapes_learn(&shapes, node);		once counted_learn() knows the stacks
 *	... shapes.by_node.at[node] ...
 *	shapes_release(&shapes);
 */
#ifndef REPORT_SHAPES_H
#define REPORT_SHAPES_H

#include "report/counted.h"

/*
 * The innermost function and the pair that it is in come first: they take the self time. Behind them are the functions
 * whose calls are counted, but not in the file that they are in here.
 */
struct shape {
	uint32_t first;		/* in shapes.members: nr_functions functions, nr_pairs pairs, nr_elsewhere functions */
	uint32_t nr_functions, nr_pairs, nr_elsewhere;
	bool is_known, is_left_out;
	bool has_innermost;			/* of what is left out that one function is there */
	bool is_recursive, is_pair_recursive;	/* the innermost function, or pair, is on it again */
	bool has_pair;				/* its caller is known */
	bool is_open;				/* somewhere on it, or above --root, who called is not known: */
	bool is_lone;				/* not even who is outermost; */
	bool is_of_unknown;			/* who called the innermost */
};

struct caller_pair {
	uint32_t function, caller;
	uint64_t last_stack;	/* as of shapes.last_stacks */
};

struct shapes {
	struct resolve *resolve;	/* lent, as the next */
	const struct counted *counted;
	VEC(struct shape) by_node;
	VEC(uint32_t) members;		/* functions, and pairs by their places in pairs */
	VEC(struct caller_pair) pairs;
	struct hashidx pair_index;
	VEC(uint64_t) last_stacks;	/* by function: number of the last one whose shape has it; 0: none */
	uint64_t nr_stacks;
};

void shapes_release(struct shapes *s);
/* Once is enough for each node: further times are no-ops. The profile's functions may grow. */
void shapes_learn(struct shapes *s, uint32_t node);

#endif
