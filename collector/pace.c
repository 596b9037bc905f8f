/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/pace.h"

#include <sys/random.h>

#include "base/units.h"

enum {
	KEEP_NS = 500 * 1000 * 1000,
	KEEP_TICKS = 64,
};

uint64_t pace_keep_ns(uint64_t hz)
{
	uint64_t ticks_ns = KEEP_TICKS * PACE_CLOCKS * (uint64_t)NS_PER_SEC / hz;

	return ticks_ns > KEEP_NS ? ticks_ns : KEEP_NS;
}

/* In [-0.2, 0.2). */
static double draw(void)
{
	uint32_t bits = 0;

	/* Without it, as one clock. */
	if (getrandom(&bits, sizeof(bits), 0) != (long)sizeof(bits))
		bits = UINT32_MAX / 2;
	return 0.4 * bits / 4294967296.0 - 0.2;
}

/*
 * A period that is set begins when it is set, and half of one is lost with the one before, in the mean: so much faster
 * it ticks until then.
 */
static uint64_t period_ns(uint64_t hz, double more)
{
	double rate = (double)hz / PACE_CLOCKS * (1 + more);
	double lost = (double)NS_PER_SEC / (double)pace_keep_ns(hz) / 2;

	return (uint64_t)((double)NS_PER_SEC / (rate + lost));
}

void pace_draw(uint64_t hz, uint64_t ret_ns[PACE_CLOCKS])
{
	double left = 0;
	int i;

	for (i = 0; i < PACE_CLOCKS - 1; i++) {
		double more = draw();

		ret_ns[i] = period_ns(hz, more);
		left -= more;
	}
	ret_ns[i] = period_ns(hz, left);
}
