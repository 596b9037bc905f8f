/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/datagrams.h"

Suite *check_datagrams_suite(void);

/* Below those that the kernel takes, unless somebody has set them otherwise. */
enum { FIRST_PORT = 20000, LAST_PORT = 30000 };

/* Bound to a port that is free; 0: that the kernel takes. */
static int udp_socket(int family, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(family, SOCK_DGRAM, 0), err = -1;

	for (; err && port <= LAST_PORT; port++) {
		in.sin_port = in6.sin6_port = htons(port);
		err = family == AF_INET ? bind(fd, (struct sockaddr *)&in, sizeof(in))
					: bind(fd, (struct sockaddr *)&in6, sizeof(in6));
	}
	if (err && errno == EADDRNOTAVAIL) {
		close(fd);
		return -1;
	}
	ck_assert_int_eq(err, 0);
	return fd;
}

static uint64_t count(uint32_t pid, uint32_t other)
{
	struct pids pids = { 0 };
	uint64_t nr;

	vec_push(&pids.at, pid);
	vec_push(&pids.at, other);
	nr = datagrams_nr_sockets(&pids);
	pids_release(&pids);
	return nr;
}

START_TEST(who_may_be_asked_is_counted_once)
{
	uint32_t self = (uint32_t)getpid();
	uint64_t nr = count(self, self), nr_more = 1;
	int fd = udp_socket(AF_INET, FIRST_PORT), fd6;
	pid_t child;

	ck_assert_uint_eq(count(self, self), nr + 1);
	fd6 = udp_socket(AF_INET6, FIRST_PORT);
	nr_more += fd6 >= 0;
	ck_assert_uint_eq(count(self, self), nr + nr_more);
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	ck_assert_int_gt(child, 0);
	ck_assert_uint_eq(count((uint32_t)child, self), nr + nr_more);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	close(fd);
	close(fd6);
	ck_assert_uint_eq(count(self, self), nr);
}
END_TEST

START_TEST(clients_are_not_counted)
{
	const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint32_t self = (uint32_t)getpid();
	uint64_t nr = count(self, self);
	int connected = udp_socket(AF_INET, FIRST_PORT), taken = udp_socket(AF_INET, 0), stream = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(connected, (const struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_uint_eq(count(self, self), nr);
	close(connected);
	close(taken);
	close(stream);
}
END_TEST

START_TEST(who_is_gone_has_none)
{
	ck_assert_uint_eq(count(INT32_MAX, INT32_MAX), 0);
}
END_TEST

Suite *check_datagrams_suite(void)
{
	Suite *s = suite_create("datagrams");
	TCase *tc = tcase_create("datagrams");

	tcase_add_test(tc, who_may_be_asked_is_counted_once);
	tcase_add_test(tc, clients_are_not_counted);
	tcase_add_test(tc, who_is_gone_has_none);
	suite_add_tcase(s, tc);
	return s;
}
