/* SPDX-License-Identifier: Apache-2.0 */
/* Does a request of HTTP/1 begin here? That depends on what is known of the place: pure functions over untrusted bytes. */
#ifndef REPORT_HTTP1_BEGIN_H
#define REPORT_HTTP1_BEGIN_H

#include "report/http1_line.h"

enum http1_place {
	HTTP1_FIRST,	/* nothing was read before that one has begun with */
	HTTP1_SYNCED,	/* the message before was read to its end */
	HTTP1_UNSURE,	/* in a connection that has had requests */
};

/* In the first bytes of a connection, or of an exchange. */
enum recognition http1_begin_of_read(const uint8_t *bytes, size_t len);
/* is_whole: else more of the line is to come. */
enum recognition http1_begin_of_line(struct http1_line line, bool is_whole, enum http1_place place);

#endif
