/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are a program that travelled in a recording, or else, where they do not begin as ELF
 * files do, a perf-PID.map: every address has frames, and asking again gives the same ones.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "symbolizer/symbolizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NR_ADDRS 256
#define PID	 4194304	/* beyond the kernel's PID_MAX_LIMIT: no map of its own in /tmp */

static void check_frames(const struct strings *strings, const struct frame *frames, size_t nr)
{
	size_t i;

	assert(nr);
	for (i = 0; i < nr; i++) {
		assert(frames[i].is_inlined == (i + 1 < nr));
		strings_text(strings, frames[i].function);
		strings_text(strings, frames[i].file);
		strings_text(strings, frames[i].at_file);
		strings_text(strings, frames[i].module);
	}
}

static void resolve(struct symbolizer *s, const struct strings *strings, uint32_t module,
		    uint64_t addr)
{
	const struct frame *frames, *again;
	size_t nr, nr_again;

	symbolizer_resolve(s, module, (struct code_addr){ addr, false }, &frames, &nr);
	check_frames(strings, frames, nr);
	symbolizer_resolve(s, module, (struct code_addr){ addr + 1, true }, &again, &nr_again);
	assert(frames == again && nr == nr_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool is_elf = size >= 4 && !memcmp(data, "\177ELF", 4);
	struct module_key key = { .kind = is_elf ? MODULE_ELF : MODULE_JIT, .path = "fuzz" };
	struct symbolizer_options options = { .no_inline = size & 1 };
	struct strings strings = { 0 };
	struct symbolizer *s = symbolizer_new(&options, &strings);
	uint32_t module;
	uint64_t i;

	log_set_level(LOG_QUIET);
	if (is_elf) {
		symbolizer_add_elf(s, key.path, NULL, 0, data, size);
	} else {
		key.pid = PID;
		symbolizer_add_perf_map(s, PID, data, size);
	}
	module = symbolizer_module(s, &key);
	for (i = 0; i < NR_ADDRS; i++)
		resolve(s, &strings, module, is_elf ? i * size / NR_ADDRS : i * i * i);
	symbolizer_free(s);
	strings_release(&strings);
	return 0;
}
