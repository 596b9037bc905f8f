/* SPDX-License-Identifier: Apache-2.0 */
#include "report/habits.h"

static struct habit *habit_of(struct workers *ws, uint32_t path)
{
	struct habit *h = &ws->habits[path % NR_HABITS];

	/* Of a path that is new it may be. */
	if (h->path != path)
		*h = (struct habit){ .path = path, .rate = 0.75 };
	return h;
}

bool habits_are_handed(struct workers *ws, const struct open_request *r)
{
	return habit_of(ws, r->request.path)->rate >= 0.5;
}

void habits_note_handed(struct workers *ws, const struct open_request *r)
{
	habit_of(ws, r->request.path)->is_seen = true;
}

bool habits_may_be_handed(struct workers *ws, const struct open_request *r)
{
	const struct habit *h = habit_of(ws, r->request.path);

	return h->is_seen || h->rate >= 0.5;
}

bool habits_are_handed_once(struct workers *ws, const struct open_request *r)
{
	double rate = habit_of(ws, r->request.path)->rate;

	return rate >= 0.7 && rate <= 1.5;
}

enum { RATE_MAX = 8 };

static void correct(struct habit *h, double by)
{
	h->rate += by;
	if (h->rate < 0)
		h->rate = 0;
	if (h->rate > RATE_MAX)
		h->rate = RATE_MAX;
}

void habits_learn(struct workers *ws, struct worker *w)
{
	double error = w->nr_hands;

	vec_each(&w->read_paths, path)
		error -= habit_of(ws, *path)->rate;
	if (w->has_woken && w->read_paths.nr < UNHANDED_MAX)
		vec_each(&w->read_paths, path)
			correct(habit_of(ws, *path), error / 4 / (double)w->read_paths.nr);
	w->read_paths.nr = w->nr_hands = 0;
}
