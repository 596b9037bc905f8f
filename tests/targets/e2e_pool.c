/* SPDX-License-Identifier: Apache-2.0 */
/*
 * e2e_pool WAY [PORT]: an HTTP server whose requests are read by one thread and worked on by another.
 *
 *	workers		one thread reads, the others take requests from its queue, work on them and answer
 *	fresh		one thread reads, and makes a new one for each request, which works on it and answers
 *	alike		all of them read, and put what they read at the end of a queue that all of them take from
 *			(as Boost.Asio's threads do)
 *
 * In the middle of the work on each request a worker asks a server on PORT, if there is one: a byte for a byte.
 *
 * It says "port PORT". /alpha is worked on in work_on_alpha(), /beta in work_on_beta(), twice as long.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NR_THREADS = 3, NR_CONNS = 256, HEAD_MAX = 1024, ROUNDS = 150000 };

struct conn {
	int fd;
	char head[HEAD_MAX];
	struct conn *next;
};

static volatile long sink;
static int epoll_fd, listen_fd, is_fresh, peer_port;
static _Thread_local int peer_fd;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_asked = PTHREAD_COND_INITIALIZER;
static struct conn *first, **last = &first;

/* ---- the queue ---- */

static void put(struct conn *c)
{
	pthread_mutex_lock(&lock);
	c->next = NULL;
	*last = c;
	last = &c->next;
	pthread_cond_signal(&is_asked);
	pthread_mutex_unlock(&lock);
}

/* NULL: there is none, and nobody is to wait for one. */
static struct conn *take(int waits)
{
	struct conn *c;

	pthread_mutex_lock(&lock);
	while (!first && waits)
		pthread_cond_wait(&is_asked, &lock);
	c = first;
	if (c)
		first = c->next;
	if (!first)
		last = &first;
	pthread_mutex_unlock(&lock);
	return c;
}

/* ---- requests ---- */

static void watch(struct conn *c, int op)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.ptr = c };

	epoll_ctl(epoll_fd, op, c ? c->fd : listen_fd, &event);
}

__attribute__((noinline)) static void work_on_alpha(void)
{
	long i;

	for (i = 0; i < ROUNDS; i++)
		sink += i;
}

__attribute__((noinline)) static void work_on_beta(void)
{
	long i;

	for (i = 0; i < 2 * ROUNDS; i++)
		sink += i;
}

static void ask_peer(void)
{
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_port = htons(peer_port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char byte = 0;

	if (!peer_fd) {
		peer_fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(peer_fd, (struct sockaddr *)&where, sizeof(where)))
			abort();
	}
	if (write(peer_fd, &byte, 1) != 1 || read(peer_fd, &byte, 1) != 1)
		abort();
}

static void work_for(const char *head)
{
	if (strstr(head, "/alpha"))
		work_on_alpha();
	else
		work_on_beta();
}

static void work_on(struct conn *c)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

	work_for(c->head);
	if (peer_port) {
		ask_peer();
		work_for(c->head);
	}
	if (write(c->fd, answer, sizeof(answer) - 1) < 0)
		abort();
	watch(c, EPOLL_CTL_MOD);
}

static void accept_one(void)
{
	struct conn *c = calloc(1, sizeof(*c));

	c->fd = accept(listen_fd, NULL, NULL);
	watch(c, EPOLL_CTL_ADD);
	watch(NULL, EPOLL_CTL_MOD);
}

static void *run_fresh(void *c)
{
	work_on(c);
	if (peer_fd)
		close(peer_fd);
	return NULL;
}

static void make_thread(struct conn *c)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_fresh, c))
		abort();
	pthread_detach(thread);
}

static void read_from(struct conn *c)
{
	ssize_t nr = read(c->fd, c->head, HEAD_MAX - 1);

	if (nr <= 0) {
		close(c->fd);
		free(c);
		return;
	}
	c->head[nr] = '\0';
	if (is_fresh)
		make_thread(c);
	else
		put(c);
}

static void poll_once(int timeout_ms)
{
	struct epoll_event event;

	if (epoll_wait(epoll_fd, &event, 1, timeout_ms) != 1)
		return;
	if (event.data.ptr)
		read_from(event.data.ptr);
	else
		accept_one();
}

/* ---- threads ---- */

static void *run_worker(void *arg)
{
	for (;;)
		work_on(take(1));
	return arg;
}

static void *run_alike(void *arg)
{
	for (;;) {
		struct conn *c = take(0);

		/* Who has something to do looks, and goes on; who has not waits. */
		poll_once(c ? 0 : 5);
		if (c)
			work_on(c);
	}
	return arg;
}

int main(int argc, char **argv)
{
	int is_alike = argc >= 2 && !strcmp(argv[1], "alike"), i;
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(where);
	pthread_t thread;

	is_fresh = argc >= 2 && !strcmp(argv[1], "fresh");
	peer_port = argc == 3 ? atoi(argv[2]) : 0;
	listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	epoll_fd = epoll_create1(0);
	if (bind(listen_fd, (struct sockaddr *)&where, len) || listen(listen_fd, NR_CONNS) ||
	    getsockname(listen_fd, (struct sockaddr *)&where, &len)) {
		perror("e2e_pool");
		return 1;
	}
	watch(NULL, EPOLL_CTL_ADD);
	for (i = 0; i < NR_THREADS; i++)
		if (pthread_create(&thread, NULL, is_alike ? run_alike : run_worker, NULL))
			abort();
	printf("port %d\n", ntohs(where.sin_port));
	fflush(stdout);
	for (;;)
		if (is_alike)
			pause();
		else
			poll_once(-1);
}
