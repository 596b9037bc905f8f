/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/perf_map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/root.h"
#include "collector/target.h"

static bool is_our_tmp(const struct stat *st)
{
	struct stat ours;

	return !stat("/tmp", &ours) && ours.st_dev == st->st_dev && ours.st_ino == st->st_ino;
}

/* Takes fd. One more user of that directory. */
static size_t add_tmp_dir(struct perf_maps *p, int fd, const struct stat *st)
{
	size_t i, free_place = p->tmp_dirs.nr;

	for (i = 0; i < p->tmp_dirs.nr; i++) {
		struct tmp_dir *d = &p->tmp_dirs.at[i];

		if (d->fd < 0) {
			free_place = i;
		} else if (d->dev == st->st_dev && d->inode == st->st_ino) {
			close(fd);
			d->nr_users++;
			return i;
		}
	}
	if (free_place == p->tmp_dirs.nr)
		vec_push(&p->tmp_dirs, (struct tmp_dir){ 0 });
	p->tmp_dirs.at[free_place] = (struct tmp_dir){ fd, st->st_dev, st->st_ino, 1 };
	return free_place;
}

static void drop_tmp_dir(struct perf_maps *p, size_t i)
{
	struct tmp_dir *d = &p->tmp_dirs.at[i];

	if (--d->nr_users)
		return;
	close(d->fd);
	d->fd = -1;
}

/* -ENOENT: it lives and has no /tmp. Other errors: it is gone, or not for us to look at. */
static int look_at(struct perf_maps *p, uint32_t pid, struct jit_process *ret)
{
	int root = root_of_process(pid), tmp;
	struct stat st;

	if (root < 0)
		return root == -ENOENT ? -ESRCH : root;
	tmp = root_find_dir(root, "/tmp");
	close(root);
	if (tmp < 0)
		return tmp == -ENOSYS ? -ENOSYS : -ENOENT;
	if (fstat(tmp, &st)) {
		close(tmp);
		return -ENOENT;
	}
	p->has_foreign_tmp |= !is_our_tmp(&st);
	*ret = (struct jit_process){ .pid = pid,
				     .inner_pid = process_inner_pid(pid),
				     .tmp = add_tmp_dir(p, tmp, &st) };
	process_uids(pid, ret->uids);
	return 0;
}

static struct jit_process *find_process(struct perf_maps *p, uint32_t pid)
{
	vec_each(&p->processes, process)
		if (process->pid == pid)
			return process;
	return NULL;
}

/* It may have become another user. What is said of nobody, as of a process that is gone, is not taken. */
static void look_at_uids(struct jit_process *known)
{
	uint32_t uids[2];

	process_uids(known->pid, uids);
	if (uids[0] != UINT32_MAX)
		memcpy(known->uids, uids, sizeof(uids));
}

void perf_maps_saw_code(struct perf_maps *p, uint32_t pid)
{
	struct jit_process *known = find_process(p, pid), now;

	if (known && !known->is_stale) {
		look_at_uids(known);
		return;
	}
	if (look_at(p, pid, &now))
		return;
	if (known) {
		drop_tmp_dir(p, known->tmp);
		*known = now;
	} else {
		vec_push(&p->processes, now);
	}
}

void perf_maps_saw_file(struct perf_maps *p, uint32_t pid)
{
	struct jit_process *known = find_process(p, pid);

	if (known)
		known->is_stale = true;
}

static bool is_owner(const struct jit_process *process, uid_t uid)
{
	return !uid || uid == process->uids[0] || uid == process->uids[1];
}

static int open_map(int tmp, const struct jit_process *process)
{
	char name[64];
	struct stat st;
	int found, fd;

	snprintf(name, sizeof(name), "perf-%u.map", process->inner_pid);
	found = root_find_in_dir(tmp, name);
	if (found < 0)
		return found;
	if (fstat(found, &st) || st.st_nlink > 1 || !is_owner(process, st.st_uid))
		fd = -EPERM;
	else
		fd = root_reopen(found);
	close(found);
	return fd;
}

/*
 * A process that ended before anything was known of it: our /tmp is its own as long as nobody of the
 * target has another, else that number may be someone else's there.
 */
static int open_map_of_stranger(const struct perf_maps *p, uint32_t pid)
{
	const struct jit_process stranger = { .pid = pid,
					      .inner_pid = pid,
					      .uids = { geteuid(), geteuid() } };
	int tmp, fd;

	if (p->has_foreign_tmp)
		return -ENOENT;
	tmp = root_find_dir(ROOT_OURS, "/tmp");
	if (tmp < 0)
		return tmp;
	fd = open_map(tmp, &stranger);
	close(tmp);
	return fd;
}

static void forget(struct perf_maps *p, struct jit_process *process)
{
	drop_tmp_dir(p, process->tmp);
	vec_remove(&p->processes, (size_t)(process - p->processes.at), 1);
}

int perf_maps_open(struct perf_maps *p, uint32_t pid)
{
	struct jit_process *known, now;
	int err = look_at(p, pid, &now), fd;

	if (!err) {
		fd = open_map(p->tmp_dirs.at[now.tmp].fd, &now);
		drop_tmp_dir(p, now.tmp);
		return fd;
	}
	if (err == -ENOENT)
		return err;
	known = find_process(p, pid);
	if (!known)
		return open_map_of_stranger(p, pid);
	/* A zombie still has a user. */
	look_at_uids(known);
	fd = open_map(p->tmp_dirs.at[known->tmp].fd, known);
	if (process_is_gone(pid))
		forget(p, known);
	return fd;
}

void perf_maps_release(struct perf_maps *p)
{
	vec_each(&p->tmp_dirs, d)
		if (d->fd >= 0)
			close(d->fd);
	vec_release(&p->tmp_dirs);
	vec_release(&p->processes);
}
