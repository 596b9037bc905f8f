/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "base/str.h"
#include "collector/merge.h"

Suite *check_merge_suite(void);

enum { RING_BYTES = 4096, MAX_RINGS = 4 };

/* Rings as the kernel fills them: samples with an identifier, an ip, a thread and a time. */
struct rig {
	struct events events;
	struct perf_event_mmap_page pages[MAX_RINGS];
	struct ring rings[MAX_RINGS];
	struct merge merge;
};

struct sample {
	struct perf_event_header header;
	uint64_t id, ip;
	uint32_t pid, tid;
	uint64_t time;
};

static void set_up(struct rig *rig, uint64_t first_position)
{
	const struct perf_event_attr attr = {
		.size = sizeof(attr),
		.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.sample_id_all = 1,
	};
	size_t i;

	*rig = (struct rig){ 0 };
	events_add(&rig->events, cursor_of(&attr, sizeof(attr)));
	for (i = 0; i < MAX_RINGS; i++) {
		rig->pages[i].data_head = rig->pages[i].data_tail = first_position;
		rig->rings[i] = (struct ring){ &rig->pages[i], xcalloc(1, RING_BYTES), RING_BYTES };
	}
}

static void tear_down(struct rig *rig)
{
	size_t i;

	for (i = 0; i < MAX_RINGS; i++)
		free(rig->rings[i].data);
	merge_release(&rig->merge);
	events_release(&rig->events);
}

static void put(struct rig *rig, size_t ring, uint64_t time, uint64_t ip)
{
	const struct sample s = {
		.header = { .type = PERF_RECORD_SAMPLE, .size = sizeof(s) }, .ip = ip, .time = time
	};
	struct ring *r = &rig->rings[ring];
	size_t i;

	for (i = 0; i < sizeof(s); i++)
		r->data[(r->page->data_head + i) % r->size] = ((const uint8_t *)&s)[i];
	r->page->data_head += sizeof(s);
}

static void merge(struct rig *rig, uint64_t until)
{
	size_t i;

	merge_begin(&rig->merge, &rig->events, until);
	for (i = 0; i < MAX_RINGS; i++)
		merge_add(&rig->merge, &rig->rings[i]);
	merge_sort(&rig->merge);
}

static uint64_t ip_of(const struct rig *rig, size_t i)
{
	struct sample s;

	memcpy(&s, rig->merge.records.at[i].record, sizeof(s));
	return s.ip;
}

/* A thread that runs on ring 0, moves to ring 1 and back: what it did comes in that order. */
START_TEST(rings_become_one_sequence)
{
	uint64_t position;

	/* Any place in the rings: some records wrap. */
	for (position = 0; position < RING_BYTES; position += 8) {
		struct rig rig;
		size_t i;

		set_up(&rig, position);
		for (i = 0; i < 60; i++)
			put(&rig, i / 20 % 2, 1000 + i, i);
		merge(&rig, UINT64_MAX);
		ck_assert_uint_eq(rig.merge.records.nr, 60);
		for (i = 0; i < 60; i++)
			ck_assert_uint_eq(ip_of(&rig, i), i);
		merge_end(&rig.merge);
		ck_assert_uint_eq(rig.pages[0].data_tail, rig.pages[0].data_head);
		ck_assert_uint_eq(rig.pages[1].data_tail, rig.pages[1].data_head);
		tear_down(&rig);
	}
}
END_TEST

START_TEST(what_is_too_young_waits)
{
	struct rig rig;

	set_up(&rig, 64);
	put(&rig, 0, 100, 1);
	put(&rig, 0, 300, 3);
	put(&rig, 1, 200, 2);
	put(&rig, 1, 400, 4);
	merge(&rig, 250);
	ck_assert_uint_eq(rig.merge.records.nr, 2);
	ck_assert_uint_eq(ip_of(&rig, 0), 1);
	ck_assert_uint_eq(ip_of(&rig, 1), 2);
	merge_end(&rig.merge);
	put(&rig, 1, 500, 5);
	merge(&rig, UINT64_MAX);
	ck_assert_uint_eq(rig.merge.records.nr, 3);
	ck_assert_uint_eq(ip_of(&rig, 0), 3);
	ck_assert_uint_eq(ip_of(&rig, 1), 4);
	ck_assert_uint_eq(ip_of(&rig, 2), 5);
	merge_end(&rig.merge);
	tear_down(&rig);
}
END_TEST

/* Before anything has left the rings it can be begun anew, with more or less. */
START_TEST(a_merge_can_begin_anew)
{
	struct rig rig;
	size_t i;

	/* Some records wrap. */
	set_up(&rig, RING_BYTES - 8);
	for (i = 0; i < 60; i++)
		put(&rig, 2, 1000 + i, i);
	merge(&rig, 1009);
	ck_assert_uint_eq(rig.merge.records.nr, 10);
	ck_assert_uint_eq(merge_waiting_pct(&rig.merge), 50 * sizeof(struct sample) * 100 / RING_BYTES);
	merge(&rig, 1049);
	ck_assert_uint_eq(rig.merge.records.nr, 50);
	for (i = 0; i < 50; i++)
		ck_assert_uint_eq(ip_of(&rig, i), i);
	ck_assert_uint_eq(merge_waiting_pct(&rig.merge), 10 * sizeof(struct sample) * 100 / RING_BYTES);
	ck_assert_uint_eq(merge_held_pct(&rig.merge), 60 * sizeof(struct sample) * 100 / RING_BYTES);
	merge_end(&rig.merge);
	merge(&rig, UINT64_MAX);
	ck_assert_uint_eq(rig.merge.records.nr, 10);
	ck_assert_uint_eq(merge_waiting_pct(&rig.merge), 0);
	merge_end(&rig.merge);
	tear_down(&rig);
}
END_TEST

/* An interrupt between another's clock and its place in the ring: a ring's own order is the true one. */
START_TEST(order_within_a_ring_stays)
{
	struct rig rig;

	set_up(&rig, 0);
	put(&rig, 0, 100, 1);
	put(&rig, 0, 99, 2);
	put(&rig, 0, 100, 3);
	put(&rig, 1, 100, 4);
	merge(&rig, UINT64_MAX);
	ck_assert_uint_eq(rig.merge.records.nr, 4);
	ck_assert_uint_eq(ip_of(&rig, 0), 1);
	ck_assert_uint_eq(ip_of(&rig, 1), 2);
	ck_assert_uint_eq(ip_of(&rig, 2), 3);
	ck_assert_uint_eq(ip_of(&rig, 3), 4);
	merge_end(&rig.merge);
	tear_down(&rig);
}
END_TEST

Suite *check_merge_suite(void)
{
	Suite *s = suite_create("merge");
	TCase *tc = tcase_create("merge");

	tcase_add_test(tc, rings_become_one_sequence);
	tcase_add_test(tc, what_is_too_young_waits);
	tcase_add_test(tc, a_merge_can_begin_anew);
	tcase_add_test(tc, order_within_a_ring_stays);
	suite_add_tcase(s, tc);
	return s;
}
