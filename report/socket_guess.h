/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection is taken to speak, and what its requests are as long as that may be wrong.
 *
 * A protocol that was not recognized by a connection's first bytes is a guess: bytes in the middle of something may
 * look like any. It is one until a request with a name was answered; if an exchange begins with other bytes before
 * that, or an answer is none of the protocol's, which holds for first bytes, too, it is asked again whose they are, and
 * what the guess made requests of has the connection's name. memcached's stays one: others have some of its words. Bytes
 * that are too few to say are an unknown protocol's, and are looked at again with those that follow, until something is
 * answered.
 *
 * Bytes of a request that was underway when the recording began are no request where their protocol becomes known with
 * the next one, or is HTTP by its answer. Of an unknown protocol nothing tells them from the beginning of one: what is
 * read first counts.
 *
 * Of struct connection, belief, is_refuted, guessed_by, guessed_ns and rest are written here, and where it begins to
 * speak something (connection.c).
 */
#ifndef REPORT_SOCKET_GUESS_H
#define REPORT_SOCKET_GUESS_H

#include "report/socket_requests.h"

/* A read, a write or the end of a connection: what the parser's listener, socket_bytes.c, has to know. */
struct feeding {
	struct socket_requests *s;
	struct connection *c;
	struct exchange_listener listener;	/* that it is for */
	const struct record *rec;	/* NULL: at the end */
	uint64_t ns;
	bool is_out;			/* the bytes are the server's */
	bool is_guessed;		/* a parser has begun with bytes that were read before */
	bool has_begun;			/* a request, with these bytes */
	VEC(uint32_t) answered;		/* slots, by these bytes */
};

/* What was read, before the parser has it: who that is, if any, is known then, or guessed. */
void socket_guess_in(struct feeding *f, const struct chunk *b);
/* The same of what was written. */
void socket_guess_out(struct feeding *f, const struct chunk *b);

/* What the parser says of a request: it has begun, it has a name, it is answered; */
void socket_guess_began(struct feeding *f, uint32_t slot);
void socket_guess_named(struct feeding *f);
void socket_guess_answered(struct feeding *f, const struct open_request *r);
/* what was written is no answer of the protocol's. */
void socket_guess_refuted(struct connection *c);

/* The guess was wrong: its requests lose their names, and are answered, or get no answer. */
void socket_guess_drop(struct feeding *f, bool is_answered);
/* What was taken for a request, at that place in the queue, is none. */
void socket_guess_withdraw(struct socket_requests *s, struct connection *c, size_t at);
/* What is over was answered when that was told. */
void socket_guess_close_over(struct socket_requests *s, struct connection *c);
/* None of its requests gets an answer. */
void socket_guess_give_up(struct socket_requests *s, struct connection *c);

#endif
