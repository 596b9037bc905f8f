/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorder of our own: wperf record in another process, whose recording comes through a pipe.
 *
 *	err = feeder_start(&f, argv, &e);
 *	... read f.fd to its end; feeder_stop(&f) to have it end ...
 *	status = feeder_wait(&f);
 *
 * Between the first and the last, the first SIGINT, SIGTERM or SIGHUP that comes is handed on to the
 * recorder, which ends its recording: there is the rest of it to read. A second one kills. There is
 * one feeder at a time.
 */
#ifndef REPORT_FEEDER_H
#define REPORT_FEEDER_H

#include <signal.h>
#include <sys/types.h>

#include "base/err.h"

enum { FEEDER_NR_SIGNALS = 3 };

struct feeder {
	pid_t pid;	/* 0: none */
	int fd;		/* the pipe; whoever reads it closes it */
	struct sigaction before[FEEDER_NR_SIGNALS];
};

/* argv: "wperf", "record" and so on, NULL at its end. Errors: no process, or no pipe, to be had. */
int feeder_start(struct feeder *f, char *const argv[], struct err *e);
/* Asks it to end its recording; its pipe is to be read nevertheless, or closed. */
void feeder_stop(const struct feeder *f);
/* As a shell has it: exit status, or 128 and the signal. */
int feeder_wait(struct feeder *f);

#endif
