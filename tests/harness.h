/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests share: a directory of their own, programs that are run and looked at, expected files,
 * and the test cases that this machine cannot run.
 *
 * Everything that a test makes through harness_path() is taken away when all tests have run,
 * crashed ones included. Programs that a test leaves behind are ended by libcheck with the test's
 * group.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <check.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

/* ---- what the host can do ---- */

enum ability {
	CAN_ROOT,	/* uid 0 */
	CAN_BPF,	/* events per CPU and markers: wperf's privileged way works here */
	CAN_SAMPLE_ALL, /* the kernel and other users' processes, if need be thread by thread */
	CAN_SAMPLE,	/* perf_event_open(2) of an own process */
	CAN_DROP_UID,	/* setpriv(1) to another uid, which can run wperf and sample itself */
	CAN_UNSHARE,	/* unshare(1) makes a mount namespace */
	CAN_PERF,	/* perf(1) is installed and runs */
	CAN_COMPILE,	/* gcc */
	NR_ABILITIES,
};

/* Asked once, then remembered: call it in the suite's function, not in a test. */
bool harness_can(enum ability ability);
/*
 * False: the host lacks the ability, and the test case of that name is noted as left out (with
 * WPERF_FORBID_OMISSIONS=1 it becomes a failure of the suite).
 *
 *	if (harness_can_or_omit(s, "attaches", CAN_BPF))
 *		suite_add_tcase(s, attaches_tcase());
 */
bool harness_can_or_omit(Suite *s, const char *tcase, enum ability ability);
/* The same for a reason that is not in the list above. */
void harness_omit(Suite *s, const char *tcase, const char *why);
/* Prints how many test cases were left out, and why. */
void harness_print_omissions(void);

/* ---- files ---- */

/* NAME in the test's own directory, which is empty when the test begins. Lent until the end. */
const char *harness_path(const char *name);
/* A file of the test's own, with these bytes. Returns its path. */
const char *harness_file(const char *name, const void *bytes, size_t len);
/* The whole file; fails the test where it cannot be read. */
void harness_read(const char *path, struct str *ret);
/*
 * The wperf under test ($WPERF, else ./wperf) and a file of the folder of objects, as full paths.
 */
const char *harness_wperf(void);
const char *harness_built(const char *file);
/* A copy of it that every user can run, whoever may enter the directory that it was built in. */
const char *harness_open_wperf(void);
/*
 * Fails the test unless the file has these bytes; with $WPERF_GOLDEN set the file is written anew.
 */
void harness_golden(const char *path, const void *bytes, size_t len);
/* Before the first test and after the last one. */
void harness_init(void);
void harness_release(void);

/* ---- programs ---- */

struct run {
	/* Set before; NULL: /dev/null, and the directory of the tests. */
	const char *in, *dir;
	/* Set after: exit status, or 128 and the signal. */
	int status;
	struct str out, err;
};

/* Runs argv[0] (looked up in PATH) to its end. argv ends with NULL. */
void run_argv(struct run *r, const char *const argv[]);
/* run(&r, "ls", "-l"): the same. */
#define run_program(r, ...) run_argv((r), (const char *const[]){ __VA_ARGS__, NULL })
/* A line for sh(1). $WPERF is the wperf under test. */
__attribute__((format(printf, 2, 3))) void run_shell(struct run *r, const char *fmt, ...);
void run_release(struct run *r);
/* Fails the test, and shows what the program said, unless it exited with that status. */
#define ck_assert_exit(r, want)                                                                    \
	ck_assert_msg((r)->status == (want), "exit status %d, not %d; it said: %s%s", (r)->status, \
		      (want), str_cstr(&(r)->out), str_cstr(&(r)->err))
#define ck_assert_has(str, part)                                                                   \
	ck_assert_msg(strstr(str_cstr(str), (part)), "no '%s' in: %s", (part), str_cstr(str))

/* A socket that gives these bytes, few enough for its buffer, and then ECONNRESET. */
int harness_reset_socket(const void *bytes, size_t len);
/* Starts a program and goes on; its output goes to the test's files NAME.out and NAME.err. */
pid_t harness_start(const char *name, const char *const argv[]);
/* Waits for it; exit status, or 128 and the signal. */
int harness_wait(pid_t pid);
/* Sends the signal and waits. */
int harness_stop(pid_t pid, int signal);
/* Sleeps in small steps until the condition holds; false after about ten seconds. */
bool harness_wait_until(bool (*holds)(void *ctx), void *ctx);

#endif
