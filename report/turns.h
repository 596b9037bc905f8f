/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is on a connection, and whether a parser still knows where its messages begin.
 *
 * A parser that finds unknown bytes, or none of its own, where a message should begin has lost its
 * place, and finds it again at the beginning of an exchange: the first bytes read after some were
 * written. There it is taken that all was answered that was asked before, and the bytes are read if
 * the protocol recognizes them. A connection is found in the same way: its first bytes may come
 * from the middle.
 *
 * An answer is lost where its end is among bytes that did not travel. Then it counts as over with the next read, which is
 * so if the client has waited for it. What is written next, and is no answer to what is asked now, says that it has not.
 *
 * Bytes that did not travel may have been requests, and are told as skipped; but where the place is lost
 * within the only request that is not answered, there is hardly another behind it: who sends one, and does
 * not wait, gets an answer that nobody asked for. Only then they are told of.
 */
#ifndef REPORT_TURNS_H
#define REPORT_TURNS_H

#include "report/protocol.h"

/* Zeroed: nothing was read yet. */
struct turns {
	bool has_read;
	bool is_answering;	/* bytes were written since the exchange began */
	bool is_placed;		/* the next bytes read go on where the last ones stopped */
	bool is_answer_lost;	/* until the next exchange */
	bool has_gone_on;	/* more was written since */
	bool may_be_rest;	/* it was when this exchange began: what is written may be of that answer */
	bool is_in_request;	/* the place was lost within the only one */
	uint64_t unseen_bytes;	/* since then, and not told of */
};

struct turn {
	bool is_over;		/* what was asked before counts as answered */
	bool was_placed;	/* a request of which only a part was read goes on */
	bool is_taken;		/* the bytes are to be read */
};

/*
 * A read. is_answer_partial: an answer is known to go on, so no exchange begins here. Bytes that
 * are not to be read, and did not travel, are told as skipped.
 */
struct turn turns_read(struct turns *t, const struct protocol *p, const struct chunk *c,
		       bool is_answer_partial, const struct exchange_listener *l);
/* The next read begins an exchange, though nothing was written since the last one. */
void turns_renew(struct turns *t);
/* A write. False: its bytes say nothing. */
bool turns_write(struct turns *t);
/* The connection was closed: true if what was asked counts as answered. */
bool turns_close(const struct turns *t);
/* Nothing more is understood of what is read; so many bytes of it did not travel. */
void turns_lose_place(struct turns *t, uint64_t nr_unknown, const struct exchange_listener *l);
/* The same; is_in_request: within the only one that is not answered. */
void turns_lose_head(struct turns *t, bool is_in_request, uint64_t nr_unknown, const struct exchange_listener *l);
void turns_lose_answer(struct turns *t);
/* Bytes were written that nobody asked for. */
void turns_unasked(struct turns *t, const struct exchange_listener *l);
/* What was written is no answer of the protocol's, but may be the rest of one. */
void turns_foreign(struct turns *t, const struct exchange_listener *l);

#endif
