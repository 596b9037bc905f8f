/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was there before the first event: names, threads and mappings of a process, and the kernel's
 * own. Written as records without a time, which readers take as having always been so.
 */
#ifndef COLLECTOR_SNAPSHOT_H
#define COLLECTOR_SNAPSHOT_H

#include "collector/keep.h"
#include "collector/stack_walker.h"
#include "recording/writer.h"

/* A process that ends meanwhile leaves what was read of it. walker may be NULL. */
void snapshot_process(struct writer *w, struct keep *k, struct stack_walker *walker, uint32_t pid);
/* Where the kernel's code lies, if /proc/kallsyms tells us, and its build-id. */
void snapshot_kernel(struct writer *w);

#endif
