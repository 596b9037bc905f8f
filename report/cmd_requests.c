/* SPDX-License-Identifier: Apache-2.0 */
/* wperf requests: recordings in, a line a request (or an endpoint) out. */
#include "report/cmd_requests.h"

#include <errno.h>

#include "base/log.h"
#include "report/feed.h"
#include "report/list.h"
#include "report/options.h"
#include "report/output.h"
#include "report/render.h"

enum {
	OPT_SORT = OPT_OWN,
	OPT_FORMAT,
	OPT_SUMMARY,
};

static const struct option long_options[] = {
	OPTIONS_LONG,
	{ "sort", required_argument, NULL, OPT_SORT },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "output", required_argument, NULL, 'o' },
	{ "summary", no_argument, NULL, OPT_SUMMARY },
	{ 0 },
};

static const char help[] =
	"Usage: wperf requests [options]\n"
	"\n"
	"One line a request: when it began, how long it took, and its time on the CPU: exact where\n"
	"requests were found on sockets, else as sampled (~).\n"
	"\n" OPTIONS_HELP
	"      --summary         one line an endpoint\n"
	"      --sort WHAT       begin (default), elapsed, cpu, path\n"
	"      --format FORMAT   table (default), json, jsonl\n"
	"  -o, --output FILE     to FILE instead of stdout\n" OPTIONS_HELP_TALK;

struct requests_options {
	struct options shared;
	enum list_sort sort;
	enum list_format format;
	bool wants_summary;
	struct outputs outputs;
};

#define CHOICE_TEXT(id, text) text,

static int take_option(struct requests_options *o, int opt, const char *arg, struct err *e)
{
	static const char *const sorts[] = { LIST_SORTS(CHOICE_TEXT) };
	static const char *const formats[] = { LIST_FORMATS(CHOICE_TEXT) };
	int choice = 0;

	switch (opt) {
	case OPT_SORT:
		choice = options_choice("--sort", arg, sorts, ARRAY_LEN(sorts), e);
		o->sort = choice < 0 ? LIST_BY_BEGIN : (enum list_sort)choice;
		break;
	case OPT_FORMAT:
		choice = options_choice("--format", arg, formats, ARRAY_LEN(formats), e);
		o->format = choice < 0 ? LIST_TABLE : (enum list_format)choice;
		break;
	case OPT_SUMMARY:
		o->wants_summary = true;
		break;
	case 'o':
		o->outputs.file = arg;
		break;
	default:
		options_take(&o->shared, opt, arg);
	}
	return choice < 0 ? choice : 0;
}

static int parse_options(struct requests_options *o, int argc, char **argv, struct err *e)
{
	const struct cmdline line = { "requests", OPTIONS_SHORT "o:", long_options };
	int opt, err = 0;

	optind = 0;
	while (!err && (opt = options_next(&line, argc, argv, e)) != 0)
		err = opt < 0 ? opt : take_option(o, opt, optarg, e);
	return err;
}

struct requests {
	const struct requests_options *options;
	struct strings strings;
	struct selection *selection;
	struct feed feed;
	struct request_list list;
};

/* How many may wait for list_keep_slowest(): fewer cost a sort too often, more cost memory. */
enum { NR_WAITING_MIN = 4096 };

/* Kept is what will be printed, and what may be among the slowest. */
static void keep_request(struct requests *q, const struct request *r)
{
	uint64_t nr_slowest = selection_slowest(q->selection);
	struct request_list *l = &q->list;

	request_hold_strings(r, &q->strings);
	vec_push(&l->requests, *r);
	if (nr_slowest && l->requests.nr / 2 >= nr_slowest && l->requests.nr >= NR_WAITING_MIN)
		list_keep_slowest(l, nr_slowest);
}

static void on_request(void *self, const struct session *session, const struct open_request *open)
{
	struct requests *q = self;
	const struct request *r = &open->request;

	(void)session;
	if (selection_takes(q->selection, r, &q->strings)) {
		if (q->options->wants_summary && !selection_slowest(q->selection))
			list_count(&q->list, r);
		else
			keep_request(q, r);
	}
	request_drop_strings(r, &q->strings);
}

static int feed_all(struct requests *q, const struct requests_options *o, struct err *e)
{
	struct feed_listener listener = { .self = q, .request_ended = on_request };
	int err = 0;

	q->options = o;
	q->list = (struct request_list){ .strings = &q->strings, .nr_endpoints_max = ENDPOINTS_MAX,
					 .nr_exact_max = DURATIONS_EXACT,
					 .is_part = !selection_takes_all(q->selection) || selection_slowest(q->selection) };
	feed_init(&q->feed, &q->strings, NULL, &o->shared.endpoints, &listener);
	q->feed.forgets_ended = true;
	vec_each(&o->shared.inputs, path)
		if (!err)
			err = feed_input(&q->feed, *path, e);
	return err;
}

static void make_list(struct requests *q, const struct requests_options *o)
{
	struct request_list *l = &q->list;
	uint64_t nr_slowest = selection_slowest(q->selection);

	l->begin_ns = q->feed.begin_ns;
	l->seconds_per_weight = feed_seconds_per_weight(&q->feed, &l->unit);
	if (nr_slowest)
		list_keep_slowest(l, nr_slowest);
	if (!o->wants_summary) {
		list_sort(l, o->sort);
		return;
	}
	vec_each(&l->requests, r)
		list_count(l, r);
	list_sort_endpoints(l, o->sort);
}

struct requests_writer {
	struct requests *requests;
	const struct requests_options *options;
};

static int write_list(const void *self, FILE *out, struct err *e)
{
	const struct requests_writer *w = self;

	/* A table of nothing but its head says nothing; warn_of_list() does. */
	if (!w->requests->feed.nr_requests && w->options->format == LIST_TABLE)
		return 0;
	if (w->options->wants_summary)
		return list_write_summary(&w->requests->list, w->options->format, out, e);
	return list_write(&w->requests->list, w->options->format, out, e);
}

/* As far as the recording says. */
static const char *why_no_request(const struct feed *f)
{
	const struct tallies *t = &f->tallies;

	if (!f->has_markers)
		return "the recording has no marks of requests: it is not wperf's, or --marker was none, or wperf record could not "
		       "make any, and said why";
	if (t->nr_tls || t->nr_http2)
		return "what its connections speak cannot be looked into";
	if (t->nr_calls_unseen)
		return "it moves bytes by calls that are not looked at (io_uring's, io_submit, or others)";
	if (t->nr_threads_32_bit)
		return "connections of 32-bit programs are not looked at";
	if (!f->has_sockets)
		return t->nr_marks ? "only ends of requests came" : "nothing ran that marks one";
	if (!f->nr_served)
		return f->is_restricted ? "nothing came on the connections that its --marker means" :
					  "nothing came on connections to it. Datagrams (UDP) are not looked at";
	if (t->nr_bytes_skipped)
		return "what it read on its connections was not looked at";
	return f->is_restricted ? "none that its --marker means began on its connections" : "none began on its connections";
}

static void warn_of_list(const struct requests *q)
{
	struct profile p = { 0 };

	feed_describe(&q->feed, &p);
	p.tallies.nr_other = q->list.nr_other;
	if (!q->feed.nr_requests)
		log_warn("no request was seen: %s", why_no_request(&q->feed));
	else if (!q->list.requests.nr && !q->list.endpoints.nr)
		log_warn("no request is left: nothing matches the selection");
	if (log_level() > LOG_QUIET)
		render_tallies(&p, stderr);
}

static void requests_release(struct requests *q)
{
	list_release(&q->list);
	feed_release(&q->feed);
	selection_free(q->selection);
	strings_release(&q->strings);
}

int cmd_requests(int argc, char **argv)
{
	struct requests_options o = { 0 };
	struct requests q = { 0 };
	struct requests_writer writer = { &q, &o };
	struct err e = { 0 };
	int err;

	alloc_expect_much();
	err = parse_options(&o, argc, argv, &e);
	if (err)
		goto out;
	if (o.shared.wants_help) {
		fputs(help, stdout);
		goto out;
	}
	err = options_finish(&o.shared, &q.selection, &e);
	if (err)
		goto out;
	err = outputs_check(&o.outputs, o.shared.inputs.at, o.shared.inputs.nr, &e);
	if (err)
		goto out;
	err = feed_all(&q, &o, &e);
	if (err)
		goto out;
	make_list(&q, &o);
	err = outputs_write(&o.outputs, write_list, &writer, &e);
	if (err)
		goto out;
	warn_of_list(&q);
	err = feed_unread(&q.feed, &e);
out:
	if (err)
		err_print(&e, stderr);
	requests_release(&q);
	options_release(&o.shared);
	return err ? err_exit_status(&e) : EXIT_GOOD;
}
