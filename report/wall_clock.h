/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the wall clock said at a moment of the recording's. Both go on alike, but the wall clock is set: by
 * settimeofday(2), by a daemon that steps it, by a hypervisor that lets a machine go on from a snapshot.
 *
 *	struct wall_clock c = { 0 };
 *	wall_clock_set(&c, begin_ns, begin_epoch_ns);
 *	epoch_ns = wall_clock_at(&c, request->begin_ns);
 */
#ifndef REPORT_WALL_CLOCK_H
#define REPORT_WALL_CLOCK_H

#include <stdint.h>

/* Requests are told of soon: how it was set long before is forgotten. */
enum { WALL_CLOCK_KEPT = 64 };

struct wall_clock {
	struct {
		uint64_t ns, epoch_ns;	/* one moment on both clocks */
	} settings[WALL_CLOCK_KEPT];	/* the newest at (nr - 1) % that many */
	uint64_t nr;			/* ever set */
};

/*
 * From ns on, where the wall clock said epoch_ns (since 1970). Ignored are times of 0, which say nothing, and
 * moments before the last one that was given; of one moment the last word holds.
 */
void wall_clock_set(struct wall_clock *c, uint64_t ns, uint64_t epoch_ns);
/*
 * By the last setting at or before ns; before all that are known, by the oldest. 0: none is known, or it would
 * be out of an int64_t's range.
 */
uint64_t wall_clock_at(const struct wall_clock *c, uint64_t ns);

#endif
