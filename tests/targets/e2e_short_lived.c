/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads, four at a time, and then processes, each of which does next to nothing:
 *
 *	e2e_short_lived THREADS PROCESSES
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_A_TIME = 4 };

static void *work(void *argument)
{
	volatile unsigned int i;

	for (i = 0; i < 20000; i++)
		;
	return argument;
}

static void make_threads(void)
{
	pthread_t threads[AT_A_TIME];
	int i;

	for (i = 0; i < AT_A_TIME; i++)
		if (pthread_create(&threads[i], NULL, work, NULL))
			exit(1);
	for (i = 0; i < AT_A_TIME; i++)
		pthread_join(threads[i], NULL);
}

static void make_processes(void)
{
	int i;

	for (i = 0; i < AT_A_TIME; i++)
		if (!fork()) {
			work(NULL);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
}

int main(int argc, char **argv)
{
	int nr_threads = argc > 1 ? atoi(argv[1]) : 0, nr_processes = argc > 2 ? atoi(argv[2]) : 0;

	/* Nobody waits for their status, so that they are gone before they have left their CPU. */
	signal(SIGCHLD, SIG_IGN);
	for (; nr_threads > 0; nr_threads -= AT_A_TIME)
		make_threads();
	for (; nr_processes > 0; nr_processes -= AT_A_TIME)
		make_processes();
	return 0;
}
