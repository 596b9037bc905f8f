/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's label to the endpoint it belongs to, so that requests that differ only in their data
 * share a table. A pure function over bytes: a label need not be UTF-8 nor free of NULs.
 *
 *	/user/17/posts?page=2#top	-> /user/{id}/posts
 *	http://host/a/0f8fad5b-d9cb-469f-a165-70867728950e	-> http://host/a/{id}
 *	SELECT a FROM t WHERE b = 'x' AND c IN (1, 2)	-> SELECT a FROM t WHERE b = ? AND c IN (?)
 *	GET user:17			-> as it is (neither a path nor SQL)
 *
 * In a path the query and the fragment are dropped, and a segment becomes {id} that is
 *   a number	ASCII digits only;
 *   a UUID	8-4-4-4-12 hexadecimal digits;
 *   a hash	16 hexadecimal digits or more, one of 0-9 among them. Shorter ones and those
 *		without a digit could be words ("facade"); 16 digits, 64 bits, is the shortest
 *		hash in wide use.
 *
 * A pattern of the user's comes before that: "/user/{name}/posts" takes each path whose segments
 * equal its own, {name} standing for any one segment that is not empty; the endpoint is then the
 * pattern itself. The first pattern that takes the path wins. What none takes keeps its data with
 * --path-raw.
 *
 * What begins with an SQL verb, or is known to be SQL, becomes the statement's shape: see endpoint_sql.h.
 */
#ifndef REPORT_ENDPOINT_H
#define REPORT_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

/* Longest endpoint, bytes: that of the longest label that a mark carries. */
#define ENDPOINT_MAX 1024

/*
 * Whoever invents paths must not fill memory: so many endpoints are kept apart, those that came first,
 * each with all of its requests; the requests of all others are one, and are counted. Ten times the
 * routes of a large application; a table with samples takes 3 KB, 30 functions of 88 bytes and their
 * callers, so that all of them take 50 MB at most.
 */
#define ENDPOINTS_MAX	10000
#define OTHER_ENDPOINTS "(other)"

struct endpoint_options {
	bool keeps_raw;			/* --path-raw: but for the patterns' the label is the endpoint, query and all */
	VEC(const char *) patterns;	/* --path-pattern, in order; lent */
};

/* -EINVAL: a pattern without a leading slash, or with a brace in a segment that is no {name}. */
int endpoint_options_check(const struct endpoint_options *o, struct err *e);
void endpoint_options_release(struct endpoint_options *o);

/*
 * Adds the label's endpoint to b: ENDPOINT_MAX bytes at most, no UTF-8 sequence cut in two. The
 * options have passed endpoint_options_check().
 */
void endpoint_add(struct str *b, const struct endpoint_options *o, const void *label, size_t len);
/* The same of what is known to be SQL, whatever it begins with. */
void endpoint_add_sql(struct str *b, const struct endpoint_options *o, const void *statement, size_t len);

#endif
