/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable string, embedded in its owner and valid when zeroed. `s` is NULL while nothing was
 * added and NUL-terminated from then on; str_cstr() never returns NULL.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

struct str {
	char *s;
	size_t len, cap;
};

void str_release(struct str *b);
/* Empties the string and keeps its memory. */
void str_clear(struct str *b);
void str_add(struct str *b, const char *s);
void str_add_bytes(struct str *b, const void *bytes, size_t len);
void str_add_char(struct str *b, char c);
__attribute__((format(printf, 2, 3))) void str_addf(struct str *b, const char *fmt, ...);
/*
 * Adds len bytes so that a terminal, a log or a JSON string can take them: valid UTF-8 stays,
 * control bytes, bytes that are no UTF-8 and backslashes become \n, \t, \r, \\ or \xNN.
 */
void str_add_escaped(struct str *b, const void *bytes, size_t len);
/* The same; and what is not seen, or turns what is seen round (Unicode's Cf, Zl, Zp and others), becomes \xNN, \uNNNN or \UNNNNNNNN. */
void str_add_visible(struct str *b, const void *bytes, size_t len);
/* As str_add_escaped() for a line of talk: backslashes stay, those of text that was escaped before included. */
void str_add_line(struct str *b, const char *text);
/* Adds what Python's repr() prints for the string: quotes included. */
void str_add_repr(struct str *b, const void *bytes, size_t len);
/* What its ascii() prints. */
void str_add_ascii(struct str *b, const void *bytes, size_t len);
const char *str_cstr(const struct str *b);
/* Gives the text to the caller, who frees it, and leaves the string empty. Never NULL. */
char *str_take(struct str *b);

/*
 * The length in bytes of the UTF-8 sequence at s, or 0 where the bytes are none (overlong forms,
 * surrogates and values above U+10FFFF are none: Unicode 15, table 3-7). left: bytes from s on.
 */
size_t utf8_len(const void *s, size_t left);

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* The optimal string alignment distance (insert, delete, substitute, swap neighbours). */
unsigned int str_distance(const char *a, const char *b);

#endif
