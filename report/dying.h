/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a sample is that has no thread. A thread gives its number back some microseconds before it leaves its
 * CPU for good, and its process's number, if it was the last: samples of that time have -1 (Linux:
 * kernel/events/core.c, perf_event_pid_type()).
 *
 * They are of the thread whose end is the last that was heard of on that CPU, 20 us behind it as a rule, and 0.1 ms
 * at most. Compared with the kernel's records of all switches, of 1355 such samples none got a wrong name, and one
 * got none: its thread had been moved to a CPU where another one was sampled meanwhile. Where four programs fought
 * for two CPUs and did little but begin and end, 2 of 851 got a wrong one: between its end and its last moment a
 * thread had lost its CPU to another one, which ended, too. One that waits long for its last moment may be anywhere.
 */
#ifndef REPORT_DYING_H
#define REPORT_DYING_H

#include "base/vec.h"
#include "recording/record.h"

struct ending {
	uint32_t pid, tid;
	uint64_t ns;		/* of its end; 0: somebody else has been there since */
};

/* Valid when zeroed. */
struct dying {
	VEC(struct ending) by_cpu;
};

void dying_release(struct dying *d);
/* Each record, in the order of time. */
void dying_record(struct dying *d, const struct record *r);
/* False: nobody can tell. r: a sample without a thread. */
bool dying_find(const struct dying *d, const struct record *r, uint32_t *ret_pid, uint32_t *ret_tid);

#endif
