/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A .debug_line of one table, made in memory:
 *
 *	struct line_program p = { .version = 5 };
 *
 *	line_program_begin(&p);
 *	line_program_address(&p, 0x1000);
 *	line_program_add(&p, BYTES("\x01\x02\x10\x00\x01\x01"));
 *	line_program_finish(&p);
 *	t = line_table_new(&p.sections, 0, 8, "/src");
 *	line_program_release(&p);
 *
 * Special operations begin with 13, an instruction has 1 byte, and lines go from -5 on in steps of 14. The unit was
 * compiled in /src; its files are 1, main.c, and 2, inc/two.h.
 */
#ifndef TESTS_LINE_PROGRAM_H
#define TESTS_LINE_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "symbolizer/line_table.h"

struct line_program {
	uint16_t version;		/* 2 to 5 */
	bool is_64;			/* DWARF's 64-bit form */
	uint8_t min_instruction_bytes;	/* 0: 1 */
	struct str bytes;
	struct line_sections sections;	/* by line_program_finish() */
	size_t header_at;		/* behind its length */
	unsigned int line;		/* the machine's */
};

void line_program_begin(struct line_program *p);
void line_program_add(struct line_program *p, const char *operations, size_t len);
void line_program_address(struct line_program *p, uint64_t addr);
/* A row: from addr on that line of that file. */
void line_program_row(struct line_program *p, uint64_t addr, unsigned int file, unsigned int line);
/* Ends the sequence at addr. */
void line_program_end(struct line_program *p, uint64_t addr);
void line_program_finish(struct line_program *p);
void line_program_release(struct line_program *p);

#endif
