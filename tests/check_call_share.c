/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU time of processes that run, end and are waited for, against what the kernel says of all of them. */
#include <check.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "collector/call_share.h"
#include "tests/harness.h"

Suite *check_call_share_suite(void);

/* By ticks, for each of a few processes. */
enum { INEXACT_NS = 60 * 1000 * 1000 };

static const uint64_t second_ns = NS_PER_SEC;

static void burn(uint64_t ns)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while ((uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec < ns);
}

static uint64_t ns_of(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * NS_PER_SEC + (uint64_t)t->tv_usec * 1000;
}

/* Of this process, and of its children that were waited for. */
static uint64_t used_ns(void)
{
	struct rusage own, children;

	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	return ns_of(&own.ru_utime) + ns_of(&own.ru_stime) + ns_of(&children.ru_utime) + ns_of(&children.ru_stime);
}

static pid_t start_burning(uint64_t ns)
{
	int ready[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		burn(ns);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void end(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static bool is_about(uint64_t a, uint64_t b)
{
	return a < b + INEXACT_NS && b < a + INEXACT_NS;
}

/* A worker had been there at the look before and has ended, another one came and went, a third one is there. */
START_TEST(what_ended_processes_took_counts)
{
	struct call_share s = { .most = 1 };
	struct pids pids = { 0 };
	uint64_t took_ns, before_ns, third_ns = 200000000;
	pid_t first, second, third;

	vec_push(&pids.at, (uint32_t)getpid());
	first = start_burning(300000000);
	vec_push(&pids.at, (uint32_t)first);
	ck_assert(call_share_look(&s, &pids, second_ns, &took_ns));
	ck_assert_uint_eq(took_ns, 0);
	before_ns = used_ns() + 300000000;
	end(first);
	second = start_burning(150000000);
	end(second);
	third = start_burning(third_ns);
	pids.at.at[1] = (uint32_t)third;
	ck_assert(call_share_look(&s, &pids, 2 * second_ns, &took_ns));
	ck_assert_msg(is_about(took_ns, used_ns() + third_ns - before_ns), "%lu ns, not %lu", (unsigned long)took_ns,
		      (unsigned long)(used_ns() + third_ns - before_ns));
	ck_assert_uint_gt(took_ns, 300000000);
	end(third);
	call_share_release(&s);
	pids_release(&pids);
}
END_TEST

START_TEST(it_looks_once_a_second)
{
	struct call_share s = { .most = 0.5 };
	struct pids pids = { 0 };
	uint64_t took_ns;
	pid_t one = start_burning(10000000), other;

	vec_push(&pids.at, (uint32_t)getpid());
	vec_push(&pids.at, (uint32_t)one);
	ck_assert(call_share_look(&s, &pids, second_ns, &took_ns));
	ck_assert(!call_share_look(&s, &pids, 2 * second_ns - 1, &took_ns));
	other = start_burning(150000000);
	vec_push(&pids.at, (uint32_t)other);
	ck_assert(call_share_look(&s, &pids, 2 * second_ns, &took_ns));
	ck_assert_uint_ge(took_ns, 150000000 - INEXACT_NS);
	ck_assert(call_share_add(&s, 100, 50));
	ck_assert(!call_share_add(&s, 100, 51));
	ck_assert_uint_eq(s.seen_cpu_ns, 200);
	ck_assert(!call_share_add(&s, 100, 103));
	ck_assert_double_eq(s.seen_ns, 50 + 51 + 100);
	ck_assert_double_eq(call_share_part(100, 51), 0.51);
	ck_assert_double_eq(call_share_part(100, 103), 1);
	end(one);
	end(other);
	call_share_release(&s);
	pids_release(&pids);
}
END_TEST

Suite *check_call_share_suite(void)
{
	Suite *s = suite_create("call_share");
	TCase *tc = tcase_create("call_share");

	tcase_add_test(tc, what_ended_processes_took_counts);
	tcase_add_test(tc, it_looks_once_a_second);
	suite_add_tcase(s, tc);
	return s;
}
