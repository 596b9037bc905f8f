/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "collector/mapped_file.h"

/* ---- probes ---- */

static void note_function(struct call_native *n, size_t index, uint32_t more_flags)
{
	const struct call_function *f = &n->functions.at[index];
	const struct call_file *file = &n->files.at[f->file];
	struct note_function note = { .id = (uint32_t)index + 1,
				      .flags = more_flags | (f->is_aliased ? FUNCTION_IS_ALIASED : 0),
				      .off = f->off,
				      .build_id = file->build_id,
				      .file = file->module,
				      .name = f->name };

	writer_note_function(n->writer, &note);
}

static void tell_walker(struct stack_walker *w, const struct call_file *file, const struct call_function *f)
{
	const struct call_placement *p = &f->placement;

	stack_walker_probed_file(w, file->dev, file->inode, f->off + p->off, p->sp_add);
	if (p->kind != CALL_PLACE_STEPPED)
		return;
	stack_walker_stepped(w, 0, p->sp_add);
	stack_walker_stepped(w, p->end - p->off, p->sp_after);
}

/* By a function's code it is told which one calls. */
static void introduce(struct call_native *n, size_t index, uint32_t more_flags)
{
	const struct call_function *f = &n->functions.at[index];
	const struct call_file *file = &n->files.at[f->file];
	const struct call_extent extent = { .probe = f->vaddr + f->placement.off,
					    .begin = f->vaddr,
					    .size = f->size < UINT32_MAX ? (uint32_t)f->size : 0,
					    .file = (uint32_t)f->file + 1 };

	note_function(n, index, more_flags);
	call_core_set_extent(n->core, (uint32_t)index + 1, &extent);
	if (n->walker)
		tell_walker(n->walker, file, f);
}

/* The functions of one file that are counted; ids: their indexes. */
struct places {
	VEC(struct call_place) at;
	VEC(size_t) ids;
};

static void places_of(const struct call_native *n, size_t file, uint32_t generation, struct places *ret)
{
	size_t i;

	for (i = 0; i < n->functions.nr; i++) {
		const struct call_function *f = &n->functions.at[i];

		if (f->file != file || f->is_off)
			continue;
		vec_push(&ret->at,
			 (struct call_place){ .off = f->off + f->placement.off,
					      .cookie = CALLS_COOKIE(i + 1, n->files.at[file].is_go ?
										   CALLS_NO_NESTING :
										   f->placement.sp_add,
								     generation),
					      .code = { .off = f->off, .end = f->off + f->placement.end } });
		vec_push(&ret->ids, i);
	}
}

static void places_release(struct places *p)
{
	vec_release(&p->at);
	vec_release(&p->ids);
}

static bool is_final(int error)
{
	return error == -ESRCH || error == -EPERM || error == -EACCES || error == -EMFILE;
}

/*
 * One place that the kernel takes no probe on makes it refuse all: which one it is shows when they are
 * fewer. That one is given up.
 */
static int attach_range(struct call_native *n, struct call_attached *a, const struct places *p, size_t from,
			size_t to, struct err *e)
{
	const struct call_file *file = &n->files.at[a->file];
	struct call_link link = { 0 };
	char path[CALL_LINK_PATH_SIZE];
	int err;

	err = call_link_attach(&link, &n->programs, call_link_path(file->fd, path), p->at.at + from, to - from, a->pid, e);
	if (!err) {
		vec_each(&link.fds, fd)
			vec_push(&a->link.fds, *fd);
		a->link.task = link.task;
		vec_release(&link.fds);
		return 0;
	}
	if (is_final(err))
		return err;
	if (to - from > 1) {
		size_t middle = from + (to - from) / 2;

		err = attach_range(n, a, p, from, middle, e);
		return err ? err : attach_range(n, a, p, middle, to, e);
	}
	log_warn("calls of %s in %s cannot be counted: %s", n->functions.at[p->ids.at[from]].name, file->module,
		 e->what);
	n->functions.at[p->ids.at[from]].is_off = true;
	note_function(n, p->ids.at[from], FUNCTION_IS_INEXACT);
	return 0;
}

/* Each function once, in whichever process. */
static void say_patched(struct call_native *n, const struct call_attached *a, const struct places *p, enum patched how)
{
	const char *module = n->files.at[a->file].module, *first = NULL;
	char more[32] = "";
	size_t nr = 0, i;

	for (i = 0; i < p->at.nr; i++) {
		struct call_function *f = &n->functions.at[p->ids.at[i]];

		if (p->at.at[i].code.is != how || f->is_left_out)
			continue;
		f->is_left_out = true;
		first = first ? first : f->name;
		nr++;
		note_function(n, p->ids.at[i], FUNCTION_IS_INEXACT);
	}
	if (nr > 1)
		snprintf(more, sizeof(more), " and %zu more", nr - 1);
	if (nr)
		log_warn("calls of %s%s in %s are not counted in process %u: code that it %s", first, more, module, a->pid,
			 patched_text(how));
}

/* The others of the process, and the same in others, are counted. */
static int leave_patched(struct call_native *n, const struct call_attached *a, struct places *p, struct err *e)
{
	const struct call_file *f = &n->files.at[a->file];
	char path[CALL_LINK_PATH_SIZE];
	const struct patched_file file = { call_link_path(f->fd, path), f->dev, f->inode };
	int nr_patched = call_link_find_patched(p->at.at, p->at.nr, &file, a->pid);
	enum patched how;
	size_t i, nr = 0;

	if (nr_patched < 0)
		return err_set(e, nr_patched, "cannot look into the process's memory: %m");
	for (how = PATCHED_CHANGED; how < NR_PATCHED && nr_patched; how++)
		say_patched(n, a, p, how);
	for (i = 0; i < p->at.nr; i++) {
		if (p->at.at[i].code.is)
			continue;
		p->at.at[nr] = p->at.at[i];
		p->ids.at[nr++] = p->ids.at[i];
	}
	p->at.nr = p->ids.nr = nr;
	return 0;
}

static int attach_file(struct call_native *n, uint32_t pid, size_t file, struct err *e)
{
	struct call_attached a = { .pid = pid, .file = file };
	struct places p = { 0 };
	int err = 0;

	places_of(n, file, n->core->generation, &p);
	if (p.at.nr)
		err = leave_patched(n, &a, &p, e);
	if (!err && p.at.nr)
		err = attach_range(n, &a, &p, 0, p.at.nr, e);
	places_release(&p);
	if (a.link.fds.nr)
		vec_push(&n->attached.at, a);
	return err;
}

static int attach_process(struct call_native *n, uint32_t pid, size_t first_file, struct err *e)
{
	size_t file;
	int err = 0;

	for (file = first_file; file < n->files.nr && !err; file++)
		err = attach_file(n, pid, file, e);
	return err;
}

int call_native_attach(struct call_native *n, struct call_core *core, const struct pids *pids,
		       struct stack_walker *walker, struct writer *w, struct err *e)
{
	size_t nr_attached = 0, i;
	int err = 0;

	n->core = core;
	n->walker = walker;
	n->writer = w;
	n->programs = call_core_programs(core);
	for (i = 0; i < n->functions.nr; i++)
		introduce(n, i, 0);
	vec_each(&pids->at, pid) {
		err = attach_process(n, *pid, 0, e);
		if (err && err != -ESRCH)
			return err;
		nr_attached += !err;
		vec_push(&n->pids.at, *pid);
	}
	/* A worker that ended meanwhile is no reason to give up on the others. */
	return nr_attached ? 0 : err;
}

/* ---- what comes later ---- */

/* Calls of its functions may be missing. */
static void doubt_file(struct call_native *n, size_t file)
{
	size_t i;

	for (i = 0; i < n->functions.nr; i++)
		if (n->functions.at[i].file == file)
			note_function(n, i, FUNCTION_IS_INEXACT);
}

static void tell_failure(struct call_native *n, uint32_t pid, const struct err *e)
{
	if (!n->has_told_failure)
		log_warn("process %u: %s: calls are missing", pid, e->what);
	n->has_told_failure = true;
}

/* -ESRCH: the process is gone. What else goes wrong is said, once, and in the rows of the functions concerned. */
static int attach_later(struct call_native *n, uint32_t pid, size_t first_file)
{
	struct err e = { 0 };
	size_t file;
	int err;

	for (file = first_file; file < n->files.nr; file++) {
		err = attach_file(n, pid, file, &e);
		if (err == -ESRCH)
			return err;
		if (!err)
			continue;
		doubt_file(n, file);
		tell_failure(n, pid, &e);
	}
	return 0;
}

/* Files that were not there: some of their functions' calls may have been made already. */
static void search_new_files(struct call_native *n)
{
	size_t nr_files = n->files.nr, nr_functions = n->functions.nr, i;

	call_native_search(n);
	for (i = nr_functions; i < n->functions.nr; i++)
		introduce(n, i, FUNCTION_IS_INEXACT);
	n->has_newcomers |= n->functions.nr > nr_functions;
	if (n->files.nr == nr_files)
		return;
	vec_each(&n->pids.at, pid)
		attach_later(n, *pid, nr_files);
	if (n->functions.nr > nr_functions)
		log_verbose("%zu more functions are counted from here on", n->functions.nr - nr_functions);
}

void call_native_follow(struct call_native *n, uint32_t pid)
{
	struct err e = { 0 };
	int err;

	if (!pids_has(&n->pids, pid)) {
		n->has_newcomers = true;
		/* Where it is gone already, what it called is in no row. */
		err = attach_later(n, pid, 0);
		call_core_write_partial(n->core, pid, pid);
		if (err)
			return;
		vec_push(&n->pids.at, pid);
		log_verbose("process %u: its calls are counted from here on", pid);
	}
	err = locate_process(&n->locate, (int)pid, &e);
	if (!err)
		search_new_files(n);
	else if (err != -ESRCH && err != -EINVAL)
		tell_failure(n, pid, &e);
}

bool call_native_knows(const struct call_native *n, const struct writer_mmap *m)
{
	vec_each(&n->files, f)
		if (mapped_file_may_be(m, f->dev, f->inode) && !strcmp(f->module, m->path))
			return true;
	return false;
}

bool call_native_map(struct call_native *n, const struct writer_mmap *m)
{
	struct stat st;
	int is_new = locate_mapped(&n->locate, m->pid, m->path, mapped_file_find(m, &st));

	if (is_new > 0)
		search_new_files(n);
	return is_new >= 0;
}

void call_native_miss(struct call_native *n, const char *path)
{
	size_t i;

	for (i = 0; i < n->files.nr; i++)
		if (!strcmp(n->files.at[i].module, path))
			doubt_file(n, i);
}

void call_native_map_unprobed(struct call_native *n, uint32_t pid, const char *path)
{
	size_t i;

	for (i = 0; i < n->files.nr; i++) {
		struct call_file *f = &n->files.at[i];

		if (f->fd < 0 || f->is_unprobed || strcmp(f->module, path))
			continue;
		f->is_unprobed = true;
		doubt_file(n, i);
		log_warn("calls in %s may be missing: code that process %u %s", path, pid, patched_text(PATCHED_UNPROBED));
	}
}

bool call_native_hangs_at(const struct call_native *n, uint32_t task)
{
	return call_attachments_hang_at(&n->attached, task);
}

void call_native_doubt(struct call_native *n, uint32_t pid)
{
	vec_each(&n->attached.at, a)
		if (a->pid == pid)
			doubt_file(n, a->file);
}

void call_native_attach_again(struct call_native *n, uint32_t pid)
{
	call_native_doubt(n, pid);
	call_attachments_detach(&n->attached, pid);
	attach_later(n, pid, 0);
}

void call_native_forget(struct call_native *n, uint32_t pid)
{
	size_t i;

	call_attachments_detach(&n->attached, pid);
	for (i = 0; i < n->pids.at.nr; i++)
		if (n->pids.at.at[i] == pid)
			vec_remove(&n->pids.at, i--, 1);
}

/* Negative errno: not all of them have theirs. */
static int attach_all(struct call_native *n, struct err *e)
{
	int err;

	vec_each(&n->pids.at, pid) {
		err = attach_process(n, *pid, 0, e);
		if (err && err != -ESRCH)
			return err;
	}
	return 0;
}

/* One process after the other, so that it takes no more descriptors than there are; meanwhile calls are missed. */
static void replace_each(struct call_native *n, const struct err *why)
{
	size_t i;

	for (i = 0; i < n->functions.nr; i++)
		note_function(n, i, FUNCTION_IS_INEXACT);
	vec_each(&n->pids.at, pid) {
		call_attachments_detach(&n->attached, *pid);
		attach_later(n, *pid, 0);
	}
	log_warn("calls are missing that were made while probes were replaced: %s", why->what);
}

/*
 * The new probes are there, and count nothing, before the old ones go; at one moment the ones count and
 * the others do not.
 */
static void replace_all(struct call_native *n)
{
	struct call_attachments old = n->attached;
	struct err e = { 0 };
	int err;

	n->attached = (struct call_attachments){ 0 };
	call_core_prepare_generation(n->core);
	err = attach_all(n, &e);
	if (err) {
		call_attachments_release(&n->attached);
		n->attached = old;
		call_core_keep_generation(n->core);
		replace_each(n, &e);
		return;
	}
	call_core_next_generation(n->core);
	call_attachments_release(&old);
}

void call_native_take_off(struct call_native *n, const size_t *functions, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		n->functions.at[functions[i]].is_off = true;
		/* Where it runs from now on is not known, nor who is inside of it. */
		call_core_set_extent(n->core, (uint32_t)functions[i] + 1, &(struct call_extent){ 0 });
		note_function(n, functions[i], FUNCTION_IS_INEXACT | FUNCTION_IS_AMISS);
	}
	replace_all(n);
}

void call_native_mark_lost(struct call_native *n)
{
	size_t i;

	for (i = 0; i < n->functions.nr; i++)
		if (call_core_hits(n->core, (uint32_t)i + 1).nr_lost)
			note_function(n, i, FUNCTION_IS_INEXACT | FUNCTION_IS_AMISS);
}

void call_native_free(struct call_native *n)
{
	if (!n)
		return;
	call_attachments_release(&n->attached);
	vec_each(&n->patterns, p) {
		free(p->name);
		free(p->module);
		wanted_release(&p->wanted);
		vec_release(&p->functions);
	}
	vec_release(&n->patterns);
	vec_release(&n->functions);
	vec_each(&n->files, f)
		if (f->fd >= 0)
			close(f->fd);
	vec_release(&n->files);
	pids_release(&n->pids);
	locate_release(&n->locate);
	free(n);
}
