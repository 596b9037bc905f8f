/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FastCGI at the side of the application, php-fpm's ("FastCGI Specification" 1.0). Both sides send
 * records (section 3.3):
 *
 *	u8 version, 1; u8 type; be16 request id; be16 content length; u8 padding length; u8 reserved
 *	content, padding
 *
 * A request is BEGIN_REQUEST, a stream of PARAMS and one of STDIN, and ends with END_REQUEST; ids
 * tell apart those that share the connection at one time. Parameters are pairs of name and value
 * (3.4), each with a length of one byte or, with the top bit set, four; pairs may be split over
 * records. The method is REQUEST_METHOD, the path REQUEST_URI or else SCRIPT_NAME.
 *
 * What is written is a CGI response (RFC 3875, section 6): the status is that of its Status field;
 * without one it is 302 with a Location (6.3.2) and else 200. GET_VALUES is no request.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "report/intake.h"
#include "report/protocol.h"
#include "report/turns.h"

#define HEAD_BYTES 8
#define VALUE_MAX  1024
#define METHOD_MAX 32
#define NAME_KEEP  14 /* REQUEST_METHOD */
/* Twice what clients of HTTP/2 mostly may have under way on a connection; who passes on such on one has no more. */
#define REQUESTS_MAX 256
/* Of a response: more are no header. */
#define FIELDS_MAX 256
#define FIELD_KEEP 32

/* Section 8, "Types and Constants". */
enum type {
	TYPE_BEGIN = 1,
	TYPE_ABORT,
	TYPE_END,
	TYPE_PARAMS,
	TYPE_STDIN,
	TYPE_STDOUT,
	TYPE_STDERR,
	TYPE_DATA,
	TYPE_GET_VALUES,
	TYPE_GET_VALUES_RESULT,
	TYPE_UNKNOWN,
};

enum param { PARAM_METHOD, PARAM_URI, PARAM_SCRIPT, NR_PARAMS };
enum pair { PAIR_LENGTHS, PAIR_NAME, PAIR_VALUE };

struct request {
	uint16_t id;
	uint64_t nr;
	/* Parameters. */
	bool is_named; /* or never will be: parameters no longer matter */
	enum pair pair;
	uint8_t lengths[8];
	uint8_t nr_lengths; /* bytes of them */
	uint32_t value_len;
	enum param param; /* whose value is read; NR_PARAMS: none that matters */
	struct body body;
	struct str params[NR_PARAMS];
	/* The response's header. */
	bool has_header; /* all of it, or nothing more is known of it */
	bool has_location;
	bool has_status; /* it was told of */
	bool is_unseen;	 /* bytes of the response that may say it did not travel */
	uint32_t nr_fields;
	struct held field;
};

/* One direction's record. */
struct record {
	struct held head;
	uint8_t type;
	uint16_t id;
	uint32_t nr_content_left, nr_padding_left;
	bool is_open; /* its head was read, its end was not */
};

struct fastcgi {
	struct turns turns;
	uint64_t nr_begun;
	VEC(struct request) requests; /* that have not ended */
	struct record in, out;
};

static void request_release(struct request *q)
{
	size_t i;

	body_release(&q->body);
	held_release(&q->field);
	for (i = 0; i < NR_PARAMS; i++)
		str_release(&q->params[i]);
}

static struct request *find(struct fastcgi *f, uint16_t id)
{
	vec_each(&f->requests, q)
		if (q->id == id)
			return q;
	return NULL;
}

/* ---- parameters ---- */

static void name_request(struct request *q, const struct exchange_listener *l)
{
	const struct str *method = &q->params[PARAM_METHOD], *path = &q->params[PARAM_URI];

	if (!path->len)
		path = &q->params[PARAM_SCRIPT];
	if (!q->is_named && (method->len || path->len))
		l->named(l->self, q->nr, str_cstr(method), method->len, str_cstr(path), path->len);
	q->is_named = true;
}

static void end_request(struct fastcgi *f, struct request *q, const struct exchange_listener *l)
{
	name_request(q, l);
	if (q->is_unseen && !q->has_status)
		l->status_unseen(l->self, q->nr);
	l->ended(l->self, q->nr);
	request_release(q);
	*q = *vec_last(&f->requests);
	f->requests.nr--;
}

/* Requests are told in the order in which they began. */
static void end_all(struct fastcgi *f, const struct exchange_listener *l)
{
	struct request *first;

	while (f->requests.nr) {
		first = f->requests.at;
		vec_each(&f->requests, q)
			first = q->nr < first->nr ? q : first;
		end_request(f, first, l);
	}
}

static size_t length_size(uint8_t first)
{
	return first & 0x80 ? 4 : 1;
}

static uint32_t length_at(const uint8_t *s)
{
	return *s & 0x80 ? load_be32(s) & 0x7fffffff : *s;
}

/* Of the two lengths so far: how many bytes they take, as far as that is known. */
static size_t lengths_size(const struct request *q)
{
	size_t first = q->nr_lengths ? length_size(q->lengths[0]) : 1;

	return first + (q->nr_lengths > first ? length_size(q->lengths[first]) : 1);
}

static bool take_lengths(struct request *q, struct intake *in)
{
	while (q->nr_lengths < lengths_size(q)) {
		if (!in->known)
			return false;
		q->lengths[q->nr_lengths++] = *in->at;
		intake_skip(in, 1);
	}
	q->value_len = length_at(q->lengths + length_size(q->lengths[0]));
	body_begin(&q->body, length_at(q->lengths), NAME_KEEP);
	q->nr_lengths = 0;
	q->pair = PAIR_NAME;
	return true;
}

static enum param param_of(struct piece name, uint64_t len)
{
	static const char *const names[NR_PARAMS] = {
		[PARAM_METHOD] = "REQUEST_METHOD",
		[PARAM_URI] = "REQUEST_URI",
		[PARAM_SCRIPT] = "SCRIPT_NAME",
	};
	size_t i;

	for (i = 0; i < NR_PARAMS; i++)
		if (len == name.len && piece_is(name, names[i]))
			return (enum param)i;
	return NR_PARAMS;
}

static bool take_name(struct request *q, struct intake *in)
{
	size_t keep = 0;

	if (!body_take(&q->body, in))
		return false;
	q->param = param_of(body_kept(&q->body), length_at(q->lengths));
	if (q->param != NR_PARAMS && !q->params[q->param].len)
		keep = q->param == PARAM_METHOD ? METHOD_MAX : VALUE_MAX;
	body_begin(&q->body, q->value_len, keep);
	q->pair = PAIR_VALUE;
	return true;
}

static bool take_param(struct request *q, struct intake *in)
{
	struct piece value;
	size_t whole;

	if (!body_take(&q->body, in))
		return false;
	value = body_kept(&q->body);
	whole = q->param == PARAM_METHOD ? METHOD_MAX : VALUE_MAX;
	whole = q->value_len < whole ? q->value_len : whole;
	/* Half a path would be another path. */
	if (q->param != NR_PARAMS && value.len == whole)
		str_add_bytes(&q->params[q->param], value.s, value.len);
	q->pair = PAIR_LENGTHS;
	return true;
}

static bool step_params(struct request *q, struct intake *in)
{
	if (q->pair == PAIR_LENGTHS)
		return (in->known || in->unknown) && take_lengths(q, in);
	return q->pair == PAIR_NAME ? take_name(q, in) : take_param(q, in);
}

static void take_params(struct request *q, struct intake in, const struct exchange_listener *l)
{
	while (!q->is_named && step_params(q, &in))
		if (q->params[PARAM_METHOD].len && q->params[PARAM_URI].len)
			name_request(q, l);
	/* Lengths did not travel: the pairs behind them cannot be told apart. */
	if (in.unknown)
		name_request(q, l);
}

/* ---- the response's header ---- */

static bool is_field(struct piece line, const char *name)
{
	size_t len = strlen(name);

	return line.len > len && line.s[len] == ':' &&
	       !strncasecmp((const char *)line.s, name, len);
}

/* A field's value up to a blank: 100 to 999, or 0. */
static uint32_t status_of(struct piece line)
{
	struct piece left = { line.s + strlen("Status:"), line.len - strlen("Status:") }, word;
	uint64_t status = 0;

	if (!piece_word(&left, &word) || !piece_number(word, &status) || status < 100 ||
	    status > 999)
		return 0;
	return (uint32_t)status;
}

static void take_field(struct request *q, struct piece line, const struct exchange_listener *l)
{
	uint32_t status = 0;

	if (is_field(line, "Status")) {
		status = status_of(line);
		q->has_header = true;
	} else if (!line.len) {
		status = q->has_location ? 302 : 200;
		q->has_header = true;
	} else if (is_field(line, "Location")) {
		q->has_location = true;
	}
	if (status)
		l->status(l->self, q->nr, status);
	q->has_status |= status;
	q->has_header |= ++q->nr_fields == FIELDS_MAX;
}

static void take_stdout(struct request *q, struct intake in, const struct exchange_listener *l)
{
	enum taken taken = TAKEN;
	struct piece line;

	while (!q->has_header && (in.known || in.unknown) && taken == TAKEN) {
		taken = intake_line(&in, &q->field, FIELD_KEEP, &line);
		if (taken == TAKEN)
			take_field(q, line, l);
		else
			q->has_header = q->is_unseen = taken == TAKEN_UNKNOWN;
	}
}

/* ---- records ---- */

/* The part of the record's content that the chunk has, which is taken. */
static struct intake take_content(struct record *r, struct intake *in)
{
	struct intake content = *in;

	if (content.known > r->nr_content_left)
		content.known = r->nr_content_left;
	if (content.unknown > r->nr_content_left - content.known)
		content.unknown = r->nr_content_left - content.known;
	r->nr_content_left -= (uint32_t)intake_skip(in, r->nr_content_left);
	return content;
}

/* True when the padding has come too. */
static bool take_padding(struct record *r, struct intake *in)
{
	if (r->nr_content_left)
		return false;
	r->nr_padding_left -= (uint32_t)intake_skip(in, r->nr_padding_left);
	r->is_open = r->nr_padding_left;
	return !r->is_open;
}

/* TAKEN and is_open: a head; TAKEN and not: what came is none. */
static enum taken take_head(struct record *r, struct intake *in)
{
	struct piece h = { 0 };
	enum taken taken = intake_bytes(in, &r->head, HEAD_BYTES, &h);

	if (taken != TAKEN || h.s[0] != 1 || h.s[1] < TYPE_BEGIN || h.s[1] > TYPE_UNKNOWN)
		return taken;
	r->type = h.s[1];
	r->id = load_be16(h.s + 2);
	r->nr_content_left = load_be16(h.s + 4);
	r->nr_padding_left = h.s[6];
	r->is_open = true;
	return taken;
}

static void leave_place(struct fastcgi *f, const struct exchange_listener *l)
{
	vec_each(&f->requests, q)
		name_request(q, l);
	f->in.is_open = false;
	held_drop(&f->in.head);
}

static void lose_place(struct fastcgi *f, uint64_t nr_unknown, const struct exchange_listener *l)
{
	leave_place(f, l);
	turns_lose_place(&f->turns, nr_unknown, l);
}

/* The head of a record did not travel: within parameters or a body, or anywhere. */
static void lose_head(struct fastcgi *f, uint64_t nr_unknown, const struct exchange_listener *l)
{
	bool is_in_request = (f->in.type == TYPE_PARAMS || f->in.type == TYPE_STDIN) && f->requests.nr == 1;

	leave_place(f, l);
	turns_lose_head(&f->turns, is_in_request, nr_unknown, l);
}

static void begin_request(struct fastcgi *f, uint16_t id, const struct exchange_listener *l)
{
	struct request *old = find(f, id);

	if (old)
		end_request(f, old, l);
	if (!id)
		return;
	if (f->requests.nr == REQUESTS_MAX) {
		l->skipped(l->self, HEAD_BYTES + f->in.nr_content_left);
		return;
	}
	vec_push(&f->requests, (struct request){ .id = id, .nr = ++f->nr_begun });
	l->began(l->self, f->nr_begun);
}

/* A record's head was read. */
static bool open_in(struct fastcgi *f, const struct exchange_listener *l)
{
	const struct record *r = &f->in;
	struct request *q = find(f, r->id);

	if (r->type == TYPE_BEGIN)
		begin_request(f, r->id, l);
	/* An empty record ends a stream (3.3). */
	if (r->type == TYPE_PARAMS && !r->nr_content_left && q)
		name_request(q, l);
	return r->type == TYPE_BEGIN || r->type == TYPE_ABORT || r->type == TYPE_PARAMS ||
	       r->type == TYPE_STDIN || r->type == TYPE_DATA || r->type == TYPE_GET_VALUES;
}

static bool step_in(struct fastcgi *f, struct intake *in, const struct exchange_listener *l)
{
	struct intake content;
	struct request *q;
	enum taken taken;

	if (f->in.is_open) {
		content = take_content(&f->in, in);
		q = f->in.type == TYPE_PARAMS ? find(f, f->in.id) : NULL;
		if (q)
			take_params(q, content, l);
		return take_padding(&f->in, in);
	}
	if (!in->known && !in->unknown)
		return false;
	if (!f->in.head.bytes.nr)
		l->may_begin(l->self);
	taken = take_head(&f->in, in);
	if (taken == TAKEN_PART)
		return false;
	if (taken == TAKEN_UNKNOWN)
		lose_head(f, in->unknown, l);
	else if (!f->in.is_open || !open_in(f, l))
		lose_place(f, in->unknown, l);
	else
		return true;
	return false;
}

static bool is_answer_partial(const struct fastcgi *f)
{
	return f->out.is_open || f->out.head.bytes.nr;
}

static void fastcgi_inbound(void *parser, const struct chunk *c, const struct exchange_listener *l)
{
	struct intake in = intake_of(c);
	struct fastcgi *f = parser;
	struct turn turn;

	turn = turns_read(&f->turns, &protocol_fastcgi, c, is_answer_partial(f), l);
	if (turn.is_over)
		end_all(f, l);
	while (turn.is_taken && step_in(f, &in, l))
		;
}

static bool is_answer(uint8_t type)
{
	return type == TYPE_END || type == TYPE_STDOUT || type == TYPE_STDERR ||
	       type == TYPE_GET_VALUES_RESULT || type == TYPE_UNKNOWN;
}

static void take_answer(struct fastcgi *f, struct intake *in, const struct exchange_listener *l)
{
	struct intake content = take_content(&f->out, in);
	struct request *q = find(f, f->out.id);

	if (q && f->out.type == TYPE_STDOUT)
		take_stdout(q, content, l);
	if (take_padding(&f->out, in) && q && f->out.type == TYPE_END)
		end_request(f, q, l);
}

static bool step_out(struct fastcgi *f, struct intake *in, const struct exchange_listener *l)
{
	enum taken taken;

	if (f->out.is_open) {
		take_answer(f, in, l);
		return !f->out.is_open;
	}
	if (!in->known && !in->unknown)
		return false;
	taken = take_head(&f->out, in);
	if (taken == TAKEN_PART)
		return false;
	if (taken == TAKEN_UNKNOWN || !f->out.is_open || !is_answer(f->out.type)) {
		vec_each(&f->requests, q)
			q->is_unseen |= taken == TAKEN_UNKNOWN;
		f->out.is_open = false;
		turns_lose_answer(&f->turns);
		if (taken == TAKEN)
			l->foreign(l->self);
		return false;
	}
	return true;
}

static void fastcgi_outbound(void *parser, const struct chunk *c, const struct exchange_listener *l)
{
	struct intake in = intake_of(c);
	struct fastcgi *f = parser;

	if (!turns_write(&f->turns))
		return;
	while ((f->requests.nr || is_answer_partial(f)) && step_out(f, &in, l))
		;
	if (!f->requests.nr && (in.known || in.unknown))
		turns_unasked(&f->turns, l);
}

static void fastcgi_closed(void *parser, const struct exchange_listener *l)
{
	struct fastcgi *f = parser;

	if (turns_close(&f->turns))
		end_all(f, l);
}

static void fastcgi_release(void *parser)
{
	struct fastcgi *f = parser;

	vec_each(&f->requests, q)
		request_release(q);
	vec_release(&f->requests);
	held_release(&f->in.head);
	held_release(&f->out.head);
}

/*
 * A request's first record, or a question about the application; both sizes are given (4.1, 5.1). The end of a
 * body is read late by those who know the body's length, as php-fpm does: when its request has been answered.
 */
static enum recognition fastcgi_recognize(const uint8_t *b, size_t len)
{
	if ((len > 0 && b[0] != 1) ||
	    (len > 1 && b[1] != TYPE_BEGIN && b[1] != TYPE_GET_VALUES && b[1] != TYPE_STDIN))
		return RECOGNIZED_NOT;
	if (len < HEAD_BYTES)
		return RECOGNIZED_MAYBE;
	if (b[1] == TYPE_STDIN)
		return load_be16(b + 2) && !load_be16(b + 4) && !b[6] ? RECOGNIZED_REST : RECOGNIZED_NOT;
	if (b[1] == TYPE_GET_VALUES)
		return load_be16(b + 2) ? RECOGNIZED_NOT : RECOGNIZED;
	if (!load_be16(b + 2) || load_be16(b + 4) != 8)
		return RECOGNIZED_NOT;
	/* Roles are 1 to 3. */
	if ((len > 8 && b[8]) || (len > 9 && (b[9] < 1 || b[9] > 3)))
		return RECOGNIZED_NOT;
	return RECOGNIZED;
}

const struct protocol protocol_fastcgi = {
	.name = "fastcgi",
	.parser_size = sizeof(struct fastcgi),
	.recognize = fastcgi_recognize,
	.inbound = fastcgi_inbound,
	.outbound = fastcgi_outbound,
	.closed = fastcgi_closed,
	.release = fastcgi_release,
};
