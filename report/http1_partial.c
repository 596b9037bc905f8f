/* SPDX-License-Identifier: Apache-2.0 */
#include "report/http1_partial.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct http1_partial {
	size_t len, max;
	bool is_cut;
	uint8_t bytes[];
};

void http1_partial_drop(struct http1_partial **p)
{
	free(*p);
	*p = NULL;
}

static void add(struct http1_partial **p, const uint8_t *bytes, size_t len, size_t max)
{
	struct http1_partial *line = *p;
	size_t taken;

	if (!line) {
		*p = line = xmalloc(sizeof(*line) + max);
		*line = (struct http1_partial){ .max = max };
	}
	taken = min_len(len, line->max - line->len);
	memcpy(line->bytes + line->len, bytes, taken);
	line->len += taken;
	line->is_cut |= taken < len;
}

struct http1_line http1_partial_line(const struct http1_partial *p)
{
	return (struct http1_line){ p->bytes, p->len, p->is_cut };
}

bool http1_partial_next(struct http1_partial **p, struct cursor *c, size_t max, struct http1_line *ret_line)
{
	size_t left = cursor_left(c), len;
	const uint8_t *at = cursor_take(c, 0), *nl = memchr(at, '\n', left);

	len = nl ? (size_t)(nl - at) : left;
	cursor_skip(c, nl ? len + 1 : len);
	if (!nl || *p)
		add(p, at, len, max);
	if (!nl)
		return false;
	if (*p)
		*ret_line = http1_partial_line(*p);
	else
		*ret_line = (struct http1_line){ at, min_len(len, max), len > max };
	if (!ret_line->is_cut && ret_line->len && ret_line->s[ret_line->len - 1] == '\r')
		ret_line->len--;
	return true;
}
