/* SPDX-License-Identifier: Apache-2.0 */
#include "report/endpoint_sql.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_QUOTED,		/* an identifier in double quotes or backticks */
	TOKEN_NUMBER,
	TOKEN_STRING,
	TOKEN_PARAMETER,	/* $1, or the ? of a prepared statement */
	TOKEN_OTHER,		/* one byte of an operator or a bracket */
};

struct token {
	enum token_kind kind;
	const char *s;
	size_t len;
	bool has_space;		/* white space or a comment stands before it */
};

struct lexer {
	const char *at, *end;
};

/* The byte `ahead` of the next, or 0 behind the end: no rule below takes a 0. */
static unsigned char peek(const struct lexer *l, size_t ahead)
{
	return ahead < (size_t)(l->end - l->at) ? (unsigned char)l->at[ahead] : 0;
}

static bool at_end(const struct lexer *l)
{
	return l->at == l->end;
}

static bool is_word_start(unsigned char c)
{
	return isalpha(c) || c == '_' || c >= 0x80;
}

static bool is_word_part(unsigned char c)
{
	return is_word_start(c) || isdigit(c) || c == '$';
}

static void skip_line(struct lexer *l)
{
	while (!at_end(l) && *l->at != '\n')
		l->at++;
}

/* These nest, unlike those of C. */
static void skip_block(struct lexer *l)
{
	size_t depth = 0;

	do {
		bool opens = peek(l, 0) == '/' && peek(l, 1) == '*';
		bool closes = peek(l, 0) == '*' && peek(l, 1) == '/';

		depth += opens;
		depth -= closes;
		l->at += opens || closes ? 2 : 1;
	} while (depth && !at_end(l));
}

/* White space and comments. Was there any? */
static bool skip_space(struct lexer *l)
{
	const char *from = l->at;

	while (!at_end(l)) {
		if (isspace(peek(l, 0)))
			l->at++;
		else if (peek(l, 0) == '-' && peek(l, 1) == '-')
			skip_line(l);
		else if (peek(l, 0) == '/' && peek(l, 1) == '*')
			skip_block(l);
		else
			break;
	}
	return l->at > from;
}

/* From the opening quote to behind the closing one; a doubled quote stands for itself. */
static void skip_quoted(struct lexer *l, bool has_backslashes)
{
	char quote = *l->at++;

	while (!at_end(l)) {
		char c = *l->at++;

		if (c == '\\' && has_backslashes && !at_end(l))
			l->at++;
		else if (c == quote && peek(l, 0) != (unsigned char)quote)
			return;
		else if (c == quote)
			l->at++;
	}
}

/* $$...$$ and $tag$...$tag$. False, and nothing skipped, where none begins. */
static bool skip_dollar_quoted(struct lexer *l)
{
	size_t len = 1;
	const char *close;

	if (is_word_start(peek(l, 1)))
		while (is_word_part(peek(l, len)) && peek(l, len) != '$')
			len++;
	if (peek(l, len) != '$')
		return false;
	len++;
	close = memmem(l->at + len, (size_t)(l->end - l->at) - len, l->at, len);
	l->at = close ? close + len : l->end;
	return true;
}

/* 12  1.5  .5  1e-5  0x1F  1_000; what sticks to a number is taken for a part of it. */
static void skip_number(struct lexer *l)
{
	bool is_hex = peek(l, 0) == '0' && (peek(l, 1) | 0x20) == 'x';

	while (isalnum(peek(l, 0)) || peek(l, 0) == '_' || peek(l, 0) == '.') {
		bool has_sign = !is_hex && (peek(l, 0) | 0x20) == 'e' &&
				(peek(l, 1) == '+' || peek(l, 1) == '-') && isdigit(peek(l, 2));

		l->at += has_sign ? 2 : 1;
	}
}

/* E'' B'' X'' N'' U&'' and U&"": the length of what stands before the quote. */
static size_t quote_prefix_len(const struct lexer *l)
{
	unsigned char c = peek(l, 0) | 0x20;

	if (c == 'u' && peek(l, 1) == '&' && (peek(l, 2) == '\'' || peek(l, 2) == '"'))
		return 2;
	return peek(l, 0) && strchr("EeBbXxNn", peek(l, 0)) && peek(l, 1) == '\'' ? 1 : 0;
}

static enum token_kind skip_token(struct lexer *l)
{
	bool has_backslashes = (peek(l, 0) | 0x20) == 'e';
	size_t prefix = quote_prefix_len(l);
	unsigned char c = peek(l, prefix);

	if (c == '\'' || c == '"' || c == '`') {
		l->at += prefix;
		skip_quoted(l, has_backslashes);
		return c == '\'' ? TOKEN_STRING : TOKEN_QUOTED;
	}
	if (c == '$' && skip_dollar_quoted(l))
		return TOKEN_STRING;
	if (isdigit(c) || (c == '.' && isdigit(peek(l, 1)))) {
		skip_number(l);
		return TOKEN_NUMBER;
	}
	if (is_word_start(c)) {
		while (is_word_part(peek(l, 0)))
			l->at++;
		return TOKEN_WORD;
	}
	l->at++;
	if (c != '$' || !isdigit(peek(l, 0)))
		return c == '?' ? TOKEN_PARAMETER : TOKEN_OTHER;
	while (isdigit(peek(l, 0)))
		l->at++;
	return TOKEN_PARAMETER;
}

static struct token next_token(struct lexer *l)
{
	struct token t = { .has_space = skip_space(l) };

	t.s = l->at;
	t.kind = at_end(l) ? TOKEN_END : skip_token(l);
	t.len = (size_t)(l->at - t.s);
	return t;
}

static bool is_other(struct token t, char c)
{
	return t.kind == TOKEN_OTHER && *t.s == c;
}

static bool is_word(struct token t, const char *word)
{
	return t.kind == TOKEN_WORD && t.len == strlen(word) && !strncasecmp(t.s, word, t.len);
}

static bool is_one_of(struct token t, const char *const *words, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (is_word(t, words[i]))
			return true;
	return false;
}

/* name = ...  LOCAL name TO ...  @@global.name := ... */
static bool is_assignment(struct lexer l)
{
	struct token t = next_token(&l);

	if (is_word(t, "LOCAL") || is_word(t, "SESSION") || is_word(t, "GLOBAL"))
		t = next_token(&l);
	for (;;) {
		while (is_other(t, '@'))
			t = next_token(&l);
		if (t.kind != TOKEN_WORD && t.kind != TOKEN_QUOTED)
			return false;
		t = next_token(&l);
		if (!is_other(t, '.'))
			break;
		t = next_token(&l);
	}
	if (is_other(t, ':'))
		t = next_token(&l);
	return is_other(t, '=') || is_word(t, "TO");
}

/* Those with data in them, and those that drivers and poolers add comments to. */
bool sql_is_statement(const void *text, size_t len)
{
	static const char *const verbs[] = {
		"SELECT",   "INSERT",	"UPDATE",    "DELETE",	 "MERGE",    "REPLACE",	 "UPSERT",
		"WITH",	    "VALUES",	"CREATE",    "ALTER",	 "DROP",     "TRUNCATE", "CALL",
		"DO",	    "EXECUTE",	"PREPARE",   "DECLARE",	 "FETCH",    "EXPLAIN",	 "NOTIFY",
		"COMMENT",  "ANALYZE",	"VACUUM",    "BEGIN",	 "START",    "COMMIT",	 "ROLLBACK",
		"ABORT",    "END",	"SAVEPOINT", "RELEASE",	 "LOCK",     "DEALLOCATE", "COPY",
	};
	struct lexer l = { text, (const char *)text + len };
	struct token t, after;

	do
		t = next_token(&l);
	while (is_other(t, '(') || is_other(t, ';'));
	if (is_word(t, "SET"))
		return is_assignment(l);
	if (is_word(t, "LOAD"))
		return next_token(&l).kind == TOKEN_STRING;
	if (is_word(t, "SECURITY"))
		return is_word(next_token(&l), "LABEL");
	if (is_word(t, "IMPORT"))
		return is_word(next_token(&l), "FOREIGN");
	if (!is_one_of(t, verbs, ARRAY_LEN(verbs)))
		return false;
	/* Not "update-user", "select.c", "delete.17" nor "DELETE /user". */
	after = next_token(&l);
	if (after.has_space)
		return !is_other(after, '/');
	return after.kind == TOKEN_OTHER ? memchr("(*;", *after.s, 3) != NULL
					 : after.kind != TOKEN_NUMBER;
}

/* (1, 'a', $2)  ((1, 2), (3, 4)): skips the list. False, and nothing skipped, where it is none. */
static bool skip_list(struct lexer *l)
{
	struct lexer ahead = *l;
	struct token t = next_token(&ahead);
	size_t depth = 1, nr = 0;

	if (!is_other(t, '('))
		return false;
	while (depth) {
		t = next_token(&ahead);
		if (t.kind == TOKEN_END)
			break;
		if (t.kind == TOKEN_WORD || t.kind == TOKEN_QUOTED ||
		    (t.kind == TOKEN_OTHER && !memchr("(),+-", *t.s, 5)))
			return false;
		depth += is_other(t, '(');
		depth -= is_other(t, ')');
		nr += t.kind != TOKEN_OTHER;
	}
	if (nr)
		*l = ahead;
	return nr;
}

/* ", (...)" or what a cut left of it. False, and nothing skipped, where it is none. */
static bool skip_row(struct lexer *l)
{
	struct lexer ahead = *l;
	struct token t = next_token(&ahead);
	size_t depth = 1;

	if (!is_other(t, ','))
		return false;
	t = next_token(&ahead);
	if (t.kind != TOKEN_END && !is_other(t, '('))
		return false;
	while (t.kind != TOKEN_END && depth) {
		t = next_token(&ahead);
		depth += is_other(t, '(');
		depth -= is_other(t, ')');
	}
	*l = ahead;
	return true;
}

/* Parentheses deeper than this are not looked at for VALUES lists. */
#define DEPTH_MAX 64

struct shape {
	struct str *b;
	size_t from;
	struct token before;	/* the last one added */
	size_t depth;		/* of parentheses */
	uint64_t has_values;	/* bit d: rows of a VALUES list stand at depth d */
};

/* A sign after one of these belongs to the number behind it. */
static bool expects_operand(struct token t)
{
	static const char *const words[] = {
		"SELECT", "WHERE", "AND",  "OR",    "NOT", "BETWEEN", "THEN", "ELSE",
		"WHEN",	  "LIMIT", "LIKE", "OFFSET", "BY", "ON",      "TO",   "RETURNING",
	};

	if (t.kind == TOKEN_OTHER)
		return memchr("(,=<>*/%|+-[", *t.s, 12);
	return is_one_of(t, words, ARRAY_LEN(words));
}

/* The next token; a sign and its number are one. */
static struct token next_part(struct lexer *l, struct token before)
{
	struct token t = next_token(l), number;
	struct lexer ahead = *l;

	if ((!is_other(t, '-') && !is_other(t, '+')) || !expects_operand(before))
		return t;
	number = next_token(&ahead);
	if (number.kind != TOKEN_NUMBER)
		return t;
	*l = ahead;
	number.has_space = t.has_space;
	return number;
}

static void add_token(struct shape *shape, struct token t)
{
	/* The names of savepoints count: they are data, wherever drivers make them up. */
	bool is_savepoint = is_word(shape->before, "SAVEPOINT") &&
			    (t.kind == TOKEN_WORD || t.kind == TOKEN_QUOTED);

	if (t.has_space && shape->b->len > shape->from)
		str_add_char(shape->b, ' ');
	if (t.kind == TOKEN_NUMBER || t.kind == TOKEN_STRING || is_savepoint)
		str_add_char(shape->b, '?');
	else
		str_add_bytes(shape->b, t.s, t.len);
	shape->before = t;
}

static uint64_t depth_bit(const struct shape *shape)
{
	return shape->depth < DEPTH_MAX ? (uint64_t)1 << shape->depth : 0;
}

static void follow_parentheses(struct shape *shape, struct lexer *l)
{
	if (is_other(shape->before, '(')) {
		shape->depth++;
		shape->has_values &= ~depth_bit(shape);
	} else if (is_other(shape->before, ')') && shape->depth) {
		shape->depth--;
		if (shape->has_values & depth_bit(shape))
			while (skip_row(l))
				;
		shape->has_values &= ~depth_bit(shape);
	} else if (is_word(shape->before, "VALUES")) {
		shape->has_values |= depth_bit(shape);
	} else if (shape->before.kind != TOKEN_OTHER) {
		shape->has_values &= ~depth_bit(shape);
	}
}

/* A semicolon that nothing comes after: some clients send it, others do not. */
static bool is_last_semicolon(struct token t, struct lexer l)
{
	bool is_semicolon = is_other(t, ';');

	while (is_other(t, ';'))
		t = next_token(&l);
	return is_semicolon && t.kind == TOKEN_END;
}

void sql_add_shape(struct str *b, const void *text, size_t len, size_t max)
{
	struct lexer l = { text, (const char *)text + len };
	struct shape shape = { .b = b, .from = b->len };

	while (b->len - shape.from < max) {
		struct token t = next_part(&l, shape.before);

		if (t.kind == TOKEN_END || is_last_semicolon(t, l))
			break;
		add_token(&shape, t);
		if (is_word(t, "IN") && skip_list(&l))
			str_add(b, " (?)");
		else
			follow_parentheses(&shape, &l);
	}
	/* A ping. */
	if (b->len == shape.from)
		str_add_bytes(b, text, len < max ? len : max);
}
