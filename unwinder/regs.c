/* SPDX-License-Identifier: Apache-2.0 */
#include "unwinder/regs.h"

bool regs_of_perf(const struct unwind_arch *arch, uint64_t mask, const uint8_t *words, size_t nr_words,
		  struct regs *ret)
{
	bool has_pc = false;
	size_t i = 0;

	ret->known = 0;
	for (; mask && i < nr_words; mask &= mask - 1, i++) {
		unsigned int perf = (unsigned int)__builtin_ctzll(mask);
		uint8_t reg = perf < arch->nr_perf_regs ? arch->perf_to_dwarf[perf] : UNWIND_NO_REG;
		uint64_t value;

		memcpy(&value, words + i * sizeof(value), sizeof(value));
		if (reg == UNWIND_PC) {
			ret->pc = value;
			has_pc = true;
		} else if (reg != UNWIND_NO_REG) {
			regs_set(ret, reg, value);
		}
	}
	return has_pc && ret->known >> arch->sp & 1;
}
