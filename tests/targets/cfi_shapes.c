/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of known shapes: what each does to its stack stands in its comment. */
#include <alloca.h>
#include <stdint.h>
#include <stdlib.h>

__attribute__((noinline)) long frame_leaf(long a)
{
	return a * 3 + 1;	/* nothing */
}

__attribute__((noinline)) long frame_saves(long a, long b, long c)
{
	long i, sum = 0;	/* six registers that calls keep, pushed and popped */

	for (i = 0; i < a; i++)
		sum += frame_leaf(b + i) ^ frame_leaf(c + sum) ^ frame_leaf(a + i + sum);
	return sum + a + b + c;
}

__attribute__((noinline)) long frame_alloca(long n)
{
	volatile char *p = alloca((size_t)n);	/* the stack pointer is unknown: a frame pointer */

	p[0] = (char)n;
	return frame_leaf(p[0]);
}

__attribute__((noinline)) long frame_aligned(long n)
{
	volatile char a[64] __attribute__((aligned(64)));	/* the stack is aligned anew, by r10 */

	a[n & 63] = 1;
	return frame_leaf((long)(uintptr_t)a & 63) + (long)(uintptr_t)alloca((size_t)n);
}

__attribute__((noinline)) long frame_branches(long n)
{
	if (n < 10)	/* saves registers on one way only, if the compiler shrinks the wrap */
		return n;
	return frame_saves(n, n + 1, n + 2) + frame_alloca(n) + frame_aligned(n);
}

#ifndef NO_LIBC
static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int main(int argc, char **argv)
{
	int list[] = { 3, 1, 2, argc };

	qsort(list, 4, sizeof(int), by_value);	/* through the PLT */
	return (int)frame_branches(list[0] + (argv[0] != NULL)) > 100;
}
#endif
