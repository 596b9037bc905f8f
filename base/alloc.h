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

#endif
