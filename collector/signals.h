/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signals that end a recording, and SIGCHLD, from a descriptor that can be polled: nothing is
 * done in a handler.
 */
#ifndef COLLECTOR_SIGNALS_H
#define COLLECTOR_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

enum { SIGNALS_CHANGED = 3 };

struct signals {
	int fd;			/* to poll for POLLIN; -1: there is none */
	bool is_told_to_end;
	/* As they were. */
	sigset_t blocked;
	struct sigaction actions[SIGNALS_CHANGED];
};

/*
 * For the life of the process: what is taken from fd is blocked, SIGPIPE and SIGXFSZ are ignored, SIGCHLD, which our parent
 * may have had us ignore, is not: who ignores it is told of no child's end.
 */
void signals_open(struct signals *s);
/* For a child that is to run another program: as it was before signals_open(). */
void signals_restore(const struct signals *s);
/* Takes those that came. True once one of them told us to end, and ever after. */
bool signals_take(struct signals *s);
void signals_release(struct signals *s);

#endif
