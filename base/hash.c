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

static struct hashidx_slot *find_slot(const struct hashidx *h, uint64_t hash, uint32_t id)
{
	uint32_t i = (uint32_t)(hash >> 32) & h->mask;

	for (; h->slots[i].id_plus_1 != id + 1; i = (i + 1) & h->mask)
		assert(h->slots[i].id_plus_1);
	return &h->slots[i];
}

/* Whoever was put behind the gap because it was taken moves into it, and leaves the next one. */
void hashidx_remove(struct hashidx *h, uint64_t hash, uint32_t id)
{
	uint32_t gap = (uint32_t)(find_slot(h, hash, id) - h->slots), i;

	for (i = (gap + 1) & h->mask; h->slots[i].id_plus_1; i = (i + 1) & h->mask) {
		uint32_t home = h->slots[i].hash & h->mask;

		if (((i - home) & h->mask) < ((i - gap) & h->mask))
			continue;
		h->slots[gap] = h->slots[i];
		gap = i;
	}
	h->slots[gap] = (struct hashidx_slot){ 0 };
	h->nr--;
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

static uint32_t pair_of(const struct u64map *m, uint64_t key)
{
	hashidx_each(&m->index, hash_u64(key), id)
		if (m->pairs.at[id].key == key)
			return id;
	return HASHIDX_END;
}

uint32_t *u64map_get(const struct u64map *m, uint64_t key)
{
	uint32_t id = pair_of(m, key);

	return id != HASHIDX_END ? &m->pairs.at[id].value : NULL;
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

/* The last pair takes its place. */
void u64map_remove(struct u64map *m, uint64_t key)
{
	uint32_t id = pair_of(m, key), last = (uint32_t)m->pairs.nr - 1;

	if (id == HASHIDX_END)
		return;
	hashidx_remove(&m->index, hash_u64(key), id);
	if (id != last) {
		find_slot(&m->index, hash_u64(m->pairs.at[last].key), last)->id_plus_1 = id + 1;
		m->pairs.at[id] = m->pairs.at[last];
	}
	m->pairs.nr--;
}

void u64map_release(struct u64map *m)
{
	hashidx_release(&m->index);
	vec_release(&m->pairs);
}

uint32_t placemap_find(const struct placemap *p, uint64_t key)
{
	const uint32_t *place = u64map_get(&p->of_key, key);

	return place ? *place : NO_PLACE;
}

uint32_t placemap_add(struct placemap *p, uint64_t key)
{
	uint32_t place = (uint32_t)placemap_nr(p);

	if (p->free.nr)
		place = p->free.at[--p->free.nr];
	u64map_set(&p->of_key, key, place);
	return place;
}

void placemap_remove(struct placemap *p, uint64_t key)
{
	vec_push(&p->free, *u64map_get(&p->of_key, key));
	u64map_remove(&p->of_key, key);
}

size_t placemap_nr(const struct placemap *p)
{
	return p->of_key.pairs.nr;
}

void placemap_release(struct placemap *p)
{
	u64map_release(&p->of_key);
	vec_release(&p->free);
}

static uint32_t strings_add(struct strings *t, char *text, size_t len, uint64_t hash,
			    uint32_t nr_holders)
{
	uint32_t id = (uint32_t)t->text.nr;

	if (t->free_ids.nr) {
		id = *vec_last(&t->free_ids);
		t->free_ids.nr--;
	} else {
		vec_push(&t->text, NULL);
		vec_push(&t->len, 0);
		vec_push(&t->nr_holders, 0);
	}
	t->text.at[id] = text;
	t->len.at[id] = (uint32_t)len;
	t->nr_holders.at[id] = nr_holders;
	hashidx_add(&t->index, hash, id);
	return id;
}

/* Makes "" the first one. */
static uint64_t strings_hash(struct strings *t, const char *s, size_t len)
{
	if (!t->text.nr) {
		siphash_key_init(&t->key);
		strings_add(t, arena_strndup(&t->arena, "", 0), 0, siphash(&t->key, "", 0), 0);
	}
	return siphash(&t->key, s, len);
}

/* UINT32_MAX: not there. */
static uint32_t strings_find(const struct strings *t, const char *s, size_t len, uint64_t hash)
{
	hashidx_each(&t->index, hash, id)
		if (t->len.at[id] == len && !memcmp(t->text.at[id], s, len))
			return id;
	return UINT32_MAX;
}

/* What was only held stays from now on. */
static void keep_string(struct strings *t, uint32_t id)
{
	char *held = t->text.at[id];

	if (!t->nr_holders.at[id])
		return;
	t->text.at[id] = arena_strndup(&t->arena, held, t->len.at[id]);
	t->nr_holders.at[id] = 0;
	free(held);
}

uint32_t strings_id_n(struct strings *t, const char *s, size_t len)
{
	uint64_t hash = strings_hash(t, s, len);
	uint32_t id = strings_find(t, s, len, hash);

	if (id == UINT32_MAX)
		return strings_add(t, arena_strndup(&t->arena, s, len), len, hash, 0);
	keep_string(t, id);
	return id;
}

/* strndup(3) would stop at a NUL. */
static char *dup_bytes(const char *s, size_t len)
{
	char *copy = xmalloc(len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

uint32_t strings_hold_n(struct strings *t, const char *s, size_t len)
{
	uint64_t hash = strings_hash(t, s, len);
	uint32_t id = strings_find(t, s, len, hash);

	if (id == UINT32_MAX)
		return strings_add(t, dup_bytes(s, len), len, hash, 1);
	strings_hold(t, id);
	return id;
}

void strings_hold(struct strings *t, uint32_t id)
{
	if (id < t->nr_holders.nr && t->nr_holders.at[id])
		t->nr_holders.at[id]++;
}

void strings_drop(struct strings *t, uint32_t id)
{
	if (id >= t->nr_holders.nr || !t->nr_holders.at[id] || --t->nr_holders.at[id])
		return;
	hashidx_remove(&t->index, siphash(&t->key, t->text.at[id], t->len.at[id]), id);
	free(t->text.at[id]);
	t->text.at[id] = NULL;
	t->len.at[id] = 0;
	vec_push(&t->free_ids, id);
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
	size_t i;

	for (i = 0; i < t->text.nr; i++)
		if (t->nr_holders.at[i])
			free(t->text.at[i]);
	hashidx_release(&t->index);
	vec_release(&t->text);
	vec_release(&t->len);
	vec_release(&t->nr_holders);
	vec_release(&t->free_ids);
	arena_release(&t->arena);
}
