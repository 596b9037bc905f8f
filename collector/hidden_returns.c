/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/hidden_returns.h"

#include <stddef.h>

static struct hidden_thread *find_thread(const struct hidden_returns *h, uint32_t tid)
{
	uint32_t place = placemap_find(&h->of_tid, tid);

	return place != NO_PLACE ? &h->threads.at[place] : NULL;
}

/* Made where it is not known. It moves with the next one that is made. */
static struct hidden_thread *thread_of(struct hidden_returns *h, uint32_t tid)
{
	struct hidden_thread *known = find_thread(h, tid);
	uint32_t place;

	if (known)
		return known;
	place = placemap_add(&h->of_tid, tid);
	if (place == h->threads.nr)
		vec_push(&h->threads, (struct hidden_thread){ 0 });
	h->threads.at[place].all.nr = 0;
	return &h->threads.at[place];
}

void hidden_returns_leave_below(struct hidden_returns *h, uint32_t tid, uint64_t slot)
{
	struct hidden_thread *t = find_thread(h, tid);

	while (t && t->all.nr && vec_last(&t->all)->slot < slot)
		t->all.nr--;
}

void hidden_returns_add(struct hidden_returns *h, uint32_t tid, uint64_t slot, uint64_t addr)
{
	struct hidden_thread *t = thread_of(h, tid);

	if (t->all.nr && vec_last(&t->all)->slot == slot)
		t->all.nr--;
	vec_push(&t->all, (struct hidden_return){ slot, addr });
}

const struct hidden_return *hidden_returns_at(const struct hidden_returns *h, uint32_t tid, uint64_t slot)
{
	const struct hidden_thread *t = find_thread(h, tid);
	size_t i;

	for (i = t ? t->all.nr : 0; i > 0; i--)
		if (t->all.at[i - 1].slot == slot)
			return &t->all.at[i - 1];
	return NULL;
}

const struct hidden_return *hidden_returns_innermost(const struct hidden_returns *h, uint32_t tid, uint64_t sp)
{
	const struct hidden_thread *t = find_thread(h, tid);
	size_t i;

	for (i = t ? t->all.nr : 0; i > 0; i--)
		if (t->all.at[i - 1].slot + 8 >= sp)
			return &t->all.at[i - 1];
	return NULL;
}

void hidden_returns_copy(struct hidden_returns *h, uint32_t from, uint32_t to)
{
	struct hidden_thread *parent = find_thread(h, from), *child;

	if (!parent || !parent->all.nr)
		return;
	child = thread_of(h, to);
	parent = find_thread(h, from);
	vec_each(&parent->all, r)
		vec_push(&child->all, *r);
}

void hidden_returns_forget(struct hidden_returns *h, uint32_t tid)
{
	if (find_thread(h, tid))
		placemap_remove(&h->of_tid, tid);
}

void hidden_returns_release(struct hidden_returns *h)
{
	vec_each(&h->threads, t)
		vec_release(&t->all);
	vec_release(&h->threads);
	placemap_release(&h->of_tid);
}
