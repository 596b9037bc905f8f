/* SPDX-License-Identifier: Apache-2.0 */
/* stdin, stdout and stderr of a program that others start. */
#ifndef BASE_STREAMS_H
#define BASE_STREAMS_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Before anything is opened: descriptors 0 to 2 that are closed are taken, so that no file that is
 * opened later is written to as if it were stdout. Reading or writing them still fails with EBADF.
 */
void streams_fill(void);
bool streams_is_stdout_closed(void);
/*
 * error: the errno of a write to stdout. Says why, and returns -error; what was told is not told
 * again by streams_finish_stdout(). A reader that went away (EPIPE) has seen enough: 0.
 */
int streams_cannot_write(int error, struct err *e);
/* Sees to it that what was written to stdout has arrived. Errors are those of the above. */
int streams_finish_stdout(struct err *e);

#endif
