/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples and counted calls to the tables that they belong in. A request's wait, summed by stack, until the
 * request has ended, since only then it is known whether the selection takes it; memory is that of
 * the open requests, of --slowest's candidates, and of the distinct stacks of each table.
 *
 *	gather_init(&g, by, selection, strings);
 *	for each input:
 *		gather_sample(), gather_request()
 *		gather_end_input(&g, &session);
 *	gather_finish(&g, has_markers);
 *	... g.groups ...
 *	gather_release(&g);
 *
 * The strings of a request may be dropped once gather_request() has returned: what a table is called
 * is held for it.
 *
 * Tables by thread, process or none take the samples outside of requests as well; the others have
 * one table for all of those. With a selection of requests nobody asked for them: they are left
 * out.
 */
#ifndef REPORT_GATHER_H
#define REPORT_GATHER_H

#include "report/attribute.h"
#include "report/profile.h"
#include "report/selection.h"
#include "report/weights.h"

struct gathered {
	struct group group;	/* all but what profile.c sums up: weight, samples, functions */
	struct weights weights;
	uint64_t key[2];
	uint32_t merged_into;	/* index of the group that has it all; else its own */
	uint32_t path, method, raw_path;	/* the group's strings, held for it */
};

/* One of the slowest so far. */
struct candidate {
	struct request request;
	uint32_t group;		/* by thread or process: what counts the request; else 0 */
	struct weights weights;
};

struct gather {
	enum group_by by;
	const struct selection *selection;	/* lent; so are the strings */
	struct strings *strings;
	bool has_selection;
	uint32_t input;				/* the one at hand: session.input */
	VEC(struct gathered) groups;
	struct hashidx index;			/* of groups, by key */
	VEC(struct weights) open;		/* by slot of the open request */
	VEC(uint32_t) owner_groups;		/* by thread or process of this input */
	struct u64map labelled;			/* label -> group, by thread or process */
	VEC(struct candidate) slowest;		/* a heap: the fastest of them on top */
	uint64_t nr_filtered;			/* samples left out */
	size_t nr_endpoints;			/* groups that requests named; see ENDPOINTS_MAX */
	uint64_t nr_other;			/* requests of endpoints beyond these */
};

void gather_init(struct gather *g, enum group_by by, const struct selection *selection,
		 struct strings *strings);
void gather_release(struct gather *g);
/* What comes now is of this one. */
void gather_begin_input(struct gather *g, const struct session *session);
/* request: the one that the thread works on, or NULL. s: a sample, or counted calls; its group is set here. */
void gather_stack(struct gather *g, const struct session *session, uint32_t thread,
		  const struct open_request *request, struct stack_weight s);
void gather_sample(struct gather *g, const struct session *session, uint32_t thread,
		   const struct open_request *request, uint32_t node, uint64_t weight);
/* Calls of that time were not counted. */
void gather_partial(struct gather *g, const struct session *session, uint32_t thread,
		    const struct open_request *request);
/* What was gathered for `held` is that request's; NULL: it is outside. */
void gather_held(struct gather *g, const struct session *session, const struct open_request *held,
		 const struct open_request *to);
/* Nobody wants it. */
void gather_forget(struct gather *g, const struct open_request *held);
/* A request ended. */
void gather_request(struct gather *g, const struct open_request *request);
/*
 * For those who take the tables as they come: forgets all groups, whose samples and functions are
 * released or were taken. Of open requests nothing is forgotten.
 */
void gather_clear(struct gather *g);
/* Threads and processes have their last names now. */
void gather_end_input(struct gather *g, const struct session *session);
/* Takes the slowest in. has_markers false: what is outside is all there is, and called so. */
void gather_finish(struct gather *g, bool has_markers);

#endif
