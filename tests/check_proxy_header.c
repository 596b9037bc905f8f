/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "report/proxy_header.h"

Suite *check_proxy_header_suite(void);

#define BINARY "\r\n\r\n\0\r\nQUIT\n"
#define TEXT_107 "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 ...............................................\r\n"

static const struct {
	const char *bytes;
	size_t len, want;
} cases[] = {
#define CASE(bytes, want)                                                                          \
	{                                                                                          \
		bytes, sizeof(bytes) - 1, want                                                     \
	}
	CASE("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET / HTTP/1.1\r\n", 42),
	CASE("PROXY UNKNOWN\r\n", 15),
	CASE(TEXT_107, 107),
	CASE("PROXY x" TEXT_107, 0),		/* too long */
	CASE("PROXY TCP4 192.0.2.1", 0),	/* cut */
	CASE("PROXY TCP4\nGET / HTTP/1.1\r\n", 0),
	CASE("PROXY\r\n", 0),
	CASE("GET / HTTP/1.1\r\n", 0),
	CASE("", 0),
	CASE(BINARY "\x21\x11\0\x0c" "............GET / HTTP/1.1\r\n", 28),
	CASE(BINARY "\x20\0\0\0", 16),
	CASE(BINARY "\x21\x11\xff\xff", 16 + 65535),
	CASE(BINARY "\x21\x11\0", 0),
	CASE("\r\n\r\nGET / HTTP/1.1\r\n", 0),
#undef CASE
};

START_TEST(header_is_measured)
{
	size_t len = cases[_i].len;
	uint8_t *copy = xmemdup(cases[_i].bytes, len + !len);

	ck_assert_uint_eq(proxy_header_len(copy, len), cases[_i].want);
	free(copy);
}
END_TEST

Suite *check_proxy_header_suite(void)
{
	Suite *s = suite_create("proxy_header");
	TCase *tc = tcase_create("core");

	tcase_add_loop_test(tc, header_is_measured, 0, ARRAY_LEN(cases));
	suite_add_tcase(s, tc);
	return s;
}
