/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a proxy sends ahead of a connection's own bytes, so that the server knows whose it is ("The PROXY protocol,
 * Versions 1 & 2", haproxy.org):
 *
 *	PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 CR LF			text, at most 107 bytes
 *	CR LF CR LF NUL CR LF QUIT LF | u8, u8 | be16 length | bytes	binary
 */
#ifndef REPORT_PROXY_HEADER_H
#define REPORT_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

/* How long one is that these bytes, the first of a connection, begin with: more than len perhaps. 0: there is none. */
size_t proxy_header_len(const uint8_t *bytes, size_t len);

#endif
