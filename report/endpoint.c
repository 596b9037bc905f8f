/* SPDX-License-Identifier: Apache-2.0 */
#include "report/endpoint.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "report/endpoint_sql.h"

#define HASH_DIGITS_MIN 16
#define UUID_LEN 36

/* Bytes lent from a label or a pattern. */
struct span {
	const char *s;
	size_t len;
};

static struct span span_of(const char *from, const char *to)
{
	return (struct span){ from, (size_t)(to - from) };
}

/* Takes the text up to the next slash from what is left, the slash too. False: nothing was left. */
static bool next_segment(struct span *left, struct span *ret_segment)
{
	const char *slash;

	if (!left->s)
		return false;
	slash = memchr(left->s, '/', left->len);
	if (slash) {
		*ret_segment = span_of(left->s, slash);
		*left = span_of(slash + 1, left->s + left->len);
	} else {
		*ret_segment = *left;
		*left = (struct span){ 0 };
	}
	return true;
}

static bool is_wildcard(struct span segment)
{
	return segment.len > 2 && segment.s[0] == '{' && segment.s[segment.len - 1] == '}' &&
	       !memchr(segment.s + 1, '{', segment.len - 2) &&
	       !memchr(segment.s + 1, '}', segment.len - 2);
}

static bool is_pattern(const char *pattern)
{
	struct span left = { pattern + 1, strlen(pattern) - 1 }, segment;

	if (pattern[0] != '/')
		return false;
	while (next_segment(&left, &segment))
		if (segment.len && !is_wildcard(segment) &&
		    (memchr(segment.s, '{', segment.len) || memchr(segment.s, '}', segment.len)))
			return false;
	return true;
}

int endpoint_options_check(const struct endpoint_options *o, struct err *e)
{
	vec_each(&o->patterns, it) {
		struct str shown = { 0 };

		if (**it && is_pattern(*it))
			continue;
		str_add_escaped(&shown, *it, strlen(*it));
		err_set(e, -EINVAL, "--path-pattern '%s': not a pattern of paths",
			str_cstr(&shown));
		str_release(&shown);
		return err_remedy(e, "A pattern begins with / and its segments are text or "
				     "{name}: /user/{name}/posts.");
	}
	return 0;
}

void endpoint_options_release(struct endpoint_options *o)
{
	vec_release(&o->patterns);
}

/* Do all of the first len bytes pass? Not for an empty text. */
static bool all_of(const char *s, size_t len, int (*takes)(int))
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!takes((unsigned char)s[i]))
			return false;
	return len > 0;
}

static bool is_uuid(struct span segment)
{
	static const char form[UUID_LEN + 1] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	if (segment.len != UUID_LEN)
		return false;
	for (i = 0; i < UUID_LEN; i++)
		if (form[i] == '-' ? segment.s[i] != '-' : !isxdigit((unsigned char)segment.s[i]))
			return false;
	return true;
}

static bool is_hash(struct span segment)
{
	size_t i;

	if (segment.len < HASH_DIGITS_MIN || !all_of(segment.s, segment.len, isxdigit))
		return false;
	for (i = 0; i < segment.len; i++)
		if (isdigit((unsigned char)segment.s[i]))
			return true;
	return false;
}

static bool is_id(struct span segment)
{
	return all_of(segment.s, segment.len, isdigit) || is_uuid(segment) || is_hash(segment);
}

static bool pattern_takes(const char *pattern, struct span path)
{
	struct span want_left = { pattern, strlen(pattern) }, want, got;

	for (;;) {
		bool has_want = next_segment(&want_left, &want);
		bool has_got = next_segment(&path, &got);

		if (!has_want || !has_got)
			return has_want == has_got;
		if (is_wildcard(want) ? !got.len
				      : want.len != got.len || memcmp(want.s, got.s, want.len))
			return false;
	}
}

/* The first one that takes the path; NULL: none does. */
static const char *pattern_of(const struct endpoint_options *o, struct span path)
{
	vec_each(&o->patterns, it)
		if (pattern_takes(*it, path))
			return *it;
	return NULL;
}

static void add_path(struct str *b, struct span path)
{
	struct span segment;
	bool is_first = true;

	while (next_segment(&path, &segment)) {
		if (!is_first)
			str_add_char(b, '/');
		is_first = false;
		if (is_id(segment))
			str_add(b, "{id}");
		else
			str_add_bytes(b, segment.s, segment.len);
	}
}

/* Where the path begins: 0 in "/a", behind the host in "http://host/a"; len where there is none. */
static size_t path_place(struct span label)
{
	const char *end = label.s + label.len, *s = label.s;

	if (label.len && *s == '/')
		return 0;
	while (s < end && isalpha((unsigned char)*s))
		s++;
	if (s == label.s || end - s < 3 || memcmp(s, "://", 3))
		return label.len;
	for (s += 3; s < end && *s != '/' && *s != '?' && *s != '#' && !isspace((unsigned char)*s);)
		s++;
	return s < end && *s == '/' ? (size_t)(s - label.s) : label.len;
}

static size_t query_place(struct span label, size_t from)
{
	while (from < label.len && label.s[from] != '?' && label.s[from] != '#')
		from++;
	return from;
}

/* Cuts what was added behind `from` so that it keeps the bound and whole characters. */
static void cut(struct str *b, size_t from)
{
	size_t end = from + ENDPOINT_MAX, last = end, len;

	if (b->len <= end)
		return;
	/* The last character that may begin before the bound and end behind it. */
	while (last > from && end - last < 3 && ((unsigned char)b->s[last] & 0xc0) == 0x80)
		last--;
	len = utf8_len(b->s + last, b->len - last);
	b->len = len && last + len > end ? last : end;
	b->s[b->len] = '\0';
}

static void add_endpoint(struct str *b, const struct endpoint_options *o, struct span label, bool is_sql)
{
	size_t place = is_sql ? label.len : path_place(label);
	struct span path = span_of(label.s + place, label.s + query_place(label, place));
	const char *pattern = path.len ? pattern_of(o, path) : NULL;

	if (pattern) {
		str_add_bytes(b, label.s, place);
		str_add(b, pattern);
	} else if (o->keeps_raw || (!is_sql && !path.len)) {
		str_add_bytes(b, label.s, label.len);
	} else if (is_sql) {
		sql_add_shape(b, label.s, label.len, ENDPOINT_MAX);
	} else {
		str_add_bytes(b, label.s, place);
		add_path(b, path);
	}
}

static void add_label(struct str *b, const struct endpoint_options *o, struct span label, bool is_sql)
{
	size_t from = b->len;

	if (!label.len)
		return;
	add_endpoint(b, o, label, is_sql);
	cut(b, from);
}

void endpoint_add(struct str *b, const struct endpoint_options *o, const void *label, size_t len)
{
	/* SQL goes first: it may begin with a comment, which looks like a path. */
	add_label(b, o, (struct span){ label, len }, sql_is_statement(label, len));
}

void endpoint_add_sql(struct str *b, const struct endpoint_options *o, const void *statement, size_t len)
{
	add_label(b, o, (struct span){ statement, len }, true);
}
