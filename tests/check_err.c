/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"

Suite *check_err_suite(void);

/* What err_print() writes; the caller frees it. */
static char *printed(const struct err *e)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	err_print(e, f);
	fclose(f);
	return text;
}

START_TEST(says_what_and_why)
{
	struct err e = { 0 };
	char *text;

	errno = EBADF;
	ck_assert_int_eq(err_set(&e, -ENOENT, "%s: %m", "a.out"), -ENOENT);
	ck_assert_int_eq(e.code, -ENOENT);
	text = printed(&e);
	ck_assert_str_eq(text, "wperf: a.out: No such file or directory\n");
	free(text);
	ck_assert_int_eq(err_remedy(&e, "Make %s first.", "one"), -ENOENT);
	text = printed(&e);
	ck_assert_str_eq(text, "wperf: a.out: No such file or directory\nMake one first.\n");
	free(text);
	err_set(&e, -EINVAL, "another");
	ck_assert_str_eq(e.remedy, "");
}
END_TEST

/* Whatever was quoted: two lines, and nothing that a terminal would obey. */
START_TEST(every_error_is_one_line)
{
	struct err e = { 0 };
	char *text;

	err_set(&e, -EINVAL, "no event '%s'", "a\nb\x1b[31m\t\xff\xc2\x9b\\n");
	err_remedy(&e, "Not %s.", "caf\xc3\xa9\r\n");
	text = printed(&e);
	ck_assert_str_eq(text, "wperf: no event 'a\\nb\\x1b[31m\\t\\xff\\x9b\\n'\n"
			       "Not caf\xc3\xa9\\r\\n.\n");
	free(text);
}
END_TEST

START_TEST(long_texts_are_cut)
{
	struct err e = { 0 };
	char *text = xmalloc(5001);

	memset(text, 'x', 5000);
	text[5000] = '\0';
	err_set(&e, -EINVAL, "%s", text);
	err_remedy(&e, "%s", text);
	ck_assert_uint_eq(strlen(e.what), sizeof(e.what) - 1);
	ck_assert_uint_eq(strlen(e.remedy), sizeof(e.remedy) - 1);
	free(text);
}
END_TEST

static const struct {
	int code;
	enum exit_status want;
} statuses[] = {
	{ -EPERM, EXIT_NOT_PERMITTED }, { -EACCES, EXIT_NOT_PERMITTED }, { -EINVAL, EXIT_USAGE },
	{ -ENOENT, EXIT_USAGE },	{ -ESRCH, EXIT_USAGE },		 { -ENOSPC, EXIT_USAGE },
};

START_TEST(exit_status_follows_the_code)
{
	struct err e = { 0 };

	err_set(&e, statuses[_i].code, "x");
	ck_assert_int_eq(err_exit_status(&e), statuses[_i].want);
}
END_TEST

Suite *check_err_suite(void)
{
	Suite *s = suite_create("err");
	TCase *tc = tcase_create("err");

	tcase_add_test(tc, says_what_and_why);
	tcase_add_test(tc, every_error_is_one_line);
	tcase_add_test(tc, long_texts_are_cut);
	tcase_add_loop_test(tc, exit_status_follows_the_code, 0, ARRAY_LEN(statuses));
	suite_add_tcase(s, tc);
	return s;
}
