/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning of a recording. First all that it takes is opened, with the events still disabled;
 * then they are enabled, and what was there before them is written.
 *
 *	struct attachment a = { 0 };
 *
 *	err = attachment_open(&a, &config, &signals, &e);
 *	if (!err)
 *		err = attachment_begin(&a, &e);
 *	... from a.sampler's rings into a.writer, while it lasts ...
 *	attachment_release(&a);
 *
 * It is not to be moved between open and release: the writer and the markers point into it.
 */
#ifndef COLLECTOR_ATTACH_H
#define COLLECTOR_ATTACH_H

#include "collector/counting.h"
#include "collector/follow.h"
#include "collector/keep.h"
#include "collector/marker.h"
#include "collector/recorder_config.h"
#include "collector/sampler.h"
#include "collector/signals.h"
#include "collector/stack_walker.h"
#include "collector/workload.h"
#include "recording/writer.h"

/* Owns all that it names, but for config. Others use what is open; they close nothing of it. */
struct attachment {
	const struct recorder_config *config;	/* lent, */
	const struct signals *signals;		/* as are these */
	struct sampler sampler;
	struct stack_walker *walker;	/* NULL: chains are as the kernel writes them */
	struct follow *follow;		/* NULL: threads one by one */
	struct writer *writer;
	struct keep *keep;
	struct workload workload;
	VEC(struct marker) markers;
	struct counting *counting;	/* NULL: no calls are counted */
	VEC(int) pidfds;		/* of the processes given with -p */

	/* What it took to get there. */
	struct pids processes;		/* the target's, as far as /proc has shown them */
	struct sampler_config sampler_config;	/* the config's, as it could be had here */
	struct writer_config writer_config;
	struct writer_event written_events[NR_SAMPLER_EVENTS];	/* the sampler's, as written */
	bool has_no_unwinding;		/* it was asked for, and frame pointers have to do */
	uint32_t stack_bytes_cut_to;	/* by the size of the rings; 0: they were not */
	struct err why_no_markers;	/* which nobody had named; code 0: they are there */
};

/*
 * The command is made and held before its exec(2), the events are open and disabled, the recording
 * has its header, the markers are in place. config and signals are lent until the release: a writer
 * that waits for its reader asks the signals whether to go on.
 *
 * Negative errno: a command or a process that is not there, a marker that cannot be placed, an event
 * that is not permitted or not to be had, a file that cannot be made. *e says it, with the remedy
 * where there is one; on success it may still tell of a way that was tried and not needed.
 *
 * attachment_release() in any case. If this or attachment_begin() failed and there is a writer,
 * writer_abandon() comes first.
 */
int attachment_open(struct attachment *a, const struct recorder_config *config,
		    struct signals *signals, struct err *e);
/* Samples come from here on. Fails only with a command that cannot be run. */
int attachment_begin(struct attachment *a, struct err *e);
/* Valid on a zeroed one. Finishes nothing: see writer_finish(). */
void attachment_release(struct attachment *a);

#endif
