/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/kallsyms, read beside the rest: the kernel takes longer to print it than a small report takes for
 * all else.
 *
 *	k = kallsyms_begin(crew);
 *	...
 *	text = kallsyms_wait(k, &len);
 *	kallsyms_free(k);
 */
#ifndef SYMBOLIZER_KALLSYMS_H
#define SYMBOLIZER_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crew.h"

struct kallsyms;

/* Never NULL. crew is lent until kallsyms_free(). */
struct kallsyms *kallsyms_begin(struct crew *crew);
/*
 * The whole text, NUL-terminated, to be written to at will, and lent until kallsyms_free(). NULL, with errno
 * set: it cannot be read.
 */
char *kallsyms_wait(struct kallsyms *k, size_t *ret_len);
/* NULL is a no-op. */
void kallsyms_free(struct kallsyms *k);

/*
 * One line, "ffffffff81000000 T _stext" or "ffffffffc0001000 t probe\t[virtio_net]". Pointers lend from the
 * text.
 */
struct kallsyms_line {
	uint64_t addr;
	char type;
	char *name;
	size_t name_len;
	const char *module;	/* "[name]", or empty */
	size_t module_len;
};

/* text: where a line begins, in a text that ends in NUL. False: it is none. */
bool kallsyms_parse(char *text, struct kallsyms_line *ret);
bool kallsyms_is_function(const struct kallsyms_line *line);
/*
 * How much of the text is the kernel's own: in the order of addresses, as scripts/kallsyms.c has sorted it. Modules
 * and what else was loaded come behind it in any order.
 */
size_t kallsyms_own_len(const char *text, size_t len);
/*
 * The last function of the first len bytes, which are in order, that begins at addr or before it; *ret_next:
 * where the next one begins, or UINT64_MAX. False: there is none.
 */
bool kallsyms_find(char *text, size_t len, uint64_t addr, struct kallsyms_line *ret, uint64_t *ret_next);
/* The address of a symbol, or 0. */
uint64_t kallsyms_address(char *text, const char *name);

#endif
