/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a recording goes: on a terminal one line, which is written over each second, and a summary when
 * it is over. Both say what wperf itself took of a CPU, from progress_begin() to progress_end():
 * attaching is not recording, and neither is finishing.
 *
 *	struct progress p = { .drain = &drain, .begin_ns = begin_ns };
 *
 *	progress_begin(&p);
 *	while (...)
 *		progress_show(&p, monotonic_ns());
 *	progress_end(&p, monotonic_ns());
 *	progress_summarize(&p, output, nr_bytes, is_full, is_cut);
 *
 * Nothing here fails, and nothing is to be released.
 */
#ifndef COLLECTOR_PROGRESS_H
#define COLLECTOR_PROGRESS_H

#include "collector/drain.h"

struct progress {
	/* Set before progress_begin(). */
	const struct drain *drain;	/* lent: it counts */
	uint64_t begin_ns;		/* when the events were enabled */
	bool has_markers;		/* so requests are told of, */
	bool is_estimate;		/* as exchanges on sockets: what they hold the report finds out; or marks are missing */
	bool is_on_terminal;		/* else there is only the summary */

	uint64_t end_ns;
	uint64_t next_ns;		/* no line before that */
	double own_cpu_s_at_begin;
	double own_cpu_pct_at_end;
};

void progress_begin(struct progress *p);
/* Not more than a line a second, however often it is called. */
void progress_show(struct progress *p, uint64_t now_ns);
void progress_end(struct progress *p, uint64_t now_ns);
/* Of a recording of nr_bytes in output ("-": stdout). is_full: --max-size has ended it; is_cut: writing failed. */
void progress_summarize(const struct progress *p, const char *output, uint64_t nr_bytes,
			bool is_full, bool is_cut);

#endif
