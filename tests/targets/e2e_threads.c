/* SPDX-License-Identifier: Apache-2.0 */
/*
 * e2e_threads N [WORK]: N threads that work in turns and sleep between, named t0, t1 ... Prints "ready"
 * when all are there; a line on stdin starts N more threads, one after another, each of which does its
 * WORK (about a tenth of a millisecond each, default 3) and ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

__attribute__((noinline, noclone)) static void burn(void)
{
	volatile unsigned int i;

	for (i = 0; i < 60000; i++)
		;
}

static void *run(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "t%ld", (long)arg);
	prctl(PR_SET_NAME, name);
	for (;;) {
		burn();
		usleep(400000);
	}
	return NULL;
}

static void *run_once(void *arg)
{
	long i;

	prctl(PR_SET_NAME, "late");
	for (i = 0; i < (long)arg; i++)
		burn();
	return NULL;
}

int main(int argc, char **argv)
{
	long nr = argc > 1 ? atol(argv[1]) : 10, late_work = argc > 2 ? atol(argv[2]) : 3, i;
	pthread_attr_t attr;
	pthread_t thread;
	char line[16];

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (i = 0; i < nr; i++)
		if (pthread_create(&thread, &attr, run, (void *)i))
			return 1;
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		for (i = 0; i < nr; i++)
			if (!pthread_create(&thread, &attr, run_once, (void *)late_work))
				pthread_join(thread, NULL);
		puts("done");
		fflush(stdout);
	}
	return 0;
}
