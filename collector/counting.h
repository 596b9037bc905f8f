/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --calls: whatever is counted, from the options to the recording. A recorder does
 *
 *	counting_prepare(&c, &config, &target, e);
 *	counting_load(c, e);			before objects are loaded that send marks
 *	counting_attach(c, &pids, &sampler, walker, writer, e);
 *	counting_start(c, command);		when the events are enabled
 *	... counting_see(c, record) of each; counting_tick(c, now_ns) now and then ...
 *	counting_end(c);			nothing is counted any more
 *	counting_read_rest(c);			before the events are disabled
 *	... the rings' last records ...
 *	counting_finish(c);
 *	counting_free(c);
 *
 * All take NULL where nothing is counted.
 */
#ifndef COLLECTOR_COUNTING_H
#define COLLECTOR_COUNTING_H

#include "collector/call_core.h"
#include "collector/marker.h"
#include "collector/stack_walker.h"

struct counting;

struct counting_config {
	const char *const *specs;	/* of --calls; ends with NULL */
	/* Of the target's CPU time; 100: any. */
	double max_overhead_pct;	/* the hottest functions are taken off */
	double max_python_overhead_pct;	/* all of Python's are */
};

/* No specs: *ret_counting is NULL. Errors are call_native_prepare()'s. Config is lent. */
int counting_prepare(struct counting **ret_counting, const struct counting_config *config,
		     const struct marker_target *target, struct err *e);
int counting_load(struct counting *c, struct err *e);
/* walker: of the target's stacks; NULL: nobody walks them. */
int counting_attach(struct counting *c, const struct pids *pids, const struct sampler *sampler,
		    struct stack_walker *walker, struct writer *w, struct err *e);
/* For objects that send marks: call_core_join(). NULL: nothing is counted. */
const struct call_core *counting_core(const struct counting *c);
/* command: call_core_hold(); 0: there is none. */
void counting_start(struct counting *c, uint32_t command);
/* A record of the target, before it is written. */
void counting_see(struct counting *c, const struct record *rec);
/* A process that has come, of which there may be no record: it began before the events were enabled. */
void counting_follow(struct counting *c, uint32_t pid);
/* The process is gone, and so are its records. */
void counting_forget(struct counting *c, uint32_t pid);
void counting_tick(struct counting *c, uint64_t now_ns);
void counting_end(struct counting *c);
void counting_read_rest(struct counting *c);
/* After the rings' last records: what is left of the counts, and what they took, in one line. */
void counting_finish(struct counting *c);
/* Detaches. */
void counting_free(struct counting *c);

#endif
