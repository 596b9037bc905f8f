/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions from .symtab, wherever it is (the file, its debug file, MiniDebugInfo), else .dynsym, and
 * stubs of the PLT. Code that DWARF knows only lines of, such as assembly, gets them here.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "symbolizer/plt.h"
#include "symbolizer/source.h"
#include "symbolizer/symtab.h"

struct elf_symbols {
	struct module *module;
	struct symtab table;
};

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

static uint64_t code_limit(const struct ranges *sections, const struct segment *text, uint64_t vaddr)
{
	const struct range *section = ranges_range(sections, vaddr);

	return section ? section->end : text->vaddr + text->mem_size;
}

static void read_symbols(struct elf_symbols *self)
{
	const struct elf_file *file = &self->module->file;
	struct ranges sections = code_sections(file);
	int nr = dwfl_module_getsymtab(file->mod), i;

	for (i = 1; i < nr; i++) {
		const struct segment *text;
		GElf_Addr addr;
		GElf_Word shndx;
		GElf_Sym sym;
		const char *name;
		unsigned int binding;

		name = dwfl_module_getsym_info(file->mod, i, &sym, &addr, &shndx, NULL, NULL);
		if (!is_code_symbol(name, &sym, shndx) || !(text = elf_file_text(file, addr)))
			continue;
		binding = GELF_ST_BIND(sym.st_info);
		vec_push(&self->table.symbols, (struct symbol){
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

static bool symtab_open(struct module *m, void **ret_self)
{
	struct elf_symbols *self;

	if (!m->file.mod)
		return false;
	self = xcalloc(1, sizeof(*self));
	self->module = m;
	read_symbols(self);
	symtab_finish(&self->table);
	plt_add_symbols(&m->file, &self->table);
	symtab_finish(&self->table);
	*ret_self = self;
	return true;
}

static uint32_t shown_name(struct elf_symbols *self, struct symbol *s)
{
	const char *version = s->name[0] == '@' ? NULL : strchr(s->name, '@');
	struct str plt = { 0 };
	char *name;

	if (s->shown)
		return s->shown;
	/* memcpy@@GLIBC_2.14: the version is the linker's business. */
	name = xstrndup(s->name, version ? (size_t)(version - s->name) : strlen(s->name));
	s->shown = module_function(self->module, name);
	if (s->is_plt) {
		str_addf(&plt, "%s@plt", strings_text(self->module->strings, s->shown));
		s->shown = strings_id(self->module->strings, str_cstr(&plt));
		str_release(&plt);
	}
	free(name);
	return s->shown;
}

static int symtab_resolve(void *arg, uint64_t vaddr, struct frames *out)
{
	struct elf_symbols *self = arg;
	struct symbol *s = symtab_find(&self->table, vaddr);
	struct source_line at = { 0 }, start = { 0 };

	if (!s)
		return 0;
	if (self->module->debug) {
		at = debug_info_line(self->module->debug, vaddr);
		start = debug_info_line(self->module->debug, s->start);
	}
	vec_push(&out->list, (struct frame){
		.function = shown_name(self, s),
		.file = module_file(self->module, start),
		.line = start.line,
		.at_file = module_file(self->module, at),
		.at_line = at.line,
	});
	return 1;
}

static void symtab_close(void *arg)
{
	struct elf_symbols *self = arg;

	symtab_release(&self->table);
	free(self);
}

const struct frame_source source_symtab = {
	.name = "symtab",
	.open = symtab_open,
	.resolve = symtab_resolve,
	.close = symtab_close,
};
