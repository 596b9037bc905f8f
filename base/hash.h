/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashing, and the one hash table of the house. The table holds ids, not keys: the caller keeps the
 * things themselves in an array and compares them, so that one table serves every kind of key.
 *
 *	hashidx_each(&idx, hash, id)
 *		if (same(&things.at[id], key))
 *			return id;
 *	vec_push(&things, key);
 *	hashidx_add(&idx, hash, things.nr - 1);
 *
 * Open addressing, linear probing, a load of two thirds at most. Of the hash the upper half counts.
 * Valid when zeroed.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/siphash.h"
#include "base/vec.h"

/* The finalizer of MurmurHash3 (fmix64): every input bit reaches every output bit. */
static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

static inline uint64_t hash_mix(uint64_t seed, uint64_t x)
{
	return hash_u64(seed * 0x9e3779b97f4a7c15ULL + x);
}

/* The same in every run; who knows it can make bytes of equal hashes, so not for what others choose: siphash.h. */
uint64_t hash_bytes(const void *bytes, size_t len);

struct hashidx_slot {
	uint32_t hash;
	uint32_t id_plus_1;	/* 0: free */
};

struct hashidx {
	struct hashidx_slot *slots;
	uint32_t mask;		/* number of slots - 1; slots is NULL while empty */
	uint32_t nr;
};

#define HASHIDX_END UINT32_MAX

struct hashidx_cursor {
	uint32_t slot, hash;
};

void hashidx_add(struct hashidx *h, uint64_t hash, uint32_t id);
/* Of an id that was added with that hash. Not within hashidx_each(). */
void hashidx_remove(struct hashidx *h, uint64_t hash, uint32_t id);
void hashidx_clear(struct hashidx *h);
void hashidx_release(struct hashidx *h);

/* The next id whose hash is the cursor's, or HASHIDX_END. */
static inline uint32_t hashidx_next(const struct hashidx *h, struct hashidx_cursor *c)
{
	for (;;) {
		const struct hashidx_slot *s = &h->slots[c->slot];

		if (!s->id_plus_1)
			return HASHIDX_END;
		c->slot = (c->slot + 1) & h->mask;
		if (s->hash == c->hash)
			return s->id_plus_1 - 1;
	}
}

static inline uint32_t hashidx_first(const struct hashidx *h, uint64_t hash,
				     struct hashidx_cursor *c)
{
	if (!h->slots)
		return HASHIDX_END;
	c->hash = (uint32_t)(hash >> 32);
	c->slot = c->hash & h->mask;
	return hashidx_next(h, c);
}

#define hashidx_each(h, hash, id)                                                                  \
	for (struct hashidx_cursor cursor_##id, *once_##id = &cursor_##id; once_##id;              \
	     once_##id = NULL)                                                                     \
		for (uint32_t id = hashidx_first(h, hash, &cursor_##id); id != HASHIDX_END;        \
		     id = hashidx_next(h, &cursor_##id))

/* u64 -> u32. Valid when zeroed. */
struct u64map {
	struct hashidx index;
	VEC(struct { uint64_t key; uint32_t value; }) pairs;
};

/* The value's place, or NULL; it moves with the next u64map_set() and u64map_remove(). */
uint32_t *u64map_get(const struct u64map *m, uint64_t key);
void u64map_set(struct u64map *m, uint64_t key, uint32_t value);
/* Nothing, where there is none. */
void u64map_remove(struct u64map *m, uint64_t key);
void u64map_release(struct u64map *m);

/* Which place each key has in an array of the caller's, where that of one that is gone is used again. Valid when zeroed. */
struct placemap {
	struct u64map of_key;
	VEC(uint32_t) free;
};

#define NO_PLACE UINT32_MAX

/* NO_PLACE: it has none. */
uint32_t placemap_find(const struct placemap *p, uint64_t key);
/* For a key that has none; where it is as many as the places were, the array grows by one. */
uint32_t placemap_add(struct placemap *p, uint64_t key);
/* Of a key that has one. */
void placemap_remove(struct placemap *p, uint64_t key);
/* Of keys that have one. */
size_t placemap_nr(const struct placemap *p);
void placemap_release(struct placemap *p);

/*
 * Strings to dense ids and back: equal strings have equal ids. Valid when zeroed; id 0 is "". What
 * strings_id() took stays; what is only held goes, and its id is used again, when the last of its
 * holders has dropped it.
 */
struct strings {
	struct arena arena;		/* texts of those that stay */
	struct hashidx index;
	struct siphash_key key;		/* drawn with the first string */
	VEC(char *) text;		/* NULL: the id is free */
	VEC(uint32_t) len;
	VEC(uint32_t) nr_holders;	/* 0: it stays */
	VEC(uint32_t) free_ids;
};

uint32_t strings_id(struct strings *t, const char *s);
uint32_t strings_id_n(struct strings *t, const char *s, size_t len);
/* As strings_id_n(), but the string stays only until it is dropped as often as it was held. */
uint32_t strings_hold_n(struct strings *t, const char *s, size_t len);
/* Once more, by its id. */
void strings_hold(struct strings *t, uint32_t id);
/* Of a string that stays: nothing. */
void strings_drop(struct strings *t, uint32_t id);
/* Lent until strings_release(); of a string that is held, until the next change. */
const char *strings_text(const struct strings *t, uint32_t id);
size_t strings_len(const struct strings *t, uint32_t id);
void strings_release(struct strings *t);

#endif
