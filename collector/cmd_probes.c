/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/cmd_probes.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/cmdline.h"
#include "base/streams.h"
#include "base/str.h"
#include "base/units.h"
#include "collector/locate.h"
#include "collector/signature.h"
#include "collector/target.h"

struct probes_options {
	int pid;
	const char *glob;	/* NULL: USDT probes, and the program's own functions */
};

static const char help[] =
	"Usage: wperf probes -p PID [GLOB]\n"
	"Lists what --marker can name in a process, one a line.\n"
	"\n"
	"Without GLOB: every USDT probe, and the functions of the program itself. With GLOB: what\n"
	"matches it in the libraries too, by name (handle_*) and module (*@libc.so.6) as --marker and\n"
	"--calls take them, or by the whole line (usdt:python:*).\n"
	"\n"
	"  -p, --pid PID   the process\n"
	"  -h, --help      this text\n";

static int bad_usage(struct err *e, const char *what)
{
	err_set(e, -EINVAL, "probes: %s", what);
	return err_remedy(e, "Usage: wperf probes -p PID [GLOB]");
}

static int take_pid(struct probes_options *o, const char *text, struct err *e)
{
	uint64_t pid;

	if (!parse_u64(text, 1, INT32_MAX, &pid))
		return bad_usage(e, "-p takes one process id");
	o->pid = (int)pid;
	return 0;
}

static int take_glob(struct probes_options *o, const char *text, struct err *e)
{
	if (o->glob)
		return bad_usage(e, "more than one GLOB");
	o->glob = text;
	return 0;
}

/* 1: the help was printed. */
static int parse_options(int argc, char **argv, struct probes_options *o, struct err *e)
{
	static const struct option longs[] = { { "pid", required_argument, NULL, 'p' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	const struct cmdline line = { "probes", "-p:h", longs };
	int opt, err = 0;

	optind = 0;
	while (!err && (opt = cmdline_next(&line, argc, argv, e)) != 0) {
		if (opt < 0)
			return opt;
		if (opt == 'h') {
			fputs(help, stdout);
			return 1;
		}
		err = opt == 'p' ? take_pid(o, optarg, e) : take_glob(o, optarg, e);
	}
	for (; !err && optind < argc; optind++)
		err = take_glob(o, argv[optind], e);
	return err || o->pid ? err : bad_usage(e, "which process?");
}

/* As a spec takes it: usdt:PROVIDER:NAME, func:NAME@MODULE. */
static void add_spec(struct str *out, const struct probe_listing *p)
{
	const char *slash = strrchr(p->module, '/');
	const char *module = slash ? slash + 1 : p->module;

	str_add(out, p->is_usdt ? "usdt:" : "func:");
	str_add_escaped(out, p->name, strlen(p->name));
	if (p->is_usdt)
		return;
	str_add_char(out, '@');
	str_add_escaped(out, module, strlen(module));
}

/* As a marker and --calls take it. */
static bool is_named(const struct probe_listing *p, const char *text)
{
	struct probe_name name;
	struct wanted wanted;
	struct signature sig;
	struct err e;
	bool yes;

	if (p->is_usdt || probe_name_parse(text, &name, &e))
		return false;
	yes = name.function && locate_module_matches(p->module, name.module);
	if (yes) {
		wanted_init(&wanted, name.function);
		signature_of(p->symbol, &sig);
		yes = wanted_is_like(&wanted, p->symbol, &sig);
		signature_release(&sig);
		wanted_release(&wanted);
	}
	probe_name_release(&name);
	return yes;
}

static bool is_wanted(const struct probe_listing *p, const char *spec, const char *glob)
{
	return !glob || !fnmatch(glob, spec, 0) || !fnmatch(glob, spec + strlen("usdt:"), 0) ||
	       !fnmatch(glob, p->name, 0) || is_named(p, str_starts(glob, "func:") ? glob + strlen("func:") : glob);
}

/* 0, or the errno of a write that failed. */
static int print_listing(const struct probe_listing *p, const char *spec, int width)
{
	struct str module = { 0 };
	int error;

	if (!p->is_usdt)
		return printf("%s\n", spec) < 0 ? errno : 0;
	str_add_escaped(&module, p->module, strlen(p->module));
	error = printf("%-*s  %2u args  %s\n", width, spec, p->nr_args, str_cstr(&module)) < 0 ?
			errno : 0;
	str_release(&module);
	return error;
}

/* The columns of the USDT probes stand below each other. */
static size_t width_of(const struct probe_listings *s, const char *glob)
{
	struct str spec = { 0 };
	size_t width = 0;

	vec_each(&s->at, p) {
		str_clear(&spec);
		add_spec(&spec, p);
		if (p->is_usdt && spec.len > width && is_wanted(p, spec.s, glob))
			width = spec.len;
	}
	str_release(&spec);
	return width;
}

static int print_listings(const struct probe_listings *s, const char *glob, size_t *ret_nr,
			  struct err *e)
{
	size_t width = width_of(s, glob);
	struct str spec = { 0 };
	int error = 0;

	*ret_nr = 0;
	vec_each(&s->at, p) {
		str_clear(&spec);
		add_spec(&spec, p);
		if (error || !is_wanted(p, spec.s, glob))
			continue;
		++*ret_nr;
		error = print_listing(p, spec.s, (int)width);
	}
	str_release(&spec);
	return error ? streams_cannot_write(error, e) : 0;
}

static int list_probes(const struct probes_options *o, struct err *e)
{
	struct probe_listings listings = { 0 };
	struct locate l = { 0 };
	int rc = proc_check(e);
	size_t nr;

	if (!rc)
		rc = locate_process(&l, o->pid, e);
	if (rc)
		goto out;
	locate_list(&l, o->glob != NULL, &listings);
	rc = print_listings(&listings, o->glob, &nr, e);
	if (rc || nr)
		goto out;
	if (o->glob)
		rc = err_set(e, -ENOENT, "process %d: nothing is named like '%s'", o->pid, o->glob);
	else
		rc = err_set(e, -ENOENT, "process %d: its program has no names", o->pid);
	err_remedy(e, "Install its debug symbols, or look in its libraries: wperf probes -p %d '*'",
		   o->pid);
out:
	probe_listings_release(&listings);
	locate_release(&l);
	return rc;
}

int cmd_probes(int argc, char **argv)
{
	struct probes_options o = { 0 };
	struct err e = { 0 };
	int rc = parse_options(argc, argv, &o, &e);

	if (!rc)
		rc = list_probes(&o, &e);
	if (rc >= 0)
		return EXIT_GOOD;
	err_print(&e, stderr);
	return err_exit_status(&e);
}
