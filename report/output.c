/* SPDX-License-Identifier: Apache-2.0 */
#include "report/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/streams.h"

typedef int write_fn(const void *self, FILE *out, struct err *e);

/* What is behind a FILE. It remembers why its first write failed, which stdio does not. */
struct sink {
	int fd;
	int error;		/* errno; 0: all was written */
};

static ssize_t sink_write(void *self, const char *bytes, size_t len)
{
	struct sink *s = self;
	size_t done = 0;

	while (!s->error && done < len) {
		ssize_t nr = write(s->fd, bytes + done, len - done);

		if (nr >= 0)
			done += (size_t)nr;
		else if (errno != EINTR)
			s->error = errno;
	}
	return (ssize_t)done;
}

/* The sink's error says more than what the writer of the report could know. */
static int write_through(struct sink *s, write_fn *write, const void *self, struct err *e)
{
	FILE *out = fopencookie(s, "w", (cookie_io_functions_t){ .write = sink_write });
	int err;

	if (!out)
		return err_set(e, -errno, "cannot write the report: %m");
	err = write(self, out, e);
	fclose(out);
	return err;
}

/* Without SIGPIPE: whoever reads our pipe may have had enough, and that is to be said, or --tee still to be written. */
static int write_sink(struct sink *s, write_fn *write, const void *self, struct err *e)
{
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	int err = write_through(s, write, self, e);

	signal(SIGPIPE, before);
	return err;
}

int output_stdout(write_fn *write, const void *self, bool *ret_is_gone, struct err *e)
{
	struct sink sink = { .fd = STDOUT_FILENO };
	int err = write_sink(&sink, write, self, e);

	*ret_is_gone = sink.error == EPIPE;
	return sink.error ? streams_cannot_write(sink.error, e) : err;
}

int output_open(const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	return fd < 0 ? err_set(e, -errno, "%s: %m", path) : fd;
}

int output_write(int fd, const char *path, write_fn *write, const void *self, struct err *e)
{
	struct sink sink = { .fd = fd };
	int err = write_sink(&sink, write, self, e);

	return sink.error ? err_set(e, -sink.error, "cannot write %s: %m", path) : err;
}

int output_close(int fd, const char *path, struct err *e)
{
	return close(fd) ? err_set(e, -errno, "cannot write %s: %m", path) : 0;
}

int output_write_last(int fd, const char *path, write_fn *write, const void *self, struct err *e)
{
	struct err ignored;
	int err = output_write(fd, path, write, self, e);

	return err ? output_close(fd, path, &ignored), err : output_close(fd, path, e);
}

static int write_file(const char *path, write_fn *write, const void *self, struct err *e)
{
	int fd = output_open(path, e);

	return fd < 0 ? fd : output_write_last(fd, path, write, self, e);
}

static bool is_stdout(const char *path)
{
	return !path || !strcmp(path, "-");
}

static int write_to(const char *path, write_fn *write, const void *self, struct err *e)
{
	bool is_gone;

	return is_stdout(path) ? output_stdout(write, self, &is_gone, e) :
				 write_file(path, write, self, e);
}

int outputs_write(const struct outputs *o, write_fn *write, const void *self, struct err *e)
{
	int err = write_to(o->file, write, self, e);

	if (!err && o->tee)
		err = write_to(o->tee, write, self, e);
	return err;
}

/* ---- not onto an input ---- */

/* False as well where it is no regular file, or none is there. */
static bool stat_file(const char *path, int standard_fd, struct stat *ret)
{
	int err = path && strcmp(path, "-") ? stat(path, ret) : fstat(standard_fd, ret);

	return !err && S_ISREG(ret->st_mode);
}

static int check_one(const char *path, const char *const *inputs, size_t nr, struct err *e)
{
	struct stat out, in;
	size_t i;

	if (!stat_file(path, STDOUT_FILENO, &out))
		return 0;
	for (i = 0; i < nr; i++) {
		if (!stat_file(inputs[i], STDIN_FILENO, &in) || in.st_dev != out.st_dev ||
		    in.st_ino != out.st_ino)
			continue;
		err_set(e, -EINVAL, "cannot write to %s: it is the recording that is read",
			is_stdout(path) ? "stdout" : path);
		return err_remedy(e, "Name another file; this one stays as it is.");
	}
	return 0;
}

int outputs_check(const struct outputs *o, const char *const *inputs, size_t nr, struct err *e)
{
	int err = check_one(o->file, inputs, nr, e);

	return err || !o->tee ? err : check_one(o->tee, inputs, nr, e);
}
