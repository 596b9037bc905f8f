/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In:	header | ... | .debug_info, compressed | .debug_loclists, compressed | ... | section headers
 * Out:	the same bytes					  | section headers, changed | .debug_info | ...
 *
 * A section's header then says where the inflated bytes are, behind all that was there; or, of a section
 * that nobody reads, that it has none.
 */
#include "symbolizer/inflate.h"

#include <gelf.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

/* Deflate cannot do better than 1032 to 1; and a debug file beyond a GiB is none that we want in memory. */
enum { MAX_RATIO = 1032 };
#define MAX_TOTAL_BYTES (1ULL << 30)

struct copy {
	Elf *elf;
	int from, to;
	uint64_t end;		/* of what is in the copy: at a page's border, to be mapped */
	uint64_t page_bytes;
	struct libdeflate_decompressor *decompressor;
	size_t names;		/* index of the section of section names */
	size_t nr_inflated;
};

static uint64_t to_page(const struct copy *c, uint64_t at)
{
	return (at + c->page_bytes - 1) / c->page_bytes * c->page_bytes;
}

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

static bool write_at(int fd, const void *bytes, size_t len, uint64_t at)
{
	const uint8_t *p = bytes;

	while (len) {
		ssize_t done = pwrite(fd, p, len, (off_t)at);

		if (done <= 0)
			return false;
		p += done;
		at += (uint64_t)done;
		len -= (size_t)done;
	}
	return true;
}

/* The header of section i in the copy. */
static bool write_header(struct copy *c, size_t i, const Elf64_Shdr *header)
{
	GElf_Ehdr ehdr;

	return gelf_getehdr(c->elf, &ehdr) &&
	       write_at(c->to, header, sizeof(*header), ehdr.e_shoff + i * sizeof(*header));
}

static bool inflate_bytes(struct copy *c, const Elf_Data *data, Elf64_Shdr *header)
{
	const Elf64_Chdr *chdr = data->d_buf;
	size_t len = data->d_size - sizeof(*chdr), got;
	void *bytes;
	bool is_good;

	if (chdr->ch_type != ELFCOMPRESS_ZLIB || !chdr->ch_size || chdr->ch_size / MAX_RATIO > len ||
	    chdr->ch_size > MAX_TOTAL_BYTES - c->end || ftruncate(c->to, (off_t)(c->end + chdr->ch_size)))
		return false;
	bytes = mmap(NULL, chdr->ch_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, c->to, (off_t)c->end);
	if (bytes == MAP_FAILED)
		return false;
	is_good = libdeflate_zlib_decompress(c->decompressor, chdr + 1, len, bytes, chdr->ch_size, &got) ==
			  LIBDEFLATE_SUCCESS &&
		  got == chdr->ch_size;
	munmap(bytes, chdr->ch_size);
	header->sh_offset = c->end;
	header->sh_size = chdr->ch_size;
	header->sh_addralign = chdr->ch_addralign;
	header->sh_flags &= ~(Elf64_Xword)SHF_COMPRESSED;
	c->end = to_page(c, c->end + chdr->ch_size);
	return is_good;
}

/* False: damaged, or of a kind that is not known here. */
static bool copy_section(struct copy *c, Elf_Scn *scn)
{
	const Elf64_Shdr *old = elf64_getshdr(scn);
	const char *name = old ? elf_strptr(c->elf, c->names, old->sh_name) : NULL;
	Elf64_Shdr header;
	Elf_Data *data;

	if (!name)
		return false;
	if (!(old->sh_flags & SHF_COMPRESSED) || old->sh_type == SHT_NOBITS)
		return true;
	header = *old;
	if (is_wanted(name)) {
		data = elf_rawdata(scn, NULL);
		if (!data || data->d_size < sizeof(Elf64_Chdr) || !inflate_bytes(c, data, &header))
			return false;
		c->nr_inflated++;
	} else {
		header.sh_type = SHT_NOBITS;
		header.sh_flags &= ~(Elf64_Xword)SHF_COMPRESSED;
	}
	return write_header(c, elf_ndxscn(scn), &header);
}

static bool copy_whole(struct copy *c)
{
	struct stat st;
	off_t at = 0;

	if (fstat(c->from, &st) || st.st_size <= 0 || (uint64_t)st.st_size > MAX_TOTAL_BYTES)
		return false;
	while (at < st.st_size)
		if (sendfile(c->to, c->from, &at, (size_t)(st.st_size - at)) <= 0)
			return false;
	c->end = to_page(c, (uint64_t)st.st_size);
	return true;
}

static bool has_compressed(Elf *elf)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn))) {
		const Elf64_Shdr *header = elf64_getshdr(scn);

		if (header && header->sh_flags & SHF_COMPRESSED)
			return true;
	}
	return false;
}

static bool copy_inflated(struct copy *c)
{
	Elf_Scn *scn = NULL;

	if (elf_getshdrstrndx(c->elf, &c->names) || !copy_whole(c))
		return false;
	while ((scn = elf_nextscn(c->elf, scn)))
		if (!copy_section(c, scn))
			return false;
	return c->nr_inflated > 0;
}

int inflate_debug_file(int fd)
{
	struct copy c = { .from = fd, .to = -1, .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE) };
	const char *ident;
	bool is_good = false;

	elf_version(EV_CURRENT);
	c.elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	ident = c.elf ? elf_getident(c.elf, NULL) : NULL;
	if (ident && ident[EI_CLASS] == ELFCLASS64 && ident[EI_DATA] == ELFDATA2LSB && has_compressed(c.elf)) {
		c.to = memfd_create("wperf-debug", MFD_CLOEXEC);
		c.decompressor = libdeflate_alloc_decompressor();
		is_good = c.to >= 0 && c.decompressor && copy_inflated(&c);
		libdeflate_free_decompressor(c.decompressor);
	}
	elf_end(c.elf);
	if (is_good)
		return c.to;
	if (c.to >= 0)
		close(c.to);
	return -1;
}
