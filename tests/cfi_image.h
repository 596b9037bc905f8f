/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file with unwind info and nothing else, made in memory: whatever its .eh_frame is to hold.
 *
 *	struct cfi_image i = { 0 };
 *
 *	cfi_image_cie(&i, "zR", BYTES("\x0c\7\x08\x90\1"));
 *	cfi_image_fde(&i, CFI_IMAGE_TEXT, 16, BYTES("\x0e\x10"));
 *	cfi_image_finish(&i);
 *	c = cfi_open_image(i.file.s, i.file.len, &e);
 *	cfi_image_release(&i);
 */
#ifndef TESTS_CFI_IMAGE_H
#define TESTS_CFI_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Where its code was linked to stand: that many bytes, the first of them at off CFI_IMAGE_OFF. */
enum { CFI_IMAGE_TEXT = 0x401000, CFI_IMAGE_TEXT_BYTES = 0x10000, CFI_IMAGE_OFF = 0x1000 };

/* A literal and how many bytes it is, without the NUL. */
#define BYTES(literal) (literal), sizeof(literal) - 1

struct cfi_image {
	struct str frames;	/* of .eh_frame */
	struct str table;	/* of .eh_frame_hdr; empty: there is none */
	struct str file;	/* by cfi_image_finish() */
	size_t cie_at;		/* in frames; of the FDEs that follow */
	uint16_t machine;	/* 0: x86-64 */
	uint64_t entry;		/* where it is entered; 0: nowhere */
	bool has_no_sections;	/* only the program header leads to .eh_frame_hdr */
};

/* Code in units of 1, data in units of -8, return address in register 16 (x86-64) or 30. */
void cfi_image_cie(struct cfi_image *i, const char *augmentation, const char *program, size_t len);
/* Addresses are 8 bytes, not relative. The offset in frames where the entry begins. */
size_t cfi_image_fde(struct cfi_image *i, uint64_t vaddr, uint64_t nr_bytes, const char *program,
		     size_t len);
/* What says where code is, and where the entry about it: sorted by vaddr, if it is to be valid. */
void cfi_image_entry(struct cfi_image *i, uint64_t vaddr, uint64_t frames_off);
void cfi_image_finish(struct cfi_image *i);
void cfi_image_release(struct cfi_image *i);

void add_uleb(struct str *s, uint64_t v);

#endif
