/* SPDX-License-Identifier: Apache-2.0 */
#include "report/open_requests.h"

void open_requests_init(struct open_requests *o, const struct request_listener *listener,
			uint64_t first_id)
{
	*o = (struct open_requests){ .listener = *listener, .nr_requests = first_id };
}

void open_requests_release(struct open_requests *o)
{
	vec_release(&o->slots);
	vec_release(&o->free_slots);
}

static struct open_request *take_slot(struct open_requests *o, const struct open_request *like)
{
	struct open_request *r;
	uint32_t slot;

	if (o->free_slots.nr) {
		slot = *vec_last(&o->free_slots);
		o->free_slots.nr--;
	} else {
		slot = (uint32_t)o->slots.nr;
		vec_push(&o->slots, (struct open_request){ 0 });
	}
	r = &o->slots.at[slot];
	*r = *like;
	r->slot = slot;
	return r;
}

struct open_request *open_requests_add(struct open_requests *o, const struct open_request *like)
{
	struct open_request *r = take_slot(o, like);
	int list;

	r->request.id = ++o->nr_requests;
	r->is_open = true;
	for (list = 0; list < NR_OPEN_LISTS; list++)
		r->in[list].owner = NO_SLOT;
	return r;
}

uint32_t open_requests_hold(struct open_requests *o, uint32_t thread)
{
	return take_slot(o, &(struct open_request){ .is_held = true, .thread = thread })->slot;
}

void open_requests_give(struct open_requests *o, uint32_t held, uint32_t to)
{
	struct request *from = &o->slots.at[held].request;
	struct open_request *taker = to == NO_SLOT ? NULL : &o->slots.at[to];

	if (taker) {
		taker->request.nr_samples += from->nr_samples;
		taker->request.weight += from->weight;
		open_request_doubt(taker, o->slots.at[held].call_doubt);
	}
	o->listener.given(o->listener.self, &o->slots.at[held], taker);
	from->nr_samples = from->weight = 0;
}

void open_requests_drop(struct open_requests *o, uint32_t held)
{
	o->slots.at[held].is_held = false;
	vec_push(&o->free_slots, held);
}

void open_requests_withdraw(struct open_requests *o, uint32_t slot)
{
	o->slots.at[slot].is_open = false;
	o->slots.at[slot].is_held = true;
	open_requests_give(o, slot, NO_SLOT);
	open_requests_drop(o, slot);
	o->nr_withdrawn++;
}

void open_requests_close(struct open_requests *o, uint32_t slot, uint64_t end_ns)
{
	struct open_request *r = &o->slots.at[slot];

	r->is_open = false;
	r->request.end_ns = end_ns;
	r->request.is_unfinished = !end_ns;
	o->nr_unfinished += r->request.is_unfinished;
	o->listener.ended(o->listener.self, r);
	vec_push(&o->free_slots, slot);
}
