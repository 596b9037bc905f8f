/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ELF file, checked before anyone trusts it, and through libdwfl its separate debug info:
 * build-id directories, .gnu_debuglink, debuginfod where DEBUGINFOD_URLS is set, MiniDebugInfo.
 * Link-time addresses are used throughout: dwfl is told to place the file where it was linked.
 */
#ifndef SYMBOLIZER_ELF_FILE_H
#define SYMBOLIZER_ELF_FILE_H

#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crew.h"
#include "base/err.h"
#include "base/vec.h"

struct segment {		/* a PT_LOAD */
	uint64_t off, file_size;
	uint64_t vaddr, mem_size;
	bool is_exec;
};

struct elf_file {
	Dwfl *dwfl;
	Dwfl_Module *mod;
	Elf *elf;			/* the main file; lent by mod */
	Dwfl_Callbacks callbacks;	/* dwfl keeps a pointer: an open elf_file stays put */
	char *debug_path;
	const char *sysroot;		/* lent; NULL: none */
	struct elf_file_ahead *ahead;	/* the separate debug file, if it had to be inflated; NULL: not asked for */
	Elf *debug_elf;			/* it, in memory */
	Dwarf *dwarf;			/* its; NULL: libdwfl has what there is */
	uint64_t nr_bytes;
	VEC(struct segment) segments;
};

struct build_id {
	const uint8_t *bytes;	/* NULL: not known, and any will do */
	size_t len;
};

/*
 * Opens what fd is, and takes fd, whatever comes of it. path is what the file is called: debug info
 * is looked for beside it. sysroot may be NULL.
 * -ENOEXEC: no ELF program or library, or a malformed one. -ESTALE: its build-id is not `want`.
 */
int elf_file_open(struct elf_file *f, int fd, const char *path, struct build_id want,
		  const char *sysroot, struct err *e);
void elf_file_release(struct elf_file *f);
/*
 * Its debug info will be asked for: the crew is to look for the separate file and to inflate it. crew is lent until
 * elf_file_release().
 */
void elf_file_expect_debug(struct elf_file *f, struct crew *crew);
/*
 * Its own debug info, or its separate file's, or NULL. Lent until elf_file_release(). Addresses in it plus *ret_bias
 * are the file's link-time ones.
 */
Dwarf *elf_file_dwarf(struct elf_file *f, struct crew *crew, Dwarf_Addr *ret_bias);

/* False: no segment holds that byte of the file. */
bool elf_file_vaddr(const struct elf_file *f, uint64_t off, uint64_t *ret_vaddr);
/* The executable segment that holds vaddr, or NULL. */
const struct segment *elf_file_text(const struct elf_file *f, uint64_t vaddr);

/* A file descriptor of a copy of the bytes, or a negative errno. */
int elf_file_copy(const void *bytes, size_t len);
/*
 * Looks the program itself up by its build-id, in the debug directories and by debuginfod.
 * A file descriptor, or -ENOENT.
 */
int elf_file_find(struct build_id id, const char *sysroot, char **ret_path);

#endif
