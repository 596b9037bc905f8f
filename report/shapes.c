/* SPDX-License-Identifier: Apache-2.0 */
#include "report/shapes.h"

void shapes_release(struct shapes *s)
{
	vec_release(&s->by_node);
	vec_release(&s->members);
	vec_release(&s->pairs);
	hashidx_release(&s->pair_index);
	vec_release(&s->last_stacks);
}

static uint32_t pair_of(struct shapes *s, uint32_t function, uint32_t caller)
{
	uint64_t hash = hash_u64((uint64_t)function << 32 | caller);

	hashidx_each(&s->pair_index, hash, id)
		if (s->pairs.at[id].function == function && s->pairs.at[id].caller == caller)
			return id;
	vec_push(&s->pairs, (struct caller_pair){ .function = function, .caller = caller });
	hashidx_add(&s->pair_index, hash, (uint32_t)s->pairs.nr - 1);
	return (uint32_t)s->pairs.nr - 1;
}

static void add_functions(struct shapes *s)
{
	vec_each(&s->resolve->chain, f) {
		if (*f == NO_FUNCTION || s->last_stacks.at[*f] == s->nr_stacks)
			continue;
		s->last_stacks.at[*f] = s->nr_stacks;
		vec_push(&s->members, *f);
	}
}

static void add_pairs(struct shapes *s)
{
	const struct resolve *r = s->resolve;
	size_t i;

	for (i = 0; i + 1 < r->chain.nr; i++) {
		uint32_t id;

		if (r->chain.at[i] == NO_FUNCTION || r->chain.at[i + 1] == NO_FUNCTION)
			continue;
		id = pair_of(s, r->chain.at[i], r->chain.at[i + 1]);
		if (s->pairs.at[id].last_stack == s->nr_stacks)
			continue;
		s->pairs.at[id].last_stack = s->nr_stacks;
		vec_push(&s->members, id);
	}
}

static void learn_recursion(const struct resolve *r, struct shape *shape)
{
	const uint32_t *chain = r->chain.at;
	size_t i;

	for (i = 1; i < r->chain.nr; i++) {
		shape->is_recursive |= chain[i] == chain[0];
		shape->is_pair_recursive |= i + 1 < r->chain.nr && chain[i] == chain[0] &&
					    chain[i + 1] == chain[1];
	}
	shape->has_pair = r->chain.nr > 1 && chain[1] != NO_FUNCTION;
}

/* Whether the function is on the stack at hand, and its calls are counted, but not in the file of that location. */
static bool is_elsewhere(const struct shapes *s, uint32_t function, uint32_t location)
{
	const struct counted *c = s->counted;

	return function < c->functions.nr && c->functions.at[function].is_counted &&
	       s->last_stacks.at[function] == s->nr_stacks && !counted_is_at(c, s->resolve, function, location);
}

/* What is inlined has no calls that anybody could count: the function around it counts. */
static void add_elsewhere(struct shapes *s, uint32_t node)
{
	struct resolve *r = s->resolve;

	for (; node; node = r->stacks->nodes.at[node].caller) {
		uint32_t location = r->stacks->nodes.at[node].location, function;
		const struct location *l = &r->stacks->locations.at[location];
		struct place place;

		if (l->kind != LOCATION_CODE || l->is_kernel)
			continue;
		place = resolve_place(r, location);
		function = r->functions.at[place.first + place.nr - 1];
		if (is_elsewhere(s, function, location))
			vec_push(&s->members, function);
	}
}

/* To all nodes, and to the functions of the chain. */
static void grow(struct shapes *s)
{
	while (s->by_node.nr < s->resolve->stacks->nodes.nr)
		vec_push(&s->by_node, (struct shape){ 0 });
	while (s->last_stacks.nr < s->resolve->profile->functions.nr)
		vec_push(&s->last_stacks, 0);
}

static void add_members(struct shapes *s, struct shape *shape, uint32_t node)
{
	add_functions(s);
	shape->nr_functions = (uint32_t)s->members.nr - shape->first;
	if (s->resolve->options->wants_callers)
		add_pairs(s);
	shape->nr_pairs = (uint32_t)s->members.nr - shape->first - shape->nr_functions;
	add_elsewhere(s, node);
	shape->nr_elsewhere = (uint32_t)s->members.nr - shape->first - shape->nr_functions - shape->nr_pairs;
}

void shapes_learn(struct shapes *s, uint32_t node)
{
	struct resolve *r = s->resolve;
	struct shape shape = { .first = (uint32_t)s->members.nr, .is_known = true };

	if (node < s->by_node.nr && s->by_node.at[node].is_known)
		return;
	s->nr_stacks++;
	/* A stack without a function of its own would be nobody's row. */
	shape.is_left_out = !resolve_chain(r, node) || r->chain.at[0] == NO_FUNCTION;
	grow(s);
	shape.is_open = r->is_open && r->chain.at[0] != NO_FUNCTION;
	shape.is_lone = r->is_lone;
	shape.is_of_unknown = r->chain.nr > 1 && r->chain.at[1] == NO_FUNCTION;
	if (!shape.is_left_out) {
		learn_recursion(r, &shape);
		add_members(s, &shape, node);
	} else if (r->chain.at[0] != NO_FUNCTION) {
		vec_push(&s->members, r->chain.at[0]);
		shape.has_innermost = true;
	}
	s->by_node.at[node] = shape;
}
