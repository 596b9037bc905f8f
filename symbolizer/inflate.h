/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug files as distributions ship them have compressed sections. libdw inflates all of them by zlib
 * before it answers anything; libdeflate takes a third of that time, and what is never asked for is left out
 * (location lists, macros).
 */
#ifndef SYMBOLIZER_INFLATE_H
#define SYMBOLIZER_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

struct inflated {
	char *bytes;	/* an ELF file; NULL: none */
	size_t len;
};

/*
 * The ELF file with debug sections that are not compressed any more, in memory. False: it has none that
 * were, or they are damaged, or it needs another file beside it (dwz), or is no ELF file of 64 bits; it is
 * then to be used as it is. fd is lent.
 */
bool inflate_debug_file(int fd, struct inflated *ret);
void inflated_release(struct inflated *i);

#endif
