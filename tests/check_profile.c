/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "tests/report_rig.h"

Suite *check_profile_suite(void);

/*
 * Functions of the tests are letters: a perf map of each process says that 'a' is at 0x10000, 'b'
 * at 0x10100 and so on; capital letters are the kernel's, which has no names here. A stack is
 * written outermost first: "abK" is K of the kernel, called by b, called by a.
 */
#define CODE_AT 0x10000ULL
#define KERNEL_AT 0xffffffff81000000ULL
#define MS BUILDER_PERIOD_NS

static void add_process(struct recording_builder *b, uint32_t pid, const char *name)
{
	struct str map = { 0 };
	char letter;

	for (letter = 'a'; letter <= 'z'; letter++)
		str_addf(&map, "%llx 100 %c\n", CODE_AT + 0x100ULL * (unsigned)(letter - 'a'),
			 letter);
	builder_comm(b, 0, pid, pid, name, false);
	builder_mmap(b, 0, pid, CODE_AT, 0x10000, 0, "//anon");
	builder_perf_map(b, pid, str_cstr(&map));
	str_release(&map);
}

static void add_stack(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		      const char *stack)
{
	uint64_t chain[64];
	size_t nr = 0, i = strlen(stack);
	bool is_kernel = i && stack[i - 1] >= 'A' && stack[i - 1] <= 'Z';

	chain[nr++] = is_kernel ? PERF_CONTEXT_KERNEL : PERF_CONTEXT_USER;
	while (i-- > 0) {
		bool is_capital = stack[i] >= 'A' && stack[i] <= 'Z';

		if (is_kernel && !is_capital)
			chain[nr++] = PERF_CONTEXT_USER;
		is_kernel = is_capital;
		chain[nr++] = is_capital ? KERNEL_AT + 0x100ULL * (unsigned)(stack[i] - 'A') + 0x10
					 : CODE_AT + 0x100ULL * (unsigned)(stack[i] - 'a') + 0x10;
	}
	builder_raw_sample(b, time, pid, tid, PERF_RECORD_MISC_USER, chain, nr);
}

static void setup(struct report_rig *f)
{
	*f = (struct report_rig){ 0 };
	builder_init(&f->b, NULL);
	/* That this machine's kernel is not the recorded one is known. */
	log_set_level(LOG_QUIET);
}

static const struct group *check_group(const struct group *g)
{
	uint64_t nr_samples = 0, weight = 0;

	vec_each(&g->functions, s) {
		uint64_t callers_self = 0;

		nr_samples += s->nr_samples;
		weight += s->self;
		ck_assert_uint_le(s->self, s->cum);
		ck_assert_uint_le(s->cum, g->weight);
		ck_assert_uint_le(s->nr_cum_samples, g->nr_samples);
		vec_each(&s->callers, c) {
			callers_self += c->self;
			ck_assert_uint_le(c->cum, s->cum);
		}
		ck_assert_uint_le(callers_self, s->self);
	}
	ck_assert_uint_eq(nr_samples, g->nr_samples);
	ck_assert_uint_eq(weight, g->weight);
	ck_assert_uint_eq(g->elapsed.nr, g->nr_requests);
	return g;
}

/* What must hold of every profile, whatever was recorded and asked for. */
static void check_conservation(const struct profile *p)
{
	const struct tallies *t = &p->tallies;
	uint64_t in_groups = 0;

	vec_each(&p->groups, g)
		in_groups += check_group(g)->nr_samples;
	ck_assert_uint_eq(t->nr_in_requests + t->nr_outside, t->nr_samples);
	ck_assert_uint_eq(in_groups + t->nr_filtered, t->nr_samples);
}

static void finish(struct report_rig *f)
{
	report_rig_finish(f);
	check_conservation(f->p);
}

static void run(struct report_rig *f)
{
	report_rig_begin(f);
	report_rig_feed(f);
	finish(f);
}

static const char *text_of(const struct report_rig *f, uint32_t id)
{
	return strings_text(&f->strings, id);
}

/* "a 1/3" for each function: samples of its own, samples with it on the stack; by name. */
static const char *functions_of(struct report_rig *f, const struct group *g)
{
	str_clear(&f->text);
	vec_each(&g->functions, s) {
		const struct function *fn = &f->p->functions.at[s->function];

		ck_assert_uint_eq(s->self, s->nr_samples * MS);
		ck_assert_uint_eq(s->cum, s->nr_cum_samples * MS);
		str_addf(&f->text, "%s%s %" PRIu64 "/%" PRIu64, f->text.len ? ", " : "",
			 text_of(f, fn->name), s->nr_samples, s->nr_cum_samples);
	}
	return str_cstr(&f->text);
}

/* "path 2r 5s" for each group: its requests and samples. */
static const char *groups_of(struct report_rig *f)
{
	str_clear(&f->text);
	vec_each(&f->p->groups, g)
		str_addf(&f->text, "%s%s %" PRIu64 "r %" PRIu64 "s", f->text.len ? ", " : "",
			 text_of(f, g->path), g->nr_requests, g->nr_samples);
	return str_cstr(&f->text);
}

/* ---- sums over stacks ---- */

static const struct {
	const char *stacks;	/* one a word */
	enum kernel_frames kernel;
	const char *root;
	const char *want;
	uint64_t nr_filtered;
} stack_cases[] = {
	{ "a", KERNEL_SHOW, NULL, "a 1/1", 0 },
	{ "ab ab abc", KERNEL_SHOW, NULL, "a 0/3, b 2/3, c 1/1", 0 },
	/* recursion: on the stack is on the stack, however often */
	{ "aaa ab aba", KERNEL_SHOW, NULL, "a 2/3, b 1/2", 0 },
	{ "abab abab ab", KERNEL_SHOW, NULL, "a 0/3, b 3/3", 0 },
	/* the kernel */
	{ "abKL abK", KERNEL_FOLD, NULL, "a 0/2, b 0/2, kernel 2/2", 0 },
	{ "abKL abK b", KERNEL_HIDE, NULL, "a 0/2, b 3/3", 0 },
	{ "KL abK", KERNEL_HIDE, NULL, "a 0/1, b 1/1, kernel 1/1", 0 },
	{ "KL", KERNEL_FOLD, NULL, "kernel 1/1", 0 },
	/* below a function */
	{ "abc dbc dc", KERNEL_SHOW, "b", "b 0/2, c 2/2", 1 },
	{ "abcbc b cb", KERNEL_SHOW, "b", "b 2/3, c 1/1", 0 },
	{ "abKL dK", KERNEL_FOLD, "kernel", "kernel 2/2", 0 },
	{ "abc xbc", KERNEL_SHOW, "[ax]", "a 0/1, b 0/2, c 2/2, x 0/1", 0 },
	{ "abKL ab", KERNEL_HIDE, "b", "b 2/2", 0 },
};

static void add_stacks(struct recording_builder *b, const char *stacks)
{
	char *words = xstrdup(stacks), *rest = words, *word;
	uint64_t time = 0;

	add_process(b, 10, "server");
	builder_kernel_mmap(b, KERNEL_AT, 0x1000000);
	while ((word = strsep(&rest, " ")) != NULL)
		add_stack(b, ++time, 10, 10, word);
	free(words);
}

START_TEST(profile_sums_functions)
{
	struct report_rig f;

	setup(&f);
	add_stacks(&f.b, stack_cases[_i].stacks);
	f.options.resolve.kernel = stack_cases[_i].kernel;
	f.options.resolve.root = stack_cases[_i].root;
	run(&f);
	ck_assert_uint_eq(f.p->groups.nr, 1);
	ck_assert_str_eq(functions_of(&f, &f.p->groups.at[0]), stack_cases[_i].want);
	ck_assert_uint_eq(f.p->tallies.nr_filtered, stack_cases[_i].nr_filtered);
	report_rig_release(&f);
}
END_TEST

START_TEST(profile_shows_the_kernel_by_name_or_address)
{
	const struct group *g;
	struct report_rig f;
	uint64_t nr_kernel = 0;

	setup(&f);
	add_stacks(&f.b, "abKL KL ab");
	run(&f);
	g = &f.p->groups.at[0];
	vec_each(&g->functions, s) {
		const struct function *fn = &f.p->functions.at[s->function];

		if (!fn->is_kernel)
			continue;
		nr_kernel += s->nr_samples;
		ck_assert_str_eq(text_of(&f, fn->file), "[kernel]");
		ck_assert_uint_eq(fn->line, 0);
		ck_assert(str_starts(text_of(&f, fn->std_name), "[kernel]:0("));
	}
	ck_assert_uint_eq(nr_kernel, 2);
	report_rig_release(&f);
}
END_TEST

START_TEST(profile_knows_callers)
{
	const struct group *g;
	const struct function_sums *c;
	struct report_rig f;

	setup(&f);
	f.options.resolve.wants_callers = true;
	add_stacks(&f.b, "ac ac bc bcd bcbcbc cc");
	run(&f);
	g = &f.p->groups.at[0];
	c = &g->functions.at[2];
	ck_assert_str_eq(text_of(&f, f.p->functions.at[c->function].name), "c");
	/* called by b in 3 samples (once each), by a in 2, by itself in 1 */
	ck_assert_uint_eq(c->callers.nr, 3);
	ck_assert_str_eq(text_of(&f, f.p->functions.at[c->callers.at[0].caller].name), "b");
	ck_assert_uint_eq(c->callers.at[0].cum, 3 * MS);
	ck_assert_uint_eq(c->callers.at[0].self, 2 * MS);
	ck_assert_uint_eq(c->callers.at[0].nr_samples, 2);
	ck_assert_uint_eq(c->callers.at[0].ncalls, COUNT_UNKNOWN);
	ck_assert_str_eq(text_of(&f, f.p->functions.at[c->callers.at[1].caller].name), "a");
	ck_assert_uint_eq(c->callers.at[1].cum, 2 * MS);
	ck_assert_str_eq(text_of(&f, f.p->functions.at[c->callers.at[2].caller].name), "c");
	ck_assert_uint_eq(c->callers.at[2].self, 1 * MS);
	ck_assert_uint_eq(c->ncalls, COUNT_UNKNOWN);
	ck_assert_uint_eq(g->calls, COUNT_UNKNOWN);
	report_rig_release(&f);
}
END_TEST

START_TEST(profile_names_what_has_no_symbol)
{
	struct report_rig f;

	setup(&f);
	builder_mmap(&f.b, 0, 10, 0x400000, 0x1000, 0x2000, "/no/such/dir/lib.so.1");
	builder_sample(&f.b, 1, 10, 10, (uint64_t[]){ 0x400123, 0x999000 }, 2);
	run(&f);
	ck_assert_uint_eq(f.p->groups.at[0].functions.nr, 2);
	ck_assert_str_eq(text_of(&f, f.p->functions.at[0].std_name), "lib.so.1:0(0x2123)");
	ck_assert_str_eq(text_of(&f, f.p->functions.at[0].module), "/no/such/dir/lib.so.1");
	ck_assert(str_starts(text_of(&f, f.p->functions.at[1].std_name), "[unknown]:0(0x998fff)") ||
		  str_starts(text_of(&f, f.p->functions.at[1].std_name), "[unknown]:0(0x999000)"));
	report_rig_release(&f);
}
END_TEST

/* ---- what changes while it is recorded ---- */

START_TEST(profile_tells_processes_apart)
{
	struct report_rig f;

	setup(&f);
	add_process(&f.b, 10, "one");
	builder_mmap(&f.b, 0, 20, CODE_AT, 0x1000, 0, "//anon");
	builder_perf_map(&f.b, 20, "10000 1000 other\n");
	add_stack(&f.b, 1, 10, 10, "ab");
	add_stack(&f.b, 2, 20, 20, "ab");
	add_stack(&f.b, 3, 10, 10, "ab");
	run(&f);
	ck_assert_str_eq(functions_of(&f, &f.p->groups.at[0]), "a 0/2, b 2/2, other 1/1");
	report_rig_release(&f);
}
END_TEST

/* The same addresses, before and after: dlopen, a mapping replaced, exec. */
START_TEST(profile_follows_mappings)
{
	struct report_rig f;

	setup(&f);
	builder_mmap(&f.b, 0, 10, 0x1000, 0x1000, 0, "/no/such/first");
	builder_sample(&f.b, 1, 10, 10, (uint64_t[]){ 0x1010 }, 1);
	builder_sample(&f.b, 2, 10, 10, (uint64_t[]){ 0x5010 }, 1);
	builder_mmap(&f.b, 3, 10, 0x5000, 0x1000, 0, "/no/such/late");
	builder_sample(&f.b, 4, 10, 10, (uint64_t[]){ 0x5010 }, 1);
	builder_mmap(&f.b, 5, 10, 0x1000, 0x1000, 0, "/no/such/second");
	builder_sample(&f.b, 6, 10, 10, (uint64_t[]){ 0x1010 }, 1);
	builder_comm(&f.b, 7, 10, 10, "new", true);
	builder_sample(&f.b, 8, 10, 10, (uint64_t[]){ 0x1010 }, 1);
	builder_mmap(&f.b, 9, 10, 0x1000, 0x1000, 0, "/no/such/third");
	builder_sample(&f.b, 10, 10, 10, (uint64_t[]){ 0x1010 }, 1);
	run(&f);
	str_clear(&f.text);
	vec_each(&f.p->groups.at[0].functions, s)
		str_addf(&f.text, "%s ", text_of(&f, f.p->functions.at[s->function].std_name));
	ck_assert_str_eq(str_cstr(&f.text), "[unknown]:0(0x1010) [unknown]:0(0x5010) first:0(0x10) "
					    "late:0(0x10) second:0(0x10) third:0(0x10) ");
	report_rig_release(&f);
}
END_TEST

/* Rings one after the other, as recorders write them; marks are in another than samples. */
START_TEST(profile_does_not_depend_on_the_order_of_rings)
{
	struct report_rig f;

	setup(&f);
	add_process(&f.b, 10, "server");
	builder_marker(&f.b, 1, 0, "handle");
	add_stack(&f.b, 15, 10, 10, "ab");
	add_stack(&f.b, 25, 10, 10, "ab");
	add_stack(&f.b, 35, 10, 10, "ac");
	builder_begin(&f.b, 20, 10, 10, 1, "/x");
	builder_end(&f.b, 30, 10, 10, 1);
	builder_round(&f.b);
	add_stack(&f.b, 45, 10, 10, "ad");
	builder_begin(&f.b, 33, 10, 10, 1, "/y");
	builder_end(&f.b, 36, 10, 10, 1);
	builder_round(&f.b);
	run(&f);
	ck_assert_str_eq(groups_of(&f), "/x 1r 1s, /y 1r 1s, (outside) 0r 2s");
	report_rig_release(&f);
}
END_TEST

/* ---- groups ---- */

/* Two threads of one process and one of another; requests on each. */
static void add_requests(struct recording_builder *b)
{
	add_process(b, 10, "web");
	add_process(b, 20, "api");
	builder_comm(b, 0, 10, 11, "worker", false);
	builder_marker(b, 1, MARKER_HAS_LABEL, "handle");
	add_stack(b, 5, 10, 10, "az");
	builder_begin(b, 10, 10, 10, 1, "/user/17");
	add_stack(b, 11, 10, 10, "ab");
	add_stack(b, 12, 10, 11, "ay");
	builder_begin(b, 13, 10, 11, 1, "/list");
	add_stack(b, 14, 10, 11, "ac");
	builder_end(b, 20, 10, 10, 1);
	builder_begin(b, 21, 10, 10, 1, "/user/18");
	add_stack(b, 22, 10, 10, "ab");
	builder_end(b, 25, 10, 10, 1);
	builder_end(b, 43, 10, 11, 1);
	builder_begin(b, 50, 20, 20, 1, "/user/19");
	add_stack(b, 51, 20, 20, "ad");
	add_stack(b, 52, 20, 20, "ad");
}

static const struct {
	enum group_by by;
	const char *path, *slower_than, *slowest;
	const char *want;
	uint64_t nr_filtered;
} group_cases[] = {
	{ BY_ENDPOINT, NULL, NULL, NULL, "/user/{id} 2r 4s, /list 1r 1s, (outside) 0r 2s", 0 },
	{ BY_REQUEST, NULL, NULL, NULL,
	  "/user/{id} 0r 2s, /list 1r 1s, /user/{id} 1r 1s, /user/{id} 1r 1s, (outside) 0r 2s", 0 },
	{ BY_NONE, NULL, NULL, NULL, "(all) 3r 7s", 0 },
	{ BY_THREAD, NULL, NULL, NULL, "web/10 2r 3s, api/20 0r 2s, worker/11 1r 2s", 0 },
	{ BY_PROCESS, NULL, NULL, NULL, "web/10 3r 5s, api/20 0r 2s", 0 },
	{ BY_STATUS, NULL, NULL, NULL, "(unknown) 3r 5s, (outside) 0r 2s", 0 },
	{ BY_METHOD, NULL, NULL, NULL, "(unknown) 3r 5s, (outside) 0r 2s", 0 },
	/* with a selection, what is outside of requests is left out, too */
	{ BY_ENDPOINT, "^/user", NULL, NULL, "/user/{id} 2r 4s", 3 },
	{ BY_ENDPOINT, "nothing", NULL, NULL, "", 7 },
	{ BY_NONE, "^/list", NULL, NULL, "(all) 1r 1s", 6 },
	{ BY_THREAD, "^/list", NULL, NULL, "worker/11 1r 1s", 6 },
	{ BY_ENDPOINT, NULL, "8ns", NULL, "/list 1r 1s, /user/{id} 1r 1s", 5 },
	/* an unfinished one is not known to be slow */
	{ BY_ENDPOINT, NULL, NULL, "1", "/list 1r 1s", 6 },
	{ BY_REQUEST, NULL, NULL, "2", "/list 1r 1s, /user/{id} 1r 1s", 5 },
	{ BY_ENDPOINT, NULL, NULL, "9", "/user/{id} 2r 2s, /list 1r 1s", 4 },
	{ BY_THREAD, NULL, NULL, "2", "web/10 1r 1s, worker/11 1r 1s", 5 },
	{ BY_ENDPOINT, "^/user", NULL, "1", "/user/{id} 1r 1s", 6 },
};

START_TEST(profile_groups_and_selects)
{
	struct report_rig f;

	setup(&f);
	add_requests(&f.b);
	f.options.by = group_cases[_i].by;
	if (group_cases[_i].path)
		vec_push(&f.selection_options.path, group_cases[_i].path);
	f.selection_options.slower_than = group_cases[_i].slower_than;
	f.selection_options.slowest = group_cases[_i].slowest;
	run(&f);
	ck_assert_str_eq(groups_of(&f), group_cases[_i].want);
	ck_assert_uint_eq(f.p->tallies.nr_filtered, group_cases[_i].nr_filtered);
	ck_assert_uint_eq(f.p->tallies.nr_samples, 7);
	report_rig_release(&f);
}
END_TEST

/* The kernel says -1 of a thread that is about to leave its CPU for good. */
static const struct {
	enum group_by by;
	const char *want;
} ended_cases[] = {
	{ BY_ENDPOINT, "/list 0r 1s, (outside) 0r 6s" },
	{ BY_THREAD, "worker/11 0r 3s, (unknown) 0r 2s, child/20 0r 1s, web/10 0r 1s" },
	{ BY_PROCESS, "web/10 0r 5s, (unknown) 0r 1s, child/20 0r 1s" },
};

START_TEST(profile_knows_whose_last_samples_are)
{
	struct report_rig f;

	setup(&f);
	add_process(&f.b, 10, "web");
	add_process(&f.b, 20, "child");
	builder_comm(&f.b, 0, 10, 11, "worker", false);
	builder_marker(&f.b, 1, MARKER_HAS_LABEL, "handle");
	builder_begin(&f.b, 10, 10, 11, 1, "/list");
	add_stack(&f.b, 11, 10, 11, "ac");
	builder_exit(&f.b, 12, 10, 11);
	add_stack(&f.b, 13, 10, UINT32_MAX, "K");
	add_stack(&f.b, 14, 10, UINT32_MAX, "K");
	add_stack(&f.b, 15, 10, 10, "ab");
	add_stack(&f.b, 16, 10, UINT32_MAX, "K");
	builder_exit(&f.b, 17, 20, 20);
	add_stack(&f.b, 18, UINT32_MAX, UINT32_MAX, "K");
	builder_lost(&f.b, 19, 3);
	add_stack(&f.b, 20, UINT32_MAX, UINT32_MAX, "K");
	f.options.by = ended_cases[_i].by;
	run(&f);
	ck_assert_str_eq(groups_of(&f), ended_cases[_i].want);
	ck_assert_uint_eq(f.p->tallies.nr_samples, 7);
	ck_assert_uint_eq(f.p->tallies.nr_in_requests, 1);
	report_rig_release(&f);
}
END_TEST

START_TEST(profile_keeps_times_of_requests)
{
	const struct group *g;
	struct report_rig f;

	setup(&f);
	add_requests(&f.b);
	run(&f);
	g = &f.p->groups.at[0];
	ck_assert_uint_eq(g->elapsed.nr, 2);
	ck_assert_uint_eq(durations_quantile_ns(&g->elapsed, 0), 4);
	ck_assert_uint_eq(g->elapsed.max_ns, 10);
	ck_assert_uint_eq(g->nr_unfinished, 1);
	ck_assert_uint_eq(f.p->begin_ns, 5);
	ck_assert_uint_eq(f.p->duration_ns, 47);
	ck_assert(f.p->has_markers);
	ck_assert_str_eq(f.p->unit, "seconds");
	ck_assert_str_eq(f.p->event, "cpu-clock");
	ck_assert_double_eq_tol(profile_seconds(f.p, g->weight), 0.004, 1e-9);
	report_rig_release(&f);
}
END_TEST

/* Samples are from 5 to 52. The end is missing where a recorder was killed. */
static const struct {
	const char *begin_ns, *end_ns;
	uint64_t want_begin_ns, want_duration_ns;
} times[] = {
	{ "1", "100", 1, 99 },	 { "1", NULL, 1, 51 },	    { NULL, NULL, 5, 47 },
	{ "x", "100", 5, 95 },	 { "20", "30", 5, 47 },	    { "-1", "1e3", 5, 47 },
	{ "0", "", 5, 47 },	 { "99999999999999999999", NULL, 5, 47 },
};

static void add_info(struct recording_builder *b, const char *key, const char *value)
{
	struct str payload = { 0 };

	if (!value)
		return;
	str_add_bytes(&payload, key, strlen(key) + 1);
	str_add_bytes(&payload, value, strlen(value) + 1);
	str_add_char(&payload, 0);
	builder_note(b, NOTE_INFO, payload.s, payload.len);
	str_release(&payload);
}

START_TEST(profile_is_as_long_as_its_recordings)
{
	struct report_rig f;

	setup(&f);
	add_requests(&f.b);
	add_info(&f.b, "begin_ns", times[_i].begin_ns);
	add_info(&f.b, "end_ns", "7");
	add_info(&f.b, "end_ns", times[_i].end_ns);
	report_rig_begin(&f);
	report_rig_feed(&f);
	report_rig_feed(&f);
	finish(&f);
	ck_assert_uint_eq(f.p->begin_ns, times[_i].want_begin_ns);
	ck_assert_uint_eq(f.p->duration_ns, 2 * times[_i].want_duration_ns);
	report_rig_release(&f);
}
END_TEST

/* The last word of a recorder that was killed, or found no room; others' recordings have none. */
static const struct {
	const char *begin_ns, *end_ns;
	bool is_truncated;
} last_words[] = { { "1", "100", false }, { "1", NULL, true }, { NULL, NULL, false } };

START_TEST(recording_without_its_last_word_is_truncated)
{
	struct report_rig f;

	setup(&f);
	add_requests(&f.b);
	add_info(&f.b, "begin_ns", last_words[_i].begin_ns);
	add_info(&f.b, "end_ns", last_words[_i].end_ns);
	report_rig_begin(&f);
	report_rig_feed(&f);
	finish(&f);
	ck_assert_int_eq(f.p->is_truncated, last_words[_i].is_truncated);
	report_rig_release(&f);
}
END_TEST

START_TEST(profile_says_which_request)
{
	const struct group *g;
	struct report_rig f;

	setup(&f);
	add_requests(&f.b);
	f.options.by = BY_REQUEST;
	run(&f);
	g = &f.p->groups.at[1];
	ck_assert_uint_eq(g->request_id, 2);
	ck_assert_uint_eq(g->begin_ns, 13);
	ck_assert_uint_eq(g->end_ns, 43);
	ck_assert_uint_eq(g->tid, 11);
	report_rig_release(&f);
}
END_TEST

START_TEST(profile_merges_recordings)
{
	struct report_rig f;

	setup(&f);
	add_requests(&f.b);
	f.options.by = _i ? BY_THREAD : BY_ENDPOINT;
	report_rig_begin(&f);
	report_rig_feed(&f);
	report_rig_feed(&f);
	finish(&f);
	ck_assert_str_eq(groups_of(&f), _i ? "web/10 4r 6s, api/20 0r 4s, worker/11 2r 4s" :
					     "/user/{id} 4r 8s, /list 2r 2s, (outside) 0r 4s");
	ck_assert_uint_eq(f.p->tallies.nr_unfinished, 2);
	report_rig_release(&f);
}
END_TEST

/* The first recording's process is another one than the second's of that pid. */
START_TEST(profile_keeps_recordings_apart)
{
	struct report_rig f;

	setup(&f);
	builder_mmap(&f.b, 0, 10, 0x1000, 0x1000, 0, "/no/such/first");
	builder_sample(&f.b, 1, 10, 10, (uint64_t[]){ 0x1010 }, 1);
	report_rig_begin(&f);
	report_rig_feed(&f);
	builder_release(&f.b);
	builder_init(&f.b, NULL);
	builder_mmap(&f.b, 0, 10, 0x1000, 0x1000, 0, "/no/such/second");
	builder_sample(&f.b, 1, 10, 10, (uint64_t[]){ 0x1010 }, 1);
	report_rig_feed(&f);
	finish(&f);
	ck_assert_uint_eq(f.p->groups.at[0].functions.nr, 2);
	report_rig_release(&f);
}
END_TEST

START_TEST(profile_without_markers_is_one_table)
{
	struct report_rig f;

	setup(&f);
	add_stacks(&f.b, "ab ac");
	run(&f);
	ck_assert_str_eq(groups_of(&f), "(all) 0r 2s");
	ck_assert(!f.p->groups.at[0].is_outside);
	ck_assert(!f.p->has_markers);
	report_rig_release(&f);
}
END_TEST

START_TEST(profile_of_nothing_is_empty)
{
	struct report_rig f;

	setup(&f);
	run(&f);
	ck_assert_uint_eq(f.p->groups.nr, 0);
	ck_assert_uint_eq(f.p->tallies.nr_samples, 0);
	report_rig_release(&f);
}
END_TEST

/* ---- weights ---- */

static const struct perf_event_attr cycles_at_100_hz = { .type = PERF_TYPE_HARDWARE,
							 .config = PERF_COUNT_HW_CPU_CYCLES,
							 .freq = 1,
							 .sample_freq = 100 };

/* Two samples of 3 and 1 million events; info: an INFO note's value, NULL for none. */
static void add_events(struct report_rig *f, const struct perf_event_attr *attr, const char *info)
{
	struct str note = { 0 };

	builder_release(&f->b);
	builder_init(&f->b, attr);
	if (info) {
		str_add_bytes(&note, "cycles_per_second", sizeof("cycles_per_second"));
		str_add_bytes(&note, info, strlen(info) + 1);
		str_add_char(&note, 0);
		builder_note(&f->b, NOTE_INFO, note.s, note.len);
		str_release(&note);
	}
	f->b.period = 3000000;
	builder_sample(&f->b, 1, 1, 1, (uint64_t[]){ 0x1010 }, 1);
	f->b.period = 1000000;
	builder_sample(&f->b, 2, 1, 1, (uint64_t[]){ 0x2010 }, 1);
}

static const struct perf_event_attr faults_at_100_hz = { .type = PERF_TYPE_SOFTWARE,
							 .config = PERF_COUNT_SW_PAGE_FAULTS,
							 .freq = 1,
							 .sample_freq = 100 };

static const struct {
	const struct perf_event_attr *attr;
	const char *info[2];	/* of two recordings that are merged */
	const char *unit;
	double total;
} time_cases[] = {
	/* a frequency is no time: the CPU may have slept between the samples */
	{ &cycles_at_100_hz, { NULL, NULL }, "cycles", 8e6 },
	{ &faults_at_100_hz, { NULL, NULL }, "page-faults", 8e6 },
	/* with a rate, cycles are */
	{ &cycles_at_100_hz, { "2e9", "2e9" }, "seconds", 0.004 },
	{ &cycles_at_100_hz, { "2000000000", "4000000000" }, "seconds", 0.003 },
	/* of a part of them it is not known, or makes no sense */
	{ &cycles_at_100_hz, { "2e9", NULL }, "cycles", 8e6 },
	{ &cycles_at_100_hz, { "0", "0" }, "cycles", 8e6 },
	{ &cycles_at_100_hz, { "-1", "nan" }, "cycles", 8e6 },
	{ &cycles_at_100_hz, { "", "fast" }, "cycles", 8e6 },
	{ &cycles_at_100_hz, { "1e-308", "1e-308" }, "cycles", 8e6 },
	{ &cycles_at_100_hz, { "1e300", "1e300" }, "cycles", 8e6 },
	/* no other event is made of cycles */
	{ &faults_at_100_hz, { "2e9", "2e9" }, "page-faults", 8e6 },
};

START_TEST(profile_makes_no_time_of_events)
{
	struct report_rig f;
	size_t i;

	setup(&f);
	report_rig_begin(&f);
	for (i = 0; i < 2; i++) {
		add_events(&f, time_cases[_i].attr, time_cases[_i].info[i]);
		report_rig_feed(&f);
	}
	finish(&f);
	ck_assert_str_eq(f.p->unit, time_cases[_i].unit);
	ck_assert_double_eq_tol(profile_seconds(f.p, f.p->groups.at[0].weight), time_cases[_i].total,
				1e-9);
	ck_assert_double_eq(f.p->freq_hz, 100);
	report_rig_release(&f);
}
END_TEST

/* perf record -e cpu-clock -c 1000: a sample says 1 us, and the kernel took one in 10 us. */
START_TEST(profile_knows_the_shortest_period_of_a_clock)
{
	struct perf_event_attr clock = { .type = PERF_TYPE_SOFTWARE,
					 .config = PERF_COUNT_SW_TASK_CLOCK,
					 .sample_period = 1000 };
	struct report_rig f;

	setup(&f);
	builder_release(&f.b);
	builder_init(&f.b, &clock);
	f.b.period = 1000;
	builder_sample(&f.b, 1, 1, 1, (uint64_t[]){ 0x1010 }, 1);
	f.b.period = 20000;
	builder_sample(&f.b, 2, 1, 1, (uint64_t[]){ 0x1010 }, 1);
	run(&f);
	ck_assert_uint_eq(f.p->groups.at[0].weight, 30000);
	report_rig_release(&f);
}
END_TEST

static const struct {
	uint16_t max_stack;		/* of the event; 0: the kernel's default */
	bool exclude_callchain_user;	/* unwound by the recorder */
	bool has_unwound;		/* the same, said by a tally only */
	uint32_t nr_frames[3];		/* of a sample each */
	uint64_t want, want_frames;
} depth_cases[] = {
	{ 0, false, false, { 1, 126, 50 }, 0, 0 },
	{ 0, false, false, { 127, 20, 127 }, 2, 127 },
	/* the kernel was told to go deeper: how deep is not known */
	{ 0, false, false, { 127, 300, 300 }, 0, 0 },
	{ 300, false, false, { 127, 300, 300 }, 2, 300 },
	{ 16, false, false, { 15, 16, 3 }, 1, 16 },
	{ 0, true, false, { 127, 127, 127 }, 0, 0 },
	{ 0, false, true, { 127, 127, 127 }, 0, 0 },
};

/* The innermost frame is the kernel's: both parts count, and their context marks do not. */
static void add_deep_stack(struct recording_builder *b, uint64_t time, uint32_t nr_frames)
{
	uint64_t chain[400] = { PERF_CONTEXT_KERNEL, KERNEL_AT, PERF_CONTEXT_USER };
	uint32_t i;

	for (i = 1; i < nr_frames; i++)
		chain[i + 2] = CODE_AT + i;
	builder_raw_sample(b, time, 1, 1, PERF_RECORD_MISC_KERNEL, chain, nr_frames + 2);
}

START_TEST(profile_counts_stacks_cut_by_the_kernel)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.config = PERF_COUNT_SW_CPU_CLOCK,
					.freq = 1,
					.sample_freq = 1000 };
	static const char tally[] = "stacks_root\0\3\0\0\0\0\0\0\0";
	struct report_rig f;
	size_t i;

	setup(&f);
	attr.sample_max_stack = depth_cases[_i].max_stack;
	attr.exclude_callchain_user = depth_cases[_i].exclude_callchain_user;
	builder_release(&f.b);
	builder_init(&f.b, &attr);
	for (i = 0; i < ARRAY_LEN(depth_cases[_i].nr_frames); i++)
		add_deep_stack(&f.b, i + 1, depth_cases[_i].nr_frames[i]);
	if (depth_cases[_i].has_unwound)
		builder_note(&f.b, NOTE_TALLY, tally, sizeof(tally));
	run(&f);
	ck_assert_uint_eq(f.p->tallies.nr_cut_stacks, depth_cases[_i].want);
	ck_assert_uint_eq(f.p->tallies.cut_at_frames, depth_cases[_i].want_frames);
	report_rig_release(&f);
}
END_TEST

/* The clock it is, although the other event comes first. */
START_TEST(profile_takes_time_from_the_clock)
{
	struct perf_event_attr faults = { .type = PERF_TYPE_SOFTWARE,
					  .config = PERF_COUNT_SW_PAGE_FAULTS,
					  .sample_period = 1 };
	struct report_rig f;

	setup(&f);
	builder_release(&f.b);
	builder_init(&f.b, &faults);
	builder_sample(&f.b, 1, 1, 1, (uint64_t[]){ 0x1010 }, 1);
	builder_add_clock(&f.b);
	builder_sample(&f.b, 2, 1, 1, (uint64_t[]){ 0x2010 }, 1);
	builder_sample(&f.b, 3, 1, 1, (uint64_t[]){ 0x2010 }, 1);
	run(&f);
	ck_assert_str_eq(f.p->event, "cpu-clock");
	ck_assert_str_eq(f.p->unit, "seconds");
	ck_assert_uint_eq(f.p->tallies.nr_samples, 2);
	report_rig_release(&f);
}
END_TEST

START_TEST(profile_counts_where_there_is_no_time)
{
	struct perf_event_attr faults = { .type = PERF_TYPE_SOFTWARE,
					  .config = PERF_COUNT_SW_PAGE_FAULTS,
					  .sample_period = 7 };
	struct report_rig f;

	setup(&f);
	builder_release(&f.b);
	builder_init(&f.b, &faults);
	f.b.period = 7;
	builder_sample(&f.b, 1, 1, 1, (uint64_t[]){ 0x1010 }, 1);
	builder_sample(&f.b, 2, 1, 1, (uint64_t[]){ 0x2010 }, 1);
	run(&f);
	ck_assert_str_eq(f.p->unit, "page-faults");
	ck_assert_double_eq_tol(profile_seconds(f.p, f.p->groups.at[0].weight), 14, 1e-9);
	ck_assert_double_eq(f.p->freq_hz, 0);
	report_rig_release(&f);
}
END_TEST

/* ---- anything at all ---- */

static void add_random(struct recording_builder *b, uint64_t seed)
{
	uint64_t time = 0, h;
	char stack[12];
	int i, k;

	add_process(b, 10, "web");
	add_process(b, 20, "api");
	builder_marker(b, 1, 0, "handle");
	builder_marker(b, 3, MARKER_IS_CALL, "call");
	for (i = 0; i < 600; i++) {
		uint32_t pid, tid;
		char label[16];

		h = hash_mix(seed, (uint64_t)i);
		time += h % 5;
		pid = h >> 8 & 1 ? 10 : 20;
		tid = pid + (uint32_t)(h >> 9 & 1);
		snprintf(label, sizeof(label), "/%c", 'a' + (char)(h >> 12 & 3));
		for (k = 0; k < (int)(h >> 16 & 7) + 1; k++)
			stack[k] = 'a' + (char)(h >> (20 + 3 * k) & 3);
		stack[k] = '\0';
		if (h >> 44 & 1)
			strcpy(stack + k, "KL");
		switch (h >> 48 & 7) {
		case 0:
			builder_begin(b, time + 1, pid, tid, 1, label);
			break;
		case 1:
			builder_end(b, time + 1, pid, tid, 1);
			break;
		default:
			add_stack(b, time + 1, pid, tid, stack);
		}
		if (h >> 52 & 1)
			builder_round(b);
	}
}

START_TEST(profile_conserves_samples)
{
	static const char *const roots[] = { NULL, "b", "kernel" };
	struct report_rig f;
	unsigned int by;

	for (by = 0; by < NR_GROUP_BYS; by++) {
		setup(&f);
		add_random(&f.b, (uint64_t)_i);
		f.options.by = (enum group_by)by;
		f.options.resolve.kernel = (enum kernel_frames)(_i % NR_KERNEL_FRAMES);
		f.options.resolve.root = roots[_i / 3 % 3];
		if (_i % 5 == 1)
			vec_push(&f.selection_options.path, "[ab]");
		if (_i % 7 == 1)
			f.selection_options.slowest = "5";
		run(&f);
		report_rig_release(&f);
	}
}
END_TEST

Suite *check_profile_suite(void)
{
	Suite *s = suite_create("profile");
	TCase *tc = tcase_create("profile");

	tcase_add_loop_test(tc, profile_sums_functions, 0, ARRAY_LEN(stack_cases));
	tcase_add_test(tc, profile_shows_the_kernel_by_name_or_address);
	tcase_add_test(tc, profile_knows_callers);
	tcase_add_test(tc, profile_names_what_has_no_symbol);
	tcase_add_test(tc, profile_tells_processes_apart);
	tcase_add_test(tc, profile_follows_mappings);
	tcase_add_test(tc, profile_does_not_depend_on_the_order_of_rings);
	tcase_add_loop_test(tc, profile_groups_and_selects, 0, ARRAY_LEN(group_cases));
	tcase_add_loop_test(tc, profile_knows_whose_last_samples_are, 0, ARRAY_LEN(ended_cases));
	tcase_add_test(tc, profile_keeps_times_of_requests);
	tcase_add_loop_test(tc, profile_is_as_long_as_its_recordings, 0, ARRAY_LEN(times));
	tcase_add_loop_test(tc, recording_without_its_last_word_is_truncated, 0, ARRAY_LEN(last_words));
	tcase_add_test(tc, profile_says_which_request);
	tcase_add_loop_test(tc, profile_merges_recordings, 0, 2);
	tcase_add_test(tc, profile_keeps_recordings_apart);
	tcase_add_test(tc, profile_without_markers_is_one_table);
	tcase_add_test(tc, profile_of_nothing_is_empty);
	tcase_add_loop_test(tc, profile_makes_no_time_of_events, 0, ARRAY_LEN(time_cases));
	tcase_add_test(tc, profile_knows_the_shortest_period_of_a_clock);
	tcase_add_loop_test(tc, profile_counts_stacks_cut_by_the_kernel, 0, ARRAY_LEN(depth_cases));
	tcase_add_test(tc, profile_takes_time_from_the_clock);
	tcase_add_test(tc, profile_counts_where_there_is_no_time);
	tcase_add_loop_test(tc, profile_conserves_samples, 0, 15);
	suite_add_tcase(s, tc);
	return s;
}
