/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of HTTP that uses every system call there is for reading, writing and waiting, one connection at a
 * time. Request number k, from 0 on, is waited for by way k % 7, read by way k % 10 and answered by way k % 9.
 *
 *	e2e_syscalls tcp | tcp6 | unix PATH | unix @NAME
 *
 * Says the names of its ways, and "listening on PORT" ("listening on 0" of a Unix socket).
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEAD "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
#define BODY "hello\n"
enum { HEAD_LEN = sizeof(HEAD) - 1, BODY_LEN = sizeof(BODY) - 1, IN_MAX = 4096, NR_PIECES = 20 };

static char in[IN_MAX];
static int body_fd, pipe_fds[2];

/* ---- waiting ---- */

static int epoll_of(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll_fd = epoll_create1(0);

	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
	return epoll_fd;
}

static void wait_epoll(int fd)
{
	struct epoll_event event;
	int epoll_fd = epoll_of(fd);

	syscall(SYS_epoll_wait, epoll_fd, &event, 1, -1);
	close(epoll_fd);
}

static void wait_epoll_pwait(int fd)
{
	struct epoll_event event;
	int epoll_fd = epoll_of(fd);

	syscall(SYS_epoll_pwait, epoll_fd, &event, 1, -1, NULL, 0);
	close(epoll_fd);
}

static void wait_poll(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	syscall(SYS_poll, &p, 1, -1);
}

static void wait_ppoll(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	ppoll(&p, 1, NULL, NULL);
}

static void wait_select(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	syscall(SYS_select, fd + 1, &set, NULL, NULL, NULL);
}

static void wait_pselect(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	pselect(fd + 1, &set, NULL, NULL, NULL, NULL);
}

static void wait_not(int fd)
{
	(void)fd;
}

/* ---- reading ---- */

static ssize_t in_read(int fd)
{
	return read(fd, in, IN_MAX);
}

/* Not one of the pieces has the whole of the request line. */
static const struct iovec *pieces(void)
{
	static struct iovec iov[4] = { { in, 2 }, { in + 2, 0 }, { in + 2, 7 }, { in + 9, IN_MAX - 9 } };

	return iov;
}

static ssize_t in_readv(int fd)
{
	return readv(fd, pieces(), 4);
}

/* As read(2) where the offset is -1. */
static ssize_t in_preadv2(int fd)
{
	return preadv2(fd, pieces(), 4, -1, 0);
}

static ssize_t in_recv(int fd)
{
	return recv(fd, in, IN_MAX, 0);
}

static ssize_t in_recvfrom(int fd)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);

	return recvfrom(fd, in, IN_MAX, 0, (struct sockaddr *)&from, &len);
}

static struct msghdr message(const struct iovec *iov, size_t nr)
{
	return (struct msghdr){ .msg_iov = (struct iovec *)iov, .msg_iovlen = nr };
}

static ssize_t in_recvmsg(int fd)
{
	struct msghdr m = message(pieces(), 4);

	return recvmsg(fd, &m, 0);
}

static ssize_t in_recvmmsg(int fd)
{
	struct mmsghdr m[2] = { { message(pieces(), 4), 0 }, { message(pieces(), 4), 0 } };

	return recvmmsg(fd, m, 2, MSG_WAITFORONE, NULL) >= 1 ? m[0].msg_len : 0;
}

/* What was looked at is not read. */
static ssize_t in_peek(int fd)
{
	return recv(fd, in, IN_MAX, MSG_PEEK) > 0 ? read(fd, in, IN_MAX) : 0;
}

static ssize_t in_dup(int fd)
{
	int other = dup(fd);
	ssize_t n = read(other, in, IN_MAX);

	close(other);
	return n;
}

static ssize_t in_bytes(int fd)
{
	ssize_t n = 0;

	while (n < IN_MAX && read(fd, in + n, 1) == 1) {
		n++;
		if (n >= 4 && !memcmp(in + n - 4, "\r\n\r\n", 4))
			break;
	}
	return n;
}

/* ---- answering ---- */

static const struct iovec answer[3] = { { HEAD, 7 }, { &HEAD[7], HEAD_LEN - 7 }, { BODY, BODY_LEN } };

static void out_write(int fd)
{
	if (write(fd, HEAD BODY, HEAD_LEN + BODY_LEN) < 0)
		abort();
}

/* The status line byte by byte, as who puts an answer together from many strings may have it. */
static void out_writev(int fd)
{
	struct iovec bytes[NR_PIECES + 2];
	int i;

	for (i = 0; i < NR_PIECES; i++)
		bytes[i] = (struct iovec){ &HEAD[i], 1 };
	bytes[i++] = (struct iovec){ &HEAD[NR_PIECES], HEAD_LEN - NR_PIECES };
	bytes[i++] = (struct iovec){ BODY, BODY_LEN };
	if (writev(fd, bytes, i) < 0)
		abort();
}

static void out_pwritev2(int fd)
{
	if (pwritev2(fd, answer, 3, -1, 0) < 0)
		abort();
}

static void out_send(int fd)
{
	send(fd, HEAD, HEAD_LEN, MSG_MORE);
	send(fd, BODY, BODY_LEN, 0);
}

static void out_sendmsg(int fd)
{
	const struct msghdr m = message(answer, 3);

	sendmsg(fd, &m, 0);
}

/* The status is in the second one. */
static void out_sendmmsg(int fd)
{
	struct mmsghdr m[2] = { { message(answer, 1), 0 }, { message(answer + 1, 2), 0 } };

	sendmmsg(fd, m, 2, 0);
}

static void out_sendfile(int fd)
{
	off_t off = 0;

	send(fd, HEAD, HEAD_LEN, MSG_MORE);
	sendfile(fd, body_fd, &off, BODY_LEN);
}

static void out_splice(int fd)
{
	send(fd, HEAD, HEAD_LEN, MSG_MORE);
	if (write(pipe_fds[1], BODY, BODY_LEN) != BODY_LEN)
		abort();
	splice(pipe_fds[0], NULL, fd, NULL, BODY_LEN, 0);
}

static void out_dup(int fd)
{
	int other = dup2(fd, 100);

	out_write(other);
	close(other);
}

/* ---- the server ---- */

static const struct { const char *name; void (*wait)(int fd); } waits[7] = {
	{ "epoll_wait", wait_epoll }, { "epoll_pwait", wait_epoll_pwait }, { "poll", wait_poll },
	{ "ppoll", wait_ppoll },      { "select", wait_select },	   { "pselect", wait_pselect },
	{ "none", wait_not },
};
static const struct { const char *name; ssize_t (*read)(int fd); } reads[10] = {
	{ "read", in_read },	   { "readv", in_readv },	{ "recv", in_recv },
	{ "recvfrom", in_recvfrom }, { "recvmsg", in_recvmsg }, { "recvmmsg", in_recvmmsg },
	{ "peek", in_peek },	   { "dup", in_dup },		{ "bytes", in_bytes },
	{ "preadv2", in_preadv2 },
};
static const struct { const char *name; void (*write)(int fd); } writes[9] = {
	{ "write", out_write },	      { "writev", out_writev },	    { "send", out_send },
	{ "sendmsg", out_sendmsg },   { "sendmmsg", out_sendmmsg }, { "sendfile", out_sendfile },
	{ "splice", out_splice },     { "dup2", out_dup },
	{ "pwritev2", out_pwritev2 },
};

static void say_ways(void)
{
	size_t i;

	printf("waits");
	for (i = 0; i < 7; i++)
		printf(" %s", waits[i].name);
	printf("\nreads");
	for (i = 0; i < 10; i++)
		printf(" %s", reads[i].name);
	printf("\nwrites");
	for (i = 0; i < 9; i++)
		printf(" %s", writes[i].name);
	printf("\n");
}

static int listen_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(addr.sun_path, path, strlen(path));
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	bind(fd, (struct sockaddr *)&addr, (socklen_t)(sizeof(addr.sun_family) + strlen(path)));
	return fd;
}

static int listen_tcp(int family, in_port_t *ret_port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *addr = family == AF_INET ? (void *)&four : (void *)&six;
	socklen_t len = family == AF_INET ? sizeof(four) : sizeof(six);
	int fd = socket(family, SOCK_STREAM, 0);

	bind(fd, addr, len);
	getsockname(fd, addr, &len);
	*ret_port = ntohs(family == AF_INET ? four.sin_port : six.sin6_port);
	return fd;
}

static void serve(int fd, unsigned int *k)
{
	for (;; (*k)++) {
		waits[*k % 7].wait(fd);
		if (reads[*k % 10].read(fd) <= 0)
			return;
		writes[*k % 9].write(fd);
	}
}

int main(int argc, char **argv)
{
	in_port_t port = 0;
	unsigned int k = 0, nr;
	int fd;

	if (argc == 3)
		fd = listen_unix(argv[2]);
	else
		fd = listen_tcp(argc == 2 && !strcmp(argv[1], "tcp6") ? AF_INET6 : AF_INET, &port);
	body_fd = memfd_create("body", 0);
	if (listen(fd, 10) || pipe(pipe_fds) || write(body_fd, BODY, BODY_LEN) != BODY_LEN)
		return 1;
	say_ways();
	printf("listening on %u\n", port);
	fflush(stdout);
	for (nr = 0;; nr++) {
		int conn = nr % 2 ? accept(fd, NULL, NULL) : accept4(fd, NULL, NULL, SOCK_CLOEXEC), yes = 1;

		setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		serve(conn, &k);
		shutdown(conn, SHUT_WR);
		close(conn);
	}
}
