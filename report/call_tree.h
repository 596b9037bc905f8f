/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions and nodes of counted calls, as a recording describes them (note.h, call_mark.h), and
 * what they are among the stacks of the samples: a row's node is a stack like any other, and is summed
 * up like one.
 *
 *	call_tree_init(&t);
 *	call_tree_note(&t, &record);		every note
 *	if (call_tree_node(&t, &stacks, session, row.node, &node))
 *		...
 *	call_tree_release(&t);
 *
 * Of one recording; nothing of it is trusted.
 */
#ifndef REPORT_CALL_TREE_H
#define REPORT_CALL_TREE_H

#include "report/stacks.h"

struct counted_function;
struct counted_node;

struct call_tree {
	VEC(struct counted_function) functions;
	VEC(struct counted_node) nodes;
	struct u64map function_of_id, node_of_id;
	VEC(uint32_t) path;	/* scratch */
	bool is_timed;		/* FUNCTION_IS_TIMED */
	uint64_t nr_inexact;	/* functions with FUNCTION_IS_INEXACT */
};

void call_tree_init(struct call_tree *t);
void call_tree_release(struct call_tree *t);
/* Strings of functions go to the session's. Other notes are left alone. */
void call_tree_note(struct call_tree *t, struct session *session, const struct record *note);
/*
 * False: no note told which function it is. Who called may be unknown all the same: LOCATION_UNKNOWN is
 * outermost then. The stacks are the same ones each time.
 */
bool call_tree_node(struct call_tree *t, struct stacks *stacks, struct session *session, uint32_t id,
		    uint32_t *ret_node);
/*
 * At the end: what became known of functions since their nodes were asked for, and those that nobody
 * called.
 */
void call_tree_finish(struct call_tree *t, struct stacks *stacks, struct session *session);

#endif
