/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be known of each request that waits for its answer, to find that answer's end. Nearly all are plain, and
 * take no memory.
 */
#ifndef REPORT_HTTP1_KINDS_H
#define REPORT_HTTP1_KINDS_H

#include <stdint.h>

enum http1_kind {
	HTTP1_PLAIN,
	HTTP1_HEAD,
	HTTP1_CONNECT,
	HTTP1_BARE,	/* no version: HTTP/0.9, whose answer is a body and nothing else */
};

/* So many requests may wait at a time, which have numbers that follow each other. */
#define HTTP1_KINDS_MAX 1024

/* Zeroed: all are plain. */
struct http1_kinds {
	uint8_t *bits;	/* two each, by number; NULL: all are plain */
};

enum http1_kind http1_kinds_get(const struct http1_kinds *k, uint64_t nr);
void http1_kinds_set(struct http1_kinds *k, uint64_t nr, enum http1_kind kind);
/* None waits any more. */
void http1_kinds_release(struct http1_kinds *k);

#endif
