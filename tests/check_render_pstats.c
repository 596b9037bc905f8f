/* SPDX-License-Identifier: Apache-2.0 */
/* A .prof is what Python reads: tests/prof_referee.py. That equal profiles are equal bytes is golden. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake_profile.h"
#include "tests/harness.h"

Suite *check_render_pstats_suite(void);

#define MS 1000000ULL

/* Writes the profile's .prof, and releases it. */
static const char *write_prof(struct fake_profile *f, const char *name)
{
	struct table_options none = { 0 };
	const char *path;
	size_t len;
	char *bytes = fake_render(f, &render_pstats, &none, &len);

	path = harness_file(name, bytes, len);
	free(bytes);
	fake_profile_release(f);
	return path;
}

static void referee(struct run *r, const char *files)
{
	run_shell(r, "python3 tests/prof_referee.py %s", files);
	ck_assert_exit(r, 0);
}

/* Weights that are whole in binary: 1024 of them are a second. */
#define TICK (1ULL << 20)

static void init_in_ticks(struct fake_profile *f)
{
	fake_profile_init(f);
	f->p.seconds_per_weight = 0x1p-30;
}

/* 10 ticks and 2^31 + 2 calls of fib, and 3 ticks of index that nobody counted. */
static void make_first(struct fake_profile *f)
{
	uint32_t fib, index;
	struct function_sums *s;
	struct group *g;

	init_in_ticks(f);
	fib = fake_function(f, "app.py", 4, "fib", NULL);
	index = fake_function(f, "app.py", 9, "index", NULL);
	g = fake_group(f, BY_ENDPOINT, "/", "GET");
	s = fake_sums(g, fib, 10 * TICK, 10 * TICK);
	fake_calls(g, s, (1ULL << 31) + 2, 2);
	vec_push(&s->callers,
		 (struct caller_sums){ .caller = index, .ncalls = 2, .primitive_calls = 2, .cum = 10 * TICK });
	vec_push(&s->callers, (struct caller_sums){ .caller = fib,
						    .ncalls = 1ULL << 31,
						    .primitive_calls = COUNT_UNKNOWN,
						    .nr_samples = 5,
						    .self = 10 * TICK,
						    .cum = 10 * TICK });
	fake_sums(g, index, 3 * TICK, 13 * TICK);
}

/* Two tables that share functions, one of which was not counted, and the largest of numbers. */
static void make_second(struct fake_profile *f)
{
	struct caller_sums by_most = { .ncalls = 7, .primitive_calls = 1, .nr_samples = 1, .self = TICK, .cum = TICK };
	uint32_t fib, most;
	struct function_sums *s;
	struct group *g;

	init_in_ticks(f);
	most = fake_function(f, "app.py", 1, "most", NULL);
	fib = fake_function(f, "app.py", 4, "fib", NULL);
	by_most.caller = most;
	g = fake_group(f, BY_ENDPOINT, "/a", "GET");
	s = fake_sums(g, most, 0, TICK);
	fake_calls(g, s, UINT64_MAX - 1, 1ULL << 63);
	s = fake_sums(g, fib, TICK, TICK);
	fake_calls(g, s, 7, 7);
	vec_push(&s->callers, by_most);
	g = fake_group(f, BY_ENDPOINT, "/b", "GET");
	s = fake_sums(g, fib, 2 * TICK, 2 * TICK);
	by_most.ncalls = by_most.primitive_calls = COUNT_UNKNOWN;
	by_most.self = by_most.cum = 2 * TICK;
	vec_push(&s->callers, by_most);
}

/* 1, 3, 10 and 13 ticks, as Python's float.hex() has them. */
#define H1  "0x1.0000000000000p-10"
#define H3  "0x1.8000000000000p-9"
#define H10 "0x1.4000000000000p-7"
#define H13 "0x1.a000000000000p-7"
#define H0  "0x0.0p+0"

START_TEST(python_reads_and_adds)
{
	struct fake_profile f;
	struct str want = { 0 };
	const char *first, *second;
	char *files;
	struct run r = { 0 };

	make_first(&f);
	first = write_prof(&f, "first.prof");
	make_second(&f);
	second = write_prof(&f, "second.prof");
	files = xasprintf("%s %s", first, second);
	referee(&r, files);
	str_addf(&want,
		 "%s\n"
		 "app.py\t4\tfib\t2147483650\t2\t" H10 "\t" H10 "\n"
		 "< app.py\t4\tfib\t2147483648\t2147483648\t" H10 "\t" H10 "\n"
		 "< app.py\t9\tindex\t2\t2\t" H0 "\t" H10 "\n"
		 "app.py\t9\tindex\t0\t0\t" H3 "\t" H13 "\n"
		 "%s\n"
		 "app.py\t1\tmost\t18446744073709551614\t9223372036854775808\t" H0 "\t" H1 "\n"
		 "app.py\t4\tfib\t7\t7\t" H3 "\t" H3 "\n"
		 "< app.py\t1\tmost\t7\t1\t" H3 "\t" H3 "\n"
		 "all\n"
		 "app.py\t4\tfib\t2147483657\t9\t" H13 "\t" H13 "\n"
		 "< app.py\t4\tfib\t2147483648\t2147483648\t" H10 "\t" H10 "\n"
		 "< app.py\t9\tindex\t2\t2\t" H0 "\t" H10 "\n"
		 "< app.py\t1\tmost\t7\t1\t" H3 "\t" H3 "\n"
		 "app.py\t9\tindex\t0\t0\t" H3 "\t" H13 "\n"
		 "app.py\t1\tmost\t18446744073709551614\t9223372036854775808\t" H0 "\t" H1 "\n"
		 "total\t18446744075857035271\t9223372036854775817\t0x1.0000000000000p-6\n",
		 first, second);
	ck_assert_str_eq(str_cstr(&r.out), str_cstr(&want));
	run_release(&r);
	str_release(&want);
	free(files);
}
END_TEST

/* pstats takes no empty file, and a request may be too short for a sample. */
START_TEST(nothing_is_a_row_that_says_so)
{
	struct fake_profile f;
	struct run r = { 0 };

	fake_profile_init(&f);
	referee(&r, write_prof(&f, "nothing.prof"));
	ck_assert_has(&r.out, "\n~\t0\t<no samples>\t0\t0\t" H0 "\t" H0 "\nall\n");
	ck_assert_has(&r.out, "\ntotal\t0\t0\t" H0 "\n");
	run_release(&r);
}
END_TEST

/* Names that look the same in a table are two functions all the same, and none is lost. */
START_TEST(every_function_has_a_key_of_its_own)
{
	static const char *const names[] = { "a\x9b", "a\xc2\x9b", "a\\x9b", "a\\u009b", "a\n", "a\\n",
					     "caf\xc3\xa9", "\xf0\x9f\x90\x8d", "\xed\xb2\x80", "", "\x1b[2J",
					     "\xff\xfe", "a\\\x9b", "a\\\\x9b", "C:\\app\\x.py", "a\\x9B" };
	struct fake_profile f;
	struct run r = { 0 };
	struct group *g;
	size_t i, nr = 0;

	fake_profile_init(&f);
	g = fake_group(&f, BY_NONE, "(all)", "");
	for (i = 0; i < ARRAY_LEN(names); i++)
		fake_sums(g, fake_function(&f, "a.c", 1, names[i], NULL), 1 * MS, 1 * MS);
	referee(&r, write_prof(&f, "names.prof"));
	for (i = 0; i < r.out.len; i++)
		nr += r.out.s[i] == '\n';
	ck_assert_uint_eq(nr, 3 + 2 * ARRAY_LEN(names));
	/* Names are as Python's profilers have them, other than bytes that are no text. */
	ck_assert_has(&r.out, "\ta\\x9b\t");
	ck_assert_has(&r.out, "\t'a\\x9b'\t");
	ck_assert_has(&r.out, "\ta\\\\x9b\t");
	ck_assert_has(&r.out, "\ta\\\\\\x9b\t");
	ck_assert_has(&r.out, "\ta\\\\\\\\x9b\t");
	ck_assert_has(&r.out, "\ta\\u009b\t");
	ck_assert_has(&r.out, "\ta\\n\t");
	ck_assert_has(&r.out, "\t'a\\n'\t");
	ck_assert_has(&r.out, "\tC:\\app\\x.py\t");
	ck_assert_has(&r.out, "\t\\xed\\xb2\\x80\t");
	ck_assert_has(&r.out, "\t'\\x1b[2J'\t");
	run_release(&r);
}
END_TEST

START_TEST(what_a_prof_cannot_say_is_remarked)
{
	struct fake_profile f;

	fake_profile_init(&f);
	ck_assert_ptr_null(render_pstats.remark(&f.p));
	fake_profile_release(&f);
	make_first(&f);
	ck_assert_ptr_nonnull(strstr(render_pstats.remark(&f.p), "calls that nobody counted are 0"));
	ck_assert_ptr_null(strstr(render_pstats.remark(&f.p), "units"));
	f.p.unit = "cycles";
	ck_assert_ptr_nonnull(strstr(render_pstats.remark(&f.p), "units"));
	ck_assert_ptr_null(strstr(render_pstats.remark(&f.p), "~"));
	f.p.groups.at[0].functions.at[0].is_cum_inexact = true;
	ck_assert_ptr_nonnull(strstr(render_pstats.remark(&f.p), "no ~ for it"));
	f.p.groups.at[0].functions.at[0].is_cum_inexact = false;
	f.p.groups.at[0].is_inexact = f.p.groups.at[0].functions.at[0].is_inexact = true;
	ck_assert_ptr_nonnull(strstr(render_pstats.remark(&f.p), "no ~ for it; and a .prof has"));
	fake_profile_release(&f);
}
END_TEST

Suite *check_render_pstats_suite(void)
{
	Suite *s = suite_create("render_pstats");
	TCase *tc = tcase_create("render_pstats"), *referee_tc = tcase_create("referee");

	tcase_add_test(tc, what_a_prof_cannot_say_is_remarked);
	suite_add_tcase(s, tc);
	tcase_set_timeout(referee_tc, 60);
	tcase_add_test(referee_tc, python_reads_and_adds);
	tcase_add_test(referee_tc, nothing_is_a_row_that_says_so);
	tcase_add_test(referee_tc, every_function_has_a_key_of_its_own);
	if (!system("python3 -c 'import pstats' >/dev/null 2>&1"))
		suite_add_tcase(s, referee_tc);
	else
		harness_omit(s, "referee", "python3 with pstats is not here");
	return s;
}
