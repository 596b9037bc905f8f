/* SPDX-License-Identifier: Apache-2.0 */
#include "report/http1_kinds.h"

#include <stdlib.h>

#include "base/alloc.h"

enum { BITS = 2, PER_BYTE = 8 / BITS, MASK = (1 << BITS) - 1 };

static size_t byte_of(uint64_t nr)
{
	return nr % HTTP1_KINDS_MAX / PER_BYTE;
}

static unsigned int shift_of(uint64_t nr)
{
	return nr % PER_BYTE * BITS;
}

enum http1_kind http1_kinds_get(const struct http1_kinds *k, uint64_t nr)
{
	return k->bits ? (enum http1_kind)(k->bits[byte_of(nr)] >> shift_of(nr) & MASK) : HTTP1_PLAIN;
}

void http1_kinds_set(struct http1_kinds *k, uint64_t nr, enum http1_kind kind)
{
	unsigned int others;

	if (!k->bits && kind == HTTP1_PLAIN)
		return;
	if (!k->bits)
		k->bits = xcalloc(1, HTTP1_KINDS_MAX / PER_BYTE);
	others = k->bits[byte_of(nr)] & ~((unsigned int)MASK << shift_of(nr));
	k->bits[byte_of(nr)] = (uint8_t)(others | (unsigned int)kind << shift_of(nr));
}

void http1_kinds_release(struct http1_kinds *k)
{
	free(k->bits);
	k->bits = NULL;
}
