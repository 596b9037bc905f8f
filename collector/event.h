/* SPDX-License-Identifier: Apache-2.0 */
/* Names of events, as libpfm4 and perf know them -> perf_event_attr. */
#ifndef COLLECTOR_EVENT_H
#define COLLECTOR_EVENT_H

#include <linux/perf_event.h>
#include <stdbool.h>

#include "base/err.h"

/*
 * Sets type, config, config1, config2 and the exclude_* bits of a zeroed attr. -ENOENT: no such event
 * (the remedy lists the nearest names).
 */
int event_parse(const char *name, struct perf_event_attr *attr, struct err *e);
/*
 * The event that samples time best here: cycles where the CPU counts them and the kernel lets us, else
 * cpu-clock. Returns its name (static).
 */
const char *event_default(struct perf_event_attr *attr);

#endif
