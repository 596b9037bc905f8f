/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options that say how tables are made and shown, of every command that prints some. As
 * options.h has it: VIEW_LONG and VIEW_SHORT into the command's tables, and what view_has() says is
 * view_take()'s.
 */
#ifndef REPORT_VIEW_H
#define REPORT_VIEW_H

#include "report/options.h"
#include "report/profile_dir.h"
#include "report/render.h"
#include "report/resolve.h"
#include "report/table.h"
#include "symbolizer/symbolizer.h"

/* Values of long options; commands number theirs from VIEW_OWN on. */
enum view_value {
	VIEW_ROOT = OPT_OWN,
	VIEW_RESTRICT,
	VIEW_FORMAT,
	VIEW_PROFILE_DIR,
	VIEW_FILENAME_FORMAT,
	VIEW_NO_INLINE,
	VIEW_NO_DEMANGLE,
	VIEW_KERNEL,
	VIEW_NATIVE,
	VIEW_OWN,
};

#define VIEW_SHORT "s:"
#define VIEW_LONG                                                                                  \
	{ "root", required_argument, NULL, VIEW_ROOT }, { "sort", required_argument, NULL, 's' },  \
		{ "restrict", required_argument, NULL, VIEW_RESTRICT },                            \
		{ "format", required_argument, NULL, VIEW_FORMAT },                                \
		{ "profile-dir", required_argument, NULL, VIEW_PROFILE_DIR },                      \
		{ "filename-format", required_argument, NULL, VIEW_FILENAME_FORMAT },              \
		{ "no-inline", no_argument, NULL, VIEW_NO_INLINE },                                \
		{ "no-demangle", no_argument, NULL, VIEW_NO_DEMANGLE },                            \
		{ "native", no_argument, NULL, VIEW_NATIVE },                                      \
	{                                                                                          \
		"kernel", required_argument, NULL, VIEW_KERNEL                                     \
	}

/* For --help; --format stands between, since not every command has every format. */
#define VIEW_HELP_ROWS                                                                             \
	"      --root PATTERN    only what runs below a function of that name (part or glob)\n"    \
	"  -s, --sort KEY,...    time, cumulative, calls, name, file ... as in pstats;\n"          \
	"                        default time,calls\n"                                             \
	"      --restrict R      as in pstats: a count, a fraction, or a regular expression\n"
#define VIEW_HELP_PROFILES                                                                         \
	"      --profile-dir DIR a .prof of each request into DIR, beside what is printed\n"       \
	"      --filename-format F\n"                                                              \
	"                        their names; fields {method} {path} {status} {elapsed} {time}\n"  \
	"                        {id}; default {method}.{path}.{elapsed:.0f}ms.{time:.0f}.prof\n"
#define VIEW_HELP_CODE                                                                             \
	"      --no-inline       inlined calls belong to the function they were inlined into\n"    \
	"      --no-demangle     names of C++ and Rust functions as the linker sees them\n"        \
	"      --kernel HOW      the kernel's functions: show (default), fold, hide\n"              \
	"      --native          beside functions of Python whose calls were counted, what was\n"    \
	"                        sampled\n"

struct view {
	struct table_options table;
	struct resolve_options resolve;
	struct symbolizer_options symbolizer;
	const struct renderer *renderer;	/* NULL until view_finish() where none was named */
	struct profile_dir_options profiles;
};

void view_release(struct view *v);
bool view_has(int opt);
/* -EINVAL: no such format, no such way to show the kernel. */
int view_take(struct view *v, int opt, const char *arg, struct err *e);
/* After the last one. Errors are table_plan_new()'s; -EINVAL: --filename-format without a folder. */
int view_finish(struct view *v, struct table_plan **ret_plan, struct err *e);
/* The folder of --profile-dir; NULL where none was named. Errors are profile_dir_new()'s. */
int view_open_profiles(const struct view *v, struct profile_dir **ret_dir, struct err *e);
/* Says on stderr how many files were written, and what they cannot say. NULL is a no-op. */
void view_tell_of_profiles(const struct view *v, const struct profile_dir *d);

#endif
