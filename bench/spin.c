/* SPDX-License-Identifier: Apache-2.0 */
/* spin THREADS SECONDS DEPTH: that many threads burn CPU for that long, that many calls deep. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds;
static int depth;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static __attribute__((noinline)) unsigned long burn(void)
{
	unsigned long x = 1, i;

	for (i = 0; i < 100000; i++)
		x = x * 6364136223846793005UL + 1442695040888963407UL;
	return x;
}

/* The result passes through an asm that the compiler cannot see into: every level keeps its frame. */
static __attribute__((noinline)) unsigned long deep(int left)
{
	unsigned long x = left ? deep(left - 1) : burn();

	__asm__ volatile("" : "+r"(x));
	return x;
}

static void *run(void *arg)
{
	double end = now() + seconds;
	unsigned long sum = 0;

	while (now() < end)
		sum += deep(depth);
	return (void *)(sum | (unsigned long)arg);
}

int main(int argc, char **argv)
{
	int nr = argc > 1 ? atoi(argv[1]) : 2, i;
	pthread_t *threads = calloc((size_t)nr, sizeof(*threads));

	seconds = argc > 2 ? atof(argv[2]) : 10;
	depth = argc > 3 ? atoi(argv[3]) : 18;
	for (i = 0; i < nr; i++)
		pthread_create(&threads[i], NULL, run, NULL);
	for (i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return 0;
}
