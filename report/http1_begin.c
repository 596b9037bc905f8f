/* SPDX-License-Identifier: Apache-2.0 */
#include "report/http1_begin.h"

#include <string.h>

/*
 * Servers take more than the RFC has (nginx long methods, gunicorn any target), or answer that they do not: where a
 * request is due, a line of text with a version is one. But no method begins like a path: that is the rest of a line.
 */
static enum recognition recognize_any(struct http1_line line, bool is_whole)
{
	if (!http1_line_is_text(line) || (line.len && line.s[0] == '/'))
		return RECOGNIZED_NOT;
	if (!is_whole)
		return RECOGNIZED_MAYBE;
	return http1_line_has_version(line) ? RECOGNIZED : RECOGNIZED_NOT;
}

/* HTTP/0.9 has this one (RFC 1945, 4.1); other protocols have words and paths, too: "CWD /pub". */
static bool is_of_0_9(struct http1_line line)
{
	const struct http1_request r = http1_line_request(line);

	return !r.has_version && r.method.len == 3 && !memcmp(r.method.s, "GET", 3);
}

enum recognition http1_begin_of_read(const uint8_t *bytes, size_t len)
{
	enum recognition is = http1_line_recognize(bytes, len, HTTP1_CAPITALS);
	struct http1_line line;

	/* Empty lines may stand before it. */
	do
		if (!http1_line_next(&bytes, &len, &line))
			return is;
	while (!line.len && len);
	if (is == RECOGNIZED_NOT)
		return recognize_any(line, true);
	if (is == RECOGNIZED && !http1_line_request(line).has_version && !is_of_0_9(line))
		return RECOGNIZED_NOT;
	return is;
}

/* Of a line that is cut it is not known whether it has a version. */
static enum http1_methods methods_of(struct http1_line line, enum http1_place place)
{
	if (place == HTTP1_UNSURE && !line.is_cut)
		return HTTP1_WORDS;
	return place == HTTP1_SYNCED ? HTTP1_TOKENS : HTTP1_CAPITALS;
}

/* Where it is not sure that a message begins, its version says so: who has asked with one does not go on with HTTP/0.9. */
enum recognition http1_begin_of_line(struct http1_line line, bool is_whole, enum http1_place place)
{
	enum recognition is = http1_line_recognize(line.s, line.len, methods_of(line, place));

	if (is == RECOGNIZED_NOT && place != HTTP1_UNSURE)
		return recognize_any(line, is_whole);
	if (is != RECOGNIZED || place != HTTP1_UNSURE || line.is_cut)
		return is;
	if (!is_whole)
		return RECOGNIZED_MAYBE;
	return http1_line_request(line).has_version ? RECOGNIZED : RECOGNIZED_NOT;
}
