/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cmdline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/nearest.h"
#include "base/str.h"

/* "Options like it: ..." is the whole remedy where there are some; else where to find them. */
static int list_options(const struct cmdline *line, const char *what, const struct str *list,
			struct err *e)
{
	if (!list->len)
		return err_remedy(e, "wperf %s --help lists the options.", line->command);
	return err_remedy(e, "%s: %s. wperf %s --help lists them all.", what, str_cstr(list),
			  line->command);
}

static int unknown_long(const struct cmdline *line, const char *word, struct err *e)
{
	char *name = xstrndup(word, strcspn(word, "="));
	struct nearest near = { .want = name + strlen("--") };
	const struct option *o;
	struct str like = { 0 };

	for (o = line->longs; o->name; o++)
		nearest_offer(&near, o->name);
	nearest_text(&near, &like);
	err_set(e, -EINVAL, "%s: unknown option %s", line->command, name);
	list_options(line, "Options like it", &like, e);
	str_release(&like);
	nearest_release(&near);
	free(name);
	return e->code;
}

/* How many options begin as the word does, and their names. */
static size_t begin_alike(const struct cmdline *line, const char *word, struct str *ret_list)
{
	const char *name = word + strlen("--");
	size_t len = strcspn(name, "="), nr = 0;
	const struct option *o;

	for (o = line->longs; o->name; o++) {
		if (strncmp(o->name, name, len))
			continue;
		/* In full it is no abbreviation. */
		if (!o->name[len])
			return 1;
		str_addf(ret_list, "%s--%s", nr++ ? ", " : "", o->name);
	}
	return nr;
}

static int bad_long(const struct cmdline *line, const char *word, struct err *e)
{
	int name_len = (int)strcspn(word, "=");
	struct str alike = { 0 };
	size_t nr = begin_alike(line, word, &alike);

	if (!nr) {
		unknown_long(line, word, e);
	} else if (nr > 1) {
		err_set(e, -EINVAL, "%s: option %.*s is ambiguous", line->command, name_len, word);
		list_options(line, "It could be", &alike, e);
	} else {
		err_set(e, -EINVAL, "%s: option %.*s takes no value", line->command, name_len,
			word);
		err_remedy(e, "Leave out %s.", word + name_len);
	}
	str_release(&alike);
	return e->code;
}

/* "-v=3": getopt(3) takes '=' for one more option. */
static int bad_short(const struct cmdline *line, const char *word, struct err *e)
{
	const char *equals = strchr(word, '=');

	if (optopt == '=' && equals && equals - word > 1) {
		err_set(e, -EINVAL, "%s: option -%c takes no value", line->command, equals[-1]);
		return err_remedy(e, "Leave out %s.", equals);
	}
	err_set(e, -EINVAL, "%s: unknown option -%c", line->command, optopt);
	return err_remedy(e, "wperf %s --help lists the options.", line->command);
}

static int needs_argument(const struct cmdline *line, const char *word, const char *why,
			  struct err *e)
{
	err_set(e, -EINVAL, "%s: option %s needs an argument%s", line->command, word, why);
	return err_remedy(e, "wperf %s --help lists the options.", line->command);
}

int cmdline_next(const struct cmdline *line, int argc, char **argv, struct err *e)
{
	int at = optind ? optind : 1, opt;
	const char *word = at < argc ? argv[at] : "";
	char shorts[64];

	/* ':' after the first character: a missing argument is told apart. */
	snprintf(shorts, sizeof(shorts), "%c:%s", line->shorts[0], line->shorts + 1);
	opterr = 0;
	opt = getopt_long(argc, argv, shorts, line->longs, NULL);
	if (opt == -1)
		return 0;
	if (opt == ':')
		return needs_argument(line, word, "", e);
	if (opt == '?' && str_starts(word, "--"))
		return bad_long(line, word, e);
	if (opt == '?')
		return bad_short(line, word, e);
	/* What stood behind the option was left out, and a command behind "--" took its place. */
	if (opt != 1 && optarg && !strcmp(optarg, "--"))
		return needs_argument(line, word, ", and -- is none", e);
	return opt;
}
