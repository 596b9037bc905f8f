/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "report/feed.h"
#include "tests/recording_builder.h"

Suite *check_attribute_suite(void);

/*
 * A script is a recording, one word a record, at times 1, 2, 3 ...:
 *
 *	B11:1/a		BEGIN on thread 11 by marker 1, with label "/a"
 *	B11:2#7		the same by marker 2, with id 7
 *	B11:3@500	marker 3, a call, with the stack pointer at 500
 *	E11:1  E11:2#7  E11:3@508	the ENDs
 *	S11		a sample on thread 11
 *	X11  C11  F11	exit, exec, fork of the thread
 *	L		records were lost
 *	-		nothing, but time goes on
 *
 * A thread's process is its tens: 11 and 12 are threads of 10, 21 of 20. Markers: 1 and 5 without
 * flags, 2 with ids, 3 and 4 calls, 6 calls that return probes end.
 */
static void build_word(struct recording_builder *b, uint64_t time, const char *word)
{
	struct mark_head m = { .kind = *word == 'B' ? MARK_BEGIN : MARK_END };
	uint32_t tid = (uint32_t)strtoul(word + 1, NULL, 10), pid = tid / 10 * 10;
	const char *marker = strchr(word, ':'), *id = strchr(word, '#'), *sp = strchr(word, '@');

	m.marker = marker ? (uint32_t)strtoul(marker + 1, NULL, 10) : 0;
	m.flags = id ? MARK_HAS_ID : 0;
	m.id = id ? strtoull(id + 1, NULL, 10) : 0;
	m.sp = sp ? strtoull(sp + 1, NULL, 10) : 0;
	if (*word == 'B' || *word == 'E')
		builder_mark(b, time, pid, tid, m, strchr(word, '/'));
	else if (*word == 'S')
		builder_sample(b, time, pid, tid, (uint64_t[]){ 0x1000 }, 1);
	else if (*word == 'X')
		builder_exit(b, time, pid, tid);
	else if (*word == 'L')
		builder_lost(b, time, 1);
	else if (*word == 'C')
		builder_comm(b, time, pid, tid, "new", true);
	else if (*word == 'F')
		builder_fork(b, time, pid, tid, pid, pid);
}

static void build(struct recording_builder *b, const char *script)
{
	char *words = xstrdup(script), *rest = words, *word;
	uint64_t time = 0;

	builder_init(b, NULL);
	builder_marker(b, 1, 0, "one");
	builder_marker(b, 2, MARKER_HAS_ID, "two");
	builder_marker(b, 3, MARKER_IS_CALL, "three");
	builder_marker(b, 4, MARKER_IS_CALL, "four");
	builder_marker(b, 5, 0, "five");
	builder_marker(b, 6, MARKER_IS_CALL | MARKER_BY_RETURN, "six");
	while ((word = strsep(&rest, " ")) != NULL)
		build_word(b, ++time, word);
	free(words);
}

struct outcome {
	struct strings strings;
	struct str text;
	struct feed feed;
	uint32_t most_keys;	/* in the index of those that are open */
};

/* "2:/a 3-5 s1": request 2 of that path, from time 3 to 5, with 1 sample; "?": no end was seen. */
static void add_request(void *self, const struct session *session, const struct open_request *open)
{
	const struct request *r = &open->request;
	struct outcome *o = self;

	(void)session;
	if (o->most_keys < o->feed.attribute.by_marks.by_key.nr)
		o->most_keys = o->feed.attribute.by_marks.by_key.nr;
	ck_assert_uint_eq(r->weight, r->nr_samples * BUILDER_PERIOD_NS);
	str_addf(&o->text, "%s%" PRIu64 ":%s %" PRIu64 "-", o->text.len ? ", " : "", r->id,
		 strings_text(&o->strings, r->path), r->begin_ns);
	if (r->is_unfinished)
		str_add_char(&o->text, '?');
	else
		str_addf(&o->text, "%" PRIu64, r->end_ns);
	str_addf(&o->text, " s%" PRIu64, r->nr_samples);
}

static void run(struct outcome *o, const char *script)
{
	struct endpoint_options endpoints = { 0 };
	struct feed_listener listener = { .self = o, .request_ended = add_request };
	struct recording_builder b;
	struct reader *reader;
	struct err e = { 0 };
	const void *bytes;
	size_t len;

	*o = (struct outcome){ 0 };
	build(&b, script);
	bytes = builder_finish(&b, &len);
	feed_init(&o->feed, &o->strings, NULL, &endpoints, &listener);
	ck_assert_int_eq(reader_open_bytes(bytes, len, &reader, &e), 0);
	ck_assert_int_eq(feed_reader(&o->feed, reader, "test", &e), 0);
	reader_free(reader);
	builder_release(&b);
}

static void outcome_release(struct outcome *o)
{
	feed_release(&o->feed);
	str_release(&o->text);
	strings_release(&o->strings);
}

static const struct {
	const char *script, *want;
	uint64_t nr_outside, nr_unmatched;
} cases[] = {
	/* one after the other */
	{ "B11:1/a S11 E11:1 S11", "1:/a 1-3 s1", 1, 0 },
	{ "S11 B11:1/a S11 S11 E11:1 B11:1/b S11 E11:1", "1:/a 2-5 s2, 2:/b 6-8 s1", 1, 0 },
	{ "B11:1 E11:1", "1:one 1-2 s0", 0, 0 },
	/* labels become endpoints */
	{ "B11:1/u/17 E11:1", "1:/u/{id} 1-2 s0", 0, 0 },
	/* threads do not see each other's */
	{ "B11:1/a S12 S11 E12:1 E11:1", "1:/a 1-5 s1", 1, 1 },
	{ "B11:1/a B12:1/b S11 S12 S12 E11:1 E12:1", "1:/a 1-6 s1, 2:/b 2-7 s2", 0, 0 },
	/* nested: the inner one has the samples, the outer one the rest */
	{ "B11:1/a S11 B11:5/b S11 E11:5 S11 E11:1", "2:/b 3-5 s1, 1:/a 1-7 s2", 0, 0 },
	{ "B11:1/a B11:1/b S11 E11:1 S11 E11:1", "2:/b 2-4 s1, 1:/a 1-6 s1", 0, 0 },
	/* crossed: an END takes its own marker's, wherever it stands */
	{ "B11:1/a B11:5/b E11:1 S11 E11:5", "1:/a 1-3 s0, 2:/b 2-5 s1", 0, 0 },
	/* an END without a BEGIN, before and after */
	{ "S11 E11:1 S11 B11:1/a E11:1 E11:1", "1:/a 4-5 s0", 2, 2 },
	{ "B11:1/a E11:5 S11 E11:1", "1:/a 1-4 s1", 0, 1 },
	/* a lost END: open to the end of the recording */
	{ "B11:1/a S11 B12:1/b S12", "1:/a 1-? s1, 2:/b 3-? s1", 0, 0 },
	/* marks of a marker that was never introduced */
	{ "B11:9 S11 E11:9", "1:(unnamed) 1-3 s1", 0, 0 },

	/* ids: BEGIN here, END there; the thread of the BEGIN has the samples */
	{ "B11:2#7/a S11 S12 E12:2#7 S11", "1:/a 1-4 s1", 2, 0 },
	{ "B11:2#7/a B11:2#8/b E12:2#7 S11 E12:2#8", "1:/a 1-3 s0, 2:/b 2-5 s1", 0, 0 },
	{ "B11:2#7/a B11:2#8/b S11 E11:2#8 S11 E11:2#7", "2:/b 2-4 s1, 1:/a 1-6 s1", 0, 0 },
	/* the same id in another process, or by another marker, is another request */
	{ "B11:2#7/a B21:2#7/b E21:2#7 E11:2#7", "2:/b 2-3 s0, 1:/a 1-4 s0", 0, 0 },
	{ "B11:2#7/a E11:5#7 E11:2#7", "1:/a 1-3 s0", 0, 1 },
	/* an id that is open begins again: the END of the older one was lost */
	{ "B11:2#7/a S11 B12:2#7/b S12 S11 E11:2#7", "1:/a 1-? s1, 2:/b 3-6 s1", 1, 0 },
	{ "E11:2#7 S11", "", 1, 1 },
	/* an id is used again and again */
	{ "B11:2#7/a E11:2#7 B11:2#7/b S11 E11:2#7", "1:/a 1-2 s0, 2:/b 3-5 s1", 0, 0 },

	/* calls: an END takes the activation that its stack pointer leaves */
	{ "B11:3@500 S11 E11:3@508 S11", "1:three 1-3 s1", 1, 0 },
	{ "B11:3@500 B11:3@400 S11 E11:3@408 S11 E11:3@508", "2:three 2-4 s1, 1:three 1-6 s1", 0,
	  0 },
	/* the inner END is lost (exception), and the outer one comes */
	{ "B11:3@500 B11:3@400 S11 E11:3@508", "1:three 1-4 s0, 2:three 2-? s1", 0, 0 },
	{ "B11:3@500 B11:4@400 S11 E11:3@508 S11", "1:three 1-4 s0, 2:four 2-? s1", 1, 0 },
	/* the inner END is lost and the outer function calls again, from as deep or less */
	{ "B11:3@500 B11:4@400 B11:4@400 S11 E11:4@408 E11:3@508",
	  "3:four 3-5 s1, 1:three 1-6 s0, 2:four 2-? s0", 0, 0 },
	{ "B11:3@400 S11 B11:3@500 S11 E11:3@508", "2:three 3-5 s1, 1:three 1-? s1", 0, 0 },
	/* recursion without end closes one by one */
	{ "B11:3@500 B11:3@400 B11:3@300 E11:3@308 E11:3@408 E11:3@508",
	  "3:three 3-4 s0, 2:three 2-5 s0, 1:three 1-6 s0", 0, 0 },
	/* a return into a frame that was there before the recording */
	{ "E11:3@508 S11", "", 1, 1 },
	{ "B11:4@400 S11 E11:3@900 S11", "1:four 1-? s1", 1, 1 },
	/* a goroutine moves: the thread of the BEGIN has the samples, up to the END wherever that is */
	{ "B11:3@500 S11 S12 E12:3@508 S11 S12", "1:three 1-4 s1", 3, 0 },
	{ "B11:3@500 E12:3@508 B12:3@500 S11 S12 E11:3@508 B11:3@500 S11 E11:3@508",
	  "1:three 1-2 s0, 2:three 3-6 s1, 3:three 7-9 s1", 1, 0 },
	/* two goroutines change places, and what stands below is uncovered */
	{ "B11:3@500 B12:3@900 S11 S12 E12:3@508 S11 E11:3@908 S12",
	  "1:three 1-5 s1, 2:three 2-7 s1", 2, 0 },
	{ "B11:1/a B11:3@500 S11 E12:3@508 S11 E11:1", "2:three 2-4 s1, 1:/a 1-6 s1", 0, 0 },
	/* one in doubt, too, is ended from elsewhere */
	{ "B11:3@100000 S11 B11:4@200000 S11 E12:3@100008 S11 E12:4@200008 S11",
	  "1:three 1-5 s1, 2:four 3-7 s2", 1, 0 },
	/* a call begins where another thread has one open: that one's END was lost */
	{ "B11:3@500 S11 B12:3@500 S11 S12 E12:3@508", "1:three 1-? s1, 2:three 3-6 s1", 1, 0 },
	/* another process has stacks of its own */
	{ "B11:3@500 B21:3@500 E21:3@508 S11 E11:3@508", "2:three 2-3 s0, 1:three 1-5 s1", 0, 0 },
	/* stacks of other threads lie elsewhere */
	{ "B11:3@500 B12:3@900 S11 E11:3@508 E12:3@908", "1:three 1-4 s1, 2:three 2-5 s0", 0, 0 },
	/* a call inside of a request that is no call, and the other way round */
	{ "B11:1/a B11:3@500 S11 E11:3@508 S11 E11:1", "2:three 2-4 s1, 1:/a 1-6 s1", 0, 0 },
	{ "B11:3@500 B11:1/a S11 E11:3@508 S11 E11:1", "1:three 1-4 s0, 2:/a 2-6 s2", 0, 0 },
	/* a tail call: two calls at one place of the stack */
	{ "B11:3@500 B11:4@500 S11 E11:4@508 E11:3@508", "2:four 2-4 s1, 1:three 1-5 s0", 0, 0 },
	/* tail calls that come back to a function: all return at once */
	{ "B11:3@500 S11 B11:3@500 S11 B11:4@500 B11:3@500 S11 E11:3@508 E11:4@508 E11:3@508 E11:3@508 S11",
	  "4:three 6-8 s1, 3:four 5-9 s0, 2:three 3-10 s1, 1:three 1-11 s1", 1, 0 },
	/* what did not return with those is over where the next one begins */
	{ "B11:3@500 B11:3@500 B11:3@500 E11:3@508 S11 B11:3@500 S11 E11:3@508 E11:3@508",
	  "3:three 3-4 s0, 2:three 2-? s0, 1:three 1-? s0, 4:three 6-8 s1", 1, 1 },
	/* stacks of coroutines: none says anything of the other's calls but that they may be over */
	{ "B11:3@100000 S11 B11:4@200000 S11 E11:3@100008 S11 E11:4@200008 S11",
	  "1:three 1-5 s1, 2:four 3-7 s2", 1, 0 },
	{ "B11:3@200000 B11:4@100000 E11:3@200008 S11 E11:4@100008",
	  "1:three 1-3 s0, 2:four 2-5 s0", 1, 0 },
	/* nor even that, where they are too far from each other */
	{ "B11:3@100000 B11:4@90000000 E11:4@90000008 S11 E11:3@100008",
	  "2:four 2-3 s0, 1:three 1-5 s1", 0, 0 },

	/* two probes with stack pointers: the END is missing where the frame begins another */
	{ "B11:1@500 S11 B11:1@500 S11 E11:1@500 S11 B11:1@500 S11 E11:1@500 S11",
	  "2:one 3-5 s1, 3:one 7-9 s1, 1:one 1-? s1", 2, 0 },
	{ "B11:1@400 S11 B11:1@500 E11:1@500 S11", "2:one 3-4 s0, 1:one 1-? s1", 1, 0 },
	/* other markers have frames of their own */
	{ "B11:1@500 B11:5@500 E11:5@500 S11 E11:1@500", "2:five 2-3 s0, 1:one 1-5 s1", 0, 0 },
	/* deeper ones nest, and the END of the outer one is not taken for the missing one */
	{ "B11:1@500 B11:1@400 E11:1@400 S11 E11:1@500", "2:one 2-3 s0, 1:one 1-5 s1", 0, 0 },
	{ "B11:1@500 B11:1@400 B11:1@400 E11:1@400 S11 E11:1@500",
	  "3:one 3-4 s0, 1:one 1-6 s1, 2:one 2-? s0", 0, 0 },
	/* all in one frame: that they nest shows when the first END comes that was given up */
	{ "B11:1@500 B11:1@500 E11:1@500 S11 E11:1@500 B11:1@500 B11:1@500 E11:1@500 S11 E11:1@500",
	  "2:one 2-3 s0, 1:one 1-5 s0, 4:one 7-8 s0, 3:one 6-10 s1", 1, 0 },

	/* given up together by one above them: their ENDs come in the order of nesting all the same */
	{ "B11:1@500 B11:1@500 E11:1@500 E11:1@500 B11:1@500/a B11:1@500/b B11:1@600/c E11:1@600 S11 E11:1@500 E11:1@500",
	  "2:one 2-3 s0, 1:one 1-4 s0, 5:/c 7-8 s0, 4:/b 6-10 s0, 3:/a 5-11 s0", 1, 0 },

	/* a loss may hold any END, but those with an id find theirs; up to then nobody knows whether their threads go on */
	{ "B11:2#7 S11 L S11 B11:2#8 S11 E11:2#8 S11 E11:2#7", "2:two 5-7 s1, 1:two 1-9 s1", 2, 0 },
	{ "B11:1/a B12:2#7/b S11 L S11 E11:1 E12:2#7", "1:/a 1-? s1, 2:/b 2-7 s0", 1, 1 },
	{ "B11:3@500 L S11 B11:3@500 S11 E11:3@508", "1:three 1-? s0, 2:three 4-6 s1", 1, 0 },

	/* threads that end */
	{ "B11:1@500 B11:1@500 S11 X11 S11 E11:1@500", "1:one 1-? s0, 2:one 2-? s1", 1, 1 },
	{ "B11:1/a S11 X11 S11", "1:/a 1-? s1", 1, 0 },
	{ "B11:1/a B11:5/b X11 E11:1", "2:/b 2-? s0, 1:/a 1-? s0", 0, 1 },
	{ "B11:1/a B12:1/b X11 S12 E12:1", "1:/a 1-? s0, 2:/b 2-5 s1", 0, 0 },
	{ "S12 B11:3@500 X11 S12 E12:3@508", "1:three 2-? s0", 2, 1 },
	/* a request with an id outlives the thread that it began on */
	{ "S12 B11:2#7/a S11 X11 S11 E12:2#7", "1:/a 2-6 s1", 2, 0 },
	/* but not the process */
	{ "S12 B11:2#7/a X12 X11 E11:2#7", "1:/a 2-? s0", 1, 1 },
	{ "S12 B11:2#7/a X11 X11 E12:2#7", "1:/a 2-5 s0", 1, 0 },
	/* a thread id that is used again is another thread, its EXIT lost */
	{ "S11 B11:1/a F11 S11 E11:1", "1:/a 2-? s0", 2, 1 },
	/* another program: all threads' requests are gone, ids and all */
	{ "B11:1/a B12:2#7/b C11 S11 S12 E12:2#7", "2:/b 2-? s0, 1:/a 1-? s0", 2, 1 },
	{ "B11:1/a B21:1/b S11 C11 S21 E21:1", "1:/a 1-? s1, 2:/b 2-6 s1", 0, 0 },
};

START_TEST(attribution_goes_by_the_rules)
{
	const struct tallies *t;
	struct outcome o;

	run(&o, cases[_i].script);
	t = &o.feed.tallies;
	ck_assert_str_eq(str_cstr(&o.text), cases[_i].want);
	ck_assert_uint_eq(t->nr_outside, cases[_i].nr_outside);
	ck_assert_uint_eq(t->nr_unmatched_ends, cases[_i].nr_unmatched);
	ck_assert_uint_eq(t->nr_in_requests + t->nr_outside, t->nr_samples);
	outcome_release(&o);
}
END_TEST

static void take_back(struct str *b, size_t len)
{
	b->len -= len;
	b->s[b->len] = '\0';
}

/* Random scripts: whatever the marks, no sample is lost and every request ends once. */
START_TEST(attribution_conserves_samples)
{
	static const char *const words[] = { "B%d1:1", "E%d1:1", "B%d2:5", "E%d2:5",   "B%d1:2#%d",
					     "E%d2:2#%d", "S%d1", "S%d2",  "B%d1:3@%d", "E%d1:3@%d",
					     "X%d1",   "C%d1",	 "S%d1",   "F%d2",
					     "B%d1:1@%d", "E%d1:1@%d", "B%d1:4@%d", "L" };
	uint64_t state = (uint64_t)_i + 1, nr_begins = 0, nr_samples = 0;
	struct str script = { 0 };
	struct outcome o;
	size_t i;

	for (i = 0; i < 400; i++) {
		const char *word;

		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		word = words[(state >> 33) % ARRAY_LEN(words)];
		nr_begins += *word == 'B';
		nr_samples += *word == 'S';
		str_addf(&script, word, (int)(state >> 50) % 3 + 1, (int)(state >> 40) % 5 + 1);
		str_add_char(&script, ' ');
	}
	take_back(&script, 1);
	run(&o, str_cstr(&script));
	ck_assert_uint_eq(o.feed.tallies.nr_samples, nr_samples);
	ck_assert_uint_eq(o.feed.tallies.nr_in_requests + o.feed.tallies.nr_outside, nr_samples);
	ck_assert_uint_eq(o.feed.nr_requests, nr_begins);
	nr_begins -= nr_begins > 0;
	for (i = 0; i < o.text.len; i++)
		nr_begins -= o.text.s[i] == ',';
	ck_assert_uint_eq(nr_begins, 0);
	outcome_release(&o);
	str_release(&script);
}
END_TEST

START_TEST(attribution_is_bounded_by_what_is_open)
{
	struct str script = { 0 };
	struct outcome o;
	int i;

	for (i = 0; i < 5000; i++)
		str_addf(&script, "B11:2#%d B12:1 E12:2#%d E12:1 ", i, i);
	take_back(&script, 1);
	run(&o, str_cstr(&script));
	ck_assert_uint_eq(o.feed.nr_requests, 10000);
	ck_assert_uint_le(o.most_keys, 1);
	ck_assert_uint_eq(o.feed.tallies.nr_unfinished, 0);
	outcome_release(&o);
	str_release(&script);
}
END_TEST

/* One END after the other goes missing: no more than so many requests wait for theirs. */
START_TEST(attribution_gives_up_on_missing_ends)
{
	struct str script = { 0 };
	struct outcome o;
	int i;

	for (i = 0; i < 500; i++)
		str_add(&script, "B11:1@500 ");
	str_add(&script, "S11 E11:1@500 S11");
	run(&o, str_cstr(&script));
	ck_assert(str_starts(str_cstr(&o.text), "65:one 65-? s0, 66:one 66-? s0, "));
	ck_assert_uint_eq(o.feed.nr_requests, 500);
	ck_assert_uint_eq(o.feed.tallies.nr_unfinished, 499);
	ck_assert_uint_eq(o.feed.tallies.nr_in_requests, 1);
	outcome_release(&o);
	str_release(&script);
}
END_TEST

/* Nor of calls that may all return at once: longjmp() leaves one, again and again. */
START_TEST(attribution_gives_up_on_calls_that_never_return)
{
	struct str script = { 0 };
	struct outcome o;
	int i;

	for (i = 0; i < 500; i++)
		str_add(&script, "B11:3@500 B11:4@500 ");
	str_add(&script, "S11 E11:4@508 S11");
	run(&o, str_cstr(&script));
	ck_assert_uint_eq(o.feed.nr_requests, 1000);
	ck_assert_uint_eq(o.feed.tallies.nr_unfinished, 999);
	ck_assert_uint_eq(o.feed.tallies.nr_in_requests, 1);
	ck_assert_uint_lt(o.most_keys, 70);
	outcome_release(&o);
	str_release(&script);
}
END_TEST

/* nr calls, each in the one before; the kernel waits for no more than 64 returns. */
static void add_calls(struct str *script, int marker, int nr)
{
	int i;

	for (i = 1; i <= nr; i++)
		str_addf(script, "B11:%d@%d ", marker, 10000 - i * 10);
}

static void add_returns(struct str *script, int marker, int nr)
{
	for (; nr; nr--)
		str_addf(script, "E11:%d@%d ", marker, 10008 - nr * 10);
}

static const struct {
	int marker, depth, nr_returns;
	const char *rest;
	uint64_t nr_unseen;
} depths[] = {
	{ 6, 64, 64, "-", 0 },
	{ 6, 70, 64, "-", 6 },
	{ 3, 70, 64, "-", 0 },
	/* left by a longjmp(): no return is looked for any more */
	{ 6, 63, 0, "B11:6@20000 E11:6@20008 B11:6@20000 E11:6@20008", 0 },
	{ 6, 64, 0, "B11:6@20000 B11:6@30000", 2 },
	/* up to the next one that comes */
	{ 6, 66, 0, "B11:6@20000 E11:6@9998 B11:6@30000 E11:6@30008 B11:6@30000", 3 },
	/* other threads have their own */
	{ 6, 64, 0, "B12:6@20000 B12:6@30000", 0 },
};

START_TEST(attribution_knows_how_many_returns_are_looked_for)
{
	struct str script = { 0 };
	struct outcome o;

	add_calls(&script, depths[_i].marker, depths[_i].depth);
	add_returns(&script, depths[_i].marker, depths[_i].nr_returns);
	str_add(&script, depths[_i].rest);
	run(&o, str_cstr(&script));
	ck_assert_uint_eq(o.feed.tallies.nr_returns_unseen, depths[_i].nr_unseen);
	ck_assert_uint_eq(o.feed.tallies.nr_unmatched_ends, 0);
	outcome_release(&o);
	str_release(&script);
}
END_TEST

/* What the mark's own bytes may be: cut, of another version, of no kind. */
START_TEST(attribution_leaves_marks_out_that_it_cannot_read)
{
	struct mark_head m = { .kind = 7, .marker = 1 };
	struct recording_builder b;
	struct reader *reader;
	struct outcome o = { 0 };
	struct endpoint_options endpoints = { 0 };
	struct feed_listener listener = { .self = &o, .request_ended = add_request };
	struct err e = { 0 };
	const void *bytes;
	size_t len;

	builder_init(&b, NULL);
	builder_mark(&b, 1, 1, 1, m, NULL);
	m.kind = MARK_BEGIN;
	m.flags = MARK_LABEL_FAULT;
	builder_mark(&b, 2, 1, 1, m, NULL);
	m.flags = MARK_LABEL_CUT;
	builder_mark(&b, 3, 1, 1, m, "/cut");
	bytes = builder_finish(&b, &len);
	ck_assert_int_eq(reader_open_bytes(bytes, len, &reader, &e), 0);
	feed_init(&o.feed, &o.strings, NULL, &endpoints, &listener);
	ck_assert_int_eq(feed_reader(&o.feed, reader, "test", &e), 0);
	ck_assert_uint_eq(o.feed.tallies.nr_label_faults, 1);
	ck_assert_uint_eq(o.feed.tallies.nr_labels_cut, 1);
	ck_assert_str_eq(str_cstr(&o.text), "1:(unnamed) 2-? s0, 2:/cut 3-? s0");
	ck_assert(o.feed.has_markers);
	reader_free(reader);
	outcome_release(&o);
	builder_release(&b);
}
END_TEST

Suite *check_attribute_suite(void)
{
	Suite *s = suite_create("attribute");
	TCase *tc = tcase_create("attribute");

	tcase_add_loop_test(tc, attribution_goes_by_the_rules, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, attribution_conserves_samples, 0, 50);
	tcase_add_test(tc, attribution_is_bounded_by_what_is_open);
	tcase_add_test(tc, attribution_gives_up_on_missing_ends);
	tcase_add_test(tc, attribution_gives_up_on_calls_that_never_return);
	tcase_add_loop_test(tc, attribution_knows_how_many_returns_are_looked_for, 0, ARRAY_LEN(depths));
	tcase_add_test(tc, attribution_leaves_marks_out_that_it_cannot_read);
	suite_add_tcase(s, tc);
	return s;
}
