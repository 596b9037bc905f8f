/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a recording's bytes go: a file of its own, or stdout.
 *
 *	sink_open(&s, "wperf.data", &patience, &e);
 *	sink_write_whole(&s, parts, nr);	what comes before the records
 *	sink_write_records(&s, parts, nr);
 *	sink_write_whole(&s, parts, nr);	what comes behind them
 *	sink_write_front(&s, header, len);	the first bytes again, now that all is known
 *	sink_close(&s);
 *	err = sink_error(&s, &e);
 *	sink_release(&s);
 *
 * Writing blocks until everything is written, or has failed. The first error is kept, sink_error()
 * tells it, and records that come later are dropped. A file then ends with the last record that was
 * written whole; stdout may be a pipe, which takes nothing back.
 */
#ifndef RECORDING_SINK_H
#define RECORDING_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

/* Of one write. A drain of the rings gathers DRAIN_PARTS, see collector/drain.h. */
enum { SINK_PARTS_MAX = 300 };

/*
 * How long a pipe's reader that does not read is waited for: until is_stopping() says true, and
 * then a second more for each write. It is asked when the pipe is full, and again when wake_fd
 * becomes readable. NULL: for ever.
 */
struct sink_patience {
	bool (*is_stopping)(void *self);
	void *self;		/* lent until sink_release() */
	int wake_fd;		/* the same; below 0: none */
};

/* To be read only. */
struct sink {
	char *path;		/* for messages */
	int fd;
	bool is_stdout;
	bool is_new, has_old;	/* the file was made by us; what stood there is PATH.old */
	struct sink_patience patience;
	uint64_t nr_bytes;	/* that are written, and were not taken back */
	int error;		/* negative errno of the first write that failed */
};

/*
 * "-" is stdout. An existing regular file with something in it becomes PATH.old; a device is written as it
 * is. Negative errno: open(2)'s and rename(2)'s, -ESPIPE for what is a pipe, or -EINVAL for a link to what a process has
 * open, /dev/stdout; then the old file is back, and *s is zeroed.
 */
int sink_open(struct sink *s, const char *path, const struct sink_patience *patience,
	      struct err *e);
/* Whole records, at most SINK_PARTS_MAX parts of any length. Dropped after an error. */
void sink_write_records(struct sink *s, const struct iovec *parts, int nr_parts);
/*
 * Bytes that are worth nothing in part: a file has all of them, or none. Tried after an error as
 * well: what was taken back may have left a little room. False: none.
 */
bool sink_write_whole(struct sink *s, const struct iovec *parts, int nr_parts);
/* Over the first bytes of a file. Tried after an error as well. */
void sink_write_front(struct sink *s, const void *bytes, size_t len);
/*
 * Nothing more is written. What was may be lost only now, where a disk is somebody else's or a quota is kept late:
 * sink_error() tells. Before sink_release(), which tells nobody. Says so where the file is no longer at its path.
 */
void sink_close(struct sink *s);
/*
 * 0, or the negative errno of the first write that failed; *e then says it in words. -ETIMEDOUT:
 * the reader did not read.
 */
int sink_error(const struct sink *s, struct err *e);
/* Nothing came of it: the new file goes, and what it replaced comes back. Before sink_release(). */
void sink_abandon(struct sink *s);
/* Accepts a zeroed one, and leaves one. */
void sink_release(struct sink *s);

#endif
