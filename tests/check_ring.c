/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/vec.h"
#include "collector/ring.h"

Suite *check_ring_suite(void);

enum { LEFT = PERF_RECORD_MMAP }; /* a record of this type is left in the ring */

/* What a scan tells. */
struct seen {
	struct str all;	/* the bytes of all records that were shown */
	VEC(uint64_t) ids;	/* of the samples among them */
};

/* A scan of its own: the arena is of no interest but to who reads wrapped records later. */
static uint64_t scan(const uint8_t *ring, uint64_t size, uint64_t tail, uint64_t head,
		     const struct ring_visitor *v, bool *ret_is_garbage)
{
	struct arena wrapped = { 0 };
	uint64_t until = ring_scan(ring, size, tail, head, &wrapped, v, ret_is_garbage);

	arena_release(&wrapped);
	return until;
}

static bool saw(void *ctx, const struct perf_event_header *record)
{
	struct seen *s = ctx;
	uint64_t id;

	if (record->type == LEFT)
		return false;
	str_add_bytes(&s->all, record, record->size);
	memcpy(&id, record + 1, sizeof(id));
	if (record->type == PERF_RECORD_SAMPLE)
		vec_push(&s->ids, id);
	return true;
}

static struct ring_visitor visitor_of(struct seen *s)
{
	return (struct ring_visitor){ s, saw };
}

static void release(struct seen *s)
{
	str_release(&s->all);
	vec_release(&s->ids);
}

/* The bytes, put into a ring of that size from tail on. */
static uint8_t *ring_of(const struct str *bytes, uint64_t size, uint64_t tail)
{
	uint8_t *ring = xcalloc(1, size);
	size_t i;

	ck_assert_uint_le(bytes->len, size);
	for (i = 0; i < bytes->len; i++)
		ring[(tail + i) % size] = (uint8_t)bytes->s[i];
	return ring;
}

/* A record of size bytes (a multiple of 8); the first word of a sample is its id. */
static void add_record(struct str *b, uint32_t type, size_t size, uint64_t first)
{
	struct perf_event_header header = { .type = type, .size = (uint16_t)size };
	size_t i;

	str_add_bytes(b, &header, sizeof(header));
	for (i = sizeof(header); i < size; i += 8) {
		uint64_t word = first + (i - sizeof(header)) * 0x0101;

		str_add_bytes(b, &word, sizeof(word));
	}
}

/* Every place in the ring: a record that wraps, and a header at the very edge, are among them. */
START_TEST(records_are_found_wherever_they_wrap)
{
	enum { SIZE = 256 };
	uint64_t tail;

	for (tail = 0; tail < 2 * SIZE; tail += 8) {
		struct seen seen = { 0 };
		const struct ring_visitor v = visitor_of(&seen);
		struct str in = { 0 };
		bool is_garbage;
		uint8_t *ring;

		add_record(&in, PERF_RECORD_SAMPLE, 40, 0x1111);
		add_record(&in, PERF_RECORD_COMM, 64, 0x2222);
		add_record(&in, PERF_RECORD_SAMPLE, 16, 0x3333);
		ring = ring_of(&in, SIZE, tail);
		ck_assert_uint_eq(scan(ring, SIZE, tail, tail + in.len, &v, &is_garbage), tail + in.len);
		ck_assert_uint_eq(seen.ids.nr, 2);
		ck_assert_uint_eq(seen.ids.at[0], 0x1111);
		ck_assert_uint_eq(seen.ids.at[1], 0x3333);
		ck_assert(!is_garbage);
		ck_assert_uint_eq(seen.all.len, in.len);
		ck_assert_mem_eq(seen.all.s, in.s, in.len);
		free(ring);
		str_release(&in);
		release(&seen);
	}
}
END_TEST

/* Positions count for ever: they may pass 2^64. */
START_TEST(positions_may_overflow)
{
	enum { SIZE = 128 };
	uint64_t tail = UINT64_MAX - 31;
	struct seen seen = { 0 };
	const struct ring_visitor v = visitor_of(&seen);
	struct str in = { 0 };
	bool is_garbage;
	uint8_t *ring;

	add_record(&in, PERF_RECORD_SAMPLE, 24, 1);
	add_record(&in, PERF_RECORD_SAMPLE, 24, 2);
	add_record(&in, PERF_RECORD_SAMPLE, 24, 3);
	ring = ring_of(&in, SIZE, tail);
	ck_assert_uint_eq(scan(ring, SIZE, tail, tail + in.len, &v, &is_garbage), tail + in.len);
	ck_assert_uint_eq(seen.ids.nr, 3);
	ck_assert_uint_eq(seen.all.len, in.len);
	ck_assert_mem_eq(seen.all.s, in.s, in.len);
	free(ring);
	str_release(&in);
	release(&seen);
}
END_TEST

START_TEST(full_and_empty_rings_are_different)
{
	enum { SIZE = 64 };
	struct seen seen = { 0 };
	const struct ring_visitor v = visitor_of(&seen);
	struct str in = { 0 };
	bool is_garbage;
	uint8_t *ring;

	add_record(&in, PERF_RECORD_COMM, 64, 1);
	ring = ring_of(&in, SIZE, 24);
	ck_assert_uint_eq(scan(ring, SIZE, 24, 24, &v, &is_garbage), 24);
	ck_assert_uint_eq(seen.all.len, 0);
	ck_assert_uint_eq(scan(ring, SIZE, 24, 24 + 64, &v, &is_garbage), 24 + 64);
	ck_assert_uint_eq(seen.all.len, 64);
	ck_assert_mem_eq(seen.all.s, in.s, in.len);
	free(ring);
	str_release(&in);
	release(&seen);
}
END_TEST

/* What the visitor does not take stays, and all that is behind it. */
START_TEST(scan_stops_where_the_visitor_does)
{
	enum { SIZE = 512 };
	uint64_t before;

	for (before = 0; before < 5; before++) {
		struct str in = { 0 };
		struct seen seen = { 0 };
		const struct ring_visitor v = visitor_of(&seen);
		bool is_garbage;
		uint8_t *ring;
		uint64_t i;

		for (i = 0; i < before; i++)
			add_record(&in, PERF_RECORD_SAMPLE, 32, i);
		add_record(&in, LEFT, 32, i);
		add_record(&in, PERF_RECORD_SAMPLE, 32, i + 1);
		ring = ring_of(&in, SIZE, 480);
		ck_assert_uint_eq(scan(ring, SIZE, 480, 480 + in.len, &v, &is_garbage), 480 + 32 * before);
		ck_assert(!is_garbage);
		ck_assert_uint_eq(seen.ids.nr, before);
		free(ring);
		str_release(&in);
		release(&seen);
	}
}
END_TEST

/* The header of the second of three records. */
static const struct {
	uint16_t size;
	size_t nr_whole; /* records found before it gives up */
} garbage[] = {
	{ 0, 1 }, { 4, 1 }, { 7, 1 }, { 12, 1 }, { 63, 1 }, { 72, 1 }, { 80, 1 }, { 65528, 1 },
};

START_TEST(scan_stops_where_the_bytes_are_no_records)
{
	enum { SIZE = 128 };
	uint64_t tail;

	for (tail = 0; tail < SIZE; tail += 8) {
		struct seen seen = { 0 };
		const struct ring_visitor v = visitor_of(&seen);
		struct str in = { 0 };
		bool is_garbage;
		uint8_t *ring;

		add_record(&in, PERF_RECORD_SAMPLE, 24, 1);
		add_record(&in, PERF_RECORD_COMM, 24, 2);
		add_record(&in, PERF_RECORD_SAMPLE, 16, 3);
		memcpy(in.s + 24 + 6, &garbage[_i].size, 2);
		ring = ring_of(&in, SIZE, tail);
		ck_assert_uint_eq(scan(ring, SIZE, tail, tail + in.len, &v, &is_garbage), tail + 24);
		ck_assert(is_garbage);
		ck_assert_uint_eq(seen.ids.nr, garbage[_i].nr_whole);
		ck_assert_uint_eq(seen.all.len, 24);
		ck_assert_mem_eq(seen.all.s, in.s, 24);
		free(ring);
		str_release(&in);
		release(&seen);
	}
}
END_TEST

/* Less than a header, or a record that is not whole yet. */
START_TEST(half_a_record_waits)
{
	enum { SIZE = 128 };
	struct str in = { 0 };
	uint64_t len;
	uint8_t *ring;

	add_record(&in, PERF_RECORD_SAMPLE, 24, 1);
	add_record(&in, PERF_RECORD_SAMPLE, 24, 2);
	ring = ring_of(&in, SIZE, 0);
	for (len = 0; len <= in.len; len++) {
		struct seen seen = { 0 };
		const struct ring_visitor v = visitor_of(&seen);
		bool is_garbage;

		ck_assert_uint_eq(scan(ring, SIZE, 0, len, &v, &is_garbage), len / 24 * 24);
		ck_assert_uint_eq(seen.ids.nr, len / 24);
		ck_assert_uint_eq(seen.all.len, len / 24 * 24);
		release(&seen);
	}
	free(ring);
	str_release(&in);
}
END_TEST

/* xorshift64: the same numbers on every machine. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Any number of records of any size, from any place on. */
static void check_random_ring(uint64_t seed)
{
	enum { SIZE = 4096 };
	struct str in = { 0 };
	uint64_t state = seed, tail = next_random(&state) % 100000 * 8, nr_samples = 0, i;
	struct seen seen = { 0 };
	const struct ring_visitor v = visitor_of(&seen);
	bool is_garbage;
	uint8_t *ring;

	for (;;) {
		size_t size = 16 + 8 * (next_random(&state) % (next_random(&state) % 8 ? 6 : 40));
		uint32_t type = next_random(&state) % 2 ? PERF_RECORD_SAMPLE : PERF_RECORD_COMM;

		if (in.len + size > SIZE)
			break;
		add_record(&in, type, size, in.len);
		nr_samples += type == PERF_RECORD_SAMPLE;
	}
	ring = ring_of(&in, SIZE, tail);
	ck_assert_uint_eq(scan(ring, SIZE, tail, tail + in.len, &v, &is_garbage), tail + in.len);
	ck_assert(!is_garbage);
	ck_assert_uint_eq(seen.ids.nr, nr_samples);
	for (i = 1; i < seen.ids.nr; i++)
		ck_assert_uint_lt(seen.ids.at[i - 1], seen.ids.at[i]);
	ck_assert_uint_eq(seen.all.len, in.len);
	ck_assert(!memcmp(str_cstr(&seen.all), str_cstr(&in), in.len));
	free(ring);
	str_release(&in);
	release(&seen);
}

START_TEST(any_ring_is_as_the_model_says)
{
	uint64_t i;

	for (i = 0; i < 100; i++)
		check_random_ring(0x9e3779b97f4a7c15ULL + 1000 * (uint64_t)_i + i);
}
END_TEST

static void fill_ring(struct ring *r, struct perf_event_mmap_page *page, const struct str *in,
		      uint64_t size, uint64_t tail)
{
	*page = (struct perf_event_mmap_page){ .data_head = tail + in->len, .data_tail = tail };
	*r = (struct ring){ .page = page, .data = ring_of(in, size, tail), .size = size };
}

START_TEST(what_was_consumed_is_not_read_again)
{
	struct perf_event_mmap_page *page = xcalloc(1, sizeof(*page));
	struct seen seen = { 0 };
	const struct ring_visitor v = visitor_of(&seen);
	struct arena wrapped = { 0 };
	struct str in = { 0 };
	struct ring r;
	uint64_t until;

	add_record(&in, PERF_RECORD_SAMPLE, 24, 1);
	add_record(&in, PERF_RECORD_COMM, 24, 1);
	if (_i) /* bytes that are no record are given up */
		str_add_bytes(&in, "\1\2\3\4\0\0\7\0garbage", 16);
	fill_ring(&r, page, &in, 128, 1000);
	until = ring_read(&r, &wrapped, &v);
	ck_assert_uint_eq(until, 1000 + in.len);
	ck_assert_uint_eq(page->data_tail, 1000);
	ring_consume(&r, until);
	ck_assert_uint_eq(page->data_tail, 1000 + in.len);
	ck_assert_uint_eq(seen.all.len, 48);
	ck_assert_uint_eq(ring_read(&r, &wrapped, &v), until);
	ck_assert_uint_eq(seen.all.len, 48);
	arena_release(&wrapped);
	free(r.data);
	free(page);
	str_release(&in);
	release(&seen);
}
END_TEST

START_TEST(unmapped_ring_is_released)
{
	struct ring r = { 0 };

	ring_unmap(&r);
	ck_assert_int_lt(ring_map(&r, -1, 1), 0);
	ck_assert_ptr_null(r.page);
	ring_unmap(&r);
}
END_TEST

Suite *check_ring_suite(void)
{
	Suite *s = suite_create("ring");
	TCase *tc = tcase_create("ring");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, records_are_found_wherever_they_wrap);
	tcase_add_test(tc, positions_may_overflow);
	tcase_add_test(tc, full_and_empty_rings_are_different);
	tcase_add_test(tc, scan_stops_where_the_visitor_does);
	tcase_add_loop_test(tc, scan_stops_where_the_bytes_are_no_records, 0, ARRAY_LEN(garbage));
	tcase_add_test(tc, half_a_record_waits);
	tcase_add_loop_test(tc, any_ring_is_as_the_model_says, 0, 10);
	tcase_add_loop_test(tc, what_was_consumed_is_not_read_again, 0, 2);
	tcase_add_test(tc, unmapped_ring_is_released);
	suite_add_tcase(s, tc);
	return s;
}
