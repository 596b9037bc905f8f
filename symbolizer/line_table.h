/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line table of one unit (DWARF 2 to 5; section 6.2 of DWARF 5): which line of which file the code
 * at an address was made of. libdw makes a record of 80 bytes of every row and sorts them all, three
 * quarters of a report's time; here a row takes no memory: see line_table.c.
 */
#ifndef SYMBOLIZER_LINE_TABLE_H
#define SYMBOLIZER_LINE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_section {
	const void *bytes;	/* NULL: the file has none */
	size_t len;
};

/* Of one file, inflated, in the machine's byte order. Tables are read from them and point into them. */
struct line_sections {
	struct line_section line, line_str, str;
};

struct line_table;

/* How many bytes the table at that offset of .debug_line has to be read through; 0: there is none. */
size_t line_table_bytes(const struct line_sections *s, uint64_t off);
/*
 * The table at that offset of .debug_line. comp_dir is the unit's, lent as the sections are, or NULL. NULL: it is
 * damaged, or has something that this reader does not know (bundles of instructions, forms and operations
 * that neither gcc nor clang write).
 */
struct line_table *line_table_new(const struct line_sections *s, uint64_t off, uint8_t address_bytes,
				  const char *comp_dir);
void line_table_free(struct line_table *t);

/* False: no row covers addr. *ret_line is 0 where the code comes from no line. */
bool line_table_find(const struct line_table *t, uint64_t addr, uint64_t *ret_file, uint32_t *ret_line);
/*
 * The path of a file by its number, with its directory but not with the unit's where that is needed too; NULL: there
 * is no such file. Lent until line_table_free().
 */
const char *line_table_file(struct line_table *t, uint64_t file);

#endif
