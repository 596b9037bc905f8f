/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cut_files.h"

Suite *check_cut_files_suite(void);

/* Three pages of 'x', of which the file loses all but the first and one byte of the second. */
static const char *map_and_cut(FILE *f, size_t page)
{
	const char *map;
	size_t i;

	for (i = 0; i < 3 * page; i++)
		ck_assert_int_eq(fputc('x', f), 'x');
	ck_assert_int_eq(fflush(f), 0);
	map = mmap(NULL, 3 * page, PROT_READ, MAP_PRIVATE, fileno(f), 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(ftruncate(fileno(f), (off_t)page + 1), 0);
	return map;
}

START_TEST(what_was_cut_off_reads_as_zeros)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	FILE *f = tmpfile();
	const char *map = map_and_cut(f, page);

	cut_files_begin();
	ck_assert_int_eq(map[page - 1], 'x');
	ck_assert_int_eq(map[page], 'x');
	ck_assert_int_eq(map[page + 1], 0);
	ck_assert(!cut_files_were_read());
	ck_assert_int_eq(map[2 * page], 0);
	ck_assert_int_eq(map[3 * page - 1], 0);
	ck_assert(cut_files_were_read());
	fclose(f);
}
END_TEST

/* Told by another process, or a fault of the memory itself: it is not ours to go on. */
START_TEST(other_errors_end_the_program)
{
	cut_files_begin();
	raise(SIGBUS);
}
END_TEST

Suite *check_cut_files_suite(void)
{
	Suite *s = suite_create("cut_files");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, what_was_cut_off_reads_as_zeros);
	tcase_add_test_raise_signal(tc, other_errors_end_the_program, SIGBUS);
	suite_add_tcase(s, tc);
	return s;
}
