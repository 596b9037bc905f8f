/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "symbolizer/debug_path.h"
#include "tests/harness.h"

Suite *check_debug_path_suite(void);

static const uint8_t id[] = { 0xab, 0xcd, 0xef };

/* The program is ROOT/bin/sub/prog, ROOT the test's own directory; what else is there differs. */
static const struct {
	const char *there;	/* below ROOT; NULL: nothing */
	const char *dirs;	/* %s: ROOT */
	const char *link;
	bool has_id, has_name;
} cases[] = {
	{ NULL, NULL, NULL, false, false },
	{ NULL, ":.debug:%s/debug", "prog.dbg", false, false },
	/* by build-id, below absolute directories only */
	{ "debug/.build-id/ab/cdef.debug", "%s/debug", NULL, true, false },
	{ "debug/.build-id/ab/cdef.debug", ":.debug:-%s/debug", "prog.dbg", true, false },
	{ "bin/sub/.build-id/ab/cdef.debug", ":.build-id", NULL, false, false },
	{ "debug/.build-id/ab/cdee.debug", "%s/debug", NULL, false, false },
	/* by name, beside the program */
	{ "bin/sub/prog.dbg", ":.debug", "prog.dbg", false, true },
	{ "bin/sub/prog.dbg", ".debug", "prog.dbg", false, false },
	{ "bin/sub/prog.debug", NULL, NULL, false, true },
	{ "bin/sub/.debug/prog.dbg", NULL, "prog.dbg", false, true },
	{ "bin/sub/.debug/prog", NULL, NULL, false, true },
	/* below an absolute one, in any tail of the program's directory */
	{ "debug/bin/sub/prog.dbg", "%s/debug", "prog.dbg", false, true },
	{ "debug/sub/prog.dbg", "+%s/debug", "prog.dbg", false, true },
	{ "debug/prog.dbg", "%s/debug", "prog.dbg", false, true },
	{ "debug/sub/prog", "%s/debug", NULL, false, true },
	{ "debug/other/prog.dbg", "%s/debug", "prog.dbg", false, false },
	/* who knows */
	{ NULL, NULL, "../.dwz/prog", false, true },
};

START_TEST(what_is_there_is_found)
{
	const char *root = harness_path("");
	char *prog, *dirs = cases[_i].dirs ? xasprintf(cases[_i].dirs, root) : NULL, *command;

	if (cases[_i].there)
		command = xasprintf("cd '%s' && mkdir -p \"$(dirname %s)\" bin/sub && touch bin/sub/prog %s", root,
				    cases[_i].there, cases[_i].there);
	else
		command = xasprintf("cd '%s' && mkdir -p bin/sub && touch bin/sub/prog", root);
	ck_assert_int_eq(system(command), 0);
	prog = xasprintf("%s/bin/sub/prog", root);
	ck_assert(debug_path_has_id(dirs, id, sizeof(id), ".debug") == cases[_i].has_id);
	ck_assert(debug_path_has_name(dirs, prog, cases[_i].link) == cases[_i].has_name);
	free(command);
	free(prog);
	free(dirs);
}
END_TEST

START_TEST(a_link_is_searched_for_where_it_leads)
{
	const char *root = harness_path("");
	char *command = xasprintf("cd '%s' && mkdir real links && touch real/prog real/prog.dbg && "
				  "ln -s ../real/prog links/prog", root);
	char *prog = xasprintf("%s/links/prog", root);

	ck_assert_int_eq(system(command), 0);
	ck_assert(debug_path_has_name(NULL, prog, "prog.dbg"));
	ck_assert(!debug_path_has_name(NULL, prog, "prog.gdb"));
	free(prog);
	free(command);
}
END_TEST

START_TEST(what_is_no_path_has_no_file)
{
	ck_assert(!debug_path_has_name(NULL, "[vdso]", NULL));
	ck_assert(!debug_path_has_name(NULL, "", NULL));
	ck_assert(!debug_path_has_name(NULL, NULL, NULL));
}
END_TEST

START_TEST(servers_are_what_the_environment_names)
{
	unsetenv("DEBUGINFOD_URLS");
	ck_assert(!debug_path_has_servers());
	setenv("DEBUGINFOD_URLS", "", 1);
	ck_assert(!debug_path_has_servers());
	setenv("DEBUGINFOD_URLS", "http://localhost:1/", 1);
	ck_assert(debug_path_has_servers());
}
END_TEST

Suite *check_debug_path_suite(void)
{
	Suite *s = suite_create("debug_path");
	TCase *tc = tcase_create("debug_path");

	tcase_add_loop_test(tc, what_is_there_is_found, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, a_link_is_searched_for_where_it_leads);
	tcase_add_test(tc, what_is_no_path_has_no_file);
	tcase_add_test(tc, servers_are_what_the_environment_names);
	suite_add_tcase(s, tc);
	return s;
}
