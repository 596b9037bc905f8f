/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are the payload of a note: u8 kind, payload. What is read lies within it. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "recording/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_str(const char *s, const uint8_t *data, size_t size)
{
	const uint8_t *p = (const uint8_t *)s;

	assert(p >= data && p < data + size && p + strlen(s) < data + size);
}

static void check_file(struct cursor c, const uint8_t *data, size_t size)
{
	struct note_file f;

	if (!note_parse_file(c, &f))
		return;
	check_str(f.path, data, size);
	assert(f.build_id.len <= BUILD_ID_MAX);
	assert(f.off <= f.size && f.chunk_len <= f.size - f.off);
	assert(f.chunk >= data && f.chunk_len <= (size_t)(data + size - f.chunk));
}

static void check_function(struct cursor c, const uint8_t *data, size_t size)
{
	struct note_function f;

	if (!note_parse_function(c, &f))
		return;
	check_str(f.file, data, size);
	check_str(f.name, data, size);
	assert(f.build_id.len <= BUILD_ID_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *key, *value;
	struct note_marker m;
	struct note_node n;
	struct cursor c;
	uint64_t count;

	if (size < 1)
		return 0;
	c = cursor_of(data + 1, size - 1);
	switch (data[0]) {
	case NOTE_INFO:
		while (note_next_info(&c, &key, &value)) {
			check_str(key, data, size);
			check_str(value, data, size);
			assert(*key);
		}
		return 0;
	case NOTE_MARKER:
		if (note_parse_marker(c, &m)) {
			check_str(m.spec, data, size);
			check_str(m.name, data, size);
		}
		return 0;
	case NOTE_TALLY:
		while (note_next_tally(&c, &key, &count))
			check_str(key, data, size);
		return 0;
	case NOTE_FUNCTION:
		check_function(c, data, size);
		return 0;
	case NOTE_NODES:
		while (note_next_node(&c, &n))
			assert(n.node);
		return 0;
	default:
		check_file(c, data, size);
		return 0;
	}
}
