/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a file's unwind info may be handed to elfutils, which executes what it is given: a program
 * that names register 100,000,000 makes it take 2 GB, one that remembers its state 10,000,000 times as
 * much, and both anew for every address.
 *
 * All entries are gone over once, at some 400 MB a second (python3: 1 ms), and nothing of them is kept.
 */
#ifndef UNWINDER_CFI_GUARD_H
#define UNWINDER_CFI_GUARD_H

#include <gelf.h>
#include <stdbool.h>

/* .eh_frame, and the table that leads into it, are as compilers and linkers write them. */
bool cfi_guard_eh_frame(Elf *elf);
/* The same of .debug_frame, decompressed: of every section that elfutils may take for it. */
bool cfi_guard_debug_frame(Elf *elf);
/* NULL: there is none of that name. */
Elf_Scn *cfi_guard_section(Elf *elf, const char *name);

#endif
