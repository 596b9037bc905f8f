/* SPDX-License-Identifier: Apache-2.0 */
#include "report/counted.h"

void counted_release(struct counted *c)
{
	vec_release(&c->functions);
	vec_release(&c->places);
	hashidx_release(&c->place_index);
}

void counted_grow(struct counted *c, size_t nr_functions)
{
	while (c->functions.nr < nr_functions)
		vec_push(&c->functions, (struct counting){ 0 });
}

static void learn_place(struct counted *c, struct resolve *r, uint32_t function, uint32_t location)
{
	const struct location *l = &r->stacks->locations.at[location];
	struct counted_place place = { function, l->module, resolve_module(r, location) };

	counting_inputs_join(&c->functions.at[function].inputs, &l->inputs);
	hashidx_add(&c->place_index, hash_u64(function), (uint32_t)c->places.nr);
	vec_push(&c->places, place);
}

void counted_learn(struct counted *c, struct resolve *r)
{
	size_t i;

	for (i = 0; i < r->stacks->locations.nr; i++) {
		const struct location *l = &r->stacks->locations.at[i];
		struct counting *counting;
		struct place place;
		uint32_t function;

		if (l->kind != LOCATION_FUNCTION && l->kind != LOCATION_NAMED)
			continue;
		if (i < c->nr_locations && !l->is_inexact)
			continue;
		place = resolve_place(r, (uint32_t)i);
		function = r->functions.at[place.first];
		counted_grow(c, r->profile->functions.nr);
		counting = &c->functions.at[function];
		counting->is_counted = c->has_any = true;
		counting->is_inexact |= l->is_inexact;
		counting->is_timed |= l->is_timed;
		if (l->kind == LOCATION_NAMED)
			counting->is_named = true;
		else if (i >= c->nr_locations)
			learn_place(c, r, function, (uint32_t)i);
	}
	c->nr_locations = r->stacks->locations.nr;
}

bool counted_is_at(const struct counted *c, struct resolve *r, uint32_t function, uint32_t location)
{
	hashidx_each(&c->place_index, hash_u64(function), id) {
		const struct counted_place *p = &c->places.at[id];

		if (p->function == function && (p->module == r->stacks->locations.at[location].module ||
						p->path == resolve_module(r, location)))
			return true;
	}
	return false;
}

bool counted_is_in(const struct counted *c, const struct resolve *r, uint32_t function, uint64_t inputs,
		   uint32_t nr_all)
{
	const struct counting *counting = &c->functions.at[function];

	return counting_inputs_are(counting->is_named ? &r->stacks->naming : &counting->inputs, inputs, nr_all);
}

uint64_t counted_nr_missed_roots(struct counted *c, struct resolve *r)
{
	uint64_t nr = 0;
	size_t i;

	if (!r->options->root || !c->has_any)
		return 0;
	resolve_sampled(r);
	counted_grow(c, r->profile->functions.nr);
	for (i = 0; i < r->is_root.nr; i++)
		nr += r->is_root.at[i] && !c->functions.at[i].is_counted && !r->profile->functions.at[i].is_kernel;
	return nr;
}
