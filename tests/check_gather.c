/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of requests once they have ended. Whose samples are whose is check_profile.c's. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "tests/report_rig.h"

Suite *check_gather_suite(void);

/* As many requests as there are, each of a path that no other has: the last is the slowest. */
static void setup(struct report_rig *f, size_t nr_requests, const char *path)
{
	uint64_t time = 1;
	size_t i;

	*f = (struct report_rig){ .options = { .by = BY_ENDPOINT } };
	log_set_level(LOG_QUIET);
	builder_init(&f->b, NULL);
	builder_marker(&f->b, 1, MARKER_HAS_LABEL, "handle");
	for (i = 1; i <= nr_requests; i++) {
		char label[32];

		snprintf(label, sizeof(label), "%s%zu", path, i);
		builder_begin(&f->b, time++, 10, 10, 1, label);
		if (i % 2)
			builder_sample(&f->b, time++, 10, 10, (uint64_t[]){ 0x1000 }, 1);
		builder_end(&f->b, time += 2 * i, 10, 10, 1);
		builder_round(&f->b);
	}
}

static const struct group *group_of(const struct report_rig *f, const char *path)
{
	vec_each(&f->p->groups, g)
		if (!strcmp(strings_text(&f->strings, g->path), path))
			return g;
	return NULL;
}

static const struct {
	enum group_by by;
	const char *slowest;
	size_t nr_groups;	/* with (outside), if anything was */
} sums[] = {
	{ BY_ENDPOINT, NULL, 1 },
	{ BY_STATUS, NULL, 1 },
	{ BY_THREAD, NULL, 1 },
	{ BY_NONE, NULL, 1 },
	{ BY_REQUEST, "3", 3 },
	{ BY_ENDPOINT, "3", 1 },
};

/* Labels go with their requests. */
START_TEST(memory_is_that_of_tables)
{
	static const size_t nr_requests[] = { 100, 1000 };
	size_t nr_strings[2], i;

	for (i = 0; i < 2; i++) {
		struct report_rig f;

		setup(&f, nr_requests[i], "/user/");
		f.options.by = sums[_i].by;
		f.selection_options.slowest = sums[_i].slowest;
		report_rig_run(&f);
		ck_assert_uint_eq(f.p->groups.nr, sums[_i].nr_groups);
		nr_strings[i] = f.strings.text.nr;
		report_rig_release(&f);
	}
	ck_assert_uint_eq(nr_strings[0], nr_strings[1]);
}
END_TEST

START_TEST(slowest_keep_their_names)
{
	struct report_rig f;

	setup(&f, 500, "/user/");
	f.options.by = BY_REQUEST;
	f.selection_options.slowest = "3";
	f.endpoints.keeps_raw = true;
	report_rig_run(&f);
	ck_assert_uint_eq(f.p->groups.nr, 3);
	ck_assert_uint_eq(f.p->tallies.nr_other, 0);
	ck_assert_uint_eq(f.p->tallies.nr_filtered, 249);
	vec_each(&f.p->groups, g) {
		char want[32];

		snprintf(want, sizeof(want), "/user/%" PRIu64, g->request_id);
		ck_assert_str_eq(strings_text(&f.strings, g->path), want);
		ck_assert_uint_ge(g->request_id, 498);
	}
	report_rig_release(&f);
}
END_TEST

/* The last request has no sample, and takes the place of one that has: nothing of that may be left in memory. */
START_TEST(slowest_without_samples_push_out)
{
	struct report_rig f;

	setup(&f, 1, "/sampled/");
	builder_begin(&f.b, 100, 10, 11, 1, "/a");
	builder_begin(&f.b, 110, 10, 10, 1, "/slow");
	builder_end(&f.b, 900, 10, 10, 1);
	builder_end(&f.b, 901, 10, 11, 1);
	builder_round(&f.b);
	f.options.by = BY_REQUEST;
	f.selection_options.slowest = "1";
	report_rig_run(&f);
	ck_assert_uint_eq(f.p->groups.nr, 1);
	ck_assert_str_eq(strings_text(&f.strings, f.p->groups.at[0].path), "/a");
	ck_assert_uint_eq(f.p->tallies.nr_filtered, 1);
	report_rig_release(&f);
}
END_TEST

START_TEST(endpoints_beyond_the_limit_are_one)
{
	const struct group *other;
	struct report_rig f;

	setup(&f, ENDPOINTS_MAX + 10, "/page-");
	report_rig_run(&f);
	ck_assert_uint_eq(f.p->groups.nr, ENDPOINTS_MAX + 1);
	ck_assert_ptr_nonnull(group_of(&f, "/page-1"));
	ck_assert_ptr_nonnull(group_of(&f, "/page-10000"));
	other = group_of(&f, "(other)");
	ck_assert_ptr_nonnull(other);
	ck_assert_uint_eq(other->nr_requests, 10);
	ck_assert_uint_eq(other->elapsed.nr, 10);
	ck_assert_uint_eq(other->nr_samples, 5);
	ck_assert_uint_eq(f.p->tallies.nr_other, 10);
	ck_assert_uint_eq(f.p->tallies.nr_in_requests, (ENDPOINTS_MAX + 10) / 2);
	report_rig_release(&f);
}
END_TEST

/* Who asks for each request gets them all. */
START_TEST(requests_have_no_limit)
{
	struct report_rig f;

	setup(&f, ENDPOINTS_MAX + 10, "/page-");
	f.options.by = BY_REQUEST;
	report_rig_run(&f);
	ck_assert_uint_eq(f.p->groups.nr, ENDPOINTS_MAX + 10);
	ck_assert_uint_eq(f.p->tallies.nr_other, 0);
	report_rig_release(&f);
}
END_TEST

static const struct {
	enum group_by by;
	uint32_t nr_finished, nr_statuses;	/* with a status, as the unfinished one beside them has */
} statuses[] = {
	{ BY_ENDPOINT, 1, 1 },
	{ BY_STATUS, 1, 1 },
	{ BY_NONE, 1, 1 },
	{ BY_ENDPOINT, 0, 0 },
	{ BY_REQUEST, 0, 1 },		/* its own */
};

/* An answer may have begun that does not end: its status is known then. */
START_TEST(statuses_add_up_to_the_finished_ones)
{
	struct selection_options all = { 0 };
	struct open_request open = { .request = { .id = 1, .status = 200 } };
	struct strings strings = { 0 };
	struct selection *selection;
	const struct group *g;
	struct gather gather;
	struct err e = { 0 };

	strings_id(&strings, "");
	ck_assert_int_eq(selection_new(&all, &selection, &e), 0);
	gather_init(&gather, statuses[_i].by, selection, &strings);
	if (statuses[_i].nr_finished)
		gather_request(&gather, &open);
	open.request.is_unfinished = true;
	gather_request(&gather, &open);
	ck_assert_uint_eq(gather.groups.nr, 1);
	g = &gather.groups.at[0].group;
	ck_assert_uint_eq(g->nr_requests, statuses[_i].nr_finished);
	ck_assert_uint_eq(g->nr_unfinished, 1);
	ck_assert_uint_eq(g->status.nr, statuses[_i].nr_statuses);
	if (g->status.nr) {
		ck_assert_uint_eq(g->status.at[0].status, 200);
		ck_assert_uint_eq(g->status.at[0].nr, 1);
	}
	gather_release(&gather);
	selection_free(selection);
	strings_release(&strings);
}
END_TEST

Suite *check_gather_suite(void)
{
	Suite *s = suite_create("gather");
	TCase *tc = tcase_create("gather");

	tcase_add_loop_test(tc, memory_is_that_of_tables, 0, ARRAY_LEN(sums));
	tcase_add_test(tc, slowest_keep_their_names);
	tcase_add_test(tc, slowest_without_samples_push_out);
	tcase_add_test(tc, endpoints_beyond_the_limit_are_one);
	tcase_add_test(tc, requests_have_no_limit);
	tcase_add_loop_test(tc, statuses_add_up_to_the_finished_ones, 0, ARRAY_LEN(statuses));
	suite_add_tcase(s, tc);
	return s;
}
