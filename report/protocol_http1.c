/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 as a protocol: http1_messages.h reads its messages, and here it is found out where they go on when the place
 * was lost. With the next exchange a request begins if the bytes look like one's, and the answers so far are ended.
 *
 * Not so one that lasts until the close: requests that are read behind it are not answered (RFC 9112, 9.6). Where one is
 * answered all the same, that one did not last so long: it counts as over as long as nothing else is written.
 */
#include "report/http1_begin.h"
#include "report/http1_ends.h"

/* Nothing was written of its answer but interim ones, as 100, upon which its body comes (RFC 9110, 15.2). */
static bool is_told_to_go_on(const struct http1 *h)
{
	return http1_nr_outstanding(h) && h->out.at == AT_START && h->status && h->status < 200;
}

/* Whether a body goes on here, nobody knows: where it ends did not travel. */
static bool is_in_lost_body(const struct http1 *h)
{
	return h->in.at == AT_LOST && h->unseen_bytes && (h->in.framing.is_chunked || is_told_to_go_on(h));
}

static void restart(struct http1 *h)
{
	http1_partial_drop(&h->in.line);
	h->in.at = AT_START;
	h->is_reading = h->is_synced = false;
}

/* An answer that did not say where it ends has, and whatever was behind it. */
static void end_unended(struct http1 *h, const struct exchange_listener *l)
{
	uint64_t nr = h->nr_began - h->is_reading;

	if (h->nr_ended >= nr)
		return;
	if (h->out.at == AT_LOST)
		http1_turn_lost(h, nr, l);
	else if (h->is_rest)
		http1_give_up(h, l);
	else
		http1_end_lost(h, nr, l->ended, l);
	h->out.at = AT_START;
}

static bool is_unended(const struct http1 *h)
{
	return h->out.at == AT_REST || h->out.at == AT_LOST || h->out.at == AT_STRAY;
}

/* Answered, and its client may leave out the rest: what looks like the next one then is. */
static bool may_be_left(const struct http1 *h)
{
	bool is_body = h->in.at >= AT_BODY && h->in.at <= AT_TRAILER;

	return http1_nr_outstanding(h) == (is_unended(h) ? 1 : 0) && (!is_body || h->in.framing.has_expect);
}

/* ... of whom was to wait before its body: another's first line is enough, or may be. */
static bool begins_next(const struct http1 *h, const struct chunk *c, enum recognition begins)
{
	const uint8_t *s = c->bytes;
	size_t len = c->len;
	struct http1_line line;

	return begins == RECOGNIZED || (begins == RECOGNIZED_MAYBE && h->in.framing.has_expect && len &&
					http1_line_next(&s, &len, &line) && line.len);
}

/* What is read next says whether the client has all answers: it does not while one goes on, or a head is half read. */
static void turn(struct http1 *h)
{
	if (h->is_even && !http1_nr_outstanding(h) && h->out.at == AT_START) {
		h->nr_late = 0;
		h->is_rest = h->has_asked_on = false;
	}
	h->is_even = true;
}

/* Inbound bytes after outbound ones. */
static void begin_exchange(struct http1 *h, const struct chunk *c,
			   const struct exchange_listener *l)
{
	/* A body may begin with any words. */
	enum http1_methods methods = h->is_reading ? HTTP1_WORDS : HTTP1_CAPITALS;
	enum recognition begins = http1_line_begins_head(c->bytes, c->len, c->total, methods);

	turn(h);
	/* What goes on with its body is no other one: only that ends a lost answer. */
	h->has_written = h->out.at == AT_LOST &&
			 (is_in_lost_body(h) || (h->is_reading && http1_nr_outstanding(h) == 1));
	if (is_told_to_go_on(h) || (is_in_lost_body(h) && begins == RECOGNIZED_NOT))
		return;
	if (h->is_reading ? may_be_left(h) && begins_next(h, c, begins) : !h->is_synced || h->in.at != AT_START)
		restart(h);
	http1_drop_next(h);
	h->may_be_next = h->is_reading && may_be_left(h) && h->in.framing.has_expect && begins == RECOGNIZED_MAYBE;
	if (is_unended(h) && h->out.at != AT_REST)
		end_unended(h, l);
}

/*
 * Looks like a request, and the place is lost. What was answered before its end, and does not say where that
 * is, was left; else it is another one behind bytes that did not travel, and neither is known, or a body's.
 */
static void take_unplaced(struct http1 *h, const struct chunk *c, const struct exchange_listener *l)
{
	if (!h->nr_began || http1_nr_outstanding(h)) {
		if (!is_in_lost_body(h))
			http1_take_unasked(h, l);
	} else if (http1_line_begins_head(c->bytes, c->len, c->total, HTTP1_CAPITALS) == RECOGNIZED) {
		restart(h);
	}
}

/*
 * Looks for the end of a chunked body whose place is lost, and returns the bytes that are behind it. As long as it is
 * not answered, there is hardly anything: a body may have all that in it, too.
 */
static struct chunk skip_rest(struct http1 *h, const struct chunk *c)
{
	struct chunk left = *c;
	size_t nr;

	if (!is_in_lost_body(h) || http1_nr_outstanding(h))
		return left;
	nr = http1_line_behind_chunks(c->bytes, c->len);
	if (nr == c->len ||
	    http1_line_begins_head(c->bytes + nr, c->len - nr, c->total - nr, HTTP1_CAPITALS) != RECOGNIZED)
		return left;
	restart(h);
	left.bytes += nr;
	left.len -= nr;
	left.total -= nr;
	return left;
}

static void http1_inbound(void *parser, const struct chunk *c, const struct exchange_listener *l)
{
	struct http1 *h = parser;
	struct chunk left;

	if (!c->total || h->in.at == AT_OPAQUE)
		return;
	if (h->has_written)
		begin_exchange(h, c, l);
	else if (h->in.at == AT_LOST && http1_begin_of_read(c->bytes, c->len) == RECOGNIZED)
		take_unplaced(h, c, l);
	left = skip_rest(h, c);
	http1_take_in(h, &left, l);
}

static bool has_status(const struct chunk *c)
{
	uint32_t status;

	return c->len && http1_line_status((struct http1_line){ c->bytes, c->len, false }, &status);
}

/* Behind the answer to the only request that is known to wait, of which the rest of the head did not travel. */
static bool is_another_answer(const struct http1 *h, const struct chunk *c)
{
	return h->out.at == AT_LOST && http1_nr_outstanding(h) == 1 && has_status(c);
}

/* Behind the same, where one more is not read to its end: its own, which may come early, or be interim. */
static bool is_early_answer(const struct http1 *h, const struct chunk *c)
{
	return h->out.at == AT_LOST && http1_nr_outstanding(h) == 2 && h->is_reading && has_status(c);
}

/* Behind an answer that was to last until the close, and a request that was read since it began. */
static bool is_behind_rest(const struct http1 *h, const struct chunk *c)
{
	return h->out.at == AT_REST && http1_nr_outstanding(h) > 1 && h->nr_began > h->nr_before_rest && has_status(c);
}

/* Who asks with the last one has not got as far as its head's end. */
static bool has_asked(const struct http1 *h)
{
	return http1_nr_outstanding(h) > (h->is_reading && h->in.at <= AT_HEAD);
}

/* One is seen to begin, of those that wait, or of a late one: true. */
static bool take_answer_begin(struct http1 *h, const struct exchange_listener *l)
{
	h->may_be_rest = false;
	if (h->is_rest && (h->nr_late || http1_nr_outstanding(h) > 1))
		http1_give_up(h, l);
	h->is_rest = false;
	h->has_asked_on &= h->nr_late > 0;
	if (!h->nr_late || has_asked(h))
		return false;
	/* It is not read: its rest may follow. */
	h->is_even = false;
	h->has_asked_on = --h->nr_late > 0;
	h->may_be_rest = true;
	return true;
}

/* An interim one has the answer behind it, maybe in the same write: in doubt that says nothing. */
static bool begins_answer(const struct http1 *h, const struct chunk *c)
{
	const struct http1_line line = { c->bytes, c->len, false };
	uint32_t status;

	if (!h->is_rest && !h->nr_late)
		return !c->len || http1_line_recognize_answer(line) != RECOGNIZED_NOT;
	return c->len && http1_line_status(line, &status) && (status >= 200 || status == 101);
}

/* Behind an answer that was lost, at the beginning of a write. True: these bytes are not read. */
static bool take_rest(struct http1 *h, const struct chunk *c, const struct exchange_listener *l)
{
	if ((!h->may_be_rest && !h->is_rest && !h->nr_late) || h->out.at != AT_START || h->out.line)
		return false;
	if (begins_answer(h, c))
		return take_answer_begin(h, l);
	if (h->may_be_rest)
		l->not_over(l->self);
	h->may_be_rest = h->is_even = false;
	h->is_rest = h->has_asked_on = true;
	h->out.at = AT_STRAY;
	return true;
}

/* With what was to last until the close, though one more was read since. */
static void http1_go_on(void *parser, const struct exchange_listener *l)
{
	struct http1 *h = parser;

	if (!h->is_over)
		return;
	h->is_over = false;
	l->goes_on(l->self, h->nr_ended + 1);
}

static void http1_outbound(void *parser, const struct chunk *c, const struct exchange_listener *l)
{
	struct http1 *h = parser;

	if (!c->total || h->out.at == AT_OPAQUE)
		return;
	if (is_another_answer(h, c))
		http1_take_unasked(h, l);
	if (is_early_answer(h, c))
		http1_end_lost(h, h->nr_ended + 1, l->ended_before, l);
	if (is_behind_rest(h, c))
		http1_end_rest(h, l);
	else
		http1_go_on(h, l);
	h->has_written = true;
	h->is_even &= !h->is_reading && !h->in.line;
	h->has_gone_on = h->out.at == AT_LOST;
	if (h->out.at == AT_STRAY)
		h->out.at = AT_START;
	if (!take_rest(h, c, l))
		http1_take_out(h, c, l);
}

static void http1_release(void *parser)
{
	struct http1 *h = parser;

	http1_partial_drop(&h->in.line);
	http1_partial_drop(&h->out.line);
	http1_kinds_release(&h->kinds);
}

/* Requests behind an answer that lasts until the close were not answered: RFC 9112, 9.6. */
static void http1_closed(void *parser, const struct exchange_listener *l)
{
	struct http1 *h = parser;

	if (h->out.at == AT_REST)
		http1_end_oldest(h, l->ended, l);
	else if (h->out.at != AT_LOST && (h->is_rest || h->nr_late))
		http1_give_up(h, l);
	else if (is_unended(h))
		http1_end_lost(h, h->nr_began, l->ended, l);
	http1_set_opaque(h);
	http1_release(h);
}

/* A stream that lasts until the close goes on; and what is not read to its end is answered only if nothing else is. */
static void http1_stopped(void *parser, const struct exchange_listener *l)
{
	struct http1 *h = parser;
	uint64_t nr = h->nr_began;

	if (h->out.at != AT_LOST)
		return;
	if (http1_nr_outstanding(h) > h->is_reading)
		nr -= h->is_reading;
	http1_end_lost(h, nr, l->ended, l);
}

bool http1_is_bare(const void *parser)
{
	const struct http1 *h = parser;

	return http1_nr_outstanding(h) && http1_kinds_get(&h->kinds, h->nr_began) == HTTP1_BARE;
}

bool http1_is_switched(const void *parser)
{
	const struct http1 *h = parser;

	return h->in.at == AT_OPAQUE;
}

bool http1_is_answering(const void *parser)
{
	const struct http1 *h = parser;

	return h->out.at > AT_START && h->out.at <= AT_REST;
}

const struct protocol protocol_http1 = {
	.name = "http",
	.parser_size = sizeof(struct http1),
	.recognize = http1_begin_of_read,
	.inbound = http1_inbound,
	.outbound = http1_outbound,
	.closed = http1_closed,
	.stopped = http1_stopped,
	.cut_off = http1_go_on,
	.release = http1_release,
};
