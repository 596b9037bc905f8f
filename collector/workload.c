/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/workload.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

static bool is_program(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

char *workload_find_program(const char *name)
{
	const char *path = getenv("PATH");
	char *copy, *dir, *save, *found = NULL;

	if (strchr(name, '/'))
		return is_program(name) ? xstrdup(name) : NULL;
	copy = xstrdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
	for (dir = strtok_r(copy, ":", &save); dir && !found; dir = strtok_r(NULL, ":", &save)) {
		found = xasprintf("%s/%s", dir, name);
		if (!is_program(found)) {
			free(found);
			found = NULL;
		}
	}
	free(copy);
	return found;
}

/* In the child: nothing happens before the parent's byte; without it the parent is gone. */
static _Noreturn void run(const struct workload *w, int go_fd, int error_fd, char *const argv[])
{
	int error;
	char byte;

	/* Behind the byte nothing of ours is called: calls are counted then. */
	if (w->signals)
		signals_restore(w->signals);
	if (read(go_fd, &byte, 1) != 1)
		_exit(127);
	if (w->has_no_stdout)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	execvp(argv[0], argv);
	error = errno;
	if (write(error_fd, &error, sizeof(error)) != sizeof(error))
		_exit(126);
	_exit(127);
}

/* A program that cannot be run is a usage error, not a matter of wperf's privileges. */
static int cannot_run(const char *name, int error, struct err *e)
{
	err_set(e, error, "cannot start %s: %m", name);
	return e->code = -ENOENT;
}

/* Before anything is made or renamed: a wrong name should cost nothing. */
static int check_program(const char *name, struct err *e)
{
	char *program = workload_find_program(name);
	bool is_there = program != NULL;

	free(program);
	if (is_there)
		return 0;
	return cannot_run(name, strchr(name, '/') && !access(name, F_OK) ? -EACCES : -ENOENT, e);
}

int workload_prepare(struct workload *w, char *const argv[], struct err *e)
{
	int go[2], error[2];
	pid_t pid;

	if (check_program(argv[0], e))
		return e->code;
	if (pipe2(go, O_CLOEXEC))
		return err_set(e, -errno, "cannot start %s: %m", argv[0]);
	if (pipe2(error, O_CLOEXEC)) {
		err_set(e, -errno, "cannot start %s: %m", argv[0]);
		close(go[0]);
		close(go[1]);
		return e->code;
	}
	pid = fork();
	if (!pid) {
		close(go[1]);
		close(error[0]);
		run(w, go[0], error[1], argv);
	}
	close(go[0]);
	close(error[1]);
	w->go_fd = go[1];
	w->error_fd = error[0];
	if (pid < 0) {
		err_set(e, -errno, "cannot start %s: %m", argv[0]);
		workload_release(w);
		return e->code;
	}
	w->pid = (uint32_t)pid;
	w->is_running = true;
	return 0;
}

int workload_start(struct workload *w, char *const argv[], struct err *e)
{
	ssize_t len;
	int error;

	/* A signal has ended it meanwhile, as it may all that run in a terminal: it has run, if for no time. */
	if (write(w->go_fd, "", 1) != 1)
		return errno == EPIPE ? 0 : err_set(e, -errno, "cannot start %s: %m", argv[0]);
	do
		len = read(w->error_fd, &error, sizeof(error));
	while (len < 0 && errno == EINTR);
	/* The pipe closes by itself in an exec that worked. */
	if (len != sizeof(error))
		return 0;
	return cannot_run(argv[0], -error, e);
}

bool workload_has_ended(struct workload *w)
{
	siginfo_t info = { 0 };

	if (!w->is_running)
		return true;
	if (waitid(P_PID, w->pid, &info, WEXITED | WNOHANG | WNOWAIT)) {
		/* Somebody else took its status: ended it has all the same. */
		w->is_running = errno != ECHILD;
	} else if (info.si_pid) {
		w->is_running = false;
		w->status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	}
	return !w->is_running;
}

void workload_end(struct workload *w)
{
	const struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };
	int i;

	if (!w->pid || workload_has_ended(w))
		return;
	kill((pid_t)w->pid, SIGTERM);
	w->was_ended = true;
	for (i = 0; i < 100 && !workload_has_ended(w); i++)
		nanosleep(&nap, NULL);
}

int workload_exit_status(const struct workload *w)
{
	if (!w->pid || w->is_running || (w->was_ended && w->status == 128 + SIGTERM))
		return 0;
	return w->status;
}

void workload_release(struct workload *w)
{
	if (w->go_fd > 0)
		close(w->go_fd);
	if (w->error_fd > 0)
		close(w->error_fd);
	if (w->pid && !w->is_running)
		waitpid((pid_t)w->pid, NULL, WNOHANG);
	*w = (struct workload){ 0 };
}
