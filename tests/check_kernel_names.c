/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "collector/kernel_names.h"

Suite *check_kernel_names_suite(void);

/* Not in order, with a symbol of no code, two names at one address, and a module's. */
static const char kallsyms[] = "ffffffff81000000 T _text\n"
			       "ffffffff81000000 T _stext\n"
			       "ffffffff81000100 t first\n"
			       "ffffffff81000180 d not_code\n"
			       "ffffffff81000300 T third\n"
			       "ffffffff81000200 T second\n"
			       "ffffffff81000200 W second_too\n"
			       "ffffffffc0000000 t of_module\t[module]\n";

#define START_LINES "ffffffff81000000 T _text\nffffffff81000000 T _stext\n"

/* A chain as the kernel writes it, ended by a 0; 0 first: no chain, ip alone. */
static const struct {
	uint64_t ips[8];
	uint64_t ip;
	uint16_t misc;
	const char *want;
} cases[] = {
	/* Nothing of the kernel's: nothing at all, not even where it begins. */
	{ { PERF_CONTEXT_USER, 0x401000, 0x402000 }, 0x401000, PERF_RECORD_MISC_USER, "" },
	{ { 0 }, 0x401000, PERF_RECORD_MISC_USER, "" },
	/* An instruction, and the call before a return address: inside of first, not of second. */
	{ { PERF_CONTEXT_KERNEL, 0xffffffff81000310, 0xffffffff81000200, PERF_CONTEXT_USER, 0x401000 },
	  0xffffffff81000310,
	  PERF_RECORD_MISC_KERNEL,
	  START_LINES "ffffffff81000100 t first\nffffffff81000300 T third\n" },
	/* All names of one address. */
	{ { PERF_CONTEXT_KERNEL, 0xffffffff81000200 },
	  0xffffffff81000200,
	  PERF_RECORD_MISC_KERNEL,
	  START_LINES "ffffffff81000200 T second\nffffffff81000200 W second_too\n" },
	/* Data names no code: what lies behind it belongs to the function before. */
	{ { PERF_CONTEXT_KERNEL, 0xffffffff81000190 },
	  0xffffffff81000190,
	  PERF_RECORD_MISC_KERNEL,
	  START_LINES "ffffffff81000100 t first\n" },
	{ { 0 }, 0xffffffffc0000010, PERF_RECORD_MISC_KERNEL, START_LINES
	  "ffffffffc0000000 t of_module\t[module]\n" },
	/* Before the first symbol there is none. */
	{ { PERF_CONTEXT_KERNEL, 0xffffffff80000000 }, 0xffffffff80000000, PERF_RECORD_MISC_KERNEL,
	  START_LINES },
};

START_TEST(needed_lines_are_picked)
{
	struct record r = { .type = PERF_RECORD_SAMPLE, .misc = cases[_i].misc };
	struct kernel_names names = { 0 };
	struct str lines = { 0 };

	r.sample.ip = cases[_i].ip;
	r.sample.chain.ips = (const uint8_t *)cases[_i].ips;
	while (cases[_i].ips[r.sample.chain.nr])
		r.sample.chain.nr++;
	kernel_names_see(&names, &r);
	kernel_names_see(&names, &r);
	kernel_names_pick(&names, kallsyms, sizeof(kallsyms) - 1, &lines);
	ck_assert_str_eq(str_cstr(&lines), cases[_i].want);
	str_release(&lines);
	kernel_names_release(&names);
}
END_TEST

/* Bytes that are no kallsyms name nothing. */
static const char *const garbage[] = { "", "\n\n\n", "ffffffff81000100", "zz T first\n",
				       "ffffffff81000100 T", "0000000000000000 T hidden\n" };

START_TEST(garbage_names_nothing)
{
	struct record r = { .type = PERF_RECORD_SAMPLE, .misc = PERF_RECORD_MISC_KERNEL };
	struct kernel_names names = { 0 };
	struct str lines = { 0 };

	r.sample.ip = 0xffffffff81000110;
	kernel_names_see(&names, &r);
	kernel_names_pick(&names, garbage[_i], strlen(garbage[_i]), &lines);
	ck_assert_uint_eq(lines.len, 0);
	str_release(&lines);
	kernel_names_release(&names);
}
END_TEST

Suite *check_kernel_names_suite(void)
{
	Suite *s = suite_create("kernel_names");
	TCase *tc = tcase_create("pick");

	tcase_add_loop_test(tc, needed_lines_are_picked, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, garbage_names_nothing, 0, ARRAY_LEN(garbage));
	suite_add_tcase(s, tc);
	return s;
}
