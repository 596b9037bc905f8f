/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "base/demangle.h"

Suite *check_demangle_suite(void);

static const struct {
	const char *mangled, *want;	/* want NULL: not mangled */
} cases[] = {
	{ "main", NULL },
	{ "", NULL },
	{ "_Z", NULL },
	{ "_Z3", NULL },
	{ "_ZN", NULL },
	{ "Z3fooi", NULL },
	{ "_Z3fooi", "foo(int)" },
	{ "_ZN4shop6basket3addERKNS_4itemE", "shop::basket::add(shop::item const&)" },
	{ "_ZN12_GLOBAL__N_16hiddenEi", "(anonymous namespace)::hidden(int)" },
	{ "_ZNK4shop6basket5totalEv", "shop::basket::total() const" },
	{ "_ZN4shop6basketC2Ei", "shop::basket::basket(int)" },
	{ "_ZN4shop6basketD0Ev", "shop::basket::~basket()" },
	{ "_ZZ7sym_cxxENKUliiE_clEii",
	  "sym_cxx::{lambda(int, int)#1}::operator()(int, int) const" },
	{ "_ZSt4sortIPiEvT_S1_", "void std::sort<int*>(int*, int*)" },
	{ "_Z3fooi.part.0", "foo(int) [clone .part.0]" },
	{ "_Z3fooi.cold", "foo(int) [clone .cold]" },
	/* Rust, legacy: the hash goes, the escapes are undone */
	{ "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad" },
	{ "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE.llvm.8154203347",
	  "core::fmt::Formatter::pad" },
	{ "_ZN50_$LT$T$u20$as$u20$core..convert..From$LT$U$GT$$GT$4from17habcdefabcdefabcdE",
	  "<T as core::convert::From<U>>::from" },
	{ "_ZN3std2rt10lang_start28_$u7b$$u7b$closure$u7d$$u7d$17h1111222233334444E",
	  "std::rt::lang_start::{{closure}}" },
	{ "_ZN38_$LT$$RF$mut$u20$T$u20$as$u20$a..B$GT$1f17h0000111122223333E",
	  "<&mut T as a::B>::f" },
	{ "_ZN25_$LT$$BP$T$C$$LP$$RP$$GT$1f17h0000111122223333E", "<*T,()>::f" },
	{ "_ZN3std2io5stdio6_print17h0123456789abcdeXE",
	  "std::io::stdio::_print::h0123456789abcdeX" },
	{ "_ZN17h0123456789abcdefE", "h0123456789abcdef" },
	{ "_ZN3abc8$RF$$BP$17h0123456789abcdefE", "abc::&*" },
	{ "_ZN3abc9a$odd$b$c17h0123456789abcdefE", "abc::a$odd$b$c" },
	/* no hash of 16 lower-case digits: C++ */
	{ "_ZN4core3fmt17h0123456789ABCDEFE", "core::fmt::h0123456789ABCDEF" },
	{ "_ZN4core3fmt16h0123456789abcdeE", "core::fmt::h0123456789abcde" },
	/* Rust, v0: without the crates' hashes */
	{ "_RNvCskwGfYPst2Cb_3foo3bar", "foo::bar" },
	{ "_RNvCskwGfYPst2Cb_3foo3bar.llvm.8154203347", "foo::bar" },
	{ "_RNvMNtNtCs6xxl1lAjzDf_1a4shop4cartINtB2_4CartmE5totalB6_", "<a::shop::cart::Cart<u32>>::total" },
	{ "_RNvXCs6xxl1lAjzDf_1aINtNtNtB2_4shop4cart4CartmENtB2_4Work3run",
	  "<a::shop::cart::Cart<u32> as a::Work>::run" },
	{ "_RNCNvCskwGfYPst2Cb_3foo3bar0B3_", "foo::bar::{closure#0}" },
	{ "_RINvCskwGfYPst2Cb_3foo3barTmReEEB2_", "foo::bar::<(u32, &str)>" },
	{ "_RNvCskwGfYPst2Cb_3foou9bcher_kva", "foo::b\303\274cher" },
	{ "_R", NULL },
	{ "_RNvCskwGfYPst2Cb_3foo", NULL },
	{ "_RNvCskwGfYPst2Cb_3foo9bar", NULL },
};

START_TEST(demangle_gives_the_name_in_the_source)
{
	char *got = demangle(cases[_i].mangled);

	ck_assert_pstr_eq(got, cases[_i].want);
	free(got);
}
END_TEST

/* f(A<B, B>, A<A<B, B>, A<B, B>>, ...): every argument twice as long as the one before. */
static char *doubling_name(unsigned int nr)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct str s = { 0 };
	unsigned int i;

	str_add(&s, "_Z1f1AI1B1BE");
	for (i = 1; i <= nr; i++)
		str_addf(&s, "S_IS%c_S%c_E", digits[i], digits[i]);
	return str_take(&s);
}

START_TEST(demangle_refuses_names_that_explode)
{
	char *mild = doubling_name(10), *wild = doubling_name(34);
	char *got = demangle(mild);

	ck_assert_ptr_nonnull(got);
	ck_assert_uint_eq(strlen(got), 1179);
	ck_assert_ptr_null(demangle(wild));
	free(got);
	free(mild);
	free(wild);
}
END_TEST

/* base-62-number: RFC 2603; up to 62 * 62. */
static void add_base_62(struct str *s, size_t n)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (n > 62)
		str_add_char(s, digits[(n - 1) / 62]);
	if (n)
		str_add_char(s, digits[(n - 1) % 62]);
	str_add_char(s, '_');
}

/* a::b of tuples, of which each has the one before it twice: (u32, u32), ((u32, u32), (u32, u32)), ... */
static char *doubling_rust_name(unsigned int nr)
{
	struct str s = { 0 };
	size_t before = 0, here;
	unsigned int i;

	str_add(&s, "_RINvC1a1b");
	for (i = 0; i < nr; i++) {
		here = s.len - strlen("_R");
		str_add(&s, i ? "TB" : "Tmm");
		if (i) {
			add_base_62(&s, before);
			str_add(&s, "B");
			add_base_62(&s, before);
		}
		str_add(&s, "E");
		before = here;
	}
	str_add(&s, "E");
	return str_take(&s);
}

START_TEST(demangle_refuses_rust_names_that_explode)
{
	char *mild = doubling_rust_name(10), *wild = doubling_rust_name(60);
	char *got = demangle(mild);

	ck_assert_ptr_nonnull(got);
	ck_assert(str_starts(got, "a::b::<(u32, u32), ((u32, u32), (u32, u32)), "));
	/* The n-th, counted from 0, has 14 * 2^n - 4 bytes. */
	ck_assert_uint_eq(strlen(got), 14 * 1023 - 4 * 10 + 2 * 9 + strlen("a::b::<>"));
	ck_assert_ptr_null(demangle(wild));
	free(got);
	free(mild);
	free(wild);
}
END_TEST

START_TEST(demangle_survives_long_names)
{
	size_t len = 1 << 20;
	char *name = xmalloc(len + 1);

	memset(name, 'P', len);
	memcpy(name, "_Z1f", 4);
	name[len] = '\0';
	ck_assert_ptr_null(demangle(name));
	name[30000] = '\0';
	free(demangle(name));
	memset(name + 2, '9', 20000);
	free(demangle(name));
	memset(name + 2, 'S', 20000);
	free(demangle(name));
	memcpy(name, "_RC", 3);
	free(demangle(name));
	memset(name + 2, 'B', 20000);
	free(demangle(name));
	memset(name + 2, 'I', 20000);
	free(demangle(name));
	free(name);
}
END_TEST

Suite *check_demangle_suite(void)
{
	Suite *s = suite_create("demangle");
	TCase *tc = tcase_create("demangle");

	tcase_add_loop_test(tc, demangle_gives_the_name_in_the_source, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, demangle_refuses_names_that_explode);
	tcase_add_test(tc, demangle_refuses_rust_names_that_explode);
	tcase_add_test(tc, demangle_survives_long_names);
	suite_add_tcase(s, tc);
	return s;
}
