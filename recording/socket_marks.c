/* SPDX-License-Identifier: Apache-2.0 */
#include "recording/socket_marks.h"

bool socket_marks_are_in(const struct record *r)
{
	struct cursor c;

	if (r->type != PERF_RECORD_SAMPLE || !r->event || !r->event->is_bpf_output)
		return false;
	c = cursor_of(r->sample.raw, r->sample.raw_len);
	return cursor_u32(&c) == SOCKET_MARK_MAGIC;
}

bool socket_marks_next(struct cursor *c, struct socket_mark *ret_mark, const uint8_t **ret_bytes)
{
	/* What pads a sample is less than a mark. */
	if (cursor_left(c) < sizeof(*ret_mark))
		return false;
	cursor_copy(c, ret_mark, sizeof(*ret_mark));
	*ret_bytes = cursor_take(c, ret_mark->room);
	c->failed |= ret_mark->magic != SOCKET_MARK_MAGIC || ret_mark->len > ret_mark->room ||
		     ret_mark->kind < SOCKET_OPEN;
	return !c->failed;
}
