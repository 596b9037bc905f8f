/* SPDX-License-Identifier: Apache-2.0 */
/* Walks through a process that is a table: two modules with unwind info, one without, code without a file. */
#include <check.h>

#include "tests/cfi_image.h"
#include "tests/unwind_referee.h"
#include "unwinder/unwind.h"

Suite *check_unwind_suite(void);

enum {
	STACK = 0x7000,
	NR_WORDS = 4096,
	AT = CFI_IMAGE_TEXT,
	/* Where things are mapped. */
	A = 0x100000, B = 0x200000, NO_CFI = 0x300000, JIT = 0x400000, BYTES_EACH = 0x1000,
	/* In A and B: pushes nothing, 16 bytes, has rbp as frame pointer, is the outermost, a signal's frame. */
	LEAF = 0x00, PUSHES = 0x40, FRAMED = 0x80, START = 0xc0, SIGNAL = 0x100, DOWN = 0x140,
	RBP = 6, RSP = 7,
};

struct world {
	struct cfi_image image;
	struct cfi *cfi;
	struct unwinder *unwinder;
	struct unwind_space space;
	struct unwind_frames frames;
	struct regs regs;
	uint64_t words[NR_WORDS];
	struct stack_copy stack;
	unsigned int nr_finds;
	bool is_unmapped;	/* B is */
	uint64_t hidden_slot, hidden_addr;
};

static bool find_code(void *ctx, uint64_t addr, struct unwind_code *ret)
{
	struct world *w = ctx;
	uint64_t base = addr / 0x100000 * 0x100000;

	w->nr_finds++;
	if (addr - base >= BYTES_EACH || base < A || base > JIT || (base == B && w->is_unmapped))
		return false;
	ret->cfi = base == A || base == B ? w->cfi : NULL;
	ret->vaddr = AT + (addr - base);
	return true;
}

static bool find_original(void *ctx, uint64_t slot, uint64_t *ret_addr)
{
	const struct world *w = ctx;

	if (slot == w->hidden_slot)
		*ret_addr = w->hidden_addr;
	return slot == w->hidden_slot;
}

static void build(struct cfi_image *i)
{
	cfi_image_cie(i, "zR", BYTES("\x0c\7\x08\x90\1"));
	cfi_image_fde(i, AT + LEAF, 0x20, BYTES(""));
	cfi_image_fde(i, AT + PUSHES, 0x20, BYTES("\x0e\x18"));
	cfi_image_fde(i, AT + FRAMED, 0x20, BYTES("\x0c\6\x10\x86\2"));
	cfi_image_fde(i, AT + START, 0x20, BYTES("\7\x10"));
	cfi_image_fde(i, AT + DOWN, 0x20, BYTES("\x13\2"));
	cfi_image_cie(i, "zRS", BYTES("\x0f\3\x77\x08\6\x10\x10\2\x77\0"));
	/* its CFA is the second word of the stack, the pc the first */
	cfi_image_fde(i, AT + SIGNAL, 0x20, BYTES(""));
	cfi_image_finish(i);
}

static void set_up(struct world *w)
{
	const struct unwind_arch *arch = unwind_arch_find("x86_64");
	struct err e;

	*w = (struct world){ .unwinder = unwinder_new(arch) };
	build(&w->image);
	w->cfi = cfi_open_image(w->image.file.s, w->image.file.len, &e);
	ck_assert_ptr_nonnull(w->cfi);
	w->space = (struct unwind_space){ w, find_code, NULL, 1 };
	w->stack = (struct stack_copy){ STACK, (const uint8_t *)w->words, sizeof(w->words), false };
}

static void tear_down(struct world *w)
{
	vec_release(&w->frames.at);
	unwinder_free(w->unwinder);
	cfi_free(w->cfi);
	cfi_image_release(&w->image);
}

static enum unwind_stop walk(struct world *w, uint64_t pc, uint64_t rbp)
{
	w->regs = (struct regs){ .pc = pc };
	regs_set(&w->regs, RSP, STACK);
	regs_set(&w->regs, RBP, rbp);
	return unwind(w->unwinder, &w->space, &w->regs, &w->stack, &w->frames);
}

/* By FRAME(). */
static void expect(const struct world *w, const uint64_t *want, size_t nr)
{
	size_t i;

	ck_assert_uint_eq(w->frames.at.nr, nr);
	for (i = 0; i < nr; i++) {
		const struct unwind_frame *f = &w->frames.at.at[i];

		ck_assert_uint_eq(f->addr << 2 | f->is_return | (uint64_t)f->is_guessed << 1, want[i]);
	}
}

#define FRAME(addr, flags) ((uint64_t)(addr) << 2 | (flags))
#define EXPECT(w, ...)                                                                             \
	expect((w), (const uint64_t[]){ __VA_ARGS__ },                                             \
	       sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))
#define CALL	1
#define GUESSED 2

START_TEST(chain_goes_over_modules)
{
	struct world w;

	set_up(&w);
	w.words[0] = B + PUSHES + 8;
	w.words[3] = A + FRAMED + 8;
	w.words[5] = 0x7777;
	w.words[6] = A + START + 8;
	ck_assert_int_eq(walk(&w, A + LEAF, STACK + 40), UNWIND_STOP_ROOT);
	EXPECT(&w, FRAME(A + LEAF, 0), FRAME(B + PUSHES + 8, CALL), FRAME(A + FRAMED + 8, CALL), FRAME(A + START + 8, CALL));
	ck_assert_uint_eq(unwinder_tally(w.unwinder)->nr_stops[UNWIND_STOP_ROOT], 1);
	ck_assert_uint_eq(unwinder_tally(w.unwinder)->nr_frames, 4);
	ck_assert_uint_eq(unwinder_tally(w.unwinder)->nr_guessed, 0);
	tear_down(&w);
}
END_TEST

/* A call that does not return is a function's last: its return address is another function's. */
START_TEST(return_address_belongs_to_the_call_before_it)
{
	struct world w;

	set_up(&w);
	w.words[0] = A + PUSHES + 0x20;
	w.words[3] = A + START + 8;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_ROOT);
	EXPECT(&w, FRAME(A + LEAF, 0), FRAME(A + PUSHES + 0x20, CALL), FRAME(A + START + 8, CALL));
	tear_down(&w);
}
END_TEST

START_TEST(code_without_rules_has_frame_pointers)
{
	const uint64_t base = _i ? JIT : NO_CFI;
	struct world w;

	set_up(&w);
	w.words[4] = STACK + 64;
	w.words[5] = base + 0x20;
	w.words[8] = 0x5555;
	w.words[9] = A + START + 8;
	ck_assert_int_eq(walk(&w, base + 0x10, STACK + 32), UNWIND_STOP_ROOT);
	EXPECT(&w, FRAME(base + 0x10, 0), FRAME(base + 0x20, CALL | GUESSED), FRAME(A + START + 8, CALL | GUESSED));
	ck_assert_uint_eq(unwinder_tally(w.unwinder)->nr_guessed, 2);
	/* a frame pointer that is none; one that leads to no code: it was none either */
	ck_assert_int_eq(walk(&w, base + 0x10, 3), UNWIND_STOP_NO_RULE);
	EXPECT(&w, FRAME(base + 0x10, 0));
	w.words[5] = 0x1234;
	ck_assert_int_eq(walk(&w, base + 0x10, STACK + 32), UNWIND_STOP_NO_RULE);
	EXPECT(&w, FRAME(base + 0x10, 0));
	tear_down(&w);
}
END_TEST

/* Frame pointers end with 0 in the outermost frame; where code was interrupted, 0 is a register that is not used. */
START_TEST(a_frame_pointer_of_0_is_the_end_behind_a_call)
{
	const uint64_t base = _i ? JIT : NO_CFI;
	struct world w;

	set_up(&w);
	ck_assert_int_eq(walk(&w, base + 0x10, 0), UNWIND_STOP_NO_RULE);
	EXPECT(&w, FRAME(base + 0x10, 0));
	w.words[0] = base + 0x20;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_ROOT);
	EXPECT(&w, FRAME(A + LEAF, 0), FRAME(base + 0x20, CALL));
	/* a signal came in there */
	w.words[0] = base + 0x20;
	w.words[1] = STACK + 64;
	ck_assert_int_eq(walk(&w, A + SIGNAL + 4, 0), UNWIND_STOP_NO_RULE);
	EXPECT(&w, FRAME(A + SIGNAL + 4, 0), FRAME(base + 0x20, 0));
	w.words[5] = base + 0x20;
	ck_assert_int_eq(walk(&w, base + 0x10, STACK + 32), UNWIND_STOP_ROOT);
	EXPECT(&w, FRAME(base + 0x10, 0), FRAME(base + 0x20, CALL | GUESSED));
	tear_down(&w);
}
END_TEST

START_TEST(return_address_outside_of_code_is_no_frame)
{
	struct world w;

	set_up(&w);
	w.words[0] = 0x999000;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_NO_CODE);
	EXPECT(&w, FRAME(A + LEAF, 0));
	/* where the thread stood is no code that is known: the frame pointer is all there is */
	ck_assert_int_eq(walk(&w, 0x999000, 5), UNWIND_STOP_NO_RULE);
	EXPECT(&w, FRAME(0x999000, 0));
	tear_down(&w);
}
END_TEST

START_TEST(a_frame_that_does_not_grow_is_a_loop)
{
	struct world w;

	set_up(&w);
	/* def_cfa_offset_sf: the CFA lies below the stack pointer */
	w.stack.start = STACK - 64;
	w.words[5] = A + DOWN + 8;
	ck_assert_int_eq(walk(&w, A + DOWN, 0), UNWIND_STOP_LOOP);
	EXPECT(&w, FRAME(A + DOWN, 0));
	tear_down(&w);
	/* a frame pointer that points to its own frame */
	set_up(&w);
	w.words[0] = STACK;
	w.words[1] = A + FRAMED + 8;
	ck_assert_int_eq(walk(&w, A + FRAMED, STACK), UNWIND_STOP_LOOP);
	EXPECT(&w, FRAME(A + FRAMED, 0), FRAME(A + FRAMED + 8, CALL));
	tear_down(&w);
}
END_TEST

START_TEST(walks_are_1024_frames_long_at_most)
{
	struct world w;
	size_t i;

	set_up(&w);
	for (i = 0; i < NR_WORDS; i++)
		w.words[i] = A + LEAF + 8;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_TOO_DEEP);
	ck_assert_uint_eq(w.frames.at.nr, UNWIND_MAX_FRAMES);
	w.words[UNWIND_MAX_FRAMES - 2] = A + START + 8;
	ck_assert_int_ne(walk(&w, A + LEAF, 0), UNWIND_STOP_LOOP);
	ck_assert_uint_eq(w.frames.at.nr, UNWIND_MAX_FRAMES);
	w.words[UNWIND_MAX_FRAMES - 3] = A + START + 8;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_ROOT);
	ck_assert_uint_eq(w.frames.at.nr, UNWIND_MAX_FRAMES - 1);
	tear_down(&w);
}
END_TEST

START_TEST(the_copy_of_the_stack_ends)
{
	struct world w;

	set_up(&w);
	w.words[0] = w.words[1] = A + LEAF + 8;
	w.stack.len = 16;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_BAD_STACK);
	w.stack.is_cut = true;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_SHORT);
	EXPECT(&w, FRAME(A + LEAF, 0), FRAME(A + LEAF + 8, CALL), FRAME(A + LEAF + 8, CALL));
	w.stack.len = 0;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_SHORT);
	EXPECT(&w, FRAME(A + LEAF, 0));
	tear_down(&w);
}
END_TEST

/* What a signal came into is no return address: it is looked up where it stands, at a function's first byte. */
START_TEST(signal_interrupts_and_calls_nothing)
{
	struct world w;

	set_up(&w);
	/* a handler's return address: glibc has its trampoline's entry begin one byte before it */
	w.words[0] = A + SIGNAL + 1;
	w.words[1] = A + PUSHES;
	w.words[2] = STACK + 0x100;
	w.words[0x100 / 8 + 2] = A + START + 8;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_ROOT);
	ck_assert_uint_eq(w.frames.at.nr, 4);
	EXPECT(&w, FRAME(A + LEAF, 0), FRAME(A + SIGNAL + 1, 0), FRAME(A + PUSHES, 0), FRAME(A + START + 8, CALL));
	ck_assert(!w.frames.at.at[1].is_return);
	/* from a stack of its own, which lies above, back to the thread's */
	w.words[0] = A + PUSHES;
	w.words[1] = STACK - 0x1000;
	ck_assert_int_eq(walk(&w, A + SIGNAL + 4, 0), UNWIND_STOP_BAD_STACK);
	EXPECT(&w, FRAME(A + SIGNAL + 4, 0), FRAME(A + PUSHES, 0));
	tear_down(&w);
}
END_TEST

/* The kernel's trampoline stands where a return address was: the one that was there is asked for. */
START_TEST(hidden_return_addresses_are_found)
{
	struct world w;

	set_up(&w);
	w.words[0] = 0x999000;
	w.words[1] = A + START + 8;
	w.hidden_slot = STACK;
	w.hidden_addr = B + LEAF + 8;
	w.space.original = find_original;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_ROOT);
	EXPECT(&w, FRAME(A + LEAF, 0), FRAME(B + LEAF + 8, CALL), FRAME(A + START + 8, CALL));
	/* at another slot nothing is known */
	w.hidden_slot = STACK + 8;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_NO_CODE);
	/* an address that leads to code is not asked about */
	w.words[0] = A + START + 8;
	w.hidden_slot = STACK;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_ROOT);
	EXPECT(&w, FRAME(A + LEAF, 0), FRAME(A + START + 8, CALL));
	tear_down(&w);
}
END_TEST

START_TEST(answers_are_kept_until_the_stamp_changes)
{
	struct world w;
	unsigned int nr;

	set_up(&w);
	w.words[0] = B + LEAF + 8;
	w.words[1] = A + START + 8;
	walk(&w, A + LEAF, 0);
	nr = w.nr_finds;
	ck_assert_uint_eq(nr, 3);
	walk(&w, A + LEAF, 0);
	ck_assert_uint_eq(w.nr_finds, nr);
	w.is_unmapped = true;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_ROOT);
	w.space.stamp = 2;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_NO_CODE);
	ck_assert_uint_gt(w.nr_finds, nr);
	w.space.stamp = 3;
	w.is_unmapped = false;
	ck_assert_int_eq(walk(&w, A + LEAF, 0), UNWIND_STOP_ROOT);
	tear_down(&w);
}
END_TEST

START_TEST(tallies_have_keys)
{
	struct unwind_tally t = { 0 }, sum = { 0 };
	const char *key;
	size_t i;

	for (i = 0; i < UNWIND_NR_TALLIES; i++) {
		unwind_tally_get(&t, i, &key);
		unwind_tally_set(&t, key, i + 1);
		ck_assert_uint_eq(unwind_tally_get(&t, i, &key), i + 1);
	}
	unwind_tally_set(&t, "lost", 99);
	unwind_tally_add(&sum, &t);
	unwind_tally_add(&sum, &t);
	for (i = 0; i < UNWIND_NR_TALLIES; i++)
		ck_assert_uint_eq(unwind_tally_get(&sum, i, &key), 2 * (i + 1));
}
END_TEST

Suite *check_unwind_suite(void)
{
	Suite *s = suite_create("unwind");
	TCase *tc = tcase_create("unwind");

	tcase_add_test(tc, chain_goes_over_modules);
	tcase_add_test(tc, return_address_belongs_to_the_call_before_it);
	tcase_add_loop_test(tc, code_without_rules_has_frame_pointers, 0, 2);
	tcase_add_loop_test(tc, a_frame_pointer_of_0_is_the_end_behind_a_call, 0, 2);
	tcase_add_test(tc, return_address_outside_of_code_is_no_frame);
	tcase_add_test(tc, a_frame_that_does_not_grow_is_a_loop);
	tcase_add_test(tc, walks_are_1024_frames_long_at_most);
	tcase_add_test(tc, the_copy_of_the_stack_ends);
	tcase_add_test(tc, signal_interrupts_and_calls_nothing);
	tcase_add_test(tc, hidden_return_addresses_are_found);
	tcase_add_test(tc, answers_are_kept_until_the_stamp_changes);
	tcase_add_test(tc, tallies_have_keys);
	suite_add_tcase(s, tc);
	unwind_referee_add(s);
	return s;
}
