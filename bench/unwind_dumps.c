/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_dumps FILE ROUNDS: unwinds every stack dump of a recording of perf's again and again, and prints
 *
 *	samples frames first_ns_per_frame steady_ns_per_frame
 *
 * first: with nothing cached, files to be opened included; steady: the median of the rounds after it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/units.h"
#include "report/order.h"
#include "report/stack_dumps.h"

struct sample {
	struct record record;
	uint32_t process;
};

struct bench {
	struct strings strings;
	struct symbolizer *symbolizer;
	struct session session;
	struct stack_dumps dumps;
	struct arena arena;
	VEC(struct sample) samples;
	VEC(double) rounds;	/* ns a frame */
	uint64_t nr_frames;	/* of one round */
};

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * NS_PER_SEC + (double)ts.tv_nsec;
}

/* The reader's bytes may be given back to the kernel behind it. */
static void keep_sample(struct bench *b, const struct record *r)
{
	uint32_t thread = session_thread(&b->session, r->pid, r->tid);
	struct sample s = { *r, b->session.threads.at[thread].process };

	if (!stack_dumps_can(&b->dumps, &b->session, r) || !r->sample.user_stack)
		return;
	s.record.sample.user_regs = arena_dup(&b->arena, r->sample.user_regs, r->sample.nr_user_regs * sizeof(uint64_t));
	s.record.sample.user_stack = arena_dup(&b->arena, r->sample.user_stack, r->sample.user_stack_len);
	vec_push(&b->samples, s);
}

static int read_all(struct bench *b, struct reader *reader)
{
	struct order order;
	struct record r;
	struct err e;
	int more;

	order_init(&order, reader);
	while ((more = order_next(&order, &r, &e)) > 0) {
		session_record(&b->session, &r);
		if (r.type == PERF_RECORD_SAMPLE)
			keep_sample(b, &r);
	}
	order_release(&order);
	return more;
}

static void run_round(struct bench *b)
{
	double begin = now_ns();

	b->nr_frames = 0;
	vec_each(&b->samples, s)
		b->nr_frames += stack_dumps_unwind(&b->dumps, &b->session, s->process, &s->record)->at.nr;
	vec_push(&b->rounds, (now_ns() - begin) / (double)(b->nr_frames ? b->nr_frames : 1));
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static void run(struct bench *b, int nr_rounds)
{
	double first;

	run_round(b);
	first = b->rounds.at[0];
	b->rounds.nr = 0;
	while (nr_rounds--)
		run_round(b);
	qsort(b->rounds.at, b->rounds.nr, sizeof(b->rounds.at[0]), by_value);
	printf("%zu %llu %.1f %.1f\n", b->samples.nr, (unsigned long long)b->nr_frames, first,
	       b->rounds.at[b->rounds.nr / 2]);
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct reader *reader;
	struct err e;

	if (argc != 3 || atoi(argv[2]) < 1) {
		fprintf(stderr, "usage: unwind_dumps FILE ROUNDS\n");
		return 2;
	}
	if (reader_open(argv[1], &reader, &e)) {
		err_print(&e, stderr);
		return 2;
	}
	strings_id(&b.strings, "");
	b.symbolizer = symbolizer_new(&(struct symbolizer_options){ 0 }, &b.strings);
	session_init(&b.session, reader, b.symbolizer, &b.strings);
	if (!read_all(&b, reader))
		run(&b, atoi(argv[2]));
	stack_dumps_release(&b.dumps);
	session_release(&b.session);
	symbolizer_free(b.symbolizer);
	strings_release(&b.strings);
	reader_free(reader);
	vec_release(&b.samples);
	vec_release(&b.rounds);
	arena_release(&b.arena);
	return 0;
}
