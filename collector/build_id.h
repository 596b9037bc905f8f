/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GNU build-id of an ELF file, from its program headers' notes: what the kernel puts into mmap
 * records, computed the same way for mappings that were there before us. Where it has none, as those of Go
 * before 1.24 and of Alpine have not, a checksum of its bytes.
 */
#ifndef COLLECTOR_BUILD_ID_H
#define COLLECTOR_BUILD_ID_H

#include <stdbool.h>
#include <stddef.h>

#include "recording/record.h"

/* False: no ELF file, or one without a build-id that has no checksum. The file may be anything: only pread(2) is used. */
bool build_id_of_fd(int fd, struct build_id *ret_id);
bool build_id_of_path(const char *path, struct build_id *ret_id);
/* The note section of /sys/kernel/notes; notes: bytes as in PT_NOTE. */
bool build_id_of_notes(const void *notes, size_t len, struct build_id *ret_id);
/* Of the running kernel. */
bool build_id_of_kernel(struct build_id *ret_id);
bool build_id_equal(const struct build_id *a, const struct build_id *b);

#endif
