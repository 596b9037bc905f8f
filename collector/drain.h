/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings to recording. The records of all rings are looked at in the order of their time, and what is
 * kept goes from the ring to the file by writev(2), without a copy in between; only samples with a
 * stack to unwind are written anew. On the way, records about processes that are not the target's are
 * left out (events per CPU see everyone's), and files that the target maps are looked at while they
 * are there.
 */
#ifndef COLLECTOR_DRAIN_H
#define COLLECTOR_DRAIN_H

#include "collector/counting.h"
#include "collector/follow.h"
#include "collector/keep.h"
#include "collector/kernel_names.h"
#include "collector/merge.h"
#include "collector/sampler.h"
#include "collector/stack_walker.h"
#include "collector/target.h"
#include "recording/decode.h"
#include "recording/writer.h"

enum { DRAIN_PARTS = 256 };

/* A process whose first thread ended. */
struct ended_process {
	uint32_t pid;
	uint64_t gone_ns;	/* when it was seen that none of its threads is left; 0: not yet */
};

struct drain {
	struct sampler *sampler;
	struct follow *follow;
	struct writer *writer;
	struct keep *keep;
	struct stack_walker *walker;	/* NULL: chains are as the kernel wrote them */
	struct counting *counting;	/* NULL unless set after drain_init(); lent */
	struct merge merge;
	struct iovec parts[DRAIN_PARTS];	/* what goes out next, */
	int nr_parts;
	uint8_t *rewritten;		/* some of it from here */
	size_t nr_rewritten_bytes;
	uint64_t nr_samples, nr_lost, nr_throttled;
	uint64_t nr_lost_looked_at;	/* of nr_lost, for ends of processes */
	bool may_have_lost;		/* more than that, of which no record tells yet */
	uint64_t lost_ends_due_ns;	/* when those lost since will be; 0: none were */
	uint64_t nr_requests;		/* that ended */
	VEC(uint64_t) nr_open;		/* begins without their end, by marker */
	VEC(struct ended_process) ended;	/* to be forgotten once their last records were drained */
	struct pids forked;		/* that are not forgotten; where there is no follow, which knows them */
	struct events events;		/* the sampler's, as the decoder wants them */
	struct kernel_names kernel_names;
	bool waits;			/* somebody settles; then a round is finished only when ... */
	uint64_t due_ns;		/* ... what is as old as this was taken; 0: was settled again */
	uint64_t finished_ns;		/* up to when records had been taken at the last round's end */
	struct settled {
		uint64_t from_ns, to_ns;
	} settled;			/* the last time */
	bool round_has_records;		/* since the last round was finished */
	bool last_round_had_records;
	bool is_pressed;		/* so much waits in a ring that it may be full soon, and wake nobody */
};

/* All are lent; follow is NULL where the events themselves see only the target. */
void drain_init(struct drain *d, struct sampler *sampler, struct follow *follow,
		struct writer *writer, struct keep *keep, struct stack_walker *walker);

/*
 * For records that are sent later than they were made: all that are older than from_ns are in the rings, with no
 * time beyond to_ns there; from_ns 0: not all. Call it right before drain_rings(), each time or never.
 */
void drain_settled(struct drain *d, uint64_t from_ns, uint64_t to_ns);
/*
 * What is in the rings, but for the last moment's, and a FINISHED_ROUND if that was something, or the
 * time before it was. The last time, when the events are disabled, all of it.
 */
void drain_rings(struct drain *d, bool is_last);
/* Valid on a zeroed one. */
void drain_release(struct drain *d);

#endif
