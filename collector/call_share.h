/* SPDX-License-Identifier: Apache-2.0 */
/* What share of the target's CPU time counting takes: of each second in which that can be said, and of all of them. */
#ifndef COLLECTOR_CALL_SHARE_H
#define COLLECTOR_CALL_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "collector/target.h"

struct call_share_process {
	uint32_t pid;
	uint64_t own_ns;	/* its CPU time, */
	uint64_t ended_ns;	/* and that of its children that have ended, and theirs */
};

/* Valid when only `most` is set. */
struct call_share {
	double most;		/* it may take; 1 and more: any */
	uint64_t next_ns;	/* no look before that */
	VEC(struct call_share_process) processes;	/* of the target, at the last look */
	uint64_t seen_cpu_ns;	/* CPU time of all looks together */
	double seen_ns;		/* what counting took of that */
};

/*
 * At most one look a second. False: it is too early. *ret_took_ns: what the processes took since the look before, those
 * too that have ended if a process of the target has waited for them; 0: nothing, or it is the first look.
 */
bool call_share_look(struct call_share *s, const struct pids *pids, uint64_t now_ns, uint64_t *ret_took_ns);
/*
 * Which part of these ns are. What a hit takes was measured elsewhere and at another time, so it may come out at more than the
 * whole: then it is that.
 */
double call_share_part(uint64_t took_ns, double ns);
/* Counting took ns of these. False: that is more than it may. */
bool call_share_add(struct call_share *s, uint64_t took_ns, double ns);
void call_share_release(struct call_share *s);

#endif
