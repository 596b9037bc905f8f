/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DWARF of one file, indexed as far as it is asked for:
 *
 *	file  ── ranges of every unit            when opened
 *	unit  ── ranges of its functions         with the unit's first address
 *	function ── blocks and inlined calls     with the function's first address
 *
 * libdw's own answers walk a unit's whole tree for each address, which a profile of a hundred
 * thousand addresses cannot afford. Addresses are link-time ones of the main file.
 */
#ifndef SYMBOLIZER_DEBUG_INFO_H
#define SYMBOLIZER_DEBUG_INFO_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/source_lines.h"

struct debug_info;

/* NULL: the file has no DWARF, nor has any that belongs to it. file must outlive the result. */
struct debug_info *debug_info_new(struct elf_file *file, struct crew *crew);
/* What it lent, texts included, is gone then. */
void debug_info_free(struct debug_info *d);

/* The row of the line table that covers vaddr. */
struct source_line debug_info_line(struct debug_info *d, uint64_t vaddr);

/* One function of the chain at an address: inlined ones first, the one that contains them last. */
struct scope {
	Dwarf_Die die;			/* inlined_subroutine or subprogram */
	struct source_line called_at;	/* of an inlined one: where, in the next scope */
};

/*
 * Fills scopes, innermost first, and returns how many they are; 0: no function covers vaddr. Where
 * there are more than max, those next to the outermost are left out.
 */
size_t debug_info_scopes(struct debug_info *d, uint64_t vaddr, struct scope *scopes, size_t max);

/* What identifies the function that die is an instance of, wherever it was inlined. */
const void *debug_info_origin(Dwarf_Die *die);
/* NULL where it has none. */
const char *debug_info_linkage_name(Dwarf_Die *die);
/* What its DWARF says. */
struct source_line debug_info_decl(struct debug_info *d, Dwarf_Die *die);
/*
 * As debug_info_decl(); where that has a file and no line, as Go 1.19 writes it, the line is the one
 * that the function's first instruction comes from, if that is in the same file.
 */
struct source_line debug_info_definition(struct debug_info *d, Dwarf_Die *die);
/* Where a subprogram begins; false: it has no code. */
bool debug_info_entry(const struct debug_info *d, Dwarf_Die *die, uint64_t *ret_vaddr);

/* The tag of an entry that a walk has come to, or -1: the walk ends here. */
int debug_info_visit(struct debug_info *d, Dwarf_Die *die);

#endif
