/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "recording/decode.h"
#include "recording/note.h"
#include "tests/sketch.h"

Suite *check_decode_suite(void);

static struct event_desc *add_event(struct events *ev, const struct perf_event_attr *attr)
{
	return events_add(ev, cursor_of(attr, sizeof(*attr)));
}

/* Decodes the record that the sketch holds at `at`, from memory that ends where the record does. */
static bool decode_at(const struct events *ev, const struct sketch *s, size_t at,
		      uint8_t **ret_bytes, struct record *r)
{
	struct perf_event_header header;

	memcpy(&header, s->bytes.s + at, sizeof(header));
	*ret_bytes = xmemdup(s->bytes.s + at, header.size);
	r->pos = at;
	return decode_record(ev, *ret_bytes, r);
}

/* ---- samples: every subset of the fields ---- */

static const uint64_t sample_bits[] = {
	PERF_SAMPLE_IDENTIFIER,	  PERF_SAMPLE_IP,	 PERF_SAMPLE_TID,	 PERF_SAMPLE_TIME,
	PERF_SAMPLE_ADDR,	  PERF_SAMPLE_ID,	 PERF_SAMPLE_STREAM_ID,	 PERF_SAMPLE_CPU,
	PERF_SAMPLE_PERIOD,	  PERF_SAMPLE_READ,	 PERF_SAMPLE_CALLCHAIN,	 PERF_SAMPLE_RAW,
	PERF_SAMPLE_BRANCH_STACK, PERF_SAMPLE_REGS_USER, PERF_SAMPLE_STACK_USER,
};

enum { NR_READ_FORMATS = 32, STACK_BYTES = 24, STACK_VALID = 16 };

/* perf_event_open(2), read_format: what a counter looks like inside of a sample. */
static void add_read(struct sketch *s, uint64_t format)
{
	unsigned int nr = format & PERF_FORMAT_GROUP ? 3 : 1, i;
	unsigned int times = (unsigned int)__builtin_popcountll(
		format & (PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING));

	if (format & PERF_FORMAT_GROUP)
		sketch_u64(s, nr);
	for (i = 0; i < times; i++)
		sketch_u64(s, 0xdead);
	for (i = 0; i < nr; i++) {
		sketch_u64(s, 0xdead);
		if (format & PERF_FORMAT_ID)
			sketch_u64(s, 0xdead);
		if (format & PERF_FORMAT_LOST)
			sketch_u64(s, 0xdead);
	}
}

static void add_sample(struct sketch *s, const struct perf_event_attr *attr)
{
	uint64_t type = attr->sample_type;
	unsigned int i;

	sketch_begin(s, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER);
	if (type & PERF_SAMPLE_IDENTIFIER)
		sketch_u64(s, 7);
	if (type & PERF_SAMPLE_IP)
		sketch_u64(s, 0x400123);
	if (type & PERF_SAMPLE_TID) {
		sketch_u32(s, 17);
		sketch_u32(s, 18);
	}
	if (type & PERF_SAMPLE_TIME)
		sketch_u64(s, 1234567);
	if (type & PERF_SAMPLE_ADDR)
		sketch_u64(s, 0xadd7);
	if (type & PERF_SAMPLE_ID)
		sketch_u64(s, 7);
	if (type & PERF_SAMPLE_STREAM_ID)
		sketch_u64(s, 8);
	if (type & PERF_SAMPLE_CPU) {
		sketch_u32(s, 3);
		sketch_u32(s, 0);
	}
	if (type & PERF_SAMPLE_PERIOD)
		sketch_u64(s, 1001);
	if (type & PERF_SAMPLE_READ)
		add_read(s, attr->read_format);
	if (type & PERF_SAMPLE_CALLCHAIN) {
		sketch_u64(s, 3);
		sketch_u64(s, PERF_CONTEXT_USER);
		sketch_u64(s, 0x400123);
		sketch_u64(s, 0x400456);
	}
	if (type & PERF_SAMPLE_RAW) {
		sketch_u32(s, 12);
		sketch_add(s, "raw bytes..", 12);
	}
	if (type & PERF_SAMPLE_BRANCH_STACK) {
		sketch_u64(s, 2);
		if (attr->branch_sample_type & PERF_SAMPLE_BRANCH_HW_INDEX)
			sketch_u64(s, 0xdead);
		for (i = 0; i < 6; i++)
			sketch_u64(s, 0xdead);
	}
	if (type & PERF_SAMPLE_REGS_USER) {
		sketch_u64(s, PERF_SAMPLE_REGS_ABI_64);
		for (i = 0; i < (unsigned int)__builtin_popcountll(attr->sample_regs_user); i++)
			sketch_u64(s, 0x1000 + i);
	}
	if (type & PERF_SAMPLE_STACK_USER) {
		sketch_u64(s, STACK_BYTES);
		sketch_add(s, "a stack of some length..", STACK_BYTES);
		sketch_u64(s, STACK_VALID);
	}
	sketch_end(s);
}

/* NULL: the record is what add_sample() wrote; else the field that is not. */
static const char *wrong_field(const struct record *r, const struct perf_event_attr *attr)
{
	uint64_t type = attr->sample_type;
	uint64_t reg;

	if (r->type != PERF_RECORD_SAMPLE || r->misc != PERF_RECORD_MISC_USER || !r->event)
		return "header";
	if (r->sample.ip != (type & PERF_SAMPLE_IP ? 0x400123 : 0))
		return "ip";
	if (r->pid != (type & PERF_SAMPLE_TID ? 17 : UINT32_MAX) ||
	    r->tid != (type & PERF_SAMPLE_TID ? 18 : UINT32_MAX))
		return "tid";
	if (r->time != (type & PERF_SAMPLE_TIME ? 1234567 : 0))
		return "time";
	if (r->sample.addr != (type & PERF_SAMPLE_ADDR ? 0xadd7 : 0))
		return "addr";
	if (r->cpu != (type & PERF_SAMPLE_CPU ? 3 : UINT32_MAX))
		return "cpu";
	if (r->sample.period != (type & PERF_SAMPLE_PERIOD ? 1001 : 1))
		return "period";
	if (r->sample.chain.nr != (type & PERF_SAMPLE_CALLCHAIN ? 3 : 0) ||
	    (r->sample.chain.nr && (callchain_at(&r->sample.chain, 0) != PERF_CONTEXT_USER ||
				    callchain_at(&r->sample.chain, 2) != 0x400456)))
		return "chain";
	if (type & PERF_SAMPLE_RAW
		    ? r->sample.raw_len != 12 || memcmp(r->sample.raw, "raw bytes..", 12)
		    : r->sample.raw_len || r->sample.raw)
		return "raw";
	if (!(type & PERF_SAMPLE_REGS_USER))
		return r->sample.nr_user_regs || r->sample.user_regs ? "regs" : NULL;
	if (r->sample.nr_user_regs != 3 || r->sample.user_regs_mask != attr->sample_regs_user ||
	    r->sample.user_regs_abi != PERF_SAMPLE_REGS_ABI_64)
		return "regs";
	memcpy(&reg, r->sample.user_regs + 16, sizeof(reg));
	return reg == 0x1002 ? NULL : "regs";
}

static const char *wrong_stack(const struct record *r, const struct perf_event_attr *attr)
{
	if (!(attr->sample_type & PERF_SAMPLE_STACK_USER))
		return r->sample.user_stack || r->sample.user_stack_len ? "stack" : NULL;
	return r->sample.user_stack_len != STACK_VALID ||
			       memcmp(r->sample.user_stack, "a stack of some ", STACK_VALID)
		       ? "stack"
		       : NULL;
}

static struct perf_event_attr attr_of_subset(uint32_t subset)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.freq = 1,
		.sample_freq = 99,
		.read_format = subset % NR_READ_FORMATS,
		.branch_sample_type = subset % 3 ? PERF_SAMPLE_BRANCH_HW_INDEX : 0,
		.sample_regs_user = 0x10101,
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(sample_bits); i++)
		if (subset >> i & 1)
			attr.sample_type |= sample_bits[i];
	/* What stands behind the fields that are read does not matter. */
	attr.sample_type |= subset % 5 ? 0 : PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC;
	return attr;
}

static void check_subset(uint32_t subset)
{
	struct perf_event_attr attr = attr_of_subset(subset);
	struct events ev = { 0 };
	struct sketch s = { 0 };
	const char *wrong = NULL;
	struct record r;
	uint8_t *bytes;

	add_event(&ev, &attr);
	add_sample(&s, &attr);
	if (!decode_at(&ev, &s, 0, &bytes, &r))
		wrong = "length";
	wrong = wrong ? wrong : wrong_field(&r, &attr);
	wrong = wrong ? wrong : wrong_stack(&r, &attr);
	if (wrong)
		ck_abort_msg("sample_type %#llx, read_format %#llx: %s",
			     (unsigned long long)attr.sample_type,
			     (unsigned long long)attr.read_format, wrong);
	free(bytes);
	sketch_release(&s);
	events_release(&ev);
}

/* 15 fields: a sixteenth of the subsets a test. */
START_TEST(every_subset_of_fields_is_read)
{
	uint32_t nr = 1U << ARRAY_LEN(sample_bits), i;

	for (i = nr / 16 * (uint32_t)_i; i < nr / 16 * (uint32_t)(_i + 1); i++)
		check_subset(i);
}
END_TEST

START_TEST(every_read_format_is_stepped_over)
{
	uint32_t all = (1U << ARRAY_LEN(sample_bits)) - 1;

	check_subset((all & ~(NR_READ_FORMATS - 1U)) | (uint32_t)_i);
}
END_TEST

/* A sample that ends early is refused, wherever it ends, and nothing behind it is read. */
START_TEST(short_samples_are_refused)
{
	struct perf_event_attr attr = attr_of_subset((1U << ARRAY_LEN(sample_bits)) - 1);
	struct events ev = { 0 };
	struct sketch s = { 0 };
	struct record r = { 0 };
	uint16_t size, whole;

	attr.sample_type &= ~(uint64_t)(PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC);
	add_event(&ev, &attr);
	add_sample(&s, &attr);
	whole = (uint16_t)s.bytes.len;
	for (size = sizeof(struct perf_event_header); size < whole; size++) {
		uint8_t *bytes;

		memcpy(s.bytes.s + 6, &size, sizeof(size));
		/* The last 8 bytes are the stack's length; what is less is too little. */
		ck_assert_msg(!decode_at(&ev, &s, 0, &bytes, &r), "%u of %u bytes were enough",
			      size, whole);
		free(bytes);
	}
	sketch_release(&s);
	events_release(&ev);
}
END_TEST

/* Lengths inside of a sample that no sample can have. */
static const struct {
	uint64_t type, words[4];
	size_t nr;
} impossible[] = {
	{ PERF_SAMPLE_CALLCHAIN, { UINT64_MAX }, 1 },
	{ PERF_SAMPLE_CALLCHAIN, { 1ULL << 61 }, 1 },
	{ PERF_SAMPLE_CALLCHAIN, { 2, 0x400000 }, 2 },
	{ PERF_SAMPLE_RAW, { 0xffffffff }, 1 },
	{ PERF_SAMPLE_RAW, { 13, 0 }, 2 },
	{ PERF_SAMPLE_BRANCH_STACK, { 0x0aaaaaaaaaaaaaabULL, 0, 0 }, 3 },
	{ PERF_SAMPLE_STACK_USER, { UINT64_MAX }, 1 },
	{ PERF_SAMPLE_STACK_USER, { 16, 0, 0 }, 3 },
	{ PERF_SAMPLE_READ, { UINT64_MAX }, 1 },
	{ PERF_SAMPLE_READ, { 1ULL << 60, 0 }, 2 },
	{ PERF_SAMPLE_REGS_USER, { PERF_SAMPLE_REGS_ABI_64, 1, 2 }, 3 },
};

START_TEST(impossible_lengths_are_refused)
{
	struct perf_event_attr attr = { .size = sizeof(attr),
					.sample_type = impossible[_i].type,
					.sample_regs_user = 7,
					.read_format = PERF_FORMAT_GROUP };
	struct events ev = { 0 };
	struct sketch s = { 0 };
	struct record r = { 0 };
	uint8_t *bytes;

	add_event(&ev, &attr);
	sketch_begin(&s, PERF_RECORD_SAMPLE, 0);
	sketch_add(&s, impossible[_i].words, 8 * impossible[_i].nr);
	sketch_end(&s);
	ck_assert(!decode_at(&ev, &s, 0, &bytes, &r));
	free(bytes);
	sketch_release(&s);
	events_release(&ev);
}
END_TEST

/*
 * Where a thread has no user registers (a kernel thread), none follow; nor an empty stack's length.
 */
START_TEST(absent_registers_and_stacks_take_no_room)
{
	struct perf_event_attr attr = { .size = sizeof(attr),
					.sample_type =
						PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
					.sample_regs_user = 7 };
	struct events ev = { 0 };
	struct sketch s = { 0 };
	struct record r = { 0 };
	uint8_t *bytes;

	add_event(&ev, &attr);
	sketch_begin(&s, PERF_RECORD_SAMPLE, 0);
	sketch_u64(&s, PERF_SAMPLE_REGS_ABI_NONE);
	sketch_u64(&s, 0);
	sketch_end(&s);
	ck_assert(decode_at(&ev, &s, 0, &bytes, &r));
	ck_assert_uint_eq(r.sample.nr_user_regs, 0);
	ck_assert_uint_eq(r.sample.user_stack_len, 0);
	free(bytes);
	sketch_release(&s);
	events_release(&ev);
}
END_TEST

START_TEST(period_is_the_events_where_the_sample_has_none)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .sample_period = 4000 };
	struct events ev = { 0 };
	struct sketch s = { 0 };
	struct record r = { 0 };
	uint8_t *bytes;

	add_event(&ev, &attr);
	sketch_begin(&s, PERF_RECORD_SAMPLE, 0);
	sketch_end(&s);
	ck_assert(decode_at(&ev, &s, 0, &bytes, &r));
	ck_assert_uint_eq(r.sample.period, 4000);
	free(bytes);
	sketch_release(&s);
	events_release(&ev);
}
END_TEST

/* ---- which event a record belongs to ---- */

static const struct {
	const char *name;
	uint64_t type;
	size_t sample_at; /* words before the id in a sample */
	size_t behind;	  /* words behind it in any other record */
	bool has_id;
} id_places[] = {
	{ "identifier", PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TIME, 0, 0, true },
	{ "identifier and id", PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_ID | PERF_SAMPLE_TID, 0, 0,
	  true },
	{ "id alone", PERF_SAMPLE_ID, 0, 0, true },
	{ "ip, tid, time", PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID, 3,
	  0, true },
	{ "all before",
	  PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_ID,
	  4, 0, true },
	{ "stream and cpu behind",
	  PERF_SAMPLE_ID | PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD, 0, 2,
	  true },
	{ "none", PERF_SAMPLE_IP | PERF_SAMPLE_TID, 0, 0, false },
};

/* Two events of one sample_type, and a record with this id where the type says that it stands. */
static const struct event_desc *event_for(uint64_t type, uint64_t id, bool is_sample, size_t before,
					  size_t behind)
{
	static struct event_desc copy;
	struct perf_event_attr attr = { .size = sizeof(attr),
					.sample_type = type,
					.sample_id_all = 1 };
	struct events ev = { 0 };
	struct sketch s = { 0 };
	struct record r = { 0 };
	uint8_t *bytes;
	size_t i;

	events_add_id(&ev, 100, add_event(&ev, &attr));
	events_add_id(&ev, 101, add_event(&ev, &attr));
	sketch_begin(&s, is_sample ? PERF_RECORD_SAMPLE : PERF_RECORD_THROTTLE, 0);
	for (i = 0; i < before; i++)
		sketch_u64(&s, 0);
	sketch_u64(&s, id);
	for (i = 0; i < behind; i++)
		sketch_u64(&s, 0);
	sketch_end(&s);
	ck_assert(decode_at(&ev, &s, 0, &bytes, &r));
	if (r.event)
		copy = (struct event_desc){ .index = r.event->index };
	free(bytes);
	sketch_release(&s);
	events_release(&ev);
	return r.event ? &copy : NULL;
}

START_TEST(event_is_found_by_the_id_in_a_sample)
{
	uint64_t type = id_places[_i].type;
	size_t before = id_places[_i].sample_at, id;

	for (id = 100; id <= 102; id++) {
		const struct event_desc *event = event_for(type, id, true, before, 8);

		if (id_places[_i].has_id && id == 102)
			ck_assert_ptr_null(event);
		else
			ck_assert_uint_eq(event->index, id_places[_i].has_id ? id - 100 : 0);
	}
}
END_TEST

START_TEST(event_is_found_by_the_id_behind_a_record)
{
	uint64_t type = id_places[_i].type;
	size_t id;

	for (id = 100; id <= 102; id++) {
		const struct event_desc *event =
			event_for(type, id, false, 8, id_places[_i].behind);

		if (id_places[_i].has_id && id == 102)
			ck_assert_ptr_null(event);
		else
			ck_assert_uint_eq(event->index, id_places[_i].has_id ? id - 100 : 0);
	}
}
END_TEST

START_TEST(record_too_short_for_an_id_has_no_event)
{
	struct perf_event_attr attr = { .size = sizeof(attr),
					.sample_type = PERF_SAMPLE_IDENTIFIER };
	struct events ev = { 0 };
	struct sketch s = { 0 };
	struct record r = { 0 };
	uint8_t *bytes;

	add_event(&ev, &attr);
	add_event(&ev, &attr);
	sketch_begin(&s, PERF_RECORD_SAMPLE, 0);
	sketch_end(&s);
	ck_assert(decode_at(&ev, &s, 0, &bytes, &r));
	ck_assert_ptr_null(r.event);
	ck_assert_uint_eq(r.pid, UINT32_MAX);
	free(bytes);
	sketch_release(&s);
	events_release(&ev);
}
END_TEST

/* ---- every other record ---- */

struct decoded {
	struct events ev;
	struct sketch s;
	struct record r;
	uint8_t *bytes;
};

static void setup(struct decoded *d)
{
	struct perf_event_attr attr = sketch_attr();

	*d = (struct decoded){ 0 };
	events_add_id(&d->ev, SKETCH_ID(0), add_event(&d->ev, &attr));
}

static void finish(struct decoded *d)
{
	sketch_id(&d->s, 21, 22, 987654, 5, SKETCH_ID(0));
	sketch_end(&d->s);
	ck_assert(decode_at(&d->ev, &d->s, 0, &d->bytes, &d->r));
}

static void release(struct decoded *d)
{
	free(d->bytes);
	sketch_release(&d->s);
	events_release(&d->ev);
}

/* Any subset of what sample_id_all puts there. */
START_TEST(sample_id_is_read_from_the_end)
{
	static const uint64_t bits[] = { PERF_SAMPLE_TID, PERF_SAMPLE_TIME,
					 PERF_SAMPLE_ID,  PERF_SAMPLE_STREAM_ID,
					 PERF_SAMPLE_CPU, PERF_SAMPLE_IDENTIFIER };
	struct perf_event_attr attr = { .size = sizeof(attr), .sample_id_all = 1 };
	struct decoded d = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(bits); i++)
		attr.sample_type |= _i >> i & 1 ? bits[i] : 0;
	add_event(&d.ev, &attr);
	sketch_begin(&d.s, PERF_RECORD_COMM, 0);
	sketch_u32(&d.s, 17);
	sketch_u32(&d.s, 18);
	sketch_str(&d.s, "name of 16 chars");
	sketch_pad(&d.s);
	if (attr.sample_type & PERF_SAMPLE_TID)
		sketch_u64(&d.s, 17 | 18ULL << 32);
	if (attr.sample_type & PERF_SAMPLE_TIME)
		sketch_u64(&d.s, 987654);
	if (attr.sample_type & PERF_SAMPLE_ID)
		sketch_u64(&d.s, 0xdead);
	if (attr.sample_type & PERF_SAMPLE_STREAM_ID)
		sketch_u64(&d.s, 0xdead);
	if (attr.sample_type & PERF_SAMPLE_CPU)
		sketch_u64(&d.s, 5);
	if (attr.sample_type & PERF_SAMPLE_IDENTIFIER)
		sketch_u64(&d.s, 0xdead);
	sketch_end(&d.s);
	ck_assert(decode_at(&d.ev, &d.s, 0, &d.bytes, &d.r));
	ck_assert_uint_eq(d.r.pid, 17);
	ck_assert_uint_eq(d.r.tid, 18);
	ck_assert_uint_eq(d.r.time, attr.sample_type & PERF_SAMPLE_TIME ? 987654 : 0);
	ck_assert_uint_eq(d.r.cpu, attr.sample_type & PERF_SAMPLE_CPU ? 5 : UINT32_MAX);
	ck_assert_str_eq(d.r.comm.name, "name of 16 chars");
	release(&d);
}
END_TEST

START_TEST(comm_names_a_thread)
{
	struct decoded d;

	setup(&d);
	sketch_begin(&d.s, PERF_RECORD_COMM, _i ? PERF_RECORD_MISC_COMM_EXEC : 0);
	sketch_u32(&d.s, 17);
	sketch_u32(&d.s, 18);
	sketch_str(&d.s, "worker");
	finish(&d);
	ck_assert_uint_eq(d.r.pid, 17);
	ck_assert_uint_eq(d.r.tid, 18);
	ck_assert_uint_eq(d.r.time, 987654);
	ck_assert_uint_eq(d.r.cpu, 5);
	ck_assert_str_eq(d.r.comm.name, "worker");
	ck_assert(d.r.comm.is_exec == (_i == 1));
	release(&d);
}
END_TEST

START_TEST(string_without_end_is_refused)
{
	struct decoded d;

	setup(&d);
	sketch_begin(&d.s, PERF_RECORD_COMM, 0);
	sketch_u32(&d.s, 17);
	sketch_u32(&d.s, 18);
	sketch_add(&d.s, "12345678", 8);
	sketch_id(&d.s, 17, 18, 1, 5, SKETCH_ID(0));
	sketch_end(&d.s);
	ck_assert(!decode_at(&d.ev, &d.s, 0, &d.bytes, &d.r));
	release(&d);
}
END_TEST

static const struct {
	uint32_t type;
	uint16_t misc;
	bool has_build_id, is_exec;
	uint8_t id_len, want_len;
} mmaps[] = {
	{ PERF_RECORD_MMAP, PERF_RECORD_MISC_USER, false, true, 0, 0 },
	{ PERF_RECORD_MMAP, PERF_RECORD_MISC_USER | PERF_RECORD_MISC_MMAP_DATA, false, false, 0,
	  0 },
	{ PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER, false, true, 0, 0 },
	{ PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER | PERF_RECORD_MISC_MMAP_DATA, false, false, 0,
	  0 },
	{ PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER | PERF_RECORD_MISC_MMAP_BUILD_ID, true, true, 20,
	  20 },
	{ PERF_RECORD_MMAP2, PERF_RECORD_MISC_KERNEL | PERF_RECORD_MISC_MMAP_BUILD_ID, true, true,
	  8, 8 },
	{ PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER | PERF_RECORD_MISC_MMAP_BUILD_ID, true, true,
	  255, 0 },
	/* The flag slipped through from another listener; the event asked for no build-ids. */
	{ PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER | PERF_RECORD_MISC_MMAP_BUILD_ID, false, true, 0,
	  0 },
};

START_TEST(mmap_says_what_is_where)
{
	bool is_mmap2 = mmaps[_i].type == PERF_RECORD_MMAP2;
	struct decoded d;

	setup(&d);
	d.ev.list.at[0]->attr.build_id = mmaps[_i].has_build_id;
	sketch_begin(&d.s, mmaps[_i].type, mmaps[_i].misc);
	sketch_u32(&d.s, 17);
	sketch_u32(&d.s, 18);
	sketch_u64(&d.s, 0x7f0000001000);
	sketch_u64(&d.s, 0x2000);
	sketch_u64(&d.s, 0x3000);
	if (mmaps[_i].has_build_id) {
		sketch_u32(&d.s, mmaps[_i].id_len);
		sketch_add(&d.s, "0123456789abcdefghij", 20);
	} else if (is_mmap2) {
		sketch_u32(&d.s, 8);
		sketch_u32(&d.s, 1);
		sketch_u64(&d.s, 4711);
		sketch_u64(&d.s, UINT32_MAX);	/* all that a kernel's generation has room for */
	}
	if (is_mmap2) {
		sketch_u32(&d.s, 5);
		sketch_u32(&d.s, 2);
	}
	sketch_str(&d.s, "/usr/lib/a library.so");
	finish(&d);
	ck_assert_uint_eq(d.r.pid, 17);
	ck_assert_uint_eq(d.r.mmap.start, 0x7f0000001000);
	ck_assert_uint_eq(d.r.mmap.len, 0x2000);
	ck_assert_uint_eq(d.r.mmap.off, 0x3000);
	ck_assert_uint_eq(d.r.mmap.prot, is_mmap2 ? 5 : 0);
	ck_assert_uint_eq(d.r.mmap.flags, is_mmap2 ? 2 : 0);
	if (!mmaps[_i].has_build_id)
		ck_assert_uint_eq(d.r.mmap.inode, is_mmap2 ? 4711 : 0);
	ck_assert_uint_eq(d.r.mmap.build_id.len, mmaps[_i].want_len);
	ck_assert_mem_eq(d.r.mmap.build_id.bytes, "0123456789abcdefghij", mmaps[_i].want_len);
	ck_assert_str_eq(d.r.mmap.path, "/usr/lib/a library.so");
	ck_assert(d.r.mmap.is_exec == mmaps[_i].is_exec);
	release(&d);
}
END_TEST

START_TEST(fork_and_exit_name_child_and_parent)
{
	struct decoded d;

	setup(&d);
	sketch_begin(&d.s, _i ? PERF_RECORD_EXIT : PERF_RECORD_FORK, 0);
	sketch_u32(&d.s, 31);
	sketch_u32(&d.s, 32);
	sketch_u32(&d.s, 33);
	sketch_u32(&d.s, 34);
	sketch_u64(&d.s, 555);
	finish(&d);
	ck_assert_uint_eq(d.r.pid, 31);
	ck_assert_uint_eq(d.r.task.ppid, 32);
	ck_assert_uint_eq(d.r.tid, 33);
	ck_assert_uint_eq(d.r.task.ptid, 34);
	ck_assert_uint_eq(d.r.time, 555);
	release(&d);
}
END_TEST

START_TEST(lost_counts)
{
	struct decoded d;

	setup(&d);
	sketch_begin(&d.s, _i ? PERF_RECORD_LOST_SAMPLES : PERF_RECORD_LOST, 0);
	if (!_i)
		sketch_u64(&d.s, SKETCH_ID(0));
	sketch_u64(&d.s, 12);
	finish(&d);
	ck_assert_uint_eq(d.r.lost.nr, 12);
	ck_assert_uint_eq(d.r.time, 987654);
	release(&d);
}
END_TEST

/* i: it goes. */
START_TEST(ksymbol_names_code_of_the_kernels)
{
	struct decoded d;

	setup(&d);
	sketch_begin(&d.s, PERF_RECORD_KSYMBOL, 0);
	sketch_u64(&d.s, 0xffffffffc0001000);
	sketch_u32(&d.s, 300);
	sketch_u32(&d.s, PERF_RECORD_KSYMBOL_TYPE_BPF | (uint32_t)_i << 16);
	sketch_str(&d.s, "bpf_prog_0123_hello");
	finish(&d);
	ck_assert_uint_eq(d.r.ksymbol.addr, 0xffffffffc0001000);
	ck_assert_uint_eq(d.r.ksymbol.len, 300);
	if (_i)
		ck_assert_ptr_null(d.r.ksymbol.name);
	else
		ck_assert_str_eq(d.r.ksymbol.name, "bpf_prog_0123_hello");
	ck_assert_uint_eq(d.r.time, 987654);
	release(&d);
}
END_TEST

static const struct {
	uint64_t update_type;
	uint32_t kind;
} updates[] = {
	{ NOTE_UPDATE_TYPE, NOTE_MARKER },
	{ NOTE_UPDATE_TYPE, 77 },
	{ EVENT_UPDATE_NAME, 0 },
	{ NOTE_UPDATE_TYPE + 1, 0 },
};

START_TEST(event_updates_of_ours_are_notes)
{
	struct decoded d;

	setup(&d);
	sketch_begin(&d.s, PERF_RECORD_EVENT_UPDATE, 0);
	sketch_u64(&d.s, updates[_i].update_type);
	sketch_u64(&d.s, 0);
	sketch_u32(&d.s, updates[_i].kind);
	sketch_u32(&d.s, 0);
	sketch_add(&d.s, "payload!", 8);
	sketch_end(&d.s);
	ck_assert(decode_at(&d.ev, &d.s, 0, &d.bytes, &d.r));
	ck_assert_uint_eq(d.r.note.kind, updates[_i].kind);
	if (updates[_i].kind) {
		ck_assert_uint_eq(cursor_left(&d.r.note.payload), 8);
		ck_assert_mem_eq(d.r.note.payload.at, "payload!", 8);
	}
	release(&d);
}
END_TEST

/* perf's own records carry no sample id, however short they are. */
START_TEST(records_of_perf_have_no_event)
{
	struct decoded d;

	setup(&d);
	sketch_begin(&d.s, PERF_RECORD_FINISHED_ROUND, 0);
	sketch_end(&d.s);
	ck_assert(decode_at(&d.ev, &d.s, 0, &d.bytes, &d.r));
	ck_assert_ptr_null(d.r.event);
	ck_assert_uint_eq(d.r.size, 8);
	release(&d);
}
END_TEST

/* ---- events ---- */

static const struct {
	uint32_t type;
	uint64_t config;
	const char *name;
	bool is_clock, is_bpf_output;
} named[] = {
	{ PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, "cycles", false, false },
	{ PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES, "ref-cycles", false, false },
	{ PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, "cpu-clock", true, false },
	{ PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, "task-clock", true, false },
	{ PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, "page-faults", false, false },
	{ PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT, "bpf-output", false, true },
	{ PERF_TYPE_HARDWARE, 99, "event-0:0x63", false, false },
	{ PERF_TYPE_RAW, 0x1a8, "event-4:0x1a8", false, false },
};

START_TEST(events_are_named_by_their_attributes)
{
	struct perf_event_attr attr = { .size = sizeof(attr),
					.type = named[_i].type,
					.config = named[_i].config };
	struct events ev = { 0 };
	struct event_desc *event = add_event(&ev, &attr);

	ck_assert_str_eq(event->name, named[_i].name);
	ck_assert(event->is_clock == named[_i].is_clock);
	ck_assert(event->is_bpf_output == named[_i].is_bpf_output);
	events_set_name(&ev, event, "mine");
	ck_assert_str_eq(event->name, "mine");
	events_release(&ev);
}
END_TEST

START_TEST(attributes_of_any_size_are_taken)
{
	uint8_t bytes[sizeof(struct perf_event_attr) + 64];
	struct perf_event_attr attr = sketch_attr();
	struct events ev = { 0 };
	struct event_desc *event;

	memset(bytes, 0xff, sizeof(bytes));
	memcpy(bytes, &attr, sizeof(attr));
	event = events_add(&ev, cursor_of(bytes, PERF_ATTR_SIZE_VER0));
	ck_assert_uint_eq(event->attr.sample_type, attr.sample_type);
	ck_assert_uint_eq(event->attr.sample_stack_user, 0);
	event = events_add(&ev, cursor_of(bytes, sizeof(bytes)));
	ck_assert_mem_eq(&event->attr, &attr, sizeof(attr));
	ck_assert_uint_eq(event->index, 1);
	events_release(&ev);
}
END_TEST

static TCase *samples_tcase(void)
{
	TCase *tc = tcase_create("samples");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, every_subset_of_fields_is_read, 0, 16);
	tcase_add_loop_test(tc, every_read_format_is_stepped_over, 0, NR_READ_FORMATS);
	tcase_add_test(tc, short_samples_are_refused);
	tcase_add_loop_test(tc, impossible_lengths_are_refused, 0, ARRAY_LEN(impossible));
	tcase_add_test(tc, absent_registers_and_stacks_take_no_room);
	tcase_add_test(tc, period_is_the_events_where_the_sample_has_none);
	return tc;
}

static TCase *events_tcase(void)
{
	TCase *tc = tcase_create("events");

	tcase_add_loop_test(tc, event_is_found_by_the_id_in_a_sample, 0, ARRAY_LEN(id_places));
	tcase_add_loop_test(tc, event_is_found_by_the_id_behind_a_record, 0, ARRAY_LEN(id_places));
	tcase_add_test(tc, record_too_short_for_an_id_has_no_event);
	tcase_add_loop_test(tc, events_are_named_by_their_attributes, 0, ARRAY_LEN(named));
	tcase_add_test(tc, attributes_of_any_size_are_taken);
	return tc;
}

static TCase *records_tcase(void)
{
	TCase *tc = tcase_create("records");

	tcase_add_loop_test(tc, sample_id_is_read_from_the_end, 0, 64);
	tcase_add_loop_test(tc, comm_names_a_thread, 0, 2);
	tcase_add_test(tc, string_without_end_is_refused);
	tcase_add_loop_test(tc, mmap_says_what_is_where, 0, ARRAY_LEN(mmaps));
	tcase_add_loop_test(tc, fork_and_exit_name_child_and_parent, 0, 2);
	tcase_add_loop_test(tc, lost_counts, 0, 2);
	tcase_add_loop_test(tc, ksymbol_names_code_of_the_kernels, 0, 2);
	tcase_add_loop_test(tc, event_updates_of_ours_are_notes, 0, ARRAY_LEN(updates));
	tcase_add_test(tc, records_of_perf_have_no_event);
	return tc;
}

Suite *check_decode_suite(void)
{
	Suite *s = suite_create("decode");

	suite_add_tcase(s, samples_tcase());
	suite_add_tcase(s, events_tcase());
	suite_add_tcase(s, records_tcase());
	return s;
}
