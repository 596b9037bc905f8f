/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/golden/CASE/{cmd,in.data,out,err}: cmd is a line for sh, run in that folder with $WPERF
 * set; its stdout and stderr must be out and err. `make golden` writes them anew, and people look
 * at the diff.
 */
#include <check.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/harness.h"

Suite *check_golden_suite(void);

/* Found before the tests are forked, and lent to all of them. */
static glob_t cases;

START_TEST(output_is_golden)
{
	char *dir = xstrdup(cases.gl_pathv[_i]), *out, *err;
	struct run r = { .dir = dir };
	struct str line = { 0 };

	harness_read(dir, &line);
	*strrchr(dir, '/') = '\0';
	out = xasprintf("%s/out", dir);
	err = xasprintf("%s/err", dir);
	run_shell(&r, "%s", str_cstr(&line));
	harness_golden(out, str_cstr(&r.out), r.out.len);
	harness_golden(err, str_cstr(&r.err), r.err.len);
	run_release(&r);
	str_release(&line);
	free(dir);
	free(out);
	free(err);
}
END_TEST

static void forget_cases(void)
{
	globfree(&cases);
}

Suite *check_golden_suite(void)
{
	Suite *s = suite_create("golden");
	TCase *tc = tcase_create("golden");

	if (!glob("tests/golden/*/cmd", 0, NULL, &cases)) {
		atexit(forget_cases);
		tcase_set_timeout(tc, 20);
		tcase_add_loop_test(tc, output_is_golden, 0, (int)cases.gl_pathc);
	}
	suite_add_tcase(s, tc);
	return s;
}
