// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What the target does with its connections, seen from its system calls.
 *
 * A call is looked at when it returns, since only then it is known how much it moved, and its
 * arguments still stand in pt_regs. Only what a thread may wait in, and what closes a descriptor, which
 * is nobody's afterwards, are looked at when they begin; dup2(2) then, too, since it may fail.
 *
 * Every system call of the whole system takes the kernel's slow way while this is attached.
 * socket_traced.bpf.c costs less, where it can be had.
 */
#include "collector/socket_handed.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SOCKET_MAX_CONNS);
	__type(key, __u64);	/* struct place */
	__type(value, struct conn);
} conns SEC(".maps");

static struct conn *find_conn(__u64 key)
{
	return bpf_map_lookup_elem(&conns, &key);
}

static struct conn *make_conn(__u64 key)
{
	struct conn none = { 0 };

	bpf_map_update_elem(&conns, &key, &none, BPF_ANY);
	return bpf_map_lookup_elem(&conns, &key);
}

/* Linux 6.2: memory is read in one instruction, where a call would be needed else. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/* The socket behind a descriptor of the current thread; false: it is none. */
static int find_socket(struct task_struct *task, __u32 fd, struct place *ret)
{
	struct files_struct *files = task->files;
	struct fdtable *table;
	struct file *file = 0;
	struct inode *inode;

	if (!files)
		return 0;
	table = files->fdt;
	if (!table || fd >= table->max_fds)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), (void *)table->fd + fd * sizeof(file));
	if (!file)
		return 0;
	ret->file = file;
	if (bpf_rdonly_cast) {
		file = bpf_rdonly_cast(file, bpf_core_type_id_kernel(struct file));
		inode = file->f_inode;
		if ((inode->i_mode & S_IFMT) != S_IFSOCK)
			return 0;
		ret->key = ret->inode = inode->i_ino;
		ret->socket = file->private_data;
		return 1;
	}
	inode = BPF_CORE_READ(file, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	ret->key = ret->inode = BPF_CORE_READ(inode, i_ino);
	ret->socket = BPF_CORE_READ(file, private_data);
	return 1;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(socket_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct thread *t;

	set_ahead(next);
	if (preempt || !may_be_target(prev->tgid))
		return 0;
	t = bpf_task_storage_get(&threads, prev, 0, 0);
	if (t && prev->__state)
		sleeps(ctx, prev, t);
	return 0;
}

/* ---- calls that move nothing ---- */

static void accepted(struct task_struct *task, __u32 fd)
{
	struct place place;
	struct conn *c;

	if (!find_socket(task, fd, &place))
		return;
	listens(sock_of(&place));
	c = make_conn(place.key);
	if (c)
		init_conn(c, &place, ROLE_SERVED, 1);
}

/* Not where a child has it too, or the parent: an open connection stays one. */
static int is_last_descriptor(const struct place *p)
{
	struct file *file = p->file;

	if (bpf_core_field_exists(file->f_ref))
		return BPF_CORE_READ(file, f_ref.refcnt.counter) == 0;
	return BPF_CORE_READ(file, f_count.counter) == 1;
}

static void tell_closed(struct telling *t)
{
	__u64 key = t->key;

	tell_end(t);
	bpf_map_delete_elem(&conns, &key);
}

/* False: the descriptor is no known connection's. */
static int find_telling(struct telling *t, __u32 fd, struct place *ret)
{
	if (!find_socket(t->task, fd, ret))
		return 0;
	t->key = ret->key;
	t->conn = find_conn(ret->key);
	return t->conn != 0;
}

static void closing(void *ctx, struct task_struct *task, struct thread *thread, __u32 fd)
{
	struct telling t = { .ctx = ctx, .task = task, .thread = thread };
	struct place place;

	if (find_telling(&t, fd, &place) && is_last_descriptor(&place))
		tell_closed(&t);
}

static void shut(void *ctx, struct task_struct *task, struct thread *thread, __u32 fd)
{
	struct telling t = { .ctx = ctx, .task = task, .thread = thread };
	struct place place;

	if (find_telling(&t, fd, &place))
		tell_shut(&t);
}

/* The descriptor is another file's when the call returns. */
static void replacing(struct task_struct *task, struct thread *thread, __u32 fd)
{
	struct place place;

	thread->replaced = find_socket(task, fd, &place) && is_last_descriptor(&place) ? place.key : 0;
}

static void replaced(void *ctx, struct task_struct *task, struct thread *thread)
{
	struct telling t = { .ctx = ctx, .task = task, .thread = thread, .key = thread->replaced };

	thread->replaced = 0;
	t.conn = t.key ? find_conn(t.key) : 0;
	if (t.conn)
		tell_closed(&t);
}

struct closes {
	void *ctx;
	struct task_struct *task;
	struct thread *thread;
	__u32 first;
};

static long closes_one(__u32 i, struct closes *c)
{
	closing(c->ctx, c->task, c->thread, c->first + i);
	return 0;
}

/* Which with a flag closes none now, or none that another process has, too. Before Linux 5.17 it is not looked at. */
static void closing_range(void *ctx, struct task_struct *task, struct thread *thread, const struct pt_regs *regs)
{
	struct closes c = { ctx, task, thread, regs->di };
	struct files_struct *files = task->files;
	__u32 end = regs->si;
	struct fdtable *table;

	if (!files || !bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop))
		return;
	table = files->fdt;
	if (!table || !table->max_fds)
		return;
	if (end > table->max_fds - 1)
		end = table->max_fds - 1;
	if (c.first <= end && !(__u32)regs->dx)
		bpf_loop(end - c.first + 1, closes_one, &c, 0);
}

static __always_inline void writes(void *ctx, struct task_struct *task, struct thread *thread, __u32 fd)
{
	struct place place;

	if (find_socket(task, fd, &place) && thread->last != place.key)
		begins_answer(ctx, task, thread, fd, place.key, find_conn(place.key));
}

/* ---- waits ---- */

static int is_zero(__u64 timeout)
{
	__u64 words[2];

	return timeout && !bpf_probe_read_user(words, sizeof(words), (void *)timeout) && !(words[0] | words[1]);
}

/*
 * It looks what has come, and does not wait for it: a loop that has more to do, with what it has read. Who accepts is
 * such a loop, too, or has nothing to do anyway.
 */
static int is_look(const struct pt_regs *regs, __u8 call)
{
	switch (call) {
	case CALL_ACCEPT:
		return 1;
	case CALL_EPOLL:
		return !(__u32)regs->r10;
	case CALL_POLL:
		return !(__u32)regs->dx;
	case CALL_EPOLL_2:
		return is_zero(regs->r10);
	case CALL_PPOLL:
		return is_zero(regs->dx);
	case CALL_SELECT:
		return is_zero(regs->r8);
	default:
		return 0;
	}
}

/* It asks the connection that it serves, and that is answered, for more. */
static int asks_for_next(const struct thread *t, __u32 fd)
{
	struct conn *c;

	if (!asks_served(t, fd))
		return 0;
	if (t->has_answered)
		return 1;
	c = find_conn(t->served);
	return c && c->direction == DIRECTION_OUT;
}

/* All that it has worked on is answered. */
static int is_done(const struct thread *t)
{
	return t->has_answered && t->last == t->served;
}

/* ---- the two places where calls are seen ---- */

/* A 64-bit program's call by int $0x80 has another number. */
static int is_32_bit_call(const struct task_struct *task)
{
	return bpf_core_field_exists(task->thread_info.status) && task->thread_info.status & TS_COMPAT;
}

/* Null: its call is none that we know. */
static __always_inline struct thread *calling_thread(struct task_struct *task)
{
	struct thread *thread = target_thread(task);

	return thread && !is_32_bit_call(task) ? thread : 0;
}

/* What io_submit(2) does with files is nothing to us; the first of its iocbs stands for all. */
static int submits_to_socket(struct task_struct *task, const struct pt_regs *regs)
{
	enum { AIO_FILDES = 20 };	/* its place in struct iocb */
	struct place place;
	__u64 iocb;
	__u32 fd;

	return !bpf_probe_read_user(&iocb, sizeof(iocb), (void *)regs->dx) &&
	       !bpf_probe_read_user(&fd, sizeof(fd), (void *)(iocb + AIO_FILDES)) && find_socket(task, fd, &place) &&
	       is_stream(&place);
}

static void count_unseen(struct task_struct *task, const struct pt_regs *regs, __u8 call)
{
	struct socket_counts *n = count();

	if (n && (call != CALL_IO_SUBMIT || submits_to_socket(task, regs)))
		n->nr_calls_unseen++;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(socket_enter, struct pt_regs *regs, long nr)
{
	struct task_struct *task;
	struct thread *thread;
	__u8 call = call_of(nr);

	if (call == CALL_OTHER || call == CALL_CONNECT || call == CALL_FUTEX)
		return 0;
	task = bpf_get_current_task_btf();
	thread = calling_thread(task);
	if (!thread)
		return 0;
	if (call == CALL_CLOSE || call == CALL_SHUTDOWN || call == CALL_DUP) {
		if (call == CALL_CLOSE)
			closing(ctx, task, thread, regs->di);
		else if (call == CALL_DUP)
			replacing(task, thread, regs->si);
		return 0;
	}
	if (call == CALL_CLOSE_RANGE) {
		closing_range(ctx, task, thread, regs);
		return 0;
	}
	if (call >= CALL_IO_URING) {
		count_unseen(task, regs, call);
		if (call == CALL_IO_SUBMIT)
			return 0;
	}
	if (call >= CALL_WRITE && call <= CALL_SENDFILE) {
		writes(ctx, task, thread, regs->di);
		return 0;
	}
	if (may_work(thread) && (is_look(regs, call) ? is_done(thread) :
			     is_wait(call) || call == CALL_IO_URING || asks_for_next(thread, regs->di)))
		waits(ctx, task, thread);
	return 0;
}

/* False: it is no connection that is looked at. */
static int moved_on(struct transfer *t, __u32 fd, enum direction direction)
{
	struct telling telling = { .ctx = t->ctx, .task = t->task, .thread = t->thread, .bytes = t->bytes };
	struct place place;

	t->fd = fd;
	if (!find_socket(t->task, fd, &place))
		return 0;
	telling.key = place.key;
	telling.conn = find_conn(place.key);
	/* Another one had this key, and nobody saw its end. */
	if (telling.conn && telling.conn->id != place.inode) {
		tell_closed(&telling);
		telling.conn = 0;
	}
	if (!telling.conn && knows_listening() && (telling.conn = make_conn(place.key)))
		init_conn(telling.conn, &place, role_of(&place), is_untouched(&place, direction, t->bytes));
	if (!telling.conn || telling.conn->role == ROLE_NONE)
		return 0;
	transferred(t, &telling, sock_of(&place), direction);
	return 1;
}

struct messages {
	struct transfer *transfer;
	__u64 at;
	__u32 fd;
	enum direction direction;
};

/* struct mmsghdr is a msghdr, and the bytes moved. */
static __u32 bytes_of_message(__u64 at)
{
	__u32 bytes;

	/* 0 where it cannot be read. */
	bpf_probe_read_user(&bytes, sizeof(bytes), (void *)(at + MSGHDR_BYTES));
	return bytes;
}

static long moved_message(__u32 i, struct messages *m)
{
	__u64 at = m->at + (__u64)i * MMSGHDR_BYTES;

	find_message(at, &m->transfer->at);
	m->transfer->bytes = bytes_of_message(at);
	return m->transfer->bytes && !moved_on(m->transfer, m->fd, m->direction);
}

/* Before Linux 5.17 they are taken for one, of which what the first one has is looked at. */
static void moved_messages(struct transfer *t, const struct pt_regs *regs, enum direction direction, long nr)
{
	struct messages m = { t, regs->si, regs->di, direction };
	__u32 i;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop)) {
		bpf_loop(nr, moved_message, &m, 0);
		return;
	}
	find_message(m.at, &t->at);
	t->bytes = 0;
	for (i = 0; i < MAX_MESSAGES && i < nr; i++)
		t->bytes += bytes_of_message(m.at + (__u64)i * MMSGHDR_BYTES);
	moved_on(t, m.fd, direction);
}

static void moved(struct transfer *t, struct pt_regs *regs, __u8 call, long ret)
{
	enum direction direction = call <= CALL_RECVMMSG ? DIRECTION_IN : DIRECTION_OUT;
	__u64 flags = 0;

	if (call == CALL_RECV || call == CALL_RECVMMSG)
		flags = regs->r10;
	else if (call == CALL_RECVMSG)
		flags = regs->dx;
	if (flags & MSG_BESIDE)
		return;
	if (call == CALL_RECVMMSG || call == CALL_SENDMMSG) {
		moved_messages(t, regs, direction, ret);
		return;
	}
	find_bytes(regs, call, &t->at);
	moved_on(t, regs->di, direction);
}

/* A call that may end a connection, and has not failed. */
static void ended(void *ctx, const struct pt_regs *regs, __u8 call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread = calling_thread(task);

	if (!thread)
		return;
	if (call == CALL_SHUTDOWN)
		shut(ctx, task, thread, regs->di);
	else
		replaced(ctx, task, thread);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(socket_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task;
	struct thread *thread;
	struct transfer t;
	struct place place;
	struct conn *c;
	__u8 call = call_of(regs->orig_ax);

	if (call == CALL_OTHER)
		return 0;
	if (call >= CALL_CLOSE) {
		if (ret >= 0 && (call == CALL_SHUTDOWN ? regs->si != SHUT_RD : call == CALL_DUP && regs->si != regs->di))
			ended(ctx, regs, call);
		return 0;
	}
	if (call == CALL_ACCEPT ? ret < 0 : call == CALL_CONNECT ? ret && ret != -EINPROGRESS : ret <= 0)
		return 0;
	task = bpf_get_current_task_btf();
	thread = calling_thread(task);
	if (!thread)
		return 0;
	t = (struct transfer){ .ctx = ctx, .task = task, .thread = thread, .bytes = ret };
	if (call == CALL_ACCEPT) {
		accepted(task, ret);
	} else if (call == CALL_CONNECT) {
		if (find_socket(task, regs->di, &place) && is_stream(&place) && (c = make_conn(place.key)))
			connected(ctx, task, thread, c, &place);
	} else if (call == CALL_SPLICE) {
		moved_on(&t, regs->di, DIRECTION_IN);
		moved_on(&t, regs->dx, DIRECTION_OUT);
	} else {
		moved(&t, regs, call, ret);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
