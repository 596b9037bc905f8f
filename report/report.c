/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

static bool has_second(const struct report *r)
{
	return r->options->wants_requests && r->options->by != BY_REQUEST;
}

static void on_input(void *self, const struct session *session)
{
	struct report *r = self;

	stacks_forget_processes(&r->stacks);
	gather_begin_input(&r->gather, session);
	gather_begin_input(&r->by_request, session);
}

static void on_sample(void *self, const struct feed_sample *s)
{
	struct report *r = self;
	uint32_t process = s->session->threads.at[s->thread].process;
	uint32_t node = stacks_node(&r->stacks, s->session, process, s->record);

	gather_sample(&r->gather, s->session, s->thread, s->request, node, s->weight);
	if (has_second(r) && s->request)
		gather_sample(&r->by_request, s->session, s->thread, s->request, node, s->weight);
}

static bool on_calls(void *self, const struct feed_calls *c)
{
	struct report *r = self;
	bool is_both = has_second(r) && c->request;
	struct stack_weight s = { 0 };

	if (!c->row) {
		gather_partial(&r->gather, c->session, c->thread, c->request);
		if (is_both)
			gather_partial(&r->by_request, c->session, c->thread, c->request);
		return true;
	}
	if (!feed_calls_stack(c, &r->stacks, &s))
		return false;
	gather_stack(&r->gather, c->session, c->thread, c->request, s);
	if (is_both)
		gather_stack(&r->by_request, c->session, c->thread, c->request, s);
	return true;
}

static void on_held(void *self, const struct session *session, const struct open_request *held,
		    const struct open_request *to)
{
	struct report *r = self;

	gather_held(&r->gather, session, held, to);
	if (has_second(r) && to)
		gather_held(&r->by_request, session, held, to);
	else if (has_second(r))
		gather_forget(&r->by_request, held);
}

static void on_request(void *self, const struct session *session,
		       const struct open_request *request)
{
	struct report *r = self;

	(void)session;
	gather_request(&r->gather, request);
	if (has_second(r))
		gather_request(&r->by_request, request);
	request_drop_strings(&request->request, r->options->strings);
}

static void on_input_end(void *self, struct session *session, struct call_tree *calls)
{
	struct report *r = self;

	call_tree_finish(calls, &r->stacks, session);
	gather_end_input(&r->gather, session);
}

void report_init(struct report *r, const struct report_options *o)
{
	struct feed_listener listener = { .self = r,
					  .input_begins = on_input,
					  .sample = on_sample,
					  .calls = on_calls,
					  .held_given = on_held,
					  .request_ended = on_request,
					  .input_ended = on_input_end };

	*r = (struct report){ .options = o };
	r->symbolizer = symbolizer_new(&o->symbolizer, o->strings);
	stacks_init(&r->stacks);
	gather_init(&r->gather, o->by, o->selection, o->strings);
	gather_init(&r->by_request, BY_REQUEST, o->selection, o->strings);
	feed_init(&r->feed, o->strings, r->symbolizer, o->endpoints, &listener);
	r->feed.forgets_ended = o->by != BY_THREAD && o->by != BY_PROCESS;
}

void report_release(struct report *r)
{
	vec_each(&r->requests.groups, g)
		group_release(g);
	vec_release(&r->requests.groups);
	profile_release(&r->profile);
	gather_release(&r->gather);
	gather_release(&r->by_request);
	stacks_release(&r->stacks);
	feed_release(&r->feed);
	symbolizer_free(r->symbolizer);
}

int report_input(struct report *r, const char *path, struct err *e)
{
	return feed_input(&r->feed, path, e);
}

int report_reader(struct report *r, struct reader *reader, const char *name, struct err *e)
{
	return feed_reader(&r->feed, reader, name, e);
}

/* The second sums go through the same profile: it has the functions. */
static void sum_requests(struct report *r, struct sum *sum)
{
	struct profile *p = &r->profile;
	struct profile first = *p;

	memset(&p->groups, 0, sizeof(p->groups));
	gather_finish(&r->by_request, p->has_markers);
	sum_groups(sum, &r->by_request);
	r->requests = *p;
	r->requests.by = BY_REQUEST;
	p->groups = first.groups;
}

const struct profile *report_finish(struct report *r)
{
	struct profile *p = &r->profile;
	struct resolve resolve;
	struct sum *sum;

	p->strings = r->options->strings;
	p->by = r->options->by;
	feed_describe(&r->feed, p);
	gather_finish(&r->gather, p->has_markers);
	resolve_init(&resolve, &r->options->resolve, &r->stacks, r->symbolizer, p);
	stack_dumps_forget_processes(&r->stacks.dumps);
	unwind_tally_add(&p->tallies.stacks, &r->stacks.dumps.tally);
	sum = sum_new(p, &resolve);
	p->tallies.nr_other = r->gather.nr_other;
	p->tallies.nr_filtered = r->gather.nr_filtered + sum_groups(sum, &r->gather);
	sum_tell(sum, &p->tallies);
	if (has_second(r))
		sum_requests(r, sum);
	sum_free(sum);
	resolve_release(&resolve);
	return p;
}

const struct profile *report_requests(const struct report *r)
{
	return has_second(r) ? &r->requests : &r->profile;
}
