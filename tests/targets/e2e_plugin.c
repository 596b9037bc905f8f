/* SPDX-License-Identifier: Apache-2.0 */
/* A library that e2e_calls maps and unmaps. */
int plugged(int n);

static __attribute__((noinline, noclone)) int inside(int n)
{
	__asm__ volatile("" ::: "memory");
	return n + 1;
}

int plugged(int n)
{
	int m = inside(n);

	__asm__ volatile("" ::: "memory");
	return m;
}
