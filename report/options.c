/* SPDX-License-Identifier: Apache-2.0 */
#include "report/options.h"

#include <errno.h>

#include "base/log.h"
#include "base/str.h"

void options_release(struct options *o)
{
	vec_release(&o->inputs);
	endpoint_options_release(&o->endpoints);
	selection_options_release(&o->selection);
}

int options_next(const struct cmdline *line, int argc, char **argv, struct err *e)
{
	int opt = cmdline_next(line, argc, argv, e);

	if (opt || optind >= argc)
		return opt;
	err_set(e, -EINVAL, "%s: \"%s\" is no option", line->command, argv[optind]);
	return err_remedy(e, "A recording is named with -i. wperf %s --help lists the options.",
			  line->command);
}

void options_take(struct options *o, int opt, const char *arg)
{
	switch (opt) {
	case 'i':
		vec_push(&o->inputs, arg);
		break;
	case 'v':
		o->verbosity++;
		break;
	case 'q':
		o->verbosity = LOG_QUIET;
		break;
	case 'h':
		o->wants_help = true;
		break;
	case OPT_PATH:
		vec_push(&o->selection.path, arg);
		break;
	case OPT_METHOD:
		vec_push(&o->selection.method, arg);
		break;
	case OPT_STATUS:
		vec_push(&o->selection.status, arg);
		break;
	case OPT_SLOWER_THAN:
		o->selection.slower_than = arg;
		break;
	case OPT_FASTER_THAN:
		o->selection.faster_than = arg;
		break;
	case OPT_SLOWEST:
		o->selection.slowest = arg;
		break;
	case OPT_PATH_RAW:
		o->endpoints.keeps_raw = true;
		break;
	case OPT_PATH_PATTERN:
		vec_push(&o->endpoints.patterns, arg);
		break;
	}
}

int options_finish(struct options *o, struct selection **ret_selection, struct err *e)
{
	int err;

	if (!o->inputs.nr)
		vec_push(&o->inputs, "wperf.data");
	log_set_level(o->verbosity > LOG_DEBUG ? LOG_DEBUG : (enum log_level)o->verbosity);
	err = endpoint_options_check(&o->endpoints, e);
	return err ? err : selection_new(&o->selection, ret_selection, e);
}

int options_choice(const char *option, const char *text, const char *const *names, size_t nr,
		   struct err *e)
{
	struct str list = { 0 };
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strcmp(names[i], text))
			return (int)i;
	for (i = 0; i < nr; i++)
		str_addf(&list, "%s%s", i ? ", " : "", names[i]);
	err_set(e, -EINVAL, "%s: there is no \"%s\"", option, text);
	err_remedy(e, "One of: %s.", str_cstr(&list));
	str_release(&list);
	return e->code;
}
