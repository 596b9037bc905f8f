/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The set of the target's processes, as the programs see it that follow.bpf.c shares it with. */
#ifndef COLLECTOR_TARGETS_BPF_H
#define COLLECTOR_TARGETS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "collector/follow.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FOLLOW_MAX_PROCESSES);
	__type(key, __u32);
	__type(value, __u8);	/* FOLLOW_TARGET and the like */
} targets SEC(".maps");

/* Whether there may be a target whose pid ends like that. Never taken back. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FOLLOW_NR_SLOTS);
	__type(key, __u32);
	__type(value, __u8);
} target_slots SEC(".maps");

/* Most processes that are no target are told from it here. */
static int may_be_target(__u32 tgid)
{
	__u32 slot = tgid & (FOLLOW_NR_SLOTS - 1);
	__u8 *may_be = bpf_map_lookup_elem(&target_slots, &slot);

	return may_be && *may_be;
}

static inline int is_target(__u32 tgid)
{
	return bpf_map_lookup_elem(&targets, &tgid) != 0;
}

#endif
