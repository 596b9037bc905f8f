/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <unistd.h>

#include "base/str.h"
#include "base/units.h"
#include "collector/cpus.h"

Suite *check_cpus_suite(void);

static const struct {
	const char *list, *want;
} lists[] = {
	{ "0\n", "0 " },
	{ "0-3\n", "0 1 2 3 " },
	{ "0-1,4,6-7\n", "0 1 4 6 7 " },
	{ "12-13", "12 13 " },
	{ "\n", "" },
	{ "", "" },
	{ "no list", "" },
	{ "3-1", "" },
};

START_TEST(lists_are_read)
{
	struct pids cpus = { 0 };
	struct str got = { 0 };

	cpus_parse(lists[_i].list, &cpus);
	vec_each(&cpus.at, cpu)
		str_addf(&got, "%u ", *cpu);
	ck_assert_str_eq(str_cstr(&got), lists[_i].want);
	str_release(&got);
	pids_release(&cpus);
}
END_TEST

static const struct {
	const char *begin, *end;
	size_t nr;
} changes[] = {
	{ "0-3", "0-3", 0 },
	{ "0-2", "0-3", 1 },
	{ "0,2", "0-3", 2 },
	/* One that went away leaves nobody unsampled. */
	{ "0-3", "0-1", 0 },
	{ "0-1", "0,2", 1 },
	{ "0", "1", 1 },
};

START_TEST(those_that_came_are_counted)
{
	struct pids begin = { 0 }, end = { 0 };

	cpus_parse(changes[_i].begin, &begin);
	cpus_parse(changes[_i].end, &end);
	ck_assert_uint_eq(cpus_nr_beside(&end, &begin), changes[_i].nr);
	pids_release(&begin);
	pids_release(&end);
}
END_TEST

START_TEST(this_machine_has_some)
{
	struct pids cpus = { 0 };

	cpus_online(&cpus);
	ck_assert_uint_ge(cpus.at.nr, 1);
	ck_assert_uint_le(cpus.at.nr, (size_t)sysconf(_SC_NPROCESSORS_CONF));
	pids_release(&cpus);
}
END_TEST

Suite *check_cpus_suite(void)
{
	Suite *suite = suite_create("cpus");
	TCase *tc = tcase_create("cpus");

	tcase_add_loop_test(tc, lists_are_read, 0, ARRAY_LEN(lists));
	tcase_add_loop_test(tc, those_that_came_are_counted, 0, ARRAY_LEN(changes));
	tcase_add_test(tc, this_machine_has_some);
	suite_add_tcase(suite, tc);
	return suite;
}
