/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/ranges.h"

#include <stdlib.h>

void ranges_add(struct ranges *r, uint64_t start, uint64_t end, uint32_t id)
{
	if (start < end)
		vec_push(&r->list, (struct range){ start, end, id });
}

static int by_nesting(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The ranges that cover the sweep's position: a heap of indices, the one that wins on top. */
struct active {
	const struct range *all;
	enum ranges_rule rule;
	VEC(size_t) heap;
};

/* The list is sorted by nesting, so that of two indices the higher one lies further in. */
static bool beats(const struct active *a, size_t x, size_t y)
{
	if (a->rule == RANGES_LATEST && a->all[x].id != a->all[y].id)
		return a->all[x].id > a->all[y].id;
	return x > y;
}

static void active_push(struct active *a, size_t index)
{
	size_t i = a->heap.nr;

	vec_push(&a->heap, index);
	while (i && beats(a, index, a->heap.at[(i - 1) / 2])) {
		a->heap.at[i] = a->heap.at[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	a->heap.at[i] = index;
}

static void active_pop(struct active *a)
{
	size_t last = a->heap.at[--a->heap.nr], i = 0, child;

	while ((child = 2 * i + 1) < a->heap.nr) {
		if (child + 1 < a->heap.nr && beats(a, a->heap.at[child + 1], a->heap.at[child]))
			child++;
		if (!beats(a, a->heap.at[child], last))
			break;
		a->heap.at[i] = a->heap.at[child];
		i = child;
	}
	a->heap.at[i] = last;
}

static void emit(struct ranges *out, uint64_t start, uint64_t end, uint32_t id)
{
	struct range *last = out->list.nr ? vec_last(&out->list) : NULL;

	if (last && last->end == start && last->id == id)
		last->end = end;
	else
		ranges_add(out, start, end, id);
}

static struct ranges sweep(const struct ranges *in, enum ranges_rule rule)
{
	struct active active = { .all = in->list.at, .rule = rule };
	struct ranges out = { 0 };
	size_t next = 0;
	uint64_t pos = 0;

	for (;;) {
		const struct range *top;
		uint64_t until;

		while (active.heap.nr && active.all[active.heap.at[0]].end <= pos)
			active_pop(&active);
		if (!active.heap.nr) {
			if (next == in->list.nr)
				break;
			pos = in->list.at[next].start;
		}
		while (next < in->list.nr && in->list.at[next].start <= pos)
			active_push(&active, next++);
		top = &active.all[active.heap.at[0]];
		if (top->end <= pos)
			continue;
		until = top->end;
		if (next < in->list.nr && in->list.at[next].start < until)
			until = in->list.at[next].start;
		emit(&out, pos, until, top->id);
		pos = until;
	}
	vec_release(&active.heap);
	return out;
}

static bool is_sorted(const struct ranges *r)
{
	size_t i;

	for (i = 1; i < r->list.nr; i++)
		if (by_nesting(&r->list.at[i - 1], &r->list.at[i]) > 0)
			return false;
	return true;
}

void ranges_flatten(struct ranges *r, enum ranges_rule rule)
{
	struct ranges flat;
	size_t i;

	if (!r->list.nr)
		return;
	if (!is_sorted(r))
		qsort(r->list.at, r->list.nr, sizeof(r->list.at[0]), by_nesting);
	for (i = 1; i < r->list.nr; i++)
		if (r->list.at[i].start < r->list.at[i - 1].end)
			break;
	if (i == r->list.nr)
		return;
	flat = sweep(r, rule);
	ranges_release(r);
	*r = flat;
}

const struct range *ranges_range(const struct ranges *r, uint64_t addr)
{
	size_t lo = 0, hi = r->list.nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->list.at[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < r->list.at[lo - 1].end ? &r->list.at[lo - 1] : NULL;
}

bool ranges_find(const struct ranges *r, uint64_t addr, uint32_t *ret_id)
{
	const struct range *range = ranges_range(r, addr);

	if (range)
		*ret_id = range->id;
	return range;
}

void ranges_release(struct ranges *r)
{
	vec_release(&r->list);
}
