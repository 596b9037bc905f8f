/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "recording/feature.h"
#include "tests/sketch.h"

Suite *check_feature_suite(void);

struct parsed {
	struct features f;
	struct events ev;
	struct str bytes;
};

static void setup(struct parsed *p, size_t nr_events)
{
	struct perf_event_attr attr = sketch_attr();
	size_t i;

	*p = (struct parsed){ 0 };
	for (i = 0; i < nr_events; i++)
		events_add_id(&p->ev, SKETCH_ID(i),
			      events_add(&p->ev, cursor_of(&attr, sizeof(attr))));
}

static void release(struct parsed *p)
{
	features_release(&p->f);
	events_release(&p->ev);
	str_release(&p->bytes);
}

/* Parses the first len bytes from memory that ends there. */
static bool parse(struct parsed *p, unsigned int feature, size_t len)
{
	uint8_t *copy = xmemdup(p->bytes.s, len);
	bool is_good = feature_parse(&p->f, &p->ev, feature, cursor_of(copy, len));

	free(copy);
	return is_good;
}

static void add_u32(struct str *b, uint32_t v)
{
	str_add_bytes(b, &v, sizeof(v));
}

static void add_u64(struct str *b, uint64_t v)
{
	str_add_bytes(b, &v, sizeof(v));
}

static const struct {
	unsigned int feature;
	size_t field;
} texts[] = {
	{ FEATURE_HOSTNAME, offsetof(struct features, hostname) },
	{ FEATURE_OSRELEASE, offsetof(struct features, os_release) },
	{ FEATURE_ARCH, offsetof(struct features, arch) },
};

START_TEST(strings_are_read_without_their_padding)
{
	const char *got;
	struct parsed p;

	setup(&p, 1);
	sketch_feature_str(&p.bytes, "some text");
	ck_assert(parse(&p, texts[_i].feature, p.bytes.len));
	memcpy(&got, (const char *)&p.f + texts[_i].field, sizeof(got));
	ck_assert_str_eq(got, "some text");
	release(&p);
}
END_TEST

START_TEST(strings_need_no_nul)
{
	struct parsed p;

	setup(&p, 1);
	add_u32(&p.bytes, 3);
	str_add(&p.bytes, "abc");
	ck_assert(parse(&p, FEATURE_HOSTNAME, p.bytes.len));
	ck_assert_str_eq(p.f.hostname, "abc");
	release(&p);
}
END_TEST

START_TEST(the_wall_clock_is_a_moment_on_both)
{
	struct parsed p;

	setup(&p, 1);
	add_u32(&p.bytes, 1);
	add_u32(&p.bytes, CLOCK_MONOTONIC);
	add_u64(&p.bytes, 1700000000000000000);
	add_u64(&p.bytes, 5000);
	ck_assert(!parse(&p, FEATURE_CLOCK_DATA, p.bytes.len - 1));
	ck_assert_uint_eq(p.f.wall_ns, 0);
	ck_assert(parse(&p, FEATURE_CLOCK_DATA, p.bytes.len));
	ck_assert_uint_eq(p.f.wall_ns, 1700000000000000000);
	ck_assert_uint_eq(p.f.clock_ns, 5000);
	release(&p);
}
END_TEST

START_TEST(command_line_is_joined)
{
	struct parsed p;

	setup(&p, 1);
	add_u32(&p.bytes, 3);
	sketch_feature_str(&p.bytes, "perf");
	sketch_feature_str(&p.bytes, "record");
	sketch_feature_str(&p.bytes, "-a");
	ck_assert(parse(&p, FEATURE_CMDLINE, p.bytes.len));
	ck_assert_str_eq(p.f.cmdline, "perf record -a");
	release(&p);
}
END_TEST

static void add_event_desc(struct str *b, uint64_t id, const char *name)
{
	struct perf_event_attr attr = sketch_attr();

	str_add_bytes(b, &attr, sizeof(attr));
	add_u32(b, id ? 1 : 0);
	sketch_feature_str(b, name);
	if (id)
		add_u64(b, id);
}

/* By id where there are ids: the order may be another. */
START_TEST(events_get_their_names)
{
	struct parsed p;

	setup(&p, 3);
	add_u32(&p.bytes, 3);
	add_u32(&p.bytes, sizeof(struct perf_event_attr));
	add_event_desc(&p.bytes, SKETCH_ID(1), "second");
	add_event_desc(&p.bytes, SKETCH_ID(0), "first");
	add_event_desc(&p.bytes, 0, "third");
	ck_assert(parse(&p, FEATURE_EVENT_DESC, p.bytes.len));
	ck_assert_str_eq(p.ev.list.at[0]->name, "first");
	ck_assert_str_eq(p.ev.list.at[1]->name, "second");
	ck_assert_str_eq(p.ev.list.at[2]->name, "third");
	release(&p);
}
END_TEST

static const struct {
	uint16_t misc;
	uint8_t said, want;
	bool is_good;
} build_ids[] = {
	{ PERF_RECORD_MISC_USER, 0, 20, true },
	{ PERF_RECORD_MISC_USER, 8, 20, true },
	{ 1 << 15, 20, 20, true },
	{ 1 << 15, 8, 8, true },
	{ 1 << 15, 21, 0, false },
};

static void add_build_id(struct sketch *s, uint16_t misc, uint8_t said, const char *path)
{
	sketch_begin(s, PERF_RECORD_HEADER_BUILD_ID, misc);
	sketch_u32(s, UINT32_MAX);
	sketch_add(s, "0123456789abcdefghij", 20);
	sketch_u8(s, said);
	sketch_add(s, "\0\0\0", 3);
	sketch_str(s, path);
	sketch_end(s);
}

START_TEST(build_ids_are_20_bytes_or_as_long_as_said)
{
	struct sketch s = { 0 };
	struct parsed p;

	setup(&p, 1);
	add_build_id(&s, build_ids[_i].misc, build_ids[_i].said, "/usr/bin/x");
	add_build_id(&s, PERF_RECORD_MISC_USER, 0, "/usr/lib/y");
	str_add_bytes(&p.bytes, s.bytes.s, s.bytes.len);
	ck_assert(parse(&p, FEATURE_BUILD_ID, p.bytes.len) == build_ids[_i].is_good);
	ck_assert_uint_eq(p.f.build_ids.nr, build_ids[_i].is_good ? 2 : 0);
	if (build_ids[_i].is_good) {
		ck_assert_str_eq(p.f.build_ids.at[0].path, "/usr/bin/x");
		ck_assert_uint_eq(p.f.build_ids.at[0].id.len, build_ids[_i].want);
		ck_assert_mem_eq(p.f.build_ids.at[0].id.bytes, "0123456789abcdefghij",
				 build_ids[_i].want);
		ck_assert_str_eq(p.f.build_ids.at[1].path, "/usr/lib/y");
	}
	sketch_release(&s);
	release(&p);
}
END_TEST

static void make_section(struct str *b, unsigned int feature)
{
	struct sketch s = { 0 };

	switch (feature) {
	case FEATURE_CMDLINE:
		add_u32(b, 2);
		sketch_feature_str(b, "wperf");
		sketch_feature_str(b, "record");
		return;
	case FEATURE_EVENT_DESC:
		add_u32(b, 2);
		add_u32(b, sizeof(struct perf_event_attr));
		add_event_desc(b, SKETCH_ID(0), "first");
		add_event_desc(b, SKETCH_ID(1), "second");
		return;
	case FEATURE_BUILD_ID:
		add_build_id(&s, 0, 0, "/usr/bin/x");
		str_add_bytes(b, s.bytes.s, s.bytes.len);
		sketch_release(&s);
		return;
	default:
		sketch_feature_str(b, "text");
	}
}

static const unsigned int cut_features[] = {
	FEATURE_HOSTNAME, FEATURE_OSRELEASE,  FEATURE_ARCH,
	FEATURE_CMDLINE,  FEATURE_EVENT_DESC, FEATURE_BUILD_ID
};

START_TEST(cut_sections_are_refused)
{
	unsigned int feature = cut_features[_i];
	struct str whole = { 0 };
	size_t len;

	make_section(&whole, feature);
	for (len = 0; len <= whole.len; len++) {
		struct parsed p;

		setup(&p, 2);
		str_add_bytes(&p.bytes, whole.s, len);
		/* A table of build-ids has no count: none is a table too. */
		ck_assert_msg(parse(&p, feature, len) ==
				      (len == whole.len || (feature == FEATURE_BUILD_ID && !len)),
			      "feature %u, %zu of %zu bytes", feature, len, whole.len);
		release(&p);
	}
	str_release(&whole);
}
END_TEST

/* Counts that would keep a careless loop busy for a long time. */
START_TEST(impossible_counts_end_at_once)
{
	struct parsed p;

	setup(&p, 1);
	add_u32(&p.bytes, UINT32_MAX);
	add_u32(&p.bytes, _i ? 0 : UINT32_MAX);
	add_u32(&p.bytes, UINT32_MAX);
	ck_assert(!parse(&p, FEATURE_CMDLINE, p.bytes.len));
	ck_assert(!parse(&p, FEATURE_EVENT_DESC, p.bytes.len));
	release(&p);
}
END_TEST

START_TEST(other_sections_are_nobodys_business)
{
	struct parsed p;

	setup(&p, 1);
	str_add(&p.bytes, "x");
	ck_assert(parse(&p, FEATURE_CPUDESC, p.bytes.len));
	ck_assert(parse(&p, 255, p.bytes.len));
	release(&p);
}
END_TEST

Suite *check_feature_suite(void)
{
	Suite *s = suite_create("feature");
	TCase *tc = tcase_create("feature");

	tcase_add_loop_test(tc, strings_are_read_without_their_padding, 0, ARRAY_LEN(texts));
	tcase_add_test(tc, strings_need_no_nul);
	tcase_add_test(tc, the_wall_clock_is_a_moment_on_both);
	tcase_add_test(tc, command_line_is_joined);
	tcase_add_test(tc, events_get_their_names);
	tcase_add_loop_test(tc, build_ids_are_20_bytes_or_as_long_as_said, 0, ARRAY_LEN(build_ids));
	tcase_add_loop_test(tc, cut_sections_are_refused, 0, ARRAY_LEN(cut_features));
	tcase_add_loop_test(tc, impossible_counts_end_at_once, 0, 2);
	tcase_add_test(tc, other_sections_are_nobodys_business);
	suite_add_tcase(s, tc);
	return s;
}
