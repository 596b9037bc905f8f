/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build/check [SUITE...] runs these suites, or all of them; each test is a process of its own, and the
 * end-to-end scripts run beside the rest. Test cases that the host cannot run are left out and listed;
 * WPERF_FORBID_OMISSIONS=1 makes them failures. build/check --seeds DIR writes inputs for the fuzzers
 * instead, --chains FILE prints the stacks of a recording.
 *
 * To look for leaks takes longer than most tests, so under AddressSanitizer a suite is one process.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/units.h"
#include "tests/chains.h"
#include "tests/harness.h"
#include "tests/seeds.h"
#include "tests/suites.h"

/* As in suites.h. */
#define SUITES(X)                                                                                  \
	SUITES_EVERYWHERE(X)                                                                       \
	X(elf_names)                                                                               \
	X(file_sum)                                                                                \
	X(reader)                                                                                  \
	X(writer)                                                                                  \
	X(sink)                                                                                    \
	X(cfi)                                                                                     \
	X(unwind)                                                                                  \
	X(stack_walker)                                                                            \
	X(ring)                                                                                    \
	X(merge)                                                                                   \
	X(drain)                                                                                   \
	X(target)                                                                                  \
	X(cpus)                                                                                    \
	X(pace)                                                                                    \
	X(event)                                                                                   \
	X(build_id)                                                                                \
	X(root)                                                                                    \
	X(keep)                                                                                    \
	X(workload)                                                                                \
	X(maps)                                                                                    \
	X(operand)                                                                                 \
	X(signature)                                                                               \
	X(thunk)                                                                                   \
	X(spec)                                                                                    \
	X(usdt)                                                                                    \
	X(unkilled)                                                                                \
	X(image)                                                                                   \
	X(loader)                                                                                  \
	X(locate)                                                                                  \
	X(code_extent)                                                                             \
	X(exits)                                                                                   \
	X(call_share)                                                                              \
	X(call_jumps)                                                                              \
	X(retpoline)                                                                               \
	X(call_place)                                                                              \
	X(patched)                                                                                 \
	X(call_link)                                                                                \
	X(python_places)                                                                           \
	X(socket_requests)                                                                         \
	X(connection)                                                                              \
	X(socket_way)                                                                              \
	X(bpf_object)                                                                              \
	X(calls)                                                                                   \
	X(attribute)                                                                               \
	X(demangle)                                                                                \
	X(durations)                                                                               \
	X(dying)                                                                                   \
	X(list)                                                                                    \
	X(endpoint)                                                                                \
	X(http1_kinds)                                                                             \
	X(proxy_header)                                                                            \
	X(http1_line)                                                                              \
	X(http2_frames)                                                                            \
	X(gather)                                                                                  \
	X(live)                                                                                    \
	X(kernel_names)                                                                            \
	X(order)                                                                                   \
	X(pyformat)                                                                                \
	X(profile)                                                                                 \
	X(profile_dir)                                                                             \
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
	X(render_pstats)                                                                           \
	X(render_stacks)                                                                           \
	X(selection)                                                                               \
	X(session)                                                                                 \
	X(symbolizer)                                                                              \
	X(debug_path)                                                                              \
	X(inflate)                                                                                 \
	X(kallsyms)                                                                                \
	X(line_table)                                                                              \
	X(source_kernel)                                                                           \
	X(table)                                                                                   \
	X(fuzz_run)                                                                                \
	X(cmd_probes)                                                                              \
	X(cmd_record)                                                                              \
	X(cmd_report)                                                                              \
	X(golden)                                                                                  \
	X(e2e)                                                                                     \
	X(e2e_more)                                                                                \
	X(e2e_alone)

#define DECLARE(name) Suite *check_##name##_suite(void);
#define ENTRY(name)   { #name, check_##name##_suite },
SUITES(DECLARE)

static const struct {
	const char *name;
	Suite *(*make)(void);
} suites[] = { SUITES(ENTRY) };

/* "e2e" stands for all of the scripts. */
static bool is_meant(const char *name, const char *arg)
{
	return !strcmp(name, arg) || (!strcmp(arg, "e2e") && !strncmp(name, "e2e_", 4));
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (is_meant(name, argv[i]))
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

/* Where tests end their process, or it has to be one that nothing happened in. */
static bool needs_forks(const char *name)
{
	static const char *const names[] = { "writer", "sink",	      "stack_walker", "target",	    "root",
					     "keep",   "profile_dir", "debug_path",   "cmd_record", "cmd_report",
					     "workload", "cut_files" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

struct totals {
	int nr_run, nr_failures, nr_errors;
};

static void add_totals(struct totals *to, const struct totals *more)
{
	to->nr_run += more->nr_run;
	to->nr_failures += more->nr_failures;
	to->nr_errors += more->nr_errors;
}

/* What failed, one line each: FILE:LINE: test case: message. */
static void take_failures(SRunner *runner, struct totals *t)
{
	TestResult **failed = srunner_failures(runner);
	int i;

	for (i = 0; i < srunner_ntests_failed(runner); i++) {
		printf("%s:%d: %s: %s\n", tr_lfile(failed[i]), tr_lno(failed[i]),
		       tr_tcname(failed[i]), tr_msg(failed[i]));
		*(tr_rtype(failed[i]) == CK_ERROR ? &t->nr_errors : &t->nr_failures) += 1;
	}
	free(failed);
}

/* What waits for others most of the time runs beside the rest, but for those that have to be alone. */
enum lane { LANE_SUITES, LANE_SCRIPTS, LANE_MORE_SCRIPTS, LANE_COMMANDS, LANE_ALONE };

static const enum lane beside_suites[] = { LANE_SCRIPTS, LANE_MORE_SCRIPTS, LANE_COMMANDS };

static enum lane lane_of(const char *name)
{
	if (!strcmp(name, "e2e"))
		return LANE_SCRIPTS;
	if (!strcmp(name, "e2e_more"))
		return LANE_MORE_SCRIPTS;
	if (!strncmp(name, "cmd_", 4))
		return LANE_COMMANDS;
	return strcmp(name, "e2e_alone") ? LANE_SUITES : LANE_ALONE;
}

static struct totals run_here(SRunner *runner)
{
	struct totals t = { 0 };

	srunner_run_all(runner, CK_SILENT);
	take_failures(runner, &t);
	t.nr_run = srunner_ntests_run(runner);
	return t;
}

/* The totals of a process that writes them to its end of a pipe. One that ended without is an error. */
static struct totals totals_of(pid_t pid, int fd, const char *what)
{
	struct totals t = { .nr_run = 1, .nr_errors = 1 };
	int status = 0;

	if (read(fd, &t, sizeof(t)) != sizeof(t))
		printf("check: %s ended before its time\n", what);
	close(fd);
	waitpid(pid, &status, 0);
	if (status && t.nr_failures + t.nr_errors == 0) {
		printf("check: %s ended with status 0x%x\n", what, (unsigned int)status);
		t.nr_errors = 1;
	}
	return t;
}

/* Seconds: a suite that takes so long hangs. */
enum { SUITE_TIMEOUT_S = 600 };

/* Leaks are found where the process ends; they are its status. */
static struct totals run_in_one_process(SRunner *runner, const char *name)
{
	int totals[2];
	pid_t pid;

	fflush(stdout);
	if (pipe(totals))
		return (struct totals){ .nr_run = 1, .nr_errors = 1 };
	pid = fork();
	if (!pid) {
		struct totals t;

		alarm(SUITE_TIMEOUT_S);
		srunner_set_fork_status(runner, CK_NOFORK);
		t = run_here(runner);
		if (write(totals[1], &t, sizeof(t)) != sizeof(t))
			_exit(EXIT_FAILURE);
		exit(EXIT_SUCCESS);
	}
	close(totals[1]);
	return totals_of(pid, totals[0], name);
}

#ifdef __SANITIZE_ADDRESS__
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

static struct totals run_suites(int argc, char **argv, enum lane lane)
{
	struct totals all = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(suites); i++) {
		const char *name = suites[i].name;
		uint64_t begin_ns = monotonic_ns();
		struct totals t;
		SRunner *runner;

		if (lane_of(name) != lane || !is_wanted(name, argc, argv))
			continue;
		runner = srunner_create(suites[i].make());
		if (IS_SANITIZED && strncmp(name, "e2e", 3) && !needs_forks(name))
			t = run_in_one_process(runner, name);
		else
			t = run_here(runner);
		srunner_free(runner);
		printf("%4d  %-20s %5.1f s\n", t.nr_run, name, (double)(monotonic_ns() - begin_ns) / 1e9);
		fflush(stdout);
		add_totals(&all, &t);
	}
	return all;
}

/* In a process of its own, whose output waits in a file until the suites have ended. */
struct beside {
	pid_t pid;
	FILE *out;
	int totals_fd;
};

static bool run_beside(struct beside *b, int argc, char **argv, enum lane lane)
{
	int totals[2];

	b->out = tmpfile();
	if (!b->out || pipe(totals))
		return false;
	b->totals_fd = totals[0];
	fflush(stdout);
	b->pid = fork();
	if (!b->pid) {
		struct totals t;

		dup2(fileno(b->out), STDOUT_FILENO);
		t = run_suites(argc, argv, lane);
		harness_print_omissions();
		fflush(stdout);
		_exit(write(totals[1], &t, sizeof(t)) != sizeof(t));
	}
	close(totals[1]);
	return true;
}

static void copy_out(FILE *from)
{
	char piece[4096];
	size_t len;

	rewind(from);
	while ((len = fread(piece, 1, sizeof(piece), from)))
		fwrite(piece, 1, len, stdout);
}

static void wait_for(struct beside *b, struct totals *to)
{
	struct totals t = totals_of(b->pid, b->totals_fd, "what ran beside the suites");

	copy_out(b->out);
	fclose(b->out);
	add_totals(to, &t);
}

/* One summary of all, as libcheck would print it. */
static int print_totals(const struct totals *t)
{
	int nr_good = t->nr_run - t->nr_failures - t->nr_errors;

	printf("%d%%: Checks: %d, Failures: %d, Errors: %d\n", t->nr_run ? 100 * nr_good / t->nr_run : 100,
	       t->nr_run, t->nr_failures, t->nr_errors);
	return nr_good == t->nr_run ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_all(int argc, char **argv)
{
	struct beside beside[ARRAY_LEN(beside_suites)];
	struct totals t, alone;
	size_t i;

	for (i = 0; i < ARRAY_LEN(beside); i++)
		if (!run_beside(&beside[i], argc, argv, beside_suites[i])) {
			perror("check");
			return EXIT_FAILURE;
		}
	t = run_suites(argc, argv, LANE_SUITES);
	for (i = 0; i < ARRAY_LEN(beside); i++)
		wait_for(&beside[i], &t);
	alone = run_suites(argc, argv, LANE_ALONE);
	add_totals(&t, &alone);
	harness_print_omissions();
	return print_totals(&t);
}

int main(int argc, char **argv)
{
	int i, status;

	/* Under nohup(1) it is ignored, also by what the tests start. */
	signal(SIGHUP, SIG_DFL);
	if (argc == 3 && !strcmp(argv[1], "--seeds"))
		return seeds_write(argv[2]) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (argc == 3 && !strcmp(argv[1], "--chains"))
		return chains_print(argv[2], stdout);
	for (i = 1; i < argc; i++)
		if (!is_suite(argv[i])) {
			fprintf(stderr, "check: %s: no such suite\n", argv[i]);
			return EXIT_FAILURE;
		}
	/* libcheck's 4 seconds are a wall clock's: a busy machine passes them. $CK_DEFAULT_TIMEOUT still counts. */
	setenv("CK_DEFAULT_TIMEOUT", "30", 0);
	harness_init();
	status = run_all(argc, argv);
	harness_release();
	return status;
}
