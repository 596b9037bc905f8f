/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are a connection: the parser keeps to protocol.h's rules, which the exchange asserts,
 * and holds little, however much comes.
 *
 *	u8: bit 0, written and not read; bit 1, the connection is closed after it;
 *	    bits 2 to 7, so many bits has the number of bytes that did not travel
 *	u8 len | len bytes
 *	and so on
 */
#include <assert.h>
#include <sanitizer/allocator_interface.h>
#include <stdint.h>

#include "base/cursor.h"
#include "tests/exchange.h"

/* Two lines, the kinds of 1024 requests, and what the allocator adds to them. */
#define HELD_BYTES_MAX 3072

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore_nr(void *self, uint64_t nr)
{
	(void)self;
	(void)nr;
}

static void ignore_name(void *self, uint64_t nr, const char *method, size_t method_len,
			const char *path, size_t path_len)
{
	(void)self;
	(void)nr;
	(void)method;
	(void)path;
	assert(method_len <= 64 && path_len <= 1024);
}

static void ignore(void *self)
{
	(void)self;
}

static void ignore_status(void *self, uint64_t nr, uint32_t status)
{
	(void)self;
	(void)nr;
	(void)status;
}

static const struct exchange_listener silent = {
	.may_begin = ignore,
	.began = ignore_nr,
	.named = ignore_name,
	.status = ignore_status,
	.status_unseen = ignore_nr,
	.ended = ignore_nr,
	.ended_before = ignore_nr,
	.unanswered = ignore_nr,
	.end_unseen = ignore_nr,
	.over = ignore_nr,
	.not_over = ignore,
	.goes_on = ignore_nr,
	.skipped = ignore_nr,
	.foreign = ignore,
	.encrypted = ignore,
};

/* The next step; false: there is none. */
static bool next_step(struct cursor *c, uint8_t *ret_flags, struct chunk *ret_chunk)
{
	uint8_t flags = cursor_u8(c), len = cursor_u8(c);
	uint64_t missing = flags >> 2 ? UINT64_MAX >> (64 - (flags >> 2)) : 0;

	if (c->failed)
		return false;
	if (len > cursor_left(c))
		len = (uint8_t)cursor_left(c);
	*ret_flags = flags;
	*ret_chunk = (struct chunk){ cursor_take(c, len), len, len + missing };
	return true;
}

static void run_told(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct exchange x;
	struct chunk chunk;
	uint8_t flags;

	exchange_init(&x, &protocol_http1);
	while (next_step(&c, &flags, &chunk)) {
		if (flags & 1)
			exchange_out_n(&x, chunk.bytes, chunk.len, chunk.total);
		else
			exchange_in_n(&x, chunk.bytes, chunk.len, chunk.total);
		if (flags & 2)
			exchange_close(&x);
	}
	assert(exchange_nr_ended(&x) <= exchange_nr_began(&x));
	exchange_release(&x);
}

/* The same by a listener that holds nothing, so that what is held is the parser's. */
static void run_measured(const uint8_t *data, size_t size)
{
	void *parser = xcalloc(1, protocol_http1.parser_size);
	size_t before = __sanitizer_get_current_allocated_bytes();
	struct cursor c = cursor_of(data, size);
	struct chunk chunk;
	uint8_t flags;

	while (next_step(&c, &flags, &chunk)) {
		if (flags & 1)
			protocol_http1.outbound(parser, &chunk, &silent);
		else
			protocol_http1.inbound(parser, &chunk, &silent);
		assert(__sanitizer_get_current_allocated_bytes() <= before + HELD_BYTES_MAX);
		if (flags & 2)
			protocol_http1.closed(parser, &silent);
	}
	protocol_http1.stopped(parser, &silent);
	protocol_http1.cut_off(parser, &silent);
	protocol_http1.release(parser);
	assert(__sanitizer_get_current_allocated_bytes() == before);
	free(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run_told(data, size);
	run_measured(data, size);
	return 0;
}
