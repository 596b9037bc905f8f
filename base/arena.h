/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is never freed piece by piece: one arena per run dies whole. Valid when zeroed. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	char *next, *end;
	size_t block_bytes;	/* of the last block; more, where more was asked for at once */
	size_t nr_bytes;	/* handed out so far */
};

/* Aligned for any type; not zeroed. Lives until arena_release(). */
void *arena_alloc(struct arena *a, size_t size);
void *arena_dup(struct arena *a, const void *bytes, size_t size);
/* A NUL-terminated copy of len bytes. */
char *arena_strndup(struct arena *a, const char *s, size_t len);
void arena_release(struct arena *a);

#endif
