/* SPDX-License-Identifier: Apache-2.0 */
/* File: header, program header, what the sections hold, the sections' names, the sections' headers. */
#include "tests/elf_image.h"

#include <string.h>

static void pad_to(struct str *s, size_t unit)
{
	while (s->len % unit)
		str_add_bytes(s, "", 1);
}

static void begin(struct elf_image *i)
{
	static const char room[sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr)];

	if (i->sections.nr)
		return;
	str_add_bytes(&i->file, room, sizeof(room));
	str_add_bytes(&i->names, "", 1);
	vec_push(&i->sections, (Elf64_Shdr){ 0 });
}

static size_t add(struct elf_image *i, Elf64_Shdr header, const void *bytes)
{
	pad_to(&i->file, 8);
	header.sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	header.sh_offset = i->file.len;
	header.sh_addr = ELF_IMAGE_VADDR + i->file.len;
	header.sh_addralign = 1;
	str_add_bytes(&i->file, bytes, header.sh_size);
	vec_push(&i->sections, header);
	return i->sections.nr - 1;
}

size_t elf_image_section(struct elf_image *i, const char *name, uint32_t type, const void *bytes, size_t len)
{
	Elf64_Shdr header = { .sh_type = type, .sh_size = len };

	begin(i);
	header.sh_name = (uint32_t)i->names.len;
	str_add_bytes(&i->names, name, strlen(name) + 1);
	return add(i, header, bytes);
}

size_t elf_image_symbols(struct elf_image *i, const char *name, uint32_t type, const struct str *symbols,
			 size_t strings)
{
	size_t index = elf_image_section(i, name, type, symbols->s, symbols->len);

	i->sections.at[index].sh_link = (uint32_t)strings;
	i->sections.at[index].sh_info = 1;
	i->sections.at[index].sh_entsize = sizeof(Elf64_Sym);
	return index;
}

void elf_image_symbol(struct str *symbols, uint32_t name, uint8_t info, uint64_t vaddr, uint64_t size)
{
	const Elf64_Sym sym = { .st_name = name,
				.st_info = info,
				.st_shndx = info ? 1 : SHN_UNDEF,
				.st_value = vaddr,
				.st_size = size };

	str_add_bytes(symbols, &sym, sizeof(sym));
}

void elf_image_finish(struct elf_image *i)
{
	size_t names = elf_image_section(i, ".shstrtab", SHT_STRTAB, "", 0);
	Elf64_Ehdr e = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	Elf64_Phdr p = { .p_type = PT_LOAD, .p_flags = PF_R | PF_W | PF_X, .p_vaddr = ELF_IMAGE_VADDR };

	i->sections.at[names].sh_size = i->names.len;
	str_add_bytes(&i->file, i->names.s, i->names.len);
	pad_to(&i->file, 8);
	e.e_shoff = i->file.len;
	e.e_shnum = (uint16_t)i->sections.nr;
	e.e_shstrndx = (uint16_t)names;
	str_add_bytes(&i->file, i->sections.at, i->sections.nr * sizeof(Elf64_Shdr));
	p.p_filesz = p.p_memsz = i->file.len;
	memcpy(i->file.s, &e, sizeof(e));
	memcpy(i->file.s + sizeof(e), &p, sizeof(p));
}

void elf_image_put_last(struct elf_image *i, size_t section)
{
	Elf64_Shdr *header = &i->sections.at[section];
	struct str bytes = { 0 };
	Elf64_Ehdr e;

	memcpy(&e, i->file.s, sizeof(e));
	str_add_bytes(&bytes, i->file.s + header->sh_offset, header->sh_size);
	while ((i->file.len + bytes.len) % ELF_IMAGE_PAGE)
		str_add_bytes(&i->file, "", 1);
	header->sh_offset = i->file.len;
	str_add_bytes(&i->file, bytes.s, bytes.len);
	memcpy(i->file.s + e.e_shoff + section * sizeof(*header), header, sizeof(*header));
	str_release(&bytes);
}

void elf_image_release(struct elf_image *i)
{
	str_release(&i->file);
	str_release(&i->names);
	vec_release(&i->sections);
}
