/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wperf live: a recorder of our own at the other end of a pipe, and what a report would print of
 * each request, as it ends.
 */
#include "report/cmd_live.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/log.h"
#include "base/streams.h"
#include "report/feeder.h"
#include "report/live.h"
#include "report/output.h"
#include "report/view.h"

enum {
	OPT_DURATION = VIEW_OWN,
	OPT_CALL_GRAPH,
	OPT_MARKER,
	OPT_CALLS,
	OPT_MAX_OVERHEAD,
	OPT_MAX_SIZE,
	OPT_TEE,
	OPT_REFUSED,
};

/* What is the recorder's to understand; tests/check_docs.sh compares it with wperf record's own. */
#define RECORD_LONG                                                                                \
	{ "pid", required_argument, NULL, 'p' },                                                   \
		{ "duration", required_argument, NULL, OPT_DURATION },                             \
		{ "freq", required_argument, NULL, 'F' },                                          \
		{ "count", required_argument, NULL, 'c' },                                         \
		{ "event", required_argument, NULL, 'e' },                                         \
		{ "call-graph", required_argument, NULL, OPT_CALL_GRAPH },                         \
		{ "marker", required_argument, NULL, OPT_MARKER },                                 \
		{ "calls", required_argument, NULL, OPT_CALLS },                                   \
		{ "max-overhead", required_argument, NULL, OPT_MAX_OVERHEAD },                     \
		{ "max-size", required_argument, NULL, OPT_MAX_SIZE },                             \
	{                                                                                          \
		"mmap-pages", required_argument, NULL, 'm'                                         \
	}

static const struct option record_options[] = { RECORD_LONG };

/* Options of the two that make no sense here. */
static const struct refused {
	int opt;
	const char *name, *why, *remedy;
} refused[] = {
	{ 'i', "-i", "nothing is read but what is recorded now",
	  "For a recording there is wperf report -i FILE --by request." },
	{ 'o', "-o", "tables go to stdout, and the recording is not kept",
	  "Redirect stdout; or record into a file, and let wperf report read that." },
	{ OPT_REFUSED, "--by", "a table is a request's here",
	  "For a table an endpoint there are wperf record and wperf report." },
	{ OPT_SLOWEST, "--slowest", "which ones those are, only the end tells",
	  "--slower-than TIME is known as soon as a request ends." },
};

static const struct option long_options[] = {
	OPTIONS_LONG,
	VIEW_LONG,
	RECORD_LONG,
	{ "output", required_argument, NULL, 'o' },
	{ "tee", required_argument, NULL, OPT_TEE },
	{ "by", required_argument, NULL, OPT_REFUSED },
	{ 0 },
};

static const char help[] =
	"Usage: wperf live [options] -p PID[,PID...] [-- COMMAND]\n"
	"       wperf live [options] -- COMMAND [ARG...]\n"
	"\n"
	"Prints each request's table as the request ends; at the end, a line for each endpoint.\n"
	"\n"
	"As wperf record has them:\n"
	"  -p, --pid PID,...     these processes, and the children they have and will have\n"
	"  -- COMMAND            without -p: start it, to its end; with -p: stop when it ends\n"
	"      --duration SECONDS\n"
	"                        stop after that long; so do SIGINT, SIGTERM, the target's end\n"
	"      --marker SPEC     where requests begin and end; default auto\n"
	"      --calls PATTERN[@MODULE]\n"
	"                        count every call of these functions (python: all of Python's, and\n"
	"                        time them); see wperf record\n"
	"      --max-overhead PCT of the target's CPU time that counting may take, default 10 (of Python: 100)\n"
	"  -F, --freq HZ         samples a second and CPU, default 999\n"
	"  -c, --count N         a sample every N events instead\n"
	"  -e, --event NAME      what to sample by\n"
	"      --call-graph MODE auto (default), fp, none, dwarf[,BYTES]\n"
	"      --max-size BYTES  stop when so much was recorded\n"
	"  -m, --mmap-pages N    size of a CPU's ring\n"
	"\n"
	"As wperf report has them:\n"
	"      --path REGEX      only requests whose endpoint matches\n"
	"      --method METHOD   only these: GET, POST ...\n"
	"      --status STATUS   only these: 200, 5xx, 500-599\n"
	"      --slower-than TIME, --faster-than TIME\n"
	"                        only requests that took longer, or less: 250ms, 1.5s\n"
	"      --path-raw        endpoints as the labels have them: ids and query kept\n"
	"      --path-pattern P  what is like P is one endpoint, with --path-raw, too:\n"
	"                        /user/{name}/posts\n" VIEW_HELP_ROWS
	"      --format FORMAT   table (default), jsonl\n"
	"      --tee FILE        to stdout and to FILE\n" VIEW_HELP_PROFILES VIEW_HELP_CODE
		OPTIONS_HELP_TALK;

struct command {
	struct options shared;
	struct view view;
	VEC(char *) recorder;	/* its argv; all but the command are ours to free */
	size_t nr_own;
	bool has_pid, has_command;
	/* while it runs */
	struct strings strings;
	struct selection *selection;
	struct table_plan *plan;
	struct profile_dir *profiles;
	const char *tee;	/* NULL: not asked for */
	int tee_fd;		/* -1: not open, or cannot be written any more */
	struct feeder feeder;
	struct live_options live_options;
	struct live live;
	bool is_muted;		/* stdout takes nothing any more */
	bool has_begun;
	struct err write_error;
};

/* ---- options ---- */

static void pass_on(struct command *c, char *word)
{
	vec_push(&c->recorder, word);
	c->nr_own = c->recorder.nr;
}

static bool take_record_option(struct command *c, int opt, const char *arg)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(record_options); i++)
		if (record_options[i].val == opt) {
			pass_on(c, xasprintf("--%s=%s", record_options[i].name, arg));
			c->has_pid |= opt == 'p';
			return true;
		}
	return false;
}

static int check_refused(int opt, struct err *e)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(refused); i++)
		if (refused[i].opt == opt) {
			err_set(e, -EINVAL, "live: %s: %s", refused[i].name, refused[i].why);
			return err_remedy(e, "%s", refused[i].remedy);
		}
	return 0;
}

/* Those that have no end. */
static int check_format(const char *arg, struct err *e)
{
	static const char *const formats[] = { "table", "jsonl" };
	int format = options_choice("--format", arg, formats, ARRAY_LEN(formats), e);

	return format < 0 ? format : 0;
}

static int take_option(struct command *c, int opt, const char *arg, struct err *e)
{
	int err = check_refused(opt, e);

	if (!err && opt == VIEW_FORMAT)
		err = check_format(arg, e);
	if (err)
		return err;
	if (view_has(opt))
		return view_take(&c->view, opt, arg, e);
	if (take_record_option(c, opt, arg))
		return 0;
	if (opt == OPT_TEE)
		c->tee = arg;
	/* Both sides talk. */
	if (opt == 'v' || opt == 'q')
		pass_on(c, xstrdup(opt == 'v' ? "-v" : "-q"));
	options_take(&c->shared, opt, arg);
	return 0;
}

/* What is left of argv behind "--" is the command. */
static int take_command(struct command *c, int argc, char **argv, struct err *e)
{
	int i;

	if (optind < argc && strcmp(argv[optind - 1], "--"))
		return err_set(e, -EINVAL, "live %s: a command stands behind --", argv[optind]);
	c->has_command = optind < argc;
	if (c->has_command)
		pass_on(c, xstrdup("--"));
	for (i = optind; i < argc; i++)
		vec_push(&c->recorder, argv[i]);
	vec_push(&c->recorder, NULL);
	return 0;
}

static int parse_options(struct command *c, int argc, char **argv, struct err *e)
{
	const struct cmdline line = { "live",
				      OPTIONS_SHORT VIEW_SHORT "o:p:F:c:e:m:", long_options };
	static const char *const always[] = { "wperf", "record", "--output=-", "--no-progress" };
	int opt, err = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(always); i++)
		pass_on(c, xstrdup(always[i]));
	optind = 0;
	while (!err && (opt = cmdline_next(&line, argc, argv, e)) != 0)
		err = opt < 0 ? opt : take_option(c, opt, optarg, e);
	return err ? err : take_command(c, argc, argv, e);
}

/* Before anything is started. What the recorder's options mean, the recorder says. */
static int check_options(struct command *c, struct err *e)
{
	int err = options_finish(&c->shared, &c->selection, e);

	if (!err)
		err = view_finish(&c->view, &c->plan, e);
	if (err)
		return err;
	if (streams_is_stdout_closed())
		return err_set(e, -EBADF, "live: stdout is closed");
	if (!c->has_pid && !c->has_command) {
		err_set(e, -EINVAL, "live: nothing to look at");
		return err_remedy(e, "Name a process with -p PID, or a command: wperf live -- COMMAND");
	}
	if (c->tee)
		c->tee_fd = output_open(c->tee, e);
	return c->tee && c->tee_fd < 0 ? c->tee_fd : view_open_profiles(&c->view, &c->profiles, e);
}

/* ---- output ---- */

struct page {
	struct command *command;
	const struct profile *profile;
};

static int write_request(const void *self, FILE *out, struct err *e)
{
	const struct page *page = self;

	return page->command->view.renderer->write(page->profile, page->command->plan, out, e);
}

static int write_summary(const void *self, FILE *out, struct err *e)
{
	const struct page *page = self;

	return list_write_summary(&page->command->live.summary, LIST_TABLE, out, e);
}

/*
 * Where nothing can be written any more there is nothing to record for; what comes is read still.
 * e: why; NULL: the reader has gone, and that is no error.
 */
static void stop(struct command *c, const struct err *e)
{
	if (e && !c->write_error.code)
		c->write_error = *e;
	if (c->feeder.pid)
		feeder_stop(&c->feeder);
}

typedef int write_fn(const void *self, FILE *out, struct err *e);

static void print_to_stdout(struct command *c, write_fn *write, const struct page *page)
{
	struct err e = { 0 };
	bool is_gone = false;
	int err = output_stdout(write, page, &is_gone, &e);

	c->is_muted = err || is_gone;
	if (c->is_muted)
		stop(c, err ? &e : NULL);
}

static void close_tee(struct command *c)
{
	struct err e = { 0 };

	if (c->tee_fd >= 0 && output_close(c->tee_fd, c->tee, &e) && !c->write_error.code)
		c->write_error = e;
	c->tee_fd = -1;
}

static void print_to_tee(struct command *c, write_fn *write, const struct page *page)
{
	struct err e = { 0 };

	if (!output_write(c->tee_fd, c->tee, write, page, &e))
		return;
	stop(c, &e);
	close_tee(c);
}

static void print(struct command *c, write_fn *write, const struct profile *p)
{
	struct page page = { c, p };

	if (!c->is_muted)
		print_to_stdout(c, write, &page);
	if (c->tee_fd >= 0)
		print_to_tee(c, write, &page);
}

static void save(struct command *c, const struct profile *p)
{
	struct err e = { 0 };

	if (c->profiles && !c->write_error.code && profile_dir_write_all(c->profiles, p, &e))
		stop(c, &e);
}

static void on_request(void *self, const struct profile *p)
{
	print(self, write_request, p);
	save(self, p);
}

/* Data where tables are; lines of JSON are for programs, and this is not one of them. */
static void print_summary(struct command *c)
{
	const struct page page = { c, NULL };
	struct err ignored;

	if (c->view.renderer == &render_table)
		print(c, write_summary, NULL);
	else if (log_level() > LOG_QUIET)
		write_summary(&page, stderr, &ignored);
}

static void tell_of_recording(struct command *c)
{
	const struct profile *p = live_describe(&c->live);

	if (!p->has_markers)
		log_warn("nothing marks requests: --marker was none, or the recorder could not make any, and said why");
	else if (!c->live.summary.endpoints.nr)
		log_warn("no request ended that the options ask for");
	if (log_level() > LOG_QUIET)
		render_tallies(p, stderr);
	view_tell_of_profiles(&c->view, c->profiles);
}

/* ---- the whole ---- */

static int read_recorder(struct command *c, struct err *e)
{
	static const char name[] = "the recorder";
	struct reader *reader;
	int err = reader_open_pipe(c->feeder.fd, name, &reader, e);

	if (err)
		return err;
	c->has_begun = true;
	err = live_reader(&c->live, reader, name, e);
	/* Closes the pipe: the recorder ends, if it did not. */
	reader_free(reader);
	return err;
}

/* The recorder has failed before there was anything to record. */
static bool has_failed(const struct command *c, int status)
{
	const struct feed *f = &c->live.feed;

	return status && !f->nr_read && (!feed_begin_ns(f) || f->is_truncated);
}

/* What the recorder could not do, it has said itself. */
static int run(struct command *c, struct err *e)
{
	int err, status;

	c->live_options = (struct live_options){ .selection = c->selection,
						 .strings = &c->strings,
						 .endpoints = &c->shared.endpoints,
						 .resolve = c->view.resolve,
						 .symbolizer = c->view.symbolizer,
						 .ended = on_request,
						 .self = c };
	err = feeder_start(&c->feeder, c->recorder.at, e);
	if (err)
		return err_exit_status(e);
	live_init(&c->live, &c->live_options);
	err = read_recorder(c, e);
	feeder_stop(&c->feeder);
	status = feeder_wait(&c->feeder);
	if (c->has_begun && !err && !has_failed(c, status)) {
		print_summary(c);
		if (!c->is_muted)
			tell_of_recording(c);
	}
	close_tee(c);
	if (!err || status)
		*e = c->write_error;
	if (!e->code)
		feed_unread(&c->live.feed, e);
	if (e->code)
		return status ? status : (int)err_exit_status(e);
	return status;
}

static void release(struct command *c)
{
	size_t i;

	live_release(&c->live);
	for (i = 0; i < c->nr_own; i++)
		free(c->recorder.at[i]);
	vec_release(&c->recorder);
	profile_dir_free(c->profiles);
	table_plan_free(c->plan);
	selection_free(c->selection);
	options_release(&c->shared);
	view_release(&c->view);
	strings_release(&c->strings);
}

int cmd_live(int argc, char **argv)
{
	struct command c = { .tee_fd = -1 };
	struct err e = { 0 };
	int status = EXIT_GOOD;

	if (parse_options(&c, argc, argv, &e))
		goto out;
	if (c.shared.wants_help) {
		fputs(help, stdout);
		goto out;
	}
	if (!check_options(&c, &e))
		status = run(&c, &e);
out:
	if (e.code) {
		err_print(&e, stderr);
		status = status ? status : (int)err_exit_status(&e);
	}
	release(&c);
	return status;
}
