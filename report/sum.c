/* SPDX-License-Identifier: Apache-2.0 */
#include "report/sum.h"

/* What is summed up in the group at hand, by function and by pair of a function and its caller. */
struct function_total {
	uint64_t nr_samples, nr_cum_samples, self, cum;
	uint64_t last_stack;	/* number of the last one that counted: recursion counts once */
};

struct pair_total {
	uint32_t function, caller;
	uint64_t nr_samples, self, cum;
	uint64_t last_stack;
};

struct totals {
	struct profile *profile;
	VEC(struct function_total) functions;	/* by function */
	VEC(uint32_t) touched;			/* functions that the group has */
	VEC(struct pair_total) pairs;
	VEC(uint32_t) touched_pairs;
	struct hashidx pair_index;
	uint64_t nr_stacks;
	uint64_t nr_without_root;
};

static uint32_t pair_of(struct totals *t, uint32_t function, uint32_t caller)
{
	uint64_t hash = hash_u64((uint64_t)function << 32 | caller);

	hashidx_each(&t->pair_index, hash, id)
		if (t->pairs.at[id].function == function && t->pairs.at[id].caller == caller)
			return id;
	vec_push(&t->pairs, (struct pair_total){ .function = function, .caller = caller });
	hashidx_add(&t->pair_index, hash, (uint32_t)t->pairs.nr - 1);
	return (uint32_t)t->pairs.nr - 1;
}

/* last_stack is 0 where this is the group's first. */
static void count_function(struct totals *t, uint32_t id, const struct stack_weight *s, bool is_self)
{
	struct function_total *f;

	while (t->functions.nr <= id)
		vec_push(&t->functions, (struct function_total){ 0 });
	f = &t->functions.at[id];
	if (!f->last_stack)
		vec_push(&t->touched, id);
	if (f->last_stack != t->nr_stacks) {
		f->last_stack = t->nr_stacks;
		f->nr_cum_samples += s->nr_samples;
		f->cum += s->weight;
	}
	if (is_self) {
		f->nr_samples += s->nr_samples;
		f->self += s->weight;
	}
}

static void count_pair(struct totals *t, uint32_t function, uint32_t caller,
		       const struct stack_weight *s, bool is_self)
{
	uint32_t id = pair_of(t, function, caller);
	struct pair_total *p = &t->pairs.at[id];

	if (!p->last_stack)
		vec_push(&t->touched_pairs, id);
	if (p->last_stack != t->nr_stacks) {
		p->last_stack = t->nr_stacks;
		p->cum += s->weight;
	}
	if (is_self) {
		p->nr_samples += s->nr_samples;
		p->self += s->weight;
	}
}

static void count_stack(struct totals *t, struct resolve *r, struct group *g,
			const struct stack_weight *s)
{
	size_t i;

	if (!resolve_chain(r, s->node)) {
		t->nr_without_root += s->nr_samples;
		return;
	}
	t->nr_stacks++;
	g->nr_samples += s->nr_samples;
	g->weight += s->weight;
	for (i = 0; i < r->chain.nr; i++) {
		count_function(t, r->chain.at[i], s, !i);
		if (i + 1 < r->chain.nr)
			count_pair(t, r->chain.at[i], r->chain.at[i + 1], s, !i);
	}
}

/* ---- from totals to the group ---- */

static const char *std_name(const struct totals *t, uint32_t function)
{
	return strings_text(t->profile->strings, t->profile->functions.at[function].std_name);
}

static int by_std_name(const void *a, const void *b, void *totals)
{
	const uint32_t *x = a, *y = b;

	return strcmp(std_name(totals, *x), std_name(totals, *y));
}

/* Pairs of one function together, those of most weight first. */
static int by_function_and_weight(const void *a, const void *b, void *totals)
{
	const struct totals *t = totals;
	const struct pair_total *x = &t->pairs.at[*(const uint32_t *)a];
	const struct pair_total *y = &t->pairs.at[*(const uint32_t *)b];

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	if (x->cum != y->cum)
		return x->cum > y->cum ? -1 : 1;
	return strcmp(std_name(t, x->caller), std_name(t, y->caller));
}

/* Takes the function's pairs off the list that by_function_and_weight() sorted. */
static void move_callers(struct totals *t, struct function_sums *sums)
{
	size_t lo = 0, hi = t->touched_pairs.nr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->pairs.at[t->touched_pairs.at[mid]].function < sums->function)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < t->touched_pairs.nr; lo++) {
		const struct pair_total *p = &t->pairs.at[t->touched_pairs.at[lo]];

		if (p->function != sums->function)
			return;
		vec_push(&sums->callers, (struct caller_sums){ .caller = p->caller,
							       .ncalls = COUNT_UNKNOWN,
							       .nr_samples = p->nr_samples,
							       .self = p->self,
							       .cum = p->cum });
	}
}

/* Hands the totals to the group and leaves them zero for the next one. */
static void move_totals(struct totals *t, struct group *g)
{
	if (!t->touched.nr)
		return;
	qsort_r(t->touched.at, t->touched.nr, sizeof(*t->touched.at), by_std_name, t);
	if (t->touched_pairs.nr)
		qsort_r(t->touched_pairs.at, t->touched_pairs.nr, sizeof(*t->touched_pairs.at),
			by_function_and_weight, t);
	vec_reserve(&g->functions, t->touched.nr);
	vec_each(&t->touched, id) {
		struct function_total *f = &t->functions.at[*id];

		vec_push(&g->functions, (struct function_sums){ .function = *id,
								.ncalls = COUNT_UNKNOWN,
								.primitive_calls = COUNT_UNKNOWN,
								.nr_samples = f->nr_samples,
								.nr_cum_samples = f->nr_cum_samples,
								.self = f->self,
								.cum = f->cum });
		move_callers(t, vec_last(&g->functions));
		*f = (struct function_total){ 0 };
	}
	vec_each(&t->touched_pairs, id) {
		struct pair_total *p = &t->pairs.at[*id];

		*p = (struct pair_total){ .function = p->function, .caller = p->caller };
	}
	t->touched.nr = t->touched_pairs.nr = 0;
}

static int by_weight(const void *a, const void *b, void *profile)
{
	const struct group *x = a, *y = b;
	const struct profile *p = profile;

	if (x->is_outside != y->is_outside)
		return x->is_outside ? 1 : -1;
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	if (x->path != y->path)
		return strcmp(strings_text(p->strings, x->path), strings_text(p->strings, y->path));
	return (x->request_id > y->request_id) - (x->request_id < y->request_id);
}

uint64_t sum_groups(struct profile *p, struct gather *g, struct resolve *r)
{
	struct totals t = { .profile = p };

	vec_each(&g->groups, it) {
		struct group *group = &it->group;

		vec_each(&it->weights.list, s)
			count_stack(&t, r, group, s);
		move_totals(&t, group);
		weights_release(&it->weights);
		/* Under --root a request that never came there is no part of the answer. */
		if (group->nr_samples ||
		    (!r->options->root && (group->nr_requests || group->nr_unfinished)))
			vec_push(&p->groups, *group);
		else
			group_release(group);
		*group = (struct group){ 0 };
	}
	if (p->groups.nr)
		qsort_r(p->groups.at, p->groups.nr, sizeof(*p->groups.at), by_weight, p);
	vec_release(&t.functions);
	vec_release(&t.touched);
	vec_release(&t.pairs);
	vec_release(&t.touched_pairs);
	hashidx_release(&t.pair_index);
	return t.nr_without_root;
}
