/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are a memory map: every line is an entry or a bad line, and entries make sense. */
#include <assert.h>
#include <stdint.h>

#include "collector/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t nr_lines = size && data[size - 1] != '\n', i;
	struct maps m = { 0 };

	for (i = 0; i < size; i++)
		nr_lines += data[i] == '\n';
	maps_parse(&m, (const char *)data, size);
	assert(m.entries.nr + m.nr_bad_lines == nr_lines);
	vec_each(&m.entries, e) {
		assert(e->start < e->end);
		assert(strlen(e->path) < size);
		maps_find(&m, e->start);
	}
	maps_release(&m);
	return 0;
}
