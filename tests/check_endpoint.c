/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/endpoint.h"

Suite *check_endpoint_suite(void);

struct label_case {
	const char *label, *want;
};

static void gives(const struct endpoint_options *o, const char *label, const char *want)
{
	struct str got = { 0 };

	endpoint_add(&got, o, label, strlen(label));
	ck_assert_str_eq(str_cstr(&got), want);
	str_release(&got);
}

static const struct label_case paths[] = {
	{ "", "" },
	{ "/", "/" },
	{ "/?", "/" },
	{ "/a?x=/17", "/a" },
	{ "/a#17", "/a" },
	{ "/a?b#c", "/a" },
	{ "//17//", "//{id}//" },
	{ "/17", "/{id}" },
	{ "/17/", "/{id}/" },
	{ "/00000000000000000000000000000000000000000000", "/{id}" },
	{ "/user/17/posts/3", "/user/{id}/posts/{id}" },
	{ "/v1/users", "/v1/users" },
	{ "/-17/1.5/17a/1e5", "/-17/1.5/17a/1e5" },
	{ "/0f8fad5b-d9cb-469f-a165-70867728950e", "/{id}" },
	{ "/0F8FAD5B-D9CB-469F-A165-70867728950E/x", "/{id}/x" },
	{ "/0f8fad5b-d9cb-469f-a165-70867728950", "/0f8fad5b-d9cb-469f-a165-70867728950" },
	{ "/0f8fad5bd-9cb-469f-a165-70867728950e", "/0f8fad5bd-9cb-469f-a165-70867728950e" },
	{ "/0f8fad5b-d9cb-469f-a165-7086772895ge", "/0f8fad5b-d9cb-469f-a165-7086772895ge" },
	{ "/0123456789abcdef", "/{id}" },
	{ "/0123456789abcde", "/0123456789abcde" },
	{ "/abcdefabcdefabcdef", "/abcdefabcdefabcdef" },
	{ "/da39a3ee5e6b4b0d3255bfef95601890afd80709", "/{id}" },
	{ "/static/app.da39a3ee5e6b4b0d3255.js", "/static/app.da39a3ee5e6b4b0d3255.js" },
	{ "http://h:80/17?x", "http://h:80/{id}" },
	{ "https://1/2/3", "https://1/{id}/{id}" },
	{ "http://h?/17", "http://h?/17" },
	{ "http://h", "http://h" },
	{ "://17/17", "://17/17" },
	{ "/caf\xc3\xa9/17", "/caf\xc3\xa9/{id}" },
	{ "/\xff\xfe/17", "/\xff\xfe/{id}" },
	{ "*", "*" },
	{ "GET user:17", "GET user:17" },
	{ "SET user:17", "SET user:17" },
	{ "SET user:17 x=1", "SET user:17 x=1" },
	{ "handle_request", "handle_request" },
	{ "update-user 17", "update-user 17" },
	{ "delete.17", "delete.17" },
	{ "DELETE /user/17", "DELETE /user/17" },
	{ "selector 17", "selector 17" },
	{ "load user 17", "load user 17" },
	{ "import users 17", "import users 17" },
	{ "17", "17" },
};

START_TEST(path_of_label)
{
	struct endpoint_options o = { 0 };

	gives(&o, paths[_i].label, paths[_i].want);
}
END_TEST

static const struct label_case statements[] = {
	{ "SELECT 1", "SELECT ?" },
	{ "select", "select" },
	{ "  ( select\t1 )\n", "( select ? )" },
	{ "/* hi */ -- you\nSELECT 1 -- bye", "SELECT ?" },
	{ "SELECT/* a /* nested */ 1 */2", "SELECT ?" },
	{ "SELECT 1/* open", "SELECT ?" },
	{ "SELECT 'it''s', 'x'", "SELECT ?, ?" },
	{ "SELECT 'back\\', 2", "SELECT ?, ?" },
	{ "SELECT E'it\\'s', e'\\\\', 2", "SELECT ?, ?, ?" },
	{ "SELECT N'a', B'01', x'1f', U&'\\0061'", "SELECT ?, ?, ?, ?" },
	{ "SELECT U&\"d\\0061\", \"a\"\"1\", `b``2`", "SELECT U&\"d\\0061\", \"a\"\"1\", `b``2`" },
	{ "SELECT 'open", "SELECT ?" },
	{ "SELECT E'open\\", "SELECT ?" },
	{ "SELECT \"open 1", "SELECT \"open 1" },
	{ "SELECT $$a'1$$, $x$ $$ $y$ $x$, 3", "SELECT ?, ?, ?" },
	{ "SELECT $x$ open", "SELECT ?" },
	{ "SELECT $1, $22::int4, a$1", "SELECT $1, $22::int4, a$1" },
	{ "SELECT $", "SELECT $" },
	{ "SELECT 1.5, .5, 1., 1e-5, 1E+5, 0x1F, 0xe-1, 1_000", "SELECT ?, ?, ?, ?, ?, ?, ?-?, ?" },
	{ "SELECT t1.c2, _3, x4 FROM t5", "SELECT t1.c2, _3, x4 FROM t5" },
	{ "SELECT -1, +2, a-3, a - 4, (-5), a*-6, a = - 7",
	  "SELECT ?, ?, a-?, a - ?, (?), a*?, a = ?" },
	{ "SELECT a FROM t WHERE x BETWEEN -1 AND -2 LIMIT -3",
	  "SELECT a FROM t WHERE x BETWEEN ? AND ? LIMIT ?" },
	{ "SELECT a->-1, a#>'{1}', a ? 'b'", "SELECT a->?, a#>?, a ? ?" },
	{ "SELECT * FROM t WHERE a IN (1,2 , 3)", "SELECT * FROM t WHERE a IN (?)" },
	{ "SELECT * FROM t WHERE a in('x') and b", "SELECT * FROM t WHERE a in (?) and b" },
	{ "SELECT a IN ($1, $2), b IN ($3)", "SELECT a IN (?), b IN (?)" },
	{ "SELECT a IN (?, ?, ?)", "SELECT a IN (?)" },
	{ "SELECT (a, b) IN ((1, 2), (3, -4)) x", "SELECT (a, b) IN (?) x" },
	{ "SELECT a IN (1, 2", "SELECT a IN (?)" },
	{ "SELECT a IN (1, b, 2)", "SELECT a IN (?, b, ?)" },
	{ "SELECT a IN ()", "SELECT a IN ()" },
	{ "SELECT a IN (SELECT 1 WHERE b IN (1, 2))", "SELECT a IN (SELECT ? WHERE b IN (?))" },
	{ "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y'), (3, f((4)))",
	  "INSERT INTO t (a, b) VALUES (?, ?)" },
	{ "INSERT INTO t VALUES ($1, now()), ($2, now()) ON CONFLICT DO NOTHING",
	  "INSERT INTO t VALUES ($1, now()) ON CONFLICT DO NOTHING" },
	{ "INSERT INTO t VALUES (1), (2", "INSERT INTO t VALUES (?)" },
	{ "INSERT INTO t VALUES (1),", "INSERT INTO t VALUES (?)" },
	{ "insert into t values(1),(2) returning (a), (b)",
	  "insert into t values(?) returning (a), (b)" },
	{ "INSERT INTO t VALUES ((SELECT max(a) FROM (VALUES (1), (2)) x), 3), (4, 5)",
	  "INSERT INTO t VALUES ((SELECT max(a) FROM (VALUES (?)) x), ?)" },
	{ "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a), b = VALUES(b)",
	  "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = VALUES(a), b = VALUES(b)" },
	{ "VALUES (1), (2)", "VALUES (?)" },
	{ "SELECT f(1), (2), (3)", "SELECT f(?), (?), (?)" },
	{ "WITH x AS (SELECT 1) SELECT * FROM x", "WITH x AS (SELECT ?) SELECT * FROM x" },
	{ "SELECT*FROM t", "SELECT*FROM t" },
	{ "SELECT'a'", "SELECT?" },
	{ "UPDATE t SET a = 1, b = 'x' WHERE c = 2;", "UPDATE t SET a = ?, b = ? WHERE c = ?" },
	{ "SELECT 1 ; -- done\n ;; ", "SELECT ?" },
	{ "BEGIN; SELECT 1; COMMIT;", "BEGIN; SELECT ?; COMMIT" },
	{ "SELECT ';'", "SELECT ?" },
	{ ";select 'x'", ";select ?" },
	{ "COPY (SELECT 'x') TO STDOUT", "COPY (SELECT ?) TO STDOUT" },
	{ "copy t from '/tmp/x'", "copy t from ?" },
	{ "LOAD 'x'", "LOAD ?" },
	{ "SECURITY LABEL ON TABLE t IS 'x'", "SECURITY LABEL ON TABLE t IS ?" },
	{ "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b OPTIONS (p 'x')",
	  "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b OPTIONS (p ?)" },
	{ "BEGIN /*traceparent='00-17'*/", "BEGIN" },
	{ "COMMIT", "COMMIT" },
	{ "SAVEPOINT \"s17_x1\"", "SAVEPOINT ?" },
	{ "ROLLBACK TO SAVEPOINT s17", "ROLLBACK TO SAVEPOINT ?" },
	{ "SET app.user_id = 17", "SET app.user_id = ?" },
	{ "SET LOCAL app.user = 'x'", "SET LOCAL app.user = ?" },
	{ "set timezone to 'UTC'", "set timezone to ?" },
	{ "SET @@x := 5", "SET @@x := ?" },
	{ "SELECT 'caf\xc3\xa9', \xc3\xa9t\xc3\xa9_1", "SELECT ?, \xc3\xa9t\xc3\xa9_1" },
};

/* Known to be SQL, whatever it begins with. */
static const struct label_case known_statements[] = {
	{ "MOVE 17 FROM c", "MOVE ? FROM c" },
	{ "TABLE t LIMIT 3", "TABLE t LIMIT ?" },
	{ "SHOW a; SELECT 5", "SHOW a; SELECT ?" },
	{ "RESET a; INSERT INTO t VALUES ('/x?')", "RESET a; INSERT INTO t VALUES (?)" },
	{ "SET TIME ZONE 2", "SET TIME ZONE ?" },
	{ "/* a */ LISTEN c", "LISTEN c" },
	{ "(function call)", "(function call)" },
	{ "(execute S_1)", "(execute S_1)" },
	{ "-- ping", "-- ping" },
	{ ";", ";" },
	{ "", "" },
};

START_TEST(shape_of_known_statement)
{
	const char *label = known_statements[_i].label;
	struct endpoint_options o = { 0 }, raw = { .keeps_raw = true };
	struct str got = { 0 };

	endpoint_add_sql(&got, &o, label, strlen(label));
	ck_assert_str_eq(str_cstr(&got), known_statements[_i].want);
	str_clear(&got);
	endpoint_add_sql(&got, &raw, label, strlen(label));
	ck_assert_str_eq(str_cstr(&got), label);
	str_release(&got);
}
END_TEST

START_TEST(shape_of_statement)
{
	struct endpoint_options o = { 0 };

	gives(&o, statements[_i].label, statements[_i].want);
}
END_TEST

/* A recording holds the first 1024 bytes of a label; the copies let a sanitizer see their end. */
START_TEST(statement_may_be_cut_anywhere)
{
	const char *label = statements[_i].label;
	struct endpoint_options o = { 0 };
	size_t len;

	for (len = 0; len < strlen(label); len++) {
		char *copy = xmemdup(label, len + !len);
		struct str got = { 0 };

		endpoint_add(&got, &o, copy, len);
		ck_assert_uint_le(got.len, len + strlen(" IN (?)"));
		str_release(&got);
		free(copy);
	}
}
END_TEST

START_TEST(raw_keeps_everything)
{
	struct endpoint_options o = { .keeps_raw = true };

	gives(&o, "/user/17?a=b#c", "/user/17?a=b#c");
	gives(&o, "SELECT 1", "SELECT 1");
}
END_TEST

START_TEST(first_pattern_wins)
{
	struct endpoint_options o = { 0 };
	struct err e;

	vec_push(&o.patterns, "/user/{name}/posts");
	vec_push(&o.patterns, "/user/{name}/{what}");
	vec_push(&o.patterns, "/user/me/x");
	vec_push(&o.patterns, "/");
	ck_assert_int_eq(endpoint_options_check(&o, &e), 0);
	gives(&o, "/user/bob/posts?page=1", "/user/{name}/posts");
	gives(&o, "/user/me/x", "/user/{name}/{what}");
	gives(&o, "/user//posts", "/user//posts");
	gives(&o, "/user/bob/posts/", "/user/bob/posts/");
	gives(&o, "/user/17", "/user/{id}");
	gives(&o, "http://h/user/bob/posts", "http://h/user/{name}/posts");
	gives(&o, "/#x", "/");
	endpoint_options_release(&o);
}
END_TEST

/* What a pattern takes was asked for by name; the rest stays as it is. */
START_TEST(pattern_takes_what_would_be_raw)
{
	struct endpoint_options o = { .keeps_raw = true };

	vec_push(&o.patterns, "/user/{name}");
	vec_push(&o.patterns, "/{x}/SELECT");
	gives(&o, "/user/bob?page=1", "/user/{name}");
	gives(&o, "http://h/user/17#top", "http://h/user/{name}");
	gives(&o, "/item/17?a=b#c", "/item/17?a=b#c");
	gives(&o, "http://h/item/17", "http://h/item/17");
	gives(&o, "SELECT 1", "SELECT 1");
	gives(&o, "/**/SELECT", "/**/SELECT");
	gives(&o, "GET user:17", "GET user:17");
	endpoint_options_release(&o);
}
END_TEST

static const char *const bad_patterns[] = {
	"", "user/{id}", "/{}", "/a{b}", "/{a", "/a}", "/{a}{b}", "/x/{{a}}",
};

START_TEST(pattern_is_checked)
{
	struct endpoint_options o = { 0 };
	struct err e;

	vec_push(&o.patterns, "/good");
	vec_push(&o.patterns, bad_patterns[_i]);
	ck_assert_int_eq(endpoint_options_check(&o, &e), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.remedy, "/user/{name}/posts"));
	endpoint_options_release(&o);
}
END_TEST

/* So many slashes, then the unit again and again: how many bytes are left. */
static const struct {
	const char *unit;
	size_t slashes, want;
} bounds[] = {
	{ "a", 0, ENDPOINT_MAX },
	{ "\xc3\xa9", 0, ENDPOINT_MAX },
	{ "\xc3\xa9", 1, ENDPOINT_MAX - 1 },
	{ "\xe6\x97\xa5", 0, ENDPOINT_MAX - 1 },
	{ "\xe6\x97\xa5", 2, ENDPOINT_MAX - 2 },
	{ "\xf0\x9f\x90\x8d", 3, ENDPOINT_MAX - 1 },
	{ "\xf0\x9f\x90\x8d", 1, ENDPOINT_MAX - 3 },
	{ "\x80", 0, ENDPOINT_MAX },
	{ "\xff", 0, ENDPOINT_MAX },
};

START_TEST(bound_keeps_characters_whole)
{
	struct endpoint_options o = { 0 };
	struct str label = { 0 }, got = { 0 };
	size_t i;

	for (i = 0; i < bounds[_i].slashes; i++)
		str_add_char(&label, '/');
	while (label.len < 2 * ENDPOINT_MAX)
		str_add(&label, bounds[_i].unit);
	str_add(&got, "kept ");
	endpoint_add(&got, &o, label.s, label.len);
	ck_assert_uint_eq(got.len, strlen("kept ") + bounds[_i].want);
	ck_assert(str_starts(got.s, "kept "));
	str_release(&label);
	str_release(&got);
}
END_TEST

START_TEST(label_may_hold_nuls)
{
	static const char label[] = "/a\0b/17", want[] = "/a\0b/{id}";
	struct endpoint_options o = { 0 };
	struct str got = { 0 };

	endpoint_add(&got, &o, label, sizeof(label) - 1);
	ck_assert_uint_eq(got.len, sizeof(want) - 1);
	ck_assert_mem_eq(got.s, want, got.len);
	str_release(&got);
}
END_TEST

static const char *const units[] = {
	"IN (1,", "VALUES (1),", "(", "$a", "/*", "'", "-", "- 1",
};

/* Time must stay linear in what anybody may send; a quadratic one would not return today. */
START_TEST(long_labels_are_bounded)
{
	struct endpoint_options o = { 0 };
	struct str label = { 0 }, got = { 0 };

	str_add(&label, "SELECT ");
	while (label.len < 4 << 20)
		str_add(&label, units[_i]);
	endpoint_add(&got, &o, label.s, label.len);
	ck_assert_uint_le(got.len, ENDPOINT_MAX);
	str_release(&label);
	str_release(&got);
}
END_TEST

Suite *check_endpoint_suite(void)
{
	Suite *s = suite_create("endpoint");
	TCase *tc = tcase_create("endpoint");

	tcase_add_loop_test(tc, path_of_label, 0, ARRAY_LEN(paths));
	tcase_add_loop_test(tc, shape_of_statement, 0, ARRAY_LEN(statements));
	tcase_add_loop_test(tc, shape_of_known_statement, 0, ARRAY_LEN(known_statements));
	tcase_add_loop_test(tc, statement_may_be_cut_anywhere, 0, ARRAY_LEN(statements));
	tcase_add_test(tc, raw_keeps_everything);
	tcase_add_test(tc, first_pattern_wins);
	tcase_add_test(tc, pattern_takes_what_would_be_raw);
	tcase_add_loop_test(tc, pattern_is_checked, 0, ARRAY_LEN(bad_patterns));
	tcase_add_loop_test(tc, bound_keeps_characters_whole, 0, ARRAY_LEN(bounds));
	tcase_add_test(tc, label_may_hold_nuls);
	tcase_add_loop_test(tc, long_labels_are_bounded, 0, ARRAY_LEN(units));
	suite_add_tcase(s, tc);
	return s;
}
