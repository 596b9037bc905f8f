/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a mapping to the file behind it. The mapping itself tells best, even of a file that is deleted
 * (/proc/PID/map_files); where that may not be asked, the path does, in the process's root and then in
 * ours, if the same file still stands there. A process whose first thread has ended is asked through
 * another one.
 */
#ifndef COLLECTOR_MAPPED_FILE_H
#define COLLECTOR_MAPPED_FILE_H

#include <sys/stat.h>

#include "recording/writer.h"

/*
 * Looks at pid, start, len, path, inode and device of m. The file, O_PATH (root_reopen() makes it one
 * to read), which the caller closes; or a negative errno: it is gone, or another one, or no regular file.
 */
int mapped_file_find(const struct writer_mmap *m, struct stat *ret_st);
/* Whether what stat(2) says may be said of the mapped file. */
bool mapped_file_may_be(const struct writer_mmap *m, uint64_t dev, uint64_t inode);

#endif
