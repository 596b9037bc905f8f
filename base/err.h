/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the world said no to, in one sentence, and what to do about it, in another. Written once,
 * where it is known; passed up untouched; printed by cmd_*.c only.
 *
 *	fd = open(path, O_RDONLY | O_CLOEXEC);
 *	if (fd < 0)
 *		return err_set(e, -errno, "%s: %m", path);
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdio.h>

enum exit_status {
	EXIT_GOOD = 0,
	EXIT_GATE_FAILED = 1,
	EXIT_USAGE = 2,		/* usage, or input that cannot be read */
	EXIT_INCONCLUSIVE = 3,
	EXIT_NOT_PERMITTED = 4,
};

struct err {
	int code;		/* negative errno; 0: nothing went wrong */
	char what[1024];	/* "what: why", no newline */
	char remedy[512];	/* one sentence; empty where there is none */
};

/* Returns code, which is a negative errno. %m speaks of that code. Clears the remedy. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *e, int code, const char *fmt, ...);
/* Adds the remedy to an error that is set. Returns its code. */
__attribute__((format(printf, 2, 3))) int err_remedy(struct err *e, const char *fmt, ...);
/* Puts what was read before the message, a path or "-" for stdin; the remedy stays. Returns the code. */
int err_of_input(struct err *e, const char *path);
/* Two lines at most: "wperf: what: why" and the remedy. Controls in them are shown as \n, \xNN. */
void err_print(const struct err *e, FILE *out);
/* EXIT_NOT_PERMITTED for -EPERM and -EACCES, EXIT_USAGE for all others. */
enum exit_status err_exit_status(const struct err *e);

#endif
