/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The record at pos in one piece: in the ring, or put together in the arena. */
static const struct perf_event_header *whole_record(const uint8_t *data, uint64_t size, uint64_t pos,
						    size_t len, struct arena *wrapped)
{
	uint64_t at = pos & (size - 1);
	size_t first = size - at < len ? (size_t)(size - at) : len;
	uint8_t *copy;

	if (first == len)
		return (const void *)(data + at);
	copy = arena_alloc(wrapped, len);
	memcpy(copy, data + at, first);
	memcpy(copy + first, data, len - first);
	return (const void *)copy;
}

uint64_t ring_scan(const uint8_t *data, uint64_t size, uint64_t tail, uint64_t head,
		   struct arena *wrapped, const struct ring_visitor *visitor, bool *ret_is_garbage)
{
	uint64_t pos = tail;

	assert(head - tail <= size);
	*ret_is_garbage = false;
	while (head - pos >= sizeof(struct perf_event_header)) {
		struct perf_event_header header;

		memcpy(&header, data + (pos & (size - 1)), sizeof(header));
		if (header.size < sizeof(header) || header.size % 8 || header.size > head - pos) {
			*ret_is_garbage = true;
			break;
		}
		if (!visitor->saw(visitor->ctx, whole_record(data, size, pos, header.size, wrapped)))
			break;
		pos += header.size;
	}
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
uint64_t ring_read(const struct ring *r, struct arena *wrapped, const struct ring_visitor *visitor)
{
	uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
	bool is_garbage;
	uint64_t seen = ring_scan(r->data, r->size, r->page->data_tail, head, wrapped, visitor, &is_garbage);

	return is_garbage ? head : seen;
}

uint64_t ring_len(const struct ring *r, uint64_t from)
{
	return __atomic_load_n(&r->page->data_head, __ATOMIC_RELAXED) - from;
}

void ring_consume(struct ring *r, uint64_t until)
{
	__atomic_store_n(&r->page->data_tail, until, __ATOMIC_RELEASE);
}
