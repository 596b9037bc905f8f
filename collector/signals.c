/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"

/* A reader that went away and a file that may not grow are errors of write(2). */
static const struct {
	int signal_nr;
	void (*handler)(int);
} changed[SIGNALS_CHANGED] = {
	{ SIGPIPE, SIG_IGN },
	{ SIGXFSZ, SIG_IGN },
	{ SIGCHLD, SIG_DFL },
};

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
	int signal_nr;
	size_t i;

	*s = (struct signals){ 0 };
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (!is_ignored(SIGHUP))
		sigaddset(&set, SIGHUP);
	/* Tells nothing by itself: it wakes whoever polls, to look at the child. */
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &s->blocked);
	/* `wperf live` has blocked these for us, and not for whom we run. */
	for (signal_nr = 1; signal_nr < NSIG; signal_nr++)
		if (sigismember(&set, signal_nr))
			sigdelset(&s->blocked, signal_nr);
	for (i = 0; i < ARRAY_LEN(changed); i++)
		sigaction(changed[i].signal_nr, &(struct sigaction){ .sa_handler = changed[i].handler },
			  &s->actions[i]);
	s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void signals_restore(const struct signals *s)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(changed); i++)
		sigaction(changed[i].signal_nr, &s->actions[i], NULL);
	sigprocmask(SIG_SETMASK, &s->blocked, NULL);
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
