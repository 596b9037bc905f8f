/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken, and what it gives, Python says: tests/format_referee.py. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pyformat.h"
#include "base/vec.h"
#include "tests/harness.h"

Suite *check_pyformat_suite(void);

static const struct pyformat_field fields[] = {
	{ "method", PYFORMAT_TEXT },
	{ "status", PYFORMAT_INTEGER },
	{ "elapsed", PYFORMAT_FLOAT },
};

static const struct pyformat_value values[] = {
	{ .is_known = true, .text = "GET" },
	{ .is_known = true, .integer = 200 },
	{ .is_known = true, .real = 12.5 },
};

static const struct {
	const char *text, *want, *unknown;
} templates[] = {
	{ "", "", "" },
	{ "plain", "plain", "plain" },
	{ "{{}}{{{method}}}", "{}{GET}", "{}{-}" },
	{ "{method}.{elapsed:.0f}ms.prof", "GET.12ms.prof", "-.-ms.prof" },
	{ "{status}{status:>5}|{method:<4}|{method:>4}|", "200  200|GET | GET|", "-    -|-   |   -|" },
	{ "{elapsed}", "12.5", "-" },
	{ "{elapsed:010.2f} {status:05d} {method:*^7}", "0000012.50 00200 **GET**",
	  "         -     -    -   " },
	{ "{method!r:>6}|{status!s:5}|{elapsed!a}", " 'GET'|200  |12.5", "     -|-    |-" },
};

START_TEST(fields_become_values)
{
	static const struct pyformat_value unknown[ARRAY_LEN(fields)];
	struct str got = { 0 };
	struct pyformat *f;
	struct err e;

	ck_assert_int_eq(pyformat_new("-F", templates[_i].text, fields, ARRAY_LEN(fields), &f, &e), 0);
	pyformat_add(&got, f, values);
	ck_assert_str_eq(str_cstr(&got), templates[_i].want);
	str_clear(&got);
	pyformat_add(&got, f, unknown);
	ck_assert_str_eq(str_cstr(&got), templates[_i].unknown);
	pyformat_free(f);
	str_release(&got);
}
END_TEST

static const struct {
	const char *text, *what, *remedy;
} errors[] = {
	{ "{pid}", "-F: there is no {pid}", "The fields are {method}, {status}, {elapsed}." },
	{ "{}", "-F: there is no {}", "The fields are {method}, {status}, {elapsed}." },
	{ "a{method", "-F: a { without its }: {method", "" },
	{ "a}b", "-F: a } without its {: }b", "" },
	{ "{method:{status}}", "-F: a { without its }: {method:{status}}", "" },
	{ "{pid!r}", "-F: there is no {pid}", "The fields are {method}, {status}, {elapsed}." },
	{ "{method!}", "-F: {method!}: behind a ! stands r, s or a", "" },
	{ "{method!x:5}", "-F: {method!x:5}: behind a ! stands r, s or a", "" },
	{ "{method!rs}", "-F: {method!rs}: behind a ! stands r, s or a", "" },
	{ "{status!r:d}", "-F: {status!r:d}: it is text, which has no such type", "" },
	{ "{elapsed:.f}", "-F: {elapsed:.f}: a precision is missing", "" },
	{ "{elapsed:1000}", "-F: {elapsed:1000}: the width is too large", "" },
	{ "{elapsed:.99999999999999999999f}",
	  "-F: {elapsed:.99999999999999999999f}: the precision is too large", "" },
	{ "{elapsed:d}", "-F: {elapsed:d}: it is a number, which has no such type", "" },
	{ "{status:c}", "-F: {status:c}: it is a number, which has no such type", "" },
	{ "{status:.2}", "-F: {status:.2}: a precision is for fractions, and it is an integer", "" },
	{ "{method:d}", "-F: {method:d}: it is text, which has no such type", "" },
	{ "{method:+}", "-F: {method:+}: that is for numbers, and it is text", "" },
	{ "{time:%Y}", "-F: there is no {time}", "The fields are {method}, {status}, {elapsed}." },
	{ "{elapsed:%Y}", "-F: {elapsed:%Y}: it is no format specification", "" },
};

START_TEST(what_is_wrong_is_said)
{
	struct pyformat *f;
	struct err e;

	ck_assert_int_eq(pyformat_new("-F", errors[_i].text, fields, ARRAY_LEN(fields), &f, &e), -EINVAL);
	ck_assert_str_eq(e.what, errors[_i].what);
	ck_assert_str_eq(e.remedy, errors[_i].remedy);
}
END_TEST

static void referee_case(const char *kind, const char *value, const char *template, const char *want)
{
	bool is_text = !strcmp(kind, "text"), is_float = !strcmp(kind, "float");
	struct pyformat_field field = { "v", is_text  ? PYFORMAT_TEXT :
					     is_float ? PYFORMAT_FLOAT :
							PYFORMAT_INTEGER };
	struct pyformat_value v = { .is_known = true, .text = value };
	struct str got = { 0 };
	struct pyformat *f;
	struct err e;

	if (is_float)
		v.real = strtod(value, NULL);
	else if (!is_text)
		v.integer = strtoull(value, NULL, 10);
	if (pyformat_new("", template, &field, 1, &f, &e)) {
		ck_assert_msg(*want == '!', "%s %s: %s: %s", kind, template, e.what, want);
		return;
	}
	pyformat_add(&got, f, &v);
	ck_assert_msg(*want == '=' && !strcmp(want + 1, str_cstr(&got)), "%s %s of %s: %s, not %s", kind,
		      template, value, str_cstr(&got), want);
	pyformat_free(f);
	str_release(&got);
}

static void referee_repr(const char *value, const char *want)
{
	struct str got = { 0 };

	str_add_repr_double(&got, strtod(value, NULL));
	ck_assert_str_eq(str_cstr(&got), want + 1);
	str_release(&got);
}

START_TEST(python_formats_the_same)
{
	FILE *referee = popen("python3 tests/format_referee.py", "r");
	size_t nr = 0, nr_taken = 0, cap = 0;
	char *line = NULL;
	ssize_t len;

	ck_assert_ptr_nonnull(referee);
	while ((len = getline(&line, &cap, referee)) > 0) {
		char *rest = line, *kind, *value, *template;

		line[len - 1] = '\0';
		kind = strsep(&rest, "\t");
		value = strsep(&rest, "\t");
		template = strsep(&rest, "\t");
		nr++;
		nr_taken += *rest == '=';
		if (!strcmp(kind, "repr"))
			referee_repr(value, rest);
		else
			referee_case(kind, value, template, rest);
	}
	ck_assert_int_eq(pclose(referee), 0);
	free(line);
	ck_assert_uint_eq(nr, 16000);
	ck_assert_uint_gt(nr_taken, 7000);
}
END_TEST

Suite *check_pyformat_suite(void)
{
	Suite *s = suite_create("pyformat");
	TCase *tc = tcase_create("pyformat"), *referee = tcase_create("referee");

	tcase_add_loop_test(tc, fields_become_values, 0, ARRAY_LEN(templates));
	tcase_add_loop_test(tc, what_is_wrong_is_said, 0, ARRAY_LEN(errors));
	suite_add_tcase(s, tc);
	tcase_set_timeout(referee, 60);
	tcase_add_test(referee, python_formats_the_same);
	if (!system("python3 -c '' >/dev/null 2>&1"))
		suite_add_tcase(s, referee);
	else
		harness_omit(s, "referee", "python3 is not here");
	return s;
}
