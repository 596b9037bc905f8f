/* SPDX-License-Identifier: Apache-2.0 */
#include "examples/endpoints.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

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

VISIBLE static void serve_root(const char *path, struct http_conn *conn)
{
	(void)path;
	respond_text(conn, 200, "hello\n");
}

VISIBLE static void serve_burn(const char *path, struct http_conn *conn)
{
	uint64_t ms = http_query(path, "ms", 2, 10000), x = 1;
	char text[64];

	/* Not 0.7 ms and 0.3 ms in turn: a sampler of 1 ms would meet the same one again and again. */
	x = burn_f(x, ms * 7 * ROUNDS_PER_MS_TENTH);
	x = burn_g(x, ms * 3 * ROUNDS_PER_MS_TENTH);
	snprintf(text, sizeof(text), "%016llx\n", (unsigned long long)x);
	respond_text(conn, 200, text);
}

VISIBLE static void serve_fib(const char *path, struct http_conn *conn)
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

VISIBLE static void serve_json(const char *path, struct http_conn *conn)
{
	size_t len = build_json(conn->body, sizeof(conn->body), http_query(path, "n", 100, 400));

	http_respond(conn, 200, "application/json", conn->body, len);
}

VISIBLE static void serve_slow_answer(struct http_conn *conn)
{
	respond_text(conn, 200, "at last\n");
}

VISIBLE static void serve_slow(const char *path, struct http_conn *conn)
{
	conn->after(conn, http_query(path, "ms", 20, 60000), serve_slow_answer);
}

VISIBLE static void serve_user(const char *path, struct http_conn *conn)
{
	char text[64];

	snprintf(text, sizeof(text), "user %u\n", (unsigned int)atoi(path + strlen("/user/")));
	respond_text(conn, 200, text);
}

VISIBLE static void serve_nothing(const char *path, struct http_conn *conn)
{
	(void)path;
	respond_text(conn, 404, "no such page\n");
}

static const struct endpoint {
	const char *name;
	const char *prefix;	/* of the path; NULL: the name is the whole path */
	void (*serve)(const char *path, struct http_conn *conn);
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

/* One for each endpoint, in memory that children share. */
static struct book {
	atomic_ullong nr_requests, cpu_ns;
} *books;

static const struct endpoint *find_endpoint(const char *path)
{
	size_t len = strcspn(path, "?");
	const struct endpoint *p = endpoints;

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

static struct book *book_of(const struct http_conn *conn)
{
	return &books[find_endpoint(conn->request.path) - endpoints];
}

void endpoint_serve(struct http_conn *conn)
{
	struct book *book = book_of(conn);
	unsigned long long begin = thread_cpu_ns();

	handle_request(conn->request.path, conn);
	book->cpu_ns += thread_cpu_ns() - begin;
	book->nr_requests++;
}

void endpoint_resume(struct http_conn *conn, void (*then)(struct http_conn *conn))
{
	unsigned long long begin = thread_cpu_ns();

	then(conn);
	book_of(conn)->cpu_ns += thread_cpu_ns() - begin;
}

bool books_open(void)
{
	books = mmap(NULL, NR_ENDPOINTS * sizeof(*books), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return books != MAP_FAILED;
}

void books_print(void)
{
	size_t i;

	for (i = 0; i < NR_ENDPOINTS; i++)
		printf("endpoint %s requests %llu cpu_ns %llu\n", endpoints[i].name,
		       books[i].nr_requests, books[i].cpu_ns);
	fflush(stdout);
}
