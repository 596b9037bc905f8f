/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole way from recordings to a profile. Every command that needs one goes it:
 *
 *	report_init(&r, &options);
 *	report_input(&r, "wperf.data", &e);		again for each recording
 *	profile = report_finish(&r);
 *	...
 *	report_release(&r);
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "report/feed.h"
#include "report/sum.h"

/* All that is pointed to is lent until report_release(). */
struct report_options {
	enum group_by by;
	const struct selection *selection;
	struct strings *strings;
	const struct endpoint_options *endpoints;
	struct resolve_options resolve;
	struct symbolizer_options symbolizer;
	bool wants_requests;	/* see report_requests() */
};

struct report {
	const struct report_options *options;
	struct symbolizer *symbolizer;
	struct feed feed;
	struct stacks stacks;
	struct gather gather, by_request;	/* the latter where it is wanted, and not the former */
	struct profile profile;
	struct profile requests;	/* groups of its own; all else is the other's */
};

void report_init(struct report *r, const struct report_options *o);
/* A zeroed one may be released as well. */
void report_release(struct report *r);
/* Errors are feed_input()'s. */
int report_input(struct report *r, const char *path, struct err *e);
/* The same for a reader that is open (tests, of bytes in memory); name is what messages call it. */
int report_reader(struct report *r, struct reader *reader, const char *name, struct err *e);
/* Once, after the last input. Lent until report_release(). */
const struct profile *report_finish(struct report *r);
/* After it, with wants_requests: the same by request, whatever `by` is. Lent as long. */
const struct profile *report_requests(const struct report *r);

#endif
