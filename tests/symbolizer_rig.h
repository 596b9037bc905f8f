/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the symbolizer share: a directory with programs compiled from
 * tests/targets/sym_*, and one module of one symbolizer to ask about them.
 *
 *	struct rig r;
 *
 *	rig_begin(&r, "c");
 *	ck_assert_str_eq(rig_function(&r, off), "main");
 *	rig_end(&r);
 */
#ifndef TESTS_SYMBOLIZER_RIG_H
#define TESTS_SYMBOLIZER_RIG_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/symbolizer.h"

#define RIG_SEED 20240229u

/*
 * An unchecked fixture: made once for all tests of files, since compilers take their time. It holds
 * "c" and "cxx" (PIE, -O2 -g), and the sources under "src/".
 */
void rig_make_dir(void);
const char *rig_dir(void);
/* NAME in that directory; absolute names stay. Lent until it was called eight times more. */
const char *rig_path(const char *name);
/* Runs a shell command in that directory and returns its status. */
__attribute__((format(printf, 1, 2))) int rig_sh(const char *fmt, ...);
#define must_sh(...) ck_assert_int_eq(rig_sh(__VA_ARGS__), 0)
bool rig_has(const char *program);

struct rig {
	struct strings strings;
	struct symbolizer *symbolizer;
	uint32_t module;
};

/* The module of a file in the directory. */
void rig_begin(struct rig *r, const char *path);
/* options NULL: none. */
void rig_begin_with(struct rig *r, const struct module_key *key,
		    const struct symbolizer_options *options);
void rig_end(struct rig *r);

size_t rig_resolve(struct rig *r, uint64_t addr, const struct frame **ret_frames);
const char *rig_text(const struct rig *r, uint32_t id);
/* The name of the outermost frame. */
const char *rig_function(struct rig *r, uint64_t addr);
/* One line a frame: "FUNCTION at FILE:LINE", as eu-addr2line --pretty-print writes them. */
char *rig_frames(struct rig *r, uint64_t addr);

struct text_segment {
	uint64_t off, vaddr, len;
};

struct text_segment rig_text_segment(const char *path);
/* The offset of a symbol in its file, and its length, by nm. ret_len may be NULL. */
uint64_t rig_symbol_off(const char *path, const char *symbol, uint64_t *ret_len);

/* The same numbers on every run, from RIG_SEED on. */
uint64_t rig_random(uint64_t *state);

#endif
