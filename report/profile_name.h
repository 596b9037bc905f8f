/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the file of a request's profile is called, by the fields that Werkzeug's ProfilerMiddleware
 * has, and two of ours:
 *
 *	{method}	GET
 *	{path}		without query, %XX decoded, without the slashes at its ends; those within
 *			are dots; "root" where nothing is left
 *	{elapsed}	milliseconds, a float
 *	{time}		when it ended, or began where no end was seen; seconds since 1970, a float
 *	{status}, {id}	200, 17
 *
 * What is not known is "-". A name has no slash, no control characters, and is UTF-8.
 */
#ifndef REPORT_PROFILE_NAME_H
#define REPORT_PROFILE_NAME_H

#include "base/pyformat.h"
#include "report/profile.h"

#define PROFILE_NAME_DEFAULT "{method}.{path}.{elapsed:.0f}ms.{time:.0f}.prof"

/* NULL: the default. -EINVAL: it is no template, or has a slash: names are those of files in a
 * folder. */
int profile_name_new(const char *template, struct pyformat **ret_format, struct err *e);

/* What the fields of one request are; valid when zeroed. */
struct profile_name {
	struct str method, path;
	struct pyformat_value values[6];
};

/* g: of a request. */
void profile_name_init(struct profile_name *n, const struct profile *p, const struct group *g);
void profile_name_release(struct profile_name *n);
/*
 * Sets *ret_name to the name with the suffix in it, before ".prof" or at its end. False: it would
 * be longer than max bytes, however much of the path is left out.
 */
bool profile_name_make(struct profile_name *n, const struct pyformat *format, const char *suffix,
		       size_t max, struct str *ret_name);

#endif
