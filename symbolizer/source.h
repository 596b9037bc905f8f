/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who can name an address. Sources are asked in the order of the table in symbolizer.c; the first
 * one that takes the address wins, and hex, the last one, always takes. A new source is one new .c
 * and one line in that table.
 */
#ifndef SYMBOLIZER_SOURCE_H
#define SYMBOLIZER_SOURCE_H

#include "symbolizer/module.h"

struct frames {
	VEC(struct frame) list;
};

struct frame_source {
	const char *name;
	/* Looks at the module once. False: never mine, and resolve will not be called. */
	bool (*open)(struct module *m, void **ret_self);
	/* Adds frames, innermost first, and returns how many; 0: not mine. */
	int (*resolve)(void *self, uint64_t vaddr, struct frames *out);
	void (*close)(void *self);	/* NULL: nothing to do */
};

extern const struct frame_source source_dwarf;
extern const struct frame_source source_symtab;
extern const struct frame_source source_kernel;
extern const struct frame_source source_jitmap;
extern const struct frame_source source_hex;

#endif
