// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The target's system calls on its connections, as socket marks: see recording/socket_mark.h.
 *
 * A call is looked at when it returns, since only then it is known how much it moved, and its
 * arguments still stand in pt_regs. Only what a thread may wait in, and close(2), after which the
 * descriptor is nobody's, are looked at when they begin.
 *
 * To send a mark costs the target more than all the rest, so as few are sent as will do. What the
 * thread that works on a connection writes to it is held back there, and goes along with the next
 * mark of the same thread or connection; the bytes of a file that follow a head are added to it.
 * Reads that nobody needs to see are added up until a mark of the same connection takes them along.
 * Two threads at a time on one connection may lose some of these sums.
 *
 * A thread's time on the CPU is the scheduler's own sum, which CLOCK_THREAD_CPUTIME_ID tells, too. It
 * is brought up to date at ticks and switches only; what has passed since then is by our clock.
 */
#include "collector/socket_conns.bpf.h"

/* ---- switches ---- */

/*
 * A switch sets the exec_start of who comes next to now. Who leaves the CPU tells what it has held back:
 * nobody knows when it will be back.
 */
SEC("tp_btf/sched_switch")
int BPF_PROG(socket_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct thread *t = bpf_task_storage_get(&threads, prev, 0, 0);
	__u32 zero = 0;
	__u64 *ns = bpf_map_lookup_elem(&ahead, &zero);
	struct conn *c;
	__u64 key;

	if (ns)
		*ns = bpf_ktime_get_ns() - next->se.exec_start;
	if (!t || !t->holds)
		return 0;
	key = t->holds;
	t->holds = 0;
	c = bpf_map_lookup_elem(&conns, &key);
	if (c)
		send_held(ctx, c);
	return 0;
}

/* ---- transfers ---- */

struct transfer {
	void *ctx;
	struct task_struct *task;
	struct thread *thread;
	__u32 fd;
	__u64 bytes;
	struct user_bytes at;	/* at 0: the bytes never were in the server's memory */
};

/*
 * How many bytes of a transfer travel. HTTP's methods begin with two capitals: of these requests the
 * first bytes will do, unless a read has more of them than a request has, which several at once may:
 * also one that is not the first, where the first one had only a part of a head.
 * Other protocols send as many requests at once as fit their buffer.
 */
static void set_limits(const struct transfer *t, struct conn *c)
{
	unsigned char first[2] = { 0 };
	__u64 from = t->at.at;

	c->limit = c->limit_max = SOCKET_DATA_USUAL;
	if (t->at.nr_iovecs && bpf_probe_read_user(&from, sizeof(from), (void *)from))
		return;
	if (bpf_probe_read_user(first, sizeof(first), (void *)from))
		return;
	if (first[0] == TLS_HANDSHAKE || first[0] == TLS_DATA)
		return;
	c->limit_max = first[0] == 'P' ? HEAD_BYTES : SOCKET_DATA_MAX;
	if (first[0] < 'A' || first[0] > 'Z' || first[1] < 'A' || first[1] > 'Z')
		c->limit = c->limit_max = SOCKET_DATA_MAX;
}

#define LETTERS(a, b, c, d)                                                                        \
	((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

/* After an answer that came early, the body that nobody waited for is followed by the next request. */
static int begins_with_method(const struct transfer *t)
{
	__u64 from = t->at.at;
	__u32 first = 0;

	if (t->at.nr_iovecs && bpf_probe_read_user(&from, sizeof(from), (void *)from))
		return 0;
	if (bpf_probe_read_user(&first, sizeof(first), (void *)from))
		return 0;
	return first == LETTERS('G', 'E', 'T', ' ') || first == LETTERS('P', 'O', 'S', 'T') ||
	       first == LETTERS('H', 'E', 'A', 'D') || first == LETTERS('P', 'U', 'T', ' ') ||
	       first == LETTERS('D', 'E', 'L', 'E') || first == LETTERS('P', 'A', 'T', 'C') ||
	       first == LETTERS('O', 'P', 'T', 'I');
}

static __u32 least(__u64 a, __u32 b)
{
	return a < b ? a : b;
}

static void served_in(const struct transfer *t, struct telling *telling)
{
	struct thread *thread = telling->thread;
	struct conn *c = telling->conn;
	struct socket_counts *n = count();
	__u32 want;

	if (n && c->direction != DIRECTION_IN)
		n->nr_begins++;
	if (c->direction != DIRECTION_IN || begins_with_method(t)) {
		c->direction = DIRECTION_IN;
		set_limits(t, c);
		c->budget = SOCKET_DATA_MAX;
	}
	if (t->bytes > c->limit)
		c->limit = c->limit_max;
	want = least(t->bytes, c->limit < c->budget ? c->limit : c->budget);
	if (!want && thread->last == telling->key) {
		c->more_in_bytes += t->bytes;
		return;
	}
	c->budget -= want;
	thread->last = thread->served = telling->key;
	thread->served_fd = t->fd;
	if (c->is_held && thread->holds != telling->key)
		send_held(telling->ctx, c);
	telling->kind = SOCKET_IN;
	if (want)
		send_bytes(telling, &t->at, want);
	else
		send_plain(telling);
}

/*
 * Who works on a connection already and writes to it says nothing that is urgent: the mark is held back.
 * Not where several answers may stand in one write, which takes more room.
 */
static void served_out(const struct transfer *t, struct telling *telling)
{
	const struct user_bytes *from = t->at.at ? &t->at : 0;
	struct thread *thread = telling->thread;
	struct conn *c = telling->conn;
	struct socket_counts *n = count();
	__u32 want = least(t->bytes, c->limit);

	if (c->direction != DIRECTION_OUT) {
		telling->flags = SOCKET_IS_ANSWER;
		c->direction = DIRECTION_OUT;
		if (n)
			n->nr_ends++;
	}
	telling->kind = SOCKET_OUT;
	if (thread->last == telling->key && want <= SOCKET_DATA_USUAL) {
		if (!from && thread->holds == telling->key && c->is_held)
			add_to_held(telling);
		else
			hold_back(telling, from, want);
		return;
	}
	thread->last = thread->served = telling->key;
	thread->served_fd = t->fd;
	if (c->is_held && thread->holds != telling->key)
		send_held(telling->ctx, c);
	if (from)
		send_bytes(telling, from, want);
	else
		send_plain(telling);
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
	send_plain(telling);
}

static void transferred(struct transfer *t, enum direction direction)
{
	struct telling telling;
	struct place place;
	struct conn *c;

	if (!find_socket(t->task, t->fd, &place))
		return;
	c = conn_of(&place);
	if (!c || c->role == ROLE_NONE)
		return;
	telling = (struct telling){ .ctx = t->ctx,
				    .task = t->task,
				    .thread = t->thread,
				    .ns = bpf_ktime_get_ns(),
				    .key = place.inode,
				    .conn = c,
				    .bytes = t->bytes };
	if (!c->is_told)
		tell_open(&telling, &place);
	if (c->role == ROLE_OUTGOING)
		outgoing(&telling, direction);
	else if (direction == DIRECTION_IN)
		served_in(t, &telling);
	else
		served_out(t, &telling);
}

/* ---- other calls ---- */

static void accepted(struct transfer *t)
{
	struct place place;
	struct sock *sk;
	__u8 yes = 1;
	__u16 port;

	if (!find_socket(t->task, t->fd, &place))
		return;
	sk = sock_of(&place);
	port = BPF_CORE_READ(sk, __sk_common.skc_num);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX &&
	    !bpf_map_lookup_elem(&listening, &port))
		bpf_map_update_elem(&listening, &port, &yes, BPF_ANY);
	add_conn(&place, ROLE_SERVED, 1);
}

/* Told at once: the request that it is made for is the one that the thread works on now. */
static void connected(struct transfer *t)
{
	struct telling telling = { .ctx = t->ctx, .task = t->task, .thread = t->thread };
	struct place place;

	if (!find_socket(t->task, t->fd, &place) || !is_stream(&place))
		return;
	telling.key = place.inode;
	telling.ns = bpf_ktime_get_ns();
	telling.conn = add_conn(&place, ROLE_OUTGOING, 1);
	if (telling.conn)
		tell_open(&telling, &place);
}

/* Not where a child has it too, or the parent: an open connection stays one. */
static int is_last_descriptor(const struct place *p)
{
	struct file *file = p->file;

	if (bpf_core_field_exists(file->f_ref))
		return BPF_CORE_READ(file, f_ref.refcnt.counter) == 0;
	return BPF_CORE_READ(file, f_count.counter) == 1;
}

static void closing(void *ctx, struct task_struct *task, struct thread *thread, __u32 fd)
{
	struct telling t = { .ctx = ctx, .task = task, .thread = thread, .kind = SOCKET_CLOSE };
	struct place place;
	__u64 key;

	if (!find_socket(task, fd, &place) || !is_last_descriptor(&place))
		return;
	t.key = key = place.inode;
	t.conn = bpf_map_lookup_elem(&conns, &key);
	if (!t.conn)
		return;
	t.ns = bpf_ktime_get_ns();
	if (t.conn->is_told) {
		if (thread->holds != key)
			send_held(ctx, t.conn);
		send_plain(&t);
	}
	bpf_map_delete_elem(&conns, &key);
}

static void waits(void *ctx, struct task_struct *task, struct thread *thread)
{
	const struct telling t = { .ctx = ctx,
				   .task = task,
				   .thread = thread,
				   .ns = bpf_ktime_get_ns(),
				   .kind = SOCKET_WAIT };

	thread->last = thread->served = 0;
	send_plain(&t);
}

/* It asks the connection that it has answered for more. */
static int asks_for_next(const struct thread *thread, __u32 fd)
{
	__u64 key = thread->served;
	struct conn *c;

	if (!key || thread->served_fd != fd)
		return 0;
	c = bpf_map_lookup_elem(&conns, &key);
	return c && c->direction == DIRECTION_OUT;
}

/*
 * An answer that comes later: what its write takes is the request's, too, and the mark of the write
 * comes behind it.
 */
static void begins_answer(void *ctx, struct task_struct *task, struct thread *thread, __u32 fd)
{
	struct telling t = { .ctx = ctx, .task = task, .thread = thread, .kind = SOCKET_OUT };
	struct place place;
	__u64 key;

	if (!find_socket(task, fd, &place))
		return;
	t.key = key = place.inode;
	t.conn = bpf_map_lookup_elem(&conns, &key);
	if (!t.conn || t.conn->role != ROLE_SERVED || t.conn->direction != DIRECTION_IN)
		return;
	thread->last = thread->served = key;
	thread->served_fd = fd;
	t.ns = bpf_ktime_get_ns();
	send_plain(&t);
}

/* ---- the two places where calls are seen ---- */

SEC("tp_btf/sys_enter")
int BPF_PROG(socket_enter, struct pt_regs *regs, long nr)
{
	struct socket_counts *n;
	struct task_struct *task;
	struct thread *thread;
	__u8 call;

	if ((__u64)nr >= SOCKET_MAX_SYSCALLS)
		return 0;
	call = config.call_of[nr & (SOCKET_MAX_SYSCALLS - 1)];
	if (call == CALL_OTHER || call == CALL_CONNECT)
		return 0;
	task = bpf_get_current_task_btf();
	thread = target_thread(task);
	if (!thread)
		return 0;
	if (call == CALL_CLOSE) {
		closing(ctx, task, thread, regs->di);
		return 0;
	}
	if (call == CALL_IO_URING && (n = count()))
		n->nr_io_uring++;
	if (call >= CALL_WRITE && call <= CALL_SENDFILE) {
		if (!thread->last)
			begins_answer(ctx, task, thread, regs->di);
		return 0;
	}
	if (!thread->last)
		return 0;
	if (call == CALL_WAIT || call == CALL_ACCEPT || call == CALL_IO_URING ||
	    asks_for_next(thread, regs->di))
		waits(ctx, task, thread);
	return 0;
}

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

/* The bytes of several messages: struct mmsghdr is a msghdr of 56 bytes, and the bytes moved. */
static __u64 sum_messages(__u64 at, long nr)
{
	__u64 sum = 0;
	__u32 len, i;

	for (i = 0; i < MAX_MESSAGES && i < nr; i++) {
		if (bpf_probe_read_user(&len, sizeof(len), (void *)(at + i * 64 + 56)))
			break;
		sum += len;
	}
	return sum;
}

static void moved(struct transfer *t, struct pt_regs *regs, __u8 call, long ret)
{
	__u64 flags = 0;

	switch (call) {
	case CALL_RECV:
		flags = regs->r10;
		/* fall through */
	case CALL_READ:
	case CALL_WRITE:
		t->at.at = regs->si;
		break;
	case CALL_READV:
	case CALL_WRITEV:
		t->at = (struct user_bytes){ regs->si, regs->dx };
		break;
	case CALL_RECVMSG:
		flags = regs->dx;
		/* fall through */
	case CALL_SENDMSG:
		find_message(regs->si, &t->at);
		break;
	case CALL_RECVMMSG:
		flags = regs->r10;
		/* fall through */
	case CALL_SENDMMSG:
		find_message(regs->si, &t->at);
		t->bytes = sum_messages(regs->si, ret);
		break;
	}
	if (flags & (MSG_PEEK | MSG_ERRQUEUE))
		return;
	transferred(t, call <= CALL_RECVMMSG ? DIRECTION_IN : DIRECTION_OUT);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(socket_exit, struct pt_regs *regs, long ret)
{
	__u64 nr = regs->orig_ax;
	struct task_struct *task;
	struct thread *thread;
	struct transfer t;
	__u8 call;

	if (nr >= SOCKET_MAX_SYSCALLS)
		return 0;
	call = config.call_of[nr & (SOCKET_MAX_SYSCALLS - 1)];
	if (call == CALL_OTHER || call >= CALL_CLOSE)
		return 0;
	if (call == CALL_ACCEPT ? ret < 0 : call == CALL_CONNECT ? ret && ret != -EINPROGRESS : ret <= 0)
		return 0;
	task = bpf_get_current_task_btf();
	thread = target_thread(task);
	if (!thread)
		return 0;
	t = (struct transfer){ .ctx = ctx, .task = task, .thread = thread, .fd = regs->di, .bytes = ret };
	if (call == CALL_ACCEPT) {
		t.fd = ret;
		accepted(&t);
	} else if (call == CALL_CONNECT) {
		connected(&t);
	} else if (call == CALL_SPLICE) {
		transferred(&t, DIRECTION_IN);
		t.fd = regs->dx;
		transferred(&t, DIRECTION_OUT);
	} else {
		moved(&t, regs, call, ret);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
