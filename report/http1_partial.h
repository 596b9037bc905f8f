/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of a message, and of one that a read or write ended in the middle of, its first bytes. The pointer is
 * the caller's, NULL at first; only such a line takes memory.
 *
 *	while (http1_partial_next(&partial, &cursor, max, &line)) {
 *		... line ...
 *		http1_partial_drop(&partial);
 *	}
 *	if (partial)
 *		... http1_partial_line(partial): what is there of the next one
 */
#ifndef REPORT_HTTP1_PARTIAL_H
#define REPORT_HTTP1_PARTIAL_H

#include "base/cursor.h"
#include "report/http1_line.h"

struct http1_partial;

/*
 * The next line without its end, valid until it is dropped; up to max bytes of it are kept. False: it goes
 * on in later bytes.
 */
bool http1_partial_next(struct http1_partial **p, struct cursor *c, size_t max, struct http1_line *ret_line);
struct http1_line http1_partial_line(const struct http1_partial *p);
void http1_partial_drop(struct http1_partial **p);

#endif
