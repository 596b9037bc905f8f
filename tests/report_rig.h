/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording made by hand and the report of it, for suites that look at a profile:
 *
 *	builder_init(&r->b, NULL), builder_...		what is recorded
 *	r->options, r->selection_options, r->endpoints	what is asked for
 *	report_rig_run(r);				r->p is the profile
 *	report_rig_release(r);
 */
#ifndef TESTS_REPORT_RIG_H
#define TESTS_REPORT_RIG_H

#include "base/str.h"
#include "report/report.h"
#include "tests/recording_builder.h"

struct report_rig {
	struct recording_builder b;
	struct endpoint_options endpoints;
	struct selection_options selection_options;
	struct selection *selection;
	struct strings strings;
	struct report_options options;
	struct report report;
	const struct profile *p;	/* lent by the report */
	struct str text;		/* for the suite's own use */
};

/* The three steps of a run, each asserted to succeed. */
void report_rig_begin(struct report_rig *r);
void report_rig_feed(struct report_rig *r);
void report_rig_finish(struct report_rig *r);
void report_rig_run(struct report_rig *r);
void report_rig_release(struct report_rig *r);

#endif
