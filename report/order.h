/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records in the order of time. A recording is written ring by ring, each ring in its own order, so
 * that time jumps back wherever the next ring begins. The recorder puts a
 * PERF_RECORD_FINISHED_ROUND after each pass over all rings: nothing written after round N can be
 * older than the newest record that stood before round N - 1 (tools/perf/util/ordered-events.c
 * tells why). So at round N all that is no younger than that goes out, and what waits is two
 * rounds, not the recording.
 *
 *	order_init(&o, reader);
 *	while ((more = order_next(&o, &record, &e)) > 0)
 *		...
 *	order_release(&o);
 *
 * A record of socket marks is as many records, each with its mark's time and thread.
 *
 * Records of equal time keep the order of the file. Records without time (0: made up by the
 * recorder to describe what was there before it) go out at once. Without rounds everything waits,
 * 24 bytes a record, until the end.
 */
#ifndef REPORT_ORDER_H
#define REPORT_ORDER_H

#include "recording/reader.h"

#include "base/vec.h"

struct order_entry {
	uint64_t time, pos;
	uint32_t mark;		/* where in the record's raw part it begins, if it is a socket mark */
};

struct order {
	struct reader *reader;		/* lent */
	VEC(struct order_entry) queue;	/* read, not yet due; by pos */
	VEC(struct order_entry) due;	/* by time, pos; from next_due on not yet given out */
	VEC(struct order_entry) scratch;
	VEC(size_t) runs;
	size_t next_due;
	uint64_t newest;	/* largest time read */
	uint64_t limit;		/* the same as of the round before */
	uint64_t delivered;	/* largest time given out */
	uint64_t nr_late;	/* given out behind a younger one: the recorder's rounds lied */
	uint64_t discarded;	/* the reader was told up to here */
	struct err end_err;	/* how reading ended */
	int end_code;
	bool is_at_end;
	bool is_behind_loss;	/* the last one read tells of a loss, and is in the queue */
};

void order_init(struct order *o, struct reader *reader);
void order_release(struct order *o);
/*
 * As reader_next(): 1 a record, 0 the end, negative the reader's error, which comes after all
 * records that were read before it. What the record lends lives until the next call.
 */
int order_next(struct order *o, struct record *ret_record, struct err *e);

#endif
