/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a group, sorted and restricted as Python's pstats does it (Lib/pstats.py of Python 3.11:
 * get_sort_arg_defs, sort_stats, eval_print_amount). No printing here.
 */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include "base/err.h"
#include "report/profile.h"

struct table_row {
	const struct function *function;
	const struct function_sums *sums;
};

struct table_options {
	VEC(const char *) sort;		/* "time" or "time,calls", as typed; empty: the latter */
	VEC(const char *) restrictions;	/* as typed, in order */
};

void table_options_release(struct table_options *o);

/* Parsed options; made once, used for every group. Borrows nothing from the options. */
struct table_plan;

/*
 * A restriction is what Python's int() takes ("10", "-1", "1_000"), else a decimal fraction (".5",
 * "1e-3"), else a regular expression; so "0x12" is one, and finds functions that have no name.
 * -EINVAL: an unknown or ambiguous sort key (the remedy names the keys), or a regular expression
 * that does not compile.
 */
int table_plan_new(const struct table_options *options, struct table_plan **ret_plan,
		   struct err *e);
void table_plan_free(struct table_plan *plan);

/* Lent by the profile and the plan, but for the arrays. */
struct table {
	const struct group *group;
	VEC(struct table_row) rows;	/* what the restrictions left */
	size_t nr_all_rows;
	const char *order_text;		/* "internal time, call count" */
	VEC(char *) reductions;		/* "List reduced from 135 to 10 due to restriction <10>" */
};

/* t need not be initialised. Rows that compare equal keep the order that they have in the group. */
void table_build(struct table *t, const struct table_plan *plan, const struct profile *p,
		 const struct group *g);
void table_release(struct table *t);

#endif
