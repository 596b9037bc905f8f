/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of HTTP/1.0 and 1.1 (RFC 9112), and a line of 0.9, as far as their bytes travel: for protocol_http1.c,
 * which finds the place where it is lost. Each direction is a sequence of them, read as lines and as bodies that are
 * skipped by their length:
 *
 *	START --first line--> HEAD --empty line--> BODY or CHUNK_SIZE, CHUNK, CHUNK_END, ... TRAILER
 *	  ^------------------------------------------------------------------------------'
 *
 * Answers belong to requests in their order (RFC 9112, 9.3.2). What says no more where a message
 * ends (unknown bytes in a head, a length that is none) makes its direction LOST, and it stays so.
 *
 * An answer that is lost is over with the next request, and then all that had been asked for counts as answered. Of several
 * requests all but one may be late, though. While some may be, nobody knows whose an answer is: it has no status, and where
 * the client is known not to have waited, no end. Each answer that is taken for none of a request that waits is one of
 * a late one's, up to where none is left; nor is there one behind an exchange that was even: all that was asked for in
 * whole heads was answered, by as many answers that were seen from their begin to their end, and nothing else.
 *
 * Where what is written next begins like no answer, the client did not wait: it is the rest, and may have answers behind
 * it. The next one that is seen to begin is known only if one waits and none is late.
 *
 * A line is copied only when a read or write ends in its middle, and of its first bytes only.
 */
#ifndef REPORT_HTTP1_MESSAGES_H
#define REPORT_HTTP1_MESSAGES_H

#include "report/http1_kinds.h"
#include "report/http1_partial.h"

enum at {
	AT_START,	/* before the first line of a message */
	AT_HEAD,	/* its other lines */
	AT_BODY,	/* so many bytes are left of it */
	AT_CHUNK_SIZE,
	AT_CHUNK,	/* so many bytes are left of it */
	AT_CHUNK_END,	/* the line end behind it */
	AT_TRAILER,
	AT_REST,	/* all bytes belong to the message, up to the close, or the next exchange or answer */
	AT_LOST,	/* nobody knows whose bytes these are, up to the next exchange */
	AT_STRAY,	/* the rest of a write that begins like no answer; the next one may */
	AT_OPAQUE,	/* the connection speaks something else */
};

struct side {
	uint64_t left;	/* bytes of the body or the chunk */
	struct http1_partial *line;	/* that began in an earlier read or write */
	enum at at;
	struct http1_framing framing;	/* of the message whose head is read */
};

/* protocol_http1.c writes in it where it finds the place again, and has_written. */
struct http1 {
	struct side in, out;
	uint64_t nr_began, nr_ended;	/* requests end in their order */
	struct http1_kinds kinds;	/* of those between */
	uint32_t status;		/* of the answer that was read last, to the oldest request; 0: of none yet */
	uint64_t nr_before_rest;	/* read to their ends before the answer that lasts until the close began */
	bool has_status;		/* the oldest request's was told of */
	bool is_over;			/* it was told of as that: one more was read, and its answer lasts until the close */
	bool has_answers;		/* one of them began as HTTP's do */
	bool is_unseen;			/* the answer, or those behind it, did not travel */
	uint64_t nr_late;		/* so many requests at most that count as answered may be answered yet */
	bool may_be_rest;		/* what is written next, of an answer that counts as over */
	bool is_rest;			/* what was written last: nobody knows whether more is behind it */
	bool has_asked_on;		/* with late ones its client did not wait for them */
	bool is_even;			/* so far this exchange looks like one of a client that waits */
	bool has_gone_on;		/* more was written behind the write in which the answer was lost */
	bool is_reading;		/* the last request that began is not read to its end */
	bool may_be_next;		/* its body, which may be left out: what is read may be another one's first line */
	bool is_named;			/* it was told of by name */
	bool is_synced;			/* the message before it was read to its end */
	bool has_written;		/* since the last read, or the last but of a body */
	bool is_holed;			/* in.at is AT_LOST behind bytes that did not travel, or too many: those that follow count as such */
	uint64_t unseen_bytes;		/* of long heads and chunked bodies, since a request began */
};

static inline uint64_t http1_nr_outstanding(const struct http1 *h)
{
	return h->nr_began - h->nr_ended;
}

/* What the server read. */
void http1_take_in(struct http1 *h, const struct chunk *c, const struct exchange_listener *l);
/* What it wrote. */
void http1_take_out(struct http1 *h, const struct chunk *c, const struct exchange_listener *l);
/* Written, and nobody asked: whoever did stands behind another request, in bytes that did not travel. */
void http1_take_unasked(struct http1 *h, const struct exchange_listener *l);
/* What is read of its body is that. */
void http1_drop_next(struct http1 *h);

#endif
