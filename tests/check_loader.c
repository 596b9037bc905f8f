/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "collector/loader.h"
#include "collector/maps.h"

Suite *check_loader_suite(void);

static const struct {
	const char *line, *path;	/* NULL: none */
} lines[] = {
	{ "\tlinux-vdso.so.1 (0x00007ffe0b5f2000)", NULL },
	{ "\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f6d1a000000)", "/lib/x86_64-linux-gnu/libz.so.1" },
	{ "\tlibodd.so => /a (0b)/x => y/libodd.so (0x00007f6d1a000000)", "/a (0b)/x => y/libodd.so" },
	{ "\tlibnone.so => not found", NULL },
	{ "\t/lib64/ld-linux-x86-64.so.2 (0x00007f6d1a200000)", "/lib64/ld-linux-x86-64.so.2" },
	{ "\tlibc.so => /lib/ld-musl-x86_64.so.1 (0x7f6d1a200000)", "/lib/ld-musl-x86_64.so.1" },
	{ "\tlib.so => relative/lib.so (0x7f6d1a200000)", "relative/lib.so" },
	{ "\t./lib/libx.so (0x00007f6d1a200000)", "./lib/libx.so" },
	{ "\t/lib/cut", NULL },
	{ "\tstatically linked", NULL },
	{ "", NULL },
};

START_TEST(lines_are_read)
{
	char *path = loader_path_of_line(lines[_i].line);

	if (lines[_i].path)
		ck_assert_str_eq(path, lines[_i].path);
	else
		ck_assert_ptr_null(path);
	free(path);
}
END_TEST

static bool is_mapped(const struct maps *maps, const char *path)
{
	vec_each(&maps->entries, m)
		if (maps_entry_is_file(m) && !strcmp(m->path, path))
			return true;
	return false;
}

/* Of this very program, where it shows. */
START_TEST(libraries_are_those_that_will_be_mapped)
{
	struct loader_libraries found = { 0 };
	struct maps maps = { 0 };
	struct err e = { 0 };
	bool has_libc = false;

	ck_assert_int_eq(maps_read(&maps, getpid(), &e), 0);
	ck_assert_int_eq(loader_list("/proc/self/exe", &found), 0);
	ck_assert_uint_ge(found.paths.nr, 3);
	vec_each(&found.paths, path) {
		ck_assert_msg(is_mapped(&maps, *path), "%s is not mapped", *path);
		has_libc |= !!strstr(*path, "/libc.so.6");
	}
	ck_assert(has_libc);
	loader_libraries_release(&found);
	maps_release(&maps);
}
END_TEST

/* The loader of a copy of this program becomes another one: "" takes it away. */
static void put_loader(const char *path, const char *loader)
{
	FILE *f = fopen(path, "r+");
	Elf64_Ehdr head;
	Elf64_Phdr ph;
	char room[256];
	int i;

	ck_assert_uint_eq(fread(&head, sizeof(head), 1, f), 1);
	for (i = 0; i < head.e_phnum; i++) {
		fseek(f, (long)(head.e_phoff + i * sizeof(ph)), SEEK_SET);
		ck_assert_uint_eq(fread(&ph, sizeof(ph), 1, f), 1);
		if (ph.p_type != PT_INTERP)
			continue;
		ck_assert_uint_gt(ph.p_filesz, strlen(loader));
		ck_assert_uint_le(ph.p_filesz, sizeof(room));
		snprintf(room, sizeof(room), "%s", loader);
		fseek(f, (long)ph.p_offset, SEEK_SET);
		ck_assert_uint_eq(fwrite(room, strlen(loader) + 1, 1, f), 1);
		fseek(f, (long)(ph.p_offset + ph.p_filesz - 1), SEEK_SET);
		ck_assert_int_eq(fputc(0, f), 0);
		if (!*loader) {
			ph.p_type = PT_NULL;
			fseek(f, (long)(head.e_phoff + i * sizeof(ph)), SEEK_SET);
			ck_assert_uint_eq(fwrite(&ph, sizeof(ph), 1, f), 1);
		}
	}
	ck_assert_int_eq(fclose(f), 0);
}

static const struct {
	const char *loader;
	int want;
} loaders[] = {
	{ "", 0 },
	{ "/bin/sh", -EIO },		/* would run it */
	{ "/nothing/ld.so", -EIO },
};

START_TEST(loaders_that_cannot_be_asked)
{
	char path[] = "/tmp/check_loader.XXXXXX", *copy;
	struct loader_libraries found = { 0 };

	close(mkstemp(path));
	copy = xasprintf("cp /proc/%d/exe %s", getpid(), path);
	ck_assert_int_eq(system(copy), 0);
	put_loader(path, loaders[_i].loader);
	ck_assert_int_eq(loader_list(path, &found), loaders[_i].want);
	ck_assert_uint_eq(found.paths.nr, 0);
	loader_libraries_release(&found);
	unlink(path);
	free(copy);
}
END_TEST

/* It would do whatever it was written for. */
START_TEST(loaders_of_others_are_not_asked)
{
	char path[] = "/tmp/check_loader.XXXXXX", loader[] = "/tmp/ldXXXXXX.so", *copy;
	struct loader_libraries found = { 0 };
	bool is_writable = _i;

	close(mkstemp(path));
	close(mkstemps(loader, 3));
	copy = xasprintf("cp /proc/%d/exe %s && cp /lib64/ld-linux-x86-64.so.2 %s", getpid(), path, loader);
	ck_assert_int_eq(system(copy), 0);
	ck_assert_int_eq(chmod(loader, is_writable ? 0777 : 0755), 0);
	if (!geteuid() && !is_writable)
		ck_assert_int_eq(chown(loader, 65534, 65534), 0);
	put_loader(path, loader);
	ck_assert_int_eq(loader_list(path, &found), -EIO);
	ck_assert_uint_eq(found.paths.nr, 0);
	unlink(path);
	unlink(loader);
	free(copy);
}
END_TEST

static const struct {
	const char *line, *want;	/* NULL: the script itself */
	const char *argument;
} scripts[] = {
	{ "#!/bin/sh", "/bin/sh", NULL },
	{ "#!/bin/sh \t\n", "/bin/sh", NULL },
	{ "#!/bin/sh\nexit", "/bin/sh", NULL },
	{ "#! \t/usr/bin/env python3\n", "/usr/bin/env", "python3" },
	{ "#!/usr/bin/env\t -S  python3 -u \n", "/usr/bin/env", "-S  python3 -u" },
	{ "#!", NULL, NULL },
	{ "#! \n/bin/sh", NULL, NULL },
	{ "# !/bin/sh\n", NULL, NULL },
	{ "", NULL, NULL },
	{ "#!SELF\n", NULL, NULL },		/* for ever */
};

START_TEST(scripts_have_interpreters)
{
	char path[] = "/tmp/check_loader.XXXXXX", *found, *argument;
	int fd = mkstemp(path);

	if (str_starts(scripts[_i].line, "#!SELF"))
		ck_assert_int_gt(dprintf(fd, "#!%s\n", path), 0);
	else
		ck_assert_int_ge(dprintf(fd, "%s", scripts[_i].line), 0);
	close(fd);
	found = loader_program(path, &argument);
	ck_assert_str_eq(found, scripts[_i].want ? scripts[_i].want : path);
	ck_assert_pstr_eq(argument, scripts[_i].argument);
	free(found);
	free(argument);
	unlink(path);
	found = loader_program("/nothing/here", &argument);
	ck_assert_str_eq(found, "/nothing/here");
	ck_assert_ptr_null(argument);
	free(found);
}
END_TEST

START_TEST(what_is_no_program)
{
	struct loader_libraries found = { 0 };

	ck_assert_int_eq(loader_list("/nothing/here", &found), -ENOENT);
	ck_assert_int_eq(loader_list("/proc/self/maps", &found), -ENOEXEC);
	ck_assert_uint_eq(found.paths.nr, 0);
}
END_TEST

Suite *check_loader_suite(void)
{
	Suite *s = suite_create("loader");
	TCase *tc = tcase_create("core");

	tcase_add_loop_test(tc, lines_are_read, 0, ARRAY_LEN(lines));
	tcase_add_test(tc, libraries_are_those_that_will_be_mapped);
	tcase_add_loop_test(tc, loaders_that_cannot_be_asked, 0, ARRAY_LEN(loaders));
	tcase_add_loop_test(tc, loaders_of_others_are_not_asked, 0, 2);
	tcase_add_loop_test(tc, scripts_have_interpreters, 0, ARRAY_LEN(scripts));
	tcase_add_test(tc, what_is_no_program);
	suite_add_tcase(s, tc);
	return s;
}
