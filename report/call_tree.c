/* SPDX-License-Identifier: Apache-2.0 */
#include "report/call_tree.h"

#include "recording/call_mark.h"

/* location: not known before the first of its nodes is asked for. */
struct counted_function {
	uint32_t flags, line;
	uint64_t off;
	struct build_id build_id;
	uint32_t file, name;
	uint32_t location_plus_1;
};

struct counted_node {
	uint32_t id, parent;
	uint32_t function;		/* as notes number it */
	uint32_t node_plus_1;		/* among the stacks'; 0: not asked for yet, or its function is not known */
};

void call_tree_init(struct call_tree *t)
{
	*t = (struct call_tree){ 0 };
}

void call_tree_release(struct call_tree *t)
{
	vec_release(&t->functions);
	vec_release(&t->nodes);
	vec_release(&t->path);
	u64map_release(&t->function_of_id);
	u64map_release(&t->node_of_id);
	t->is_timed = false;
}

/* ---- what notes say ---- */

static void add_flags(struct call_tree *t, struct counted_function *f, uint32_t flags)
{
	t->nr_inexact += (flags & ~f->flags & FUNCTION_IS_INEXACT) != 0;
	f->flags |= flags;
}

static void take_function(struct call_tree *t, struct session *session, struct cursor payload)
{
	struct note_function note;
	const uint32_t *known;

	if (!note_parse_function(payload, &note))
		return;
	t->is_timed |= note.flags & FUNCTION_IS_TIMED;
	known = u64map_get(&t->function_of_id, note.id);
	if (known) {
		add_flags(t, &t->functions.at[*known], note.flags);
		return;
	}
	u64map_set(&t->function_of_id, note.id, (uint32_t)t->functions.nr);
	vec_push(&t->functions, (struct counted_function){
					.line = note.line,
					.off = note.off,
					.build_id = note.build_id,
					.file = strings_id(session->strings, note.file),
					.name = strings_id(session->strings, note.name) });
	add_flags(t, vec_last(&t->functions), note.flags);
}

static void take_nodes(struct call_tree *t, struct cursor payload)
{
	struct note_node note;

	while (note_next_node(&payload, &note)) {
		if (note.node & CALL_LONE || u64map_get(&t->node_of_id, note.node))
			continue;
		u64map_set(&t->node_of_id, note.node, (uint32_t)t->nodes.nr);
		vec_push(&t->nodes, (struct counted_node){ .id = note.node,
							   .parent = note.parent,
							   .function = note.function });
	}
}

void call_tree_note(struct call_tree *t, struct session *session, const struct record *note)
{
	if (note->note.kind == NOTE_FUNCTION)
		take_function(t, session, note->note.payload);
	else if (note->note.kind == NOTE_NODES)
		take_nodes(t, note->note.payload);
}

/* ---- nodes among the stacks ---- */

static struct location place_of(const struct counted_function *f, struct session *session)
{
	if (f->flags & FUNCTION_IS_NAMED)
		return (struct location){ .kind = LOCATION_NAMED,
					  .addr = f->line,
					  .name = f->name,
					  .file = f->file };
	return (struct location){
		.kind = LOCATION_FUNCTION,
		.addr = f->off,
		.module = session_module(session, strings_text(session->strings, f->file), &f->build_id),
		.name = f->name,
		.is_aliased = f->flags & FUNCTION_IS_ALIASED,
	};
}

static uint32_t location_of_function(struct counted_function *f, struct stacks *stacks,
				     struct session *session)
{
	struct location place;

	if (!f->location_plus_1) {
		place = place_of(f, session);
		f->location_plus_1 = stacks_location(stacks, &place) + 1;
		counting_inputs_add(place.kind == LOCATION_NAMED ? &stacks->naming :
								   &stacks->locations.at[f->location_plus_1 - 1].inputs,
				    session->input);
	}
	if (f->flags & FUNCTION_IS_TIMED)
		stacks->locations.at[f->location_plus_1 - 1].is_timed = true;
	if (f->flags & FUNCTION_IS_INEXACT)
		stacks->locations.at[f->location_plus_1 - 1].is_inexact = true;
	if (f->flags & FUNCTION_IS_AMISS)
		stacks->amiss |= input_bit(session->input);
	return f->location_plus_1 - 1;
}

static bool location_of(struct call_tree *t, struct stacks *stacks, struct session *session,
			uint32_t id, uint32_t *ret_location)
{
	const uint32_t *known = u64map_get(&t->function_of_id, id);

	if (!known)
		return false;
	*ret_location = location_of_function(&t->functions.at[*known], stacks, session);
	return true;
}

static uint32_t below_unknown(struct stacks *stacks, uint32_t caller)
{
	const struct location unknown = { .kind = LOCATION_UNKNOWN };

	return stacks_node_below(stacks, caller, stacks_location(stacks, &unknown));
}

static bool lone_node(struct call_tree *t, struct stacks *stacks, struct session *session, uint32_t id,
		      uint32_t *ret_node)
{
	uint32_t location;

	if (!location_of(t, stacks, session, id & ~CALL_LONE, &location))
		return false;
	*ret_node = stacks_node_below(stacks, below_unknown(stacks, 0), location);
	return true;
}

/*
 * Leaves the nodes between id and one whose place among the stacks is known in t->path, innermost first,
 * and returns that place.
 */
static uint32_t climb(struct call_tree *t, struct stacks *stacks, struct session *session, uint32_t id)
{
	uint32_t base;

	t->path.nr = 0;
	for (;;) {
		const uint32_t *known = u64map_get(&t->node_of_id, id);
		const struct counted_node *n = known ? &t->nodes.at[*known] : NULL;

		if (!n)
			return below_unknown(stacks, 0);
		if (n->node_plus_1)
			return n->node_plus_1 - 1;
		vec_push(&t->path, *known);
		if (n->parent == CALL_ROOT)
			return 0;
		if (n->parent & CALL_LONE)
			return lone_node(t, stacks, session, n->parent, &base) ? base :
										 below_unknown(stacks, 0);
		/* CALL_UNKNOWN, too, is above all others. */
		if (n->parent >= id)
			return below_unknown(stacks, 0);
		id = n->parent;
	}
}

bool call_tree_node(struct call_tree *t, struct stacks *stacks, struct session *session, uint32_t id,
		    uint32_t *ret_node)
{
	const uint32_t *known = u64map_get(&t->node_of_id, id);
	uint32_t node, location;
	size_t i;

	if (id & CALL_LONE)
		return lone_node(t, stacks, session, id, ret_node);
	if (!known || !location_of(t, stacks, session, t->nodes.at[*known].function, &location))
		return false;
	node = climb(t, stacks, session, id);
	for (i = t->path.nr; i-- > 0;) {
		struct counted_node *n = &t->nodes.at[t->path.at[i]];

		/* A note may still tell which function it is. */
		if (!location_of(t, stacks, session, n->function, &location)) {
			node = below_unknown(stacks, node);
			continue;
		}
		node = stacks_node_below(stacks, node, location);
		n->node_plus_1 = node + 1;
	}
	*ret_node = node;
	return true;
}

void call_tree_finish(struct call_tree *t, struct stacks *stacks, struct session *session)
{
	vec_each(&t->functions, f)
		location_of_function(f, stacks, session);
}
