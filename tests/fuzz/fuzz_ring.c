/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are a ring: nothing outside of it is touched, and what is shown are whole records in order: the
 * very bytes up to where the scan stopped.
 *
 *	u8 tail, in units of 8 | u8 number of records to take | the ring
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "collector/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	unsigned int nr_left;
	bool was_stopped;
	struct str all;
};

static bool saw(void *ctx, const struct perf_event_header *header)
{
	struct seen *s = ctx;

	if (!s->nr_left) {
		s->was_stopped = true;
		return false;
	}
	s->nr_left--;
	str_add_bytes(&s->all, header, header->size);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t ring_bytes = 64, tail, used, stop;
	struct seen seen = { 0 };
	const struct ring_visitor visitor = { &seen, saw };
	struct arena wrapped = { 0 };
	bool is_garbage;
	uint8_t *ring;
	size_t i;

	if (size < 2)
		return 0;
	tail = 8ULL * data[0];
	seen.nr_left = data[1];
	used = (size - 2) & ~7ULL;
	while (ring_bytes < used)
		ring_bytes *= 2;
	ring = xcalloc(1, ring_bytes);
	for (i = 0; i < used; i++)
		ring[(tail + i) & (ring_bytes - 1)] = data[2 + i];
	stop = ring_scan(ring, ring_bytes, tail, tail + used, &wrapped, &visitor, &is_garbage);
	assert(stop >= tail && stop <= tail + used);
	assert(seen.all.len == stop - tail);
	assert(!seen.all.len || !memcmp(seen.all.s, data + 2, seen.all.len));
	assert(stop == tail + used || is_garbage || seen.was_stopped);
	str_release(&seen.all);
	arena_release(&wrapped);
	free(ring);
	return 0;
}
