/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USDT: what <sys/sdt.h> leaves in a binary. Every DTRACE_PROBE is a nop in the code and a note in
 * the section .note.stapsdt (sourceware.org/systemtap/wiki/UserSpaceProbeImplementation):
 *
 *	u32 namesz = 8 | u32 descsz | u32 type = 3 | "stapsdt\0"
 *	addr pc | addr base | addr semaphore | provider\0 | name\0 | arguments\0 | pad to 4
 *
 * Addresses are link-time ones. Tools that move a finished binary (prelink) do not adjust notes;
 * base is where the section .stapsdt.base stood when the note was written, so the difference to
 * where it stands now is added to pc and semaphore. A semaphore is a u16 that the process tests:
 * who wants the probe counts it up. One probe has several sites where the compiler copied it.
 */
#ifndef COLLECTOR_USDT_H
#define COLLECTOR_USDT_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

struct usdt_site {
	const char *provider, *name;
	const char *args;		/* as noted, see operand.h: "8@%rbp -4@%eax" */
	uint64_t vaddr, off;		/* of the nop; off is in the file */
	uint64_t semaphore_vaddr;	/* 0: none */
	uint64_t semaphore_off;		/* in the file; 0: none */
};

struct usdt {
	VEC(struct usdt_site) sites;	/* in the order of the notes */
	size_t nr_bad;			/* notes that make no sense, or lie outside of the file */
	struct arena arena;
};

/*
 * The bytes of .note.stapsdt of a 64-bit file: adds sites with provider, name, args and the
 * addresses as noted, moved by moved_base - base (moved_base 0: as they are). Offsets stay 0.
 */
void usdt_parse_notes(struct usdt *u, const void *bytes, size_t len, uint64_t moved_base);
/* Adds the sites of a file; one without probes adds none. -ENOEXEC: not ELF for this machine. */
int usdt_read(struct usdt *u, Elf *elf, struct err *e);
void usdt_release(struct usdt *u);

#endif
