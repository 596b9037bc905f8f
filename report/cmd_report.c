/* SPDX-License-Identifier: Apache-2.0 */
/* wperf report: recordings in, a table an endpoint (or thread, or whatever --by says) out. */
#include "report/cmd_report.h"

#include <errno.h>

#include "base/log.h"
#include "report/feed.h"
#include "report/options.h"
#include "report/output.h"
#include "report/render.h"
#include "report/sum.h"

enum {
	OPT_BY = OPT_OWN,
	OPT_ROOT,
	OPT_RESTRICT,
	OPT_FORMAT,
	OPT_TEE,
	OPT_NO_INLINE,
	OPT_NO_DEMANGLE,
	OPT_KERNEL,
};

static const struct option long_options[] = {
	OPTIONS_LONG,
	{ "by", required_argument, NULL, OPT_BY },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "sort", required_argument, NULL, 's' },
	{ "restrict", required_argument, NULL, OPT_RESTRICT },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "output", required_argument, NULL, 'o' },
	{ "tee", required_argument, NULL, OPT_TEE },
	{ "no-inline", no_argument, NULL, OPT_NO_INLINE },
	{ "no-demangle", no_argument, NULL, OPT_NO_DEMANGLE },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ 0 },
};

static const char help[] =
	"usage: wperf report [options]\n"
	"\n"
	"Where the time of each endpoint's requests went, as Python's pstats prints it.\n"
	"\n" OPTIONS_HELP
	"      --by WHAT         a table for each endpoint (default), request, status, method,\n"
	"                        thread, process, or one for all: none\n"
	"      --root PATTERN    only what runs below a function of that name (part or glob)\n"
	"  -s, --sort KEY,...    time, cumulative, calls, name, file ... as in pstats;\n"
	"                        default time,calls\n"
	"      --restrict R      as in pstats: a count, a fraction, or a regular expression\n"
	"      --format FORMAT   table (default), json, jsonl\n"
	"  -o, --output FILE     to FILE instead of stdout\n"
	"      --tee FILE        to stdout and to FILE\n"
	"      --no-inline       inlined calls belong to the function they were inlined into\n"
	"      --no-demangle     names of C++ and Rust functions as the linker sees them\n"
	"      --kernel HOW      the kernel's functions: show (default), fold, hide\n" OPTIONS_HELP_TALK;

struct report_options {
	struct options shared;
	struct table_options table;
	struct resolve_options resolve;
	struct symbolizer_options symbolizer;
	enum group_by by;
	bool has_by;
	const struct renderer *renderer;
	struct outputs outputs;
};

static int find_format(const char *name, const struct renderer **ret_renderer, struct err *e)
{
	*ret_renderer = renderer_find(name);
	if (*ret_renderer)
		return 0;
	err_set(e, -EINVAL, "--format: \"%s\" is not in this version", name);
	return err_remedy(e, "One of: %s.", renderer_names());
}

#define CHOICE_TEXT(id, text) text,

static int take_by(struct report_options *o, const char *arg, struct err *e)
{
	static const char *const names[] = { GROUP_BYS(CHOICE_TEXT) };
	int by = options_choice("--by", arg, names, ARRAY_LEN(names), e);

	o->by = by < 0 ? BY_ENDPOINT : (enum group_by)by;
	o->has_by = true;
	return by < 0 ? by : 0;
}

static int take_kernel(struct report_options *o, const char *arg, struct err *e)
{
	static const char *const names[] = { KERNEL_FRAMES(CHOICE_TEXT) };
	int kernel = options_choice("--kernel", arg, names, ARRAY_LEN(names), e);

	o->resolve.kernel = kernel < 0 ? KERNEL_SHOW : (enum kernel_frames)kernel;
	return kernel < 0 ? kernel : 0;
}

static int take_option(struct report_options *o, int opt, const char *arg, struct err *e)
{
	switch (opt) {
	case OPT_BY:
		return take_by(o, arg, e);
	case OPT_ROOT:
		o->resolve.root = arg;
		break;
	case 's':
		vec_push(&o->table.sort, arg);
		break;
	case OPT_RESTRICT:
		vec_push(&o->table.restrictions, arg);
		break;
	case OPT_FORMAT:
		return find_format(arg, &o->renderer, e);
	case 'o':
		o->outputs.file = arg;
		break;
	case OPT_TEE:
		o->outputs.tee = arg;
		break;
	case OPT_NO_INLINE:
		o->symbolizer.no_inline = true;
		break;
	case OPT_NO_DEMANGLE:
		o->symbolizer.no_demangle = true;
		break;
	case OPT_KERNEL:
		return take_kernel(o, arg, e);
	default:
		options_take(&o->shared, opt, arg);
	}
	return 0;
}

static int parse_options(struct report_options *o, int argc, char **argv, struct err *e)
{
	int opt, err = 0;

	o->renderer = renderer_find("table");
	optind = 0;
	while (!err && (opt = options_next(argc, argv, OPTIONS_SHORT "s:o:", long_options, "report",
					   e)) != 0)
		err = opt < 0 ? opt : take_option(o, opt, optarg, e);
	return err;
}

/* ---- the stages ---- */

struct report {
	struct strings strings;
	struct symbolizer *symbolizer;
	struct selection *selection;
	struct table_plan *plan;
	struct feed feed;
	struct stacks stacks;
	struct gather gather;
	struct profile profile;
};

static void on_input(void *self, const struct session *session)
{
	struct report *r = self;

	(void)session;
	stacks_forget_processes(&r->stacks);
}

static void on_sample(void *self, const struct feed_sample *s)
{
	struct report *r = self;
	uint32_t process = s->session->threads.at[s->thread].process;
	uint32_t node = stacks_node(&r->stacks, s->session, process, s->record);

	gather_sample(&r->gather, s->session, s->thread, s->request, node, s->weight);
}

static void on_request(void *self, const struct session *session, const struct open_request *request)
{
	struct report *r = self;

	(void)session;
	gather_request(&r->gather, request);
}

static void on_input_end(void *self, const struct session *session)
{
	struct report *r = self;

	gather_end_input(&r->gather, session);
}

static int feed_all(struct report *r, const struct report_options *o, struct err *e)
{
	struct feed_listener listener = { .self = r,
					  .input_begins = on_input,
					  .sample = on_sample,
					  .request_ended = on_request,
					  .input_ended = on_input_end };
	int err = 0;

	r->symbolizer = symbolizer_new(&o->symbolizer, &r->strings);
	stacks_init(&r->stacks);
	gather_init(&r->gather, o->by, r->selection, &r->strings);
	feed_init(&r->feed, &r->strings, r->symbolizer, &o->shared.endpoints, &listener);
	vec_each(&o->shared.inputs, path)
		if (!err)
			err = feed_input(&r->feed, *path, e);
	return err;
}

static void make_profile(struct report *r, const struct report_options *o)
{
	struct profile *p = &r->profile;
	struct resolve resolve;

	p->strings = &r->strings;
	feed_describe(&r->feed, p);
	gather_finish(&r->gather, p->has_markers);
	resolve_init(&resolve, &o->resolve, &r->stacks, r->symbolizer, p);
	p->tallies.nr_no_user_frames = r->stacks.nr_no_user_frames;
	p->tallies.nr_filtered = r->gather.nr_filtered + sum_groups(p, &r->gather, &resolve);
	resolve_release(&resolve);
}

/* What the numbers do not say of themselves. */
static void warn_of_profile(const struct report *r, const struct report_options *o)
{
	const struct profile *p = &r->profile;

	if (!p->has_markers && o->has_by && o->by < BY_THREAD)
		log_warn("no requests were recorded, so there is one table for all");
	if (!p->tallies.nr_samples)
		log_warn("no samples were recorded");
	else if (!p->groups.nr)
		log_warn("no sample is left: nothing matches the selection");
	if (log_level() > LOG_QUIET)
		render_tallies(p, stderr);
}

struct report_writer {
	const struct report *report;
	const struct report_options *options;
};

static int write_report(const void *self, FILE *out, struct err *e)
{
	const struct report_writer *w = self;

	return w->options->renderer->write(&w->report->profile, w->report->plan, out, e);
}

static void report_release(struct report *r)
{
	profile_release(&r->profile);
	gather_release(&r->gather);
	stacks_release(&r->stacks);
	feed_release(&r->feed);
	symbolizer_free(r->symbolizer);
	table_plan_free(r->plan);
	selection_free(r->selection);
	strings_release(&r->strings);
}

int cmd_report(int argc, char **argv)
{
	struct report_options o = { 0 };
	struct report r = { 0 };
	struct report_writer writer = { &r, &o };
	struct err e = { 0 };
	int err;

	err = parse_options(&o, argc, argv, &e);
	if (err)
		goto out;
	if (o.shared.wants_help) {
		fputs(help, stdout);
		goto out;
	}
	err = options_finish(&o.shared, &r.selection, &e);
	if (err)
		goto out;
	err = table_plan_new(&o.table, &r.plan, &e);
	if (err)
		goto out;
	err = feed_all(&r, &o, &e);
	if (err)
		goto out;
	make_profile(&r, &o);
	err = outputs_write(&o.outputs, write_report, &writer, &e);
	if (err)
		goto out;
	warn_of_profile(&r, &o);
out:
	if (err)
		err_print(&e, stderr);
	report_release(&r);
	options_release(&o.shared);
	table_options_release(&o.table);
	return err ? err_exit_status(&e) : EXIT_GOOD;
}
