/* SPDX-License-Identifier: Apache-2.0 */
#include "report/asides.h"

bool worker_is_right_behind(const struct asides *a, uint64_t ns)
{
	return LONGER * ns < a->first_ns;
}

bool worker_publishes(const struct worker *w, enum aside kind)
{
	const struct aside_ways *ways = &w->aside_ways[kind];

	return ways->nr_published >= WORK_MIN && ways->nr_published > 8 * ways->nr_in_turn;
}

bool worker_takes_turns(const struct worker *w, enum aside kind)
{
	const struct aside_ways *ways = &w->aside_ways[kind];

	return ways->nr_in_turn >= WORK_MIN && ways->nr_in_turn > ways->nr_published;
}

void worker_note_aside(struct workers *ws, struct worker *w, enum aside kind, uint32_t slot, const struct socket_mark *m)
{
	uint64_t ns = worker_ns_since_last(w, m);
	struct asides *a = &w->asides;

	if (!a->is_on) {
		*a = (struct asides){ .is_on = true, .kind = kind, .conn = m->conn, .first_ns = ns };
		a->is_only = kind == ASIDE_PART && worker_nr_unbegun(w) == 1;
		a->is_caught_up = worker_is_caught_up(ws, w, slot);
		return;
	}
	a->is_of_several |= a->conn != m->conn;
	a->conn = m->conn;
	a->nr_next++;
	a->nr_long += !worker_is_right_behind(a, ns);
	if (a->most_ns < ns)
		a->most_ns = ns;
}

bool worker_end_asides(struct worker *w, const struct socket_mark *m, bool is_answer)
{
	struct asides *a = &w->asides;
	struct aside_ways *ways = &w->aside_ways[a->kind];
	/* Of many writes some take long by chance. */
	bool is_in_turn = a->nr_long > a->nr_next / 8, is_published, is_work;

	if (!a->is_on)
		return false;
	if (is_answer)
		is_in_turn |= !worker_is_right_behind(a, worker_ns_since_last(w, m));
	else if (!a->is_of_several)
		is_in_turn |= a->is_caught_up || (a->kind == ASIDE_ANSWER && m->kind == SOCKET_WAIT);
	is_published = is_answer && !is_in_turn;
	a->is_on = false;
	is_work = a->first_ns > NEXT_TO_NOTHING_NS || a->most_ns > NEXT_TO_NOTHING_NS;
	if (is_work && (is_in_turn || (is_published && (a->is_of_several || a->is_only))))
		count_of_late(is_in_turn ? &ways->nr_in_turn : &ways->nr_published, &ways->nr_in_turn, &ways->nr_published,
			      ways->nr_in_turn + ways->nr_published);
	return is_published;
}
