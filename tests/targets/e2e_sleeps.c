/* SPDX-License-Identifier: Apache-2.0 */
/* e2e_sleeps US SECONDS: works a little, again and again, and sleeps in between. "CPU" in seconds of working(), at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noipa)) void working(int rounds)
{
	volatile unsigned int sum = 0;
	int i;

	for (i = 0; i < rounds; i++)
		sum += (unsigned int)i;
}

int main(int argc, char **argv)
{
	double end = seconds(CLOCK_MONOTONIC) + (argc > 2 ? atof(argv[2]) : 1), cpu = 0;
	int i;

	for (i = 0; seconds(CLOCK_MONOTONIC) < end; i++) {
		double begin = seconds(CLOCK_THREAD_CPUTIME_ID);

		working(i % 2 ? 120000 : 40000);
		cpu += seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
		usleep((unsigned int)atoi(argv[1]));
	}
	printf("%.6f\n", cpu);
	return 0;
}
