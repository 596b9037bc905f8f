/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is kept of a socket's connection, and who opened that. Where it is kept is each program's own matter. */
#ifndef COLLECTOR_SOCKET_CONNS_BPF_H
#define COLLECTOR_SOCKET_CONNS_BPF_H

#include "collector/socket_marks.bpf.h"

struct place {
	__u64 key;		/* of its connection, among those that are open */
	__u64 inode;
	struct socket *socket;
	struct file *file;
};

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

static int nr_refs(struct unix_address *addr)
{
	return BPF_CORE_READ(addr, refcnt.refs.counter);
}

/*
 * Who is accepted shares its name with the listener, and with all that it has accepted: unix_stream_connect(). Who has bound
 * itself, by bind(2) or SO_PASSCRED, has one for itself. Where both have, the listener and the others are gone: that
 * may be either side.
 */
static int role_of_unix(struct sock *sk)
{
	struct unix_sock *u = (struct unix_sock *)sk, *peer = (struct unix_sock *)BPF_CORE_READ(u, peer);
	struct unix_address *addr = BPF_CORE_READ(u, addr), *other = peer ? BPF_CORE_READ(peer, addr) : 0;

	if (addr)
		return other && nr_refs(addr) < nr_refs(other) ? ROLE_OUTGOING : ROLE_SERVED;
	return other ? ROLE_OUTGOING : ROLE_NONE;
}

static int is_inet(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return family == AF_INET || family == AF_INET6;
}

/* Its own, also when the client has reset it: skc_num is 0 then. 0: it has none. */
static __u16 port_of(struct sock *sk)
{
	struct inet_sock *inet = (struct inet_sock *)sk;

	return is_inet(sk) ? bpf_ntohs(BPF_CORE_READ(inet, inet_sport)) : 0;
}

/* What was accepted has its listener's backlog, also when nobody listens there any more; one of 0 is rare. */
static int role_of_inet(struct sock *sk)
{
	__u16 port = port_of(sk);

	if (BPF_CORE_READ(sk, sk_max_ack_backlog))
		return ROLE_SERVED;
	return bpf_map_lookup_elem(&listening, &port) ? ROLE_SERVED : ROLE_OUTGOING;
}

/*
 * All programs are attached then, too: what was read before that, behind a write that was seen, is nothing unseen. And
 * without it a connection that was accepted looks like one of the target's own.
 */
static int knows_listening(void)
{
	__u16 all = SOCKET_ALL_PORTS;

	return bpf_map_lookup_elem(&listening, &all) != 0;
}

/* Of a connection that was there before us. */
static int role_of(const struct place *p)
{
	struct sock *sk = sock_of(p);

	if (!is_stream(p) || BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN)
		return ROLE_NONE;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX)
		return role_of_unix(sk);
	return is_inet(sk) ? role_of_inet(sk) : ROLE_NONE;
}

static int is_asked_for(const struct place *p, int role)
{
	return role != ROLE_SERVED || !config.only_port || port_of(sock_of(p)) == config.only_port;
}

/* Of one just made, all zero. */
static void init_conn(struct conn *c, const struct place *p, int role, int is_new)
{
	c->id = p->inode;
	c->role = is_asked_for(p, role) ? role : ROLE_NONE;
	c->is_new = is_new;
	c->limit = c->limit_max = c->limit_out = SOCKET_DATA_USUAL;
}

struct moved_bytes {
	__u64 in, out;
};

/* The end of what comes is among what came, and once it is read, with the last bytes mostly, among that. */
static struct moved_bytes moved_by_tcp(const struct sock *sk)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	__u32 unread = BPF_CORE_READ(tcp, rcv_nxt) - BPF_CORE_READ(tcp, copied_seq);
	int has_read_end = !unread && BPF_CORE_READ(sk, __sk_common.skc_flags) & 1UL << SOCK_DONE;

	return (struct moved_bytes){ BPF_CORE_READ(tcp, bytes_received) - unread - has_read_end,
				     BPF_CORE_READ(tcp, bytes_sent) };
}

/* Where the kernel does not count what was read, what has come stands for it. */
static struct moved_bytes moved_by_mptcp(const struct sock *sk)
{
	const struct mptcp_sock *mptcp = (const struct mptcp_sock *)sk;

	if (bpf_core_field_exists(mptcp->bytes_consumed))
		return (struct moved_bytes){ BPF_CORE_READ(mptcp, bytes_consumed), BPF_CORE_READ(mptcp, bytes_sent) };
	if (bpf_core_field_exists(mptcp->bytes_received))
		return (struct moved_bytes){ BPF_CORE_READ(mptcp, bytes_received), BPF_CORE_READ(mptcp, bytes_sent) };
	return (struct moved_bytes){ ~0ULL, ~0ULL };
}

/*
 * That nothing moved on it before these bytes, as TCP's own counts have it: its first sight is its
 * beginning then, whenever it was accepted.
 */
static int is_untouched(const struct place *p, enum direction direction, __u64 bytes)
{
	struct sock *sk = sock_of(p);
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);
	struct moved_bytes moved;

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX)
		return 0;
	if (protocol == IPPROTO_TCP)
		moved = moved_by_tcp(sk);
	else if (protocol == IPPROTO_MPTCP)
		moved = moved_by_mptcp(sk);
	else
		return 0;
	return direction == DIRECTION_IN ? moved.in == bytes && !moved.out : !moved.in && moved.out <= bytes;
}

/* The listener's, whichever side this is. */
static void fill_unix_name(struct sock *sk, int role, struct socket_name *name)
{
	struct unix_sock *u = (struct unix_sock *)sk;
	struct unix_address *addr;
	int len;

	if (role == ROLE_OUTGOING)
		u = (struct unix_sock *)BPF_CORE_READ(u, peer);
	addr = BPF_CORE_READ(u, addr);
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
static void tell_open(struct telling *t, struct sock *sk)
{
	struct socket_name *name;
	struct batch *b;

	t->conn->is_told = 1;
	/* What it moves before the recording is not told. */
	t->conn->is_new &= is_recording;
	t->kind = SOCKET_OPEN;
	b = begin_mark(t);
	if (!b)
		return;
	name = (struct socket_name *)(mark_at(b, b->len) + 1);
	__builtin_memset(name, 0, sizeof(*name));
	name->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (name->family == AF_UNIX) {
		fill_unix_name(sk, t->conn->role, name);
	} else {
		name->local_port = port_of(sk);
		name->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	}
	end_mark(t->ctx, b, sizeof(*name));
}

#endif
