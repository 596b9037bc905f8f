/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file whose last bytes are a name, with its NUL and without: what libdwfl makes of the latter runs on into what is
 * mapped behind the file.
 */
#include <check.h>
#include <string.h>

#include "base/elf_names.h"
#include "tests/elf_image.h"
#include "tests/harness.h"

Suite *check_elf_names_suite(void);

#define FUNCTION ELF64_ST_INFO(STB_GLOBAL, STT_FUNC)

struct module {
	Dwfl *dwfl;
	Dwfl_Module *mod;
	Dwfl_Callbacks callbacks;
};

static int no_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base, const char *file,
			const char *link, GElf_Word crc, char **ret_path)
{
	(void)mod, (void)userdata, (void)name, (void)base, (void)file, (void)link, (void)crc, (void)ret_path;
	return -1;
}

static void module_open(struct module *m, const struct elf_image *i)
{
	const char *path = harness_file("image", i->file.s, i->file.len);

	m->callbacks = (Dwfl_Callbacks){ .find_elf = dwfl_build_id_find_elf,
					 .find_debuginfo = no_debuginfo,
					 .section_address = dwfl_offline_section_address };
	m->dwfl = dwfl_begin(&m->callbacks);
	m->mod = dwfl_report_elf(m->dwfl, path, path, -1, 0, true);
	ck_assert_msg(m->mod != NULL, "%s", dwfl_errmsg(-1));
	dwfl_report_end(m->dwfl, NULL, NULL);
}

static const char *symbol(struct elf_names *n, const struct module *m, int i)
{
	GElf_Addr addr;
	GElf_Word shndx;
	GElf_Sym sym;

	return elf_names_symbol(n, m->mod, i, &sym, &addr, &shndx);
}

static const char strings[] = "\0first\0second";

START_TEST(a_symbol_is_not_read_past_the_end)
{
	const size_t len = sizeof(strings) - (_i ? 0 : 1);
	struct elf_names n = { 0 };
	struct elf_image i = { 0 };
	struct str symbols = { 0 };
	struct module m;
	size_t table;

	table = elf_image_section(&i, ".strtab", SHT_STRTAB, strings, len);
	elf_image_symbol(&symbols, 0, 0, 0, 0);
	elf_image_symbol(&symbols, 1, FUNCTION, ELF_IMAGE_VADDR, 8);
	elf_image_symbol(&symbols, 7, FUNCTION, ELF_IMAGE_VADDR + 8, 8);
	elf_image_symbol(&symbols, 10000, FUNCTION, ELF_IMAGE_VADDR + 16, 8);
	elf_image_symbols(&i, ".symtab", SHT_SYMTAB, &symbols, table);
	elf_image_finish(&i);
	elf_image_put_last(&i, table);
	ck_assert_uint_eq(i.file.len % ELF_IMAGE_PAGE, 0);

	module_open(&m, &i);
	ck_assert_int_eq(dwfl_module_getsymtab(m.mod), 4);
	ck_assert_str_eq(symbol(&n, &m, 1), "first");
	if (_i)
		ck_assert_str_eq(symbol(&n, &m, 2), "second");
	else
		ck_assert_ptr_null(symbol(&n, &m, 2));
	ck_assert_ptr_null(symbol(&n, &m, 3));
	ck_assert_ptr_null(symbol(&n, &m, 4));
	dwfl_end(m.dwfl);
	elf_image_release(&i);
	str_release(&symbols);
}
END_TEST

START_TEST(only_programs_and_libraries_are_taken)
{
	static const struct {
		uint16_t type;
		bool want;
	} types[] = { { ET_EXEC, true }, { ET_DYN, true }, { ET_REL, false }, { ET_CORE, false }, { 77, false } };
	struct elf_image i = { 0 };
	size_t k;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf_image_finish(&i);
	for (k = 0; k < ARRAY_LEN(types); k++) {
		((Elf64_Ehdr *)i.file.s)->e_type = types[k].type;
		elf = elf_memory(i.file.s, i.file.len);
		ck_assert_int_eq(elf_is_program(elf), types[k].want);
		elf_end(elf);
	}
	ck_assert(!elf_is_program(NULL));
	elf_image_release(&i);
}
END_TEST

Suite *check_elf_names_suite(void)
{
	Suite *s = suite_create("elf_names");
	TCase *tc = tcase_create("elf_names");

	tcase_add_loop_test(tc, a_symbol_is_not_read_past_the_end, 0, 2);
	tcase_add_test(tc, only_programs_and_libraries_are_taken);
	suite_add_tcase(s, tc);
	return s;
}
