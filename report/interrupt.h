/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ctrl-C goes to every program of a pipeline. The recorder ends its recording then, and the report
 * has to live to read the rest of it and to print.
 *
 *	interrupt_outlast(path, &saved);
 *	... read ...
 *	interrupt_restore(&saved);
 *
 * Between the two, where the input is a pipe, the first SIGINT does nothing; a second one kills.
 */
#ifndef REPORT_INTERRUPT_H
#define REPORT_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

struct interrupt {
	bool is_outlasted;
	struct sigaction before;
};

/* path: the input, "-" being stdin. */
void interrupt_outlast(const char *path, struct interrupt *ret_saved);
void interrupt_restore(const struct interrupt *saved);

#endif
