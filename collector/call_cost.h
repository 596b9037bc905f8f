/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the probes of native functions take of the target's time: so many hits, times what a hit takes
 * here, which is measured by calling a function of our own with a probe on it and without; and so many looks at
 * activations of counted functions, which is what a hit takes more below these.
 *
 *	call_cost_measure(&cost, core);			before the core is started
 *	... call_cost_tick(&cost, native, now_ns) now and then: takes the hottest off, if need be ...
 *	call_cost_tell(&cost, native);
 *	call_cost_release(&cost);
 */
#ifndef COLLECTOR_CALL_COST_H
#define COLLECTOR_CALL_COST_H

#include "collector/call_native.h"
#include "collector/call_share.h"

/* What the probes of one function took at the last look. */
struct call_cost_function {
	struct call_hits hits;
	double ns;		/* since the look before */
};

struct call_cost {
	struct call_share share;
	double ns_emulated, ns_stepped;	/* of one hit; 0: it could not be measured */
	double ns_looked;		/* of one look */
	VEC(struct call_cost_function) functions;	/* by index */
	bool is_unsettled;		/* until the next look: some were taken off in the middle of what it will see */
};

/* Some 50 ms. What fails leaves the times 0, and with them no share is known. */
void call_cost_measure(struct call_cost *c, struct call_core *core);
/* At most one look a second. */
void call_cost_tick(struct call_cost *c, struct call_native *n, uint64_t now_ns);
/* One line: hits, time of each, share. */
void call_cost_tell(struct call_cost *c, struct call_native *n);
void call_cost_release(struct call_cost *c);

#endif
