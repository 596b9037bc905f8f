/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are a recording or an error in words, and every byte that a record lends is there. */
#include <assert.h>
#include <stdint.h>

#include "base/vec.h"
#include "recording/note.h"
#include "recording/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is summed up here, so that no read is left out as unused. */
static volatile uint64_t used_sum;

static uint64_t touch(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t sum = 0;

	while (len--)
		sum += *p++;
	return sum;
}

static uint64_t touch_note(const struct record *r)
{
	struct cursor c = r->note.payload;
	const char *key, *value;
	struct note_marker m;
	struct note_file f;
	uint64_t sum = 0, count;

	while (note_next_info(&c, &key, &value))
		sum += strlen(key) + strlen(value);
	c = r->note.payload;
	while (note_next_tally(&c, &key, &count))
		sum += strlen(key) + count;
	if (note_parse_marker(r->note.payload, &m))
		sum += strlen(m.spec) + strlen(m.name);
	if (note_parse_file(r->note.payload, &f))
		sum += strlen(f.path) + touch(f.chunk, f.chunk_len);
	return sum;
}

static uint64_t touch_sample(const struct record *r)
{
	uint64_t sum = r->sample.ip + r->sample.period, i;

	for (i = 0; i < r->sample.chain.nr; i++)
		sum += callchain_at(&r->sample.chain, i);
	sum += touch(r->sample.raw, r->sample.raw ? r->sample.raw_len : 0);
	sum += touch(r->sample.user_regs, 8 * (size_t)r->sample.nr_user_regs);
	return sum + touch(r->sample.user_stack, (size_t)r->sample.user_stack_len);
}

static uint64_t touch_record(const struct record *r)
{
	uint64_t sum = touch(r->body, r->size - sizeof(struct perf_event_header));

	sum += r->event ? strlen(r->event->name) : 0;
	switch (r->type) {
	case PERF_RECORD_SAMPLE:
		return r->event ? sum + touch_sample(r) : sum;
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
		assert(r->mmap.build_id.len <= BUILD_ID_MAX);
		return sum + strlen(r->mmap.path);
	case PERF_RECORD_COMM:
		return sum + strlen(r->comm.name);
	case PERF_RECORD_EVENT_UPDATE:
		return sum + touch_note(r);
	default:
		return sum;
	}
}

static uint64_t length_of(const char *s)
{
	return s ? strlen(s) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader *reader;
	struct record r;
	VEC(uint64_t) at = { 0 };
	struct build_id id;
	struct err e = { 0 };
	uint64_t sum = 0;
	int more;

	if (reader_open_bytes(data, size, &reader, &e)) {
		assert(e.code < 0 && e.what[0]);
		return 0;
	}
	while ((more = reader_next(reader, &r, &e)) > 0) {
		assert(r.pos + r.size <= size && r.size >= sizeof(struct perf_event_header));
		assert(!at.nr || r.pos > *vec_last(&at));
		vec_push(&at, r.pos);
		sum += touch_record(&r);
	}
	assert(more == 0 || (e.code == more && e.what[0]));
	vec_each(&at, pos) {
		reader_at(reader, *pos, &r);
		assert(r.pos == *pos);
		sum += touch_record(&r);
	}
	sum += length_of(reader_hostname(reader)) + length_of(reader_os_release(reader)) +
	       length_of(reader_arch(reader)) + length_of(reader_cmdline(reader));
	sum += reader_find_build_id(reader, "/usr/bin/server", &id);
	used_sum = sum;
	vec_release(&at);
	reader_free(reader);
	return 0;
}
