/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far code goes that has no symbol: unwind info has an entry for each function, and for each part of one that stands
 * elsewhere, and .eh_frame_hdr is a table of these by address (Linux Standard Base, 10.6.2).
 *
 *	.eh_frame_hdr	1, 0x1b, 0x03, 0x3b; .eh_frame's distance; number; { first byte, entry }, from the header's begin, ...
 *	an entry	length; distance of what several share; first byte, from here; bytes
 */
#ifndef COLLECTOR_CODE_EXTENT_H
#define COLLECTOR_CODE_EXTENT_H

#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

struct code_extent {
	uint64_t vaddr, len;
};

/* Of the code at vaddr, which the file was linked for. False: there is no such table, or nothing about it. */
bool code_extent_find(Elf *elf, uint64_t vaddr, struct code_extent *ret);

#endif
