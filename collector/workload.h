/* SPDX-License-Identifier: Apache-2.0 */
/* A command that wperf starts: made first, held before its exec(2) until everything is attached. */
#ifndef COLLECTOR_WORKLOAD_H
#define COLLECTOR_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "collector/signals.h"

struct workload {
	/* Set before: */
	bool has_no_stdout;	/* our stdout is taken, its stdout is our stderr */
	const struct signals *signals;	/* it is given back what these were; NULL: nobody changed them */
	uint32_t pid;		/* 0: there is none */
	int go_fd, error_fd;
	bool is_running, was_ended;
	int status;		/* once it is not running any more; as a shell has it */
};

/* w is zeroed but for what is set before. argv[0] is looked up in PATH. -ENOENT: it is not
   there, or no program (the message says which). */
int workload_prepare(struct workload *w, char *const argv[], struct err *e);
/* Lets it exec; the errno of an exec that failed. One that a signal has ended before is no error: it has ended. */
int workload_start(struct workload *w, char *const argv[], struct err *e);
/*
 * Takes the status when it has ended; true then. Does not wait. The process stays a zombie until the
 * release: /proc still tells whose it was, and nobody else gets its pid.
 */
bool workload_has_ended(struct workload *w);
/* SIGTERM, and the status if it ends within a second. */
void workload_end(struct workload *w);
/* As a shell has it: exit status, or 128 and the signal. 0 while running, or when it ended by our signal. */
int workload_exit_status(const struct workload *w);
/* What has ended is gone from /proc then. */
void workload_release(struct workload *w);
/* The path that argv[0] stands for; the caller frees it. NULL: none. */
char *workload_find_program(const char *name);

#endif
