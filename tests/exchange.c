/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exchange.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* assert(3) and not libcheck's: fuzzers use this too. */
static struct exchange_request *open_request(struct exchange *x, uint64_t nr)
{
	assert(nr >= 1 && nr <= x->requests.nr);
	assert(!x->requests.at[nr - 1].is_ended);
	return &x->requests.at[nr - 1];
}

static void began(void *self, uint64_t nr)
{
	struct exchange *x = self;

	assert(nr == x->requests.nr + 1);
	vec_push(&x->requests, (struct exchange_request){ 0 });
	str_addf(&x->said, "%" PRIu64 " began; ", nr);
}

static void named(void *self, uint64_t nr, const char *method, size_t method_len, const char *path,
		  size_t path_len)
{
	struct exchange *x = self;
	struct exchange_request *r = open_request(x, nr);

	assert(!r->is_named);
	r->is_named = true;
	str_addf(&x->said, "%" PRIu64 " ", nr);
	str_add_bytes(&x->said, method, method_len);
	str_add(&x->said, method_len && path_len ? " " : "");
	str_add_bytes(&x->said, path, path_len);
	str_add(&x->said, "; ");
}

static void status(void *self, uint64_t nr, uint32_t status)
{
	struct exchange *x = self;
	struct exchange_request *r = open_request(x, nr);

	assert(!r->has_status);
	assert(status >= 100 && status <= 999);
	r->has_status = true;
	str_addf(&x->said, "%" PRIu64 " status %" PRIu32 "; ", nr, status);
}

static void status_unseen(void *self, uint64_t nr)
{
	struct exchange *x = self;
	struct exchange_request *r = open_request(x, nr);

	assert(!r->has_status);
	r->has_status = true;
	str_addf(&x->said, "%" PRIu64 " status unseen; ", nr);
}

static void ended(void *self, uint64_t nr)
{
	struct exchange *x = self;

	open_request(x, nr)->is_ended = true;
	str_addf(&x->said, "%" PRIu64 " ended; ", nr);
}

static void ended_before(void *self, uint64_t nr)
{
	struct exchange *x = self;

	open_request(x, nr)->is_ended = true;
	str_addf(&x->said, "%" PRIu64 " ended before; ", nr);
}

static void unanswered(void *self, uint64_t nr)
{
	struct exchange *x = self;

	open_request(x, nr)->is_ended = true;
	str_addf(&x->said, "%" PRIu64 " unanswered; ", nr);
}

static void end_unseen(void *self, uint64_t nr)
{
	struct exchange *x = self;

	open_request(x, nr)->is_ended = true;
	str_addf(&x->said, "%" PRIu64 " end unseen; ", nr);
}

static void not_over(void *self)
{
	struct exchange *x = self;

	str_add(&x->said, "not over; ");
}

static void goes_on(void *self, uint64_t nr)
{
	struct exchange *x = self;

	assert(nr >= 1 && nr <= x->requests.nr);
	assert(x->requests.at[nr - 1].is_ended);
	x->requests.at[nr - 1].is_ended = false;
	str_addf(&x->said, "%" PRIu64 " goes on; ", nr);
}

static void skipped(void *self, uint64_t nr_bytes)
{
	struct exchange *x = self;

	assert(nr_bytes);
	x->nr_skipped += nr_bytes;
}

static void encrypted(void *self)
{
	struct exchange *x = self;

	str_add(&x->said, "encrypted; ");
}

/* Which of the bytes began a request is told by what they are fed with. */
static void may_begin(void *self)
{
	(void)self;
}

/* What is to be made of that is not the parser's to say. */
static void foreign(void *self)
{
	(void)self;
}

static struct exchange_listener listener_of(struct exchange *x)
{
	return (struct exchange_listener){ .self = x,
					   .may_begin = may_begin,
					   .began = began,
					   .named = named,
					   .status = status,
					   .status_unseen = status_unseen,
					   .ended = ended,
					   .ended_before = ended_before,
					   .unanswered = unanswered,
					   .end_unseen = end_unseen,
					   .over = ended,
					   .not_over = not_over,
					   .goes_on = goes_on,
					   .skipped = skipped,
					   .foreign = foreign,
					   .encrypted = encrypted };
}

void exchange_init(struct exchange *x, const struct protocol *p)
{
	*x = (struct exchange){ .protocol = p, .parser = xcalloc(1, p->parser_size) };
}

/* The chunk's bytes are a copy of just their length: a parser that reads on is found out. */
static void feed(struct exchange *x, bool is_inbound, const void *bytes, size_t len, uint64_t total)
{
	struct exchange_listener l = listener_of(x);
	uint8_t *copy = xmalloc(len ? len : 1);
	struct chunk c = { copy, len, total ? total : len };

	if (len)
		memcpy(copy, bytes, len);
	if (is_inbound)
		x->protocol->inbound(x->parser, &c, &l);
	else
		x->protocol->outbound(x->parser, &c, &l);
	free(copy);
}

void exchange_in_n(struct exchange *x, const void *bytes, size_t len, uint64_t total)
{
	feed(x, true, bytes, len, total);
}

void exchange_out_n(struct exchange *x, const void *bytes, size_t len, uint64_t total)
{
	feed(x, false, bytes, len, total);
}

void exchange_in(struct exchange *x, const char *bytes, uint64_t total)
{
	exchange_in_n(x, bytes, strlen(bytes), total);
}

void exchange_out(struct exchange *x, const char *bytes, uint64_t total)
{
	exchange_out_n(x, bytes, strlen(bytes), total);
}

void exchange_close(struct exchange *x)
{
	struct exchange_listener l = listener_of(x);

	x->protocol->closed(x->parser, &l);
}

void exchange_release(struct exchange *x)
{
	x->protocol->release(x->parser);
	free(x->parser);
	str_release(&x->said);
	vec_release(&x->requests);
}

uint64_t exchange_nr_began(const struct exchange *x)
{
	return x->requests.nr;
}

uint64_t exchange_nr_ended(const struct exchange *x)
{
	uint64_t nr = 0;

	vec_each(&x->requests, r)
		nr += r->is_ended;
	return nr;
}
