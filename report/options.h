/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options that the commands of the report side share: which recordings, which requests, and how
 * to talk. A command puts OPTIONS_LONG into its getopt_long() table and hands what it does not know
 * itself to options_take():
 *
 *	static const struct option longs[] = {
 *		OPTIONS_LONG,
 *		{ "by", required_argument, NULL, OPT_BY },
 *		{ 0 },
 *	};
 *	struct cmdline line = { "report", OPTIONS_SHORT "s:", longs };
 *
 *	while ((opt = options_next(&line, argc, argv, &e)) > 0)
 *		switch (opt) {
 *		case OPT_BY: ...
 *		default: options_take(&o, opt, optarg);
 *		}
 */
#ifndef REPORT_OPTIONS_H
#define REPORT_OPTIONS_H

#include "base/cmdline.h"
#include "report/endpoint.h"
#include "report/selection.h"

/* Values of long options that have no short form; commands number theirs from OPT_OWN on. */
enum options_value {
	OPT_PATH = 256,
	OPT_METHOD,
	OPT_STATUS,
	OPT_SLOWER_THAN,
	OPT_FASTER_THAN,
	OPT_SLOWEST,
	OPT_PATH_RAW,
	OPT_PATH_PATTERN,
	OPT_OWN,
};

#define OPTIONS_SHORT "+i:vqh"
#define OPTIONS_LONG                                                                               \
	{ "input", required_argument, NULL, 'i' }, { "verbose", no_argument, NULL, 'v' },          \
		{ "quiet", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' },           \
		{ "path", required_argument, NULL, OPT_PATH },                                     \
		{ "method", required_argument, NULL, OPT_METHOD },                                 \
		{ "status", required_argument, NULL, OPT_STATUS },                                 \
		{ "slower-than", required_argument, NULL, OPT_SLOWER_THAN },                       \
		{ "faster-than", required_argument, NULL, OPT_FASTER_THAN },                       \
		{ "slowest", required_argument, NULL, OPT_SLOWEST },                               \
		{ "path-raw", no_argument, NULL, OPT_PATH_RAW },                                   \
	{                                                                                          \
		"path-pattern", required_argument, NULL, OPT_PATH_PATTERN                          \
	}

/* For --help, in the same order. */
#define OPTIONS_HELP                                                                               \
	"  -i, --input FILE      a recording, default wperf.data; several are merged; - is stdin\n"\
	"      --path REGEX      only requests whose endpoint matches\n"                           \
	"      --method METHOD   only these: GET, POST ...\n"                                      \
	"      --status STATUS   only these: 200, 5xx, 500-599\n"                                  \
	"      --slower-than TIME, --faster-than TIME\n"                                           \
	"                        only requests that took longer, or less: 250ms, 1.5s\n"           \
	"      --slowest N       only the N slowest of them\n"                                     \
	"      --path-raw        endpoints as the labels have them: ids and query kept\n"          \
	"      --path-pattern P  what is like P is one endpoint, with --path-raw, too:\n"          \
	"                        /user/{name}/posts\n"

#define OPTIONS_HELP_TALK                                                                          \
	"  -v, --verbose         say more on stderr; -vv still more\n"                             \
	"  -q, --quiet           say only errors\n"                                                \
	"  -h, --help            this text\n"

/* Strings are lent from argv. Valid when zeroed. */
struct options {
	VEC(const char *) inputs;
	struct endpoint_options endpoints;
	struct selection_options selection;
	int verbosity;
	bool wants_help;
};

void options_release(struct options *o);
/* cmdline_next(); -EINVAL as well for an argument that is no option. */
int options_next(const struct cmdline *line, int argc, char **argv, struct err *e);
/* Takes a shared option. opt is one of the above. */
void options_take(struct options *o, int opt, const char *arg);
/* After the last one: checks what can be wrong, makes the selection, sets the log level. */
int options_finish(struct options *o, struct selection **ret_selection, struct err *e);

/* The index of text among names, or -EINVAL with "option: no such name" and what there is. */
int options_choice(const char *option, const char *text, const char *const *names, size_t nr,
		   struct err *e);

#endif
