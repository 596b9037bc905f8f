/* SPDX-License-Identifier: Apache-2.0 */
#include "report/socket_bytes.h"

#include "report/handed.h"
#include "report/proxy_header.h"
#include "report/socket_guess.h"

/* ---- a connection's requests ---- */

static void may_begin(void *self)
{
	struct feeding *f = self;

	f->c->in_since_ns = f->ns;
}

static void began(void *self, uint64_t nr)
{
	struct feeding *f = self;
	const struct record *rec = f->rec;
	struct open_request like = { .is_by_bytes = true, .nr_on_connection = nr };
	struct connection *c = f->c;
	uint64_t begin_ns = c->in_since_ns ? c->in_since_ns : f->ns;
	uint32_t slot;
	size_t at;

	c->in_since_ns = 0;
	f->has_begun = true;
	/* While nobody knew whose it is; with bytes that were none of it, maybe. */
	if (connection_find_request(c, nr, &at)) {
		if (f->s->open->slots.at[c->queue.at[at]].request.begin_ns == begin_ns)
			return;
		socket_guess_withdraw(f->s, c, at);
	}
	like.thread = session_thread(f->s->session, rec->pid, rec->tid);
	like.process = f->s->session->threads.at[like.thread].process;
	workers_get(&f->s->workers, like.thread)->nr_owed++;
	like.request = (struct request){ .path = c->name,
					 .raw_path = c->name,
					 .begin_pid = rec->pid,
					 .begin_tid = rec->tid,
					 .begin_ns = begin_ns,
					 .has_cpu = true };
	like.request.begin_epoch_ns = session_epoch_ns(f->s->session, like.request.begin_ns);
	slot = open_requests_add(f->s->open, &like)->slot;
	connection_asked(c, f->s->open, nr, slot);
	socket_guess_began(f, slot);
}

static void named(void *self, uint64_t nr, const char *method, size_t method_len, const char *path,
		  size_t path_len)
{
	struct feeding *f = self;
	struct socket_requests *s = f->s;
	struct strings *strings = s->session->strings;
	struct request *r;
	size_t at;

	if (!connection_find_request(f->c, nr, &at))
		return;
	f->c->nr_changes -= connection_changes_at(f->c, s->open, at);
	r = &s->open->slots.at[f->c->queue.at[at]].request;
	strings_drop(strings, r->method);
	r->method = strings_hold_n(strings, method, method_len);
	if (path_len) {
		request_drop_paths(r, strings);
		r->raw_path = strings_hold_n(strings, path, path_len);
		str_clear(&s->text);
		if (f->c->protocol->is_sql)
			endpoint_add_sql(&s->text, s->endpoints, path, path_len);
		else
			endpoint_add(&s->text, s->endpoints, path, path_len);
		r->path = strings_hold_n(strings, str_cstr(&s->text), s->text.len);
	}
	f->c->nr_changes += connection_changes_at(f->c, s->open, at);
	socket_guess_named(f);
}

static void status(void *self, uint64_t nr, uint32_t status)
{
	struct feeding *f = self;
	size_t at;

	if (connection_find_request(f->c, nr, &at))
		f->s->open->slots.at[f->c->queue.at[at]].request.status = status;
}

static void status_unseen(void *self, uint64_t nr)
{
	struct feeding *f = self;
	size_t at;

	f->s->nr_status_unseen += connection_find_request(f->c, nr, &at);
}

/* Whether its time on the CPU is its own. */
static void note_cpu(struct feeding *f, struct open_request *r, uint64_t nr)
{
	const struct worker *reader = workers_get(&f->s->workers, r->thread);

	r->request.is_cpu_shared |= nr <= f->c->mixed_nr || r->request.id <= reader->shared_id;
	r->request.is_cpu_joint = r->request.id <= reader->joint_id;
}

/* It was, then at the latest. */
static struct open_request *end_at(struct feeding *f, uint64_t nr, uint64_t ns)
{
	struct connection *c = f->c;
	uint64_t last_out_ns = f->is_out ? f->ns : c->last_out_ns;
	struct open_request *r;
	size_t at;

	if (!connection_find_request(c, nr, &at))
		return NULL;
	r = &f->s->open->slots.at[c->queue.at[at]];
	workers_note_answered(&f->s->workers, r);
	handed_answered(&f->s->workers, r->slot, f->ns);
	socket_guess_answered(f, r);
	r->is_answered = true;
	note_cpu(f, r, nr);
	r->answered_ns = last_out_ns > r->request.begin_ns ? last_out_ns : ns;
	/* A process that has ended may have read and written behind its EXIT. */
	if (r->answered_ns < r->request.begin_ns)
		r->answered_ns = r->request.begin_ns;
	vec_push(&f->answered, r->slot);
	connection_answered(c, f->s->open, at);
	return r;
}

static void ended(void *self, uint64_t nr)
{
	struct feeding *f = self;

	end_at(f, nr, f->ns);
}

/* What was done since then may have been for those behind it. */
static void ended_before(void *self, uint64_t nr)
{
	struct feeding *f = self;
	struct open_request *r;

	connection_mix(f->c);
	r = end_at(f, nr, f->ns);
	if (r && f->c->last_out_ns > r->request.begin_ns)
		r->answered_ns = f->c->last_out_ns;
}

static void unanswered(void *self, uint64_t nr)
{
	struct feeding *f = self;

	end_at(f, nr, f->c->left_ns ? f->c->left_ns : f->ns);
}

static void end_unseen(void *self, uint64_t nr)
{
	struct feeding *f = self;
	struct open_request *r = end_at(f, nr, f->ns);

	if (r)
		r->request.is_end_unseen = true;
}

/* It stays open, as if one more thread worked on it. */
static void over(void *self, uint64_t nr)
{
	struct feeding *f = self;
	struct open_request *r = end_at(f, nr, f->ns);

	if (!r)
		return;
	r->nr_workers++;
	vec_push(&f->c->over, r->slot);
}

/* What was done for it since then was taken for the work on what waits now. */
static void leave_end_unseen(struct feeding *f, uint32_t slot)
{
	struct request *r = &f->s->open->slots.at[slot].request;

	r->is_end_unseen = true;
	r->is_cpu_shared = true;
}

static void not_over(void *self)
{
	struct feeding *f = self;

	vec_each(&f->c->over, slot)
		leave_end_unseen(f, *slot);
	vec_each(&f->answered, slot)
		leave_end_unseen(f, *slot);
	connection_mix(f->c);
}

/* Nobody knows for which of the two it was what was done since another one was read, and taken for that one's. */
static void goes_on(void *self, uint64_t nr)
{
	struct feeding *f = self;
	struct connection *c = f->c;
	uint32_t asked = connection_worked_on(c), slot = c->over.nr ? *vec_last(&c->over) : NO_SLOT;
	struct open_request *r;

	if (slot == NO_SLOT || f->s->open->slots.at[slot].nr_on_connection != nr)
		return;
	c->over.nr--;
	if (asked != NO_SLOT) {
		open_requests_give(f->s->open, asked, NO_SLOT);
		f->s->open->slots.at[asked].request.is_cpu_shared = true;
	}
	r = &f->s->open->slots.at[slot];
	r->nr_workers--;
	r->is_answered = false;
	r->request.is_cpu_shared = true;
	workers_get(&f->s->workers, r->thread)->nr_owed++;
	workers_get(&f->s->workers, r->thread)->nr_begun += r->is_begun;
	connection_reopened(c, f->s->open, slot);
	connection_mix(c);
}

static void skipped(void *self, uint64_t nr_bytes)
{
	struct feeding *f = self;

	f->s->nr_skipped_bytes += nr_bytes;
}

static void foreign(void *self)
{
	struct feeding *f = self;

	socket_guess_refuted(f->c);
}

static void encrypted(void *self)
{
	struct feeding *f = self;

	f->c->is_opaque = true;
	f->s->nr_tls++;
}

/* Requests that one write answered were worked on together. */
static void share_cpu(struct socket_requests *s, const uint32_t *slots, size_t nr)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		sum += s->open->slots.at[slots[i]].request.cpu_ns;
	for (i = 0; i < nr; i++)
		s->open->slots.at[slots[i]].request.cpu_ns = sum / nr + (i < sum % nr);
}

/* ---- bytes to parsers ---- */

static struct exchange_listener listener_of(struct feeding *f)
{
	return (struct exchange_listener){ .self = f,
					   .may_begin = may_begin,
					   .began = began,
					   .named = named,
					   .status = status,
					   .status_unseen = status_unseen,
					   .ended = ended,
					   .ended_before = ended_before,
					   .unanswered = unanswered,
					   .end_unseen = end_unseen,
					   .over = over,
					   .not_over = not_over,
					   .goes_on = goes_on,
					   .skipped = skipped,
					   .foreign = foreign,
					   .encrypted = encrypted };
}

/* After the bytes: who was answered by them is shared out, and closed if nobody works on it. */
static void settle(struct feeding *f)
{
	if (f->answered.nr > 1)
		share_cpu(f->s, f->answered.at, f->answered.nr);
	vec_each(&f->answered, slot)
		worker_close_if_over(&f->s->workers, *slot);
	vec_release(&f->answered);
	if (f->c->nr_changes)
		connection_mix(f->c);
}

/* Without what a proxy sent ahead of a connection's own bytes. */
static struct chunk own_bytes(struct connection *c, const struct chunk *b)
{
	size_t nr = c->is_complete && !c->has_read && b->len ? proxy_header_len(b->bytes, b->len) : 0;
	struct chunk own = *b;

	if (nr > b->len)
		nr = b->len;
	if (nr)
		own.bytes += nr;
	own.len -= nr;
	own.total -= nr;
	c->has_read |= own.total;
	return own;
}

/* Nobody knows what they speak, but an exchange begins with them: not one that began before the recording. */
static void skip_first(struct feeding *f, const struct chunk *b)
{
	if (f->c->is_out || f->c->is_complete)
		skipped(f, b->total);
}

void socket_bytes_in(struct socket_requests *s, struct connection *c, const struct mark *m,
		    const struct chunk *b)
{
	struct feeding f = { .s = s, .c = c, .rec = m->rec, .ns = m->head.ns, .listener = listener_of(&f) };
	const struct chunk own = own_bytes(c, b);

	if (c->is_opaque || !own.total)
		return;
	socket_guess_in(&f, &own);
	if (c->protocol && !c->is_opaque)
		c->protocol->inbound(c->parser, &own, &f.listener);
	else if (!own.len)
		skip_first(&f, &own);
	/* What was a request while nobody knew whose it is is none of theirs. */
	if (f.is_guessed && !f.has_begun && connection_is_owing(c))
		socket_guess_withdraw(s, c, c->head);
	c->is_out = false;
	c->left_ns = 0;
	settle(&f);
}

void socket_bytes_out(struct socket_requests *s, struct connection *c, const struct mark *m)
{
	struct feeding f = { .s = s, .c = c, .rec = m->rec, .ns = m->head.ns, .is_out = true,
			     .listener = listener_of(&f) };

	if (c->is_opaque || !m->chunk.total)
		return;
	c->is_out = true;
	c->left_ns = 0;
	socket_guess_out(&f, &m->chunk);
	if (c->protocol)
		c->protocol->outbound(c->parser, &m->chunk, &f.listener);
	c->last_out_ns = m->head.ns;
	settle(&f);
	socket_guess_close_over(s, c);
}

static void cut_off(const struct feeding *f)
{
	const struct connection *c = f->c;

	if (c->protocol && !c->is_opaque && c->protocol->cut_off)
		c->protocol->cut_off(c->parser, &f->listener);
}

void socket_bytes_lose(struct socket_requests *s, struct connection *c)
{
	struct feeding f = { .s = s, .c = c, .listener = listener_of(&f) };

	cut_off(&f);
	socket_guess_give_up(s, c);
	connection_speak(c, NULL);
}

/*
 * What nothing has answered to its end: who works for it with no mark to tell may do the rest behind the close, of which a
 * task of asyncio's is told then.
 */
static void doubt_given_up(const struct socket_requests *s, const struct connection *c, const struct worker *w)
{
	size_t i;

	if (!s->workers.has_calls || !(w->is_woken || w->goes_on_unseen))
		return;
	for (i = c->head; i < c->queue.nr; i++)
		if (c->queue.at[i] != NO_SLOT)
			open_request_doubt(&s->open->slots.at[c->queue.at[i]], CALLS_OF_ANY);
}

void socket_bytes_close(struct socket_requests *s, struct connection *c, const struct mark *m)
{
	struct feeding f = { .s = s, .c = c, .rec = m ? m->rec : NULL, .ns = m ? m->head.ns : c->left_ns,
			     .listener = listener_of(&f) };
	bool is_over = m || (c->is_out && c->left_ns);

	if (c->is_refuted && !c->is_opaque)
		socket_guess_drop(&f, is_over);
	if (c->protocol && !c->is_opaque && m)
		c->protocol->closed(c->parser, &f.listener);
	else if (c->protocol && !c->is_opaque && c->protocol->stopped && is_over)
		c->protocol->stopped(c->parser, &f.listener);
	if (!m)
		cut_off(&f);
	settle(&f);
	if (f.rec)
		doubt_given_up(s, c, workers_get(&s->workers, session_thread(s->session, f.rec->pid, f.rec->tid)));
	socket_guess_give_up(s, c);
	connections_remove(&s->connections, c);
}
