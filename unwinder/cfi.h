/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unwind info of one ELF file: .eh_frame, or .debug_frame where that has nothing to say, read by
 * elfutils and compacted to rules. A rule is made once for each address that is asked for, and equal
 * rules are one.
 *
 *	c = cfi_open(fd, &e);
 *	if (cfi_vaddr(c, off, &vaddr))
 *		rule = cfi_rule(c, vaddr);
 *	cfi_free(c);
 *
 * Nothing in the file is trusted, and nothing of it is mapped: a file that shrinks while we read
 * ends in an error, not in a signal.
 */
#ifndef UNWINDER_CFI_H
#define UNWINDER_CFI_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "unwinder/rule.h"

struct cfi;

/*
 * fd is taken, whatever comes of it. NULL: no ELF file of a processor that arch.h knows; *e says so.
 * A file without unwind info is none of an error: all its rules are RULE_NONE.
 */
struct cfi *cfi_open(int fd, struct err *e);
/* The same of an image in memory, which is lent until cfi_free(). */
struct cfi *cfi_open_image(const void *bytes, size_t len, struct err *e);
/* The same of an open file, which is lent until cfi_free(). */
struct cfi *cfi_of_elf(Elf *elf, struct err *e);
void cfi_free(struct cfi *c);

const struct unwind_arch *cfi_arch(const struct cfi *c);
/* Where the byte of code at off in the file was linked to stand. False: no code is there. */
bool cfi_vaddr(const struct cfi *c, uint64_t off, uint64_t *ret_vaddr);
/*
 * The rule at vaddr: never NULL, and lent until cfi_free(). Ask for the byte before a return address:
 * what follows a call may be another function's.
 */
const struct rule *cfi_rule(struct cfi *c, uint64_t vaddr);

#endif
