/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/table.h"
#include "tests/fake_profile.h"

Suite *check_table_suite(void);

static struct table_options options_of(const char *sort, const char *restriction)
{
	struct table_options o = { 0 };

	if (sort)
		vec_push(&o.sort, sort);
	if (restriction)
		vec_push(&o.restrictions, restriction);
	return o;
}

static struct table_plan *plan_of(const char *sort, const char *restriction)
{
	struct table_options o = options_of(sort, restriction);
	struct table_plan *plan;
	struct err e = { 0 };

	ck_assert_msg(!table_plan_new(&o, &plan, &e), "%s", e.what);
	table_options_release(&o);
	return plan;
}

static void fails_with(const char *sort, const char *restriction, const char *what)
{
	struct table_options o = options_of(sort, restriction);
	struct table_plan *plan;
	struct err e = { 0 };

	ck_assert_int_eq(table_plan_new(&o, &plan, &e), -EINVAL);
	ck_assert_msg(strstr(e.what, what) != NULL, "'%s' is not in '%s'", what, e.what);
	ck_assert_msg(!sort || strstr(e.remedy, "cumulative"), "no keys in '%s'", e.remedy);
	table_options_release(&o);
}

static const struct {
	const char *sort, *restriction, *what;
} errors[] = {
	{ "cum", NULL, "cannot sort by 'cum': more than one key" },
	{ "t", NULL, "cannot sort by 't': more than one key" },
	{ "", NULL, "no such key" },
	{ "time,", NULL, "no such key" },
	{ "Time", NULL, "no such key" },
	{ "evil\x1b[2J", NULL, "'evil\\x1b[2J'" },
	{ NULL, "(", "invalid regular expression '('" },
	{ NULL, "*", "invalid regular expression '*'" },
	{ NULL, "a\xff", "invalid regular expression 'a\\xff'" },
	{ NULL, "\\C", "invalid regular expression '\\\\C'" },
};

START_TEST(says_why_a_plan_is_none)
{
	fails_with(errors[_i].sort, errors[_i].restriction, errors[_i].what);
}
END_TEST

/* Rows a, b, c, d of one weight; c was called twice, b never, and of a and d it is not known. */
static void make_counted(struct fake_profile *f)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct group *g = fake_group(f, BY_ENDPOINT, "/", "GET");
	struct function_sums *s;
	size_t i;

	f->p.strings = &f->strings;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		s = fake_sums(g, fake_function(f, "f", 1, names[i], NULL), 7, 9);
		if (i == 1 || i == 2)
			fake_calls(g, s, i == 2 ? 2 : 0, i == 2 ? 1 : 0);
	}
}

static const struct {
	const char *sort, *restriction, *want, *reduction;
} orders[] = {
	{ "calls", NULL, "cbad", NULL },
	{ "pcalls", NULL, "cbad", NULL },
	{ "time", NULL, "abcd", NULL },
	{ NULL, NULL, "cbad", NULL },
	{ "name", NULL, "abcd", NULL },
	{ "line,cumtime,calls", "3", "cba", "List reduced from 4 to 3 due to restriction <3>" },
	{ "name", "0.5", "ab", "List reduced from 4 to 2 due to restriction <0.5>" },
	{ "name", "1e-5", "", "List reduced from 4 to 0 due to restriction <1e-05>" },
	{ "name", "[bd]\\)", "bd", "List reduced from 4 to 2 due to restriction <'[bd]\\\\)'>" },
	{ "name", "nan", "", "List reduced from 4 to 0 due to restriction <'nan'>" },
	{ "name", "inf", "", "List reduced from 4 to 0 due to restriction <'inf'>" },
	{ "name", "9223372036854775808", "abcd", NULL },
	{ "name", "-9223372036854775809", "abcd", NULL },
	{ "name", "1e999", "abcd", NULL },
};

START_TEST(sorts_and_restricts)
{
	struct table_plan *plan = plan_of(orders[_i].sort, orders[_i].restriction);
	struct fake_profile f;
	struct table t;
	char got[8] = "";

	fake_profile_init(&f);
	make_counted(&f);
	table_build(&t, plan, &f.p, f.p.groups.at);
	vec_each(&t.rows, row)
		strcat(got, strings_text(&f.strings, row->function->name));
	ck_assert_str_eq(got, orders[_i].want);
	ck_assert_uint_eq(t.nr_all_rows, 4);
	ck_assert_uint_eq(t.reductions.nr, orders[_i].reduction ? 1 : 0);
	if (orders[_i].reduction)
		ck_assert_str_eq(t.reductions.at[0], orders[_i].reduction);
	table_release(&t);
	table_plan_free(plan);
	fake_profile_release(&f);
}
END_TEST

START_TEST(a_search_that_explodes_gives_up)
{
	static const char name[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!";
	struct table_plan *plan = plan_of(NULL, "^(a|aa)+(b|\\1c)$");
	struct fake_profile f;
	struct table t;

	fake_profile_init(&f);
	f.p.strings = &f.strings;
	fake_sums(fake_group(&f, BY_NONE, "(all)", ""), fake_function(&f, "f", 1, name, name),
		  1, 1);
	table_build(&t, plan, &f.p, f.p.groups.at);
	ck_assert_uint_eq(t.rows.nr, 0);
	table_release(&t);
	table_plan_free(plan);
	fake_profile_release(&f);
}
END_TEST

START_TEST(a_regex_searches_around_bytes_that_are_no_utf8)
{
	struct table_plan *plan = plan_of(NULL, "fib");
	struct fake_profile f;
	struct table t;

	fake_profile_init(&f);
	f.p.strings = &f.strings;
	fake_sums(fake_group(&f, BY_NONE, "(all)", ""), fake_function(&f, "\xff", 1, "fib", NULL),
		  1, 1);
	table_build(&t, plan, &f.p, f.p.groups.at);
	ck_assert_uint_eq(t.rows.nr, 1);
	table_release(&t);
	table_plan_free(plan);
	fake_profile_release(&f);
}
END_TEST

/* The referee's lines; it is ours, so what it writes is trusted. */
struct referee {
	FILE *from;
	char *line;
	size_t cap;
};

static bool referee_line(struct referee *r)
{
	ssize_t len = getline(&r->line, &r->cap, r->from);

	if (len > 0 && r->line[len - 1] == '\n')
		r->line[len - 1] = '\0';
	return len > 0;
}

static char *field(char **rest)
{
	char *s = strsep(rest, "\t");

	ck_assert_ptr_nonnull(s);
	return s;
}

static uint64_t number_field(char **rest)
{
	return strtoull(field(rest), NULL, 10);
}

static void referee_key(char *rest)
{
	const char *word = field(&rest), *order_text = field(&rest);
	struct table_options o = options_of(word, NULL);
	struct fake_profile f;
	struct table_plan *plan;
	struct err e = { 0 };
	struct table t;
	int rc = table_plan_new(&o, &plan, &e);

	ck_assert_msg(!strcmp(order_text, "-") == (rc == -EINVAL), "key '%s': %d", word, rc);
	if (!rc) {
		fake_profile_init(&f);
		table_build(&t, plan, &f.p, fake_group(&f, BY_NONE, "", ""));
		ck_assert_str_eq(t.order_text, order_text);
		table_release(&t);
		table_plan_free(plan);
		fake_profile_release(&f);
	}
	table_options_release(&o);
}

static void referee_function(struct fake_profile *f, struct group *g, char *rest)
{
	const char *file = field(&rest);
	uint32_t line = (uint32_t)number_field(&rest);
	const char *name = field(&rest), *std_name = field(&rest);
	uint64_t primitive = number_field(&rest), calls = number_field(&rest);
	uint64_t self = number_field(&rest), cum = number_field(&rest);

	fake_calls(g, fake_sums(g, fake_function(f, file, line, name, std_name), self, cum), calls,
		   primitive);
}

#define DASHES                                                                                     \
	"--------------------------------------------------------------------------------\n"

/* What stands between the lines of dashes, but for PATH. */
static void compare(const char *got, size_t got_len, const char *want, size_t want_len)
{
	static const char top[] = DASHES "PATH: '/'\n", bottom[] = DASHES "\n";
	size_t frame = strlen(top) + strlen(bottom);

	ck_assert_msg(got_len == want_len + frame && !strncmp(got, top, strlen(top)) &&
			      !memcmp(got + strlen(top), want, want_len) &&
			      !strcmp(got + strlen(top) + want_len, bottom),
		      "pstats:\n%swperf:\n%s", want, got);
}

static void referee_case(struct referee *r, char *rest)
{
	struct table_options o = { 0 };
	struct fake_profile f;
	struct group *g;
	uint64_t nr_functions, nr_sort, nr_restrictions, nr_bytes, i;
	char *want, *got;
	size_t got_len;

	fake_profile_init(&f);
	f.p.seconds_per_weight = strtod(field(&rest), NULL);
	nr_functions = number_field(&rest);
	nr_sort = number_field(&rest);
	nr_restrictions = number_field(&rest);
	nr_bytes = number_field(&rest);
	g = fake_group(&f, BY_ENDPOINT, "/", "GET");
	for (i = 0; i < nr_functions && referee_line(r); i++)
		referee_function(&f, g, r->line);
	for (i = 0; i < nr_sort && referee_line(r); i++)
		vec_push(&o.sort, xstrdup(r->line));
	for (i = 0; i < nr_restrictions && referee_line(r); i++)
		vec_push(&o.restrictions, xstrdup(r->line));
	want = xcalloc(1, nr_bytes + 1);
	ck_assert_uint_eq(fread(want, 1, nr_bytes, r->from), nr_bytes);
	got = fake_render(&f, &render_table, &o, &got_len);
	compare(got, got_len, want, nr_bytes);
	free(want);
	free(got);
	vec_each(&o.sort, it)
		free((char *)*it);
	vec_each(&o.restrictions, it)
		free((char *)*it);
	table_options_release(&o);
	fake_profile_release(&f);
}

START_TEST(pstats_prints_the_same)
{
	struct referee r = { .from = popen("python3 tests/pstats_referee.py", "r") };
	size_t nr_keys = 0, nr_cases = 0;

	ck_assert_ptr_nonnull(r.from);
	while (referee_line(&r)) {
		char *rest = r.line, *what = field(&rest);

		if (!strcmp(what, "key")) {
			nr_keys++;
			referee_key(rest);
		} else {
			nr_cases++;
			referee_case(&r, rest);
		}
	}
	ck_assert_int_eq(pclose(r.from), 0);
	free(r.line);
	ck_assert_uint_ge(nr_keys, 60);
	ck_assert_uint_eq(nr_cases, 920);
}
END_TEST

static void add_referee(Suite *s)
{
	TCase *tc = tcase_create("referee");

	/* 920 tables: a build with sanitizers on a slow machine needs more than check's 4 s. */
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, pstats_prints_the_same);
	suite_add_tcase(s, tc);
}

Suite *check_table_suite(void)
{
	Suite *s = suite_create("table");
	TCase *tc = tcase_create("table");

	tcase_add_loop_test(tc, says_why_a_plan_is_none, 0, ARRAY_LEN(errors));
	tcase_add_loop_test(tc, sorts_and_restricts, 0, ARRAY_LEN(orders));
	tcase_add_test(tc, a_search_that_explodes_gives_up);
	tcase_add_test(tc, a_regex_searches_around_bytes_that_are_no_utf8);
	suite_add_tcase(s, tc);
	if (!system("python3 -c 'import pstats' >/dev/null 2>&1"))
		add_referee(s);
	else
		fprintf(stderr, "omitted: 1 test of table: python3 with pstats is not here\n");
	return s;
}
