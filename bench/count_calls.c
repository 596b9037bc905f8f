/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count_calls: counts calls of functions of its own whose first instruction the kernel does not emulate, and prints
 *
 *	entry_ns placed_ns attach_ms detach_ms
 *
 * entry, placed: what a call takes more with the probe on the first instruction, or where call_place.h puts
 * it. attach, detach: probes on a thousand functions while the process has a thousand threads.
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "collector/call_core.h"
#include "collector/call_place.h"
#include "collector/maps.h"

enum { NR_FUNCTIONS = 1000, NR_THREADS = 1000, FUNCTION_BYTES = 16, CODE_BYTES = 6, NR_CALLS = 2000, NR_ROUNDS = 9 };

extern const uint8_t functions[];
__asm__(".pushsection .text\n"
	".balign 16\n"
	"functions:\n"
	".rept 1000\n"
	"	mov %rsp, %rax\n"
	"	push %rax\n"
	"	pop %rax\n"
	"	ret\n"
	"	.balign 16\n"
	".endr\n"
	".popsection\n");

static double now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * NS_PER_SEC + (double)ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median of the rounds, in the thread's own CPU time. */
static double ns_of_call(void)
{
	void (*function)(void) = (void (*)(void))(uintptr_t)functions;
	double rounds[NR_ROUNDS];
	int round, i;

	for (round = 0; round < NR_ROUNDS; round++) {
		double begin = now_ns(CLOCK_THREAD_CPUTIME_ID);

		for (i = 0; i < NR_CALLS; i++)
			function();
		rounds[round] = (now_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / NR_CALLS;
	}
	qsort(rounds, NR_ROUNDS, sizeof(*rounds), by_value);
	return rounds[NR_ROUNDS / 2];
}

static uint64_t off_of(const void *at)
{
	uint64_t addr = (uintptr_t)at, off = 0;
	struct maps maps = { 0 };
	struct err e = { 0 };

	maps_read(&maps, getpid(), &e);
	vec_each(&maps.entries, m)
		if (addr >= m->start && addr < m->end)
			off = addr - m->start + m->off;
	maps_release(&maps);
	return off;
}

static void attach(struct call_link *l, const struct call_core *core, const struct call_place *places, size_t nr)
{
	const struct call_programs programs = call_core_programs(core);
	struct err e = { 0 };

	if (call_link_attach(l, &programs, "/proc/self/exe", places, nr, (uint32_t)getpid(), &e)) {
		err_print(&e, stderr);
		exit(1);
	}
}

static double ns_of_hit(const struct call_core *core, uint32_t off, double without)
{
	const struct call_place place = { .off = off_of(functions) + off,
					  .cookie = CALLS_COOKIE(1, 0, core->generation) };
	struct call_link link = { 0 };
	double with;

	attach(&link, core, &place, 1);
	with = ns_of_call();
	call_link_release(&link);
	return with - without;
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *wait_for_end(void *unused)
{
	pthread_mutex_lock(&held);
	pthread_mutex_unlock(&held);
	return unused;
}

static void make_threads(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int i;

	pthread_mutex_lock(&held);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (i = 0; i < NR_THREADS; i++)
		if (pthread_create(&thread, &attr, wait_for_end, NULL))
			exit(1);
}

int main(void)
{
	static struct call_place places[NR_FUNCTIONS];
	struct call_placement placement;
	struct call_link link = { 0 };
	struct call_core *core;
	struct err e = { 0 };
	double without, entry, placed, begin, attached;
	size_t i;

	if (call_core_new(&core, NR_FUNCTIONS, &e)) {
		err_print(&e, stderr);
		return 1;
	}
	call_core_start(core);
	call_place_find(functions, CODE_BYTES, NULL, &placement);
	without = ns_of_call();
	entry = ns_of_hit(core, 0, without);
	placed = ns_of_hit(core, placement.off, without);
	make_threads();
	for (i = 0; i < NR_FUNCTIONS; i++)
		places[i] = (struct call_place){ .off = off_of(functions) + i * FUNCTION_BYTES + placement.off };
	begin = now_ns(CLOCK_MONOTONIC);
	attach(&link, core, places, NR_FUNCTIONS);
	attached = now_ns(CLOCK_MONOTONIC);
	call_link_release(&link);
	printf("%.0f %.0f %.1f %.1f\n", entry, placed, (attached - begin) / 1e6,
	       (now_ns(CLOCK_MONOTONIC) - attached) / 1e6);
	return 0;
}
