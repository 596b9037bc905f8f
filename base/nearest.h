/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Did you mean": of many candidates the few that look most like what was asked for.
 *
 *	struct nearest n = { .want = "handle_requst" };
 *
 *	nearest_offer(&n, "handle_request");		again and again
 *	nearest_text(&n, &str);				"handle_request, handle_reply"
 *	nearest_release(&n);
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/str.h"

#define NEAREST_MAX 5

struct nearest {
	const char *want;	/* lent by the caller */
	struct {
		char *text;
		unsigned int rank;
	} best[NEAREST_MAX];	/* by rank, then by text */
	unsigned int nr;
};

/* The candidate is copied if it is kept; one that looks nothing like `want` is not. */
void nearest_offer(struct nearest *n, const char *candidate);
/* The candidates kept, best first, with ", " between; adds nothing where there are none. */
void nearest_text(const struct nearest *n, struct str *out);
void nearest_release(struct nearest *n);

#endif
