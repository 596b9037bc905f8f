/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 as a protocol: http1_messages.h reads its messages, and here it is found out where they go on when the place
 * was lost. With the next exchange a request begins if the bytes look like one's, and the answers so far are ended.
 */
#include "report/http1_begin.h"
#include "report/http1_messages.h"

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

/*
 * An answer that did not say where it ends has, and whatever was behind it, up to request nr. Of several it may be that
 * not all were answered, and what comes now is theirs.
 */
static void end_through(struct http1 *h, uint64_t nr, const struct exchange_listener *l)
{
	if (h->nr_ended >= nr)
		return;
	h->is_astray |= h->out.at == AT_LOST && nr - h->nr_ended > 1;
	while (h->nr_ended < nr)
		http1_end_oldest(h, l);
	h->is_unseen = false;
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

/* Inbound bytes after outbound ones. */
static void begin_exchange(struct http1 *h, const struct chunk *c,
			   const struct exchange_listener *l)
{
	enum recognition begins = http1_line_begins_head(c->bytes, c->len, c->total);

	h->has_written = false;
	if (http1_nr_outstanding(h) == h->is_reading)
		h->is_astray = false;
	if (is_told_to_go_on(h))
		return;
	if (h->is_reading ? may_be_left(h) && begins == RECOGNIZED :
	    is_in_lost_body(h) ? begins != RECOGNIZED_NOT :
				 !h->is_synced || h->in.at != AT_START)
		restart(h);
	if (is_unended(h))
		end_through(h, h->nr_began - h->is_reading, l);
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
	} else if (http1_line_begins_head(c->bytes, c->len, c->total) == RECOGNIZED) {
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
	if (nr == c->len || http1_line_begins_head(c->bytes + nr, c->len - nr, c->total - nr) != RECOGNIZED)
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

/* Behind the answer to the only request that is known to wait, of which the rest of the head did not travel. */
static bool is_another_answer(const struct http1 *h, const struct chunk *c)
{
	uint32_t status;

	return h->out.at == AT_LOST && http1_nr_outstanding(h) == 1 && c->len &&
	       http1_line_status((struct http1_line){ c->bytes, c->len, false }, &status);
}

static void http1_outbound(void *parser, const struct chunk *c, const struct exchange_listener *l)
{
	struct http1 *h = parser;

	if (!c->total || h->out.at == AT_OPAQUE)
		return;
	if (is_another_answer(h, c))
		http1_take_unasked(h, l);
	h->has_written = true;
	if (h->out.at == AT_STRAY)
		h->out.at = AT_START;
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
		http1_end_oldest(h, l);
	else if (is_unended(h))
		end_through(h, h->nr_began, l);
	http1_set_opaque(h);
	http1_release(h);
}

/* A stream that lasts until the close goes on; and what is not read to its end is answered only if nothing else is. */
static void http1_stopped(void *parser, const struct exchange_listener *l)
{
	struct http1 *h = parser;

	if (h->out.at != AT_LOST)
		return;
	http1_end_oldest(h, l);
	end_through(h, h->nr_began - h->is_reading, l);
	h->out.at = AT_START;
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

const struct protocol protocol_http1 = {
	.name = "http",
	.parser_size = sizeof(struct http1),
	.recognize = http1_begin_of_read,
	.inbound = http1_inbound,
	.outbound = http1_outbound,
	.closed = http1_closed,
	.stopped = http1_stopped,
	.release = http1_release,
};
