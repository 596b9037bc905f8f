/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The marks of probes to requests, in one pass over records in the order of time.
 *
 * Each thread has a stack of open requests, and its samples belong to the top one:
 *   BEGIN pushes.
 *   END with an id closes the request of the same process, marker and id, wherever it stands.
 *   END without an id closes the thread's top one of the same marker.
 *   END of a marker that stands for a call (MARKER_IS_CALL) closes the call of the same process that
 *   began with the stack pointer which this return leaves behind, wherever it stands: stacks do not
 *   overlap, and a goroutine's call may begin on one thread and return on another.
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
 * frame that it began in. A BEGIN of the same call with the same sp on another
 * thread ends the doubt: it is unfinished.
 *   A function that comes back to itself by tail calls begins again and again with one sp, and all of these return at once.
 * So on its own thread a BEGIN like its own only puts a call in doubt; the next one behind an END ends that.
 *   Begins may also nest within one frame (CPython's functions do, and have one sp for all). That
 * looks like missing ENDs until the END of one in doubt comes; from there on, equal stack pointers
 * on that thread mean nesting, to the end of the recording: a time without nesting does not show
 * that there is none, since recursion comes and goes. So an END too many, hit without a BEGIN, can
 * pass for that of one in doubt; then ENDs of this marker and thread that go missing in one and the
 * same frame are not seen any more, and those requests stay open, and have the samples that follow.
 *   Until the next BEGIN, nothing tells that an END is missing: the samples up to there are the
 * request's. And where the next BEGINs are all deeper in the stack, nothing ever tells.
 *   Counted calls are numbers of single things: of a request that was in doubt, or is closed by anything but its END, they
 * are doubtful (enum call_doubt), and so are those of what is around it, another request or none. Not so where the
 * recording ends, which requests are underway then, unless any has been in doubt.
 */
#ifndef REPORT_MARK_REQUESTS_H
#define REPORT_MARK_REQUESTS_H

#include "base/str.h"
#include "report/endpoint.h"
#include "report/open_requests.h"
#include "report/session.h"

/* Requests of one thread and marker; a thread's calls are one family, whatever their markers. */
struct family {
	uint32_t nr_in_doubt;
	bool nests_in_a_frame;
	/* of a thread's calls; see MAX_RETURNS */
	uint32_t nr_awaited;
	bool awaits_no_more;
};

struct mark_requests {
	struct session *session;			/* all lent */
	const struct endpoint_options *endpoints;
	struct open_requests *open;
	VEC(uint32_t) newest[NR_OPEN_LISTS];		/* slot, by owner */
	bool has_left;					/* a request was in doubt, ever */
	struct u64map family_of;			/* (thread, marker) -> index */
	VEC(struct family) families;
	struct hashidx by_key;				/* slots */
	uint64_t nr_unmatched_ends, nr_returns_unseen, nr_label_faults, nr_labels_cut;
	struct str text;				/* scratch */
};

void mark_requests_init(struct mark_requests *m, struct session *session,
			const struct endpoint_options *endpoints, struct open_requests *open);
void mark_requests_release(struct mark_requests *m);

/* The raw part of a sample whose magic is MARK_MAGIC. False: it makes no sense. */
bool mark_requests_mark(struct mark_requests *m, const struct record *rec);
/* The end of a thread or program, or a loss; all other records are left alone. */
void mark_requests_record(struct mark_requests *m, const struct record *rec);
/* The slot of what the thread works on, or NO_SLOT. */
uint32_t mark_requests_of(const struct mark_requests *m, uint32_t thread);
/* Closes what is open, in the order of begin. */
void mark_requests_finish(struct mark_requests *m);

#endif
