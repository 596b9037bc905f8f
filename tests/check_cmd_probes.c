/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/sdt.h>

#include "base/alloc.h"
#include "base/err.h"
#include "collector/cmd_probes.h"

Suite *check_cmd_probes_suite(void);

int cmd_probes_target(int x);

__attribute__((noinline, noclone)) int cmd_probes_target(int x)
{
	DTRACE_PROBE2(check_cmd_probes, hit, x, x);
	return x;
}

int cmd_probes_cxx(int x) __asm__("_ZN6probes6targetEi");

__attribute__((noinline, noclone)) int cmd_probes_cxx(int x)
{
	return x;
}

/* What the command writes to stdout and stderr; {pid} in an argument is this process. */
struct talk {
	int status;
	char out[1 << 18], err[4096];
};

static void read_back(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
}

static void run(struct talk *t, const char *const *args)
{
	int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO), argc = 1;
	FILE *out = tmpfile(), *err = tmpfile();
	char *argv[8] = { (char *)"probes" }, pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	for (; *args; args++)
		argv[argc++] = strcmp(*args, "{pid}") ? (char *)*args : pid;
	fflush(stdout);
	dup2(fileno(out), STDOUT_FILENO);
	dup2(fileno(err), STDERR_FILENO);
	t->status = cmd_probes(argc, argv);
	fflush(stdout);
	fflush(stderr);
	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	close(saved_out);
	close(saved_err);
	read_back(fileno(out), t->out, sizeof(t->out));
	read_back(fileno(err), t->err, sizeof(t->err));
	fclose(out);
	fclose(err);
}

static const struct {
	const char *args[5];
	int status;
	const char *out, *not_out, *err;	/* parts that are there, and that is not */
} cases[] = {
	{ { "-p", "{pid}" }, EXIT_GOOD, "\nfunc:cmd_probes_target@", "@libc.so.6\n", NULL },
	{ { "--pid", "{pid}" }, EXIT_GOOD, "usdt:check_cmd_probes:hit ", NULL, NULL },
	{ { "-p", "{pid}", "check_cmd_probes:*" }, EXIT_GOOD,
	  "usdt:check_cmd_probes:hit   2 args  /", "func:", NULL },
	{ { "-p", "{pid}", "usdt:check_cmd_*" }, EXIT_GOOD, "check_cmd_probes:hit", "func:", NULL },
	{ { "-p", "{pid}", "getppid" }, EXIT_GOOD, "func:getppid@libc.so.6\n", "usdt:", NULL },
	{ { "-p", "{pid}", "getppid@libc*" }, EXIT_GOOD, "func:getppid@libc.so.6\n", NULL, NULL },
	{ { "-p", "{pid}", "getppid@libc" }, EXIT_GOOD, "func:getppid@libc.so.6\n", NULL, NULL },
	{ { "-p", "{pid}", "func:getppid@libc" }, EXIT_GOOD, "func:getppid@libc.so.6\n", NULL, NULL },
	{ { "-p", "{pid}", "probes::target" }, EXIT_GOOD, "func:probes::target(int)@", "usdt:", NULL },
	{ { "-p", "{pid}", "int probes::target( int )" }, EXIT_GOOD, "func:probes::target(int)@", "usdt:", NULL },
	{ { "{pid}", "-p", "{pid}" }, EXIT_USAGE, NULL, "func:", "nothing is named like" },
	{ { "-p", "{pid}", "zzqqxx_*" }, EXIT_USAGE, NULL, "func:", "nothing is named like" },
	{ { "--help" }, EXIT_GOOD, "Usage: wperf probes -p PID [GLOB]", NULL, NULL },
	{ { NULL }, EXIT_USAGE, NULL, "func:", "which process?" },
	{ { "-p" }, EXIT_USAGE, NULL, "func:", "option -p needs an argument" },
	{ { "-p", "--" }, EXIT_USAGE, NULL, "func:", "-- is none" },
	{ { "--pid=1", "--help=2" }, EXIT_USAGE, NULL, "func:", "--help takes no value" },
	{ { "-p", "{pid}", "--", "getppid" }, EXIT_GOOD, "func:getppid@libc.so.6\n", NULL, NULL },
	{ { "-p", "x" }, EXIT_USAGE, NULL, "func:", "one process id" },
	{ { "-p", "0" }, EXIT_USAGE, NULL, "func:", "one process id" },
	{ { "-p", "2147483647" }, EXIT_USAGE, NULL, "func:", "no such process" },
	{ { "-p", "{pid}", "a", "b" }, EXIT_USAGE, NULL, "func:", "more than one GLOB" },
	{ { "-x" }, EXIT_USAGE, NULL, "func:", "unknown option" },
};

START_TEST(the_command_lists_and_refuses)
{
	struct talk *t = xcalloc(1, sizeof(*t));

	run(t, cases[_i].args);
	ck_assert_int_eq(t->status, cases[_i].status);
	if (cases[_i].out)
		ck_assert_msg(strstr(t->out, cases[_i].out) != NULL, "%.2000s", t->out);
	if (cases[_i].not_out)
		ck_assert_msg(!strstr(t->out, cases[_i].not_out), "%.2000s", t->out);
	if (cases[_i].err)
		ck_assert_msg(strstr(t->err, cases[_i].err) && !strncmp(t->err, "wperf: ", 7), "%s",
			      t->err);
	else
		ck_assert_str_eq(t->err, "");
	free(t);
}
END_TEST

Suite *check_cmd_probes_suite(void)
{
	Suite *s = suite_create("cmd_probes");
	TCase *tc = tcase_create("cmd_probes");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, the_command_lists_and_refuses, 0, ARRAY_LEN(cases));
	suite_add_tcase(s, tc);
	return s;
}
