/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a function others go on behind its first byte, without calling it: glibc's mempcpy() jumps into memmove() so,
 * behind what that does first. A probe that stands further down would count that.
 *
 * It is what is written by hand. Calls, and jumps other than short ones, are looked for in the whole file, byte by byte: what only
 * looks like one counts, too, but hardly ever leads to some function's first bytes. Short jumps are looked for in the code
 * around it. What comes by an address that is kept somewhere is not seen, unless a symbol stands there.
 */
#ifndef COLLECTOR_CALL_MIDST_H
#define COLLECTOR_CALL_MIDST_H

#include "collector/call_jumps.h"

/*
 * The lowest such place in the function with that symbol, of len bytes, from its first byte on; 0: there is none. Of the code
 * further down than a probe may stand nothing is said. Reads the file once.
 */
uint64_t call_midst_find(struct call_code *c, const struct image_symbol *sym, uint64_t len);

#endif
