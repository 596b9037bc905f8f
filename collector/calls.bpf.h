/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counting calls: what every program that counts some has in common. A program that sees a function
 * entered does
 *
 *	t = calls_begin();
 *	if (!t)
 *		... calls_lost(1)
 *	stack = the one of t->stacks that it runs on
 *	node = calls_enter(t, stack, key, check, function);
 *	calls_add(ctx, t, node, 1, 0);
 *	calls_end(t);
 *
 * and one that sees it left, calls_stack(t, stack)->nr_frames--. What key and check are is its own business. The includer has the map `rings`.
 */
#ifndef COLLECTOR_CALLS_BPF_H
#define COLLECTOR_CALLS_BPF_H

#include "collector/calls_flush.bpf.h"

/* A node and a function that it calls -> node. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CALLS_MAX_NODES);
	__type(key, __u64);
	__type(value, __u32);
} call_children SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, CALLS_MAX_NODES);
	__type(key, __u32);
	__type(value, struct call_node);
} call_nodes SEC(".maps");

/* ---- the current thread ---- */

/*
 * NULL: it has no memory, or that is in use. No program that begins is interrupted by another one that does, on its thread:
 * so it is another thread that sends what this one had when it slept, and may have taken it already; or it was the end.
 */
static __always_inline struct call_thread *calls_begin(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call_thread *t = bpf_task_storage_get(&call_threads, task, 0, 0);

	if (!t)
		t = bpf_task_storage_get(&call_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (t && __sync_val_compare_and_swap(&t->is_busy, 0, CALLS_BUSY))
		return 0;
	return t;
}

static __always_inline void calls_end(struct call_thread *t)
{
	*(volatile __u32 *)&t->is_busy = 0;
}

static __always_inline void calls_lost(__u64 nr)
{
	struct call_totals *n = calls_totals();

	if (n)
		__sync_fetch_and_add(&n->nr_lost, nr);
}

/* ---- nodes ---- */

/* 0: there is no room for another one. */
static __noinline __u32 calls_make_node(__u32 parent, __u32 function)
{
	__u64 key = (__u64)parent << 32 | function;
	struct call_state *state;
	__u32 zero = 0, id, *other;
	struct call_node *node;

	state = bpf_map_lookup_elem(&call_state, &zero);
	if (!state || state->next_node >= CALLS_MAX_NODES - 1)
		return 0;
	id = __sync_fetch_and_add(&state->next_node, 1) + 1;
	node = bpf_map_lookup_elem(&call_nodes, &id);
	if (!node)
		return 0;
	node->parent = parent;
	node->function = function;
	if (!bpf_map_update_elem(&call_children, &key, &id, BPF_NOEXIST))
		return id;
	/* Another thread was faster. */
	other = bpf_map_lookup_elem(&call_children, &key);
	return other ? *other : 0;
}

/* In the place of a node. */
static __always_inline __u32 calls_without_caller(__u32 function)
{
	struct call_totals *n = calls_totals();

	if (n)
		__sync_fetch_and_add(&n->nr_callerless, 1);
	return CALL_LONE | function;
}

/* 0: there is no room for another one. */
static __always_inline __u32 calls_find_child(__u32 parent, __u32 function)
{
	__u64 key = (__u64)parent << 32 | function;
	__u32 *id = bpf_map_lookup_elem(&call_children, &key);

	return id ? *id : calls_make_node(parent, function);
}

static __always_inline __u32 calls_child(__u32 parent, __u32 function)
{
	__u32 node = calls_find_child(parent, function);

	return node ? node : calls_without_caller(function);
}

/* Who called it is one of several (CALL_SEVERAL; 0: there was no room for their node). */
static __always_inline __u32 calls_child_of_several(__u32 several, __u32 function)
{
	__u32 node = several ? calls_find_child(several, function) : 0, lone = calls_without_caller(function);

	return node ? node : lone;
}

static __always_inline __u32 calls_parent(__u32 node)
{
	struct call_node *n = bpf_map_lookup_elem(&call_nodes, &node);

	return n ? n->parent : 0;
}

/* ---- stacks ---- */

static __always_inline __u32 calls_first_frame(__u32 stack)
{
	return stack ? CALLS_FRAMES_OF_FIRST + (stack - 1) * CALLS_FRAMES_OF_OTHER : 0;
}

static __always_inline __u32 calls_room(__u32 stack)
{
	return stack ? CALLS_FRAMES_OF_OTHER : CALLS_FRAMES_OF_FIRST;
}

/* NULL: it is deeper than there is room. depth counts from 0, the outermost. */
static __always_inline struct call_frame *calls_frame(struct call_thread *t, __u32 stack, __u32 depth)
{
	__u32 i = calls_first_frame(stack) + depth;

	/* What is checked is what is used, for the verifier to see. */
	barrier_var(i);
	if (depth >= calls_room(stack) || i >= CALLS_MAX_FRAMES)
		return 0;
	return &t->frames[i];
}

/* The barrier keeps the compiler from taking out a check that the verifier wants to see. */
static __always_inline struct call_stack *calls_stack(struct call_thread *t, __u32 stack)
{
	barrier_var(stack);
	return &t->stacks[stack & (CALLS_MAX_STACKS - 1)];
}

/* A function is entered, called by the innermost one of the stack. Its node. */
static __always_inline __u32 calls_enter(struct call_thread *t, __u32 stack, __u64 key, __u32 check,
					 __u32 function)
{
	struct call_stack *s = calls_stack(t, stack);
	__u32 depth = s->nr_frames, node;
	struct call_frame *caller = depth ? calls_frame(t, stack, depth - 1) : 0;
	struct call_frame *frame = calls_frame(t, stack, depth);
	struct call_frame *deepest = calls_frame(t, stack, calls_room(stack) - 1);

	/* Where there is no room, others may be between, that were not written down. */
	if (frame && (!depth || caller))
		node = calls_child(caller ? caller->node : s->root, function);
	else
		node = calls_child_of_several(deepest ? calls_find_child(deepest->node, CALL_SEVERAL) : 0, function);
	s->nr_frames = depth + 1;
	if (frame) {
		frame->key = key;
		frame->node = node;
		frame->check = check;
	}
	return node;
}

/* ---- rows ---- */

/* False: they are lost, which is counted, and said with the thread's next record. */
static __always_inline int calls_add(void *ctx, struct call_thread *t, __u32 node, __u64 ncalls,
				     __u64 self_ns)
{
	struct call_row *row = calls_row(ctx, t, node);

	if (!row) {
		t->flags |= CALL_IS_PARTIAL;
		calls_lost(ncalls);
		return 0;
	}
	row->ncalls += ncalls;
	row->self_ns += self_ns;
	return 1;
}

#endif
