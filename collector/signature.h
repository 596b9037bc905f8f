/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this symbol the function that the user named? A user names it by the symbol itself, by its
 * C++ or Rust name, or by its C++ name with parameters; spaces do not matter, and std::string is
 * what it is called. Names as nm -C, gdb, perf and our own tables have them are taken: with what a
 * template returns, with a tag ([abi:cxx11]), and with the compiler's suffix, [clone .isra.0], which
 * then means that copy alone; f::{lambda}::operator(), which debug information has, is any of f's.
 *
 *	symbol					name		with parameters
 *	handle_request				handle_request	handle_request
 *	memcpy@@GLIBC_2.14			memcpy		memcpy
 *	_ZN2ns1fIiEEvT_				ns::f<int>	ns::f<int>(int)
 *	parse.isra.0, parse.constprop.3		parse		parse
 *	handle.1, inner.0, helper.__uniq.77	handle, inner, helper: of several with one name
 *	runtime.futex.abi0			runtime.futex	runtime.futex
 *	parse.cold, parse.part.0		pieces of a function, not the function: no name
 */
#ifndef COLLECTOR_SIGNATURE_H
#define COLLECTOR_SIGNATURE_H

#include <stdbool.h>

/*
 * What Go's linker puts behind the name of a function whose arguments are on the stack: of assembly, or of what passes
 * them on between that and Go (cmd/link/internal/ld/elf.go of Go 1.19, putelfsym()). The source has it without.
 */
#define GO_ABI0_SUFFIX ".abi0"

struct signature {
	char *name;		/* NULL: the symbol is no function of the source */
	char *full;		/* with parameters where they are known, else the same as name */
	char *plain_name, *plain_full;	/* without spaces that mean nothing; NULL: as they are */
	bool is_changed;	/* the compiler changed what it takes: isra, constprop */
};

void signature_of(const char *symbol, struct signature *ret);
void signature_release(struct signature *s);

/* The user's text, made ready once. */
struct wanted {
	char *text;		/* as given */
	char *plain;		/* without spaces that mean nothing, return type, clone */
	char *clone;		/* ".isra.0"; NULL: any */
	char *last;		/* the last part of a qualified name, without parameters */
};

void wanted_init(struct wanted *w, const char *text);
void wanted_release(struct wanted *w);
/*
 * The symbol is what was wanted; then *ret is set, and the caller releases it. Cheap for symbols
 * that are something else.
 */
bool wanted_matches(const struct wanted *w, const char *symbol, struct signature *ret);
/*
 * The same for a glob, as of sh(1), and of a symbol whose signature has a name. What is no good glob may still be the
 * name: those of C++ have brackets of their own.
 */
bool wanted_is_like(const struct wanted *w, const char *symbol, const struct signature *s);
/* No symbol can be what was wanted: it names a piece of a function, "parse.part.0". */
bool wanted_is_piece(const struct wanted *w);
/* The last parts of the two names are the same: an overload, or the same name elsewhere. */
bool wanted_has_namesake(const struct wanted *w, const struct signature *s);

#endif
