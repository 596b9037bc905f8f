/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "collector/spec.h"

Suite *check_spec_suite(void);

struct good_case {
	const char *text;
	enum marker_spec_kind kind;
	const char *begin, *begin_module;	/* function, or "PROVIDER NAME" */
	const char *end, *end_module;		/* of func:, the same as begin */
	bool end_is_return;
	unsigned int label_arg, id_arg;
	bool is_http;
	uint16_t port;
};

#define FUNC(f, m, label)                                                                          \
	MARKER_SPEC_FUNC, .begin = (f), .begin_module = (m), .end = (f), .end_module = (m),        \
	.end_is_return = true, .label_arg = (label)
#define PAIR(b, bm, e, em)                                                                         \
	MARKER_SPEC_PAIR, .begin = (b), .begin_module = (bm), .end = (e), .end_module = (em)

static const struct good_case good[] = {
	{ "auto", MARKER_SPEC_AUTO, .begin = NULL },
	{ "none", MARKER_SPEC_NONE, .begin = NULL },
	{ "http", MARKER_SPEC_SOCKET, .is_http = true },
	{ "http:8080", MARKER_SPEC_SOCKET, .is_http = true, .port = 8080 },
	{ "socket", MARKER_SPEC_SOCKET, .port = 0 },
	{ "socket:65535", MARKER_SPEC_SOCKET, .port = 65535 },
	{ "func:handle", FUNC("handle", NULL, 0) },
	{ "func:handle@server", FUNC("handle", "server", 0) },
	{ "func:handle@libx.so.1*,label=arg1:str", FUNC("handle", "libx.so.1*", 1) },
	{ "func:handle@/a,b/c", FUNC("handle", "/a,b/c", 0) },
	{ "func:ns::Server::handle(std::string const&, int),label=arg2:str",
	  FUNC("ns::Server::handle(std::string const&, int)", NULL, 2) },
	{ "func:ns::map<int, A<B, C>>::operator==(X const&)@srv",
	  FUNC("ns::map<int, A<B, C>>::operator==(X const&)", "srv", 0) },
	{ "func:f<&(ns::operator==)>(int, label==2)",
	  FUNC("f<&(ns::operator==)>(int, label==2)", NULL, 0) },
	{ "func:A::operator%", FUNC("A::operator%", NULL, 0) },
	{ "func:main.(*Server).handle", FUNC("main.(*Server).handle", NULL, 0) },
	{ "begin=a,end=b", PAIR("a", NULL, "b", NULL) },
	{ "end=b@m%return,begin=a@n", PAIR("a", "n", "b", "m"), .end_is_return = true },
	{ "begin=a,end=a%return,label=arg6:str", PAIR("a", NULL, "a", NULL),
	  .end_is_return = true, .label_arg = 6 },
	{ "id=arg3,begin=f(int, char),label=arg1:str,end=g(int, char)",
	  PAIR("f(int, char)", NULL, "g(int, char)", NULL), .label_arg = 1, .id_arg = 3 },
	{ "begin=usdt:p:n__s,end=usdt:p:n__d,label=arg12:str,id=arg9",
	  PAIR("p n__s", NULL, "p n__d", NULL), .label_arg = 12, .id_arg = 9 },
	{ "begin=usdt:p:n,end=f%return", PAIR("p n", NULL, "f", NULL), .end_is_return = true },
};

static void is_probe(const struct probe_name *p, const char *want, const char *module,
		     bool is_return)
{
	struct str got = { 0 };

	if (p->provider)
		str_addf(&got, "%s %s", p->provider, p->name);
	ck_assert_str_eq(p->provider ? got.s : p->function, want);
	ck_assert_pstr_eq(p->module, module);
	ck_assert(p->is_return == is_return);
	ck_assert(!p->provider == !!p->function);
	ck_assert_ptr_nonnull(p->text);
	str_release(&got);
}

START_TEST(good_specs_are_taken_apart)
{
	const struct good_case *c = &good[_i];
	struct marker_spec s;
	struct err e = { 0 };

	ck_assert_msg(!marker_spec_parse(c->text, &s, &e), "%s: %s", c->text, e.what);
	ck_assert_int_eq(s.kind, c->kind);
	ck_assert_str_eq(s.text, c->text);
	ck_assert_uint_eq(s.port, c->port);
	ck_assert(s.is_http == c->is_http);
	ck_assert_uint_eq(s.label_arg, c->label_arg);
	ck_assert_uint_eq(s.id_arg, c->id_arg);
	if (c->begin) {
		is_probe(&s.begin, c->begin, c->begin_module, false);
		is_probe(&s.end, c->end, c->end_module, c->end_is_return);
	} else {
		ck_assert_ptr_null(s.begin.text);
		ck_assert_ptr_null(s.end.text);
	}
	marker_spec_release(&s);
}
END_TEST

static const struct {
	const char *text, *what;	/* what: part of the error */
	int code;
} bad[] = {
	{ "", "unknown kind", -EINVAL },
	{ "autos", "unknown kind", -EINVAL },
	{ "handle_request", "unknown kind", -EINVAL },
	{ "http:", "from 1 to 65535", -EINVAL },
	{ "http:0", "from 1 to 65535", -EINVAL },
	{ "socket:65536", "from 1 to 65535", -EINVAL },
	{ "socket:x", "from 1 to 65535", -EINVAL },
	{ "https:8080", "unknown kind", -EINVAL },
	{ "usdt:p:n", "begin= and end=", -EINVAL },
	{ "func:", "no function name", -EINVAL },
	{ "func:@m", "no function name", -EINVAL },
	{ "func:f@", "no module name", -EINVAL },
	{ "func:f%return", "%return has no place", -EINVAL },
	{ "func:f,label=arg1", "arg1:str to arg12:str", -EINVAL },
	{ "func:f,label=arg0:str", "arg1:str to arg12:str", -EINVAL },
	{ "func:f,label=arg13:str", "arg1:str to arg12:str", -EINVAL },
	{ "func:f,label=arg1:u64", "arg1:str to arg12:str", -EINVAL },
	{ "func:f,label=arg:str", "arg1:str to arg12:str", -EINVAL },
	{ "func:f,label=arg1:str,", "arg1:str to arg12:str", -EINVAL },
	{ "func:f,label=ar", "arg1:str to arg12:str", -EINVAL },
	{ "func:f,label=arg7:str", "arg1 to arg6", -EINVAL },
	{ "func:f,label=arg1:str,label=arg2:str", "label= is there twice", -EINVAL },
	{ "func:f,lable=arg1:str", "unknown key 'lable='", -EINVAL },
	{ "func:f,id=arg1", "label= only", -EINVAL },
	{ "func:f,begin=g", "label= only", -EINVAL },
	{ "begin=a", "no end=", -EINVAL },
	{ "end=a", "no begin=", -EINVAL },
	{ "label=arg1:str", "no begin=", -EINVAL },
	{ "begin=a,begin=b,end=c", "begin= is there twice", -EINVAL },
	{ "begin=,end=b", "no function name", -EINVAL },
	{ "begin=a,end=a", "the same probe", -EINVAL },
	{ "begin=usdt:p:n,end=usdt:p:n", "the same probe", -EINVAL },
	{ "begin=%return,end=b", "no function name", -EINVAL },
	{ "begin=a,end=usdt:p", "a provider and a name", -EINVAL },
	{ "begin=a,end=usdt::n", "a provider and a name", -EINVAL },
	{ "begin=a,end=usdt:p:", "a provider and a name", -EINVAL },
	{ "begin=a,end=usdt:p:n:m", "no more", -EINVAL },
	{ "begin=a,end=usdt:p:n%return", "no return", -EINVAL },
	{ "begin=a%return,end=b,label=arg1:str", "arguments are gone", -EINVAL },
	{ "begin=a,end=b%return,id=arg1", "arguments are gone", -EINVAL },
	{ "begin=a,end=b,id=arg7", "arg1 to arg6", -EINVAL },
	{ "begin=usdt:p:n,end=b,id=arg7", "arg1 to arg6", -EINVAL },
	{ "begin=a,end=b,id=1", "arg1 to arg12", -EINVAL },
	{ "begin=a,end=b,id=arg1:str", "arg1 to arg12", -EINVAL },
	{ "begin=a,end=b,colour=red", "unknown key 'colour='", -EINVAL },
};

START_TEST(bad_specs_say_why)
{
	struct marker_spec s = { .label_arg = 77 };
	struct err e = { 0 };

	ck_assert_int_eq(marker_spec_parse(bad[_i].text, &s, &e), bad[_i].code);
	ck_assert_msg(strstr(e.what, bad[_i].what) != NULL, "'%s': %s", bad[_i].text, e.what);
	ck_assert(e.remedy[0] != '\0');
	ck_assert_uint_eq(s.label_arg, 77);
}
END_TEST

static const struct {
	const char *a, *b;
	bool is_repeat;
} pairs[] = {
	{ "auto", "auto", true },
	{ "auto", "socket", true },
	{ "auto", "http:80", true },
	{ "socket", "http", true },
	{ "http", "http:80", true },
	{ "socket:80", "http:80", true },
	{ "http:80", "http:80", true },
	{ "http:80", "http:81", false },
	{ "socket:80", "http:8080", false },
	{ "http", "func:render", false },
	{ "auto", "begin=a,end=b", false },
	{ "none", "none", false },
	{ "none", "auto", false },
	{ "func:f", "func:f", true },
	{ "func:f", "func:f,label=arg1:str", true },
	{ "func:f", "begin=f,end=f%return", true },
	{ "func:f@m", "end=f@m%return,begin=f@m,label=arg1:str", true },
	{ "func:f", "func:g", false },
	{ "func:f", "func:f@m", false },
	{ "func:f@m", "func:f@n", false },
	{ "func:f", "begin=f,end=g", false },
	{ "begin=a,end=b", "end=b,begin=a,label=arg2:str", true },
	{ "begin=a,end=b", "begin=b,end=a", false },
	{ "begin=a,end=b", "begin=a,end=b%return", false },
	{ "begin=usdt:p:s,end=usdt:p:d", "end=usdt:p:d,begin=usdt:p:s,id=arg1", true },
	{ "begin=usdt:p:s,end=usdt:p:d", "begin=usdt:q:s,end=usdt:p:d", false },
	{ "begin=usdt:p:s,end=b", "begin=p,end=b", false },
};

START_TEST(repeats_are_known_by_what_they_mean)
{
	struct marker_spec a, b;
	struct err e = { 0 };

	ck_assert_int_eq(marker_spec_parse(pairs[_i].a, &a, &e), 0);
	ck_assert_int_eq(marker_spec_parse(pairs[_i].b, &b, &e), 0);
	ck_assert(marker_spec_repeats(&a, &b) == pairs[_i].is_repeat);
	ck_assert(marker_spec_repeats(&b, &a) == pairs[_i].is_repeat);
	if (pairs[_i].is_repeat) {
		ck_assert_int_eq(marker_spec_refuse(&b, &a, &e), -EINVAL);
		ck_assert_ptr_nonnull(strstr(e.what, pairs[_i].b));
		ck_assert_ptr_nonnull(strstr(e.remedy, pairs[_i].a));
	}
	marker_spec_release(&a);
	marker_spec_release(&b);
}
END_TEST

START_TEST(release_takes_zeroes)
{
	struct marker_spec s = { 0 };
	struct probe_name p = { 0 };

	marker_spec_release(&s);
	probe_name_release(&p);
}
END_TEST

Suite *check_spec_suite(void)
{
	Suite *s = suite_create("spec");
	TCase *tc = tcase_create("spec");

	tcase_add_loop_test(tc, good_specs_are_taken_apart, 0, ARRAY_LEN(good));
	tcase_add_loop_test(tc, bad_specs_say_why, 0, ARRAY_LEN(bad));
	tcase_add_loop_test(tc, repeats_are_known_by_what_they_mean, 0, ARRAY_LEN(pairs));
	tcase_add_test(tc, release_takes_zeroes);
	suite_add_tcase(s, tc);
	return s;
}
