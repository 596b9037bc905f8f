/* SPDX-License-Identifier: Apache-2.0 */
/* Pre-fork: the kernel gives each connection to one of the processes that wait in accept(2). */
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "examples/models.h"

static _Noreturn void worker_main(int listen_fd, pid_t parent, const sigset_t *stop)
{
	sigprocmask(SIG_UNBLOCK, stop, NULL);
	/* Whatever the parent dies of. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	serve_one_by_one(listen_fd);
}

static void stop_workers(const pid_t *workers, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		kill(workers[i], SIGTERM);
	for (i = 0; i < nr; i++)
		waitpid(workers[i], NULL, 0);
}

bool workers_run(int listen_fd, unsigned int nr, const sigset_t *stop)
{
	pid_t *workers = calloc(nr, sizeof(*workers)), parent = getpid();
	unsigned int started = 0;
	int signal;

	while (workers && started < nr) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (!pid)
			worker_main(listen_fd, parent, stop);
		workers[started++] = pid;
	}
	if (started == nr)
		sigwait(stop, &signal);
	stop_workers(workers, started);
	free(workers);
	return started == nr;
}
