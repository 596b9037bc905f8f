/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file for x86-64, made in memory section by section. One segment has all of it, to be read, written and run.
 *
 *	struct elf_image i = { 0 };
 *	struct str symbols = { 0 };
 *
 *	elf_image_symbol(&symbols, 0, 0, 0, 0);
 *	elf_image_symbol(&symbols, 1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), ELF_IMAGE_VADDR, 16);
 *	strings = elf_image_section(&i, ".strtab", SHT_STRTAB, "\0f", 3);
 *	elf_image_symbols(&i, ".symtab", SHT_SYMTAB, &symbols, strings);
 *	elf_image_finish(&i);
 *	... i.file ...
 *	elf_image_release(&i);
 */
#ifndef TESTS_ELF_IMAGE_H
#define TESTS_ELF_IMAGE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"

enum { ELF_IMAGE_VADDR = 0x400000, ELF_IMAGE_PAGE = 4096 };

struct elf_image {
	struct str file;
	VEC(Elf64_Shdr) sections;
	struct str names;
};

/* Its index. The bytes stand at ELF_IMAGE_VADDR + sections.at[index].sh_offset. */
size_t elf_image_section(struct elf_image *i, const char *name, uint32_t type, const void *bytes, size_t len);
/* What elf_image_symbol() has put together; strings: the index of the table with their names. */
size_t elf_image_symbols(struct elf_image *i, const char *name, uint32_t type, const struct str *symbols,
			 size_t strings);
void elf_image_symbol(struct str *symbols, uint32_t name, uint8_t info, uint64_t vaddr, uint64_t size);
void elf_image_finish(struct elf_image *i);
/* After elf_image_finish(): the section's last byte becomes the file's, and a page's. */
void elf_image_put_last(struct elf_image *i, size_t section);
void elf_image_release(struct elf_image *i);

#endif
