/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of the target's processes, kept by the kernel itself (follow.bpf.c): given pids and all
 * that they fork. Needs CAP_BPF and CAP_PERFMON, and the kernel's BTF.
 */
#ifndef COLLECTOR_FOLLOW_H
#define COLLECTOR_FOLLOW_H

/* 64 bytes each, allocated at once. */
#define FOLLOW_MAX_PROCESSES 16384
/* By the low bits of a pid most processes are known to be no target. A power of two. */
#define FOLLOW_NR_SLOTS 4096

/* What the set has of a process. */
enum {
	FOLLOW_TARGET = 1,
	FOLLOW_COMMAND,	/* still our own child, up to its execve() */
};

/* What the programs have seen: all of their .bss. */
struct follow_seen {
	unsigned long long nr_not_followed;	/* children that found no room in the set */
	unsigned long long trapped;		/* a process of the target that was ended by SIGTRAP; 0: none */
};

#ifndef __bpf__
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "collector/bpf_object.h"

struct follow;

/* What follow_share() gives: two maps, and the end of a list of them. */
enum { FOLLOW_NR_SHARED = 3 };

/* -EPERM: not permitted, or the kernel lacks what it takes: *e says what. */
int follow_new(struct follow **ret_follow, struct err *e);
/* Detaches. NULL is a no-op. */
void follow_free(struct follow *f);

/* Idempotent. is_command: FOLLOW_COMMAND. -E2BIG: more than FOLLOW_MAX_PROCESSES. */
int follow_add(struct follow *f, uint32_t pid, bool is_command, struct err *e);
bool follow_has(const struct follow *f, uint32_t pid);
/* For a process that is gone and whose records were all seen. */
void follow_forget(struct follow *f, uint32_t pid);
/* The pids in the set now, at most max of them; returns how many. Gone ones may be among them. */
size_t follow_list(const struct follow *f, uint32_t *ret_pids, size_t max);
/* Up to now. */
struct follow_seen follow_seen(const struct follow *f);

/* Lets only the target's samples through on this perf event. Negative errno. */
int follow_filter(struct follow *f, int perf_fd);
/* The maps of targets.bpf.h, for programs that ask the same set; lent. */
void follow_share(const struct follow *f, struct bpf_shared_map ret_maps[FOLLOW_NR_SHARED]);
#endif

#endif
