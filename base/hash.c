/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint64_t hash_bytes(const void *bytes, size_t len)
{
	const char *p = bytes;
	uint64_t h = len, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = hash_mix(h, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, p, len);
		h = hash_mix(h, word);
	}
	return hash_u64(h);
}

static void slot_put(struct hashidx *h, struct hashidx_slot slot)
{
	uint32_t i = slot.hash & h->mask;

	while (h->slots[i].id_plus_1)
		i = (i + 1) & h->mask;
	h->slots[i] = slot;
}

static void hashidx_grow(struct hashidx *h)
{
	struct hashidx old = *h;
	uint32_t nr_slots = old.slots ? (old.mask + 1) * 2 : 16, i;

	assert(nr_slots);
	h->slots = xcalloc(nr_slots, sizeof(*h->slots));
	h->mask = nr_slots - 1;
	for (i = 0; old.slots && i <= old.mask; i++)
		if (old.slots[i].id_plus_1)
			slot_put(h, old.slots[i]);
	free(old.slots);
}

void hashidx_add(struct hashidx *h, uint64_t hash, uint32_t id)
{
	assert(id < HASHIDX_END);
	if (!h->slots || (uint64_t)h->nr * 3 >= (uint64_t)h->mask * 2)
		hashidx_grow(h);
	slot_put(h, (struct hashidx_slot){ .hash = (uint32_t)(hash >> 32), .id_plus_1 = id + 1 });
	h->nr++;
}

void hashidx_clear(struct hashidx *h)
{
	if (h->slots)
		memset(h->slots, 0, ((size_t)h->mask + 1) * sizeof(*h->slots));
	h->nr = 0;
}

void hashidx_release(struct hashidx *h)
{
	free(h->slots);
	*h = (struct hashidx){ 0 };
}

uint32_t *u64map_get(const struct u64map *m, uint64_t key)
{
	hashidx_each(&m->index, hash_u64(key), id)
		if (m->pairs.at[id].key == key)
			return &m->pairs.at[id].value;
	return NULL;
}

void u64map_set(struct u64map *m, uint64_t key, uint32_t value)
{
	uint32_t *old = u64map_get(m, key);

	if (old) {
		*old = value;
		return;
	}
	vec_reserve(&m->pairs, m->pairs.nr + 1);
	m->pairs.at[m->pairs.nr].key = key;
	m->pairs.at[m->pairs.nr].value = value;
	hashidx_add(&m->index, hash_u64(key), (uint32_t)m->pairs.nr++);
}

void u64map_release(struct u64map *m)
{
	hashidx_release(&m->index);
	vec_release(&m->pairs);
}

static uint32_t strings_add(struct strings *t, const char *s, size_t len, uint64_t hash)
{
	vec_push(&t->text, arena_strndup(&t->arena, s, len));
	vec_push(&t->len, (uint32_t)len);
	hashidx_add(&t->index, hash, (uint32_t)t->text.nr - 1);
	return (uint32_t)t->text.nr - 1;
}

uint32_t strings_id_n(struct strings *t, const char *s, size_t len)
{
	uint64_t hash = hash_bytes(s, len);

	if (!t->text.nr)
		strings_add(t, "", 0, hash_bytes("", 0));
	hashidx_each(&t->index, hash, id)
		if (t->len.at[id] == len && !memcmp(t->text.at[id], s, len))
			return id;
	return strings_add(t, s, len, hash);
}

uint32_t strings_id(struct strings *t, const char *s)
{
	return strings_id_n(t, s, strlen(s));
}

const char *strings_text(const struct strings *t, uint32_t id)
{
	assert(id < t->text.nr || !id);
	return t->text.nr ? t->text.at[id] : "";
}

size_t strings_len(const struct strings *t, uint32_t id)
{
	return t->text.nr ? t->len.at[id] : 0;
}

void strings_release(struct strings *t)
{
	hashidx_release(&t->index);
	vec_release(&t->text);
	vec_release(&t->len);
	arena_release(&t->arena);
}
