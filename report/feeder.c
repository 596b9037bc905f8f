/* SPDX-License-Identifier: Apache-2.0 */
#include "report/feeder.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

extern char **environ;

/*
 * What the recorder may be ahead of us. Names of a large program are first looked up for seconds,
 * and a CPU's samples are some MB a second at most. Memory is taken as it is filled. Without
 * privileges /proc/sys/fs/pipe-max-size is the limit.
 */
enum { PIPE_BYTES = 16 * 1024 * 1024, PIPE_BYTES_MIN = 64 * 1024 };

static const int signals[FEEDER_NR_SIGNALS] = { SIGINT, SIGTERM, SIGHUP };

/* The stop flag, as it were: whom a signal is for. */
static volatile sig_atomic_t recorder_pid;

static void hand_on(int signal_nr)
{
	int error = errno;

	(void)signal_nr;
	kill((pid_t)recorder_pid, SIGTERM);
	errno = error;
}

/*
 * A script starts what runs beside it with SIGINT ignored, and ends it with that all the same; but who is under
 * nohup(1) stays so. SA_RESETHAND makes the next one kill.
 */
static void catch_signals(struct feeder *f)
{
	struct sigaction once = { .sa_handler = hand_on, .sa_flags = SA_RESTART | SA_RESETHAND };
	size_t i;

	recorder_pid = f->pid;
	for (i = 0; i < FEEDER_NR_SIGNALS; i++) {
		sigaction(signals[i], NULL, &f->before[i]);
		if (signals[i] != SIGHUP || f->before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &once, NULL);
	}
}

static void leave_signals(const struct feeder *f)
{
	size_t i;

	for (i = 0; i < FEEDER_NR_SIGNALS; i++)
		sigaction(signals[i], &f->before[i], NULL);
}

static void enlarge(int fd)
{
	int bytes = PIPE_BYTES;

	while (bytes > PIPE_BYTES_MIN && fcntl(fd, F_SETPIPE_SZ, bytes) < 0)
		bytes /= 2;
}

/* The signals stay blocked in the recorder, which looks at them when it is ready to. */
static int spawn(struct feeder *f, int stdout_fd, char *const argv[], const sigset_t *blocked)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int error;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, stdout_fd, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, blocked);
	error = posix_spawn(&f->pid, "/proc/self/exe", &files, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

int feeder_start(struct feeder *f, char *const argv[], struct err *e)
{
	sigset_t blocked, before;
	int fds[2], error;
	size_t i;

	*f = (struct feeder){ .fd = -1 };
	if (pipe2(fds, O_CLOEXEC))
		return err_set(e, -errno, "cannot start the recorder: %m");
	enlarge(fds[1]);
	sigprocmask(SIG_BLOCK, NULL, &before);
	blocked = before;
	for (i = 0; i < FEEDER_NR_SIGNALS; i++)
		sigaddset(&blocked, signals[i]);
	/* Whoever ignores it, as our parent may have had us do, is told of no child's end. */
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	error = spawn(f, fds[1], argv, &blocked);
	if (error)
		f->pid = 0;
	else
		catch_signals(f);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fds[1]);
	if (error) {
		close(fds[0]);
		return err_set(e, -error, "cannot start the recorder: %m");
	}
	f->fd = fds[0];
	return 0;
}

void feeder_stop(const struct feeder *f)
{
	kill(f->pid, SIGTERM);
}

int feeder_wait(struct feeder *f)
{
	siginfo_t info = { 0 };

	if (!f->pid)
		return 0;
	/* It stays a zombie until nobody may send a signal to its pid any more. */
	while (waitid(P_PID, (id_t)f->pid, &info, WEXITED | WNOWAIT) && errno == EINTR)
		;
	leave_signals(f);
	waitpid(f->pid, NULL, 0);
	f->pid = 0;
	if (info.si_code != CLD_EXITED)
		log_warn("the recorder was ended by signal %d: what it had not sent yet is missing",
			 info.si_status);
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}
