/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every model below is written in every format and compared with golden/render_<model>/. With
 * WPERF_GOLDEN set the files are rewritten instead; people review the difference.
 */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "report/render.h"
#include "tests/fake_profile.h"
#include "tests/render_models.h"

Suite *check_render_suite(void);

#define US 1000ULL
#define MS 1000000ULL

struct model {
	const char *name;
	void (*make)(struct fake_profile *f);
	const char *sort, *restriction;
};

static void make_tallies(struct fake_profile *f, uint64_t nr_samples, uint64_t nr_in_requests)
{
	f->p.has_markers = true;
	f->p.tallies.nr_samples = nr_samples;
	f->p.tallies.nr_in_requests = nr_in_requests;
	f->p.tallies.nr_outside = nr_samples - nr_in_requests;
}

/* Everything counted: what the README shows. */
static void make_counted(struct fake_profile *f)
{
	struct group *g = fake_group(f, BY_ENDPOINT, "/", "GET");
	uint32_t fib = fake_function(f, "app.py", 4, "fib", NULL);
	uint32_t index = fake_function(f, "app.py", 9, "index", NULL);
	uint32_t idle = fake_function(f, "app.py", 20, "idle", NULL);
	struct function_sums *s = fake_sums(g, fib, 5 * MS, 5 * MS);

	f->p.input = "wperf.data";
	f->p.event = "cpu-clock";
	f->p.freq_hz = 999;
	f->p.hostname = "host";
	f->p.cmdline = "python3 app.py";
	make_tallies(f, 1000, 993);
	fake_calls(g, s, 13529, 1);
	vec_push(&s->callers, (struct caller_sums){ fib, 13528, 0, 5, 5 * MS, 5 * MS });
	vec_push(&s->callers, (struct caller_sums){ index, 1, 1, 0, 0, 5 * MS });
	fake_calls(g, fake_sums(g, index, 1 * MS, 6 * MS), 344, 339);
	fake_stack(g, (uint32_t[]){ fib, fib, index }, 3, 3 * MS);
	fake_stack(g, (uint32_t[]){ fib, fib, fib, index }, 4, 2 * MS);
	fake_stack(g, (uint32_t[]){ index }, 1, 1 * MS);
	fake_calls(g, fake_sums(g, idle, 0, 0), 0, 0);
	fake_requests(g, 100, 200);
	fake_requests(g, 1, 500);
}

/* Only sampled: nothing knows a number of calls; and a table for what belongs to no request. */
static void make_sampled(struct fake_profile *f)
{
	uint32_t parse = fake_function(f, "src/parse.c", 120, "parse_header", NULL);
	uint32_t poll = fake_function(f, "[kernel]", 0, "do_epoll_wait", NULL);
	uint32_t hex = fake_function(f, "libssl.so.3", 0, "0x1234", NULL);
	struct group *g = fake_group(f, BY_ENDPOINT, "/user/{id}", "");

	make_tallies(f, 1500, 1300);
	fake_sums(g, poll, 400 * MS, 400 * MS);
	fake_sums(g, hex, 0, 850 * MS);
	fake_sums(g, parse, 900 * MS, 1300 * MS);
	f->p.functions.at[poll].is_kernel = true;
	fake_stack(g, (uint32_t[]){ parse, hex }, 2, 850 * MS);
	fake_stack(g, (uint32_t[]){ parse }, 1, 50 * MS);
	fake_stack(g, (uint32_t[]){ poll, parse }, 2, 400 * MS);
	fake_requests(g, 1, 0);
	g->nr_unfinished = 3;
	g = fake_group(f, BY_ENDPOINT, "(outside)", "");
	g->is_outside = true;
	fake_sums(g, poll, 200 * MS, 200 * MS);
	fake_stack(g, &poll, 1, 200 * MS);
	f->p.tallies.nr_lost = 1;
	f->p.tallies.nr_unfinished = 3;
	f->p.tallies.nr_filtered = 17;
	f->p.tallies.nr_beside_calls = 8;
	f->p.tallies.nr_unmatched_ends = 2;
	f->p.tallies.nr_labels_cut = 1;
	f->p.tallies.nr_label_faults = 4;
	f->p.tallies.stacks = (struct unwind_tally){
		.nr_stops = { [UNWIND_STOP_ROOT] = 1490, [UNWIND_STOP_SHORT] = 7, [UNWIND_STOP_NO_RULE] = 3 },
		.nr_frames = 30000,
		.nr_guessed = 12,
	};
	f->p.tallies.nr_throttled = 6;
	f->p.tallies.nr_cut_stacks = 12;
	f->p.tallies.cut_at_frames = 127;
	f->p.tallies.nr_marks_unsent = 5;
	f->p.tallies.nr_processes_not_followed = 1;
	f->p.tallies.nr_files_unreachable = 2;
	f->p.is_truncated = true;
}

static void make_requests(struct fake_profile *f)
{
	uint32_t work = fake_function(f, "app.c", 7, "work", NULL);
	struct group *g = fake_group(f, BY_REQUEST, "/slow", "GET");

	f->p.by = BY_REQUEST;
	make_tallies(f, 14, 10);
	fake_sums(g, work, 8 * MS, 8 * MS);
	fake_stack(g, &work, 1, 8 * MS);
	fake_requests(g, 1, 200);
	fake_elapsed(g, 3210 * US);
	g->request_id = 17;
	g->raw_path = strings_id(&f->strings, "/slow?ms=3");
	g->begin_epoch_ns = 1700000000000000999 + 1234567 * US;
	g->begin_ns = f->p.begin_ns + 1234567 * US;
	g->end_ns = g->begin_ns + 3210 * US;
	g->tid = 1234;
	g = fake_group(f, BY_REQUEST, "/hangs", "");
	fake_sums(g, work, 2 * MS, 2 * MS);
	g->nr_unfinished = 1;
	g->request_id = 18;
	g->raw_path = strings_id(&f->strings, "/hangs");
	g->begin_ns = f->p.begin_ns;
	g->tid = 1235;
	g = fake_group(f, BY_REQUEST, "(outside)", "");
	g->is_outside = true;
	fake_sums(g, work, 4 * MS, 4 * MS);
	fake_stack(g, &work, 1, 4 * MS);
}

/* What a server may be asked for, and what a hostile file may call its functions. */
static void make_escapes(struct fake_profile *f)
{
	static const char controls[] = "/\x7f\xc2\x80\xc2\x9b" "31m\xc2\x9f\xc2\xa0";
	static const char nul[] = "/a\0b";
	uint32_t evil = fake_function(f, "a\x1b[2J.c", 1, "caf\xc3\xa9\xff\n\"\\", NULL);
	uint32_t rust = fake_function(f, "<a&b>.rs", 2, "<[T; N] as A&B>::f", NULL);
	uint32_t same = fake_function(f, "other.rs", 2, "<[T; N] as A&B>::f", NULL);
	struct group *g = fake_group(f, BY_ENDPOINT, "/\x1b[31m'\"\\\xff\xc2\x9b", "G\tT");

	fake_sums(g, evil, MS, MS);
	fake_stack(g, (uint32_t[]){ evil, rust }, 2, MS);
	fake_stack(g, (uint32_t[]){ evil, same }, 2, 2 * MS);
	fake_stack(g, (uint32_t[]){ evil }, 1, 3 * MS);
	fake_requests(g, 2, 200);
	g = fake_group(f, BY_ENDPOINT, "", "");
	g->path = strings_id_n(&f->strings, nul, sizeof(nul) - 1);
	fake_sums(g, evil, MS, MS);
	fake_sums(fake_group(f, BY_ENDPOINT, controls, ""), evil, MS, MS);
	g = fake_group(f, BY_ENDPOINT, "/\xe2\x80\xa8/\xe2\x80\xae/\xc2\xa0/\xef\xbf\xbe", "");
	fake_sums(g, evil, MS, MS);
	fake_stack(g, &evil, 1, MS);
}

/* No time, and every kind of table; the weight of one sample makes percall a fraction. */
static void make_cycles(struct fake_profile *f)
{
	uint32_t work = fake_function(f, "app.c", 7, "work", NULL);
	struct group *g;

	f->p.unit = "cycles";
	f->p.seconds_per_weight = 1;
	fake_sums(fake_group(f, BY_STATUS, "200", ""), work, 1234567890, 1234567890);
	fake_sums(fake_group(f, BY_METHOD, "GET", "GET"), work, 1, 1);
	fake_sums(fake_group(f, BY_THREAD, "nginx/17", ""), work, 1, 1);
	fake_sums(fake_group(f, BY_PROCESS, "nginx/16", ""), work, 1, 1);
	g = fake_group(f, BY_NONE, "(all)", "");
	fake_calls(g, fake_sums(g, work, 10, 10), 4, 3);
	fake_stack(g, &work, 1, 10);
}

/* Some calls are missing in a row: all that is counted in it says so, and the header, which is their sum. */
static void make_inexact(struct fake_profile *f)
{
	uint32_t eval = fake_function(f, "lisp.c", 1, "eval", NULL), apply = fake_function(f, "lisp.c", 5, "apply", NULL);
	struct group *g = fake_group(f, BY_ENDPOINT, "/", "GET");
	struct function_sums *s = fake_sums(g, fake_function(f, "app.py", 4, "fib", NULL), MS, MS);

	fake_calls(g, s, 1000, 10);
	s->is_inexact = true;
	fake_calls(g, fake_sums(g, fake_function(f, "app.py", 9, "index", NULL), MS, 2 * MS), 3, 3);
	fake_sums(g, fake_function(f, "lib.c", 1, "work", NULL), MS, MS);
	g->is_inexact = true;
	s = fake_sums(g, fake_function(f, "deep.c", 1, "walk", NULL), MS, MS);
	fake_calls(g, s, 500, 0);
	s->primitive_calls = g->primitive_calls = COUNT_UNKNOWN;
	g = fake_group(f, BY_ENDPOINT, "/lisp", "GET");
	s = fake_sums(g, eval, MS, 3 * MS);
	fake_calls(g, s, 9, 2);
	s->is_inexact = s->is_self_inexact = s->is_cum_inexact = g->is_inexact = true;
	fake_sums(g, apply, MS, 2 * MS)->is_cum_inexact = true;
	f->p.tallies.nr_calls_lost = 7;
	f->p.tallies.nr_calls_callerless = 500;
	f->p.tallies.nr_calls_nameless = 1;
	f->p.tallies.nr_calls_late = 2;
	f->p.tallies.nr_calls_partial = 1;
	f->p.tallies.nr_calls_cut = 1;
	f->p.tallies.nr_calls_inexact = 1;
	f->p.tallies.nr_roots_uncounted = 1;
}

/* Calls with their time, and no sample. */
static void make_timed(struct fake_profile *f)
{
	struct group *g = fake_group(f, BY_ENDPOINT, "/", "GET");
	uint32_t fib = fake_function(f, "app.py", 4, "fib", NULL);
	uint32_t index = fake_function(f, "app.py", 9, "index", NULL);

	fake_calls(g, fake_sums(g, fib, 500 * US, 500 * US), 29, 1);
	fake_calls(g, fake_sums(g, index, 120 * US, 620 * US), 1, 1);
	fake_stack(g, (uint32_t[]){ fib, index }, 2, 100 * US);
	fake_stack(g, (uint32_t[]){ fib, fib, index }, 3, 400 * US);
	fake_stack(g, (uint32_t[]){ index }, 1, 120 * US);
	fake_requests(g, 1, 200);
}

static void make_nothing(struct fake_profile *f)
{
	(void)f;
}

static const struct model models[] = {
	{ "counted", make_counted, NULL, NULL },
	{ "counted_top", make_counted, "cumtime,name", "1" },
	{ "counted_none_left", make_counted, "name", "no such function" },
	{ "sampled", make_sampled, NULL, NULL },
	{ "requests", make_requests, NULL, NULL },
	{ "escapes", make_escapes, NULL, NULL },
	{ "cycles", make_cycles, NULL, NULL },
	{ "inexact", make_inexact, NULL, NULL },
	{ "nothing", make_nothing, NULL, NULL },
	{ "timed", make_timed, NULL, NULL },
};

enum { REQUESTS = 4, ESCAPES = 5 };	/* of them */

static char *render(const struct model *m, const struct renderer *r, size_t *ret_len)
{
	struct table_options o = { 0 };
	struct fake_profile f;
	char *text;

	fake_profile_init(&f);
	m->make(&f);
	if (m->sort)
		vec_push(&o.sort, m->sort);
	if (m->restriction)
		vec_push(&o.restrictions, m->restriction);
	text = fake_render(&f, r, &o, ret_len);
	table_options_release(&o);
	fake_profile_release(&f);
	return text;
}

size_t nr_render_models(void)
{
	return ARRAY_LEN(models);
}

const char *render_model(size_t i, const struct renderer *r, char **ret_text, size_t *ret_len)
{
	*ret_text = render(&models[i], r, ret_len);
	return models[i].name;
}

static char *tallies(const struct model *m, size_t *ret_len)
{
	struct fake_profile f;
	char *text;
	FILE *out = open_memstream(&text, ret_len);

	fake_profile_init(&f);
	m->make(&f);
	render_tallies(&f.p, out);
	fclose(out);
	fake_profile_release(&f);
	return text;
}

static void rewrite(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	ck_assert_msg(file != NULL, "%s: %m", path);
	ck_assert_uint_eq(fwrite(text, 1, len, file), len);
	fclose(file);
}

/* Takes text. */
static void equals_golden(const char *model, const char *name, char *text, size_t len)
{
	char *dir = xasprintf("tests/golden/render_%s", model);
	char *path = xasprintf("%s/%s", dir, name);
	char *want = xcalloc(1, len + 2);
	FILE *file;

	if (getenv("WPERF_GOLDEN")) {
		mkdir(dir, 0777);
		rewrite(path, text, len);
	}
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s: %m", path);
	ck_assert_msg(fread(want, 1, len + 1, file) == len && !memcmp(want, text, len),
		      "%s is not\n%s", path, text);
	fclose(file);
	free(want);
	free(path);
	free(dir);
	free(text);
}

START_TEST(writes_what_is_golden)
{
	static const struct {
		const char *name;
		const struct renderer *renderer;
	} formats[] = {
		{ "table", &render_table },
		{ "json", &render_json },
		{ "jsonl", &render_jsonl },
		{ "pstats", &render_pstats },
		{ "folded", &render_folded },
		{ "speedscope", &render_speedscope },
	};
	const struct model *m = &models[_i];
	size_t i, len;
	char *text;

	for (i = 0; i < ARRAY_LEN(formats); i++) {
		text = render(m, formats[i].renderer, &len);
		equals_golden(m->name, formats[i].name, text, len);
	}
	text = tallies(m, &len);
	equals_golden(m->name, "tallies", text, len);
}
END_TEST

static json_t *parse(const char *text, size_t len)
{
	json_error_t why;
	json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);

	ck_assert_msg(value != NULL, "%s in %s", why.text, text);
	return value;
}

static void has_keys(json_t *object, const char *const *keys, size_t nr)
{
	void *it = json_object_iter(object);
	size_t i;

	for (i = 0; i < nr; i++, it = json_object_iter_next(object, it)) {
		ck_assert_msg(it != NULL, "no key %s", keys[i]);
		ck_assert_str_eq(json_object_iter_key(it), keys[i]);
	}
}

/* The keys that CLI.md promises, in its order; more may follow. */
static void check_group(json_t *group)
{
	static const char *const of_group[] = { "path", "method", "requests", "status", "elapsed",
						"time", "samples", "calls", "primitive_calls" };
	static const char *const of_elapsed[] = { "mean", "p50", "p90", "p99", "max" };
	static const char *const of_function[] = { "file", "line", "function", "module", "ncalls",
						   "primitive_calls", "samples" };
	static const char *const of_caller[] = { "file", "line", "function", "ncalls", "samples",
						 "tottime", "cumtime" };
	json_t *function, *caller;
	size_t i, k;

	has_keys(group, of_group, ARRAY_LEN(of_group));
	has_keys(json_object_get(group, "elapsed"), of_elapsed, ARRAY_LEN(of_elapsed));
	json_array_foreach(json_object_get(group, "functions"), i, function) {
		has_keys(function, of_function, ARRAY_LEN(of_function));
		ck_assert(json_is_real(json_object_get(function, "tottime")));
		ck_assert(json_is_real(json_object_get(function, "cumtime")));
		json_array_foreach(json_object_get(function, "callers"), k, caller)
			has_keys(caller, of_caller, ARRAY_LEN(of_caller));
	}
}

START_TEST(json_has_the_promised_keys)
{
	static const char *const keys[] = { "wperf", "recording", "attributed", "lost" };
	size_t len, i;
	char *text = render(&models[_i], &render_json, &len);
	json_t *root = parse(text, len), *group;
	bool has_unit = json_object_get(root, "unit") != NULL;

	ck_assert_int_eq(json_integer_value(json_object_get(root, "wperf")), 1);
	if (!has_unit)
		has_keys(root, keys, ARRAY_LEN(keys));
	ck_assert(json_is_array(json_object_get(root, "groups")));
	json_array_foreach(json_object_get(root, "groups"), i, group)
		check_group(group);
	json_decref(root);
	free(text);
}
END_TEST

static void same_values(json_t *got, json_t *want, const char *const *keys)
{
	for (; *keys; keys++)
		ck_assert_msg(json_equal(json_object_get(got, *keys), json_object_get(want, *keys)),
			      "%s", *keys);
}

/* The line of one request has a value where a table of many has more than one. */
START_TEST(jsonl_lines_of_requests_are_flat)
{
	static const char *const of_line[] = { "wperf", "timestamp", "method", "path", "endpoint",
					       "status", "elapsed" };
	static const char *const of_both[] = { "method", "requests", "time", "samples", "calls",
					       "primitive_calls", "id", "begin", "end", "thread",
					       "timestamp", "unfinished", "by", "outside",
					       "functions", NULL };
	static const struct {
		const char *timestamp, *path, *endpoint;
		int status;
		double elapsed;
	} want[] = {
		{ "2023-11-14T22:13:21.234567Z", "/slow?ms=3", "/slow", 200, 0.00321 },
		{ NULL, "/hangs", "/hangs", 0, 0 },
		{ NULL, "(outside)", "(outside)", 0, 0 },
	};
	size_t len, lines_len, i;
	char *text = render(&models[REQUESTS], &render_json, &len), *end;
	char *lines = render(&models[REQUESTS], &render_jsonl, &lines_len), *line = lines;
	json_t *root = parse(text, len), *group;

	json_array_foreach(json_object_get(root, "groups"), i, group) {
		json_t *got, *value;

		end = strchr(line, '\n');
		got = parse(line, (size_t)(end - line));
		line = end + 1;
		has_keys(got, of_line, ARRAY_LEN(of_line));
		same_values(got, group, of_both);
		value = json_object_get(got, "timestamp");
		ck_assert(want[i].timestamp ? !strcmp(json_string_value(value), want[i].timestamp) :
					      json_is_null(value));
		ck_assert_str_eq(json_string_value(json_object_get(got, "path")), want[i].path);
		ck_assert_str_eq(json_string_value(json_object_get(got, "endpoint")), want[i].endpoint);
		value = json_object_get(got, "status");
		ck_assert(want[i].status ? json_integer_value(value) == want[i].status :
					   json_is_null(value));
		value = json_object_get(got, "elapsed");
		ck_assert(want[i].elapsed > 0 ? json_real_value(value) == want[i].elapsed :
						json_is_null(value));
		json_decref(got);
	}
	ck_assert_uint_eq(i, ARRAY_LEN(want));
	ck_assert_uint_eq((size_t)(line - lines), lines_len);
	json_decref(root);
	free(lines);
	free(text);
}
END_TEST

/* Of a recording without requests, that is all. */
START_TEST(jsonl_line_of_no_request_has_the_name_of_its_table)
{
	struct fake_profile f;
	size_t len;
	char *text;
	json_t *line;

	fake_profile_init(&f);
	f.p.by = BY_REQUEST;
	fake_sums(fake_group(&f, BY_NONE, "(all)", ""), fake_function(&f, "app.c", 7, "work", NULL), MS, MS);
	text = fake_render(&f, &render_jsonl, &(struct table_options){ 0 }, &len);
	line = parse(text, len);
	ck_assert_str_eq(json_string_value(json_object_get(line, "path")), "(all)");
	ck_assert_str_eq(json_string_value(json_object_get(line, "endpoint")), "(all)");
	json_decref(line);
	free(text);
	fake_profile_release(&f);
}
END_TEST

/* Any other line of jsonl is a group of json, and says which format it is. */
START_TEST(jsonl_lines_are_the_groups_of_json)
{
	size_t len, lines_len, i;
	char *text = render(&models[_i], &render_json, &len), *end;
	char *lines = render(&models[_i], &render_jsonl, &lines_len), *line = lines;
	json_t *root = parse(text, len), *group;

	json_array_foreach(json_object_get(root, "groups"), i, group) {
		json_t *got;

		end = strchr(line, '\n');
		ck_assert_ptr_nonnull(end);
		got = parse(line, (size_t)(end - line));
		ck_assert_int_eq(json_integer_value(json_object_get(got, "wperf")), 1);
		json_object_del(got, "wperf");
		json_object_del(got, "unit");
		ck_assert(json_equal(got, group));
		json_decref(got);
		line = end + 1;
	}
	ck_assert_uint_eq((size_t)(line - lines), lines_len);
	json_decref(root);
	free(lines);
	free(text);
}
END_TEST

/* The path of a request arrives as the bytes it was, wherever JSON can hold them. */
/* Where calls have their own time, no sample is left to count: that is no 0. */
START_TEST(json_has_no_samples_where_calls_have_their_time)
{
	struct table_options o = { 0 };
	struct fake_profile f;
	struct function_sums *sums;
	struct group *g;
	uint32_t fib, main_fn;
	json_t *root, *group, *function;
	size_t len;
	char *text;

	fake_profile_init(&f);
	fib = fake_function(&f, "app.py", 1, "fib", NULL);
	main_fn = fake_function(&f, "app.py", 9, "main", NULL);
	g = fake_group(&f, BY_ENDPOINT, "/", "GET");
	g->has_no_samples = true;
	sums = fake_sums(g, fib, 5 * MS, 5 * MS);
	vec_push(&sums->callers, (struct caller_sums){ .caller = main_fn, .ncalls = 1, .primitive_calls = 1, .cum = 5 * MS });
	text = fake_render(&f, &render_json, &o, &len);
	root = json_loads(text, 0, NULL);
	group = json_array_get(json_object_get(root, "groups"), 0);
	function = json_array_get(json_object_get(group, "functions"), 0);
	ck_assert(json_is_null(json_object_get(group, "samples")));
	ck_assert(json_is_null(json_object_get(function, "samples")));
	ck_assert(json_is_null(json_object_get(function, "cum_samples")));
	ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(function, "callers"), 0), "samples")));
	ck_assert_double_gt(json_number_value(json_object_get(group, "time")), 0);
	json_decref(root);
	free(text);
	fake_profile_release(&f);
}
END_TEST

START_TEST(json_keeps_text_whole)
{
	size_t len;
	char *text = render(&models[ESCAPES], &render_json, &len);
	json_t *root = parse(text, len);
	json_t *groups = json_object_get(root, "groups");
	json_t *path = json_object_get(json_array_get(groups, 1), "path");

	ck_assert_uint_eq(json_string_length(path), 4);
	ck_assert_mem_eq(json_string_value(path), "/a\0b", 4);
	path = json_object_get(json_array_get(groups, 0), "path");
	ck_assert_str_eq(json_string_value(path), "/\\x1b[31m'\"\\\\\\xff\\x9b");
	path = json_object_get(json_array_get(groups, 2), "path");
	ck_assert_str_eq(json_string_value(path), "/\x7f\xc2\x80\xc2\x9b" "31m\xc2\x9f\xc2\xa0");
	ck_assert_ptr_nonnull(strstr(text, "/\\u007F\\u0080\\u009B31m\\u009F\xc2\xa0"));
	json_decref(root);
	free(text);
}
END_TEST

START_TEST(numbers_are_finite_and_long_enough)
{
	struct table_options o = { 0 };
	struct fake_profile f;
	json_t *root, *group;
	char *text;
	size_t len;

	fake_profile_init(&f);
	f.p.freq_hz = INFINITY;
	fake_sums(fake_group(&f, BY_NONE, "(all)", ""), fake_function(&f, "f", 1, "f", NULL),
		  123456789012345, 0);
	text = fake_render(&f, &render_json, &o, &len);
	ck_assert_ptr_nonnull(strstr(text, "\"time\": 123456.789012345,"));
	ck_assert_ptr_null(strstr(text, "-0.0"));
	root = parse(text, len);
	ck_assert(json_is_null(json_object_get(json_object_get(root, "recording"), "freq")));
	group = json_array_get(json_object_get(root, "groups"), 0);
	ck_assert(json_is_null(json_object_get(group, "method")));
	ck_assert(json_is_null(json_object_get(group, "calls")));
	ck_assert(json_is_null(json_object_get(json_object_get(group, "elapsed"), "p99")));
	ck_assert(json_is_null(json_object_get(root, "attributed")));
	json_decref(root);
	free(text);
	fake_profile_release(&f);
}
END_TEST

static const struct renderer *const all[] = { &render_table, &render_json, &render_jsonl,
					      &render_pstats, &render_folded,
					      &render_flamegraph, &render_speedscope };

START_TEST(a_full_disk_is_an_error)
{
	FILE *full = fopen("/dev/full", "w");
	struct table_options o = { 0 };
	struct fake_profile f;
	struct table_plan *plan;
	struct err e;

	ck_assert_ptr_nonnull(full);
	fake_profile_init(&f);
	make_counted(&f);
	f.p.strings = &f.strings;
	ck_assert_int_eq(table_plan_new(&o, &plan, &e), 0);
	ck_assert_int_lt(all[_i]->write(&f.p, plan, full, &e), 0);
	ck_assert(str_starts(e.what, "cannot write the report: "));
	fclose(full);
	table_plan_free(plan);
	fake_profile_release(&f);
}
END_TEST

START_TEST(renderers_have_names)
{
	ck_assert_ptr_eq(renderer_find(all[_i]->name), all[_i]);
	ck_assert(str_starts(renderer_names(), "table, json, jsonl, pstats, folded, flamegraph, "));
	ck_assert_ptr_null(renderer_find("tabl"));
	ck_assert_ptr_null(renderer_find(""));
}
END_TEST

Suite *check_render_suite(void)
{
	Suite *s = suite_create("render");
	TCase *tc = tcase_create("render");

	tcase_add_loop_test(tc, writes_what_is_golden, 0, ARRAY_LEN(models));
	tcase_add_loop_test(tc, json_has_the_promised_keys, 0, ARRAY_LEN(models));
	tcase_add_loop_test(tc, jsonl_lines_are_the_groups_of_json, 0, REQUESTS);
	tcase_add_loop_test(tc, jsonl_lines_are_the_groups_of_json, REQUESTS + 1, ARRAY_LEN(models));
	tcase_add_test(tc, jsonl_lines_of_requests_are_flat);
	tcase_add_test(tc, jsonl_line_of_no_request_has_the_name_of_its_table);
	tcase_add_test(tc, json_has_no_samples_where_calls_have_their_time);
	tcase_add_test(tc, json_keeps_text_whole);
	tcase_add_test(tc, numbers_are_finite_and_long_enough);
	tcase_add_loop_test(tc, a_full_disk_is_an_error, 0, ARRAY_LEN(all));
	tcase_add_loop_test(tc, renderers_have_names, 0, ARRAY_LEN(all));
	suite_add_tcase(s, tc);
	return s;
}
