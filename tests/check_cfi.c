/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/cfi_image.h"
#include "tests/cfi_referee.h"
#include "tests/elf_image.h"
#include "tests/harness.h"
#include "tests/symbolizer_rig.h"
#include "unwinder/cfi.h"

Suite *check_cfi_suite(void);

enum { AT = CFI_IMAGE_TEXT };

/* What CIEs of x86-64 begin with: CFA is rsp + 8, the return address at CFA - 8. */
#define CALLED	 "\x0c\7\x08\x90\1"
#define HUGE_LEB "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"
/* Nobody's number, up to the byte that would end it. */
#define LONG_LEB "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"

static struct cfi *open_image(struct cfi_image *i)
{
	struct err e;
	struct cfi *c;

	cfi_image_finish(i);
	c = cfi_open_image(i->file.s, i->file.len, &e);
	ck_assert_ptr_nonnull(c);
	return c;
}

static void close_image(struct cfi_image *i, struct cfi *c)
{
	cfi_free(c);
	cfi_image_release(i);
}

/* ---- rules of programs ---- */

/* One program from AT on, each of whose rows is 4 bytes of code. */
static const struct program {
	const char *bytes;
	size_t len;
	uint64_t at;
	enum rule_kind kind;
	int32_t cfa_off;
	uint8_t cfa_reg;
	int nr_saved;
	uint64_t kept;
} programs[] = {
	{ BYTES(""), AT, RULE_CFA, 8, 7, 1, 0xf048 },
	{ BYTES(""), AT - 1, RULE_NONE, 0, 0, 0, 0 },
	{ BYTES(""), AT + 63, RULE_CFA, 8, 7, 1, 0xf048 },
	{ BYTES(""), AT + 64 + 12, RULE_NONE, 0, 0, 0, 0 },
	/* push rbp; mov rsp, rbp */
	{ BYTES("\x44\x0e\x10\x86\2\x44\x0d\6"), AT + 3, RULE_CFA, 8, 7, 1, 0xf048 },
	{ BYTES("\x44\x0e\x10\x86\2\x44\x0d\6"), AT + 4, RULE_CFA, 16, 7, 2, 0xf008 },
	{ BYTES("\x44\x0e\x10\x86\2\x44\x0d\6"), AT + 8, RULE_CFA, 16, 6, 2, 0xf008 },
	/* remembered, changed, restored */
	{ BYTES("\x0a\x44\x0e\x20\x83\3\x44\x0b"), AT + 4, RULE_CFA, 32, 7, 2, 0xf040 },
	{ BYTES("\x0a\x44\x0e\x20\x83\3\x44\x0b"), AT + 8, RULE_CFA, 8, 7, 1, 0xf048 },
	/* the CIE's again */
	{ BYTES("\x83\3\x44\xc3"), AT, RULE_CFA, 8, 7, 2, 0xf040 },
	{ BYTES("\x83\3\x44\xc3"), AT + 4, RULE_CFA, 8, 7, 1, 0xf048 },
	/* no return address */
	{ BYTES("\7\x10"), AT, RULE_CFA, 8, 7, 0, 0xf048 },
	/* above the CFA, as GNU had it once; the CFA itself; in another register; further away than words count */
	{ BYTES("\x2f\3\4"), AT, RULE_CFA, 8, 7, 2, 0xf040 },
	{ BYTES("\x14\3\0"), AT, RULE_EQUATIONS, 0, 0, 0, 0xf040 },
	{ BYTES("\x09\3\0"), AT, RULE_EQUATIONS, 0, 0, 0, 0xf040 },
	{ BYTES("\5\3\x80\x80\4"), AT, RULE_EQUATIONS, 0, 0, 0, 0xf040 },
	/* more offset than 32 bits hold, a register that is none of ours */
	{ BYTES("\x0e\x80\x80\x80\x80\x08"), AT, RULE_EQUATIONS, 0, 0, 0, 0xf048 },
	{ BYTES("\x0d\x7f"), AT, RULE_EQUATIONS, 0, 0, 0, 0xf048 },
};

START_TEST(a_program_becomes_a_rule)
{
	const struct program *p = &programs[_i];
	struct cfi_image i = { 0 };
	const struct rule *rule;
	struct cfi *c;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	cfi_image_fde(&i, AT, 64, p->bytes, p->len);
	c = open_image(&i);
	rule = cfi_rule(c, p->at);
	ck_assert_int_eq(rule->kind, p->kind);
	/* Of the others, elfutils has rax kept too: see add_register() in unwinder/cfi.c. */
	ck_assert_uint_eq(rule->kept & ~1ULL, p->kept);
	if (rule->kind == RULE_CFA) {
		ck_assert_int_eq(rule->cfa_off, p->cfa_off);
		ck_assert_uint_eq(rule->cfa_reg, p->cfa_reg);
		ck_assert_int_eq(rule->nr_saved, p->nr_saved);
		ck_assert_uint_eq(rule->ra, 16);
	}
	ck_assert_ptr_eq(cfi_rule(c, p->at), rule);
	close_image(&i, c);
}
END_TEST

START_TEST(equal_rules_are_one)
{
	struct cfi_image i = { 0 };
	struct cfi *c;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	cfi_image_fde(&i, AT, 64, BYTES("\x44\x0e\x10\x44\x0e\x20\x44\x0e\x10"));
	cfi_image_fde(&i, AT + 64, 64, BYTES("\x0e\x10"));
	c = open_image(&i);
	ck_assert_ptr_eq(cfi_rule(c, AT + 4), cfi_rule(c, AT + 12));
	ck_assert_ptr_eq(cfi_rule(c, AT + 4), cfi_rule(c, AT + 64));
	ck_assert_ptr_ne(cfi_rule(c, AT + 4), cfi_rule(c, AT + 8));
	close_image(&i, c);
}
END_TEST

START_TEST(signal_frames_say_so)
{
	struct cfi_image i = { 0 };
	struct cfi *c;

	cfi_image_cie(&i, "zRS", BYTES(CALLED));
	cfi_image_fde(&i, AT, 64, BYTES(""));
	c = open_image(&i);
	ck_assert(cfi_rule(c, AT)->is_signal);
	close_image(&i, c);
}
END_TEST

/* As much as lies between the syscall of clone3() and what is known again, and no more. */
START_TEST(a_gap_has_the_rule_before_it)
{
	struct cfi_image i = { 0 };
	struct cfi *c;
	uint64_t vaddr;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	cfi_image_fde(&i, AT, 16, BYTES("\x0e\x20"));
	cfi_image_fde(&i, AT + 64, 16, BYTES(""));
	c = open_image(&i);
	for (vaddr = AT; vaddr < AT + 80; vaddr++) {
		const struct rule *rule = cfi_rule(c, vaddr);
		bool is_gap = vaddr >= AT + 16 && vaddr < AT + 64, is_near = vaddr < AT + 16 + 12;

		ck_assert_int_eq(rule->is_guess, is_gap && is_near);
		ck_assert_int_eq(rule->kind, is_gap && !is_near ? RULE_NONE : RULE_CFA);
		if (is_near)
			ck_assert_int_eq(rule->cfa_off, 32);
	}
	close_image(&i, c);
}
END_TEST

/* No rule of a neighbour's, and no frame pointer: who is entered has no caller. */
START_TEST(where_a_program_is_entered_is_the_outermost)
{
	struct cfi_image i = { .entry = AT + 20, .machine = _i ? EM_AARCH64 : EM_X86_64 };
	const struct unwind_arch *arch;
	struct cfi *c;
	uint64_t vaddr;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	cfi_image_fde(&i, AT, 16, BYTES("\x0e\x20"));
	cfi_image_fde(&i, AT + 64, 8, BYTES("\x0e\x20"));
	c = open_image(&i);
	arch = cfi_arch(c);
	for (vaddr = AT; vaddr < AT + 128; vaddr++) {
		const struct rule *rule = cfi_rule(c, vaddr);
		bool has_info = vaddr < AT + 16 || (vaddr >= AT + 64 && vaddr < AT + 72);
		struct regs r = { .pc = vaddr, .known = (1ULL << arch->nr_regs) - 1 };
		bool is_outermost = false;

		if (has_info || vaddr < AT + 20 || vaddr >= AT + 84) {
			ck_assert_int_eq(rule->cfa_off, vaddr < AT + 84 ? 32 : 0);
			ck_assert_int_eq(rule->kind, vaddr < AT + 84 ? RULE_CFA : RULE_NONE);
			continue;
		}
		ck_assert(!rule->is_guess);
		ck_assert_int_eq(rule_step(rule, arch, &r, &(struct stack_copy){ 0 }, &is_outermost), UNWIND_STOP_ROOT);
		ck_assert(is_outermost);
	}
	close_image(&i, c);
}
END_TEST

/* What follows a _start that says how far it goes is another function. */
START_TEST(an_entry_with_unwind_info_ends_with_it)
{
	struct cfi_image i = { .entry = AT };
	struct cfi *c;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	cfi_image_fde(&i, AT, 16, BYTES("\7\x10"));
	c = open_image(&i);
	ck_assert(!cfi_rule(c, AT)->is_guess);
	ck_assert(cfi_rule(c, AT + 16)->is_guess);
	ck_assert_int_eq(cfi_rule(c, AT + 32)->kind, RULE_NONE);
	close_image(&i, c);
}
END_TEST

START_TEST(the_table_leads_to_the_same_rules)
{
	struct cfi_image i = { 0 };
	size_t at[3];
	struct cfi *c;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	at[0] = cfi_image_fde(&i, AT + 32, 16, BYTES("\x0e\x20"));
	at[1] = cfi_image_fde(&i, AT, 16, BYTES("\x0e\x10"));
	at[2] = cfi_image_fde(&i, AT + 64, 16, BYTES("\x0e\x30"));
	cfi_image_entry(&i, AT, at[1]);
	cfi_image_entry(&i, AT + 32, at[0]);
	cfi_image_entry(&i, AT + 64, at[2]);
	c = open_image(&i);
	ck_assert_int_eq(cfi_rule(c, AT + 15)->cfa_off, 0x10);
	ck_assert_int_eq(cfi_rule(c, AT + 32)->cfa_off, 0x20);
	ck_assert_int_eq(cfi_rule(c, AT + 79)->cfa_off, 0x30);
	ck_assert_int_eq(cfi_rule(c, AT + 96)->kind, RULE_NONE);
	close_image(&i, c);
}
END_TEST

START_TEST(offsets_are_those_of_code)
{
	struct cfi_image i = { 0 };
	uint64_t vaddr;
	struct cfi *c;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	c = open_image(&i);
	ck_assert(cfi_vaddr(c, CFI_IMAGE_OFF, &vaddr));
	ck_assert_uint_eq(vaddr, AT);
	ck_assert(cfi_vaddr(c, CFI_IMAGE_OFF + CFI_IMAGE_TEXT_BYTES - 1, &vaddr));
	ck_assert(!cfi_vaddr(c, CFI_IMAGE_OFF + CFI_IMAGE_TEXT_BYTES, &vaddr));
	ck_assert(!cfi_vaddr(c, UINT64_MAX, &vaddr));
	ck_assert_str_eq(cfi_arch(c)->name, "x86_64");
	close_image(&i, c);
}
END_TEST

START_TEST(aarch64_has_registers_of_its_own)
{
	struct cfi_image i = { .machine = EM_AARCH64 };
	const struct rule *rule;
	struct cfi *c;

	/* cfa = sp; stp x29, x30, [sp, -32]! */
	cfi_image_cie(&i, "zR", BYTES("\x0c\x1f\0"));
	cfi_image_fde(&i, AT, 64, BYTES("\x44\x0e\x20\x9d\4\x9e\3"));
	c = open_image(&i);
	ck_assert_str_eq(cfi_arch(c)->name, "aarch64");
	rule = cfi_rule(c, AT);
	ck_assert_int_eq(rule->kind, RULE_CFA);
	ck_assert_uint_eq(rule->cfa_reg, 31);
	ck_assert_uint_eq(rule->ra, 30);
	ck_assert_uint_eq(rule->kept & 0x7ff80000, 0x7ff80000);
	rule = cfi_rule(c, AT + 4);
	ck_assert_int_eq(rule->cfa_off, 32);
	ck_assert_int_eq(rule->nr_saved, 2);
	ck_assert_uint_eq(rule->saved[0].reg, 29);
	ck_assert_int_eq(rule->saved[0].word, -4);
	ck_assert_uint_eq(rule->saved[1].reg, 30);
	ck_assert_int_eq(rule->saved[1].word, -3);
	ck_assert_uint_eq(rule->kept & 0x7ff80000, 0x1ff80000);
	close_image(&i, c);
}
END_TEST

/*
 * DW_CFA_AARCH64_negate_ra_state behind paciasp, and before retaa (DWARF for the Arm 64-bit Architecture, section
 * 4.4.1): its number was DW_CFA_GNU_window_save's before, which saves SPARC's registers.
 */
START_TEST(signing_a_return_address_moves_no_register)
{
	struct cfi_image i = { .machine = EM_AARCH64 };
	const struct rule *rule;
	struct cfi *c;

	cfi_image_cie(&i, "zR", BYTES("\x0c\x1f\0"));
	cfi_image_fde(&i, AT, 64, BYTES("\x44\x2d\x44\x0e\x20\x9d\4\x9e\3\x44\x2d"));
	c = open_image(&i);
	rule = cfi_rule(c, AT + 4);
	ck_assert_int_eq(rule->kind, RULE_CFA);
	ck_assert_int_eq(rule->nr_saved, 0);
	ck_assert_uint_eq(rule->kept & 0x7ff80000, 0x7ff80000);
	rule = cfi_rule(c, AT + 8);
	ck_assert_int_eq(rule->kind, RULE_CFA);
	ck_assert_int_eq(rule->cfa_off, 32);
	ck_assert_int_eq(rule->nr_saved, 2);
	ck_assert_uint_eq(rule->saved[0].reg, 29);
	ck_assert_uint_eq(rule->saved[1].reg, 30);
	/* Equal rules are one. */
	ck_assert_ptr_eq(cfi_rule(c, AT + 12), rule);
	close_image(&i, c);
}
END_TEST

/* ---- what is no program ---- */

static void repeat(struct str *s, const char *bytes, size_t len, size_t count)
{
	while (count--)
		str_add_bytes(s, bytes, len);
}

static const struct hostile_program {
	const char *bytes;	/* first */
	size_t len;
	const char *more;	/* so many times after it */
	size_t more_len, count;
	bool is_refused;	/* none of the file's unwind info is used */
} hostile_programs[] = {
	/* states remembered: as deep as is allowed, deeper, often but not deep */
	{ BYTES(""), BYTES("\x0a"), 64, false },
	{ BYTES(""), BYTES("\x0a"), 65, true },
	{ BYTES(""), BYTES("\x0a"), 100000, true },
	{ BYTES("\x41"), BYTES("\x0a\x0b"), 100000, false },
	/* restored, never remembered */
	{ BYTES(""), BYTES("\x0b"), 100, false },
	/* registers of 255, 256, 100 million and more */
	{ BYTES("\5\xff\1\1"), BYTES(""), 0, false },
	{ BYTES("\5\x80\2\1"), BYTES(""), 0, true },
	{ BYTES("\5\xff\xff\xff\x3f\1"), BYTES(""), 0, true },
	{ BYTES("\5" HUGE_LEB "\1"), BYTES(""), 0, true },
	{ BYTES("\7" HUGE_LEB), BYTES(""), 0, true },
	{ BYTES("\x08" HUGE_LEB), BYTES(""), 0, true },
	{ BYTES("\6" HUGE_LEB), BYTES(""), 0, true },
	{ BYTES("\x10" HUGE_LEB "\1\x30"), BYTES(""), 0, true },
	{ BYTES("\x0d" HUGE_LEB), BYTES(""), 0, true },
	{ BYTES("\x09\3" HUGE_LEB), BYTES(""), 0, false },
	/* offsets of all bits, and of more than 64: in the eleventh byte elfutils sees an instruction */
	{ BYTES("\x0e" HUGE_LEB), BYTES(""), 0, false },
	{ BYTES("\x83" HUGE_LEB), BYTES(""), 0, false },
	{ BYTES("\x0e"), BYTES("\xff"), 100, true },
	{ BYTES("\x2e" LONG_LEB "\7\x80\2"), BYTES(""), 0, true },
	{ BYTES("\x83" LONG_LEB "\7\x80\2"), BYTES(""), 0, true },
	{ BYTES("\7" LONG_LEB "\7\x80\2"), BYTES(""), 0, true },
	{ BYTES("\x0f" LONG_LEB "\7\x80\2"), BYTES(""), 0, true },
	/* past the end of the code: by little, by 4 GB often enough to wrap */
	{ BYTES("\x7f\x0e\x20"), BYTES("\x7f"), 1000, false },
	{ BYTES("\4\xff\xff\xff\xff"), BYTES("\4\xff\xff\xff\xff"), 100000, false },
	/* expressions: without end, longer than is allowed, longer than the entry, empty, unknown */
	{ BYTES("\x0f\3\x2f\xfd\xff"), BYTES(""), 0, false },
	{ BYTES("\x0f\x81\x20"), BYTES("\x96"), 4097, true },
	{ BYTES("\x0f\x80\x20"), BYTES("\x96"), 4096, false },
	{ BYTES("\x0f" HUGE_LEB), BYTES(""), 0, true },
	{ BYTES("\x0f\0"), BYTES(""), 0, false },
	{ BYTES("\x10\3\0"), BYTES(""), 0, false },
	{ BYTES("\x16\3\0"), BYTES(""), 0, false },
	{ BYTES("\x0f\2\xff\xfe"), BYTES(""), 0, false },
	{ BYTES("\x10\3\2\x08"), BYTES("\x16\3\1\x11"), 1000, false },
	/* operations that nobody has defined, and one whose operand is the nops behind it */
	{ BYTES("\x3f"), BYTES("\x0a"), 100000, false },
	{ BYTES("\x0f\6\x77"), BYTES(""), 0, false },
	/* longer than any compiler's */
	{ BYTES(""), BYTES("\x0e\x10"), 600000, true },
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#if defined(__SANITIZE_ADDRESS__)
enum { MAX_SECONDS = 20 };
#else
enum { MAX_SECONDS = 2 };
#endif

/* AddressSanitizer keeps what was freed for a while. */
static long max_kib(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return 0;
#endif
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

/* Every rule is of a kind, and can be taken, or not, with a stack and without: by a walk's own measure. */
static void ask_everything(struct cfi *c)
{
	static const uint8_t bytes[256];
	const struct unwind_arch *arch = cfi_arch(c);
	uint64_t vaddr;

	for (vaddr = AT - 4; vaddr < AT + 200; vaddr++) {
		struct stack_copy stack = { .start = 0x7000, .bytes = bytes, .len = sizeof(bytes) };
		struct regs regs = { .pc = vaddr, .known = (1ULL << arch->nr_regs) - 1 };
		const struct rule *rule = cfi_rule(c, vaddr);
		bool is_outermost;

		regs.value[arch->sp] = stack.start;
		ck_assert_uint_le(rule->kind, RULE_BAD);
		ck_assert_uint_lt(rule_step(rule, arch, &regs, &stack, &is_outermost), UNWIND_NR_STOPS);
	}
}

/* Nothing takes longer than a moment, nor more memory than the file is large, by much. */
static void ask_within_bounds(struct cfi_image *i, bool is_refused)
{
	double begin = seconds();
	long before;
	struct cfi *c;

	cfi_image_finish(i);
	before = max_kib();
	c = open_image(i);
	ask_everything(c);
	if (is_refused)
		ck_assert_int_eq(cfi_rule(c, AT)->kind, RULE_NONE);
	ck_assert_int_lt(max_kib() - before, 64 * 1024);
	ck_assert(seconds() - begin < MAX_SECONDS);
	close_image(i, c);
}

static void add_hostile(struct cfi_image *i, const struct hostile_program *h, bool is_cie)
{
	struct str program = { 0 };

	str_add_bytes(&program, CALLED, is_cie ? sizeof(CALLED) - 1 : 0);
	str_add_bytes(&program, h->bytes, h->len);
	repeat(&program, h->more, h->more_len, h->count);
	cfi_image_cie(i, "zR", is_cie ? program.s : CALLED, is_cie ? program.len : sizeof(CALLED) - 1);
	cfi_image_fde(i, AT, 100, is_cie ? "" : str_cstr(&program), is_cie ? 0 : program.len);
	str_release(&program);
}

START_TEST(hostile_programs_do_no_harm)
{
	const struct hostile_program *h = &hostile_programs[_i / 2];
	struct cfi_image i = { 0 };

	add_hostile(&i, h, _i % 2);
	ask_within_bounds(&i, h->is_refused);
}
END_TEST

static void put(struct cfi_image *i, size_t at, uint32_t word)
{
	memcpy(i->frames.s + at, &word, sizeof(word));
}

static void no_frames(struct cfi_image *i)
{
	str_clear(&i->frames);
}

static void overlapping(struct cfi_image *i)
{
	cfi_image_fde(i, AT + 8, 100, BYTES("\x0e\x20"));
	cfi_image_fde(i, AT + 4, 8, BYTES("\x0e\x30"));
	cfi_image_fde(i, AT, 16, BYTES("\x0e\x40"));
	cfi_image_fde(i, AT - 4, 1000, BYTES("\x0e\x50"));
}

static void overlapping_by_table(struct cfi_image *i)
{
	uint64_t k;

	for (k = 0; k < 100; k++)
		cfi_image_entry(i, AT + k, cfi_image_fde(i, AT, 1000, BYTES("\x0e\x20")));
}

static void unsorted_table(struct cfi_image *i)
{
	uint64_t k;

	for (k = 100; k; k--)
		cfi_image_entry(i, AT + k, cfi_image_fde(i, AT + k, 1, BYTES("\x0e\x20")));
}

static void table_into_the_middle(struct cfi_image *i)
{
	cfi_image_entry(i, AT, cfi_image_fde(i, AT, 16, BYTES("\x0e\x20")) + 4);
}

static void table_to_a_cie(struct cfi_image *i)
{
	cfi_image_entry(i, AT, i->cie_at);
}

static void table_outside(struct cfi_image *i)
{
	cfi_image_entry(i, AT, 1 << 20);
	cfi_image_entry(i, AT + 8, (uint64_t)-64);
}

/* An entry that is none, but says how long it is, is skipped: what follows is reached all the same. */
static void refused_behind_what_is_none(struct cfi_image *i)
{
	size_t good = i->cie_at;

	cfi_image_cie(i, "zR", BYTES(CALLED));
	i->frames.s[i->cie_at + 8] = 9;	/* no such version */
	i->cie_at = good;
	cfi_image_fde(i, AT, 16, BYTES("\5\xff\xff\xff\x3f\1"));
}

static void fde_without_end(struct cfi_image *i)
{
	put(i, cfi_image_fde(i, AT, 16, BYTES("")), 0xfffffff0);
}

static void fde_that_is_cut(struct cfi_image *i)
{
	i->frames.len = cfi_image_fde(i, AT, 16, BYTES("\x0e\x20")) + 14;
}

static void fde_too_short(struct cfi_image *i)
{
	put(i, cfi_image_fde(i, AT, 16, BYTES("\x0e\x20")), 6);
}

static void fde_that_is_its_own_cie(struct cfi_image *i)
{
	size_t at = cfi_image_fde(i, AT, 16, BYTES("\x0e\x20"));

	put(i, at + 4, 4);
}

static void fde_of_an_fde(struct cfi_image *i)
{
	size_t first = cfi_image_fde(i, AT, 16, BYTES("\x0e\x20"));
	size_t at = cfi_image_fde(i, AT + 16, 16, BYTES("\x0e\x20"));

	put(i, at + 4, (uint32_t)(at + 4 - first));
}

static void fde_before_all(struct cfi_image *i)
{
	put(i, cfi_image_fde(i, AT, 16, BYTES("")) + 4, 0x7fffffff);
}

static void fde_of_64_bits(struct cfi_image *i)
{
	put(i, cfi_image_fde(i, AT, 16, BYTES("")), 0xffffffff);
}

/* elfutils says of it that the next one is at UINT64_MAX. */
static void fde_of_64_bits_without_any(struct cfi_image *i)
{
	size_t at = cfi_image_fde(i, AT, 16, BYTES(""));

	put(i, at, 0xffffffff);
	put(i, at + 4, 0);
	put(i, at + 8, 0);
}

static void fde_that_wraps(struct cfi_image *i)
{
	cfi_image_fde(i, AT, 0 - (uint64_t)AT, BYTES("\x0e\x20"));
	cfi_image_fde(i, AT, UINT64_MAX, BYTES("\x0e\x30"));
	cfi_image_fde(i, UINT64_MAX, 2, BYTES("\x0e\x30"));
	cfi_image_fde(i, AT, 0, BYTES("\x0e\x30"));
}

static void many_tiny(struct cfi_image *i)
{
	uint64_t k;

	for (k = 0; k < 20000; k++)
		cfi_image_fde(i, AT + 200000 - k, 1, BYTES(""));
}

static void odd_augmentations(struct cfi_image *i)
{
	static const char *const texts[] = { "", "eh", "zPLR", "zP", "zLLLLLLLLLLLLLL", "R", "P", "LR", "?", "zRSBG?" };
	size_t k;

	for (k = 0; k < ARRAY_LEN(texts); k++) {
		cfi_image_cie(i, texts[k], BYTES(CALLED));
		cfi_image_fde(i, AT + 16 * k, 16, BYTES("\x0e\x20"));
	}
}

static void cie_without_end(struct cfi_image *i)
{
	/* its augmentation has no NUL */
	cfi_image_cie(i, "zRRRRRRRRRRRRRR", BYTES(""));
	memset(i->frames.s + i->cie_at + 9, 'R', i->frames.len - i->cie_at - 9);
	cfi_image_fde(i, AT, 16, BYTES(""));
}

static void no_sections(struct cfi_image *i)
{
	cfi_image_entry(i, AT, cfi_image_fde(i, AT, 16, BYTES("\x0e\x20")));
	i->has_no_sections = true;
}

static void (*const hostile_frames[])(struct cfi_image *) = {
	no_frames, overlapping, overlapping_by_table, unsorted_table, table_into_the_middle, table_to_a_cie,
	table_outside, refused_behind_what_is_none, fde_without_end, fde_that_is_cut, fde_too_short, fde_that_is_its_own_cie,
	fde_of_an_fde, fde_before_all, fde_of_64_bits, fde_of_64_bits_without_any, fde_that_wraps, many_tiny,
	odd_augmentations, cie_without_end, no_sections,
};

START_TEST(hostile_frames_do_no_harm)
{
	struct cfi_image i = { 0 };

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	hostile_frames[_i](&i);
	ask_within_bounds(&i, false);
}
END_TEST

/* ---- which section it is ---- */

#define GOOD "\x0e\x10"
#define BAD  "\7\x80\2"

/* In the form of .debug_frame: a CIE says so by -1, FDEs where it is from the section's begin on. */
static void add_debug_frame(struct elf_image *file, const char *name, uint64_t flags, const char *program)
{
	struct cfi_image i = { 0 };
	size_t section, fde;

	cfi_image_cie(&i, "", BYTES(CALLED));
	fde = cfi_image_fde(&i, AT, 64, program, strlen(program));
	put(&i, 4, UINT32_MAX);
	put(&i, fde + 4, 0);
	section = elf_image_section(file, name, SHT_PROGBITS, i.frames.s, i.frames.len);
	file->sections.at[section].sh_flags = flags;
	cfi_image_release(&i);
}

static const struct two_sections {
	const char *first;
	uint64_t flags;
	const char *first_program, *second_program;
	enum rule_kind kind;
} two_sections[] = {
	{ ".debug_frame", 0, GOOD, GOOD, RULE_CFA },
	{ ".debug_frame", 0, BAD, GOOD, RULE_NONE },
	{ ".zdebug_frame", 0, GOOD, GOOD, RULE_CFA },
	{ ".zdebug_frame", 0, BAD, GOOD, RULE_NONE },
	/* Of a group: elfutils takes the other one. */
	{ ".debug_frame", SHF_GROUP, GOOD, GOOD, RULE_CFA },
	{ ".debug_frame", SHF_GROUP, GOOD, BAD, RULE_NONE },
};

START_TEST(whichever_debug_frame_is_taken_has_been_looked_at)
{
	const struct two_sections *t = &two_sections[_i];
	struct elf_image i = { 0 };
	struct err e;
	struct cfi *c;

	add_debug_frame(&i, t->first, t->flags, t->first_program);
	add_debug_frame(&i, ".debug_frame", 0, t->second_program);
	elf_image_finish(&i);
	c = cfi_open_image(i.file.s, i.file.len, &e);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(cfi_rule(c, AT)->kind, t->kind);
	cfi_free(c);
	elf_image_release(&i);
}
END_TEST

/* Section 0 holds the names, which means that there are none: elfutils goes by the program header. */
START_TEST(without_names_there_is_no_unwind_info)
{
	struct cfi_image i = { 0 };
	Elf64_Shdr sections[4];
	Elf64_Ehdr header;
	struct err e;
	struct cfi *c;
	size_t fde;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	fde = cfi_image_fde(&i, AT, 64, BYTES(BAD));
	cfi_image_entry(&i, AT, fde);
	cfi_image_finish(&i);
	memcpy(&header, i.file.s, sizeof(header));
	memcpy(sections, i.file.s + header.e_shoff, sizeof(sections));
	header.e_shstrndx = SHN_UNDEF;
	sections[0] = sections[3];
	sections[1].sh_name = 0;
	sections[2].sh_size = fde;
	memcpy(i.file.s, &header, sizeof(header));
	memcpy(i.file.s + header.e_shoff, sections, sizeof(sections));
	c = cfi_open_image(i.file.s, i.file.len, &e);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(cfi_rule(c, AT)->kind, RULE_NONE);
	close_image(&i, c);
}
END_TEST

/* Section 0 says how many there are: 4 billion, of which two are in the file. */
START_TEST(program_headers_that_are_not_there_are_not_waited_for)
{
	struct cfi_image i = { 0 };
	double begin = seconds();
	Elf64_Ehdr header;
	struct err e;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	cfi_image_finish(&i);
	memcpy(&header, i.file.s, sizeof(header));
	header.e_phnum = PN_XNUM;
	memcpy(i.file.s, &header, sizeof(header));
	memset(i.file.s + header.e_shoff + offsetof(Elf64_Shdr, sh_info), 0xff, sizeof(Elf64_Word));
	cfi_free(cfi_open_image(i.file.s, i.file.len, &e));
	ck_assert(seconds() - begin < 1);
	cfi_image_release(&i);
}
END_TEST

/* A good file, bytes of it overwritten at random or cut. */
START_TEST(damaged_files_do_no_harm)
{
	uint64_t random = RIG_SEED + (uint64_t)_i;
	struct cfi_image i = { 0 };
	struct str bytes = { 0 };
	struct err e;
	struct cfi *c;
	size_t k;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	overlapping(&i);
	for (k = 0; k < 8; k++)
		cfi_image_entry(&i, AT + 200 + 8 * k,
				cfi_image_fde(&i, AT + 200 + 8 * k, 8, BYTES("\x42\x0e\x20\x0a\x42\x0b\x10\3\2\x70\0")));
	cfi_image_finish(&i);
	str_add_bytes(&bytes, i.file.s, i.file.len);
	for (k = 0; k < 1 + rig_random(&random) % 8; k++)
		bytes.s[rig_random(&random) % bytes.len] = (char)rig_random(&random);
	if (_i % 4 == 0)
		bytes.len = rig_random(&random) % bytes.len;
	c = cfi_open_image(bytes.s, bytes.len, &e);
	if (c)
		ask_everything(c);
	cfi_free(c);
	str_release(&bytes);
	cfi_image_release(&i);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
} no_elf[] = {
	{ BYTES("") }, { BYTES("\177ELF") }, { BYTES("\177ELF\2\1\1") }, { BYTES("#!/bin/sh\n") }, { BYTES("!<arch>\n") },
};

START_TEST(what_is_no_program_is_refused)
{
	const char *path = harness_file("none", no_elf[_i].bytes, no_elf[_i].len);
	struct err e;

	ck_assert_ptr_null(cfi_open(open(path, O_RDONLY | O_CLOEXEC), &e));
	ck_assert_int_eq(e.code, -ENOEXEC);
	ck_assert_ptr_null(cfi_open_image(no_elf[_i].bytes, no_elf[_i].len, &e));
	ck_assert_ptr_null(cfi_open(open("/", O_RDONLY | O_CLOEXEC), &e));
	ck_assert_ptr_null(cfi_open(-1, &e));
}
END_TEST

START_TEST(other_processors_are_refused)
{
	struct cfi_image i = { .machine = EM_RISCV };
	struct err e;

	cfi_image_cie(&i, "zR", BYTES(CALLED));
	cfi_image_finish(&i);
	ck_assert_ptr_null(cfi_open_image(i.file.s, i.file.len, &e));
	cfi_image_release(&i);
}
END_TEST

/* ---- glibc ---- */

/* Behind its syscall, clone3() has no unwind info for the parent: see unwinder/cfi.c. */
START_TEST(clone3_goes_on_behind_its_syscall)
{
	uint64_t vaddr = 0, from, nr_guesses = 0;
	const struct rule *before = NULL;
	struct run r = { 0 };
	struct err e;
	struct cfi *c;

	run_shell(&r, "objdump -d --no-show-raw-insn /lib/x86_64-linux-gnu/libc.so.6 | grep -B1 -A1 'syscall' | "
		      "grep -A2 -e 'mov  *$0x1b3,%%eax' | awk '/syscall/ { print $1; exit }'");
	ck_assert_exit(&r, 0);
	from = strtoull(str_cstr(&r.out), NULL, 16);
	run_release(&r);
	ck_assert_uint_ne(from, 0);
	c = cfi_open(open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY | O_CLOEXEC), &e);
	ck_assert_ptr_nonnull(c);
	/* The syscall takes two bytes; the parent stands behind it. */
	for (vaddr = from; vaddr < from + 12; vaddr++) {
		const struct rule *rule = cfi_rule(c, vaddr);

		ck_assert_int_eq(rule->kind, RULE_CFA);
		ck_assert(!before || rule->cfa_off == before->cfa_off);
		nr_guesses += rule->is_guess;
		before = rule;
	}
	ck_assert_uint_gt(nr_guesses, 0);
	cfi_free(c);
}
END_TEST

Suite *check_cfi_suite(void)
{
	Suite *s = suite_create("cfi");
	TCase *tc = tcase_create("programs");

	tcase_add_loop_test(tc, a_program_becomes_a_rule, 0, ARRAY_LEN(programs));
	tcase_add_test(tc, equal_rules_are_one);
	tcase_add_test(tc, signal_frames_say_so);
	tcase_add_test(tc, a_gap_has_the_rule_before_it);
	tcase_add_loop_test(tc, where_a_program_is_entered_is_the_outermost, 0, 2);
	tcase_add_test(tc, an_entry_with_unwind_info_ends_with_it);
	tcase_add_test(tc, the_table_leads_to_the_same_rules);
	tcase_add_test(tc, offsets_are_those_of_code);
	tcase_add_test(tc, aarch64_has_registers_of_its_own);
	tcase_add_test(tc, signing_a_return_address_moves_no_register);
	suite_add_tcase(s, tc);
	tc = tcase_create("hostile");
	tcase_add_loop_test(tc, hostile_programs_do_no_harm, 0, 2 * ARRAY_LEN(hostile_programs));
	tcase_add_loop_test(tc, hostile_frames_do_no_harm, 0, ARRAY_LEN(hostile_frames));
	tcase_add_loop_test(tc, whichever_debug_frame_is_taken_has_been_looked_at, 0, ARRAY_LEN(two_sections));
	tcase_add_test(tc, without_names_there_is_no_unwind_info);
	tcase_add_test(tc, program_headers_that_are_not_there_are_not_waited_for);
	tcase_add_loop_test(tc, damaged_files_do_no_harm, 0, 300);
	tcase_add_loop_test(tc, what_is_no_program_is_refused, 0, ARRAY_LEN(no_elf));
	tcase_add_test(tc, other_processors_are_refused);
	suite_add_tcase(s, tc);
	if (harness_can_or_omit(s, "referee", CAN_COMPILE))
		cfi_referee_add(s);
	if (access("/lib/x86_64-linux-gnu/libc.so.6", R_OK) || !rig_has("objdump"))
		harness_omit(s, "clone3", "no glibc of x86-64 or no objdump");
	else
		tcase_add_test(tc, clone3_goes_on_behind_its_syscall);
	return s;
}
