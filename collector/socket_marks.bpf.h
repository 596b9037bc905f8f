/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is remembered of threads and connections, and how marks are made and sent. */
#ifndef COLLECTOR_SOCKET_MARKS_BPF_H
#define COLLECTOR_SOCKET_MARKS_BPF_H

#include "collector/socket_kernel.bpf.h"
#include "collector/targets.bpf.h"

/* ---- the program's memory ---- */

enum role {
	ROLE_NONE,		/* no connection, or none of those that were asked for */
	ROLE_SERVED,
	ROLE_OUTGOING,
};

/* By its first bytes. */
enum speech {
	SPEECH_UNKNOWN,		/* none that the report has a parser for */
	SPEECH_HTTP,
	SPEECH_RESP,		/* Redis's, but for its inline commands */
	SPEECH_WHOLE,		/* another one, whose answers have to be read to their ends */
};

enum direction { DIRECTION_NONE, DIRECTION_IN, DIRECTION_OUT };

struct conn {
	__u64 id;		/* inode */
	__u8 role;
	__u8 direction;		/* of the last bytes */
	__u8 is_new;
	__u8 is_told;		/* its SOCKET_OPEN was made */
	__u8 speech;		/* enum speech, of this exchange */
	__u8 spoken;		/* enum speech, of those before: what stays, once it is known */
	__u32 limit;		/* bytes of a read that travel, in this exchange */
	__u32 limit_max;	/* what that becomes when one is longer */
	__u32 limit_out;	/* bytes of a write that travel */
	__u32 budget;		/* inbound bytes that may still travel in this exchange */
	__u64 more_in_bytes;
	__u32 read_seq;		/* TCP's number of the next byte to be read, with has_read_seq */
	__u32 has_read_seq;
};

struct thread {
	__u64 last;		/* connection of its last mark; 0: it waits, or never had one */
	__u64 served;		/* the last one that it serves, since it waited */
	__u64 messages;		/* the vector of the call for several messages that it is in; 0: none */
	__u64 replaced;		/* connection whose last descriptor the dup2(2) that it is in closes; 0: none */
	__u32 nr_messages;	/* of it that have moved */
	__u32 served_fd;
	__u32 has_answered;	/* `served`, since it last read from it */
	__u64 answered;		/* id of the connection that it last wrote to */
	__u64 marked_ns;	/* its last mark's time */
	__u64 timed_futex;	/* that it last waited for no longer than a moment */
	__u64 home;		/* the futex at which it waits for work no longer than a while; 0: not known */
	__u8 has_served;	/* ever */
	__u8 is_handed;		/* it has been woken, or made, by who works on a request, and does not wait for more yet */
	__u8 was_handed;	/* ever */
	__u8 is_returned;	/* since it waited it was woken by who had been handed work */
};

/* Marks on their way, of any threads: whose they are, and when they were made, stands in each. */
struct batch {
	__u64 is_taken;
	__u32 len;		/* bytes of marks; below SOCKET_BATCH_BYTES whenever it is free */
	__u32 last;		/* where the last of them stands, if there is one */
	__u32 nr;		/* marks, the told losses left out */
	__u32 zero;
	/*
	 * The last mark may end beyond. Twice the most that one has: what comes after an offset below the
	 * limit is checked against the limit itself.
	 */
	char bytes[SOCKET_BATCH_BYTES + sizeof(struct socket_mark) + 2 * SOCKET_DATA_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

/* Those of 32-bit programs, which are not in `threads`: so nobody else is asked whether he is one. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u8);
} threads_32_bit SEC(".maps");

/* Local ports on which somebody listens: what has one and was there before us was accepted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SOCKET_MAX_PORTS);
	__type(key, __u16);
	__type(value, __u8);
} listening SEC(".maps");

/* max_entries is set when it is known how many CPUs there are. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct batch);
} batches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct socket_cpu);
} cpus SEC(".maps");

const volatile struct socket_config config;

static struct socket_cpu *this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

static struct socket_counts *count(void)
{
	struct socket_cpu *cpu = this_cpu();

	return cpu ? &cpu->counts : 0;
}

/* ---- what a thread's time on the CPU is ---- */

/*
 * Of the current thread. The scheduler's clock leaves out what interrupts took and a hypervisor stole, so
 * how far ours is ahead of it changes.
 */
static __u64 cpu_ns(struct task_struct *task, __u64 now)
{
	__u64 start = task->se.exec_start, sum = task->se.sum_exec_runtime;
	struct socket_cpu *cpu = this_cpu();
	__s64 since = cpu && cpu->ahead_ns ? now - cpu->ahead_ns - start : 0;

	return since > 0 ? sum + since : sum;
}

static int is_32_bit(struct task_struct *task)
{
	return ((struct pt_regs *)bpf_task_pt_regs(task))->cs == USER32_CS;
}

/* Once each. */
static void count_32_bit(struct task_struct *task)
{
	struct socket_counts *n = count();

	if (!n || bpf_task_storage_get(&threads_32_bit, task, 0, 0))
		return;
	if (bpf_task_storage_get(&threads_32_bit, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE))
		n->nr_threads_32_bit++;
}

static __noinline struct thread *meet_thread(struct task_struct *task)
{
	struct socket_counts *n;
	struct thread *t;

	if (!is_target(task->tgid))
		return 0;
	if (is_32_bit(task)) {
		count_32_bit(task);
		return 0;
	}
	t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	n = t ? 0 : count();
	if (n)
		n->nr_unsent++;
	return t;
}

/*
 * What is kept of the current thread; null: it is not the target's, or a 32-bit program's. Who was asked for once is
 * known. Inline, as what marks come by.
 */
static __always_inline struct thread *target_thread(struct task_struct *task)
{
	struct thread *t;

	if (!may_be_target(task->tgid))
		return 0;
	t = bpf_task_storage_get(&threads, task, 0, 0);
	return t ? t : meet_thread(task);
}

/* It may work on something: since it waited. */
static int may_work(const struct thread *t)
{
	return t->last || t->is_returned;
}

/* ---- marks ---- */

static struct batch *claim(__u32 index)
{
	struct batch *b = bpf_map_lookup_elem(&batches, &index);

	return b && !__sync_val_compare_and_swap(&b->is_taken, 0, 1) ? b : 0;
}

/* Of this CPU, for marks to come. Who preempts somebody that has one takes another one. */
static struct batch *claim_any(void)
{
	__u32 first = bpf_get_smp_processor_id() * SOCKET_BATCHES_PER_CPU, i;
	struct batch *b;

	for (i = 0; i < SOCKET_BATCHES_PER_CPU; i++) {
		b = claim(first + i);
		if (b)
			return b;
	}
	return 0;
}

/* A batch is claimed on its CPU only, and a CPU sees its own writes in their order: no barrier but the compiler's. */
static void release(struct batch *b)
{
	barrier();
	*(volatile __u64 *)&b->is_taken = 0;
}

#include "collector/calls_flush.bpf.h"
#include "collector/marks.bpf.h"

static struct socket_mark *mark_at(struct batch *b, __u32 at)
{
	return (struct socket_mark *)(b->bytes + (at & (SOCKET_BATCH_BYTES - 1)));
}

/* What found no room is missing since the first mark of it: that is told where the next ones are. */
static void drop(struct batch *b)
{
	struct socket_mark *m = mark_at(b, 0);
	struct socket_counts *n = count();

	if (n)
		n->nr_unsent += b->nr;
	m->kind = SOCKET_LOST;
	m->flags = 0;
	m->conn = m->bytes = m->more_in_bytes = 0;
	m->len = m->room = 0;
	b->len = sizeof(*m);
	b->last = b->nr = 0;
}

/* 1: what is left is one mark that tells of the loss. */
static int send(void *ctx, struct batch *b)
{
	__u64 len = b->len;

	if (!len || len > sizeof(b->bytes))
		return 0;
	if (bpf_perf_event_output(ctx, &rings, BPF_F_CURRENT_CPU, b->bytes, len)) {
		drop(b);
		return 1;
	}
	b->len = b->nr = 0;
	return 0;
}

/* A mark about to be made. */
struct telling {
	void *ctx;
	struct task_struct *task;	/* the current one, */
	struct thread *thread;		/* and what is kept of it; not null */
	__u64 key;		/* the connection's: see struct place */
	struct conn *conn;
	__u64 bytes;
	__u16 kind, flags;
};

static void fill_mark(const struct telling *t, struct socket_mark *m)
{
	struct conn *c = t->conn;
	__u64 now = bpf_ktime_get_ns();

	m->magic = SOCKET_MARK_MAGIC;
	m->kind = t->kind;
	m->flags = t->flags;
	m->conn = c ? c->id : 0;
	m->bytes = t->bytes;
	m->cpu_ns = cpu_ns(t->task, now);
	m->ns = t->thread->marked_ns = now;
	m->more_in_bytes = 0;
	m->pid = t->task->tgid;
	m->tid = t->task->pid;
	m->len = m->room = 0;
	if (!c)
		return;
	m->flags |= (c->role == ROLE_OUTGOING ? SOCKET_IS_OUTGOING : 0) |
		    (c->is_new ? SOCKET_IS_NEW : 0) | (config.is_http ? SOCKET_IS_HTTP : 0);
	m->more_in_bytes = c->more_in_bytes;
	c->more_in_bytes = 0;
}

/*
 * The mark behind those that are there; end_mark() is next. null: all batches are taken. What was counted
 * before it goes ahead, by its time, too. Its own time it gets when it has a batch: see socket_settle().
 *
 * This and what else each mark comes by is inline: where the kernel guards its returns (Safe RET), a call takes 6 ns.
 */
static __always_inline struct batch *begin_mark(struct telling *t)
{
	struct batch *b;
	struct socket_counts *n;

	/* A connection is told of once. */
	if (!is_recording && t->kind != SOCKET_OPEN)
		return 0;
	if (calls_are_counted)
		calls_flush(t->ctx);
	b = claim_any();
	if (!b) {
		n = count();
		if (n)
			n->nr_unsent++;
		return 0;
	}
	fill_mark(t, mark_at(b, b->len));
	return b;
}

/* len: of its bytes, which stand behind it. */
static __always_inline void end_mark(void *ctx, struct batch *b, __u32 len)
{
	struct socket_mark *m = mark_at(b, b->len);

	m->len = len;
	m->room = (len + 7) & ~7U;
	b->last = b->len;
	b->len += sizeof(*m) + m->room;
	b->nr++;
	if (b->len >= SOCKET_BATCH_BYTES)
		send(ctx, b);
	release(b);
}

static __always_inline void tell(struct telling *t)
{
	struct batch *b = begin_mark(t);

	if (b)
		end_mark(t->ctx, b, 0);
}

struct user_iovec {
	__u64 base, len;
};

/* Where a call's bytes are: one buffer, or several. */
struct user_bytes {
	__u64 at;		/* of the buffer, or of the iovecs */
	__u64 nr_iovecs;	/* 0: it is a buffer */
};

/* A mark, and the room that there is for its bytes: see struct batch. */
struct mark_room {
	struct socket_mark mark;
	char bytes[2 * SOCKET_DATA_MAX];
};

/*
 * How far it is stands in the mark's memory and not in a register: so the verifier, to whom it may be anything, has each
 * round look like the one before, and does not try each in turn with all that may follow. Not static: so it is verified by
 * itself, and once.
 */
__noinline int gather(struct mark_room *m, const struct user_bytes *from, __u32 want)
{
	volatile __u32 *at;
	struct user_iovec iovec;
	__u32 i;

	if (!m || !from)
		return 0;
	at = &m->mark.len;
	if (!from->nr_iovecs) {
		barrier_var(want);
		if (want > SOCKET_DATA_MAX)
			want = SOCKET_DATA_MAX;
		*at = bpf_probe_read_user(m->bytes, want, (void *)from->at) ? 0 : want;
		return 0;
	}
	*at = 0;
	for (i = 0; i < MAX_IOVECS && i < from->nr_iovecs; i++) {
		__u32 len = *at;
		__u64 here;

		if (len >= want || bpf_probe_read_user(&iovec, sizeof(iovec), (void *)(from->at + i * sizeof(iovec))))
			break;
		here = want - len;
		if (here > iovec.len)
			here = iovec.len;
		barrier_var(here);
		if (here > SOCKET_DATA_MAX)
			here = SOCKET_DATA_MAX;
		if (bpf_probe_read_user(m->bytes + (len & (SOCKET_DATA_MAX - 1)), here, (void *)iovec.base))
			break;
		*at = len + here;
	}
	return 0;
}

/* The mark's bytes, of which `want` were asked for, have been gathered. */
static __always_inline void end_bytes(void *ctx, struct batch *b, __u32 want)
{
	struct socket_mark *m = mark_at(b, b->len);

	if (!m->len && want)
		m->flags |= SOCKET_DATA_LOST;
	end_mark(ctx, b, m->len > SOCKET_DATA_MAX ? SOCKET_DATA_MAX : m->len);
}

/* With the first `want` of its bytes. */
static __always_inline void tell_bytes(struct telling *t, const struct user_bytes *from, __u32 want)
{
	struct batch *b = begin_mark(t);

	if (!b)
		return;
	gather((struct mark_room *)mark_at(b, b->len), from, want);
	end_bytes(t->ctx, b, want);
}

/*
 * Bytes of a file behind what the current thread wrote last, to the connection of this id: one write, as far as anybody
 * needs to know. False: that was not its last mark, or stands no more, or on the CPU that it has left since.
 */
static __always_inline int add_to_last(struct task_struct *task, struct thread *thread, __u64 id, __u64 bytes)
{
	struct batch *b = claim_any();
	struct socket_mark *m;
	int is_it;

	if (!b)
		return 0;
	m = mark_at(b, b->last);
	is_it = b->nr && m->kind == SOCKET_OUT && m->conn == id && m->ns == thread->marked_ns;
	if (is_it) {
		m->bytes += bytes;
		m->ns = thread->marked_ns = bpf_ktime_get_ns();
		m->cpu_ns = cpu_ns(task, m->ns);
	}
	release(b);
	return is_it;
}

/*
 * Run by the collector on each CPU before it takes the rings' records. Returns how many batches it could not
 * send: if that is none anywhere, each mark that is older than the runs is in a ring.
 */
SEC("raw_tp")
int socket_settle(void *ctx)
{
	__u32 first = bpf_get_smp_processor_id() * SOCKET_BATCHES_PER_CPU, i;
	struct batch *b;
	int nr_left = 0;

	for (i = 0; i < SOCKET_BATCHES_PER_CPU; i++) {
		b = claim(first + i);
		if (!b) {
			nr_left++;
			continue;
		}
		nr_left += send(ctx, b);
		release(b);
	}
	return nr_left;
}

#endif
