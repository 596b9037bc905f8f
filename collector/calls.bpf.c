// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Native functions' calls. There is a probe at the entry, or a few instructions behind it, and none at
 * the exits: a call has returned when another one is made with a stack pointer that lies at or above
 * its own; or when its return address is not there any more, since functions that are not counted have
 * been called in its place; or when one further out on the stack makes a call, whose return address is in
 * its code. So nothing rewrites return addresses, and whoever leaves a function by other
 * ways than returning (longjmp, exceptions, tail calls) does no harm. What stays unseen is a call that has
 * returned while its word of the stack was left alone by those that came after it, and what these call if they
 * are not counted: then, it is taken for the caller. How often a function was called does not depend on it.
 *
 * A thread may run on several stacks: a signal's, coroutines'. Which one it is on is known by the
 * mapping that its stack pointer lies in.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} rings SEC(".maps");

#include "collector/calls.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct return_instance {
	unsigned long stack, orig_ret_vaddr;
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances;
};

struct task_struct {
	int pid, tgid;
	struct uprobe_task *utask;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* max_entries is set when it is known how many there are. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct call_hits);
} call_hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct call_extent);
} call_extents SEC(".maps");

/* ---- which stack ---- */

struct place {
	__u64 begin, end;
};

static long see_mapping(struct task_struct *task, struct vm_area_struct *vma, struct place *ret)
{
	ret->begin = BPF_CORE_READ(vma, vm_start);
	ret->end = BPF_CORE_READ(vma, vm_end);
	return 0;
}

/*
 * A place that was in use is another stack's from now on: who called there is not known any more. What
 * is in one that was not comes from a thread whose stack could not be looked up at first.
 */
static __u32 take_place(struct call_thread *t, const struct place *place)
{
	struct call_stack *s;
	__u32 i;

	for (i = 0; i < CALLS_MAX_STACKS; i++)
		if (!calls_stack(t, i)->end)
			break;
	if (i == CALLS_MAX_STACKS)
		i = 1 + t->current % (CALLS_MAX_STACKS - 1);
	s = calls_stack(t, i);
	if (s->end)
		s->nr_frames = 0;
	s->root = s->end ? CALL_UNKNOWN : CALL_ROOT;
	s->begin = place->begin;
	s->end = place->end;
	return i;
}

#define STACK_UNKNOWN CALLS_MAX_STACKS

/*
 * The stack pointer is not on the stack where it was. The mapping cannot be looked up while others are
 * changed: a thread's first stack is taken for the one it is on all the same.
 */
static __noinline __u32 change_stack(struct call_thread *t, __u64 sp)
{
	struct place place = { 0 };
	__u32 i;

	for (i = 0; i < CALLS_MAX_STACKS; i++)
		if (sp >= t->stacks[i].begin && sp < t->stacks[i].end)
			return i;
	if (bpf_find_vma(bpf_get_current_task_btf(), sp, see_mapping, &place, 0) || !place.end)
		return t->stacks[0].end ? STACK_UNKNOWN : 0;
	/* The first thread's grows downwards. */
	for (i = 0; i < CALLS_MAX_STACKS; i++)
		if (t->stacks[i].end == place.end) {
			t->stacks[i].begin = place.begin;
			return i;
		}
	return take_place(t, &place);
}

/* ---- who has returned ---- */

/* 1: a is less than b. Both are far from the ends of what fits: no branch, which the verifier would follow. */
static __always_inline __u64 is_less(__u64 a, __u64 b)
{
	return (a - b) >> 63;
}

/*
 * The keys of the frames on a stack fall, from the outermost on: how many are above sp. 9 steps halve
 * the longest one's to nothing.
 */
static __noinline __u32 nr_above(struct call_thread *t, __u32 first, __u32 nr, __u64 sp)
{
	__u64 low = 0, high = nr;
	__u32 i;

	for (i = 0; i < 9; i++) {
		__u64 middle = (low + high) / 2, at = first + middle, is_above, is_open;

		if (at >= CALLS_MAX_FRAMES)
			return 0;
		is_above = is_less(sp, t->frames[at].key);
		is_open = is_less(low, high);
		low += is_open * is_above * (middle + 1 - low);
		high -= is_open * (1 - is_above) * (high - middle);
	}
	return low;
}

enum {
	CHECKED_FRAMES = 16,
	RETURN_PROBES = 8,
	PAGE_MASK = 0xfff,
};

/* A return probe puts the kernel's trampoline in the place of the return address, which the kernel keeps. */
static __noinline int is_kept(__u64 key, __u32 check)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct return_instance *r = 0;
	__u32 i;

	if (!bpf_core_field_exists(r->orig_ret_vaddr) || !bpf_core_field_exists(task->utask))
		return 0;
	r = BPF_CORE_READ(task, utask, return_instances);
	for (i = 0; i < RETURN_PROBES && r; i++) {
		if (BPF_CORE_READ(r, stack) == key)
			return (__u32)BPF_CORE_READ(r, orig_ret_vaddr) == check;
		r = BPF_CORE_READ(r, next);
	}
	return 0;
}

/* Not static, so that the verifier looks at it once, and not at each of its calls. */
__noinline int calls_word_is_there(__u64 key, __u32 check)
{
	__u64 word = 0;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)key))
		return 0;
	/* The trampoline is where a page begins, as hardly anything is that one returns to. */
	return (__u32)word == check || (!(word & PAGE_MASK) && is_kept(key, check));
}

static __always_inline int is_there(const struct call_frame *f)
{
	return calls_word_is_there(f->key, f->check);
}

static __always_inline struct call_base *base_of(struct call_thread *t, __u32 file)
{
	return &t->bases[file % CALLS_MAX_BASES];
}

static __always_inline int has_code_at(struct call_thread *t, const struct call_frame *f, __u64 addr)
{
	__u32 id = f->node, function = id & ~CALL_LONE;
	struct call_node *node = id & CALL_LONE ? 0 : bpf_map_lookup_elem(&call_nodes, &id);
	struct call_extent *e;
	struct call_base *base;

	if (node)
		function = node->function;
	e = bpf_map_lookup_elem(&call_extents, &function);
	if (!e)
		return 0;
	base = base_of(t, e->file);
	return base->file == e->file && addr - base->add - e->begin < e->size;
}

/*
 * Where a call returns to one of the innermost, that runs, whatever lies outside of it, and those inside have returned. How
 * many are left; 0: a function has made the call that is not counted. Where there are more than could be written down, it may
 * be any.
 */
static __noinline __u32 nr_up_to_caller(struct call_thread *t, __u32 stack, __u32 nr, __u64 back)
{
	__u32 i;

	if (nr >= calls_room(stack))
		return 0;
	for (i = 0; i < CHECKED_FRAMES && i < nr; i++) {
		struct call_frame *f = calls_frame(t, stack, nr - 1 - i);

		/* Where it returns to may be behind the function's last instruction: the call is not. */
		if (f && has_code_at(t, f, back - 1) && is_there(f))
			return nr - i;
	}
	return 0;
}

/* Of the innermost ones, those up to the first whose return address is gone. */
static __noinline __u32 nr_there(struct call_thread *t, __u32 stack, __u32 nr)
{
	__u32 from = nr > CHECKED_FRAMES ? nr - CHECKED_FRAMES : 0, i;

	for (i = 0; i < CHECKED_FRAMES; i++) {
		struct call_frame *f = from + i < nr ? calls_frame(t, stack, from + i) : 0;

		if (!f || !is_there(f))
			break;
	}
	return from + i;
}

/* Mostly all have not, or all but the last one: that is seen at once. */
static __always_inline __u32 nr_active(struct call_thread *t, __u32 stack, __u32 nr, __u64 sp)
{
	struct call_frame *last;
	__u32 i;

	if (nr > calls_room(stack))
		nr = calls_room(stack);
	for (i = 0; i < 2; i++) {
		last = nr ? calls_frame(t, stack, nr - 1) : 0;
		if (!last || last->key > sp)
			return nr;
		nr--;
	}
	return nr_above(t, calls_first_frame(stack), nr, sp);
}

static __always_inline __u32 nr_looks(__u32 nr, __u32 nr_up_to_caller)
{
	if (nr_up_to_caller)
		return nr - nr_up_to_caller + 1;
	return nr < CHECKED_FRAMES ? nr : CHECKED_FRAMES;
}

/* The stack that the thread is on, or STACK_UNKNOWN. */
static __u32 leave_returned(struct call_thread *t, struct call_hits *hits, __u64 sp, __u64 back)
{
	__u32 stack = t->current & (CALLS_MAX_STACKS - 1);
	struct call_stack *s = calls_stack(t, stack);
	__u32 nr, there;

	if (sp < s->begin || sp >= s->end) {
		stack = change_stack(t, sp);
		if (stack >= CALLS_MAX_STACKS)
			return STACK_UNKNOWN;
		t->current = stack;
		s = calls_stack(t, stack);
	}
	if (s->nr_frames) {
		s->nr_frames = nr_active(t, stack, s->nr_frames, sp);
		/* Read anew, so that the verifier does not follow each number that it may be. */
		nr = *(volatile __u32 *)&s->nr_frames;
		there = nr_up_to_caller(t, stack, nr, back);
		hits->nr_looks += nr_looks(nr, there);
		s->nr_frames = there ? there : nr_there(t, stack, nr);
	}
	return stack;
}

/* ---- the probe ---- */

static __always_inline void note_base(struct call_thread *t, __u32 function, __u64 probe)
{
	struct call_extent *e = bpf_map_lookup_elem(&call_extents, &function);
	struct call_base *base;

	if (!e)
		return;
	base = base_of(t, e->file);
	base->file = e->file;
	base->add = probe - e->probe;
}

static __noinline int enter(struct pt_regs *ctx, struct call_hits *hits, __u64 cookie)
{
	__u32 function = CALLS_COOKIE_FUNCTION(cookie), stack = STACK_UNKNOWN, node;
	__u64 sp = ctx->rsp + CALLS_COOKIE_SP_ADD(cookie), back = 0;
	struct call_thread *t = calls_begin();

	if (!t) {
		hits->nr_lost++;
		calls_lost(1);
		return 0;
	}
	if (CALLS_COOKIE_SP_ADD(cookie) != CALLS_NO_NESTING) {
		bpf_probe_read_user(&back, sizeof(back), (void *)sp);
		stack = leave_returned(t, hits, sp, back);
		note_base(t, function, ctx->rip);
	}
	if (stack < CALLS_MAX_STACKS)
		node = calls_enter(t, stack, sp, back, function);
	else
		node = calls_without_caller(function);
	if (!calls_add(ctx, t, node, 1, 0))
		hits->nr_lost++;
	calls_end(t);
	return 0;
}

static __always_inline int is_before_exec(const struct call_state *state)
{
	return state->command && state->command == bpf_get_current_pid_tgid() >> 32;
}

static __always_inline int hit(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 function = CALLS_COOKIE_FUNCTION(cookie), zero = 0;
	struct call_state *state = bpf_map_lookup_elem(&call_state, &zero);
	struct call_hits *hits = bpf_map_lookup_elem(&call_hits, &function);

	if (!hits || !state || state->generation != CALLS_COOKIE_GENERATION(cookie) || is_before_exec(state))
		return 0;
	hits->nr++;
	return enter(ctx, hits, cookie);
}

SEC("uprobe")
int calls_hit(struct pt_regs *ctx)
{
	return hit(ctx);
}

/* The same, loaded for uprobe-multi links. */
SEC("uprobe")
int calls_hit_multi(struct pt_regs *ctx)
{
	return hit(ctx);
}

/* ---- ends ---- */

static __always_inline void leave_untold(void)
{
	struct call_totals *n = calls_totals();

	if (n)
		n->nr_untold++;
}

static __noinline void lose_row(const struct call_row *row)
{
	__u32 function = row->node & ~CALL_LONE, id = row->node;
	struct call_node *node;
	struct call_hits *hits;

	if (!(row->node & CALL_LONE)) {
		node = bpf_map_lookup_elem(&call_nodes, &id);
		if (!node)
			return;
		function = node->function;
	}
	hits = bpf_map_lookup_elem(&call_hits, &function);
	if (hits)
		hits->nr_lost += row->ncalls;
	else
		leave_untold();
}

/* The ring is full, and the thread will send no more. */
static __noinline void lose_rows(struct call_thread *t)
{
	__u32 nr = t->head.nr, i;
	struct call_row row;

	if (t->flags & CALL_IS_PARTIAL)
		leave_untold();
	for (i = 0; i < CALL_ROWS_MAX && i < nr; i++) {
		row = t->rows[i];
		lose_row(&row);
		calls_lost(row.ncalls);
	}
	t->head.nr = 0;
}

SEC("raw_tp/sched_process_exit")
int calls_exit(void *ctx)
{
	struct call_thread *t = bpf_task_storage_get(&call_threads, bpf_get_current_task_btf(), 0, 0);

	calls_flush(ctx);
	if (t && t->is_busy != CALLS_READ && t->head.nr <= CALL_ROWS_MAX)
		lose_rows(t);
	return 0;
}

/* None of the functions that it was in is there any more. */
SEC("raw_tp/sched_process_exec")
int calls_exec(void *ctx)
{
	struct call_thread *t = bpf_task_storage_get(&call_threads, bpf_get_current_task_btf(), 0, 0);
	__u32 zero = 0, i;
	struct call_state *state = bpf_map_lookup_elem(&call_state, &zero);

	if (state && is_before_exec(state))
		state->command = 0;
	if (!t)
		return 0;
	calls_flush(ctx);
	for (i = 0; i < CALLS_MAX_STACKS; i++) {
		t->stacks[i].end = 0;
		t->stacks[i].nr_frames = 0;
	}
	t->last_ns = 0;
	return 0;
}

/*
 * What threads have left that made no more marks, read when nothing is counted any more: while the rings are still
 * open, so that a thread that ends before it is read can send what it has, and once more after that, for those that
 * were about to.
 */
SEC("iter/task")
int calls_rest(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct call_rest rest;
	struct call_thread *t;
	__u32 nr;

	if (!task)
		return 0;
	t = bpf_task_storage_get(&call_threads, task, 0, 0);
	if (!t || __sync_val_compare_and_swap(&t->is_busy, 0, CALLS_READ) ||
	    (!t->head.nr && !(t->flags & CALL_IS_PARTIAL)))
		return 0;
	rest.pid = task->tgid;
	rest.tid = task->pid;
	nr = t->head.nr;
	if (nr > CALL_ROWS_MAX)
		return 0;
	t->head.magic = CALL_MARK_MAGIC;
	t->head.flags = t->flags;
	bpf_seq_write(ctx->meta->seq, &rest, sizeof(rest));
	bpf_seq_write(ctx->meta->seq, &t->head, sizeof(t->head) + nr * sizeof(t->rows[0]));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
