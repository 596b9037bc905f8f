/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files by the names that another process knows them by. Whoever owns its file system owns the symbolic
 * links in it: they are followed below the process's root only, absolute ones and ".." included, and
 * /proc's links to open files not at all (openat2(2): RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS). A plain
 * open(2) of /proc/PID/root/PATH would let a container choose a file of the host's.
 *
 * All return a descriptor, which the caller closes, or a negative errno; -ENOSYS before Linux 5.6.
 */
#ifndef COLLECTOR_ROOT_H
#define COLLECTOR_ROOT_H

#include <stdint.h>

/* This machine's own root, in which links lead where they do for us. */
enum { ROOT_OURS = -1 };

/* -ENOENT, -ESRCH: it is gone. */
int root_of_process(uint32_t pid);
/* O_PATH: nothing happens to what is found, whatever it is. -EINVAL: it is no regular file. */
int root_find_file(int root, const char *path);
int root_find_dir(int root, const char *path);
/* A name in a directory, which must be a regular file itself: -ELOOP for a link. O_PATH too. */
int root_find_in_dir(int dir, const char *name);
/* What was found, opened for reading. found stays open. */
int root_reopen(int found);
/* root_find_file() and root_reopen(). */
int root_open_file(int root, const char *path);

#endif
