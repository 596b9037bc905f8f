/* SPDX-License-Identifier: Apache-2.0 */
#include "report/http1_line.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "report/intake.h"

#define METHOD_LEN_MAX 32	/* twice the longest registered one, UPDATEREDIRECTREF */
#define AUTHORITY_LEN_MAX 255	/* a host name's, RFC 1035, 2.3.4 */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_alnum(uint8_t c)
{
	return is_digit(c) || is_upper(c & ~0x20);
}

/* RFC 9110, 5.6.2. */
static bool is_token(uint8_t c)
{
	return is_alnum(c) || byte_is_one_of(c, "!#$%&'*+-.^_`|~");
}

/* Of a name, or of an IPv6 address in brackets: RFC 3986, 3.2.2. */
static bool is_host(uint8_t c)
{
	return is_alnum(c) || byte_is_one_of(c, "-._~%!$&'()*+,;=[]");
}

static struct http1_line line_from(struct http1_line line, size_t at)
{
	return (struct http1_line){ line.s + at, line.len - at, line.is_cut };
}

bool http1_line_next(const uint8_t **s, size_t *len, struct http1_line *ret)
{
	const uint8_t *end = *len ? memchr(*s, '\n', *len) : NULL;
	size_t n = end ? (size_t)(end - *s) : 0;

	if (!end)
		return false;
	*ret = (struct http1_line){ *s, n - (n && end[-1] == '\r'), false };
	*s += n + 1;
	*len -= n + 1;
	return true;
}

static struct http1_line trimmed(struct http1_line line)
{
	while (line.len && is_blank(line.s[0]))
		line = line_from(line, 1);
	while (line.len && is_blank(line.s[line.len - 1]))
		line.len--;
	return line;
}

static enum recognition begins_with(const uint8_t *s, size_t len, const char *want)
{
	size_t want_len = strlen(want);

	if (strncasecmp((const char *)s, want, min_len(len, want_len)))
		return RECOGNIZED_NOT;
	return len < want_len ? RECOGNIZED_MAYBE : RECOGNIZED;
}

static bool is_method(const uint8_t *s, size_t len, const char *method)
{
	return len == strlen(method) && !memcmp(s, method, len);
}

/* HOST:PORT, of which the first colon is enough. */
static enum recognition begins_authority(const uint8_t *s, size_t len)
{
	size_t i;

	for (i = 0; i < len && i <= AUTHORITY_LEN_MAX; i++) {
		if (i && s[i] == ':')
			return RECOGNIZED;
		if (!is_host(s[i]))
			return RECOGNIZED_NOT;
	}
	return i > AUTHORITY_LEN_MAX ? RECOGNIZED_NOT : RECOGNIZED_MAYBE;
}

/* RFC 9112, 3.2. The asterisk wants its version, for HTTP/2 begins with PRI * HTTP/2.0. */
static enum recognition begins_target(const uint8_t *s, size_t len)
{
	enum recognition plain;

	if (!len)
		return RECOGNIZED_MAYBE;
	if (s[0] == '/')
		return RECOGNIZED;
	if (s[0] == '*')
		return begins_with(s, len, "* HTTP/1.");
	plain = begins_with(s, len, "http://");
	return plain != RECOGNIZED_NOT ? plain : begins_with(s, len, "https://");
}

/* Does byte n go on with it? A capital behind a small letter is another one's first, behind a body that ends with no line. */
static bool is_in_method(const uint8_t *s, size_t n, enum http1_methods methods)
{
	if (methods == HTTP1_TOKENS)
		return is_token(s[n]);
	if (is_upper(s[n]))
		return !n || !is_lower(s[n - 1]);
	return s[n] == '-' || s[n] == '_' || (methods == HTTP1_WORDS && is_lower(s[n]));
}

static enum recognition begins_request(const uint8_t *s, size_t len, enum http1_methods methods)
{
	size_t n = 0, at;

	while (n < len && n <= METHOD_LEN_MAX && is_in_method(s, n, methods))
		n++;
	if (n > METHOD_LEN_MAX)
		return RECOGNIZED_NOT;
	if (n == len)
		return RECOGNIZED_MAYBE;
	if (!n || s[n] != ' ')
		return RECOGNIZED_NOT;
	for (at = n; at < len && s[at] == ' '; at++)
		;
	if (is_method(s, n, "CONNECT"))
		return begins_authority(s + at, len - at);
	return begins_target(s + at, len - at);
}

/* A digit is all that a version may have behind this. */
#define VERSION "HTTP/1."

bool http1_line_is_text(struct http1_line line)
{
	size_t i;

	/* Of a part of one, its end may have begun. */
	if (line.len && line.s[line.len - 1] == '\r')
		line.len--;
	for (i = 0; i < line.len; i++)
		if (line.s[i] < ' ' && line.s[i] != '\t')
			return false;
	return true;
}

bool http1_line_has_version(struct http1_line line)
{
	const size_t version_len = sizeof(VERSION) - 1;
	const uint8_t *version;

	line = trimmed(line);
	version = line.s + line.len - version_len - 1;
	return line.len > version_len + 2 && version[-1] == ' ' && !memcmp(version, VERSION, version_len) &&
	       is_digit(version[version_len]);
}

/* Empty lines: RFC 9112, 2.2. */
enum recognition http1_line_recognize(const uint8_t *s, size_t len, enum http1_methods methods)
{
	while (len) {
		size_t n = s[0] == '\r' ? 2 : 1;

		if (n > len)
			return RECOGNIZED_MAYBE;
		if (s[n - 1] != '\n')
			break;
		s += n;
		len -= n;
	}
	return begins_request(s, len, methods);
}

/* RFC 9112, 7.1: the last chunk, without trailers, and the line end ahead of it. */
#define LAST_CHUNK "\r\n0\r\n\r\n"

size_t http1_line_behind_chunks(const uint8_t *s, size_t len)
{
	const size_t last_len = sizeof(LAST_CHUNK) - 1;
	const uint8_t *end = s + len, *from = s, *found;

	/* A mark that brought no bytes has NULL for them, which memmem(3) does not take. */
	if (!len)
		return 0;
	while ((found = memmem(from, (size_t)(end - from), LAST_CHUNK, last_len))) {
		from = found + last_len;
		if (http1_line_recognize(from, (size_t)(end - from), HTTP1_CAPITALS) == RECOGNIZED)
			return (size_t)(from - s);
	}
	return len;
}

enum recognition http1_line_begins_head(const uint8_t *s, size_t len, uint64_t total, enum http1_methods methods)
{
	uint64_t nr_unread = total - len;
	enum recognition is = nr_unread ? RECOGNIZED : RECOGNIZED_MAYBE;

	while (len) {
		struct http1_framing f = { 0 };
		struct http1_line line = { 0 };
		enum recognition begins = http1_line_recognize(s, len, methods);

		if (begins != RECOGNIZED)
			return begins == RECOGNIZED_MAYBE ? is : RECOGNIZED_NOT;
		do
			if (!http1_line_next(&s, &len, &line))
				return is;
		while (!line.len);
		if (!http1_line_request(line).has_version)
			return RECOGNIZED_NOT;
		while (http1_line_next(&s, &len, &line) && line.len)
			http1_line_field(&f, line);
		if (line.len)
			return is;
		if (f.length || f.has_coding)
			return RECOGNIZED;
		if (nr_unread)
			return RECOGNIZED_NOT;
	}
	return RECOGNIZED;
}

enum recognition http1_line_recognize_answer(struct http1_line line)
{
	return begins_with(line.s, line.len, "HTTP/");
}

/* The version of a line that is cut may be cut itself. */
static bool is_version(const uint8_t *s, size_t len, bool is_cut)
{
	enum recognition r = begins_with(s, len, "HTTP/");

	return r == RECOGNIZED || (is_cut && r == RECOGNIZED_MAYBE);
}

/* Takes the version and the blank before it away. False: there is none. */
static bool take_version(struct http1_line *line)
{
	const uint8_t *blank;
	size_t len;

	while (!line->is_cut && line->len && is_blank(line->s[line->len - 1]))
		line->len--;
	blank = memrchr(line->s, ' ', line->len);
	len = blank ? (size_t)(blank - line->s) : line->len;
	if (!blank || !is_version(blank + 1, line->len - len - 1, line->is_cut))
		return false;
	*line = (struct http1_line){ line->s, len, false };
	return true;
}

static size_t scheme_len(struct http1_line target)
{
	static const char *const schemes[] = { "http://", "https://" };
	size_t i;

	for (i = 0; i < 2; i++)
		if (begins_with(target.s, target.len, schemes[i]) == RECOGNIZED)
			return strlen(schemes[i]);
	return 0;
}

/* An absolute-form without a path asks for / (RFC 9110, 4.2.3), unless the path is what is cut. */
static struct http1_line path_of(struct http1_line target)
{
	size_t at = scheme_len(target);

	if (!at)
		return target;
	while (at < target.len && !byte_is_one_of(target.s[at], "/?#"))
		at++;
	if (at < target.len ? target.s[at] == '/' : target.is_cut)
		return line_from(target, at);
	return (struct http1_line){ (const uint8_t *)"/", 1, false };
}

struct http1_request http1_line_request(struct http1_line line)
{
	const uint8_t *blank = memchr(line.s, ' ', line.len);
	size_t method_len = blank ? (size_t)(blank - line.s) : line.len;
	bool has_version = take_version(&line);
	struct http1_line target = trimmed(line_from(line, min_len(method_len, line.len)));
	bool is_connect = is_method(line.s, method_len, "CONNECT");

	return (struct http1_request){
		.method = { line.s, method_len, false },
		.path = is_connect ? target : path_of(target),
		.is_head = is_method(line.s, method_len, "HEAD"),
		.is_connect = is_connect,
		.has_version = has_version || line.is_cut,
	};
}

/* None of them is another one's end. */
bool http1_line_is_method_end(struct http1_line method)
{
	static const char *const methods[] = { "GET",	  "HEAD",    "POST",  "PUT",  "DELETE",
					       "CONNECT", "OPTIONS", "TRACE", "PATCH" };
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(methods); i++) {
		len = strlen(methods[i]);
		if (method.len < len && !memcmp(methods[i] + len - method.len, method.s, method.len))
			return true;
	}
	return false;
}

/* HTTP-version SP 3DIGIT: RFC 9112, 4. */
bool http1_line_status(struct http1_line line, uint32_t *ret_status)
{
	const uint8_t *s = memchr(line.s, ' ', line.len), *end = line.s + line.len;

	if (!s || http1_line_recognize_answer(line) != RECOGNIZED)
		return false;
	s++;
	if (end - s < 3 || s[0] == '0' || !is_digit(s[0]) || !is_digit(s[1]) || !is_digit(s[2]) ||
	    (end - s > 3 && is_digit(s[3])))
		return false;
	*ret_status = (s[0] - '0') * 100U + (s[1] - '0') * 10U + (s[2] - '0');
	return true;
}

static int hex_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 1*HEXDIG, then extensions: RFC 9112, 7.1. */
bool http1_line_chunk_size(struct http1_line line, uint64_t *ret_size)
{
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < line.len && hex_value(line.s[i]) >= 0; i++) {
		if (size >> 60)
			return false;
		size = size << 4 | (uint64_t)hex_value(line.s[i]);
	}
	*ret_size = size;
	return i && (i == line.len || is_blank(line.s[i]) || line.s[i] == ';');
}

/* 1*DIGIT: RFC 9110, 8.6. */
static bool read_length(struct http1_line value, uint64_t *ret_length)
{
	uint64_t length = 0;
	size_t i;

	for (i = 0; i < value.len; i++)
		if (!is_digit(value.s[i]) || __builtin_mul_overflow(length, 10, &length) ||
		    __builtin_add_overflow(length, value.s[i] - '0', &length))
			return false;
	*ret_length = length;
	return value.len > 0;
}

/* The last coding of a list: RFC 9112, 6.3. */
static bool ends_chunked(struct http1_line value)
{
	const uint8_t *comma = memrchr(value.s, ',', value.len);
	struct http1_line last = trimmed(line_from(value, comma ? comma + 1 - value.s : 0));

	return last.len == strlen("chunked") &&
	       begins_with(last.s, last.len, "chunked") == RECOGNIZED;
}

/*
 * Is it the field of that name? A blank before the colon (RFC 9112, 5.1: an error) is left in the
 * value, which then is none.
 */
static bool is_field(struct http1_line line, const char *name, struct http1_line *ret_value)
{
	size_t n = strlen(name);

	if (line.len <= n || begins_with(line.s, line.len, name) != RECOGNIZED ||
	    (line.s[n] != ':' && !is_blank(line.s[n])))
		return false;
	*ret_value = trimmed(line_from(line, line.s[n] == ':' ? n + 1 : n));
	return true;
}

/* A line that begins with a blank goes on with the value before: RFC 9112, 5.2. */
void http1_line_field(struct http1_framing *f, struct http1_line line)
{
	struct http1_line value;

	if (is_blank(line.s[0])) {
		f->is_bad |= f->was_framing;
	} else if (is_field(line, "Content-Length", &value)) {
		f->was_framing = true;
		f->is_bad |= f->has_length || line.is_cut || !read_length(value, &f->length);
		f->has_length = true;
	} else if (is_field(line, "Transfer-Encoding", &value)) {
		f->was_framing = true;
		f->is_bad |= line.is_cut;
		f->has_coding = true;
		f->is_chunked = ends_chunked(value);
	} else {
		f->has_expect |= is_field(line, "Expect", &value);
		f->was_framing = false;
	}
}
