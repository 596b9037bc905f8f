/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that does not fail: out of memory ends the program with a message on stderr.
 * Everything returned is freed with free().
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

void *xmalloc(size_t size);
void *xcalloc(size_t nr, size_t size);
void *xrealloc(void *old, size_t size);
/* nr * size with the product checked; dies when it does not fit a size_t. */
void *xreallocarray(void *old, size_t nr, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
void *xmemdup(const void *bytes, size_t len);
__attribute__((format(printf, 1, 2))) char *xasprintf(const char *fmt, ...);

/*
 * For a program that is about to take tens of megabytes in small pieces: the heap is made of large pages,
 * since each small one costs a fault. At most 2 MiB more are taken than without.
 */
void alloc_expect_much(void);
/* The opposite: what is free is given back to the kernel, and later will be soon, as malloc(3) does by itself. */
void alloc_expect_little(void);

#endif
