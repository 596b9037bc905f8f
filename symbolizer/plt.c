/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PLT stubs of x86-64. Which section a linker puts them in, how long they are and what stands
 * before the jump differs (lazy, -z now, IBT, bnd; GNU ld, gold, lld), but all that run jump
 * through a slot of the GOT, and the slot's relocation has the name:
 *
 *	[f3 0f 1e fa] [f2] ff 25 rel32		[endbr64] [bnd] jmp *rel32(%rip)
 *
 * psABI x86-64 version 1.0, section 5.2 and appendix on IBT.
 */
#include "symbolizer/plt.h"

#include <string.h>

#include "base/hash.h"
#include "base/str.h"

#define STUB_LEN	 16
#define SHORT_STUB_LEN	 8	/* .plt.got without IBT */
#define MAX_RELOCATIONS	 (4 << 20)

struct slots {
	struct u64map by_addr;		/* of the GOT slot -> index of the name */
	VEC(const char *) names;
};

static const char *dynamic_name(Elf *elf, const GElf_Shdr *rela, size_t index)
{
	Elf_Scn *scn = elf_getscn(elf, rela->sh_link);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	GElf_Shdr shdr;
	GElf_Sym sym;

	if (!data || index > INT32_MAX || !gelf_getshdr(scn, &shdr) ||
	    (shdr.sh_type != SHT_DYNSYM && shdr.sh_type != SHT_SYMTAB) ||
	    !gelf_getsym(data, (int)index, &sym) || !sym.st_name)
		return NULL;
	return elf_strptr(elf, shdr.sh_link, sym.st_name);
}

static void add_slot(struct slots *slots, Elf *elf, const GElf_Shdr *rela, const GElf_Rela *r,
		     const struct symtab *symbols)
{
	uint64_t type = GELF_R_TYPE(r->r_info);
	const char *name = NULL;

	if (type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT) {
		name = dynamic_name(elf, rela, GELF_R_SYM(r->r_info));
	} else if (type == R_X86_64_IRELATIVE) {
		const struct symbol *s = symtab_find(symbols, (uint64_t)r->r_addend);

		name = s ? s->name : NULL;
	}
	if (!name)
		return;
	vec_push(&slots->names, name);
	u64map_set(&slots->by_addr, r->r_offset, (uint32_t)slots->names.nr - 1);
}

static void read_slots(struct slots *slots, Elf *elf, const struct symtab *symbols)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	GElf_Rela rela;

	while ((scn = elf_nextscn(elf, scn))) {
		Elf_Data *data;
		int i;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_RELA ||
		    !(shdr.sh_flags & SHF_ALLOC))
			continue;
		data = elf_getdata(scn, NULL);
		for (i = 0; i < MAX_RELOCATIONS && data && gelf_getrela(data, i, &rela); i++)
			add_slot(slots, elf, &shdr, &rela, symbols);
	}
}

/* Where the stub's jump finds its target, or 0 where it has no such jump. */
static uint64_t stub_slot(const uint8_t *code, size_t len, uint64_t vaddr)
{
	size_t i;
	int32_t rel;

	for (i = 0; i + 6 <= len; i++) {
		if (code[i] != 0xff || code[i + 1] != 0x25)
			continue;
		memcpy(&rel, code + i + 2, sizeof(rel));
		return vaddr + i + 6 + (uint64_t)(int64_t)rel;
	}
	return 0;
}

static void add_stubs(const struct slots *slots, Elf_Scn *scn, const GElf_Shdr *shdr, size_t len,
		      struct symtab *to)
{
	const Elf_Data *data = elf_rawdata(scn, NULL);
	size_t off;

	if (!data || !data->d_buf)
		return;
	for (off = 0; off + len <= data->d_size; off += len) {
		uint64_t vaddr = shdr->sh_addr + off;
		const uint32_t *name = u64map_get(
			&slots->by_addr, stub_slot((uint8_t *)data->d_buf + off, len, vaddr));

		if (name)
			vec_push(&to->symbols, (struct symbol){
				.start = vaddr,
				.end = vaddr + len,
				.limit = vaddr + len,
				.name = slots->names.at[*name],
				.binding = SYMBOL_WEAK,
				.is_plt = true,
			});
	}
}

static size_t stub_len(const char *section, const GElf_Shdr *shdr)
{
	if (!strcmp(section, ".plt.got") && shdr->sh_entsize == SHORT_STUB_LEN)
		return SHORT_STUB_LEN;
	return STUB_LEN;
}

void plt_add_symbols(const struct elf_file *file, struct symtab *symbols)
{
	struct slots slots = { 0 };
	Elf_Scn *scn = NULL;
	GElf_Ehdr ehdr;
	GElf_Shdr shdr;
	size_t names;

	if (!gelf_getehdr(file->elf, &ehdr) || ehdr.e_machine != EM_X86_64 ||
	    elf_getshdrstrndx(file->elf, &names))
		return;
	read_slots(&slots, file->elf, symbols);
	while (slots.names.nr && (scn = elf_nextscn(file->elf, scn))) {
		const char *name = gelf_getshdr(scn, &shdr) ?
					   elf_strptr(file->elf, names, shdr.sh_name) : NULL;

		if (name && shdr.sh_type == SHT_PROGBITS && (shdr.sh_flags & SHF_EXECINSTR) &&
		    (!strcmp(name, ".plt") || str_starts(name, ".plt.")) &&
		    elf_file_text(file, shdr.sh_addr))
			add_stubs(&slots, scn, &shdr, stub_len(name, &shdr), symbols);
	}
	u64map_release(&slots.by_addr);
	vec_release(&slots.names);
}
