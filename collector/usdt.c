/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/usdt.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>

#include "base/cursor.h"

#define NOTE_NAME "stapsdt"
#define NOTE_TYPE 3	/* NT_STAPSDT */

static void take_padding(struct cursor *c, size_t len)
{
	size_t pad = (4 - len % 4) % 4;

	/* The last note of a section may end without it. */
	cursor_skip(c, pad < cursor_left(c) ? pad : cursor_left(c));
}

static void parse_desc(struct usdt *u, struct cursor c, uint64_t moved_base)
{
	struct usdt_site s = { 0 };
	uint64_t base, moved;

	s.vaddr = cursor_u64(&c);
	base = cursor_u64(&c);
	s.semaphore_vaddr = cursor_u64(&c);
	s.provider = cursor_str(&c);
	s.name = cursor_str(&c);
	s.args = cursor_str(&c);
	if (c.failed || !s.provider[0] || !s.name[0]) {
		u->nr_bad++;
		return;
	}
	moved = moved_base && base ? moved_base - base : 0;
	s.vaddr += moved;
	if (s.semaphore_vaddr)
		s.semaphore_vaddr += moved;
	s.provider = arena_strndup(&u->arena, s.provider, strlen(s.provider));
	s.name = arena_strndup(&u->arena, s.name, strlen(s.name));
	s.args = arena_strndup(&u->arena, s.args, strlen(s.args));
	vec_push(&u->sites, s);
}

void usdt_parse_notes(struct usdt *u, const void *bytes, size_t len, uint64_t moved_base)
{
	struct cursor c = cursor_of(bytes, len);

	while (cursor_left(&c)) {
		uint32_t name_len = cursor_u32(&c), desc_len = cursor_u32(&c);
		uint32_t type = cursor_u32(&c);
		const char *name = cursor_take(&c, name_len);
		const void *desc;

		take_padding(&c, name_len);
		desc = cursor_take(&c, desc_len);
		if (c.failed) {
			u->nr_bad++;
			return;
		}
		take_padding(&c, desc_len);
		if (type == NOTE_TYPE && name_len == sizeof(NOTE_NAME) &&
		    !memcmp(name, NOTE_NAME, sizeof(NOTE_NAME)))
			parse_desc(u, cursor_of(desc, desc_len), moved_base);
	}
}

/* The next section of that name after scn (NULL: the first), or NULL. */
static Elf_Scn *find_section(Elf *elf, Elf_Scn *scn, const char *name, GElf_Shdr *ret)
{
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *s = NULL;

		if (gelf_getshdr(scn, ret))
			s = elf_strptr(elf, names, ret->sh_name);
		if (s && !strcmp(s, name))
			return scn;
	}
	return NULL;
}

/* The file offset of an address in a loaded segment with all of `flags`, or 0. */
static uint64_t file_off(Elf *elf, uint64_t vaddr, uint32_t flags)
{
	size_t nr, i;
	GElf_Phdr p;

	if (elf_getphdrnum(elf, &nr))
		return 0;
	for (i = 0; i < nr; i++)
		if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD &&
		    (p.p_flags & flags) == flags && vaddr >= p.p_vaddr &&
		    vaddr - p.p_vaddr < p.p_filesz)
			return vaddr - p.p_vaddr + p.p_offset;
	return 0;
}

/* Sites from `first` on get their offsets; those that lie outside of the file are taken out. */
static void set_offsets(struct usdt *u, size_t first, Elf *elf)
{
	size_t i = first;

	while (i < u->sites.nr) {
		struct usdt_site *s = &u->sites.at[i];

		s->off = file_off(elf, s->vaddr, PF_X);
		if (s->semaphore_vaddr)
			s->semaphore_off = file_off(elf, s->semaphore_vaddr, PF_W);
		if (s->off && !s->semaphore_vaddr == !s->semaphore_off) {
			i++;
			continue;
		}
		vec_remove(&u->sites, i, 1);
		u->nr_bad++;
	}
}

int usdt_read(struct usdt *u, Elf *elf, struct err *e)
{
	GElf_Shdr shdr, base = { 0 };
	size_t first = u->sites.nr;
	Elf_Scn *scn = NULL;
	GElf_Ehdr ehdr;

	if (!gelf_getehdr(elf, &ehdr) || ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr.e_machine != EM_X86_64)
		return err_set(e, -ENOEXEC, "not an ELF file for x86-64");
	if (!find_section(elf, NULL, ".stapsdt.base", &base))
		base.sh_addr = 0;
	while ((scn = find_section(elf, scn, ".note.stapsdt", &shdr))) {
		/* In a separate debug file the section has a size and no bytes. */
		Elf_Data *data = shdr.sh_type == SHT_NOTE ? elf_rawdata(scn, NULL) : NULL;

		if (data && data->d_buf)
			usdt_parse_notes(u, data->d_buf, data->d_size, base.sh_addr);
	}
	set_offsets(u, first, elf);
	return 0;
}

void usdt_release(struct usdt *u)
{
	vec_release(&u->sites);
	arena_release(&u->arena);
	u->nr_bad = 0;
}
