/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "collector/event.h"

Suite *check_event_suite(void);

static const struct {
	const char *name;
	uint32_t type;
	uint64_t config;
	bool no_user, no_kernel;
	unsigned int precise;
} good[] = {
	{ "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false, false, 0 },
	{ "cpu-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false, false, 0 },
	{ "cycles:u", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false, true, 0 },
	{ "cycles:k", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, true, false, 0 },
	{ "cycles:uk", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false, false, 0 },
	{ "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, false, false, 0 },
	{ "cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, false, false, 0 },
	{ "task-clock:u", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, false, true, 0 },
	{ "page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, false, false, 0 },
	{ "cs", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, false, false, 0 },
	{ "alignment-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_ALIGNMENT_FAULTS, false, false, 0 },
	{ "emulation-faults:k", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_EMULATION_FAULTS, true, false,
	  0 },
	{ "cpu-clock:u", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, false, true, 0 },
	{ "cpu-clock:ppp", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, false, false, 0 },
	{ "task-clock:kH", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, true, false, 0 },
	{ "cycles:pp", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false, false, 2 },
	{ "cycles:upppp", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false, true, 3 },
	{ "rc0:p", PERF_TYPE_RAW, 0xc0, false, false, 1 },
	{ "r1a8", PERF_TYPE_RAW, 0x1a8, false, false, 0 },
	{ "rC0FFEE:u", PERF_TYPE_RAW, 0xc0ffee, false, true, 0 },
	/* libpfm4's own spelling */
	{ "perf::PERF_COUNT_SW_CPU_MIGRATIONS", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS,
	  false, false, 0 },
};

START_TEST(names_become_attributes)
{
	struct perf_event_attr attr = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(event_parse(good[_i].name, &attr, &e), 0);
	ck_assert_uint_eq(attr.type, good[_i].type);
	ck_assert_uint_eq(attr.config, good[_i].config);
	ck_assert_uint_eq(attr.exclude_user, good[_i].no_user);
	ck_assert_uint_eq(attr.exclude_kernel, good[_i].no_kernel);
	ck_assert_uint_eq(attr.precise_ip, good[_i].precise);
	ck_assert_uint_eq(attr.sample_type, 0);
	ck_assert_uint_eq(attr.disabled, 0);
}
END_TEST

static const struct {
	const char *name;
	const char *nearest; /* stands first in the remedy */
} bad[] = {
	{ "cpuclock", "The nearest: cpu-clock" },
	{ "CPU_CLOK", "The nearest: cpu-clock" },
	{ "cylces", "The nearest: cycles" },
	{ "instruction", "The nearest: instructions" },
	{ "page-fault", "The nearest: page-faults" },
	{ "cycles:q", "nearest: " },
	{ "r12xyz", "nearest: " },
	{ "r", "nearest: " },
	{ "", "nearest: " },
};

START_TEST(unknown_names_come_with_the_nearest)
{
	struct perf_event_attr attr = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(event_parse(bad[_i].name, &attr, &e), -ENOENT);
	ck_assert_msg(strstr(e.what, bad[_i].name) != NULL, "%s", e.what);
	ck_assert_msg(strstr(e.remedy, bad[_i].nearest) != NULL, "%s", e.remedy);
}
END_TEST

static const struct {
	const char *name;
	uint64_t period;
	int want;
} periods[] = {
	{ "cpu-clock", 9999, -EINVAL },	  { "cpu-clock", 10000, 0 },  { "task-clock:u", 1, -EINVAL },
	{ "task-clock", UINT64_MAX, 0 },  { "page-faults", 1, 0 },    { "cycles", 1, 0 },
};

START_TEST(clocks_have_a_shortest_period)
{
	struct perf_event_attr attr = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(event_parse(periods[_i].name, &attr, &e), 0);
	ck_assert_int_eq(event_check_period(&attr, periods[_i].period, &e), periods[_i].want);
	if (periods[_i].want)
		ck_assert_msg(strstr(e.remedy, "-c 10000") != NULL, "%s", e.remedy);
}
END_TEST

static const struct {
	const char *name, *why;
} refused[] = {
	{ "nonsense", "no event 'nonsense': not a name that libpfm4 or perf's list has" },
	{ "dummy", "it counts nothing" },
	{ "bpf-output:u", "it counts nothing" },
	{ "perf::PERF_COUNT_SW_DUMMY", "not a name" },
	{ "cpu/event=0x3c/", "terms of a PMU are not taken" },
	{ "sched:sched_switch", "tracepoints (of tracefs) cannot be sampled yet" },
	{ "cycles:G", "its modifiers are u, k, h, p, P and H" },
};

START_TEST(names_that_are_refused_say_why)
{
	struct perf_event_attr attr = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(event_parse(refused[_i].name, &attr, &e), -ENOENT);
	ck_assert_msg(strstr(e.what, refused[_i].why) != NULL, "%s", e.what);
}
END_TEST

START_TEST(highest_frequency_is_the_kernels)
{
	ck_assert_uint_gt(event_max_freq_hz(), 0);
}
END_TEST

START_TEST(default_is_cycles_or_the_clock)
{
	struct perf_event_attr attr = { 0 };
	const char *name = event_default(&attr);

	if (!strcmp(name, "cycles")) {
		ck_assert_uint_eq(attr.type, PERF_TYPE_HARDWARE);
		ck_assert_uint_eq(attr.config, PERF_COUNT_HW_CPU_CYCLES);
	} else {
		ck_assert_str_eq(name, "cpu-clock");
		ck_assert_uint_eq(attr.type, PERF_TYPE_SOFTWARE);
		ck_assert_uint_eq(attr.config, PERF_COUNT_SW_CPU_CLOCK);
	}
}
END_TEST

Suite *check_event_suite(void)
{
	Suite *s = suite_create("event");
	TCase *tc = tcase_create("event");

	tcase_add_loop_test(tc, names_become_attributes, 0, ARRAY_LEN(good));
	tcase_add_loop_test(tc, unknown_names_come_with_the_nearest, 0, ARRAY_LEN(bad));
	tcase_add_loop_test(tc, clocks_have_a_shortest_period, 0, ARRAY_LEN(periods));
	tcase_add_loop_test(tc, names_that_are_refused_say_why, 0, ARRAY_LEN(refused));
	tcase_add_test(tc, highest_frequency_is_the_kernels);
	tcase_add_test(tc, default_is_cycles_or_the_clock);
	suite_add_tcase(s, tc);
	return s;
}
