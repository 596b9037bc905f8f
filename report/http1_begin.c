/* SPDX-License-Identifier: Apache-2.0 */
#include "report/http1_begin.h"

/*
 * Servers take more than the RFC has (nginx long methods, gunicorn any target), or answer that they do not: where a
 * request is due, a line of text with a version is one.
 */
static enum recognition recognize_any(struct http1_line line, bool is_whole)
{
	if (!http1_line_is_text(line))
		return RECOGNIZED_NOT;
	if (!is_whole)
		return RECOGNIZED_MAYBE;
	return http1_line_has_version(line) ? RECOGNIZED : RECOGNIZED_NOT;
}

enum recognition http1_begin_of_read(const uint8_t *bytes, size_t len)
{
	enum recognition is = http1_line_recognize(bytes, len, false);
	struct http1_line line;

	if (is == RECOGNIZED_NOT && http1_line_next(&bytes, &len, &line))
		return recognize_any(line, true);
	return is;
}

/* Where it is not sure that a message begins, its version says so: who has asked with one does not go on with HTTP/0.9. */
enum recognition http1_begin_of_line(struct http1_line line, bool is_whole, enum http1_place place)
{
	enum recognition is = http1_line_recognize(line.s, line.len, place == HTTP1_SYNCED);

	if (is == RECOGNIZED_NOT && place != HTTP1_UNSURE)
		return recognize_any(line, is_whole);
	if (is != RECOGNIZED || place != HTTP1_UNSURE || line.is_cut)
		return is;
	if (!is_whole)
		return RECOGNIZED_MAYBE;
	return http1_line_request(line).has_version ? RECOGNIZED : RECOGNIZED_NOT;
}
