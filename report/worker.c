/* SPDX-License-Identifier: Apache-2.0 */
#include "report/worker.h"

#include <string.h>

#include "report/asides.h"

static void worker_release(struct worker *w)
{
	vec_release(&w->held);
	vec_release(&w->waiting);
	vec_release(&w->unhanded);
	vec_release(&w->read_paths);
}

void workers_release(struct workers *ws)
{
	vec_each(&ws->all, w)
		worker_release(w);
	vec_release(&ws->all);
	vec_release(&ws->ways);
	vec_release(&ws->handed);
}

static struct worker worker_new(void)
{
	return (struct worker){ .slot = NO_SLOT, .nr_together = 1, .asked.slot = NO_SLOT };
}

void worker_renew(struct worker *w)
{
	bool is_listed = w->is_listed;

	worker_release(w);
	*w = worker_new();
	w->is_listed = is_listed;
}

void workers_forget_process(struct workers *ws, uint32_t process)
{
	if (process < ws->ways.nr)
		ws->ways.at[process] = (struct ways){ 0 };
}

uint32_t worker_thread(const struct workers *ws, const struct worker *w)
{
	return (uint32_t)(w - ws->all.at);
}

struct worker *workers_get(struct workers *ws, uint32_t thread)
{
	while (ws->all.nr <= thread)
		vec_push(&ws->all, worker_new());
	return &ws->all.at[thread];
}

/* ---- what it works on ---- */

void worker_close_if_over(struct workers *ws, uint32_t slot)
{
	const struct open_request *r = &ws->open->slots.at[slot];

	if (r->is_open && r->is_answered && !r->nr_workers)
		open_requests_close(ws->open, slot, r->request.is_end_unseen ? 0 : r->answered_ns ? r->answered_ns : 1);
}

void worker_work_on(struct workers *ws, struct worker *w, uint32_t slot)
{
	uint32_t before = w->slot;

	if (slot == before)
		return;
	w->slot = slot;
	if (slot != NO_SLOT)
		ws->open->slots.at[slot].nr_workers++;
	if (before == NO_SLOT)
		return;
	ws->open->slots.at[before].nr_workers--;
	worker_close_if_over(ws, before);
}

void workers_note_begun(struct workers *ws, uint32_t slot)
{
	struct open_request *r = &ws->open->slots.at[slot];

	if (!r->is_begun)
		workers_get(ws, r->thread)->nr_begun++;
	r->is_begun = true;
}

uint32_t worker_nr_unbegun(const struct worker *w)
{
	return w->nr_owed > w->nr_begun ? w->nr_owed - w->nr_begun : 0;
}

void workers_note_answered(struct workers *ws, const struct open_request *r)
{
	struct worker *reader = workers_get(ws, r->thread);

	/* A thread that is new has the place of one that has ended. */
	reader->nr_owed -= reader->nr_owed > 0;
	reader->nr_begun -= r->is_begun && reader->nr_begun;
	reader->is_owing &= reader->nr_owed > 0;
}

void workers_note_doubt(struct workers *ws, uint32_t slot)
{
	const struct worker *reader;
	struct open_request *r;
	int doubt;

	if (slot == NO_SLOT)
		return;
	r = &ws->open->slots.at[slot];
	reader = workers_get(ws, r->thread);
	for (doubt = CALLS_OF_ENDPOINT; doubt <= CALLS_OF_ANY; doubt++)
		if (r->request.id <= reader->doubtful_id[doubt])
			open_request_doubt(r, (enum call_doubt)doubt);
}

void workers_let_go(struct workers *ws, uint32_t slot)
{
	if (!ws->open->slots.at[slot].is_answered) {
		workers_note_answered(ws, &ws->open->slots.at[slot]);
		workers_note_doubt(ws, slot);
	}
	if (ws->open->slots.at[slot].nr_workers)
		vec_each(&ws->all, w)
			if (w->slot == slot) {
				worker_give_held(ws, w, slot);
				w->slot = NO_SLOT;
			}
	ws->open->slots.at[slot].nr_workers = 0;
}

/* ---- what it has done ---- */

uint64_t workers_id_of(const struct workers *ws, uint32_t slot)
{
	return slot == NO_SLOT ? 0 : ws->open->slots.at[slot].request.id;
}

void worker_note_owed(struct workers *ws, struct worker *w, uint32_t slot)
{
	struct request none = { 0 };
	const struct request *r = slot == NO_SLOT ? &none : &ws->open->slots.at[slot].request;

	w->owes_mixed = slot == NO_SLOT || (w->is_owing && (w->owes_mixed || r->path != w->owed_path || r->method != w->owed_method));
	w->owed_path = r->path;
	w->owed_method = r->method;
	w->is_owing = true;
}

bool worker_owes_one_endpoint(const struct workers *ws, const struct worker *w, uint32_t slot)
{
	return slot != NO_SLOT && !w->owes_mixed && worker_owes(ws, w, &ws->open->slots.at[slot]);
}

bool worker_owes(const struct workers *ws, const struct worker *w, const struct open_request *r)
{
	return r->is_open && r->is_by_bytes && !r->is_answered && r->thread == worker_thread(ws, w);
}

static void add_cpu(struct workers *ws, uint32_t slot, uint64_t ns)
{
	if (slot != NO_SLOT)
		ws->open->slots.at[slot].request.cpu_ns += ns;
}

void worker_note_cpu(struct worker *w, uint64_t cpu_ns, uint64_t ns)
{
	w->is_known = true;
	w->cpu_ns = cpu_ns;
	w->cpu_at_ns = ns;
}

/*
 * A mark's sum may lack what the scheduler has not added up yet: its clock stood still while a hypervisor had the CPU, say. The
 * next one then has more than can have passed in between, and whose that was nobody knows.
 */
uint64_t worker_ns_since_last(const struct worker *w, const struct socket_mark *m)
{
	uint64_t ns = w->is_known && m->cpu_ns > w->cpu_ns ? m->cpu_ns - w->cpu_ns : 0;
	uint64_t most_ns = m->ns > w->cpu_at_ns ? m->ns - w->cpu_at_ns : 0;

	return ns < most_ns ? ns : most_ns;
}

void worker_give_held(struct workers *ws, struct worker *w, uint32_t slot)
{
	vec_each(&w->held, h) {
		bool had_begun = h->nr_requests >= workers_id_of(ws, slot);

		open_requests_give(ws->open, h->slot, had_begun ? slot : w->slot);
		open_requests_drop(ws->open, h->slot);
	}
	w->held.nr = 0;
	w->nr_together = 1;
	w->has_calls = false;
}

void worker_give_cpu(struct workers *ws, struct worker *w, uint32_t slot, const struct socket_mark *m, uint64_t most_ns)
{
	uint64_t ns = worker_ns_since_last(w, m);

	add_cpu(ws, slot, ns < most_ns ? ns : most_ns);
	worker_note_cpu(w, m->cpu_ns, m->ns);
}

void worker_give_work(struct workers *ws, struct worker *w, uint32_t slot, const struct socket_mark *m)
{
	uint64_t ns = worker_ns_since_last(w, m), since = ns;

	if (slot != NO_SLOT && slot != w->slot)
		since = m->ns - ws->open->slots.at[slot].request.begin_ns;
	if (since > ns)
		since = ns;
	add_cpu(ws, slot, since);
	add_cpu(ws, w->slot, ns - since);
	worker_note_cpu(w, m->cpu_ns, m->ns);
	worker_give_held(ws, w, slot);
}

void worker_hold_on(struct workers *ws, struct worker *w, const struct socket_mark *m)
{
	vec_each(&w->held, h) {
		if (w->asked.slot == NO_SLOT) {
			w->asked = *h;
			continue;
		}
		open_requests_give(ws->open, h->slot, w->asked.slot);
		open_requests_drop(ws->open, h->slot);
	}
	w->held.nr = 0;
	w->nr_together = 1;
	w->has_calls = false;
	w->asked_ns += worker_ns_since_last(w, m);
	worker_note_cpu(w, m->cpu_ns, m->ns);
}

void worker_give_asked(struct workers *ws, struct worker *w, uint32_t slot, const struct socket_mark *answer)
{
	uint64_t since, last;

	if (w->asked.slot != NO_SLOT) {
		open_requests_give(ws->open, w->asked.slot, w->asked.nr_requests >= workers_id_of(ws, slot) ? slot : NO_SLOT);
		open_requests_drop(ws->open, w->asked.slot);
	}
	if (slot != NO_SLOT) {
		since = answer->ns - ws->open->slots.at[slot].request.begin_ns;
		last = worker_ns_since_last(w, answer);
		since -= last < since ? last : since;
		add_cpu(ws, slot, w->asked_ns < since ? w->asked_ns : since);
	}
	w->asked.slot = NO_SLOT;
	w->asked_ns = w->peer = 0;
	w->is_waiting = false;
}

void worker_stop(struct workers *ws, struct worker *w)
{
	worker_give_asked(ws, w, NO_SLOT, NULL);
	worker_give_held(ws, w, w->answered_ns ? NO_SLOT : w->slot);
	worker_work_on(ws, w, NO_SLOT);
	w->answered_ns = 0;
}

/* ---- what it does ---- */

static void doubt_slot(struct workers *ws, uint32_t slot, enum call_doubt doubt)
{
	if (slot != NO_SLOT)
		open_request_doubt(&ws->open->slots.at[slot], doubt);
}

void worker_doubt(struct workers *ws, struct worker *w, uint32_t slot, enum call_doubt doubt)
{
	w->doubtful_id[doubt] = ws->open->nr_requests;
	vec_each(&w->held, h)
		doubt_slot(ws, h->slot, doubt);
	doubt_slot(ws, w->asked.slot, doubt);
	doubt_slot(ws, w->slot, doubt);
	doubt_slot(ws, slot, doubt);
}

static void merge_held(struct workers *ws, struct worker *w)
{
	size_t i;

	for (i = 0; 2 * i + 1 < w->held.nr; i++) {
		struct held_samples *older = &w->held.at[2 * i], *newer = older + 1;

		older->nr_samples += newer->nr_samples;
		open_requests_give(ws->open, newer->slot, older->slot);
		open_requests_drop(ws->open, newer->slot);
		w->held.at[i] = *older;
	}
	w->held.nr = i;
	w->nr_together *= 2;
}

struct held_samples *worker_hold(struct workers *ws, uint32_t thread, bool is_parted)
{
	struct worker *w = thread < ws->all.nr ? &ws->all.at[thread] : NULL;
	struct held_samples *last;

	if (!w || !w->is_known || w->nr_together == HELD_TOGETHER_MAX)
		return NULL;
	last = w->held.nr ? vec_last(&w->held) : NULL;
	if (last && (last->nr_requests == ws->open->nr_requests || (!is_parted && last->nr_samples < w->nr_together)))
		return last;
	if (w->held.nr == HELD_MAX)
		merge_held(ws, w);
	if (w->nr_together == HELD_TOGETHER_MAX) {
		worker_give_held(ws, w, w->slot);
		w->nr_together = HELD_TOGETHER_MAX;
		return NULL;
	}
	vec_push(&w->held, (struct held_samples){ open_requests_hold(ws->open, thread), ws->open->nr_requests, 0 });
	return vec_last(&w->held);
}

/* ---- what it does as a rule ---- */

void count_of_late(uint32_t *which, uint32_t *a, uint32_t *b, uint32_t nr)
{
	*which += 1;
	if (nr < OF_LATE)
		return;
	*a /= 2;
	*b /= 2;
}

static void add_work(struct work *work, uint64_t ns)
{
	work->nr++;
	work->ns += ns;
	if (work->nr < OF_LATE)
		return;
	work->nr /= 2;
	work->ns /= 2;
}

/* What comes after a read: is it about what was read? */
static void note_left(struct worker *w, const struct socket_mark *m)
{
	bool is_same = m->conn == w->last_conn;

	if (m->kind != SOCKET_WAIT && (m->kind != SOCKET_IN || !is_same))
		count_of_late(is_same || m->flags & SOCKET_IS_OUTGOING ? &w->nr_gone_on : &w->nr_left,
			      &w->nr_gone_on, &w->nr_left, w->nr_gone_on + w->nr_left);
}

static void note_read(struct worker *w, uint64_t ns)
{
	w->read_ns += ns;
	add_work(&w->reading, ns);
}

static void note_turning(struct worker *w, uint64_t ns)
{
	w->is_turning = true;
	add_work(&w->turning, ns);
}

static void note_answer(struct worker *w, uint64_t ns)
{
	w->answer_ns += ns;
	if (w->last_kind == SOCKET_WAIT)
		add_work(&w->woken, ns);
	else if (w->last_kind == SOCKET_OUT && !(w->asides.is_on && worker_is_right_behind(&w->asides, ns)))
		add_work(&w->answering, ns);
}

/* Where a read is not followed by a write, nor a write by a read, it shows when it is that the thread works. */
static void note_time(struct worker *w, const struct socket_mark *m)
{
	uint64_t ns = worker_ns_since_last(w, m);
	bool is_clients = !(m->flags & SOCKET_IS_OUTGOING), has_read = w->last_kind == SOCKET_IN;

	w->is_turning = w->is_gathered = w->is_amidst = false;
	if (is_clients && m->conn == w->last_conn) {
		w->is_gathered = has_read && m->kind == SOCKET_OUT && w->nr_gathered > 1;
		if (w->is_gathered)
			add_work(&w->turning, ns);
		return;
	}
	if (has_read && w->last_conn && m->kind != SOCKET_OUT && is_clients)
		note_read(w, ns);
	else if (has_read && w->last_conn && is_clients)
		note_turning(w, ns);
	else if (!has_read && m->kind == SOCKET_OUT && is_clients)
		note_answer(w, ns);
	if (++w->nr_turns < OF_LATE)
		return;
	w->nr_turns = 0;
	w->read_ns /= 2;
	w->answer_ns /= 2;
}

/* Whether it answers together what it has read together. */
static void note_gathered(struct worker *w, const struct socket_mark *m)
{
	bool is_clients = !(m->flags & SOCKET_IS_OUTGOING), is_same = is_clients && m->conn == w->last_conn;
	bool is_answer = m->kind == SOCKET_OUT && is_clients;

	if (w->may_burst && !(is_answer && is_same)) {
		count_of_late(is_answer ? &w->nr_bursts : &w->nr_singles, &w->nr_bursts, &w->nr_singles,
			      w->nr_bursts + w->nr_singles);
		w->may_burst = false;
	}
	if (m->kind == SOCKET_IN && is_clients) {
		w->nr_gathered += !is_same || !w->nr_gathered;
	} else if (is_answer) {
		w->may_burst |= w->nr_gathered > 1;
		w->nr_gathered = 0;
	}
}

void worker_note_turn(struct worker *w, const struct socket_mark *m)
{
	if (w->last_kind == SOCKET_IN && w->last_conn)
		note_left(w, m);
	note_time(w, m);
	note_gathered(w, m);
	w->is_woken = w->slot == NO_SLOT;
	w->has_served |= (m->kind == SOCKET_IN || m->kind == SOCKET_OUT) && !(m->flags & SOCKET_IS_OUTGOING);
	w->last_kind = m->kind;
	w->last_conn = m->flags & SOCKET_IS_OUTGOING ? 0 : m->conn;
}

static bool is_longer(const struct work *a, const struct work *b, uint64_t times)
{
	return a->ns * b->nr > times * b->ns * a->nr;
}

static bool is_known_longer(const struct work *a, const struct work *b, uint64_t times)
{
	return a->nr >= WORK_MIN && b->nr >= WORK_MIN && is_longer(a, b, times);
}

bool worker_works_at_reads(const struct worker *w)
{
	return w->read_ns / 2 > w->answer_ns && !is_longer(&w->turning, &w->reading, MUCH_LONGER);
}

bool worker_works_for_many(const struct worker *w)
{
	return is_known_longer(&w->turning, &w->reading, MUCH_LONGER) && is_known_longer(&w->turning, &w->answering, MUCH_LONGER);
}

/* Its own work for a request that it reads, uvloop's, may be a quarter of all that is done for one. */
bool worker_works_in_batches(const struct worker *w)
{
	return is_known_longer(&w->turning, &w->reading, LONGER) && is_known_longer(&w->turning, &w->answering, MUCH_LONGER) &&
	       w->turning.ns / w->turning.nr > NEXT_TO_NOTHING_NS && w->nr_bursts > 4 * w->nr_singles;
}

static bool is_woken_known(const struct worker *w)
{
	return w->woken.nr >= WORK_MIN && w->answering.nr >= WORK_MIN;
}

bool worker_answers_at_once(const struct worker *w)
{
	return is_woken_known(w) && w->answering.ns / w->answering.nr >= w->woken.ns / w->woken.nr / 4;
}

bool worker_gathers_answers(const struct worker *w)
{
	return is_woken_known(w) && !worker_answers_at_once(w);
}

/* ---- what it has read and not begun with ---- */

/* No loop reads more before it works. */
enum { WAITING_MAX = 256 };

void worker_let_wait(struct workers *ws, struct worker *w, uint32_t slot)
{
	uint64_t id = workers_id_of(ws, slot);

	if (slot == NO_SLOT || (w->waiting.nr && vec_last(&w->waiting)->id >= id))
		return;
	if (w->waiting.nr == WAITING_MAX)
		w->waiting.nr = 0;
	vec_push(&w->waiting, (struct request_ref){ slot, id });
}

void worker_begin_up_to(struct worker *w, uint64_t id)
{
	size_t nr = 0;

	while (nr < w->waiting.nr && w->waiting.at[nr].id <= id)
		nr++;
	w->waiting.nr -= nr;
	if (w->waiting.nr)
		memmove(w->waiting.at, w->waiting.at + nr, w->waiting.nr * sizeof(*w->waiting.at));
}

static bool is_waiting(const struct workers *ws, const struct request_ref *ref)
{
	const struct open_request *r = &ws->open->slots.at[ref->slot];

	return r->is_open && r->request.id == ref->id && !r->is_answered;
}

bool worker_has_put_off(const struct workers *ws, const struct worker *w, uint32_t slot)
{
	uint64_t id = workers_id_of(ws, slot);
	uint64_t old_id = w->nr_at_once > w->nr_later ? w->waited_id : w->old_id;

	return id && (id <= old_id || !w->waiting.nr || id < w->waiting.at[0].id);
}

bool worker_is_caught_up(const struct workers *ws, const struct worker *w, uint32_t slot)
{
	uint64_t id = workers_id_of(ws, slot);
	size_t i;

	for (i = w->waiting.nr; i && w->waiting.at[i - 1].id > id; i--)
		if (is_waiting(ws, &w->waiting.at[i - 1]))
			return false;
	return true;
}

void worker_begin_answer(const struct workers *ws, struct worker *w, uint32_t slot)
{
	uint64_t id = workers_id_of(ws, slot);

	if (w->waiting.nr && id >= w->waiting.at[0].id)
		count_of_late(id > w->waited_id ? &w->nr_at_once : &w->nr_later, &w->nr_at_once, &w->nr_later,
			      w->nr_at_once + w->nr_later);
	worker_begin_up_to(w, id);
}

void worker_note_wait(const struct workers *ws, struct worker *w)
{
	w->old_id = w->waited_id;
	w->waited_id = ws->open->nr_requests;
}

uint32_t worker_begin_next(struct workers *ws, struct worker *w)
{
	struct request_ref next;

	while (w->waiting.nr) {
		next = w->waiting.at[0];
		worker_begin_up_to(w, next.id);
		if (is_waiting(ws, &next))
			return next.slot;
	}
	return NO_SLOT;
}
