/* SPDX-License-Identifier: Apache-2.0 */
/* Frames without frame pointers, between whoever calls and what they call back: see tests/walk_referee.c. */
#include <stddef.h>

long walk_saves(void (*back)(void *), void *ctx, long a, long b);
long walk_recurses(void (*back)(void *), void *ctx, long depth, size_t *ret_frame_bytes);

/* walk_pushes(back, ctx): begins with a push, whatever a compiler would do. x86-64. */
asm(".text\n"
    ".globl walk_pushes\n"
    ".type walk_pushes, @function\n"
    "walk_pushes:\n"
    "	.cfi_startproc\n"
    "	push %rbx\n"
    "	.cfi_def_cfa_offset 16\n"
    "	.cfi_offset %rbx, -16\n"
    "	mov %rdi, %rax\n"
    "	mov %rsi, %rdi\n"
    "	call *%rax\n"
    "	pop %rbx\n"
    "	.cfi_def_cfa_offset 8\n"
    "	ret\n"
    "	.cfi_endproc\n"
    ".size walk_pushes, . - walk_pushes\n");

static volatile long sink;

/* Keeps five values over the call: they are in registers that it has to save, on stack that it takes. */
__attribute__((noinline)) long walk_saves(void (*back)(void *), void *ctx, long a, long b)
{
	volatile long kept[5] = { a, b, a + b, a - b, a * b };

	back(ctx);
	sink = kept[1];
	return a * 3 + b * 5 + (a ^ b) + kept[a & 3];
}

/* Says how much stack one call of itself takes. */
__attribute__((noinline)) static long recurse(void (*back)(void *), void *ctx, long depth, volatile char *above,
					      size_t *ret_frame_bytes)
{
	volatile char here[64];
	long below = 0;

	here[depth & 63] = (char)depth;
	*ret_frame_bytes = (size_t)(above - here);
	if (depth)
		below = recurse(back, ctx, depth - 1, here, ret_frame_bytes);
	else
		back(ctx);
	return below + here[depth & 63];
}

long walk_recurses(void (*back)(void *), void *ctx, long depth, size_t *ret_frame_bytes)
{
	volatile char here[1] = { 0 };

	return recurse(back, ctx, depth, here, ret_frame_bytes) + here[0];
}
