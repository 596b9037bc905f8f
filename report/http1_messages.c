/* SPDX-License-Identifier: Apache-2.0 */
#include "report/http1_messages.h"

#include "report/http1_begin.h"
#include "report/http1_ends.h"

#define PATH_LEN_MAX 1024
#define METHOD_LEN_MAX 64
/* More than a method, a path and the version: an absolute-form has an authority, too. */
#define REQUEST_LINE_MAX 1280
/* All other lines say what matters early: a status, a length, a coding. */
#define OTHER_LINE_MAX 256

/* Behind the head of an answer, or in place of one. */
static void begin_rest(struct http1 *h)
{
	h->out.at = AT_REST;
	h->nr_before_rest = h->nr_began - h->is_reading;
}

/* The rest is waited out: AT_REST or AT_LOST. */
static void wait_out(struct http1 *h, struct side *s, enum at at)
{
	s->at = at;
	if (s == &h->in)
		h->is_reading = h->is_holed = false;
}

static void lose(struct http1 *h, struct side *s)
{
	wait_out(h, s, AT_LOST);
}

/* The message was read or written to its end. */
static void finish(struct http1 *h, struct side *s, const struct exchange_listener *l)
{
	s->at = AT_START;
	if (s == &h->out) {
		http1_end_oldest(h, http1_is_end_unsure(h) ? l->end_unseen : l->ended, l);
		h->is_unseen = false;
		return;
	}
	h->is_reading = false;
	h->is_synced = true;
}

/* Passes bytes of a body or a chunk, which need not have travelled. Returns how many. */
static uint64_t pass(struct http1 *h, struct side *s, uint64_t nr,
		     const struct exchange_listener *l)
{
	uint64_t passed = nr < s->left ? nr : s->left;

	s->left -= passed;
	if (!s->left && s->at == AT_CHUNK)
		s->at = AT_CHUNK_END;
	else if (!s->left)
		finish(h, s, l);
	return passed;
}

/* Where nobody else waits, and the answer lasts until the close: whoever is read next may have waited for its end. */
static void let_be_over(struct http1 *h, const struct exchange_listener *l)
{
	if (h->out.at != AT_REST || http1_nr_outstanding(h) != 1 || h->nr_late)
		return;
	h->is_over = true;
	l->over(l->self, h->nr_began);
}

static void begin(struct http1 *h, const struct exchange_listener *l)
{
	h->unseen_bytes = 0;
	if (http1_nr_outstanding(h) == HTTP1_KINDS_MAX) {
		lose(h, &h->in);
		h->is_holed = true;
		if (h->out.at != AT_REST)
			lose(h, &h->out);
		http1_partial_drop(&h->out.line);
		return;
	}
	/* Behind the rest of a body. */
	if (h->has_written && h->out.at == AT_LOST && http1_nr_outstanding(h))
		http1_turn_lost(h, h->nr_began, l);
	let_be_over(h, l);
	h->nr_began++;
	h->is_reading = true;
	h->is_named = false;
	http1_kinds_set(&h->kinds, h->nr_began, HTTP1_PLAIN);
	l->began(l->self, h->nr_began);
}

/* Tells what the request line says, unless the answer came before it. */
static void name(struct http1 *h, struct http1_request r, const struct exchange_listener *l)
{
	if (h->is_named || !http1_nr_outstanding(h))
		return;
	h->is_named = true;
	/* A client that does not wait may have sent its begin before what was written, in bytes that did not travel. */
	if (!h->is_synced && http1_line_is_method_end(r.method))
		r.method.len = 0;
	if (!r.has_version)
		http1_kinds_set(&h->kinds, h->nr_began, HTTP1_BARE);
	else if (r.is_connect)
		http1_kinds_set(&h->kinds, h->nr_began, HTTP1_CONNECT);
	else if (r.is_head)
		http1_kinds_set(&h->kinds, h->nr_began, HTTP1_HEAD);
	l->named(l->self, h->nr_began, (const char *)r.method.s, min_len(r.method.len, METHOD_LEN_MAX),
		 (const char *)r.path.s, min_len(r.path.len, PATH_LEN_MAX));
}

static enum http1_place place_of(const struct http1 *h)
{
	return h->is_synced ? HTTP1_SYNCED : h->nr_began ? HTTP1_UNSURE : HTTP1_FIRST;
}

/* Of a request line that is not complete: what is there may be known to begin one. */
static void take_request_part(struct http1 *h, const struct exchange_listener *l)
{
	struct http1_line line = http1_partial_line(h->in.line);
	enum recognition r = RECOGNIZED;

	if (!h->is_reading)
		r = http1_begin_of_line(line, false, place_of(h));
	if (r == RECOGNIZED_NOT)
		lose(h, &h->in);
	else if (r == RECOGNIZED && !h->is_reading)
		begin(h, l);
	if (h->is_reading && line.is_cut)
		name(h, http1_line_request(line), l);
	if (h->in.at == AT_LOST)
		http1_partial_drop(&h->in.line);
}

static void begin_head(struct side *s)
{
	s->at = AT_HEAD;
	s->framing = (struct http1_framing){ 0 };
}

static void take_request_line(struct http1 *h, struct http1_line line,
			      const struct exchange_listener *l)
{
	struct http1_request r;

	if (!line.len)
		return;
	if (!h->is_reading) {
		if (http1_begin_of_line(line, true, place_of(h)) == RECOGNIZED)
			begin(h, l);
		else
			lose(h, &h->in);
	}
	if (!h->is_reading)
		return;
	r = http1_line_request(line);
	name(h, r, l);
	if (r.has_version)
		begin_head(&h->in);
	else
		wait_out(h, &h->in, AT_REST);
}

/* After the head, a body of this framing. */
static void begin_body(struct http1 *h, struct side *s, const struct exchange_listener *l)
{
	s->left = s->framing.length;
	if (s->framing.is_chunked)
		s->at = AT_CHUNK_SIZE;
	else if (s->left)
		s->at = AT_BODY;
	else
		finish(h, s, l);
}

/* RFC 9112, 6.3: a coding overrides a length. A tunnel may follow CONNECT. */
static void end_request_head(struct http1 *h, const struct exchange_listener *l)
{
	const struct http1_framing *f = &h->in.framing;

	if (http1_nr_outstanding(h) && http1_kinds_get(&h->kinds, h->nr_began) == HTTP1_CONNECT)
		wait_out(h, &h->in, AT_REST);
	else if (f->is_bad || (f->has_coding && !f->is_chunked))
		lose(h, &h->in);
	else
		begin_body(h, &h->in, l);
}

/* 1xx but 101: the answer comes after it (RFC 9110, 15.2). */
static bool is_interim(uint32_t status)
{
	return status < 200 && status != 101;
}

/* RFC 9110, 7.8 and 9.3.6. */
static bool is_switch(const struct http1 *h)
{
	return h->status == 101 || (h->status / 100 == 2 && http1_oldest_kind(h) == HTTP1_CONNECT);
}

static bool has_no_body(const struct http1 *h)
{
	return h->status == 204 || h->status == 304 || http1_oldest_kind(h) == HTTP1_HEAD;
}

static bool take_status(struct http1 *h, struct http1_line line, const struct exchange_listener *l)
{
	if (!http1_line_status(line, &h->status))
		return false;
	h->has_answers = true;
	h->has_status = !is_interim(h->status) && !h->nr_late;
	if (h->has_status)
		l->status(l->self, h->nr_ended + 1, h->status);
	return true;
}

/*
 * What begins like no answer is one only for those who ask without a version. Where no answer began like one so far,
 * and no body is due, it may be another protocol's.
 */
static void take_no_answer(struct http1 *h, const struct exchange_listener *l)
{
	bool is_in_body = h->in.at >= AT_BODY && h->in.at <= AT_TRAILER;

	if (http1_oldest_kind(h) == HTTP1_BARE) {
		begin_rest(h);
		return;
	}
	h->out.at = AT_STRAY;
	h->is_rest |= h->nr_late > 0;
	if (!h->has_answers && !h->nr_late && !is_in_body)
		l->foreign(l->self);
}

static void take_answer_part(struct http1 *h, const struct exchange_listener *l)
{
	struct http1_line line = http1_partial_line(h->out.line);

	if (http1_line_recognize_answer(line) != RECOGNIZED_NOT)
		return;
	take_no_answer(h, l);
	http1_partial_drop(&h->out.line);
}

static void switch_protocol(struct http1 *h, const struct exchange_listener *l)
{
	http1_end_oldest(h, l->ended, l);
	http1_set_opaque(h);
}

/* RFC 9112, 6.3. */
static void end_answer_head(struct http1 *h, const struct exchange_listener *l)
{
	struct side *s = &h->out;
	const struct http1_framing *f = &s->framing;

	if (is_interim(h->status))
		s->at = AT_START;
	else if (is_switch(h))
		switch_protocol(h, l);
	else if (has_no_body(h))
		finish(h, s, l);
	else if (f->is_bad)
		lose(h, s);
	else if (f->has_coding ? !f->is_chunked : !f->has_length)
		begin_rest(h);
	else
		begin_body(h, s, l);
}

static void take_first_line(struct http1 *h, struct side *s, struct http1_line line,
			    const struct exchange_listener *l)
{
	if (s == &h->in)
		take_request_line(h, line, l);
	else if (take_status(h, line, l))
		begin_head(s);
	else
		take_no_answer(h, l);
}

/* Another request begins, in place of the body of the one that was read. */
static void restart(struct http1 *h)
{
	h->in.at = AT_START;
	h->may_be_next = h->is_reading = h->is_synced = false;
}

static void take_chunk_size(struct http1 *h, struct side *s, struct http1_line line, const struct exchange_listener *l)
{
	if (http1_line_chunk_size(line, &s->left)) {
		s->at = s->left ? AT_CHUNK : AT_TRAILER;
	} else if (s == &h->in && h->may_be_next) {
		restart(h);
		take_request_line(h, line, l);
	} else {
		lose(h, s);
	}
}

static void take_line(struct http1 *h, struct side *s, struct http1_line line,
		      const struct exchange_listener *l)
{
	if (s->at == AT_START)
		take_first_line(h, s, line, l);
	else if (s->at == AT_HEAD && line.len)
		http1_line_field(&s->framing, line);
	else if (s->at == AT_HEAD && s == &h->in)
		end_request_head(h, l);
	else if (s->at == AT_HEAD)
		end_answer_head(h, l);
	else if (s->at == AT_CHUNK_SIZE)
		take_chunk_size(h, s, line, l);
	else if (s->at == AT_CHUNK_END && line.len)
		lose(h, s);
	else if (s->at == AT_CHUNK_END)
		s->at = AT_CHUNK_SIZE;
	else if (s->at == AT_TRAILER && !line.len)
		finish(h, s, l);
}

static void advance_line(struct http1 *h, struct side *s, struct cursor *c,
			 const struct exchange_listener *l)
{
	bool may_begin = s == &h->in && (s->at == AT_START || h->may_be_next);
	size_t max = may_begin ? REQUEST_LINE_MAX : OTHER_LINE_MAX;
	struct http1_line line;

	if (may_begin && !s->line)
		l->may_begin(l->self);
	if (http1_partial_next(&s->line, c, max, &line)) {
		take_line(h, s, line, l);
		http1_partial_drop(&s->line);
	} else if (s->at == AT_START && s == &h->in) {
		take_request_part(h, l);
	} else if (s->at == AT_START) {
		take_answer_part(h, l);
	}
}

void http1_drop_next(struct http1 *h)
{
	h->may_be_next = false;
	if (h->in.at == AT_BODY)
		http1_partial_drop(&h->in.line);
}

/* What is not empty (RFC 9112, 2.2); false: it goes on in later bytes, if it has begun. */
static bool next_line(struct side *s, struct cursor *c, struct http1_line *ret_line)
{
	while (cursor_left(c) && http1_partial_next(&s->line, c, REQUEST_LINE_MAX, ret_line)) {
		if (ret_line->len)
			return true;
		http1_partial_drop(&s->line);
	}
	*ret_line = s->line ? http1_partial_line(s->line) : (struct http1_line){ 0 };
	return false;
}

/*
 * A line that may be the next request's, in place of a body that may be left out, and go on in another read: until that
 * is known, it is passed as the body's, too. True: it is the request's.
 */
static bool take_next(struct http1 *h, struct cursor *c, const struct exchange_listener *l)
{
	struct side *s = &h->in;
	size_t nr = cursor_left(c);
	struct cursor ahead = *c;
	struct http1_line line;
	enum recognition is;
	bool is_whole;

	if (!s->line)
		l->may_begin(l->self);
	is_whole = next_line(s, &ahead, &line);
	is = http1_begin_of_line(line, is_whole, HTTP1_UNSURE);
	if (is == RECOGNIZED_NOT || (is_whole ? is != RECOGNIZED : nr == s->left))
		http1_drop_next(h);
	if (!h->may_be_next || (!is_whole && nr < s->left))
		return false;
	restart(h);
	*c = ahead;
	if (is_whole) {
		take_request_line(h, line, l);
		http1_partial_drop(&s->line);
	}
	return true;
}

void http1_take_unasked(struct http1 *h, const struct exchange_listener *l)
{
	if (h->unseen_bytes)
		l->skipped(l->self, h->unseen_bytes);
	h->unseen_bytes = 0;
	h->is_even = false;
}

static void take_bytes(struct http1 *h, struct side *s, const struct chunk *chunk,
		       const struct exchange_listener *l)
{
	struct cursor c;

	if (!chunk->len)
		return;
	c = cursor_of(chunk->bytes, chunk->len);
	while (cursor_left(&c) && s->at < AT_REST) {
		bool is_due = s == &h->in && s->at == AT_START && !h->is_reading && h->is_synced;
		uint64_t left = cursor_left(&c) + (s->line ? http1_partial_line(s->line).len : 0);

		if (s == &h->out && !http1_nr_outstanding(h)) {
			http1_take_unasked(h, l);
			return;
		}
		if (s->at == AT_BODY && s == &h->in && h->may_be_next && take_next(h, &c, l))
			continue;
		if (s->at == AT_BODY || s->at == AT_CHUNK)
			cursor_skip(&c, pass(h, s, cursor_left(&c), l));
		else
			advance_line(h, s, &c, l);
		/* A request, and not one that we know, or one too many. */
		if (s == &h->in && s->at == AT_LOST && (is_due || h->is_holed))
			l->skipped(l->self, left);
	}
}

/* ---- bytes that did not travel ---- */

/* Within a chunked body, or the head of the only request that waits for an answer, or lost in one. */
static bool is_in_request(const struct http1 *h)
{
	const struct side *s = &h->in;

	return (s->at >= AT_CHUNK_SIZE && s->at <= AT_TRAILER) || (h->is_reading && http1_nr_outstanding(h) == 1) ||
	       (s->at == AT_LOST && h->unseen_bytes);
}

/*
 * Of a body of known length, what did not travel is no request. Of a chunked one, or a long head, it hardly is:
 * who sends another behind it, and does not wait, gets an answer that nobody asked for.
 */
static void take_unread(struct http1 *h, uint64_t nr, const struct exchange_listener *l)
{
	struct side *s = &h->in;
	struct http1_line line;
	bool is_rest;

	if (nr)
		http1_drop_next(h);
	if (s->at == AT_BODY || s->at == AT_CHUNK)
		nr -= pass(h, s, nr, l);
	if (!nr || s->at == AT_REST || s->at == AT_OPAQUE)
		return;
	is_rest = is_in_request(h);
	if (s->at == AT_START && s->line) {
		line = http1_partial_line(s->line);
		line.is_cut = true;
		if (h->is_reading)
			name(h, http1_line_request(line), l);
		else
			nr += line.len;
	}
	http1_partial_drop(&s->line);
	lose(h, s);
	h->is_holed = true;
	if (is_rest)
		h->unseen_bytes += nr;
	else
		l->skipped(l->self, nr);
}

static void lose_answer(struct http1 *h, const struct exchange_listener *l)
{
	struct side *s = &h->out;
	bool has_status = s->at == AT_HEAD;

	h->is_unseen = true;
	if (s->at == AT_START && s->line)
		has_status = take_status(h, http1_partial_line(s->line), l);
	http1_partial_drop(&s->line);
	if (has_status && is_switch(h))
		switch_protocol(h, l);
	else if (has_status && is_interim(h->status))
		s->at = AT_STRAY;
	else
		lose(h, s);
}

/*
 * Of a write, behind a chunk whose bytes are passed: the end of its line, or that and the last chunk. Else it may be
 * anything.
 */
static uint64_t pass_chunk_end(struct http1 *h, uint64_t nr, const struct exchange_listener *l)
{
	static const char line_end[] = "\r\n", last[] = "\r\n0\r\n\r\n";
	bool is_last = nr == sizeof(last) - 1;

	if (h->out.line || (nr != sizeof(line_end) - 1 && !is_last))
		return 0;
	h->out.at = AT_CHUNK_SIZE;
	if (is_last)
		finish(h, &h->out, l);
	return nr;
}

static void take_unwritten(struct http1 *h, uint64_t nr, const struct exchange_listener *l)
{
	struct side *s = &h->out;

	if (s->at == AT_BODY || s->at == AT_CHUNK)
		nr -= pass(h, s, nr, l);
	if (s->at == AT_CHUNK_END)
		nr -= pass_chunk_end(h, nr, l);
	if (!nr || s->at >= AT_REST)
		return;
	if (http1_nr_outstanding(h))
		lose_answer(h, l);
	else
		http1_take_unasked(h, l);
}

/* ---- both ---- */

void http1_take_in(struct http1 *h, const struct chunk *c, const struct exchange_listener *l)
{
	bool is_given_up = h->in.at == AT_LOST && h->is_holed;

	take_bytes(h, &h->in, c, l);
	take_unread(h, is_given_up ? c->total : c->total - c->len, l);
}

void http1_take_out(struct http1 *h, const struct chunk *c, const struct exchange_listener *l)
{
	take_bytes(h, &h->out, c, l);
	take_unwritten(h, c->total - c->len, l);
}
