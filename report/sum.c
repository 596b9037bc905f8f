/* SPDX-License-Identifier: Apache-2.0 */
#include "report/sum.h"

#include "base/units.h"
#include "report/shapes.h"

struct call_total {
	uint64_t ncalls, primitive;
	bool is_primitive_unknown;
};

/* What is summed up in the group at hand, by function and by pair of a function and its caller. */
struct function_total {
	uint64_t nr_samples, nr_cum_samples, self, cum;
	uint64_t open;		/* of cum: stacks on which somewhere who called is not known */
	struct call_total calls;
	bool is_touched;
	bool is_elsewhere;	/* it has samples where its calls are not counted */
	bool is_of_unknown;	/* who called it is not known, once: it may be who called others */
	bool is_unrooted;	/* calls of it are left out, and may be below --root */
	uint32_t nr_callers, in_group;	/* of the group at hand */
};

struct pair_total {
	uint64_t nr_samples, nr_cum_samples, self, cum;
	struct call_total calls;
	bool is_touched;
};

struct sum {
	struct profile *profile;		/* lent, as the next */
	struct resolve *resolve;
	struct counted counted;
	struct shapes shapes;
	VEC(struct function_total) functions;	/* by function */
	/* Functions of --root that may be on a counted stack unseen: that has counted functions only. */
	uint64_t nr_uncounted_roots;
	uint32_t nr_inputs;
	VEC(uint32_t) ranks;			/* of functions, by std_name */
	VEC(uint32_t) touched;			/* functions that the group has */
	VEC(struct pair_total) pairs;		/* as shapes.pairs */
	VEC(uint32_t) touched_pairs;
	uint64_t open;		/* weight of the group's counted stacks on which who called is not known */
	bool is_lone;		/* of one of these nothing is known but the innermost functions */
	double ns_per_weight;	/* of the group's samples; 0: they are left out, since calls have their time */
	uint64_t nr_left_out;	/* samples, by --root */
	uint64_t nr_beside, nr_doubtful, nr_elsewhere;	/* of all groups so far */
	bool is_unrooted;	/* calls were left out of one, and may be below an uncounted root */
};

struct sum *sum_new(struct profile *p, struct resolve *r)
{
	struct sum *t = xcalloc(1, sizeof(*t));

	t->profile = p;
	t->resolve = r;
	t->shapes = (struct shapes){ .resolve = r, .counted = &t->counted };
	return t;
}

void sum_free(struct sum *t)
{
	if (!t)
		return;
	shapes_release(&t->shapes);
	counted_release(&t->counted);
	vec_release(&t->functions);
	vec_release(&t->ranks);
	vec_release(&t->touched);
	vec_release(&t->pairs);
	vec_release(&t->touched_pairs);
	free(t);
}

static void grow_totals(struct sum *t)
{
	counted_grow(&t->counted, t->profile->functions.nr);
	while (t->functions.nr < t->profile->functions.nr)
		vec_push(&t->functions, (struct function_total){ 0 });
	while (t->pairs.nr < t->shapes.pairs.nr)
		vec_push(&t->pairs, (struct pair_total){ 0 });
}

static const char *std_name(const struct profile *p, uint32_t function)
{
	return strings_text(p->strings, p->functions.at[function].std_name);
}

/* qsort_r() promises no stability, here and below. */
static int by_std_name(const void *a, const void *b, void *profile)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = strcmp(std_name(profile, x), std_name(profile, y));

	return order ? order : (x > y) - (x < y);
}

/* After the last shape: sorting goes by numbers from here on. */
static void rank_functions(struct sum *t)
{
	size_t nr = t->profile->functions.nr, i;
	uint32_t *sorted;

	if (t->ranks.nr == nr)
		return;
	sorted = xcalloc(nr, sizeof(*sorted));
	for (i = 0; i < nr; i++)
		sorted[i] = (uint32_t)i;
	qsort_r(sorted, nr, sizeof(*sorted), by_std_name, t->profile);
	vec_reserve(&t->ranks, nr);
	t->ranks.nr = nr;
	for (i = 0; i < nr; i++)
		t->ranks.at[sorted[i]] = (uint32_t)i;
	free(sorted);
}

/* ---- one group ---- */

/* A call of what is called already, further out, is not primitive. */
static void count_calls(struct call_total *total, const struct stack_weight *s, bool is_recursive,
			bool is_open)
{
	total->ncalls += s->ncalls;
	if (is_recursive)
		return;
	total->primitive += s->ncalls;
	total->is_primitive_unknown |= is_open && s->ncalls;
}

static struct function_total *touch(struct sum *t, uint32_t function)
{
	struct function_total *f = &t->functions.at[function];

	if (!f->is_touched)
		vec_push(&t->touched, function);
	f->is_touched = true;
	return f;
}

static void count_functions(struct sum *t, const struct shape *shape, const struct stack_weight *s)
{
	const uint32_t *ids = t->shapes.members.at + shape->first;
	uint32_t i;

	for (i = 0; i < shape->nr_functions; i++) {
		struct function_total *f = touch(t, ids[i]);

		f->nr_cum_samples += s->nr_samples;
		f->cum += s->weight;
		f->open += shape->is_open ? s->weight : 0;
	}
	t->functions.at[ids[0]].nr_samples += s->nr_samples;
	t->functions.at[ids[0]].self += s->weight;
	for (i = 0; i < shape->nr_elsewhere; i++)
		t->functions.at[ids[shape->nr_functions + shape->nr_pairs + i]].is_elsewhere = true;
}

static void count_pairs(struct sum *t, const struct shape *shape, const struct stack_weight *s)
{
	const uint32_t *ids = t->shapes.members.at + shape->first + shape->nr_functions;
	uint32_t i;

	for (i = 0; i < shape->nr_pairs; i++) {
		struct pair_total *p = &t->pairs.at[ids[i]];

		if (!p->is_touched) {
			vec_push(&t->touched_pairs, ids[i]);
			t->functions.at[t->shapes.pairs.at[ids[i]].function].nr_callers++;
		}
		p->is_touched = true;
		p->nr_cum_samples += s->nr_samples;
		p->cum += s->weight;
	}
	if (shape->has_pair && shape->nr_pairs) {
		t->pairs.at[ids[0]].nr_samples += s->nr_samples;
		t->pairs.at[ids[0]].self += s->weight;
	}
}

static void count_counted(struct sum *t, const struct shape *shape, const struct stack_weight *s)
{
	const uint32_t *ids = t->shapes.members.at + shape->first;

	count_calls(&t->functions.at[ids[0]].calls, s, shape->is_recursive, shape->is_open);
	if (shape->has_pair && shape->nr_pairs)
		count_calls(&t->pairs.at[ids[shape->nr_functions]].calls, s,
			    shape->is_pair_recursive, shape->is_open);
}

static bool is_counted(const struct sum *t, const struct stack_weight *s)
{
	const struct stacks *stacks = t->resolve->stacks;
	uint8_t kind = stacks->locations.at[stacks->nodes.at[s->node].location].kind;

	return kind != LOCATION_CODE;
}

/* In the unit of the profile. */
static struct stack_weight in_unit(const struct sum *t, const struct stack_weight *s, bool has_calls)
{
	struct stack_weight out = *s;

	if (!t->profile->has_call_times)
		return out;
	out.weight = has_calls ? s->self_ns : whole_number((double)s->weight * t->ns_per_weight);
	return out;
}

static void add_to_tree(struct sum *t, struct group *g, const struct stack_weight *s)
{
	struct resolve *r = t->resolve;

	if ((s->nr_samples || s->weight) && resolve_chain(r, s->node))
		stack_tree_add(&g->tree, r->chain.at, r->chain.nr, s->nr_samples, s->weight);
}

/* Of what is left out nobody knows whether it is below --root: what it is missing in then says so. */
static void count_open(struct sum *t, const struct shape *shape, const struct stack_weight *s)
{
	struct function_total *f = touch(t, t->shapes.members.at[shape->first]);

	t->open += s->weight;
	t->is_lone |= shape->is_lone && s->weight;
	f->is_of_unknown |= shape->is_of_unknown;
	f->is_unrooted |= shape->is_left_out;
	t->is_unrooted |= shape->is_left_out && t->nr_uncounted_roots;
	f->calls.is_primitive_unknown |= shape->is_left_out && s->ncalls;
}

static void count_stack(struct sum *t, struct group *g, const struct stack_weight *stack)
{
	const struct shape *shape = &t->shapes.by_node.at[stack->node];
	bool has_calls = is_counted(t, stack);
	struct stack_weight s = in_unit(t, stack, has_calls);

	if (has_calls && (shape->is_open || (shape->has_innermost && t->nr_uncounted_roots)))
		count_open(t, shape, &s);
	if (shape->is_left_out) {
		t->nr_left_out += s.nr_samples;
		return;
	}
	if (!has_calls && !t->ns_per_weight) {
		t->nr_beside += s.nr_samples;
		return;
	}
	g->nr_samples += s.nr_samples;
	g->weight += s.weight;
	count_functions(t, shape, &s);
	count_pairs(t, shape, &s);
	if (has_calls)
		count_counted(t, shape, &s);
	if (t->resolve->options->wants_trees)
		add_to_tree(t, g, &s);
}

/* ---- from totals to the group ---- */

static int by_rank(const void *a, const void *b, void *sum)
{
	const struct sum *t = sum;
	uint32_t x = t->ranks.at[*(const uint32_t *)a], y = t->ranks.at[*(const uint32_t *)b];

	return (x > y) - (x < y);
}

static int by_cum(const void *a, const void *b, void *sum)
{
	const struct caller_sums *x = a, *y = b;

	if (x->cum != y->cum)
		return x->cum > y->cum ? -1 : 1;
	return by_rank(&x->caller, &y->caller, sum);
}

static uint64_t primitive_of(const struct call_total *c)
{
	return c->is_primitive_unknown ? COUNT_UNKNOWN : c->primitive;
}

static void set_calls(struct function_sums *s, const struct call_total *c, bool is_inexact, bool is_timed)
{
	s->ncalls = c->ncalls;
	s->primitive_calls = primitive_of(c);
	s->is_inexact = is_inexact;
	s->is_self_inexact = is_inexact && is_timed;
	s->is_cum_inexact |= s->is_self_inexact;
}

/* Of a group that has none counted they stay unknown. */
static void add_calls(struct group *g, const struct function_sums *s)
{
	if (s->ncalls == COUNT_UNKNOWN)
		return;
	if (g->calls == COUNT_UNKNOWN)
		g->calls = g->primitive_calls = 0;
	g->calls += s->ncalls;
	if (s->primitive_calls == COUNT_UNKNOWN || g->primitive_calls == COUNT_UNKNOWN)
		g->primitive_calls = COUNT_UNKNOWN;
	else
		g->primitive_calls += s->primitive_calls;
	g->is_inexact |= s->is_inexact;
}

/* Hands the pairs to their functions, which the group has already. */
static void move_callers(struct sum *t, struct group *g)
{
	vec_each(&t->touched_pairs, id) {
		const struct caller_pair *pair = &t->shapes.pairs.at[*id];
		struct pair_total *p = &t->pairs.at[*id];
		struct function_total *f = &t->functions.at[pair->function];
		struct function_sums *sums = &g->functions.at[f->in_group];

		/* Exactly what is needed: over all groups there are many short lists. */
		if (!sums->callers.at) {
			sums->callers.cap = f->nr_callers;
			sums->callers.at = xcalloc(f->nr_callers, sizeof(*sums->callers.at));
		}
		vec_push(&sums->callers, (struct caller_sums){ .caller = pair->caller,
							       .ncalls = COUNT_UNKNOWN,
							       .primitive_calls = COUNT_UNKNOWN,
							       .nr_samples = p->nr_samples,
							       .self = p->self,
							       .cum = p->cum });
		/* Who calls is known of those that are counted, too. */
		if (sums->ncalls != COUNT_UNKNOWN && t->counted.functions.at[pair->caller].is_counted) {
			vec_last(&sums->callers)->ncalls = p->calls.ncalls;
			vec_last(&sums->callers)->primitive_calls = primitive_of(&p->calls);
		}
		*p = (struct pair_total){ 0 };
	}
	vec_each(&g->functions, f)
		if (f->callers.nr > 1)
			qsort_r(f->callers.at, f->callers.nr, sizeof(*f->callers.at), by_cum, t);
}

/* Samples, which would tell its time, are left out. */
static bool has_no_time(const struct sum *t, const struct counting *c)
{
	return t->profile->has_call_times && !t->ns_per_weight && c->is_counted && !c->is_timed;
}

/* What nobody knows who called, it may have: it is not above all of that, and may be where that is not known. */
static bool may_miss_callees(const struct sum *t, uint32_t function)
{
	const struct function_total *f = &t->functions.at[function];

	return t->counted.functions.at[function].is_timed && f->open < t->open && (t->is_lone || f->is_of_unknown);
}

/* It may have been called where nobody counted that: in another of these inputs, or in another file. */
static bool may_have_more(const struct sum *t, uint32_t function, uint64_t inputs)
{
	return t->functions.at[function].is_elsewhere ||
	       !counted_is_in(&t->counted, t->resolve, function, inputs, t->nr_inputs);
}

static void tell_elsewhere(struct sum *t, uint32_t function)
{
	struct counting *c = &t->counted.functions.at[function];

	t->nr_elsewhere += !c->is_told;
	c->is_told = true;
}

/* No call where some may not have been counted is no count. What may be others' is one, in doubt. */
static bool is_none_a_count(const struct counting *c, const struct weights *w, bool has_more)
{
	return !has_more && !c->is_inexact && (!w->is_partial || w->nr_doubtful);
}

static void move_function(struct sum *t, struct group *g, const struct weights *w, uint32_t id)
{
	struct function_total *f = &t->functions.at[id];
	const struct counting *counting = &t->counted.functions.at[id];
	bool has_more = counting->is_counted && may_have_more(t, id, w->inputs);

	f->in_group = (uint32_t)g->functions.nr;
	vec_push(&g->functions, (struct function_sums){ .function = id,
							.ncalls = COUNT_UNKNOWN,
							.primitive_calls = COUNT_UNKNOWN,
							.has_no_time = has_no_time(t, counting),
							.is_cum_inexact = may_miss_callees(t, id),
							.nr_samples = f->nr_samples,
							.nr_cum_samples = f->nr_cum_samples,
							.self = f->self,
							.cum = f->cum });
	if (counting->is_counted && (f->calls.ncalls || is_none_a_count(counting, w, has_more)))
		set_calls(vec_last(&g->functions), &f->calls,
			  counting->is_inexact || w->is_partial || has_more || f->is_unrooted, counting->is_timed);
	g->is_inexact |= (counting->is_inexact || (counting->is_counted && w->is_partial)) && !has_more;
	if (has_more && f->calls.ncalls)
		tell_elsewhere(t, id);
	add_calls(g, vec_last(&g->functions));
}

/* All its calls, as Python's, may have gone to others: none is no count of them. */
static void note_doubtful(struct sum *t, struct group *g, const struct weights *w)
{
	if (t->profile->has_call_times && !g->functions.nr && w->nr_doubtful) {
		g->calls = g->primitive_calls = 0;
		g->is_inexact = true;
	}
	if (g->calls != COUNT_UNKNOWN)
		t->nr_doubtful += w->nr_doubtful;
}

/* Hands the totals to the group and leaves them zero for the next one. */
static void move_totals(struct sum *t, struct group *g, const struct weights *w)
{
	if (t->touched.nr) {
		qsort_r(t->touched.at, t->touched.nr, sizeof(*t->touched.at), by_rank, t);
		vec_reserve(&g->functions, t->touched.nr);
	}
	vec_each(&t->touched, id)
		move_function(t, g, w, *id);
	if (g->calls != COUNT_UNKNOWN && w->inputs & t->resolve->stacks->amiss)
		g->is_inexact = true;
	note_doubtful(t, g, w);
	move_callers(t, g);
	vec_each(&t->touched, id)
		t->functions.at[*id] = (struct function_total){ 0 };
	t->touched.nr = t->touched_pairs.nr = 0;
	t->open = 0;
	t->is_lone = false;
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
	if (x->request_id != y->request_id)
		return x->request_id > y->request_id ? 1 : -1;
	if (x->method != y->method)
		return strcmp(strings_text(p->strings, x->method), strings_text(p->strings, y->method));
	return (x->place > y->place) - (x->place < y->place);
}

static bool has_timed(const struct sum *t, const struct weights *w)
{
	const struct stacks *stacks = t->resolve->stacks;

	vec_each(&w->list, s)
		if (stacks->locations.at[stacks->nodes.at[s->node].location].is_timed)
			return true;
	return false;
}

/*
 * Where calls have their own time, it is in nanoseconds, and samples are no part of a table that has such
 * calls, unless asked for: that time would be there twice. They are all that is known of other tables: of
 * a server beside the one whose calls are counted, or of another recording.
 */
static double ns_per_weight(const struct sum *t, const struct weights *w)
{
	const struct profile *p = t->profile;

	if (!p->has_call_times)
		return 1;
	if (!t->resolve->options->is_native && has_timed(t, w))
		return 0;
	return p->seconds_per_sample_weight * (double)NS_PER_SEC;
}

static void add_group(struct profile *p, struct group *g)
{
	g->place = (uint32_t)p->groups.nr;
	vec_push(&p->groups, *g);
}

uint64_t sum_groups(struct sum *t, struct gather *g)
{
	struct profile *p = t->profile;

	t->nr_left_out = 0;
	t->nr_inputs = g->input + 1;
	counted_learn(&t->counted, t->resolve);
	vec_each(&g->groups, it)
		vec_each(&it->weights.list, s)
			shapes_learn(&t->shapes, s->node);
	/* Beside calls that have their time, as Python's, native functions are no part of the tables. */
	t->nr_uncounted_roots = !p->has_call_times || t->resolve->options->is_native ?
					counted_nr_missed_roots(&t->counted, t->resolve) : 0;
	grow_totals(t);
	rank_functions(t);
	vec_each(&g->groups, it) {
		struct group *group = &it->group;

		t->ns_per_weight = ns_per_weight(t, &it->weights);
		group->has_no_samples = !t->ns_per_weight;
		vec_each(&it->weights.list, s)
			count_stack(t, group, s);
		move_totals(t, group, &it->weights);
		weights_release(&it->weights);
		/* Under --root a request that never came there is no part of the answer. */
		if (group->functions.nr ||
		    (!t->resolve->options->root && (group->nr_requests || group->nr_unfinished)))
			add_group(p, group);
		else
			group_release(group);
		*group = (struct group){ 0 };
	}
	if (p->groups.nr)
		qsort_r(p->groups.at, p->groups.nr, sizeof(*p->groups.at), by_weight, p);
	return t->nr_left_out;
}

void sum_tell(const struct sum *s, struct tallies *t)
{
	t->nr_beside_calls = s->nr_beside;
	t->nr_calls_doubtful = s->nr_doubtful;
	t->nr_calls_elsewhere = s->nr_elsewhere;
	t->nr_roots_uncounted = s->is_unrooted ? s->nr_uncounted_roots : 0;
}
