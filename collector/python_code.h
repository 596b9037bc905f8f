/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of an ELF file by their link-time address: code, constants, and pointers that the dynamic
 * linker fills in. Addresses in, bytes out; nothing is read outside of the file.
 */
#ifndef COLLECTOR_PYTHON_CODE_H
#define COLLECTOR_PYTHON_CODE_H

#include <Zydis/DecoderTypes.h>
#include <Zydis/SharedTypes.h>
#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct python_pointer {
	uint64_t vaddr, to;
};

/* Valid when zeroed. */
struct python_code {
	const uint8_t *bytes;	/* the file's, lent from the Elf */
	size_t len;
	VEC(GElf_Phdr) segments;
	VEC(struct python_pointer) moved;	/* R_X86_64_RELATIVE, and packed ones, by address */
};

/* The Elf must stay open and be mapped or read whole. False: libelf cannot read it. */
bool python_code_open(struct python_code *c, Elf *elf);
void python_code_release(struct python_code *c);

/* len bytes from a segment with all of flags (PF_X); NULL: they are not all there. */
const void *python_code_at(const struct python_code *c, uint64_t vaddr, size_t len, uint32_t flags);
/* The offset in the file of an address with code; 0: there is none. */
uint64_t python_code_off(const struct python_code *c, uint64_t vaddr);
/* What a pointer there is when the program runs, as a link-time address. */
bool python_code_pointer(const struct python_code *c, uint64_t vaddr, uint64_t *ret);
/*
 * How many calls lead to low .. high, from anywhere, and the highest place where one does (NULL: not wanted; left
 * alone where there is none). What only looks like a call, in the middle of another instruction, counts.
 */
size_t python_code_calls(const struct python_code *c, uint64_t low, uint64_t high, uint64_t *ret_highest);
/* How many places from low up to high have the address in them, relative to the end of an instruction, or look as if. */
size_t python_code_names(const struct python_code *c, uint64_t vaddr, uint64_t low, uint64_t high);
/* Whether a jump, other than a short one, leads to low .. high, from anywhere, or looks as if. */
bool python_code_jumps(const struct python_code *c, uint64_t low, uint64_t high);
/* An exported symbol. */
bool python_code_symbol(Elf *elf, const char *name, GElf_Sym *ret);

struct python_insn {
	ZydisDecodedInstruction in;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	uint64_t vaddr, next;	/* of it, and of what stands behind it */
};

/* False: no instruction stands there. */
bool python_insn_at(const struct python_code *c, uint64_t vaddr, struct python_insn *ret);
/* The fixed address of an operand in memory, of what a lea makes, of where a jump leads; 0: none. */
uint64_t python_insn_address(const struct python_insn *i);
/* A jump or a call. */
bool python_insn_ends_block(const struct python_insn *i);
/* Where struct pt_regs has what instructions call by that name; -1: nowhere, or not all 64 bits of it. */
int python_register_off(ZydisRegister reg);

#endif
