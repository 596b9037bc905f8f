/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collector/maps.h"
#include "collector/root.h"
#include "collector/target.h"
#include "tests/harness.h"

Suite *check_target_suite(void);

static const struct {
	const char *text;
	uint32_t want[4];
	size_t nr; /* 0: no list of pids */
} lists[] = {
	{ "17", { 17 }, 1 },
	{ "17,42", { 17, 42 }, 2 },
	{ "17,42,17", { 17, 42 }, 2 },
	{ "2147483647", { 2147483647 }, 1 },
	{ "007", { 7 }, 1 },
	{ "", { 0 }, 0 },
	{ "0", { 0 }, 0 },
	{ "-1", { 0 }, 0 },
	{ "+1", { 0 }, 0 },
	{ " 1", { 0 }, 0 },
	{ "1 ", { 0 }, 0 },
	{ "1,", { 0 }, 0 },
	{ ",1", { 0 }, 0 },
	{ "1,,2", { 0 }, 0 },
	{ "1;2", { 0 }, 0 },
	{ "0x10", { 0 }, 0 },
	{ "2147483648", { 0 }, 0 },
	{ "99999999999999999999", { 0 }, 0 },
	{ "server", { 0 }, 0 },
};

START_TEST(pids_are_read_from_a_list)
{
	struct pids pids = { 0 };
	struct err e = { 0 };
	size_t i;

	ck_assert_int_eq(pids_parse(&pids, lists[_i].text, &e), lists[_i].nr ? 0 : -EINVAL);
	for (i = 0; i < lists[_i].nr; i++)
		ck_assert_uint_eq(pids.at.at[i], lists[_i].want[i]);
	if (lists[_i].nr)
		ck_assert_uint_eq(pids.at.nr, lists[_i].nr);
	else
		ck_assert_ptr_nonnull(strstr(e.what, "-p "));
	pids_release(&pids);
}
END_TEST

START_TEST(lists_add_up)
{
	struct pids pids = { 0 };
	struct err e;

	ck_assert_int_eq(pids_parse(&pids, "17,42", &e), 0);
	ck_assert_int_eq(pids_parse(&pids, "42,43", &e), 0);
	ck_assert_uint_eq(pids.at.nr, 3);
	ck_assert(pids_has(&pids, 17) && pids_has(&pids, 42) && pids_has(&pids, 43));
	ck_assert(!pids_has(&pids, 4));
	pids_release(&pids);
	ck_assert(!pids_has(&pids, 17));
}
END_TEST

/* A child that waits, of a child that waits. Ends with its group when the test ends. */
static pid_t start_family(pid_t *ret_grandchild)
{
	int ends[2];
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		pid_t grandchild = fork();

		if (!grandchild) {
			/* A name that a careless reader of /proc/PID/stat stumbles over. */
			prctl(PR_SET_NAME, "a) R 1 (b c");
			if (write(ends[1], &(pid_t){ getpid() }, sizeof(pid_t)) < 0)
				_exit(1);
			pause();
		}
		pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ends[0], ret_grandchild, sizeof(*ret_grandchild)),
			 sizeof(*ret_grandchild));
	close(ends[0]);
	close(ends[1]);
	return pid;
}

START_TEST(descendants_are_found_whatever_their_name)
{
	struct pids pids = { 0 };
	pid_t child, grandchild;

	child = start_family(&grandchild);
	vec_push(&pids.at, (uint32_t)child);
	ck_assert_uint_eq(pids_add_descendants(&pids), 1);
	ck_assert(pids_has(&pids, (uint32_t)grandchild));
	ck_assert_uint_eq(pids_add_descendants(&pids), 0);
	pids_release(&pids);
	vec_push(&pids.at, (uint32_t)getpid());
	ck_assert_uint_eq(pids_add_descendants(&pids), 2);
	ck_assert(pids_has(&pids, (uint32_t)child) && pids_has(&pids, (uint32_t)grandchild));
	pids_release(&pids);
	ck_assert_str_eq(thread_name((uint32_t)grandchild, (uint32_t)grandchild).text,
			 "a) R 1 (b c");
	ck_assert(!process_is_gone((uint32_t)grandchild));
	kill(grandchild, SIGKILL);
	harness_stop(child, SIGKILL);
	ck_assert(process_is_gone((uint32_t)child));
}
END_TEST

START_TEST(zombie_is_gone)
{
	pid_t pid = fork();
	siginfo_t info;

	if (!pid)
		_exit(0);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert(process_is_gone((uint32_t)pid));
	ck_assert_int_eq(harness_wait(pid), 0);
	ck_assert(process_is_gone((uint32_t)pid));
	ck_assert(!process_is_gone((uint32_t)getpid()));
}
END_TEST

static pthread_barrier_t barrier;
static uint32_t thread_id;

static void *thread(void *unused)
{
	(void)unused;
	thread_id = (uint32_t)syscall(SYS_gettid);
	prctl(PR_SET_NAME, "second\none");
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

START_TEST(threads_belong_to_their_process)
{
	uint32_t pid = (uint32_t)getpid(), leader;
	struct pids tids = { 0 };
	struct err e;
	pthread_t t;

	pthread_barrier_init(&barrier, NULL, 2);
	ck_assert_int_eq(pthread_create(&t, NULL, thread, NULL), 0);
	pthread_barrier_wait(&barrier);
	process_threads(pid, &tids);
	ck_assert_uint_ge(tids.at.nr, 2);
	ck_assert(pids_has(&tids, pid) && pids_has(&tids, thread_id));
	ck_assert_str_eq(thread_name(pid, thread_id).text, "second\none");
	leader = thread_id;
	ck_assert_int_eq(process_check(&leader, &e), 0);
	ck_assert_uint_eq(leader, pid);
	pthread_barrier_wait(&barrier);
	pthread_join(t, NULL);
	pthread_barrier_destroy(&barrier);
	pids_release(&tids);
}
END_TEST

static void *wait_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* Its first thread ends, a zombie until the others have too. */
static pid_t start_headless(void)
{
	pid_t pid = fork();
	pthread_t t;

	if (pid)
		return pid;
	pthread_create(&t, NULL, wait_for_ever, NULL);
	pthread_exit(NULL);
}

static bool is_headless(void *pid)
{
	uint32_t task = process_live_task(*(uint32_t *)pid);

	return task && task != *(uint32_t *)pid;
}

/* Who has no descriptor left to look cannot tell. */
START_TEST(nobody_is_gone_for_want_of_a_descriptor)
{
	struct rlimit before;
	bool is_gone;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, before.rlim_max }), 0);
	is_gone = process_is_gone((uint32_t)getpid());
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert(!is_gone);
}
END_TEST

START_TEST(process_outlives_its_first_thread)
{
	uint32_t pid = (uint32_t)start_headless(), task;
	struct maps maps = { 0 };
	struct pids tids = { 0 };
	struct err e = { 0 };
	int root;

	ck_assert_msg(harness_wait_until(is_headless, &pid), "no thread was left");
	ck_assert(!process_is_gone(pid));
	task = process_live_task(pid);
	process_threads(pid, &tids);
	ck_assert(pids_has(&tids, task));
	ck_assert_int_eq(maps_read(&maps, (int)pid, &e), 0);
	ck_assert_uint_gt(maps.entries.nr, 0);
	root = root_of_process(pid);
	ck_assert_int_ge(root, 0);
	close(root);
	kill((pid_t)pid, SIGKILL);
	harness_wait((pid_t)pid);
	ck_assert(process_is_gone(pid));
	ck_assert_uint_eq(process_live_task(pid), 0);
	maps_release(&maps);
	pids_release(&tids);
}
END_TEST

START_TEST(users_are_told)
{
	uint32_t uids[2];

	process_uids((uint32_t)getpid(), uids);
	ck_assert_uint_eq(uids[0], getuid());
	ck_assert_uint_eq(uids[1], geteuid());
	process_uids(1U << 30, uids);
	ck_assert_uint_eq(uids[0], UINT32_MAX);
}
END_TEST

START_TEST(who_has_ended_is_told)
{
	uint32_t child = (uint32_t)fork(), pid = child;
	siginfo_t info;
	struct err e = { 0 };

	if (!child)
		_exit(0);
	ck_assert_int_eq(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(process_check(&pid, &e), -ESRCH);
	ck_assert_ptr_nonnull(strstr(e.what, " has ended"));
	ck_assert_int_eq(waitpid((pid_t)child, NULL, 0), (pid_t)child);
}
END_TEST

/* A number that the kernel gives to nobody: PID_MAX_LIMIT is 2^22. */
START_TEST(nobody_is_told_by_number)
{
	uint32_t pid = 1U << 30;
	struct pids tids = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(process_check(&pid, &e), -ESRCH);
	ck_assert_ptr_nonnull(strstr(e.what, "1073741824: No such process"));
	process_threads(pid, &tids);
	ck_assert_uint_eq(tids.at.nr, 0);
	ck_assert_str_eq(thread_name(pid, pid).text, "");
	ck_assert_uint_eq(process_inner_pid(pid), pid);
	ck_assert(process_is_gone(pid));
	pids_release(&tids);
}
END_TEST

START_TEST(inner_pid_of_ours_is_our_pid)
{
	ck_assert_uint_eq(process_inner_pid((uint32_t)getpid()), (uint32_t)getpid());
}
END_TEST

static pid_t start_with_groups(size_t nr_groups)
{
	gid_t *groups = xcalloc(nr_groups, sizeof(*groups));
	int ends[2];
	char ready;
	pid_t pid;
	size_t i;

	for (i = 0; i < nr_groups; i++)
		groups[i] = 10000 + (gid_t)i;
	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		if (setgroups(nr_groups, groups) || write(ends[1], "", 1) < 0)
			_exit(1);
		pause();
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &ready, 1), 1);
	close(ends[0]);
	free(groups);
	return pid;
}

/* In status, its numbers stand behind the groups. */
START_TEST(inner_pid_is_seen_behind_many_groups)
{
	pid_t child = start_with_groups(2000);

	ck_assert_uint_eq(process_inner_pid((uint32_t)child), (uint32_t)child);
	harness_stop(child, SIGKILL);
}
END_TEST

Suite *check_target_suite(void)
{
	Suite *s = suite_create("target");
	TCase *tc = tcase_create("target");

	tcase_add_loop_test(tc, pids_are_read_from_a_list, 0, ARRAY_LEN(lists));
	tcase_add_test(tc, lists_add_up);
	tcase_add_test(tc, descendants_are_found_whatever_their_name);
	tcase_add_test(tc, zombie_is_gone);
	tcase_add_test(tc, nobody_is_gone_for_want_of_a_descriptor);
	tcase_add_test(tc, process_outlives_its_first_thread);
	tcase_add_test(tc, users_are_told);
	tcase_add_test(tc, threads_belong_to_their_process);
	tcase_add_test(tc, who_has_ended_is_told);
	tcase_add_test(tc, nobody_is_told_by_number);
	tcase_add_test(tc, inner_pid_of_ours_is_our_pid);
	if (harness_can_or_omit(s, "many groups", CAN_ROOT))
		tcase_add_test(tc, inner_pid_is_seen_behind_many_groups);
	suite_add_tcase(s, tc);
	return s;
}
