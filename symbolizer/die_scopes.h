/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What C++ puts before a function's name: namespaces, classes, the function that a local class or a lambda is in.
 * gcc leaves linkage names out where other files cannot see a function: in unnamed namespaces, in local classes, and
 * where a template has one of these as an argument, as std::sort() with a lambda has.
 *
 * DIEs do not know their parents. For each one that was on the way to a name, which of its children hold others is kept.
 */
#ifndef SYMBOLIZER_DIE_SCOPES_H
#define SYMBOLIZER_DIE_SCOPES_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"
#include "base/vec.h"
#include "symbolizer/debug_info.h"

/* A child that has children: up to end, where its next sibling begins. */
struct die_scope {
	Dwarf_Die die;
	uintptr_t end;
};

struct die_scopes {
	struct u64map by_parent;	/* address of the DIE -> index in lists */
	VEC(struct die_scope_list {
		VEC(struct die_scope) at;
	}) lists;
};

/*
 * The scopes of a function that has no linkage name, each with its "::"; "" for what is no C++, and for extern "C",
 * which other files can see. d pays for the steps.
 */
void die_scopes_of(struct die_scopes *s, struct debug_info *d, Dwarf_Die *die, struct str *ret);
/* The class that a function of C++ is declared in; false: none. */
bool die_scopes_class(struct die_scopes *s, struct debug_info *d, Dwarf_Die *die, Dwarf_Die *ret);
void die_scopes_release(struct die_scopes *s);

#endif
