/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Work that a thread hands to another one, which neither reads requests nor answers them: an executor's, a pool's.
 * What is seen of it is that the first one wakes the other, which waits for a condition or a semaphore for as long as
 * it takes, or, in a pool that shrinks, for a while: then it has nothing to do, or, in the middle of its work, needs
 * what another thread has. The latter is known where
 *   a mutex is waited for: glibc's wait by another operation, Rust's have the value 2 then;
 *   who wakes it has been handed work itself, and hands none on;
 *   who wakes it has waited itself right beside, for a moment: so do CPython's threads that want the GIL, and wake who
 *   had to give it up for them, and waits until they have it;
 *   it waits for a while, and elsewhere than where it was handed its work.
 * Runtimes that plan their work themselves (Go) wait by another operation: there who is woken works for anybody. So do
 * Rust's threads with parking_lot, also for mutexes: but for those as long as it takes, and with a value of their own.
 */
#ifndef COLLECTOR_SOCKET_HANDED_BPF_H
#define COLLECTOR_SOCKET_HANDED_BPF_H

#include "collector/socket_transfers.bpf.h"

enum {
	FUTEX_OPERATION = 127,	/* the rest are flags */
	FUTEX_WAIT = 0,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_CLOCK_REALTIME = 256,
	MUTEX_IS_CONTENDED = 2,
	IS_PARKED = 1,		/* parking_lot's */
	LOCK_BYTES = 256,	/* that are beside each other: struct _gil_runtime_state */
	WHILE_NS = 100000000,	/* of pools 10 s and more; CPython's threads want the GIL for 5 ms, or longer if told to */
};

static int is_beside(__u64 futex, __u64 other)
{
	return futex - other + LOCK_BYTES < 2 * LOCK_BYTES;
}

static int is_in_futex(const struct pt_regs *regs)
{
	return call_of(regs->orig_ax) == CALL_FUTEX;
}

/* How long a wait in the current process goes on yet, which ends at a time, or, by the plain operation, after one. */
static __s64 left_ns(const struct pt_regs *regs)
{
	struct {
		__s64 s, ns;
	} time;
	__s64 left;

	if (bpf_probe_read_user(&time, sizeof(time), (void *)regs->r10))
		return 0;
	left = time.s * 1000000000 + time.ns;
	if ((regs->si & FUTEX_OPERATION) == FUTEX_WAIT)
		return left;
	return left - bpf_ktime_get_ns() - (regs->si & FUTEX_CLOCK_REALTIME ? config.realtime_ns : 0);
}

enum stay { STAYS_OTHERWISE, STAYS_A_MOMENT, STAYS_FOR_WORK };

static enum stay stay_of(const struct pt_regs *regs)
{
	__u64 operation = regs->si & FUTEX_OPERATION;
	__u32 value = regs->dx;

	if (!is_in_futex(regs))
		return STAYS_OTHERWISE;
	if (operation == FUTEX_WAIT)
		return value == IS_PARKED && regs->r10 && left_ns(regs) >= WHILE_NS ? STAYS_FOR_WORK : STAYS_OTHERWISE;
	if (operation != FUTEX_WAIT_BITSET || value == MUTEX_IS_CONTENDED)
		return STAYS_OTHERWISE;
	return regs->r10 && left_ns(regs) < WHILE_NS ? STAYS_A_MOMENT : STAYS_FOR_WORK;
}

/* It waits for a while, but not where it waits for work. */
static int is_away(const struct thread *thread, const struct pt_regs *regs)
{
	return regs->r10 && thread->home && !is_beside(regs->di, thread->home);
}

/* The thread goes to sleep, in the switch away from it. */
static void sleeps(void *ctx, struct task_struct *task, struct thread *thread)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct telling t = { .ctx = ctx, .task = task, .thread = thread, .kind = SOCKET_IDLE };
	enum stay stay = stay_of(regs);

	if (stay == STAYS_A_MOMENT)
		thread->timed_futex = regs->di;
	if (stay != STAYS_FOR_WORK)
		return;
	if (!thread->is_handed || is_beside(regs->di, thread->timed_futex) || is_away(thread, regs))
		return;
	/* Who is woken in between, on another CPU, loses that. */
	thread->is_handed = 0;
	tell(&t);
}

static void tell_handed(void *ctx, struct task_struct *task, struct thread *thread, struct task_struct *to,
			__u16 kind)
{
	struct telling t = { .ctx = ctx, .task = task, .thread = thread, .kind = kind };
	struct batch *b;
	struct socket_mark *m;

	/* While it waited it worked for nobody. */
	if (kind == SOCKET_HANDED)
		calls_flush_other(ctx, to, to->pid);
	b = begin_mark(&t);
	if (!b)
		return;
	m = mark_at(b, b->len);
	m->conn = to->pid;
	m->bytes = to->se.sum_exec_runtime;
	end_mark(ctx, b, 0);
}

/* Who waits for several descriptors is woken by what is written to one, or by what interrupts the thread: a timer, a packet. */
static int is_writing(struct task_struct *task)
{
	__u8 call = call_of(((struct pt_regs *)bpf_task_pt_regs(task))->orig_ax);

	return call >= CALL_WRITE && call <= CALL_SPLICE;
}

/* The other one waited for something new, or for what it has handed on. */
static void returns(void *ctx, struct task_struct *task, struct thread *thread, struct task_struct *to,
		    struct thread *other)
{
	if (!thread->is_handed || thread->has_served)
		return;
	other->is_returned = 1;
	tell_handed(ctx, task, thread, to, SOCKET_RETURNED);
}

/* regs: of whom is woken. */
static void hands(void *ctx, struct task_struct *task, struct thread *thread, struct task_struct *to,
		  struct thread *other, const struct pt_regs *regs)
{
	int is_handing = thread->has_served && !is_beside(regs->di, thread->timed_futex);

	if (other && other->is_handed && is_away(other, regs))
		return;
	/* What it woke for may not be known: what it has handed on was done before it slept. */
	if (!is_handing && (!other || !other->was_handed))
		return;
	if (!other)
		other = bpf_task_storage_get(&threads, to, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!other)
		return;
	other->is_handed = other->was_handed = 1;
	other->home = regs->di;
	tell_handed(ctx, task, thread, to, is_handing ? SOCKET_HANDED : SOCKET_RESUMED);
}

/* The current thread wakes `to`. If that one's time is up, an interrupt does so. */
static void wakes(void *ctx, struct task_struct *task, struct task_struct *to)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(to), *now = (struct pt_regs *)bpf_task_pt_regs(task);
	struct thread *thread, *other;
	int is_loop = is_wait(call_of(regs->orig_ax));

	if (is_loop ? !is_writing(task) : stay_of(regs) != STAYS_FOR_WORK || (regs->r10 && !is_in_futex(now)))
		return;
	thread = bpf_task_storage_get(&threads, task, 0, 0);
	if (!thread)
		return;
	other = bpf_task_storage_get(&threads, to, 0, 0);
	if (other && other->has_served)
		returns(ctx, task, thread, to, other);
	else if (!is_loop)
		hands(ctx, task, thread, to, other, regs);
}

/* Attached when the target has several threads: everybody who is woken comes by. */
SEC("tp_btf/sched_waking")
int BPF_PROG(socket_waking, struct task_struct *to)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (to->tgid == task->tgid && may_be_target(to->tgid))
		wakes(ctx, task, to);
	return 0;
}

/* Who is made by a thread that works on a request begins with that. Where the report sees it: PERF_RECORD_FORK. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(socket_fork, struct task_struct *parent, struct task_struct *child)
{
	struct socket_counts *n = count();
	struct thread *thread, *other;

	if (parent->tgid != child->tgid || !may_be_target(parent->tgid) || !is_target(parent->tgid))
		return 0;
	if (n)
		n->nr_threads++;
	thread = bpf_task_storage_get(&threads, parent, 0, 0);
	if (!thread || !thread->has_served || !may_work(thread))
		return 0;
	other = bpf_task_storage_get(&threads, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (other)
		other->is_handed = other->was_handed = 1;
	return 0;
}

/* A 64-bit program that begins a 32-bit one: a shell, wperf. What was kept of the thread would have its calls misread. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(socket_exec, struct task_struct *task)
{
	if (may_be_target(task->tgid) && is_32_bit(task))
		bpf_task_storage_delete(&threads, task);
	return 0;
}

/* Its last mark: what it has left open the kernel closes behind its end (PERF_RECORD_EXIT), or others have it, too. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(socket_exits, struct task_struct *task)
{
	struct telling t = { .ctx = ctx, .task = task, .kind = SOCKET_IDLE };

	if (!may_be_target(task->tgid))
		return 0;
	t.thread = bpf_task_storage_get(&threads, task, 0, 0);
	if (!t.thread)
		return 0;
	if (t.thread->is_handed && !t.thread->has_served)
		tell(&t);
	else if (may_work(t.thread))
		waits(ctx, task, t.thread);
	return 0;
}

#endif
