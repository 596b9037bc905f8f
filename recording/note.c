/* SPDX-License-Identifier: Apache-2.0 */
#include "recording/note.h"

bool note_parse_marker(struct cursor c, struct note_marker *ret)
{
	struct note_marker m;

	m.id = cursor_u32(&c);
	m.flags = cursor_u32(&c);
	m.spec = cursor_str(&c);
	m.name = cursor_str(&c);
	if (c.failed)
		return false;
	*ret = m;
	return true;
}

bool note_parse_file(struct cursor c, struct note_file *ret)
{
	struct note_file f = { 0 };

	f.id = cursor_u32(&c);
	f.kind = cursor_u32(&c);
	f.pid = cursor_u32(&c);
	f.size = cursor_u64(&c);
	f.off = cursor_u64(&c);
	f.build_id.len = cursor_u8(&c);
	if (f.build_id.len > BUILD_ID_MAX)
		return false;
	cursor_copy(&c, f.build_id.bytes, f.build_id.len);
	f.path = cursor_str(&c);
	f.chunk_len = cursor_u32(&c);
	f.chunk = cursor_take(&c, f.chunk_len);
	if (c.failed || f.off > f.size || f.chunk_len > f.size - f.off)
		return false;
	*ret = f;
	return true;
}

bool note_parse_function(struct cursor c, struct note_function *ret)
{
	struct note_function f = { 0 };

	f.id = cursor_u32(&c);
	f.flags = cursor_u32(&c);
	f.pid = cursor_u32(&c);
	f.line = cursor_u32(&c);
	f.off = cursor_u64(&c);
	f.build_id.len = cursor_u8(&c);
	if (f.build_id.len > BUILD_ID_MAX)
		return false;
	cursor_copy(&c, f.build_id.bytes, f.build_id.len);
	f.file = cursor_str(&c);
	f.name = cursor_str(&c);
	if (c.failed)
		return false;
	*ret = f;
	return true;
}

/* An empty key ends the list; so does a list that was cut. */
static bool next_key(struct cursor *payload, const char **ret_key)
{
	const char *key = cursor_str(payload);

	if (payload->failed || !*key)
		return false;
	*ret_key = key;
	return true;
}

bool note_next_info(struct cursor *payload, const char **ret_key, const char **ret_value)
{
	const char *key, *value;

	if (!next_key(payload, &key))
		return false;
	value = cursor_str(payload);
	if (payload->failed)
		return false;
	*ret_key = key;
	*ret_value = value;
	return true;
}

bool note_next_tally(struct cursor *payload, const char **ret_key, uint64_t *ret_count)
{
	const char *key;
	uint64_t count;

	if (!next_key(payload, &key))
		return false;
	count = cursor_u64(payload);
	if (payload->failed)
		return false;
	*ret_key = key;
	*ret_count = count;
	return true;
}

bool note_next_node(struct cursor *payload, struct note_node *ret)
{
	struct note_node n;

	n.node = cursor_u32(payload);
	if (payload->failed || !n.node)
		return false;
	n.parent = cursor_u32(payload);
	n.function = cursor_u32(payload);
	if (payload->failed)
		return false;
	*ret = n;
	return true;
}
