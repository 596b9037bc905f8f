/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void str_reserve(struct str *b, size_t more)
{
	size_t want = b->len + more + 1;

	if (want <= b->cap)
		return;
	b->cap = want > b->cap * 2 ? want : b->cap * 2;
	b->s = xrealloc(b->s, b->cap);
	b->s[b->len] = '\0';
}

void str_release(struct str *b)
{
	free(b->s);
	*b = (struct str){ 0 };
}

void str_clear(struct str *b)
{
	b->len = 0;
	if (b->s)
		b->s[0] = '\0';
}

void str_add_bytes(struct str *b, const void *bytes, size_t len)
{
	str_reserve(b, len);
	if (len)
		memcpy(b->s + b->len, bytes, len);
	b->len += len;
	b->s[b->len] = '\0';
}

void str_add(struct str *b, const char *s)
{
	str_add_bytes(b, s, strlen(s));
}

void str_add_char(struct str *b, char c)
{
	str_add_bytes(b, &c, 1);
}

void str_addf(struct str *b, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len <= 0)
		return;
	str_reserve(b, (size_t)len);
	va_start(ap, fmt);
	vsnprintf(b->s + b->len, (size_t)len + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)len;
}

const char *str_cstr(const struct str *b)
{
	return b->s ? b->s : "";
}

char *str_take(struct str *b)
{
	char *s = b->s ? b->s : xstrdup("");

	*b = (struct str){ 0 };
	return s;
}

size_t utf8_len(const void *s, size_t left)
{
	const uint8_t *p = s;
	size_t len, i;

	if (!left)
		return 0;
	if (p[0] < 0x80)
		return 1;
	len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	if (!len || len > left)
		return 0;
	for (i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

/* ---- text that is shown ---- */

/* The code point of a sequence that utf8_len() has found to be len bytes long. */
static uint32_t utf8_code(const uint8_t *p, size_t len)
{
	uint32_t code = len == 1 ? p[0] : p[0] & (0xff >> (len + 1));
	size_t i;

	for (i = 1; i < len; i++)
		code = code << 6 | (p[i] & 0x3f);
	return code;
}

/* C0, DEL and C1 controls: what a terminal would obey instead of showing. */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/*
 * What Python's str.isprintable() denies besides controls, as far as it is assigned: spaces that
 * are not ASCII's, separators, formats (which turn the text around), private use and noncharacters
 * (Unicode 15, categories Zs, Zl, Zp, Cf, Co, Cn). Each is the first and the last of a range.
 */
static bool is_invisible(uint32_t code)
{
	static const uint32_t ranges[][2] = {
		{ 0x00a0, 0x00a0 },   { 0x00ad, 0x00ad },     { 0x0600, 0x0605 },
		{ 0x061c, 0x061c },   { 0x06dd, 0x06dd },     { 0x070f, 0x070f },
		{ 0x0890, 0x0891 },   { 0x08e2, 0x08e2 },     { 0x1680, 0x1680 },
		{ 0x180e, 0x180e },   { 0x2000, 0x200f },     { 0x2028, 0x202f },
		{ 0x205f, 0x206f },   { 0x3000, 0x3000 },     { 0xd800, 0xf8ff },
		{ 0xfdd0, 0xfdef },   { 0xfeff, 0xfeff },     { 0xfff9, 0xfffb },
		{ 0x110bd, 0x110bd }, { 0x110cd, 0x110cd },   { 0x13430, 0x1343f },
		{ 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },   { 0xe0001, 0xe0001 },
		{ 0xe0020, 0xe007f }, { 0xf0000, 0x10ffff },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(ranges); i++)
		if (code >= ranges[i][0] && code <= ranges[i][1])
			return true;
	return (code & 0xfffe) == 0xfffe;
}

/* As Python's repr() has it. */
static void add_code(struct str *b, uint32_t code)
{
	if (code == '\n' || code == '\t' || code == '\r')
		str_add(b, code == '\n' ? "\\n" : code == '\t' ? "\\t" : "\\r");
	else
		str_addf(b, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x",
			 code);
}

/* What is escaped besides controls and bytes that are no text. */
struct escaping {
	char quote;		/* 0: none */
	bool has_backslash, has_invisible, has_foreign;	/* those beyond ASCII are foreign */
};

static bool is_escaped(uint32_t code, const struct escaping *how)
{
	return is_control(code) || (how->has_invisible && is_invisible(code)) || (how->has_foreign && code >= 0x80);
}

static void add_escaped(struct str *b, const uint8_t *p, size_t len, const struct escaping *how)
{
	while (len) {
		size_t n = utf8_len(p, len);
		uint32_t code = n ? utf8_code(p, n) : *p;

		if ((code == '\\' && how->has_backslash) ||
		    (how->quote && code == (uint8_t)how->quote)) {
			str_add_char(b, '\\');
			str_add_char(b, (char)code);
		} else if (!n || is_escaped(code, how)) {
			add_code(b, code);
		} else {
			str_add_bytes(b, p, n);
		}
		n = n ? n : 1;
		p += n;
		len -= n;
	}
}

void str_add_escaped(struct str *b, const void *bytes, size_t len)
{
	add_escaped(b, bytes, len, &(struct escaping){ .has_backslash = true });
}

void str_add_visible(struct str *b, const void *bytes, size_t len)
{
	add_escaped(b, bytes, len, &(struct escaping){ .has_backslash = true, .has_invisible = true });
}

void str_add_line(struct str *b, const char *text)
{
	add_escaped(b, (const uint8_t *)text, strlen(text), &(struct escaping){ 0 });
}

static void add_quoted(struct str *b, const void *bytes, size_t len, bool has_foreign)
{
	bool has_single = len && memchr(bytes, '\'', len);
	bool has_double = len && memchr(bytes, '"', len);
	char quote = has_single && !has_double ? '"' : '\'';

	str_add_char(b, quote);
	add_escaped(b, bytes, len,
		    &(struct escaping){ .quote = quote,
					.has_backslash = true,
					.has_invisible = true,
					.has_foreign = has_foreign });
	str_add_char(b, quote);
}

void str_add_repr(struct str *b, const void *bytes, size_t len)
{
	add_quoted(b, bytes, len, false);
}

void str_add_ascii(struct str *b, const void *bytes, size_t len)
{
	add_quoted(b, bytes, len, true);
}

bool str_starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), want = strlen(suffix);

	return len >= want && !strcmp(s + len - want, suffix);
}

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

unsigned int str_distance(const char *a, const char *b)
{
	size_t rows = strlen(a) + 1, cols = strlen(b) + 1, i, j;
	unsigned int *d = xcalloc(rows * cols, sizeof(*d)), result;

#define D(r, c) d[(r)*cols + (c)]
	for (i = 0; i < rows; i++)
		D(i, 0) = (unsigned int)i;
	for (j = 0; j < cols; j++)
		D(0, j) = (unsigned int)j;
	for (i = 1; i < rows; i++)
		for (j = 1; j < cols; j++) {
			unsigned int cost = a[i - 1] != b[j - 1];

			D(i, j) = min3(D(i - 1, j) + 1, D(i, j - 1) + 1, D(i - 1, j - 1) + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    D(i - 2, j - 2) + 1 < D(i, j))
				D(i, j) = D(i - 2, j - 2) + 1;
		}
	result = D(rows - 1, cols - 1);
#undef D
	free(d);
	return result;
}
