/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record: bytes in, struct record out. Which fields a record has is said by its event's
 * attributes, and which event it belongs to by an id inside the record: at the front of a sample, at
 * the end of every other record (perf_event_open(2), "sample_type" and "sample_id_all").
 */
#ifndef RECORDING_DECODE_H
#define RECORDING_DECODE_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/vec.h"
#include "recording/record.h"

/* The events of a recording. Valid when zeroed. */
struct events {
	VEC(struct event_desc *) list;	/* in the arena: event_desc pointers stay valid */
	struct u64map by_id;		/* perf's sample id -> index in list */
	struct arena arena;
};

/* attr_bytes: a perf_event_attr of whatever size its own `size` field says, or less (old files). */
struct event_desc *events_add(struct events *ev, struct cursor attr_bytes);
void events_add_id(struct events *ev, uint64_t id, const struct event_desc *event);
void events_set_name(struct events *ev, struct event_desc *event, const char *name);
/* NULL: no event has that id. */
struct event_desc *events_find(const struct events *ev, uint64_t id);
void events_release(struct events *ev);

/*
 * bytes: the whole record, header included; r->pos is the caller's. False: the record is shorter than
 * its event's attributes say it is. A record whose event is unknown decodes with event = NULL and no
 * time, thread or CPU.
 */
bool decode_record(const struct events *ev, const uint8_t *bytes, struct record *r);

#endif
