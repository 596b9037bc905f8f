/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks to requests, and samples to the request that their thread works on, in one pass over
 * records in the order of time. Memory: what is open.
 *
 *	attribute_init(&a, &session, &endpoint_options, &listener);
 *	for each record:
 *		attribute_record(&a, &record);	before session_record(): it asks who was there
 *		open = attribute_sample(&a, thread, weight);
 *	attribute_finish(&a);
 *	attribute_release(&a);
 *
 * Each thread has a stack of open requests, and its samples belong to the top one:
 *   BEGIN pushes.
 *   END with an id closes the request of the same process, marker and id, wherever it stands.
 *   END without an id closes the thread's top one of the same marker.
 *   A marker that stands for a call (MARKER_IS_CALL) goes by the stack pointer instead. Stacks grow
 *   down, so whatever began at or below the sp of a new call has returned, and so has whatever
 *   began below the sp that a return leaves: those whose END is missing (longjmp, exception, lost
 *   record) are closed on the spot. The return itself ends the outermost of them, if its marker is
 *   the same.
 *   EXIT closes what is open on the thread, but for requests with an id, which any thread may end;
 *   exec closes what is open in the process; the end of the recording closes the rest.
 * A request that is closed by anything but its own END is unfinished: its samples count, its time
 * does not. An END without a request is counted: what it ended began before the recording.
 */
#ifndef REPORT_ATTRIBUTE_H
#define REPORT_ATTRIBUTE_H

#include "base/str.h"
#include "report/endpoint.h"
#include "report/request.h"
#include "report/session.h"

/* Open requests stand in three lists, newest first. Links are slots; NO_SLOT ends a list. */
enum open_list {
	OPEN_ON_THREAD,		/* by thread: the stack */
	OPEN_IN_FAMILY,		/* by thread and marker; all calls are one family */
	OPEN_IN_PROCESS,	/* by process */
	NR_OPEN_LISTS,
};

#define NO_SLOT UINT32_MAX

struct open_request {
	struct request request;
	uint32_t slot;		/* dense, used again: to index arrays of the listener's own */
	uint32_t marker;	/* id */
	uint32_t thread, process;	/* indexes in the session; thread of the BEGIN */
	bool is_open, has_id, is_call;
	uint64_t mark_id, sp;
	struct {
		uint32_t owner;	/* index of the list; NO_SLOT: in none (its thread is gone) */
		uint32_t older, newer;
	} in[NR_OPEN_LISTS];
};

struct request_listener {
	void *self;
	/* A request ended: what it had is final. Lent for the call. */
	void (*ended)(void *self, const struct open_request *r);
};

struct attribute {
	struct session *session;			/* all lent */
	const struct endpoint_options *endpoints;
	struct request_listener listener;
	VEC(struct open_request) slots;
	VEC(uint32_t) free_slots;
	VEC(uint32_t) newest[NR_OPEN_LISTS];		/* slot, by owner */
	struct u64map families;				/* (thread, marker) -> owner */
	struct hashidx by_id;				/* slots; stale ones among them */
	uint32_t nr_open_with_id;
	uint64_t nr_requests;				/* the last id */
	uint64_t nr_marks, nr_unmatched_ends, nr_unfinished, nr_label_faults, nr_labels_cut;
	uint64_t nr_unreadable_marks;			/* no magic, or cut short */
	struct str text;				/* scratch */
};

/* first_id: ids of requests go on from here (several inputs); 0 for the first. */
void attribute_init(struct attribute *a, struct session *session,
		    const struct endpoint_options *endpoints,
		    const struct request_listener *listener, uint64_t first_id);
void attribute_release(struct attribute *a);

/* A mark, or the end of a thread or program; all other records are left alone. */
void attribute_record(struct attribute *a, const struct record *r);
/* Adds a sample to the request that the thread works on and returns it; NULL: outside. */
const struct open_request *attribute_sample(struct attribute *a, uint32_t thread, uint64_t weight);
/* Closes what is open, in the order of begin. */
void attribute_finish(struct attribute *a);

#endif
