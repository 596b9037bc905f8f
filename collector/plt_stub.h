/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stubs of the procedure linkage table, which have no symbols: each jumps to what the dynamic linker puts into a slot, and
 * a relocation says which function's address that is (System V ABI, AMD64, 5.2).
 */
#ifndef COLLECTOR_PLT_STUB_H
#define COLLECTOR_PLT_STUB_H

#include <libelf.h>
#include <stddef.h>
#include <stdint.h>

/* Of a stub, enough: endbr64, a jump through the slot. */
#define PLT_STUB_BYTES 11

/*
 * The symbol of the function that the stub at vaddr, which begins with code, jumps to; lent from the file. NULL: that is
 * no stub, or of what has no name.
 */
const char *plt_stub_function(Elf *elf, const uint8_t *code, size_t len, uint64_t vaddr);

#endif
