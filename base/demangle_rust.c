/* SPDX-License-Identifier: Apache-2.0 */
#include "base/demangle_rust.h"

#include <ctype.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/vec.h"

/* libiberty, declared as in its demangle.h, which defines more than it should. */
extern int rust_demangle_callback(const char *mangled, int options, void (*print)(const char *, size_t, void *),
				  void *self);

/* ---- legacy ---- */

enum { HASH_LEN = 19 };

/* "h" and 16 hex digits. */
static bool is_hash(const char *s)
{
	size_t i;

	if (strncmp(s, "::h", 3))
		return false;
	for (i = 3; i < HASH_LEN; i++)
		if (!isxdigit((unsigned char)s[i]) || isupper((unsigned char)s[i]))
			return false;
	return true;
}

struct escape {
	const char *from, *to;
};

/* rustc: compiler/rustc_symbol_mangling/src/legacy.rs. */
static const struct escape escapes[] = {
	{ "$SP$", "@" }, { "$BP$", "*" }, { "$RF$", "&" }, { "$LT$", "<" },
	{ "$GT$", ">" }, { "$LP$", "(" }, { "$RP$", ")" }, { "$C$", "," },
};

/* Any other printable ASCII character is "$u" and its hex code and "$". */
static size_t take_code_escape(const char *s, struct str *out)
{
	char *end;
	unsigned long code;

	if (strncmp(s, "$u", 2) || !isxdigit((unsigned char)s[2]))
		return 0;
	code = strtoul(s + 2, &end, 16);
	if (*end != '$' || code < 0x20 || code > 0x7e)
		return 0;
	str_add_char(out, (char)code);
	return (size_t)(end + 1 - s);
}

static size_t take_escape(const char *s, struct str *out)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(escapes); i++)
		if (str_starts(s, escapes[i].from)) {
			str_add(out, escapes[i].to);
			return strlen(escapes[i].from);
		}
	if (str_starts(s, "..")) {
		str_add(out, "::");
		return 2;
	}
	return take_code_escape(s, out);
}

char *demangle_rust_legacy(char *name)
{
	size_t len = strlen(name);
	struct str out = { 0 };
	const char *s = name;
	bool is_start = true;

	if (len <= HASH_LEN || !is_hash(name + len - HASH_LEN))
		return name;
	name[len - HASH_LEN] = '\0';
	while (*s) {
		size_t n;

		/* A component may not start with "$": an underscore goes before it. */
		if (is_start && s[0] == '_' && s[1] == '$')
			s++;
		n = take_escape(s, &out);
		if (!n) {
			str_add_char(&out, *s);
			n = 1;
		}
		is_start = s[0] == ':' && n == 1;
		s += n;
	}
	free(name);
	return str_take(&out);
}

/* ---- v0 ---- */

/* Of 240,000 names of the compiler and of its library the longest has 10,111 bytes. */
#define MAX_LEN (1024 * 1024)

struct printed {
	struct str text;
	jmp_buf too_long;
};

static void print(const char *s, size_t len, void *self)
{
	struct printed *p = self;

	if (p->text.len + len > MAX_LEN)
		longjmp(p->too_long, 1);
	str_add_bytes(&p->text, s, len);
}

/*
 * References print again what they refer to, so that a hundred bytes can stand for terabytes, and libiberty would set
 * out to write them: it is left in the middle, where it has no memory but for an identifier that is not ASCII.
 */
static bool print_v0(struct printed *p, const char *mangled)
{
	return !setjmp(p->too_long) && rust_demangle_callback(mangled, 0, print, p);
}

char *demangle_rust_v0(const char *mangled)
{
	struct printed p = { 0 };

	if (demangle_is_rust_v0(mangled) && print_v0(&p, mangled))
		return str_take(&p.text);
	str_release(&p.text);
	return NULL;
}
