/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collector/maps.h"

Suite *check_maps_suite(void);

#define RX (PROT_READ | PROT_EXEC)
#define RW (PROT_READ | PROT_WRITE)

static const struct {
	const char *line;
	struct maps_entry want;
	bool is_file;
} good[] = {
	{ "55d0c0a00000-55d0c0a21000 r-xp 00001000 fe:01 1835117                    /usr/bin/x\n",
	  { 0x55d0c0a00000, 0x55d0c0a21000, 0x1000, 1835117, 0xfe, 1, RX, .path = "/usr/bin/x" },
	  true },
	{ "7ffc0000-7ffd0000 rw-p 00000000 00:00 0 \n",
	  { 0x7ffc0000, 0x7ffd0000, 0, 0, 0, 0, RW, .path = "" }, false },
	{ "7ffc0000-7ffd0000 rw-p 00000000 00:00 0                          [heap]\n",
	  { 0x7ffc0000, 0x7ffd0000, 0, 0, 0, 0, RW, .path = "[heap]" }, false },
	{ "1000-2000 ---p 00000000 08:10 7 /a b  c\n",
	  { 0x1000, 0x2000, 0, 7, 8, 16, PROT_NONE, .path = "/a b  c" }, true },
	{ "1000-2000 rw-s 00000000 00:01 2053 /memfd:jit (deleted)\n",
	  { 0x1000, 0x2000, 0, 2053, 0, 1, RW, true, true, "/memfd:jit" }, true },
	{ "1000-2000 r--p 00000000 08:10 7 /x\\012y\\134\\01\n",
	  { 0x1000, 0x2000, 0, 7, 8, 16, PROT_READ, .path = "/x\ny\\134\\01" }, true },
	{ "1000-2000 r--p 00000000 08:10 7 /x (deleted) (deleted)\n",
	  { 0x1000, 0x2000, 0, 7, 8, 16, PROT_READ, false, true, "/x (deleted)" }, true },
	{ "1000-2000 r--p 00000000 08:10 7 /no/newline",
	  { 0x1000, 0x2000, 0, 7, 8, 16, PROT_READ, .path = "/no/newline" }, true },
	{ "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n",
	  { 0xffffffffff600000, 0xffffffffff601000, 0, 0, 0, 0, PROT_EXEC, .path = "[vsyscall]" },
	  false },
	{ "1000-2000 rwxp 7fffffff000 103:2ab 18446744073709551615 /\xff\n",
	  { 0x1000, 0x2000, 0x7fffffff000, UINT64_MAX, 0x103, 0x2ab, RW | PROT_EXEC,
	    .path = "/\xff" }, true },
	{ "1000-2000 r--s 00000000 00:0e 12 anon_inode:[perf_event]\n",
	  { 0x1000, 0x2000, 0, 12, 0, 14, PROT_READ, true, .path = "anon_inode:[perf_event]" },
	  false },
};

START_TEST(a_line_becomes_an_entry)
{
	const struct maps_entry *want = &good[_i].want, *got;
	struct maps m = { 0 };

	maps_parse(&m, good[_i].line, strlen(good[_i].line));
	ck_assert_uint_eq(m.nr_bad_lines, 0);
	ck_assert_uint_eq(m.entries.nr, 1);
	got = m.entries.at;
	ck_assert_uint_eq(got->start, want->start);
	ck_assert_uint_eq(got->end, want->end);
	ck_assert_uint_eq(got->off, want->off);
	ck_assert_uint_eq(got->inode, want->inode);
	ck_assert_uint_eq(got->dev_major, want->dev_major);
	ck_assert_uint_eq(got->dev_minor, want->dev_minor);
	ck_assert_int_eq(got->prot, want->prot);
	ck_assert(got->is_shared == want->is_shared);
	ck_assert(got->is_deleted == want->is_deleted);
	ck_assert_str_eq(got->path, want->path);
	ck_assert(maps_entry_is_file(got) == good[_i].is_file);
	maps_release(&m);
}
END_TEST

static const char *const bad[] = {
	"\n",
	" \n",
	"1000\n",
	"1000-2000\n",
	"1000-2000 r-xp\n",
	"1000-2000 r-x 00000000 08:10 7 /x\n",
	"1000-2000 r-xq 00000000 08:10 7 /x\n",
	"1000-2000 r-xp 00000000 08:10\n",
	"1000-2000 r-xp 00000000 0810 7 /x\n",
	"1000-2000 r-xp 00000000 08:10 7a /x\n",
	"1000-2000 r-xp g 08:10 7 /x\n",
	"1000-2000 r-xp 00000000 100000000:10 7 /x\n",
	"2000-1000 r-xp 00000000 08:10 7 /x\n",
	"1000-1000 r-xp 00000000 08:10 7 /x\n",
	"-1000 r-xp 00000000 08:10 7 /x\n",
	"10000000000000000-20000000000000000 r-xp 00000000 08:10 7 /x\n",
	"1000-2000 r-xp 00000000 08:10 18446744073709551616 /x\n",
	"Size:                132 kB\n",
};

START_TEST(a_bad_line_is_counted_and_left_out)
{
	static const char line[] = "3000-4000 r-xp 00000000 08:10 7 /good\n";
	char *text = xasprintf("%s%s%s", line, bad[_i], line);
	struct maps m = { 0 };

	maps_parse(&m, text, strlen(text));
	ck_assert_uint_eq(m.nr_bad_lines, 1);
	ck_assert_uint_eq(m.entries.nr, 2);
	ck_assert_str_eq(m.entries.at[1].path, "/good");
	maps_release(&m);
	free(text);
}
END_TEST

START_TEST(any_cut_of_a_text_is_survived)
{
	static const char text[] = "1000-2000 r-xp 00000000 08:10 7 /x (deleted)\n"
				   "3000-4000 rw-p 00000000 00:00 0 \n";
	size_t len;

	for (len = 0; len < sizeof(text); len++) {
		char *copy = xmemdup(text, len);
		struct maps m = { 0 };

		maps_parse(&m, copy, len);
		ck_assert_uint_le(m.entries.nr, 2);
		maps_release(&m);
		free(copy);
	}
}
END_TEST

START_TEST(find_takes_start_and_not_end)
{
	static const char text[] = "1000-2000 r-xp 00000000 08:10 7 /a\n"
				   "2000-3000 r-xp 00000000 08:10 7 /b\n"
				   "5000-6000 r-xp 00000000 08:10 7 /c\n";
	static const struct {
		uint64_t addr;
		const char *want;
	} cases[] = { { 0, NULL },	{ 0xfff, NULL },  { 0x1000, "/a" }, { 0x1fff, "/a" },
		      { 0x2000, "/b" }, { 0x3000, NULL }, { 0x4fff, NULL }, { 0x5800, "/c" },
		      { 0x6000, NULL }, { UINT64_MAX, NULL } };
	struct maps m = { 0 };
	size_t i;

	ck_assert_ptr_null(maps_find(&m, 0x1000));
	maps_parse(&m, text, strlen(text));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		const struct maps_entry *got = maps_find(&m, cases[i].addr);

		ck_assert_pstr_eq(got ? got->path : NULL, cases[i].want);
	}
	maps_release(&m);
}
END_TEST

/* The kernel's own text, of a mapping that is known: a file with a newline in its name. */
START_TEST(own_maps_are_read)
{
	char dir[] = "/tmp/check_maps.XXXXXX", *path;
	const struct maps_entry *entry;
	struct maps m = { 0 };
	struct err e = { 0 };
	struct stat st;
	FILE *f;
	void *p;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = xasprintf("%s/new\nline (deleted)", dir);
	f = fopen(path, "w+");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(ftruncate(fileno(f), 8192), 0);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(f), 4096);
	ck_assert(p != MAP_FAILED);
	unlink(path);
	rmdir(dir);

	ck_assert_int_eq(maps_read(&m, getpid(), &e), 0);
	ck_assert_uint_eq(m.nr_bad_lines, 0);
	entry = maps_find(&m, (uintptr_t)p);
	ck_assert_ptr_nonnull(entry);
	ck_assert_uint_eq(entry->start, (uintptr_t)p);
	ck_assert_uint_eq(entry->off, 4096);
	ck_assert_uint_eq(entry->inode, st.st_ino);
	ck_assert_int_eq(entry->prot, PROT_READ);
	ck_assert(entry->is_shared && entry->is_deleted);
	ck_assert_str_eq(entry->path, path);
	ck_assert_ptr_nonnull(maps_find(&m, (uintptr_t)check_maps_suite));
	munmap(p, 4096);
	fclose(f);
	free(path);
	maps_release(&m);
}
END_TEST

/* What the file has there is what the memory has. */
START_TEST(own_functions_are_found_in_their_file)
{
	char there[16];
	uint64_t off;
	FILE *f = fopen("/proc/self/exe", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(maps_own_off((uintptr_t)check_maps_suite, &off), 0);
	ck_assert_int_eq(fseek(f, (long)off, SEEK_SET), 0);
	ck_assert_uint_eq(fread(there, 1, sizeof(there), f), sizeof(there));
	ck_assert_mem_eq(there, (const void *)(uintptr_t)check_maps_suite, sizeof(there));
	ck_assert_int_eq(maps_own_off(1, &off), -ENOENT);
	fclose(f);
}
END_TEST

START_TEST(no_process_is_an_error)
{
	struct maps m = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(maps_read(&m, INT32_MAX, &e), -ESRCH);
	ck_assert_ptr_nonnull(strstr(e.what, "no such process"));
	maps_release(&m);
}
END_TEST

Suite *check_maps_suite(void)
{
	Suite *s = suite_create("maps");
	TCase *tc = tcase_create("maps");

	tcase_add_loop_test(tc, a_line_becomes_an_entry, 0, ARRAY_LEN(good));
	tcase_add_loop_test(tc, a_bad_line_is_counted_and_left_out, 0, ARRAY_LEN(bad));
	tcase_add_test(tc, any_cut_of_a_text_is_survived);
	tcase_add_test(tc, find_takes_start_and_not_end);
	tcase_add_test(tc, own_maps_are_read);
	tcase_add_test(tc, own_functions_are_found_in_their_file);
	tcase_add_test(tc, no_process_is_an_error);
	suite_add_tcase(s, tc);
	return s;
}
