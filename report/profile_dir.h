/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --profile-dir: a folder of .prof files, one a request, as Werkzeug's ProfilerMiddleware writes
 * them. Nothing that is there is ever overwritten: a name that is taken gets the request's id, and
 * a number where that is taken as well.
 *
 *	err = profile_dir_new(&options, &d, &e);
 *	err = profile_dir_write_all(d, profile, &e);
 *	... profile_dir_nr(d) files ...
 *	profile_dir_free(d);
 */
#ifndef REPORT_PROFILE_DIR_H
#define REPORT_PROFILE_DIR_H

#include "base/err.h"
#include "report/profile.h"

/* Lent from argv. */
struct profile_dir_options {
	const char *dir;    /* NULL: not asked for */
	const char *format; /* see profile_name.h; NULL: Werkzeug's */
};

struct profile_dir;

/*
 * Makes the folder where there is none. -EINVAL: the format; else why the folder cannot be made or
 * opened.
 */
int profile_dir_new(const struct profile_dir_options *o, struct profile_dir **ret_dir,
		    struct err *e);
/* NULL is a no-op. */
void profile_dir_free(struct profile_dir *d);
/*
 * All requests of a profile by request, in the order of their ids, up to the first that cannot be written (-ENOSPC and
 * the like), of which no file is left.
 */
int profile_dir_write_all(struct profile_dir *d, const struct profile *p, struct err *e);
/* Files written so far. */
uint64_t profile_dir_nr(const struct profile_dir *d);
/* What their format cannot say of the numbers in them; NULL: nothing. Static. */
const char *profile_dir_remark(const struct profile_dir *d);

#endif
