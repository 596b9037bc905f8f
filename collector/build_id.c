/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/build_id.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file_sum.h"

/* More than any linker writes; a file that says more is not worth believing. */
enum { MAX_PHDRS = 512, MAX_NOTE_BYTES = 1 << 20 };

struct phdr {
	uint32_t type;
	uint64_t off, size;
};

static size_t align4(uint32_t n)
{
	return ((size_t)n + 3) & ~(size_t)3;
}

/* Elf64_Nhdr: u32 name size, u32 descriptor size, u32 type; name and descriptor padded to 4. */
bool build_id_of_notes(const void *notes, size_t len, struct build_id *ret_id)
{
	struct cursor c = cursor_of(notes, len);

	while (cursor_left(&c) >= sizeof(Elf64_Nhdr)) {
		uint32_t name_len = cursor_u32(&c), desc_len = cursor_u32(&c);
		uint32_t type = cursor_u32(&c);
		const char *name = cursor_take(&c, align4(name_len));
		const uint8_t *desc = c.at;

		if (desc_len > cursor_left(&c))
			return false;
		cursor_skip(&c, align4(desc_len) < cursor_left(&c) ? align4(desc_len) : desc_len);
		if (!name || c.failed)
			return false;
		if (type != NT_GNU_BUILD_ID || name_len != 4 || memcmp(name, "GNU", 4) ||
		    !desc_len || desc_len > BUILD_ID_MAX)
			continue;
		*ret_id = (struct build_id){ .len = (uint8_t)desc_len };
		memcpy(ret_id->bytes, desc, desc_len);
		return true;
	}
	return false;
}

static bool read_at(int fd, void *bytes, size_t len, uint64_t off)
{
	return off <= INT64_MAX && pread(fd, bytes, len, (off_t)off) == (ssize_t)len;
}

static bool note_segment(int fd, struct phdr ph, struct build_id *ret_id)
{
	bool found;
	void *notes;

	if (ph.type != PT_NOTE || !ph.size || ph.size > MAX_NOTE_BYTES)
		return false;
	notes = xmalloc(ph.size);
	found = read_at(fd, notes, ph.size, ph.off) && build_id_of_notes(notes, ph.size, ret_id);
	free(notes);
	return found;
}

/* The two classes differ in the widths of their fields only. */
#define FROM_ELF(bits)                                                                             \
	static bool from_elf##bits(int fd, struct build_id *ret_id)                                \
	{                                                                                          \
		Elf##bits##_Ehdr eh;                                                               \
		Elf##bits##_Phdr ph;                                                               \
		unsigned int i;                                                                    \
                                                                                                   \
		if (!read_at(fd, &eh, sizeof(eh), 0) || eh.e_phentsize != sizeof(ph) ||            \
		    eh.e_phnum > MAX_PHDRS)                                                        \
			return false;                                                              \
		for (i = 0; i < eh.e_phnum; i++)                                                   \
			if (read_at(fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph)) &&           \
			    note_segment(fd, (struct phdr){ ph.p_type, ph.p_offset, ph.p_filesz }, \
					 ret_id))                                                  \
				return true;                                                       \
		return false;                                                                      \
	}
FROM_ELF(64)
FROM_ELF(32)
#undef FROM_ELF

static bool from_sum(int fd, struct build_id *ret_id)
{
	uint64_t sum;

	if (!file_sum(fd, &sum))
		return false;
	*ret_id = (struct build_id){ .len = sizeof(sum), .is_sum = true };
	memcpy(ret_id->bytes, &sum, sizeof(sum));
	return true;
}

bool build_id_of_fd(int fd, struct build_id *ret_id)
{
	uint8_t ident[EI_NIDENT];

	*ret_id = (struct build_id){ 0 };
	if (!read_at(fd, ident, sizeof(ident), 0) || memcmp(ident, ELFMAG, SELFMAG))
		return false;
	return (ident[EI_CLASS] == ELFCLASS64 ? from_elf64(fd, ret_id) : from_elf32(fd, ret_id)) ||
	       from_sum(fd, ret_id);
}

bool build_id_of_path(const char *path, struct build_id *ret_id)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool found;

	*ret_id = (struct build_id){ 0 };
	if (fd < 0)
		return false;
	found = build_id_of_fd(fd, ret_id);
	close(fd);
	return found;
}

bool build_id_of_kernel(struct build_id *ret_id)
{
	FILE *f = fopen("/sys/kernel/notes", "re");
	uint8_t notes[8192];
	size_t len;

	if (!f)
		return false;
	len = fread(notes, 1, sizeof(notes), f);
	fclose(f);
	return build_id_of_notes(notes, len, ret_id);
}

bool build_id_equal(const struct build_id *a, const struct build_id *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}
