/* SPDX-License-Identifier: Apache-2.0 */
#include "report/outstanding.h"

void outstanding_begin(struct outstanding *o, const struct exchange_listener *l)
{
	o->open = ++o->nr_begun;
	l->began(l->self, o->open);
}

bool outstanding_asked(struct outstanding *o, uint32_t kind)
{
	struct outstanding_run *last = o->runs.nr ? vec_last(&o->runs) : NULL;

	if (o->nr_asked == OUTSTANDING_MAX)
		return false;
	if (last && last->kind == kind && last->first + last->nr == o->open) {
		last->nr++;
	} else {
		if (o->runs.nr == OUTSTANDING_RUNS_MAX)
			return false;
		vec_push(&o->runs, (struct outstanding_run){ o->open, 1, kind });
	}
	o->nr_asked++;
	o->open = 0;
	return true;
}

void outstanding_end_open(struct outstanding *o, const struct exchange_listener *l)
{
	uint64_t nr = o->open;

	o->open = 0;
	if (nr)
		l->ended(l->self, nr);
}

bool outstanding_first(const struct outstanding *o, uint32_t *ret_kind)
{
	if (!o->nr_asked)
		return false;
	*ret_kind = o->runs.at[0].kind;
	return true;
}

static uint64_t take_first(struct outstanding *o)
{
	struct outstanding_run *run = o->runs.at;
	uint64_t nr = run->first;

	run->first++;
	if (!--run->nr)
		vec_remove(&o->runs, 0, 1);
	o->nr_asked--;
	return nr;
}

void outstanding_answered(struct outstanding *o, const struct exchange_listener *l)
{
	l->ended(l->self, take_first(o));
}

void outstanding_end(struct outstanding *o, const struct exchange_listener *l)
{
	while (o->nr_asked)
		outstanding_answered(o, l);
}

/* Where more was written behind what was lost, only the last one's end is known: with the last byte. */
static void leave_unseen(struct outstanding *o, bool has_gone_on, const struct exchange_listener *l)
{
	while (has_gone_on && o->nr_asked > 1)
		l->end_unseen(l->self, take_first(o));
}

static void end_over(struct outstanding *o, const struct exchange_listener *l)
{
	while (o->nr_asked)
		l->over(l->self, take_first(o));
}

void outstanding_stop(struct outstanding *o, const struct turns *t, const struct exchange_listener *l)
{
	if (!t->is_answering || !t->is_answer_lost)
		return;
	leave_unseen(o, t->has_gone_on, l);
	outstanding_end(o, l);
}

void outstanding_release(struct outstanding *o)
{
	vec_release(&o->runs);
}

bool outstanding_read(struct outstanding *o, struct turns *t, const struct protocol *p,
		      const struct chunk *c, bool is_answer_partial,
		      const struct exchange_listener *l)
{
	bool was_lost = t->is_answer_lost, has_gone_on = t->has_gone_on;
	struct turn turn = turns_read(t, p, c, is_answer_partial, l);

	if (turn.is_over) {
		leave_unseen(o, has_gone_on, l);
		if (was_lost)
			end_over(o, l);
		outstanding_end(o, l);
		if (!turn.was_placed)
			outstanding_end_open(o, l);
	}
	return turn.is_taken;
}

void outstanding_close(struct outstanding *o, const struct turns *t,
		       const struct exchange_listener *l)
{
	if (!turns_close(t))
		return;
	leave_unseen(o, t->has_gone_on, l);
	outstanding_end(o, l);
	outstanding_end_open(o, l);
}
