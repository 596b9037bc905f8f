/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/source_lines.h"

#include <dwarf.h>
#include <gelf.h>
#include <string.h>

#include "base/str.h"

/*
 * Tables do not overlap, so that each is read once; in malformed DWARF any byte can belong to
 * one for every unit.
 */
enum { MAX_TIMES_READ = 16 };

/* ---- sections ---- */

/* libdw has inflated it in place if it was compressed; it kept a name like .zdebug_line then. */
static void take_section(struct line_section *s, const char *wanted, const char *name, Elf_Scn *scn)
{
	const Elf_Data *data;

	if (strcmp(name + (str_starts(name, ".z") ? 2 : 1), wanted))
		return;
	data = elf_rawdata(scn, NULL);
	if (data && data->d_buf)
		*s = (struct line_section){ data->d_buf, data->d_size };
}

static void find_sections(struct line_sections *s, Elf *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name;

		if (!gelf_getshdr(scn, &header) || header.sh_type == SHT_NOBITS ||
		    header.sh_flags & SHF_COMPRESSED)
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || name[0] != '.')
			continue;
		take_section(&s->line, "debug_line", name, scn);
		take_section(&s->line_str, "debug_line_str", name, scn);
		take_section(&s->str, "debug_str", name, scn);
	}
}

void source_lines_init(struct source_lines *l, Dwarf *dw)
{
	Elf *elf = dwarf_getelf(dw);
	const char *ident = elf_getident(elf, NULL);

	*l = (struct source_lines){ .dw = dw };
	if (ident && ident[EI_DATA] == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
		find_sections(&l->sections, elf);
	l->bytes_left = (uint64_t)l->sections.line.len * MAX_TIMES_READ;
}

void source_lines_release(struct source_lines *l)
{
	vec_each(&l->tables, t)
		line_table_free(*t);
	vec_release(&l->tables);
	u64map_release(&l->tables_by_off);
}

/* ---- tables ---- */

static const char *comp_dir(Dwarf_Die *unit)
{
	Dwarf_Attribute attr;

	return dwarf_formstring(dwarf_attr_integrate(unit, DW_AT_comp_dir, &attr));
}

static struct line_table *read_table(struct source_lines *l, Dwarf_Die *unit, uint64_t off)
{
	size_t nr_bytes = line_table_bytes(&l->sections, off);
	uint8_t address_bytes;
	Dwarf_Die root;

	if (!nr_bytes || nr_bytes > l->bytes_left ||
	    !dwarf_cu_die(unit->cu, &root, NULL, NULL, &address_bytes, NULL, NULL, NULL))
		return NULL;
	l->bytes_left -= nr_bytes;
	return line_table_new(&l->sections, off, address_bytes, comp_dir(unit));
}

/* NULL: libdw has to be asked. A .dwo's own table, which has files only, is one that it knows how to find. */
static struct line_table *table_of(struct source_lines *l, Dwarf_Die *unit)
{
	Dwarf_Attribute attr;
	Dwarf_Word off;
	uint32_t *known;

	if (dwarf_cu_getdwarf(unit->cu) != l->dw ||
	    dwarf_formudata(dwarf_attr(unit, DW_AT_stmt_list, &attr), &off))
		return NULL;
	known = u64map_get(&l->tables_by_off, off);
	if (known)
		return l->tables.at[*known];
	u64map_set(&l->tables_by_off, off, (uint32_t)l->tables.nr);
	vec_push(&l->tables, read_table(l, unit, off));
	return *vec_last(&l->tables);
}

static struct source_line complete(Dwarf_Die *unit, const char *file, uint32_t line)
{
	return (struct source_line){
		.dir = file && file[0] != '/' ? comp_dir(unit) : NULL,
		.file = file,
		.line = line,
	};
}

static struct source_line ask_libdw(Dwarf_Die *unit, uint64_t addr)
{
	Dwarf_Line *row = dwarf_getsrc_die(unit, addr);
	int line;

	if (!row)
		return (struct source_line){ 0 };
	if (dwarf_lineno(row, &line) || line < 0)
		line = 0;
	return complete(unit, dwarf_linesrc(row, NULL, NULL), (uint32_t)line);
}

struct source_line source_lines_at(struct source_lines *l, Dwarf_Die *unit, uint64_t addr)
{
	struct line_table *t = table_of(l, unit);
	uint64_t file;
	uint32_t line;

	if (!t)
		return ask_libdw(unit, addr);
	if (!line_table_find(t, addr, &file, &line))
		return (struct source_line){ 0 };
	return complete(unit, line_table_file(t, file), line);
}

/*
 * Not dwarf_decl_file(): in elfutils 0.188 it ends the program by an assertion where the unit's table
 * cannot be read.
 */
static const char *ask_libdw_for_file(Dwarf_Die *unit, uint64_t number)
{
	Dwarf_Files *files;

	return dwarf_getsrcfiles(unit, &files, NULL) ? NULL : dwarf_filesrc(files, number, NULL, NULL);
}

struct source_line source_lines_file(struct source_lines *l, Dwarf_Die *unit, Dwarf_Attribute *attr, uint32_t line)
{
	struct line_table *t;
	Dwarf_Word number;

	if (dwarf_formudata(attr, &number))
		return (struct source_line){ .line = line };
	t = table_of(l, unit);
	return complete(unit, t ? line_table_file(t, number) : ask_libdw_for_file(unit, number), line);
}
