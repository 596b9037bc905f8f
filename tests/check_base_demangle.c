/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/demangle.h"

Suite *check_base_demangle_suite(void);

static const struct {
	const char *mangled, *want;	/* want NULL: no mangled name */
} cases[] = {
	{ "main", NULL },
	{ "", NULL },
	{ "_Z", NULL },
	{ "_Znothing", NULL },
	{ "_start", NULL },
	{ "_Z1fv", "f()" },
	{ "_ZN2ns1fEi", "ns::f(int)" },
	{ "_ZN2ns1AC1ERKS0_", "ns::A::A(ns::A const&)" },
	{ "_ZTV1A", "vtable for A" },
	{ "_ZN3std2io5stdio6_print17h0123456789abcdefE", "std::io::stdio::_print" },
	{ "_ZN3std2io5stdio6_print17h0123456789abcdeXE",
	  "std::io::stdio::_print::h0123456789abcdeX" },
	{ "_ZN17h0123456789abcdefE", "h0123456789abcdef" },
	{ "_ZN31_$LT$T$u20$as$u20$core..Any$GT$2id17h0123456789abcdefE", "<T as core::Any>::id" },
	{ "_ZN3abc8$RF$$BP$17h0123456789abcdefE", "abc::&*" },
	{ "_ZN3abc9a$odd$b$c17h0123456789abcdefE", "abc::a$odd$b$c" },
};

START_TEST(names_come_back)
{
	char *got = demangle(cases[_i].mangled);

	ck_assert_pstr_eq(got, cases[_i].want);
	free(got);
}
END_TEST

Suite *check_base_demangle_suite(void)
{
	Suite *s = suite_create("base_demangle");
	TCase *tc = tcase_create("base_demangle");

	tcase_add_loop_test(tc, names_come_back, 0, ARRAY_LEN(cases));
	suite_add_tcase(s, tc);
	return s;
}
