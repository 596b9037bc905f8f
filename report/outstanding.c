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

void outstanding_answered(struct outstanding *o, const struct exchange_listener *l)
{
	struct outstanding_run *run = o->runs.at;
	uint64_t nr = run->first;

	run->first++;
	if (!--run->nr)
		vec_remove(&o->runs, 0, 1);
	o->nr_asked--;
	l->ended(l->self, nr);
}

void outstanding_end(struct outstanding *o, const struct exchange_listener *l)
{
	while (o->nr_asked)
		outstanding_answered(o, l);
}

void outstanding_stop(struct outstanding *o, const struct turns *t, const struct exchange_listener *l)
{
	if (t->is_answering && t->is_answer_lost)
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
	struct turn turn = turns_read(t, p, c, is_answer_partial, l);

	if (turn.is_over) {
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
	outstanding_end(o, l);
	outstanding_end_open(o, l);
}
