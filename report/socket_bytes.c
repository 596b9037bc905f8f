/* SPDX-License-Identifier: Apache-2.0 */
#include "report/socket_bytes.h"

#include <string.h>

#include "report/handed.h"
#include "report/http2_frames.h"
#include "report/intake.h"
#include "report/proxy_header.h"

/* What a parser's listener has to know. */
struct feeding {
	struct socket_requests *s;
	struct connection *c;
	const struct record *rec;	/* NULL: at the end */
	uint64_t ns;
	bool is_out;			/* the bytes are the server's */
	VEC(uint32_t) answered;		/* slots, by these bytes */
};

/* ---- what gets no answer ---- */

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

void socket_bytes_give_up(struct socket_requests *s, struct connection *c)
{
	size_t i;

	for (i = c->head; i < c->queue.nr; i++)
		if (c->queue.at[i] != NO_SLOT)
			give_up(s, c->queue.at[i]);
	connection_clear_queue(c);
}

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
	size_t at;

	/* By a parser that was a wrong guess. */
	if (connection_find_request(c, nr, &at))
		return;
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

/* It was, then at the latest. */
static void end_at(struct feeding *f, uint64_t nr, uint64_t ns)
{
	struct connection *c = f->c;
	struct open_request *r;
	size_t at;

	if (!connection_find_request(c, nr, &at))
		return;
	r = &f->s->open->slots.at[c->queue.at[at]];
	note_answered(f->s, r);
	handed_answered(&f->s->workers, r->slot, f->ns);
	c->is_guess &= !f->is_out || r->request.path == c->name;
	r->is_answered = true;
	r->answered_ns = c->last_out_ns > r->request.begin_ns ? c->last_out_ns : ns;
	/* A process that has ended may have read and written behind its EXIT. */
	if (r->answered_ns < r->request.begin_ns)
		r->answered_ns = r->request.begin_ns;
	vec_push(&f->answered, r->slot);
	connection_answered(c, f->s->open, at);
}

static void ended(void *self, uint64_t nr)
{
	struct feeding *f = self;

	end_at(f, nr, f->ns);
}

static void unanswered(void *self, uint64_t nr)
{
	struct feeding *f = self;

	end_at(f, nr, f->c->left_ns ? f->c->left_ns : f->ns);
}

static void skipped(void *self, uint64_t nr_bytes)
{
	struct feeding *f = self;

	f->s->nr_skipped_bytes += nr_bytes;
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

static struct exchange_listener listener_of(struct feeding *f)
{
	return (struct exchange_listener){ .self = f,
					   .may_begin = may_begin,
					   .began = began,
					   .named = named,
					   .status = status,
					   .status_unseen = status_unseen,
					   .ended = ended,
					   .unanswered = unanswered,
					   .skipped = skipped,
					   .encrypted = encrypted };
}

/* What was asked for up to here is as answered as it will be. */
static void stop_speaking(struct feeding *f)
{
	const struct exchange_listener l = listener_of(f);
	struct connection *c = f->c;

	if (!c->protocol)
		return;
	c->protocol->closed(c->parser, &l);
	socket_bytes_give_up(f->s, c);
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

/* Lines of all protocols are told from each other by fewer. */
enum { GUESSED_BY_MAX = 256 };

static bool is_too_few(const struct protocol *p, const uint8_t *bytes, size_t len)
{
	return len <= GUESSED_BY_MAX && p->recognize(bytes, len) == RECOGNIZED_MAYBE;
}

static void keep_first(struct connection *c, const struct chunk *b)
{
	size_t nr = c->guessed_by.nr;

	vec_reserve(&c->guessed_by, nr + b->len);
	memcpy(c->guessed_by.at + nr, b->bytes, b->len);
	c->guessed_by.nr += b->len;
}

/* With more bytes than the guess was made by. Whose they are has those that came before, too. */
static void guess_again(struct feeding *f, const struct chunk *b)
{
	const struct exchange_listener l = listener_of(f);
	struct connection *c = f->c;
	size_t nr = c->guessed_by.nr;
	const struct protocol *p;
	uint64_t ns = f->ns;

	keep_first(c, b);
	p = protocol_of(c->guessed_by.at, c->guessed_by.nr);
	if (p && p != c->protocol) {
		connection_guess(c, p);
		f->ns = c->guessed_ns;
		p->inbound(c->parser, &(struct chunk){ c->guessed_by.at, nr, nr }, &l);
		f->ns = ns;
	}
	if (b->total > b->len || !is_too_few(c->protocol, c->guessed_by.at, c->guessed_by.nr))
		vec_release(&c->guessed_by);
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
	if (c->guessed_by.nr)
		guess_again(f, b);
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
	if (p != &protocol_http1 && c->is_http) {
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
	if (is_guessed && b->total == b->len && is_too_few(p, b->bytes, b->len) && !c->is_http) {
		c->guessed_ns = f->ns;
		keep_first(c, b);
	}
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
	struct feeding f = { .s = s, .c = c, .rec = m->rec, .ns = m->head.ns };
	const struct exchange_listener l = listener_of(&f);
	const struct chunk own = own_bytes(c, b);

	if (c->is_opaque || !own.total)
		return;
	if (own.len)
		recognize(&f, &own);
	else
		vec_release(&c->guessed_by);
	if (c->protocol && !c->is_opaque)
		c->protocol->inbound(c->parser, &own, &l);
	else if (!own.len)
		skip_first(&f, &own);
	c->is_out = false;
	c->left_ns = 0;
	settle(&f);
}

void socket_bytes_out(struct socket_requests *s, struct connection *c, const struct mark *m)
{
	struct feeding f = { .s = s, .c = c, .rec = m->rec, .ns = m->head.ns, .is_out = true };
	const struct exchange_listener l = listener_of(&f);

	if (c->is_opaque || !m->chunk.total)
		return;
	c->last_out_ns = m->head.ns;
	c->is_out = true;
	c->left_ns = 0;
	vec_release(&c->guessed_by);
	if (c->protocol)
		c->protocol->outbound(c->parser, &m->chunk, &l);
	settle(&f);
}

void socket_bytes_close(struct socket_requests *s, struct connection *c, const struct mark *m)
{
	struct feeding f = { .s = s, .c = c, .rec = m ? m->rec : NULL, .ns = m ? m->head.ns : 0 };
	const struct exchange_listener l = listener_of(&f);

	if (c->protocol && !c->is_opaque && m)
		c->protocol->closed(c->parser, &l);
	else if (c->protocol && !c->is_opaque && c->protocol->stopped && c->is_out && c->left_ns)
		c->protocol->stopped(c->parser, &l);
	settle(&f);
	socket_bytes_give_up(s, c);
	connections_remove(&s->connections, c);
}
