/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DEMANGLE_H
#define BASE_DEMANGLE_H

/*
 * What the source calls a C++ (Itanium ABI) or Rust symbol; the caller frees it. NULL: the
 * name is not mangled, or not by these rules. Rust's hash (::h and 16 hex digits) is taken off.
 */
char *demangle(const char *mangled);

#endif
