/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are an ELF file: every address has a rule, the same when asked again, that can be stepped by. */
#include <assert.h>
#include <stdint.h>

#include "unwinder/cfi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NR_ADDRS 128

static void check_rule(const struct cfi *c, const struct rule *rule)
{
	static const uint8_t bytes[256];
	const struct unwind_arch *arch = cfi_arch(c);
	struct stack_copy stack = { .start = 0x7000, .bytes = bytes, .len = sizeof(bytes) };
	struct regs regs = { .pc = 0x1000, .known = (1ULL << arch->nr_regs) - 1 };
	bool is_outermost;

	assert(rule->kind <= RULE_BAD);
	assert(rule->kind != RULE_CFA || rule->nr_saved <= RULE_MAX_SAVED);
	regs.value[arch->sp] = stack.start;
	assert(rule_step(rule, arch, &regs, &stack, &is_outermost) < UNWIND_NR_STOPS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e;
	struct cfi *c = cfi_open_image(data, size, &e);
	uint64_t vaddr, i;

	if (!c)
		return 0;
	for (i = 0; i < NR_ADDRS; i++)
		if (cfi_vaddr(c, 0x1000 + i * (i < 64 ? 1 : i), &vaddr)) {
			const struct rule *rule = cfi_rule(c, vaddr);

			check_rule(c, rule);
			assert(cfi_rule(c, vaddr) == rule);
		}
	check_rule(c, cfi_rule(c, UINT64_MAX));
	check_rule(c, cfi_rule(c, 0));
	cfi_free(c);
	return 0;
}
