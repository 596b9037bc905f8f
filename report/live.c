/* SPDX-License-Identifier: Apache-2.0 */
#include "report/live.h"

enum {
	/* More endpoints than people look at; of one a line takes 100 bytes, and its durations ... */
	NR_ENDPOINTS_MAX = 1000,
	/* ... 16 bytes each: 32 KB with the 512 that wait to be sorted. */
	NR_EXACT_MAX = 1536,
};

static void on_input(void *self, const struct session *session)
{
	struct live *l = self;

	stacks_forget_processes(&l->stacks);
	gather_begin_input(&l->gather, session);
}

/* What is outside of requests is in no request's table. */
static void on_sample(void *self, const struct feed_sample *s)
{
	struct live *l = self;
	uint32_t process = s->session->threads.at[s->thread].process;

	if (s->request)
		gather_sample(&l->gather, s->session, s->thread, s->request,
			      stacks_node(&l->stacks, s->session, process, s->record), s->weight);
}

static bool on_calls(void *self, const struct feed_calls *c)
{
	struct live *l = self;
	struct stack_weight s = { 0 };

	if (!c->request)
		return true;
	if (!c->row) {
		gather_partial(&l->gather, c->session, c->thread, c->request);
		return true;
	}
	if (!feed_calls_stack(c, &l->stacks, &s))
		return false;
	gather_stack(&l->gather, c->session, c->thread, c->request, s);
	return true;
}

static void on_held(void *self, const struct session *session, const struct open_request *held,
		    const struct open_request *to)
{
	struct live *l = self;

	if (to)
		gather_held(&l->gather, session, held, to);
	else
		gather_forget(&l->gather, held);
}

/* False: it never came to --root's function, and is no part of the answer. */
static bool show(struct live *l)
{
	struct profile *p = &l->profile;
	bool is_shown;

	feed_describe(&l->feed, p);
	l->nr_below_no_root += sum_groups(l->sum, &l->gather);
	gather_clear(&l->gather);
	is_shown = p->groups.nr > 0;
	if (is_shown)
		l->options->ended(l->options->self, p);
	vec_each(&p->groups, g)
		group_release(g);
	p->groups.nr = 0;
	return is_shown;
}

static void on_request(void *self, const struct session *session, const struct open_request *open)
{
	struct live *l = self;
	const struct request *r = &open->request;

	(void)session;
	gather_request(&l->gather, open);
	if (l->gather.groups.nr && show(l))
		list_count(&l->summary, r);
	request_drop_strings(r, l->options->strings);
}

void live_init(struct live *l, const struct live_options *o)
{
	struct feed_listener listener = { .self = l,
					  .input_begins = on_input,
					  .sample = on_sample,
					  .calls = on_calls,
					  .held_given = on_held,
					  .request_ended = on_request };

	*l = (struct live){ .options = o };
	l->symbolizer = symbolizer_new(&o->symbolizer, o->strings);
	stacks_init(&l->stacks);
	gather_init(&l->gather, BY_REQUEST, o->selection, o->strings);
	feed_init(&l->feed, o->strings, l->symbolizer, o->endpoints, &listener);
	l->feed.forgets_ended = true;
	l->profile.strings = o->strings;
	l->profile.by = BY_REQUEST;
	resolve_init(&l->resolve, &o->resolve, &l->stacks, l->symbolizer, &l->profile);
	l->sum = sum_new(&l->profile, &l->resolve);
	l->summary = (struct request_list){ .strings = o->strings,
					    .nr_endpoints_max = NR_ENDPOINTS_MAX,
					    .nr_exact_max = NR_EXACT_MAX,
					    .is_part = !selection_takes_all(o->selection) };
}

void live_release(struct live *l)
{
	list_release(&l->summary);
	sum_free(l->sum);
	resolve_release(&l->resolve);
	profile_release(&l->profile);
	gather_release(&l->gather);
	stacks_release(&l->stacks);
	feed_release(&l->feed);
	symbolizer_free(l->symbolizer);
}

int live_reader(struct live *l, struct reader *reader, const char *name, struct err *e)
{
	int err = feed_reader(&l->feed, reader, name, e);

	l->summary.begin_ns = feed_begin_ns(&l->feed);
	l->summary.seconds_per_weight = feed_seconds_per_weight(&l->feed, &l->summary.unit);
	list_sort_endpoints(&l->summary, LIST_BY_BEGIN);
	return err;
}

const struct profile *live_describe(struct live *l)
{
	feed_describe(&l->feed, &l->profile);
	l->profile.tallies.nr_other = l->summary.nr_other;
	sum_tell(l->sum, &l->profile.tallies);
	l->profile.tallies.nr_filtered = l->gather.nr_filtered + l->nr_below_no_root;
	return &l->profile;
}
