// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What the target does with its connections, seen from the tracepoints of the sockets: nobody pays
 * for them but who moves bytes. Linux 6.5: only since then sendfile(2) passes sock_send_length.
 *
 * A connection is known by its struct sock. The call that moves the bytes is the current one of the
 * thread, so pt_regs tell where they are.
 *
 * What these tracepoints do not see, and socket_calls.bpf.c does: a wait that finds its event there
 * already, unless a read that found nothing precedes it; the end of a connection of Unix sockets.
 */
#include "collector/socket_handed.bpf.h"

/* Gone with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn);
} conns SEC(".maps");

static struct conn *make_conn(struct sock *sk)
{
	return bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

/* The file is there as long as the thread may move bytes; false: it is one of the kernel's own. */
static int place_of(struct sock *sk, struct place *ret)
{
	struct socket *socket = sk->sk_socket;
	struct file *file = socket->file;

	ret->key = (__u64)sk;
	ret->socket = socket;
	ret->file = file;
	ret->inode = file->f_inode->i_ino;
	return ret->inode != 0;
}

/* ---- transfers ---- */

/* Linux 6.2: memory is read in one instruction, where a call would be needed else. */
void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

/* How far from a thread's stack its registers are: the same for all, and not 0. */
static __u64 regs_at;

/* bpf_task_pt_regs() is a call. */
static const struct pt_regs *regs_of(struct task_struct *task)
{
	if (!regs_at)
		regs_at = (__u64)bpf_task_pt_regs(task) - (__u64)task->stack;
	return bpf_rdonly_cast((void *)((__u64)task->stack + regs_at), bpf_core_type_id_kernel(struct pt_regs));
}

/*
 * Which of several messages this is: they come in their order, and what ends such a call early is an
 * error, which is seen, too.
 */
static void find_next_message(struct transfer *t, __u64 vector, __u64 nr)
{
	struct thread *thread = t->thread;

	if (thread->messages != vector || thread->nr_messages >= nr)
		thread->nr_messages = 0;
	find_message(vector + (__u64)thread->nr_messages * MMSGHDR_BYTES, &t->at);
	thread->messages = vector;
	thread->nr_messages++;
}

/* What the kernel moves for itself, for one of its file systems, is nothing to us. */
static void count_unseen(struct sock *sk)
{
	struct socket_counts *n = count();
	struct place place;

	if (n && place_of(sk, &place) && is_stream(&place))
		n->nr_calls_unseen++;
}

/* What is found of a transfer in its call; false: it is none that we know. */
static int find_call(struct transfer *t, struct sock *sk, const struct pt_regs *regs)
{
	__u8 call = call_of(regs->orig_ax);

	t->fd = call == CALL_SPLICE ? regs->dx : regs->di;
	if (call == CALL_RECVMMSG || call == CALL_SENDMMSG) {
		find_next_message(t, regs->si, regs->dx);
		return 1;
	}
	t->thread->messages = 0;
	if (call >= CALL_READ && call <= CALL_SPLICE) {
		find_bytes(regs, call, &t->at);
		return 1;
	}
	count_unseen(sk);
	return 0;
}

/* Null: it is no TCP. */
static const struct tcp_sock *tcp_of(const struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_TCP ? bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock)) : 0;
}

/* The end of what comes, once it is read, has a number like a byte. A reset, or an end of our own, has none. */
static __u32 read_seq_of(const struct sock *sk, const struct tcp_sock *tcp)
{
	__u32 seq = tcp->copied_seq;

	return sk->__sk_common.skc_flags & 1UL << SOCK_DONE && tcp->rcv_nxt == seq ? seq - 1 : seq;
}

static void count_end_unseen(const struct conn *c, const struct sock *sk)
{
	struct socket_counts *n = count();

	if (n && c->role == ROLE_SERVED && sk->__sk_common.skc_family == AF_UNIX)
		n->nr_ends_unseen++;
}

/* Of a connection that was there before us, or was accepted. */
static struct conn *add_conn(const struct transfer *t, struct sock *sk, enum direction direction)
{
	struct place place;
	struct conn *c;

	if (!knows_listening() || !place_of(sk, &place))
		return 0;
	c = make_conn(sk);
	if (!c)
		return 0;
	init_conn(c, &place, role_of(&place), is_untouched(&place, direction, t->bytes));
	count_end_unseen(c, sk);
	return c;
}

static __always_inline void moved(struct transfer *t, struct sock *sk, enum direction direction)
{
	struct telling telling = { .ctx = t->ctx,
				   .task = t->task,
				   .thread = t->thread,
				   .key = (__u64)sk,
				   .bytes = t->bytes };
	const struct tcp_sock *tcp = tcp_of(sk);

	if (tcp) {
		t->read_seq = read_seq_of(sk, tcp);
		t->has_read_seq = 1;
	}
	if (!find_call(t, sk, regs_of(t->task)))
		return;
	telling.conn = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (!telling.conn)
		telling.conn = add_conn(t, sk, direction);
	if (telling.conn)
		transferred(t, &telling, sk, direction);
}

static int is_answered(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, 0, 0);

	return c && c->direction == DIRECTION_OUT;
}

/* A read that finds nothing asks for more of what was answered. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(socket_received, struct sock *sk, int ret, int flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread = target_thread(task);
	struct transfer t;

	if (!thread || flags & MSG_BESIDE)
		return 0;
	if (ret > 0) {
		t = (struct transfer){ .ctx = ctx, .task = task, .thread = thread, .bytes = ret };
		moved(&t, sk, DIRECTION_IN);
		return 0;
	}
	thread->messages = 0;
	if (thread->served == (__u64)sk && (thread->has_answered || is_answered(sk)))
		waits(ctx, task, thread);
	return 0;
}

/* A file behind the head of an answer: with the thread's last mark, there is nothing new to know. */
static int is_more_of_answer(struct task_struct *task, struct thread *thread, struct sock *sk, __u64 bytes)
{
	if (!thread->has_answered || thread->served != (__u64)sk || thread->last != (__u64)sk)
		return 0;
	if (call_of(regs_of(task)->orig_ax) != CALL_SENDFILE || !add_to_last(task, thread, thread->answered, bytes))
		return 0;
	thread->messages = 0;
	return 1;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(socket_sent, struct sock *sk, int ret, int flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread = target_thread(task);
	struct transfer t;

	if (!thread)
		return 0;
	if (ret <= 0) {
		thread->messages = 0;
		return 0;
	}
	if (is_more_of_answer(task, thread, sk, ret))
		return 0;
	t = (struct transfer){ .ctx = ctx, .task = task, .thread = thread, .bytes = ret };
	moved(&t, sk, DIRECTION_OUT);
	return 0;
}

/* Linux 6.15. Not for Unix sockets: there what the write takes is not seen. */
SEC("?tp_btf/tcp_sendmsg_locked")
int BPF_PROG(socket_sends, const struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread = target_thread(task);
	struct pt_regs *regs;

	if (!thread || thread->last == (__u64)sk)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	begins_answer(ctx, task, thread, regs->di, (__u64)sk, bpf_sk_storage_get(&conns, (void *)sk, 0, 0));
	return 0;
}

/* ---- waits ---- */

static int is_waiting(const struct thread *t, struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u8 call = call_of(regs->orig_ax);

	if (is_wait(call) || call == CALL_ACCEPT || call == CALL_IO_URING)
		return 1;
	return call >= CALL_READ && call <= CALL_RECVMMSG && t->has_answered && asks_served(t, regs->di);
}

/* Whoever sleeps in a call that waits. */
SEC("tp_btf/sched_switch")
int BPF_PROG(socket_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct thread *t;

	set_ahead(next);
	if (preempt || !may_be_target(prev->tgid))
		return 0;
	t = bpf_task_storage_get(&threads, prev, 0, 0);
	if (!t || !prev->__state)
		return 0;
	if (may_work(t) && is_waiting(t, prev))
		waits(ctx, prev, t);
	else
		sleeps(ctx, prev, t);
	return 0;
}

/* ---- begins and ends of connections ---- */

/*
 * Who closes a connection that it served goes on with others: a loop that never sleeps waits for them next and accepts
 * them, which is not seen.
 */
static void leaves(struct telling *t)
{
	if (t->conn->role != ROLE_SERVED || t->thread->last != t->key)
		return;
	t->flags |= SOCKET_IS_LEFT;
	t->thread->last = t->thread->served = 0;
}

static __always_inline void closed(void *ctx, struct sock *sk, int is_shut)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread nobody = { 0 }, *thread;
	struct telling t = { .ctx = ctx, .task = task, .key = (__u64)sk };

	t.conn = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (!t.conn)
		return;
	thread = target_thread(task);
	t.thread = thread ? thread : &nobody;
	if (is_shut) {
		tell_shut(&t);
		return;
	}
	leaves(&t);
	tell_end(&t);
	bpf_sk_storage_delete(&conns, sk);
}

/*
 * These states are entered by shutdown(2) for writing, or by closes: of the last descriptor, also by the
 * end of a process.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_state, struct sock *sk, int before, int now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;
	struct thread *thread;
	struct place place;
	struct conn *c;

	if (now == TCP_LISTEN) {
		listens(sk);
	} else if (now == TCP_SYN_SENT) {
		thread = target_thread(task);
		if (thread && place_of(sk, &place) && (c = make_conn(sk)))
			connected(ctx, task, thread, c, &place);
	} else if (now == TCP_FIN_WAIT1 || now == TCP_LAST_ACK) {
		regs = (struct pt_regs *)bpf_task_pt_regs(task);
		closed(ctx, sk, call_of(regs->orig_ax) == CALL_SHUTDOWN);
	}
	return 0;
}

/* Also of those that the client had reset before. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(socket_destroyed, struct sock *sk)
{
	closed(ctx, sk, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
