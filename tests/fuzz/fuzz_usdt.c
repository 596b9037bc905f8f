/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are a section of notes, and what they call arguments is read or refused. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "collector/operand.h"
#include "collector/usdt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool any_symbol(void *self, const char *name, size_t len, uint64_t *ret_vaddr)
{
	(void)self;
	*ret_vaddr = (uint64_t)len << 12;
	return name[0] != 'x';
}

static void check_args(const char *list, bool is_fixed)
{
	struct operand_scope scope = { 0x1000, is_fixed, any_symbol, NULL };
	unsigned int nr = operand_count(list), i;

	for (i = 0; i < nr + 2; i++) {
		struct probe_arg a;
		const char *why = operand_parse(list, i, &scope, &a);

		assert(!why == (a.kind != PROBE_ARG_NONE));
		assert(why || (i && i <= nr));
		assert(why || a.size == 1 || a.size == 2 || a.size == 4 || a.size == 8);
		assert(a.kind != PROBE_ARG_REG || a.reg <= 19 * 8);
		assert(a.shift <= 3);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct usdt u = { 0 };

	usdt_parse_notes(&u, data, size, 0x5000);
	vec_each(&u.sites, s)
		check_args(s->args, false);
	usdt_release(&u);
	check_args(text, true);
	free(text);
	return 0;
}
