/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are lines of /proc/kallsyms: where they are in order, the search says what reading them one by one says.
 * Then they have travelled in a recording, and name its kernel's code.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "symbolizer/kallsyms.h"
#include "symbolizer/symbolizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NR_ADDRS = 64 };

static const uint8_t build_id[20] = { 1 };

static bool next_line(char **at, struct kallsyms_line *ret)
{
	bool is_line = kallsyms_parse(*at, ret);

	*at += strcspn(*at, "\n");
	*at += **at == '\n';
	return is_line;
}

/* All are lines, and their addresses do not fall. */
static bool is_in_order(char *text)
{
	struct kallsyms_line line;
	uint64_t last = 0;

	while (*text) {
		if (strchr(" \t\n\v\f\r+-", *text) || !next_line(&text, &line) || line.addr < last)
			return false;
		last = line.addr;
	}
	return true;
}

static void check_find(char *text, size_t len, uint64_t addr)
{
	struct kallsyms_line line, found;
	uint64_t next, want = 0, want_next = UINT64_MAX;
	bool is_found = kallsyms_find(text, len, addr, &found, &next), is_wanted = false;

	if (is_found)
		assert(found.name_len && found.name >= text && found.name + found.name_len <= text + len);
	if (!is_in_order(text))
		return;
	while (*text && want_next == UINT64_MAX) {
		if (!next_line(&text, &line) || !kallsyms_is_function(&line))
			continue;
		if (line.addr > addr) {
			want_next = line.addr;
		} else {
			want = line.addr;
			is_wanted = true;
		}
	}
	assert(is_found == is_wanted);
	assert(!is_found || (found.addr == want && next == want_next));
}

static void check_text(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size), *at = text;
	size_t len = strlen(text), own = kallsyms_own_len(text, len);
	struct kallsyms_line line;
	unsigned int i;

	assert(own <= len && (!own || own == len || text[own - 1] == '\n'));
	kallsyms_address(text, "_stext");
	for (i = 0; i < NR_ADDRS && *at; i++)
		if (next_line(&at, &line)) {
			check_find(text, len, line.addr);
			check_find(text, len, line.addr - 1);
		}
	check_find(text, len, 0);
	check_find(text, len, UINT64_MAX);
	free(text);
}

static void check_travelled(const uint8_t *data, size_t size)
{
	const struct symbolizer_options options = { 0 };
	struct module_key key = { .kind = MODULE_KERNEL, .path = "[kernel]", .build_id = build_id,
				  .build_id_len = sizeof(build_id) };
	struct strings strings = { 0 };
	struct symbolizer *s = symbolizer_new(&options, &strings);
	char *text = xstrndup((const char *)data, size);
	uint32_t module;
	uint64_t i;

	key.kernel_start = kallsyms_address(text, "_stext");
	symbolizer_set_self_contained(s);
	symbolizer_add_kallsyms(s, build_id, sizeof(build_id), (const char *)data, size);
	module = symbolizer_module(s, &key);
	for (i = 0; i < NR_ADDRS; i++) {
		const struct frame *frames;
		size_t nr;

		symbolizer_resolve(s, module, (struct code_addr){ key.kernel_start + i * i * 16, false }, &frames, &nr);
		assert(nr == 1 && frames[0].is_kernel);
		strings_text(&strings, frames[0].function);
		strings_text(&strings, frames[0].module);
	}
	symbolizer_free(s);
	strings_release(&strings);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	log_set_level(LOG_QUIET);
	check_text(data, size);
	check_travelled(data, size);
	return 0;
}
