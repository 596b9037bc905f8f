/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZER_ELF_SYMBOLS_H
#define SYMBOLIZER_ELF_SYMBOLS_H

#include "symbolizer/elf_file.h"
#include "symbolizer/symtab.h"

/*
 * All functions of a file: .symtab, wherever it is (the file, its debug file, MiniDebugInfo), else
 * .dynsym; and the stubs of the PLT. Names are lent from the file. ret_symbols begins zeroed.
 */
void elf_symbols_read(const struct elf_file *file, struct symtab *ret_symbols);

#endif
