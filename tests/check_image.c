/* SPDX-License-Identifier: Apache-2.0 */
/* Files as no linker writes them: what is in them is taken as far as it is in the file. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "collector/image.h"
#include "tests/elf_image.h"
#include "tests/harness.h"

Suite *check_image_suite(void);

#define FUNCTION ELF64_ST_INFO(STB_GLOBAL, STT_FUNC)

static const char strings[] = "\0first\0second";

START_TEST(a_name_without_an_end_is_none)
{
	struct elf_image i = { 0 };
	struct str symbols = { 0 };
	struct err e = { 0 };
	struct image m;
	uint64_t vaddr;
	const char *path;
	size_t table;

	table = elf_image_section(&i, ".strtab", SHT_STRTAB, strings, sizeof(strings) - 1);
	elf_image_symbol(&symbols, 0, 0, 0, 0);
	elf_image_symbol(&symbols, 1, FUNCTION, ELF_IMAGE_VADDR + 64, 8);
	elf_image_symbol(&symbols, 7, FUNCTION, ELF_IMAGE_VADDR + 72, 8);
	elf_image_symbols(&i, ".symtab", SHT_SYMTAB, &symbols, table);
	elf_image_finish(&i);
	elf_image_put_last(&i, table);

	path = harness_file("image", i.file.s, i.file.len);
	ck_assert_msg(!image_open(&m, path, 0, path, &e), "%s", e.what);
	ck_assert_uint_eq(m.symbols.nr, 1);
	ck_assert_str_eq(m.symbols.at[0].name, "first");
	ck_assert_uint_eq(m.symbols.at[0].off, 64);
	ck_assert(image_symbol_vaddr(&m, "first", 5, &vaddr));
	ck_assert(!image_symbol_vaddr(&m, "second", 6, &vaddr));
	image_release(&m);
	elf_image_release(&i);
	str_release(&symbols);
}
END_TEST

/* libdwfl would take both: it unpacks the one and relocates the other. */
START_TEST(what_no_process_maps_is_no_image)
{
	struct elf_image i = { 0 };
	struct err e = { 0 };
	struct run r = { 0 };
	struct image m;
	const char *path;

	elf_image_finish(&i);
	path = harness_file("image", i.file.s, i.file.len);
	ck_assert_msg(!image_open(&m, path, 0, path, &e), "%s", e.what);
	image_release(&m);
	run_shell(&r, "gzip -c '%s' >'%s'", path, harness_path("image.gz"));
	ck_assert_exit(&r, 0);
	ck_assert_int_eq(image_open(&m, harness_path("image.gz"), 0, "image", &e), -ENOEXEC);
	((Elf64_Ehdr *)i.file.s)->e_type = ET_REL;
	path = harness_file("image", i.file.s, i.file.len);
	ck_assert_int_eq(image_open(&m, path, 0, path, &e), -ENOEXEC);
	run_release(&r);
	elf_image_release(&i);
}
END_TEST

Suite *check_image_suite(void)
{
	Suite *s = suite_create("image");
	TCase *tc = tcase_create("image");

	tcase_add_test(tc, a_name_without_an_end_is_none);
	tcase_add_test(tc, what_no_process_maps_is_no_image);
	suite_add_tcase(s, tc);
	return s;
}
