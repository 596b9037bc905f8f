/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In:	header | ... | .debug_info, compressed | .debug_loclists, compressed | ... | section headers
 * Out:	the same, mapped					| section headers, changed | .debug_info | ...
 *
 * All stays where it was. A section's header then says where the inflated bytes are, behind all that was there; or,
 * of a section that nobody reads, that it has none.
 */
#include "symbolizer/inflate.h"

#include <gelf.h>
#include <libdeflate.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

/* Deflate cannot do better than 1032 to 1; and a debug file beyond a GiB is none that we want in memory. */
enum { MAX_RATIO = 1032 };
#define MAX_TOTAL_BYTES (1ULL << 30)
#define LARGE_PAGE_BYTES (2ULL << 20)

struct copy {
	Elf *elf;
	struct inflated out;	/* .len: what it will have at the end */
	uint64_t end;		/* of what is in it */
	struct libdeflate_decompressor *decompressor;
	size_t names;		/* index of the section of section names */
	size_t file_bytes;
	uint64_t headers_off;
};

static bool is_wanted(const char *name)
{
	static const char *const unwanted[] = { ".debug_loc", ".debug_macro", ".debug_macinfo", ".debug_names",
						".debug_pub", ".debug_gnu_pub", ".gdb_index" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(unwanted); i++)
		if (str_starts(name, unwanted[i]))
			return false;
	return true;
}

/* What a section says of itself before its compressed bytes. False: nothing that can be so. */
static bool read_chdr(Elf_Scn *scn, Elf_Data **ret_data, Elf64_Chdr *ret)
{
	Elf_Data *data = elf_rawdata(scn, NULL);

	if (!data || data->d_size < sizeof(*ret))
		return false;
	memcpy(ret, data->d_buf, sizeof(*ret));
	*ret_data = data;
	return ret->ch_type == ELFCOMPRESS_ZLIB && ret->ch_size &&
	       ret->ch_size / MAX_RATIO <= data->d_size - sizeof(*ret);
}

static bool is_compressed(const GElf_Shdr *header)
{
	return header->sh_flags & SHF_COMPRESSED && header->sh_type != SHT_NOBITS;
}

static uint64_t aligned(uint64_t at)
{
	return (at + 15) & ~15ULL;
}

static uint64_t to_large_page(uint64_t at)
{
	return (at + LARGE_PAGE_BYTES - 1) & ~(LARGE_PAGE_BYTES - 1);
}

/* How many bytes it will be. False: nothing to do, or not to be done here. */
static bool measure(struct copy *c)
{
	Elf_Scn *scn = NULL;
	size_t nr = 0;

	elf_rawfile(c->elf, &c->file_bytes);
	c->end = to_large_page(c->file_bytes);
	c->out.len = c->end;
	while ((scn = elf_nextscn(c->elf, scn))) {
		const char *name = NULL;
		Elf64_Chdr chdr;
		GElf_Shdr header;
		Elf_Data *data;

		if (gelf_getshdr(scn, &header))
			name = elf_strptr(c->elf, c->names, header.sh_name);
		if (!name || !strcmp(name, ".gnu_debugaltlink"))
			return false;
		if (!is_compressed(&header) || !is_wanted(name))
			continue;
		if (!read_chdr(scn, &data, &chdr) || chdr.ch_size > MAX_TOTAL_BYTES - c->out.len)
			return false;
		c->out.len = aligned(c->out.len + chdr.ch_size);
		nr++;
	}
	c->out.len = to_large_page(c->out.len);
	return nr && c->out.len <= MAX_TOTAL_BYTES;
}

/*
 * The file is mapped: what libdw does not look at costs nothing. Between its end and what is inflated there are zeros to
 * be read: a section may claim to be there. What will be inflated begins with a large page and is
 * made of them: each small one would cost a fault.
 */
static bool make_room(struct copy *c, int fd)
{
	char *room = mmap(NULL, c->out.len + LARGE_PAGE_BYTES, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *begin;

	if (room == MAP_FAILED)
		return false;
	begin = (char *)to_large_page((uintptr_t)room);
	if (begin > room)
		munmap(room, (size_t)(begin - room));
	if (begin < room + LARGE_PAGE_BYTES)
		munmap(begin + c->out.len, (size_t)(room + LARGE_PAGE_BYTES - begin));
	c->out.bytes = begin;
	if (mmap(begin, c->file_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    mprotect(begin + c->end, c->out.len - c->end, PROT_READ | PROT_WRITE))
		return false;
	madvise(begin + c->end, c->out.len - c->end, MADV_HUGEPAGE);
	return true;
}

static bool inflate_section(struct copy *c, Elf_Scn *scn, GElf_Shdr *header)
{
	Elf64_Chdr chdr;
	Elf_Data *data;
	size_t got;

	if (!read_chdr(scn, &data, &chdr) || chdr.ch_size > c->out.len - c->end ||
	    libdeflate_zlib_decompress(c->decompressor, (const char *)data->d_buf + sizeof(chdr),
				       data->d_size - sizeof(chdr), c->out.bytes + c->end, chdr.ch_size,
				       &got) != LIBDEFLATE_SUCCESS ||
	    got != chdr.ch_size)
		return false;
	header->sh_offset = c->end;
	header->sh_size = chdr.ch_size;
	header->sh_addralign = chdr.ch_addralign;
	c->end = aligned(c->end + chdr.ch_size);
	return true;
}

/* False: damaged. */
static bool copy_section(struct copy *c, Elf_Scn *scn)
{
	uint64_t at = c->headers_off + elf_ndxscn(scn) * sizeof(Elf64_Shdr);
	GElf_Shdr header;

	/* A copy: in the file it may stand at any offset. */
	if (!gelf_getshdr(scn, &header))
		return false;
	if (!is_compressed(&header))
		return true;
	if (!is_wanted(elf_strptr(c->elf, c->names, header.sh_name)))
		header.sh_type = SHT_NOBITS;
	else if (!inflate_section(c, scn, &header))
		return false;
	header.sh_flags &= ~(Elf64_Xword)SHF_COMPRESSED;
	if (at > c->file_bytes || c->file_bytes - at < sizeof(header))
		return false;
	memcpy(c->out.bytes + at, &header, sizeof(header));
	return true;
}

static bool copy_inflated(struct copy *c, int fd)
{
	Elf64_Ehdr *header = elf64_getehdr(c->elf);
	Elf_Scn *scn = NULL;

	if (!header || header->e_shentsize != sizeof(Elf64_Shdr) || elf_getshdrstrndx(c->elf, &c->names) ||
	    !measure(c) || !make_room(c, fd))
		return false;
	c->headers_off = header->e_shoff;
	while ((scn = elf_nextscn(c->elf, scn)))
		if (!copy_section(c, scn))
			return false;
	return true;
}

bool inflate_debug_file(int fd, struct inflated *ret)
{
	struct copy c = { 0 };
	const char *ident;
	bool is_good = false;

	elf_version(EV_CURRENT);
	c.elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	ident = c.elf ? elf_getident(c.elf, NULL) : NULL;
	if (ident && ident[EI_CLASS] == ELFCLASS64 && ident[EI_DATA] == ELFDATA2LSB) {
		c.decompressor = libdeflate_alloc_decompressor();
		is_good = c.decompressor && copy_inflated(&c, fd);
		libdeflate_free_decompressor(c.decompressor);
	}
	elf_end(c.elf);
	if (is_good)
		*ret = c.out;
	else
		inflated_release(&c.out);
	return is_good;
}

void inflated_release(struct inflated *i)
{
	if (i->bytes)
		munmap(i->bytes, i->len);
	*i = (struct inflated){ 0 };
}
