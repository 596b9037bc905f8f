/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of the target as socket_requests.c knows it: its name, who parses its bytes, and the
 * queue of its requests that wait for their answers, oldest first.
 *
 *	c = connections_add(&all, &mark, name);		each stays where it is until it is removed
 *	connection_speak(c, protocol);			its parser is c->parser from now on
 *	connection_asked(c, &open, nr, slot);		a request, by the parser's number
 *	if (connection_find_request(c, nr, &at))
 *		connection_answered(c, &open, at);
 *	connections_remove(&all, c);
 */
#ifndef REPORT_CONNECTION_H
#define REPORT_CONNECTION_H

#include "base/hash.h"
#include "base/str.h"
#include "base/vec.h"
#include "recording/socket_mark.h"
#include "report/open_requests.h"
#include "report/protocol.h"

/* Why a connection is taken to speak its protocol. */
enum belief {
	BELIEF_GUESS,	/* bytes looked like it; of the unknown one: they may be the rest of what was underway */
	BELIEF_FIRST,	/* its first bytes do */
	BELIEF_SURE,	/* a request with a name was answered */
};

struct connection {
	uint64_t inode;
	bool is_outgoing;
	bool is_complete;	/* all bytes since its first one have been seen */
	bool is_http;		/* no request was asked for but HTTP's */
	bool is_opaque;		/* no request can be known of it, or none was asked for */
	bool has_read;		/* bytes of its own, no proxy's */
	bool is_out;		/* the last bytes were the server's */
	bool is_claimed;	/* somebody has begun to answer what was read last */
	uint32_t reader;	/* thread that did */
	uint32_t pid;		/* of its last mark; 0: none yet */
	struct connection *next, *prev;	/* those with the same */
	bool is_orphan;		/* that process has ended with a request that waits here, and no mark came since */
	bool is_quiet;		/* none has come since marks were lost, or room was made */
	uint32_t name;		/* what a request is called that says no name */
	const struct protocol *protocol;	/* NULL: no bytes yet */
	enum belief belief;
	bool is_refuted;	/* bytes were none of the protocol's, and it was not sure, or never is */
	VEC(uint8_t) guessed_by;	/* too few bytes to say, nothing was written since; none: they were enough */
	uint64_t guessed_ns;	/* the first of these came then */
	void *parser;
	/* Slots of requests that are not answered, by the parser's numbers; NO_SLOT: answered early. */
	VEC(uint32_t) queue;
	size_t head;		/* of the queue: the oldest */
	uint64_t first_nr;	/* the number of queue.at[0] */
	/* Slot of what may be the rest of what was underway, until it is known what the next exchange is; NO_SLOT. */
	uint32_t rest;
	VEC(uint32_t) over;	/* slots of what counts as answered until more is written */
	uint32_t nr_changes;	/* neighbours in the queue that are not of one endpoint */
	uint64_t mixed_nr;	/* up to this one nobody knows what was done for which: connection_mix() */
	uint64_t last_out_ns;
	uint64_t left_ns;	/* who read or wrote last turned to something else then; 0: not yet */
	uint64_t in_since_ns;	/* a byte came then that may be the next request's first; 0: none that has not begun */
	struct {
		uint32_t slot;
		uint64_t id;	/* of the request: slots are used again */
	} owner;		/* of an outgoing one: what it is used for */
};

/* Zeroed: none. */
struct connections {
	VEC(struct connection *) all;	/* NULL: the place is free */
	struct placemap of_inode;		/* in all */
	struct u64map first_of;		/* by process: the place of its first one */
};

void connections_release(struct connections *cs);
size_t connections_nr(const struct connections *cs);
/* Lent until it is removed; NULL: none. */
struct connection *connections_find(const struct connections *cs, uint64_t inode);
/* m: its first mark. name: of the requests, until connection_set_name() knows better. */
struct connection *connections_add(struct connections *cs, const struct socket_mark *m,
				   uint32_t name);
/* Of that process, the first, then ->next; NULL: none. */
struct connection *connections_of(const struct connections *cs, uint32_t pid);
void connections_set_pid(struct connections *cs, struct connection *c, uint32_t pid);
/* Frees it with its parser. What still waits in its queue is the caller's to close. */
void connections_remove(struct connections *cs, struct connection *c);

/* text: scratch. */
void connection_set_name(struct connection *c, const struct socket_name *n,
			 struct strings *strings, struct str *text);

/* Begins with a new parser and an empty queue; NULL: without either. */
void connection_speak(struct connection *c, const struct protocol *p);
/* Begins with a new parser, to which the request that has begun is its first. */
void connection_guess(struct connection *c, const struct protocol *p);

static inline bool connection_is_owing(const struct connection *c)
{
	return c->head < c->queue.nr;
}

void connection_asked(struct connection *c, const struct open_requests *open, uint64_t nr,
		      uint32_t slot);
/* The place of the parser's request in the queue; false: there is none, or it was answered. */
bool connection_find_request(const struct connection *c, uint64_t nr, size_t *ret_at);
/*
 * Of those who are next to each other in the queue, how many pairs with the request at that place are
 * not of one endpoint. Who changes its endpoint keeps nr_changes by it.
 */
uint32_t connection_changes_at(const struct connection *c, const struct open_requests *open,
			       size_t at);
void connection_answered(struct connection *c, const struct open_requests *open, size_t at);
/* Not so, after all; it is the one before the oldest. */
void connection_reopened(struct connection *c, const struct open_requests *open, uint32_t slot);
void connection_clear_queue(struct connection *c);
/*
 * The oldest one that is not answered, if all of them are of one endpoint: several that came at once may
 * be worked on in turn or together. NO_SLOT: none, or nobody knows.
 */
uint32_t connection_worked_on(const struct connection *c);
/* Nobody knows what was done for which of those that wait. */
void connection_mix(struct connection *c);

/* It is used for the request; NO_SLOT: as before. */
void connection_own(struct connection *c, const struct open_requests *open, uint32_t slot);
/* It is used for nobody knows what. */
void connection_disown(struct connection *c);
/* What it is used for, if that is still open; NO_SLOT. */
uint32_t connection_owner(const struct connection *c, const struct open_requests *open);

#endif
