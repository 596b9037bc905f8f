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
 *   extended query	the messages up to Sync, also if Sync is all: "(sync)"
 *   FunctionCall	"(function call)"
 * What is copied belongs to the request that copies. Terminate, SSLRequest, GSSENCRequest and
 * CancelRequest are none. Where the server takes up encryption, nothing more is understood.
 *
 * An extended query's path is the statement of the first portal that it executes; BEGIN, which
 * drivers send ahead of the first statement of a transaction, is one only if it is alone. " ..."
 * follows where a different statement was executed too. Nothing executed: "PREPARE" and the text
 * that it parses, or "(bind)", "(describe)", "(close)". An empty statement: "(empty)". One that was parsed before
 * anybody listened: "(execute NAME)". Where the messages behind large parameters did not travel, what was bound
 * counts as executed.
 */
#include <string.h>

#include "base/alloc.h"
#include "report/intake.h"
#include "report/outstanding.h"
#include "report/postgres_messages.h"
#include "report/prepared.h"
#include "report/protocol.h"
#include "report/turns.h"

#define PATH_MAX_BYTES	1024
#define STATEMENTS_MAX	256
#define STATEMENT_BYTES 65536
/* Named portals are cursors: few are open at a time. */
#define PORTALS_MAX 8
/* Types of messages that a request begins with. */
#define ASKING "QFPBDECS"

/* What a batch of the extended query had so far: its path, if nothing is executed. */
enum batch { BATCH_NONE, BATCH_SYNC, BATCH_CLOSE, BATCH_DESCRIBE, BATCH_BIND, BATCH_PARSE };

struct postgres {
	struct turns turns;
	struct outstanding asked;
	/* What is read. */
	struct held head;
	struct body body;
	uint8_t type;	  /* of the message whose body is read; 0: none is */
	bool is_copied;	  /* CopyDone or CopyFail was the last message */
	enum batch batch; /* BATCH_NONE: the open request, if any, is no extended query */
	bool has_more;	  /* a different statement was executed too */
	struct text *executed, *parsed, *bound; /* NULL: none */
	struct prepared statements, portals;
	/* What is written. */
	bool is_opaque, awaits_encryption;
	struct held answer_head;
	uint64_t nr_answer_left; /* bytes of the message's payload */
	uint8_t answer_type;	 /* of the last message whose head was read */
	bool is_in_answer;
};

static bool is_one_of(uint8_t type, const char *types)
{
	return type && strchr(types, type);
}

static struct piece piece_of(const char *s)
{
	return (struct piece){ (const uint8_t *)s, strlen(s) };
}

/* ---- a batch of the extended query ---- */

static void clear_batch(struct postgres *p)
{
	text_drop(p->executed);
	text_drop(p->parsed);
	text_drop(p->bound);
	p->executed = p->parsed = p->bound = NULL;
	p->batch = BATCH_NONE;
	p->has_more = false;
}

static bool is_same(const struct text *a, const struct text *b)
{
	return a == b || (a->len == b->len && !memcmp(a->s, b->s, a->len));
}

/* BEGIN or START TRANSACTION, whatever comes behind. */
static bool is_begin(const struct text *t)
{
	return (t->len >= 5 && !strncasecmp(t->s, "BEGIN", 5) &&
		(t->len == 5 ||
		 !is_one_of((uint8_t)(t->s[5] | 0x20), "abcdefghijklmnopqrstuvwxyz_"))) ||
	       (t->len >= 17 && !strncasecmp(t->s, "START TRANSACTION", 17));
}

static void executes(struct postgres *p, struct text *t)
{
	if (!p->executed || (is_begin(p->executed) && !p->has_more)) {
		text_drop(p->executed);
		p->executed = text_hold(t);
	} else if (!is_same(p->executed, t)) {
		p->has_more = true;
	}
}

static void name_request(const struct postgres *p, struct piece a, struct piece b,
			 const struct exchange_listener *l)
{
	char path[PATH_MAX_BYTES];
	size_t len = a.len < sizeof(path) - b.len ? a.len : sizeof(path) - b.len;

	if (len)
		memcpy(path, a.s, len);
	if (b.len)
		memcpy(path + len, b.s, b.len);
	l->named(l->self, p->asked.open, "", 0, path, len + b.len);
}

static struct piece text_piece(const struct text *t)
{
	return (struct piece){ (const uint8_t *)t->s, t->len };
}

static void name_batch(const struct postgres *p, const struct exchange_listener *l)
{
	static const char *const names[] = { "",	   "(sync)", "(close)",
					     "(describe)", "(bind)", "(parse)" };
	struct piece text;

	if (p->executed) {
		name_request(p, text_piece(p->executed), piece_of(p->has_more ? " ..." : ""), l);
	} else if (p->parsed && p->parsed->len) {
		text = text_piece(p->parsed);
		text.len = text.len < PATH_MAX_BYTES - 8 ? text.len : PATH_MAX_BYTES - 8;
		name_request(p, piece_of("PREPARE "), text, l);
	} else {
		name_request(p, piece_of(names[p->batch]), piece_of(""), l);
	}
}

/* ---- messages of the client ---- */

/* Of a batch whose end was not seen: what it has bound is what it executes. */
static void leave_place(struct postgres *p, const struct exchange_listener *l)
{
	if (!p->executed && p->bound)
		executes(p, p->bound);
	if (p->asked.open && p->batch != BATCH_NONE)
		name_batch(p, l);
	clear_batch(p);
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
	return p->asked.nr_asked == 1 && is_one_of(p->answer_type, "GW");
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
	clear_batch(p);
	if (!outstanding_asked(&p->asked, 0))
		lose_place(p, 0, l);
}

static void end_batch(struct postgres *p, const struct exchange_listener *l)
{
	name_batch(p, l);
	end_request(p, l);
}

static bool is_blank(struct piece p)
{
	size_t i;

	for (i = 0; i < p.len; i++)
		if (!is_one_of(p.s[i], " \t\r\n\f"))
			return false;
	return true;
}

/* What a message has up to a NUL, or as much of it as travelled. */
static struct piece statement_of(struct piece left)
{
	struct piece statement = left;

	return piece_cstr(&left, &statement) && is_blank(statement) ? piece_of("(empty)") : statement;
}

static void take_query(struct postgres *p, struct piece left, const struct exchange_listener *l)
{
	struct piece statement = statement_of(left);
	struct text *t;

	if (p->batch == BATCH_NONE) {
		name_request(p, statement, piece_of(""), l);
		end_request(p, l);
		return;
	}
	/* It takes the place of the Sync that the batch lacks. */
	t = text_new(statement);
	executes(p, t);
	text_drop(t);
	end_batch(p, l);
}

static void take_parse(struct postgres *p, struct piece left)
{
	struct piece name;
	struct text *t;

	if (!piece_cstr(&left, &name))
		return;
	p->statements.max = STATEMENTS_MAX;
	p->statements.max_bytes = STATEMENT_BYTES;
	t = text_new(statement_of(left));
	prepared_set(&p->statements, name, t);
	if (!p->parsed)
		p->parsed = text_hold(t);
	text_drop(t);
}

/* A statement that was parsed before anybody listened, or is no longer remembered. */
static struct text *unknown_statement(struct piece name)
{
	char path[PREPARED_NAME_MAX + 16] = "(execute ";
	size_t len = strlen(path), i;

	if (!name.len || name.len > PREPARED_NAME_MAX)
		return text_new(piece_of("(execute)"));
	for (i = 0; i < name.len; i++)
		path[len++] = (char)name.s[i];
	path[len++] = ')';
	return text_new((struct piece){ (const uint8_t *)path, len });
}

static void take_bind(struct postgres *p, struct piece left)
{
	struct piece portal, statement;
	struct text *t;

	if (!piece_cstr(&left, &portal))
		return;
	if (piece_cstr(&left, &statement)) {
		t = prepared_find(&p->statements, statement);
		t = t ? text_hold(t) : unknown_statement(statement);
	} else {
		t = unknown_statement(piece_of(""));
	}
	p->portals.max = PORTALS_MAX;
	p->portals.max_bytes = STATEMENT_BYTES;
	prepared_set(&p->portals, portal, t);
	text_drop(p->bound);
	p->bound = t;
}

static void take_execute(struct postgres *p, struct piece left)
{
	struct piece portal = { 0 };
	struct text *t = NULL;

	if (piece_cstr(&left, &portal))
		t = prepared_find(&p->portals, portal);
	t = t ? text_hold(t) : unknown_statement(piece_of(""));
	executes(p, t);
	text_drop(t);
}

static void take_close(struct postgres *p, struct piece left)
{
	struct piece kind = { left.s, left.len ? 1 : 0 }, name;

	if (!left.len)
		return;
	left.s++;
	left.len--;
	if (piece_cstr(&left, &name))
		prepared_set(piece_is(kind, "S") ? &p->statements : &p->portals, name, NULL);
}

static void take_extended(struct postgres *p, struct piece payload)
{
	switch (p->type) {
	case 'P':
		take_parse(p, payload);
		break;
	case 'B':
		take_bind(p, payload);
		break;
	case 'E':
		take_execute(p, payload);
		break;
	case 'C':
		take_close(p, payload);
		break;
	}
}

static enum batch batch_of(uint8_t type)
{
	static const char types[] = "SCDBP";
	const char *at = type ? strchr(types, type) : NULL;

	return at ? (enum batch)(BATCH_SYNC + (at - types)) : BATCH_NONE;
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
		if (p->batch == BATCH_NONE)
			name_request(p, piece_of("(function call)"), piece_of(""), l);
		else
			name_batch(p, l);
		end_request(p, l);
	} else if (type == 'S') {
		/* The second one of a copy ("COPY Operations"): the server has ignored the first.
		 */
		if (p->asked.open || !is_copied)
			end_batch(p, l);
	} else if (is_one_of(type, "PBDEC")) {
		take_extended(p, body_kept(&p->body));
	}
	p->type = 0;
}

/* The first byte of a message was read: does a request begin? */
static void begin_message(struct postgres *p, uint8_t type, const struct exchange_listener *l)
{
	if (!is_one_of(type, ASKING) || (type == 'S' && p->is_copied && !p->asked.open))
		return;
	if (!p->asked.open) {
		outstanding_begin(&p->asked, l);
		p->batch = BATCH_NONE;
	}
	if (batch_of(type) > p->batch)
		p->batch = batch_of(type);
	else if (type == 'E' && p->batch == BATCH_NONE)
		p->batch = BATCH_SYNC;
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
		name_request(p, piece_of("(startup)"), piece_of(""), l);
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
	       p->answer_type == 'Z' && !p->asked.nr_asked && !p->asked.open && c->len && is_one_of(*c->bytes, ASKING) &&
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
	return is_one_of(type, "RKSvZTtDCI123nNAEsGHWdcV");
}

static bool step_out_head(struct postgres *p, struct intake *in)
{
	bool is_fresh = in->known && !p->answer_head.bytes.nr;
	enum taken taken = TAKEN_UNKNOWN;
	struct piece head;
	uint32_t len;

	if (!is_fresh || is_server_type(*in->at))
		taken = intake_bytes(in, &p->answer_head, POSTGRES_TYPED_HEAD, &head);
	if (taken == TAKEN_PART)
		return false;
	len = taken == TAKEN ? load_be32(head.s + 1) : 0;
	if (len < 4 || len > POSTGRES_MESSAGE_MAX || (head.s[0] == 'Z' && len != 5)) {
		lose_answer(p);
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
		return (in->known || in->unknown) && step_out_head(p, in);
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

	clear_batch(p);
	outstanding_release(&p->asked);
	held_release(&p->head);
	held_release(&p->answer_head);
	body_release(&p->body);
	prepared_release(&p->statements);
	prepared_release(&p->portals);
}

const struct protocol protocol_postgres = {
	.name = "postgres",
	.parser_size = sizeof(struct postgres),
	.recognize = postgres_recognize,
	.inbound = postgres_inbound,
	.outbound = postgres_outbound,
	.closed = postgres_closed,
	.stopped = postgres_stopped,
	.release = postgres_release,
};
