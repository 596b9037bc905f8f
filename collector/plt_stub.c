/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/plt_stub.h"

#include <gelf.h>
#include <string.h>

/* [endbr64] [bnd] jmp *slot(%rip) */
static uint64_t slot_of(const uint8_t *code, size_t len, uint64_t vaddr)
{
	static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa }, jmp[] = { 0xff, 0x25 };
	size_t at = 0;
	int32_t distance;

	if (len >= sizeof(endbr) && !memcmp(code, endbr, sizeof(endbr)))
		at += sizeof(endbr);
	if (at < len && code[at] == 0xf2)
		at++;
	if (len - at < sizeof(jmp) + sizeof(distance) || memcmp(code + at, jmp, sizeof(jmp)))
		return 0;
	at += sizeof(jmp);
	memcpy(&distance, code + at, sizeof(distance));
	return vaddr + at + sizeof(distance) + (uint64_t)(int64_t)distance;
}

static const char *name_of(Elf *elf, const GElf_Shdr *relocations, const GElf_Rela *rela)
{
	Elf_Scn *section = elf_getscn(elf, relocations->sh_link);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	GElf_Shdr header;
	GElf_Sym sym;

	if (!data || !gelf_getshdr(section, &header) || !gelf_getsym(data, (int)GELF_R_SYM(rela->r_info), &sym))
		return NULL;
	return elf_strptr(elf, header.sh_link, sym.st_name);
}

static const char *find(Elf *elf, uint64_t slot)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		Elf_Data *data;
		GElf_Rela rela;
		int i;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA)
			continue;
		data = elf_getdata(section, NULL);
		for (i = 0; data && gelf_getrela(data, i, &rela); i++)
			if (rela.r_offset == slot)
				return name_of(elf, &header, &rela);
	}
	return NULL;
}

const char *plt_stub_function(Elf *elf, const uint8_t *code, size_t len, uint64_t vaddr)
{
	uint64_t slot = slot_of(code, len, vaddr);

	return slot ? find(elf, slot) : NULL;
}
