/* SPDX-License-Identifier: Apache-2.0 */
#include "base/demangle.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

/* libstdc++'s <cxxabi.h> has it for C++ only. */
extern char *__cxa_demangle(const char *mangled, char *out, size_t *len, int *ret_status);

/* What legacy Rust writes for characters that the Itanium ABI has no room for. */
static const struct {
	const char *code, *text;
} rust_codes[] = {
	{ "$SP$", "@" }, { "$BP$", "*" },   { "$RF$", "&" },  { "$LT$", "<" },	 { "$GT$", ">" },
	{ "$LP$", "(" }, { "$RP$", ")" },   { "$C$", "," },   { "$u20$", " " },	 { "$u22$", "\"" },
	{ "$u27$", "'" }, { "$u2b$", "+" }, { "$u3b$", ";" }, { "$u5b$", "[" },	 { "$u5d$", "]" },
	{ "$u7b$", "{" }, { "$u7d$", "}" }, { "$u7e$", "~" }, { "..", "::" },
};

#define RUST_HASH_LEN (sizeof("::h0123456789abcdef") - 1)

/* The length without the hash; 0: there is none, so it is no Rust name. */
static size_t rust_len(const char *name)
{
	size_t len = strlen(name);
	const char *hash;

	if (len <= RUST_HASH_LEN)
		return 0;
	hash = name + len - RUST_HASH_LEN;
	if (strncmp(hash, "::h", 3) || strspn(hash + 3, "0123456789abcdef") != 16)
		return 0;
	return len - RUST_HASH_LEN;
}

static char *rust_text(const char *s, size_t len)
{
	const char *end = s + len;
	struct str out = { 0 };
	size_t i;

	while (s < end) {
		/* A path element that would begin with '$' has a '_' before it. */
		if (*s == '_' && s + 1 < end && s[1] == '$' &&
		    (!out.len || out.s[out.len - 1] == ':'))
			s++;
		for (i = 0; i < ARRAY_LEN(rust_codes); i++)
			if (str_starts(s, rust_codes[i].code) &&
			    s + strlen(rust_codes[i].code) <= end)
				break;
		if (i < ARRAY_LEN(rust_codes)) {
			str_add(&out, rust_codes[i].text);
			s += strlen(rust_codes[i].code);
		} else {
			str_add_char(&out, *s++);
		}
	}
	return str_take(&out);
}

char *demangle(const char *mangled)
{
	size_t len;
	char *name, *rust;
	int status;

	if (!str_starts(mangled, "_Z"))
		return NULL;
	name = __cxa_demangle(mangled, NULL, NULL, &status);
	len = name ? rust_len(name) : 0;
	if (!len)
		return name;
	rust = rust_text(name, len);
	free(name);
	return rust;
}
