/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/unkilled.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"

Suite *check_unkilled_suite(void);

struct work {
	VEC(int) fds;
	int ready_fd, killed_fd, done_fd;
};

static int open_some(void *self)
{
	struct work *w = self;
	int fds[2];

	if (pipe(fds))
		return -errno;
	vec_push(&w->fds, fds[0]);
	vec_push(&w->fds, fds[1]);
	return 42;
}

START_TEST(memory_and_descriptors_are_shared)
{
	struct work w = { 0 };
	char c = 0;

	ck_assert_int_eq(unkilled_call(open_some, &w), 42);
	ck_assert_uint_eq(w.fds.nr, 2);
	ck_assert_int_eq(write(w.fds.at[1], "x", 1), 1);
	ck_assert_int_eq(read(w.fds.at[0], &c, 1), 1);
	ck_assert_int_eq(c, 'x');
	/* Nobody is left to wait for. */
	ck_assert_int_eq(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	close(w.fds.at[0]);
	close(w.fds.at[1]);
	vec_release(&w.fds);
}
END_TEST

static int work_on(void *self)
{
	const struct work *w = self;
	char c;

	if (write(w->ready_fd, "r", 1) != 1)
		return -errno;
	if (read(w->killed_fd, &c, 1) != 1)
		return -errno;
	return write(w->done_fd, "d", 1) == 1 ? 0 : -errno;
}

START_TEST(work_goes_on_when_who_waits_for_it_is_killed)
{
	int ready[2], killed[2], done[2], status;
	char c = 0;
	pid_t pid;

	ck_assert_int_eq(pipe(ready) | pipe(killed) | pipe(done), 0);
	pid = fork();
	if (!pid) {
		struct work w = { .ready_fd = ready[1], .killed_fd = killed[0], .done_fd = done[1] };

		setpgid(0, 0);
		unkilled_call(work_on, &w);
		_exit(1);
	}
	close(ready[1]);
	close(done[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	/* All of its group. */
	ck_assert_int_eq(kill(-pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(write(killed[1], "k", 1), 1);
	ck_assert_int_eq(read(done[0], &c, 1), 1);
	ck_assert_int_eq(c, 'd');
	/* Then it ends, and what it held is closed. */
	ck_assert_int_eq(read(done[0], &c, 1), 0);
	close(ready[0]);
	close(killed[0]);
	close(killed[1]);
	close(done[0]);
}
END_TEST

Suite *check_unkilled_suite(void)
{
	Suite *s = suite_create("unkilled");
	TCase *tc = tcase_create("unkilled");

	tcase_add_test(tc, memory_and_descriptors_are_shared);
	tcase_add_test(tc, work_goes_on_when_who_waits_for_it_is_killed);
	suite_add_tcase(s, tc);
	return s;
}
