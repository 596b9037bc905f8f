/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a recording that is still being made to a table for each request, as it ends. Memory is what
 * is open, what is known of the program's code, and a bounded summary.
 *
 *	live_init(&l, &options);
 *	err = live_reader(&l, reader, "the recorder", &e);
 *	... l.summary: a line an endpoint; live_describe(&l): what is imperfect ...
 *	live_release(&l);
 */
#ifndef REPORT_LIVE_H
#define REPORT_LIVE_H

#include "report/list.h"
#include "report/report.h"

/* All that is pointed to is lent until live_release(). */
struct live_options {
	const struct selection *selection;
	struct strings *strings;
	const struct endpoint_options *endpoints;
	struct resolve_options resolve;
	struct symbolizer_options symbolizer;
	/* A request ended that the selection took and --root left: the profile's only group. Lent for the call. */
	void (*ended)(void *self, const struct profile *p);
	void *self;
};

struct live {
	const struct live_options *options;
	struct symbolizer *symbolizer;
	struct feed feed;
	struct stacks stacks;
	struct gather gather;
	struct profile profile;		/* functions so far; groups: none but during ended() */
	struct resolve resolve;
	struct sum *sum;
	uint64_t nr_below_no_root;	/* samples that --root left out */
	struct request_list summary;	/* its endpoints: of the requests that ended() was called for */
};

void live_init(struct live *l, const struct live_options *o);
/* A zeroed one may be released as well. */
void live_release(struct live *l);
/* To the recording's end. Errors are feed_reader()'s. Once. */
int live_reader(struct live *l, struct reader *reader, const char *name, struct err *e);
/* After it: a profile without tables. Lent until live_release(). */
const struct profile *live_describe(struct live *l);

#endif
