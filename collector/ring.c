/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Runs are gathered up to here before they are handed on: one writev(2) for many runs. */
enum { MAX_PARTS = 32 };

struct scan {
	const uint8_t *data;
	uint64_t size;
	const struct ring_visitor *visitor;
	struct iovec parts[MAX_PARTS];
	int nr_parts;
};

static void hand_on(struct scan *s)
{
	if (s->nr_parts)
		s->visitor->kept(s->visitor->ctx, s->parts, s->nr_parts);
	s->nr_parts = 0;
}

/*
 * Positions [from, to) are kept: one piece, or two where the ring wraps between them. Both are handed
 * on together: the visitor may put records of its own between two calls.
 */
static void keep_run(struct scan *s, uint64_t from, uint64_t to)
{
	if (s->nr_parts + 2 > MAX_PARTS)
		hand_on(s);
	while (from != to) {
		uint64_t at = from & (s->size - 1);
		uint64_t len = to - from < s->size - at ? to - from : s->size - at;

		s->parts[s->nr_parts++] = (struct iovec){ (void *)(s->data + at), (size_t)len };
		from += len;
	}
}

/* The record at pos in one piece: in the ring, or put together in scratch (UINT16_MAX bytes). */
static const struct perf_event_header *whole_record(const struct scan *s, uint64_t pos, size_t len,
						    uint8_t *scratch)
{
	uint64_t at = pos & (s->size - 1);
	size_t first = s->size - at < len ? (size_t)(s->size - at) : len;

	if (first == len)
		return (const void *)(s->data + at);
	memcpy(scratch, s->data + at, first);
	memcpy(scratch + first, s->data, len - first);
	return (const void *)scratch;
}

/* False: leave it out. */
static bool look_at(const struct scan *s, uint64_t pos, const struct perf_event_header *header)
{
	_Alignas(8) uint8_t scratch[UINT16_MAX];

	return s->visitor->saw(s->visitor->ctx, whole_record(s, pos, header->size, scratch));
}

uint64_t ring_scan(const uint8_t *data, uint64_t size, uint64_t tail, uint64_t head,
		   const struct ring_visitor *visitor)
{
	struct scan s = { .data = data, .size = size, .visitor = visitor };
	uint64_t pos = tail, run = tail;

	assert(head - tail <= size);
	while (head - pos >= sizeof(struct perf_event_header)) {
		struct perf_event_header header;

		memcpy(&header, data + (pos & (size - 1)), sizeof(header));
		if (header.size < sizeof(header) || header.size % 8 || header.size > head - pos)
			break;
		if (!look_at(&s, pos, &header)) {
			keep_run(&s, run, pos);
			run = pos + header.size;
		}
		pos += header.size;
	}
	keep_run(&s, run, pos);
	hand_on(&s);
	return pos;
}

int ring_map(struct ring *r, int perf_fd, size_t nr_pages)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *map = mmap(NULL, (nr_pages + 1) * page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			 perf_fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	*r = (struct ring){ .page = map,
			    .data = (uint8_t *)map + page_bytes,
			    .size = nr_pages * page_bytes };
	return 0;
}

void ring_unmap(struct ring *r)
{
	if (r->page)
		munmap(r->page, r->size + (size_t)sysconf(_SC_PAGESIZE));
	*r = (struct ring){ 0 };
}

/*
 * The kernel's side is __perf_output_begin() and perf_output_put_handle() in
 * kernel/events/ring_buffer.c: head is read before the bytes, tail is written after the last use.
 */
uint64_t ring_drain(struct ring *r, const struct ring_visitor *visitor)
{
	uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = r->page->data_tail;
	uint64_t done = ring_scan(r->data, r->size, tail, head, visitor);

	/* Bytes that are no records cannot be stepped over: they are given up as a whole. */
	if (done != head)
		done = head;
	__atomic_store_n(&r->page->data_tail, done, __ATOMIC_RELEASE);
	return done - tail;
}
