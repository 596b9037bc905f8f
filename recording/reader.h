/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a recording, wperf's own or perf's, as a file or as a pipe stream.
 *
 *	struct record r;
 *
 *	err = reader_open("wperf.data", &reader, &e);
 *	while ((more = reader_next(reader, &r, &e)) > 0)
 *		...
 *	reader_free(reader);
 *
 * Records come in the order of the file, which is not the order of time: see report/order.h. What a
 * record lends lives until the next call of reader_next(), reader_at() or reader_discard(); a stage
 * that wants it later queues its `pos` and gets it again with reader_at().
 */
#ifndef RECORDING_READER_H
#define RECORDING_READER_H

#include <sys/types.h>

#include "base/err.h"
#include "recording/record.h"

struct reader;

/*
 * path "-" is stdin. Errors: what open(2) says; -EINVAL with the offset for bytes that are no
 * perf.data; -ENOTSUP for one that we cannot read (other byte order, perf record -z, a directory).
 */
int reader_open(const char *path, struct reader **ret_reader, struct err *e);
/* The same for a pipe that is open; name is what messages call it. The reader closes it, whatever comes. */
int reader_open_pipe(int fd, const char *name, struct reader **ret_reader, struct err *e);
/* The same over bytes in memory, which must outlive the reader (tests, fuzzers). */
int reader_open_bytes(const void *bytes, size_t len, struct reader **ret_reader, struct err *e);
void reader_free(struct reader *r);

/*
 * 1: *ret_record is the next record. 0: the end; a recording that was cut short ends at its last
 * whole record, and reader_is_truncated() says so. Negative errno: the bytes make no sense at the
 * offset that the message names, or cannot be read (reader_error()); what came before stays valid.
 * Records of unknown types are skipped and counted (reader_nr_unknown()).
 */
int reader_next(struct reader *r, struct record *ret_record, struct err *e);
/* The record at a pos that reader_next() gave and reader_discard() has not passed. */
void reader_at(struct reader *r, uint64_t pos, struct record *ret_record);
/* Nothing before pos will be asked for again: its memory is given back. */
void reader_discard(struct reader *r, uint64_t pos);

bool reader_is_truncated(const struct reader *r);
/* Negative errno of the read(2) that failed, or 0. */
int reader_error(const struct reader *r);
uint64_t reader_nr_unknown(const struct reader *r);

size_t reader_nr_events(const struct reader *r);
const struct event_desc *reader_event(const struct reader *r, size_t index);

/* From the feature sections; NULL or 0 where the recording does not say. Complete after the end. */
const char *reader_hostname(const struct reader *r);
const char *reader_os_release(const struct reader *r);
const char *reader_arch(const struct reader *r);
const char *reader_cmdline(const struct reader *r);	/* joined by spaces */
/* One moment on the wall clock, in nanoseconds since 1970, and on the recording's; false: not said. */
bool reader_wall_clock(const struct reader *r, uint64_t *ret_wall_ns, uint64_t *ret_clock_ns);
/* Looks path up in the table of build-ids (perf record without --buildid-mmap). */
bool reader_find_build_id(const struct reader *r, const char *path, struct build_id *ret_id);

#endif
