/* SPDX-License-Identifier: Apache-2.0 */
#include "report/http2_frames.h"

#include "base/vec.h"
#include "report/intake.h"

enum { HEAD_BYTES = 9, LENGTH_MAX = 16384 };

/* RFC 9113, 6; RFC 9218, 7.1. */
enum type {
	TYPE_DATA,
	TYPE_HEADERS,
	TYPE_PRIORITY,
	TYPE_RST_STREAM,
	TYPE_SETTINGS,
	TYPE_PUSH_PROMISE,
	TYPE_PING,
	TYPE_GOAWAY,
	TYPE_WINDOW_UPDATE,
	TYPE_CONTINUATION,
	TYPE_PRIORITY_UPDATE = 0x10,
};

enum flag {
	FLAG_ACK = 1,
	FLAG_END_STREAM = 1,
	FLAG_END_HEADERS = 4,
	FLAG_PADDED = 8,
	FLAG_PRIORITY = 0x20,
};

/* Stream 0 is the connection; clients' own are odd (5.1.1). */
enum stream { STREAM_NONE, STREAM_ZERO, STREAM_ODD, STREAM_NOT_ZERO, STREAM_ANY };

/* Of what clients send, by type. Zeroed: they send none. */
static const struct {
	enum stream stream;
	uint8_t flags;		/* that may be set */
	uint16_t least, most;	/* bytes of the payload */
} types[] = {
	[TYPE_DATA] = { STREAM_ODD, FLAG_END_STREAM | FLAG_PADDED, 0, LENGTH_MAX },
	[TYPE_HEADERS] = { STREAM_ODD, FLAG_END_STREAM | FLAG_END_HEADERS | FLAG_PADDED | FLAG_PRIORITY, 1,
			   LENGTH_MAX },
	[TYPE_PRIORITY] = { STREAM_NOT_ZERO, 0, 5, 5 },
	[TYPE_RST_STREAM] = { STREAM_NOT_ZERO, 0, 4, 4 },
	[TYPE_SETTINGS] = { STREAM_ZERO, FLAG_ACK, 0, LENGTH_MAX },
	[TYPE_PING] = { STREAM_ZERO, FLAG_ACK, 8, 8 },
	[TYPE_GOAWAY] = { STREAM_ZERO, 0, 8, LENGTH_MAX },
	[TYPE_WINDOW_UPDATE] = { STREAM_ANY, 0, 4, 4 },
	[TYPE_CONTINUATION] = { STREAM_ODD, FLAG_END_HEADERS, 1, LENGTH_MAX },
	/* A stream's id comes first. */
	[TYPE_PRIORITY_UPDATE] = { STREAM_ZERO, 0, 4, LENGTH_MAX },
};

struct frame {
	uint32_t length, stream;
	uint8_t type, flags;
	struct piece payload;	/* as far as it is known */
};

/* Between frames. */
struct frames {
	uint32_t continued;	/* the stream whose headers go on with the next frame (6.10); 0: none */
	size_t nr, nr_telling;
};

static struct frame frame_at(const uint8_t *s, size_t len)
{
	struct frame f = { .length = (uint32_t)s[0] << 16 | load_be16(s + 1),
			   .type = s[3],
			   .flags = s[4],
			   .stream = load_be32(s + 5) };

	f.payload.s = s + HEAD_BYTES;
	f.payload.len = len - HEAD_BYTES < f.length ? len - HEAD_BYTES : f.length;
	return f;
}

static bool is_stream_of(enum stream want, uint32_t stream)
{
	if (want == STREAM_NONE || stream >> 31)
		return false;
	if (want == STREAM_ZERO)
		return !stream;
	return want == STREAM_ANY || (want == STREAM_ODD ? stream % 2 : stream);
}

static bool is_head(const struct frame *f)
{
	return f->type < ARRAY_LEN(types) && is_stream_of(types[f->type].stream, f->stream) &&
	       !(f->flags & ~types[f->type].flags) && f->length >= types[f->type].least &&
	       f->length <= types[f->type].most;
}

/* The length of the padding is less than the payload's (6.1, 6.2). */
static bool is_padding(const struct frame *f)
{
	uint32_t others = f->type == TYPE_HEADERS && f->flags & FLAG_PRIORITY ? 6 : 1;

	if (!(f->flags & FLAG_PADDED))
		return true;
	if (f->length < others)
		return false;
	return !f->payload.len || f->payload.s[0] <= f->length - others;
}

/* Nothing is said by an empty one that does not end its stream. */
static bool is_data(const struct frame *f)
{
	return (f->length || f->flags & FLAG_END_STREAM) && is_padding(f);
}

static bool is_headers(const struct frame *f)
{
	return (!(f->flags & FLAG_PRIORITY) || f->length > 5) && is_padding(f);
}

/*
 * 6.5: pairs of an identifier, which is never 0, and a value; none in an acknowledgement. Otherwise none are
 * sent with the preface only (3.4).
 */
static bool is_settings(const struct frame *f)
{
	size_t i;

	if (f->length % 6 || !f->length != (f->flags == FLAG_ACK))
		return false;
	for (i = 0; i + 2 <= f->payload.len; i += 6)
		if (!load_be16(f->payload.s + i))
			return false;
	return true;
}

/* An increment of 0 is an error (6.9). */
static bool is_increment(struct piece payload)
{
	return payload.len < 4 || (load_be32(payload.s) && !(load_be32(payload.s) >> 31));
}

static bool is_payload(const struct frame *f)
{
	switch (f->type) {
	case TYPE_DATA:
		return is_data(f);
	case TYPE_HEADERS:
		return is_headers(f);
	case TYPE_SETTINGS:
		return is_settings(f);
	case TYPE_WINDOW_UPDATE:
		return is_increment(f->payload);
	default:
		return true;
	}
}

/* Zeros and small numbers, which messages of others have, too, look like the rest. */
static bool is_telling(const struct frame *f)
{
	return f->type != TYPE_DATA && (f->type != TYPE_SETTINGS || f->length);
}

/* Headers are not interrupted by other frames. */
static bool take_frame(struct frames *all, const struct frame *f)
{
	bool continues = f->type == TYPE_CONTINUATION;

	if (!is_head(f) || !is_payload(f) || continues != (all->continued != 0) ||
	    (continues && f->stream != all->continued))
		return false;
	if (f->type == TYPE_HEADERS || continues)
		all->continued = f->flags & FLAG_END_HEADERS ? 0 : f->stream;
	all->nr++;
	all->nr_telling += is_telling(f);
	return true;
}

enum recognition http2_frames_recognize(const struct chunk *c)
{
	struct frames all = { 0 };
	struct frame f;
	uint64_t at = 0;

	while (at + HEAD_BYTES <= c->len) {
		f = frame_at(c->bytes + at, c->len - at);
		if (!take_frame(&all, &f))
			return RECOGNIZED_NOT;
		at += HEAD_BYTES + f.length;
	}
	if (all.nr_telling && (all.nr > 1 || at == c->total))
		return RECOGNIZED;
	/* The first byte of a length is 0, or it is more than may be. */
	return c->len && c->bytes[0] ? RECOGNIZED_NOT : RECOGNIZED_MAYBE;
}
