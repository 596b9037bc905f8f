/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZER_PLT_H
#define SYMBOLIZER_PLT_H

#include "symbolizer/elf_file.h"
#include "symbolizer/symtab.h"

/*
 * Adds a symbol for every stub of the procedure linkage table, which symbol tables leave out. Names
 * are lent from the ELF file. symbols: what is known of the file, for stubs of functions that are
 * chosen when the program starts (IFUNC) and named by their address only.
 */
void plt_add_symbols(const struct elf_file *file, struct symtab *symbols);

#endif
