/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/line_program.h"

#include <dwarf.h>
#include <string.h>

#include "tests/cfi_image.h"

static const char line_strings[] = "/src\0inc\0main.c\0two.h";
enum { AT_SRC = 0, AT_INC = 5, AT_MAIN = 9, AT_TWO = 16 };

static void add_number(struct str *s, uint64_t v, size_t nr_bytes)
{
	str_add_bytes(s, &v, nr_bytes);		/* the machine's byte order is little-endian */
}

static void add_offset(struct line_program *p, uint64_t v)
{
	add_number(&p->bytes, v, p->is_64 ? 8 : 4);
}

static void set_offset(struct line_program *p, size_t at, uint64_t v)
{
	memcpy(p->bytes.s + at, &v, p->is_64 ? 8 : 4);
}

/* Directories by their names' places in .debug_line_str, files inline and with a checksum. */
static void add_entries(struct line_program *p)
{
	static const char dirs[] = { 1, DW_LNCT_path, DW_FORM_line_strp, 2 };
	static const char files[] = { 3, DW_LNCT_directory_index, DW_FORM_udata, DW_LNCT_path, DW_FORM_line_strp,
				      DW_LNCT_MD5, DW_FORM_data16, 3 };
	static const struct {
		char dir;
		uint64_t name;
	} entries[] = { { 0, AT_MAIN }, { 0, AT_MAIN }, { 1, AT_TWO } };
	static const char checksum[16] = "no checksum";
	size_t i;

	str_add_bytes(&p->bytes, dirs, sizeof(dirs));
	add_offset(p, AT_SRC);
	add_offset(p, AT_INC);
	str_add_bytes(&p->bytes, files, sizeof(files));
	for (i = 0; i < 3; i++) {
		str_add_char(&p->bytes, entries[i].dir);
		add_offset(p, entries[i].name);
		str_add_bytes(&p->bytes, checksum, sizeof(checksum));
	}
}

void line_program_begin(struct line_program *p)
{
	p->line = 1;
	if (p->is_64)
		add_number(&p->bytes, UINT32_MAX, 4);
	add_offset(p, 0);
	add_number(&p->bytes, p->version, 2);
	if (p->version == 5)
		str_add_bytes(&p->bytes, BYTES("\x08\0"));
	add_offset(p, 0);
	p->header_at = p->bytes.len;
	str_add_char(&p->bytes, (char)(p->min_instruction_bytes ? p->min_instruction_bytes : 1));
	if (p->version >= 4)
		str_add_char(&p->bytes, 1);
	str_add_bytes(&p->bytes, BYTES("\1\xfb\x0e\x0d\0\1\1\1\1\0\0\0\1\0\0\1"));
	if (p->version == 5)
		add_entries(p);
	else
		str_add_bytes(&p->bytes, BYTES("inc\0\0main.c\0\0\0\0two.h\0\1\0\0\0"));
	set_offset(p, p->header_at - (p->is_64 ? 8 : 4), p->bytes.len - p->header_at);
}

void line_program_add(struct line_program *p, const char *operations, size_t len)
{
	str_add_bytes(&p->bytes, operations, len);
}

void line_program_address(struct line_program *p, uint64_t addr)
{
	line_program_add(p, BYTES("\0\x09\x02"));
	add_number(&p->bytes, addr, 8);
}

static void add_sleb(struct str *s, int64_t v)
{
	for (; v < -64 || v > 63; v >>= 7)
		str_add_char(s, (char)(v | 0x80));
	str_add_char(s, (char)(v & 0x7f));
}

void line_program_row(struct line_program *p, uint64_t addr, unsigned int file, unsigned int line)
{
	line_program_address(p, addr);
	line_program_add(p, BYTES("\x04"));
	add_uleb(&p->bytes, file);
	line_program_add(p, BYTES("\x03"));
	add_sleb(&p->bytes, (int64_t)line - p->line);
	line_program_add(p, BYTES("\x01"));
	p->line = line;
}

void line_program_end(struct line_program *p, uint64_t addr)
{
	line_program_address(p, addr);
	line_program_add(p, BYTES("\0\x01\x01"));
	p->line = 1;
}

void line_program_finish(struct line_program *p)
{
	size_t at = p->is_64 ? 4 : 0;

	set_offset(p, at, p->bytes.len - at - (p->is_64 ? 8 : 4));
	p->sections = (struct line_sections){
		.line = { p->bytes.s, p->bytes.len },
		.line_str = { line_strings, sizeof(line_strings) },
	};
}

void line_program_release(struct line_program *p)
{
	str_release(&p->bytes);
}
