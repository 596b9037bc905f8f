/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of which functions calls are counted, in which inputs and in which files: where a function has no calls there, it was
 * not called; elsewhere nobody knows.
 *
 *	counted_learn(&c, resolve);	when there may be more of them among the stacks
 *	counted_grow(&c, nr);		to all functions that there are
 *	... c.functions.at[function] ...
 *	counted_release(&c);
 */
#ifndef REPORT_COUNTED_H
#define REPORT_COUNTED_H

#include "report/resolve.h"

struct counting {
	bool is_counted, is_inexact;
	bool is_timed;		/* its calls have their time, too */
	bool is_named;		/* the inputs are stacks.naming */
	bool is_told;		/* that it has more calls than were counted */
	struct counting_inputs inputs;
};

/* A file in which a function is counted. */
struct counted_place {
	uint32_t function, module, path;
};

/* Valid when zeroed. */
struct counted {
	VEC(struct counting) functions;	/* by function */
	VEC(struct counted_place) places;
	struct hashidx place_index;	/* by function */
	size_t nr_locations;		/* of the stacks', that were looked at */
	bool has_any;
};

void counted_release(struct counted *c);
/* What is told to be inexact may be known already. */
void counted_learn(struct counted *c, struct resolve *r);
void counted_grow(struct counted *c, size_t nr_functions);
/*
 * How many functions that --root means, and samples found, in these tables or not, have calls that are not counted, and
 * may call what is. 0 where nothing is.
 */
uint64_t counted_nr_missed_roots(struct counted *c, struct resolve *r);
/* Whether this code of the function is in a file where it is counted. */
bool counted_is_at(const struct counted *c, struct resolve *r, uint32_t function, uint32_t location);
/* Whether all these inputs (input_bit()), of nr_all that there are, count the function. */
bool counted_is_in(const struct counted *c, const struct resolve *r, uint32_t function, uint64_t inputs,
		   uint32_t nr_all);

#endif
