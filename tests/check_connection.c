/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>
#include <sys/socket.h>

#include "report/connection.h"

Suite *check_connection_suite(void);

/* ---- names ---- */

#define PATH(text) .path = text, .path_len = sizeof(text) - 1

static const struct {
	struct socket_name name;
	const char *want;
	size_t want_len;	/* 0: that of the string */
} names[] = {
	{ { .family = AF_INET, .local_port = 80, .peer_port = 40000 }, "tcp:80", 0 },
	{ { .family = AF_INET6, .local_port = 65535 }, "tcp:65535", 0 },
	{ { .family = AF_UNIX, PATH("/run/x.sock") }, "unix:/run/x.sock", 0 },
	{ { .family = AF_UNIX, PATH("/run/x\0rest") }, "unix:/run/x", 0 },
	{ { .family = AF_UNIX, PATH("\0name") }, "unix:@name", 0 },
	{ { .family = AF_UNIX, PATH("\0na\0me") }, "unix:@na\0me", 11 },
	{ { .family = AF_UNIX }, "unix", 0 },
	{ { .family = AF_UNIX, .path = "/run/x", .path_len = SOCKET_PATH_MAX + 1 }, "unix", 0 },
};

START_TEST(connection_is_called_by_its_socket)
{
	struct strings strings = { 0 };
	struct connection c = { 0 };
	struct str text = { 0 };
	size_t len = names[_i].want_len ? names[_i].want_len : strlen(names[_i].want);

	connection_set_name(&c, &names[_i].name, &strings, &text);
	ck_assert_uint_eq(strings_len(&strings, c.name), len);
	ck_assert_mem_eq(strings_text(&strings, c.name), names[_i].want, len);
	str_release(&text);
	strings_release(&strings);
}
END_TEST

/* ---- all of them ---- */

static struct connection *add(struct connections *cs, uint64_t inode)
{
	const struct socket_mark m = { .conn = inode };

	return connections_add(cs, &m, 0);
}

START_TEST(connections_are_found_until_they_are_removed)
{
	struct connections cs = { 0 };
	struct connection *five = add(&cs, 5), *six = add(&cs, 6);
	uint64_t inode;

	ck_assert_ptr_eq(connections_find(&cs, 5), five);
	ck_assert_ptr_eq(connections_find(&cs, 6), six);
	ck_assert_ptr_null(connections_find(&cs, 7));
	connections_remove(&cs, five);
	ck_assert_ptr_null(connections_find(&cs, 5));
	/* its place is another one's */
	for (inode = 100; inode < 10000; inode++) {
		struct connection *c = add(&cs, inode);

		ck_assert_ptr_eq(connections_find(&cs, inode), c);
		ck_assert_ptr_null(connections_find(&cs, inode - 1));
		connections_remove(&cs, c);
	}
	ck_assert_ptr_eq(connections_find(&cs, 6), six);
	ck_assert_uint_eq(cs.all.nr, 2);
	connections_release(&cs);
}
END_TEST

/* Their inodes, in decimal. */
static unsigned int inodes_of(const struct connections *cs, uint32_t pid)
{
	const struct connection *c, *before = NULL;
	unsigned int nr = 0;

	for (c = connections_of(cs, pid); c; before = c, c = c->next) {
		ck_assert_ptr_eq(c->prev, before);
		nr = nr * 10 + (unsigned int)c->inode;
	}
	return nr;
}

START_TEST(connections_are_those_of_a_process)
{
	struct connections cs = { 0 };
	uint64_t inode;

	for (inode = 1; inode <= 5; inode++)
		connections_set_pid(&cs, add(&cs, inode), 7);
	ck_assert_uint_eq(inodes_of(&cs, 7), 54321);
	for (inode = 1; inode <= 5; inode += 2)	/* the last, one between others, the first */
		connections_set_pid(&cs, connections_find(&cs, inode), 8);
	connections_set_pid(&cs, connections_find(&cs, 3), 8);
	ck_assert_uint_eq(inodes_of(&cs, 7), 42);
	ck_assert_uint_eq(inodes_of(&cs, 8), 531);
	connections_remove(&cs, connections_find(&cs, 5));
	connections_remove(&cs, connections_find(&cs, 1));
	ck_assert_uint_eq(inodes_of(&cs, 8), 3);
	connections_remove(&cs, connections_find(&cs, 3));
	ck_assert_uint_eq(inodes_of(&cs, 8), 0);
	ck_assert_uint_eq(cs.first_of.pairs.nr, 1);
	connections_release(&cs);
}
END_TEST

/* ---- the queue ---- */

static void ended(void *self, const struct open_request *r)
{
	(void)self;
	(void)r;
}

static uint32_t open_one(struct open_requests *open, uint32_t path)
{
	const struct open_request like = { .request.path = path };

	return open_requests_add(open, &like)->slot;
}

/*
 * Letters ask for an endpoint, digits answer the request of that number, from 0 on, and a capital takes the last
 * answer back; then the endpoint that is worked on is told, or '-'.
 */
static const struct {
	const char *script, *want;
} queues[] = {
	{ "a0b1", "a-b-" },
	{ "aaa012", "aaaaa-" },
	/* of two endpoints, until one is left */
	{ "ab01", "a-b-" },
	{ "aab021", "aa--a-" },
	{ "abb012", "a--bb-" },
	/* answered early: whoever was beside it has a new neighbour */
	{ "aba1", "a--a" },
	{ "abc10", "a---c" },
	{ "abc102d3", "a---c-d-" },
	{ "abca1203", "a----aa-" },
	{ "abaa10", "a---aa" },
	{ "abcd2130", "a-----a-" },
	/* it was not answered */
	{ "a0bA01", "a-b-b-" },
	{ "a0aA01", "a-aaa-" },
	{ "a0bcd1B12", "a-b-----d" },
};

static void play(const char *script, struct str *said)
{
	const struct request_listener listener = { .ended = ended };
	struct open_requests open;
	struct connection c = { 0 };
	uint64_t nr = 0;
	size_t at;

	open_requests_init(&open, &listener, 0);
	for (; *script; script++) {
		uint32_t slot;

		if (*script >= 'a') {
			connection_asked(&c, &open, nr++, open_one(&open, (uint32_t)*script));
		} else if (*script >= 'A') {
			connection_reopened(&c, &open, open_one(&open, (uint32_t)(*script - 'A' + 'a')));
		} else if (connection_find_request(&c, (uint64_t)(*script - '0'), &at)) {
			open_requests_close(&open, c.queue.at[at], 1);
			connection_answered(&c, &open, at);
		}
		slot = connection_worked_on(&c);
		str_add_char(said, slot == NO_SLOT ? '-' : (char)open.slots.at[slot].request.path);
	}
	vec_release(&c.queue);
	open_requests_release(&open);
}

START_TEST(oldest_is_worked_on_unless_nobody_knows)
{
	struct str said = { 0 };

	play(queues[_i].script, &said);
	ck_assert_str_eq(str_cstr(&said), queues[_i].want);
	str_release(&said);
}
END_TEST

Suite *check_connection_suite(void)
{
	Suite *s = suite_create("connection");
	TCase *tc = tcase_create("connection");

	tcase_add_loop_test(tc, connection_is_called_by_its_socket, 0, ARRAY_LEN(names));
	tcase_add_test(tc, connections_are_found_until_they_are_removed);
	tcase_add_test(tc, connections_are_those_of_a_process);
	tcase_add_loop_test(tc, oldest_is_worked_on_unless_nobody_knows, 0, ARRAY_LEN(queues));
	suite_add_tcase(s, tc);
	return s;
}
