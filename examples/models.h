/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways to serve a listening socket. Each returns when one of the signals in `stop` comes, which are
 * blocked when it is called; false: it could not begin, and errno says why.
 */
#ifndef EXAMPLES_MODELS_H
#define EXAMPLES_MODELS_H

#include <signal.h>
#include <stdbool.h>

/* nr threads, each with one connection at a time; 0: a thread for each connection. */
bool threads_run(int listen_fd, unsigned int nr, const sigset_t *stop);
/* nr processes, each with one connection at a time. */
bool workers_run(int listen_fd, unsigned int nr, const sigset_t *stop);
/* One thread with all connections. */
bool epoll_run(int listen_fd, const sigset_t *stop);

/* What a thread of a pool and a worker do: one connection after the other. */
_Noreturn void serve_one_by_one(int listen_fd);

#endif
