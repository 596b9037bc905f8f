/* SPDX-License-Identifier: Apache-2.0 */
#include "report/event_weight.h"

#include "base/units.h"

double event_hz(const struct event_desc *event)
{
	return event->attr.freq ? (double)event->attr.sample_freq : 0;
}

bool event_has_period(const struct event_desc *event)
{
	return event->attr.sample_type & PERF_SAMPLE_PERIOD || !event->attr.freq;
}

/*
 * The kernel's clocks fire every 10 us at most, and say the period that was asked for all the same
 * (kernel/events/core.c, perf_swevent_hrtimer(): period = max_t(u64, 10000, ...)).
 */
#define CLOCK_MIN_PERIOD_NS 10000

uint64_t event_weight(const struct event_desc *event, const struct record *r)
{
	uint64_t weight = r->sample.period;

	if (!event->is_clock)
		return weight;
	if (!event_has_period(event) && event->attr.sample_freq)
		weight = NS_PER_SEC / event->attr.sample_freq;
	return weight < CLOCK_MIN_PERIOD_NS ? CLOCK_MIN_PERIOD_NS : weight;
}

/* The upper half of the config says which of several PMUs, where CPUs differ. */
bool event_is_cycles(const struct event_desc *event)
{
	return event->attr.type == PERF_TYPE_HARDWARE &&
	       (uint32_t)event->attr.config == PERF_COUNT_HW_CPU_CYCLES;
}
