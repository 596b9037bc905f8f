/* SPDX-License-Identifier: Apache-2.0 */
#include "report/feed_calls.h"

#include "report/feed.h"

bool feed_calls_stack(const struct feed_calls *c, struct stacks *stacks, struct stack_weight *ret)
{
	uint32_t node;

	if (!call_tree_node(c->tree, stacks, c->session, c->row->node, &node))
		return false;
	if (c->is_late)
		stacks->locations.at[stacks->nodes.at[node].location].is_inexact = true;
	*ret = (struct stack_weight){ .node = node, .ncalls = c->row->ncalls, .self_ns = c->row->self_ns };
	return true;
}

static void give_row(struct feed *f, const struct feed_calls *c)
{
	if (f->listener.calls && !f->listener.calls(f->listener.self, c))
		f->tallies.nr_calls_nameless += c->row->ncalls;
}

static struct process *process_of(struct feed *f, uint32_t thread)
{
	return &f->session.processes.at[f->session.threads.at[thread].process];
}

/* ---- what was not counted ---- */

static void tell_partial(struct feed *f, uint32_t thread, const struct open_request *request)
{
	struct feed_calls none = { .session = &f->session, .tree = &f->calls, .thread = thread, .request = request };

	give_row(f, &none);
}

void feed_calls_tell_uncounted(struct feed *f, uint32_t thread, const struct open_request *request)
{
	if (process_of(f, thread)->is_uncounted)
		tell_partial(f, thread, request);
}

/* The process began while recording, and its probes are not in it yet. */
static bool is_not_yet_counted(const struct process *p)
{
	return p->is_newcomer && !p->counted_ns;
}

/*
 * Also where none are counted so far: Python's functions are described with their first rows. If none ever is, nothing comes
 * of it.
 */
static bool is_before_counts(struct feed *f, const struct open_request *r)
{
	const struct process *p = process_of(f, r->thread);

	return is_not_yet_counted(p) || r->request.begin_ns < p->counted_ns;
}

void feed_calls_request_ended(struct feed *f, const struct open_request *r)
{
	feed_calls_tell_uncounted(f, r->thread, r);
	if (is_before_counts(f, r) || f->is_cut)
		tell_partial(f, r->thread, r);
}

void feed_calls_before_mark(struct feed *f, const struct record *r)
{
	uint32_t thread = session_thread(&f->session, r->pid, r->tid);
	const struct process *p = process_of(f, thread);

	if (f->calls.functions.nr && (p->is_uncounted || is_not_yet_counted(p)))
		tell_partial(f, thread, attribute_calls(&f->attribute, thread));
}

/* Said by the recorder, which has no rows, of the process: what it did up to now, in requests and outside. */
static void take_partial_process(struct feed *f, uint32_t thread, uint64_t time)
{
	process_of(f, thread)->counted_ns = time;
	tell_partial(f, thread, NULL);
}

/* ---- what was counted and not written ---- */

bool feed_calls_are_cut(const struct feed *f)
{
	return f->calls.functions.nr && f->session.begin_ns && !f->session.end_ns;
}

void feed_calls_tell_cut(struct feed *f)
{
	uint32_t thread;

	for (thread = 0; thread < f->session.threads.nr; thread++)
		tell_partial(f, thread, NULL);
	f->tallies.nr_calls_cut++;
}

/* ---- what a thread worked on ---- */

/*
 * Counts are of the time since the thread's last mark. If it works on another request now than it did
 * then, somebody else has ended the one, and the counts may belong to both.
 */
static bool has_moved_on(const struct feed *f, uint32_t thread)
{
	return thread < f->worked_on.nr && f->worked_on.at[thread] != attribute_id(&f->attribute, thread);
}

static void note_worked_on(struct feed *f, uint32_t thread)
{
	while (f->worked_on.nr <= thread)
		vec_push(&f->worked_on, 0);
	f->worked_on.at[thread] = attribute_id(&f->attribute, thread);
}

/* Who was given work slept until then: nothing that is counted from now on is from before. */
static void note_moved(struct feed *f)
{
	uint32_t moved = attribute_moved(&f->attribute);

	if (moved != UINT32_MAX)
		note_worked_on(f, moved);
}

void feed_calls_note_mark(struct feed *f, const struct record *r)
{
	note_worked_on(f, session_thread(&f->session, r->pid, r->tid));
	note_moved(f);
}

void feed_calls_thread_began(struct feed *f, uint32_t thread)
{
	note_worked_on(f, thread);
	if (is_not_yet_counted(process_of(f, thread)))
		tell_partial(f, thread, NULL);
}

/* ---- rows ---- */

bool feed_calls_recognize(const struct record *r)
{
	struct cursor c;

	if (r->type != PERF_RECORD_SAMPLE || !r->event || !r->event->is_bpf_output)
		return false;
	c = cursor_of(r->sample.raw, r->sample.raw_len);
	return cursor_u32(&c) == CALL_MARK_MAGIC;
}

bool feed_calls_take(struct feed *f, const struct record *r)
{
	struct cursor c = cursor_of(r->sample.raw, r->sample.raw_len);
	struct feed_calls calls = { .session = &f->session, .tree = &f->calls };
	struct call_counts head;
	struct call_row row;
	unsigned int i;

	cursor_copy(&c, &head, sizeof(head));
	if (c.failed)
		return false;
	calls.thread = session_thread(&f->session, r->pid, head.tid ? head.tid : r->tid);
	calls.request = attribute_calls(&f->attribute, calls.thread);
	calls.is_late = head.flags & CALL_IS_LATE || has_moved_on(f, calls.thread) || attribute_is_unseen(&f->attribute, calls.thread);
	f->tallies.nr_calls_late += calls.is_late;
	if (head.flags & CALL_IS_UNCOUNTED)
		process_of(f, calls.thread)->is_uncounted = true;
	if (head.flags & CALL_IS_PARTIAL) {
		if (!head.nr && f->session.threads.at[calls.thread].tid == r->pid)
			take_partial_process(f, calls.thread, r->time);
		f->tallies.nr_calls_partial++;
		give_row(f, &calls);
	}
	calls.row = &row;
	for (i = 0; i < head.nr; i++) {
		cursor_copy(&c, &row, sizeof(row));
		if (c.failed)
			return false;
		give_row(f, &calls);
	}
	return true;
}
