/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counted calls among what feed.c reads: whose the rows of a mark are, and where calls are in no row.
 *
 * What is known of them lies in struct feed, from an input's begin to its end: the functions and nodes (calls), what
 * each thread worked on after its last mark (worked_on).
 */
#ifndef REPORT_FEED_CALLS_H
#define REPORT_FEED_CALLS_H

#include "recording/call_mark.h"
#include "report/call_tree.h"
#include "report/open_requests.h"
#include "report/weights.h"

struct feed;

/* A row of counted calls. */
struct feed_calls {
	struct session *session;
	struct call_tree *tree;
	uint32_t thread;
	const struct open_request *request;	/* as in struct feed_sample */
	const struct call_row *row;		/* NULL: some calls were not counted, nobody knows which */
	bool is_late;				/* it may belong to an earlier one */
};

/* The row as a stack among those of the samples. False: no note tells which function it is. */
bool feed_calls_stack(const struct feed_calls *c, struct stacks *stacks, struct stack_weight *ret);

/* ---- for feed.c ---- */

/* Is it a mark of counted calls? */
bool feed_calls_recognize(const struct record *r);
/* Gives the listener its rows. False: it is cut short. */
bool feed_calls_take(struct feed *f, const struct record *r);
/* Any other mark, before attribute.h has it: rows would stand here, where the process is not counted, or not yet. */
void feed_calls_before_mark(struct feed *f, const struct record *r);
/* Any other mark, once attribute.h has it: what is counted of the thread from now on is of the time since then. */
void feed_calls_note_mark(struct feed *f, const struct record *r);
/* As attribute_thread_began(), behind it: the thread's index may have been another one's. */
void feed_calls_thread_began(struct feed *f, uint32_t thread);
/* Tells the listener if what the thread has done, for the request or outside of one, had calls that nobody counts. */
void feed_calls_tell_uncounted(struct feed *f, uint32_t thread, const struct open_request *request);
/* The same for all of a request, which may also have begun before the calls of its process were counted, or be cut. */
void feed_calls_request_ended(struct feed *f, const struct open_request *r);
/* Calls are counted, and the recorder's last word is missing: what threads had added up since their last marks, too. */
bool feed_calls_are_cut(const struct feed *f);
/* Tells the listener so of what is outside of requests, once they have ended. */
void feed_calls_tell_cut(struct feed *f);

#endif
