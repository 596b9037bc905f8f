/* SPDX-License-Identifier: Apache-2.0 */
#include "report/mark_requests.h"

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
	/*
	 * The kernel waits for no more returns of a thread at a time (MAX_URETPROBE_DEPTH, Linux 3.10 to 6.18 at least). At that
	 * many it does not look which were left by a longjmp() either, until one of them comes.
	 */
	MAX_RETURNS = 64,
};

void mark_requests_init(struct mark_requests *m, struct session *session,
			const struct endpoint_options *endpoints, struct open_requests *open)
{
	*m = (struct mark_requests){ .session = session, .endpoints = endpoints, .open = open };
}

void mark_requests_release(struct mark_requests *m)
{
	size_t i;

	for (i = 0; i < NR_OPEN_LISTS; i++)
		vec_release(&m->newest[i]);
	u64map_release(&m->family_of);
	vec_release(&m->families);
	hashidx_release(&m->by_key);
	str_release(&m->text);
}

/* ---- lists of open requests ---- */

static uint32_t newest_of(const struct mark_requests *m, enum open_list list, uint32_t owner)
{
	return owner < m->newest[list].nr ? m->newest[list].at[owner] : NO_SLOT;
}

static void link_in(struct mark_requests *m, struct open_request *r, enum open_list list,
		    uint32_t owner)
{
	while (m->newest[list].nr <= owner)
		vec_push(&m->newest[list], NO_SLOT);
	r->in[list].owner = owner;
	r->in[list].newer = NO_SLOT;
	r->in[list].older = m->newest[list].at[owner];
	if (r->in[list].older != NO_SLOT)
		m->open->slots.at[r->in[list].older].in[list].newer = r->slot;
	m->newest[list].at[owner] = r->slot;
}

static void unlink_from(struct mark_requests *m, struct open_request *r, enum open_list list)
{
	uint32_t owner = r->in[list].owner, older = r->in[list].older, newer = r->in[list].newer;

	if (owner == NO_SLOT)
		return;
	if (older != NO_SLOT)
		m->open->slots.at[older].in[list].newer = newer;
	if (newer != NO_SLOT)
		m->open->slots.at[newer].in[list].older = older;
	else
		m->newest[list].at[owner] = older;
	r->in[list].owner = NO_SLOT;
}

static uint64_t family_key(uint32_t thread, uint32_t marker, bool is_call)
{
	return (uint64_t)thread << 33 | (is_call ? CALLS_FAMILY : marker);
}

static uint32_t family_add(struct mark_requests *m, uint32_t thread, uint32_t marker, bool is_call)
{
	uint64_t key = family_key(thread, marker, is_call);
	const uint32_t *known = u64map_get(&m->family_of, key);

	if (known)
		return *known;
	u64map_set(&m->family_of, key, (uint32_t)m->families.nr);
	vec_push(&m->families, (struct family){ 0 });
	return (uint32_t)m->families.nr - 1;
}

static bool is_in_doubt(const struct open_request *r)
{
	return r->in[OPEN_IN_DOUBT].owner != NO_SLOT;
}

/* It was left, nobody knows when: what its thread has called since was for what is around it, or for none. */
static void doubt_calls(struct mark_requests *m, struct open_request *r)
{
	uint32_t around = r->in[OPEN_ON_THREAD].older;

	open_request_doubt(r, CALLS_OF_ANY);
	if (r->in[OPEN_ON_THREAD].owner == NO_SLOT)
		return;
	if (around != NO_SLOT)
		open_request_doubt(&m->open->slots.at[around], CALLS_OF_ANY);
	else
		r->is_left = true;
}

/* The kernel waits for its return, too, or has no room for that: it asks before it looks what was left. */
static void await_return(struct mark_requests *m, struct open_request *r)
{
	const struct marker *marker = session_marker(m->session, r->marker);
	struct family *f = &m->families.at[r->family];

	if (!r->is_call || !(marker->flags & MARKER_BY_RETURN))
		return;
	f->awaits_no_more |= f->nr_awaited >= MAX_RETURNS;
	r->is_unseen = f->awaits_no_more;
	r->is_awaited = !r->is_unseen;
	f->nr_awaited += r->is_awaited;
}

static void await_no_longer(struct mark_requests *m, struct open_request *r)
{
	m->families.at[r->family].nr_awaited -= r->is_awaited;
	r->is_awaited = false;
}

/* It may be over: samples are no longer its own, but its END still is. */
static void put_in_doubt(struct mark_requests *m, struct open_request *r)
{
	doubt_calls(m, r);
	m->has_left = true;
	await_no_longer(m, r);
	unlink_from(m, r, OPEN_ON_THREAD);
	unlink_from(m, r, OPEN_IN_FAMILY);
	link_in(m, r, OPEN_IN_DOUBT, r->thread);
	m->families.at[r->family].nr_in_doubt++;
}

/* ---- requests with a key: an id, or the stack pointer that a call began with ---- */

static bool has_key(const struct open_request *r)
{
	return r->has_id || r->is_call;
}

static uint64_t key_hash(const struct open_request *r)
{
	return hash_mix(hash_mix(r->process, r->marker), r->is_call ? r->sp : r->mark_id);
}

/* Stacks of a process do not overlap, and what runs on one may go on in another thread (Go). */
static bool same_key(const struct open_request *x, const struct open_request *y)
{
	return x->process == y->process && x->marker == y->marker && x->is_call == y->is_call &&
	       x->has_id == y->has_id && (x->is_call ? x->sp == y->sp : x->mark_id == y->mark_id);
}

/* Of the open ones of the same key the last to begin, or NO_SLOT. */
static uint32_t find_by_key(const struct mark_requests *m, const struct open_request *like)
{
	uint32_t last = NO_SLOT;
	uint64_t after = 0;

	if (!has_key(like))
		return NO_SLOT;
	hashidx_each(&m->by_key, key_hash(like), slot) {
		const struct open_request *r = &m->open->slots.at[slot];

		if (same_key(r, like) && r->request.id > after) {
			after = r->request.id;
			last = slot;
		}
	}
	return last;
}

/* ---- begin and end ---- */

/* end_ns 0: it has not ended. */
static void close_request(struct mark_requests *m, uint32_t slot, uint64_t end_ns)
{
	struct open_request *r = &m->open->slots.at[slot];
	int list;

	m->families.at[r->family].nr_in_doubt -= is_in_doubt(r);
	m->nr_returns_unseen += r->is_unseen && !end_ns;
	await_no_longer(m, r);
	for (list = 0; list < NR_OPEN_LISTS; list++)
		unlink_from(m, r, (enum open_list)list);
	if (has_key(r))
		hashidx_remove(&m->by_key, key_hash(r), slot);
	open_requests_close(m->open, slot, end_ns);
}

/* Its end was not seen. */
static void lose_request(struct mark_requests *m, uint32_t slot)
{
	doubt_calls(m, &m->open->slots.at[slot]);
	close_request(m, slot, 0);
}

/* Reads the label into the request's paths, or gives it the marker's name. */
static void name_request(struct mark_requests *m, const struct marker *marker, const uint8_t *label,
			 size_t len, struct request *r)
{
	struct strings *strings = m->session->strings;

	if (!len) {
		r->raw_path = marker ? marker->name : strings_id(strings, "(unnamed)");
		r->path = r->raw_path;
		return;
	}
	r->raw_path = strings_hold_n(strings, (const char *)label, len);
	str_clear(&m->text);
	endpoint_add(&m->text, m->endpoints, label, len);
	r->path = strings_hold_n(strings, str_cstr(&m->text), m->text.len);
}

/* Does a frame at sp show that the one that r began in is gone? Stacks grow down. */
static bool is_left_at(const struct mark_requests *m, const struct open_request *r, uint64_t sp)
{
	bool may_share = !r->is_call && m->families.at[r->family].nests_in_a_frame;

	return sp && r->sp && sp - r->sp <= STACK_MAX_BYTES && !(may_share && sp == r->sp);
}

static void doubt_what_is_left(struct mark_requests *m, uint32_t family, uint64_t sp)
{
	uint32_t slot;

	while ((slot = newest_of(m, OPEN_IN_FAMILY, family)) != NO_SLOT &&
	       is_left_at(m, &m->open->slots.at[slot], sp)) {
		struct open_request *r = &m->open->slots.at[slot];

		if (r->is_call || m->families.at[family].nr_in_doubt < MAX_IN_DOUBT)
			put_in_doubt(m, r);
		else
			lose_request(m, slot);
	}
}

/* What a mark says of the request that it begins or ends. */
static struct open_request request_of_mark(struct mark_requests *m, const struct record *rec,
					   const struct mark_head *mark)
{
	const struct marker *marker = session_marker(m->session, mark->marker);
	struct open_request r = { .marker = mark->marker, .mark_id = mark->id, .sp = mark->sp };

	r.has_id = mark->flags & MARK_HAS_ID;
	r.is_call = !r.has_id && marker && marker->flags & MARKER_IS_CALL;
	r.thread = session_thread(m->session, rec->pid, rec->tid);
	r.process = m->session->threads.at[r.thread].process;
	r.family = family_add(m, r.thread, r.marker, r.is_call);
	return r;
}

/*
 * What began in the same place, or with the same id, is over. Not so calls that come back to their function by tail calls:
 * these return all at once, each with its END. (The kernel keeps 64 that do: MAX_URETPROBE_DEPTH.)
 */
static void end_twins(struct mark_requests *m, const struct open_request *like)
{
	uint32_t slot = find_by_key(m, like);
	struct open_request *twin = slot == NO_SLOT ? NULL : &m->open->slots.at[slot];

	if (!twin || !like->is_call || twin->family != like->family || twin->is_passed)
		for (; slot != NO_SLOT; slot = find_by_key(m, like))
			lose_request(m, slot);
	else if (m->families.at[like->family].nr_in_doubt >= MAX_IN_DOUBT)
		lose_request(m, slot);
	else if (!is_in_doubt(twin))
		put_in_doubt(m, twin);
}

/* A call has returned: what began in its place and did not return with it was left. */
static void pass_twins(struct mark_requests *m, const struct open_request *like)
{
	uint32_t twin = find_by_key(m, like);

	if (twin != NO_SLOT)
		m->open->slots.at[twin].is_passed = true;
}

static void begin(struct mark_requests *m, const struct record *rec, const struct mark_head *mark,
		  const uint8_t *label)
{
	struct open_request like = request_of_mark(m, rec, mark), *r;

	await_return(m, &like);
	end_twins(m, &like);
	if (!like.has_id)
		doubt_what_is_left(m, like.family, like.sp);
	like.request = (struct request){ .begin_pid = rec->pid,
					 .begin_tid = rec->tid,
					 .begin_ns = rec->time,
					 .begin_epoch_ns = session_epoch_ns(m->session, rec->time) };
	r = open_requests_add(m->open, &like);
	name_request(m, session_marker(m->session, mark->marker), label, mark->label_len,
		     &r->request);
	link_in(m, r, OPEN_ON_THREAD, r->thread);
	link_in(m, r, OPEN_IN_PROCESS, r->process);
	if (!r->has_id)
		link_in(m, r, OPEN_IN_FAMILY, r->family);
	if (has_key(r))
		hashidx_add(&m->by_key, key_hash(r), r->slot);
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
static uint32_t find_in_doubt(const struct mark_requests *m, const struct open_request *like,
			      uint32_t newest)
{
	uint64_t after = newest == NO_SLOT ? 0 : m->open->slots.at[newest].request.id;
	uint32_t slot = NO_SLOT, last = NO_SLOT;

	if (m->families.at[like->family].nr_in_doubt)
		slot = newest_of(m, OPEN_IN_DOUBT, like->thread);
	for (; slot != NO_SLOT; slot = m->open->slots.at[slot].in[OPEN_IN_DOUBT].older) {
		const struct open_request *r = &m->open->slots.at[slot];

		if (r->family != like->family || like->sp - r->sp > RETURN_ADDRESS_BYTES ||
		    r->request.id <= after)
			continue;
		after = r->request.id;
		last = slot;
	}
	return last;
}

/* The request that an END without a key takes. */
static uint32_t find_in_family(struct mark_requests *m, const struct open_request *like)
{
	uint32_t newest = newest_of(m, OPEN_IN_FAMILY, like->family);
	uint32_t in_doubt = find_in_doubt(m, like, newest);

	if (in_doubt == NO_SLOT)
		return newest;
	m->families.at[like->family].nests_in_a_frame = true;
	return in_doubt;
}

static void end(struct mark_requests *m, const struct record *rec, const struct mark_head *mark)
{
	struct open_request like = request_of_mark(m, rec, mark);
	uint32_t slot;

	if (like.is_call)
		like.sp -= RETURN_ADDRESS_BYTES;
	slot = has_key(&like) ? find_by_key(m, &like) : find_in_family(m, &like);
	if (slot == NO_SLOT)
		m->nr_unmatched_ends++;
	else
		close_request(m, slot, end_time(rec));
	if (like.is_call) {
		m->families.at[like.family].awaits_no_more = false;
		pass_twins(m, &like);
		doubt_what_is_left(m, like.family, like.sp);
	}
}

bool mark_requests_mark(struct mark_requests *m, const struct record *rec)
{
	struct cursor c = cursor_of(rec->sample.raw, rec->sample.raw_len);
	struct mark_head mark;
	const uint8_t *label;

	cursor_copy(&c, &mark, sizeof(mark));
	if (!(mark.flags & MARK_HAS_LABEL))
		mark.label_len = 0;
	label = cursor_take(&c, mark.label_len);
	if (c.failed || (mark.kind != MARK_BEGIN && mark.kind != MARK_END))
		return false;
	if (mark.kind == MARK_END) {
		end(m, rec, &mark);
		return true;
	}
	m->nr_label_faults += !!(mark.flags & MARK_LABEL_FAULT);
	m->nr_labels_cut += !!(mark.flags & MARK_LABEL_CUT);
	begin(m, rec, &mark, label);
	return true;
}

/* ---- other ends ---- */

static int by_id(const void *a, const void *b)
{
	const struct open_request *x = a, *y = b;

	return (x->request.id > y->request.id) - (x->request.id < y->request.id);
}

/*
 * In the order of begin. At the end they are underway, unless others were left without their ends: then these may have
 * been, too.
 */
static void close_all(struct mark_requests *m, bool is_end)
{
	VEC(struct open_request) open = { 0 };

	vec_each(&m->open->slots, r)
		if (r->is_open && !r->is_by_bytes && (is_end || !r->has_id))
			vec_push(&open, *r);
	if (open.nr)
		qsort(open.at, open.nr, sizeof(*open.at), by_id);
	vec_each(&open, r)
		if (is_end && !m->has_left)
			close_request(m, r->slot, 0);
		else
			lose_request(m, r->slot);
	vec_release(&open);
}

/* The end of one with an id may be among what was lost: whether its thread still works on it, nobody knows. */
static void leave_threads(struct mark_requests *m)
{
	vec_each(&m->open->slots, r)
		if (r->is_open && !r->is_by_bytes) {
			doubt_calls(m, r);
			unlink_from(m, r, OPEN_ON_THREAD);
		}
}

static void close_list(struct mark_requests *m, enum open_list list, uint32_t owner)
{
	uint32_t slot;

	while ((slot = newest_of(m, list, owner)) != NO_SLOT)
		lose_request(m, slot);
}

/* Its index may be another thread's one day. */
static void forget_family(struct mark_requests *m, uint32_t thread, uint32_t marker, bool is_call)
{
	const uint32_t *known = u64map_get(&m->family_of, family_key(thread, marker, is_call));

	if (known)
		m->families.at[*known].nests_in_a_frame = m->families.at[*known].awaits_no_more = false;
}

static void thread_ended(struct mark_requests *m, uint32_t thread)
{
	uint32_t slot;

	forget_family(m, thread, 0, true);
	vec_each(&m->session->markers, it)
		forget_family(m, thread, it->id, false);
	close_list(m, OPEN_IN_DOUBT, thread);
	while ((slot = newest_of(m, OPEN_ON_THREAD, thread)) != NO_SLOT) {
		struct open_request *r = &m->open->slots.at[slot];

		if (r->has_id)
			unlink_from(m, r, OPEN_ON_THREAD);
		else
			lose_request(m, slot);
	}
}

/* A thread was introduced again, or ended, or runs another program. */
static void take_task(struct mark_requests *m, const struct record *r)
{
	uint32_t thread = session_find_thread(m->session, r->pid, r->tid), process;

	if (thread == UINT32_MAX)
		return;
	process = m->session->threads.at[thread].process;
	/* A fork under known ids: they are used again, and the EXIT between was lost. */
	if (r->type != PERF_RECORD_COMM)
		thread_ended(m, thread);
	if ((r->type == PERF_RECORD_COMM && r->comm.is_exec) ||
	    (r->type == PERF_RECORD_EXIT && session_is_last_thread(m->session, thread)))
		close_list(m, OPEN_IN_PROCESS, process);
}

void mark_requests_record(struct mark_requests *m, const struct record *rec)
{
	switch (rec->type) {
	case PERF_RECORD_LOST:
		close_all(m, false);
		leave_threads(m);
		break;
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		take_task(m, rec);
		break;
	}
}

uint32_t mark_requests_of(const struct mark_requests *m, uint32_t thread)
{
	return newest_of(m, OPEN_ON_THREAD, thread);
}

void mark_requests_finish(struct mark_requests *m)
{
	close_all(m, true);
}
