/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols' names, none of which is read past the file's end: libdwfl 0.188 returns pointers into string tables
 * without looking for the NUL (later ones do: validate_strdata() in dwfl_module_getdwarf.c). A table at the file's end
 * that does not end in one would be read on into whatever is mapped behind the file. Section names come from
 * elf_strptr(), strings of DWARF and .gnu_debuglink from libdw, and these look.
 *
 *	struct elf_names names = { 0 };
 *
 *	for (i = 1; i < dwfl_module_getsymtab(mod); i++)
 *		name = elf_names_symbol(&names, mod, i, &sym, &addr, &shndx);
 */
#ifndef BASE_ELF_NAMES_H
#define BASE_ELF_NAMES_H

#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>

/* What was found of the file last asked about: the symbols of a module come from two of them at most. */
struct elf_names {
	Elf *elf;
	const char *begin, *end;	/* end: behind the last NUL in the file */
};

/*
 * dwfl_module_getsym_info(), lent from mod. NULL: no symbol, or a name without an end. The names of a string table that
 * is compressed are not in the file, and are not had; nobody compresses one.
 */
const char *elf_names_symbol(struct elf_names *n, Dwfl_Module *mod, int i, GElf_Sym *ret_sym, GElf_Addr *ret_addr,
			     GElf_Word *ret_shndx);
/* What may be given to libdwfl, which would also take archives, and unpack what is compressed as a whole. */
bool elf_is_program(Elf *elf);

#endif
