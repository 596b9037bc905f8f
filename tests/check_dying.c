/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "report/dying.h"

Suite *check_dying_suite(void);

#define NOBODY UINT32_MAX

static const struct {
	const char *what;
	struct record records[4];
	uint32_t want_tid;	/* NOBODY: it is not told */
} cases[] = {
	{ "the last end on that CPU",
	  { { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 11, .cpu = 1, .time = 100 },
	    { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 12, .cpu = 0, .time = 101 } },
	  11 },
	{ "of two there the later",
	  { { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 11, .cpu = 1, .time = 100 },
	    { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 12, .cpu = 1, .time = 101 } },
	  12 },
	{ "more than one sample",
	  { { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 11, .cpu = 1, .time = 100 },
	    { .type = PERF_RECORD_SAMPLE, .pid = 10, .tid = NOBODY, .cpu = 1, .time = 101 } },
	  11 },
	{ "a mark of its own, by an interrupt",
	  { { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 11, .cpu = 1, .time = 100 },
	    { .type = PERF_RECORD_SAMPLE, .pid = 10, .tid = 11, .cpu = 1, .time = 101 } },
	  11 },
	{ "what others do elsewhere",
	  { { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 11, .cpu = 1, .time = 100 },
	    { .type = PERF_RECORD_SAMPLE, .pid = 10, .tid = 10, .cpu = 0, .time = 101 },
	    { .type = PERF_RECORD_KSYMBOL, .pid = 10, .tid = 10, .cpu = 1, .time = 101 } },
	  11 },
	{ "a sample of another one since",
	  { { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 11, .cpu = 1, .time = 100 },
	    { .type = PERF_RECORD_SAMPLE, .pid = 10, .tid = 10, .cpu = 1, .time = 101 } },
	  NOBODY },
	{ "another one made a thread since",
	  { { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 11, .cpu = 1, .time = 100 },
	    { .type = PERF_RECORD_FORK, .pid = 10, .tid = 13, .cpu = 1, .time = 101 } },
	  NOBODY },
	{ "an end in another process",
	  { { .type = PERF_RECORD_EXIT, .pid = 20, .tid = 21, .cpu = 1, .time = 100 } },
	  NOBODY },
	{ "no end", { { 0 } }, NOBODY },
	{ "ends that may be lost",
	  { { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 11, .cpu = 1, .time = 100 },
	    { .type = PERF_RECORD_LOST, .cpu = 0, .time = 101 } },
	  NOBODY },
	{ "an end without CPU",
	  { { .type = PERF_RECORD_EXIT, .pid = 10, .tid = 11, .cpu = UINT32_MAX, .time = 100 } },
	  NOBODY },
};

static void take(struct dying *d, const struct record *records)
{
	size_t i;

	*d = (struct dying){ 0 };
	for (i = 0; i < 4 && records[i].type; i++)
		dying_record(d, &records[i]);
}

START_TEST(who_ended_there_last_is_told)
{
	struct record sample = { .type = PERF_RECORD_SAMPLE, .pid = 10, .tid = NOBODY, .cpu = 1, .time = 200 };
	uint32_t pid = 0, tid = NOBODY;
	struct dying d;
	bool is_told;

	take(&d, cases[_i].records);
	is_told = dying_find(&d, &sample, &pid, &tid);
	ck_assert_msg(is_told == (cases[_i].want_tid != NOBODY), "%s", cases[_i].what);
	ck_assert_msg(tid == cases[_i].want_tid, "%s: %u", cases[_i].what, tid);
	ck_assert_uint_eq(pid, is_told ? 10 : 0);
	dying_release(&d);
}
END_TEST

/* A process that ended as a whole has no number either. */
START_TEST(process_is_told_for_a_while)
{
	static const struct {
		uint64_t time;
		uint32_t cpu;
		bool is_told;
	} samples[] = { { 200, 1, true }, { 9000000, 1, true }, { 11000000, 1, false }, { 200, 0, false },
			{ 200, 7, false }, { 200, UINT32_MAX, false } };
	uint32_t pid = 0, tid = 0;
	struct dying d;
	size_t i;

	take(&d, cases[0].records);
	d.by_cpu.at[0].ns = 0;
	for (i = 0; i < ARRAY_LEN(samples); i++) {
		struct record r = { .type = PERF_RECORD_SAMPLE, .pid = NOBODY, .tid = NOBODY,
				    .cpu = samples[i].cpu, .time = samples[i].time };

		ck_assert_int_eq(dying_find(&d, &r, &pid, &tid), samples[i].is_told);
	}
	ck_assert_uint_eq(pid, 10);
	ck_assert_uint_eq(tid, 11);
	dying_release(&d);
}
END_TEST

Suite *check_dying_suite(void)
{
	Suite *s = suite_create("dying");
	TCase *tc = tcase_create("dying");

	tcase_add_loop_test(tc, who_ended_there_last_is_told, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, process_is_told_for_a_while);
	suite_add_tcase(s, tc);
	return s;
}
