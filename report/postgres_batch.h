/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the messages of a batch of PostgreSQL's extended query, up to its Sync, ask for together ("Message Formats",
 * "Extended Query"), and what the statements and portals of its connection stand for.
 *
 * Its path is the statement of the first portal that it executes; BEGIN, which drivers send ahead of the first
 * statement of a transaction, is one only if it is alone. " ..." follows where a different statement was executed too.
 * Nothing executed: "PREPARE" and the text that it parses, or "(bind)", "(describe)", "(close)", "(sync)". An empty
 * statement: "(empty)". One that was parsed before anybody listened: "(execute NAME)".
 */
#ifndef REPORT_POSTGRES_BATCH_H
#define REPORT_POSTGRES_BATCH_H

#include <stdbool.h>

#include "report/prepared.h"

#define POSTGRES_PATH_MAX 1024

/* Of the messages so far, the one that names it if nothing is executed. */
enum postgres_batch_kind { BATCH_NONE, BATCH_SYNC, BATCH_CLOSE, BATCH_DESCRIBE, BATCH_BIND, BATCH_PARSE };

/* All zero is a connection's first state. */
struct postgres_batch {
	enum postgres_batch_kind kind;	/* BATCH_NONE: no message of one was begun */
	bool has_more;			/* a different statement was executed too */
	struct text *executed, *parsed, *bound;	/* NULL: none */
	struct prepared statements, portals;
};

/* A message of this type was begun. */
void postgres_batch_begin_message(struct postgres_batch *b, uint8_t type);
/* All of its payload that is to be had has come; types that are no Parse, Bind, Execute or Close change nothing. */
void postgres_batch_take(struct postgres_batch *b, uint8_t type, struct piece payload);
/* A Query among its messages: it takes the place of the Sync that the batch lacks. */
void postgres_batch_query(struct postgres_batch *b, struct piece statement);
/* Messages did not travel: what was bound counts as executed. */
void postgres_batch_lose_end(struct postgres_batch *b);
/* Returns the path's length in bytes; it has no NUL. */
size_t postgres_batch_path(const struct postgres_batch *b, char path[POSTGRES_PATH_MAX]);
/* It is over: what was parsed and bound is remembered. */
void postgres_batch_clear(struct postgres_batch *b);
void postgres_batch_release(struct postgres_batch *b);

/* Of a Query's or a Parse's payload, what comes up to a NUL, or as much of it as travelled; blank: "(empty)". */
struct piece postgres_statement_of(struct piece payload);

#endif
