/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings to recording: runs of records go from the ring to the file in one writev(2), without a copy in
 * between. On the way out, records about processes that are not the target's are left out (events per
 * CPU see everyone's), and files that the target maps are looked at while they are there.
 */
#ifndef COLLECTOR_DRAIN_H
#define COLLECTOR_DRAIN_H

#include "collector/follow.h"
#include "collector/keep.h"
#include "collector/kernel_names.h"
#include "collector/sampler.h"
#include "collector/target.h"
#include "recording/decode.h"
#include "recording/writer.h"

struct drain {
	struct sampler *sampler;
	struct follow *follow;
	struct writer *writer;
	struct keep *keep;
	uint64_t nr_samples, nr_lost, nr_throttled;
	uint64_t nr_ends;		/* marks that end a request */
	struct pids ended;		/* processes to forget once their last records were drained */
	struct events events;		/* the sampler's, as the decoder wants them */
	struct kernel_names kernel_names;
	bool round_has_records;
};

/* All are lent; follow is NULL where the events themselves see only the target. */
void drain_init(struct drain *d, struct sampler *sampler, struct follow *follow,
		struct writer *writer, struct keep *keep);

/* Everything that is in the rings now, and a FINISHED_ROUND if that was something. */
void drain_rings(struct drain *d);
/* Valid on a zeroed one. */
void drain_release(struct drain *d);

#endif
