// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A probe was hit: if the thread is the target's, read what the probe's site says, and send a mark
 * down the CPU's ring. The site is the cookie of the attachment.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "collector/marks.bpf.h"
#include "collector/probe.h"
#include "collector/targets.bpf.h"

struct task_struct {
	__u32 parent_exec_id, self_exec_id;	/* the low half of one of 64 bits */
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROBE_MAX_SITES);
	__type(key, __u32);
	__type(value, struct probe_program);
} sites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROBE_MAX_SITES);
	__type(key, __u32);
	__type(value, struct probe_counts);
} counts SEC(".maps");

/*
 * Where a mark with its label is put together: too large for the stack. These programs can be
 * preempted by each other on one CPU, so a buffer is claimed, not indexed by CPU.
 */
struct buffer {
	__u64 is_taken;
	struct mark_head head;
	char label[MARK_LABEL_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROBE_MAX_BUFFERS);
	__type(key, __u32);
	__type(value, struct buffer);
} buffers SEC(".maps");

/* Neighbouring CPUs begin their search apart from each other. */
static struct buffer *claim_buffer(void)
{
	__u32 first = bpf_get_smp_processor_id() * PROBE_BUFFERS_PER_CPU, i;

	for (i = 0; i < PROBE_BUFFERS_PER_CPU; i++) {
		__u32 index = (first + i) & (PROBE_MAX_BUFFERS - 1);
		struct buffer *b = bpf_map_lookup_elem(&buffers, &index);

		if (b && !__sync_val_compare_and_swap(&b->is_taken, 0, 1))
			return b;
	}
	return 0;
}

static __u64 read_register(struct pt_regs *ctx, __u16 off)
{
	__u64 value = 0;

	/* The context may not be read at an offset that the verifier cannot see; kernel memory may. */
	if (off <= sizeof(*ctx) - sizeof(value))
		bpf_probe_read_kernel(&value, sizeof(value), (void *)ctx + off);
	return value;
}

static __u64 cut_to_size(__u64 value, const struct probe_arg *arg)
{
	__u32 unused_bits = 64 - 8 * (arg->size & 15);

	if (unused_bits >= 64)
		return value;
	value <<= unused_bits;
	return arg->is_signed ? (__u64)((__s64)value >> unused_bits) : value >> unused_bits;
}

/* False: memory that could not be read. */
static int read_arg(struct pt_regs *ctx, const struct probe_arg *arg, __u64 *ret_value)
{
	__u64 value = (__u64)arg->value;

	if (arg->kind == PROBE_ARG_REG) {
		value = read_register(ctx, arg->reg) >> (arg->bit & 63);
	} else if (arg->kind == PROBE_ARG_MEM) {
		__u64 at = value;

		if (arg->reg != PROBE_NO_REG)
			at += read_register(ctx, arg->reg);
		if (arg->index != PROBE_NO_REG)
			at += read_register(ctx, arg->index) << (arg->shift & 3);
		if (bpf_probe_read_user(&value, sizeof(value), (void *)at))
			return 0;
	}
	*ret_value = cut_to_size(value, arg);
	return 1;
}

/*
 * A goroutine's stack is moved when it has to grow. So a place on it is told by the goroutine and how far it is from
 * the stack's upper end, in one number: a stack takes less than a gigabyte (maxstacksize), and a goroutine's
 * struct g more than 256 bytes, so none reach into each other's numbers; and what is a multiple of 16 stays one
 * (stack_walker.c asks). At a function's entry and exits R14
 * holds the g, which begins with the lowest and the highest address of the stack (Go 1.17 and later, amd64:
 * cmd/compile/abi-internal.md; runtime/runtime2.go). Anything else in R14 is not likely to have the stack pointer
 * between its first two words.
 */
static __u64 goroutine_place(struct pt_regs *ctx, __u64 sp)
{
	struct { __u64 low, high; } stack;

	if (bpf_probe_read_user(&stack, sizeof(stack), (void *)ctx->r14) || sp <= stack.low || sp > stack.high)
		return sp;
	return (ctx->r14 << 22) - (stack.high - sp);
}

static void fill_head(struct pt_regs *ctx, const struct probe_program *site, struct mark_head *head)
{
	__u64 id = 0;

	head->magic = MARK_MAGIC;
	head->kind = site->kind;
	head->flags = 0;
	head->marker = site->marker;
	head->label_len = 0;
	head->id = 0;
	head->sp = ctx->rsp + site->sp_add;
	if (site->kind == MARK_CALLED) {
		bpf_probe_read_user(&id, sizeof(id), (void *)ctx->rsp);
		head->id = id;
		return;
	}
	if (site->is_go)
		head->sp = goroutine_place(ctx, head->sp);
	if (site->id.kind != PROBE_ARG_NONE && read_arg(ctx, &site->id, &id)) {
		head->flags |= MARK_HAS_ID;
		head->id = id;
	}
}

/* Returns the label's length in bytes; what could not be had is said in the head's flags. */
static __u32 read_label(struct pt_regs *ctx, const struct probe_program *site, struct buffer *b)
{
	__u64 at = 0;
	long len;

	b->head.flags |= MARK_HAS_LABEL;
	if (!read_arg(ctx, &site->label, &at) ||
	    (len = bpf_probe_read_user_str(b->label, MARK_LABEL_MAX, (void *)at)) <= 0) {
		b->head.flags |= MARK_LABEL_FAULT;
		return 0;
	}
	if (len == MARK_LABEL_MAX)
		b->head.flags |= MARK_LABEL_CUT;
	return (__u32)(len - 1) & (MARK_LABEL_MAX - 1);
}

#include "collector/calls_flush.bpf.h"

static long send(void *ctx, void *mark, __u64 size)
{
	calls_flush(ctx);
	return bpf_perf_event_output(ctx, &rings, BPF_F_CURRENT_CPU, mark, size);
}

static long send_labelled(struct pt_regs *ctx, const struct probe_program *site, struct buffer *b)
{
	__u32 len;

	fill_head(ctx, site, &b->head);
	len = read_label(ctx, site, b);
	b->head.label_len = len;
	return send(ctx, &b->head, sizeof(b->head) + (len & (MARK_LABEL_MAX - 1)));
}

static long send_plain(struct pt_regs *ctx, const struct probe_program *site, __u16 more_flags)
{
	struct mark_head head;

	fill_head(ctx, site, &head);
	head.flags |= more_flags;
	return send(ctx, &head, sizeof(head));
}

/* Whether a conditional jump is about to be taken: Intel SDM 2, appendix B.1.4.7; bit 0 negates. */
static int is_taken(__u64 flags, __u32 cc)
{
	__u32 cf = flags & 1, pf = flags >> 2 & 1, zf = flags >> 6 & 1, sf = flags >> 7 & 1,
	      of = flags >> 11 & 1, yes = 0;

	switch (cc >> 1 & 7) {
	case 0:
		yes = of;
		break;
	case 1:
		yes = cf;
		break;
	case 2:
		yes = zf;
		break;
	case 3:
		yes = cf | zf;
		break;
	case 4:
		yes = sf;
		break;
	case 5:
		yes = pf;
		break;
	case 6:
		yes = sf ^ of;
		break;
	case 7:
		yes = zf | (sf ^ of);
		break;
	}
	return yes != (cc & 1);
}

/* What our child calls to become the command is not the command's. A fork leaves both numbers the same, an exec does not. */
static int is_before_exec(__u8 *target)
{
	struct task_struct *task;

	if (*target != FOLLOW_COMMAND)
		return 0;
	task = (struct task_struct *)bpf_get_current_task();
	if (BPF_CORE_READ(task, self_exec_id) == BPF_CORE_READ(task, parent_exec_id))
		return 1;
	*target = FOLLOW_TARGET;
	return 0;
}

SEC("uprobe")
int probe_hit(struct pt_regs *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u32 index = bpf_get_attach_cookie(ctx);
	const struct probe_program *site;
	struct probe_counts *count;
	struct buffer *b = 0;
	__u8 *target;
	long err;

	if (!may_be_target(tgid))
		return 0;
	target = bpf_map_lookup_elem(&targets, &tgid);
	if (!target || !is_recording || is_before_exec(target))
		return 0;
	site = bpf_map_lookup_elem(&sites, &index);
	count = bpf_map_lookup_elem(&counts, &index);
	if (!site || !count)
		return 0;
	if (site->condition && !is_taken(ctx->eflags, site->condition - EXIT_CONDITION(0)))
		return 0;
	__sync_fetch_and_add(&count->nr_hits, 1);
	if (site->label.kind != PROBE_ARG_NONE)
		b = claim_buffer();
	if (b) {
		err = send_labelled(ctx, site, b);
		__sync_lock_test_and_set(&b->is_taken, 0);
	} else {
		err = send_plain(ctx, site,
				 site->label.kind != PROBE_ARG_NONE ?
					 MARK_HAS_LABEL | MARK_LABEL_FAULT : 0);
	}
	if (err)
		__sync_fetch_and_add(&count->nr_unsent, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
