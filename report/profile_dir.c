/* SPDX-License-Identifier: Apache-2.0 */
#include "report/profile_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/output.h"
#include "report/profile_name.h"
#include "report/render.h"

struct profile_dir {
	const char *path; /* lent */
	int fd;
	size_t name_max; /* of this file system */
	struct pyformat *format;
	uint64_t nr;
	const char *remark;
};

static int open_dir(struct profile_dir *d, struct err *e)
{
	long name_max;

	if (mkdir(d->path, 0777) && errno != EEXIST)
		return err_set(e, -errno, "cannot make the folder %s: %m", d->path);
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0)
		return err_set(e, -errno, "cannot open the folder %s: %m", d->path);
	name_max = fpathconf(d->fd, _PC_NAME_MAX);
	d->name_max = name_max > 0 ? (size_t)name_max : NAME_MAX;
	return 0;
}

int profile_dir_new(const struct profile_dir_options *o, struct profile_dir **ret_dir,
		    struct err *e)
{
	struct profile_dir *d = xcalloc(1, sizeof(*d));
	int err;

	d->path = o->dir;
	d->fd = -1;
	err = profile_name_new(o->format, &d->format, e);
	if (!err)
		err = open_dir(d, e);
	if (err)
		profile_dir_free(d);
	else
		*ret_dir = d;
	return err;
}

void profile_dir_free(struct profile_dir *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	pyformat_free(d->format);
	free(d);
}

/* nr: how many names were taken. "", ".17", ".17-2" ... */
static void set_suffix(struct str *b, uint64_t id, uint64_t nr)
{
	str_clear(b);
	if (nr)
		str_addf(b, ".%" PRIu64, id);
	if (nr > 1)
		str_addf(b, "-%" PRIu64, nr);
}

/* Returns the descriptor of a new file, whose name is then *ret_name. */
static int create_file(struct profile_dir *d, const struct profile *p, const struct group *g,
		       struct str *ret_name, struct err *e)
{
	struct profile_name n;
	struct str suffix = { 0 };
	int fd = -1, err = 0;
	uint64_t nr;

	profile_name_init(&n, p, g);
	for (nr = 0; fd < 0 && !err; nr++) {
		set_suffix(&suffix, g->request_id, nr);
		if (!profile_name_make(&n, d->format, str_cstr(&suffix), d->name_max, ret_name)) {
			err = err_set(
				e, -ENAMETOOLONG,
				"--filename-format: the name of a file is longer than %zu bytes",
				d->name_max);
			break;
		}
		if (!ret_name->len)
			continue;
		fd = openat(d->fd, ret_name->s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		/* "." and ".." are taken, too. */
		if (fd < 0 && errno != EEXIST && errno != EISDIR)
			err = err_set(e, -errno, "cannot create %s/%s: %m", d->path, ret_name->s);
	}
	profile_name_release(&n);
	str_release(&suffix);
	return err ? err : fd;
}

static int write_prof(const void *self, FILE *out, struct err *e)
{
	return render_pstats.write(self, NULL, out, e);
}

static void note_written(struct profile_dir *d, const struct profile *p)
{
	const char *remark = render_pstats.remark(p);

	d->nr++;
	if (remark)
		d->remark = remark;
}

/* No file is left where it could not be written. */
static int write_request(struct profile_dir *d, const struct profile *p, const struct group *g, struct err *e)
{
	struct profile of_one = *p;
	struct str name = { 0 };
	char *path;
	int fd, err;

	of_one.groups.at = (struct group *)g;
	of_one.groups.nr = 1;
	fd = create_file(d, p, g, &name, e);
	if (fd < 0) {
		str_release(&name);
		return fd;
	}
	path = xasprintf("%s/%s", d->path, name.s);
	err = output_write_last(fd, path, write_prof, &of_one, e);
	if (err)
		unlinkat(d->fd, name.s, 0);
	else
		note_written(d, &of_one);
	free(path);
	str_release(&name);
	return err;
}

static int by_id(const void *a, const void *b)
{
	const struct group *const *x = a, *const *y = b;

	return ((*x)->request_id > (*y)->request_id) - ((*x)->request_id < (*y)->request_id);
}

int profile_dir_write_all(struct profile_dir *d, const struct profile *p, struct err *e)
{
	VEC(const struct group *) requests = { 0 };
	int err = 0;

	vec_each(&p->groups, g)
		if (g->by == BY_REQUEST && !g->is_outside)
			vec_push(&requests, g);
	if (requests.nr)
		qsort(requests.at, requests.nr, sizeof(*requests.at), by_id);
	vec_each(&requests, g)
		if (!err)
			err = write_request(d, p, *g, e);
	vec_release(&requests);
	return err;
}

uint64_t profile_dir_nr(const struct profile_dir *d)
{
	return d->nr;
}

const char *profile_dir_remark(const struct profile_dir *d)
{
	return d->remark;
}
