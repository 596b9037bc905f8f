/* SPDX-License-Identifier: Apache-2.0 */
/* wperf report: recordings in, a table an endpoint (or thread, or whatever --by says) out. */
#include "report/cmd_report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "report/options.h"
#include "report/output.h"
#include "report/report.h"
#include "report/view.h"

enum {
	OPT_BY = VIEW_OWN,
	OPT_TEE,
};

static const struct option long_options[] = {
	OPTIONS_LONG,
	VIEW_LONG,
	{ "by", required_argument, NULL, OPT_BY },
	{ "output", required_argument, NULL, 'o' },
	{ "tee", required_argument, NULL, OPT_TEE },
	{ 0 },
};

static const char help[] =
	"Usage: wperf report [options]\n"
	"\n"
	"Where the time of each endpoint's requests went, as Python's pstats prints it.\n"
	"\n" OPTIONS_HELP
	"      --by WHAT         a table for each endpoint (default), request, status, method,\n"
	"                        thread, process, or one for all: none\n" VIEW_HELP_ROWS
	"      --format FORMAT   table (default), json, jsonl, pstats (a .prof of all tables),\n"
	"                        folded (stacks, for flame graphs), flamegraph (SVG),\n"
	"                        speedscope\n"
	"  -o, --output FILE     to FILE instead of stdout\n"
	"      --tee FILE        to stdout and to FILE\n" VIEW_HELP_PROFILES VIEW_HELP_CODE
		OPTIONS_HELP_TALK;

struct command {
	struct options shared;
	struct view view;
	struct report_options report;
	bool has_by;
	struct outputs outputs;
};

#define CHOICE_TEXT(id, text) text,

static int take_by(struct command *c, const char *arg, struct err *e)
{
	static const char *const names[] = { GROUP_BYS(CHOICE_TEXT) };
	int by = options_choice("--by", arg, names, ARRAY_LEN(names), e);

	c->report.by = by < 0 ? BY_ENDPOINT : (enum group_by)by;
	c->has_by = true;
	return by < 0 ? by : 0;
}

static int take_option(struct command *c, int opt, const char *arg, struct err *e)
{
	if (view_has(opt))
		return view_take(&c->view, opt, arg, e);
	switch (opt) {
	case OPT_BY:
		return take_by(c, arg, e);
	case 'o':
		c->outputs.file = arg;
		break;
	case OPT_TEE:
		c->outputs.tee = arg;
		break;
	default:
		options_take(&c->shared, opt, arg);
	}
	return 0;
}

static int parse_options(struct command *c, int argc, char **argv, struct err *e)
{
	const struct cmdline line = { "report", OPTIONS_SHORT VIEW_SHORT "o:", long_options };
	int opt, err = 0;

	optind = 0;
	while (!err && (opt = options_next(&line, argc, argv, e)) != 0)
		err = opt < 0 ? opt : take_option(c, opt, optarg, e);
	return err;
}

static bool is_file(const char *path)
{
	return path && strcmp(path, "-");
}

static int check_destination(const struct command *c, struct err *e)
{
	if (!c->view.renderer->is_binary || !isatty(STDOUT_FILENO) ||
	    (is_file(c->outputs.file) && (!c->outputs.tee || is_file(c->outputs.tee))))
		return 0;
	err_set(e, -EINVAL, "--format %s: its bytes are not for a terminal", c->view.renderer->name);
	return err_remedy(e, "Write them to a file with -o FILE, or redirect stdout.");
}

/* What the numbers do not say of themselves. */
static void warn_of_profile(const struct profile *p, const struct command *c)
{
	const char *remark = c->view.renderer->remark ? c->view.renderer->remark(p) : NULL;

	if (remark && !c->view.profiles.dir)
		log_warn("%s", remark);
	if (!p->has_markers && c->has_by && c->report.by < BY_THREAD)
		log_warn("no requests were recorded, so there is one table for all");
	if (!p->tallies.nr_samples)
		log_warn("no samples were recorded");
	else if (!p->groups.nr)
		log_warn("no sample is left: nothing matches the selection");
	if (log_level() > LOG_QUIET)
		render_tallies(p, stderr);
}

struct writer {
	const struct profile *profile;
	const struct table_plan *plan;
	const struct renderer *renderer;
};

static int write_profile(const void *self, FILE *out, struct err *e)
{
	const struct writer *w = self;

	return w->renderer->write(w->profile, w->plan, out, e);
}

static int write_report(const struct report *r, const struct command *c, const struct writer *w,
			struct profile_dir *profiles, struct err *e)
{
	int err = outputs_write(&c->outputs, write_profile, w, e);

	return err || !profiles ? err : profile_dir_write_all(profiles, report_requests(r), e);
}

static int report_inputs(struct report *r, const struct command *c, struct err *e)
{
	int err = 0;

	report_init(r, &c->report);
	vec_each(&c->shared.inputs, path)
		if (!err)
			err = report_input(r, *path, e);
	return err;
}

/* What the options ask for, together, before anything is opened. The caller frees both. */
static int finish_options(struct command *c, struct selection **ret_selection, struct table_plan **ret_plan, struct err *e)
{
	int err = options_finish(&c->shared, ret_selection, e);

	if (err)
		return err;
	err = outputs_check(&c->outputs, c->shared.inputs.at, c->shared.inputs.nr, e);
	if (err)
		return err;
	err = view_finish(&c->view, ret_plan, e);
	if (err)
		return err;
	return check_destination(c, e);
}

int cmd_report(int argc, char **argv)
{
	struct strings strings = { 0 };
	struct command c = { 0 };
	struct selection *selection = NULL;
	struct table_plan *plan = NULL;
	struct profile_dir *profiles = NULL;
	struct report r = { 0 };
	struct writer writer;
	struct err e = { 0 };
	int err;

	alloc_expect_much();
	err = parse_options(&c, argc, argv, &e);
	if (err)
		goto out;
	if (c.shared.wants_help) {
		fputs(help, stdout);
		goto out;
	}
	err = finish_options(&c, &selection, &plan, &e);
	if (err)
		goto out;
	c.report.strings = &strings;
	c.report.selection = selection;
	c.report.endpoints = &c.shared.endpoints;
	c.report.resolve = c.view.resolve;
	c.report.symbolizer = c.view.symbolizer;
	c.report.wants_requests = c.view.profiles.dir;
	err = view_open_profiles(&c.view, &profiles, &e);
	if (err)
		goto out;
	err = report_inputs(&r, &c, &e);
	if (err)
		goto out;
	writer = (struct writer){ report_finish(&r), plan, c.view.renderer };
	err = write_report(&r, &c, &writer, profiles, &e);
	if (err)
		goto out;
	warn_of_profile(writer.profile, &c);
	view_tell_of_profiles(&c.view, profiles);
	err = feed_unread(&r.feed, &e);
out:
	if (err)
		err_print(&e, stderr);
	report_release(&r);
	profile_dir_free(profiles);
	table_plan_free(plan);
	selection_free(selection);
	options_release(&c.shared);
	view_release(&c.view);
	strings_release(&strings);
	return err ? err_exit_status(&e) : EXIT_GOOD;
}
