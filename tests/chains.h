/* SPDX-License-Identifier: Apache-2.0 */
/* The user's frames of every sample of a recording, for programs that compare them with another's. */
#ifndef TESTS_CHAINS_H
#define TESTS_CHAINS_H

#include <stdio.h>

/*
 * A line a sample, in the order of time: "TID TIME ADDR ADDR ...", innermost first: where code stood, and for
 * every caller the byte before its return address; as offsets in the file that is mapped there, as perf
 * script prints them. 0, or an exit status.
 */
int chains_print(const char *path, FILE *out);

#endif
