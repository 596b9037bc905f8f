/* SPDX-License-Identifier: Apache-2.0 */
/* A checksum of all of a file's bytes. Recordings hold it: which sum belongs to which bytes never changes. */
#ifndef BASE_FILE_SUM_H
#define BASE_FILE_SUM_H

#include <stdbool.h>
#include <stdint.h>

#define FILE_SUM_BIT (1ULL << 63)	/* in every sum, by which it is told from smaller numbers */

/* False: no file, an empty one, one of more than 512 MiB, or it cannot be read. pread(2) only: it may be anything. */
bool file_sum(int fd, uint64_t *ret_sum);

#endif
