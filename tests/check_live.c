/* SPDX-License-Identifier: Apache-2.0 */
/* One request at a time says what a report of all of them says. tests/e2e/live.py has the rest. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "report/cmd_live.h"
#include "report/live.h"
#include "report/render.h"
#include "tests/harness.h"
#include "tests/recording_builder.h"

Suite *check_live_suite(void);

#define CODE_AT 0x10000ULL
#define MS	BUILDER_PERIOD_NS

struct fixture {
	struct recording_builder b;
	struct strings strings;
	struct endpoint_options endpoints;
	struct selection_options selection_options;
	struct selection *selection;
	struct table_plan *plan;
	const char *root;	/* of --root; NULL: none */
	struct str lines;
	size_t nr_lines;
};

static void setup(struct fixture *f)
{
	const struct table_options none = { 0 };
	struct err e = { 0 };

	*f = (struct fixture){ 0 };
	log_set_level(LOG_QUIET);
	builder_init(&f->b, NULL);
	builder_marker(&f->b, 1, MARKER_HAS_LABEL, "handle");
	builder_comm(&f->b, 0, 10, 10, "server", false);
	builder_mmap(&f->b, 0, 10, CODE_AT, 0x1000, 0, "//anon");
	builder_perf_map(&f->b, 10, "10000 100 work\n10100 100 main\n10200 100 wait\n");
	ck_assert_int_eq(table_plan_new(&none, &f->plan, &e), 0);
}

static void teardown(struct fixture *f)
{
	builder_release(&f->b);
	table_plan_free(f->plan);
	selection_free(f->selection);
	strings_release(&f->strings);
	str_release(&f->lines);
}

/* Four threads, whose requests overlap; each stack has other functions, some requests have none. */
static void add_requests(struct fixture *f, size_t nr)
{
	uint64_t time = MS;
	size_t i;

	for (i = 0; i < nr; i++) {
		uint32_t tid = 10 + (uint32_t)i % 4;
		char path[32];

		snprintf(path, sizeof(path), "/user%zu/%zu", i % 7, i);
		/* Not the first of each thread. */
		if (i >= 4)
			builder_end(&f->b, time++, 10, tid, 1);
		builder_begin(&f->b, time++, 10, tid, 1, path);
		if (i % 3)
			builder_sample(
				&f->b, time += MS, 10, tid,
				(uint64_t[]){ CODE_AT + 0x100 * (i % 3) + i % 64, CODE_AT + 0x110 },
				2);
		builder_sample(&f->b, time += MS, 10, 10 + (uint32_t)(i + 1) % 5,
			       (uint64_t[]){ CODE_AT + 0x210 }, 1);
		builder_round(&f->b);
	}
}

static struct reader *open_recording(struct fixture *f)
{
	struct reader *reader;
	struct err e = { 0 };
	size_t len;
	const void *bytes = builder_finish(&f->b, &len);

	ck_assert_int_eq(reader_open_bytes(bytes, len, &reader, &e), 0);
	return reader;
}

static void write_lines(const struct fixture *f, const struct profile *p, struct str *out)
{
	struct err e = { 0 };
	size_t len;
	char *text;
	FILE *memory = open_memstream(&text, &len);

	ck_assert_int_eq(render_jsonl.write(p, f->plan, memory, &e), 0);
	fclose(memory);
	str_add_bytes(out, text, len);
	free(text);
}

static void on_request(void *self, const struct profile *p)
{
	struct fixture *f = self;

	ck_assert_uint_eq(p->groups.nr, 1);
	f->nr_lines++;
	write_lines(f, p, &f->lines);
}

static void run_live(struct fixture *f, struct live *l, struct live_options *o)
{
	struct reader *reader = open_recording(f);
	struct err e = { 0 };

	ck_assert_msg(!selection_new(&f->selection_options, &f->selection, &e), "%s", e.what);
	*o = (struct live_options){ .selection = f->selection,
				    .strings = &f->strings,
				    .endpoints = &f->endpoints,
				    .resolve = { .root = f->root, .wants_callers = true },
				    .ended = on_request,
				    .self = f };
	live_init(l, o);
	ck_assert_msg(!live_reader(l, reader, "test", &e), "%s", e.what);
	reader_free(reader);
}

static void report_lines(struct fixture *f, struct str *out)
{
	struct strings strings = { 0 };
	struct report_options o = { .by = BY_REQUEST,
				    .selection = f->selection,
				    .strings = &strings,
				    .endpoints = &f->endpoints,
				    .resolve = { .root = f->root, .wants_callers = true } };
	struct reader *reader = open_recording(f);
	struct report r;
	struct err e = { 0 };

	report_init(&r, &o);
	ck_assert_msg(!report_reader(&r, reader, "test", &e), "%s", e.what);
	write_lines(f, report_finish(&r), out);
	report_release(&r);
	reader_free(reader);
	strings_release(&strings);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines without that of the outside, sorted. */
static char *sorted(const struct str *lines)
{
	char *text = xstrdup(str_cstr(lines)), *rest = text, *line;
	VEC(char *) each = { 0 };
	struct str out = { 0 };

	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line && !strstr(line, "(outside)"))
			vec_push(&each, line);
	if (each.nr)
		qsort(each.at, each.nr, sizeof(*each.at), by_text);
	vec_each(&each, it)
		str_addf(&out, "%s\n", *it);
	vec_release(&each);
	free(text);
	return str_take(&out);
}

static size_t count_text(const struct str *s, const char *text)
{
	const char *at = str_cstr(s);
	size_t nr = 0;

	for (; (at = strstr(at, text)) != NULL; at++)
		nr++;
	return nr;
}

/* A line of an endpoint is about what was shown of it, and there is none of another. */
static void is_about_lines(const struct request_list *summary, const struct fixture *f)
{
	size_t nr = 0;

	vec_each(&summary->endpoints, line) {
		char *text = xasprintf("\"endpoint\":\"%s\"", strings_text(&f->strings, line->path));

		ck_assert_uint_eq(line->elapsed.nr + line->nr_unfinished, count_text(&f->lines, text));
		nr += line->elapsed.nr + line->nr_unfinished;
		free(text);
	}
	ck_assert_uint_eq(nr, f->nr_lines);
}

static const struct {
	const char *slower_than, *root;
	bool has_lines;
} selections[] = {
	{ NULL, NULL, true },	{ "5ms", NULL, true },	{ "1h", NULL, false },	{ NULL, "main", true },
	{ NULL, "wait", true }, { "5ms", "main", true }, { NULL, "nowhere", false },
};

START_TEST(each_line_is_the_report_s)
{
	struct live_options o;
	struct str reported = { 0 };
	const struct profile *p;
	struct fixture f;
	struct live l;
	char *want, *got;

	setup(&f);
	add_requests(&f, 200);
	f.selection_options.slower_than = selections[_i].slower_than;
	f.root = selections[_i].root;
	run_live(&f, &l, &o);
	ck_assert(f.nr_lines == 200 || _i);
	ck_assert(!f.nr_lines == !selections[_i].has_lines);
	report_lines(&f, &reported);
	want = sorted(&reported);
	got = sorted(&f.lines);
	ck_assert_str_eq(got, want);
	is_about_lines(&l.summary, &f);
	p = live_describe(&l);
	ck_assert_uint_eq(p->tallies.nr_in_requests + p->tallies.nr_outside, p->tallies.nr_samples);
	live_release(&l);
	free(want);
	free(got);
	str_release(&reported);
	teardown(&f);
}
END_TEST

START_TEST(memory_is_that_of_code)
{
	static const size_t nr_requests[] = { 500, 5000 };
	size_t nr_strings[2], nr_nodes[2], nr_groups[2], i;

	for (i = 0; i < 2; i++) {
		struct live_options o;
		struct fixture f;
		struct live l;

		setup(&f);
		add_requests(&f, nr_requests[i]);
		run_live(&f, &l, &o);
		ck_assert_uint_eq(f.nr_lines, nr_requests[i]);
		nr_strings[i] = f.strings.text.nr;
		nr_nodes[i] = l.stacks.nodes.nr;
		nr_groups[i] = l.gather.groups.cap;
		/* seven endpoints; the last four have no end */
		ck_assert_uint_eq(l.summary.endpoints.nr, 7);
		ck_assert_uint_eq(live_describe(&l)->tallies.nr_unfinished, 4);
		live_release(&l);
		teardown(&f);
	}
	ck_assert_uint_eq(nr_strings[0], nr_strings[1]);
	ck_assert_uint_eq(nr_nodes[0], nr_nodes[1]);
	ck_assert_uint_eq(nr_groups[0], nr_groups[1]);
}
END_TEST

/* work() is counted, but not where it was sampled: below main(), which is not. */
START_TEST(why_rows_are_marked_is_told_at_the_end)
{
	static const struct note_node node = { .node = 1, .function = 1 };
	static const struct call_row row = { .node = 1, .ncalls = 2 };
	struct note_function note = { .id = 1, .flags = FUNCTION_IS_NAMED, .file = "//anon", .name = "work" };
	const struct tallies *told;
	struct live_options o;
	struct fixture f;
	struct live l;
	uint64_t i;

	setup(&f);
	builder_function(&f.b, &note);
	builder_nodes(&f.b, &node, 1);
	for (i = 0; i < 2; i++) {
		builder_begin(&f.b, 10 * i + 1, 10, 10, 1, "/a");
		builder_sample(&f.b, 10 * i + 2, 10, 10, (uint64_t[]){ CODE_AT, CODE_AT + 0x110 }, 2);
		builder_calls(&f.b, 10 * i + 3, 10, 10, 0, &row, 1);
		builder_end(&f.b, 10 * i + 4, 10, 10, 1);
	}
	f.root = _i ? "main" : NULL;
	run_live(&f, &l, &o);
	ck_assert_uint_eq(f.nr_lines, 2);
	told = &live_describe(&l)->tallies;
	ck_assert_uint_eq(told->nr_calls_elsewhere, !_i);
	ck_assert_uint_eq(told->nr_roots_uncounted, _i);
	live_release(&l);
	teardown(&f);
}
END_TEST

START_TEST(endpoints_beyond_the_limit_share_a_line)
{
	struct strings strings = { 0 };
	struct request_list l = { .strings = &strings, .nr_endpoints_max = 3 };
	struct request r = { .begin_ns = 1, .end_ns = 11, .nr_samples = 1 };
	size_t i;

	for (i = 0; i < 10; i++) {
		char path[16];

		snprintf(path, sizeof(path), "/%zu", i % 5);
		r.path = strings_hold_n(&strings, path, strlen(path));
		r.begin_ns++;
		list_count(&l, &r);
		request_drop_strings(&r, &strings);
	}
	list_sort_endpoints(&l, LIST_BY_BEGIN);
	ck_assert_uint_eq(l.endpoints.nr, 4);
	ck_assert_str_eq(strings_text(&strings, l.endpoints.at[2].path), "/2");
	ck_assert_str_eq(strings_text(&strings, l.endpoints.at[3].path), "(other)");
	ck_assert_uint_eq(l.endpoints.at[2].elapsed.nr, 2);
	ck_assert_uint_eq(l.endpoints.at[3].elapsed.nr, 4);
	ck_assert_uint_eq(l.nr_other, 4);
	list_release(&l);
	strings_release(&strings);
}
END_TEST

static const struct {
	const char *line, *what;
} errors[] = {
	{ "live", "nothing to look at\nName a process" },
	{ "live -p 1 -i wperf.data", "-i: nothing is read" },
	{ "live -p 1 -o wperf.data", "-o: tables go to stdout" },
	{ "live -p 1 --tee /no/such/file", "/no/such/file: No such file" },
	{ "live -p 1 --profile-dir /dev/null", "cannot open the folder /dev/null: Not a" },
	{ "live -p 1 --profile-dir /dev/null --filename-format {x}", "there is no {x}" },
	{ "live -p 1 --filename-format {id}", "Name their folder with --profile-dir DIR." },
	{ "live -p 1 --by thread", "--by: " },
	{ "live -p 1 --slowest 3", "--slower-than TIME" },
	{ "live -p 1 --format json", "One of: table, jsonl." },
	{ "live -p 1 --format jsno", "One of: table, jsonl." },
	{ "live -p 1 --sort colour", "colour" },
	{ "live -p 1 --slower-than soon", "soon" },
	{ "live -p 1 --path (", "(" },
	{ "live -p 1 --kernel no", "One of: show, fold, hide" },
	{ "live -p 1 --markr x", "Options like it: marker" },
	{ "live -p 1 here", "live here: a command stands behind --" },
	{ "live -p", "needs an argument" },
};

START_TEST(command_says_what_is_wrong)
{
	char *words = xstrdup(errors[_i].line), *rest = words, *argv[16];
	const char *path = harness_path("stderr");
	struct str err = { 0 };
	int argc = 0;

	while ((argv[argc] = strsep(&rest, " ")) != NULL)
		argc++;
	ck_assert_ptr_nonnull(freopen(path, "w", stderr));
	ck_assert_int_eq(cmd_live(argc, argv), 2);
	fflush(stderr);
	harness_read(path, &err);
	ck_assert_has(&err, errors[_i].what);
	ck_assert(str_starts(str_cstr(&err), "wperf: "));
	str_release(&err);
	free(words);
}
END_TEST

Suite *check_live_suite(void)
{
	Suite *s = suite_create("live");
	TCase *tc = tcase_create("live");

	tcase_add_loop_test(tc, each_line_is_the_report_s, 0, ARRAY_LEN(selections));
	tcase_add_test(tc, memory_is_that_of_code);
	tcase_add_loop_test(tc, why_rows_are_marked_is_told_at_the_end, 0, 2);
	tcase_add_test(tc, endpoints_beyond_the_limit_share_a_line);
	tcase_add_loop_test(tc, command_says_what_is_wrong, 0, ARRAY_LEN(errors));
	suite_add_tcase(s, tc);
	return s;
}
