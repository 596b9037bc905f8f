/* SPDX-License-Identifier: Apache-2.0 */
#include "report/prepared.h"

#include "base/hash.h"

struct text *text_new(struct piece p)
{
	size_t len = p.len < PREPARED_TEXT_MAX ? p.len : PREPARED_TEXT_MAX;
	struct text *t = xmalloc(sizeof(*t) + len);

	t->nr_holders = 1;
	t->len = (uint32_t)len;
	if (len)
		memcpy(t->s, p.s, len);
	return t;
}

struct text *text_hold(struct text *t)
{
	t->nr_holders++;
	return t;
}

void text_drop(struct text *t)
{
	if (t && !--t->nr_holders)
		free(t);
}

static size_t entry_bytes(const struct prepared_entry *e)
{
	return sizeof(*e) + 2 * sizeof(struct text) + e->name->len + e->text->len;
}

static struct prepared_entry *find(struct prepared *p, struct piece name, uint32_t hash)
{
	vec_each(&p->entries, e)
		if (e->hash == hash && e->name->len == name.len &&
		    (!name.len || !memcmp(e->name->s, name.s, name.len)))
			return e;
	return NULL;
}

static void forget(struct prepared *p, struct prepared_entry *e)
{
	p->nr_bytes -= entry_bytes(e);
	text_drop(e->name);
	text_drop(e->text);
	*e = *vec_last(&p->entries);
	p->entries.nr--;
}

static void forget_oldest(struct prepared *p)
{
	struct prepared_entry *oldest = p->entries.at;

	vec_each(&p->entries, e)
		if (e->last_used < oldest->last_used)
			oldest = e;
	forget(p, oldest);
}

void prepared_set(struct prepared *p, struct piece name, struct text *text)
{
	uint32_t hash = (uint32_t)hash_bytes(name.s, name.len);
	struct prepared_entry *old = find(p, name, hash), fresh;

	if (old)
		forget(p, old);
	if (!text || name.len > PREPARED_NAME_MAX)
		return;
	fresh = (struct prepared_entry){ text_new(name), text_hold(text), ++p->clock, hash };
	while (p->entries.nr &&
	       (p->entries.nr >= p->max || p->nr_bytes + entry_bytes(&fresh) > p->max_bytes))
		forget_oldest(p);
	p->nr_bytes += entry_bytes(&fresh);
	vec_push(&p->entries, fresh);
}

struct text *prepared_find(struct prepared *p, struct piece name)
{
	struct prepared_entry *e = find(p, name, (uint32_t)hash_bytes(name.s, name.len));

	if (!e)
		return NULL;
	e->last_used = ++p->clock;
	return e->text;
}

void prepared_release(struct prepared *p)
{
	while (p->entries.nr)
		forget(p, vec_last(&p->entries));
	vec_release(&p->entries);
}
