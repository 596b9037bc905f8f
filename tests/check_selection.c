/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "report/selection.h"

Suite *check_selection_suite(void);

#define MS 1000000ULL

/* NULL: the option is not given. */
struct typed {
	const char *path, *method, *status, *slower, *faster, *slowest;
};

static struct selection_options options_of(const struct typed *t)
{
	struct selection_options o = { .slower_than = t->slower, .faster_than = t->faster,
				       .slowest = t->slowest };

	if (t->path)
		vec_push(&o.path, t->path);
	if (t->method)
		vec_push(&o.method, t->method);
	if (t->status)
		vec_push(&o.status, t->status);
	return o;
}

/* The requests that every case is asked about, by the bit in `want`. */
static const struct {
	const char *method, *path;
	uint32_t status;
	uint64_t elapsed_ns;
	bool is_unfinished;
} requests[] = {
	{ "GET", "/", 200, 10 * MS, false },
	{ "POST", "/user/{id}", 201, 250 * MS, false },
	{ "GET", "/user/{id}/posts", 404, 1 * MS, false },
	{ "GET", "/caf\xc3\xa9", 500, 2000 * MS, false },
	{ "", "SELECT ?", 0, 5 * MS, false },
	{ "GET", "/", 0, 0, true },
	{ "GET", "/\xff/user", 599, 250 * MS + 1, false },
};

static const struct {
	struct typed typed;
	unsigned int want;
} cases[] = {
	{ { 0 }, 0x7f },
	{ { .path = "^/$" }, 0x21 },
	{ { .path = "user" }, 0x46 },
	{ { .path = "^/user/[^/]+$" }, 0x02 },
	{ { .path = "CAF\xc3\x89" }, 0x00 },
	{ { .path = "(?i)CAF\xc3\x89" }, 0x08 },
	{ { .path = "/caf\\w$" }, 0x08 },
	{ { .path = "" }, 0x7f },
	{ { .method = "get" }, 0x6d },
	{ { .method = "PUT,post" }, 0x02 },
	{ { .status = "200" }, 0x01 },
	{ { .status = "2xx" }, 0x03 },
	{ { .status = "5XX,404" }, 0x4c },
	{ { .status = "201-404" }, 0x06 },
	{ { .status = "200-200" }, 0x01 },
	{ { .slower = "250ms" }, 0x48 },
	{ { .faster = "5ms" }, 0x04 },
	{ { .faster = "0.0051" }, 0x14 },
	{ { .slower = "1ms", .faster = "250ms" }, 0x11 },
	{ { .slower = "0" }, 0x5f },
	{ { .path = "user", .method = "GET", .status = "4xx" }, 0x04 },
	{ { .slowest = "3" }, 0x7f },
};

START_TEST(takes_what_was_asked_for)
{
	struct selection_options o = options_of(&cases[_i].typed);
	struct strings text = { 0 };
	struct selection *s;
	struct err e = { 0 };
	unsigned int got = 0;
	size_t i;

	ck_assert_msg(!selection_new(&o, &s, &e), "%s", e.what);
	selection_options_release(&o);
	for (i = 0; i < ARRAY_LEN(requests); i++) {
		struct request r = {
			.method = strings_id(&text, requests[i].method),
			.path = strings_id(&text, requests[i].path),
			.status = requests[i].status,
			.begin_ns = 7,
			.end_ns = requests[i].is_unfinished ? 0 : 7 + requests[i].elapsed_ns,
			.is_unfinished = requests[i].is_unfinished,
		};

		got |= (unsigned int)selection_takes(s, &r, &text) << i;
	}
	ck_assert_msg(got == cases[_i].want, "took %#x, not %#x", got, cases[_i].want);
	ck_assert_int_eq(selection_takes_all(s), !_i);
	ck_assert_uint_eq(selection_slowest(s), cases[_i].typed.slowest ? 3 : 0);
	selection_free(s);
	strings_release(&text);
}
END_TEST

START_TEST(values_of_one_option_are_alternatives)
{
	struct selection_options o = { 0 };
	struct strings text = { 0 };
	struct request r = { .path = strings_id(&text, "/b"), .status = 500,
			     .method = strings_id(&text, "PUT") };
	struct selection *s;
	struct err e;

	vec_push(&o.path, "^/a");
	vec_push(&o.path, "^/b");
	vec_push(&o.method, "GET");
	vec_push(&o.method, "PUT");
	vec_push(&o.status, "404");
	vec_push(&o.status, "5xx");
	ck_assert_int_eq(selection_new(&o, &s, &e), 0);
	ck_assert(selection_takes(s, &r, &text));
	r.status = 200;
	ck_assert(!selection_takes(s, &r, &text));
	selection_free(s);
	selection_options_release(&o);
	strings_release(&text);
}
END_TEST

static const struct {
	struct typed typed;
	const char *what;
} errors[] = {
	{ { .path = "(" }, "invalid regular expression '('" },
	{ { .method = "" }, "--method ''" },
	{ { .method = "GET," }, "--method ''" },
	{ { .status = "" }, "--status ''" },
	{ { .status = "ok" }, "--status 'ok'" },
	{ { .status = "5x" }, "--status '5x'" },
	{ { .status = "0xx" }, "--status '0xx'" },
	{ { .status = "0" }, "--status '0'" },
	{ { .status = "200,5xx-6xx" }, "--status '5xx-6xx'" },
	{ { .status = "500-400" }, "--status '500-400'" },
	{ { .status = "500-" }, "--status '500-'" },
	{ { .status = "-5" }, "--status '-5'" },
	{ { .status = "4294967296" }, "--status '4294967296'" },
	{ { .slower = "fast" }, "--slower-than 'fast'" },
	{ { .slower = "-1s" }, "--slower-than '-1s'" },
	{ { .faster = "" }, "--faster-than ''" },
	{ { .slowest = "0" }, "--slowest '0'" },
	{ { .slowest = "ten\n" }, "--slowest 'ten\\n'" },
};

START_TEST(says_what_cannot_be_read)
{
	struct selection_options o = options_of(&errors[_i].typed);
	struct selection *s;
	struct err e = { 0 };

	ck_assert_int_eq(selection_new(&o, &s, &e), -EINVAL);
	ck_assert_msg(strstr(e.what, errors[_i].what) != NULL, "%s", e.what);
	selection_options_release(&o);
}
END_TEST

Suite *check_selection_suite(void)
{
	Suite *s = suite_create("selection");
	TCase *tc = tcase_create("selection");

	tcase_add_loop_test(tc, takes_what_was_asked_for, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, values_of_one_option_are_alternatives);
	tcase_add_loop_test(tc, says_what_cannot_be_read, 0, ARRAY_LEN(errors));
	suite_add_tcase(s, tc);
	return s;
}
