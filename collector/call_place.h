/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a function a probe goes that counts its calls. A probe is a breakpoint. Behind it the kernel
 * does what stood there: some instructions it emulates (push, nop, jumps and calls to fixed places),
 * the others it runs one by one out of line, which takes a second trap and an order of magnitude longer. So the
 * probe goes to the first instruction of the entry block that is emulated: up to the block's end each
 * call comes by exactly once, if no jump leads there from further down.
 *
 * Not to a nop of five bytes: Linux 6.18 and later make a call of these, which pushes onto the user's
 * stack.
 *
 * Functions of Go begin with a check, and begin again after a detour that makes the stack larger or lets
 * others run:
 *
 *	        cmp     0x10(%r14), %rsp
 *	        jbe     detour
 *	        sub     $0x18, %rsp             each call comes by here once
 *	        ...
 *	detour: call    runtime.morestack
 *	        jmp     the first instruction
 *
 * There the block behind the check takes the place of the entry block.
 *
 * x86-64. What the kernel emulates: arch/x86/kernel/uprobes.c, branch_setup_xol_ops() and
 * push_setup_xol_ops(), 6.18.
 */
#ifndef COLLECTOR_CALL_PLACE_H
#define COLLECTOR_CALL_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum call_place_kind {
	CALL_PLACE_NONE,	/* a probe would be unsafe, or count something else than calls */
	CALL_PLACE_EMULATED,
	CALL_PLACE_STEPPED,	/* nothing that is emulated can be had */
};

/* Longer entry blocks are looked at no further: at their end a probe would come late. */
enum { CALL_PLACE_BYTES_MAX = 256 };

#define CALL_PLACE_NO_SP UINT32_MAX

struct call_placement {
	enum call_place_kind kind;
	uint32_t off;		/* from the function's first byte */
	uint32_t end;		/* of the instruction there */
	uint32_t sp_add;	/* bytes that the stack pointer is below its value at the entry there */
	uint32_t sp_after;	/* the same behind the instruction; CALL_PLACE_NO_SP: that is not known */
	const char *why;	/* of CALL_PLACE_NONE and _STEPPED; static */
	char text[64];		/* the instruction; "" where there is none */
};

struct call_jumps;

/*
 * Pure. code: the whole function, len bytes. jumps: what else may lead into it (call_jumps.h); NULL: nothing. What that is
 * cannot be before an instruction that moves the stack pointer: it would move with each round. Where other functions go on in
 * it, the probe is before that.
 */
void call_place_find(const uint8_t *code, size_t len, const struct call_jumps *jumps, struct call_placement *ret);

/* Pure. NULL: a probe on the function's first byte is hit once in each call, or again behind a check. Else why not; static. */
const char *call_place_why_repeated(const uint8_t *code, size_t len, const struct call_jumps *jumps);

/*
 * Pure. True: with a probe on what the code begins with, the target does something else. is_entry: a function begins there,
 * and nothing is kept below the stack pointer, where the call that the kernel makes of a nop of five bytes writes.
 */
bool call_place_is_changed(const uint8_t *code, size_t len, bool is_entry);

/* Pure. It begins with a nop that a probe may be on, of other than five bytes, as the place of a USDT probe does. */
bool call_place_is_nop(const uint8_t *code, size_t len);

/* Pure. Decoded from its first byte on, an instruction has bytes on both sides of `at`. */
bool call_place_is_inside(const uint8_t *code, size_t len, size_t at);

/* Pure. Bytes of the instruction that the code begins with; 0: there is none. */
size_t call_place_length(const uint8_t *code, size_t len);

/* What a function begins with that begins again, if it does. */
struct call_check {
	uint32_t jump;		/* its last conditional jump: not taken once in each call, the last time */
	uint32_t behind;	/* the instruction after that */
	unsigned char condition;	/* the low half of the jump's opcode */
	bool keeps_arguments;	/* at the jump they are where they were; the stack pointer always is */
};

/* Pure. code: the whole function. False: it does not begin so, or something else leads back there too. */
bool call_place_check(const uint8_t *code, size_t len, struct call_check *ret);

#endif
