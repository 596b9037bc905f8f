/* SPDX-License-Identifier: Apache-2.0 */
#include "examples/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void http_init(struct http_conn *c, int fd)
{
	c->fd = fd;
	c->keep_alive = true;
	c->after = NULL;
	c->has_header = false;
	c->body_left = c->in_len = c->out_at = c->out_len = 0;
}

int http_fill(struct http_conn *c)
{
	ssize_t n;

	if (c->in_len == sizeof(c->in))
		return -1;
	do
		n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	c->in_len += (size_t)n;
	return 1;
}

static void drop(struct http_conn *c, size_t len)
{
	memmove(c->in, c->in + len, c->in_len - len);
	c->in_len -= len;
}

/* The length of the header with its empty line, or 0 while that has not come. */
static size_t header_len(const struct http_conn *c)
{
	const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);

	return end ? (size_t)(end - c->in) + 4 : 0;
}

/* The value of a field, without leading blanks, or NULL; header ends in NUL. */
static const char *field(const char *header, const char *name)
{
	size_t len = strlen(name);
	const char *line = header;

	while ((line = strstr(line, "\r\n"))) {
		line += 2;
		if (!strncasecmp(line, name, len) && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

/* header ends in NUL, the final empty line cut off. */
static bool parse_header(struct http_conn *c, const char *header)
{
	const char *length, *connection;
	struct http_request *r = &c->request;
	int minor;

	if (sscanf(header, "%15s %2047s HTTP/1.%1d", r->method, r->path, &minor) != 3)
		return false;
	if (field(header, "Transfer-Encoding"))
		return false;
	length = field(header, "Content-Length");
	c->body_left = length ? strtoul(length, NULL, 10) : 0;
	connection = field(header, "Connection");
	c->keep_alive = minor >= 1;
	if (connection && !strncasecmp(connection, "close", 5))
		c->keep_alive = false;
	if (connection && !strncasecmp(connection, "keep-alive", 10))
		c->keep_alive = true;
	return true;
}

int http_next(struct http_conn *c)
{
	size_t part;

	if (!c->has_header) {
		size_t len = header_len(c);

		if (!len)
			return 0;
		c->in[len - 2] = '\0';
		if (!parse_header(c, c->in))
			return -1;
		drop(c, len);
	}
	part = c->body_left < c->in_len ? c->body_left : c->in_len;
	drop(c, part);
	c->body_left -= part;
	c->has_header = c->body_left > 0;
	return !c->has_header;
}

/* How much could be sent. A client that is gone takes everything. */
static size_t send_part(struct http_conn *c, struct iovec *iov, size_t nr)
{
	const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = nr };
	ssize_t n;

	do
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return (size_t)n;
	if (errno == EAGAIN)
		return 0;
	c->keep_alive = false;
	return SIZE_MAX;
}

bool http_flush(struct http_conn *c)
{
	while (c->out_at < c->out_len) {
		struct iovec rest = { c->out + c->out_at, c->out_len - c->out_at };
		size_t sent = send_part(c, &rest, 1);

		if (!sent)
			return false;
		c->out_at += sent < rest.iov_len ? sent : rest.iov_len;
	}
	return true;
}

/* Copies what is left behind the first `sent` bytes. */
static void keep_rest(struct http_conn *c, const struct iovec *iov, size_t nr, size_t sent)
{
	c->out_at = c->out_len = 0;
	for (; nr; nr--, iov++) {
		size_t here = sent < iov->iov_len ? sent : iov->iov_len;

		memcpy(c->out + c->out_len, (char *)iov->iov_base + here, iov->iov_len - here);
		c->out_len += iov->iov_len - here;
		sent -= here;
	}
}

void http_respond(struct http_conn *c, int status, const char *type, const char *body, size_t len)
{
	const char *reason = status == 200 ? "OK" : status == 404 ? "Not Found" : "Error";
	size_t nr = strcmp(c->request.method, "HEAD") ? 2 : 1;
	char header[HTTP_HEADER_MAX];
	struct iovec iov[2] = { { .iov_base = header }, { (void *)body, len } };

	iov[0].iov_len = (size_t)snprintf(header, sizeof(header),
					  "HTTP/1.1 %d %s\r\n"
					  "Content-Type: %s\r\n"
					  "Content-Length: %zu\r\n"
					  "Connection: %s\r\n\r\n",
					  status, reason, type, len,
					  c->keep_alive ? "keep-alive" : "close");
	keep_rest(c, iov, nr, send_part(c, iov, nr));
	http_flush(c);
}

unsigned int http_query(const char *path, const char *name, unsigned int fallback,
			unsigned int max)
{
	const char *at = strchr(path, '?');
	size_t len = strlen(name);

	while (at) {
		unsigned long value;
		char *end;

		at++;
		if (strncmp(at, name, len) || at[len] != '=') {
			at = strchr(at, '&');
			continue;
		}
		errno = 0;
		value = strtoul(at + len + 1, &end, 10);
		if (errno || end == at + len + 1 || (*end && *end != '&'))
			return fallback;
		return value > max ? max : (unsigned int)value;
	}
	return fallback;
}

int http_listen(unsigned int port, unsigned int *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, saved;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Connections take the option over: a response must not wait for the client's ACK. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1024) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len)) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	*ret_port = ntohs(addr.sin_port);
	return fd;
}
