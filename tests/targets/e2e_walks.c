/* SPDX-License-Identifier: Apache-2.0 */
/*
 * e2e_walks WHAT MS: spends that much CPU time below functions whose stacks are hard to walk.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { OWN_BYTES = 128 * 1024, HOLLOW_BYTES = 16 * 1024, NR_DEEP = 1000 };

static volatile long sink;
static clock_t end;

__attribute__((noinline)) static void spin(void)
{
	long i, sum = 0;

	while (clock() < end)
		for (i = 0; i < 20000; i++)
			sink = sum = sum * 31 + i;
}

/* ---- signals ---- */

static void handler(int signal)
{
	spin();
	sink = signal;
}

__attribute__((noinline)) static void interrupted(int flags)
{
	struct sigaction a;

	memset(&a, 0, sizeof(a));
	a.sa_handler = handler;
	a.sa_flags = flags;
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
	sink++;
}

static void on_own_stack(void)
{
	stack_t stack = { .ss_size = OWN_BYTES };

	stack.ss_sp = mmap(NULL, OWN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL)) {
		perror("sigaltstack");
		exit(1);
	}
	interrupted(SA_ONSTACK);
	sink++;
}

/* ---- depth ---- */

__attribute__((noinline)) static long deep(long n)
{
	volatile char kept[16];

	kept[n & 15] = (char)n;
	if (n)
		sink = deep(n - 1);
	else
		spin();
	return kept[n & 15];
}

/* ---- pages that nobody has touched ---- */

__attribute__((noinline)) static void hollow(void)
{
	volatile char room[HOLLOW_BYTES];

	room[sink & 15] = 1;
	spin();
	sink += room[sink & 15];
}

/* On a stack that nobody has been further down on. */
static void *on_new_stack(void *arg)
{
	hollow();
	sink++;
	return arg;
}

static void in_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, on_new_stack, NULL)) {
		fprintf(stderr, "pthread_create failed\n");
		exit(1);
	}
	pthread_join(thread, NULL);
}

/* ---- calls, to be probed ---- */

/* As long as the probes' traps: half of all samples are here. */
__attribute__((noinline)) static long work(long n)
{
	long i, sum = n;

	for (i = 0; i < 20000; i++)
		sum = sum * 31 + i;
	return sink = sum;
}

__attribute__((noinline)) long jumped_to(long n)
{
	sink = work(n);
	return sink + n;
}

/* Itself three levels down, then a jump. */
__attribute__((noinline)) long probed(long n)
{
	long below;

	if (!n)
		return jumped_to(n);
	below = probed(n - 1);
	sink = below;
	return below + work(n);
}

__attribute__((noinline)) static void calls(void)
{
	while (clock() < end)
		sink += probed(3);
	sink++;
}

/* Next to nothing: a probe's traps are most of it. */
__attribute__((noinline)) long fib(long n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

__attribute__((noinline)) static void short_calls(void)
{
	while (clock() < end)
		sink += fib(15);
	sink++;
}

/* A loop begins at its first instruction but one, which the kernel runs out of line. */
__attribute__((noinline)) long straight(long n)
{
	long i, sum = n;

	for (i = 0; i < 4; i++)
		sink = sum += i;
	return sum;
}

__attribute__((noinline)) static long middle(long n)
{
	return straight(n) + straight(n + 1);
}

__attribute__((noinline)) static void stepped_calls(void)
{
	while (clock() < end)
		sink += middle(15) + middle(16);
	sink++;
}

int main(int argc, char **argv)
{
	const char *what = argc == 3 ? argv[1] : "";

	end = clock() + (argc == 3 ? atol(argv[2]) : 0) * (CLOCKS_PER_SEC / 1000);
	if (!strcmp(what, "handler"))
		interrupted(0);
	else if (!strcmp(what, "own-stack"))
		on_own_stack();
	else if (!strcmp(what, "deep"))
		sink = deep(NR_DEEP);
	else if (!strcmp(what, "hollow"))
		in_thread();
	else if (!strcmp(what, "calls"))
		calls();
	else if (!strcmp(what, "short-calls"))
		short_calls();
	else if (!strcmp(what, "stepped-calls"))
		stepped_calls();
	else
		return 2;
	return 0;
}
