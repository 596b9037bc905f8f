/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a function may be jumped into other than from its own bytes to fixed places (those call_place.h sees itself): from
 * the part that the compiler moved out of its way (NAME.cold), and through tables, as of a switch or of labels.
 *
 *	lea     table(%rip), %rdx               jmp     *table(,%rax,8)         jmp     *(%rdx,%rax,8)
 *	movslq  (%rdx,%rax,4), %rax
 *	add     %rdx, %rax
 *	jmp     *%rax
 *
 * How long a table is stands nowhere: it is read up to the first entry that leads elsewhere. What stands behind it may be
 * taken for some more entries, and a jump from a part with no name may be another function's that calls this one last. So
 * these jumps are no more than possible. Where a table of distances cannot be read, or there is too much code to be looked
 * at, or too many entries, they may lead anywhere. So may a jump that adds up something else, and one that is not understood
 * if an instruction takes an address in the function, which may be what it begins from.
 *
 * By an address from a table a function may also be called last: that of a table that is filled at run time, of a member.
 * But a label's address stands in an instruction of the function, or in a table whose address, or in a constant that is
 * read, and these are looked at, be the table in the file, on the stack or filled in later. And whatever is between the
 * entries of a table in the file, and wherever its entries are counted from: a word that has an address in the function's
 * midst is a label's. In a file with a fixed address some number may look like one. A function has no labels that
 * has none but its begin: that is the function, which may call itself. A function that has some may call others last by
 * tables that it is given: a jump's table is taken for its own if an instruction puts the address of a table of labels
 * into the jump's register, or if the table or its address is kept on the stack; not if the address is read from
 * elsewhere right before the jump.
 */
#ifndef COLLECTOR_CALL_JUMPS_H
#define COLLECTOR_CALL_JUMPS_H

#include <libelf.h>
#include <stdint.h>

#include "base/vec.h"
#include "collector/image.h"
#include "collector/python_code.h"

struct call_jumps {
	uint64_t first;	/* the lowest place that may be jumped to, from the function's first byte on; UINT64_MAX: none */
	uint64_t entered;	/* the lowest one that other functions lead to (call_midst.h); 0: none */
};

extern const struct call_jumps call_jumps_anywhere;

/* What the compiler moved out of its function's way has such a name. */
#define CALL_CODE_COLD ".cold"

/* The code of a file. Valid when zeroed, to be released. */
struct call_code {
	const struct image *image;	/* lent */
	struct python_code bytes;
	VEC(const struct image_symbol *) cold;	/* the parts that were moved away, by name */
	VEC(uint64_t) entered;	/* call_midst.c's, once the file is_read: where calls and jumps of others lead */
	bool is_read;
	VEC(struct python_pointer) pointers;	/* words that have an address with code, by that: call_jumps.c's, once has_pointers */
	bool has_pointers;
	Elf *elf;
};

/* fd is lent until it is released. Where the file cannot be read no jumps are found. */
void call_code_open(struct call_code *c, const struct image *image, int fd);
void call_code_release(struct call_code *c);

/* How a jump by an address goes on that is found at run time, but by the sum of a table's address and a distance. */
enum call_jumps_way {
	CALL_JUMPS_LEAVES,	/* by a table of functions, a vtable, the GOT, a pointer: another function is called last */
	CALL_JUMPS_STAYS,	/* by a table of labels, as of a switch */
	CALL_JUMPS_UNKNOWN,	/* the function has labels, and not only these may be meant */
};

/* Of the jump at off, in the file, in that function of known size, or in a part of it. Pure. */
enum call_jumps_way call_jumps_way(struct call_code *c, const struct image_symbol *sym, uint64_t off);

/* Of the function with that symbol, of len bytes. Pure. */
void call_jumps_find(struct call_code *c, const struct image_symbol *sym, uint64_t len, struct call_jumps *ret);

#endif
