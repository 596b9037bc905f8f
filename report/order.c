/* SPDX-License-Identifier: Apache-2.0 */
#include "report/order.h"

#include "recording/socket_marks.h"

/* How far reading may go on before the reader hears that it can forget what lies behind. */
enum { DISCARD_BYTES = 256 * 1024 };

void order_init(struct order *o, struct reader *reader)
{
	*o = (struct order){ .reader = reader };
}

void order_release(struct order *o)
{
	vec_release(&o->queue);
	vec_release(&o->due);
	vec_release(&o->scratch);
	vec_release(&o->runs);
}

/* Merges the neighbours [from, mid) and [mid, to) of `in`; of equal times the first's go first. */
static void merge(const struct order_entry *in, size_t from, size_t mid, size_t to,
		  struct order_entry *out)
{
	size_t a = from, b = mid, i;

	for (i = from; i < to; i++)
		if (b >= to || (a < mid && in[a].time <= in[b].time))
			out[i] = in[a++];
		else
			out[i] = in[b++];
}

/*
 * A natural merge sort: the rings are sorted, so the entries are few long runs, and a round of r
 * runs costs log2(r) passes. Entries come by pos, and merging keeps equal ones in order: that sorts
 * by pos.
 */
static void sort_due(struct order *o)
{
	size_t i, nr_runs;

	o->runs.nr = 0;
	for (i = 0; i < o->due.nr; i++)
		if (!i || o->due.at[i].time < o->due.at[i - 1].time)
			vec_push(&o->runs, i);
	if (o->runs.nr < 2)
		return;
	vec_reserve(&o->scratch, o->due.cap);
	o->due.cap = o->scratch.cap;
	o->due.at = xreallocarray(o->due.at, o->due.cap, sizeof(*o->due.at));
	while (o->runs.nr > 1) {
		struct order_entry *merged = o->scratch.at;

		for (i = nr_runs = 0; i < o->runs.nr; i += 2) {
			size_t from = o->runs.at[i];
			size_t mid = i + 1 < o->runs.nr ? o->runs.at[i + 1] : o->due.nr;
			size_t to = i + 2 < o->runs.nr ? o->runs.at[i + 2] : o->due.nr;

			merge(o->due.at, from, mid, to, merged);
			o->runs.at[nr_runs++] = from;
		}
		o->runs.nr = nr_runs;
		o->scratch.at = o->due.at;
		o->due.at = merged;
	}
}

/* All that waits and is no younger than limit becomes due. */
static void flush(struct order *o, uint64_t limit)
{
	size_t kept = 0;

	o->due.nr = o->next_due = 0;
	vec_each(&o->queue, entry)
		if (entry->time <= limit)
			vec_push(&o->due, *entry);
		else
			o->queue.at[kept++] = *entry;
	o->queue.nr = kept;
	sort_due(o);
}

/* Called with nothing due: older than pos, only the queue's records will be asked for again. */
static void discard(struct order *o, uint64_t pos)
{
	if (o->queue.nr)
		pos = o->queue.at[0].pos;
	if (pos < o->discarded + DISCARD_BYTES)
		return;
	reader_discard(o->reader, pos);
	o->discarded = pos;
}

/*
 * The kernel tells of a loss ahead of the next record that it has room for, with a time that it reads behind that one's
 * (kernel/events/ring_buffer.c, __perf_output_begin()). What begins with that record is behind the loss.
 */
static void lower_loss(struct order *o, uint64_t time)
{
	if (o->is_behind_loss && o->queue.nr && vec_last(&o->queue)->time > time)
		vec_last(&o->queue)->time = time;
	o->is_behind_loss = false;
}

static void queue(struct order *o, const struct record *r, uint64_t time, uint32_t mark)
{
	vec_push(&o->queue, (struct order_entry){ time, r->pos, mark });
}

/* No mark is younger than who sent it. What is none is the last, and for the listener to complain of. */
static void queue_marks(struct order *o, const struct record *r)
{
	struct cursor c = cursor_of(r->sample.raw, r->sample.raw_len);
	struct socket_mark m;
	const uint8_t *bytes;
	uint32_t at = 0;

	while (socket_marks_next(&c, &m, &bytes)) {
		queue(o, r, m.ns < r->time ? m.ns : r->time, at);
		at = r->sample.raw_len - (uint32_t)cursor_left(&c);
	}
	if (c.failed || !at)
		queue(o, r, r->time, at);
}

/* The record of one mark only. */
static void cut_out_mark(struct record *r, const struct order_entry *entry)
{
	struct cursor c = cursor_of(r->sample.raw + entry->mark, r->sample.raw_len - entry->mark);
	struct socket_mark m;
	const uint8_t *bytes;

	r->sample.raw = c.at;
	r->sample.raw_len = (uint32_t)cursor_left(&c);
	if (!socket_marks_next(&c, &m, &bytes))
		return;
	r->sample.raw_len -= (uint32_t)cursor_left(&c);
	r->time = entry->time;
	r->pid = m.pid;
	r->tid = m.tid;
}

static void deliver_due(struct order *o, struct record *ret_record)
{
	const struct order_entry *entry = &o->due.at[o->next_due++];

	reader_at(o->reader, entry->pos, ret_record);
	ret_record->time = entry->time;
	if (socket_marks_are_in(ret_record))
		cut_out_mark(ret_record, entry);
	if (entry->time < o->delivered)
		o->nr_late++;
	else
		o->delivered = entry->time;
}

int order_next(struct order *o, struct record *ret_record, struct err *e)
{
	struct record r;

	while (o->next_due == o->due.nr) {
		if (o->is_at_end) {
			*e = o->end_err;
			return o->end_code;
		}
		o->end_code = reader_next(o->reader, &r, &o->end_err);
		if (o->end_code <= 0) {
			o->is_at_end = true;
			flush(o, UINT64_MAX);
		} else if (r.type == PERF_RECORD_FINISHED_ROUND) {
			discard(o, r.pos);
			flush(o, o->limit);
			o->is_behind_loss = false;
			o->limit = o->newest;
		} else if (!r.time) {
			*ret_record = r;
			return 1;
		} else {
			lower_loss(o, r.time);
			if (socket_marks_are_in(&r))
				queue_marks(o, &r);
			else
				queue(o, &r, r.time, 0);
			o->is_behind_loss = r.type == PERF_RECORD_LOST;
			o->newest = r.time > o->newest ? r.time : o->newest;
		}
	}
	deliver_due(o, ret_record);
	return 1;
}
