/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/run.sh, with scripts in the place of fuzzers: what it takes for a failure, and what it says of one. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/harness.h"

Suite *check_fuzz_run_suite(void);

/* $run is set where the fuzzer is to go on by itself, and not where it is given one input. */
static const char fuzzer[] = "for arg; do\n"
			     "	case $arg in\n"
			     "	-artifact_prefix=*) prefix=${arg#*=} ;;\n"
			     "	-max_total_time=*) run=1 ;;\n"
			     "	esac\n"
			     "done\n"
			     "written() {\n"
			     "	printf 'bad input' >\"${prefix}$1-1\"\n"
			     "	echo \"artifact_prefix='$prefix'; Test unit written to ${prefix}$1-1\" >&2\n"
			     "}\n";

static const struct {
	const char *script;
	int status;
	const char *says[4];
} cases[] = {
	{ "echo 'stat::number_of_executed_units: 1234' >&2", 0,
	  { "     1234  fuzz_it\n", "fuzzers: 1 passed, 0 failed\n" } },
	{ "echo '==1==ERROR: AddressSanitizer: heap-use-after-free' >&2; seq 100 >&2; "
	  "echo 'SUMMARY: AddressSanitizer: it' >&2; written crash; exit 77",
	  1,
	  { "fuzz_it failed, exit status 77", "ERROR: AddressSanitizer: heap-use-after-free\nSUMMARY: AddressSanitizer: it\n",
	    "YmFkIGlucHV0\n", "fuzzers: 0 passed, 1 failed\n" } },
	{ "echo 'fuzz_it: x.c:1: f: Assertion `0'\"'\"' failed.' >&2; exit 1", 1, { "exit status 1", "x.c:1: f: Assert" } },
	{ "echo 'ERROR: libFuzzer: out-of-memory' >&2; exit 71", 1, { "more than 2 GB", "out-of-memory" } },
	{ "kill -9 $$", 1, { "exit status 137: killed" } },
	/* an input that takes long on the clock, as it does again, or not */
	{ "test \"$run\" || exit 0; written timeout; exit 70", 0, { "10 seconds on the clock", "1 passed, 0 failed" } },
	{ "test \"$run\" || exit 1; written timeout; exit 70", 1,
	  { "10 seconds, of the CPU, too", "YmFkIGlucHV0\n", "0 passed, 1 failed" } },
	{ "exit 70", 1, { "exit status 70" } },
};

START_TEST(failures_are_told_with_their_cause)
{
	struct run r = { 0 };
	char *script = xasprintf("#!/bin/sh\n%s%s\n", fuzzer, cases[_i].script);
	const char *path = harness_file("fuzz_it", script, strlen(script)), *dir = harness_path("");
	size_t i;

	run_shell(&r, "chmod +x '%s' && tests/fuzz/run.sh 1 '%s' '%s'", path, dir, path);
	ck_assert_exit(&r, cases[_i].status);
	for (i = 0; i < ARRAY_LEN(cases[_i].says) && cases[_i].says[i]; i++)
		ck_assert_has(&r.out, cases[_i].says[i]);
	run_release(&r);
	free(script);
}
END_TEST

Suite *check_fuzz_run_suite(void)
{
	Suite *s = suite_create("fuzz_run");
	TCase *tc = tcase_create("fuzz_run");

	tcase_add_loop_test(tc, failures_are_told_with_their_cause, 0, ARRAY_LEN(cases));
	suite_add_tcase(s, tc);
	return s;
}
