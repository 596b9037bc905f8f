/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How many bytes of a transfer travel with its mark: as many as the report needs to tell requests apart, to name them and
 * to know their status. HTTP has its lines at the beginning; other protocols send as many requests at once as fit their
 * buffer, and are read whole.
 */
#ifndef COLLECTOR_SOCKET_LIMITS_BPF_H
#define COLLECTOR_SOCKET_LIMITS_BPF_H

#include "collector/socket_marks.bpf.h"

#define LETTERS(a, b, c, d)                                                                        \
	((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

static int is_tls(__u32 first)
{
	__u8 a = first, b = first >> 8;

	return (a == TLS_HANDSHAKE || a == TLS_DATA) && b == TLS_MAJOR;
}

static enum speech speech_of(__u32 first)
{
	__u8 a = first, b = first >> 8;

	if (!first || is_tls(first))
		return SPEECH_UNKNOWN;
	/* Not HTTP's: a target, or a field's value, behind a read that ended in its line. */
	if (a == '*' && b != '/' && b != ' ')
		return SPEECH_RESP;
	if (a >= 'A' && a <= 'Z' && b >= 'A' && b <= 'Z')
		return SPEECH_HTTP;
	/* Ahead of a request, or a proxy's header, ahead of what mostly is HTTP: report/proxy_header.h. */
	if (a == '\r' && b == '\n')
		return SPEECH_HTTP;
	/*
	 * PostgreSQL's messages and memcached's commands begin with a letter, a length with 0; FastCGI's version is 1,
	 * memcached's magic byte 0x80.
	 */
	return (a >= 'A' && a <= 'Z') || (a >= 'a' && a <= 'z') || a <= 1 || a == 0x80 ? SPEECH_WHOLE : SPEECH_UNKNOWN;
}

/* As the rest of a line may; what is spoken in HTTP's place, as WebSocket, mostly has frames. */
static int is_text(__u8 a)
{
	return (a >= ' ' && a < 0x7f) || a == '\r' || a == '\n';
}

/* A request with a body: not one of Redis's inline commands, as PING is, many of which may be there. */
static int has_body(__u32 first)
{
	return first == LETTERS('P', 'O', 'S', 'T') || first == LETTERS('P', 'U', 'T', ' ') ||
	       first == LETTERS('P', 'A', 'T', 'C');
}

/* Of an exchange in which many requests may come before an answer, or a long body. */
enum { EXCHANGE_BYTES = 8 * SOCKET_DATA_MAX };

static int may_want_no_answer(__u8 speech)
{
	return speech == SPEECH_RESP || speech == SPEECH_WHOLE;
}

/*
 * Where the exchange before ended within a head, or a command, this one begins with the rest of it: of a command that may be
 * any byte.
 */
static enum speech speech_in(const struct conn *c, __u32 first)
{
	enum speech speech = speech_of(first);

	if (may_want_no_answer(c->spoken))
		return is_tls(first) ? SPEECH_UNKNOWN : c->spoken;
	if (speech == SPEECH_UNKNOWN && c->spoken == SPEECH_HTTP && is_text(first))
		return SPEECH_HTTP;
	return speech;
}

/*
 * What looks like HTTP may be Redis's inline commands; behind HTTP, what looks like neither may be a body. A connection of
 * PostgreSQL's may go on with TLS.
 */
static void remember_speech(struct conn *c, __u32 first)
{
	if (is_tls(first))
		c->spoken = SPEECH_UNKNOWN;
	else if (c->speech == SPEECH_RESP || c->spoken == SPEECH_UNKNOWN)
		c->spoken = c->speech;
}

/*
 * By the first four bytes of an exchange. HTTP's methods begin with two capitals: of these requests the
 * first bytes will do, unless a read has more of them than a request has, which several at once may:
 * also one that is not the first, where the first one had only a part of a head.
 */
static void set_limits(struct conn *c, __u32 first)
{
	c->limit = c->limit_max = c->limit_out = SOCKET_DATA_USUAL;
	c->budget = SOCKET_DATA_MAX;
	c->speech = speech_in(c, first);
	remember_speech(c, first);
	if (may_want_no_answer(c->speech))
		c->budget = EXCHANGE_BYTES;
	if (c->speech == SPEECH_UNKNOWN && (!first || is_tls(first)))
		return;
	c->limit_max = c->speech == SPEECH_HTTP && has_body(first) ? HEAD_BYTES : SOCKET_DATA_MAX;
	if (c->speech != SPEECH_HTTP)
		c->limit = c->limit_max;
	if (c->speech == SPEECH_WHOLE)
		c->limit_out = c->limit_max;
}

/* After an answer that came early, the body that nobody waited for is followed by the next request. */
static int is_method(__u32 first)
{
	return first == LETTERS('G', 'E', 'T', ' ') || first == LETTERS('P', 'O', 'S', 'T') ||
	       first == LETTERS('H', 'E', 'A', 'D') || first == LETTERS('P', 'U', 'T', ' ') ||
	       first == LETTERS('D', 'E', 'L', 'E') || first == LETTERS('P', 'A', 'T', 'C') ||
	       first == LETTERS('O', 'P', 'T', 'I');
}

/*
 * What is copied behind an error PostgreSQL reads, and answers nothing: the statement that follows begins with its type and
 * a length below 64 KiB.
 */
static int is_statement(const struct conn *c, __u32 first)
{
	__u8 a = first;

	return c->speech == SPEECH_WHOLE && !c->budget && (a == 'Q' || a == 'P' || a == 'B') && !(first & 0xffff00);
}

static __u32 least(__u64 a, __u32 b)
{
	return a < b ? a : b;
}

/*
 * How many bytes of this read travel. HTTP's body, in reads of any size, has the rest of the exchange's budget. In other
 * protocols requests may want no answer, so each read may begin with one, while the budget lasts: behind the first 4 KiB
 * of a long one only the beginning travels.
 */
static __u32 spend(struct conn *c, __u64 bytes)
{
	__u32 most, want;

	if (bytes > c->limit)
		c->limit = c->limit_max;
	most = c->limit;
	if (may_want_no_answer(c->speech) && bytes > most && c->budget <= EXCHANGE_BYTES - SOCKET_DATA_MAX)
		most = SOCKET_DATA_USUAL;
	want = least(bytes, most < c->budget ? most : c->budget);
	c->budget -= want;
	return want;
}

/* Bytes that are looked at together. */
enum { BLOCK_BYTES = 64 };
/* Of the line that says a chunk's size: eight digits, and its end. */
enum { CHUNK_SIZE_BYTES = 10 };

enum heads {
	HEADS_NONE,	/* of none the end was read: it is longer, or this is a body, or not HTTP */
	HEADS_ONE,	/* of one, and no other request follows it there */
	HEADS_SEVERAL,
};

/*
 * Whether an empty line may begin in these eight bytes: of its four, every fourth byte of a text is one, and hardly any
 * other is as small as these.
 */
static int may_begin_empty_line(__u64 eight)
{
	return ((eight - 0x0e0000000e000000) & ~eight & 0x8000000080000000) != 0;
}

/* 0: it does not begin there; else where it ends. */
static __u32 end_of_empty_line(const char *eight)
{
	__u32 i;

	for (i = 0; i < sizeof(__u64); i++)
		if (*(const __u32 *)(eight + i) == LETTERS('\r', '\n', '\r', '\n'))
			return i + sizeof(__u32);
	return 0;
}

/* As in gather(), how far this is stands in memory, for the verifier. */
static int find_empty_line(struct mark_room *m)
{
	volatile __u32 *at = &m->mark.room;
	__u32 i, k, block, end;

	for (i = 0; i < SOCKET_DATA_MAX / BLOCK_BYTES; i++) {
		block = *at;
		if (block >= *(volatile __u32 *)&m->mark.len)
			break;
		block &= SOCKET_DATA_MAX - BLOCK_BYTES;
#pragma unroll
		for (k = 0; k < BLOCK_BYTES; k += sizeof(__u64)) {
			if (!may_begin_empty_line(*(const __u64 *)(m->bytes + block + k)))
				continue;
			end = end_of_empty_line(m->bytes + block + k);
			if (end) {
				*at = block + k + end;
				return 1;
			}
		}
		*at = block + BLOCK_BYTES;
	}
	return 0;
}

/* From that byte on; where the head ends is left in `room`. Not static: so it is verified by itself, and once. */
__noinline int find_heads(struct mark_room *m, __u32 from)
{
	const char *next;
	__u32 end;

	if (!m)
		return HEADS_NONE;
	m->mark.room = from;
	if (!find_empty_line(m))
		return HEADS_NONE;
	end = *(volatile __u32 *)&m->mark.room;
	if (end > m->mark.len)
		return HEADS_NONE;
	next = m->bytes + (end & (SOCKET_DATA_MAX - 1));
	if (end < m->mark.len && next[0] >= 'A' && next[0] <= 'Z' && next[1] >= 'A' && next[1] <= 'Z')
		return HEADS_SEVERAL;
	return HEADS_ONE;
}

/*
 * Of HTTP's answer, whose usual bytes were read: its head goes on behind them, and says there how long the answer is, or the
 * size of a chunk may.
 */
static int has_long_head(const struct conn *c, struct mark_room *m)
{
	if (c->speech != SPEECH_HTTP || *(const __u32 *)m->bytes != LETTERS('H', 'T', 'T', 'P'))
		return 0;
	return find_heads(m, 0) == HEADS_NONE || m->mark.room > SOCKET_DATA_USUAL - CHUNK_SIZE_BYTES;
}

/* All of it that may travel was read: the head does, and the size of a chunk behind it. */
static void cut_behind_head(struct mark_room *m)
{
	__u32 len;

	if (find_heads(m, SOCKET_DATA_USUAL - BLOCK_BYTES) == HEADS_NONE)
		return;
	len = m->mark.room + CHUNK_SIZE_BYTES;
	if (len < m->mark.len)
		m->mark.len = len;
}

/* Of a word's bytes, the high bits of those that are `byte`; above one of them another may be taken for it. */
static __u64 bytes_that_are(__u8 byte, __u64 word)
{
	const __u64 ones = 0x0101010101010101;
	__u64 x = word ^ ones * byte;

	return (x - ones) & ~x & ones << 7;
}

/* In what Redis has read, up to SOCKET_DATA_USUAL bytes: another command begins a line with a '*', as a value may. */
__noinline int may_have_more_commands(struct mark_room *m)
{
	__u64 word, feeds, feeds_before = 0, found = 0;
	__u32 i;

	if (!m)
		return 0;
	for (i = 0; i < SOCKET_DATA_USUAL && i < m->mark.len; i += sizeof(word)) {
		word = *(const __u64 *)(m->bytes + i);
		if (m->mark.len - i < sizeof(word))
			word &= (1ULL << (m->mark.len - i) * 8) - 1;
		feeds = bytes_that_are('\n', word);
		found |= (feeds << 8 | feeds_before >> 56) & bytes_that_are('*', word);
		feeds_before = feeds;
	}
	return found != 0;
}

/*
 * Of the answer to one request the first bytes will do, how many of that ever there were. Several may be answered with
 * one write. What is long and has no head's end may be anything, but not behind one that had.
 */
static void limit_answer(struct conn *c, struct socket_mark *m, int is_first)
{
	int heads;

	if (c->limit_out == c->limit_max || c->speech == SPEECH_UNKNOWN)
		return;
	if (c->speech == SPEECH_RESP) {
		if (!is_first || m->len > SOCKET_DATA_USUAL || may_have_more_commands((struct mark_room *)m))
			c->limit_out = c->limit_max;
		return;
	}
	heads = find_heads((struct mark_room *)m, 0);
	if (heads == HEADS_SEVERAL || (heads == HEADS_NONE && is_first && c->limit == c->limit_max))
		c->limit_out = c->limit_max;
}

#endif
