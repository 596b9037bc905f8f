/* SPDX-License-Identifier: Apache-2.0 */
#include "report/weights.h"

/* So many fit four cache lines, and looking through them costs what one hash look-up does. */
enum { NR_SEARCHED = 10 };

static uint64_t hash_of(const struct stack_weight *s)
{
	return hash_u64((uint64_t)s->group << 32 | s->node);
}

static bool same_stack(const struct stack_weight *a, const struct stack_weight *b)
{
	return a->node == b->node && a->group == b->group;
}

static struct stack_weight *find(const struct weights *w, const struct stack_weight *key)
{
	size_t i;

	if (w->list.nr <= NR_SEARCHED) {
		for (i = 0; i < w->list.nr; i++)
			if (same_stack(&w->list.at[i], key))
				return &w->list.at[i];
		return NULL;
	}
	hashidx_each(&w->index, hash_of(key), id)
		if (same_stack(&w->list.at[id], key))
			return &w->list.at[id];
	return NULL;
}

static void append(struct weights *w, const struct stack_weight *s)
{
	size_t i;

	vec_push(&w->list, *s);
	if (w->list.nr <= NR_SEARCHED)
		return;
	for (i = w->index.nr; i < w->list.nr; i++)
		hashidx_add(&w->index, hash_of(&w->list.at[i]), (uint32_t)i);
}

void weights_add(struct weights *w, const struct stack_weight *more)
{
	struct stack_weight *known = find(w, more);

	if (!known) {
		append(w, more);
		return;
	}
	known->nr_samples += more->nr_samples;
	known->weight += more->weight;
	known->ncalls += more->ncalls;
	known->self_ns += more->self_ns;
}

void weights_clear(struct weights *w)
{
	w->list.nr = 0;
	w->is_partial = false;
	w->nr_doubtful = 0;
	w->inputs = 0;
	if (w->index.nr)
		hashidx_clear(&w->index);
}

void weights_release(struct weights *w)
{
	vec_release(&w->list);
	w->is_partial = false;
	w->nr_doubtful = 0;
	w->inputs = 0;
	hashidx_release(&w->index);
}
