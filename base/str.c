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

/* C0, DEL and C1 controls: what a terminal would obey instead of showing. */
static bool is_control(const uint8_t *p, size_t len)
{
	return (len == 1 && (p[0] < 0x20 || p[0] == 0x7f)) ||
	       (len == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

/* quote: the character that must be escaped besides controls and the backslash; 0 for none. */
static void add_escaped(struct str *b, const uint8_t *p, size_t len, char quote)
{
	while (len) {
		size_t n = utf8_len(p, len);

		if (*p == '\n' || *p == '\t' || *p == '\r') {
			str_add(b, *p == '\n' ? "\\n" : *p == '\t' ? "\\t" : "\\r");
			n = 1;
		} else if (*p == '\\' || (quote && *p == (uint8_t)quote)) {
			str_add_char(b, '\\');
			str_add_char(b, (char)*p);
		} else if (n == 2 && is_control(p, n)) {
			str_addf(b, "\\x%02x", p[1]);
		} else if (!n || is_control(p, n)) {
			str_addf(b, "\\x%02x", *p);
			n = 1;
		} else {
			str_add_bytes(b, p, n);
		}
		p += n;
		len -= n;
	}
}

void str_add_escaped(struct str *b, const void *bytes, size_t len)
{
	add_escaped(b, bytes, len, 0);
}

void str_add_repr(struct str *b, const void *bytes, size_t len)
{
	bool has_single = len && memchr(bytes, '\'', len);
	bool has_double = len && memchr(bytes, '"', len);
	char quote = has_single && !has_double ? '"' : '\'';

	str_add_char(b, quote);
	add_escaped(b, bytes, len, quote);
	str_add_char(b, quote);
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
