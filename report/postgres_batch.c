/* SPDX-License-Identifier: Apache-2.0 */
#include "report/postgres_batch.h"

#include <string.h>
#include <strings.h>

#define STATEMENTS_MAX	256
#define STATEMENT_BYTES 65536
/* Named portals are cursors: few are open at a time. */
#define PORTALS_MAX 8

static struct piece text_piece(const struct text *t)
{
	return (struct piece){ (const uint8_t *)t->s, t->len };
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
		 !byte_is_one_of((uint8_t)(t->s[5] | 0x20), "abcdefghijklmnopqrstuvwxyz_"))) ||
	       (t->len >= 17 && !strncasecmp(t->s, "START TRANSACTION", 17));
}

static void executes(struct postgres_batch *b, struct text *t)
{
	if (!b->executed || (is_begin(b->executed) && !b->has_more)) {
		text_drop(b->executed);
		b->executed = text_hold(t);
	} else if (!is_same(b->executed, t)) {
		b->has_more = true;
	}
}

static bool is_blank(struct piece p)
{
	size_t i;

	for (i = 0; i < p.len; i++)
		if (!byte_is_one_of(p.s[i], " \t\r\n\f"))
			return false;
	return true;
}

struct piece postgres_statement_of(struct piece payload)
{
	struct piece statement = payload;

	return piece_cstr(&payload, &statement) && is_blank(statement) ? piece_of("(empty)") : statement;
}

static void take_parse(struct postgres_batch *b, struct piece left)
{
	struct piece name;
	struct text *t;

	if (!piece_cstr(&left, &name))
		return;
	b->statements.max = STATEMENTS_MAX;
	b->statements.max_bytes = STATEMENT_BYTES;
	t = text_new(postgres_statement_of(left));
	prepared_set(&b->statements, name, t);
	if (!b->parsed)
		b->parsed = text_hold(t);
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

static void take_bind(struct postgres_batch *b, struct piece left)
{
	struct piece portal, statement;
	struct text *t;

	if (!piece_cstr(&left, &portal))
		return;
	if (piece_cstr(&left, &statement)) {
		t = prepared_find(&b->statements, statement);
		t = t ? text_hold(t) : unknown_statement(statement);
	} else {
		t = unknown_statement(piece_of(""));
	}
	b->portals.max = PORTALS_MAX;
	b->portals.max_bytes = STATEMENT_BYTES;
	prepared_set(&b->portals, portal, t);
	text_drop(b->bound);
	b->bound = t;
}

static void take_execute(struct postgres_batch *b, struct piece left)
{
	struct piece portal = { 0 };
	struct text *t = NULL;

	if (piece_cstr(&left, &portal))
		t = prepared_find(&b->portals, portal);
	t = t ? text_hold(t) : unknown_statement(piece_of(""));
	executes(b, t);
	text_drop(t);
}

static void take_close(struct postgres_batch *b, struct piece left)
{
	struct piece kind = { left.s, left.len ? 1 : 0 }, name;

	if (!left.len)
		return;
	left.s++;
	left.len--;
	if (piece_cstr(&left, &name))
		prepared_set(piece_is(kind, "S") ? &b->statements : &b->portals, name, NULL);
}

static enum postgres_batch_kind kind_of(uint8_t type)
{
	static const char types[] = "SCDBP";
	const char *at = type ? strchr(types, type) : NULL;

	return at ? (enum postgres_batch_kind)(BATCH_SYNC + (at - types)) : BATCH_NONE;
}

void postgres_batch_begin_message(struct postgres_batch *b, uint8_t type)
{
	if (kind_of(type) > b->kind)
		b->kind = kind_of(type);
	else if (type == 'E' && b->kind == BATCH_NONE)
		b->kind = BATCH_SYNC;
}

void postgres_batch_take(struct postgres_batch *b, uint8_t type, struct piece payload)
{
	switch (type) {
	case 'P':
		take_parse(b, payload);
		break;
	case 'B':
		take_bind(b, payload);
		break;
	case 'E':
		take_execute(b, payload);
		break;
	case 'C':
		take_close(b, payload);
		break;
	}
}

void postgres_batch_query(struct postgres_batch *b, struct piece statement)
{
	struct text *t = text_new(statement);

	executes(b, t);
	text_drop(t);
}

void postgres_batch_lose_end(struct postgres_batch *b)
{
	if (!b->executed && b->bound)
		executes(b, b->bound);
}

/* a and behind it b, which is not cut. */
static size_t join(char path[POSTGRES_PATH_MAX], struct piece a, struct piece b)
{
	size_t len = a.len < POSTGRES_PATH_MAX - b.len ? a.len : POSTGRES_PATH_MAX - b.len;

	if (len)
		memcpy(path, a.s, len);
	if (b.len)
		memcpy(path + len, b.s, b.len);
	return len + b.len;
}

size_t postgres_batch_path(const struct postgres_batch *b, char path[POSTGRES_PATH_MAX])
{
	static const char *const names[] = { "",	   "(sync)", "(close)",
					     "(describe)", "(bind)", "(parse)" };
	struct piece text;

	if (b->executed)
		return join(path, text_piece(b->executed), piece_of(b->has_more ? " ..." : ""));
	if (!b->parsed || !b->parsed->len)
		return join(path, piece_of(names[b->kind]), piece_of(""));
	text = text_piece(b->parsed);
	text.len = text.len < POSTGRES_PATH_MAX - 8 ? text.len : POSTGRES_PATH_MAX - 8;
	return join(path, piece_of("PREPARE "), text);
}

void postgres_batch_clear(struct postgres_batch *b)
{
	text_drop(b->executed);
	text_drop(b->parsed);
	text_drop(b->bound);
	b->executed = b->parsed = b->bound = NULL;
	b->kind = BATCH_NONE;
	b->has_more = false;
}

void postgres_batch_release(struct postgres_batch *b)
{
	postgres_batch_clear(b);
	prepared_release(&b->statements);
	prepared_release(&b->portals);
}
