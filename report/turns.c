/* SPDX-License-Identifier: Apache-2.0 */
#include "report/turns.h"

static bool recognizes(const struct protocol *p, const struct chunk *c)
{
	return c->len && p->recognize(c->bytes, c->len) != RECOGNIZED_NOT;
}

static void skip(struct turns *t, uint64_t nr, const struct exchange_listener *l)
{
	if (t->is_in_request)
		t->unseen_bytes += nr;
	else
		l->skipped(l->self, nr);
}

struct turn turns_read(struct turns *t, const struct protocol *p, const struct chunk *c,
		       bool is_answer_partial, const struct exchange_listener *l)
{
	bool is_next =
		!t->has_read || (t->is_answering && (t->is_answer_lost || !is_answer_partial));
	struct turn r = { .was_placed = t->is_placed };

	r.is_over = t->has_read && is_next && (!t->is_placed || t->is_answer_lost);
	t->has_read = true;
	if (is_next) {
		t->is_answering = false;
		t->may_be_rest = t->is_answer_lost;
		t->is_answer_lost = t->has_gone_on = false;
		t->is_placed = t->is_placed || recognizes(p, c);
	}
	if (is_next && t->is_placed) {
		t->is_in_request = false;
		t->unseen_bytes = 0;
	}
	r.is_taken = t->is_placed;
	if (!r.is_taken && c->total > c->len)
		skip(t, c->total - c->len, l);
	return r;
}

void turns_renew(struct turns *t)
{
	t->is_answering = true;
}

bool turns_write(struct turns *t)
{
	t->is_answering = true;
	t->has_gone_on = t->is_answer_lost;
	return !t->is_answer_lost;
}

bool turns_close(const struct turns *t)
{
	return t->is_answering && (t->is_answer_lost || (t->has_read && !t->is_placed));
}

void turns_lose_place(struct turns *t, uint64_t nr_unknown, const struct exchange_listener *l)
{
	t->is_placed = false;
	if (nr_unknown)
		l->skipped(l->self, nr_unknown);
}

void turns_lose_head(struct turns *t, bool is_in_request, uint64_t nr_unknown, const struct exchange_listener *l)
{
	if (!is_in_request) {
		turns_lose_place(t, nr_unknown, l);
		return;
	}
	t->is_placed = false;
	t->is_in_request = true;
	t->unseen_bytes += nr_unknown;
}

void turns_unasked(struct turns *t, const struct exchange_listener *l)
{
	if (t->unseen_bytes)
		l->skipped(l->self, t->unseen_bytes);
	t->unseen_bytes = 0;
	if (t->may_be_rest) {
		l->not_over(l->self);
		turns_lose_answer(t);
	}
}

void turns_foreign(struct turns *t, const struct exchange_listener *l)
{
	if (t->may_be_rest)
		l->not_over(l->self);
	else
		l->foreign(l->self);
}

void turns_lose_answer(struct turns *t)
{
	t->is_answer_lost = true;
}
