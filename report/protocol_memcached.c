/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcached's protocols (doc/protocol.txt of its sources, and doc/protocol-binary.txt).
 *
 *	get k CR LF			VALUE k 0 5 CR LF hello CR LF END CR LF
 *	set k 0 0 5 CR LF hello CR LF	STORED CR LF
 *	mg k v q CR LF			VA 5 CR LF hello CR LF
 *
 * The path is the command; keys are left out. Answers come in the order of the requests, and say
 * themselves how long they are: items of a list go on until a line that is none. What asks for
 * "noreply" ends with its bytes, although the server may answer errors.
 *
 * Quiet requests (the meta commands' q flag, the binary protocol's Q opcodes) are answered at
 * times. A text answer is the first quiet one's, but for those that quiet requests never get, MN and
 * EN; binary answers tell their opcode. Quiet requests that got none end before the next one that
 * did, or with the next exchange, or with a read that follows theirs.
 *
 * The server closes the connection upon "quit", and neither writes an answer nor reads on before.
 *
 * Binary: header of 24 bytes: u8 magic, 0x80 or 0x81; u8 opcode; be16 key length; u8 extras length;
 * u8 data type; be16 vbucket or status; be32 length of all that follows; be32 opaque; be64 cas.
 */
#include <string.h>

#include "base/alloc.h"
#include "report/intake.h"
#include "report/memcached_line.h"
#include "report/outstanding.h"
#include "report/protocol.h"
#include "report/turns.h"

/* A key has 250 bytes at most, of which base64 makes 336; the other words of a line are numbers. */
#define LINE_KEEP   1024
#define BINARY_HEAD 24
#define MAGIC_ASK   0x80
#define MAGIC_TELL  0x81
#define OPCODE_STAT 0x10
#define OPCODE_QUITQ 0x17

/* Kinds of outstanding requests; the binary protocol's have their opcode in the low byte. */
#define KIND_PLAIN  0
#define KIND_STREAM 1
#define KIND_BINARY 0x100
#define KIND_QUIET  0x200

/* By opcode. */
static const struct {
	const char *name;
	bool is_quiet;
} opcodes[] = {
	[0x00] = { "get", false },	 [0x01] = { "set", false },
	[0x02] = { "add", false },	 [0x03] = { "replace", false },
	[0x04] = { "delete", false },	 [0x05] = { "incr", false },
	[0x06] = { "decr", false },	 [0x07] = { "quit", false },
	[0x08] = { "flush_all", false }, [0x09] = { "get", true },
	[0x0a] = { "noop", false },	 [0x0b] = { "version", false },
	[0x0c] = { "get", false },	 [0x0d] = { "get", true },
	[0x0e] = { "append", false },	 [0x0f] = { "prepend", false },
	[0x10] = { "stats", false },	 [0x11] = { "set", true },
	[0x12] = { "add", true },	 [0x13] = { "replace", true },
	[0x14] = { "delete", true },	 [0x15] = { "incr", true },
	[0x16] = { "decr", true },	 [0x17] = { "quit", true },
	[0x18] = { "flush_all", true },	 [0x19] = { "append", true },
	[0x1a] = { "prepend", true },	 [0x1b] = { "verbosity", false },
	[0x1c] = { "touch", false },	 [0x1d] = { "gat", false },
	[0x1e] = { "gat", true },	 [0x20] = { "sasl_list", false },
	[0x21] = { "sasl_auth", false }, [0x22] = { "sasl_step", false },
	[0x23] = { "gat", false },	 [0x24] = { "gat", true },
};

struct memcached {
	struct turns turns;
	struct outstanding asked;
	/* What is read. */
	struct held line;
	bool is_in_data;
	uint64_t nr_data_left;
	bool is_answered; /* the request that is read will be */
	uint32_t kind;
	bool has_quiet; /* since the exchange began */
	bool is_quit;	/* the last request asks for the close, and is open until then */
	/* What is written. */
	struct held answer_line;
	uint64_t nr_answer_left; /* bytes of data */
	bool is_in_list;	 /* the answer goes on after the data */
	bool is_last_data;	 /* the answer ends with the data */
	uint8_t opcode;
	bool is_stream;
};

static void leave_place(struct memcached *m)
{
	m->is_in_data = false;
	held_drop(&m->line);
}

static void lose_place(struct memcached *m, uint64_t nr_unknown, const struct exchange_listener *l)
{
	leave_place(m);
	turns_lose_place(&m->turns, nr_unknown, l);
}

static void lose_answer(struct memcached *m)
{
	m->nr_answer_left = 0;
	m->is_in_list = m->is_last_data = false;
	turns_lose_answer(&m->turns);
}

/* ---- requests ---- */

static void name_request(const struct memcached *m, struct piece name,
			 const struct exchange_listener *l)
{
	l->named(l->self, m->asked.open, "", 0, (const char *)name.s, name.len);
}

static void end_request(struct memcached *m, const struct exchange_listener *l)
{
	m->is_in_data = false;
	/* An error can be answered before the data have come. */
	if (!m->asked.open || m->is_quit)
		return;
	m->has_quiet |= (m->kind & KIND_QUIET) != 0;
	if (!m->is_answered)
		outstanding_end_open(&m->asked, l);
	else if (!outstanding_asked(&m->asked, m->kind))
		lose_place(m, 0, l);
}

/* in: what is behind it. */
static bool read_line(struct memcached *m, struct piece text, const struct intake *in, const struct exchange_listener *l)
{
	struct memcached_line line;
	bool is_only;

	if (!memcached_line_parse(text, &line))
		return false;
	name_request(m, line.name, l);
	m->is_answered = !line.is_noreply;
	m->is_quit = piece_is(line.name, "quit");
	m->kind = piece_is(line.name, "watch") ? KIND_STREAM : KIND_PLAIN;
	if (line.is_quiet)
		m->kind = KIND_QUIET;
	m->nr_data_left = line.data_len;
	m->is_in_data = line.data_len;
	is_only = !m->asked.nr_asked;
	if (!m->is_in_data)
		end_request(m, l);
	/* Data may follow, nobody knows how many. */
	if (!line.verb)
		turns_lose_head(&m->turns, is_only, in->known + in->unknown, l);
	return true;
}

static bool is_cut(const struct intake *in)
{
	return in->unknown && !(in->known && memchr(in->at, '\n', in->known));
}

/* Its line is as long as its keys are many, and it cannot ask for "noreply". */
static bool takes_many_keys(struct piece name)
{
	return piece_is(name, "get") || piece_is(name, "gets") || piece_is(name, "gat") || piece_is(name, "gats");
}

/*
 * A line goes on in bytes that did not travel: that of a get with hundreds of keys; behind any other one, which may want
 * no answer, there are more requests.
 */
static void lose_line(struct memcached *m, const struct intake *in, const struct exchange_listener *l)
{
	struct intake known = { in->at, in->known, 0 };
	struct piece line, word;
	bool is_in_request = false;

	intake_line(&known, &m->line, LINE_KEEP, &line);
	line = (struct piece){ m->line.bytes.at, m->line.bytes.nr };
	if (m->asked.open && piece_word(&line, &word) && line.len && memcached_is_command(word)) {
		name_request(m, word, l);
		is_in_request = takes_many_keys(word) && !m->asked.nr_asked;
	}
	leave_place(m);
	turns_lose_head(&m->turns, is_in_request, in->unknown, l);
}

static bool read_header(struct memcached *m, const uint8_t *h, const struct exchange_listener *l)
{
	uint8_t op = h[1];

	if (op >= ARRAY_LEN(opcodes) || !opcodes[op].name)
		return false;
	name_request(m,
		     (struct piece){ (const uint8_t *)opcodes[op].name, strlen(opcodes[op].name) },
		     l);
	m->is_answered = true;
	m->is_quit = op == OPCODE_QUITQ;
	m->kind = KIND_BINARY | op | (opcodes[op].is_quiet ? KIND_QUIET : 0);
	m->nr_data_left = load_be32(h + 8);
	m->is_in_data = m->nr_data_left;
	if (!m->is_in_data)
		end_request(m, l);
	return true;
}

static bool is_small_letter(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool step_head(struct memcached *m, struct intake *in, const struct exchange_listener *l)
{
	bool is_fresh = !m->line.bytes.nr, is_good = true;
	uint8_t first = is_fresh ? (in->known ? *in->at : 0) : m->line.bytes.at[0];
	struct piece head;
	enum taken taken;

	if (is_fresh && in->known) {
		is_good = is_small_letter(first) || first == MAGIC_ASK;
		/* Where all was answered, what comes is a request, whosever. */
		if (is_good || !m->asked.nr_asked)
			outstanding_begin(&m->asked, l);
	}
	if (is_good && is_small_letter(first) && is_cut(in)) {
		lose_line(m, in, l);
		return false;
	}
	taken = first == MAGIC_ASK ? intake_bytes(in, &m->line, BINARY_HEAD, &head)
				   : intake_line(in, &m->line, LINE_KEEP, &head);
	if (is_good && taken == TAKEN_PART)
		return false;
	is_good &= taken == TAKEN;
	if (!is_good || !(first == MAGIC_ASK ? read_header(m, head.s, l) : read_line(m, head, in, l))) {
		l->foreign(l->self);
		lose_place(m, in->unknown, l);
		return false;
	}
	return m->turns.is_placed && !m->is_quit;
}

static bool step_in(struct memcached *m, struct intake *in, const struct exchange_listener *l)
{
	if (!m->is_in_data)
		return (in->known || in->unknown) && step_head(m, in, l);
	m->nr_data_left -= intake_skip(in, m->nr_data_left);
	if (m->nr_data_left)
		return false;
	end_request(m, l);
	return m->turns.is_placed;
}

static bool is_answer_partial(const struct memcached *m)
{
	return m->nr_answer_left || m->is_in_list || m->answer_line.bytes.nr;
}

/* The server answers what it has read before it reads again. */
static void end_quiet(struct memcached *m, const struct exchange_listener *l)
{
	struct exchange_listener late = *l;
	uint32_t kind;

	late.ended = l->unanswered;
	if (!m->has_quiet || is_answer_partial(m))
		return;
	if (m->turns.is_answering) {
		outstanding_end(&m->asked, l);
		m->has_quiet = false;
	} else if (!m->is_in_data && (!m->asked.open || m->is_quit)) {
		while (outstanding_first(&m->asked, &kind) && kind & KIND_QUIET)
			outstanding_answered(&m->asked, &late);
	}
}

static void memcached_inbound(void *parser, const struct chunk *c,
			      const struct exchange_listener *l)
{
	struct intake in = intake_of(c);
	struct memcached *m = parser;

	if (m->is_quit) {
		l->foreign(l->self);
		return;
	}
	end_quiet(m, l);
	if (!outstanding_read(&m->asked, &m->turns, &protocol_memcached, c, is_answer_partial(m),
			      l))
		return;
	while (step_in(m, &in, l))
		;
}

/* ---- answers ---- */

/* An answer that quiet requests do not get: those before the one that does get it end. */
static void end_silent(struct memcached *m, const struct exchange_listener *l)
{
	uint32_t kind;

	while (outstanding_first(&m->asked, &kind) && kind & KIND_QUIET)
		outstanding_answered(&m->asked, l);
}

/* An answer to what is still being read. */
static void answer_open(struct memcached *m, bool is_error, const struct exchange_listener *l)
{
	if (!m->asked.open)
		return;
	outstanding_end_open(&m->asked, l);
	/* An error's data go on ("SERVER_ERROR object too large"); else a part was not heard. */
	if (!is_error || !m->is_in_data)
		lose_place(m, 0, l);
}

static void end_answer(struct memcached *m, bool is_error, const struct exchange_listener *l)
{
	uint32_t kind;

	m->is_in_list = m->is_last_data = false;
	if (!outstanding_first(&m->asked, &kind)) {
		answer_open(m, is_error, l);
		return;
	}
	outstanding_answered(&m->asked, l);
}

static void end_binary(struct memcached *m, const struct exchange_listener *l)
{
	uint32_t kind;

	m->is_last_data = false;
	while (outstanding_first(&m->asked, &kind) && kind & KIND_QUIET &&
	       (kind & 0xff) != m->opcode)
		outstanding_answered(&m->asked, l);
	if (outstanding_first(&m->asked, &kind))
		outstanding_answered(&m->asked, l);
	else
		answer_open(m, true, l);
}

static bool take_value(struct memcached *m, struct piece left, size_t nr_before)
{
	struct piece word;
	uint64_t len;

	while (nr_before-- && piece_word(&left, &word))
		;
	if (!piece_word(&left, &word) || !piece_number(word, &len))
		return false;
	m->nr_answer_left = len + 2;
	return true;
}

/* "key=" and "mg" are lru_crawler's, of metadump and mgdump. */
static bool is_list_item(struct piece first)
{
	return piece_is(first, "STAT") || piece_is(first, "ITEM") || piece_is(first, "PREFIX") ||
	       piece_is(first, "mg") || (first.len > 4 && !memcmp(first.s, "key=", 4));
}

static bool is_error_line(struct piece first)
{
	return piece_is(first, "ERROR") || piece_is(first, "CLIENT_ERROR") ||
	       piece_is(first, "SERVER_ERROR");
}

/* Of no answer: "key=" and "mg" have the only small letters. */
static bool is_foreign(uint8_t first)
{
	return first != MAGIC_TELL && first != 'k' && first != 'm' && !(first >= 'A' && first <= 'Z') && !(first >= '0' && first <= '9');
}

/* "STORED", "NOT_FOUND", "VERSION 1.6"; a number is incr's and decr's. */
static bool is_answer_line(struct piece line, struct piece first)
{
	uint64_t number;
	size_t i;

	if (piece_number(line, &number))
		return true;
	for (i = 0; i < first.len; i++)
		if (!(first.s[i] >= 'A' && first.s[i] <= 'Z') && first.s[i] != '_')
			return false;
	return true;
}

/* Other capitals may be those of a later version, or of another protocol. */
static bool is_known_answer(struct piece first)
{
	static const char *const words[] = {
		"STORED", "NOT_STORED", "EXISTS", "NOT_FOUND", "DELETED", "TOUCHED", "OK", "END", "VERSION",
		"RESET", "BUSY", "BADCLASS", "UNSAFE", "NOTFULL", "SAME", "NOSPARE", "EMPTY", "BLOCKED",
		"HD", "EN", "NF", "NS", "EX", "MN", "ME",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++)
		if (piece_is(first, words[i]))
			return true;
	return is_error_line(first) || (*first.s >= '0' && *first.s <= '9');
}

static bool begins_stream(const struct memcached *m, struct piece first)
{
	uint32_t kind;

	return outstanding_first(&m->asked, &kind) && kind == KIND_STREAM && piece_is(first, "OK");
}

/* False: the line is no answer. */
static bool take_answer(struct memcached *m, struct piece line, const struct exchange_listener *l)
{
	struct piece left = line, first;

	if (!piece_word(&left, &first))
		return false;
	if (piece_is(first, "VALUE")) {
		m->is_in_list = true;
		/* Key and flags. */
		return take_value(m, left, 2);
	}
	if (piece_is(first, "VA")) {
		m->is_last_data = true;
		return take_value(m, left, 0);
	}
	if (is_list_item(first)) {
		m->is_in_list = true;
		return true;
	}
	if (!is_answer_line(line, first))
		return false;
	if (!is_known_answer(first))
		l->foreign(l->self);
	if (piece_is(first, "MN") || piece_is(first, "EN"))
		end_silent(m, l);
	m->is_stream = begins_stream(m, first);
	end_answer(m, is_error_line(first), l);
	return true;
}

static void take_binary(struct memcached *m, const uint8_t *h, const struct exchange_listener *l)
{
	m->opcode = h[1];
	m->nr_answer_left = load_be32(h + 8);
	/* Statistics end with one that has no name, or with an error. */
	m->is_in_list = m->opcode == OPCODE_STAT && load_be16(h + 2) && !load_be16(h + 6);
	m->is_last_data = !m->is_in_list;
	if (!m->nr_answer_left && m->is_last_data)
		end_binary(m, l);
}

static void end_data(struct memcached *m, const struct exchange_listener *l)
{
	if (!m->is_last_data)
		return;
	if (m->opcode != 0xff)
		end_binary(m, l);
	else
		end_answer(m, false, l);
}

static bool step_out(struct memcached *m, struct intake *in, const struct exchange_listener *l)
{
	bool is_fresh = !m->answer_line.bytes.nr;
	struct piece head;
	enum taken taken;
	uint8_t first;

	if (m->nr_answer_left) {
		m->nr_answer_left -= intake_skip(in, m->nr_answer_left);
		if (!m->nr_answer_left)
			end_data(m, l);
		return !m->nr_answer_left;
	}
	if (!in->known && !in->unknown)
		return false;
	first = is_fresh ? (in->known ? *in->at : 0) : m->answer_line.bytes.at[0];
	if (is_fresh && in->known && is_foreign(first))
		l->foreign(l->self);
	taken = first == MAGIC_TELL ? intake_bytes(in, &m->answer_line, BINARY_HEAD, &head)
				    : intake_line(in, &m->answer_line, LINE_KEEP, &head);
	if (taken == TAKEN_PART)
		return false;
	if (taken == TAKEN && first == MAGIC_TELL) {
		take_binary(m, head.s, l);
		return true;
	}
	m->opcode = 0xff;
	if (taken == TAKEN_UNKNOWN || first < ' ' || first > '~' || !take_answer(m, head, l)) {
		lose_answer(m);
		if (taken == TAKEN)
			l->foreign(l->self);
		return false;
	}
	return true;
}

static bool is_waiting(const struct memcached *m)
{
	return m->asked.nr_asked || m->asked.open || is_answer_partial(m);
}

/* All before it was answered. */
static bool waits_for_close(const struct memcached *m)
{
	return m->is_quit && !m->asked.nr_asked && !is_answer_partial(m);
}

static void memcached_outbound(void *parser, const struct chunk *c,
			       const struct exchange_listener *l)
{
	struct intake in = intake_of(c);
	struct memcached *m = parser;

	if (!turns_write(&m->turns))
		return;
	while (!m->is_stream && !waits_for_close(m) && is_waiting(m) && step_out(m, &in, l))
		;
	if (waits_for_close(m) && (in.known || in.unknown))
		l->foreign(l->self);
	if (!m->is_stream && !is_waiting(m) && (in.known || in.unknown))
		turns_unasked(&m->turns, l);
}

static void memcached_closed(void *parser, const struct exchange_listener *l)
{
	struct memcached *m = parser;

	end_quiet(m, l);
	outstanding_close(&m->asked, &m->turns, l);
	if (m->is_quit)
		outstanding_end_open(&m->asked, l);
}

static void memcached_stopped(void *parser, const struct exchange_listener *l)
{
	struct memcached *m = parser;

	outstanding_stop(&m->asked, &m->turns, l);
}

static void memcached_release(void *parser)
{
	struct memcached *m = parser;

	outstanding_release(&m->asked);
	held_release(&m->line);
	held_release(&m->answer_line);
}

/* ---- recognition ---- */

static enum recognition recognize_binary(const uint8_t *bytes, size_t len)
{
	if (len > 1 && (bytes[1] >= ARRAY_LEN(opcodes) || !opcodes[bytes[1]].name))
		return RECOGNIZED_NOT;
	if ((len > 5 && bytes[5]) || (len > 2 && bytes[2]))
		return RECOGNIZED_NOT;
	if (len < BINARY_HEAD)
		return RECOGNIZED_MAYBE;
	/* The body has at least the key and the extras. */
	return load_be32(bytes + 8) >= (uint32_t)load_be16(bytes + 2) + bytes[4] ? RECOGNIZED
										 : RECOGNIZED_NOT;
}

static enum recognition memcached_recognize(const uint8_t *bytes, size_t len)
{
	if (!len)
		return RECOGNIZED_MAYBE;
	return bytes[0] == MAGIC_ASK ? recognize_binary(bytes, len) : memcached_line_recognize(bytes, len);
}

const struct protocol protocol_memcached = {
	.name = "memcached",
	.parser_size = sizeof(struct memcached),
	.is_never_sure = true,
	.recognize = memcached_recognize,
	.inbound = memcached_inbound,
	.outbound = memcached_outbound,
	.closed = memcached_closed,
	.stopped = memcached_stopped,
	.release = memcached_release,
};
