/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "symbolizer/kallsyms.h"

Suite *check_kallsyms_suite(void);

static char text[] = "0000000000000000 A fixed_percpu_data\n"
		     "ffffffff81000000 T _stext\n"
		     "ffffffff81000000 T _text\n"
		     "ffffffff81000040 t first\n"
		     "ffffffff81000040 W first_alias\n"
		     "ffffffff81000100 d a_variable\n"
		     "ffffffff81000200 T second\n"
		     "ffffffff81000300 R some_constants\n"
		     "ffffffffc0000000 t probe\t[virtio_net]\n"
		     "ffffffffa0000000 t bpf_prog_1\t[bpf]\n";

static const struct {
	uint64_t addr;
	const char *name;	/* NULL: none */
	uint64_t next;
} looked_up[] = {
	{ 0, NULL, 0 },
	{ 0xffffffff80ffffff, NULL, 0 },
	{ 0xffffffff81000000, "_text", 0xffffffff81000040 },
	{ 0xffffffff8100003f, "_text", 0xffffffff81000040 },
	{ 0xffffffff81000040, "first_alias", 0xffffffff81000200 },
	{ 0xffffffff81000150, "first_alias", 0xffffffff81000200 },
	{ 0xffffffff81000200, "second", UINT64_MAX },
	{ 0xffffffff81000350, "second", UINT64_MAX },
	{ UINT64_MAX, "second", UINT64_MAX },
};

START_TEST(functions_are_found_by_address)
{
	struct kallsyms_line line;
	uint64_t next = 0;
	bool found = kallsyms_find(text, kallsyms_own_len(text, strlen(text)), looked_up[_i].addr, &line, &next);

	ck_assert_int_eq(found, looked_up[_i].name != NULL);
	if (!found)
		return;
	ck_assert_uint_eq(line.name_len, strlen(looked_up[_i].name));
	ck_assert(!memcmp(line.name, looked_up[_i].name, line.name_len));
	ck_assert_uint_eq(next, looked_up[_i].next);
}
END_TEST

START_TEST(modules_come_behind_the_kernels_own)
{
	char *rest = text + kallsyms_own_len(text, strlen(text));

	ck_assert(!strncmp(rest, "ffffffffc0000000", 16));
	ck_assert_uint_eq(kallsyms_own_len("1 t x\n", 6), 6);
	ck_assert_uint_eq(kallsyms_own_len("1 t x\t[y]\n", 10), 0);
	ck_assert_uint_eq(kallsyms_own_len("", 0), 0);
}
END_TEST

START_TEST(symbols_are_found_by_their_whole_name)
{
	ck_assert_uint_eq(kallsyms_address(text, "_stext"), 0xffffffff81000000);
	ck_assert_uint_eq(kallsyms_address(text, "first"), 0xffffffff81000040);
	ck_assert_uint_eq(kallsyms_address(text, "alias"), 0);
	ck_assert_uint_eq(kallsyms_address(text, "sec"), 0);
}
END_TEST

START_TEST(odd_texts_end)
{
	char lines[] = "\n\nx\n1 t\n2 t a\nffffffffffffffffff t b\n";
	struct kallsyms_line line;
	uint64_t next;
	size_t len;

	for (len = 0; len <= strlen(lines); len++)
		kallsyms_find(lines, len, 2, &line, &next);
	ck_assert(!kallsyms_find(lines, 0, 2, &line, &next));
}
END_TEST

/* The running kernel's own list, against a look at each line from the first one on. */
START_TEST(running_kernel_agrees_with_a_linear_search)
{
	struct kallsyms_line line, last = { 0 }, found;
	size_t len = 0, at = 0, nr = 0;
	struct kallsyms *k;
	struct crew crew;
	uint64_t next;
	char *all;

	crew_init(&crew);
	k = kallsyms_begin(&crew);
	all = kallsyms_wait(k, &len);
	len = all ? kallsyms_own_len(all, len) : 0;

	/* Every 97th function; where addresses are hidden they are all 0, and there is nothing to compare. */
	while (at < len) {
		char *nl = memchr(all + at, '\n', len - at);

		if (kallsyms_parse(all + at, &line) && kallsyms_is_function(&line) && line.addr) {
			if (last.addr && line.addr > last.addr && ++nr % 97 == 0) {
				ck_assert(kallsyms_find(all, len, line.addr - 1, &found, &next));
				ck_assert_uint_eq(found.addr, last.addr);
				ck_assert_ptr_eq(found.name, last.name);
				ck_assert_uint_eq(next, line.addr);
			}
			last = line;
		}
		at = nl ? (size_t)(nl - all) + 1 : len;
	}
	kallsyms_free(k);
	crew_release(&crew);
}
END_TEST

Suite *check_kallsyms_suite(void)
{
	Suite *s = suite_create("kallsyms");
	TCase *tc = tcase_create("kallsyms");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, functions_are_found_by_address, 0, ARRAY_LEN(looked_up));
	tcase_add_test(tc, modules_come_behind_the_kernels_own);
	tcase_add_test(tc, symbols_are_found_by_their_whole_name);
	tcase_add_test(tc, odd_texts_end);
	tcase_add_test(tc, running_kernel_agrees_with_a_linear_search);
	suite_add_tcase(s, tc);
	return s;
}
