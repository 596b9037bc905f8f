/* SPDX-License-Identifier: Apache-2.0 */
/*
 * u8 flags (1: addresses of 4 bytes, 2: the unit has a directory) | u8 length of .debug_line_str | these bytes |
 * .debug_line: every table that is found in it answers, the same when asked again.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/cursor.h"
#include "symbolizer/line_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NR_ADDRS 64

static void check_table(struct line_table *t, uint64_t addr)
{
	uint64_t file, again;
	uint32_t line, line_again;

	if (!line_table_find(t, addr, &file, &line))
		return;
	assert(line_table_find(t, addr, &again, &line_again));
	assert(file == again && line == line_again && line <= INT32_MAX);
	assert(line_table_file(t, file) == line_table_file(t, file));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t flags = cursor_u8(&c), len = cursor_u8(&c);
	const void *strings = cursor_take(&c, len);
	struct line_sections s = { .line_str = { strings, strings ? len : 0 } };
	uint64_t off, i;

	if (c.failed)
		return 0;
	s.line = (struct line_section){ c.at, cursor_left(&c) };
	for (off = 0; off < s.line.len; off += line_table_bytes(&s, off) + 4) {
		struct line_table *t = line_table_new(&s, off, flags & 1 ? 4 : 8, flags & 2 ? "/src" : NULL);

		for (i = 0; t && i < NR_ADDRS; i++) {
			check_table(t, 0x1000 + i * i);
			check_table(t, UINT64_MAX - i);
		}
		line_table_free(t);
	}
	return 0;
}
