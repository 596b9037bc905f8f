/* SPDX-License-Identifier: Apache-2.0 */
#include "report/socket_requests.h"

#include <string.h>

#include "recording/socket_marks.h"
#include "report/http2_frames.h"
#include "report/intake.h"

/* One mark of a sample. */
struct mark {
	struct socket_mark head;
	struct chunk chunk;
	const struct record *rec;
};

/* What a parser's listener has to know. */
struct feeding {
	struct socket_requests *s;
	struct connection *c;
	const struct record *rec;	/* NULL: at the end */
	uint64_t ns;
	bool is_out;			/* the bytes are the server's */
	VEC(uint32_t) answered;		/* slots, by these bytes */
};

void socket_requests_init(struct socket_requests *s, struct session *session,
			  const struct endpoint_options *endpoints, struct open_requests *open)
{
	*s = (struct socket_requests){ .session = session, .endpoints = endpoints, .open = open };
	s->workers.session = session;
	s->workers.open = open;
}

void socket_requests_release(struct socket_requests *s)
{
	connections_release(&s->connections);
	workers_release(&s->workers);
	vec_release(&s->ended);
	str_release(&s->text);
}

/* ---- who works on what ---- */

/* It waits no more for its answer. */
static void note_answered(struct socket_requests *s, const struct open_request *r)
{
	struct worker *reader = workers_get(&s->workers, r->thread);

	/* A thread that is new has the place of one that has ended. */
	reader->nr_owed -= reader->nr_owed > 0;
}

/* It was given up while threads worked on it. */
static void give_up(struct socket_requests *s, uint32_t slot)
{
	if (!s->open->slots.at[slot].is_answered)
		note_answered(s, &s->open->slots.at[slot]);
	if (s->open->slots.at[slot].nr_workers)
		vec_each(&s->workers.all, w)
			if (w->slot == slot) {
				worker_give_held(&s->workers, w, slot);
				w->slot = NO_SLOT;
			}
	s->open->slots.at[slot].nr_workers = 0;
	open_requests_close(s->open, slot, 0);
}

static void give_up_all(struct socket_requests *s, struct connection *c)
{
	size_t i;

	for (i = c->head; i < c->queue.nr; i++)
		if (c->queue.at[i] != NO_SLOT)
			give_up(s, c->queue.at[i]);
	connection_clear_queue(c);
}

/* ---- a connection's requests ---- */

static void began(void *self, uint64_t nr)
{
	struct feeding *f = self;
	const struct record *rec = f->rec;
	struct open_request like = { .is_by_bytes = true, .nr_on_connection = nr };
	struct connection *c = f->c;

	like.thread = session_thread(f->s->session, rec->pid, rec->tid);
	like.process = f->s->session->threads.at[like.thread].process;
	workers_get(&f->s->workers, like.thread)->nr_owed++;
	like.request = (struct request){ .path = c->name,
					 .raw_path = c->name,
					 .begin_pid = rec->pid,
					 .begin_tid = rec->tid,
					 .begin_ns = c->in_since_ns ? c->in_since_ns : f->ns,
					 .has_cpu = true };
	like.request.begin_epoch_ns = session_epoch_ns(f->s->session, like.request.begin_ns);
	c->in_since_ns = 0;
	connection_asked(c, f->s->open, nr, open_requests_add(f->s->open, &like)->slot);
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
		endpoint_add(&s->text, s->endpoints, path, path_len);
		r->path = strings_hold_n(strings, str_cstr(&s->text), s->text.len);
	}
	f->c->nr_changes += connection_changes_at(f->c, s->open, at);
	/* Nobody else has a line like it. */
	f->c->is_guess &= f->c->protocol != &protocol_http1;
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

static void ended(void *self, uint64_t nr)
{
	struct feeding *f = self;
	struct connection *c = f->c;
	struct open_request *r;
	size_t at;

	if (!connection_find_request(c, nr, &at))
		return;
	r = &f->s->open->slots.at[c->queue.at[at]];
	note_answered(f->s, r);
	c->is_guess &= !f->is_out || r->request.path == c->name;
	r->is_answered = true;
	r->answered_ns = c->last_out_ns > r->request.begin_ns ? c->last_out_ns : f->ns;
	/* A process that has ended may have read and written behind its EXIT. */
	if (r->answered_ns < r->request.begin_ns)
		r->answered_ns = r->request.begin_ns;
	vec_push(&f->answered, r->slot);
	connection_answered(c, f->s->open, at);
}

static void skipped(void *self, uint64_t nr_bytes)
{
	struct feeding *f = self;

	f->s->nr_skipped_bytes += nr_bytes;
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

/* A record: u8 type; u8 3; u8 minor version; be16 length (RFC 8446, 5.1; RFC 5246, 6.2.3). */
enum { TLS_HANDSHAKE = 0x16, TLS_DATA = 0x17, TLS_MAJOR = 3, TLS_MINOR_MAX = 4, TLS_MAX = (1 << 14) + 2048 };

static bool is_tls(const struct chunk *b)
{
	if (b->len < 2 || (b->bytes[0] != TLS_HANDSHAKE && b->bytes[0] != TLS_DATA) || b->bytes[1] != TLS_MAJOR)
		return false;
	return (b->len < 3 || b->bytes[2] <= TLS_MINOR_MAX) && (b->len < 5 || load_be16(b->bytes + 3) <= TLS_MAX);
}

/* Who was not there at the connection's beginning has not seen the preface. */
static bool is_http2(const struct connection *c, const struct chunk *b)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n";

	if (b->len >= sizeof(preface) - 1 && !memcmp(b->bytes, preface, sizeof(preface) - 1))
		return true;
	return !c->is_complete && http2_frames_recognize(b) == RECOGNIZED;
}

static bool wants_http_only(const struct socket_requests *s)
{
	vec_each(&s->session->markers, m)
		if (m->flags & MARKER_IS_SOCKETS && !(m->flags & MARKER_IS_HTTP))
			return false;
	return s->session->markers.nr;
}

static bool has_marks(const struct socket_requests *s)
{
	vec_each(&s->session->markers, m)
		if (m->flags & MARKER_IS_SOCKETS)
			return true;
	return false;
}

static struct exchange_listener listener_of(struct feeding *f)
{
	return (struct exchange_listener){ .self = f,
					   .began = began,
					   .named = named,
					   .status = status,
					   .status_unseen = status_unseen,
					   .ended = ended,
					   .skipped = skipped };
}

/* What was asked for up to here is as answered as it will be. */
static void stop_speaking(struct feeding *f)
{
	const struct exchange_listener l = listener_of(f);
	struct connection *c = f->c;

	if (!c->protocol)
		return;
	c->protocol->closed(c->parser, &l);
	give_up_all(f->s, c);
	connection_speak(c, NULL);
}

static void unname(const struct feeding *f, struct request *r)
{
	strings_drop(f->s->session->strings, r->method);
	request_drop_paths(r, f->s->session->strings);
	r->method = 0;
	r->path = r->raw_path = f->c->name;
	r->status = 0;
}

/* It was wrong: of what it was a request of, it is known only that it was answered. */
static void drop_guess(struct feeding *f)
{
	struct connection *c = f->c;
	size_t i;

	for (i = c->head; i < c->queue.nr; i++)
		if (c->queue.at[i] != NO_SLOT)
			unname(f, &f->s->open->slots.at[c->queue.at[i]].request);
	c->nr_changes = 0;
	while (connection_is_owing(c))
		ended(f, c->first_nr + c->head);
	connection_speak(c, &protocol_unknown);
}

static bool is_guess(const struct connection *c, const struct protocol *p, const struct chunk *b)
{
	bool is_first = c->is_complete && !c->protocol;

	return !is_first || p->recognize(b->bytes, b->len) != RECOGNIZED;
}

/*
 * At the beginning of an exchange: whose bytes are these? What no parser has known so far is asked for
 * again: it may have begun before the recording.
 */
static void recognize(struct feeding *f, const struct chunk *b)
{
	struct connection *c = f->c;
	const struct exchange_listener l = listener_of(f);
	const struct protocol *p;
	bool is_guessed;

	if (c->is_guess && c->is_out && c->protocol->recognize(b->bytes, b->len) == RECOGNIZED_NOT)
		drop_guess(f);
	if (c->protocol && (c->protocol != &protocol_unknown || !c->is_out))
		return;
	if (is_tls(b) || is_http2(c, b)) {
		c->is_opaque = true;
		f->s->nr_tls += is_tls(b);
		f->s->nr_http2 += !is_tls(b);
		stop_speaking(f);
		return;
	}
	p = protocol_of(b->bytes, b->len);
	if (p != &protocol_http1 && wants_http_only(f->s)) {
		c->is_opaque = c->is_complete || c->is_out;
		return;
	}
	/* Of what came in the middle of something, nobody knows where the next begins. */
	if (!p && !c->is_complete && !c->is_out)
		return;
	is_guessed = p && is_guess(c, p, b);
	if (c->protocol == &protocol_unknown && p)
		c->protocol->closed(c->parser, &l);
	if (p || !c->protocol)
		connection_speak(c, p ? p : &protocol_unknown);
	c->is_guess = is_guessed;
}

/* After the bytes: who was answered by them is shared out, and closed if nobody works on it. */
static void settle(struct feeding *f)
{
	if (f->answered.nr > 1)
		share_cpu(f->s, f->answered.at, f->answered.nr);
	vec_each(&f->answered, slot)
		worker_close_if_over(&f->s->workers, *slot);
	vec_release(&f->answered);
}

/* Bytes that begin a request, as far as they go. */
static bool may_begin(const struct connection *c, const struct chunk *b)
{
	enum recognition is = c->protocol ? c->protocol->recognize(b->bytes, b->len) : RECOGNIZED_NOT;

	return is == RECOGNIZED || is == RECOGNIZED_MAYBE;
}

static void feed_in(struct socket_requests *s, struct connection *c, const struct mark *m,
		    const struct chunk *b)
{
	struct feeding f = { .s = s, .c = c, .rec = m->rec, .ns = m->head.ns };
	const struct exchange_listener l = listener_of(&f);

	if (c->is_opaque || !b->total)
		return;
	if (b->len)
		recognize(&f, b);
	if (!connection_is_owing(c) && !c->in_since_ns && may_begin(c, b))
		c->in_since_ns = m->head.ns;
	if (c->protocol && !c->is_opaque)
		c->protocol->inbound(c->parser, b, &l);
	c->is_out = false;
	settle(&f);
}

static void feed_out(struct socket_requests *s, struct connection *c, const struct mark *m)
{
	struct feeding f = { .s = s, .c = c, .rec = m->rec, .ns = m->head.ns, .is_out = true };
	const struct exchange_listener l = listener_of(&f);

	if (c->is_opaque || !m->chunk.total)
		return;
	c->in_since_ns = 0;
	c->last_out_ns = m->head.ns;
	c->is_out = true;
	if (c->protocol)
		c->protocol->outbound(c->parser, &m->chunk, &l);
	settle(&f);
}

/* ---- connections ---- */

/* What its end completes is answered; what then still waits for an answer gets none. m NULL: at the end. */
static void close_connection(struct socket_requests *s, struct connection *c, const struct mark *m)
{
	struct feeding f = { .s = s, .c = c, .rec = m ? m->rec : NULL, .ns = m ? m->head.ns : 0 };
	const struct exchange_listener l = listener_of(&f);

	if (c->protocol && !c->is_opaque && m) {
		c->protocol->closed(c->parser, &l);
		settle(&f);
	}
	give_up_all(s, c);
	connections_remove(&s->connections, c);
}

/* ---- marks ---- */

/* The mark is of the first bytes of an answer: who writes them has worked on that. */
static bool begins_answer(const struct connection *c, const struct mark *m)
{
	return m->head.kind == SOCKET_OUT && !c->is_outgoing && !c->is_claimed && connection_is_owing(c);
}

static void take_served(struct socket_requests *s, struct connection *c, const struct mark *m,
			struct worker *w)
{
	if (m->head.kind == SOCKET_IN) {
		feed_in(s, c, m, &m->chunk);
		worker_work_on(&s->workers, w,
			       work_reads_for_others(&s->workers, w) ? NO_SLOT : connection_worked_on(c));
		worker_let_wait(&s->workers, w, connection_worked_on(c));
		return;
	}
	if (connection_is_owing(c))
		worker_work_on(&s->workers, w, connection_worked_on(c));
	feed_out(s, c, m);
	/* The next of several that came at once; else what was answered is cleaned up after. */
	if (connection_is_owing(c))
		worker_work_on(&s->workers, w, connection_worked_on(c));
}

static void take_outgoing(struct socket_requests *s, struct connection *c, const struct mark *m,
			  struct worker *w)
{
	if (w->peer) {
		connection_disown(c);
		return;
	}
	if (m->head.kind == SOCKET_OUT && w->slot != NO_SLOT)
		connection_own(c, s->open, w->slot);
	if (connection_owner(c, s->open) != NO_SLOT)
		worker_work_on(&s->workers, w, connection_owner(c, s->open));
}

static struct connection *add_connection(struct socket_requests *s, const struct mark *m)
{
	struct connection *c =
		connections_add(&s->connections, &m->head, strings_id(s->session->strings, "tcp"));

	s->nr_served += !c->is_outgoing;
	return c;
}

static void open_connection(struct socket_requests *s, const struct mark *m, struct worker *w)
{
	struct connection *c = connections_find(&s->connections, m->head.conn);
	struct socket_name name = { 0 };

	/* Told of twice: the kernel's memory of it was needed for others. */
	if (!c)
		c = add_connection(s, m);
	c->pid = m->rec->pid;
	memcpy(&name, m->chunk.bytes, m->chunk.len < sizeof(name) ? m->chunk.len : sizeof(name));
	/* Only requests are called by it, and an outgoing one's port is any. */
	if (c->is_outgoing && !w->peer)
		connection_own(c, s->open, w->slot);
	if (!c->is_outgoing)
		connection_set_name(c, &name, s->session->strings, &s->text);
}

static void take_transfer(struct socket_requests *s, const struct mark *m, struct worker *w)
{
	struct connection *c = connections_find(&s->connections, m->head.conn);
	/* What was added up in the kernel happened before the mark that brings it. */
	const struct chunk more = { .total = m->head.more_in_bytes };

	/* Its first mark was lost, or stood before the recording's first record. */
	if (!c && m->head.kind != SOCKET_CLOSE)
		c = add_connection(s, m);
	if (c && (m->head.kind == SOCKET_IN || more.total)) {
		c->reader = worker_thread(&s->workers, w);
		c->is_claimed = false;
	}
	if (c && !c->is_outgoing)
		feed_in(s, c, m, &more);
	if (c && begins_answer(c, m))
		work_claim(&s->workers, c, &m->head, w);
	else
		work_up_to(&s->workers, c, w, &m->head);
	if (!c)
		return;
	c->pid = m->rec->pid;
	if (m->head.kind == SOCKET_CLOSE)
		close_connection(s, c, m);
	else if (c->is_outgoing)
		take_outgoing(s, c, m, w);
	else
		take_served(s, c, m, w);
}

static void take(struct socket_requests *s, const struct mark *m, struct worker *w)
{
	s->nr_data_lost += !!(m->head.flags & SOCKET_DATA_LOST);
	worker_note_turn(w, &m->head);
	if (m->head.kind == SOCKET_IN || m->head.kind == SOCKET_OUT || m->head.kind == SOCKET_CLOSE)
		take_transfer(s, m, w);
	else
		work_up_to(&s->workers, NULL, w, &m->head);
	if (m->head.kind == SOCKET_OPEN)
		open_connection(s, m, w);
	if (m->head.kind == SOCKET_WAIT || m->head.flags & SOCKET_IS_LEFT)
		worker_work_on(&s->workers, w, NO_SLOT);
}

/* ---- connections that nobody closes ---- */

/* Sockets are closed by the last one that has them, which may be behind its EXIT. */
#define LAST_MARK_NS (50 * 1000 * 1000ULL)

static void close_all_of(struct socket_requests *s, const struct ended_process *p)
{
	const struct mark m = { .head.ns = p->ns };
	size_t i;

	for (i = 0; i < s->connections.all.nr; i++)
		if (s->connections.all.at[i] && s->connections.all.at[i]->pid == p->pid)
			close_connection(s, s->connections.all.at[i], &m);
}

/*
 * The kernel closes what a process has not, and no call tells. Where another process has such a connection,
 * too, it is met again.
 */
static void close_left_behind(struct socket_requests *s, uint64_t now_ns)
{
	size_t nr = 0;

	while (nr < s->ended.nr && now_ns > s->ended.at[nr].ns + LAST_MARK_NS)
		close_all_of(s, &s->ended.at[nr++]);
	if (!nr)
		return;
	s->ended.nr -= nr;
	memmove(s->ended.at, s->ended.at + nr, s->ended.nr * sizeof(*s->ended.at));
}

/* ---- marks as they come ---- */

/* Marks may be among what was lost: nothing that is known of a connection is sure any more. */
static void lost(struct socket_requests *s)
{
	vec_each(&s->workers.all, w)
		worker_stop(&s->workers, w);
	vec_each(&s->connections.all, it) {
		struct connection *c = *it;

		if (!c)
			continue;
		give_up_all(s, c);
		connection_speak(c, NULL);
		c->is_complete = c->is_out = false;
	}
}

bool socket_requests_mark(struct socket_requests *s, const struct record *rec)
{
	struct cursor c = cursor_of(rec->sample.raw, rec->sample.raw_len);
	struct mark m = { .rec = rec };
	uint32_t thread;

	if (!socket_marks_next(&c, &m.head, &m.chunk.bytes))
		return false;
	m.chunk.len = m.head.len;
	m.chunk.total = m.head.bytes < m.head.len ? m.head.len : m.head.bytes;
	close_left_behind(s, rec->time);
	if (m.head.kind == SOCKET_LOST) {
		lost(s);
		return true;
	}
	thread = session_thread(s->session, rec->pid, rec->tid);
	take(s, &m, workers_get(&s->workers, thread));
	/* Sockets are closed behind their thread's end. */
	if (s->session->threads.at[thread].is_ended)
		worker_stop(&s->workers, workers_get(&s->workers, thread));
	return true;
}

/* ---- other ends ---- */

static void thread_ended(struct socket_requests *s, const struct record *rec)
{
	uint32_t thread = session_find_thread(s->session, rec->pid, rec->tid);

	if (thread == UINT32_MAX)
		return;
	if (thread < s->workers.all.nr) {
		worker_stop(&s->workers, &s->workers.all.at[thread]);
		worker_renew(&s->workers.all.at[thread]);
	}
	if (rec->type == PERF_RECORD_EXIT && session_is_last_thread(s->session, thread))
		vec_push(&s->ended, (struct ended_process){ rec->pid, rec->time });
}

void socket_requests_record(struct socket_requests *s, const struct record *rec)
{
	if (rec->time)
		close_left_behind(s, rec->time);
	if (rec->type == PERF_RECORD_LOST)
		lost(s);
	else if (rec->type == PERF_RECORD_EXIT || rec->type == PERF_RECORD_FORK)
		thread_ended(s, rec);
}

/* The scheduler's sum of a new thread's time begins with 0 (Linux: kernel/sched/core.c, __sched_fork()). */
void socket_requests_thread_began(struct socket_requests *s, uint32_t thread)
{
	struct worker *w;

	if (!has_marks(s))
		return;
	w = workers_get(&s->workers, thread);
	w->is_known = true;
	w->cpu_ns = 0;
}

uint32_t socket_requests_of(const struct socket_requests *s, uint32_t thread)
{
	return thread < s->workers.all.nr ? s->workers.all.at[thread].slot : NO_SLOT;
}

uint32_t socket_requests_hold(struct socket_requests *s, uint32_t thread)
{
	struct held_samples *h = worker_hold(&s->workers, thread, false);

	if (!h)
		return socket_requests_of(s, thread);
	h->nr_samples++;
	return h->slot;
}

uint32_t socket_requests_hold_calls(struct socket_requests *s, uint32_t thread)
{
	struct held_samples *h = worker_hold(&s->workers, thread, true);

	if (thread < s->workers.all.nr)
		s->workers.all.at[thread].has_calls = true;
	return h ? h->slot : socket_requests_of(s, thread);
}

void socket_requests_finish(struct socket_requests *s)
{
	size_t i;

	vec_each(&s->workers.all, w)
		worker_stop(&s->workers, w);
	vec_each(&s->ended, p)
		close_all_of(s, p);
	for (i = 0; i < s->connections.all.nr; i++)
		if (s->connections.all.at[i])
			close_connection(s, s->connections.all.at[i], NULL);
}
