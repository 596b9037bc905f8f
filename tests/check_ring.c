/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/vec.h"
#include "collector/ring.h"

Suite *check_ring_suite(void);

enum { DROPPED = PERF_RECORD_MMAP }; /* records of this type are left out */

/* What a scan tells, and what a copy of the ring's bytes would be. */
struct seen {
	struct str kept;
	struct str others; /* all records that were shown, kept or not */
	VEC(uint64_t) ids;
	bool has_half; /* a call of kept() that ended within a record */
};

static bool saw(void *ctx, const struct perf_event_header *record)
{
	struct seen *s = ctx;

	if (record->type == PERF_RECORD_SAMPLE) {
		uint64_t id;

		memcpy(&id, record + 1, sizeof(id));
		vec_push(&s->ids, id);
		return true;
	}
	str_add_bytes(&s->others, record, record->size);
	return record->type != DROPPED;
}

static void saw_kept(void *ctx, const struct iovec *parts, int nr_parts)
{
	struct seen *s = ctx;
	size_t at = s->kept.len;
	int i;

	for (i = 0; i < nr_parts; i++)
		str_add_bytes(&s->kept, parts[i].iov_base, parts[i].iov_len);
	while (at < s->kept.len && !s->has_half) {
		struct perf_event_header header = { 0 };

		if (s->kept.len - at >= sizeof(header))
			memcpy(&header, s->kept.s + at, sizeof(header));
		s->has_half = header.size < sizeof(header) || header.size > s->kept.len - at;
		at += header.size;
	}
}

static struct ring_visitor visitor_of(struct seen *s)
{
	return (struct ring_visitor){ s, saw, saw_kept };
}

static void release(struct seen *s)
{
	str_release(&s->kept);
	str_release(&s->others);
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
		struct str in = { 0 }, others = { 0 };
		uint8_t *ring;

		add_record(&in, PERF_RECORD_SAMPLE, 40, 0x1111);
		add_record(&others, PERF_RECORD_COMM, 64, 0x2222);
		str_add_bytes(&in, others.s, others.len);
		add_record(&in, PERF_RECORD_SAMPLE, 16, 0x3333);
		ring = ring_of(&in, SIZE, tail);
		ck_assert_uint_eq(ring_scan(ring, SIZE, tail, tail + in.len, &v), tail + in.len);
		ck_assert_uint_eq(seen.ids.nr, 2);
		ck_assert_uint_eq(seen.ids.at[0], 0x1111);
		ck_assert_uint_eq(seen.ids.at[1], 0x3333);
		ck_assert_uint_eq(seen.others.len, others.len);
		ck_assert_mem_eq(seen.others.s, others.s, others.len);
		ck_assert_uint_eq(seen.kept.len, in.len);
		ck_assert_mem_eq(seen.kept.s, in.s, in.len);
		free(ring);
		str_release(&in);
		str_release(&others);
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
	uint8_t *ring;

	add_record(&in, PERF_RECORD_SAMPLE, 24, 1);
	add_record(&in, PERF_RECORD_SAMPLE, 24, 2);
	add_record(&in, PERF_RECORD_SAMPLE, 24, 3);
	ring = ring_of(&in, SIZE, tail);
	ck_assert_uint_eq(ring_scan(ring, SIZE, tail, tail + in.len, &v), tail + in.len);
	ck_assert_uint_eq(seen.ids.nr, 3);
	ck_assert_uint_eq(seen.kept.len, in.len);
	ck_assert_mem_eq(seen.kept.s, in.s, in.len);
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
	uint8_t *ring;

	add_record(&in, PERF_RECORD_COMM, 64, 1);
	ring = ring_of(&in, SIZE, 24);
	ck_assert_uint_eq(ring_scan(ring, SIZE, 24, 24, &v), 24);
	ck_assert_uint_eq(seen.kept.len + seen.others.len, 0);
	ck_assert_uint_eq(ring_scan(ring, SIZE, 24, 24 + 64, &v), 24 + 64);
	ck_assert_uint_eq(seen.kept.len, 64);
	ck_assert_mem_eq(seen.kept.s, in.s, in.len);
	free(ring);
	str_release(&in);
	release(&seen);
}
END_TEST

/* k: kept, d: dropped, s: a sample. */
static const struct {
	const char *records;
	const char *kept;
} runs[] = {
	{ "", "" },    { "d", "" },	{ "dd", "" },	      { "k", "k" },    { "dk", "k" },
	{ "kd", "k" }, { "kdk", "kk" }, { "ddkddkdd", "kk" }, { "sds", "ss" }, { "skdskd", "sksk" },
};

START_TEST(dropped_runs_leave_no_trace)
{
	enum { SIZE = 512 };
	struct str in = { 0 }, want = { 0 };
	struct seen seen = { 0 };
	const struct ring_visitor v = visitor_of(&seen);
	const char *p;
	uint8_t *ring;

	for (p = runs[_i].records; *p; p++) {
		uint32_t type = *p == 'k'   ? PERF_RECORD_COMM
				: *p == 'd' ? DROPPED
					    : PERF_RECORD_SAMPLE;

		add_record(&in, type, 32, (uint64_t)(p - runs[_i].records));
		if (type != DROPPED)
			add_record(&want, type, 32, (uint64_t)(p - runs[_i].records));
	}
	ring = ring_of(&in, SIZE, 480);
	ck_assert_uint_eq(ring_scan(ring, SIZE, 480, 480 + in.len, &v), 480 + in.len);
	ck_assert_uint_eq(seen.kept.len, want.len);
	ck_assert_uint_eq(want.len, 32 * strlen(runs[_i].kept));
	if (want.len)
		ck_assert_mem_eq(seen.kept.s, want.s, want.len);
	free(ring);
	str_release(&in);
	str_release(&want);
	release(&seen);
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
		uint8_t *ring;

		add_record(&in, PERF_RECORD_SAMPLE, 24, 1);
		add_record(&in, PERF_RECORD_COMM, 24, 2);
		add_record(&in, PERF_RECORD_SAMPLE, 16, 3);
		memcpy(in.s + 24 + 6, &garbage[_i].size, 2);
		ring = ring_of(&in, SIZE, tail);
		ck_assert_uint_eq(ring_scan(ring, SIZE, tail, tail + in.len, &v), tail + 24);
		ck_assert_uint_eq(seen.ids.nr, garbage[_i].nr_whole);
		ck_assert_uint_eq(seen.kept.len, 24);
		ck_assert_mem_eq(seen.kept.s, in.s, 24);
		free(ring);
		str_release(&in);
		release(&seen);
	}
}
END_TEST

/* Many short runs, so that any of them is the one that wraps: none is handed on in halves. */
START_TEST(every_run_ends_with_a_record)
{
	enum { SIZE = 4096 };
	struct str in = { 0 };
	uint64_t tail, i;

	for (i = 0; i < SIZE / 48; i++) {
		add_record(&in, PERF_RECORD_SAMPLE, 32, i);
		add_record(&in, DROPPED, 16, i);
	}
	for (tail = 0; tail < SIZE; tail += 8) {
		uint8_t *ring = ring_of(&in, SIZE, tail);
		struct seen seen = { 0 };
		const struct ring_visitor v = visitor_of(&seen);

		ring_scan(ring, SIZE, tail, tail + in.len, &v);
		ck_assert_uint_eq(seen.kept.len, in.len / 48 * 32);
		ck_assert_msg(!seen.has_half, "tail %llu", (unsigned long long)tail);
		free(ring);
		release(&seen);
	}
	str_release(&in);
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

		ck_assert_uint_eq(ring_scan(ring, SIZE, 0, len, &v), len / 24 * 24);
		ck_assert_uint_eq(seen.ids.nr, len / 24);
		ck_assert_uint_eq(seen.kept.len, len / 24 * 24);
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

/* Any number of records of any size, any of them dropped, from any place on. */
static void check_random_ring(uint64_t seed)
{
	enum { SIZE = 4096 };
	struct str in = { 0 }, kept = { 0 }, others = { 0 };
	uint64_t state = seed, tail = next_random(&state) % 100000 * 8, nr_samples = 0, i;
	bool drops_much = next_random(&state) % 2;
	struct seen seen = { 0 };
	const struct ring_visitor v = visitor_of(&seen);
	uint8_t *ring;

	for (;;) {
		size_t size = 16 + 8 * (next_random(&state) % (next_random(&state) % 8 ? 6 : 40));
		uint64_t r = next_random(&state) % 8;
		uint32_t type = r < 3 ? PERF_RECORD_SAMPLE : r < 6 ? PERF_RECORD_COMM : DROPPED;

		if (drops_much)
			type = r % 2 ? DROPPED : PERF_RECORD_SAMPLE;
		if (in.len + size > SIZE)
			break;
		add_record(&in, type, size, in.len);
		if (type != DROPPED)
			add_record(&kept, type, size, in.len - size);
		if (type != PERF_RECORD_SAMPLE)
			add_record(&others, type, size, in.len - size);
		nr_samples += type == PERF_RECORD_SAMPLE;
	}
	ring = ring_of(&in, SIZE, tail);
	ck_assert_uint_eq(ring_scan(ring, SIZE, tail, tail + in.len, &v), tail + in.len);
	ck_assert_uint_eq(seen.ids.nr, nr_samples);
	for (i = 1; i < seen.ids.nr; i++)
		ck_assert_uint_lt(seen.ids.at[i - 1], seen.ids.at[i]);
	ck_assert_uint_eq(seen.kept.len, kept.len);
	ck_assert(!memcmp(str_cstr(&seen.kept), str_cstr(&kept), kept.len));
	ck_assert_uint_eq(seen.others.len, others.len);
	ck_assert(!memcmp(str_cstr(&seen.others), str_cstr(&others), others.len));
	ck_assert_msg(!seen.has_half, "seed %llu: a run ends within a record",
		      (unsigned long long)seed);
	free(ring);
	str_release(&in);
	str_release(&kept);
	str_release(&others);
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

START_TEST(drain_moves_the_tail)
{
	struct perf_event_mmap_page *page = xcalloc(1, sizeof(*page));
	struct seen seen = { 0 };
	const struct ring_visitor v = visitor_of(&seen);
	struct str in = { 0 };
	struct ring r;

	add_record(&in, PERF_RECORD_SAMPLE, 24, 1);
	add_record(&in, PERF_RECORD_COMM, 24, 1);
	if (_i) /* bytes that are no record are given up */
		str_add_bytes(&in, "\1\2\3\4\0\0\7\0garbage", 16);
	fill_ring(&r, page, &in, 128, 1000);
	ck_assert_uint_eq(ring_drain(&r, &v), in.len);
	ck_assert_uint_eq(page->data_tail, 1000 + in.len);
	ck_assert_uint_eq(seen.kept.len, 48);
	ck_assert_uint_eq(ring_drain(&r, &v), 0);
	ck_assert_uint_eq(seen.kept.len, 48);
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
	tcase_add_loop_test(tc, dropped_runs_leave_no_trace, 0, ARRAY_LEN(runs));
	tcase_add_loop_test(tc, scan_stops_where_the_bytes_are_no_records, 0, ARRAY_LEN(garbage));
	tcase_add_test(tc, every_run_ends_with_a_record);
	tcase_add_test(tc, half_a_record_waits);
	tcase_add_loop_test(tc, any_ring_is_as_the_model_says, 0, 10);
	tcase_add_loop_test(tc, drain_moves_the_tail, 0, 2);
	tcase_add_test(tc, unmapped_ring_is_released);
	suite_add_tcase(s, tc);
	return s;
}
