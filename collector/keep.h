/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would be gone, or out of reach, when the report is made is copied into the recording: deleted
 * and replaced files, files of another mount namespace, the vdso, perf-PID.map. A file that stands at
 * its path with the build-id that was mapped is left there, and held open, so that it can be copied if
 * it has gone from there when it is looked at again. What is held keeps its place on the disk, and its
 * file system mounted, until the recording ends.
 */
#ifndef COLLECTOR_KEEP_H
#define COLLECTOR_KEEP_H

#include "recording/writer.h"

struct keep;

/* w is lent. */
struct keep *keep_new(struct writer *w);
void keep_free(struct keep *k);

/*
 * A process maps a file: its build-id is filled in from the file itself. What was seen before (same
 * path, device and inode, and not written to since) costs a look. Where the file could not be had,
 * the next process that maps it is asked.
 */
void keep_mapping(struct keep *k, struct writer_mmap *m);
/*
 * What was left at its path, and is not there any more, is copied now; or counted as unreachable, where it
 * was written over, or was not held (too many are) and its process has ended. A look costs 1 us a file.
 */
void keep_look_again(struct keep *k);
/*
 * The maps that just-in-time compilers leave for perf, if the process has one. Also of a process that
 * has ended: perf_map.h.
 */
void keep_perf_map(struct keep *k, uint32_t pid);
/* Lines of /proc/kallsyms: kernel_names.h. Nothing where there are none. */
void keep_kallsyms(struct keep *k, const struct build_id *kernel, const char *lines, size_t len);
/* The vdso of this kernel, which is in every process of our kind. */
void keep_vdso(struct keep *k);

struct keep_stats {
	uint64_t nr_files, nr_bytes;	/* copied */
	uint64_t nr_unreachable;	/* files that should have been copied and could not be read */
};
void keep_stats(const struct keep *k, struct keep_stats *ret);

#endif
