/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples and counted calls summed by (group, stack). A request mostly has a handful of stacks, a
 * recording has many thousands: up to a few the list is searched, beyond that it is indexed. Valid when zeroed.
 */
#ifndef REPORT_WEIGHTS_H
#define REPORT_WEIGHTS_H

#include "base/hash.h"
#include "base/vec.h"
#include "report/inputs.h"

struct stack_weight {
	uint32_t group;		/* where a request's samples go to several groups; else 0 */
	uint32_t node;		/* stacks.h */
	uint64_t nr_samples, weight;
	uint64_t ncalls, self_ns;	/* of a counted stack: call_mark.h */
};

struct weights {
	VEC(struct stack_weight) list;
	bool is_partial;	/* calls are missing in it */
	uint64_t nr_doubtful;	/* times that calls in it may be another request's: then it is partial, too */
	uint64_t inputs;	/* that it is from: input_bit() */
	struct hashidx index;	/* of the list, once it is long */
};

void weights_add(struct weights *w, const struct stack_weight *more);
/* Empties it and keeps its memory. */
void weights_clear(struct weights *w);
void weights_release(struct weights *w);

#endif
