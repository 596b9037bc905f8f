/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small server to profile, which knows nothing of any profiler. What it does is known in advance,
 * and it keeps books, so that a profile of it can be checked:
 *
 *	/		says hello
 *	/burn?ms=2	CPU: 70 % of its work in burn_f(), 30 % in burn_g(), always the same amount
 *	/fib?n=20	recursion: fib() is called exactly 2 * F(n + 1) - 1 times (21891 for 20)
 *	/json?n=100	builds a document of n objects
 *	/slow?ms=20	takes its time
 *	/user/ID	a number in the path
 *
 * Each of them is served by a function of its own, serve_burn() for /burn.
 *
 *	server --port 8080		a thread for each connection
 *	server --threads 4		a pool: each serves one connection at a time
 *	server --workers 4		the same of processes, forked before there is a connection
 *	server --epoll			one thread for all connections: /slow is a timer
 *
 * Loopback only; port 0 takes a free one. SIGTERM and SIGINT end it; then it says how often each
 * endpoint was asked and how much CPU time its handlers took, answer and all, by the threads' own
 * clocks:
 *
 *	endpoint /burn requests 123 cpu_ns 246123456
 *
 * Built with -DUSDT it marks its calls of handle_request() with probes of provider "example".
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "examples/endpoints.h"
#include "examples/models.h"

struct config {
	unsigned int port, threads, workers;
	bool is_epoll;
};

static bool parse_args(int argc, char **argv, struct config *ret)
{
	static const struct option options[] = { { "port", required_argument, NULL, 'p' },
						 { "threads", required_argument, NULL, 't' },
						 { "workers", required_argument, NULL, 'w' },
						 { "epoll", no_argument, NULL, 'e' },
						 { NULL, 0, NULL, 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned int value = optarg ? (unsigned int)atoi(optarg) : 0;

		if (option == 'p')
			ret->port = value;
		else if (option == 't')
			ret->threads = value;
		else if (option == 'w')
			ret->workers = value;
		else if (option == 'e')
			ret->is_epoll = true;
		else
			return false;
	}
	return optind == argc && ret->port <= 65535;
}

static bool run(const struct config *config, int listen_fd, const sigset_t *stop)
{
	if (config->is_epoll)
		return epoll_run(listen_fd, stop);
	if (config->workers)
		return workers_run(listen_fd, config->workers, stop);
	return threads_run(listen_fd, config->threads, stop);
}

int main(int argc, char **argv)
{
	struct config config = { 0 };
	sigset_t stop;
	int fd;

	if (!parse_args(argc, argv, &config)) {
		fputs("usage: server [--port N] [--threads N | --workers N | --epoll]\n",
		      stderr);
		return 2;
	}
	/* Blocked before there is any thread: all inherit it, and a model takes them when it will. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	fd = http_listen(config.port, &config.port);
	if (fd < 0 || !books_open()) {
		perror("server: 127.0.0.1");
		return 1;
	}
	/* Connections that come before there is anybody to serve them wait. */
	printf("listening on 127.0.0.1:%u\n", config.port);
	fflush(stdout);
	if (!run(&config, fd, &stop)) {
		perror("server");
		return 1;
	}
	books_print();
	return 0;
}
