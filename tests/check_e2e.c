/* SPDX-License-Identifier: Apache-2.0 */
/* tests/e2e/NAME.py: wperf from its command line to its output, on programs that are run for it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"
#include "tests/harness.h"

Suite *check_e2e_suite(void);
Suite *check_e2e_more_suite(void);
Suite *check_e2e_alone_suite(void);

/* Half a minute on a quiet machine; on a shared one several scripts have taken two. */
enum { TIMEOUT_S = 300 };

static const struct script {
	const char *name;
	enum ability needs[2];	/* CAN_ROOT where there are fewer: all of them need that */
	const char *programs;	/* that have to be installed, a list for the shell */
} scripts[] = {
	{ "example_server", { CAN_BPF }, "" },
	{ "requests", { CAN_BPF }, "" },
	{ "live", { CAN_BPF }, "" },
	{ "markers", { CAN_BPF }, "" },
	{ "bad_input", { CAN_BPF }, "/usr/bin/python3" },
	{ "syscalls", { CAN_BPF }, "gcc" },
	{ "lost", { CAN_BPF }, "gcc" },
	{ "logs", { CAN_BPF }, "" },
	{ "profiles", { CAN_BPF }, "/usr/bin/python3 /usr/bin/flask" },
	{ "nginx", { CAN_BPF }, "nginx" },
	{ "postgres", { CAN_BPF }, "/usr/lib/postgresql/*/bin/postgres psql runuser" },
	{ "pools", { CAN_BPF }, "gcc /usr/bin/python3" },
	{ "waits", { CAN_BPF }, "gcc" },
	{ "handed", { CAN_BPF }, "g++ node /usr/bin/python3" },
	{ "splice", { CAN_BPF }, "/usr/bin/python3" },
	{ "unix_names", { CAN_BPF }, "/usr/bin/python3" },
	{ "http2", { CAN_BPF }, "/usr/bin/python3" },
	{ "not_seen", { CAN_BPF }, "gcc /usr/bin/python3" },
	{ "guesses", { CAN_BPF }, "/usr/bin/python3" },
	{ "shutdown", { CAN_BPF }, "/usr/bin/python3" },
	{ "late_listeners", { CAN_BPF }, "/usr/bin/python3" },
	{ "resets", { CAN_BPF }, "/usr/bin/python3" },
	{ "real_http", { CAN_BPF }, "nginx wrk node /usr/bin/python3 /usr/bin/gunicorn" },
	{ "real_databases", { CAN_BPF },
	  "redis-server redis-benchmark memcached pgbench runuser /usr/lib/postgresql/*/bin/postgres" },
	{ "fastcgi", { CAN_BPF }, "nginx /usr/bin/python3" },
	{ "forks", { CAN_BPF }, "gcc" },
	{ "threads_2000", { CAN_BPF }, "gcc" },
	{ "short_lived", { CAN_BPF }, "gcc" },
	{ "sleeps", { CAN_BPF }, "gcc" },
	{ "ends", { CAN_BPF }, "/usr/bin/python3" },
	{ "moved_threads", { CAN_BPF }, "/usr/bin/python3" },
	{ "kill9", { CAN_BPF }, "gcc" },
	{ "disk", { CAN_BPF, CAN_UNSHARE }, "gcc unshare setpriv" },
	{ "files", { CAN_SAMPLE_ALL, CAN_UNSHARE }, "gcc g++ unshare" },
	{ "ids", { CAN_BPF }, "g++" },
	{ "privileges", { CAN_BPF, CAN_DROP_UID }, "gcc setpriv" },
	{ "without_bpf", { CAN_BPF, CAN_UNSHARE }, "gcc setpriv unshare" },
	{ "perf_agrees", { CAN_BPF }, "perf redis-server" },
	{ "stacks", { CAN_BPF }, "/usr/bin/python3 nginx redis-benchmark pgbench runuser wrk node perf" },
	{ "walks", { CAN_BPF }, "gcc" },
	{ "calls", { CAN_BPF }, "gcc" },
	{ "calls_probes", { CAN_BPF }, "gcc g++" },
	{ "calls_requests", { CAN_BPF }, "/usr/bin/python3" },
	{ "harm", { CAN_BPF }, "gcc g++ setarch" },
	{ "calls_many", { CAN_BPF }, "gcc" },
	{ "large_values", { CAN_BPF }, "/usr/bin/python3 redis-server" },
	{ "split_commands", { CAN_BPF }, "/usr/bin/python3" },
	{ "early_answers", { CAN_BPF }, "/usr/bin/python3" },
	{ "long_heads", { CAN_BPF }, "/usr/bin/python3" },
	{ "calls_merged", { CAN_BPF }, "gcc /usr/bin/python3" },
	{ "calls_callgrind", { CAN_BPF }, "gcc g++ valgrind c++filt" },
	{ "python_calls", { CAN_BPF }, "/usr/bin/python3 readelf" },
	{ "flask_calls", { CAN_BPF }, "/usr/bin/python3 /usr/bin/flask /usr/bin/gunicorn" },
	{ "pipe", { CAN_BPF }, "gcc bash" },
	{ "merge", { CAN_BPF }, "gcc perf" },
	{ "debuginfod", { CAN_SAMPLE_ALL }, "gcc debuginfod objcopy readelf" },
	{ "python_random", { CAN_BPF }, "/usr/bin/python3" },
	{ "python_thrown", { CAN_BPF }, "/usr/bin/python3" },
	{ "calls_doubt", { CAN_BPF }, "/usr/bin/python3" },
	{ "calls_exact", { CAN_BPF }, "gcc /usr/bin/python3" },
};

/* What failed is at the end, and libcheck's messages have a limit. */
static const char *tail(const struct str *s)
{
	return str_cstr(s) + (s->len > 2000 ? s->len - 2000 : 0);
}

START_TEST(script_passes)
{
	char *file = xasprintf("tests/e2e/%s.py", scripts[_i].name);
	uint64_t begin_ns = monotonic_ns();
	struct run r = { 0 };

	setenv("BUILD_DIR", BUILD_DIR, 1);
	run_program(&r, "python3", "-B", file);
	printf("      %-20s %5.1f s\n", scripts[_i].name, (double)(monotonic_ns() - begin_ns) / 1e9);
	ck_assert_msg(!r.status, "exit status %d; it said:\n%s%s", r.status, tail(&r.out), tail(&r.err));
	run_release(&r);
	free(file);
}
END_TEST

static bool is_installed(const char *programs)
{
	struct run r = { 0 };

	run_shell(&r, "for p in python3 %s; do command -v \"$p\" || exit 1; done", programs);
	run_release(&r);
	return r.status == 0;
}

/* $E2E_WITHOUT: what compares numbers for a minute says the same whatever the build. */
static bool is_left_out(const char *name)
{
	const char *list = getenv("E2E_WITHOUT"), *at = list ? strstr(list, name) : NULL;

	return at && (at == list || at[-1] == ' ') && (!at[strlen(name)] || at[strlen(name)] == ' ');
}

/* Others at the same time would be in their figures, or in their way. */
static bool is_alone(const char *name)
{
	static const char *const names[] = { "lost", "perf_agrees", "stacks", "calls_many" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static bool can_run(Suite *s, const struct script *script)
{
	char *lack;
	size_t i;

	if (is_left_out(script->name))
		return false;
	for (i = 0; i < ARRAY_LEN(script->needs); i++)
		if (!harness_can_or_omit(s, script->name, script->needs[i]))
			return false;
	if (is_installed(script->programs))
		return true;
	lack = xasprintf("not all of these are installed: python3 %s", script->programs);
	harness_omit(s, script->name, lack);
	free(lack);
	return false;
}

static void add_script(Suite *s, int i)
{
	TCase *tc;

	if (!can_run(s, &scripts[i]))
		return;
	tc = tcase_create(scripts[i].name);
	tcase_set_timeout(tc, TIMEOUT_S);
	tcase_add_loop_test(tc, script_passes, i, i + 1);
	suite_add_tcase(s, tc);
}

/* Every other one of those that can have company. */
static Suite *half_of_scripts(const char *name, int half)
{
	Suite *s = suite_create(name);
	int i, nr = 0;

	for (i = 0; i < (int)ARRAY_LEN(scripts); i++)
		if (!is_alone(scripts[i].name) && nr++ % 2 == half)
			add_script(s, i);
	return s;
}

Suite *check_e2e_suite(void)
{
	return half_of_scripts("e2e", 0);
}

Suite *check_e2e_more_suite(void)
{
	return half_of_scripts("e2e_more", 1);
}

Suite *check_e2e_alone_suite(void)
{
	Suite *s = suite_create("e2e_alone");
	int i;

	for (i = 0; i < (int)ARRAY_LEN(scripts); i++)
		if (is_alone(scripts[i].name))
			add_script(s, i);
	return s;
}
