/* SPDX-License-Identifier: Apache-2.0 */
/* What the lines of an HTTP/1 message say (RFC 9112): pure functions over untrusted bytes. */
#ifndef REPORT_HTTP1_LINE_H
#define REPORT_HTTP1_LINE_H

#include "report/protocol.h"

/* The bytes of a line without its end, lent. */
struct http1_line {
	const uint8_t *s;
	size_t len;
	bool is_cut;	/* there are more than these */
};

static inline size_t min_len(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Takes the next line, if it ends in the bytes, and these are what is behind it then. */
bool http1_line_next(const uint8_t **s, size_t *len, struct http1_line *ret);
/* What counts as a method, of what may begin a request. */
enum http1_methods {
	HTTP1_CAPITALS,	/* with - and _ */
	HTTP1_WORDS,	/* ... and small letters, with no capital behind one */
	HTTP1_TOKENS,	/* any of RFC 9110, 9.1 */
};

/* Do the bytes begin a request? Empty lines before it are nothing. */
enum recognition http1_line_recognize(const uint8_t *s, size_t len, enum http1_methods methods);
/* Only of text may it be known what comes next. */
bool http1_line_is_text(struct http1_line line);
/* Its last word is a version (HTTP/1.1), whatever the others say. */
bool http1_line_has_version(struct http1_line line);
/*
 * In bytes from within a chunked body: where its last chunk is followed by another request, that begins there. How many
 * bytes are ahead of it; len, if it is not so.
 */
size_t http1_line_behind_chunks(const uint8_t *s, size_t len);
/*
 * Do these bytes of a read, of which `total - len` more did not travel, begin with the head of a request that has its
 * version, and is there a body or another one behind it, or nothing? MAYBE: the head goes on in another read. Of a body
 * that has a request in it a read is hardly just that.
 */
enum recognition http1_line_begins_head(const uint8_t *s, size_t len, uint64_t total, enum http1_methods methods);
/* Do they begin an answer? */
enum recognition http1_line_recognize_answer(struct http1_line line);

struct http1_request {
	struct http1_line method;
	/* From the first slash on, of an absolute-form too: one endpoint whatever the form. */
	struct http1_line path;
	bool is_head, is_connect;
	bool has_version;	/* or may have: the line is cut */
};

/* Of a line that is recognized. */
struct http1_request http1_line_request(struct http1_line line);
/* Not a whole method of RFC 9110 or 5789, but the end of one. */
bool http1_line_is_method_end(struct http1_line method);
/* False: no status line. */
bool http1_line_status(struct http1_line line, uint32_t *ret_status);
/* False: no size, or one past 64 bits. */
bool http1_line_chunk_size(struct http1_line line, uint64_t *ret_size);

/* How long a message's body is, from the fields of its head; all zero before the first. */
struct http1_framing {
	uint64_t length;
	bool has_length, has_coding;
	bool is_chunked;	/* the last coding is */
	bool is_bad;		/* no two readers need agree on it */
	bool has_expect;	/* the body may be left out (RFC 9110, 10.1.1) */
	bool was_framing;	/* the last field was one of these but Expect */
};

/* line: not empty. */
void http1_line_field(struct http1_framing *f, struct http1_line line);

#endif
