/* SPDX-License-Identifier: Apache-2.0 */
/* What unwind info says of this program's functions is what its symbols say. */
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "collector/code_extent.h"
#include "collector/image.h"

Suite *check_code_extent_suite(void);

enum { STEP = 50 };

START_TEST(code_is_as_long_as_its_symbol)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct code_extent extent;
	struct image m = { 0 };
	struct err e = { 0 };
	size_t nr = 0, i;
	Elf *elf;

	ck_assert_msg(!image_open(&m, "/proc/self/exe", 0, "", &e), "%s", e.what);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	for (i = 0; i < m.symbols.nr; i += STEP) {
		const struct image_symbol *sym = &m.symbols.at[i];

		if (!sym->size || !sym->is_function || !code_extent_find(elf, sym->vaddr + sym->size - 1, &extent))
			continue;
		nr++;
		ck_assert_msg(extent.vaddr == sym->vaddr && extent.len == sym->size, "%s", sym->name);
	}
	ck_assert_uint_gt(nr, 10);
	ck_assert(!code_extent_find(elf, 1, &extent));
	ck_assert(!code_extent_find(NULL, 1, &extent));
	elf_end(elf);
	close(fd);
	image_release(&m);
}
END_TEST

Suite *check_code_extent_suite(void)
{
	Suite *s = suite_create("code_extent");
	TCase *tc = tcase_create("find");

	tcase_add_test(tc, code_is_as_long_as_its_symbol);
	suite_add_tcase(s, tc);
	return s;
}
