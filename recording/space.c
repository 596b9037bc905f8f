/* SPDX-License-Identifier: Apache-2.0 */
#include "recording/space.h"

void space_release(struct space *s)
{
	vec_release(&s->maps);
	*s = (struct space){ 0 };
}

/* The first mapping that ends above addr. */
static size_t first_above(const struct space *s, uint64_t addr)
{
	size_t lo = 0, hi = s->maps.nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->maps.at[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Takes [start, end) out, leaving the parts of mappings that stick out of it on either side. */
static void cut_hole(struct space *s, uint64_t start, uint64_t end)
{
	size_t from = first_above(s, start), to;

	if (from < s->maps.nr && s->maps.at[from].start < start) {
		struct mapping left = s->maps.at[from];

		s->maps.at[from].off += start - left.start;
		s->maps.at[from].start = start;
		left.end = start;
		vec_insert(&s->maps, from, left);
		from++;
	}
	for (to = from; to < s->maps.nr && s->maps.at[to].end <= end; to++)
		;
	if (to < s->maps.nr && s->maps.at[to].start < end) {
		s->maps.at[to].off += end - s->maps.at[to].start;
		s->maps.at[to].start = end;
	}
	if (to > from)
		vec_remove(&s->maps, from, to - from);
}

void space_map(struct space *s, struct mapping m)
{
	if (m.start >= m.end)
		return;
	cut_hole(s, m.start, m.end);
	vec_insert(&s->maps, first_above(s, m.start), m);
	s->generation++;
}

void space_clear(struct space *s)
{
	s->maps.nr = 0;
	s->generation++;
}

void space_fork(struct space *child, const struct space *parent)
{
	if (child == parent)
		return;
	child->maps.nr = 0;
	if (parent->maps.nr) {
		vec_reserve(&child->maps, parent->maps.nr);
		memcpy(child->maps.at, parent->maps.at,
		       parent->maps.nr * sizeof(parent->maps.at[0]));
		child->maps.nr = parent->maps.nr;
	}
	child->generation++;
}

const struct mapping *space_find(const struct space *s, uint64_t addr)
{
	size_t i = first_above(s, addr);

	return i < s->maps.nr && s->maps.at[i].start <= addr ? &s->maps.at[i] : NULL;
}
