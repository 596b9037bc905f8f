/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZER_DEMANGLE_H
#define SYMBOLIZER_DEMANGLE_H

/*
 * The name as it is written in the source: C++ (Itanium ABI) and Rust's legacy mangling. NULL: the
 * name is not mangled, or not in a way that is known. The caller frees the result.
 */
char *symbol_demangle(const char *name);

#endif
