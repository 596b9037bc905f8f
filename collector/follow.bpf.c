// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Which processes are the target, in the kernel: the ones put into `targets`, and what they fork.
 * Events are opened per CPU and see every process; sample_filter keeps the target's samples and
 * drops the others before a callchain is taken, so descriptors grow with CPUs only.
 *
 * A process that ended stays in the map, so that records of its last moments still count as the
 * target's; follow_fork takes out a pid that comes back as somebody else's child.
 */
#include "collector/targets.bpf.h"

#include <bpf/bpf_core_read.h>

struct task_struct {
	int tgid, exit_code;
} __attribute__((preserve_access_index));

enum { TRAP = 5, SIGNAL_BITS = 0x7f };	/* SIGTRAP; of an exit code, as wait(2) has it */

struct follow_seen seen;

SEC("perf_event")
int sample_filter(void *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return may_be_target(tgid) && is_target(tgid);
}

/* raw_tp arguments: parent, child (include/trace/events/sched.h: sched_process_fork). */
SEC("raw_tp/sched_process_fork")
int follow_fork(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 parent = BPF_CORE_READ((struct task_struct *)ctx->args[0], tgid);
	__u32 child = BPF_CORE_READ((struct task_struct *)ctx->args[1], tgid);
	__u32 slot = child & (FOLLOW_NR_SLOTS - 1);
	__u8 yes = 1, what = FOLLOW_TARGET;

	if (parent == child)
		return 0;
	if (!is_target(parent)) {
		bpf_map_delete_elem(&targets, &child);
		return 0;
	}
	bpf_map_update_elem(&target_slots, &slot, &yes, BPF_ANY);
	if (bpf_map_update_elem(&targets, &child, &what, BPF_ANY))
		__sync_fetch_and_add(&seen.nr_not_followed, 1);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int follow_exit(struct bpf_raw_tracepoint_args *ctx)
{
	int code = BPF_CORE_READ((struct task_struct *)ctx->args[0], exit_code);
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if ((code & SIGNAL_BITS) == TRAP && is_target(tgid))
		seen.trapped = tgid;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
