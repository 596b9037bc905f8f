/* SPDX-License-Identifier: Apache-2.0 */
#include "report/output.h"

#include <errno.h>
#include <string.h>

typedef int write_fn(const void *self, FILE *out, struct err *e);

static int write_stdout(write_fn *write, const void *self, struct err *e)
{
	int err = write(self, stdout, e);

	if (!err && (fflush(stdout) || ferror(stdout)))
		err = err_set(e, errno ? -errno : -EIO, "cannot write to stdout: %m");
	return err == -EPIPE ? 0 : err;
}

static int write_file(const char *path, write_fn *write, const void *self, struct err *e)
{
	FILE *out = fopen(path, "we");
	int err;

	if (!out)
		return err_set(e, -errno, "%s: %m", path);
	err = write(self, out, e);
	if (fclose(out) && !err)
		err = err_set(e, -errno, "%s: %m", path);
	return err;
}

static int write_to(const char *path, write_fn *write, const void *self, struct err *e)
{
	return path && strcmp(path, "-") ? write_file(path, write, self, e) :
					   write_stdout(write, self, e);
}

int outputs_write(const struct outputs *o, write_fn *write, const void *self, struct err *e)
{
	int err = write_to(o->file, write, self, e);

	if (!err && o->tee)
		err = write_to(o->tee, write, self, e);
	return err;
}
