/* SPDX-License-Identifier: Apache-2.0 */
#include "report/socket_bytes.h"

#include <string.h>

#include "report/handed.h"
#include "report/http1_line.h"
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
	bool is_guessed;		/* a parser has begun with bytes that were read before */
	bool has_begun;			/* a request, with these bytes */
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

/* Nobody waits for its answer, or works on it, any more. */
static void let_go(struct socket_requests *s, uint32_t slot)
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
}

/* It was given up while threads worked on it. */
static void give_up(struct socket_requests *s, uint32_t slot)
{
	let_go(s, slot);
	open_requests_close(s->open, slot, 0);
}

/* What was taken for a request is none. */
static void withdraw(struct socket_requests *s, struct connection *c, size_t at)
{
	uint32_t slot = c->queue.at[at];

	if (c->rest == slot)
		c->rest = NO_SLOT;
	let_go(s, slot);
	connection_answered(c, s->open, at);
	open_requests_withdraw(s->open, slot);
}

/* ---- the rest of a request that began before the recording ---- */

/* It does not end before it is known that it is none's rest: as if one more thread worked on it. */
static void hold_rest(struct socket_requests *s, struct connection *c, uint32_t slot)
{
	c->rest = slot;
	s->open->slots.at[slot].nr_workers++;
}

/* It was a request of its own. */
static void keep_rest(struct socket_requests *s, struct connection *c)
{
	uint32_t slot = c->rest;

	if (slot == NO_SLOT)
		return;
	c->rest = NO_SLOT;
	c->belief = BELIEF_SURE;
	s->open->slots.at[slot].nr_workers--;
	worker_close_if_over(&s->workers, slot);
}

/* The exchange behind it has not begun. */
static bool is_rest_last(const struct connection *c)
{
	return c->rest != NO_SLOT && connection_is_owing(c) && c->queue.at[c->head] == c->rest;
}

/* It was none: what follows is known to be of a protocol of which it is not the beginning. */
static void withdraw_rest(struct socket_requests *s, struct connection *c)
{
	if (is_rest_last(c)) {
		withdraw(s, c, c->head);
	} else if (c->rest != NO_SLOT) {
		let_go(s, c->rest);
		open_requests_withdraw(s->open, c->rest);
		c->rest = NO_SLOT;
	}
}

/* Lines of other protocols look like HTTP/0.9's, too: "GET /key". */
static bool is_bare(const struct connection *c)
{
	return c->protocol == &protocol_http1 && http1_is_bare(c->parser);
}

/* The protocol is what it was taken for. */
static void believe(struct socket_requests *s, struct connection *c)
{
	c->belief = BELIEF_SURE;
	withdraw_rest(s, c);
}

void socket_bytes_give_up(struct socket_requests *s, struct connection *c)
{
	size_t i;

	/* Bytes too few to say that a request has begun, and nobody has answered. */
	if (c->guessed_by.nr && connection_is_owing(c))
		withdraw(s, c, c->head);
	if (c->protocol == &protocol_unknown)
		keep_rest(s, c);
	else
		withdraw_rest(s, c);
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
	uint64_t begin_ns = c->in_since_ns ? c->in_since_ns : f->ns;
	uint32_t slot;
	size_t at;

	c->in_since_ns = 0;
	f->has_begun = true;
	/* While nobody knew whose it is; with bytes that were none of it, maybe. */
	if (connection_find_request(c, nr, &at)) {
		if (f->s->open->slots.at[c->queue.at[at]].request.begin_ns == begin_ns)
			return;
		withdraw(f->s, c, at);
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
	if (c->protocol == &protocol_unknown && c->belief == BELIEF_GUESS && c->rest == NO_SLOT)
		hold_rest(f->s, c, slot);
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
	if (f->c->protocol == &protocol_http1 && !is_bare(f->c))
		believe(s, f->c);
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
	if (f->is_out && r->request.path != c->name && !c->is_refuted)
		believe(f->s, c);
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

static void foreign(void *self)
{
	struct feeding *f = self;

	f->c->is_refuted |= f->c->belief != BELIEF_SURE;
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
					   .foreign = foreign,
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

/* It was wrong: of what it was a request of, it is known only whether it was answered. */
static void drop_guess(struct feeding *f, bool is_answered)
{
	struct connection *c = f->c;
	size_t i;

	for (i = c->head; i < c->queue.nr; i++)
		if (c->queue.at[i] != NO_SLOT)
			unname(f, &f->s->open->slots.at[c->queue.at[i]].request);
	c->nr_changes = 0;
	while (connection_is_owing(c) && is_answered)
		ended(f, c->first_nr + c->head);
	keep_rest(f->s, c);
	socket_bytes_give_up(f->s, c);
	connection_speak(c, &protocol_unknown);
	c->belief = BELIEF_SURE;
}

/* An exchange begins with these bytes: has the protocol been a wrong guess? */
static bool is_wrong(const struct connection *c, const struct chunk *b)
{
	return c->is_refuted || (c->belief != BELIEF_SURE && is_bare(c)) ||
	       (c->belief == BELIEF_GUESS && c->protocol && c->protocol->recognize(b->bytes, b->len) == RECOGNIZED_NOT);
}

/* Lines of all protocols are told from each other by fewer. */
enum { GUESSED_BY_MAX = 256 };

/* Bytes that do not tell whether they begin a request of the protocol's. Where that has begun with none, no answer tells. */
static bool is_unsure(enum recognition is, const struct chunk *b, size_t nr_kept)
{
	return is == RECOGNIZED_REST ||
	       (is == RECOGNIZED_MAYBE && nr_kept <= GUESSED_BY_MAX && b->total == b->len);
}

static void keep_first(struct connection *c, const struct chunk *b)
{
	size_t nr = c->guessed_by.nr;

	vec_reserve(&c->guessed_by, nr + b->len);
	memcpy(c->guessed_by.at + nr, b->bytes, b->len);
	c->guessed_by.nr += b->len;
}

static void speak_from_first(struct feeding *f, const struct protocol *p, size_t nr_before)
{
	const struct exchange_listener l = listener_of(f);
	struct connection *c = f->c;
	bool is_first = c->belief == BELIEF_FIRST;
	uint64_t ns = f->ns;

	f->is_guessed = true;
	if (is_rest_last(c))
		keep_rest(f->s, c);
	connection_guess(c, p);
	if (is_first && p->recognize(c->guessed_by.at, c->guessed_by.nr) == RECOGNIZED)
		c->belief = BELIEF_FIRST;
	f->ns = c->guessed_ns;
	if (nr_before)
		p->inbound(c->parser, &(struct chunk){ c->guessed_by.at, nr_before, nr_before }, &l);
	f->ns = ns;
}

static const struct protocol *guessed(const struct connection *c, enum recognition *ret_is)
{
	const struct protocol *p = protocol_of(c->guessed_by.at, c->guessed_by.nr, c->is_complete);

	*ret_is = p ? p->recognize(c->guessed_by.at, c->guessed_by.nr) : RECOGNIZED_NOT;
	return p;
}

/* A request may follow a rest, and begins with what does. */
static void forget_rest(struct feeding *f)
{
	enum recognition is;

	guessed(f->c, &is);
	if (is != RECOGNIZED_REST)
		return;
	f->c->guessed_by.nr = 0;
	f->c->guessed_ns = f->ns;
}

/* With more bytes than there were. Whose they are has those that came before, too. */
static void guess_again(struct feeding *f, const struct chunk *b)
{
	struct connection *c = f->c;
	const struct protocol *p;
	enum recognition is;
	size_t nr_before;

	forget_rest(f);
	nr_before = c->guessed_by.nr;
	keep_first(c, b);
	p = guessed(c, &is);
	if (p && is_unsure(is, b, c->guessed_by.nr))
		return;
	if (p)
		speak_from_first(f, p, nr_before);
	vec_release(&c->guessed_by);
}

/* HTTP's answer: what came first was a body's. */
static bool is_answer_to_rest(const struct connection *c, const struct chunk *b)
{
	const struct http1_line line = { .s = b->bytes, .len = b->len };

	return is_rest_last(c) && line.len && http1_line_recognize_answer(line) == RECOGNIZED;
}

static void speak(struct feeding *f, const struct protocol *p, const struct chunk *b)
{
	const struct exchange_listener l = listener_of(f);
	struct connection *c = f->c;
	bool is_first = c->is_complete && !c->protocol;

	if (c->protocol)
		c->protocol->closed(c->parser, &l);
	connection_speak(c, p);
	if (is_first && p->recognize(b->bytes, b->len) == RECOGNIZED)
		c->belief = BELIEF_FIRST;
}

/* What came in the middle of something, and is not known to be a beginning, may be the rest of a request. */
static enum belief belief_in_unknown(const struct connection *c, enum recognition maybe)
{
	bool is_between = c->is_out && maybe != RECOGNIZED_REST;

	if (c->is_complete && !c->protocol)
		return BELIEF_FIRST;
	return c->protocol || is_between ? BELIEF_SURE : BELIEF_GUESS;
}

/* p: more bytes may say that they are this one's, until they are answered; NULL: nobody's. */
static void speak_unknown(struct feeding *f, const struct protocol *p, const struct chunk *b)
{
	struct connection *c = f->c;
	enum belief belief = belief_in_unknown(c, p ? p->recognize(b->bytes, b->len) : RECOGNIZED_NOT);

	if (!c->protocol)
		connection_speak(c, &protocol_unknown);
	c->belief = belief;
	if (!p)
		return;
	c->guessed_ns = f->ns;
	keep_first(c, b);
}

/*
 * At the beginning of an exchange: whose bytes are these? What no parser has known so far is asked for
 * again: it may have begun before the recording.
 */
static void recognize(struct feeding *f, const struct chunk *b)
{
	struct connection *c = f->c;
	const struct protocol *p;

	if (c->is_out && is_wrong(c, b))
		drop_guess(f, true);
	if (c->guessed_by.nr)
		guess_again(f, b);
	if (c->protocol && (c->protocol != &protocol_unknown || !c->is_out))
		return;
	if (is_tls(b) || is_http2(c, b)) {
		c->is_opaque = true;
		f->s->nr_tls += is_tls(b);
		f->s->nr_http2 += !is_tls(b);
		withdraw_rest(f->s, c);
		stop_speaking(f);
		return;
	}
	p = protocol_of(b->bytes, b->len, c->is_complete);
	if (c->is_http) {
		if (p == &protocol_http1)
			speak(f, p, b);
		else
			c->is_opaque = c->is_complete || c->is_out;
		return;
	}
	if (p && !is_unsure(p->recognize(b->bytes, b->len), b, b->len))
		speak(f, p, b);
	else
		speak_unknown(f, p, b);
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
	/* What was a request while nobody knew whose it is is none of theirs. */
	if (f.is_guessed && !f.has_begun && connection_is_owing(c))
		withdraw(s, c, c->head);
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
	if (is_answer_to_rest(c, &m->chunk)) {
		withdraw_rest(s, c);
		connection_speak(c, NULL);
	}
	/* Nobody's answer to nobody's bytes: neither is what came before. */
	if (c->protocol == &protocol_unknown && !is_rest_last(c))
		keep_rest(s, c);
	if (c->protocol)
		c->protocol->outbound(c->parser, &m->chunk, &l);
	settle(&f);
}

void socket_bytes_close(struct socket_requests *s, struct connection *c, const struct mark *m)
{
	struct feeding f = { .s = s, .c = c, .rec = m ? m->rec : NULL, .ns = m ? m->head.ns : c->left_ns };
	const struct exchange_listener l = listener_of(&f);
	bool is_over = m || (c->is_out && c->left_ns);

	if (c->is_refuted && !c->is_opaque)
		drop_guess(&f, is_over);
	if (c->protocol && !c->is_opaque && m)
		c->protocol->closed(c->parser, &l);
	else if (c->protocol && !c->is_opaque && c->protocol->stopped && is_over)
		c->protocol->stopped(c->parser, &l);
	settle(&f);
	socket_bytes_give_up(s, c);
	connections_remove(&s->connections, c);
}
