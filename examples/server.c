/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small server to profile: plain POSIX threads, and it knows nothing of any profiler. What it
 * does is known in advance, and it keeps books, so that a profile of it can be checked:
 *
 *	/		says hello
 *	/burn?ms=2	CPU: 70 % of its work in burn_f(), 30 % in burn_g(), always the same amount
 *	/fib?n=20	recursion: fib() is called exactly 2 * F(n + 1) - 1 times (21891 for 20)
 *	/json?n=100	builds a document of n objects
 *	/slow?ms=20	sleeps
 *	/user/ID	a number in the path
 *
 *	server --port 8080 --threads 4		loopback only; port 0 takes a free one
 *
 * --threads 0 (the default) starts a thread for each connection; N is a pool of N, each of which
 * serves one connection at a time. SIGTERM and SIGINT end it; then it says how often each endpoint
 * was asked and how much CPU time its handlers took, by the threads' own clocks:
 *
 *	endpoint /burn requests 123 cpu_ns 246123456
 *
 * Built with -DUSDT it marks its requests with probes of provider "example".
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "examples/http.h"

#ifdef USDT
#include <sys/sdt.h>
#define REQUEST_BEGIN(path) DTRACE_PROBE1(example, request__begin, path)
#define REQUEST_END() DTRACE_PROBE(example, request__end)
#else
#define REQUEST_BEGIN(path)
#define REQUEST_END()
#endif

/* One round is a multiply and an add in a chain, 1.1 ns on the reference machine: 1 ms in all. */
#define ROUNDS_PER_MS_TENTH 90000

/* Functions that must be there, under their own names, in a profile. */
#define VISIBLE __attribute__((noinline, noclone))

void handle_request(const char *path, struct http_conn *conn);

/* Constants of their own keep the compiler from making one function of the two. */
VISIBLE static uint64_t burn_f(uint64_t x, uint64_t rounds)
{
	while (rounds--)
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
	return x;
}

VISIBLE static uint64_t burn_g(uint64_t x, uint64_t rounds)
{
	while (rounds--)
		x = x * 3202034522624059733ULL + 3037000493ULL;
	return x;
}

/* The empty asm keeps the sum from becoming a loop: every call stays a call. */
VISIBLE static unsigned int fib(unsigned int n)
{
	unsigned int sum = n;

	if (n >= 2)
		sum = fib(n - 1) + fib(n - 2);
	__asm__ volatile("" : "+r"(sum));
	return sum;
}

static void respond_text(struct http_conn *conn, int status, const char *text)
{
	http_respond(conn, status, "text/plain", text, strlen(text));
}

static void serve_root(const char *path, struct http_conn *conn)
{
	(void)path;
	respond_text(conn, 200, "hello\n");
}

static void serve_burn(const char *path, struct http_conn *conn)
{
	uint64_t ms = http_query(path, "ms", 2, 10000), x = 1;
	char text[64];

	/* Not 0.7 ms and 0.3 ms in turn: a sampler of 1 ms would meet the same one again and again. */
	x = burn_f(x, ms * 7 * ROUNDS_PER_MS_TENTH);
	x = burn_g(x, ms * 3 * ROUNDS_PER_MS_TENTH);
	snprintf(text, sizeof(text), "%016llx\n", (unsigned long long)x);
	respond_text(conn, 200, text);
}

static void serve_fib(const char *path, struct http_conn *conn)
{
	char text[32];

	snprintf(text, sizeof(text), "%u\n", fib(http_query(path, "n", 20, 35)));
	respond_text(conn, 200, text);
}

VISIBLE static size_t build_json(char *out, size_t size, unsigned int nr)
{
	size_t len = 0;
	unsigned int i;

	len += (size_t)snprintf(out, size, "[");
	for (i = 0; i < nr && len + 80 < size; i++)
		len += (size_t)snprintf(out + len, size - len,
					"%s{\"id\": %u, \"name\": \"item %u\", \"price\": %.2f}",
					i ? ", " : "", i, i, i * 1.25);
	len += (size_t)snprintf(out + len, size - len, "]\n");
	return len;
}

static void serve_json(const char *path, struct http_conn *conn)
{
	char out[32768];
	size_t len = build_json(out, sizeof(out), http_query(path, "n", 100, 400));

	http_respond(conn, 200, "application/json", out, len);
}

static void serve_slow(const char *path, struct http_conn *conn)
{
	unsigned int ms = http_query(path, "ms", 20, 60000);
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
	respond_text(conn, 200, "at last\n");
}

static void serve_user(const char *path, struct http_conn *conn)
{
	char text[64];

	snprintf(text, sizeof(text), "user %u\n", (unsigned int)atoi(path + strlen("/user/")));
	respond_text(conn, 200, text);
}

static void serve_nothing(const char *path, struct http_conn *conn)
{
	(void)path;
	respond_text(conn, 404, "no such page\n");
}

static struct endpoint {
	const char *name;
	const char *prefix;	/* of the path; NULL: the name is the whole path */
	void (*serve)(const char *path, struct http_conn *conn);
	atomic_ullong nr_requests, cpu_ns;
} endpoints[] = {
	{ .name = "/", .serve = serve_root },
	{ .name = "/burn", .serve = serve_burn },
	{ .name = "/fib", .serve = serve_fib },
	{ .name = "/json", .serve = serve_json },
	{ .name = "/slow", .serve = serve_slow },
	{ .name = "/user/{id}", .prefix = "/user/", .serve = serve_user },
	{ .name = "(other)", .prefix = "", .serve = serve_nothing },
};

#define NR_ENDPOINTS (sizeof(endpoints) / sizeof(endpoints[0]))

static struct endpoint *find_endpoint(const char *path)
{
	size_t len = strcspn(path, "?");
	struct endpoint *p = endpoints;

	for (;; p++) {
		if (p->prefix && !strncmp(path, p->prefix, strlen(p->prefix)))
			return p;
		if (!p->prefix && strlen(p->name) == len && !memcmp(path, p->name, len))
			return p;
	}
}

/* One request: the function to name for whoever wants to see requests from outside. */
VISIBLE void handle_request(const char *path, struct http_conn *conn)
{
	REQUEST_BEGIN(path);
	find_endpoint(path)->serve(path, conn);
	REQUEST_END();
}

static unsigned long long thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (unsigned long long)t.tv_sec * 1000000000ULL + (unsigned long long)t.tv_nsec;
}

static void serve_connection(int fd)
{
	struct http_conn conn = { .fd = fd };
	struct http_request request;

	while (http_read(&conn, &request) == 1) {
		struct endpoint *p = find_endpoint(request.path);
		unsigned long long begin = thread_cpu_ns();

		handle_request(request.path, &conn);
		p->cpu_ns += thread_cpu_ns() - begin;
		p->nr_requests++;
		if (!conn.keep_alive)
			break;
	}
	close(fd);
}

static void *connection_main(void *arg)
{
	serve_connection((int)(intptr_t)arg);
	return NULL;
}

static void *pool_main(void *arg)
{
	for (;;) {
		int fd = accept((int)(intptr_t)arg, NULL, NULL);

		if (fd >= 0)
			serve_connection(fd);
	}
	return NULL;
}

static bool start_thread(void *(*run)(void *), int fd)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, (void *)(intptr_t)fd))
		return false;
	pthread_detach(thread);
	return true;
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

static void print_books(void)
{
	size_t i;

	for (i = 0; i < NR_ENDPOINTS; i++)
		printf("endpoint %s requests %llu cpu_ns %llu\n", endpoints[i].name,
		       endpoints[i].nr_requests, endpoints[i].cpu_ns);
	fflush(stdout);
}

static int usage(void)
{
	fprintf(stderr, "usage: server [--port N] [--threads N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	unsigned int port = 0, threads = 0, i;
	sigset_t stop;
	int fd, signal;

	for (i = 1; i + 1 < (unsigned int)argc; i += 2) {
		if (!strcmp(argv[i], "--port"))
			port = (unsigned int)atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--threads"))
			threads = (unsigned int)atoi(argv[i + 1]);
		else
			return usage();
	}
	if (i != (unsigned int)argc || port > 65535)
		return usage();
	/* Blocked before there is any thread: all inherit it, and only sigwait() takes them. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	fd = http_listen(port, &port);
	if (fd < 0) {
		perror("server: 127.0.0.1");
		return 1;
	}
	for (i = 0; i < (threads ? threads : 1); i++)
		if (!start_thread(threads ? pool_main : acceptor_main, fd))
			return 1;
	printf("listening on 127.0.0.1:%u\n", port);
	fflush(stdout);
	sigwait(&stop, &signal);
	print_books();
	return 0;
}
