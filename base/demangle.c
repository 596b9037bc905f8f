/* SPDX-License-Identifier: Apache-2.0 */
#include "base/demangle.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/demangle_rust.h"
#include "base/vec.h"

/* libstdc++, declared as in <cxxabi.h>, which is a C++ header. */
extern char *__cxa_demangle(const char *mangled, char *buf, size_t *len, int *status);

#define MAX_MANGLED_LEN (32 * 1024)
/*
 * The longest name worth demangling, by expanded_len(). Of 68,893 names in libLLVM 14 and
 * libclang-cpp 14, 24 are estimated beyond it; they stay mangled.
 */
#define MAX_EXPANDED_LEN (64.0 * 1024 * 1024)

/* Sizes that references of one letter stand for, by their number. */
struct referents {
	VEC(double) len;
};

/* Reads "S_", "S0_", "SZ_", "S10_" ... and gives the reference's number, or -1. */
static long reference_number(const char *s, int base, const char **ret_after)
{
	long n = 0;
	const char *p = s + 1;

	if (*p == '_') {
		*ret_after = p + 1;
		return 0;
	}
	for (; (isdigit((unsigned char)*p) || (base == 36 && isupper((unsigned char)*p))) &&
	       n < MAX_MANGLED_LEN; p++)
		n = n * base + (isdigit((unsigned char)*p) ? *p - '0' : *p - 'A' + 10);
	if (*p != '_' || p == s + 1 || n >= MAX_MANGLED_LEN)
		return -1;
	*ret_after = p + 1;
	return n + 1;
}

/*
 * A reference stands for something that ended before it, hence for no more than all that was
 * printed when its number was first used.
 */
static double referent_len(struct referents *r, size_t number, double printed)
{
	while (r->len.nr <= number)
		vec_push(&r->len, printed);
	return r->len.at[number];
}

/*
 * An upper bound of what the name demangles to. References print again what they refer to, so that
 * a hundred bytes can stand for terabytes, and __cxa_demangle() would set out to write them.
 */
static double expanded_len(const char *s)
{
	struct referents types = { 0 }, params = { 0 };
	double len = 0;

	while (*s && len <= MAX_EXPANDED_LEN) {
		const char *after;
		long number = *s == 'S' ? reference_number(s, 36, &after) :
			      *s == 'T' ? reference_number(s, 10, &after) : -1;

		if (number >= 0) {
			len += referent_len(*s == 'S' ? &types : &params, (size_t)number, len);
			s = after;
		} else if (isdigit((unsigned char)*s)) {
			size_t n = strtoul(s, (char **)&s, 10);

			n = strnlen(s, n < MAX_MANGLED_LEN ? n : MAX_MANGLED_LEN);
			len += (double)n;
			s += n;
		} else {
			len += 8;	/* a letter for "unsigned ", "operator" ... */
			s++;
		}
	}
	vec_release(&types.len);
	vec_release(&params.len);
	return len;
}

/* LLVM appends ".llvm." and a number to local functions that it made visible to other units. */
static char *without_llvm_suffix(const char *name)
{
	const char *suffix = strstr(name, ".llvm.");

	return suffix ? xstrndup(name, (size_t)(suffix - name)) : xstrdup(name);
}

char *demangle(const char *name)
{
	char *plain, *result;
	int status;

	if (demangle_is_rust_v0(name))
		return demangle_rust_v0(name);
	if (strncmp(name, "_Z", 2) || strnlen(name, MAX_MANGLED_LEN) == MAX_MANGLED_LEN ||
	    expanded_len(name + 2) > MAX_EXPANDED_LEN)
		return NULL;
	plain = without_llvm_suffix(name);
	result = __cxa_demangle(plain, NULL, NULL, &status);
	free(plain);
	return result ? demangle_rust_legacy(result) : NULL;
}
