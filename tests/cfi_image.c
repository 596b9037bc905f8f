/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/cfi_image.h"

#include <elf.h>
#include <string.h>

#include "base/alloc.h"

static const char names[] = "\0.eh_frame\0.eh_frame_hdr\0.shstrtab";

enum { NAME_FRAMES = 1, NAME_TABLE = 11, NAME_NAMES = 25 };

/* File: header, two program headers, the table's header, the table, the frames, the names, sections. */
enum { TABLE_AT = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr), TABLE_HEADER = 12 };

static void add_u32(struct str *s, uint32_t v)
{
	str_add_bytes(s, &v, sizeof(v));
}

static void add_u64(struct str *s, uint64_t v)
{
	str_add_bytes(s, &v, sizeof(v));
}

void add_uleb(struct str *s, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		str_add_char(s, (char)(v | 0x80));
	str_add_char(s, (char)v);
}

static uint16_t machine_of(const struct cfi_image *i)
{
	return i->machine ? i->machine : EM_X86_64;
}

/* Puts the length before what was added from at on, and nops behind it. */
static void end_entry(struct cfi_image *i, size_t at)
{
	uint32_t len;

	while ((i->frames.len - at) % 8)
		str_add_bytes(&i->frames, "", 1);
	len = (uint32_t)(i->frames.len - at - sizeof(len));
	memcpy(i->frames.s + at, &len, sizeof(len));
}

void cfi_image_cie(struct cfi_image *i, const char *augmentation, const char *program, size_t len)
{
	struct str *s = &i->frames;

	i->cie_at = s->len;
	add_u32(s, 0);
	add_u32(s, 0);
	str_add_bytes(s, "\1", 1);
	str_add_bytes(s, augmentation, strlen(augmentation) + 1);
	str_add_bytes(s, BYTES("\1\x78"));
	str_add_bytes(s, machine_of(i) == EM_X86_64 ? "\x10" : "\x1e", 1);
	if (strchr(augmentation, 'z'))
		add_uleb(s, strchr(augmentation, 'R') ? 1 : 0);
	if (strchr(augmentation, 'R'))
		str_add_bytes(s, "", 1);
	str_add_bytes(s, program, len);
	end_entry(i, i->cie_at);
}

size_t cfi_image_fde(struct cfi_image *i, uint64_t vaddr, uint64_t nr_bytes, const char *program,
		     size_t len)
{
	struct str *s = &i->frames;
	size_t at = s->len;

	add_u32(s, 0);
	add_u32(s, (uint32_t)(at + 4 - i->cie_at));
	add_u64(s, vaddr);
	add_u64(s, nr_bytes);
	add_uleb(s, 0);
	str_add_bytes(s, program, len);
	end_entry(i, at);
	return at;
}

void cfi_image_entry(struct cfi_image *i, uint64_t vaddr, uint64_t frames_off)
{
	add_u64(&i->table, vaddr);
	add_u64(&i->table, frames_off);
}

static size_t table_len(const struct cfi_image *i)
{
	return i->table.len ? TABLE_HEADER + i->table.len / 2 : 0;
}

static uint64_t vaddr_of(size_t off)
{
	return CFI_IMAGE_TEXT - CFI_IMAGE_OFF + off;
}

/* As linkers write it: see unwinder/cfi_guard.c. */
static void add_table(struct cfi_image *i, uint64_t frames_vaddr)
{
	const uint64_t vaddr = vaddr_of(TABLE_AT);
	struct str *s = &i->file;
	size_t k;

	str_add_bytes(s, BYTES("\1\x1b\3\x3b"));
	add_u32(s, (uint32_t)(frames_vaddr - (vaddr + 4)));
	add_u32(s, (uint32_t)(i->table.len / 16));
	for (k = 0; k < i->table.len; k += 16) {
		uint64_t entry[2];

		memcpy(entry, i->table.s + k, sizeof(entry));
		add_u32(s, (uint32_t)(entry[0] - vaddr));
		add_u32(s, (uint32_t)(frames_vaddr + entry[1] - vaddr));
	}
}

static void add_section(struct cfi_image *i, uint32_t name, uint32_t type, size_t off, size_t len)
{
	const Elf64_Shdr s = { .sh_name = name,
			       .sh_type = type,
			       .sh_flags = SHF_ALLOC,
			       .sh_addr = vaddr_of(off),
			       .sh_offset = off,
			       .sh_size = len,
			       .sh_addralign = 1 };

	str_add_bytes(&i->file, &s, sizeof(s));
}

static void add_headers(struct cfi_image *i, size_t sections_at)
{
	const Elf64_Ehdr e = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = machine_of(i),
		.e_version = EV_CURRENT,
		.e_entry = i->entry,
		.e_phoff = sizeof(e),
		.e_shoff = i->has_no_sections ? 0 : sections_at,
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = i->has_no_sections ? 0 : 4,
		.e_shstrndx = i->has_no_sections ? 0 : 3,
	};
	const Elf64_Phdr p[2] = {
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_X,
		  .p_vaddr = vaddr_of(0),
		  .p_filesz = CFI_IMAGE_OFF + CFI_IMAGE_TEXT_BYTES },
		{ .p_type = i->table.len ? PT_GNU_EH_FRAME : PT_NULL,
		  .p_flags = PF_R,
		  .p_offset = TABLE_AT,
		  .p_vaddr = vaddr_of(TABLE_AT),
		  .p_filesz = table_len(i) },
	};

	str_add_bytes(&i->file, &e, sizeof(e));
	str_add_bytes(&i->file, p, sizeof(p));
}

void cfi_image_finish(struct cfi_image *i)
{
	size_t frames_at = TABLE_AT + table_len(i), names_at = frames_at + i->frames.len;

	str_clear(&i->file);
	add_headers(i, names_at + sizeof(names));
	if (i->table.len)
		add_table(i, vaddr_of(frames_at));
	str_add_bytes(&i->file, i->frames.s ? i->frames.s : "", i->frames.len);
	str_add_bytes(&i->file, names, sizeof(names));
	if (i->has_no_sections)
		return;
	add_section(i, 0, SHT_NULL, 0, 0);
	add_section(i, i->table.len ? NAME_TABLE : 0, i->table.len ? SHT_PROGBITS : SHT_NULL, TABLE_AT, table_len(i));
	add_section(i, NAME_FRAMES, SHT_PROGBITS, frames_at, i->frames.len);
	add_section(i, NAME_NAMES, SHT_STRTAB, names_at, sizeof(names));
}

void cfi_image_release(struct cfi_image *i)
{
	str_release(&i->frames);
	str_release(&i->table);
	str_release(&i->file);
}
