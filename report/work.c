/* SPDX-License-Identifier: Apache-2.0 */
#include "report/work.h"

#include "report/asides.h"

/* ---- kinds of threads ---- */

static struct ways *ways_of(struct workers *ws, const struct worker *w)
{
	uint32_t process = ws->session->threads.at[worker_thread(ws, w)].process;

	while (ws->ways.nr <= process)
		vec_push(&ws->ways, (struct ways){ 0 });
	return &ws->ways.at[process];
}

/*
 * Requests are handed from thread to thread here. By way of exception a request may move where threads do not
 * hand them on: a goroutine is continued by another thread.
 */
static bool is_handed_on(struct workers *ws, const struct worker *w)
{
	const struct ways *ways = ways_of(ws, w);

	return ways->nr_begun_of_others > ways->nr_begun / 8;
}

static bool answers_for_others(struct workers *ws, const struct worker *w)
{
	return w->has_begun_of_others && is_handed_on(ws, w);
}

/* A thread that can run has been given a CPU by then, however busy the machine is. */
enum { ALONE_NS = 1000 * 1000 * 1000 };

/*
 * Who answers what he has read himself hands nothing on. But where no other thread came by since he read it there may
 * have been none to take it: while the others wait for a CPU.
 */
static bool tells_of_own(struct workers *ws, const struct ways *ways, uint32_t answered, uint64_t ns)
{
	if (answered == NO_SLOT || ns > ways->alone_ns + ALONE_NS)
		return true;
	return ws->open->slots.at[answered].request.begin_ns < ways->alone_ns;
}

static void note_thread(struct workers *ws, const struct worker *w, uint64_t ns)
{
	struct ways *ways = ways_of(ws, w);
	uint32_t thread = worker_thread(ws, w);

	if (ways->thread != thread)
		ways->alone_ns = ns;
	ways->thread = thread;
}

bool work_reads_for_others(struct workers *ws, const struct worker *w)
{
	return answers_for_others(ws, w) && w->nr_left >= w->nr_gone_on;
}

/* It has worked for several, as far as its times tell, and begins to answer them. */
static bool is_of_many(const struct worker *w)
{
	return (w->is_turning && worker_works_for_many(w)) || ((w->is_turning || w->is_gathered) && worker_works_in_batches(w));
}

/* It has worked for all that it owes: that is one endpoint's, or nobody knows how much is whose. */
static uint32_t shared_by(struct workers *ws, struct worker *w, uint32_t answered)
{
	if (worker_owes_one_endpoint(ws, w, answered)) {
		w->joint_id = ws->open->nr_requests;
		return answered;
	}
	w->shared_id = ws->open->nr_requests;
	return NO_SLOT;
}

/*
 * Nobody knows whose it is what it has done up to the mark: that one's, or another one's that it owes. If that is not next
 * to nothing, the time on the CPU of all these is not known.
 */
static void note_unknown(struct workers *ws, struct worker *w, uint32_t slot, const struct socket_mark *m)
{
	if (worker_ns_since_last(w, m) < NEXT_TO_NOTHING_NS)
		return;
	w->shared_id = ws->open->nr_requests;
	if (slot != NO_SLOT)
		ws->open->slots.at[slot].request.is_cpu_shared = true;
}

static uint32_t endpoints_or_unknown(struct workers *ws, struct worker *w, uint32_t answered, const struct socket_mark *m)
{
	if (worker_owes_one_endpoint(ws, w, answered))
		return answered;
	note_unknown(ws, w, answered, m);
	return NO_SLOT;
}

/* ---- what is written to others while one is owed ---- */

static bool is_unbegun(const struct open_request *r)
{
	return r && !r->is_begun && !r->is_answered;
}

/*
 * Whose it is what a thread has done before it writes to another one, and it does not take turns. If it publishes it was for
 * the one that it answers next, and if it owes several that is held until then. If nothing tells: nobody's.
 */
static uint32_t aside_of(struct workers *ws, struct worker *w, uint32_t written, const struct socket_mark *m)
{
	const struct open_request *before = w->slot == NO_SLOT ? NULL : &ws->open->slots.at[w->slot];
	bool is_of_before = is_unbegun(before) && worker_nr_unbegun(w) == 1;

	if (worker_publishes(w, w->asides.kind)) {
		w->is_amidst = true;
		w->asides.is_held |= !is_of_before;
	} else {
		w->is_amidst = is_unbegun(before);
		if (worker_owes_one_endpoint(ws, w, written))
			return written;
		note_unknown(ws, w, written, m);
	}
	return is_of_before ? w->slot : NO_SLOT;
}

/* What was held is lost: no answer has said whose it was. */
static void lose_held(struct workers *ws, struct worker *w)
{
	if (w->asides.is_held && w->asked_ns >= NEXT_TO_NOTHING_NS)
		w->shared_id = ws->open->nr_requests;
	w->asides.is_held = false;
	worker_give_asked(ws, w, NO_SLOT, NULL);
}

/* It begins an answer that it has put off, and what it has done before may be another one's. */
static bool is_doubtful_aside(const struct worker *w, const struct open_request *before, const struct socket_mark *m)
{
	if (worker_takes_turns(w, w->asides.kind) || (is_unbegun(before) && worker_works_at_reads(w)))
		return false;
	return worker_publishes(w, w->asides.kind) || worker_ns_since_last(w, m) >= NEXT_TO_NOTHING_NS;
}

/* Another thread has read it. One that it has worked on already is its own, by whatever road that came. */
static bool is_of_others(const struct workers *ws, const struct connection *c, const struct worker *w)
{
	return c->reader != worker_thread(ws, w) && (w->slot == NO_SLOT || w->slot != connection_worked_on(c));
}

/* Whose it is what a thread has done up to a mark with which it begins to answer, or gives up, as work.h has it. */
static uint32_t answered_by(struct workers *ws, const struct connection *c, struct worker *w, const struct socket_mark *m)
{
	uint32_t answered = connection_worked_on(c);
	bool is_handed = is_of_others(ws, c, w) || answers_for_others(ws, w);
	const struct open_request *before = w->slot == NO_SLOT ? NULL : &ws->open->slots.at[w->slot];

	if (is_of_many(w))
		return shared_by(ws, w, answered);
	if (answered == NO_SLOT || answered == w->slot)
		return w->slot;
	if (work_reads_for_others(ws, w))
		return answered;
	if (w->asides.is_on && !worker_is_caught_up(ws, w, answered) && is_doubtful_aside(w, before, m))
		return aside_of(ws, w, answered, m);
	if (!before) {
		if (is_handed || w->nr_owed == 1 || worker_answers_at_once(w))
			return answered;
		if (worker_gathers_answers(w))
			return shared_by(ws, w, answered);
		return endpoints_or_unknown(ws, w, answered, m);
	}
	if (before->is_answered || before->is_begun || w->answer_ns / 2 > w->read_ns)
		return answered;
	if (!is_handed && worker_works_at_reads(w))
		return w->slot;
	return endpoints_or_unknown(ws, w, answered, m);
}

/* ---- loops that read, and begin with what they have read later, one after the other ---- */

static bool reads_for_later(struct workers *ws, const struct worker *w)
{
	return !answers_for_others(ws, w) && w->answer_ns / 2 > w->read_ns && w->nr_left >= w->nr_gone_on;
}

/* For which request such a loop asks another server: that for which it has asked there before, or the next one. */
static uint32_t asks_for(struct workers *ws, struct worker *w, const struct connection *c)
{
	uint32_t owner = c ? connection_owner(c, ws->open) : NO_SLOT;

	if (owner != NO_SLOT && !ws->open->slots.at[owner].is_answered)
		return owner;
	owner = worker_begin_next(ws, w);
	return owner == NO_SLOT ? w->slot : owner;
}

/* ---- threads that take over what others have read ---- */

/*
 * It is done with what it worked on, and may have taken over another one, which no mark tells; or it was made for
 * one.
 */
static bool takes_over(struct workers *ws, const struct worker *w)
{
	if (w->slot != NO_SLOT && !ws->open->slots.at[w->slot].is_answered)
		return false;
	return is_handed_on(ws, w) && (w->has_begun_of_others || !w->has_served);
}

/* The mark is of who asks other servers, each after the other, for a request that it has taken over. */
static bool is_asking(struct workers *ws, const struct worker *w, const struct socket_mark *m)
{
	if (m->kind == SOCKET_WAIT)
		return w->peer;
	if (!(m->flags & SOCKET_IS_OUTGOING))
		return false;
	if (m->kind == SOCKET_IN)
		return w->peer == m->conn;
	if (m->kind == SOCKET_CLOSE)
		return w->peer && !w->is_waiting;
	return w->peer ? !w->is_waiting || w->peer == m->conn : takes_over(ws, w);
}

static void ask_on(struct workers *ws, struct worker *w, const struct socket_mark *m)
{
	worker_hold_on(ws, w, m);
	worker_work_on(ws, w, NO_SLOT);
	if (m->kind == SOCKET_OPEN || m->kind == SOCKET_OUT)
		w->peer = m->conn;
	if (m->kind != SOCKET_WAIT)
		w->is_waiting = m->kind == SOCKET_OUT;
}

/* ---- whose calls they are for certain ---- */

/* What it has read it has also begun with, and gone as far as it could, before it has read anything else. */
static bool takes_at_once(const struct worker *w)
{
	enum { READS_THAT_TELL = 8 };

	return !w->goes_on_unseen && w->nr_gone_on >= READS_THAT_TELL && !w->nr_left;
}

static const struct open_request *request_at(const struct workers *ws, uint32_t slot)
{
	return slot == NO_SLOT ? NULL : &ws->open->slots.at[slot];
}

static enum call_doubt doubt_between(const struct open_request *a, const struct open_request *b)
{
	if (a == b)
		return CALLS_ARE_SURE;
	return a && b && request_is_of_endpoint(&a->request, &b->request) ? CALLS_OF_ENDPOINT : CALLS_OF_ANY;
}

/*
 * May what the thread has done up to a mark, and is about to be given to that one, have been for another? read_for: the
 * mark is of a read for that one; NULL: it is not.
 */
static enum call_doubt doubt_of(const struct workers *ws, const struct worker *w, const struct open_request *to,
				const struct open_request *read_for)
{
	const struct open_request *before = request_at(ws, w->slot);
	enum call_doubt doubt = before && to ? doubt_between(before, to) : CALLS_ARE_SURE;
	/* A thread that is new may have one that it does not know of: see worker_renew(). */
	bool is_owed = to && w->nr_owed && worker_owes(ws, w, to);
	uint32_t nr_others = w->nr_owed - is_owed;
	/* Behind a wait, what it woke for is known if it reads for the only one. */
	bool is_known = to || (read_for && w->nr_owed == 1 && worker_owes(ws, w, read_for));

	if (!nr_others || (is_known && takes_at_once(w)))
		return doubt;
	vec_each(&ws->open->slots, r)
		if (doubt < CALLS_OF_ANY && nr_others && r != to && worker_owes(ws, w, r)) {
			if (doubt < doubt_between(r, to))
				doubt = doubt_between(r, to);
			nr_others--;
		}
	return doubt;
}

/* Before it is given. */
static void note_doubt(struct workers *ws, struct worker *w, uint32_t slot, uint32_t read_for)
{
	enum call_doubt doubt;

	if (!w->has_calls)
		return;
	if (slot == NO_SLOT)
		w->nobodys_id = ws->open->nr_requests;
	doubt = doubt_of(ws, w, request_at(ws, slot), request_at(ws, read_for));
	if (doubt)
		worker_doubt(ws, w, slot, doubt);
}

/*
 * No mark told what the thread woke for, and it goes on with that one: so may what it has done for nobody have been. Who
 * closes may have woken to hear that the client has left.
 */
static void note_unseen(struct worker *w, struct open_request *r, const struct socket_mark *m)
{
	w->goes_on_unseen |= m->kind == SOCKET_OUT;
	if (r->request.id <= w->nobodys_id)
		open_request_doubt(r, CALLS_OF_ANY);
}

/* Whose it is what it has done before it goes on with an answer, where it owes others that it has not begun with. */
static uint32_t goes_on_beside(struct workers *ws, struct worker *w, uint32_t slot, uint32_t answered, const struct socket_mark *m)
{
	if (m->kind == SOCKET_OUT && worker_takes_turns(w, w->asides.kind))
		return answered;
	if (!is_unbegun(request_at(ws, slot)) && !worker_publishes(w, w->asides.kind) &&
	    worker_ns_since_last(w, m) < NEXT_TO_NOTHING_NS)
		return answered;
	return aside_of(ws, w, answered, m);
}

/*
 * Whose it is what a thread has done, for that one or behind a wait, up to a mark with which it goes on with an answer that
 * it has begun: a response that comes in parts, and may end with its connection. Between them calls may have gone to nobody,
 * or to others. But who has read something, and closes another one before he answers, may do so because of what he has read.
 */
static uint32_t goes_on_with(struct workers *ws, const struct connection *c, struct worker *w, uint32_t slot,
			     const struct socket_mark *m)
{
	uint32_t answered = connection_worked_on(c);
	const struct open_request *before;
	struct open_request *r;

	if (answered == NO_SLOT)
		return w->asides.is_on && worker_nr_unbegun(w) ? goes_on_beside(ws, w, slot, slot, m) : slot;
	if (answered == slot)
		return slot;
	r = &ws->open->slots.at[answered];
	note_unseen(w, r, m);
	workers_note_doubt(ws, answered);
	if (slot == NO_SLOT && w->nr_owed == 1 && worker_owes(ws, w, r))
		return answered;
	if (w->has_calls)
		open_request_doubt(r, CALLS_OF_ANY);
	/* Behind others that came at once. */
	if (!r->is_begun)
		return slot;
	before = request_at(ws, slot);
	if ((!before || is_unbegun(before)) && worker_gathers_answers(w))
		return shared_by(ws, w, answered);
	if (!worker_nr_unbegun(w) && !is_unbegun(before))
		return answered;
	return goes_on_beside(ws, w, slot, answered, m);
}

/* With the connection an answer ends that lasts until then, or is given up. Of others it may have been written to its end. */
static bool ends_answer(const struct workers *ws, const struct connection *c)
{
	uint32_t answered = connection_worked_on(c);

	return answered != NO_SLOT && ws->open->slots.at[answered].is_begun && c->protocol == &protocol_http1 &&
	       http1_is_answering(c->parser);
}

static bool is_of_answer(const struct workers *ws, const struct connection *c, const struct socket_mark *m)
{
	if (m->flags & SOCKET_IS_OUTGOING)
		return false;
	return m->kind == SOCKET_OUT || (m->kind == SOCKET_CLOSE && ends_answer(ws, c));
}

/*
 * It closes what nobody has begun to answer: who has worked on it has given it up, or found the client gone. Who has not read
 * it, and answers for no others, looks after the connections, and so does who has just been woken.
 */
static bool gives_up(struct workers *ws, const struct connection *c, const struct worker *w, const struct socket_mark *m)
{
	uint32_t given_up = connection_worked_on(c);

	if (m->kind != SOCKET_CLOSE || c->is_outgoing || given_up == NO_SLOT || ws->open->slots.at[given_up].is_begun)
		return false;
	return (w->slot != NO_SLOT && c->reader == worker_thread(ws, w)) || w->slot == given_up || answers_for_others(ws, w);
}

/* Whose it is what it has done before that. If it has read another one since, that may be why it closes. */
static uint32_t given_up_by(struct workers *ws, const struct connection *c, struct worker *w, const struct socket_mark *m)
{
	uint32_t given_up = connection_worked_on(c);

	if (w->slot == given_up || !is_unbegun(request_at(ws, w->slot)) || work_reads_for_others(ws, w))
		return answered_by(ws, c, w, m);
	return worker_works_at_reads(w) ? w->slot : endpoints_or_unknown(ws, w, given_up, m);
}

/* The mark is of a part of another one's answer; or of what nobody was seen to ask for: an upgraded connection's, say. */
static bool is_part_aside(const struct workers *ws, const struct connection *c, const struct worker *w,
			  const struct socket_mark *m)
{
	uint32_t answered;

	if (!c || c->is_outgoing || m->kind != SOCKET_OUT)
		return false;
	if (!connection_is_owing(c))
		return c->left_ns;
	answered = connection_worked_on(c);
	if (answered == NO_SLOT || !ws->open->slots.at[answered].is_begun)
		return false;
	return w->asides.is_on || answered != w->slot;
}

static uint32_t read_for(const struct workers *ws, const struct connection *c, const struct socket_mark *m)
{
	if (!c || m->kind != SOCKET_IN)
		return NO_SLOT;
	return c->is_outgoing ? connection_owner(c, ws->open) : connection_worked_on(c);
}

static void hold_on(struct workers *ws, struct worker *w, const struct socket_mark *m)
{
	note_doubt(ws, w, NO_SLOT, NO_SLOT);
	worker_hold_on(ws, w, m);
}

void work_up_to(struct workers *ws, const struct connection *c, struct worker *w, const struct socket_mark *m)
{
	bool asks = m->flags & SOCKET_IS_OUTGOING && (m->kind == SOCKET_OUT || m->kind == SOCKET_OPEN);
	uint32_t slot = w->slot;

	note_thread(ws, w, m->ns);
	if (is_part_aside(ws, c, w, m))
		worker_note_aside(ws, w, ASIDE_PART, connection_worked_on(c), m);
	else
		worker_end_asides(w, m, false);
	if (m->kind == SOCKET_WAIT)
		worker_note_wait(ws, w);
	if (is_asking(ws, w, m)) {
		ask_on(ws, w, m);
		return;
	}
	if (!w->asides.is_on || !w->asides.is_held)
		lose_held(ws, w);
	if (asks && reads_for_later(ws, w))
		slot = asks_for(ws, w, c);
	if (c && is_of_answer(ws, c, m))
		slot = goes_on_with(ws, c, w, slot, m);
	if (c && gives_up(ws, c, w, m)) {
		slot = given_up_by(ws, c, w, m);
		w->is_amidst = slot == NO_SLOT;
	}
	if (w->asides.is_held) {
		hold_on(ws, w, m);
		return;
	}
	note_doubt(ws, w, slot, read_for(ws, c, m));
	worker_give_work(ws, w, slot, m);
	if (!w->is_amidst)
		worker_work_on(ws, w, slot);
}

void work_claim(struct workers *ws, struct connection *c, const struct socket_mark *m, struct worker *w)
{
	uint32_t answered = connection_worked_on(c), slot;
	struct ways *ways = ways_of(ws, w);
	bool is_others = is_of_others(ws, c, w), is_published = false;

	note_thread(ws, w, m->ns);
	w->has_begun_of_others |= is_others;
	ways->nr_begun_of_others += is_others;
	if (is_others || tells_of_own(ws, ways, answered, m->ns))
		count_of_late(&ways->nr_begun, &ways->nr_begun, &ways->nr_begun_of_others, ways->nr_begun);
	c->is_claimed = true;
	if (!is_others && !answers_for_others(ws, w) && worker_has_put_off(ws, w, answered))
		worker_note_aside(ws, w, ASIDE_ANSWER, answered, m);
	else
		is_published = worker_end_asides(w, m, true);
	if (w->asides.is_held && !w->asides.is_on && !is_published)
		lose_held(ws, w);
	slot = answered_by(ws, c, w, m);
	if (answered != NO_SLOT && w->slot == NO_SLOT && !is_others)
		note_unseen(w, &ws->open->slots.at[answered], m);
	if (w->asides.is_held && w->asides.is_on && !worker_is_caught_up(ws, w, answered)) {
		hold_on(ws, w, m);
		workers_note_doubt(ws, answered);
		return;
	}
	note_doubt(ws, w, slot, NO_SLOT);
	workers_note_doubt(ws, answered);
	/* Who answers before it is answered does several things at a time. */
	worker_give_asked(ws, w, w->asides.is_held && !w->asides.is_on ? answered : w->is_waiting ? NO_SLOT : slot, m);
	w->asides.is_held = false;
	worker_give_work(ws, w, slot, m);
	worker_begin_answer(ws, w, answered);
}

void work_stop(struct workers *ws, struct worker *w)
{
	note_doubt(ws, w, w->slot, NO_SLOT);
	worker_stop(ws, w);
}
