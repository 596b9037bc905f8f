/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/code_extent.h"

#include <gelf.h>
#include <string.h>

#include "collector/python_code.h"

enum { HEADER_BYTES = 12, ENTRY_BYTES = 8 };

static bool read_i32(const struct python_code *c, uint64_t vaddr, int64_t *ret)
{
	const void *at = python_code_at(c, vaddr, sizeof(int32_t), 0);
	int32_t value;

	if (!at)
		return false;
	memcpy(&value, at, sizeof(value));
	*ret = value;
	return true;
}

static bool find_header(Elf *elf, uint64_t *ret_vaddr)
{
	size_t nr, i;
	GElf_Phdr p;

	if (elf_getphdrnum(elf, &nr))
		return false;
	for (i = 0; i < nr; i++)
		if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_GNU_EH_FRAME) {
			*ret_vaddr = p.p_vaddr;
			return true;
		}
	return false;
}

/* The last entry that begins at or before vaddr. */
static bool find_entry(const struct python_code *c, uint64_t header, uint64_t vaddr, uint64_t *ret_entry)
{
	static const uint8_t known[] = { 1, 0x1b, 0x03, 0x3b };
	const void *begin = python_code_at(c, header, HEADER_BYTES, 0);
	uint64_t low = 0, high, mid;
	int64_t value;

	if (!begin || memcmp(begin, known, sizeof(known)) || !read_i32(c, header + 8, &value))
		return false;
	for (high = (uint32_t)value; low < high;) {
		mid = low + (high - low) / 2;
		if (!read_i32(c, header + HEADER_BYTES + mid * ENTRY_BYTES, &value))
			return false;
		if (header + (uint64_t)value <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || !read_i32(c, header + HEADER_BYTES + low * ENTRY_BYTES - sizeof(int32_t), &value))
		return false;
	*ret_entry = header + (uint64_t)value;
	return true;
}

static bool find(Elf *elf, const struct python_code *c, uint64_t vaddr, struct code_extent *ret)
{
	uint64_t header, entry;
	int64_t begin, len;

	if (!find_header(elf, &header) || !find_entry(c, header, vaddr, &entry) || !read_i32(c, entry + 8, &begin) ||
	    !read_i32(c, entry + 12, &len))
		return false;
	*ret = (struct code_extent){ entry + 8 + (uint64_t)begin, (uint32_t)len };
	return vaddr >= ret->vaddr && vaddr - ret->vaddr < ret->len;
}

bool code_extent_find(Elf *elf, uint64_t vaddr, struct code_extent *ret)
{
	struct python_code c = { 0 };
	bool found = elf && python_code_open(&c, elf) && find(elf, &c, vaddr, ret);

	python_code_release(&c);
	return found;
}
