/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From a descriptor of the current thread to its connection, and who opened that. */
#ifndef COLLECTOR_SOCKET_CONNS_BPF_H
#define COLLECTOR_SOCKET_CONNS_BPF_H

#include "collector/socket_marks.bpf.h"

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

#endif
