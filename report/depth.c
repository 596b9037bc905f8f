/* SPDX-License-Identifier: Apache-2.0 */
#include "report/depth.h"

#include <linux/perf_event.h>

uint32_t depth_limit(const struct event_desc *event)
{
	return event->attr.sample_max_stack ? event->attr.sample_max_stack : PERF_MAX_STACK_DEPTH;
}

void depth_note(struct depth *d, const struct event_desc *event, const struct callchain *chain)
{
	uint32_t limit = depth_limit(event);
	uint64_t i, nr_frames = 0;

	if (chain->nr < limit || event->attr.exclude_callchain_user)
		return;
	for (i = 0; i < chain->nr; i++)
		nr_frames += callchain_at(chain, i) < PERF_CONTEXT_MAX;
	d->nr_at_limit += nr_frames == limit;
	d->is_limit_unknown |= nr_frames > limit;
}

static bool has_unwound(const struct unwind_tally *t)
{
	size_t i;

	for (i = 0; i < UNWIND_NR_STOPS; i++)
		if (t->nr_stops[i])
			return true;
	return false;
}

uint64_t depth_nr_cut(const struct depth *d, const struct unwind_tally *unwound)
{
	return d->is_limit_unknown || has_unwound(unwound) ? 0 : d->nr_at_limit;
}
