/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "collector/signature.h"

Suite *check_signature_suite(void);

static const struct {
	const char *symbol, *name, *full;	/* full NULL: the same as name */
	bool is_changed;
} symbols[] = {
	{ "handle", "handle", NULL, false },
	{ "memcpy@@GLIBC_2.14", "memcpy", NULL, false },
	{ "f@V1", "f", NULL, false },
	{ "f.isra.0", "f", NULL, true },
	{ "f.constprop.12", "f", NULL, true },
	{ "f.constprop.0.isra.0", "f", NULL, true },
	{ "f.lto_priv.0", "f", NULL, false },
	{ "f.llvm.8812345", "f", NULL, false },
	{ "f.1", "f", NULL, false },
	{ "f.12.isra.0", "f", NULL, true },
	{ "f.1.cold", NULL, NULL, false },
	{ "f.cold.1", NULL, NULL, false },
	{ "f.1x", "f.1x", NULL, false },
	{ "_ZL6helperl.1", "helper", "helper(long)", false },
	{ "helper.__uniq.223781097714544108113515114329556632216", "helper", NULL, false },
	{ "_ZL6helperl.__uniq.30999406769400132552182346144236398295.llvm.7", "helper", "helper(long)", false },
	{ "main.f.func1.1", "main.f.func1.1", NULL, false },	/* Go's: another one than main.f.func1 */
	{ "f.localalias", "f", NULL, false },
	{ "runtime.futex.abi0", "runtime.futex", NULL, false },
	{ "main.abi0.f", "main.abi0.f", NULL, false },
	{ "f.cold", NULL, NULL, false },
	{ "f.part.0", NULL, NULL, false },
	{ "f.isra.0.cold", NULL, NULL, true },
	{ "f.part.0.constprop.0", NULL, NULL, false },
	{ "main.(*Server).handle", "main.(*Server).handle", NULL, false },
	{ "main.part", "main.part", NULL, false },
	{ "main.isra", "main.isra", NULL, false },
	{ "main.partition", "main.partition", NULL, false },
	{ ".start", ".start", NULL, false },
	{ "", NULL, NULL, false },
	{ "_Z6handlei", "handle", "handle(int)", false },
	{ "_Z6handlev", "handle", "handle()", false },
	{ "_ZN2ns6Server6handleERKSsi", "ns::Server::handle",
	  "ns::Server::handle(std::string const&, int)", false },
	{ "_ZNK2ns6Server4sizeEv", "ns::Server::size", "ns::Server::size() const", false },
	{ "_ZZNK2ns1A1fEiENKUliE_clEi", "ns::A::f(int) const::{lambda(int)#1}::operator()",
	  "ns::A::f(int) const::{lambda(int)#1}::operator()(int) const", false },
	{ "_ZN2ns6Server6handleEi.isra.0", "ns::Server::handle", "ns::Server::handle(int)", true },
	{ "_ZN2ns6Server6handleEi.cold", NULL, NULL, false },
	{ "_Z1fIiEvT_", "f<int>", "f<int>(int)", false },
	{ "_Z1fIiEmT_", "f<int>", "f<int>(int)", false },
	{ "_ZN6action1fIiEEvT_", "action::f<int>", "action::f<int>(int)", false },
	{ "_ZN1AclEi", "A::operator()", "A::operator()(int)", false },
	{ "_ZN1AcvbEv", "A::operator bool", "A::operator bool()", false },
	{ "_Znwm", "operator new", "operator new(unsigned long)", false },
	{ "_ZN1AltERKS_", "A::operator<", "A::operator<(A const&)", false },
	{ "_ZN2ns3mapISsiE4findERKSs", "ns::map<std::string, int>::find",
	  "ns::map<std::string, int>::find(std::string const&)", false },
	{ "_ZN12_GLOBAL__N_11fEv", "(anonymous namespace)::f", "(anonymous namespace)::f()",
	  false },
	{ "_ZN4main6handle17h0123456789abcdefE", "main::handle", NULL, false },
	{ "_ZN46_$LT$main..S$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE",
	  "<main::S as core::fmt::Display>::fmt", NULL, false },
	{ "_ZN4main6handle28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
	  "main::handle::{{closure}}", NULL, false },
	{ "_RNvMNtNtCs6xxl1lAjzDf_1a4shop4cartINtB2_4CartmE5totalB6_", "<a::shop::cart::Cart<u32>>::total", NULL,
	  false },
	{ "_RNvCskwGfYPst2Cb_3foo3bar.llvm.8154203347", "foo::bar", NULL, false },
	{ "_RNvCskwGfYPst2Cb_3foo3bar.cold", NULL, NULL, false },
	{ "_Znonsense", "_Znonsense", NULL, false },
	{ "_Rnonsense", "_Rnonsense", NULL, false },
};

START_TEST(symbols_have_names)
{
	const char *name = symbols[_i].name;
	struct signature s;

	signature_of(symbols[_i].symbol, &s);
	ck_assert_pstr_eq(s.name, name);
	ck_assert_pstr_eq(s.full, symbols[_i].full ? symbols[_i].full : name);
	if (name)
		ck_assert(s.is_changed == symbols[_i].is_changed);
	signature_release(&s);
}
END_TEST

static const struct {
	const char *want, *symbol;
	bool matches;
} matches[] = {
	{ "handle", "handle", true },
	{ "handle", "handle.isra.0", true },
	{ "handle", "handle.cold", false },
	{ "handle", "handle_more", false },
	{ "handle", "xhandle", false },
	{ "handle", "_Z6handlei", true },
	{ "handle", "_ZN2ns6handleEi", false },
	{ "handle", "_Z10handlemorei", false },
	{ "memcpy", "memcpy@GLIBC_2.2.5", true },
	{ "_Z6handlei", "_Z6handlei", true },
	{ "_Z6handlei", "_Z6handlei.constprop.0", true },
	{ "handle", "handle.1", true },
	{ "handle.1", "handle.1", true },
	{ "handle.1", "handle", false },
	{ "handle.isra.0", "handle.isra.0", true },
	{ "handle.isra.0", "handle.isra.1", false },
	{ "<a::shop::cart::Cart<u32>>::total", "_RNvMNtNtCs6xxl1lAjzDf_1a4shop4cartINtB2_4CartmE5totalB6_", true },
	{ "<a::shop::cart::Cart<u64>>::total", "_RNvMNtNtCs6xxl1lAjzDf_1a4shop4cartINtB2_4CartmE5totalB6_", false },
	{ "foo::bar::<(u32, &str)>", "_RINvCskwGfYPst2Cb_3foo3barTmReEEB2_", true },
	{ "foo::bar", "_RNvCskwGfYPst2Cb_3foo3bar", true },
	{ "bar", "_RNvCskwGfYPst2Cb_3foo3bar", false },
	{ "handle(int)", "_Z6handlei", true },
	{ "handle(int)", "_Z6handlec", false },
	{ "handle(int)", "handle", false },
	{ " handle ( int ) ", "_Z6handlei", true },
	{ "ns::Server::handle", "_ZN2ns6Server6handleERKSsi", true },
	{ "ns::Server::handle(std::string const&,int)", "_ZN2ns6Server6handleERKSsi", true },
	{ "ns::Server::handle(std::string const &, int)", "_ZN2ns6Server6handleERKSsi", true },
	{ "ns::Server::handle(std::string const&)", "_ZN2ns6Server6handleERKSsi", false },
	{ "Server::handle", "_ZN2ns6Server6handleERKSsi", false },
	{ "ns::Server::size() const", "_ZNK2ns6Server4sizeEv", true },
	{ "ns::Server::size()", "_ZNK2ns6Server4sizeEv", false },
	{ "ns::Server::size", "_ZNK2ns6Server4sizeEv", true },
	{ "f<int>", "_Z1fIiEvT_", true },
	{ "f<int>(int)", "_Z1fIiEvT_", true },
	{ "f", "_Z1fIiEvT_", false },
	{ "A::operator()", "_ZN1AclEi", true },
	{ "A::operator()(int)", "_ZN1AclEi", true },
	{ "A::operator bool", "_ZN1AcvbEv", true },
	{ "operator new", "_Znwm", true },
	{ "operator new(unsigned long)", "_Znwm", true },
	{ "A::operator<(A const&)", "_ZN1AltERKS_", true },
	{ "A::A", "_ZN1AC1Ei", true },
	{ "A::A(int)", "_ZN1AC2Ei", true },
	{ "A::~A", "_ZN1AD1Ev", true },
	{ "(anonymous namespace)::f", "_ZN12_GLOBAL__N_11fEv", true },
	{ "main::handle", "_ZN4main6handle17h0123456789abcdefE", true },
	{ "<main::S as core::fmt::Display>::fmt",
	  "_ZN46_$LT$main..S$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE", true },
	{ "main::handle::{{closure}}",
	  "_ZN4main6handle28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE", true },
	{ "f(std::string)",
	  "_Z1fNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", true },
	{ "f(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char>>)",
	  "_Z1fNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", true },
	{ "f(std::string, std::string const&)",
	  "_Z1fNSt3__112basic_stringIcNS_11char_traitsIcEENS_9allocatorIcEEEERKS5_", true },
	{ "name", "_Z4nameB5cxx11v", true },
	{ "name()", "_Z4nameB5cxx11v", true },
	{ "name[abi:cxx11]()", "_Z4nameB5cxx11v", true },
	{ "f(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&)",
	  "_Z1fRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", true },
	{ "f(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char>> const&)",
	  "_Z1fRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", true },
	{ "void f<int>(int)", "_Z1fIiEvT_", true },
	{ "unsigned long f<int>(int)", "_Z1fIiEmT_", true },
	{ "void handle(int)", "_Z6handlei", true },
	{ "char const* f<int>(int)", "_Z1fIiEPKcT_", true },
	{ "A::operator bool()", "_ZN1AcvbEv", true },
	{ "bool operator==<int>(A<int> const&, A<int> const&)", "_ZeqIiEbRK1AIT_ES4_", true },
	{ " handle ", "handle", true },
	{ "ns::Server::handle(int) [clone .isra.0]", "_ZN2ns6Server6handleEi.isra.0", true },
	{ "ns::Server::handle(int) [clone .isra.0]", "_ZN2ns6Server6handleEi.isra.1", false },
	{ "ns::Server::handle(int) [clone .isra.0]", "_ZN2ns6Server6handleEi", false },
	{ "f(int) [clone .constprop.0] [clone .isra.0]", "_Z1fi.constprop.0.isra.0", true },
	{ "f(int) [clone .cold]", "_Z1fi.cold", false },
	{ "std::allocator<char>::allocator", "_ZNSaIcEC1Ev", true },
	{ "main::{lambda(int)#1}::operator()", "_ZZ4mainENKUliE_clEi", true },
	{ "main::{lambda}::operator()", "_ZZ4mainENKUliE_clEi", true },
	{ "main::{lambda}::operator()", "_ZZ4mainENKUliE0_clEi", true },
	{ "work::{lambda}::operator()", "_ZZ4mainENKUliE_clEi", false },
	{ "ns::A::f::{lambda}::operator()", "_ZZNK2ns1A1fEiENKUliE_clEi", true },
	{ "(anonymous namespace)::f::{lambda}::operator()", "_ZZN12_GLOBAL__N_11fEiENKUliE_clEi", true },
	{ "f::{lambda}::operator()", "_ZZN12_GLOBAL__N_11fEiENKUliE_clEi", false },
	{ "std::allocator<int>::allocator", "_ZNSaIcEC1Ev", false },
	{ "f(int) [clone ", "_Z1fi", false },
	{ "f(int) [clone .isra.0", "_Z1fi", false },
	{ "", "handle", false },
	{ "(", "_Z6handlei", false },
	{ ")", "_Z6handlei", false },
};

START_TEST(a_user_names_a_function)
{
	struct signature sig = { 0 };
	struct wanted w;
	bool got;

	wanted_init(&w, matches[_i].want);
	got = wanted_matches(&w, matches[_i].symbol, &sig);
	ck_assert_msg(got == matches[_i].matches, "'%s' and %s", matches[_i].want,
		      matches[_i].symbol);
	ck_assert(got == (sig.name != NULL));
	signature_release(&sig);
	wanted_release(&w);
}
END_TEST

static const struct {
	const char *want, *symbol;
	bool is_like;
} globs[] = {
	{ "handle", "handle", true },
	{ "hand*", "handle", true },
	{ "hand*", "xhandle", false },
	{ "memcpy", "memcpy@@GLIBC_2.14", true },
	{ "_Z6hand*", "_Z6handlei", true },
	{ "hand*", "_Z6handlei", true },
	{ "hand*(int)", "_Z6handlei", true },
	{ "hand*(int)", "_Z6handlec", false },
	{ "ns::*::handle", "_ZN2ns6Server6handleERKSsi", true },
	{ "ns::*(std::string const &,*)", "_ZN2ns6Server6handleERKSsi", true },
	{ "f<int>( int )", "_Z1fIiEvT_", true },
	{ "void f<int>(int)", "_Z1fIiEvT_", true },
	{ "void f<*>(*)", "_Z1fIiEvT_", true },
	{ "handle(char const*)", "_Z6handlePKc", true },
	{ "handle(char const *)", "_Z6handlePKc", true },
	{ "A::operator[]", "_ZN1AixEi", true },
	{ "ns::*::{lambda}::*", "_ZZNK2ns1A1fEiENKUliE_clEi", true },
	{ "A::operator[](int)", "_ZN1AixEi", true },
	{ "name[abi:cxx11]()", "_Z4nameB5cxx11v", true },
	{ "main.Gen[go.shape.int_0]", "main.Gen[go.shape.int_0]", true },
	{ "f(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&)",
	  "_Z1fRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", true },
	{ "ns::Server::handle(int) [clone .isra.0]", "_ZN2ns6Server6handleEi.isra.0", true },
	{ "ns::Server::handle(int) [clone .isra.0]", "_ZN2ns6Server6handleEi", false },
};

START_TEST(a_user_names_many)
{
	struct signature sig;
	struct wanted w;

	wanted_init(&w, globs[_i].want);
	signature_of(globs[_i].symbol, &sig);
	ck_assert_msg(wanted_is_like(&w, globs[_i].symbol, &sig) == globs[_i].is_like, "'%s' and %s", globs[_i].want,
		      globs[_i].symbol);
	signature_release(&sig);
	wanted_release(&w);
}
END_TEST

Suite *check_signature_suite(void)
{
	Suite *s = suite_create("signature");
	TCase *tc = tcase_create("signature");

	tcase_add_loop_test(tc, symbols_have_names, 0, ARRAY_LEN(symbols));
	tcase_add_loop_test(tc, a_user_names_a_function, 0, ARRAY_LEN(matches));
	tcase_add_loop_test(tc, a_user_names_many, 0, ARRAY_LEN(globs));
	suite_add_tcase(s, tc);
	return s;
}
