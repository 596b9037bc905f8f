/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code of a file that no probe belongs on in a process, though the kernel takes it:
 *
 * - what the process has changed in its memory, as what hooks functions does (Frida, funchook), and live patches. Behind
 *   a probe the kernel carries out what stands in the file, whatever the process has there: over the jump to a hook it would
 *   do the function's first instruction, and go on in the midst of the jump. Breakpoints, and the calls that the kernel makes
 *   of probes on nops of five bytes, are no change: a debugger's own are not told from those of probes;
 * - what it maps shared, or so that it may write to it, and runs there: the kernel leaves such mappings out when probes are
 *   put in (valid_vma() of kernel/events/uprobes.c), and says nothing;
 * - what it has moved to other memory, as what wants huge pages for its code does, and runs there, at the same addresses;
 * - what it does not run but translate (translated.h).
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

enum patched {
	PATCHED_NOT,
	PATCHED_CHANGED,
	PATCHED_UNPROBED,	/* shared, or writable */
	PATCHED_MOVED,
	PATCHED_TRANSLATED,
	NR_PATCHED,
};

struct patched_range {
	uint64_t off, end;	/* in the file; what ends there is the probe's instruction */
	enum patched is;	/* set once */
};

/*
 * Marks those that are so in the process, wherever it maps them, and as changed those of which that cannot be told.
 * Fast where they ascend. How many it has marked; none in a process that is gone, or ends meanwhile. -EMFILE, -ENFILE: there is no
 * descriptor to look with.
 */
int patched_find(uint32_t pid, const struct patched_file *file, struct patched_range *ranges, size_t nr);
/* What the process has done with that code, in words that go on behind its name. */
const char *patched_text(enum patched is);
/* Code of a file that is run in such a mapping has no probes but those that were there before. */
bool patched_is_unprobed(int prot, bool is_shared);

#endif
