// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The target's system calls on its connections, as socket marks: see recording/socket_mark.h.
 *
 * A call is looked at when it returns, since only then it is known how much it moved, and its
 * arguments still stand in pt_regs. Only what a thread may wait in, and close(2), after which the
 * descriptor is nobody's, are looked at when they begin.
 *
 * Marks cost the target time, so as few as will do: bytes that nobody needs to see are added up in
 * struct conn until a mark of the same connection takes them along. Two threads at a time on one
 * connection may lose some of these sums; their marks they do not.
 *
 * A thread's time on the CPU is taken from the scheduler's switches, from its first mark on.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "collector/socket.h"

enum {
	AF_UNIX = 1,
	AF_INET = 2,
	AF_INET6 = 10,
	SOCK_STREAM = 1,
	SOCK_SEQPACKET = 5,
	TCP_LISTEN = 10,
	S_IFMT = 0170000,
	S_IFSOCK = 0140000,
	MSG_PEEK = 2,
	MSG_ERRQUEUE = 0x2000,
	MAX_IOVECS = 8,
	MAX_MESSAGES = 8,
	/* Of a request with a body: its head, which says how long that is. */
	HEAD_BYTES = 1024,
};

/* ---- the kernel's structs, as far as they are read ---- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long di, si, dx, r10, orig_ax;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	struct files_struct *files;
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned short skc_num;
	__be16 skc_dport;
};

struct sock {
	struct sock_common __sk_common;
};

struct socket {
	short type;
	struct sock *sk;
};

struct sockaddr_un {
	char sun_path[SOCKET_PATH_MAX];
};

struct unix_address {
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

#pragma clang attribute pop

/* ---- the program's memory ---- */

enum role {
	ROLE_NONE,		/* no connection, or none of those that were asked for */
	ROLE_SERVED,
	ROLE_OUTGOING,
};

enum direction { DIRECTION_NONE, DIRECTION_IN, DIRECTION_OUT };

struct conn {
	__u8 role;
	__u8 direction;		/* of the last bytes */
	__u8 is_new;
	__u8 is_told;		/* its SOCKET_OPEN was sent */
	__u32 limit;		/* bytes of a transfer that travel, in this exchange */
	__u32 budget;		/* inbound bytes that may still travel in this exchange */
	__u64 more_in_bytes, more_out_bytes, more_out_ns;
};

struct thread {
	__u64 on_cpu_ns;	/* up to the last switch */
	__u64 since_ns;		/* of the last switch onto the CPU; 0: it is not on one */
	__u64 last;		/* connection of its last mark; 0: it waits, or never had one */
	__u64 served;		/* the last one that it serves, since it waited */
	__u32 served_fd;
};

struct buffer {
	__u64 is_taken;
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
	__type(key, __u64);	/* inode */
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

static struct socket_counts *count(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

/* ---- what a thread's time on the CPU is ---- */

static __u64 cpu_ns(const struct thread *t, __u64 now)
{
	return t->on_cpu_ns + (t->since_ns ? now - t->since_ns : 0);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(socket_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct thread *t = bpf_task_storage_get(&threads, prev, 0, 0);
	__u64 now = bpf_ktime_get_ns();

	if (t && t->since_ns) {
		t->on_cpu_ns += now - t->since_ns;
		t->since_ns = 0;
	}
	t = bpf_task_storage_get(&threads, next, 0, 0);
	if (t)
		t->since_ns = now;
	return 0;
}

static struct thread *current_thread(struct task_struct *task, __u64 now)
{
	struct thread *t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (t && !t->since_ns)
		t->since_ns = now;
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

static void send(void *ctx, void *mark, __u64 size)
{
	long err = bpf_perf_event_output(ctx, &rings, BPF_F_CURRENT_CPU, mark, size);
	struct socket_counts *c;

	/* A full ring counts its losses itself, in a PERF_RECORD_LOST. */
	if (err && err != -ENOSPC && (c = count()))
		c->nr_unsent++;
}

/* A mark about to be made. */
struct telling {
	void *ctx;
	__u64 cpu_ns;
	__u64 key;		/* the connection's; with conn null: 0 */
	struct conn *conn;
	__u64 bytes;
	__u16 kind, flags;
};

/* What was added up goes with it. */
static void fill_mark(const struct telling *t, struct socket_mark *m)
{
	struct conn *c = t->conn;

	__builtin_memset(m, 0, sizeof(*m));
	m->magic = SOCKET_MARK_MAGIC;
	m->kind = t->kind;
	m->flags = t->flags;
	m->conn = t->key;
	m->bytes = t->bytes;
	m->cpu_ns = t->cpu_ns;
	if (!c)
		return;
	m->flags |= (c->role == ROLE_OUTGOING ? SOCKET_IS_OUTGOING : 0) |
		    (c->is_new ? SOCKET_IS_NEW : 0);
	m->more_in_bytes = c->more_in_bytes;
	m->more_out_bytes = c->more_out_bytes;
	m->more_out_ns = c->more_out_ns;
	c->more_in_bytes = c->more_out_bytes = c->more_out_ns = 0;
}

static void send_plain(const struct telling *t)
{
	struct socket_mark m;

	fill_mark(t, &m);
	send(t->ctx, &m, sizeof(m));
}

/* Where a call's bytes are: one buffer, or several. */
struct user_bytes {
	__u64 at;		/* of the buffer, or of the iovecs */
	__u64 nr_iovecs;	/* 0: it is a buffer */
};

static __u32 gather(struct buffer *b, const struct user_bytes *from, __u32 want)
{
	struct {
		__u64 base, len;
	} iovec;
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
	b->mark.len = len;
	send(t->ctx, &b->mark, sizeof(b->mark) + len);
	release_buffer(b);
}

/* ---- connections ---- */

struct place {
	__u64 inode;
	struct socket *socket;
};

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
	inode = BPF_CORE_READ(file, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	ret->inode = BPF_CORE_READ(inode, i_ino);
	ret->socket = BPF_CORE_READ(file, private_data);
	return 1;
}

static struct sock *sock_of(const struct place *p)
{
	struct socket *socket = p->socket;

	return BPF_CORE_READ(socket, sk);
}

static int is_stream(const struct place *p)
{
	struct socket *socket = p->socket;
	short type = BPF_CORE_READ(socket, type);

	return type == SOCK_STREAM || type == SOCK_SEQPACKET;
}

/* Who has a name of its own was bound to it; who is bound to the same as its listener was accepted. */
static int role_of_unix(struct sock *sk)
{
	struct unix_sock *u = (struct unix_sock *)sk;
	struct sock *peer;

	if (BPF_CORE_READ(u, addr))
		return ROLE_SERVED;
	peer = BPF_CORE_READ(u, peer);
	return peer && BPF_CORE_READ((struct unix_sock *)peer, addr) ? ROLE_OUTGOING : ROLE_NONE;
}

static int role_of_inet(struct sock *sk)
{
	__u16 port = BPF_CORE_READ(sk, __sk_common.skc_num);

	return bpf_map_lookup_elem(&listening, &port) ? ROLE_SERVED : ROLE_OUTGOING;
}

/* Of a connection that was there before us. */
static int role_of(const struct place *p)
{
	struct sock *sk = sock_of(p);
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (!is_stream(p) || BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN)
		return ROLE_NONE;
	if (family == AF_UNIX)
		return role_of_unix(sk);
	return family == AF_INET || family == AF_INET6 ? role_of_inet(sk) : ROLE_NONE;
}

static int is_asked_for(const struct place *p, int role)
{
	struct sock *sk = sock_of(p);

	return role != ROLE_SERVED || !config.only_port ||
	       BPF_CORE_READ(sk, __sk_common.skc_num) == config.only_port;
}

static struct conn *add_conn(const struct place *p, int role, int is_new)
{
	struct conn c = { .is_new = is_new, .limit = SOCKET_DATA_USUAL };
	__u64 key = p->inode;

	c.role = is_asked_for(p, role) ? role : ROLE_NONE;
	bpf_map_update_elem(&conns, &key, &c, BPF_ANY);
	return bpf_map_lookup_elem(&conns, &key);
}

static struct conn *conn_of(const struct place *p)
{
	__u64 key = p->inode;
	struct conn *c = bpf_map_lookup_elem(&conns, &key);

	return c ? c : add_conn(p, role_of(p), 0);
}

static void fill_unix_name(struct sock *sk, struct socket_name *name)
{
	struct unix_sock *u = (struct unix_sock *)sk;
	struct unix_sock *peer = (struct unix_sock *)BPF_CORE_READ(u, peer);
	struct unix_address *addr = BPF_CORE_READ(u, addr);
	int len;

	if (!addr)
		addr = BPF_CORE_READ(peer, addr);
	if (!addr)
		return;
	/* addr->len counts the family too, two bytes. */
	len = BPF_CORE_READ(addr, len) - 2;
	if (len <= 0 || len > SOCKET_PATH_MAX)
		return;
	bpf_probe_read_kernel(name->path, sizeof(name->path), &addr->name[0].sun_path);
	name->path_len = len;
}

/* Once a connection, before its first mark. */
static void tell_open(void *ctx, __u64 thread_ns, const struct place *p, struct conn *c)
{
	const struct telling t = { ctx, thread_ns, p->inode, c, 0, SOCKET_OPEN, 0 };
	struct {
		struct socket_mark mark;
		struct socket_name name;
	} m;
	struct sock *sk = sock_of(p);

	c->is_told = 1;
	fill_mark(&t, &m.mark);
	m.mark.len = sizeof(m.name);
	__builtin_memset(&m.name, 0, sizeof(m.name));
	m.name.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (m.name.family == AF_UNIX) {
		fill_unix_name(sk, &m.name);
	} else {
		m.name.local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
		m.name.peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	}
	send(ctx, &m, sizeof(m));
}

/* ---- transfers ---- */

struct transfer {
	void *ctx;
	struct task_struct *task;
	__u64 now;
	__u32 fd;
	__u64 bytes;
	struct user_bytes at;	/* at 0: the bytes never were in the server's memory */
};

/*
 * How many bytes of a transfer travel. HTTP's methods begin with two capitals: of these requests the
 * first bytes will do, unless there are more of them than a request has, which several at once may.
 * Other protocols send as many requests at once as fit their buffer.
 */
static __u32 limit_of(const struct transfer *t)
{
	unsigned char first[2] = { 0 };
	__u64 from = t->at.at;

	if (t->at.nr_iovecs && bpf_probe_read_user(&from, sizeof(from), (void *)from))
		return SOCKET_DATA_USUAL;
	if (bpf_probe_read_user(first, sizeof(first), (void *)from))
		return SOCKET_DATA_USUAL;
	if (first[0] == 0x16 || first[0] == 0x17)
		return SOCKET_DATA_USUAL;
	if (first[0] < 'A' || first[0] > 'Z' || first[1] < 'A' || first[1] > 'Z')
		return SOCKET_DATA_MAX;
	if (t->bytes <= SOCKET_DATA_USUAL)
		return SOCKET_DATA_USUAL;
	return first[0] == 'P' ? HEAD_BYTES : SOCKET_DATA_MAX;
}

static __u32 least(__u64 a, __u32 b)
{
	return a < b ? a : b;
}

static void served_in(const struct transfer *t, struct thread *thread, struct telling *telling)
{
	struct conn *c = telling->conn;
	struct socket_counts *n = count();
	__u32 want;

	if (c->direction != DIRECTION_IN) {
		c->direction = DIRECTION_IN;
		c->limit = limit_of(t);
		c->budget = SOCKET_DATA_MAX;
		if (n)
			n->nr_begins++;
	}
	want = least(t->bytes, c->limit < c->budget ? c->limit : c->budget);
	if (!want && thread->last == telling->key) {
		c->more_in_bytes += t->bytes;
		return;
	}
	c->budget -= want;
	thread->last = thread->served = telling->key;
	thread->served_fd = t->fd;
	telling->kind = SOCKET_IN;
	send_bytes(telling, &t->at, want);
}

static void served_out(const struct transfer *t, struct thread *thread, struct telling *telling)
{
	struct conn *c = telling->conn;
	struct socket_counts *n = count();

	if (!n)
		return;
	if (c->direction != DIRECTION_OUT) {
		telling->flags = SOCKET_IS_ANSWER;
		n->nr_ends++;
	} else if (!t->at.at && thread->last == telling->key) {
		c->more_out_bytes += t->bytes;
		c->more_out_ns = t->now;
		return;
	}
	c->direction = DIRECTION_OUT;
	thread->last = thread->served = telling->key;
	thread->served_fd = t->fd;
	telling->kind = SOCKET_OUT;
	if (t->at.at)
		send_bytes(telling, &t->at, least(t->bytes, c->limit));
	else
		send_plain(telling);
}

/* Of these only who talks to them counts, not what is said. */
static void outgoing(struct thread *thread, struct telling *telling, enum direction direction)
{
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
	struct thread *thread;
	struct place place;
	struct conn *c;

	if (!find_socket(t->task, t->fd, &place))
		return;
	c = conn_of(&place);
	if (!c || c->role == ROLE_NONE)
		return;
	t->now = bpf_ktime_get_ns();
	thread = current_thread(t->task, t->now);
	if (!thread)
		return;
	telling = (struct telling){ .ctx = t->ctx,
				    .cpu_ns = cpu_ns(thread, t->now),
				    .key = place.inode,
				    .conn = c,
				    .bytes = t->bytes };
	if (!c->is_told)
		tell_open(t->ctx, telling.cpu_ns, &place, c);
	if (c->role == ROLE_OUTGOING)
		outgoing(thread, &telling, direction);
	else if (direction == DIRECTION_IN)
		served_in(t, thread, &telling);
	else
		served_out(t, thread, &telling);
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
	struct thread *thread;
	struct place place;
	struct conn *c;

	if (!find_socket(t->task, t->fd, &place) || !is_stream(&place))
		return;
	t->now = bpf_ktime_get_ns();
	thread = current_thread(t->task, t->now);
	c = add_conn(&place, ROLE_OUTGOING, 1);
	if (thread && c)
		tell_open(t->ctx, cpu_ns(thread, t->now), &place, c);
}

static void closing(void *ctx, struct task_struct *task, __u32 fd)
{
	struct telling t = { .ctx = ctx, .kind = SOCKET_CLOSE };
	struct thread *thread;
	struct place place;
	__u64 now, key;

	if (!find_socket(task, fd, &place))
		return;
	key = place.inode;
	t.key = key;
	t.conn = bpf_map_lookup_elem(&conns, &key);
	if (!t.conn)
		return;
	if (t.conn->is_told) {
		now = bpf_ktime_get_ns();
		thread = current_thread(task, now);
		t.cpu_ns = thread ? cpu_ns(thread, now) : 0;
		send_plain(&t);
	}
	bpf_map_delete_elem(&conns, &key);
}

static void waits(void *ctx, struct thread *thread)
{
	struct telling t = { .ctx = ctx, .kind = SOCKET_WAIT };
	__u64 key = thread->served;

	t.cpu_ns = cpu_ns(thread, bpf_ktime_get_ns());
	if (key)
		t.conn = bpf_map_lookup_elem(&conns, &key);
	if (t.conn)
		t.key = key;
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

/* ---- the two places where calls are seen ---- */

static int is_target(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&targets, &tgid) != 0;
}

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
	if (call == CALL_OTHER || (call >= CALL_WRITE && call <= CALL_SENDFILE) ||
	    call == CALL_CONNECT || !is_target())
		return 0;
	task = bpf_get_current_task_btf();
	if (call == CALL_CLOSE) {
		closing(ctx, task, regs->di);
		return 0;
	}
	if (call == CALL_IO_URING && (n = count()))
		n->nr_io_uring++;
	thread = bpf_task_storage_get(&threads, task, 0, 0);
	if (!thread || !thread->last)
		return 0;
	if (call == CALL_WAIT || call == CALL_ACCEPT || call == CALL_IO_URING ||
	    asks_for_next(thread, regs->di))
		waits(ctx, thread);
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
	struct transfer t;
	__u8 call;

	if (nr >= SOCKET_MAX_SYSCALLS)
		return 0;
	call = config.call_of[nr & (SOCKET_MAX_SYSCALLS - 1)];
	if (call == CALL_OTHER || call >= CALL_CLOSE || !is_target())
		return 0;
	if (call == CALL_ACCEPT ? ret < 0 : call == CALL_CONNECT ? ret && ret != -EINPROGRESS : ret <= 0)
		return 0;
	t = (struct transfer){
		.ctx = ctx,
		.task = bpf_get_current_task_btf(),
		.fd = regs->di,
		.bytes = ret,
	};
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
