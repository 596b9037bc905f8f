// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Python's calls, and the time between them. There is a probe where the interpreter begins to run a
 * frame, or runs it on, and one where it leaves it: by return, yield, or an exception. One more is where code is freed:
 * what lies there next may be another function.
 *
 * Time is the wall clock's, and belongs to the innermost function of the thread. What the probes take
 * of it themselves is taken off each piece; where a piece was shorter, the rest is taken off the next one
 * (last_ns lies ahead then).
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} rings SEC(".maps");

#include "collector/calls.bpf.h"
#include "collector/python_calls.h"
#include "collector/python_frames.bpf.h"
#include "collector/python_functions.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct python_thread);
} python_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct python_hits);
} python_hits SEC(".maps");

struct task_struct {
	struct task_struct *group_leader;
	__u64 start_time;
	__u32 self_exec_id;	/* counts exec() */
} __attribute__((preserve_access_index));

/* ---- time ---- */

/* More is not owed: it would be an error of the measurement, and would be taken from others. */
enum { OWED_HITS = 64 };

struct hit {
	__u64 now, frame;
	__u64 probe_ns;
	__u32 is_freed_seen;
};

static __always_inline void pass_time(void *ctx, struct call_thread *t, const struct hit *hit)
{
	__s64 ns = hit->now - t->last_ns - hit->probe_ns;

	if (!t->last_ns)
		return;
	if (ns < 0) {
		if (ns < -(__s64)(OWED_HITS * hit->probe_ns))
			ns = -(__s64)(OWED_HITS * hit->probe_ns);
		t->last_ns = hit->now - ns;
		return;
	}
	calls_add(ctx, t, t->running, 0, ns);
	t->last_ns = hit->now;
}

/* ---- the probes ---- */

/* A call of whose function nothing could be read, or for whose name there is no room. */
static __always_inline void lose(struct call_thread *t)
{
	t->flags |= CALL_IS_PARTIAL;
	calls_lost(1);
}

/* Generators that go on unseen: that is a call, too, and the time since the last hit is theirs. */
static __noinline void see_resumed(struct pt_regs *ctx, struct call_thread *t, struct way *w, int is_freed_seen)
{
	__u32 function;

	if (!w->resumed || !w->is_known)
		return;
	function = function_of(w->p, w->code, is_freed_seen);
	if (!function) {
		lose(t);
		return;
	}
	enter_frame(w->p, w->resumed, function, &w->known);
	calls_add(ctx, t, w->known.node, 1, 0);
	t->running = w->known.node;
}

static __noinline void entered(struct pt_regs *ctx, struct call_thread *t, struct python_thread *p,
			       const struct hit *hit)
{
	struct frame_head f = { 0 };
	struct way w = { .p = p };
	__u32 function;

	read_frame(hit->frame, &f);
	function = function_of(p, f.code, hit->is_freed_seen);
	if (!function) {
		lose(t);
		return;
	}
	w.at = f.previous;
	w.is_called_alone = PYTHON_STATE_IS_ENTRY(f.state);
	find_way(&w);
	see_resumed(ctx, t, &w, hit->is_freed_seen);
	pass_time(ctx, t, hit);
	enter_frame(p, hit->frame, function, &w.known);
	run_frame(p, hit->frame, f.previous);
	calls_add(ctx, t, w.known.node, 1, 0);
	t->running = w.known.node;
	if (!t->last_ns)
		t->last_ns = hit->now;
}

static __noinline void leave_unseen(struct pt_regs *ctx, struct call_thread *t, struct python_thread *p,
				    const struct hit *hit)
{
	struct way w = { .p = p, .at = hit->frame };

	find_way(&w);
	see_resumed(ctx, t, &w, hit->is_freed_seen);
	if (w.resumed && w.is_known)
		forget_frame(p, hit->frame);
}

static __noinline void left(struct pt_regs *ctx, struct call_thread *t, struct python_thread *p,
			    const struct hit *hit)
{
	__u32 nr_untold = p->nr_untold;

	if (!forget_frame(p, hit->frame) && !nr_untold)
		leave_unseen(ctx, t, p, hit);
	pass_time(ctx, t, hit);
	t->running = leave_function(p, hit->frame);
	if (t->running == CALL_ROOT)
		t->last_ns = 0;
	else if (!t->last_ns)
		t->last_ns = hit->now;
}

/* Not 0. */
static __always_inline __u64 process_of(const struct task_struct *task)
{
	return (task->group_leader->start_time + task->self_exec_id * PYTHON_MIX) | 1;
}

static __always_inline struct python_thread *begin(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct python_thread *p = bpf_task_storage_get(&python_threads, task, 0, 0);

	if (p)
		return p;
	p = bpf_task_storage_get(&python_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (p)
		p->process = process_of(task);
	return p;
}

/*
 * Whether the innermost frame comes by once more. Else it is another one that lies there: the one before was left unseen,
 * by an exception of the function that profiles or traces the thread, when told of the return.
 */
static __always_inline int is_again(const struct python_thread *p, __u64 frame, __u64 cookie)
{
	return p->innermost == frame && (p->announced == frame || PYTHON_COOKIE_MAY_BE_AGAIN(cookie));
}

/* is_everywhere: at each place hits of all the process's threads are seen, from the first one on. */
static __always_inline int see(struct pt_regs *ctx, int is_everywhere)
{
	struct hit hit = { .now = bpf_ktime_get_ns() };
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u16 reg = PYTHON_COOKIE_REG(cookie);
	struct python_config *config;
	struct python_thread *p;
	struct python_hits *hits;
	struct call_state *state;
	struct call_thread *t;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&call_state, &zero);
	config = bpf_map_lookup_elem(&python_config, &zero);
	hits = bpf_map_lookup_elem(&python_hits, &zero);
	if (!state || !config || !hits || reg > sizeof(*ctx) - sizeof(hit.frame))
		return 0;
	bpf_probe_read_kernel(&hit.frame, sizeof(hit.frame), (void *)ctx + reg);
	if (PYTHON_COOKIE_IS_FREED(cookie)) {
		free_code(hit.frame);
		return 0;
	}
	if (!state->generation || state->untimed_ns)
		return 0;
	hit.probe_ns = config->probe_ns;
	hit.is_freed_seen = is_everywhere && PYTHON_COOKIE_IS_WITH_FREED(cookie);
	t = calls_begin();
	p = begin();
	if (!t || !p) {
		hits->nr_lost++;
		calls_lost(!PYTHON_COOKIE_IS_RETURN(cookie));
	} else if (PYTHON_COOKIE_IS_RETURN(cookie)) {
		hits->nr_returns++;
		left(ctx, t, p, &hit);
	} else if (!is_again(p, hit.frame, cookie)) {
		hits->nr_entries++;
		entered(ctx, t, p, &hit);
	}
	if (p)
		p->announced = PYTHON_COOKIE_IS_USDT(cookie) ? hit.frame : 0;
	if (t)
		calls_end(t);
	return 0;
}

SEC("uprobe")
int python_hit(struct pt_regs *ctx)
{
	return see(ctx, 0);
}

/* The same, loaded for uprobe-multi links. */
SEC("uprobe")
int python_hit_multi(struct pt_regs *ctx)
{
	return see(ctx, 1);
}

/* Nothing of what ran is there any more. calls_exec() sees to the time. */
SEC("raw_tp/sched_process_exec")
int python_exec(void *ctx)
{
	bpf_task_storage_delete(&python_threads, bpf_get_current_task_btf());
	return 0;
}

/* Of a process the first thread stands for all: what others still call then is looked at once more. */
SEC("raw_tp/sched_process_exit")
int python_exit(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();

	if ((__u32)id == id >> 32 && bpf_task_storage_get(&python_threads, bpf_get_current_task_btf(), 0, 0))
		forget_codes();
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
