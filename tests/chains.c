/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/chains.h"

#include <inttypes.h>

#include "report/order.h"
#include "report/stack_dumps.h"

struct chains {
	struct strings strings;
	struct symbolizer *symbolizer;
	struct session session;
	struct stack_dumps dumps;
	FILE *out;
};

static void print_addr(struct chains *c, uint32_t process, uint64_t addr)
{
	fprintf(c->out, " %" PRIx64,
		session_locate(&c->session, process, PERF_RECORD_MISC_USER, addr).addr);
}

/* A recording of ours has the frames already: behind the user's context mark. */
static void print_chain(struct chains *c, uint32_t process, const struct callchain *chain)
{
	bool is_user = false, is_first = true;
	uint64_t i;

	for (i = 0; i < chain->nr; i++) {
		uint64_t ip = callchain_at(chain, i);

		if (ip >= PERF_CONTEXT_MAX) {
			is_user = ip == PERF_CONTEXT_USER;
			is_first = true;
		} else if (is_user) {
			print_addr(c, process, is_first ? ip : ip - 1);
			is_first = false;
		}
	}
}

/*
 * Behind a bar, how many frames there are where the copy's last word is not read: perf's unwinder does not
 * (access_mem() in its unwind-libunwind-local.c asks for a byte more than the word has).
 */
static void print_frames_without_last_word(struct chains *c, uint32_t process, const struct record *r)
{
	struct record cut = *r;

	if (cut.sample.user_stack_len < sizeof(uint64_t))
		return;
	cut.sample.user_stack_len -= sizeof(uint64_t);
	fprintf(c->out, " | %" PRIu64,
		(uint64_t)stack_dumps_unwind(&c->dumps, &c->session, process, &cut)->at.nr);
}

static void print_sample(struct chains *c, const struct record *r)
{
	uint32_t thread = session_thread(&c->session, r->pid, r->tid);
	uint32_t process = c->session.threads.at[thread].process;

	fprintf(c->out, "%u %" PRIu64, r->tid, r->time);
	if (stack_dumps_can(&c->dumps, &c->session, r)) {
		const struct unwind_frames *frames = stack_dumps_unwind(&c->dumps, &c->session, process, r);

		vec_each(&frames->at, f)
			print_addr(c, process, f->addr - f->is_return);
		print_frames_without_last_word(c, process, r);
	} else {
		print_chain(c, process, &r->sample.chain);
	}
	fputc('\n', c->out);
}

static int print_all(struct chains *c, struct order *o)
{
	struct err e;
	struct record r;
	int more;

	while ((more = order_next(o, &r, &e)) > 0) {
		session_record(&c->session, &r);
		if (r.type == PERF_RECORD_SAMPLE && r.event && !r.event->is_bpf_output)
			print_sample(c, &r);
	}
	return more < 0 ? EXIT_USAGE : EXIT_GOOD;
}

int chains_print(const char *path, FILE *out)
{
	struct chains c = { .out = out };
	struct reader *reader;
	struct order order;
	struct err e;
	int status;

	if (reader_open(path, &reader, &e)) {
		err_print(&e, stderr);
		return EXIT_USAGE;
	}
	strings_id(&c.strings, "");
	c.symbolizer = symbolizer_new(&(struct symbolizer_options){ 0 }, &c.strings);
	session_init(&c.session, reader, c.symbolizer, &c.strings);
	order_init(&order, reader);
	status = print_all(&c, &order);
	order_release(&order);
	stack_dumps_release(&c.dumps);
	session_release(&c.session);
	symbolizer_free(c.symbolizer);
	strings_release(&c.strings);
	reader_free(reader);
	return status;
}
