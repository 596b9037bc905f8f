/* SPDX-License-Identifier: Apache-2.0 */
#include "report/socket_guess.h"

#include <string.h>

#include "report/http1_line.h"
#include "report/http2_frames.h"
#include "report/intake.h"

/* ---- what gets no answer ---- */

/* It was given up while threads worked on it. */
static void give_up(struct socket_requests *s, uint32_t slot)
{
	workers_let_go(&s->workers, slot);
	open_requests_close(s->open, slot, 0);
}

void socket_guess_withdraw(struct socket_requests *s, struct connection *c, size_t at)
{
	uint32_t slot = c->queue.at[at];

	if (c->rest == slot)
		c->rest = NO_SLOT;
	workers_let_go(&s->workers, slot);
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
		socket_guess_withdraw(s, c, c->head);
	} else if (c->rest != NO_SLOT) {
		workers_let_go(&s->workers, c->rest);
		open_requests_withdraw(s->open, c->rest);
		c->rest = NO_SLOT;
	}
}

void socket_guess_close_over(struct socket_requests *s, struct connection *c)
{
	vec_each(&c->over, slot) {
		s->open->slots.at[*slot].nr_workers--;
		worker_close_if_over(&s->workers, *slot);
	}
	c->over.nr = 0;
}

void socket_guess_give_up(struct socket_requests *s, struct connection *c)
{
	size_t i;

	socket_guess_close_over(s, c);
	/* Bytes too few to say that a request has begun, and nobody has answered. */
	if (c->guessed_by.nr && connection_is_owing(c))
		socket_guess_withdraw(s, c, c->head);
	if (c->protocol == &protocol_unknown)
		keep_rest(s, c);
	else
		withdraw_rest(s, c);
	for (i = c->head; i < c->queue.nr; i++)
		if (c->queue.at[i] != NO_SLOT)
			give_up(s, c->queue.at[i]);
	connection_clear_queue(c);
}

/* ---- what its requests say of it ---- */

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

void socket_guess_began(struct feeding *f, uint32_t slot)
{
	struct connection *c = f->c;

	if (c->protocol == &protocol_unknown && c->belief == BELIEF_GUESS && c->rest == NO_SLOT)
		hold_rest(f->s, c, slot);
}

void socket_guess_named(struct feeding *f)
{
	/* Nobody else has a line like it. */
	if (f->c->protocol == &protocol_http1 && !is_bare(f->c))
		believe(f->s, f->c);
}

void socket_guess_answered(struct feeding *f, const struct open_request *r)
{
	if (f->is_out && r->request.path != f->c->name && !f->c->is_refuted)
		believe(f->s, f->c);
}

void socket_guess_refuted(struct connection *c)
{
	/* Some servers of HTTP answer so, too: what is asked for next tells. */
	if (c->protocol == &protocol_http1) {
		c->belief = BELIEF_GUESS;
		return;
	}
	c->is_refuted |= c->belief != BELIEF_SURE || (c->protocol && c->protocol->is_never_sure);
}

/* ---- whose bytes are these? ---- */

/* A record: u8 type; u8 3; u8 minor version; be16 length (RFC 8446, 5.1; RFC 5246, 6.2.3). */
enum { TLS_HANDSHAKE = 0x16, TLS_DATA = 0x17, TLS_MAJOR = 3, TLS_MINOR_MAX = 4, TLS_MAX = (1 << 14) + 2048 };

static bool is_tls(const struct chunk *b)
{
	if (b->len < 2 || (b->bytes[0] != TLS_HANDSHAKE && b->bytes[0] != TLS_DATA) || b->bytes[1] != TLS_MAJOR)
		return false;
	return (b->len < 3 || b->bytes[2] <= TLS_MINOR_MAX) && (b->len < 5 || load_be16(b->bytes + 3) <= TLS_MAX);
}

static bool is_preface(const struct chunk *b)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n";

	return b->len >= sizeof(preface) - 1 && !memcmp(b->bytes, preface, sizeof(preface) - 1);
}

/* Who was not there at the connection's beginning has not seen the preface. */
static bool is_http2(const struct connection *c, const struct chunk *b)
{
	return is_preface(b) || (!c->is_complete && http2_frames_recognize(b) == RECOGNIZED);
}

/* By an upgrade, or a tunnel. */
static bool is_switched(const struct connection *c)
{
	return c->protocol == &protocol_http1 && http1_is_switched(c->parser);
}

/* What was asked for up to here is as answered as it will be. */
static void stop_speaking(struct feeding *f)
{
	struct connection *c = f->c;

	if (!c->protocol)
		return;
	c->protocol->closed(c->parser, &f->listener);
	socket_guess_give_up(f->s, c);
	connection_speak(c, NULL);
}

/* Nothing more can be known of it; nr: of connections of its kind. */
static void turn_opaque(struct feeding *f, uint64_t *nr)
{
	f->c->is_opaque = true;
	++*nr;
	withdraw_rest(f->s, f->c);
	stop_speaking(f);
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
void socket_guess_drop(struct feeding *f, bool is_answered)
{
	struct connection *c = f->c;
	size_t i;

	for (i = c->head; i < c->queue.nr; i++)
		if (c->queue.at[i] != NO_SLOT)
			unname(f, &f->s->open->slots.at[c->queue.at[i]].request);
	c->nr_changes = 0;
	while (connection_is_owing(c) && is_answered)
		f->listener.ended(f->listener.self, c->first_nr + c->head);
	keep_rest(f->s, c);
	socket_guess_give_up(f->s, c);
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
		p->inbound(c->parser, &(struct chunk){ c->guessed_by.at, nr_before, nr_before }, &f->listener);
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

static void speak(struct feeding *f, const struct protocol *p, const struct chunk *b)
{
	struct connection *c = f->c;
	bool is_first = c->is_complete && !c->protocol;

	if (c->protocol)
		c->protocol->closed(c->parser, &f->listener);
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
		socket_guess_drop(f, true);
	if (c->guessed_by.nr)
		guess_again(f, b);
	if (c->protocol && (c->protocol != &protocol_unknown || !c->is_out))
		return;
	if (is_tls(b) || is_http2(c, b)) {
		turn_opaque(f, is_tls(b) ? &f->s->nr_tls : &f->s->nr_http2);
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

void socket_guess_in(struct feeding *f, const struct chunk *b)
{
	/* To HTTP/2 by Upgrade: h2c (RFC 7540, 3.2). */
	if (is_switched(f->c))
		turn_opaque(f, is_preface(b) ? &f->s->nr_http2 : &f->s->nr_switched);
	else if (b->len)
		recognize(f, b);
	else
		vec_release(&f->c->guessed_by);
}

/* HTTP's answer: what came first was a body's. */
static bool is_answer_to_rest(const struct connection *c, const struct chunk *b)
{
	const struct http1_line line = { .s = b->bytes, .len = b->len };

	return is_rest_last(c) && line.len && http1_line_recognize_answer(line) == RECOGNIZED;
}

void socket_guess_out(struct feeding *f, const struct chunk *b)
{
	struct connection *c = f->c;

	vec_release(&c->guessed_by);
	if (is_answer_to_rest(c, b)) {
		withdraw_rest(f->s, c);
		connection_speak(c, NULL);
	}
	/* Nobody's answer to nobody's bytes: neither is what came before. */
	if (c->protocol == &protocol_unknown && !is_rest_last(c))
		keep_rest(f->s, c);
}
