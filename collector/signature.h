/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this symbol the function that the user named? A user names it by the symbol itself, by its
 * C++ or Rust name, or by its C++ name with parameters; spaces do not matter, the return type that
 * C++ adds to templates is not written, the suffixes of the compiler are not either, and
 * std::string is what it is called.
 *
 *	symbol					name		with parameters
 *	handle_request				handle_request	handle_request
 *	memcpy@@GLIBC_2.14			memcpy		memcpy
 *	_ZN2ns1fIiEEvT_				ns::f<int>	ns::f<int>(int)
 *	parse.isra.0, parse.constprop.3		parse		parse
 *	parse.cold, parse.part.0		pieces of a function, not the function: no name
 */
#ifndef COLLECTOR_SIGNATURE_H
#define COLLECTOR_SIGNATURE_H

#include <stdbool.h>

struct signature {
	char *name;		/* NULL: the symbol is no function of the source */
	char *full;		/* with parameters where they are known, else the same as name */
	bool is_changed;	/* the compiler changed what it takes: isra, constprop */
};

void signature_of(const char *symbol, struct signature *ret);
void signature_release(struct signature *s);

/* The user's text, made ready once. */
struct wanted {
	char *text;		/* as given */
	char *plain;		/* without spaces that mean nothing */
	char *last;		/* the last part of a qualified name, without parameters */
};

void wanted_init(struct wanted *w, const char *text);
void wanted_release(struct wanted *w);
/*
 * The symbol is what was wanted; then *ret is set, and the caller releases it. Cheap for symbols
 * that are something else.
 */
bool wanted_matches(const struct wanted *w, const char *symbol, struct signature *ret);
/* The last parts of the two names are the same: an overload, or the same name elsewhere. */
bool wanted_has_namesake(const struct wanted *w, const struct signature *s);

#endif
