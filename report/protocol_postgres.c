/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL's protocol 3 (PostgreSQL documentation, "Frontend/Backend Protocol"; formats are those
 * of its section "Message Formats"). Both sides send messages:
 *
 *	u8 type, be32 length (its own 4 bytes included), payload
 *
 * but for the first ones of a client, which have no type: be32 length, be32 code, payload. A length
 * begins with a zero byte, a type does not.
 *
 * Every request ends with ReadyForQuery ('Z'), in the order of asking:
 *   (startup)		StartupMessage to the first ReadyForQuery, authentication in between
 *   Query		path: the statement
 *   extended query	the messages up to Sync, also if Sync is all: see postgres_batch.h
 *   FunctionCall	"(function call)"
 * What is copied belongs to the request that copies. Terminate, SSLRequest, GSSENCRequest and
 * CancelRequest are none. Where the server takes up encryption, nothing more is understood.
 */
#include <string.h>

#include "base/alloc.h"
#include "report/intake.h"
#include "report/outstanding.h"
#include "report/postgres_batch.h"
#include "report/postgres_messages.h"
#include "report/protocol.h"
#include "report/turns.h"

/* Types of messages that a request begins with. */
#define ASKING "QFPBDECS"

struct postgres {
	struct turns turns;
	struct outstanding asked;
	/* What is read. */
	struct held head;
	struct body body;
	uint8_t type;	  /* of the message whose body is read; 0: none is */
	bool is_copied;	  /* CopyDone or CopyFail was the last message */
	struct postgres_batch batch; /* the open request's, if it is an extended query */
	/* What is written. */
	bool is_opaque, awaits_encryption;
	struct held answer_head;
	uint64_t nr_answer_left; /* bytes of the message's payload */
	uint8_t answer_type;	 /* of the last message whose head was read */
	bool is_in_answer;
};

/* ---- messages of the client ---- */

static void name_request(const struct postgres *p, struct piece path, const struct exchange_listener *l)
{
	size_t len = path.len < POSTGRES_PATH_MAX ? path.len : POSTGRES_PATH_MAX;

	l->named(l->self, p->asked.open, "", 0, (const char *)path.s, len);
}

static void name_batch(const struct postgres *p, const struct exchange_listener *l)
{
	char path[POSTGRES_PATH_MAX];

	l->named(l->self, p->asked.open, "", 0, path, postgres_batch_path(&p->batch, path));
}

/* Of a batch whose end was not seen: what it has bound is what it executes. */
static void leave_place(struct postgres *p, const struct exchange_listener *l)
{
	postgres_batch_lose_end(&p->batch);
	if (p->asked.open && p->batch.kind != BATCH_NONE)
		name_batch(p, l);
	postgres_batch_clear(&p->batch);
	p->type = 0;
	p->is_copied = false;
	held_drop(&p->head);
}

static void lose_place(struct postgres *p, uint64_t nr_unknown, const struct exchange_listener *l)
{
	leave_place(p, l);
	turns_lose_place(&p->turns, nr_unknown, l);
}

/* Of what is not answered: a batch without its end, or a copy whose data the server has asked for. */
static bool is_in_request(const struct postgres *p)
{
	if (p->asked.open)
		return !p->asked.nr_asked;
	return p->asked.nr_asked == 1 && byte_is_one_of(p->answer_type, "GW");
}

/* The head of a message did not travel. */
static void lose_head(struct postgres *p, uint64_t nr_unknown, const struct exchange_listener *l)
{
	bool is_rest = is_in_request(p);

	leave_place(p, l);
	turns_lose_head(&p->turns, is_rest, nr_unknown, l);
}

static void end_request(struct postgres *p, const struct exchange_listener *l)
{
	postgres_batch_clear(&p->batch);
	if (!outstanding_asked(&p->asked, 0))
		lose_place(p, 0, l);
}

static void end_batch(struct postgres *p, const struct exchange_listener *l)
{
	name_batch(p, l);
	end_request(p, l);
}

static void take_query(struct postgres *p, struct piece payload, const struct exchange_listener *l)
{
	struct piece statement = postgres_statement_of(payload);

	if (p->batch.kind == BATCH_NONE) {
		name_request(p, statement, l);
		end_request(p, l);
		return;
	}
	postgres_batch_query(&p->batch, statement);
	end_batch(p, l);
}

/* A message of which all has come. */
static void take_message(struct postgres *p, const struct exchange_listener *l)
{
	bool is_copied = p->is_copied;
	uint8_t type = p->type;

	p->is_copied = type == 'c' || type == 'f';
	if (type == 'Q') {
		take_query(p, body_kept(&p->body), l);
	} else if (type == 'F') {
		if (p->batch.kind == BATCH_NONE)
			name_request(p, piece_of("(function call)"), l);
		else
			name_batch(p, l);
		end_request(p, l);
	} else if (type == 'S') {
		/* The second one of a copy ("COPY Operations"): the server has ignored the first.
		 */
		if (p->asked.open || !is_copied)
			end_batch(p, l);
	} else {
		postgres_batch_take(&p->batch, type, body_kept(&p->body));
	}
	p->type = 0;
}

/* The first byte of a message was read: does a request begin? */
static void begin_message(struct postgres *p, uint8_t type, const struct exchange_listener *l)
{
	if (!byte_is_one_of(type, ASKING) || (type == 'S' && p->is_copied && !p->asked.open))
		return;
	if (!p->asked.open) {
		outstanding_begin(&p->asked, l);
		p->batch.kind = BATCH_NONE;
	}
	postgres_batch_begin_message(&p->batch, type);
}

/* Of a payload, what has the names and the statement. */
static size_t kept_of(uint8_t type)
{
	switch (type) {
	case 'Q':
		return PREPARED_TEXT_MAX + 1;
	case 'P':
		return PREPARED_NAME_MAX + 1 + PREPARED_TEXT_MAX + 1;
	case 'B':
		return 2 * (PREPARED_NAME_MAX + 1);
	case 'E':
	case 'C':
		return PREPARED_NAME_MAX + 2;
	default:
		return 0;
	}
}

static bool take_head(struct postgres *p, struct piece head)
{
	uint32_t len = load_be32(head.s + 1);

	if (len < 4 || len > POSTGRES_MESSAGE_MAX)
		return false;
	p->type = head.s[0];
	body_begin(&p->body, len - 4, kept_of(p->type));
	return true;
}

/* The type that stands for messages without one while their payload is skipped. */
#define UNTYPED 0xff

static bool take_untyped(struct postgres *p, struct piece head, const struct exchange_listener *l)
{
	uint32_t len = load_be32(head.s), code = load_be32(head.s + 4);

	if (len < POSTGRES_UNTYPED_HEAD || len > POSTGRES_STARTUP_MAX)
		return false;
	if (code == POSTGRES_CODE_SSL || code == POSTGRES_CODE_GSSENC) {
		p->awaits_encryption = true;
	} else if (code >> 16 == POSTGRES_CODE_MAJOR) {
		p->awaits_encryption = false;
		/* Not at its very first byte, which could be an SSLRequest's. */
		if (!p->asked.open)
			outstanding_begin(&p->asked, l);
		name_request(p, piece_of("(startup)"), l);
		end_request(p, l);
	} else if (code != POSTGRES_CODE_CANCEL) {
		return false;
	}
	p->type = UNTYPED;
	body_begin(&p->body, len - POSTGRES_UNTYPED_HEAD, 0);
	return true;
}

static bool step_head(struct postgres *p, struct intake *in, const struct exchange_listener *l)
{
	bool is_fresh = !p->head.bytes.nr;
	uint8_t type = is_fresh ? (in->known ? *in->at : 0) : p->head.bytes.at[0];
	enum taken taken;
	struct piece head;

	if (is_fresh && in->known && type && !postgres_is_client_type(type)) {
		lose_place(p, in->unknown, l);
		return false;
	}
	if (is_fresh && in->known && type)
		begin_message(p, type, l);
	else if (is_fresh)
		l->may_begin(l->self);
	taken = intake_bytes(in, &p->head, type ? POSTGRES_TYPED_HEAD : POSTGRES_UNTYPED_HEAD, &head);
	if (taken == TAKEN_PART)
		return false;
	if (taken == TAKEN_UNKNOWN) {
		lose_head(p, in->unknown, l);
		return false;
	}
	if (!(type ? take_head(p, head) : take_untyped(p, head, l))) {
		lose_place(p, in->unknown, l);
		return false;
	}
	return p->turns.is_placed;
}

static bool step_in(struct postgres *p, struct intake *in, const struct exchange_listener *l)
{
	if (!p->type)
		return (in->known || in->unknown) && step_head(p, in, l);
	if (!body_take(&p->body, in))
		return false;
	take_message(p, l);
	return p->turns.is_placed;
}

static bool is_answer_partial(const struct postgres *p)
{
	return p->is_in_answer || p->answer_head.bytes.nr;
}

/*
 * The server has said that it waits for the next request, or is not known to have more to say:
 * clients may well send before all of an answer was written.
 */
static bool is_exchange_over(const struct postgres *p)
{
	return !is_answer_partial(p) && (p->answer_type == 'Z' || !p->asked.nr_asked);
}

/*
 * What is copied behind an error the server reads, and answers nothing ("COPY Operations"): a request that follows it is
 * known where a read begins with it.
 */
static bool is_asked_anew(const struct postgres *p, const struct chunk *c)
{
	return !p->turns.is_placed && !p->turns.is_answer_lost && !is_answer_partial(p) &&
	       p->answer_type == 'Z' && !p->asked.nr_asked && !p->asked.open && c->len && byte_is_one_of(*c->bytes, ASKING) &&
	       postgres_recognize(c->bytes, c->len) == RECOGNIZED;
}

static void postgres_inbound(void *parser, const struct chunk *c, const struct exchange_listener *l)
{
	struct intake in = intake_of(c);
	struct postgres *p = parser;

	if (is_asked_anew(p, c))
		turns_renew(&p->turns);
	if (p->is_opaque ||
	    !outstanding_read(&p->asked, &p->turns, &protocol_postgres, c, !is_exchange_over(p), l))
		return;
	while (step_in(p, &in, l))
		;
}

/* ---- messages of the server ---- */

static void lose_answer(struct postgres *p)
{
	p->is_in_answer = false;
	turns_lose_answer(&p->turns);
}

static void end_answer(struct postgres *p, const struct exchange_listener *l)
{
	uint32_t kind;

	if (outstanding_first(&p->asked, &kind)) {
		outstanding_answered(&p->asked, l);
	} else if (p->asked.open) {
		/* An answer to what is still being read: a part of it was not heard. */
		lose_place(p, 0, l);
		outstanding_end_open(&p->asked, l);
	}
}

static bool is_server_type(uint8_t type)
{
	return byte_is_one_of(type, "RKSvZTtDCI123nNAEsGHWdcV");
}

static bool step_out_head(struct postgres *p, struct intake *in, const struct exchange_listener *l)
{
	bool is_foreign = in->known && !p->answer_head.bytes.nr && !is_server_type(*in->at);
	enum taken taken = TAKEN_UNKNOWN;
	struct piece head;
	uint32_t len;

	if (!is_foreign)
		taken = intake_bytes(in, &p->answer_head, POSTGRES_TYPED_HEAD, &head);
	if (taken == TAKEN_PART)
		return false;
	len = taken == TAKEN ? load_be32(head.s + 1) : 0;
	if (len < 4 || len > POSTGRES_MESSAGE_MAX || (head.s[0] == 'Z' && len != 5)) {
		lose_answer(p);
		if (is_foreign || taken == TAKEN)
			turns_foreign(&p->turns, l);
		return false;
	}
	p->answer_type = head.s[0];
	p->nr_answer_left = len - 4;
	p->is_in_answer = true;
	return true;
}

static bool step_out(struct postgres *p, struct intake *in, const struct exchange_listener *l)
{
	if (!p->is_in_answer)
		return (in->known || in->unknown) && step_out_head(p, in, l);
	p->nr_answer_left -= intake_skip(in, p->nr_answer_left);
	p->is_in_answer = p->nr_answer_left;
	if (!p->is_in_answer && p->answer_type == 'Z')
		end_answer(p, l);
	return !p->is_in_answer;
}

/* One byte, 'S' or 'G' for yes, 'N' for no; servers older than encryption send an error. */
static void take_encryption(struct postgres *p, const struct intake *in, const struct exchange_listener *l)
{
	if (!in->known)
		return;
	p->awaits_encryption = false;
	p->is_opaque = *in->at == 'S' || *in->at == 'G';
	if (p->is_opaque)
		l->encrypted(l->self);
}

static bool is_waiting(const struct postgres *p)
{
	return p->asked.nr_asked || p->asked.open || is_answer_partial(p);
}

static void postgres_outbound(void *parser, const struct chunk *c,
			      const struct exchange_listener *l)
{
	struct intake in = intake_of(c);
	struct postgres *p = parser;

	if (!turns_write(&p->turns) || p->is_opaque)
		return;
	if (p->awaits_encryption) {
		take_encryption(p, &in, l);
		return;
	}
	while (is_waiting(p) && step_out(p, &in, l))
		;
	if (!is_waiting(p) && (in.known || in.unknown))
		turns_unasked(&p->turns, l);
}

/* The server refuses a startup, or gives a session up, with an error and without ReadyForQuery. */
static void postgres_closed(void *parser, const struct exchange_listener *l)
{
	struct postgres *p = parser;
	uint32_t kind;

	outstanding_close(&p->asked, &p->turns, l);
	if (p->answer_type == 'E' && !p->is_in_answer && outstanding_first(&p->asked, &kind))
		outstanding_answered(&p->asked, l);
}

static void postgres_stopped(void *parser, const struct exchange_listener *l)
{
	struct postgres *p = parser;

	outstanding_stop(&p->asked, &p->turns, l);
}

static void postgres_release(void *parser)
{
	struct postgres *p = parser;

	postgres_batch_release(&p->batch);
	outstanding_release(&p->asked);
	held_release(&p->head);
	held_release(&p->answer_head);
	body_release(&p->body);
}

const struct protocol protocol_postgres = {
	.name = "postgres",
	.parser_size = sizeof(struct postgres),
	.is_sql = true,
	.recognize = postgres_recognize,
	.recognize_first = postgres_recognize_first,
	.inbound = postgres_inbound,
	.outbound = postgres_outbound,
	.closed = postgres_closed,
	.stopped = postgres_stopped,
	.release = postgres_release,
};
