/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A family of processes, each of which calls work() a number of times of its own:
 *
 *	e2e_forks tree		a child that is there from the start, and after a line on stdin one
 *				that is forked then, a grandchild, and a program that is started
 *	e2e_forks calls N [MS]	N calls of MS milliseconds each
 *	e2e_forks forever	calls without end; prints a line a second or so
 *	e2e_forks headless N	after a line on stdin its first thread ends, after the next a second one
 *				does N calls
 *	e2e_forks brood		for each line N on stdin N children that end at once, one after the other; at
 *				the end of stdin one that does 20 calls
 *	e2e_forks exit N | e2e_forks signal N
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

void work(unsigned int ms);
void never_called(void);

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

__attribute__((noinline, noclone)) static void burn(void)
{
	volatile unsigned int i;

	for (i = 0; i < 10000; i++)
		;
}

__attribute__((noinline, noclone)) void work(unsigned int ms)
{
	double end = now() + ms;

	do
		burn();
	while (now() < end);
}

__attribute__((noinline, noclone)) void never_called(void)
{
	__asm__ volatile("");
}

static void calls(unsigned int nr, unsigned int ms)
{
	while (nr--)
		work(ms);
}

static pid_t child(unsigned int nr, const char *name)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_NAME, name);
		calls(nr, 5);
		_exit(0);
	}
	return pid;
}

static void tree(const char *self)
{
	int go[2], status;
	char line[16];

	if (pipe(go))
		exit(1);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "before");
		if (read(go[0], line, 1) != 1)
			_exit(1);
		calls(5, 5);
		child(6, "of-before");
		wait(&status);
		_exit(0);
	}
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin) || write(go[1], "", 1) != 1)
		exit(1);
	calls(3, 5);
	child(7, "after");
	if (!fork()) {
		child(8, "grandchild");
		wait(&status);
		_exit(0);
	}
	if (!fork()) {
		execl(self, self, "calls", "11", "5", NULL);
		_exit(1);
	}
	while (wait(&status) > 0)
		;
}

static void *second_thread(void *nr)
{
	char line[16];

	if (fgets(line, sizeof(line), stdin))
		calls(*(unsigned int *)nr, 5);
	return NULL;
}

static void headless(unsigned int nr)
{
	static unsigned int kept;
	pthread_t thread;
	char line[16];

	kept = nr;
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin) || pthread_create(&thread, NULL, second_thread, &kept))
		exit(1);
	pthread_exit(NULL);
}

static void brood(void)
{
	unsigned int nr;
	int status;

	puts("ready");
	fflush(stdout);
	while (scanf("%u", &nr) == 1) {
		while (nr--) {
			pid_t pid = vfork();

			if (!pid)
				_exit(0);
			if (pid < 0 || waitpid(pid, &status, 0) != pid)
				exit(1);
		}
		puts("done");
		fflush(stdout);
	}
	child(20, "last");
	wait(&status);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "tree";
	unsigned int n = argc > 2 ? (unsigned int)atoi(argv[2]) : 0, i;

	if (!strcmp(mode, "tree")) {
		tree("/proc/self/exe");
	} else if (!strcmp(mode, "calls")) {
		calls(n, argc > 3 ? (unsigned int)atoi(argv[3]) : 1);
	} else if (!strcmp(mode, "headless")) {
		headless(n);
	} else if (!strcmp(mode, "brood")) {
		brood();
	} else if (!strcmp(mode, "exit")) {
		calls(3, 1);
		return (int)n;
	} else if (!strcmp(mode, "signal")) {
		calls(3, 1);
		raise((int)n);
	} else {
		if (argc < 2 || getppid() == 1)
			never_called();
		for (i = 0;; i++) {
			work(1);
			if (i % 20 == 0) {
				printf("call %u\n", i);
				fflush(stdout);
			}
		}
	}
	return 0;
}
