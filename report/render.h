/* SPDX-License-Identifier: Apache-2.0 */
/* A const model in, bytes out. A new format is one render_*.c and one line in render.c's table. */
#ifndef REPORT_RENDER_H
#define REPORT_RENDER_H

#include <stdio.h>

#include "base/str.h"
#include "report/table.h"

struct renderer {
	const char *name;	/* of --format */
	bool needs_callers;	/* shows function_sums.callers, which are not made otherwise */
	bool needs_trees;	/* the same of group.tree */
	bool is_binary;		/* nothing for a terminal */
	/* -EIO and the like when out cannot be written. */
	int (*write)(const struct profile *p, const struct table_plan *plan, FILE *out,
		     struct err *e);
	/*
	 * What the format cannot say of these numbers and its readers have to know, for stderr. Static;
	 * NULL: nothing. The function may be NULL as well.
	 */
	const char *(*remark)(const struct profile *p);
};

extern const struct renderer render_table, render_json, render_jsonl, render_pstats, render_folded,
	render_speedscope, render_flamegraph;

/* NULL: no such format. */
const struct renderer *renderer_find(const char *name);
/* "table, json, jsonl": for messages. Static. */
const char *renderer_names(void);

/* Talk, not data: what share was attributed, what was lost, and all else that is not zero. */
void render_tallies(const struct profile *p, FILE *out);

/* What the renderers share. */

/* The last thing a write() does: flushes. Why out could not be written is said here. */
int render_finish(FILE *out, struct err *e);
/* Are weights times? Else they are counts of an event, and read best as whole numbers. */
bool render_is_time(const struct profile *p);
/* User stacks that were unwound, however the walks ended. */
uint64_t render_nr_stacks(const struct unwind_tally *t);
/* Since the profile's begin. */
double render_seconds_since_begin(const struct profile *p, uint64_t ns);
/* A weight as a whole number: nanoseconds, or counts of the event where they are no time. */
uint64_t render_amount(const struct profile *p, uint64_t weight);
/*
 * What stands for a table where stacks are drawn, as the bytes that it is: "GET /user/{id}", with
 * the request's number where it is of one; nothing where there is one table for all.
 */
void render_add_label(struct str *b, const struct profile *p, const struct group *g);

#endif
