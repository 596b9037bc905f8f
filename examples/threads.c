/* SPDX-License-Identifier: Apache-2.0 */
/* A thread blocks in whatever it waits for: its connection, and the time that an answer takes. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "examples/endpoints.h"
#include "examples/models.h"

static void sleep_first(struct http_conn *conn, unsigned int ms, void (*then)(struct http_conn *))
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
	then(conn);
}

static void serve_connection(int fd)
{
	/* Its buffers are large for a stack. */
	struct http_conn *conn = malloc(sizeof(*conn));
	int got = 0;

	if (conn) {
		http_init(conn, fd);
		conn->after = sleep_first;
	}
	while (conn && conn->keep_alive && got >= 0) {
		got = http_next(conn);
		if (got == 1)
			endpoint_serve(conn);
		else if (got == 0)
			got = http_fill(conn);
	}
	free(conn);
	close(fd);
}

_Noreturn void serve_one_by_one(int listen_fd)
{
	for (;;) {
		int fd = accept(listen_fd, NULL, NULL);

		if (fd >= 0)
			serve_connection(fd);
	}
}

static void *connection_main(void *arg)
{
	serve_connection((int)(intptr_t)arg);
	return NULL;
}

static void *pool_main(void *arg)
{
	serve_one_by_one((int)(intptr_t)arg);
}

static bool start_thread(void *(*run)(void *), int fd)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run, (void *)(intptr_t)fd);
	return !errno && !pthread_detach(thread);
}

static void *acceptor_main(void *arg)
{
	for (;;) {
		int fd = accept((int)(intptr_t)arg, NULL, NULL);

		if (fd >= 0 && !start_thread(connection_main, fd))
			close(fd);
	}
	return NULL;
}

bool threads_run(int listen_fd, unsigned int nr, const sigset_t *stop)
{
	unsigned int i;
	int signal;

	for (i = 0; i < (nr ? nr : 1); i++)
		if (!start_thread(nr ? pool_main : acceptor_main, listen_fd))
			return false;
	sigwait(stop, &signal);
	return true;
}
