/* SPDX-License-Identifier: Apache-2.0 */
/* Rust's two ways to mangle a name. The standard library is built in the second, whatever a program is built in. */
#ifndef BASE_DEMANGLE_RUST_H
#define BASE_DEMANGLE_RUST_H

#include <stdbool.h>

/*
 * The legacy scheme is C++'s, with a hash for the last part and escapes in the others: takes what C++'s rules
 * made of a name. Without the hash it is C++, and given back as it is.
 */
char *demangle_rust_legacy(char *name);

static inline bool demangle_is_rust_v0(const char *mangled)
{
	return mangled[0] == '_' && mangled[1] == 'R';
}

/*
 * The v0 scheme (RFC 2603), whose names begin with _R. The caller frees it; the crates' hashes are left out. NULL: it
 * is none, or one that stands for more than a MiB.
 */
char *demangle_rust_v0(const char *mangled);

#endif
