/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are a ring: nothing outside of it is touched, what is kept are whole records in order,
 *and with nothing left out they are all the bytes up to where the scan stopped.
 *
 *	u8 tail, in units of 8 | u8 pattern: every record whose bit is 1 is left out | the ring
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
	uint8_t pattern;
	unsigned int nr;
	uint64_t nr_left_out; /* bytes */
	struct str kept;
};

static bool is_left_out(struct seen *s)
{
	return s->pattern >> (s->nr++ % 8) & 1;
}

static bool saw(void *ctx, const struct perf_event_header *header)
{
	struct seen *s = ctx;
	volatile uint8_t last = ((const uint8_t *)header)[header->size - 1];

	(void)last;
	if (!is_left_out(s))
		return true;
	s->nr_left_out += header->size;
	return false;
}

static void saw_kept(void *ctx, const struct iovec *parts, int nr)
{
	struct seen *s = ctx;
	size_t before = s->kept.len;
	int i;

	for (i = 0; i < nr; i++)
		str_add_bytes(&s->kept, parts[i].iov_base, parts[i].iov_len);
	/* Whole records, every time: somebody else may write between two of them. */
	while (before < s->kept.len) {
		struct perf_event_header header;

		assert(s->kept.len - before >= sizeof(header));
		memcpy(&header, s->kept.s + before, sizeof(header));
		before += header.size;
	}
	assert(before == s->kept.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t ring_bytes = 64, tail, used, stop;
	struct seen seen = { 0 };
	const struct ring_visitor visitor = { &seen, saw, saw_kept };
	uint8_t *ring;
	size_t i;

	if (size < 2)
		return 0;
	tail = 8ULL * data[0];
	seen.pattern = data[1];
	used = (size - 2) & ~7ULL;
	while (ring_bytes < used)
		ring_bytes *= 2;
	ring = xcalloc(1, ring_bytes);
	for (i = 0; i < used; i++)
		ring[(tail + i) & (ring_bytes - 1)] = data[2 + i];
	stop = ring_scan(ring, ring_bytes, tail, tail + used, &visitor);
	assert(stop >= tail && stop <= tail + used);
	assert(seen.kept.len + seen.nr_left_out == stop - tail);
	assert(seen.nr_left_out || !seen.kept.len || !memcmp(seen.kept.s, data + 2, seen.kept.len));
	str_release(&seen.kept);
	free(ring);
	return 0;
}
