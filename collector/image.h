/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ELF file of the target: its symbols (its own, those of .gnu_debugdata, and those of a debug
 * file that is on this machine), its USDT sites, and where an address lies in the file.
 *
 * Debug files are looked for by build-id and by .gnu_debuglink, here and in the target's own root;
 * never on the network: a probe must not wait for a download. A debug file that does not belong to
 * the binary would put breakpoints into the middle of instructions, so build-id or CRC must agree.
 */
#ifndef COLLECTOR_IMAGE_H
#define COLLECTOR_IMAGE_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"
#include "collector/usdt.h"

struct image_symbol {
	const char *name;	/* as in the file; "@VERSION" may follow */
	uint64_t vaddr, off;	/* off: of its first instruction in the file */
	uint64_t size;		/* bytes; 0: not known */
	bool is_function;	/* else code without a type, as assembly often is */
	bool is_indirect;	/* STT_GNU_IFUNC: its code chooses a function, once */
	bool is_other_abi;	/* GO_ABI0_SUFFIX, and without it there is one, too: one of the two calls the other */
};

struct image {
	VEC(struct image_symbol) symbols;	/* code in this file, by offset, by name; no thunks: thunk.h */
	struct usdt usdt;
	bool is_fixed;		/* ET_EXEC: link-time addresses are runtime addresses */
	bool is_stripped;	/* only exported names are known */
	Dwfl *dwfl;
	Dwfl_Module *module;
	Dwfl_Callbacks callbacks;
	char *debug_path;	/* directories of ours with .build-id in them */
	char *dir;		/* of the file, as the target sees it: .gnu_debuglink starts there */
	int root;		/* the target's, where debug files are looked for too: root.h */
};

/*
 * open_path opens the file, which pid (0: nobody yet) has at the path `module` in its own root.
 * -ENOEXEC: not ELF for this machine. An open image must not move: libdwfl points into it.
 */
int image_open(struct image *m, const char *open_path, uint32_t pid, const char *module,
	       struct err *e);
void image_release(struct image *m);

/* The last symbol that begins at or before off; NULL: there is none. */
const struct image_symbol *image_symbol_before(const struct image *m, uint64_t off);
/* The bytes of a function; where they are not known, up to the next symbol. No more than max. */
uint64_t image_symbol_size(const struct image *m, const struct image_symbol *sym, uint64_t max);
/* The link-time address of any symbol, data too, by its name in the file. */
bool image_symbol_vaddr(const struct image *m, const char *name, size_t len, uint64_t *ret_vaddr);
/*
 * DWARF says that the source defines a function of this name (the last part of a qualified one). If
 * no symbol has the name, the function was inlined wherever it is called. (DW_AT_inline would say
 * so too, but gcc's link-time optimization leaves it out.)
 */
bool image_has_source(const struct image *m, const char *name);
/*
 * Each such name, again and again, and the symbol that it has or would have, where that is another one (C++;
 * NULL: it is not). code: link-time address of its body, or of a piece of that; 0: none is here. take returns false to end
 * it. Reads all of a file's DWARF.
 */
void image_each_source(const struct image *m,
		       bool (*take)(void *self, const char *name, const char *symbol, uint64_t code), void *self);

/*
 * Bytes of the n-th integer argument, from 1, of the function at vaddr, as DWARF says; 0: not known, or no matter, as behind
 * one that is a struct.
 */
unsigned int image_argument_bytes(const struct image *m, uint64_t vaddr, unsigned int n);

#endif
