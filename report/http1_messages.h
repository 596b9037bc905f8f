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
	AT_REST,	/* all bytes up to the next exchange or the close belong to the message */
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
	bool has_status;		/* the oldest request's was told of */
	bool is_unseen;			/* the answer, or those behind it, did not travel */
	bool is_astray;			/* answers to requests that count as answered may be to come */
	bool is_reading;		/* the last request that began is not read to its end */
	bool is_named;			/* it was told of by name */
	bool is_synced;			/* the message before it was read to its end */
	bool has_written;		/* since the last read */
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
/* The oldest request is answered; one waits. */
void http1_end_oldest(struct http1 *h, const struct exchange_listener *l);
/* Written, and nobody asked: whoever did stands behind another request, in bytes that did not travel. */
void http1_take_unasked(struct http1 *h, const struct exchange_listener *l);
/* Nothing more is understood. */
void http1_set_opaque(struct http1 *h);

#endif
