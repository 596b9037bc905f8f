/* SPDX-License-Identifier: Apache-2.0 */
#include "recording/window.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

enum {
	/* Large enough that a read(2) costs nothing against the parsing of what it brought. */
	READ_BYTES = 256 * 1024,
	/* Of a file more than this is mapped. */
	BUFFER_MAX = 64 * 1024 * 1024,
	/* How much of a mapped file may stay resident behind the reader before it is given back. */
	DISCARD_BYTES = 8 * 1024 * 1024,
};

static int map_file(struct window *w)
{
	void *map = mmap(NULL, (size_t)w->file_size, PROT_READ, MAP_PRIVATE, w->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	madvise(map, (size_t)w->file_size, MADV_SEQUENTIAL);
	w->bytes = map;
	w->len = (size_t)w->file_size;
	w->start = 0;
	w->is_mapped = true;
	return 0;
}

static void drop_bytes(struct window *w)
{
	if (w->is_mapped)
		munmap(w->bytes, w->len);
	else if (w->origin != FROM_MEMORY)
		free(w->bytes);
	w->bytes = NULL;
	w->len = w->cap = 0;
	w->is_mapped = false;
}

/* ---- opening ---- */

static int open_file(struct window *w, const char *path, uint64_t size, struct err *e)
{
	int err;

	if (!size)
		return err_set(e, -EINVAL, "%s: the recording is empty", path);
	w->origin = FROM_FILE;
	w->file_size = size;
	err = map_file(w);
	return err ? err_set(e, err, "%s: %m", path) : 0;
}

int window_open(struct window *w, const char *path, struct err *e)
{
	struct stat st;
	bool is_stdin = !strcmp(path, "-");

	window_open_pipe(w, is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC));
	if (is_stdin)
		path = "stdin";
	if (w->fd < 0 || fstat(w->fd, &st) < 0) {
		err_set(e, -errno, "%s: %m", path);
		return e->code == -ENOENT ?
			       err_remedy(e, "Make one first: wperf record -p PID, or name it with -i.") :
			       e->code;
	}
	if (S_ISDIR(st.st_mode))
		return err_set(e, -ENOTSUP, "%s: recordings that are directories cannot be read", path);
	return S_ISREG(st.st_mode) ? open_file(w, path, (uint64_t)st.st_size, e) : 0;
}

void window_open_pipe(struct window *w, int fd)
{
	*w = (struct window){ .origin = FROM_PIPE, .fd = fd };
}

void window_open_bytes(struct window *w, const void *bytes, size_t len)
{
	*w = (struct window){ .origin = FROM_MEMORY, .fd = -1, .bytes = (uint8_t *)bytes, .len = len };
}

void window_release(struct window *w)
{
	drop_bytes(w);
	if (w->fd > STDIN_FILENO)
		close(w->fd);
}

/* ---- what is at hand ---- */

struct cursor window_section(const struct window *w, uint64_t off, uint64_t size)
{
	if (off > w->len || size > w->len - off)
		return (struct cursor){ .failed = true };
	return cursor_of(w->bytes + off, (size_t)size);
}

void window_begin_at(struct window *w, uint64_t pos)
{
	if (w->origin != FROM_FILE)
		return;
	drop_bytes(w);
	w->start = pos;
}

/* Room for more bytes behind those in the buffer. False: the file is mapped now. */
static bool has_room(struct window *w)
{
	size_t cap = w->cap * 2 > READ_BYTES * 2 ? w->cap * 2 : READ_BYTES * 2;

	if (w->cap - w->len >= READ_BYTES)
		return true;
	if (w->origin == FROM_FILE && cap > BUFFER_MAX) {
		uint8_t *bytes = w->bytes;

		if (!map_file(w)) {
			free(bytes);
			w->cap = 0;
			return false;
		}
	}
	w->cap = cap;
	w->bytes = xrealloc(w->bytes, cap);
	return true;
}

static ssize_t read_on(struct window *w)
{
	if (w->origin == FROM_FILE)
		return pread(w->fd, w->bytes + w->len, w->cap - w->len, (off_t)window_end(w));
	return read(w->fd, w->bytes + w->len, w->cap - w->len);
}

/* One read more. A pipe whose other end is not to be waited for is waited for all the same. */
static void fetch(struct window *w)
{
	struct pollfd polled = { .fd = w->fd, .events = POLLIN };
	ssize_t got = read_on(w);

	if (got > 0) {
		w->len += (size_t)got;
		return;
	}
	if (got < 0 && errno == EAGAIN)
		poll(&polled, 1, -1);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	w->is_at_eof = true;
	w->error = got < 0 ? -errno : 0;
}

bool window_has(struct window *w, uint64_t pos, size_t want)
{
	uint64_t until = pos + want;

	if (until < pos)
		return false;
	while (until > window_end(w)) {
		if (w->origin == FROM_MEMORY || w->is_mapped || w->is_at_eof)
			return false;
		if (has_room(w))
			fetch(w);
	}
	return true;
}

const uint8_t *window_at(const struct window *w, uint64_t pos)
{
	return w->bytes + (pos - w->start);
}

uint64_t window_end(const struct window *w)
{
	return w->start + w->len;
}

void window_discard(struct window *w, uint64_t pos)
{
	if (w->is_mapped && pos >= w->discarded + DISCARD_BYTES) {
		uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), until = pos & ~(page - 1);

		madvise(w->bytes + w->discarded, until - w->discarded, MADV_DONTNEED);
		w->discarded = until;
	} else if (w->cap && pos - w->start > w->len / 2) {
		size_t dead = (size_t)(pos - w->start);

		memmove(w->bytes, w->bytes + dead, w->len - dead);
		w->len -= dead;
		w->start = pos;
	}
}
