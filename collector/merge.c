/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/merge.h"

void merge_begin(struct merge *m, const struct events *events, uint64_t until_ns)
{
	m->events = events;
	m->until_ns = until_ns;
	m->records.nr = 0;
	m->rings.nr = 0;
	arena_release(&m->wrapped);
}

/* A record that tells no time is as old as the one before it. */
static bool take(void *ctx, const struct perf_event_header *record)
{
	struct merge *m = ctx;
	struct record r = { 0 };

	if (decode_record(m->events, (const uint8_t *)record, &r) && r.time > m->until_ns)
		return false;
	if (r.time > m->last_ns)
		m->last_ns = r.time;
	vec_push(&m->records, (struct merged){ m->last_ns, (uint32_t)m->records.nr, record });
	return true;
}

void merge_add(struct merge *m, struct ring *ring)
{
	const struct ring_visitor visitor = { m, take };

	m->last_ns = 0;
	vec_push(&m->rings, (struct merged_ring){ ring, ring_read(ring, &m->wrapped, &visitor) });
}

static unsigned int pct_from(const struct ring *r, uint64_t from)
{
	return (unsigned int)(ring_len(r, from) * 100 / r->size);
}

unsigned int merge_waiting_pct(const struct merge *m)
{
	unsigned int most = 0, pct;

	vec_each(&m->rings, r)
		if ((pct = pct_from(r->ring, r->until)) > most)
			most = pct;
	return most;
}

unsigned int merge_held_pct(const struct merge *m)
{
	unsigned int most = 0, pct;

	vec_each(&m->rings, r)
		if ((pct = pct_from(r->ring, r->ring->page->data_tail)) > most)
			most = pct;
	return most;
}

static int by_time(const void *left, const void *right)
{
	const struct merged *a = left, *b = right;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

void merge_sort(struct merge *m)
{
	if (m->records.nr && m->rings.nr > 1)
		qsort(m->records.at, m->records.nr, sizeof(m->records.at[0]), by_time);
}

void merge_end(struct merge *m)
{
	vec_each(&m->rings, r)
		ring_consume(r->ring, r->until);
	m->records.nr = 0;
	m->rings.nr = 0;
	arena_release(&m->wrapped);
}

void merge_release(struct merge *m)
{
	vec_release(&m->records);
	vec_release(&m->rings);
	arena_release(&m->wrapped);
}
