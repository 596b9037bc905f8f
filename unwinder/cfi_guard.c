/* SPDX-License-Identifier: Apache-2.0 */
#include "unwinder/cfi_guard.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cursor.h"

enum {
	/* Both ABIs number less than 128 registers; what elfutils sets aside grows with the number. */
	MAX_REG = 255,
	/* Compilers nest one or two; every further one is a copy of all registers. */
	MAX_REMEMBERED = 64,
	/* An evaluation ends after 256 steps. elfutils makes 32 bytes of each byte. */
	MAX_EXPRESSION_BYTES = 4096,
	/* The longest entry of libLLVM, whose unwind info has 5 MB, has 2,388. */
	MAX_ENTRY_BYTES = 1 << 20,
	/* 64 bits of seven each. elfutils stops there, and what follows is the next instruction to it. */
	MAX_LEB_BYTES = 10,
};

/* .eh_frame or .debug_frame */
struct frames {
	const unsigned char *ident;	/* the file's */
	Elf_Data *data;
	uint64_t vaddr;
	bool is_eh;
	uint8_t *is_fde;		/* a bit for each byte: an FDE begins there */
	/* What the CIE that was read last says; most entries follow theirs. */
	uint64_t cie_off;
	uint8_t encoding;		/* of addresses */
	bool has_augmentation;		/* a block of bytes before the program */
};

/* ---- numbers ---- */

static uint64_t take_uleb(struct cursor *c)
{
	const uint8_t *begin = c->at;
	uint64_t value = cursor_uleb(c);

	if (c->at - begin > MAX_LEB_BYTES)
		c->failed = true;
	return value;
}

static void skip_block(struct cursor *c, uint64_t max_bytes)
{
	uint64_t len = take_uleb(c);

	if (len > max_bytes)
		c->failed = true;
	cursor_skip(c, len);
}

/* A pointer of an encoding of section 10.5 of the Linux Standard Base, Core. */
static void skip_encoded(struct cursor *c, uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr: case DW_EH_PE_udata8: case DW_EH_PE_sdata8:
		cursor_skip(c, 8);
		break;
	case DW_EH_PE_udata2: case DW_EH_PE_sdata2:
		cursor_skip(c, 2);
		break;
	case DW_EH_PE_udata4: case DW_EH_PE_sdata4:
		cursor_skip(c, 4);
		break;
	default:
		c->failed = true;
	}
	if ((encoding & 0x70) == DW_EH_PE_aligned)
		c->failed = true;
}

static void take_reg(struct cursor *c)
{
	if (take_uleb(c) > MAX_REG)
		c->failed = true;
}

/* ---- programs ---- */

/* The operands of all that is not in the operation's upper two bits. False: elfutils stops there. */
static bool take_operands(struct cursor *c, uint8_t op, uint8_t encoding)
{
	switch (op) {
	case DW_CFA_nop: case DW_CFA_remember_state: case DW_CFA_restore_state: case DW_CFA_GNU_window_save:
		return true;
	case DW_CFA_set_loc: skip_encoded(c, encoding); return true;
	case DW_CFA_advance_loc1: cursor_skip(c, 1); return true;
	case DW_CFA_advance_loc2: cursor_skip(c, 2); return true;
	case DW_CFA_advance_loc4: cursor_skip(c, 4); return true;
	case DW_CFA_MIPS_advance_loc8: cursor_skip(c, 8); return true;
	case DW_CFA_def_cfa_offset: case DW_CFA_def_cfa_offset_sf: case DW_CFA_GNU_args_size:
		take_uleb(c);
		return true;
	case DW_CFA_restore_extended: case DW_CFA_undefined: case DW_CFA_same_value:
	case DW_CFA_def_cfa_register:
		take_reg(c);
		return true;
	case DW_CFA_offset_extended: case DW_CFA_offset_extended_sf: case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf: case DW_CFA_GNU_negative_offset_extended: case DW_CFA_register:
	case DW_CFA_def_cfa: case DW_CFA_def_cfa_sf:
		take_reg(c);
		take_uleb(c);
		return true;
	case DW_CFA_def_cfa_expression: skip_block(c, MAX_EXPRESSION_BYTES); return true;
	case DW_CFA_expression: case DW_CFA_val_expression:
		take_reg(c);
		skip_block(c, MAX_EXPRESSION_BYTES);
		return true;
	default:
		return false;
	}
}

static bool is_program_good(struct cursor c, uint8_t encoding)
{
	int nr_remembered = 0;

	while (cursor_left(&c) && !c.failed) {
		uint8_t op = cursor_u8(&c);

		if (op >> 6 == DW_CFA_offset >> 6)
			take_uleb(&c);
		else if (!(op >> 6) && !take_operands(&c, op, encoding))
			return true;
		nr_remembered += (op == DW_CFA_remember_state) - (op == DW_CFA_restore_state);
		if (nr_remembered > MAX_REMEMBERED)
			return false;
	}
	return !c.failed;
}

/* ---- entries ---- */

/* "zPLR" and the like, or nothing: older forms are those of compilers of the last century. */
static bool read_augmentation(struct frames *f, const Dwarf_CIE *cie)
{
	struct cursor c = cursor_of(cie->augmentation_data, cie->augmentation_data_size);
	const char *letter = cie->augmentation;

	f->encoding = DW_EH_PE_absptr;
	f->has_augmentation = *letter == 'z';
	if (!f->has_augmentation)
		return !*letter;
	while (*++letter)
		if (*letter == 'R')
			f->encoding = cursor_u8(&c);
		else if (*letter == 'L')
			cursor_skip(&c, 1);
		else if (*letter == 'P')
			skip_encoded(&c, cursor_u8(&c));
		else if (!strchr("SBG", *letter))
			return false;
	return !c.failed;
}

/* Entries are no further apart than the section is long, and end in it: dwarf_next_cfi() sees to it. */
static int next_entry(const struct frames *f, uint64_t off, uint64_t *ret_next, Dwarf_CFI_Entry *ret)
{
	return dwarf_next_cfi(f->ident, f->data, f->is_eh, off, ret_next, ret);
}

static bool is_cie_good(struct frames *f, uint64_t off, const Dwarf_CIE *cie)
{
	const uint8_t *at = cie->initial_instructions, *end = cie->initial_instructions_end;

	f->cie_off = off;
	return at <= end && end - at <= MAX_ENTRY_BYTES && read_augmentation(f, cie) &&
	       is_program_good(cursor_of(at, (size_t)(end - at)), f->encoding);
}

static bool read_cie(struct frames *f, uint64_t off)
{
	Dwarf_CFI_Entry e;
	Dwarf_Off next;

	return f->cie_off == off ||
	       (!next_entry(f, off, &next, &e) && dwarf_cfi_cie_p(&e) && is_cie_good(f, off, &e.cie));
}

static bool is_fde_good(struct frames *f, const Dwarf_FDE *fde)
{
	struct cursor c = cursor_of(fde->start, (size_t)(fde->end - fde->start));

	if (cursor_left(&c) > MAX_ENTRY_BYTES || !read_cie(f, fde->CIE_pointer))
		return false;
	skip_encoded(&c, f->encoding);
	skip_encoded(&c, f->encoding & 0x0f);
	if (f->has_augmentation)
		skip_block(&c, MAX_ENTRY_BYTES);
	return !c.failed && is_program_good(c, f->encoding);
}

/* Some linkers leave the word of zeros, which ends the section, in its middle. */
static bool is_end_mark(const struct frames *f, uint64_t off)
{
	const uint8_t *at = (const uint8_t *)f->data->d_buf + off;

	return !(at[0] | at[1] | at[2] | at[3]);
}

/*
 * One at off: what is no entry is skipped, as elfutils does, if it says how long it is. Else no entry
 * behind it is reached in order; nor by the table, which leads only to those that were marked.
 */
static bool is_entry_good(struct frames *f, uint64_t off, uint64_t *ret_next)
{
	Dwarf_CFI_Entry e;
	Dwarf_Off next = off;
	int result = next_entry(f, off, &next, &e);

	*ret_next = next == off ? f->data->d_size : next;
	if (result)
		return true;
	if (dwarf_cfi_cie_p(&e))
		return is_cie_good(f, off, &e.cie);
	f->is_fde[off / 8] |= (uint8_t)(1 << off % 8);
	return is_fde_good(f, &e.fde);
}

static bool are_entries_good(struct frames *f)
{
	uint64_t off = 0, next, size = f->data->d_size;

	/* elfutils' next offset may be UINT64_MAX: there is none. */
	for (f->cie_off = UINT64_MAX; off < size && size - off > 4; off = next) {
		next = off + 4;
		if (!is_end_mark(f, off) && !is_entry_good(f, off, &next))
			return false;
	}
	return true;
}

/* ---- the table ---- */

/*
 *	u8 version 1 | u8 encodings: 0x1b, 3, 0x3b | s32 from here to .eh_frame | u32 number |
 *	number times: s32 address, s32 FDE, from the table's beginning on
 *
 * All linkers write it so; or 0xff for the second and the third encoding, and no more, where they
 * could not understand what they linked.
 */
static bool is_table_good(const struct frames *f, struct cursor c, uint64_t vaddr)
{
	uint32_t encodings = cursor_u32(&c), nr, i;

	cursor_skip(&c, 4);
	if (encodings == 0xffff1b01)
		return !c.failed;
	nr = cursor_u32(&c);
	if (encodings != 0x3b031b01 || nr > cursor_left(&c) / 8)
		return false;
	for (i = 0; i < nr; i++) {
		uint64_t off;

		cursor_skip(&c, 4);
		off = vaddr + (uint64_t)(int64_t)(int32_t)cursor_u32(&c) - f->vaddr;
		if (off >= f->data->d_size || !(f->is_fde[off / 8] >> off % 8 & 1))
			return false;
	}
	return !c.failed;
}

static Elf_Scn *next_section(Elf *elf, Elf_Scn *scn, const char *name)
{
	size_t names;

	/* Without names elfutils goes by the program header: to what, is not known here. */
	if (elf_getshdrstrndx(elf, &names) || !names)
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr header;
		const char *own = gelf_getshdr(scn, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;

		if (own && !strcmp(own, name))
			return scn;
	}
	return NULL;
}

/* Of several, all: which of them elfutils takes is its own affair. */
static bool are_tables_good(const struct frames *f, Elf *elf)
{
	Elf_Scn *scn = NULL;

	while ((scn = next_section(elf, scn, ".eh_frame_hdr"))) {
		Elf_Data *data = elf_rawdata(scn, NULL);
		GElf_Shdr header;

		if (!data || !data->d_buf || !gelf_getshdr(scn, &header) ||
		    !is_table_good(f, cursor_of(data->d_buf, data->d_size), header.sh_addr))
			return false;
	}
	return true;
}

/* ---- the file ---- */

Elf_Scn *cfi_guard_section(Elf *elf, const char *name)
{
	return next_section(elf, NULL, name);
}

static bool check_section(Elf *elf, Elf_Scn *scn, bool is_eh)
{
	struct frames f = { .ident = (const unsigned char *)elf_getident(elf, NULL), .is_eh = is_eh };
	GElf_Shdr header;
	bool is_good;

	f.data = elf_rawdata(scn, NULL);
	if (!f.data || !f.data->d_buf || !gelf_getshdr(scn, &header))
		return false;
	f.vaddr = header.sh_addr;
	f.is_fde = xcalloc(f.data->d_size / 8 + 1, 1);
	is_good = are_entries_good(&f) && (!is_eh || are_tables_good(&f, elf));
	free(f.is_fde);
	return is_good;
}

bool cfi_guard_eh_frame(Elf *elf)
{
	Elf_Scn *scn = cfi_guard_section(elf, ".eh_frame");

	return scn && check_section(elf, scn, true);
}

/* As with tables; .zdebug_frame is the same in an older form. */
bool cfi_guard_debug_frame(Elf *elf)
{
	static const char *const names[] = { ".debug_frame", ".zdebug_frame" };
	Elf_Scn *scn;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		for (scn = NULL; (scn = next_section(elf, scn, names[i]));)
			if (!check_section(elf, scn, false))
				return false;
	return true;
}
