/* SPDX-License-Identifier: Apache-2.0 */
/* Files and lines in the DWARF of one file: the line tables of its units, each read when it is first asked for. */
#ifndef SYMBOLIZER_SOURCE_LINES_H
#define SYMBOLIZER_SOURCE_LINES_H

#include <elfutils/libdw.h>
#include <stdint.h>

#include "base/hash.h"
#include "symbolizer/line_table.h"

/* Texts are lent until source_lines_release(). */
struct source_line {
	const char *dir;	/* what file is relative to; NULL: nothing */
	const char *file;	/* NULL: not known */
	uint32_t line;		/* 0: not known */
};

/* Valid when zeroed: then nothing is known. */
struct source_lines {
	Dwarf *dw;
	struct line_sections sections;
	struct u64map tables_by_off;
	VEC(struct line_table *) tables;	/* NULL: left to libdw */
	uint64_t bytes_left;
};

/* dw is lent and must outlive it. */
void source_lines_init(struct source_lines *l, Dwarf *dw);
void source_lines_release(struct source_lines *l);

/* What covers an address, of dw's, in the line table of a unit. unit: its root. */
struct source_line source_lines_at(struct source_lines *l, Dwarf_Die *unit, uint64_t addr);
/* The file whose number in the unit's table is the attribute's value, and that line. attr may be NULL. */
struct source_line source_lines_file(struct source_lines *l, Dwarf_Die *unit, Dwarf_Attribute *attr, uint32_t line);

#endif
