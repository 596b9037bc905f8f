/* SPDX-License-Identifier: Apache-2.0 */
/* What check_symbolizer.c looks up: inlined chains, cold parts, stubs, functions in functions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sym_exported(const char *s);

static volatile int sink;

static inline __attribute__((always_inline)) int innermost(int x)
{
	sink += x;
	return sink * 3;
}

static inline __attribute__((always_inline)) int middle(int x)
{
	if (x & 1)
		return innermost(x + 1);
	return innermost(x);
}

__attribute__((noinline)) static int outermost(int x)
{
	int i, sum = 0;

	for (i = 0; i < x; i++)
		sum += middle(i);
	return sum;
}

__attribute__((noinline, cold)) static int unlikely_path(int x)
{
	fprintf(stderr, "%d\n", x);
	return x;
}

/* The branch to abort() is laid out apart from the function: with_cold.cold. */
__attribute__((noinline)) static int with_cold(int x)
{
	if (__builtin_expect(x == 4711, 0)) {
		unlikely_path(x);
		abort();
	}
	return outermost(x) + 1;
}

#ifndef __clang__
__attribute__((noinline)) static int with_nested(int x)
{
	__attribute__((noinline)) int nested(int y)
	{
		sink += x;
		return sink + y;
	}

	return nested(x) + nested(x + 1);
}
#else
#define with_nested outermost
#endif

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int sym_exported(const char *s)
{
	int values[4] = { atoi(s), (int)strlen(s), 3, 4 };

	qsort(values, 4, sizeof(values[0]), compare);
	return with_cold(values[0]) + with_nested(values[1]);
}

int main(int argc, char **argv)
{
	return sym_exported(argv[argc - 1]) == 12345;
}
