/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that are open, whoever says where they begin and end: marks of probes
 * (mark_requests.h) or bytes on sockets (socket_requests.h). Memory: what is open at a time.
 */
#ifndef REPORT_OPEN_REQUESTS_H
#define REPORT_OPEN_REQUESTS_H

#include "base/vec.h"
#include "report/request.h"

#define NO_SLOT UINT32_MAX

/* Lists that requests by marks stand in, newest first. Links are slots; NO_SLOT ends a list. */
enum open_list {
	OPEN_ON_THREAD,		/* by thread: the stack */
	OPEN_IN_DOUBT,		/* by thread: in doubt, and thus in neither of its neighbours here */
	OPEN_IN_FAMILY,		/* by family, but for those with an id */
	OPEN_IN_PROCESS,	/* by process */
	NR_OPEN_LISTS,
};

/* Whose counted calls are: some of a request's may be another one's, and the other way round. */
enum call_doubt {
	CALLS_ARE_SURE,
	CALLS_OF_ENDPOINT,	/* of one of the same path */
	CALLS_OF_ANY,
};

struct open_request {
	struct request request;
	uint32_t slot;		/* dense, used again: to index arrays of the listener's own */
	uint32_t thread, process;	/* indexes in the session; thread that it began on */
	bool is_open, is_by_bytes;
	bool is_held;		/* no request: what a thread has done that is not yet known to be any's */
	enum call_doubt call_doubt;
	/* by marks */
	uint32_t marker;	/* id */
	uint32_t family;
	bool has_id, is_call;
	bool is_left;		/* nobody knows when; what its thread called since may have been for none */
	bool is_awaited, is_unseen;	/* its return: by the kernel; by nobody, who had enough to wait for */
	bool is_passed;		/* a call that began later, in the same place of the stack, has returned */
	uint64_t mark_id, sp;
	struct {
		uint32_t owner;	/* index of the list; NO_SLOT: in none */
		uint32_t older, newer;
	} in[NR_OPEN_LISTS];
	/* by bytes */
	uint64_t nr_on_connection;	/* its parser's number */
	uint32_t nr_workers;		/* threads that work on it now */
	bool is_handed;			/* to another thread, which neither reads nor answers */
	bool is_handed_back;		/* who worked on it there has woken who waited for it */
	bool is_worked_for;		/* there: not next to nothing was done, or something was called */
	bool may_lack_cpu;		/* unless it is handed back: others may have done it */
	bool is_noted;			/* among what its reader has read */
	bool is_begun;			/* its answer is */
	bool is_answered;		/* it ends when the last of them has left */
	uint64_t answered_ns;
};

static inline void open_request_doubt(struct open_request *r, enum call_doubt doubt)
{
	if (r->call_doubt < doubt)
		r->call_doubt = doubt;
}

struct request_listener {
	void *self;
	/* A request ended: what it had is final. Lent for the call. */
	void (*ended)(void *self, const struct open_request *r);
	/* What was held, or a request that is withdrawn had, is this one's; NULL: no request's. It is empty from now on. */
	void (*given)(void *self, const struct open_request *held, const struct open_request *to);
};

struct open_requests {
	VEC(struct open_request) slots;
	VEC(uint32_t) free_slots;
	struct request_listener listener;
	uint64_t nr_requests;	/* the last id */
	uint64_t nr_withdrawn;	/* of these */
	uint64_t nr_unfinished;
};

/* first_id: ids of requests go on from here (several inputs); 0 for the first. */
void open_requests_init(struct open_requests *o, const struct request_listener *listener,
			uint64_t first_id);
void open_requests_release(struct open_requests *o);

/* As `like`, in no list, with the next id. Lent until the next one is added. */
struct open_request *open_requests_add(struct open_requests *o, const struct open_request *like);
/* A slot that is no request, for samples until somebody knows whose they are. It stays until open_requests_drop(). */
uint32_t open_requests_hold(struct open_requests *o, uint32_t thread);
/* What was held goes to that slot; NO_SLOT: it is outside of all. */
void open_requests_give(struct open_requests *o, uint32_t held, uint32_t to);
void open_requests_drop(struct open_requests *o, uint32_t held);
/* It was none. It stands in no list any more; what it had is outside of all. */
void open_requests_withdraw(struct open_requests *o, uint32_t slot);
/* end_ns 0: it is closed without having ended. It stands in no list any more. */
void open_requests_close(struct open_requests *o, uint32_t slot, uint64_t end_ns);

#endif
