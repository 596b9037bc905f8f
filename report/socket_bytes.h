/* SPDX-License-Identifier: Apache-2.0 */
/* What was read and written on a connection, fed to who parses it: its requests begin, have names, and are answered. */
#ifndef REPORT_SOCKET_BYTES_H
#define REPORT_SOCKET_BYTES_H

#include "report/socket_requests.h"

/* One mark of a sample. */
struct mark {
	struct socket_mark head;
	struct chunk chunk;
	const struct record *rec;
};

/* b: the mark's bytes, or those that it says were read before. */
void socket_bytes_in(struct socket_requests *s, struct connection *c, const struct mark *m, const struct chunk *b);
void socket_bytes_out(struct socket_requests *s, struct connection *c, const struct mark *m);
/* What comes next may be anything: what waits for an answer gets none. */
void socket_bytes_lose(struct socket_requests *s, struct connection *c);
/*
 * The connection is gone. What its end completes is answered; what then still waits for an answer gets none. m NULL: nobody
 * has said so, and who has gone on from an answer that was not understood has answered.
 */
void socket_bytes_close(struct socket_requests *s, struct connection *c, const struct mark *m);

#endif
