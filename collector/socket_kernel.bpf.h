/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel's structs and constants, as far as the programs that watch sockets read them. */
#ifndef COLLECTOR_SOCKET_KERNEL_BPF_H
#define COLLECTOR_SOCKET_KERNEL_BPF_H

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
	IPPROTO_TCP = 6,
	IPPROTO_MPTCP = 262,
	TCP_SYN_SENT = 2,
	TCP_FIN_WAIT1 = 4,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	S_IFMT = 0170000,
	S_IFSOCK = 0140000,
	SOCK_DONE = 1,		/* a bit's number: the other side's FIN has come */
	SHUT_RD = 0,
	USER32_CS = 0x23,	/* the segment of 32-bit programs' code */
	TS_COMPAT = 2,		/* x86: in a system call of theirs */
	MSG_OOB = 1,
	MSG_PEEK = 2,
	MSG_ERRQUEUE = 0x2000,
	/* Takes nothing from the stream. */
	MSG_BESIDE = MSG_OOB | MSG_PEEK | MSG_ERRQUEUE,
	TLS_HANDSHAKE = 0x16,
	TLS_DATA = 0x17,
	TLS_MAJOR = 3,
	MAX_IOVECS = 32,
	MAX_MESSAGES = 8,
	MSGHDR_BYTES = 56,
	MMSGHDR_BYTES = 64,
	/* Of a request with a body: its head, which says how long that is. */
	HEAD_BYTES = 1024,
	/* Of one behind what was not looked at. */
	TAIL_BYTES = 1024,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long di, si, dx, r10, r8, orig_ax;
	unsigned short cs;
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

struct thread_info {
	unsigned int status;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;	/* 0: it is on a CPU, or could be */
	void *stack;
	unsigned int pid, tgid;	/* of the first namespace, as everybody has them */
	struct files_struct *files;
	struct sched_entity se;
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	__be16 skc_dport;
	unsigned long skc_flags;
};

struct socket {
	short type;
	struct file *file;
	struct sock *sk;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	unsigned short sk_protocol;
	unsigned int sk_max_ack_backlog;	/* a listener's, of which who is accepted is a copy; else 0 */
};

struct inet_sock {
	__be16 inet_sport;
};

struct tcp_sock {
	__u32 rcv_nxt, copied_seq;	/* of the bytes that came, and of those that were read */
	__u32 urg_seq;			/* of the last one that came out of band */
	__u64 bytes_received, bytes_sent;
};

struct mptcp_sock {
	__u64 bytes_received, bytes_consumed, bytes_sent;
};

struct sockaddr_un {
	char sun_path[SOCKET_PATH_MAX];
};

struct refcount {
	struct {
		int counter;
	} refs;
};

struct unix_address {
	struct refcount refcnt;
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

#pragma clang attribute pop

#endif
