/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs for the milliseconds that are given, in frames of all kinds: recursion, callbacks of libc's qsort,
 * stacks of unknown and of aligned size, signal handlers on the thread's stack and on one of their own.
 */
#include <alloca.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static volatile long sink;

__attribute__((noinline)) static long spin(long n)
{
	long i, sum = n;

	for (i = 0; i < 2000; i++)
		sum = sum * 31 + i;
	return sink = sum;
}

static int by_value(const void *a, const void *b)
{
	return (int)((spin(*(const int *)a) & 0) + *(const int *)a - *(const int *)b);
}

__attribute__((noinline)) static long sort(long n)
{
	int list[8], i;

	for (i = 0; i < 8; i++)
		list[i] = (int)(n * (i + 7) % 13);
	qsort(list, 8, sizeof(int), by_value);
	return list[0] + 1;
}

__attribute__((noinline)) static long with_alloca(long n)
{
	size_t len = (size_t)(n % 100 + 1);
	char *p = alloca(len);

	memset(p, (int)n, len);
	return sort(n) + p[len - 1];
}

__attribute__((noinline)) static long with_aligned(long n)
{
	volatile char a[128] __attribute__((aligned(64)));
	char *p = alloca((size_t)(n % 50 + 1));

	a[n & 127] = 1;
	p[0] = (char)(uintptr_t)a;
	return with_alloca(n) + a[n & 127] + p[0];
}

__attribute__((noinline)) static long recurse(long n)
{
	long kept[4] = { n, n + 1, n + 2, n + 3 };

	/* Timers come at ticks, as samples do; these come in between. */
	if (n % 4 == 2)
		raise(n % 8 == 2 ? SIGPROF : SIGVTALRM);
	if (n <= 0)
		return with_aligned(kept[1]);
	return recurse(n - 1) + spin(kept[n & 3]) + with_aligned(n) % 7 + (n % 5 ? 0 : recurse(n - 5));
}

static void handler(int signal)
{
	sink += spin(signal) + sort(signal);
}

static void handle(int signal, int flags)
{
	struct sigaction a;

	memset(&a, 0, sizeof(a));
	a.sa_handler = handler;
	a.sa_flags = flags | SA_RESTART;
	sigaction(signal, &a, NULL);
}

int main(int argc, char **argv)
{
	const struct itimerval often = { { 0, 500 }, { 0, 500 } };
	static char own_stack[64 * 1024];
	const stack_t stack = { .ss_sp = own_stack, .ss_size = sizeof(own_stack) };
	clock_t end = clock() + (argc > 1 ? atol(argv[1]) : 1000) * (CLOCKS_PER_SEC / 1000);

	sigaltstack(&stack, NULL);
	handle(SIGPROF, 0);
	handle(SIGVTALRM, SA_ONSTACK);
	setitimer(ITIMER_PROF, &often, NULL);
	setitimer(ITIMER_VIRTUAL, &often, NULL);
	while (clock() < end)
		sink += recurse(12);
	return 0;
}
