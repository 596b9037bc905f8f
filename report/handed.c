/* SPDX-License-Identifier: Apache-2.0 */
#include "report/handed.h"

#include "report/habits.h"

/* ---- who hands it ---- */

static struct open_request *find(const struct workers *ws, const struct request_ref *r)
{
	struct open_request *open = &ws->open->slots.at[r->slot];

	return open->is_open && open->request.id == r->id && !open->is_answered ? open : NULL;
}

static void forget_answered(const struct workers *ws, struct worker *w)
{
	size_t i, nr = 0;

	for (i = 0; i < w->unhanded.nr; i++)
		if (find(ws, &w->unhanded.at[i]))
			w->unhanded.at[nr++] = w->unhanded.at[i];
	/* So that it does not come to this each time. */
	w->unhanded.nr = nr > UNHANDED_MAX / 2 ? 0 : nr;
}

void handed_read(struct workers *ws, struct worker *w, uint32_t slot)
{
	uint64_t id = workers_id_of(ws, slot);
	struct open_request *r;

	if (slot == NO_SLOT || (w->unhanded.nr && vec_last(&w->unhanded)->id >= id))
		return;
	if (w->unhanded.nr == UNHANDED_MAX)
		forget_answered(ws, w);
	w->last_read = (struct request_ref){ slot, id };
	vec_push(&w->unhanded, w->last_read);
	r = &ws->open->slots.at[slot];
	if (!r->is_noted && w->read_paths.nr < UNHANDED_MAX)
		vec_push(&w->read_paths, r->request.path);
	r->is_noted = true;
}

/* What a thread may be handing on now. */
struct choice {
	struct open_request *one;	/* NULL: nobody knows which */
	uint32_t nr;
};

/*
 * Of what it has read the first one; where the order is not sure, none, unless all are of one path. What is not
 * handed on once, mostly, it is only while nothing else waits for its answer.
 */
static struct choice choose(struct workers *ws, const struct worker *w)
{
	struct open_request *any = NULL;
	struct choice c = { 0 };
	bool is_one_path = true, is_regular = true;
	uint32_t nr_any = 0;

	vec_each(&w->unhanded, ref) {
		struct open_request *r = find(ws, ref);

		if (!r || r->is_handed)
			continue;
		any = r;
		nr_any++;
		if (!habits_are_handed(ws, r))
			continue;
		c.one = c.one ? c.one : r;
		c.nr++;
		is_one_path &= r->request.path == c.one->request.path;
		is_regular &= habits_are_handed_once(ws, r);
	}
	if (!c.one && nr_any == 1 && w->nr_owed <= 1)
		c.one = any;
	if (c.one && !is_regular && (!is_one_path || c.one->slot != w->slot || w->nr_owed > 1))
		c.one = NULL;
	return c;
}

/*
 * No mark told what the thread woke for, and it has read nothing since: what it has handed on was done before it slept,
 * or something else. If it owes one answer it is for that.
 */
static struct open_request *woke_for(struct workers *ws, struct worker *w)
{
	struct open_request *last = w->last_read.id ? find(ws, &w->last_read) : NULL;

	if (w->nr_owed != 1)
		return NULL;
	if (last && worker_owes(ws, w, last))
		return last;
	vec_each(&ws->open->slots, r)
		if (worker_owes(ws, w, r)) {
			w->last_read = (struct request_ref){ r->slot, r->request.id };
			return r;
		}
	return NULL;
}

/* Calls for one of those that it owes go to nobody. */
static void doubt_owed(struct workers *ws, const struct worker *w)
{
	uint32_t nr_left = ws->has_calls ? w->nr_owed : 0;
	size_t i;

	/* The last ones first: what is open for long stands before them, and may be thousands. */
	for (i = ws->open->slots.nr; i && nr_left; i--) {
		struct open_request *r = &ws->open->slots.at[i - 1];

		if (!worker_owes(ws, w, r))
			continue;
		open_request_doubt(r, CALLS_OF_ANY);
		nr_left--;
	}
}

/* Which request the thread hands on now; NO_SLOT: nobody knows. */
static uint32_t hands(struct workers *ws, struct worker *w, bool *ret_is_unsure)
{
	struct open_request *now = w->slot == NO_SLOT ? NULL : &ws->open->slots.at[w->slot];
	bool is_woken = !now && !w->unhanded.nr;
	struct choice c = choose(ws, w);

	if (is_woken)
		now = woke_for(ws, w);
	w->nr_hands += !w->is_returned && !is_woken;
	*ret_is_unsure = c.nr > 1 || w->nr_owed > 1;
	if ((c.one || c.nr) && !w->is_returned)
		now = c.one;
	else if (now && (now->is_answered || (*ret_is_unsure && !habits_are_handed(ws, now))))
		now = NULL;
	if (!now) {
		doubt_owed(ws, w);
		return NO_SLOT;
	}
	now->is_handed = true;
	now->is_handed_back = false;
	if (!*ret_is_unsure)
		habits_note_handed(ws, now);
	return now->slot;
}

/* ---- who takes it ---- */

/*
 * Who has handed back what he was asked for waits, mostly, before it is answered, or soon after that; if not he
 * has taken up something else.
 */
enum { SOON_NS = 1000 * 1000, LATE_NS = 10 * SOON_NS };

/* That long nobody waits for what he was on the CPU. */
enum { TOO_LATE_NS = 10 * LATE_NS };

static void let_go(struct workers *ws, struct worker *w)
{
	worker_give_held(ws, w, NO_SLOT);
	worker_work_on(ws, w, NO_SLOT);
	w->answered_ns = 0;
}

static uint64_t ns_between(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

static void note_done(struct workers *ws, struct worker *w, uint64_t ns)
{
	w->answered_ns = ns;
	if (!ws->late_ns || ns + TOO_LATE_NS < ws->late_ns)
		ws->late_ns = ns + TOO_LATE_NS;
}

static void enlist(struct workers *ws, struct worker *w)
{
	if (!w->is_listed)
		vec_push(&ws->handed, worker_thread(ws, w));
	w->is_listed = true;
}

/* m->bytes: its time on the CPU. */
static void take_up(struct workers *ws, struct worker *w, uint32_t slot, const struct socket_mark *m)
{
	const struct socket_mark so_far = { .cpu_ns = m->bytes, .ns = m->ns };

	if (w->answered_ns)
		let_go(ws, w);
	else if (w->is_handed)
		worker_give_cpu(ws, w, w->slot, &so_far, ns_between(w->marked_ns, m->ns));
	worker_stop(ws, w);
	worker_work_on(ws, w, slot);
	w->is_handed = true;
	w->is_unseen = false;
	w->handed_ns = m->ns;
	w->left.id = 0;
	w->marked_ns = m->ns;
	worker_note_cpu(w, m->bytes, m->ns);
	enlist(ws, w);
	ws->moved = worker_thread(ws, w);
}

static void go_on(struct workers *ws, struct worker *w, const struct socket_mark *m)
{
	if (w->slot == NO_SLOT && w->left.id && find(ws, &w->left))
		take_up(ws, w, w->left.slot, m);
}

/* Nothing has been asked for since it was, and nothing else was then, or is, underway. */
static bool is_last(const struct workers *ws, uint32_t slot)
{
	if (slot == NO_SLOT || ws->open->slots.at[slot].request.id != ws->open->nr_requests)
		return false;
	vec_each(&ws->open->slots, r)
		if (r->is_open && r->is_by_bytes && !r->is_answered)
			return false;
	return true;
}

/* Counted calls are that one's, or of what it has taken up unasked: of another one that the same thread has read. */
static void doubt(struct workers *ws, struct worker *w)
{
	if (w->slot == NO_SLOT)
		return;
	workers_get(ws, ws->open->slots.at[w->slot].thread)->doubtful_id[CALLS_OF_ANY] = ws->open->nr_requests;
	worker_doubt(ws, w, w->slot, CALLS_OF_ANY);
}

/* It is open, no mark tells who has done it, and one of its path was handed on, or most are. */
static bool may_be_done(struct workers *ws, const struct worker *w, const struct open_request *r)
{
	return r->is_open && r->is_by_bytes && !r->is_answered && !r->is_handed_back && r->slot != w->slot &&
	       r->process == ws->session->threads.at[worker_thread(ws, w)].process &&
	       habits_may_be_handed(ws, r);
}

/*
 * What it has done up to the mark, behind what it was asked for, or where nobody knows what that was, may be the work of
 * any that waits: also where another thread was woken for it, and found it taken.
 */
static void doubt_untold(struct workers *ws, struct worker *w, const struct socket_mark *m)
{
	bool is_behind = w->slot == NO_SLOT || w->answered_ns;
	/* Who keeps a log wakes nobody that waits for it. */
	bool has_cpu = is_behind && w->has_returned && worker_ns_since_last(w, m) >= NEXT_TO_NOTHING_NS;

	if ((!w->has_calls && !has_cpu) || (!is_behind && m->kind == SOCKET_RETURNED))
		return;
	vec_each(&ws->open->slots, r) {
		if (!may_be_done(ws, w, r))
			continue;
		w->is_unsure = true;
		w->is_mixed |= has_cpu;
		r->may_lack_cpu |= has_cpu;
		if (w->has_calls)
			open_request_doubt(r, CALLS_OF_ANY);
	}
}

/* What it has done up to the mark. Calls are told of with the mark, whenever they were made. */
static void give_work(struct workers *ws, struct worker *w, const struct socket_mark *m)
{
	/* Who wakes another one, and has done it before, has taken up something in between. */
	bool is_late = w->answered_ns && (m->kind == SOCKET_RETURNED || m->ns > w->answered_ns + SOON_NS);

	doubt_untold(ws, w, m);
	if (w->has_calls && is_late && is_last(ws, w->slot))
		worker_give_held(ws, w, w->slot);
	else if (w->has_calls && (is_late || w->is_unsure))
		doubt(ws, w);
	worker_give_asked(ws, w, NO_SLOT, NULL);
	if (is_late || (w->is_mixed && w->answered_ns))
		worker_give_cpu(ws, w, w->slot, m, ns_between(w->marked_ns, w->answered_ns));
	if (is_late)
		let_go(ws, w);
	w->is_mixed = false;
	if (w->slot != NO_SLOT)
		ws->open->slots.at[w->slot].is_worked_for |= w->has_calls || worker_ns_since_last(w, m) >= NEXT_TO_NOTHING_NS;
	worker_give_work(ws, w, w->slot, m);
	w->marked_ns = m->ns;
}

/* It takes no longer to go to sleep. Who is woken meanwhile, by another CPU, goes on, and no mark tells of what he does. */
enum { GOING_NS = 50 * 1000 };

static void idle(struct workers *ws, struct worker *w, const struct socket_mark *m)
{
	w->has_waited = true;
	w->is_unseen = m->ns < w->handed_ns + GOING_NS;
	give_work(ws, w, m);
	w->left = (struct request_ref){ w->slot, workers_id_of(ws, w->slot) };
	worker_work_on(ws, w, NO_SLOT);
	w->answered_ns = 0;
}

static void hand(struct workers *ws, uint32_t from, uint32_t to, const struct socket_mark *m)
{
	bool is_unsure;
	uint32_t slot = hands(ws, workers_get(ws, from), &is_unsure);

	take_up(ws, workers_get(ws, to), slot, m);
	workers_get(ws, to)->is_unsure = is_unsure;
	workers_get(ws, to)->is_mixed = false;
}

static void note_answered(struct workers *ws, struct worker *w, uint64_t ns)
{
	/* Nothing tells when one is done that has not waited yet, and it may never. */
	worker_give_held(ws, w, w->slot);
	note_done(ws, w, ns);
	if (!w->has_waited)
		let_go(ws, w);
}

/* Those that still work for nobody but who was answered long ago do something else. */
static void look_behind(struct workers *ws, uint32_t slot, uint64_t ns)
{
	size_t i, nr = 0;

	for (i = 0; i < ws->handed.nr; i++) {
		struct worker *w = &ws->all.at[ws->handed.at[i]];

		if (w->is_handed && w->slot != NO_SLOT && w->slot == slot && !w->answered_ns)
			note_answered(ws, w, ns);
		else if (w->answered_ns && ns > w->answered_ns + LATE_NS)
			let_go(ws, w);
		w->is_listed = w->is_handed && w->slot != NO_SLOT;
		if (w->is_listed)
			ws->handed.at[nr++] = ws->handed.at[i];
	}
	ws->handed.nr = nr;
}

/* None else is answered, but what was has its end. */
static void let_go_late(struct workers *ws, uint64_t ns)
{
	ws->late_ns = 0;
	vec_each(&ws->handed, thread) {
		struct worker *w = &ws->all.at[*thread];

		if (w->answered_ns && ns > w->answered_ns + TOO_LATE_NS)
			let_go(ws, w);
		else if (w->answered_ns)
			note_done(ws, w, w->answered_ns);
	}
}

void handed_time(struct workers *ws, uint64_t ns)
{
	if (ws->late_ns && ns > ws->late_ns)
		let_go_late(ws, ns);
}

/*
 * No mark told who has done it, though those of its path are handed on: its work may be among what others have done that
 * needed no waking, also where one was woken for it, and found it taken. They need not have woken who waited for it.
 */
static void doubt_unseen(struct workers *ws, struct open_request *r, uint64_t ns)
{
	vec_each(&ws->handed, thread) {
		struct worker *w = &ws->all.at[*thread];

		if (!w->is_handed || w->slot == NO_SLOT || w->slot == r->slot ||
		    ws->session->threads.at[*thread].process != r->process)
			continue;
		w->is_unsure = true;
		if (ws->has_calls)
			open_request_doubt(r, CALLS_OF_ANY);
		/* Who is not done with his own has hardly taken another one. */
		if (!w->has_returned || !w->answered_ns || ns_between(w->marked_ns, ns) < NEXT_TO_NOTHING_NS)
			continue;
		w->is_mixed = true;
		r->may_lack_cpu = true;
	}
}

/*
 * It is answered behind a wake for another one, for which it waited, too, and none of its own: who takes all that waits, and
 * wakes the loop once, has done both. He may have woken it twice, and found it awake: nobody knows.
 */
static void doubt_together(struct workers *ws, struct open_request *r)
{
	const struct handed_back *back = &workers_get(ws, r->thread)->handed_back;
	struct open_request *first = &ws->open->slots.at[back->request.slot];
	uint64_t waited_ns = ns_between(r->request.begin_ns, back->ns);
	bool lacks_cpu = back->cpu_ns >= NEXT_TO_NOTHING_NS && waited_ns >= NEXT_TO_NOTHING_NS;

	if (!back->request.id || back->request.id == r->request.id || !waited_ns || r->is_worked_for)
		return;
	r->may_lack_cpu |= lacks_cpu;
	if (ws->has_calls)
		open_request_doubt(r, CALLS_OF_ANY);
	/* It goes when the next one's answer has begun. */
	if (!first->is_open || first->request.id != back->request.id)
		return;
	first->request.is_cpu_shared |= lacks_cpu;
	if (ws->has_calls)
		open_request_doubt(first, CALLS_OF_ANY);
}

void handed_answered(struct workers *ws, uint32_t slot, uint64_t ns)
{
	struct open_request *r = slot == NO_SLOT ? NULL : &ws->open->slots.at[slot];

	if (r && !r->is_handed_back && habits_are_handed(ws, r))
		doubt_unseen(ws, r, ns);
	if (r && !r->is_handed_back && habits_may_be_handed(ws, r))
		doubt_together(ws, r);
	if (r && !r->is_handed_back)
		r->request.is_cpu_shared |= r->may_lack_cpu;
	if (ws->handed.nr)
		look_behind(ws, slot, ns);
}

/*
 * Before what it has done is given, as it wakes who waits for it. If that one owes one answer it was for that: unless it
 * works on another one still, of which nobody knows whether it is done.
 */
static void take_up_unasked(struct workers *ws, struct worker *w, struct worker *owing, const struct socket_mark *m)
{
	bool is_done = w->slot == NO_SLOT || w->answered_ns;
	struct open_request *r = woke_for(ws, owing);

	if (!r && is_done && w->has_calls)
		doubt_owed(ws, owing);
	if (r && r->slot == w->slot)
		w->answered_ns = 0;
	if (!r || r->slot == w->slot)
		return;
	/* What was done for who was answered meanwhile, or for another one that was, is among it. */
	if (w->has_calls && (!is_done || w->is_unsure || w->marked_ns < w->answered_ns))
		worker_doubt(ws, w, r->slot, CALLS_OF_ANY);
	if (!is_done)
		return;
	owing->nr_hands += !r->is_handed;
	r->is_handed = true;
	worker_work_on(ws, w, NO_SLOT);
	worker_give_work(ws, w, r->slot, m);
	worker_work_on(ws, w, r->slot);
	w->answered_ns = 0;
	w->has_waited = true;
	enlist(ws, w);
}

/* To who has read it, or to one that only writes. */
static void note_handed_back(const struct workers *ws, struct open_request *r, const struct worker *to)
{
	r->is_handed_back |= !to->nr_owed || worker_owes(ws, to, r);
}

/* Who waited for something new, and is woken by who works on a request, goes on with that. */
static void returned(struct workers *ws, uint32_t from, uint32_t to, const struct socket_mark *m)
{
	struct handed_back back;
	struct worker *w;
	uint32_t slot;

	workers_get(ws, to);
	w = workers_get(ws, from);
	if (!w->is_handed)
		return;
	take_up_unasked(ws, w, &ws->all.at[to], m);
	back = (struct handed_back){ { w->slot, workers_id_of(ws, w->slot) }, worker_ns_since_last(w, m), m->ns };
	give_work(ws, w, m);
	w->is_unsure = false;
	w->has_returned = true;
	slot = w->slot;
	if (slot != NO_SLOT)
		note_handed_back(ws, &ws->open->slots.at[slot], &ws->all.at[to]);
	/* What it was asked for it has done, mostly. */
	if (w->has_waited && slot != NO_SLOT)
		note_done(ws, w, m->ns);
	w = workers_get(ws, to);
	if (slot != NO_SLOT && slot == back.request.slot)
		w->handed_back = back;
	if (w->slot != NO_SLOT || slot == NO_SLOT || ws->open->slots.at[slot].is_answered)
		return;
	worker_work_on(ws, w, slot);
	w->is_returned = true;
	ws->moved = to;
}

void handed_mark(struct workers *ws, uint32_t pid, uint32_t thread, const struct socket_mark *m)
{
	uint32_t other;

	if (m->kind == SOCKET_IDLE) {
		if (workers_get(ws, thread)->is_handed)
			idle(ws, workers_get(ws, thread), m);
		return;
	}
	other = session_thread(ws->session, pid, (uint32_t)m->conn);
	workers_get(ws, thread)->has_woken |= m->kind == SOCKET_HANDED;
	if (m->kind == SOCKET_RETURNED)
		returned(ws, thread, other, m);
	else if (workers_get(ws, other)->has_served)
		return;
	else if (m->kind == SOCKET_RESUMED)
		go_on(ws, workers_get(ws, other), m);
	else
		hand(ws, thread, other, m);
}

void handed_new(struct workers *ws, uint32_t thread, uint32_t parent, uint64_t ns)
{
	const struct socket_mark begin = { .ns = ns };

	if (workers_get(ws, parent)->has_served)
		hand(ws, parent, thread, &begin);
}

void handed_note(struct workers *ws, struct worker *w, const struct socket_mark *m)
{
	w->is_returned = false;
	if (m->kind == SOCKET_WAIT) {
		habits_learn(ws, w);
		w->unhanded.nr = 0;
		w->handed_back.request.id = 0;
	}
	if (!w->is_handed || m->flags & SOCKET_IS_OUTGOING || (m->kind != SOCKET_IN && m->kind != SOCKET_OUT))
		return;
	/* What it has done since is of no use to who was answered; but it may be work for what it answers itself. */
	if (w->answered_ns && m->kind == SOCKET_IN)
		let_go(ws, w);
	w->answered_ns = 0;
	w->is_handed = w->is_unseen = false;
	/* It answers for itself. */
	if (w->slot != NO_SLOT && m->kind == SOCKET_OUT)
		ws->open->slots.at[w->slot].is_handed_back = true;
	worker_work_on(ws, w, NO_SLOT);
}
