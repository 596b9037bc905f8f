/* SPDX-License-Identifier: Apache-2.0 */
#include "report/attribute.h"

#include "recording/mark.h"

/* The family of all calls: no marker's id, since those have 32 bits and the key has room for 33. */
#define CALLS_FAMILY (1ULL << 32)

void attribute_init(struct attribute *a, struct session *session,
		    const struct endpoint_options *endpoints,
		    const struct request_listener *listener, uint64_t first_id)
{
	*a = (struct attribute){ .session = session,
				 .endpoints = endpoints,
				 .listener = *listener,
				 .nr_requests = first_id };
}

void attribute_release(struct attribute *a)
{
	size_t i;

	vec_release(&a->slots);
	vec_release(&a->free_slots);
	for (i = 0; i < NR_OPEN_LISTS; i++)
		vec_release(&a->newest[i]);
	u64map_release(&a->families);
	hashidx_release(&a->by_id);
	str_release(&a->text);
}

/* ---- lists of open requests ---- */

static uint32_t newest_of(const struct attribute *a, enum open_list list, uint32_t owner)
{
	return owner < a->newest[list].nr ? a->newest[list].at[owner] : NO_SLOT;
}

static void link_in(struct attribute *a, struct open_request *r, enum open_list list,
		    uint32_t owner)
{
	while (a->newest[list].nr <= owner)
		vec_push(&a->newest[list], NO_SLOT);
	r->in[list].owner = owner;
	r->in[list].newer = NO_SLOT;
	r->in[list].older = a->newest[list].at[owner];
	if (r->in[list].older != NO_SLOT)
		a->slots.at[r->in[list].older].in[list].newer = r->slot;
	a->newest[list].at[owner] = r->slot;
}

static void unlink_from(struct attribute *a, struct open_request *r, enum open_list list)
{
	uint32_t owner = r->in[list].owner, older = r->in[list].older, newer = r->in[list].newer;

	if (owner == NO_SLOT)
		return;
	if (older != NO_SLOT)
		a->slots.at[older].in[list].newer = newer;
	if (newer != NO_SLOT)
		a->slots.at[newer].in[list].older = older;
	else
		a->newest[list].at[owner] = older;
	r->in[list].owner = NO_SLOT;
}

static uint64_t family_key(uint32_t thread, uint32_t marker, bool is_call)
{
	return (uint64_t)thread << 33 | (is_call ? CALLS_FAMILY : marker);
}

static uint32_t family_add(struct attribute *a, const struct open_request *r)
{
	uint64_t key = family_key(r->thread, r->marker, r->is_call);
	const uint32_t *known = u64map_get(&a->families, key);

	if (known)
		return *known;
	u64map_set(&a->families, key, (uint32_t)a->families.pairs.nr);
	return (uint32_t)a->families.pairs.nr - 1;
}

static uint32_t newest_in_family(const struct attribute *a, uint32_t thread, uint32_t marker,
				 bool is_call)
{
	const uint32_t *family = u64map_get(&a->families, family_key(thread, marker, is_call));

	return family ? newest_of(a, OPEN_IN_FAMILY, *family) : NO_SLOT;
}

/* ---- requests with an id ---- */

static uint64_t id_hash(uint32_t process, uint32_t marker, uint64_t id)
{
	return hash_mix(hash_mix(process, marker), id);
}

static uint32_t find_by_id(const struct attribute *a, uint32_t process, uint32_t marker,
			   uint64_t id)
{
	hashidx_each(&a->by_id, id_hash(process, marker, id), slot) {
		const struct open_request *r = &a->slots.at[slot];

		if (r->is_open && r->has_id && r->process == process && r->marker == marker &&
		    r->mark_id == id)
			return slot;
	}
	return NO_SLOT;
}

/*
 * The index cannot forget, so closed requests stay in it until they are most of it; then it is made
 * anew. That is O(1) a request, and keeps the index as small as what is open.
 */
static void index_by_id(struct attribute *a, const struct open_request *added)
{
	a->nr_open_with_id++;
	hashidx_add(&a->by_id, id_hash(added->process, added->marker, added->mark_id), added->slot);
	if (a->by_id.nr < 1024 || a->by_id.nr < 4 * a->nr_open_with_id)
		return;
	hashidx_release(&a->by_id);
	vec_each(&a->slots, r)
		if (r->is_open && r->has_id)
			hashidx_add(&a->by_id, id_hash(r->process, r->marker, r->mark_id), r->slot);
}

/* ---- begin and end ---- */

static struct open_request *open_slot(struct attribute *a)
{
	uint32_t slot;

	if (a->free_slots.nr) {
		slot = *vec_last(&a->free_slots);
		a->free_slots.nr--;
	} else {
		slot = (uint32_t)a->slots.nr;
		vec_push(&a->slots, (struct open_request){ 0 });
	}
	a->slots.at[slot] = (struct open_request){ .slot = slot, .is_open = true };
	return &a->slots.at[slot];
}

/* end_ns 0: it is closed without having ended. */
static void close_request(struct attribute *a, uint32_t slot, uint64_t end_ns)
{
	struct open_request *r = &a->slots.at[slot];
	int list;

	for (list = 0; list < NR_OPEN_LISTS; list++)
		unlink_from(a, r, (enum open_list)list);
	r->is_open = false;
	r->request.end_ns = end_ns;
	r->request.is_unfinished = !end_ns;
	a->nr_unfinished += r->request.is_unfinished;
	a->nr_open_with_id -= r->has_id;
	a->listener.ended(a->listener.self, r);
	vec_push(&a->free_slots, slot);
}

/* Reads the label into the request's paths, or gives it the marker's name. */
static void name_request(struct attribute *a, const struct marker *marker, const uint8_t *label,
			 size_t len, struct request *r)
{
	struct strings *strings = a->session->strings;

	if (!len) {
		r->raw_path = marker ? marker->name : strings_id(strings, "(unnamed)");
		r->path = r->raw_path;
		return;
	}
	r->raw_path = strings_id_n(strings, (const char *)label, len);
	str_clear(&a->text);
	endpoint_add(&a->text, a->endpoints, label, len);
	r->path = strings_id_n(strings, str_cstr(&a->text), a->text.len);
}

/* What a new call shows to have returned. */
static void close_calls_at_or_below(struct attribute *a, uint32_t thread, uint64_t sp)
{
	uint32_t slot;

	while ((slot = newest_in_family(a, thread, 0, true)) != NO_SLOT &&
	       a->slots.at[slot].sp <= sp)
		close_request(a, slot, 0);
}

static void begin(struct attribute *a, const struct record *rec, const struct mark_head *mark,
		  const uint8_t *label)
{
	const struct marker *marker = session_marker(a->session, mark->marker);
	uint32_t thread = session_thread(a->session, rec->pid, rec->tid);
	uint32_t process = a->session->threads.at[thread].process, twin;
	bool has_id = mark->flags & MARK_HAS_ID;
	bool is_call = !has_id && marker && marker->flags & MARKER_IS_CALL;
	struct open_request *r;

	if (is_call)
		close_calls_at_or_below(a, thread, mark->sp);
	twin = has_id ? find_by_id(a, process, mark->marker, mark->id) : NO_SLOT;
	if (twin != NO_SLOT)
		close_request(a, twin, 0);
	r = open_slot(a);
	r->marker = mark->marker;
	r->thread = thread;
	r->process = process;
	r->has_id = has_id;
	r->is_call = is_call;
	r->mark_id = mark->id;
	r->sp = mark->sp;
	r->request = (struct request){ .id = ++a->nr_requests,
				       .begin_pid = rec->pid,
				       .begin_tid = rec->tid,
				       .begin_ns = rec->time };
	name_request(a, marker, label, mark->label_len, &r->request);
	link_in(a, r, OPEN_ON_THREAD, thread);
	link_in(a, r, OPEN_IN_PROCESS, process);
	link_in(a, r, OPEN_IN_FAMILY, family_add(a, r));
	if (has_id)
		index_by_id(a, r);
}

/* The time of an END is the end, but 0 says that there was none. */
static uint64_t end_time(const struct record *rec)
{
	return rec->time ? rec->time : 1;
}

/* A call returned and left the stack pointer at sp. True: one of its marker's was open. */
static bool end_call(struct attribute *a, uint32_t thread, const struct mark_head *mark,
		     const struct record *rec)
{
	uint32_t slot = newest_in_family(a, thread, 0, true), older;
	bool is_own;

	for (; slot != NO_SLOT && a->slots.at[slot].sp < mark->sp; slot = older) {
		older = a->slots.at[slot].in[OPEN_IN_FAMILY].older;
		is_own = a->slots.at[slot].marker == mark->marker &&
			 (older == NO_SLOT || a->slots.at[older].sp >= mark->sp);
		close_request(a, slot, is_own ? end_time(rec) : 0);
		if (is_own)
			return true;
	}
	return false;
}

static void end(struct attribute *a, const struct record *rec, const struct mark_head *mark)
{
	const struct marker *marker = session_marker(a->session, mark->marker);
	uint32_t thread = session_thread(a->session, rec->pid, rec->tid), slot;

	if (mark->flags & MARK_HAS_ID) {
		slot = find_by_id(a, a->session->threads.at[thread].process, mark->marker,
				  mark->id);
	} else if (marker && marker->flags & MARKER_IS_CALL) {
		a->nr_unmatched_ends += !end_call(a, thread, mark, rec);
		return;
	} else {
		slot = newest_in_family(a, thread, mark->marker, false);
	}
	if (slot == NO_SLOT)
		a->nr_unmatched_ends++;
	else
		close_request(a, slot, end_time(rec));
}

static void take_mark(struct attribute *a, const struct record *r)
{
	struct cursor c = cursor_of(r->sample.raw, r->sample.raw_len);
	struct mark_head mark;
	const uint8_t *label;

	cursor_copy(&c, &mark, sizeof(mark));
	if (!(mark.flags & MARK_HAS_LABEL))
		mark.label_len = 0;
	label = cursor_take(&c, mark.label_len);
	if (c.failed || mark.magic != MARK_MAGIC) {
		a->nr_unreadable_marks++;
		return;
	}
	a->nr_marks++;
	if (mark.kind == MARK_BEGIN) {
		a->nr_label_faults += !!(mark.flags & MARK_LABEL_FAULT);
		a->nr_labels_cut += !!(mark.flags & MARK_LABEL_CUT);
		begin(a, r, &mark, label);
	} else if (mark.kind == MARK_END) {
		end(a, r, &mark);
	} else {
		a->nr_unreadable_marks++;
	}
}

/* ---- ends of threads and programs ---- */

static void thread_ended(struct attribute *a, uint32_t thread)
{
	uint32_t slot, older;

	for (slot = newest_of(a, OPEN_ON_THREAD, thread); slot != NO_SLOT; slot = older) {
		struct open_request *r = &a->slots.at[slot];

		older = r->in[OPEN_ON_THREAD].older;
		if (r->has_id)
			unlink_from(a, r, OPEN_ON_THREAD);
		else
			close_request(a, slot, 0);
	}
}

static void program_ended(struct attribute *a, uint32_t process)
{
	uint32_t slot;

	while ((slot = newest_of(a, OPEN_IN_PROCESS, process)) != NO_SLOT)
		close_request(a, slot, 0);
}

void attribute_record(struct attribute *a, const struct record *r)
{
	uint32_t thread = UINT32_MAX;

	switch (r->type) {
	case PERF_RECORD_SAMPLE:
		if (r->event && r->event->is_bpf_output)
			take_mark(a, r);
		break;
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		thread = session_find_thread(a->session, r->pid, r->tid);
		break;
	}
	if (thread == UINT32_MAX)
		return;
	/* A fork under known ids: they are used again, and the EXIT between was lost. */
	if (r->type != PERF_RECORD_COMM)
		thread_ended(a, thread);
	else if (r->comm.is_exec)
		program_ended(a, a->session->threads.at[thread].process);
}

const struct open_request *attribute_sample(struct attribute *a, uint32_t thread, uint64_t weight)
{
	uint32_t slot = newest_of(a, OPEN_ON_THREAD, thread);

	if (slot == NO_SLOT)
		return NULL;
	a->slots.at[slot].request.nr_samples++;
	a->slots.at[slot].request.weight += weight;
	return &a->slots.at[slot];
}

static int by_id(const void *a, const void *b)
{
	const struct open_request *x = a, *y = b;

	return (x->request.id > y->request.id) - (x->request.id < y->request.id);
}

void attribute_finish(struct attribute *a)
{
	VEC(struct open_request) open = { 0 };

	vec_each(&a->slots, r)
		if (r->is_open)
			vec_push(&open, *r);
	if (open.nr)
		qsort(open.at, open.nr, sizeof(*open.at), by_id);
	vec_each(&open, r)
		close_request(a, r->slot, 0);
	vec_release(&open);
}
