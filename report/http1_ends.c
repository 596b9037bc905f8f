/* SPDX-License-Identifier: Apache-2.0 */
#include "report/http1_ends.h"

#include <assert.h>

enum http1_kind http1_oldest_kind(const struct http1 *h)
{
	return http1_kinds_get(&h->kinds, h->nr_ended + 1);
}

void http1_end_oldest(struct http1 *h, void (*end)(void *self, uint64_t nr), const struct exchange_listener *l)
{
	assert(http1_nr_outstanding(h));
	if ((h->is_unseen || h->nr_late) && !h->has_status && http1_oldest_kind(h) != HTTP1_BARE)
		l->status_unseen(l->self, h->nr_ended + 1);
	h->has_status = false;
	h->status = 0;
	h->nr_ended++;
	if (!h->is_over)
		end(l->self, h->nr_ended);
	h->is_over = false;
	if (!http1_nr_outstanding(h))
		http1_kinds_release(&h->kinds);
}

bool http1_is_end_unsure(const struct http1 *h)
{
	return h->nr_late && h->has_asked_on;
}

void http1_end_lost(struct http1 *h, uint64_t nr, void (*last)(void *self, uint64_t nr),
		    const struct exchange_listener *l)
{
	while (h->nr_ended < nr)
		http1_end_oldest(h, http1_is_end_unsure(h) || (h->has_gone_on && h->nr_ended + 1 < nr) ? l->end_unseen : last, l);
	h->is_unseen = h->has_gone_on = false;
	h->out.at = AT_START;
}

void http1_end_rest(struct http1 *h, const struct exchange_listener *l)
{
	http1_end_oldest(h, http1_is_end_unsure(h) ? l->end_unseen : l->ended_before, l);
	h->out.at = AT_START;
	/* Their answers may be in what was taken for its. */
	while (h->nr_ended < h->nr_before_rest) {
		h->has_asked_on = true;
		h->nr_late++;
		http1_end_oldest(h, l->end_unseen, l);
	}
}

void http1_turn_lost(struct http1 *h, uint64_t nr, const struct exchange_listener *l)
{
	uint64_t nr_others = nr - h->nr_ended - 1;

	http1_end_lost(h, nr, l->over, l);
	h->nr_late += nr_others;
	h->may_be_rest = true;
	h->has_written = false;
}

void http1_give_up(struct http1 *h, const struct exchange_listener *l)
{
	h->has_asked_on = true;
	while (http1_nr_outstanding(h) > h->is_reading) {
		h->nr_late++;
		http1_end_oldest(h, l->end_unseen, l);
	}
	h->is_rest = false;
}

void http1_set_opaque(struct http1 *h)
{
	h->in.at = h->out.at = AT_OPAQUE;
	h->is_reading = false;
}
