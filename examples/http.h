/* SPDX-License-Identifier: Apache-2.0 */
/* As much of HTTP/1.1 (RFC 9112) as an example server needs: request line, keep-alive, bodies of a
 * given length (read and dropped), pipelining. */
#ifndef EXAMPLES_HTTP_H
#define EXAMPLES_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct http_conn {
	int fd;
	bool keep_alive;		/* what the last request asked for */
	size_t len;			/* bytes in buf */
	char buf[16384];
};

struct http_request {
	char method[16];
	char path[2048];		/* with the query, as sent */
};

/* 1: a request; 0: the client is done; -1: nonsense or an I/O error. Blocks. */
int http_read(struct http_conn *c, struct http_request *ret);
/* The whole response in one write. False: the client is gone. */
bool http_respond(struct http_conn *c, int status, const char *type, const char *body, size_t len);
/* The number after "NAME=" in the query of path, within [0, max]; otherwise fallback. */
unsigned int http_query(const char *path, const char *name, unsigned int fallback,
			unsigned int max);
/* A listening socket on 127.0.0.1; port 0 takes a free one. -1: errno says why. */
int http_listen(unsigned int port, unsigned int *ret_port);

#endif
