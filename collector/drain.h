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
	uint64_t nr_ends;		/* marks that end a request */
	VEC(struct ended_process) ended;	/* to be forgotten once their last records were drained */
	struct events events;		/* the sampler's, as the decoder wants them */
	struct kernel_names kernel_names;
	uint64_t settled_ns;		/* of the last drain_settled() */
	uint64_t due_ns;		/* a round is finished only when what is older than this was taken */
	bool round_has_records, last_round_had_records;
	bool is_pressed;		/* so much waits in a ring that it may be full soon, and wake nobody */
};

/* All are lent; follow is NULL where the events themselves see only the target. */
void drain_init(struct drain *d, struct sampler *sampler, struct follow *follow,
		struct writer *writer, struct keep *keep, struct stack_walker *walker);

/*
 * Records that are sent later than they were made, by whoever makes them, are in the rings as far as they are older than
 * ns. Call it right before drain_rings(), each time or never.
 */
void drain_settled(struct drain *d, uint64_t ns);
/*
 * What is in the rings, but for the last moment's, and a FINISHED_ROUND if that was something, or the
 * time before it was. The last time, when the events are disabled, all of it.
 */
void drain_rings(struct drain *d, bool is_last);
/* Valid on a zeroed one. */
void drain_release(struct drain *d);

#endif
