/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads bytes that someone else wrote. A cursor cannot pass its end: a read that would gives zeros
 * and sets `failed`, which stays set, so a parser reads a whole struct and asks once. Numbers are in
 * the machine's byte order and need no alignment.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *at, *end;
	bool failed;
};

static inline struct cursor cursor_of(const void *bytes, size_t len)
{
	return (struct cursor){ .at = bytes, .end = (const uint8_t *)bytes + len };
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

/* len bytes lent from the underlying buffer, or NULL. */
static inline const void *cursor_take(struct cursor *c, size_t len)
{
	const void *p = c->at;

	if (c->failed || len > cursor_left(c)) {
		c->failed = true;
		return NULL;
	}
	c->at += len;
	return p;
}

static inline void cursor_copy(struct cursor *c, void *ret_bytes, size_t len)
{
	const void *p = cursor_take(c, len);

	if (p)
		memcpy(ret_bytes, p, len);
	else
		memset(ret_bytes, 0, len);
}

static inline void cursor_skip(struct cursor *c, size_t len)
{
	cursor_take(c, len);
}

#define CURSOR_READER(type, name)                                                                  \
	static inline type cursor_##name(struct cursor *c)                                         \
	{                                                                                          \
		type v;                                                                            \
		cursor_copy(c, &v, sizeof(v));                                                     \
		return v;                                                                          \
	}
CURSOR_READER(uint8_t, u8)
CURSOR_READER(uint16_t, u16)
CURSOR_READER(uint32_t, u32)
CURSOR_READER(uint64_t, u64)
#undef CURSOR_READER

static inline uint64_t cursor_leb(struct cursor *c, bool is_signed)
{
	uint64_t value = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		byte = cursor_u8(c);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && shift < 64 && byte & 0x40)
		value |= UINT64_MAX << shift;
	return value;
}

/* LEB128 (DWARF 5, section 7.6): seven bits a byte, the lowest first. Bits beyond 64 are lost. */
static inline uint64_t cursor_uleb(struct cursor *c)
{
	return cursor_leb(c, false);
}

static inline int64_t cursor_sleb(struct cursor *c)
{
	return (int64_t)cursor_leb(c, true);
}

/* A NUL-terminated string lent from the buffer, the NUL consumed; "" and failed without a NUL. */
static inline const char *cursor_str(struct cursor *c)
{
	const uint8_t *nul = c->failed ? NULL : memchr(c->at, 0, cursor_left(c));
	const char *s = (const char *)c->at;

	if (!nul) {
		c->failed = true;
		return "";
	}
	c->at = nul + 1;
	return s;
}

#endif
