/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread turns from connection to connection, and blocks nowhere but in epoll_wait(2). A client
 * is in one of three states, and epoll asks for what ends it:
 *
 *	its answer takes time	a timer; nothing is read meanwhile
 *	an answer is not sent	EPOLLOUT
 *	a request is not here	EPOLLIN
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "examples/endpoints.h"
#include "examples/models.h"

enum { MAX_EVENTS = 64, NS_PER_MS = 1000000 };

struct client {
	struct http_conn conn;	/* first: who is given the one has the other */
	struct loop *loop;
	uint32_t events;	/* that epoll waits for */
	void (*then)(struct http_conn *conn);	/* NULL: it is not among loop->waiting */
	uint64_t due_ns;
	struct client *next;
};

struct loop {
	int epoll_fd;
	struct client *waiting;	/* the first that is due comes first */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 * NS_PER_MS + (uint64_t)t.tv_nsec;
}

/* ---- timers ---- */

static void wait_first(struct http_conn *conn, unsigned int ms, void (*then)(struct http_conn *))
{
	struct client *c = (struct client *)conn, **at = &c->loop->waiting;

	c->then = then;
	c->due_ns = now_ns() + (uint64_t)ms * NS_PER_MS;
	while (*at && (*at)->due_ns <= c->due_ns)
		at = &(*at)->next;
	c->next = *at;
	*at = c;
}

static void stop_waiting(struct client *c)
{
	struct client **at = &c->loop->waiting;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->then = NULL;
}

/* For epoll_wait(): -1 is for ever; rounded up, since too early would be in vain. */
static int ms_to_first(const struct loop *loop)
{
	uint64_t now = now_ns();

	if (!loop->waiting)
		return -1;
	if (loop->waiting->due_ns <= now)
		return 0;
	return (int)((loop->waiting->due_ns - now + NS_PER_MS - 1) / NS_PER_MS);
}

/* ---- clients ---- */

static void drop_client(struct client *c)
{
	if (c->then)
		stop_waiting(c);
	close(c->conn.fd);
	free(c);
}

static void add_client(struct loop *loop, int fd)
{
	struct client *c = malloc(sizeof(*c));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	if (!c || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		free(c);
		close(fd);
		return;
	}
	http_init(&c->conn, fd);
	c->conn.after = wait_first;
	c->loop = loop;
	c->events = EPOLLIN;
	c->then = NULL;
}

static void accept_clients(struct loop *loop, int listen_fd)
{
	int fd;

	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		add_client(loop, fd);
}

static bool wait_for(struct client *c, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	if (events == c->events)
		return true;
	c->events = events;
	return !epoll_ctl(c->loop->epoll_fd, EPOLL_CTL_MOD, c->conn.fd, &event);
}

/* As far as it goes without waiting. False: the connection is over. */
static bool go_on(struct client *c)
{
	int got = 0;

	while (got >= 0) {
		if (c->then)
			return wait_for(c, 0);
		if (!http_flush(&c->conn))
			return wait_for(c, EPOLLOUT);
		if (!c->conn.keep_alive)
			return false;
		got = http_next(&c->conn);
		if (got == 1) {
			endpoint_serve(&c->conn);
			continue;
		}
		if (got == 0)
			got = http_fill(&c->conn);
		if (got == 0)
			return wait_for(c, EPOLLIN);
	}
	return false;
}

/* A client that waits for a timer has an event only when it is gone: nothing else was asked for. */
static void take_event(struct client *c)
{
	if (c->then || !go_on(c))
		drop_client(c);
}

static void answer_those_due(struct loop *loop)
{
	uint64_t now = now_ns();

	while (loop->waiting && loop->waiting->due_ns <= now) {
		struct client *c = loop->waiting;
		void (*then)(struct http_conn *conn) = c->then;

		stop_waiting(c);
		endpoint_resume(&c->conn, then);
		if (!go_on(c))
			drop_client(c);
	}
}

/* ---- the loop ---- */

/* What is no client is known by its address: of the descriptor. */
static bool watch(struct loop *loop, const int *fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = (void *)fd };

	return *fd >= 0 && !epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, *fd, &event);
}

static void turn_until_stop(struct loop *loop, const int *listen_fd, const int *stop_fd)
{
	struct epoll_event events[MAX_EVENTS];
	bool is_over = false;

	while (!is_over) {
		int nr = epoll_wait(loop->epoll_fd, events, MAX_EVENTS, ms_to_first(loop)), i;

		for (i = 0; i < nr; i++) {
			if (events[i].data.ptr == stop_fd)
				is_over = true;
			else if (events[i].data.ptr == listen_fd)
				accept_clients(loop, *listen_fd);
			else
				take_event(events[i].data.ptr);
		}
		answer_those_due(loop);
	}
}

bool epoll_run(int listen_fd, const sigset_t *stop)
{
	struct loop loop = { .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	int stop_fd = signalfd(-1, stop, SFD_CLOEXEC);

	if (loop.epoll_fd < 0 || fcntl(listen_fd, F_SETFL, O_NONBLOCK) ||
	    !watch(&loop, &listen_fd) || !watch(&loop, &stop_fd))
		return false;
	turn_until_stop(&loop, &listen_fd, &stop_fd);
	return true;
}
