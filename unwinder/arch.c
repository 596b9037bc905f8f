/* SPDX-License-Identifier: Apache-2.0 */
#include "unwinder/arch.h"

#include <string.h>

#include "base/alloc.h"

/*
 * arch/x86/include/uapi/asm/perf_regs.h: AX BX CX DX SI DI BP SP IP FLAGS CS SS DS ES FS GS R8 .. R15.
 * The kernel refuses DS to GS of 64-bit tasks.
 */
static const uint8_t x86_64_regs[] = {
	0, 3, 2, 1, 4, 5, 6, 7, UNWIND_PC,
	UNWIND_NO_REG, UNWIND_NO_REG, UNWIND_NO_REG, UNWIND_NO_REG, UNWIND_NO_REG, UNWIND_NO_REG, UNWIND_NO_REG,
	8, 9, 10, 11, 12, 13, 14, 15,
};

/* arch/arm64/include/uapi/asm/perf_regs.h: X0 .. X29, LR, SP, PC. */
static const uint8_t aarch64_regs[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
	28, 29, 30, 31, UNWIND_PC,
};

static const struct unwind_arch arches[] = {
	{
		.name = "x86_64",
		.nr_regs = 17,
		.sp = 7,
		.fp = 6,
		.pc = 16,
		.perf_mask = 0xff01ff,
		.perf_to_dwarf = x86_64_regs,
		.nr_perf_regs = ARRAY_LEN(x86_64_regs),
		.pushes_return = true,
		.callee_saved = 0xf048,		/* rbx, rbp, r12 to r15 */
		.code_mask = UINT64_MAX,
	},
	{
		.name = "aarch64",
		.nr_regs = 32,
		.sp = 31,
		.fp = 29,
		.pc = UNWIND_NO_REG,
		.perf_mask = 0x1ffffffff,
		.perf_to_dwarf = aarch64_regs,
		.nr_perf_regs = ARRAY_LEN(aarch64_regs),
		.callee_saved = 0x7ff80000,	/* x19 to x30 */
		/* Pointer authentication signs the bits above the address: 48 of them are address. */
		.code_mask = (1ULL << 48) - 1,
	},
};

const struct unwind_arch *unwind_arch_find(const char *name)
{
	size_t i;

	if (name && !strcmp(name, "arm64"))
		name = "aarch64";
	for (i = 0; name && i < ARRAY_LEN(arches); i++)
		if (!strcmp(arches[i].name, name))
			return &arches[i];
	return NULL;
}

const struct unwind_arch *unwind_arch_native(void)
{
#if defined(__x86_64__)
	return unwind_arch_find("x86_64");
#elif defined(__aarch64__)
	return unwind_arch_find("aarch64");
#else
	return NULL;
#endif
}
