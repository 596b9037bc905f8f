/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs that watch sockets and marker_socket.c share. Plain integer types only: BPF includes it. */
#ifndef COLLECTOR_SOCKET_H
#define COLLECTOR_SOCKET_H

#include "collector/follow.h"
#include "recording/socket_mark.h"

/* Numbers of system calls beyond are none of ours (x86-64 and arm64 have less than 470). */
#define SOCKET_MAX_SYSCALLS 512
/* Connections that are told apart at a time, where system calls are watched; those used least recently make room. */
#define SOCKET_MAX_CONNS 65536
#define SOCKET_MAX_PORTS 4096
/* No port: it stands among those on which somebody listens when they are complete. */
#define SOCKET_ALL_PORTS 0
/* Of a transfer's bytes travel so many where that will do, else up to SOCKET_DATA_MAX. */
#define SOCKET_DATA_USUAL 256
/* A CPU's: marks are made at the same moment by threads that preempted each other. */
#define SOCKET_BATCHES_PER_CPU 4
/* A batch that has so many bytes of marks is sent. A power of two. */
#define SOCKET_BATCH_BYTES 8192

/* What a system call does with its descriptor, as far as we look at it. */
enum socket_call {
	CALL_OTHER,
	CALL_READ,		/* fd, buffer */
	CALL_READV,		/* fd, iovec, count */
	CALL_RECV,		/* fd, buffer, length, flags */
	CALL_RECVMSG,		/* fd, msghdr, flags */
	CALL_RECVMMSG,		/* fd, mmsghdr, count, flags */
	CALL_WRITE,
	CALL_WRITEV,
	CALL_SENDMSG,
	CALL_SENDMMSG,
	CALL_SENDFILE,		/* to fd */
	CALL_SPLICE,		/* from fd, offset, to fd */
	CALL_ACCEPT,		/* fd; returns the new one */
	CALL_CONNECT,
	CALL_CLOSE,
	/* For any of several descriptors. By where the timeout is: in ms, */
	CALL_EPOLL,		/* the fourth argument */
	CALL_POLL,		/* the third */
	/* or behind a pointer, two words; NULL: for ever */
	CALL_EPOLL_2,		/* the fourth */
	CALL_PPOLL,		/* the third */
	CALL_SELECT,		/* the fifth */
	CALL_IO_URING,
	CALL_FUTEX,		/* word, operation, value, timeout behind a pointer */
	CALL_SHUTDOWN,		/* fd, how */
	CALL_DUP,		/* fd, the one that is closed before */
	CALL_CLOSE_RANGE,	/* the first fd, the last one, flags */
	CALL_IO_SUBMIT,		/* context, count, pointers to iocbs */
	NR_SOCKET_CALLS,
};

/* Constants of the loaded program. */
struct socket_config {
	unsigned char call_of[SOCKET_MAX_SYSCALLS];	/* enum socket_call, by number */
	unsigned int only_port;		/* connections accepted on this one alone; 0: on all */
	unsigned int is_http;		/* of these, the requests of HTTP alone */
	unsigned long long realtime_ns;	/* how far CLOCK_REALTIME is ahead of CLOCK_MONOTONIC */
};

struct socket_counts {
	unsigned long long nr_begins;	/* exchanges: inbound bytes after outbound ones */
	unsigned long long nr_ends;	/* outbound bytes after inbound ones */
	unsigned long long nr_late;	/* of them: by a thread whose last mark was not for what it answers */
	unsigned long long nr_unsent;	/* marks that found no room in a ring, or could not be made */
	unsigned long long nr_threads;	/* that processes of the target made */
	unsigned long long nr_calls_unseen;	/* that may move bytes which no mark tells of, or transfers by such */
	unsigned long long nr_threads_32_bit;	/* whose calls have other numbers and arguments: they are not looked at */
	unsigned long long nr_ends_unseen;	/* accepted connections that end at no tracepoint */
};

/* What there is of each CPU: together, since a transfer needs both. */
struct socket_cpu {
	struct socket_counts counts;
	unsigned long long ahead_ns;	/* our clock, of the scheduler's */
};

#endif
