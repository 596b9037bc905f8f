/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In:	length | version | ... | lengths of operands | directories | files | program
 * Out:	of an address: file, line
 *
 * The program runs a machine of a few registers, which appends rows to the table: from this address on this file and
 * line. A sequence is a run of rows whose addresses ascend; its last row only says where it ends. Sequences come in any
 * order. The program is run once from its beginning to its end, and every so many rows the machine is written down;
 * who looks for an address goes on from there.
 */
#include "symbolizer/line_table.h"

#include <dwarf.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cursor.h"
#include "symbolizer/ranges.h"

/* Some 0.3 us to look for an address. */
enum { ROWS_A_MARK = 64 };

/* The machine as it stands behind a row. */
struct mark {
	const uint8_t *at;	/* the next operation */
	uint64_t addr;
	uint32_t file, line;
};

struct sequence {
	size_t first_mark, nr_marks;
};

struct file {
	const char *name;
	const char *dir;	/* NULL: none, or name does not need it */
	char *path;		/* of both, once it was asked for */
};

struct header {
	bool is_64;			/* offsets are */
	uint16_t version;
	uint8_t address_bytes;
	uint8_t min_instruction_bytes, line_range, opcode_base;
	int8_t line_base;
	const uint8_t *nr_operands;	/* [opcode - 1] */
	struct cursor rest;		/* directories and files, up to the program */
	struct cursor program;
};

struct line_table {
	struct header header;
	VEC(struct mark) marks;
	VEC(struct sequence) sequences;
	struct ranges sequences_at;
	VEC(const char *) dirs;
	VEC(struct file) files;
};

/* ---- header ---- */

static uint64_t read_offset(struct cursor *c, bool is_64)
{
	return is_64 ? cursor_u64(c) : cursor_u32(c);
}

static struct cursor cursor_at(const struct line_section *s, uint64_t off)
{
	struct cursor c = { .failed = true };

	if (s->bytes)
		c = cursor_of(s->bytes, s->len);
	cursor_skip(&c, off);
	return c;
}

/* A cursor of the next len bytes, which are consumed. */
static struct cursor cut(struct cursor *c, uint64_t len)
{
	const void *bytes = cursor_take(c, len);

	return bytes ? cursor_of(bytes, len) : (struct cursor){ .at = c->at, .end = c->at, .failed = true };
}

/* All that follows the length of the table at off. */
static struct cursor find_table(const struct line_section *section, uint64_t off, bool *ret_is_64)
{
	struct cursor c = cursor_at(section, off);
	uint64_t len = cursor_u32(&c);

	*ret_is_64 = len == UINT32_MAX;
	return cut(&c, *ret_is_64 ? cursor_u64(&c) : len);
}

static bool read_header(const struct line_section *section, uint64_t off, uint8_t address_bytes,
			struct header *h)
{
	h->address_bytes = address_bytes;
	h->program = find_table(section, off, &h->is_64);
	h->version = cursor_u16(&h->program);
	if (h->version < 2 || h->version > 5)
		return false;
	if (h->version == 5 && (cursor_u8(&h->program) != address_bytes || cursor_u8(&h->program)))
		return false;
	h->rest = cut(&h->program, read_offset(&h->program, h->is_64));
	h->min_instruction_bytes = cursor_u8(&h->rest);
	/* Several operations an instruction: very long words, and another kind of address. */
	if (h->version >= 4 && cursor_u8(&h->rest) != 1)
		return false;
	cursor_skip(&h->rest, 1);	/* is every row the beginning of a statement? */
	h->line_base = (int8_t)cursor_u8(&h->rest);
	h->line_range = cursor_u8(&h->rest);
	h->opcode_base = cursor_u8(&h->rest);
	if (!h->line_range || !h->opcode_base)
		return false;
	h->nr_operands = cursor_take(&h->rest, h->opcode_base - 1);
	return !h->rest.failed;
}

/* ---- directories and files ---- */

static void add_file(struct line_table *t, const char *name, uint64_t dir, bool *is_good)
{
	if (dir >= t->dirs.nr) {
		*is_good = false;
		return;
	}
	vec_push(&t->files, (struct file){ .name = name, .dir = name[0] == '/' ? NULL : t->dirs.at[dir] });
}

/* Up to DWARF 4: lists that an empty name ends. Directory 0 is the unit's, and there is no file 0. */
static bool read_names(struct line_table *t, struct cursor *c, const char *comp_dir)
{
	bool is_good = true;
	const char *name;

	vec_push(&t->dirs, comp_dir);
	while ((name = cursor_str(c))[0])
		vec_push(&t->dirs, name);
	vec_push(&t->files, (struct file){ .name = "???" });
	while (is_good && (name = cursor_str(c))[0]) {
		add_file(t, name, cursor_uleb(c), &is_good);
		cursor_uleb(c);		/* when it was changed */
		cursor_uleb(c);		/* its size */
	}
	return is_good && !c->failed;
}

/* A string of a section, or NULL. */
static const char *string_at(const struct line_section *section, uint64_t off)
{
	struct cursor c = cursor_at(section, off);
	const char *s = cursor_str(&c);

	return c.failed ? NULL : s;
}

/* One field of an entry; what is neither a number nor a name is skipped. */
struct field {
	const char *text;
	uint64_t number;
};

static struct field read_field(const struct line_sections *s, const struct header *h, uint64_t form,
			       struct cursor *c)
{
	struct field f = { 0 };

	switch (form) {
	case DW_FORM_string: f.text = cursor_str(c); break;
	case DW_FORM_line_strp: f.text = string_at(&s->line_str, read_offset(c, h->is_64)); break;
	case DW_FORM_strp: f.text = string_at(&s->str, read_offset(c, h->is_64)); break;
	case DW_FORM_udata: f.number = cursor_uleb(c); break;
	case DW_FORM_data1: f.number = cursor_u8(c); break;
	case DW_FORM_data2: f.number = cursor_u16(c); break;
	case DW_FORM_data4: f.number = cursor_u32(c); break;
	case DW_FORM_data8: f.number = cursor_u64(c); break;
	case DW_FORM_data16: cursor_skip(c, 16); break;
	case DW_FORM_block: cursor_skip(c, cursor_uleb(c)); break;
	default: c->failed = true;
	}
	return f;
}

/* DWARF 5: a list says of itself which fields its entries have. */
static bool read_entries(struct line_table *t, const struct line_sections *s, const struct header *h,
			 struct cursor *c, bool are_dirs)
{
	struct { uint64_t content, form; } fields[256];
	uint8_t nr_fields = cursor_u8(c), i;
	bool is_good = true;
	uint64_t nr;

	for (i = 0; i < nr_fields; i++) {
		fields[i].content = cursor_uleb(c);
		fields[i].form = cursor_uleb(c);
	}
	for (nr = cursor_uleb(c); nr && is_good && !c->failed; nr--) {
		const char *path = NULL;
		uint64_t dir = 0;

		for (i = 0; i < nr_fields; i++) {
			struct field f = read_field(s, h, fields[i].form, c);

			if (fields[i].content == DW_LNCT_path)
				path = f.text;
			else if (fields[i].content == DW_LNCT_directory_index)
				dir = f.number;
		}
		if (!path)
			return false;
		if (are_dirs)
			vec_push(&t->dirs, path);
		else
			add_file(t, path, dir, &is_good);
	}
	return is_good && !c->failed;
}

/* ---- the program ---- */

struct machine {
	const struct header *header;
	struct cursor c;
	uint64_t addr;
	uint32_t file, line;
};

enum step {
	STEP_ON,
	STEP_ROW,	/* the registers are a row */
	STEP_END,	/* they are the end of a sequence */
	STEP_BAD,	/* there is no such operation, or it is cut off */
};

static void reset(struct machine *m)
{
	m->addr = 0;
	m->file = m->line = 1;
}

static void advance(struct machine *m, uint64_t nr_instructions)
{
	m->addr += nr_instructions * m->header->min_instruction_bytes;
}

static enum step run_special(struct machine *m, uint8_t opcode)
{
	const struct header *h = m->header;
	uint8_t adjusted = (uint8_t)(opcode - h->opcode_base);

	advance(m, adjusted / h->line_range);
	m->line += (uint32_t)(h->line_base + adjusted % h->line_range);
	return STEP_ROW;
}

static enum step run_extended(struct machine *m)
{
	struct cursor c = cut(&m->c, cursor_uleb(&m->c));

	switch (cursor_u8(&c)) {
	case DW_LNE_end_sequence:
		return c.failed ? STEP_BAD : STEP_END;
	case DW_LNE_set_address:
		m->addr = m->header->address_bytes == 8 ? cursor_u64(&c) : cursor_u32(&c);
		return c.failed ? STEP_BAD : STEP_ON;
	case DW_LNE_set_discriminator:
		return STEP_ON;
	default:
		return STEP_BAD;
	}
}

static enum step run_standard(struct machine *m, uint8_t opcode)
{
	const struct header *h = m->header;

	switch (opcode) {
	case DW_LNS_copy:
		return STEP_ROW;
	case DW_LNS_advance_pc:
		advance(m, cursor_uleb(&m->c));
		return STEP_ON;
	case DW_LNS_advance_line:
		m->line += (uint32_t)cursor_sleb(&m->c);
		return STEP_ON;
	case DW_LNS_set_file:
		m->file = (uint32_t)cursor_uleb(&m->c);
		return STEP_ON;
	case DW_LNS_const_add_pc:
		advance(m, (255 - h->opcode_base) / h->line_range);
		return STEP_ON;
	case DW_LNS_fixed_advance_pc:
		m->addr += cursor_u16(&m->c);
		return STEP_ON;
	case DW_LNS_set_column: case DW_LNS_set_isa:
		cursor_uleb(&m->c);
		return STEP_ON;
	case DW_LNS_negate_stmt: case DW_LNS_set_basic_block: case DW_LNS_set_prologue_end:
	case DW_LNS_set_epilogue_begin:
		return STEP_ON;
	default:
		return STEP_BAD;
	}
}

/* To the next row or end of a sequence; STEP_ON: the program ends. */
static enum step run(struct machine *m)
{
	enum step step = STEP_ON;

	while (step == STEP_ON && cursor_left(&m->c) && !m->c.failed) {
		uint8_t opcode = cursor_u8(&m->c);

		if (opcode >= m->header->opcode_base)
			step = run_special(m, opcode);
		else if (opcode)
			step = run_standard(m, opcode);
		else
			step = run_extended(m);
	}
	return m->c.failed ? STEP_BAD : step;
}

/* The standard operations have the operands that they have in the standard. */
static bool has_standard_operands(const struct header *h)
{
	static const uint8_t nr_operands[] = { 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1 };
	size_t nr = h->opcode_base - 1u;

	return nr <= sizeof(nr_operands) && !memcmp(h->nr_operands, nr_operands, nr);
}

/* From its first row to its end, or that of the program. False: damaged, or its addresses descend. */
static bool read_sequence(struct line_table *t, struct machine *m)
{
	struct sequence s = { .first_mark = t->marks.nr };
	uint64_t last_addr = 0;
	enum step step;
	size_t nr_rows = 0;

	reset(m);
	while ((step = run(m)) == STEP_ROW) {
		if (m->addr < last_addr)
			return false;
		last_addr = m->addr;
		if (!(nr_rows++ % ROWS_A_MARK))
			vec_push(&t->marks, (struct mark){ m->c.at, m->addr, m->file, m->line });
	}
	if (step == STEP_BAD || m->addr < last_addr)
		return false;
	s.nr_marks = t->marks.nr - s.first_mark;
	if (s.nr_marks) {
		ranges_add(&t->sequences_at, t->marks.at[s.first_mark].addr, m->addr,
			   (uint32_t)t->sequences.nr);
		vec_push(&t->sequences, s);
	}
	return true;
}

static bool read_program(struct line_table *t)
{
	struct machine m = { .header = &t->header, .c = t->header.program };

	if (!has_standard_operands(&t->header))
		return false;
	while (cursor_left(&m.c))
		if (!read_sequence(t, &m))
			return false;
	ranges_flatten(&t->sequences_at, RANGES_INNERMOST);
	return true;
}

/* ---- the table ---- */

static bool read_table(struct line_table *t, const struct line_sections *s, uint64_t off,
		       uint8_t address_bytes, const char *comp_dir)
{
	struct header *h = &t->header;

	if ((address_bytes != 4 && address_bytes != 8) || !read_header(&s->line, off, address_bytes, h))
		return false;
	if (h->version < 5 ? !read_names(t, &h->rest, comp_dir) :
			     !read_entries(t, s, h, &h->rest, true) || !read_entries(t, s, h, &h->rest, false))
		return false;
	return !cursor_left(&h->rest) && read_program(t);
}

struct line_table *line_table_new(const struct line_sections *s, uint64_t off, uint8_t address_bytes,
				  const char *comp_dir)
{
	struct line_table *t = xcalloc(1, sizeof(*t));

	if (read_table(t, s, off, address_bytes, comp_dir))
		return t;
	line_table_free(t);
	return NULL;
}

void line_table_free(struct line_table *t)
{
	if (!t)
		return;
	vec_each(&t->files, f)
		free(f->path);
	vec_release(&t->files);
	vec_release(&t->dirs);
	vec_release(&t->marks);
	vec_release(&t->sequences);
	ranges_release(&t->sequences_at);
	free(t);
}

size_t line_table_bytes(const struct line_sections *s, uint64_t off)
{
	bool is_64;
	struct cursor c = find_table(&s->line, off, &is_64);

	return cursor_left(&c);
}

bool line_table_find(const struct line_table *t, uint64_t addr, uint64_t *ret_file, uint32_t *ret_line)
{
	struct machine m = { .header = &t->header, .c = t->header.program };
	const struct mark *marks;
	uint32_t id, line;
	size_t lo = 0, hi;

	if (!ranges_find(&t->sequences_at, addr, &id))
		return false;
	marks = &t->marks.at[t->sequences.at[id].first_mark];
	hi = t->sequences.at[id].nr_marks;
	/* The first one is the sequence's first row, which is at or before addr. */
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (marks[mid].addr <= addr)
			lo = mid;
		else
			hi = mid;
	}
	m.c.at = marks[lo].at;
	m.addr = marks[lo].addr;
	m.file = marks[lo].file;
	m.line = marks[lo].line;
	/* Of several rows of one address the last one counts. */
	do {
		*ret_file = m.file;
		line = m.line;
	} while (run(&m) == STEP_ROW && m.addr <= addr);
	*ret_line = line <= INT32_MAX ? line : 0;
	return true;
}

const char *line_table_file(struct line_table *t, uint64_t file)
{
	struct file *f = file < t->files.nr ? &t->files.at[file] : NULL;

	if (!f || !f->dir)
		return f ? f->name : NULL;
	if (!f->path)
		f->path = xasprintf("%s/%s", f->dir, f->name);
	return f->path;
}
