/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file_sum.h"
#include "tests/harness.h"

Suite *check_file_sum_suite(void);

static bool sum_of(const char *path, uint64_t *ret_sum)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool has_sum;

	ck_assert_int_ge(fd, 0);
	has_sum = file_sum(fd, ret_sum);
	close(fd);
	return has_sum;
}

/* Recordings hold it: these never change. SipHash-1-3, worked out by a program in Python. */
static const struct {
	size_t len;
	uint64_t want;
} sums[] = {
	{ 1, 0xe8a914128e01e473 },
	{ 65536, 0xa2bd34e093421f40 },
	{ 65537, 0xe1770ecc0342e67f },
	{ 200000, 0x854ddad91b0e3ed0 },
};

START_TEST(sum_never_changes)
{
	char *bytes = xmalloc(sums[_i].len);
	uint64_t sum;
	size_t i;

	for (i = 0; i < sums[_i].len; i++)
		bytes[i] = (char)(i * 7 + (i >> 8));
	ck_assert(sum_of(harness_file("file", bytes, sums[_i].len), &sum));
	ck_assert_msg(sum == sums[_i].want, "%zu bytes: %#llx", sums[_i].len, (unsigned long long)sum);
	free(bytes);
}
END_TEST

static const size_t changed[] = { 0, 65535, 65536, 99999 };

START_TEST(every_byte_counts)
{
	char *bytes = xcalloc(1, 100000);
	uint64_t before, after;

	ck_assert(sum_of(harness_file("file", bytes, 100000), &before));
	bytes[changed[_i]] = 1;
	ck_assert(sum_of(harness_file("file", bytes, 100000), &after));
	ck_assert_uint_ne(before, after);
	free(bytes);
}
END_TEST

static const char *const no_files[] = { "/dev/zero", "/", "/proc/self/status" };

START_TEST(what_is_no_file_has_none)
{
	uint64_t sum;

	ck_assert(!sum_of(no_files[_i], &sum));
}
END_TEST

START_TEST(too_large_a_file_has_none)
{
	const char *path = harness_file("file", "text", 4);
	uint64_t sum;

	ck_assert_int_eq(truncate(path, (512 << 20) + 1), 0);
	ck_assert(!sum_of(path, &sum));
}
END_TEST

Suite *check_file_sum_suite(void)
{
	Suite *s = suite_create("file_sum");
	TCase *tc = tcase_create("file_sum");

	tcase_add_loop_test(tc, sum_never_changes, 0, ARRAY_LEN(sums));
	tcase_add_loop_test(tc, every_byte_counts, 0, ARRAY_LEN(changed));
	tcase_add_loop_test(tc, what_is_no_file_has_none, 0, ARRAY_LEN(no_files));
	tcase_add_test(tc, too_large_a_file_has_none);
	suite_add_tcase(s, tc);
	return s;
}
