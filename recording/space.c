/* SPDX-License-Identifier: Apache-2.0 */
#include "recording/space.h"

#include "base/vec.h"

struct mappings {
	VEC(struct mapping) list;	/* sorted, without overlap */
	uint32_t nr_spaces;		/* that have them */
};

/* Leaves the space without mappings. */
static void let_go(struct space *s)
{
	if (s->maps && !--s->maps->nr_spaces) {
		vec_release(&s->maps->list);
		free(s->maps);
	}
	s->maps = NULL;
}

/* Mappings that may be changed: nobody else's. */
static struct mappings *own_mappings(struct space *s)
{
	struct mappings *own, *shared = s->maps;

	if (shared && shared->nr_spaces == 1)
		return shared;
	own = xcalloc(1, sizeof(*own));
	own->nr_spaces = 1;
	if (shared && shared->list.nr) {
		vec_reserve(&own->list, shared->list.nr + 1);
		memcpy(own->list.at, shared->list.at, shared->list.nr * sizeof(own->list.at[0]));
		own->list.nr = shared->list.nr;
	}
	let_go(s);
	s->maps = own;
	return own;
}

void space_release(struct space *s)
{
	let_go(s);
	*s = (struct space){ 0 };
}

/* The first mapping that ends above addr. */
static size_t first_above(const struct mappings *m, uint64_t addr)
{
	size_t lo = 0, hi = m->list.nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->list.at[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Takes [start, end) out, leaving the parts of mappings that stick out of it on either side. */
static void cut_hole(struct mappings *m, uint64_t start, uint64_t end)
{
	size_t from = first_above(m, start), to;

	if (from < m->list.nr && m->list.at[from].start < start) {
		struct mapping left = m->list.at[from];

		m->list.at[from].off += start - left.start;
		m->list.at[from].start = start;
		left.end = start;
		vec_insert(&m->list, from, left);
		from++;
	}
	for (to = from; to < m->list.nr && m->list.at[to].end <= end; to++)
		;
	if (to < m->list.nr && m->list.at[to].start < end) {
		m->list.at[to].off += end - m->list.at[to].start;
		m->list.at[to].start = end;
	}
	if (to > from)
		vec_remove(&m->list, from, to - from);
}

void space_map(struct space *s, struct mapping added)
{
	struct mappings *m;

	if (added.start >= added.end)
		return;
	m = own_mappings(s);
	cut_hole(m, added.start, added.end);
	vec_insert(&m->list, first_above(m, added.start), added);
	s->generation++;
}

void space_clear(struct space *s)
{
	let_go(s);
	s->generation++;
}

void space_fork(struct space *child, const struct space *parent)
{
	if (child == parent)
		return;
	let_go(child);
	child->maps = parent->maps;
	if (child->maps)
		child->maps->nr_spaces++;
	child->generation++;
}

const struct mapping *space_find(const struct space *s, uint64_t addr)
{
	const struct mappings *m = s->maps;
	size_t i = m ? first_above(m, addr) : 0;

	return m && i < m->list.nr && m->list.at[i].start <= addr ? &m->list.at[i] : NULL;
}
