/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counted calls go ahead of marks: every program that sends a mark of the current thread calls
 * calls_flush() right before. Where nothing is counted it is nothing, the verifier sees to that.
 *
 * The includer has the map `rings`; the others here are those of calls.bpf.c, shared (bpf_object.h).
 */
#ifndef COLLECTOR_CALLS_FLUSH_BPF_H
#define COLLECTOR_CALLS_FLUSH_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "collector/calls.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call_thread);
} call_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct call_totals);
} call_totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct call_state);
} call_state SEC(".maps");

/* A section, and so a map, of its own: set by whoever loads the object. */
const volatile __u32 calls_are_counted SEC(".rodata.calls");

static __always_inline struct call_totals *calls_totals(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&call_totals, &zero);
}

/* 0: nothing is left in the thread's rows. Else they stay: the ring is full. */
static __always_inline long calls_send(void *ctx, struct call_thread *t)
{
	__u32 nr = t->head.nr, i;
	struct call_totals *n;
	long err;

	if (!nr && !(t->flags & CALL_IS_PARTIAL))
		return 0;
	if (nr > CALL_ROWS_MAX)
		return 0;
	t->head.magic = CALL_MARK_MAGIC;
	t->head.flags = t->flags;
	err = bpf_perf_event_output(ctx, &rings, BPF_F_CURRENT_CPU, &t->head,
				    sizeof(t->head) + nr * sizeof(t->rows[0]));
	if (err) {
		n = calls_totals();
		if (n)
			n->nr_unsent++;
		return err;
	}
	for (i = 0; i < CALLS_INDEX_SLOTS / 8; i++)
		((__u64 *)t->index)[i] = 0;
	t->head.nr = 0;
	t->flags = 0;
	return 0;
}

/* NULL: there is no room, and the ring is full. */
static __always_inline struct call_row *calls_row(void *ctx, struct call_thread *t, __u32 node)
{
	__u32 hash = node * 0x9e3779b1U >> 24, slot = 0, i, nr;
	__u8 row;

	for (i = 0; i < 8; i++) {
		slot = (hash + i) & (CALLS_INDEX_SLOTS - 1);
		row = t->index[slot];
		if (!row)
			break;
		if (row <= CALL_ROWS_MAX && t->rows[row - 1].node == node)
			return &t->rows[row - 1];
	}
	nr = t->head.nr;
	if (i == 8 || nr >= CALL_ROWS_MAX) {
		if (calls_send(ctx, t))
			return 0;
		slot = hash & (CALLS_INDEX_SLOTS - 1);
		nr = 0;
	}
	if (nr >= CALL_ROWS_MAX)
		return 0;
	t->index[slot] = nr + 1;
	t->head.nr = nr + 1;
	t->rows[nr].node = node;
	t->rows[nr].zero = 0;
	t->rows[nr].ncalls = 0;
	t->rows[nr].self_ns = 0;
	return &t->rows[nr];
}

/* Of the function that is running, and will be after the mark: what is before it belongs there. */
static __always_inline void calls_pass_time(void *ctx, struct call_thread *t)
{
	__u64 now = bpf_ktime_get_ns();
	struct call_state *state;
	struct call_row *row;
	__u32 zero = 0;

	if (!t->last_ns)
		return;
	state = bpf_map_lookup_elem(&call_state, &zero);
	if (state && state->untimed_ns && state->untimed_ns < now)
		now = state->untimed_ns;
	if (t->last_ns >= now)
		return;
	row = calls_row(ctx, t, t->running);
	if (!row)
		return;
	row->self_ns += now - t->last_ns;
	t->last_ns = now;
}

static __always_inline void calls_flush_thread(void *ctx, struct call_thread *t, __u32 tid)
{
	/* Busy: it was interrupted in the middle of a call, or of this, by a mark of what was before. */
	if (!t || __sync_val_compare_and_swap(&t->is_busy, 0, CALLS_BUSY))
		return;
	t->head.tid = tid;
	calls_pass_time(ctx, t);
	if (calls_send(ctx, t))
		t->flags |= CALL_IS_LATE;
	t->head.tid = 0;
	*(volatile __u32 *)&t->is_busy = 0;
}

/* Of the current thread. */
static __noinline __attribute__((unused)) void calls_flush(void *ctx)
{
	if (calls_are_counted)
		calls_flush_thread(ctx, bpf_task_storage_get(&call_threads, bpf_get_current_task_btf(), 0, 0), 0);
}

/* Of another one of the process, which sleeps. */
static __noinline __attribute__((unused)) void calls_flush_other(void *ctx, struct task_struct *task, __u32 tid)
{
	if (calls_are_counted)
		calls_flush_thread(ctx, bpf_task_storage_get(&call_threads, task, 0, 0), tid);
}

#endif
