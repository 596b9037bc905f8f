/* SPDX-License-Identifier: Apache-2.0 */
/*
 * getopt_long(3) with messages that say what is wrong and what is like it.
 *
 *	struct cmdline line = { "report", "+i:vh", longs };
 *
 *	while (!err && (opt = cmdline_next(&line, argc, argv, &e)) != 0)
 *		err = opt < 0 ? opt : take(opt, optarg);
 *	... argv from optind on ...
 */
#ifndef BASE_CMDLINE_H
#define BASE_CMDLINE_H

#include <getopt.h>

#include "base/err.h"

struct cmdline {
	const char *command;	/* for messages: "report" */
	/*
	 * As getopt(3) has them: '+' first, options end at the first word that is none; '-' first,
	 * such a word is given out as option 1.
	 */
	const char *shorts;
	const struct option *longs;
};

/*
 * 0: no option is left. -EINVAL: an option that there is not, one that could be several, one
 * without its argument or with one too much. Begins anew where the caller has set optind to 0.
 */
int cmdline_next(const struct cmdline *line, int argc, char **argv, struct err *e);

#endif
