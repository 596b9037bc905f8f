/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signals that end a recording, and SIGCHLD, from a descriptor that can be polled: nothing is
 * done in a handler.
 */
#ifndef COLLECTOR_SIGNALS_H
#define COLLECTOR_SIGNALS_H

#include <stdbool.h>

struct signals {
	int fd;			/* to poll for POLLIN; -1: there is none */
	bool is_told_to_end;
};

/*
 * For the life of the process: what is taken from fd is blocked, SIGPIPE and SIGXFSZ are ignored. A
 * child that is to run another program has to undo both (workload.c does).
 */
void signals_open(struct signals *s);
/* Takes those that came. True once one of them told us to end, and ever after. */
bool signals_take(struct signals *s);
void signals_release(struct signals *s);

#endif
