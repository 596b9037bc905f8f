/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A protocol that nobody knows: the client asks, the server answers. Bytes in after bytes out begin a
 * request, and the last bytes out before that ended the one before.
 */
#include "report/protocol.h"

struct unknown {
	uint64_t nr;		/* the last one */
	bool is_open, is_answered;
};

static enum recognition recognize(const uint8_t *bytes, size_t len)
{
	(void)bytes;
	(void)len;
	return RECOGNIZED;
}

static void end(struct unknown *u, const struct exchange_listener *l)
{
	if (u->is_open && u->is_answered) {
		u->is_open = false;
		l->ended(l->self, u->nr);
	}
}

static void inbound(void *parser, const struct chunk *c, const struct exchange_listener *l)
{
	struct unknown *u = parser;

	(void)c;
	end(u, l);
	if (u->is_open)
		return;
	u->is_open = true;
	u->is_answered = false;
	l->began(l->self, ++u->nr);
}

static void outbound(void *parser, const struct chunk *c, const struct exchange_listener *l)
{
	struct unknown *u = parser;

	(void)c;
	(void)l;
	u->is_answered = true;
}

static void closed(void *parser, const struct exchange_listener *l)
{
	end(parser, l);
}

static void release(void *parser)
{
	(void)parser;
}

const struct protocol protocol_unknown = {
	.name = "unknown",
	.parser_size = sizeof(struct unknown),
	.recognize = recognize,
	.inbound = inbound,
	.outbound = outbound,
	.closed = closed,
	.stopped = closed,
	.release = release,
};
