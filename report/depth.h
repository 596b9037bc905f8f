/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many of an input's stacks were cut by the kernel, which walks up to a limit (kernel.perf_event_max_stack, unless the
 * event has its own) and does not say where it stopped short: a chain as long as the limit is taken for cut. A longer one
 * shows that it was not the limit, or that the chain is not the kernel's.
 */
#ifndef REPORT_DEPTH_H
#define REPORT_DEPTH_H

#include "recording/record.h"
#include "unwinder/stop.h"

/* Zeroed at the beginning of an input. */
struct depth {
	uint64_t nr_at_limit;
	bool is_limit_unknown;
};

/* In frames. */
uint32_t depth_limit(const struct event_desc *event);
void depth_note(struct depth *d, const struct event_desc *event, const struct callchain *chain);
/* Stacks that the recorder unwound are cut by nothing, and may be that deep by chance. */
uint64_t depth_nr_cut(const struct depth *d, const struct unwind_tally *unwound);

#endif
