/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks that nothing falls in step with.
 *
 * A thread that sleeps is woken up to 50 us later than it asked for (timer slack, prctl(2)), if another timer of its CPU
 * fires meanwhile: with that. So who sleeps for a little, again and again, is woken by the very tick that samples, and runs
 * until the next one: of programs that sleep 0.1 to 0.7 ms one clock of 999 Hz saw 20 to 70 % of their time on the CPU. So a
 * CPU's samples come from several clocks, whose periods are drawn, and drawn anew now and then.
 *
 * Each sample stands for the same time: together they are as many as were asked for.
 */
#ifndef COLLECTOR_PACE_H
#define COLLECTOR_PACE_H

#include <stdint.h>

enum {
	PACE_CLOCKS = 3,	/* of a CPU */
	PACE_MIN_HZ = 50,	/* with less it would be long until the first sample */
};

/* Of all clocks of a CPU together hz; how long they keep their periods, ns. */
uint64_t pace_keep_ns(uint64_t hz);
/* ns; together they tick hz times a second, each a third of that, and up to two fifths of it more or less. */
void pace_draw(uint64_t hz, uint64_t ret_ns[PACE_CLOCKS]);

#endif
