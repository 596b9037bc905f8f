/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of HTTP/1.1 (RFC 9112) as an example server needs: request line, keep-alive, pipelining,
 * HEAD, bodies of a given length (read and dropped). On sockets that block and on others:
 *
 *	http_next() == 0: more bytes are needed		-> http_fill()
 *	http_next() == 1: conn.request is to be served	-> http_respond(), http_flush() until true
 */
#ifndef EXAMPLES_HTTP_H
#define EXAMPLES_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEADER_MAX 256	/* of an answer */
#define HTTP_BODY_MAX 32768

struct http_request {
	char method[16];
	char path[2048];		/* with the query, as sent */
};

struct http_conn {
	int fd;
	bool keep_alive;		/* as the last request has it; false: the client is gone */
	struct http_request request;	/* the last one */
	/* Its owner's: calls then(c) when so much time has passed, before or after it returns. */
	void (*after)(struct http_conn *c, unsigned int ms, void (*then)(struct http_conn *c));
	char body[HTTP_BODY_MAX];	/* room for an answer's */
	/* http.c's own: what was read and is not used, what is answered and not sent. */
	bool has_header;		/* the request's; of its body there are still to come: */
	size_t body_left;
	size_t in_len, out_at, out_len;
	char in[16384];
	char out[HTTP_HEADER_MAX + HTTP_BODY_MAX];
};

void http_init(struct http_conn *c, int fd);
/* 1: a request, in c->request; 0: not yet; -1: nonsense. */
int http_next(struct http_conn *c);
/* Reads once. 1: bytes came; 0: none now, of a socket that does not block; -1: no more come. */
int http_fill(struct http_conn *c);
/* The whole response in one write, as far as the socket takes it. len: up to HTTP_BODY_MAX. */
void http_respond(struct http_conn *c, int status, const char *type, const char *body, size_t len);
/* True: nothing is left to be sent. False: the socket takes no more now. */
bool http_flush(struct http_conn *c);
/* The number after "NAME=" in the query of path, within [0, max]; otherwise fallback. */
unsigned int http_query(const char *path, const char *name, unsigned int fallback,
			unsigned int max);
/* A listening socket on 127.0.0.1; port 0 takes a free one. -1: errno says why. */
int http_listen(unsigned int port, unsigned int *ret_port);

#endif
