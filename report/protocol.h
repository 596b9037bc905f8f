/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a connection to its requests: pure functions, one parser a connection. Bytes come
 * in the order in which the server read and wrote them; the listener is told what they say.
 *
 *	p = protocol_of(first inbound bytes, len, true);
 *	parser = xcalloc(1, p->parser_size);
 *	p->inbound(parser, &chunk, &listener);		what the server read
 *	p->outbound(parser, &chunk, &listener);		what the server wrote
 *	p->release(parser);
 *	free(parser);
 *
 * Only the first bytes of a read or write travel with its mark, so a chunk may be shorter than
 * what it stands for: the rest is unknown. A parser that needs unknown bytes to go on (the end of
 * a head, the length of a body) waits for the next exchange: inbound bytes after outbound ones.
 *
 * Nothing of the bytes is trusted. A parser's memory is bounded, whatever comes, and what is no
 * request of its protocol is left out: the listener hears of requests only.
 *
 * A new protocol is one file and one line in protocol.c's table.
 */
#ifndef REPORT_PROTOCOL_H
#define REPORT_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One read or write. */
struct chunk {
	const uint8_t *bytes;	/* the first ones, lent for the call */
	size_t len;
	uint64_t total;		/* of the read or write; at least len */
};

/* A parser's requests are numbered in the order of their first bytes, from 1. */
struct exchange_listener {
	void *self;
	/* The next byte may be a request's first: if began() follows, with later bytes perhaps, the last such was. */
	void (*may_begin)(void *self);
	/* The first byte of a request was read, with these bytes where nothing said that it may begin. */
	void (*began)(void *self, uint64_t nr);
	/*
	 * What it asks for; lent for the call. path: the request target, command or statement, as it was
	 * sent. Either may be empty. At most once a request, and not at all if the bytes never say.
	 */
	void (*named)(void *self, uint64_t nr, const char *method, size_t method_len,
		      const char *path, size_t path_len);
	/* The answer's status, where the protocol has one: 100 to 999. Once a request. */
	void (*status)(void *self, uint64_t nr, uint32_t status);
	/*
	 * It has one, among bytes of the answer that did not travel. At most once a request, before its end and in
	 * place of status.
	 */
	void (*status_unseen)(void *self, uint64_t nr);
	/*
	 * The answer is complete: the last byte written so far was its last. Also called late, at the
	 * inbound bytes that follow, where the answer itself did not say how long it is. A request
	 * that is answered by nothing (memcached's noreply) ends with the bytes that ask.
	 */
	void (*ended)(void *self, uint64_t nr);
	/* In place of ended: the last byte written before these was its last, which only these say. */
	void (*ended_before)(void *self, uint64_t nr);
	/*
	 * In place of ended: nothing has answered it, which only the inbound bytes that follow, or the connection's end,
	 * say. The server was done with it when it turned to something else.
	 */
	void (*unanswered)(void *self, uint64_t nr);
	/* In place of ended: it was answered, by bytes that did not travel, and nobody knows when. */
	void (*end_unseen)(void *self, uint64_t nr);
	/*
	 * In place of ended: it counts as answered, since the client goes on, but what answers it did not travel to its end.
	 * Bytes that are written next may say that they are the rest of that.
	 */
	void (*over)(void *self, uint64_t nr);
	/* They do: what is over since the last bytes were written was not, nor have these bytes answered anything. */
	void (*not_over)(void *self);
	/* In place of not_over: the only one that is over goes on, and has its end when that is told once more. */
	void (*goes_on)(void *self, uint64_t nr);
	/* So many inbound bytes did not travel, and there may be requests among them. */
	void (*skipped)(void *self, uint64_t nr_bytes);
	/* What was written is no answer of the protocol's, or what was read no request: they may be another one's. */
	void (*foreign)(void *self);
	/* The server has taken up encryption: nothing more is understood, and nothing more is told. */
	void (*encrypted)(void *self);
};

enum recognition {
	RECOGNIZED_NOT,
	RECOGNIZED_MAYBE,	/* too few bytes to say */
	RECOGNIZED_REST,	/* of what was before: a request may follow it, none has begun */
	RECOGNIZED,
};

struct protocol {
	const char *name;	/* in reports: "http" */
	size_t parser_size;	/* bytes; all zero is a parser's first state */
	bool is_sql;		/* paths are statements of SQL, or stand for one in parentheses */
	bool is_never_sure;	/* others have words like its own: what is foreign counts after requests were answered, too */
	/* Do a connection's inbound bytes, at the beginning of an exchange, begin like this one's? */
	enum recognition (*recognize)(const uint8_t *bytes, size_t len);
	/* The same where none of the connection's bytes before was its own; NULL: by recognize. */
	enum recognition (*recognize_first)(const uint8_t *bytes, size_t len);
	void (*inbound)(void *parser, const struct chunk *c, const struct exchange_listener *l);
	void (*outbound)(void *parser, const struct chunk *c, const struct exchange_listener *l);
	/* The connection was closed: ends what only its end completes. */
	void (*closed)(void *parser, const struct exchange_listener *l);
	/*
	 * The recording is over, and who has written last has turned to something else: ends what counts as answered
	 * with what was written, and was not understood. NULL: nothing does.
	 */
	void (*stopped)(void *parser, const struct exchange_listener *l);
	/*
	 * Nothing more is known of the connection, and nobody has closed it: what is over, and is not known to be answered,
	 * goes on. NULL: nothing does.
	 */
	void (*cut_off)(void *parser, const struct exchange_listener *l);
	/* What the parser holds, not itself. */
	void (*release)(void *parser);
};

/*
 * The first in the table that recognizes the bytes; else the first that may, so that a request line
 * split over reads finds its parser, or whose rest they are; NULL: none. is_first: none of the bytes before was
 * any's.
 */
const struct protocol *protocol_of(const uint8_t *bytes, size_t len, bool is_first);

/* Not in the table: for bytes that nobody recognizes. A request is an exchange, and has no name. */
extern const struct protocol protocol_unknown;

extern const struct protocol protocol_http1;
/* Of its parser: the last request is one of HTTP/0.9, behind whose answer the connection ends. */
bool http1_is_bare(const void *parser);
/* Of its parser: what is spoken now is something else. */
bool http1_is_switched(const void *parser);
/* Of its parser: an answer has begun, and is known not to be written to its end, unless the connection's end is that. */
bool http1_is_answering(const void *parser);
extern const struct protocol protocol_redis;
extern const struct protocol protocol_postgres;
extern const struct protocol protocol_memcached;
extern const struct protocol protocol_fastcgi;

#endif
