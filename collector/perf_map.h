/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maps that just-in-time compilers leave for perf: /tmp/perf-PID.map, by the names that the process
 * has for its /tmp and for itself. When a process has ended nothing tells where its /tmp was, so
 * that is remembered from when it first had code of its own making. Whose it was is asked again whenever it
 * makes more, and for as long as it is a zombie: a process that became another user after that, and of
 * which nothing is left, has no map.
 */
#ifndef COLLECTOR_PERF_MAP_H
#define COLLECTOR_PERF_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

/* A /tmp that somebody has: a descriptor each, however many processes share it. */
struct tmp_dir {
	int fd;			/* -1: nobody any more, the place is free */
	dev_t dev;
	ino_t inode;
	size_t nr_users;
};

struct jit_process {
	uint32_t pid, inner_pid;
	uint32_t uids[2];
	size_t tmp;		/* in tmp_dirs */
	bool is_stale;		/* it may have become another program since, in another root */
};

/* Valid when zeroed. */
struct perf_maps {
	VEC(struct tmp_dir) tmp_dirs;
	VEC(struct jit_process) processes;
	bool has_foreign_tmp;	/* somebody's /tmp is not ours */
};

/* The process maps memory of no file as code. */
void perf_maps_saw_code(struct perf_maps *p, uint32_t pid);
/* The process maps a program or a library. */
void perf_maps_saw_file(struct perf_maps *p, uint32_t pid);
/*
 * The map of a process, which may have ended: then this was the last time to ask. A descriptor to read
 * from, or a negative errno. Only a regular file that belongs to the process's user, or to root, is
 * taken, and no hard link: anyone may write in /tmp.
 */
int perf_maps_open(struct perf_maps *p, uint32_t pid);
void perf_maps_release(struct perf_maps *p);

#endif
