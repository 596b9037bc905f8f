/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* nohup(1) has it ignored, and it stays so. */
static bool is_ignored(int signal_nr)
{
	struct sigaction now;

	return !sigaction(signal_nr, NULL, &now) && now.sa_handler == SIG_IGN;
}

/*
 * A script starts what runs beside it with SIGINT ignored, and ends it with that all the same, as it may with
 * perf. A signal that is blocked comes to the descriptor whether it is ignored or not.
 */
void signals_open(struct signals *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (!is_ignored(SIGHUP))
		sigaddset(&set, SIGHUP);
	/* Tells nothing by itself: it wakes whoever polls, to look at the child. */
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A reader that went away and a file that may not grow are errors of write(2). */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	*s = (struct signals){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) };
}

bool signals_take(struct signals *s)
{
	struct signalfd_siginfo info;

	while (read(s->fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			s->is_told_to_end = true;
	return s->is_told_to_end;
}

void signals_release(struct signals *s)
{
	if (s->fd > 0)
		close(s->fd);
	*s = (struct signals){ 0 };
}
