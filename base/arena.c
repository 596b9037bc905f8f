/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Each block is twice the one before: what is small stays so, and what is large is few blocks. */
enum { MIN_BLOCK_BYTES = 4 * 1024, MAX_BLOCK_BYTES = 256 * 1024 };

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) char bytes[];
};

static size_t align_up(size_t size)
{
	const size_t mask = alignof(max_align_t) - 1;

	return (size + mask) & ~mask;
}

static void add_block(struct arena *a, size_t size)
{
	size_t room = a->block_bytes ? 2 * a->block_bytes : MIN_BLOCK_BYTES;
	struct arena_block *block;

	a->block_bytes = room < MAX_BLOCK_BYTES ? room : MAX_BLOCK_BYTES;
	room = size > a->block_bytes ? size : a->block_bytes;
	block = xmalloc(sizeof(*block) + room);
	block->next = a->blocks;
	a->blocks = block;
	a->next = block->bytes;
	a->end = block->bytes + room;
}

void *arena_alloc(struct arena *a, size_t size)
{
	char *p;

	size = align_up(size ? size : 1);
	if ((size_t)(a->end - a->next) < size)
		add_block(a, size);
	p = a->next;
	a->next += size;
	a->nr_bytes += size;
	return p;
}

void *arena_dup(struct arena *a, const void *bytes, size_t size)
{
	void *copy = arena_alloc(a, size);

	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_alloc(a, len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void arena_release(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
	*a = (struct arena){ 0 };
}
