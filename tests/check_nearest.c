/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/alloc.h"
#include "base/nearest.h"

Suite *check_nearest_suite(void);

static const char *const candidates[] = {
	"handle_request", "handle_requests", "handle_request_body", "HANDLE_REQUEST_X",
	"accept_request", "main",	     "",
	"read",		  "reap",	     "ready",
	"readdir",	  "pread",	     "pread64",
	"read",		  "line\nbreak",
};

static const struct {
	const char *want, *text;
} cases[] = {
	{ "handle_requst", "handle_request, handle_requests" },
	{ "handle_request",
	  "handle_request, handle_requests, HANDLE_REQUEST_X, handle_request_body" },
	{ "read", "read, pread, ready, reap, pread64" },
	{ "mian", "main" },
	{ "line break", "line\\nbreak" },
	{ "nothing_like_it", "" },
	{ "", "" },
};

START_TEST(the_best_come_first)
{
	struct nearest n = { .want = cases[_i].want };
	struct str text = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(candidates); i++)
		nearest_offer(&n, candidates[i]);
	nearest_text(&n, &text);
	ck_assert_str_eq(str_cstr(&text), cases[_i].text);
	nearest_release(&n);
	str_release(&text);
}
END_TEST

Suite *check_nearest_suite(void)
{
	Suite *s = suite_create("nearest");
	TCase *tc = tcase_create("nearest");

	tcase_add_loop_test(tc, the_best_come_first, 0, ARRAY_LEN(cases));
	suite_add_tcase(s, tc);
	return s;
}
