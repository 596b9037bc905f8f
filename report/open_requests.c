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

struct open_request *open_requests_add(struct open_requests *o, const struct open_request *like)
{
	struct open_request *r;
	uint32_t slot;
	int list;

	if (o->free_slots.nr) {
		slot = *vec_last(&o->free_slots);
		o->free_slots.nr--;
	} else {
		slot = (uint32_t)o->slots.nr;
		vec_push(&o->slots, (struct open_request){ 0 });
	}
	r = &o->slots.at[slot];
	*r = *like;
	r->request.id = ++o->nr_requests;
	r->slot = slot;
	r->is_open = true;
	for (list = 0; list < NR_OPEN_LISTS; list++)
		r->in[list].owner = NO_SLOT;
	return r;
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
