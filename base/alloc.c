/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *checked(void *p)
{
	if (p)
		return p;
	fputs("wperf: out of memory\n", stderr);
	abort();
}

void *xmalloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t nr, size_t size)
{
	return checked(calloc(nr ? nr : 1, size ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
	return checked(realloc(old, size ? size : 1));
}

void *xreallocarray(void *old, size_t nr, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(nr, size, &total))
		checked(NULL);
	return xrealloc(old, total);
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xstrndup(const char *s, size_t len)
{
	return checked(strndup(s, len));
}

void *xmemdup(const void *bytes, size_t len)
{
	void *copy = xmalloc(len);

	if (len)
		memcpy(copy, bytes, len);
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return checked(s);
}

/* The first piece of the heap, of which untouched pages cost nothing, is as large as most ever become. */
void alloc_expect_much(void)
{
	enum { HEAP_BYTES = 64 << 20, LARGE_BLOCK_BYTES = 16 << 20 };
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin, end;

	mallopt(M_TOP_PAD, HEAP_BYTES);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
	begin = (uintptr_t)sbrk(0);
	/* More than there is room for: the heap grows. */
	free(xmalloc(LARGE_BLOCK_BYTES / 2));
	end = (uintptr_t)sbrk(0) / page * page;
	begin = (begin + page - 1) / page * page;
	if (begin < end)
		madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

void alloc_expect_little(void)
{
	enum { USUAL_BYTES = 128 << 10 };

	mallopt(M_TOP_PAD, USUAL_BYTES);
	mallopt(M_TRIM_THRESHOLD, USUAL_BYTES);
	mallopt(M_MMAP_THRESHOLD, USUAL_BYTES);
	malloc_trim(0);
}
