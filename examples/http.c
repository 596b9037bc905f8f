/* SPDX-License-Identifier: Apache-2.0 */
#include "examples/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* More bytes from the client; false at its end or when the buffer is full. */
static bool fill(struct http_conn *c)
{
	ssize_t n;

	if (c->len == sizeof(c->buf))
		return false;
	do
		n = recv(c->fd, c->buf + c->len, sizeof(c->buf) - c->len, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	c->len += (size_t)n;
	return true;
}

static void drop(struct http_conn *c, size_t len)
{
	memmove(c->buf, c->buf + len, c->len - len);
	c->len -= len;
}

/* The length of the header with its empty line, or 0 while that has not come. */
static size_t header_len(const struct http_conn *c)
{
	const char *end = memmem(c->buf, c->len, "\r\n\r\n", 4);

	return end ? (size_t)(end - c->buf) + 4 : 0;
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

static bool drop_body(struct http_conn *c, size_t len)
{
	while (len) {
		size_t part = len < c->len ? len : c->len;

		drop(c, part);
		len -= part;
		if (len && !fill(c))
			return false;
	}
	return true;
}

/* header ends in NUL, the final empty line cut off. */
static bool parse_header(struct http_conn *c, const char *header, struct http_request *ret,
			 size_t *ret_body)
{
	const char *length, *connection;
	int minor;

	if (sscanf(header, "%15s %2047s HTTP/1.%1d", ret->method, ret->path, &minor) != 3)
		return false;
	if (field(header, "Transfer-Encoding"))
		return false;
	length = field(header, "Content-Length");
	*ret_body = length ? strtoul(length, NULL, 10) : 0;
	connection = field(header, "Connection");
	c->keep_alive = minor >= 1;
	if (connection && !strncasecmp(connection, "close", 5))
		c->keep_alive = false;
	if (connection && !strncasecmp(connection, "keep-alive", 10))
		c->keep_alive = true;
	return true;
}

int http_read(struct http_conn *c, struct http_request *ret)
{
	size_t len, body;

	while (!(len = header_len(c)))
		if (!fill(c))
			return c->len ? -1 : 0;
	c->buf[len - 2] = '\0';
	if (!parse_header(c, c->buf, ret, &body))
		return -1;
	drop(c, len);
	return drop_body(c, body) ? 1 : -1;
}

bool http_respond(struct http_conn *c, int status, const char *type, const char *body, size_t len)
{
	const char *reason = status == 200 ? "OK" : status == 404 ? "Not Found" : "Error";
	char header[256];
	struct iovec iov[2] = { { .iov_base = header }, { (void *)body, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	iov[0].iov_len = (size_t)snprintf(header, sizeof(header),
					  "HTTP/1.1 %d %s\r\n"
					  "Content-Type: %s\r\n"
					  "Content-Length: %zu\r\n"
					  "Connection: %s\r\n\r\n",
					  status, reason, type, len,
					  c->keep_alive ? "keep-alive" : "close");
	while (msg.msg_iovlen) {
		ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		while (msg.msg_iovlen && (size_t)n >= msg.msg_iov->iov_len) {
			n -= (ssize_t)msg.msg_iov->iov_len;
			msg.msg_iov++;
			msg.msg_iovlen--;
		}
		if (msg.msg_iovlen) {
			msg.msg_iov->iov_base = (char *)msg.msg_iov->iov_base + n;
			msg.msg_iov->iov_len -= (size_t)n;
		}
	}
	return true;
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
