/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that others cut short while they are mapped here, as `cp` over a program that runs does, or a process that
 * wants to be rid of its profiler. To read what was behind the new end is SIGBUS, which ends a program (mmap(2)). Once
 * this is begun it reads as zeros, like a hole, and who reads has a damaged file, for which all readers are made.
 */
#ifndef BASE_CUT_FILES_H
#define BASE_CUT_FILES_H

#include <stdbool.h>

/* For the whole process, and until its end. */
void cut_files_begin(void);
/* Such a page has been read. */
bool cut_files_were_read(void);

#endif
