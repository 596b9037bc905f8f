/* SPDX-License-Identifier: Apache-2.0 */
/* Callers computed by hand: one table for each processor, apart from the one that runs the test. */
#include <check.h>

#include "base/alloc.h"
#include "unwinder/rule.h"

Suite *check_rule_suite(void);

/* The copied stack: words from STACK on. */
enum { STACK = 0x7000, NR_WORDS = 16, PC = 0x401000 };
enum { RBX = 3, RBP = 6, RSP = 7, RIP = 16, X19 = 19, FP = 29, LR = 30, SP = 31 };

#define BIT(n) (1ULL << (n))
#define X86_KEPT 0xf048ULL
#define ARM_KEPT 0x7ff80000ULL

struct reg {
	uint8_t reg;
	uint64_t value;
};

struct rule_case {
	const char *arch;
	struct rule rule;
	struct reg regs[5];		/* before; those not given are not known. The last has value 0 */
	uint64_t words[NR_WORDS];	/* of the stack */
	size_t nr_words;		/* 0: all */
	bool is_cut;
	enum unwind_stop stop;
	bool is_outermost;
	uint64_t pc;			/* after */
	struct reg want[5];
	uint64_t unknown;		/* after: bit n: register n */
};

#define X86_SAVED(...) .kind = RULE_CFA, .ra = RIP, .saved = { __VA_ARGS__ }
#define RETURN_AT(w) { (w), RIP, 0 }

static const struct rule_case cases[] = {
	/* at a function's first instruction: nothing but the return address was pushed */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED(RETURN_AT(-1)), .nr_saved = 1, .cfa_reg = RSP, .cfa_off = 8, .kept = X86_KEPT },
	  .regs = { { RSP, STACK }, { RBP, 0x7050 }, { RBX, 0xb } },
	  .words = { 0x402000 },
	  .pc = 0x402000,
	  .want = { { RSP, STACK + 8 }, { RBP, 0x7050 }, { RBX, 0xb } } },
	/* behind push %rbp */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED({ -2, RBP, 0 }, RETURN_AT(-1)), .nr_saved = 2, .cfa_reg = RSP, .cfa_off = 16,
		    .kept = X86_KEPT & ~BIT(RBP) },
	  .regs = { { RSP, STACK }, { RBP, 0x7050 }, { RBX, 0xb } },
	  .words = { 0x7060, 0x402000 },
	  .pc = 0x402000,
	  .want = { { RSP, STACK + 16 }, { RBP, 0x7060 }, { RBX, 0xb } } },
	/* behind mov %rsp, %rbp; push %rbx; sub $8, %rsp */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED({ -3, RBX, 0 }, { -2, RBP, 0 }, RETURN_AT(-1)), .nr_saved = 3, .cfa_reg = RBP,
		    .cfa_off = 16, .kept = 0xf000 },
	  .regs = { { RSP, STACK }, { RBP, STACK + 16 }, { RBX, 0xb } },
	  .words = { 0, 0xbb, 0x7060, 0x402000 },
	  .pc = 0x402000,
	  .want = { { RSP, STACK + 32 }, { RBP, 0x7060 }, { RBX, 0xbb } },
	  .unknown = BIT(0) },
	/* leave; ret: before ret, rbp has its value back, and its slot lies below the stack pointer */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED({ -2, RBP, 0 }, RETURN_AT(-1)), .nr_saved = 2, .cfa_reg = RSP, .cfa_off = 8,
		    .kept = X86_KEPT & ~BIT(RBP) },
	  .regs = { { RSP, STACK }, { RBP, 0x7060 } },
	  .words = { 0x402000 },
	  .pc = 0x402000,
	  .want = { { RSP, STACK + 8 }, { RBP, 0x7060 } },
	  .unknown = BIT(RBX) },
	/* the same, of a register that was not known: it stays so */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED({ -2, RBX, 0 }, RETURN_AT(-1)), .nr_saved = 2, .cfa_reg = RSP, .cfa_off = 8,
		    .kept = X86_KEPT & ~BIT(RBX) },
	  .regs = { { RSP, STACK } },
	  .words = { 0x402000 },
	  .pc = 0x402000,
	  .want = { { RSP, STACK + 8 } },
	  .unknown = BIT(RBX) },
	/* no rule for the return address: _start */
	{ .arch = "x86_64",
	  .rule = { .kind = RULE_CFA, .ra = RIP, .cfa_reg = RSP, .cfa_off = 8, .kept = X86_KEPT },
	  .regs = { { RSP, STACK } },
	  .is_outermost = true,
	  .pc = PC },
	/* a return address of 0 */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED(RETURN_AT(-1)), .nr_saved = 1, .cfa_reg = RSP, .cfa_off = 8 },
	  .regs = { { RSP, STACK } },
	  .is_outermost = true,
	  .pc = PC },
	/* a register saved outside of the copy is lost, and the walk goes on */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED({ 100, RBX, 0 }, RETURN_AT(-1)), .nr_saved = 2, .cfa_reg = RSP, .cfa_off = 8 },
	  .regs = { { RSP, STACK }, { RBX, 0xb } },
	  .words = { 0x402000 },
	  .pc = 0x402000,
	  .unknown = BIT(RBX) },
	/* the return address outside of it: there was more stack than was copied, or there was not */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED(RETURN_AT(-1)), .nr_saved = 1, .cfa_reg = RSP, .cfa_off = 8 * NR_WORDS + 8 },
	  .regs = { { RSP, STACK } },
	  .is_cut = true,
	  .stop = UNWIND_STOP_SHORT },
	{ .arch = "x86_64",
	  .rule = { X86_SAVED(RETURN_AT(-1)), .nr_saved = 1, .cfa_reg = RSP, .cfa_off = 8 * NR_WORDS + 8 },
	  .regs = { { RSP, STACK } },
	  .stop = UNWIND_STOP_BAD_STACK },
	/* half of it in the copy */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED(RETURN_AT(-1)), .nr_saved = 1, .cfa_reg = RSP, .cfa_off = 8 * NR_WORDS + 4 },
	  .regs = { { RSP, STACK } },
	  .is_cut = true,
	  .stop = UNWIND_STOP_SHORT },
	/* below all of the copy no more stack would have helped */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED(RETURN_AT(-1)), .nr_saved = 1, .cfa_reg = RSP, .cfa_off = 0 },
	  .regs = { { RSP, STACK } },
	  .is_cut = true,
	  .stop = UNWIND_STOP_BAD_STACK },
	/* the CFA by a register that is not known */
	{ .arch = "x86_64",
	  .rule = { X86_SAVED(RETURN_AT(-1)), .nr_saved = 1, .cfa_reg = RBP, .cfa_off = 16 },
	  .regs = { { RSP, STACK } },
	  .stop = UNWIND_STOP_BAD_RULE },
	{ .arch = "x86_64", .rule = { .kind = RULE_BAD }, .regs = { { RSP, STACK } }, .stop = UNWIND_STOP_BAD_RULE },
	{ .arch = "x86_64", .rule = { .kind = RULE_NONE }, .regs = { { RSP, STACK } }, .stop = UNWIND_STOP_NO_RULE },
	/* a leaf: the return address is still in its register */
	{ .arch = "aarch64",
	  .rule = { .kind = RULE_CFA, .ra = LR, .cfa_reg = SP, .kept = ARM_KEPT },
	  .regs = { { SP, STACK }, { LR, 0x402000 }, { FP, 0x7050 } },
	  .pc = 0x402000,
	  .want = { { SP, STACK }, { FP, 0x7050 }, { LR, 0x402000 } } },
	/* stp x29, x30, [sp, -32]!; mov x29, sp; str x19, [sp, 16] */
	{ .arch = "aarch64",
	  .rule = { .kind = RULE_CFA, .ra = LR, .cfa_reg = FP, .cfa_off = 32, .nr_saved = 3,
		    .saved = { { -4, FP, 0 }, { -3, LR, 0 }, { -2, X19, 0 } },
		    .kept = ARM_KEPT & ~(BIT(FP) | BIT(LR) | BIT(X19)) },
	  .regs = { { SP, STACK }, { FP, STACK }, { LR, 0x1111 }, { X19, 1 } },
	  .words = { 0x7060, 0x402000, 0x19 },
	  .pc = 0x402000,
	  .want = { { SP, STACK + 32 }, { FP, 0x7060 }, { LR, 0x402000 }, { X19, 0x19 } } },
	/* signed: what is above the address is taken off */
	{ .arch = "aarch64",
	  .rule = { .kind = RULE_CFA, .ra = LR, .cfa_reg = SP, .cfa_off = 16, .nr_saved = 1,
		    .saved = { { -1, LR, 0 } } },
	  .regs = { { SP, STACK } },
	  .words = { 0, 0x2a7f000000402000 },
	  .pc = 0x402000,
	  .want = { { SP, STACK + 16 } } },
	/* a signature, and no address */
	{ .arch = "aarch64",
	  .rule = { .kind = RULE_CFA, .ra = LR, .cfa_reg = SP, .kept = ARM_KEPT },
	  .regs = { { SP, STACK }, { LR, 0x2a7f000000000000 } },
	  .is_outermost = true,
	  .pc = PC },
};

struct world {
	const struct unwind_arch *arch;
	struct regs regs;
	struct stack_copy stack;
};

static struct world world_of(const struct rule_case *k)
{
	struct world w = { .arch = unwind_arch_find(k->arch), .regs = { .pc = PC } };
	size_t i;

	ck_assert_ptr_nonnull(w.arch);
	for (i = 0; i < ARRAY_LEN(k->regs); i++)
		if (k->regs[i].value)
			regs_set(&w.regs, k->regs[i].reg, k->regs[i].value);
	w.stack = (struct stack_copy){ STACK, (const uint8_t *)k->words,
				       8 * (k->nr_words ? k->nr_words : NR_WORDS), k->is_cut };
	return w;
}

static void check_after(const struct rule_case *k, const struct world *w, enum unwind_stop stop, bool is_outermost)
{
	uint64_t value;
	size_t i;

	ck_assert_int_eq(stop, k->stop);
	if (stop != UNWIND_STOP_ROOT)
		return;
	ck_assert_int_eq(is_outermost, k->is_outermost);
	ck_assert_uint_eq(w->regs.pc, k->pc);
	for (i = 0; i < ARRAY_LEN(k->want); i++)
		if (k->want[i].value) {
			ck_assert(regs_get(&w->regs, k->want[i].reg, &value));
			ck_assert_uint_eq(value, k->want[i].value);
		}
	ck_assert_uint_eq(w->regs.known & k->unknown, 0);
}

START_TEST(rule_gives_hand_computed_caller)
{
	struct world w = world_of(&cases[_i]);
	bool is_outermost = false;
	enum unwind_stop stop = rule_step(&cases[_i].rule, w.arch, &w.regs, &w.stack, &is_outermost);

	check_after(&cases[_i], &w, stop, is_outermost);
}
END_TEST

/* *fp is the caller's, above it the return address. */
static const struct rule_case by_frame_pointer[] = {
	{ .arch = "x86_64",
	  .regs = { { RSP, STACK }, { RBP, STACK + 16 }, { RBX, 0xb } },
	  .words = { 0, 0, 0x7060, 0x402000 },
	  .pc = 0x402000,
	  .want = { { RSP, STACK + 32 }, { RBP, 0x7060 } },
	  .unknown = BIT(RBX) },
	{ .arch = "aarch64",
	  .regs = { { SP, STACK }, { FP, STACK } },
	  .words = { 0x7060, 0x007f000000402000 },
	  .pc = 0x402000,
	  .want = { { SP, STACK + 16 }, { FP, 0x7060 } },
	  .unknown = BIT(LR) },
	/* return address of 0 */
	{ .arch = "x86_64", .regs = { { RSP, STACK }, { RBP, STACK } }, .is_outermost = true, .pc = PC },
	/* no frame pointer is known; below the stack pointer; unaligned; no stack */
	{ .arch = "x86_64", .regs = { { RSP, STACK } }, .stop = UNWIND_STOP_NO_RULE },
	{ .arch = "x86_64", .regs = { { RSP, STACK }, { RBP, STACK - 8 } }, .stop = UNWIND_STOP_NO_RULE },
	{ .arch = "x86_64", .regs = { { RSP, STACK }, { RBP, STACK + 12 } }, .stop = UNWIND_STOP_NO_RULE },
	{ .arch = "x86_64", .regs = { { RSP, STACK }, { RBP, STACK + 0x1000 } }, .stop = UNWIND_STOP_NO_RULE },
	{ .arch = "x86_64", .regs = { { RSP, STACK }, { RBP, STACK + 0x1000 } }, .is_cut = true,
	  .stop = UNWIND_STOP_SHORT },
	/* the caller's frame pointer is the copy's last word */
	{ .arch = "x86_64", .regs = { { RSP, STACK }, { RBP, STACK + 8 * NR_WORDS - 8 } }, .is_cut = true,
	  .stop = UNWIND_STOP_SHORT },
	{ .arch = "x86_64", .regs = { { RSP, STACK }, { RBP, UINT64_MAX - 7 } }, .stop = UNWIND_STOP_NO_RULE },
};

START_TEST(frame_pointer_gives_hand_computed_caller)
{
	struct world w = world_of(&by_frame_pointer[_i]);
	bool is_outermost = false;
	enum unwind_stop stop = rule_step_by_frame_pointer(w.arch, &w.regs, &w.stack, &is_outermost);

	check_after(&by_frame_pointer[_i], &w, stop, is_outermost);
}
END_TEST

START_TEST(frame_pointer_of_0_ends_the_list)
{
	static const uint8_t bytes[64];
	const struct unwind_arch *arch = unwind_arch_find("x86_64");
	struct stack_copy stack = { STACK, bytes, sizeof(bytes), false };
	struct regs regs = { .pc = PC };
	bool is_outermost = false;

	regs_set(&regs, RSP, STACK);
	regs_set(&regs, RBP, 0);
	ck_assert_int_eq(rule_step_by_frame_pointer(arch, &regs, &stack, &is_outermost), UNWIND_STOP_ROOT);
	ck_assert(is_outermost);
	ck_assert_uint_eq(regs.pc, PC);
}
END_TEST

/* ---- registers as the kernel writes them ---- */

START_TEST(registers_of_a_sample_are_numbered_anew)
{
	const struct unwind_arch *arch = unwind_arch_find(_i ? "aarch64" : "x86_64");
	uint8_t bytes[1 + 8 * 64] = { 0 };
	uint64_t mask = arch->perf_mask, nr = 0, value;
	struct regs regs;
	unsigned int perf;

	for (perf = 0; perf < 64; perf++)
		if (mask >> perf & 1) {
			value = 0x1000 + perf;
			memcpy(bytes + 1 + 8 * nr++, &value, sizeof(value));
		}
	ck_assert(regs_of_perf(arch, mask, bytes + 1, nr, &regs));
	for (perf = 0; perf < arch->nr_perf_regs; perf++) {
		uint8_t reg = arch->perf_to_dwarf[perf];

		if (reg == UNWIND_PC)
			ck_assert_uint_eq(regs.pc, 0x1000 + perf);
		else if (reg != UNWIND_NO_REG)
			ck_assert(regs_get(&regs, reg, &value) && value == 0x1000 + perf);
	}
	/* the stack pointer or the program counter is missing; words are */
	ck_assert(!regs_of_perf(arch, mask & (_i ? ~BIT(31) : ~BIT(7)), bytes + 1, nr - 1, &regs));
	ck_assert(!regs_of_perf(arch, mask & (_i ? ~BIT(32) : ~BIT(8)), bytes + 1, nr - 1, &regs));
	ck_assert(!regs_of_perf(arch, mask, bytes + 1, 3, &regs));
	ck_assert(!regs_of_perf(arch, 0, bytes + 1, 0, &regs));
	/* numbers that are none of ours are passed over */
	ck_assert(regs_of_perf(arch, mask | BIT(63), bytes + 1, nr + 1, &regs));
}
END_TEST

Suite *check_rule_suite(void)
{
	Suite *s = suite_create("rule");
	TCase *tc = tcase_create("rule");

	tcase_add_loop_test(tc, rule_gives_hand_computed_caller, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, frame_pointer_gives_hand_computed_caller, 0, ARRAY_LEN(by_frame_pointer));
	tcase_add_test(tc, frame_pointer_of_0_ends_the_list);
	tcase_add_loop_test(tc, registers_of_a_sample_are_numbered_anew, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
