/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a thread of the target does with a connection, whoever saw it: which mark tells of it, and when.
 *
 * To send a mark costs the target more than to make it, so marks go together: each CPU has a batch, which is
 * sent when it is full and when the collector looks at the rings. Each mark has its own time and thread, and
 * readers sort by that; so it does not matter in which batch a mark is, or when that was sent. The bytes of a
 * file that follow a head are added to it. Reads that nobody needs to see are added up until a mark of
 * the same connection takes them along. Two threads at a time on one connection may lose some of these sums.
 *
 * A thread's time on the CPU is the scheduler's own sum, which CLOCK_THREAD_CPUTIME_ID tells, too. It
 * is brought up to date at ticks and switches only; what has passed since then is by our clock.
 */
#ifndef COLLECTOR_SOCKET_TRANSFERS_BPF_H
#define COLLECTOR_SOCKET_TRANSFERS_BPF_H

#include "collector/socket_conns.bpf.h"
#include "collector/socket_limits.bpf.h"

/* ---- transfers ---- */

struct transfer {
	void *ctx;
	struct task_struct *task;
	struct thread *thread;
	__u32 fd;
	__u64 bytes;
	struct user_bytes at;	/* at 0: the bytes never were in the server's memory */
	__u32 read_seq;		/* as in struct conn, behind these bytes */
	__u32 has_read_seq;
};

/* The first four bytes, or as many as moved and zeros; 0: they cannot be read. */
static __u32 first_of(const struct transfer *t)
{
	__u64 from = t->at.at;
	__u32 first = 0;

	if (t->at.nr_iovecs && bpf_probe_read_user(&from, sizeof(from), (void *)from))
		return 0;
	bpf_probe_read_user(&first, sizeof(first), (void *)from);
	return t->bytes >= sizeof(first) ? first : first & ((1U << t->bytes * 8) - 1);
}

static void serves(struct thread *t, __u64 key, __u32 fd)
{
	t->last = t->served = key;
	t->served_fd = fd;
	t->has_answered = 0;
	t->has_served = 1;
}

/*
 * How many bytes at the end of a read, behind `before` others, travel for themselves: it ends like a head, so it may be
 * the next request's, behind the rest of a body.
 */
static __u32 tail_of(const struct transfer *t, __u32 before)
{
	__u32 last;

	if (t->at.nr_iovecs || !t->at.at || t->bytes < before + sizeof(last) ||
	    bpf_probe_read_user(&last, sizeof(last), (void *)(t->at.at + t->bytes - sizeof(last))) ||
	    last != LETTERS('\r', '\n', '\r', '\n'))
		return 0;
	return least(t->bytes - before, TAIL_BYTES);
}

static void tell_tail(const struct transfer *t, struct telling *telling, __u32 tail)
{
	const struct user_bytes at = { t->at.at + t->bytes - tail };

	telling->bytes = tail;
	tell_bytes(telling, &at, tail);
}

/*
 * An exchange begins. How many bytes travel is known by the first ones: mostly no more than are read with these. Returns
 * how many are left for tell_tail().
 */
static __u32 begins(const struct transfer *t, struct telling *telling)
{
	struct conn *c = telling->conn;
	__u32 usual = least(t->bytes, SOCKET_DATA_USUAL), want, tail;
	struct batch *b = begin_mark(telling);
	struct socket_mark *m;

	c->direction = DIRECTION_IN;
	if (!b) {
		set_limits(c, first_of(t));
		spend(c, t->bytes);
		return 0;
	}
	m = mark_at(b, b->len);
	if (!t->at.nr_iovecs && t->bytes >= sizeof(__u32) &&
	    !bpf_probe_read_user(m + 1, usual, (void *)t->at.at)) {
		m->len = usual;
		set_limits(c, *(__u32 *)(m + 1));
	} else {
		set_limits(c, first_of(t));
	}
	want = spend(c, t->bytes);
	if (m->len < want)
		gather((struct mark_room *)m, &t->at, want);
	limit_answer(c, m, 1);
	tail = want < t->bytes ? tail_of(t, want) : 0;
	m->bytes -= tail;
	end_bytes(telling->ctx, b, want);
	return tail;
}

/* Its next mark has them, unless they are of before the recording. */
static void add_more_in(struct conn *c, __u64 bytes)
{
	if (is_recording)
		c->more_in_bytes += bytes;
}

static void tell_in(const struct transfer *t, struct telling *telling, __u32 want)
{
	struct batch *b = begin_mark(telling);

	if (!b)
		return;
	gather((struct mark_room *)mark_at(b, b->len), &t->at, want);
	limit_answer(telling->conn, mark_at(b, b->len), 0);
	end_bytes(telling->ctx, b, want);
}

static void served_in(const struct transfer *t, struct telling *telling)
{
	struct thread *thread = telling->thread;
	struct conn *c = telling->conn;
	struct socket_counts *n;
	__u32 want = 0, tail, first;
	int is_first = c->direction != DIRECTION_IN;

	if (is_first && (n = count()))
		n->nr_begins++;
	telling->kind = SOCKET_IN;
	first = is_first ? 0 : first_of(t);
	if (is_first || is_method(first) || is_statement(c, first)) {
		serves(thread, telling->key, t->fd);
		tail = begins(t, telling);
	} else {
		want = spend(c, t->bytes);
		tail = want < t->bytes ? tail_of(t, want) : 0;
		telling->bytes -= tail;
		if (want || thread->last != telling->key) {
			serves(thread, telling->key, t->fd);
			tell_in(t, telling, want);
		} else {
			add_more_in(c, telling->bytes);
		}
	}
	if (tail)
		tell_tail(t, telling, tail);
}

/* Redis's answer to one command, and not one string, which says how long it is: nobody knows how many values it has. */
static int is_of_many_values(const struct conn *c, const struct socket_mark *m)
{
	return c->speech == SPEECH_RESP && c->limit_out < c->limit_max && *(const char *)(m + 1) != '$';
}

static void tell_answer(const struct transfer *t, struct telling *telling)
{
	struct conn *c = telling->conn;
	__u32 want = least(t->bytes, c->limit_out);
	struct batch *b = begin_mark(telling);
	struct socket_mark *m;

	if (!b)
		return;
	m = mark_at(b, b->len);
	gather((struct mark_room *)m, &t->at, want);
	if (want < t->bytes && is_of_many_values(c, m)) {
		want = least(t->bytes, c->limit_max);
		gather((struct mark_room *)m, &t->at, want);
	} else if (want < t->bytes && want == SOCKET_DATA_USUAL && has_long_head(c, (struct mark_room *)m)) {
		want = least(t->bytes, SOCKET_DATA_MAX);
		gather((struct mark_room *)m, &t->at, want);
		cut_behind_head((struct mark_room *)m);
	}
	end_bytes(telling->ctx, b, want);
}

static void served_out(const struct transfer *t, struct telling *telling)
{
	struct thread *thread = telling->thread;
	struct conn *c = telling->conn;
	int is_next = thread->last == telling->key;
	struct socket_counts *n;

	if (c->direction != DIRECTION_OUT) {
		telling->flags = SOCKET_IS_ANSWER;
		c->direction = DIRECTION_OUT;
		n = count();
		if (n) {
			n->nr_ends++;
			n->nr_late += !is_next;
		}
	}
	telling->kind = SOCKET_OUT;
	if (!is_next)
		serves(thread, telling->key, t->fd);
	thread->has_answered = 1;
	thread->answered = c->id;
	if (t->at.at)
		tell_answer(t, telling);
	else if (!is_next || !add_to_last(telling->task, thread, c->id, t->bytes))
		tell(telling);
}

/* Of these only who talks to them counts, not what is said. */
static void outgoing(struct telling *telling, enum direction direction)
{
	struct thread *thread = telling->thread;
	struct conn *c = telling->conn;

	if (c->direction == direction && thread->last == telling->key)
		return;
	c->direction = direction;
	thread->last = telling->key;
	telling->kind = direction == DIRECTION_IN ? SOCKET_IN : SOCKET_OUT;
	tell(telling);
}

/* The descriptor's, or the socket's, last one is gone. The thread need not be the target's. */
static __always_inline void tell_end(struct telling *t)
{
	t->kind = SOCKET_CLOSE;
	if (!t->conn->is_told)
		return;
	tell(t);
}

/*
 * The server will write no more: nothing that is asked for from now on is answered. What it reads still
 * is no request.
 */
static __always_inline void tell_shut(struct telling *t)
{
	struct conn *c = t->conn;

	if (c->role != ROLE_SERVED)
		return;
	tell_end(t);
	c->role = ROLE_NONE;
	c->is_told = 0;
}

/* Reads of the stream pass over it, and over those that came out of band right before it. */
static int has_urgent(const struct sock *sk, __u32 begin, __u32 end)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;

	return BPF_CORE_READ(tcp, urg_seq) - begin < end - begin;
}

/* Bytes that were read with no mark to tell: by splice(2), which passes no tracepoint. */
static void add_unseen(const struct transfer *t, struct conn *c, const struct sock *sk, __u64 bytes_in)
{
	__u32 unseen = t->read_seq - c->read_seq - bytes_in;

	if (c->has_read_seq && unseen && !has_urgent(sk, c->read_seq, t->read_seq))
		add_more_in(c, unseen);
	c->read_seq = t->read_seq;
	c->has_read_seq = 1;
}

/* On the connection of this telling, which has no kind yet. */
static void transferred(const struct transfer *t, struct telling *telling, struct sock *sk, enum direction direction)
{
	if (telling->conn->role == ROLE_NONE)
		return;
	if (t->has_read_seq)
		add_unseen(t, telling->conn, sk, direction == DIRECTION_IN ? t->bytes : 0);
	if (!telling->conn->is_told)
		tell_open(telling, sk);
	if (telling->conn->role == ROLE_OUTGOING)
		outgoing(telling, direction);
	else if (direction == DIRECTION_IN)
		served_in(t, telling);
	else
		served_out(t, telling);
}

/* Told at once: the request that it is made for is the one that the thread works on now. */
static void connected(void *ctx, struct task_struct *task, struct thread *thread, struct conn *c,
		      const struct place *place)
{
	struct telling t = { .ctx = ctx,
			     .task = task,
			     .thread = thread,
			     .key = place->key,
			     .conn = c };

	init_conn(c, place, ROLE_OUTGOING, 1);
	tell_open(&t, sock_of(place));
}

/* ---- who listens ---- */

static void listens(struct sock *sk)
{
	__u16 port = port_of(sk);
	__u8 yes = 1;

	if (port && !bpf_map_lookup_elem(&listening, &port))
		bpf_map_update_elem(&listening, &port, &yes, BPF_ANY);
}

/* ---- waiting, and what is answered later ---- */

static __always_inline void waits(void *ctx, struct task_struct *task, struct thread *thread)
{
	struct telling t = { .ctx = ctx,
			     .task = task,
			     .thread = thread,
			     .kind = SOCKET_WAIT };

	thread->last = thread->served = 0;
	thread->has_answered = thread->is_returned = 0;
	tell(&t);
}

/* It asks the connection that it serves for more. Is that answered? Another thread may have done that. */
static int asks_served(const struct thread *thread, __u32 fd)
{
	return thread->served && thread->served_fd == fd;
}

/*
 * An answer that comes later, after a wait or after something for another: what its write takes is the
 * request's, too, and the mark of the write comes behind it.
 */
static void begins_answer(void *ctx, struct task_struct *task, struct thread *thread, __u32 fd,
			  __u64 key, struct conn *c)
{
	struct telling t = { .ctx = ctx,
			     .task = task,
			     .thread = thread,
			     .key = key,
			     .conn = c,
			     .kind = SOCKET_OUT };
	struct socket_counts *n;

	if (!c || c->role != ROLE_SERVED || c->direction != DIRECTION_IN)
		return;
	n = count();
	if (n)
		n->nr_late++;
	serves(thread, key, fd);
	tell(&t);
}

/* ---- switches ---- */

/* A switch sets the exec_start of who comes next to now. */
static void set_ahead(struct task_struct *next)
{
	struct socket_cpu *cpu = this_cpu();

	if (cpu)
		cpu->ahead_ns = bpf_ktime_get_ns() - next->se.exec_start;
}

/* ---- where a call's bytes are ---- */

/* The messages' iovecs are not looked at but for the first one's. */
static int find_message(__u64 at, struct user_bytes *ret)
{
	struct {
		__u64 name, name_len, iovecs, nr_iovecs;
	} header;

	if (bpf_probe_read_user(&header, sizeof(header), (void *)at))
		return 0;
	*ret = (struct user_bytes){ header.iovecs, header.nr_iovecs };
	return 1;
}

/* Of a call that moves one message. What sendfile(2) and splice(2) move is nowhere. */
static void find_bytes(const struct pt_regs *regs, __u8 call, struct user_bytes *ret)
{
	switch (call) {
	case CALL_READ:
	case CALL_RECV:
	case CALL_WRITE:
		ret->at = regs->si;
		break;
	case CALL_READV:
	case CALL_WRITEV:
		*ret = (struct user_bytes){ regs->si, regs->dx };
		break;
	case CALL_RECVMSG:
	case CALL_SENDMSG:
		find_message(regs->si, ret);
		break;
	}
}

static int is_wait(__u8 call)
{
	return call >= CALL_EPOLL && call <= CALL_SELECT;
}

static __u8 call_of(__u64 nr)
{
	return nr < SOCKET_MAX_SYSCALLS ? config.call_of[nr & (SOCKET_MAX_SYSCALLS - 1)] : CALL_OTHER;
}

#endif
