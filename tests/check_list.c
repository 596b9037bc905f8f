/* SPDX-License-Identifier: Apache-2.0 */
/* What the list says of the time on the CPU. Its options and files are check_cmd_report.c's. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "base/str.h"
#include "report/list.h"

Suite *check_list_suite(void);

#define MS 1000000

/*
 * Requests of 10 ms, a word each, whose samples say 3 ms: "/a=7" had 7 ms on the CPU, "/a=?" none that a mark brought,
 * "/a=7!" has no end, "/a=7&" waited with others, "/a=7*" with some of its endpoint, and "/a=7!." was answered all the
 * same. "part": they are some of all that there are; "cycles": the samples say that.
 */
static void add_request(struct request_list *l, uint64_t id, const char *word)
{
	const char *cpu = strchr(word, '=');
	struct request r = { .id = id, .begin_ns = id, .weight = 3 * MS, .nr_samples = 3 };

	r.path = r.raw_path = strings_id_n(l->strings, word, (size_t)(cpu - word));
	r.has_cpu = cpu[1] != '?';
	r.cpu_ns = r.has_cpu ? strtoull(cpu + 1, NULL, 10) * MS : 0;
	r.is_cpu_shared = strchr(word, '&') != NULL;
	r.is_cpu_joint = strchr(word, '*') != NULL;
	r.is_unfinished = strchr(word, '!') != NULL;
	r.is_end_unseen = strchr(word, '.') != NULL;
	r.end_ns = r.is_unfinished ? 0 : id + 10 * MS;
	vec_push(&l->requests, r);
	list_count(l, &r);
}

static void make_list(struct request_list *l, struct strings *strings, const char *script)
{
	char *words = xstrdup(script), *rest = words, *word;
	uint64_t id = 1;

	*l = (struct request_list){ .strings = strings, .unit = "seconds", .seconds_per_weight = 1e-9 };
	while ((word = strsep(&rest, " ")) != NULL)
		if (!strcmp(word, "part"))
			l->is_part = true;
		else if (!strcmp(word, "cycles"))
			l->unit = "cycles";
		else
			add_request(l, id++, word);
	free(words);
}

/* The columns of that number, of all lines. */
static char *column_of(const char *text, size_t column)
{
	char *words = xstrdup(text), *rest = words, *line;
	struct str out = { 0 };

	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *s = line + column;

		if (!*line)
			continue;
		str_add(&out, out.len ? ", " : "");
		while (*s == ' ' && s < line + column + 11)
			s++;
		str_add_bytes(&out, s, (size_t)(line + column + 11 - s));
	}
	free(words);
	return str_take(&out);
}

typedef int write_fn(struct request_list *l, FILE *out, struct err *e);

static int write_requests(struct request_list *l, FILE *out, struct err *e)
{
	list_sort(l, LIST_BY_CPU);
	return list_write(l, LIST_TABLE, out, e);
}

static int write_endpoints(struct request_list *l, FILE *out, struct err *e)
{
	list_sort_endpoints(l, LIST_BY_CPU);
	return list_write_summary(l, LIST_TABLE, out, e);
}

enum { CPU_OF_REQUEST = 24, CPU_OF_ENDPOINT = 75 };	/* where the columns begin */

static const struct {
	const char *script, *requests, *endpoints;
} cases[] = {
	{ "/a=1 /a=2 /b=7", "on-CPU, 7.0 ms, 2.0 ms, 1.0 ms", "on-CPU, 7.0 ms, 3.0 ms" },
	/* of one without an end no more is known than that it has none */
	{ "/a=1 /a=9! /b=7", "on-CPU, 7.0 ms, 1.0 ms, -", "on-CPU, 7.0 ms, 1.0 ms" },
	{ "/a=9! /b=7", "on-CPU, 7.0 ms, -", "on-CPU, 7.0 ms, -" },
	/* nor of one that waited with others, and what an endpoint has of those may be more */
	{ "/a=1 /a=9& /b=7", "on-CPU, 7.0 ms, 1.0 ms, -", "on-CPU, ~10.0 ms, 7.0 ms" },
	{ "/a=1 /a=9* /b=7", "on-CPU, 7.0 ms, 1.0 ms, -", "on-CPU, 10.0 ms, 7.0 ms" },
	{ "part /a=1 /a=9* /b=7", "on-CPU, 7.0 ms, 1.0 ms, -", "on-CPU, ~10.0 ms, 7.0 ms" },
	{ "/a=9& /a=1! /b=7", "on-CPU, 7.0 ms, -, -", "on-CPU, 7.0 ms, -" },
	/* where it was answered it is known */
	{ "/a=7!. /b=1", "on-CPU, 7.0 ms, 1.0 ms", "on-CPU, 7.0 ms, 1.0 ms" },
	{ "/a=? /b=7!", "on-CPU~, 3.0 ms, 3.0 ms", "on-CPU~, 3.0 ms, 3.0 ms" },
	/* of one that no mark brings it of the samples tell, beside others' marks; that says so, and is sorted as it is shown */
	{ "/a=2 /b=? /c=4", "on-CPU, 4.0 ms, ~3.0 ms, 2.0 ms", "on-CPU, 4.0 ms, ~3.0 ms, 2.0 ms" },
	{ "/a=7 /b=?!", "on-CPU, 7.0 ms, ~3.0 ms", "on-CPU, 7.0 ms, ~3.0 ms" },
	{ "/a=1 /a=? /b=7", "on-CPU, 7.0 ms, ~3.0 ms, 1.0 ms", "on-CPU, 7.0 ms, ~6.0 ms" },
	/* counts of an event are no time */
	{ "cycles /a=2 /b=?", "on-CPU, 2.0 ms, -", "on-CPU, 2.0 ms, -" },
	/* where there are no others, samples are all there is */
	{ "/a=0!", "on-CPU~, 3.0 ms", "on-CPU~, 3.0 ms" },
};

static void check_column(int i, write_fn *write, size_t column, const char *want)
{
	struct strings strings = { 0 };
	struct request_list l;
	struct err e = { 0 };
	char *text, *got;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	make_list(&l, &strings, cases[i].script);
	ck_assert_int_eq(write(&l, out, &e), 0);
	fclose(out);
	got = column_of(text, column);
	ck_assert_str_eq(got, want);
	free(got);
	free(text);
	list_release(&l);
	strings_release(&strings);
}

START_TEST(requests_without_an_end_have_no_time_on_the_cpu)
{
	check_column(_i, write_requests, CPU_OF_REQUEST, cases[_i].requests);
	check_column(_i, write_endpoints, CPU_OF_ENDPOINT, cases[_i].endpoints);
}
END_TEST

/* Null, as all that is not known. */
static const struct {
	const char *script, *request, *endpoint;
} nulls[] = {
	{ "/a=9!", "\"elapsed\":null,\"cpu\":null,", "\"max\":null},\"cpu\":null," },
	{ "/a=1 /a=9&", "\"elapsed\":0.01,\"cpu\":null,", "\"max\":0.01},\"cpu\":null," },
};

START_TEST(json_has_no_cpu_that_is_not_known)
{
	struct strings strings = { 0 };
	struct request_list l;
	struct err e = { 0 };
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	make_list(&l, &strings, nulls[_i].script);
	ck_assert_int_eq(list_write(&l, LIST_JSONL, out, &e), 0);
	ck_assert_int_eq(list_write_summary(&l, LIST_JSONL, out, &e), 0);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, nulls[_i].request));
	ck_assert_ptr_nonnull(strstr(text, nulls[_i].endpoint));
	free(text);
	list_release(&l);
	strings_release(&strings);
}
END_TEST

/* Every key is there, whatever the numbers are. */
START_TEST(json_of_no_number_is_null)
{
	struct strings strings = { 0 };
	struct request_list l;
	struct err e = { 0 };
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	make_list(&l, &strings, "/a=9!");
	l.seconds_per_weight = INFINITY;
	ck_assert_int_eq(list_write(&l, LIST_JSONL, out, &e), 0);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "\"time\":null,"));
	free(text);
	list_release(&l);
	strings_release(&strings);
}
END_TEST

static const struct {
	const char *unit, *want;	/* want: the heads of both lists' columns, 11 wide */
} units[] = {
	{ "cycles", "    cycles~" },
	{ "instructions", "instructio~" },
	{ "\033[2J\n", " \\x1b[2J\\n~" },
	{ "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
	  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4~" },
	{ "\xc3\xa4\xff", "     \xc3\xa4\\xff~" },
};

/* A recording's event may be called anything. */
START_TEST(unit_is_shown_and_not_obeyed)
{
	write_fn *const writers[] = { write_requests, write_endpoints };
	const size_t columns[] = { CPU_OF_REQUEST, CPU_OF_ENDPOINT };
	size_t i;

	for (i = 0; i < ARRAY_LEN(writers); i++) {
		struct strings strings = { 0 };
		struct request_list l;
		struct err e = { 0 };
		char *text;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		make_list(&l, &strings, "/a=?!");
		l.unit = units[_i].unit;
		ck_assert_int_eq(writers[i](&l, out, &e), 0);
		fclose(out);
		ck_assert_msg(str_starts(text + columns[i], units[_i].want), "%s", text);
		ck_assert(str_starts(text + columns[i] + strlen(units[_i].want), "  samples"));
		free(text);
		list_release(&l);
		strings_release(&strings);
	}
}
END_TEST

Suite *check_list_suite(void)
{
	Suite *s = suite_create("list");
	TCase *tc = tcase_create("list");

	tcase_add_loop_test(tc, requests_without_an_end_have_no_time_on_the_cpu, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, unit_is_shown_and_not_obeyed, 0, ARRAY_LEN(units));
	tcase_add_loop_test(tc, json_has_no_cpu_that_is_not_known, 0, ARRAY_LEN(nulls));
	tcase_add_test(tc, json_of_no_number_is_null);
	suite_add_tcase(s, tc);
	return s;
}
