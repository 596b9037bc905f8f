/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/target.h"

static int open_path(const char *path, int flags)
{
	int fd = open(path, flags | O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int root_of_process(uint32_t pid)
{
	uint32_t task = process_live_task(pid);
	char path[64];

	if (!task)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%u/root", task);
	return open_path(path, O_DIRECTORY);
}

static int find(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (root == ROOT_OURS)
		return open_path(path, flags);
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* Takes found. */
static int only_regular(int found)
{
	struct stat st;
	int err;

	if (found < 0)
		return found;
	if (fstat(found, &st))
		err = -errno;
	else if (S_ISREG(st.st_mode))
		return found;
	else
		err = S_ISLNK(st.st_mode) ? -ELOOP : -EINVAL;
	close(found);
	return err;
}

int root_find_file(int root, const char *path)
{
	return only_regular(find(root, path, 0));
}

int root_find_dir(int root, const char *path)
{
	return find(root, path, O_DIRECTORY);
}

int root_find_in_dir(int dir, const char *name)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return only_regular(fd < 0 ? -errno : fd);
}

int root_reopen(int found)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int root_open_file(int root, const char *path)
{
	int found = root_find_file(root, path), fd;

	if (found < 0)
		return found;
	fd = root_reopen(found);
	close(found);
	return fd;
}
