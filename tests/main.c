/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build/check [SUITE...] runs these suites, or all of them; each test is a process of its own. Test
 * cases that the host cannot run are left out and listed; WPERF_FORBID_OMISSIONS=1 makes them
 * failures. build/check --seeds DIR writes inputs for the fuzzers instead,
 * --chains FILE prints the stacks of a recording.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/chains.h"
#include "tests/harness.h"
#include "tests/seeds.h"

/* One line a suite, which check_NAME.c exports as check_NAME_suite(). */
#define SUITES(X)                                                                                  \
	X(str)                                                                                     \
	X(hash)                                                                                    \
	X(vec)                                                                                     \
	X(cursor)                                                                                  \
	X(arena)                                                                                   \
	X(units)                                                                                   \
	X(err)                                                                                     \
	X(nearest)                                                                                 \
	X(decode)                                                                                  \
	X(reader)                                                                                  \
	X(writer)                                                                                  \
	X(sink)                                                                                    \
	X(rule)                                                                                    \
	X(expression)                                                                              \
	X(cfi)                                                                                     \
	X(unwind)                                                                                  \
	X(stack_walker)                                                                            \
	X(note)                                                                                    \
	X(feature)                                                                                 \
	X(ring)                                                                                    \
	X(merge)                                                                                   \
	X(drain)                                                                                   \
	X(target)                                                                                  \
	X(event)                                                                                   \
	X(build_id)                                                                                \
	X(root)                                                                                    \
	X(keep)                                                                                    \
	X(workload)                                                                                \
	X(maps)                                                                                    \
	X(operand)                                                                                 \
	X(signature)                                                                               \
	X(spec)                                                                                    \
	X(usdt)                                                                                    \
	X(locate)                                                                                  \
	X(exits)	\
	X(socket_requests)                                                                         \
	X(attribute)                                                                               \
	X(demangle)                                                                                \
	X(durations)                                                                               \
	X(endpoint)                                                                                \
	X(http1_line)                                                                              \
	X(live)                                                                                    \
	X(kernel_names)                                                                            \
	X(order)                                                                                   \
	X(profile)                                                                                 \
	X(intake)                                                                                  \
	X(outstanding)                                                                             \
	X(prepared)                                                                                \
	X(protocol_fastcgi)                                                                        \
	X(protocol_http1)                                                                          \
	X(protocol_memcached)                                                                      \
	X(protocol_postgres)                                                                       \
	X(protocol_redis)                                                                          \
	X(turns)                                                                                   \
	X(render)                                                                                  \
	X(selection)                                                                               \
	X(session)                                                                                 \
	X(space)                                                                                   \
	X(symbolizer)                                                                              \
	X(inflate)                                                                                 \
	X(kallsyms)                                                                                \
	X(source_kernel)	\
	X(table)                                                                                   \
	X(cmd_probes)                                                                              \
	X(cmd_record)                                                                              \
	X(cmd_report)                                                                              \
	X(golden)                                                                                  \
	X(e2e)

#define DECLARE(name) Suite *check_##name##_suite(void);
#define ENTRY(name)   { #name, check_##name##_suite },
SUITES(DECLARE)

static const struct {
	const char *name;
	Suite *(*make)(void);
} suites[] = { SUITES(ENTRY) };

static bool is_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(name, argv[i]))
			return true;
	return argc == 1;
}

static bool is_suite(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(suites); i++)
		if (!strcmp(name, suites[i].name))
			return true;
	return false;
}

/* What failed, one line each: FILE:LINE: test case: message. */
static void print_failures(SRunner *runner)
{
	TestResult **failed = srunner_failures(runner);
	int i;

	for (i = 0; i < srunner_ntests_failed(runner); i++)
		printf("%s:%d: %s: %s\n", tr_lfile(failed[i]), tr_lno(failed[i]),
		       tr_tcname(failed[i]), tr_msg(failed[i]));
	free(failed);
}

static int run_suites(int argc, char **argv)
{
	SRunner *runner = srunner_create(NULL);
	int nr_before = 0, nr_failed;
	size_t i;

	for (i = 0; i < ARRAY_LEN(suites); i++) {
		if (!is_wanted(suites[i].name, argc, argv))
			continue;
		srunner_add_suite(runner, suites[i].make());
		srunner_run(runner, suites[i].name, NULL, CK_SILENT);
		printf("%4d  %s\n", srunner_ntests_run(runner) - nr_before, suites[i].name);
		fflush(stdout);
		nr_before = srunner_ntests_run(runner);
	}
	harness_print_omissions();
	print_failures(runner);
	srunner_print(runner, CK_MINIMAL);
	nr_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return nr_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	int i, status;

	if (argc == 3 && !strcmp(argv[1], "--seeds"))
		return seeds_write(argv[2]) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (argc == 3 && !strcmp(argv[1], "--chains"))
		return chains_print(argv[2], stdout);
	for (i = 1; i < argc; i++)
		if (!is_suite(argv[i])) {
			fprintf(stderr, "check: %s: no such suite\n", argv[i]);
			return EXIT_FAILURE;
		}
	harness_init();
	status = run_suites(argc, argv);
	harness_release();
	return status;
}
