/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One perf ring buffer: a page of pointers and a power of two of bytes. ring_scan() is pure: it looks
 * at bytes between two positions; ring_read() does it on the mapped ring, ring_consume() moves the tail.
 *
 * Records are 8-aligned in a ring whose size is a multiple of 8, so a header never wraps, but what
 * follows it may.
 */
#ifndef COLLECTOR_RING_H
#define COLLECTOR_RING_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct ring {
	struct perf_event_mmap_page *page;	/* NULL: not mapped */
	uint8_t *data;
	uint64_t size;		/* bytes of data: a power of two */
};

/* Who looks at the records. */
struct ring_visitor {
	void *ctx;
	/*
	 * A record in one piece. Its bytes stay where they are until the tail is moved beyond it; one
	 * that wraps lies in the arena. False: no further; it stays in the ring.
	 */
	bool (*saw)(void *ctx, const struct perf_event_header *record);
};

/*
 * Looks at the records from tail on that are whole before head, and returns where it stopped: head, or
 * a record that the visitor left, or, with *ret_is_garbage, bytes that are no records. data has size
 * bytes; positions are taken modulo size, and head is at most size ahead of tail.
 */
uint64_t ring_scan(const uint8_t *data, uint64_t size, uint64_t tail, uint64_t head,
		   struct arena *wrapped, const struct ring_visitor *visitor, bool *ret_is_garbage);

/* Maps nr_pages (a power of two) of the event's ring, plus its first page. Negative errno. */
int ring_map(struct ring *r, int perf_fd, size_t nr_pages);
void ring_unmap(struct ring *r);
/*
 * Shows what is in the ring now, and returns the position up to which it was seen. Bytes that are no
 * records cannot be stepped over: they count as seen, all of them.
 */
uint64_t ring_read(const struct ring *r, struct arena *wrapped, const struct ring_visitor *visitor);
/* How many bytes stand behind that position now. */
uint64_t ring_len(const struct ring *r, uint64_t from);
/* The kernel may write anew on what stands before that position. */
void ring_consume(struct ring *r, uint64_t until);

#endif
