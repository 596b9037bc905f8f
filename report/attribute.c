/* SPDX-License-Identifier: Apache-2.0 */
#include "report/attribute.h"

#include "recording/mark.h"
#include "recording/socket_mark.h"

void attribute_init(struct attribute *a, struct session *session,
		    const struct endpoint_options *endpoints,
		    const struct request_listener *listener, uint64_t first_id)
{
	*a = (struct attribute){ 0 };
	open_requests_init(&a->open, listener, first_id);
	mark_requests_init(&a->by_marks, session, endpoints, &a->open);
	socket_requests_init(&a->by_bytes, session, endpoints, &a->open);
}

void attribute_release(struct attribute *a)
{
	socket_requests_release(&a->by_bytes);
	mark_requests_release(&a->by_marks);
	open_requests_release(&a->open);
}

/* Both kinds of mark begin with their magic. */
static bool take_mark(struct attribute *a, const struct record *r)
{
	struct cursor c = cursor_of(r->sample.raw, r->sample.raw_len);

	switch (cursor_u32(&c)) {
	case MARK_MAGIC:
		return mark_requests_mark(&a->by_marks, r);
	case SOCKET_MARK_MAGIC:
		return socket_requests_mark(&a->by_bytes, r);
	default:
		return false;
	}
}

void attribute_record(struct attribute *a, const struct record *r)
{
	a->by_bytes.workers.moved = UINT32_MAX;
	if (r->time)
		socket_requests_time(&a->by_bytes, r->time);
	if (r->type != PERF_RECORD_SAMPLE) {
		mark_requests_record(&a->by_marks, r);
		socket_requests_record(&a->by_bytes, r);
	} else if (r->event && r->event->is_bpf_output) {
		*(take_mark(a, r) ? &a->nr_marks : &a->nr_unreadable_marks) += 1;
	}
}

void attribute_thread_began(struct attribute *a, uint32_t thread, uint32_t parent, uint64_t ns)
{
	socket_requests_thread_began(&a->by_bytes, thread, parent, ns);
}

bool attribute_is_unseen(const struct attribute *a, uint32_t thread)
{
	return thread < a->by_bytes.workers.all.nr && a->by_bytes.workers.all.at[thread].is_unseen;
}

uint32_t attribute_moved(const struct attribute *a)
{
	return a->by_bytes.workers.moved;
}

uint64_t attribute_id(const struct attribute *a, uint32_t thread)
{
	uint32_t slot = mark_requests_of(&a->by_marks, thread);

	if (slot == NO_SLOT)
		slot = socket_requests_of(&a->by_bytes, thread);
	return slot == NO_SLOT ? 0 : a->open.slots.at[slot].request.id;
}

const struct open_request *attribute_calls(struct attribute *a, uint32_t thread)
{
	uint32_t slot = mark_requests_of(&a->by_marks, thread);

	if (slot == NO_SLOT)
		slot = socket_requests_hold_calls(&a->by_bytes, thread);
	return slot == NO_SLOT ? NULL : &a->open.slots.at[slot];
}

const struct open_request *attribute_sample(struct attribute *a, uint32_t thread, uint64_t weight)
{
	uint32_t slot = mark_requests_of(&a->by_marks, thread);
	struct open_request *r;

	if (slot == NO_SLOT)
		slot = socket_requests_hold(&a->by_bytes, thread);
	if (slot == NO_SLOT)
		return NULL;
	r = &a->open.slots.at[slot];
	r->request.nr_samples++;
	r->request.weight += weight;
	return r;
}

void attribute_finish(struct attribute *a)
{
	mark_requests_finish(&a->by_marks);
	socket_requests_finish(&a->by_bytes);
}
