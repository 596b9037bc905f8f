/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket mark: a thread of the target read from a connection, wrote to one, or went to wait. As
 * any mark it is in the raw part of a sample of the BPF output event, but of many marks together, each with
 * its own thread and time: the sample is of whoever happened to send them. Which is soon enough that a mark
 * is never more than two rounds of the recording behind its time (PERF_RECORD_FINISHED_ROUND). The BPF program
 * writes this struct, so it includes nothing but integer types.
 *
 *	struct socket_mark (64 bytes) | room bytes, the first len of them read or written | the next one ...
 *
 * What requests their bytes are is for the report to find out; here stands who moved how many,
 * when. Reads that say nothing new make no mark of their own: their bytes come with the next one of
 * the same connection, as more_in_bytes, and happened before it.
 */
#ifndef RECORDING_SOCKET_MARK_H
#define RECORDING_SOCKET_MARK_H

#define SOCKET_MARK_MAGIC 0x324b5357U	/* "WSK2" */

enum socket_mark_kind {
	/* The first mark of a connection; its bytes are a struct socket_name. */
	SOCKET_OPEN = 1,
	SOCKET_IN = 2,		/* the server read */
	SOCKET_OUT = 3,		/* the server wrote */
	SOCKET_WAIT = 4,	/* the thread waits for something new, or ends; conn is 0 */
	SOCKET_CLOSE = 5,	/* the last descriptor of it */
	SOCKET_LOST = 6,	/* from here on marks are missing; conn is 0 */
	/*
	 * The thread wakes another one that neither reads nor answers: conn is that one's tid, and bytes its on-CPU
	 * time. From there on that one does work for the thread, or goes on with what it did before it slept.
	 */
	SOCKET_HANDED = 7,
	SOCKET_RESUMED = 8,
	SOCKET_IDLE = 9,	/* a thread that was handed work, or resumed, waits to be woken, or ends; conn is 0 */
	SOCKET_RETURNED = 10,	/* it wakes a thread that reads or answers, and waited; conn as above */
};

enum socket_mark_flags {
	SOCKET_IS_OUTGOING = 1,	/* the target connected; else it accepted */
	SOCKET_IS_NEW = 2,	/* known since its accept(2) or connect(2): nothing came before */
	SOCKET_IS_ANSWER = 8,	/* the first bytes out after bytes in, or at all */
	SOCKET_IS_LEFT = 16,	/* a SOCKET_CLOSE: the thread is done with what it did; where no wait may be seen */
	SOCKET_IS_HTTP = 32,	/* its requests count if they are HTTP's; else whatever they are */
	SOCKET_DATA_LOST = 4,	/* the bytes could not be read, or no buffer was free: len is 0 */
};

/* Most bytes that travel with one mark. */
#define SOCKET_DATA_MAX 4096

struct socket_mark {
	unsigned int magic;
	unsigned short kind;			/* enum socket_mark_kind */
	unsigned short flags;			/* enum socket_mark_flags */
	unsigned long long conn;		/* inode of the socket: another one's after 2^32 more (Linux: get_next_ino()) */
	unsigned long long bytes;		/* that this read or write moved */
	unsigned long long cpu_ns;		/* on-CPU time of the thread, since an arbitrary moment */
	unsigned long long ns;			/* when, on the recording's clock */
	unsigned long long more_in_bytes;
	unsigned int pid, tid;
	unsigned int len;			/* of the bytes that follow, */
	unsigned int room;			/* and what they take up, with what is between them and the next mark */
};

#define SOCKET_PATH_MAX 108

struct socket_name {
	unsigned short family;			/* AF_INET, AF_INET6, AF_UNIX */
	unsigned short local_port, peer_port;	/* host order */
	unsigned short path_len;		/* AF_UNIX: of the listener's name, bytes; 0: it has none */
	/* As in sun_path: an abstract one begins with a NUL. */
	char path[SOCKET_PATH_MAX];
};

#endif
