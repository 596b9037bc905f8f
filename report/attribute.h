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
 *   END of a marker that stands for a call (MARKER_IS_CALL) closes the call that began with the
 *   stack pointer which this return leaves behind, wherever it stands.
 *   EXIT closes what is open on the thread, but for requests with an id, which any thread may end;
 *   the EXIT of a process's last thread, and exec, close what is open in the process; the end of
 *   the recording closes the rest.
 *   LOST closes all but those with an id: their END may be among what was lost, and an END that
 *   comes may be that of another request.
 * A request that is closed by anything but its own END is unfinished: its samples count, its time
 * does not. An END without a request is counted: what it ended began before the recording, or had
 * been given up.
 *
 * An END can be missing all the same (longjmp, an exception, a way out that the marker does not
 * know). Stacks grow down, so what began at or below the sp of a later BEGIN (of any call, or of
 * the same marker) may be over, and so may a call that began below the sp that a return leaves.
 * Such a request is in doubt: it leaves the thread's stack, and samples go to what stands below it.
 * It may yet go on, on another stack (a coroutine's, a signal handler's), so an END that fits still
 * ends it: that of the call with its sp, or, where begin and end are two probes, one from the very
 * frame that it began in. A BEGIN of the same call with the same sp ends the doubt: it is
 * unfinished.
 *   Begins may also nest within one frame (CPython's functions do, and have one sp for all). That
 * looks like missing ENDs until the END of one in doubt comes; from there on, equal stack pointers
 * on that thread mean nesting, to the end of the recording: a time without nesting does not show
 * that there is none, since recursion comes and goes. So an END too many, hit without a BEGIN, can
 * pass for that of one in doubt; then ENDs of this marker and thread that go missing in one and the
 * same frame are not seen any more, and those requests stay open, and have the samples that follow.
 *   Until the next BEGIN, nothing tells that an END is missing: the samples up to there are the
 * request's. And where the next BEGINs are all deeper in the stack, nothing ever tells.
 */
#ifndef REPORT_ATTRIBUTE_H
#define REPORT_ATTRIBUTE_H

#include "base/str.h"
#include "report/endpoint.h"
#include "report/request.h"
#include "report/session.h"

/* Open requests stand in lists, newest first. Links are slots; NO_SLOT ends a list. */
enum open_list {
	OPEN_ON_THREAD,		/* by thread: the stack */
	OPEN_IN_DOUBT,		/* by thread: in doubt, and thus in neither of its neighbours here */
	OPEN_IN_FAMILY,		/* by family, but for those with an id */
	OPEN_IN_PROCESS,	/* by process */
	NR_OPEN_LISTS,
};

#define NO_SLOT UINT32_MAX

struct open_request {
	struct request request;
	uint32_t slot;		/* dense, used again: to index arrays of the listener's own */
	uint32_t marker;	/* id */
	uint32_t thread, process;	/* indexes in the session; thread of the BEGIN */
	uint32_t family;
	bool is_open, has_id, is_call;
	uint64_t mark_id, sp;
	struct {
		uint32_t owner;	/* index of the list; NO_SLOT: in none */
		uint32_t older, newer;
	} in[NR_OPEN_LISTS];
};

/* Requests of one thread and marker; a thread's calls are one family, whatever their markers. */
struct family {
	uint32_t nr_in_doubt;
	bool nests_in_a_frame;
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
	struct u64map family_of;			/* (thread, marker) -> index */
	VEC(struct family) families;
	struct hashidx by_key;				/* slots; stale ones among them */
	uint32_t nr_open_with_key;
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

/* A mark, the end of a thread or program, or a loss; all other records are left alone. */
void attribute_record(struct attribute *a, const struct record *r);
/* Adds a sample to the request that the thread works on and returns it; NULL: outside. */
const struct open_request *attribute_sample(struct attribute *a, uint32_t thread, uint64_t weight);
/* Closes what is open, in the order of begin. */
void attribute_finish(struct attribute *a);

#endif
