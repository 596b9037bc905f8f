/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "collector/workload.h"
#include "tests/harness.h"

Suite *check_workload_suite(void);

static bool has_ended(void *w)
{
	return workload_has_ended(w);
}

static const struct {
	const char *line;
	int want;
} endings[] = {
	{ "true", 0 },
	{ "exit 1", 1 },
	{ "exit 77", 77 },
	{ "exit 255", 255 },
	{ "kill -TERM $$", 128 + SIGTERM },
	{ "kill -KILL $$", 128 + SIGKILL },
	{ "kill -PIPE $$", 128 + SIGPIPE },
	{ "kill -HUP $$", 128 + SIGHUP },
};

/* Signals that we ignore or block are the command's again. */
START_TEST(exit_status_is_as_a_shell_has_it)
{
	char *argv[] = { "sh", "-c", (char *)endings[_i].line, NULL };
	struct signals signals;
	struct workload w = { .signals = &signals };
	struct err e;

	signals_open(&signals);
	ck_assert_int_eq(workload_prepare(&w, argv, &e), 0);
	ck_assert_int_eq(workload_exit_status(&w), 0);
	ck_assert_int_eq(workload_start(&w, argv, &e), 0);
	ck_assert(harness_wait_until(has_ended, &w));
	ck_assert(workload_has_ended(&w));
	ck_assert_int_eq(workload_exit_status(&w), endings[_i].want);
	workload_release(&w);
	signals_release(&signals);
}
END_TEST

/* A parent that ignores SIGCHLD hands that down, and then no child's status is kept. */
START_TEST(end_is_seen_though_children_were_ignored)
{
	char *argv[] = { "sh", "-c", "exit 77", NULL };
	struct signals signals;
	struct workload w = { .signals = &signals };
	struct err e;

	signal(SIGCHLD, SIG_IGN);
	signals_open(&signals);
	ck_assert_int_eq(workload_prepare(&w, argv, &e), 0);
	ck_assert_int_eq(workload_start(&w, argv, &e), 0);
	ck_assert(harness_wait_until(has_ended, &w));
	ck_assert_int_eq(workload_exit_status(&w), 77);
	workload_release(&w);
	signals_release(&signals);
}
END_TEST

START_TEST(end_is_seen_though_its_status_is_lost)
{
	char *argv[] = { "true", NULL };
	struct workload w = { 0 };
	struct err e;

	ck_assert_int_eq(workload_prepare(&w, argv, &e), 0);
	ck_assert_int_eq(workload_start(&w, argv, &e), 0);
	ck_assert_int_eq(harness_wait((pid_t)w.pid), 0);
	ck_assert(workload_has_ended(&w));
	workload_release(&w);
}
END_TEST

/* Until the release /proc knows it: whose it was is asked behind its end. */
START_TEST(what_has_ended_is_there_until_the_release)
{
	char *argv[] = { "true", NULL };
	struct workload w = { 0 };
	struct err e;
	char *path;

	ck_assert_int_eq(workload_prepare(&w, argv, &e), 0);
	path = xasprintf("/proc/%u", w.pid);
	ck_assert_int_eq(workload_start(&w, argv, &e), 0);
	ck_assert(harness_wait_until(has_ended, &w));
	ck_assert_int_eq(access(path, F_OK), 0);
	workload_release(&w);
	ck_assert_int_ne(access(path, F_OK), 0);
	free(path);
}
END_TEST

/* The lines of what are blocked and ignored. */
static void read_signals(const char *path, char *ret, size_t size)
{
	FILE *f = fopen(path, "r");
	char line[256];

	ck_assert_ptr_nonnull(f);
	for (*ret = '\0'; fgets(line, sizeof(line), f);)
		if (str_starts(line, "SigBlk") || str_starts(line, "SigIgn"))
			strncat(ret, line, size - strlen(ret) - 1);
	fclose(f);
}

/* As it would have them without us: a service's manager may have SIGPIPE ignored for what it starts. */
START_TEST(it_has_the_signals_that_we_were_started_with)
{
	const char *path = harness_path("status");
	char *argv[] = { "cp", "/proc/self/status", (char *)path, NULL };
	char is[256], was[256];
	struct signals signals;
	struct workload w = { .signals = &signals };
	struct err e;
	sigset_t set;

	signal(_i ? SIGPIPE : SIGXFSZ, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	read_signals("/proc/self/status", was, sizeof(was));
	signals_open(&signals);
	ck_assert_int_eq(workload_prepare(&w, argv, &e), 0);
	ck_assert_int_eq(workload_start(&w, argv, &e), 0);
	ck_assert(harness_wait_until(has_ended, &w));
	read_signals(path, is, sizeof(is));
	ck_assert_str_eq(is, was);
	workload_release(&w);
	signals_release(&signals);
}
END_TEST

START_TEST(nothing_runs_before_it_is_started)
{
	const char *path = harness_path("ran");
	char *argv[] = { "touch", (char *)path, NULL };
	struct workload w = { 0 };
	struct err e;

	ck_assert_int_eq(workload_prepare(&w, argv, &e), 0);
	ck_assert_uint_gt(w.pid, 0);
	ck_assert_int_eq(kill((pid_t)w.pid, 0), 0);
	usleep(50000);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert(!workload_has_ended(&w));
	ck_assert_int_eq(workload_start(&w, argv, &e), 0);
	ck_assert(harness_wait_until(has_ended, &w));
	ck_assert_int_eq(access(path, F_OK), 0);
	workload_release(&w);
}
END_TEST

/* Ctrl-C while all is being attached. */
START_TEST(ended_before_its_start_it_has_run)
{
	const char *path = harness_path("ran");
	char *argv[] = { "touch", (char *)path, NULL };
	struct signals signals;
	struct workload w = { .signals = &signals };
	struct err e;

	signals_open(&signals);
	ck_assert_int_eq(workload_prepare(&w, argv, &e), 0);
	ck_assert_int_eq(kill((pid_t)w.pid, SIGTERM), 0);
	ck_assert(harness_wait_until(has_ended, &w));
	ck_assert_int_eq(workload_start(&w, argv, &e), 0);
	ck_assert_int_eq(workload_exit_status(&w), 128 + SIGTERM);
	ck_assert_int_ne(access(path, F_OK), 0);
	workload_release(&w);
	signals_release(&signals);
}
END_TEST

START_TEST(released_without_a_start_it_ends)
{
	char *argv[] = { "sleep", "100", NULL };
	struct workload w = { 0 };
	struct err e;
	pid_t pid;

	ck_assert_int_eq(workload_prepare(&w, argv, &e), 0);
	pid = (pid_t)w.pid;
	workload_release(&w);
	ck_assert_uint_eq(w.pid, 0);
	ck_assert_int_eq(harness_wait(pid), 127);
}
END_TEST

START_TEST(running_command_is_ended)
{
	char *argv[] = { "sleep", "100", NULL };
	struct workload w = { 0 };
	struct err e;

	ck_assert_int_eq(workload_prepare(&w, argv, &e), 0);
	ck_assert_int_eq(workload_start(&w, argv, &e), 0);
	ck_assert(!workload_has_ended(&w));
	workload_end(&w);
	ck_assert(workload_has_ended(&w));
	ck_assert_int_eq(w.status, 128 + SIGTERM);
	/* We asked it to: that is no failure. */
	ck_assert_int_eq(workload_exit_status(&w), 0);
	workload_release(&w);
}
END_TEST

/* What execvp(3) would try; said before anything else happens, an old recording is still there. */
static const struct {
	const char *name;
	int want;
	const char *says;
} failures[] = {
	{ "no-such-program-at-all", -ENOENT, "No such file" },
	{ "./no-such-program", -ENOENT, "No such file" },
	{ "/etc/passwd", -EACCES, "Permission denied" },
	{ "/", -EACCES, "Permission denied" },
	{ "", -ENOENT, "No such file" },
};

START_TEST(program_that_is_none_is_told_before_the_start)
{
	char *argv[] = { (char *)failures[_i].name, NULL };
	struct workload w = { 0 };
	struct err e = { 0 };

	ck_assert_int_lt(workload_prepare(&w, argv, &e), 0);
	ck_assert_msg(strstr(e.what, failures[_i].says) != NULL, "%s", e.what);
	/* A wrong name is no matter of wperf's privileges. */
	ck_assert_int_eq(err_exit_status(&e), EXIT_USAGE);
	ck_assert_uint_eq(w.pid, 0);
	workload_release(&w);
}
END_TEST

/* Executable by its mode, and not by its contents: only exec(2) can tell. */
START_TEST(exec_that_fails_is_told)
{
	const char *path = harness_file("script", "#!/no/such/interpreter\n", 23);
	char *argv[] = { (char *)path, NULL };
	struct workload w = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_assert_int_eq(workload_prepare(&w, argv, &e), 0);
	ck_assert_int_lt(workload_start(&w, argv, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.what, path));
	ck_assert_int_eq(err_exit_status(&e), EXIT_USAGE);
	ck_assert(harness_wait_until(has_ended, &w));
	workload_release(&w);
}
END_TEST

START_TEST(programs_are_found_as_a_shell_finds_them)
{
	const char *dir = harness_path(""), *path = harness_file("a-program", "#!/bin/sh\n", 10);
	char *found;

	setenv("PATH", dir, 1);
	ck_assert_ptr_null(workload_find_program("a-program"));
	ck_assert_int_eq(chmod(path, 0755), 0);
	found = workload_find_program("a-program");
	ck_assert_pstr_eq(found, path);
	free(found);
	found = workload_find_program(path);
	ck_assert_pstr_eq(found, path);
	free(found);
	ck_assert_ptr_null(workload_find_program("./a-program"));
	ck_assert_ptr_null(workload_find_program("another-program"));
}
END_TEST

Suite *check_workload_suite(void)
{
	Suite *s = suite_create("workload");
	TCase *tc = tcase_create("workload");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, exit_status_is_as_a_shell_has_it, 0, ARRAY_LEN(endings));
	tcase_add_test(tc, end_is_seen_though_children_were_ignored);
	tcase_add_test(tc, end_is_seen_though_its_status_is_lost);
	tcase_add_test(tc, what_has_ended_is_there_until_the_release);
	tcase_add_loop_test(tc, it_has_the_signals_that_we_were_started_with, 0, 2);
	tcase_add_test(tc, nothing_runs_before_it_is_started);
	tcase_add_test(tc, ended_before_its_start_it_has_run);
	tcase_add_test(tc, released_without_a_start_it_ends);
	tcase_add_test(tc, running_command_is_ended);
	tcase_add_loop_test(tc, program_that_is_none_is_told_before_the_start, 0,
			    ARRAY_LEN(failures));
	tcase_add_test(tc, exec_that_fails_is_told);
	tcase_add_test(tc, programs_are_found_as_a_shell_finds_them);
	suite_add_tcase(s, tc);
	return s;
}
