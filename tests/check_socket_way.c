/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/btf.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "collector/socket_way.h"
#include "tests/harness.h"

Suite *check_socket_way_suite(void);

static enum socket_way choose(const struct pids *pids)
{
	bool sees_sends;

	return socket_way_choose(pids, &sees_sends);
}

/* What the kernel can, asked for by hand. */
static enum socket_way best(void)
{
	enum socket_way way;

	ck_assert_int_eq(setenv("WPERF_SOCKETS", "traces", 1), 0);
	way = choose(NULL);
	unsetenv("WPERF_SOCKETS");
	return way;
}

/* A socket in the abstract name space, with a name that the kernel makes up. */
static int unix_socket(int type)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
	return fd;
}

START_TEST(who_listens_on_a_unix_socket_is_seen_by_its_calls)
{
	struct pids pids = { 0 };
	int fd = unix_socket(SOCK_STREAM);

	vec_push(&pids.at, (uint32_t)getpid());
	ck_assert_int_eq(choose(&pids), best());
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(choose(&pids), SOCKET_BY_CALLS);
	close(fd);
	ck_assert_int_eq(choose(&pids), best());
	pids_release(&pids);
}
END_TEST

START_TEST(other_sockets_are_no_reason)
{
	struct pids pids = { 0 };
	int fds[2], datagrams = unix_socket(SOCK_DGRAM);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	vec_push(&pids.at, (uint32_t)getpid());
	ck_assert_int_eq(choose(&pids), best());
	close(datagrams);
	close(fds[0]);
	close(fds[1]);
	pids_release(&pids);
}
END_TEST

START_TEST(what_does_not_run_yet_may_listen_on_anything)
{
	ck_assert_int_eq(choose(NULL), SOCKET_BY_CALLS);
}
END_TEST

START_TEST(calls_can_be_asked_for)
{
	struct pids pids = { 0 };

	vec_push(&pids.at, (uint32_t)getpid());
	ck_assert_int_eq(setenv("WPERF_SOCKETS", "calls", 1), 0);
	ck_assert_int_eq(choose(&pids), SOCKET_BY_CALLS);
	unsetenv("WPERF_SOCKETS");
	pids_release(&pids);
}
END_TEST

/* Taken as if nothing were asked for, which one line says. */
START_TEST(what_there_is_not_is_not_obeyed)
{
	FILE *real = stderr;
	enum socket_way chosen;
	size_t len;
	char *said;

	ck_assert_int_eq(setenv("WPERF_SOCKETS", "trace", 1), 0);
	stderr = open_memstream(&said, &len);
	chosen = choose(NULL);
	fclose(stderr);
	stderr = real;
	ck_assert_str_eq(said, "wperf: WPERF_SOCKETS=trace is ignored: it is calls or traces\n");
	ck_assert_int_eq(socket_way_beside_counts(SOCKET_BY_TRACES), SOCKET_BY_CALLS);
	unsetenv("WPERF_SOCKETS");
	ck_assert_int_eq(chosen, choose(NULL));
	free(said);
}
END_TEST

START_TEST(counts_are_exact)
{
	unsetenv("WPERF_SOCKETS");
	ck_assert_int_eq(socket_way_beside_counts(SOCKET_BY_TRACES), SOCKET_BY_CALLS);
	ck_assert_int_eq(setenv("WPERF_SOCKETS", "traces", 1), 0);
	ck_assert_int_eq(socket_way_beside_counts(SOCKET_BY_TRACES), SOCKET_BY_TRACES);
	unsetenv("WPERF_SOCKETS");
}
END_TEST

START_TEST(tracepoints_are_known_by_name)
{
	struct btf *btf;

	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return;
	btf = btf__load_vmlinux_btf();
	ck_assert_ptr_nonnull(btf);
	ck_assert(socket_way_has_trace(btf, "sched_switch"));
	ck_assert(!socket_way_has_trace(btf, "no_such_tracepoint"));
	btf__free(btf);
}
END_TEST

Suite *check_socket_way_suite(void)
{
	Suite *suite = suite_create("socket_way");
	TCase *tc = tcase_create("socket_way");

	tcase_add_test(tc, who_listens_on_a_unix_socket_is_seen_by_its_calls);
	tcase_add_test(tc, other_sockets_are_no_reason);
	tcase_add_test(tc, what_does_not_run_yet_may_listen_on_anything);
	tcase_add_test(tc, calls_can_be_asked_for);
	tcase_add_test(tc, what_there_is_not_is_not_obeyed);
	tcase_add_test(tc, counts_are_exact);
	tcase_add_test(tc, tracepoints_are_known_by_name);
	suite_add_tcase(suite, tc);
	return suite;
}
