/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/elf_symbols.h"

#include <string.h>

#include "base/elf_names.h"
#include "symbolizer/plt.h"

/* "$a", "$d", "$x": the assembler's notes of where code and data begin, on ARM and RISC-V. */
static bool is_mapping_symbol(const char *name)
{
	return name[0] == '$' && name[1] && strchr("adtx", name[1]) && (!name[2] || name[2] == '.');
}

/* A function, or a label in code as hand-written assembly leaves them. */
static bool is_code_symbol(const char *name, const GElf_Sym *sym, GElf_Word shndx)
{
	unsigned int type = GELF_ST_TYPE(sym->st_info);
	unsigned int visibility = GELF_ST_VISIBILITY(sym->st_other);

	if (!name || !name[0] || shndx == SHN_UNDEF)
		return false;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		return true;
	return type == STT_NOTYPE && shndx != SHN_ABS && visibility != STV_HIDDEN &&
	       visibility != STV_INTERNAL && !is_mapping_symbol(name);
}

/* A symbol without a size ends with its section at the latest. */
static struct ranges code_sections(const struct elf_file *file)
{
	struct ranges sections = { 0 };
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while ((scn = elf_nextscn(file->elf, scn)))
		if (gelf_getshdr(scn, &shdr) && (shdr.sh_flags & SHF_EXECINSTR))
			ranges_add(&sections, shdr.sh_addr, shdr.sh_addr + shdr.sh_size, 0);
	ranges_flatten(&sections, RANGES_INNERMOST);
	return sections;
}

static uint64_t code_limit(const struct ranges *sections, const struct segment *text,
			   uint64_t vaddr)
{
	const struct range *section = ranges_range(sections, vaddr);

	return section ? section->end : text->vaddr + text->mem_size;
}

static void read_symbols(const struct elf_file *file, struct symtab *t)
{
	struct ranges sections = code_sections(file);
	int nr = dwfl_module_getsymtab(file->mod), i;
	struct elf_names names = { 0 };

	for (i = 1; i < nr; i++) {
		const struct segment *text;
		GElf_Addr addr;
		GElf_Word shndx;
		GElf_Sym sym;
		const char *name;
		unsigned int binding;

		name = elf_names_symbol(&names, file->mod, i, &sym, &addr, &shndx);
		if (!is_code_symbol(name, &sym, shndx) || !(text = elf_file_text(file, addr)))
			continue;
		binding = GELF_ST_BIND(sym.st_info);
		vec_push(&t->symbols, (struct symbol){
			.start = addr,
			.end = addr + sym.st_size < addr ? addr : addr + sym.st_size,
			.limit = code_limit(&sections, text, addr),
			.name = name,
			.binding = binding == STB_WEAK ? SYMBOL_WEAK :
				   binding == STB_LOCAL ? SYMBOL_LOCAL : SYMBOL_GLOBAL,
		});
	}
	ranges_release(&sections);
}

void elf_symbols_read(const struct elf_file *file, struct symtab *ret_symbols)
{
	read_symbols(file, ret_symbols);
	symtab_finish(ret_symbols);
	plt_add_symbols(file, ret_symbols);
	symtab_finish(ret_symbols);
}
