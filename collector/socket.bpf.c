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
	TLS_HANDSHAKE = 0x16,
	TLS_DATA = 0x17,
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

struct counter {
	long counter;
};

struct file_ref {
	struct counter refcnt;
};

struct file {
	struct inode *f_inode;
	void *private_data;
	struct counter f_count;		/* before Linux 6.13 */
	struct file_ref f_ref;		/* since: one less than the references */
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct sched_entity {
	__u64 exec_start;	/* by the scheduler's clock: when the sum was up to date */
	__u64 sum_exec_runtime;
};

struct task_struct {
	struct files_struct *files;
	struct sched_entity se;
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

/* A mark with its bytes, as it is sent. */
struct held {
	struct socket_mark mark;
	char data[SOCKET_DATA_USUAL];
};

struct conn {
	__u8 role;
	__u8 direction;		/* of the last bytes */
	__u8 is_new;
	__u8 is_told;		/* its SOCKET_OPEN was sent */
	__u32 limit;		/* bytes of a transfer that travel, in this exchange */
	__u32 limit_max;	/* what that becomes when a read is longer */
	__u32 budget;		/* inbound bytes that may still travel in this exchange */
	__u64 more_in_bytes;
	__u64 is_held;		/* there is a mark in `held`: taken by who sets it to 0 */
	struct held held;
};

struct thread {
	__u64 last;		/* connection of its last mark; 0: it waits, or never had one */
	__u64 served;		/* the last one that it serves, since it waited */
	__u64 holds;		/* the one where it left a mark; 0: none */
	__u32 served_fd;
};

struct buffer {
	__u64 is_taken;
	struct held held;	/* what was held back goes before */
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
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct socket_counts *n;

	if (t)
		return t;
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
	struct task_struct *task;	/* the current one, */
	struct thread *thread;		/* and what is kept of it */
	__u64 ns;
	__u64 key;		/* the connection's; with conn null: 0 */
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
	m->conn = t->key;
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

/* The mark that the thread left on a connection, to b->held; false: there is none any more. */
static int take_held(struct thread *thread, struct buffer *b)
{
	__u64 key = thread->holds;
	struct conn *c;

	if (!key)
		return 0;
	thread->holds = 0;
	c = bpf_map_lookup_elem(&conns, &key);
	if (!c || !__sync_lock_test_and_set(&c->is_held, 0))
		return 0;
	bpf_probe_read_kernel(&b->held, sizeof(b->held), &c->held);
	return 1;
}

/* Left by another thread, or about to be followed by another one. */
static void send_held(void *ctx, struct conn *c)
{
	if (__sync_lock_test_and_set(&c->is_held, 0))
		send(ctx, &c->held, sizeof(c->held));
}

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

static void send_plain(const struct telling *t)
{
	struct buffer *b = t->thread->holds ? claim_buffer() : 0;
	struct socket_mark m;

	if (!b) {
		fill_mark(t, &m);
		send(t->ctx, &m, sizeof(m));
		return;
	}
	fill_mark(t, &b->mark);
	if (take_held(t->thread, b))
		send(t->ctx, &b->held, sizeof(b->held) + sizeof(b->mark));
	else
		send(t->ctx, &b->mark, sizeof(b->mark));
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
	if (take_held(t->thread, b))
		send(t->ctx, &b->held, sizeof(b->held) + sizeof(b->mark) + len);
	else
		send(t->ctx, &b->mark, sizeof(b->mark) + len);
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

/* ---- connections ---- */

struct place {
	__u64 inode;
	struct socket *socket;
	struct file *file;
};

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
		ret->inode = inode->i_ino;
		ret->socket = file->private_data;
		return 1;
	}
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
	__u64 key = p->inode;
	struct conn *c;

	bpf_map_update_elem(&conns, &key, &no_conn, BPF_ANY);
	c = bpf_map_lookup_elem(&conns, &key);
	if (!c)
		return 0;
	c->role = is_asked_for(p, role) ? role : ROLE_NONE;
	c->is_new = is_new;
	c->limit = c->limit_max = SOCKET_DATA_USUAL;
	return c;
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
static void tell_open(struct telling *t, const struct place *p)
{
	struct {
		struct socket_mark mark;
		struct socket_name name;
	} m;
	struct sock *sk = sock_of(p);

	t->conn->is_told = 1;
	t->kind = SOCKET_OPEN;
	fill_mark(t, &m.mark);
	m.mark.len = m.mark.room = sizeof(m.name);
	__builtin_memset(&m.name, 0, sizeof(m.name));
	m.name.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (m.name.family == AF_UNIX) {
		fill_unix_name(sk, &m.name);
	} else {
		m.name.local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
		m.name.peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	}
	send(t->ctx, &m, sizeof(m));
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
