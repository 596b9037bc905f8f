/* SPDX-License-Identifier: Apache-2.0 */
#include "recording/sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/units.h"

#define STOPPING_GRACE_NS NS_PER_SEC

/* ---- opening ---- */

/* sudo wperf record, then wperf report: the recording belongs to who asked for it. */
static void give_to_sudo_user(int fd)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
	uint64_t owner, group;

	if (!geteuid() && uid && gid && parse_u64(uid, 0, UINT32_MAX - 1, &owner) &&
	    parse_u64(gid, 0, UINT32_MAX - 1, &group) && fchown(fd, (uid_t)owner, (gid_t)group))
		log_debug("cannot give the recording to uid %s: %m", uid);
}

static int cannot_rename(const struct sink *s, const char *old, int error, struct err *e)
{
	err_set(e, -error, "cannot rename %s to %s: %m", s->path, old);
	if (error == EISDIR)
		err_remedy(e, "It is a folder: move it away, or name another file with -o.");
	return e->code;
}

/* An empty file is nobody's loss; a link is, whatever it leads to. */
static int set_old_aside(struct sink *s, bool is_empty, struct err *e)
{
	char *old;
	int err;

	if (is_empty)
		return unlink(s->path) ? err_set(e, -errno, "cannot replace %s: %m", s->path) : 0;
	old = xasprintf("%s.old", s->path);
	err = rename(s->path, old) ? cannot_rename(s, old, errno, e) : 0;
	s->has_old = !err;
	free(old);
	return err;
}

static int cannot_write(const char *path, int err, struct err *e)
{
	err_set(e, err, err == -ESPIPE ? "cannot write %s: it is a pipe or a terminal" : "cannot write %s: %m", path);
	if (err == -ESPIPE)
		err_remedy(e, "-o - writes a stream, to stdout.");
	if (err == -EEXIST)
		err_remedy(e, "It is a link that leads nowhere.");
	return err;
}

/* What takes nothing back cannot have its first bytes written last. A fifo would wait for its reader. */
static int open_device(const char *path, const struct stat *st, struct err *e)
{
	int fd = S_ISFIFO(st->st_mode) ? -1 : open(path, O_WRONLY | O_CLOEXEC);
	int err = S_ISFIFO(st->st_mode) ? -ESPIPE : -errno;

	if (fd < 0 || lseek(fd, 0, SEEK_CUR) >= 0)
		return fd < 0 ? cannot_write(path, err, e) : fd;
	err = -errno;
	close(fd);
	return cannot_write(path, err, e);
}

/*
 * As /dev/stdout does, which names a descriptor and no place for a file: openat2(2), RESOLVE_NO_MAGICLINKS. The folder may
 * well be named by such a link, as those below /proc/PID/root are.
 */
static bool leads_to_descriptor(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *folder = slash ? xasprintf("%.*s/", (int)(slash - path), path) : xstrdup(".");
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	bool does = fd < 0 && errno == ELOOP;

	if (fd >= 0)
		close((int)fd);
	if (dir >= 0)
		close(dir);
	free(folder);
	return does;
}

static int refuse_descriptor(const char *path, struct err *e)
{
	err_set(e, -EINVAL, "cannot write %s: it is a link to what a process has open", path);
	return err_remedy(e, "-o - writes a stream, to stdout.");
}

/*
 * The file is always a new one: root must not write through a link that somebody left in a shared
 * folder. Returns the descriptor, or a negative errno.
 */
static int open_file(struct sink *s, struct err *e)
{
	struct stat st;
	bool is_link;
	int fd, err;

	if (!stat(s->path, &st)) {
		if (!S_ISREG(st.st_mode))
			return open_device(s->path, &st, e);
		if (leads_to_descriptor(s->path))
			return refuse_descriptor(s->path, e);
		is_link = !lstat(s->path, &st) && S_ISLNK(st.st_mode);
		err = set_old_aside(s, !is_link && !st.st_size, e);
		if (err)
			return err;
	}
	fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return cannot_write(s->path, -errno, e);
	s->is_new = true;
	give_to_sudo_user(fd);
	return fd;
}

/*
 * A pipe is opened anew, so that writes of ours do not block and those of others who have it for
 * their stdout do as before. Where that cannot be had, ours block as well.
 */
static int open_stdout(void)
{
	struct stat st;
	int fd = -1;

	if (!fstat(STDOUT_FILENO, &st) && S_ISFIFO(st.st_mode))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? STDOUT_FILENO : fd;
}

int sink_open(struct sink *s, const char *path, const struct sink_patience *patience, struct err *e)
{
	int err;

	*s = (struct sink){ .is_stdout = !strcmp(path, "-"), .patience = *patience };
	s->path = xstrdup(s->is_stdout ? "stdout" : path);
	s->fd = s->is_stdout ? open_stdout() : open_file(s, e);
	if (s->fd >= 0)
		return 0;
	err = s->fd;
	sink_abandon(s);
	sink_release(s);
	return err;
}

/* ---- a reader that does not read ---- */

static bool has_room_until(struct pollfd *pipe, uint64_t until_ns)
{
	uint64_t now_ns;

	while ((now_ns = monotonic_ns()) <= until_ns) {
		/* Rounded up: the last part of a millisecond is slept as well, and not spun. */
		uint64_t left_ms = (until_ns - now_ns + 999999) / 1000000;

		if (poll(pipe, 1, (int)left_ms) > 0)
			return true;
	}
	return false;
}

/* The pipe is full. False: it is time to end, and the reader did not come back. */
static bool wait_for_reader(const struct sink *s)
{
	const struct sink_patience *p = &s->patience;
	struct pollfd polled[] = { { .fd = s->fd, .events = POLLOUT },
				   { .fd = p->wake_fd, .events = POLLIN } };

	while (!p->is_stopping || !p->is_stopping(p->self))
		if (poll(polled, p->is_stopping ? 2 : 1, -1) > 0 && polled[0].revents)
			return true;
	/* Once it is known that we stop, what wakes us up has nothing more to say. */
	return has_room_until(&polled[0], monotonic_ns() + STOPPING_GRACE_NS);
}

/* ---- writing ---- */

/* Takes what was written off the front of the parts. */
static void skip_written(struct iovec **parts, int *nr, size_t done)
{
	while (*nr && done >= (*parts)->iov_len) {
		done -= (*parts)->iov_len;
		(*parts)++;
		(*nr)--;
	}
	if (*nr) {
		(*parts)->iov_base = (char *)(*parts)->iov_base + done;
		(*parts)->iov_len -= done;
	}
}

/*
 * 0 once all is written, else the negative errno that stopped it. A copy of the parts shrinks: what
 * was written of them is told from the originals.
 */
static int write_parts(struct sink *s, const struct iovec *parts, int nr)
{
	struct iovec left[SINK_PARTS_MAX], *next = left;

	assert(nr <= SINK_PARTS_MAX);
	memcpy(left, parts, (size_t)nr * sizeof(*parts));
	while (nr) {
		ssize_t done = writev(s->fd, next, nr);

		if (done >= 0) {
			s->nr_bytes += (uint64_t)done;
			skip_written(&next, &nr, (size_t)done);
		} else if (errno == EAGAIN) {
			if (!wait_for_reader(s))
				return -ETIMEDOUT;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* The bytes [at, at + len) of the parts as one; false: they end before. */
static bool copy_from_parts(const struct iovec *parts, int nr, size_t at, void *out, size_t len)
{
	for (; nr && len; parts++, nr--) {
		size_t there = parts->iov_len > at ? parts->iov_len - at : 0;
		size_t taken = there < len ? there : len;

		if (taken)
			memcpy(out, (const char *)parts->iov_base + at, taken);
		out = (char *)out + taken;
		len -= taken;
		at = there ? 0 : at - parts->iov_len;
	}
	return !len;
}

/* How many of the bytes that were written are whole records. */
static size_t whole_len(const struct iovec *parts, int nr, size_t written)
{
	struct perf_event_header header;
	size_t whole = 0, at = 0;

	for (;;) {
		/* Parts that lie behind are left behind: they are many. */
		for (; nr && at >= parts->iov_len; parts++, nr--)
			at -= parts->iov_len;
		if (!copy_from_parts(parts, nr, at, &header, sizeof(header)) ||
		    header.size < sizeof(header) || whole + header.size > written)
			return whole;
		whole += header.size;
		at += header.size;
	}
}

static void keep_error(struct sink *s, int error)
{
	if (!s->error)
		s->error = error;
}

/*
 * Half a record at the end would be read as a cut recording, which it is; but a clean cut is kinder
 * to tools that are less patient than our reader.
 */
static void cut_to(struct sink *s, uint64_t nr_bytes)
{
	if (s->is_stdout || ftruncate(s->fd, (off_t)nr_bytes))
		return;
	/* Where the next write goes; what fails here has failed at ftruncate(2). */
	lseek(s->fd, (off_t)nr_bytes, SEEK_SET);
	s->nr_bytes = nr_bytes;
}

void sink_write_records(struct sink *s, const struct iovec *parts, int nr_parts)
{
	uint64_t before = s->nr_bytes;
	int error;

	if (s->error)
		return;
	error = write_parts(s, parts, nr_parts);
	if (!error)
		return;
	keep_error(s, error);
	cut_to(s, before + whole_len(parts, nr_parts, s->nr_bytes - before));
}

bool sink_write_whole(struct sink *s, const struct iovec *parts, int nr_parts)
{
	uint64_t before = s->nr_bytes;
	int error = write_parts(s, parts, nr_parts);

	if (!error)
		return true;
	keep_error(s, error);
	cut_to(s, before);
	return false;
}

void sink_write_front(struct sink *s, const void *bytes, size_t len)
{
	ssize_t done = pwrite(s->fd, bytes, len, 0);

	if (done != (ssize_t)len)
		keep_error(s, done < 0 ? -errno : -EIO);
}

/* ---- the end ---- */

int sink_error(const struct sink *s, struct err *e)
{
	if (!s->error)
		return 0;
	if (s->error == -ESTALE)
		return err_set(e, s->error, "%s was removed while it was written: the recording is lost", s->path);
	if (s->error == -ETIMEDOUT)
		return err_set(e, s->error, "cannot write %s: its reader has stopped reading",
			       s->path);
	return err_set(e, s->error, "cannot write %s: %m", s->path);
}

/* Without a name it is gone when it is closed. */
static void look_where_it_is(struct sink *s)
{
	struct stat ours, there;

	if (!s->is_new || fstat(s->fd, &ours))
		return;
	if (!ours.st_nlink)
		keep_error(s, -ESTALE);
	else if (stat(s->path, &there) || there.st_dev != ours.st_dev || there.st_ino != ours.st_ino)
		log_warn("%s was moved away while it was written: the recording is where it was moved to", s->path);
}

void sink_close(struct sink *s)
{
	int fd = s->fd;

	if (fd >= 0)
		look_where_it_is(s);
	s->fd = -1;
	/* EINTR says nothing of what was written. */
	if (fd > STDERR_FILENO && close(fd) && errno != EINTR)
		keep_error(s, -errno);
}

void sink_abandon(struct sink *s)
{
	char *old;

	if (s->is_new)
		unlink(s->path);
	s->is_new = false;
	if (!s->has_old)
		return;
	old = xasprintf("%s.old", s->path);
	if (rename(old, s->path))
		log_debug("cannot put %s back: %m", old);
	free(old);
}

void sink_release(struct sink *s)
{
	sink_close(s);
	free(s->path);
	*s = (struct sink){ 0 };
}
