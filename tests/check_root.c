/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collector/root.h"
#include "tests/harness.h"

Suite *check_root_suite(void);

/* What stands in the root, and what a link there leads to; `inside` has the text "inside". */
static const struct {
	const char *path;
	const char *link;	/* NULL: the path is what make_root() made */
	int want;		/* 0: it is `inside` */
} cases[] = {
	{ "/inside", NULL, 0 },
	{ "inside", NULL, 0 },
	{ "/dir/../inside", NULL, 0 },
	{ "/../../../inside", NULL, 0 },
	{ "/link", "inside", 0 },
	{ "/link", "/inside", 0 },
	{ "/link", "../../../../../../inside", 0 },
	{ "/dir/link", "/dir/../inside", 0 },
	/* Without a root of its own, each of these would be read. */
	{ "/link", "%s/secret", -ENOENT },
	{ "/link", "../secret", -ENOENT },
	{ "/link", "/proc/self/exe", -ENOENT },
	{ "/../secret", NULL, -ENOENT },
	{ "/link", "/link", -ELOOP },
	{ "/dir", NULL, -EINVAL },
	{ "/fifo", NULL, -EINVAL },
	{ "/nothing", NULL, -ENOENT },
};

/* A directory with a secret, and one below it that is somebody's root. */
static int make_root(const char *link, const char *at)
{
	const char *top = harness_path("");
	char *target = xasprintf(link ? link : "", top), *path;
	int fd;

	harness_file("secret", "secret", 6);
	ck_assert_int_eq(mkdir(harness_path("root"), 0755), 0);
	ck_assert_int_eq(mkdir(harness_path("root/dir"), 0755), 0);
	ck_assert_int_eq(mkfifo(harness_path("root/fifo"), 0644), 0);
	harness_file("root/inside", "inside", 6);
	path = xasprintf("%s/root%s", top, at);
	if (link)
		ck_assert_int_eq(symlink(target, path), 0);
	fd = open(harness_path("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	free(path);
	free(target);
	return fd;
}

START_TEST(links_lead_nowhere_else)
{
	int root = make_root(cases[_i].link, cases[_i].path), fd;
	char text[16] = "";

	fd = root_open_file(root, cases[_i].path);
	if (cases[_i].want) {
		ck_assert_msg(fd == cases[_i].want, "%s -> %s: %d", cases[_i].path,
			      cases[_i].link ? cases[_i].link : "", fd);
	} else {
		ck_assert_int_eq(read(fd, text, sizeof(text)), 6);
		ck_assert_str_eq(text, "inside");
		close(fd);
	}
	close(root);
}
END_TEST

/* /proc's links lead out of any root, to the files that a process has open. */
START_TEST(links_of_proc_are_not_followed)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	ck_assert_int_eq(root_open_file(root, "/proc/self/exe"), -ELOOP);
	ck_assert_int_eq(root_find_dir(root, "/proc/self/root"), -ELOOP);
	fd = root_open_file(ROOT_OURS, "/proc/self/exe");
	ck_assert_int_ge(fd, 0);
	close(fd);
	close(root);
}
END_TEST

START_TEST(a_name_in_a_directory_is_no_link)
{
	int root = make_root("inside", "/link"), fd;

	ck_assert_int_eq(root_find_in_dir(root, "link"), -ELOOP);
	ck_assert_int_eq(root_find_in_dir(root, "dir"), -EINVAL);
	ck_assert_int_eq(root_find_in_dir(root, "fifo"), -EINVAL);
	fd = root_find_in_dir(root, "inside");
	ck_assert_int_ge(fd, 0);
	close(fd);
	close(root);
}
END_TEST

START_TEST(roots_of_processes)
{
	int root = root_of_process((uint32_t)getpid()), fd;

	ck_assert_int_ge(root, 0);
	fd = root_find_dir(root, harness_path(""));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(root_of_process(1U << 30), -ESRCH);
	close(fd);
	close(root);
}
END_TEST

Suite *check_root_suite(void)
{
	Suite *s = suite_create("root");
	TCase *tc = tcase_create("root");

	tcase_add_loop_test(tc, links_lead_nowhere_else, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, links_of_proc_are_not_followed);
	tcase_add_test(tc, a_name_in_a_directory_is_no_link);
	tcase_add_test(tc, roots_of_processes);
	suite_add_tcase(s, tc);
	return s;
}
