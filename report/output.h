/* SPDX-License-Identifier: Apache-2.0 */
/* Where a report goes: stdout, a file, or both. */
#ifndef REPORT_OUTPUT_H
#define REPORT_OUTPUT_H

#include <stdbool.h>

#include "base/err.h"

/* Both lent; NULL: not asked for. "-" is stdout. */
struct outputs {
	const char *file;	/* instead of stdout */
	const char *tee;	/* as well */
};

/* -EINVAL: one of them is one of the inputs, which opening it would destroy. */
int outputs_check(const struct outputs *o, const char *const *inputs, size_t nr, struct err *e);
/*
 * Calls write once for each destination, and sees to it that what it wrote has arrived. A reader of
 * stdout that went away has seen enough: no error. Errors: open(2)'s and write(2)'s, with the name
 * of what could not be written.
 */
int outputs_write(const struct outputs *o, int (*write)(const void *self, FILE *out, struct err *e),
		  const void *self, struct err *e);
/* To stdout, time and again: the same; *ret_is_gone tells that its reader has gone. */
int output_stdout(int (*write)(const void *self, FILE *out, struct err *e), const void *self,
		  bool *ret_is_gone, struct err *e);
/* A file for the following, emptied where there is one: its descriptor, or why it cannot be had. */
int output_open(const char *path, struct err *e);
/* To a file that is open, time and again; path is what messages call it. */
int output_write(int fd, const char *path, int (*write)(const void *self, FILE *out, struct err *e),
		 const void *self, struct err *e);
/* After the last one. */
int output_close(int fd, const char *path, struct err *e);
/* Both: the descriptor is taken. */
int output_write_last(int fd, const char *path,
		      int (*write)(const void *self, FILE *out, struct err *e), const void *self,
		      struct err *e);

#endif
