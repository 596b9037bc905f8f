/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that are easily missed. work() is called; lines come in, and each is answered by "done N", the calls of work()
 * that it brought.
 *
 * e2e_exact serve: "load FILE", a library with plug(), instead of the one before; "plug N": calls it N times; "fork": a
 * child reads from then on; "orphan": a child's, which has ended.
 * e2e_exact crowd: children that do this N times at "crowd N": once work(), and 50,000 times hot().
 * e2e_exact leaderless: the first thread ends at once. "threads N": two threads call N times each, as does who reads;
 * "hand": another thread reads from then on, and this one ends.
 * e2e_exact ending: the same, but the first thread ends with the first line.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noipa)) void work(void)
{
	__asm__ volatile("push %rbx; pop %rbx");
}

__attribute__((noipa)) void hot(void)
{
	__asm__ volatile("push %rbx; pop %rbx");
}

static void *call(void *nr)
{
	long i;

	for (i = 0; i < (long)nr; i++)
		work();
	return NULL;
}

static long in_threads(long nr)
{
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, call, (void *)nr);
	call((void *)nr);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 3 * nr;
}

static void answer(long nr)
{
	printf("done %ld\n", nr);
	fflush(stdout);
}

static void (*plug)(void);

static void load(char *file)
{
	static void *library;

	if (library)
		dlclose(library);
	file[strcspn(file, "\n")] = '\0';
	library = dlopen(file, RTLD_NOW);
	plug = library ? (void (*)(void))dlsym(library, "plug") : NULL;
	if (!plug)
		exit(3);
}

static long call_plug(long nr)
{
	long i;

	for (i = 0; i < nr; i++)
		plug();
	return nr;
}

static void go_on_in_child(void)
{
	pid_t pid = fork();
	int status = 1;

	if (!pid)
		return;
	waitpid(pid, &status, 0);
	exit(status ? 4 : 0);
}

enum { CHILDREN = 12 };

static int orders[CHILDREN][2], results[2];

static void work_in_crowd(int orders_fd)
{
	long nr, i, k;

	while (read(orders_fd, &nr, sizeof(nr)) == sizeof(nr)) {
		for (i = 0; i < nr; i++) {
			work();
			for (k = 0; k < 50000; k++)
				hot();
		}
		if (write(results[1], &nr, sizeof(nr)) != sizeof(nr))
			_exit(5);
	}
	_exit(0);
}

static void make_crowd(void)
{
	int i, k;

	if (pipe(results))
		exit(6);
	for (i = 0; i < CHILDREN; i++) {
		if (pipe(orders[i]))
			exit(6);
		if (!fork()) {
			for (k = 0; k <= i; k++)
				close(orders[k][1]);
			work_in_crowd(orders[i][0]);
		}
	}
}

static long order(long nr)
{
	long sum = 0, one;
	int i;

	for (i = 0; i < CHILDREN; i++)
		if (write(orders[i][1], &nr, sizeof(nr)) != sizeof(nr))
			exit(7);
	for (i = 0; i < CHILDREN && read(results[0], &one, sizeof(one)) == sizeof(one); i++)
		sum += one;
	return sum;
}

static void go_on_in_orphan(void)
{
	int lives[2], unused;
	pid_t pid;

	if (pipe(lives))
		exit(8);
	pid = fork();
	if (!pid && fork())
		_exit(0);
	close(lives[pid ? 1 : 0]);
	if (!pid)
		return;
	waitpid(pid, NULL, 0);
	exit(read(lives[0], &unused, sizeof(unused)) != 0);
}

static void *serve(void *unused)
{
	char line[256];
	pthread_t next;

	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "threads ", 8)) {
			answer(in_threads(atol(line + 8)));
		} else if (!strncmp(line, "load ", 5)) {
			load(line + 5);
			answer(0);
		} else if (!strncmp(line, "plug ", 5)) {
			answer(call_plug(atol(line + 5)));
		} else if (!strcmp(line, "orphan\n")) {
			go_on_in_orphan();
			answer(0);
		} else if (!strncmp(line, "crowd ", 6)) {
			answer(order(atol(line + 6)));
		} else if (!strcmp(line, "fork\n")) {
			go_on_in_child();
			answer(0);
		} else {
			pthread_create(&next, NULL, serve, NULL);
			answer(0);
			pthread_exit(NULL);
		}
	}
	exit(0);
}

int main(int argc, char **argv)
{
	char line[256];
	pthread_t thread;

	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "crowd"))
		make_crowd();
	puts("ready");
	fflush(stdout);
	if (!strcmp(argv[1], "serve") || !strcmp(argv[1], "crowd"))
		serve(NULL);
	if (!strcmp(argv[1], "ending") && (!fgets(line, sizeof(line), stdin) || pthread_create(&thread, NULL, serve, NULL)))
		return 2;
	if (!strcmp(argv[1], "ending"))
		answer(0);
	else
		pthread_create(&thread, NULL, serve, NULL);
	pthread_exit(NULL);
}
