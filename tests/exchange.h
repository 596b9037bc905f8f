/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection as a script, and what a protocol's parser says of it as lines:
 *
 *	exchange_init(&x, &protocol_http1);
 *	exchange_in(&x, "GET /a HTTP/1.1\r\n\r\n", 0);
 *	exchange_out(&x, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0);
 *	exchange_close(&x);
 *	str_cstr(&x.said)	"1 began; 1 GET /a; 1 status 200; 1 ended; "
 *	exchange_release(&x);
 *
 * It fails where a parser breaks protocol.h's rules: a request told of before it began, twice named,
 * ended twice.
 */
#ifndef TESTS_EXCHANGE_H
#define TESTS_EXCHANGE_H

#include "base/str.h"
#include "base/vec.h"
#include "report/protocol.h"

struct exchange_request {
	bool is_named, has_status, is_ended;
};

struct exchange {
	const struct protocol *protocol;
	void *parser;
	struct str said;
	VEC(struct exchange_request) requests;	/* by number - 1 */
	uint64_t nr_skipped;
};

void exchange_init(struct exchange *x, const struct protocol *p);
/* bytes: a string that a test wrote; total 0: nothing is missing of the read or write. */
void exchange_in(struct exchange *x, const char *bytes, uint64_t total);
void exchange_out(struct exchange *x, const char *bytes, uint64_t total);
/* The same with bytes that have NULs in them. */
void exchange_in_n(struct exchange *x, const void *bytes, size_t len, uint64_t total);
void exchange_out_n(struct exchange *x, const void *bytes, size_t len, uint64_t total);
void exchange_close(struct exchange *x);
void exchange_release(struct exchange *x);
/* Requests that began, and of these the ones that ended. */
uint64_t exchange_nr_began(const struct exchange *x);
uint64_t exchange_nr_ended(const struct exchange *x);

#endif
