/* SPDX-License-Identifier: Apache-2.0 */
#include "report/attribute.h"

#include "recording/mark.h"

/* The family of all calls: no marker's id, since those have 32 bits and the key has room for 33. */
#define CALLS_FAMILY (1ULL << 32)

enum {
	/* What a call leaves behind on the stack, which its return takes away (x86-64). */
	RETURN_ADDRESS_BYTES = 8,
	/* Frames further apart than a stack is large by default (RLIMIT_STACK) are on two stacks. */
	STACK_MAX_BYTES = 8 << 20,
	/*
	 * Requests of one marker and thread that may be over, all in doubt at once. Of ends that go
	 * missing one by one there is no bound, and nesting as deep was shown long before.
	 */
	MAX_IN_DOUBT = 64,
};

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
	u64map_release(&a->family_of);
	vec_release(&a->families);
	hashidx_release(&a->by_key);
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

static uint32_t family_add(struct attribute *a, uint32_t thread, uint32_t marker, bool is_call)
{
	uint64_t key = family_key(thread, marker, is_call);
	const uint32_t *known = u64map_get(&a->family_of, key);

	if (known)
		return *known;
	u64map_set(&a->family_of, key, (uint32_t)a->families.nr);
	vec_push(&a->families, (struct family){ 0 });
	return (uint32_t)a->families.nr - 1;
}

static bool is_in_doubt(const struct open_request *r)
{
	return r->in[OPEN_IN_DOUBT].owner != NO_SLOT;
}

/* It may be over: samples are no longer its own, but its END still is. */
static void put_in_doubt(struct attribute *a, struct open_request *r)
{
	unlink_from(a, r, OPEN_ON_THREAD);
	unlink_from(a, r, OPEN_IN_FAMILY);
	link_in(a, r, OPEN_IN_DOUBT, r->thread);
	a->families.at[r->family].nr_in_doubt++;
}

/* ---- requests with a key: an id, or the stack pointer that a call began with ---- */

static bool has_key(const struct open_request *r)
{
	return r->has_id || r->is_call;
}

static uint64_t key_hash(const struct open_request *r)
{
	uint64_t seed = hash_mix(r->is_call ? r->thread : r->process, r->marker);

	return hash_mix(seed, r->is_call ? r->sp : r->mark_id);
}

static bool same_key(const struct open_request *x, const struct open_request *y)
{
	if (x->marker != y->marker || x->is_call != y->is_call || x->has_id != y->has_id)
		return false;
	return x->is_call ? x->thread == y->thread && x->sp == y->sp :
			    x->process == y->process && x->mark_id == y->mark_id;
}

/* The open one of the same key, or NO_SLOT. */
static uint32_t find_by_key(const struct attribute *a, const struct open_request *like)
{
	if (!has_key(like))
		return NO_SLOT;
	hashidx_each(&a->by_key, key_hash(like), slot)
		if (a->slots.at[slot].is_open && same_key(&a->slots.at[slot], like))
			return slot;
	return NO_SLOT;
}

static void add_key(struct attribute *a, const struct open_request *r)
{
	uint64_t hash = key_hash(r);

	/* The same key mostly has the same slot again. */
	hashidx_each(&a->by_key, hash, slot)
		if (slot == r->slot)
			return;
	hashidx_add(&a->by_key, hash, r->slot);
}

/*
 * The index cannot forget, so closed requests stay in it until they are most of it; then it is made
 * anew. That is O(1) a request, and keeps the index as small as what is open.
 */
static void index_by_key(struct attribute *a, const struct open_request *added)
{
	a->nr_open_with_key++;
	add_key(a, added);
	if (a->by_key.nr < 1024 || a->by_key.nr < 4 * a->nr_open_with_key)
		return;
	hashidx_release(&a->by_key);
	vec_each(&a->slots, r)
		if (r->is_open && has_key(r))
			add_key(a, r);
}

/* ---- begin and end ---- */

/* As `like`, in no list yet. */
static struct open_request *open_slot(struct attribute *a, const struct open_request *like)
{
	struct open_request *r;
	uint32_t slot;
	int list;

	if (a->free_slots.nr) {
		slot = *vec_last(&a->free_slots);
		a->free_slots.nr--;
	} else {
		slot = (uint32_t)a->slots.nr;
		vec_push(&a->slots, (struct open_request){ 0 });
	}
	r = &a->slots.at[slot];
	*r = *like;
	r->slot = slot;
	r->is_open = true;
	for (list = 0; list < NR_OPEN_LISTS; list++)
		r->in[list].owner = NO_SLOT;
	return r;
}

/* end_ns 0: it is closed without having ended. */
static void close_request(struct attribute *a, uint32_t slot, uint64_t end_ns)
{
	struct open_request *r = &a->slots.at[slot];
	int list;

	a->families.at[r->family].nr_in_doubt -= is_in_doubt(r);
	for (list = 0; list < NR_OPEN_LISTS; list++)
		unlink_from(a, r, (enum open_list)list);
	r->is_open = false;
	r->request.end_ns = end_ns;
	r->request.is_unfinished = !end_ns;
	a->nr_unfinished += r->request.is_unfinished;
	a->nr_open_with_key -= has_key(r);
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

/* Does a frame at sp show that the one that r began in is gone? Stacks grow down. */
static bool is_left_at(const struct attribute *a, const struct open_request *r, uint64_t sp)
{
	bool may_share = !r->is_call && a->families.at[r->family].nests_in_a_frame;

	return sp && r->sp && sp - r->sp <= STACK_MAX_BYTES && !(may_share && sp == r->sp);
}

static void doubt_what_is_left(struct attribute *a, uint32_t family, uint64_t sp)
{
	uint32_t slot;

	while ((slot = newest_of(a, OPEN_IN_FAMILY, family)) != NO_SLOT &&
	       is_left_at(a, &a->slots.at[slot], sp)) {
		struct open_request *r = &a->slots.at[slot];

		if (r->is_call || a->families.at[family].nr_in_doubt < MAX_IN_DOUBT)
			put_in_doubt(a, r);
		else
			close_request(a, slot, 0);
	}
}

/* What a mark says of the request that it begins or ends. */
static struct open_request request_of_mark(struct attribute *a, const struct record *rec,
					   const struct mark_head *mark)
{
	const struct marker *marker = session_marker(a->session, mark->marker);
	struct open_request r = { .marker = mark->marker, .mark_id = mark->id, .sp = mark->sp };

	r.has_id = mark->flags & MARK_HAS_ID;
	r.is_call = !r.has_id && marker && marker->flags & MARKER_IS_CALL;
	r.thread = session_thread(a->session, rec->pid, rec->tid);
	r.process = a->session->threads.at[r.thread].process;
	r.family = family_add(a, r.thread, r.marker, r.is_call);
	return r;
}

static void begin(struct attribute *a, const struct record *rec, const struct mark_head *mark,
		  const uint8_t *label)
{
	struct open_request like = request_of_mark(a, rec, mark), *r;
	uint32_t twin = find_by_key(a, &like);

	if (twin != NO_SLOT)
		close_request(a, twin, 0);
	if (!like.has_id)
		doubt_what_is_left(a, like.family, like.sp);
	r = open_slot(a, &like);
	r->request = (struct request){ .id = ++a->nr_requests,
				       .begin_pid = rec->pid,
				       .begin_tid = rec->tid,
				       .begin_ns = rec->time };
	name_request(a, session_marker(a->session, mark->marker), label, mark->label_len,
		     &r->request);
	link_in(a, r, OPEN_ON_THREAD, r->thread);
	link_in(a, r, OPEN_IN_PROCESS, r->process);
	if (!r->has_id)
		link_in(a, r, OPEN_IN_FAMILY, r->family);
	if (has_key(r))
		index_by_key(a, r);
}

/* The time of an END is the end, but 0 says that there was none. */
static uint64_t end_time(const struct record *rec)
{
	return rec->time ? rec->time : 1;
}

/*
 * Of those in doubt that began in the very frame that the END stands in, the last to begin, if that was
 * after `newest`; or NO_SLOT. The list has them in the order in which they came into doubt.
 */
static uint32_t find_in_doubt(const struct attribute *a, const struct open_request *like,
			      uint32_t newest)
{
	uint64_t after = newest == NO_SLOT ? 0 : a->slots.at[newest].request.id;
	uint32_t slot = NO_SLOT, last = NO_SLOT;

	if (a->families.at[like->family].nr_in_doubt)
		slot = newest_of(a, OPEN_IN_DOUBT, like->thread);
	for (; slot != NO_SLOT; slot = a->slots.at[slot].in[OPEN_IN_DOUBT].older) {
		const struct open_request *r = &a->slots.at[slot];

		if (r->family != like->family || like->sp - r->sp > RETURN_ADDRESS_BYTES ||
		    r->request.id <= after)
			continue;
		after = r->request.id;
		last = slot;
	}
	return last;
}

/* The request that an END without a key takes. */
static uint32_t find_in_family(struct attribute *a, const struct open_request *like)
{
	uint32_t newest = newest_of(a, OPEN_IN_FAMILY, like->family);
	uint32_t in_doubt = find_in_doubt(a, like, newest);

	if (in_doubt == NO_SLOT)
		return newest;
	a->families.at[like->family].nests_in_a_frame = true;
	return in_doubt;
}

static void end(struct attribute *a, const struct record *rec, const struct mark_head *mark)
{
	struct open_request like = request_of_mark(a, rec, mark);
	uint32_t slot;

	if (like.is_call)
		like.sp -= RETURN_ADDRESS_BYTES;
	slot = has_key(&like) ? find_by_key(a, &like) : find_in_family(a, &like);
	if (slot == NO_SLOT)
		a->nr_unmatched_ends++;
	else
		close_request(a, slot, end_time(rec));
	if (like.is_call)
		doubt_what_is_left(a, like.family, like.sp);
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

/* ---- other ends ---- */

static int by_id(const void *a, const void *b)
{
	const struct open_request *x = a, *y = b;

	return (x->request.id > y->request.id) - (x->request.id < y->request.id);
}

/* In the order of begin. */
static void close_all(struct attribute *a, bool with_ids)
{
	VEC(struct open_request) open = { 0 };

	vec_each(&a->slots, r)
		if (r->is_open && (with_ids || !r->has_id))
			vec_push(&open, *r);
	if (open.nr)
		qsort(open.at, open.nr, sizeof(*open.at), by_id);
	vec_each(&open, r)
		close_request(a, r->slot, 0);
	vec_release(&open);
}

static void close_list(struct attribute *a, enum open_list list, uint32_t owner)
{
	uint32_t slot;

	while ((slot = newest_of(a, list, owner)) != NO_SLOT)
		close_request(a, slot, 0);
}

static void thread_ended(struct attribute *a, uint32_t thread)
{
	uint32_t slot;

	close_list(a, OPEN_IN_DOUBT, thread);
	while ((slot = newest_of(a, OPEN_ON_THREAD, thread)) != NO_SLOT) {
		struct open_request *r = &a->slots.at[slot];

		if (r->has_id)
			unlink_from(a, r, OPEN_ON_THREAD);
		else
			close_request(a, slot, 0);
	}
}

/* A thread was introduced again, or ended, or runs another program. */
static void take_task(struct attribute *a, const struct record *r)
{
	uint32_t thread = session_find_thread(a->session, r->pid, r->tid), process;

	if (thread == UINT32_MAX)
		return;
	process = a->session->threads.at[thread].process;
	/* A fork under known ids: they are used again, and the EXIT between was lost. */
	if (r->type != PERF_RECORD_COMM)
		thread_ended(a, thread);
	if ((r->type == PERF_RECORD_COMM && r->comm.is_exec) ||
	    (r->type == PERF_RECORD_EXIT && session_is_last_thread(a->session, thread)))
		close_list(a, OPEN_IN_PROCESS, process);
}

void attribute_record(struct attribute *a, const struct record *r)
{
	switch (r->type) {
	case PERF_RECORD_SAMPLE:
		if (r->event && r->event->is_bpf_output)
			take_mark(a, r);
		break;
	case PERF_RECORD_LOST:
		close_all(a, false);
		break;
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		take_task(a, r);
		break;
	}
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

void attribute_finish(struct attribute *a)
{
	close_all(a, true);
}
