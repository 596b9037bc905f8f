/* SPDX-License-Identifier: Apache-2.0 */
#include "base/elf_names.h"

#include <string.h>

static void look_at(struct elf_names *n, Elf *elf)
{
	size_t len = 0;
	const char *begin = elf_rawfile(elf, &len), *nul = begin ? memrchr(begin, '\0', len) : NULL;

	*n = (struct elf_names){ elf, begin, nul ? nul + 1 : begin };
}

const char *elf_names_symbol(struct elf_names *n, Dwfl_Module *mod, int i, GElf_Sym *ret_sym, GElf_Addr *ret_addr,
			     GElf_Word *ret_shndx)
{
	Elf *elf = NULL;
	const char *name = dwfl_module_getsym_info(mod, i, ret_sym, ret_addr, ret_shndx, &elf, NULL);

	if (!name || !elf)
		return NULL;
	if (n->elf != elf)
		look_at(n, elf);
	return name >= n->begin && name < n->end ? name : NULL;
}

bool elf_is_program(Elf *elf)
{
	GElf_Ehdr ehdr;

	return elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &ehdr) &&
	       (ehdr.e_type == ET_EXEC || ehdr.e_type == ET_DYN);
}
