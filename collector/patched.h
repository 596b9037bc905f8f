/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that a process has changed in its memory, as what hooks functions does (Frida, funchook), and live patches. Behind
 * a probe the kernel carries out what stands in the file, whatever the process has there: over the jump to a hook it would
 * do the function's first instruction, and go on in the midst of the jump. No probe belongs there.
 *
 * Breakpoints, and the calls that the kernel makes of probes on nops of five bytes, are no change.
 */
#ifndef COLLECTOR_PATCHED_H
#define COLLECTOR_PATCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct patched_file {
	const char *open_path;	/* opens it */
	uint64_t dev, inode;	/* as stat(2) says of that */
};

struct patched_range {
	uint64_t off, end;	/* in the file */
	bool is_patched;	/* set, never cleared */
};

/*
 * Marks those that the process has otherwise than the file, wherever it maps them, and those of which it cannot be told.
 * Fast where they ascend. How many it has marked; none in a process that is gone, or ends meanwhile. -EMFILE, -ENFILE: there is no
 * descriptor to look with.
 */
int patched_find(uint32_t pid, const struct patched_file *file, struct patched_range *ranges, size_t nr);

#endif
