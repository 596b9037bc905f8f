/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests a report is about. Values of one option are alternatives (any of them takes the
 * request); different options must all take it.
 */
#ifndef REPORT_SELECTION_H
#define REPORT_SELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/vec.h"
#include "report/request.h"

/* As typed; all lent. */
struct selection_options {
	VEC(const char *) path;		/* regular expressions, searched in the endpoint's path */
	VEC(const char *) method;	/* "GET", "get,post": letter case does not matter */
	VEC(const char *) status;	/* "200", "5xx", "500-599", "404,5xx" */
	const char *slower_than, *faster_than;	/* "250ms"; NULL: not asked for */
	const char *slowest;		/* "10"; NULL: not asked for */
};

void selection_options_release(struct selection_options *o);

struct selection;

/* -EINVAL: a value that cannot be read; the remedy says what can. */
int selection_new(const struct selection_options *o, struct selection **ret_selection,
		  struct err *e);
void selection_free(struct selection *s);

/*
 * A request without a status is not taken by --status, one without an end neither by --slower-than
 * nor by --faster-than: nothing is guessed. --slowest is not looked at: it needs all requests.
 */
bool selection_takes(const struct selection *s, const struct request *r,
		     const struct strings *text);
/* Nothing was asked for: every request is taken. */
bool selection_takes_all(const struct selection *s);
/* N of --slowest N, or 0. */
uint64_t selection_slowest(const struct selection *s);

#endif
