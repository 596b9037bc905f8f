/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One perf ring buffer: a page of pointers and a power of two of bytes. ring_scan() is pure: it looks
 * at bytes between two positions; ring_drain() does it on the mapped ring and moves the tail.
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
#include <sys/uio.h>

struct ring {
	struct perf_event_mmap_page *page;	/* NULL: not mapped */
	uint8_t *data;
	uint64_t size;		/* bytes of data: a power of two */
};

/* Who looks at the records on their way out. */
struct ring_visitor {
	void *ctx;
	/* A record, whole and contiguous while the call lasts. False: leave it out. */
	bool (*saw)(void *ctx, const struct perf_event_header *record);
	/* Runs of whole records that are kept, in order; they lie in the ring until this returns. */
	void (*kept)(void *ctx, const struct iovec *parts, int nr_parts);
};

/*
 * Looks at the records from tail on that are whole before head, and returns where it stopped: head,
 * unless the bytes are no records. data has size bytes; positions are taken modulo size, and head is
 * at most size ahead of tail.
 */
uint64_t ring_scan(const uint8_t *data, uint64_t size, uint64_t tail, uint64_t head,
		   const struct ring_visitor *visitor);

/* Maps nr_pages (a power of two) of the event's ring, plus its first page. Negative errno. */
int ring_map(struct ring *r, int perf_fd, size_t nr_pages);
void ring_unmap(struct ring *r);
/* Everything that is in the ring now. Returns the number of bytes taken out. */
uint64_t ring_drain(struct ring *r, const struct ring_visitor *visitor);

#endif
