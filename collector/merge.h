/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in several rings, as one sequence in the order of time.
 *
 *	merge_begin(&m, &events, until_ns);
 *	vec_each(&rings, r)
 *		merge_add(&m, r);
 *	merge_sort(&m);
 *	vec_each(&m.records, it)
 *		use(it->record);
 *	merge_end(&m);			the rings' bytes are the kernel's again, but for what waits
 *
 * A thread that moves to another CPU leaves its records in two rings. So that what is seen of the one is
 * never older than what was seen of the other, only records before until_ns are taken, a time that lies
 * so far back that their bytes have surely been written; the others wait for the next time.
 */
#ifndef COLLECTOR_MERGE_H
#define COLLECTOR_MERGE_H

#include "base/vec.h"
#include "collector/ring.h"
#include "recording/decode.h"

struct merged {
	uint64_t time;		/* ns; within a ring it never goes back */
	uint32_t index;		/* what has equal times stays in the order of the rings */
	const struct perf_event_header *record;	/* whole, in one piece, lent until merge_end() */
};

struct merged_ring {
	struct ring *ring;
	uint64_t until;		/* position up to which its records are among ours */
};

struct merge {
	const struct events *events;	/* lent */
	uint64_t until_ns, last_ns;
	VEC(struct merged) records;
	VEC(struct merged_ring) rings;
	struct arena wrapped;
};

/* m: zeroed, or ended; or begun, to begin anew: nothing has left the rings. */
void merge_begin(struct merge *m, const struct events *events, uint64_t until_ns);
void merge_add(struct merge *m, struct ring *ring);
/* The fullest ring, in percent, by what was in it and is left to wait. Before merge_end(). */
unsigned int merge_waiting_pct(const struct merge *m);
/* The same by all that is in it, taken or not. */
unsigned int merge_held_pct(const struct merge *m);
void merge_sort(struct merge *m);
void merge_end(struct merge *m);
void merge_release(struct merge *m);

#endif
