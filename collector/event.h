/* SPDX-License-Identifier: Apache-2.0 */
/* Names of events, as libpfm4 and perf know them -> perf_event_attr. */
#ifndef COLLECTOR_EVENT_H
#define COLLECTOR_EVENT_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Sets type, config, config1, config2, precise_ip and the exclude_* bits of a zeroed attr. -ENOENT:
 * no such event (the remedy lists the nearest names), or none that samples anything.
 */
int event_parse(const char *name, struct perf_event_attr *attr, struct err *e);
/* cpu-clock or task-clock: its events are nanoseconds. */
bool event_is_clock(const struct perf_event_attr *attr);
/*
 * The kernel's timer never runs faster (kernel/events/core.c: perf_swevent_start_hrtimer()), but its
 * samples say that it did.
 */
enum { EVENT_MIN_CLOCK_PERIOD_NS = 10000 };
/* -EINVAL: cpu-clock and task-clock cannot give a sample that often. period: events between samples. */
int event_check_period(const struct perf_event_attr *attr, uint64_t period, struct err *e);
/*
 * The event that samples time best here: cycles where the CPU counts them and the kernel lets us, else
 * cpu-clock. Returns its name (static).
 */
const char *event_default(struct perf_event_attr *attr);
/* How many samples a second the kernel allows (kernel.perf_event_max_sample_rate); 0: not known. */
uint64_t event_max_freq_hz(void);

#endif
