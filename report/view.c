/* SPDX-License-Identifier: Apache-2.0 */
#include "report/view.h"

#include <errno.h>
#include <inttypes.h>

#include "base/log.h"

void view_release(struct view *v)
{
	table_options_release(&v->table);
}

static int find_format(const char *name, const struct renderer **ret_renderer, struct err *e)
{
	static const char *const planned[] = { "pprof", "callgrind" };
	size_t i;

	*ret_renderer = renderer_find(name);
	if (*ret_renderer)
		return 0;
	err_set(e, -EINVAL, "--format %s: no such format", name);
	for (i = 0; i < ARRAY_LEN(planned); i++)
		if (!strcmp(name, planned[i]))
			err_set(e, -EINVAL, "--format %s: it is not in this version", name);
	return err_remedy(e, "One of: %s.", renderer_names());
}

#define CHOICE_TEXT(id, text) text,

static int take_kernel(struct view *v, const char *arg, struct err *e)
{
	static const char *const names[] = { KERNEL_FRAMES(CHOICE_TEXT) };
	int kernel = options_choice("--kernel", arg, names, ARRAY_LEN(names), e);

	v->resolve.kernel = kernel < 0 ? KERNEL_SHOW : (enum kernel_frames)kernel;
	return kernel < 0 ? kernel : 0;
}

bool view_has(int opt)
{
	return opt == 's' || (opt >= VIEW_ROOT && opt < VIEW_OWN);
}

int view_take(struct view *v, int opt, const char *arg, struct err *e)
{
	switch (opt) {
	case VIEW_ROOT:
		v->resolve.root = arg;
		break;
	case 's':
		vec_push(&v->table.sort, arg);
		break;
	case VIEW_RESTRICT:
		vec_push(&v->table.restrictions, arg);
		break;
	case VIEW_FORMAT:
		return find_format(arg, &v->renderer, e);
	case VIEW_PROFILE_DIR:
		v->profiles.dir = arg;
		break;
	case VIEW_FILENAME_FORMAT:
		v->profiles.format = arg;
		break;
	case VIEW_NO_INLINE:
		v->symbolizer.no_inline = true;
		break;
	case VIEW_NO_DEMANGLE:
		v->symbolizer.no_demangle = true;
		break;
	case VIEW_KERNEL:
		return take_kernel(v, arg, e);
	case VIEW_NATIVE:
		v->resolve.is_native = true;
		break;
	}
	return 0;
}

int view_finish(struct view *v, struct table_plan **ret_plan, struct err *e)
{
	if (!v->renderer)
		v->renderer = &render_table;
	v->resolve.wants_callers = v->renderer->needs_callers || v->profiles.dir;
	v->resolve.wants_trees = v->renderer->needs_trees;
	if (v->profiles.format && !v->profiles.dir) {
		err_set(e, -EINVAL, "--filename-format: no files are written");
		return err_remedy(e, "Name their folder with --profile-dir DIR.");
	}
	return table_plan_new(&v->table, ret_plan, e);
}

int view_open_profiles(const struct view *v, struct profile_dir **ret_dir, struct err *e)
{
	*ret_dir = NULL;
	return v->profiles.dir ? profile_dir_new(&v->profiles, ret_dir, e) : 0;
}

void view_tell_of_profiles(const struct view *v, const struct profile_dir *d)
{
	uint64_t nr = d ? profile_dir_nr(d) : 0;

	if (!d)
		return;
	if (profile_dir_remark(d))
		log_warn("%s", profile_dir_remark(d));
	if (log_level() > LOG_QUIET)
		fprintf(stderr, "wperf: %" PRIu64 " request%s in %s, a .prof each\n", nr,
			nr == 1 ? "" : "s", v->profiles.dir);
}
