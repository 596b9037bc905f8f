/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/mapped_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "collector/root.h"
#include "collector/target.h"

/*
 * By what now stands between the mapping's addresses. Something else may have been mapped there since,
 * as programs at fixed addresses are. Devices cannot be compared: overlayfs and btrfs show stat(2)
 * another one; and the upper half of an inode is overlayfs's own in one of the two places.
 */
static int find_in_map_files(const struct writer_mmap *m, uint32_t task, struct stat *ret_st)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", task,
		 (unsigned long long)m->start, (unsigned long long)(m->start + m->len));
	fd = root_find_file(ROOT_OURS, path);
	if (fd < 0 || (!fstat(fd, ret_st) && (uint32_t)ret_st->st_ino == (uint32_t)m->inode))
		return fd;
	close(fd);
	return -ENOENT;
}

/*
 * By path there may be another file. The device that overlayfs and btrfs show has no major number, and
 * tells nothing then.
 */
static bool is_same_device(const struct writer_mmap *m, uint64_t dev)
{
	return !major(dev) || (major(dev) == m->dev_major && minor(dev) == m->dev_minor);
}

static bool is_same_file(const struct writer_mmap *m, const struct stat *st)
{
	return st->st_ino == m->inode && is_same_device(m, st->st_dev);
}

bool mapped_file_may_be(const struct writer_mmap *m, uint64_t dev, uint64_t inode)
{
	return (uint32_t)inode == (uint32_t)m->inode && is_same_device(m, dev);
}

static int find_at_path(const struct writer_mmap *m, int root, struct stat *ret_st)
{
	int fd = root_find_file(root, m->path);

	if (fd < 0 || (!fstat(fd, ret_st) && is_same_file(m, ret_st)))
		return fd;
	close(fd);
	return -ENOENT;
}

int mapped_file_find(const struct writer_mmap *m, struct stat *ret_st)
{
	int fd = find_in_map_files(m, m->pid, ret_st), root;
	uint32_t task;

	if (fd >= 0)
		return fd;
	task = process_live_task(m->pid);
	if (task && task != m->pid)
		fd = find_in_map_files(m, task, ret_st);
	root = fd < 0 ? root_of_process(m->pid) : -ENOENT;
	if (root >= 0) {
		fd = find_at_path(m, root, ret_st);
		close(root);
	}
	return fd >= 0 ? fd : find_at_path(m, ROOT_OURS, ret_st);
}
