/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording written byte by byte, apart from writer.c: for tests of what reads recordings, and as
 * seeds of their fuzzers.
 *
 *	struct sketch s = { 0 };
 *
 *	sketch_file(&s, attrs, 2);
 *	sketch_begin(&s, PERF_RECORD_COMM, 0);
 *	sketch_u32(&s, pid);
 *	...
 *	sketch_end(&s);
 *	sketch_finish(&s);
 *	reader_open_bytes(s.bytes.s, s.bytes.len, &reader, &e);
 *	sketch_release(&s);
 */
#ifndef TESTS_SKETCH_H
#define TESTS_SKETCH_H

#include "base/str.h"
#include "recording/perf_format.h"

struct sketch {
	struct str bytes;
	size_t data_at;	  /* where the records begin */
	size_t record_at; /* where the open record begins */
};

/* Ids of event i: SKETCH_ID(i) and SKETCH_ID(i) + 1. */
#define SKETCH_ID(i) (0x100ULL + 0x10ULL * (unsigned long long)(i))

/* The beginning of either form. Attributes of another size than today's say so in attr->size. */
void sketch_file(struct sketch *s, const struct perf_event_attr *attrs, size_t nr);
void sketch_pipe(struct sketch *s, const struct perf_event_attr *attrs, size_t nr);

void sketch_begin(struct sketch *s, uint32_t type, uint16_t misc);
void sketch_u8(struct sketch *s, uint8_t v);
void sketch_u16(struct sketch *s, uint16_t v);
void sketch_u32(struct sketch *s, uint32_t v);
void sketch_u64(struct sketch *s, uint64_t v);
void sketch_add(struct sketch *s, const void *bytes, size_t len);
/* With its NUL. */
void sketch_str(struct sketch *s, const char *text);
/* Zeros up to the next multiple of 8 from the record's beginning. */
void sketch_pad(struct sketch *s);
/* Pads, and puts the record's size into its header. */
void sketch_end(struct sketch *s);

/* What sample_id_all with TID, TIME, CPU and IDENTIFIER puts behind a record; pads before. */
void sketch_id(struct sketch *s, uint32_t pid, uint32_t tid, uint64_t time, uint32_t cpu,
	       uint64_t id);

/*
 * The file form's end: the length of the data and the feature sections, which are given in the
 * order of their numbers. Without it the recording is one that was not finished.
 */
struct sketch_feature {
	unsigned int number;
	const void *bytes;
	size_t len;
};
void sketch_finish(struct sketch *s, const struct sketch_feature *features, size_t nr);
/* Appends a feature's string, as sections hold them, to bytes. */
void sketch_feature_str(struct str *bytes, const char *text);
void sketch_release(struct sketch *s);

/* The attributes that most tests use: IP, TID, TIME, CPU, PERIOD, IDENTIFIER and sample_id_all. */
struct perf_event_attr sketch_attr(void);
/* A recording with something of everything in it: two processes, samples, notes, a round. */
void sketch_everything(struct sketch *s, bool is_pipe);

#endif
