/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is remembered of threads and connections, and how a mark is made, held back and sent. */
#ifndef COLLECTOR_SOCKET_MARKS_BPF_H
#define COLLECTOR_SOCKET_MARKS_BPF_H

#include "collector/socket_kernel.bpf.h"

/* ---- the program's memory ---- */

enum role {
	ROLE_NONE,		/* no connection, or none of those that were asked for */
	ROLE_SERVED,
	ROLE_OUTGOING,
};

enum direction { DIRECTION_NONE, DIRECTION_IN, DIRECTION_OUT };

/* A mark with its bytes, as it is sent. */
struct held {
	struct socket_mark mark;
	char data[SOCKET_DATA_USUAL];
};

struct conn {
	__u64 id;		/* inode */
	__u8 role;
	__u8 direction;		/* of the last bytes */
	__u8 is_new;
	__u8 is_told;		/* its SOCKET_OPEN was sent */
	__u32 limit;		/* bytes of a transfer that travel, in this exchange */
	__u32 limit_max;	/* what that becomes when a read is longer */
	__u32 budget;		/* inbound bytes that may still travel in this exchange */
	__u64 more_in_bytes;
	__u32 read_seq;		/* TCP's number of the next byte to be read, with has_read_seq */
	__u32 has_read_seq;
	__u64 is_held;		/* there is a mark in `held`: taken by who sets it to 0 */
	struct held held;
};

struct thread {
	__u64 last;		/* connection of its last mark; 0: it waits, or never had one */
	__u64 served;		/* the last one that it serves, since it waited */
	__u64 holds;		/* the one where it left a mark; 0: none */
	__u64 wait_ns;		/* it has gone to wait, and no mark has told so; 0: no */
	__u64 wait_cpu_ns;
	__u64 messages;		/* the vector of the call for several messages that it is in; 0: none */
	__u32 nr_messages;	/* of it that have moved */
	__u32 served_fd;
	__u32 has_answered;	/* `served`, since it last read from it */
};

struct buffer {
	__u64 is_taken;
	/* What was held back goes right before the mark: a held one, or a wait, or both. */
	char before[sizeof(struct held) + sizeof(struct socket_mark)];
	struct socket_mark mark;
	/* Twice: what comes after an offset below the limit is checked against the limit itself. */
	char data[2 * SOCKET_DATA_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FOLLOW_MAX_PROCESSES);
	__type(key, __u32);
	__type(value, __u8);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SOCKET_MAX_CONNS);
	__type(key, __u64);	/* struct place */
	__type(value, struct conn);
} conns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

/* Local ports on which somebody listens: what has one and was there before us was accepted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SOCKET_MAX_PORTS);
	__type(key, __u16);
	__type(value, __u8);
} listening SEC(".maps");

/* How far our clock is ahead of the scheduler's. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ahead SEC(".maps");

/* max_entries is set when it is known how many CPUs there are. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct buffer);
} buffers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct socket_counts);
} counts SEC(".maps");

const volatile struct socket_config config;
struct conn no_conn;	/* larger than a program's stack */

static struct socket_counts *count(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

/* ---- what a thread's time on the CPU is ---- */

/*
 * Of the current thread. The scheduler's clock leaves out what interrupts took and a hypervisor stole, so
 * how far ours is ahead of it changes.
 */
static __u64 cpu_ns(struct task_struct *task, __u64 now)
{
	__u64 start = task->se.exec_start, sum = task->se.sum_exec_runtime;
	__u32 zero = 0;
	__u64 *ns = bpf_map_lookup_elem(&ahead, &zero);
	__s64 since = ns && *ns ? now - *ns - start : 0;

	return since > 0 ? sum + since : sum;
}

/* What is kept of the current thread; null: it is not the target's. Who was asked for once is known. */
static struct thread *target_thread(struct task_struct *task)
{
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);
	struct socket_counts *n;
	__u32 tgid;

	if (t)
		return t;
	tgid = bpf_get_current_pid_tgid() >> 32;
	if (!bpf_map_lookup_elem(&targets, &tgid))
		return 0;
	t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	n = t ? 0 : count();
	if (n)
		n->nr_unsent++;
	return t;
}

/* ---- marks ---- */

static struct buffer *claim_buffer(void)
{
	__u32 first = bpf_get_smp_processor_id() * SOCKET_BUFFERS_PER_CPU, i;

	for (i = 0; i < SOCKET_BUFFERS_PER_CPU; i++) {
		__u32 index = first + i;
		struct buffer *b = bpf_map_lookup_elem(&buffers, &index);

		if (b && !__sync_val_compare_and_swap(&b->is_taken, 0, 1))
			return b;
	}
	return 0;
}

static void release_buffer(struct buffer *b)
{
	__sync_lock_test_and_set(&b->is_taken, 0);
}

#include "collector/calls_flush.bpf.h"

static void send(void *ctx, void *mark, __u64 size)
{
	long err;
	struct socket_counts *c;

	calls_flush(ctx);
	err = bpf_perf_event_output(ctx, &rings, BPF_F_CURRENT_CPU, mark, size);

	/* A full ring counts its losses itself, in a PERF_RECORD_LOST. */
	if (err && err != -ENOSPC && (c = count()))
		c->nr_unsent++;
}

/* A mark about to be made. */
struct telling {
	void *ctx;
	struct task_struct *task;	/* the current one, */
	struct thread *thread;		/* and what is kept of it */
	__u64 ns;
	__u64 key;		/* the connection's */
	struct conn *conn;
	__u64 bytes;
	__u16 kind, flags;
};

static void fill_mark(const struct telling *t, struct socket_mark *m)
{
	struct conn *c = t->conn;

	m->magic = SOCKET_MARK_MAGIC;
	m->kind = t->kind;
	m->flags = t->flags;
	m->conn = c ? c->id : 0;
	m->bytes = t->bytes;
	m->cpu_ns = cpu_ns(t->task, t->ns);
	m->ns = t->ns;
	m->more_in_bytes = 0;
	m->zero = 0;
	m->len = m->room = 0;
	if (!c)
		return;
	m->flags |= (c->role == ROLE_OUTGOING ? SOCKET_IS_OUTGOING : 0) |
		    (c->is_new ? SOCKET_IS_NEW : 0);
	m->more_in_bytes = c->more_in_bytes;
	c->more_in_bytes = 0;
}

/* The mark that the thread left on a connection, to `to`; false: there is none any more. */
static int take_held(struct thread *thread, void *to)
{
	__u64 key = thread->holds;
	struct conn *c;

	thread->holds = 0;
	c = bpf_map_lookup_elem(&conns, &key);
	if (!c || !__sync_lock_test_and_set(&c->is_held, 0))
		return 0;
	bpf_probe_read_kernel(to, sizeof(c->held), &c->held);
	return 1;
}

static void take_wait(struct thread *thread, struct socket_mark *to)
{
	*to = (struct socket_mark){ .magic = SOCKET_MARK_MAGIC,
				    .kind = SOCKET_WAIT,
				    .cpu_ns = thread->wait_cpu_ns,
				    .ns = thread->wait_ns };
	thread->wait_ns = 0;
}

/* Left by another thread, or about to be followed by another one. */
static void send_held(void *ctx, struct conn *c)
{
	if (__sync_lock_test_and_set(&c->is_held, 0))
		send(ctx, &c->held, sizeof(c->held));
}

/* What is in the buffer, and before it what the thread has held back: in one record, which costs least. */
static void send_behind_held(void *ctx, struct thread *thread, struct buffer *b, __u32 len)
{
	char *at = b->before + sizeof(b->before);
	int has_wait = thread->wait_ns != 0;
	__u64 size = sizeof(b->mark) + len;

	if (has_wait)
		take_wait(thread, (struct socket_mark *)(at - sizeof(b->mark)));
	if (!thread->holds || !take_held(thread, has_wait ? b->before : b->before + sizeof(b->mark))) {
		if (has_wait)
			send(ctx, at - sizeof(b->mark), size + sizeof(b->mark));
		else
			send(ctx, &b->mark, size);
	} else if (has_wait) {
		send(ctx, b->before, size + sizeof(b->before));
	} else {
		send(ctx, b->before + sizeof(b->mark), size + sizeof(struct held));
	}
}

/* All that the thread has held back, now. */
static void flush(void *ctx, struct thread *thread)
{
	__u64 key = thread->holds;
	struct socket_mark wait;
	struct conn *c;

	if (key) {
		thread->holds = 0;
		c = bpf_map_lookup_elem(&conns, &key);
		if (c)
			send_held(ctx, c);
	}
	if (thread->wait_ns) {
		take_wait(thread, &wait);
		send(ctx, &wait, sizeof(wait));
	}
}

static void send_plain(const struct telling *t)
{
	struct buffer *b = t->thread->holds || t->thread->wait_ns ? claim_buffer() : 0;
	struct socket_mark m;

	if (!b) {
		flush(t->ctx, t->thread);
		fill_mark(t, &m);
		send(t->ctx, &m, sizeof(m));
		return;
	}
	fill_mark(t, &b->mark);
	send_behind_held(t->ctx, t->thread, b, 0);
	release_buffer(b);
}

struct user_iovec {
	__u64 base, len;
};

/* Where a call's bytes are: one buffer, or several. */
struct user_bytes {
	__u64 at;		/* of the buffer, or of the iovecs */
	__u64 nr_iovecs;	/* 0: it is a buffer */
};

static __u32 gather(struct buffer *b, const struct user_bytes *from, __u32 want)
{
	struct user_iovec iovec;
	__u32 len = 0, i;

	if (!from->nr_iovecs) {
		if (want > SOCKET_DATA_MAX)
			want = SOCKET_DATA_MAX;
		return bpf_probe_read_user(b->data, want, (void *)from->at) ? 0 : want;
	}
	for (i = 0; i < MAX_IOVECS && i < from->nr_iovecs && len < want; i++) {
		__u64 here;

		if (bpf_probe_read_user(&iovec, sizeof(iovec),
					(void *)(from->at + i * sizeof(iovec))))
			break;
		here = want - len;
		if (here > iovec.len)
			here = iovec.len;
		if (here > SOCKET_DATA_MAX)
			here = SOCKET_DATA_MAX;
		if (bpf_probe_read_user(b->data + (len & (SOCKET_DATA_MAX - 1)), here,
					(void *)iovec.base))
			break;
		len += here;
	}
	return len;
}

/* The same to what is held back. Mostly all that is wanted stands in one place. */
static __u32 gather_to_held(struct held *h, const struct user_bytes *from, __u32 want)
{
	struct user_iovec iovec = { from->at, want };
	struct buffer *b;
	__u32 len;

	if (want > sizeof(h->data))
		want = sizeof(h->data);
	if (from->nr_iovecs && bpf_probe_read_user(&iovec, sizeof(iovec), (void *)from->at))
		return 0;
	if (iovec.len >= want)
		return bpf_probe_read_user(h->data, want, (void *)iovec.base) ? 0 : want;
	b = claim_buffer();
	if (!b)
		return 0;
	len = gather(b, from, want);
	bpf_probe_read_kernel(h->data, sizeof(h->data), b->data);
	release_buffer(b);
	return len;
}

/* With the first `want` of its bytes. */
static void send_bytes(struct telling *t, const struct user_bytes *from, __u32 want)
{
	struct buffer *b = claim_buffer();
	__u32 len;

	if (!b) {
		t->flags |= SOCKET_DATA_LOST;
		send_plain(t);
		return;
	}
	fill_mark(t, &b->mark);
	len = gather(b, from, want);
	if (len > SOCKET_DATA_MAX)
		len = SOCKET_DATA_MAX;
	if (!len && want)
		b->mark.flags |= SOCKET_DATA_LOST;
	b->mark.len = b->mark.room = len;
	send_behind_held(t->ctx, t->thread, b, len);
	release_buffer(b);
}

/* from null: bytes that never were in the server's memory. */
static void hold_back(struct telling *t, const struct user_bytes *from, __u32 want)
{
	struct conn *c = t->conn;
	__u32 len = 0;

	send_held(t->ctx, c);
	fill_mark(t, &c->held.mark);
	if (from)
		len = gather_to_held(&c->held, from, want);
	if (from && !len)
		c->held.mark.flags |= SOCKET_DATA_LOST;
	c->held.mark.len = len;
	c->held.mark.room = sizeof(c->held.data);
	c->is_held = 1;
	t->thread->holds = t->key;
}

/* Bytes of a file behind what is held back: one write, as far as anybody needs to know. */
static void add_to_held(struct telling *t)
{
	struct socket_mark *m = &t->conn->held.mark;

	m->bytes += t->bytes;
	m->ns = t->ns;
	m->cpu_ns = cpu_ns(t->task, t->ns);
}

#endif
