/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's python3, and copies of it that are not what they were. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/user.h>
#include <unistd.h>

#include "collector/python_calls.h"
#include "collector/python_places.h"
#include "tests/elf_image.h"
#include "tests/harness.h"

Suite *check_python_places_suite(void);

#define PYTHON "/usr/bin/python3"

static struct str python;

static void read_python(void)
{
	harness_read(PYTHON, &python);
}

static void forget_python(void)
{
	str_release(&python);
}

/* What the kernel emulates, of what may stand there: nop, calls, and jumps. */
static bool is_emulated(uint64_t off)
{
	const unsigned char *at = (const unsigned char *)python.s + off;

	return at[0] == 0x90 || at[0] == 0xe8 || at[0] == 0xe9 || at[0] == 0xeb || (at[0] & 0xf0) == 0x70 || (at[0] == 0x0f && (at[1] & 0xf0) == 0x80);
}

struct seen {
	size_t nr_entries, nr_returns, nr_semaphores, nr_again, nr_usdt, nr_freed, nr_with_freed;
};

static struct seen find(const char *file)
{
	struct python_places p = { 0 };
	struct seen seen = { 0 };
	struct err e = { 0 };

	ck_assert_msg(!python_places_find(file, file, &p, &e), "%s", e.what);
	vec_each(&p.at, it)
		ck_assert(it->code.off && it->code.off <= it->off && it->off < it->code.end && it->code.end - it->off < 16);
	vec_each(&p.at, it) {
		bool is_return = PYTHON_COOKIE_IS_RETURN(it->cookie), is_freed = PYTHON_COOKIE_IS_FREED(it->cookie);

		seen.nr_freed += is_freed;
		seen.nr_with_freed += PYTHON_COOKIE_IS_WITH_FREED(it->cookie);
		seen.nr_returns += is_return;
		seen.nr_entries += !is_return && !is_freed;
		seen.nr_semaphores += it->semaphore_off != 0;
		seen.nr_again += PYTHON_COOKIE_MAY_BE_AGAIN(it->cookie);
		seen.nr_usdt += PYTHON_COOKIE_IS_USDT(it->cookie);
		ck_assert_uint_lt(it->off, python.len);
		if (!is_freed)
			ck_assert_msg(is_emulated(it->off), "%s: %#llx", file, (unsigned long long)it->off);
		ck_assert_uint_le(PYTHON_COOKIE_REG(it->cookie), offsetof(struct user_regs_struct, rdi));
	}
	ck_assert(PYTHON_COOKIE_IS_FREED(p.at.at[0].cookie));
	ck_assert_uint_eq(seen.nr_freed, 1);
	ck_assert_uint_eq(seen.nr_with_freed, p.at.nr - 1);
	python_places_release(&p);
	return seen;
}

/*
 * RESUME, RESUME_QUICK, and exceptions that are thrown into generators; returns, yields and exceptions, of each as many
 * as the compiler made. Not where frames that are traced are entered, which come by RESUME, too.
 */
START_TEST(finds_them_all)
{
	static const char *const files[] = { PYTHON, "/usr/bin/python3-dbg",
					     "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0" };
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct seen seen;

		if (access(files[i], R_OK))
			continue;
		forget_python();
		harness_read(files[i], &python);
		seen = find(files[i]);
		ck_assert_uint_eq(seen.nr_entries, 3);
		ck_assert_uint_ge(seen.nr_returns, 3);
		ck_assert_uint_eq(seen.nr_semaphores, 0);
		ck_assert_uint_eq(seen.nr_again, 0);
	}
}
END_TEST

static struct call_place first(bool is_return)
{
	struct python_places p = { 0 };
	struct call_place ret = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(python_places_find(PYTHON, PYTHON, &p, &e), 0);
	vec_each(&p.at, it)
		if (PYTHON_COOKIE_IS_RETURN(it->cookie) == is_return && !PYTHON_COOKIE_IS_FREED(it->cookie) && !ret.off)
			ret = *it;
	python_places_release(&p);
	ck_assert_uint_ne(ret.off, 0);
	return ret;
}

/* jz and jnz differ in the last bit of the opcode; before the long ones stands 0x0f. */
static void turn(uint64_t off)
{
	char *jump = python.s + off;

	jump[*jump == 0x0f] ^= 1;
}

/* Then the probe itself is used, and enabled. */
START_TEST(what_is_not_understood_is_left_to_usdt)
{
	struct seen seen;

	turn(first(true).off);
	seen = find(harness_file("python", python.s, python.len));
	ck_assert_uint_eq(seen.nr_entries, 3);
	ck_assert_uint_eq(seen.nr_returns, 1);
	ck_assert_uint_eq(seen.nr_semaphores, 1);
	ck_assert_uint_eq(seen.nr_usdt, 0);
}
END_TEST

/* Then frames that are traced come by RESUME behind it. */
START_TEST(entries_are_left_to_usdt)
{
	struct seen seen;

	turn(first(false).off);
	seen = find(harness_file("python", python.s, python.len));
	ck_assert_uint_eq(seen.nr_entries, 3);
	ck_assert_uint_ge(seen.nr_returns, 3);
	ck_assert_uint_eq(seen.nr_semaphores, 1);
	ck_assert_uint_eq(seen.nr_usdt, 1);
}
END_TEST

/*
 * Of what the compiler moved out of the interpreter's function nothing is known: here one more test, in the bytes between
 * two functions, that could lead to a call that others lead to.
 */
START_TEST(a_test_elsewhere_is_left_to_usdt)
{
	/* ret, and a nop that is long enough */
	static const unsigned char padding[] = { 0xc3, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 };
	unsigned char *at = memmem(python.s, python.len, padding, sizeof(padding));
	unsigned char *jump = (unsigned char *)python.s + first(true).off, *test = jump - 8;
	struct seen seen;
	int32_t rel;

	ck_assert_ptr_nonnull(at);
	/* cmpw $0, semaphore(%rip) */
	ck_assert_mem_eq(test, "\x66\x83\x3d", 3);
	memcpy(&rel, test + 3, sizeof(rel));
	rel += (int32_t)(test - (at + 1));
	memcpy(at + 1, test, 8);
	memcpy(at + 4, &rel, sizeof(rel));
	seen = find(harness_file("python", python.s, python.len));
	ck_assert_uint_eq(seen.nr_entries, 3);
	ck_assert_uint_eq(seen.nr_returns, 1);
	ck_assert_uint_eq(seen.nr_semaphores, 1);
}
END_TEST

/* All of one in the file, without a NUL at the end. */
static void replace(const char *from, const char *to, size_t len)
{
	char *at = python.s;
	size_t nr = 0;

	while ((at = memmem(at, python.len - (size_t)(at - python.s), from, len))) {
		memcpy(at, to, len);
		nr++;
	}
	ck_assert_uint_gt(nr, 0);
}

/* A type whose function for that is nowhere: what code there is has to be looked at each time. */
START_TEST(where_code_is_freed_need_not_be_known)
{
	struct python_places p = { 0 };
	struct err e = { 0 };

	replace("PyCode_Type", "PyCode_Tupe", 11);
	ck_assert_int_eq(python_places_find(harness_file("python", python.s, python.len), "python", &p, &e), 0);
	vec_each(&p.at, it) {
		ck_assert(!PYTHON_COOKIE_IS_FREED(it->cookie));
		ck_assert(!PYTHON_COOKIE_IS_WITH_FREED(it->cookie));
	}
	ck_assert_uint_ge(p.at.nr, 6);
	python_places_release(&p);
}
END_TEST

START_TEST(another_program_is_none)
{
	struct python_places p = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(python_places_find("/proc/self/exe", "check", &p, &e), -ENOEXEC);
	ck_assert_int_eq(python_places_find(harness_path("nothing"), "nothing", &p, &e), -ENOENT);
	ck_assert_int_eq(python_places_find(harness_file("empty", "", 0), "empty", &p, &e), -ENOEXEC);
	ck_assert_uint_eq(p.at.nr, 0);
}
END_TEST

static void refuses(const char *why)
{
	const char *file = harness_file("python", python.s, python.len);
	struct python_places p = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(python_places_find(file, "python", &p, &e), -EOPNOTSUPP);
	ck_assert_msg(strstr(e.what, why) != NULL, "%s", e.what);
	ck_assert(strstr(e.remedy, "--with-dtrace") != NULL);
	ck_assert_uint_eq(p.at.nr, 0);
}

START_TEST(one_without_probes_is_refused)
{
	replace("function__return", "function__retain", 16);
	refuses("it was built without USDT probes");
}
END_TEST

START_TEST(older_ones_are_refused)
{
	replace("Py_Version", "Pz_Version", 10);
	refuses("it is older than Python 3.11");
	replace("_PyEval_EvalFrameDefault", "_PyEval_EvalFrameRemoved", 24);
	refuses("it is older than Python 3.11");
}
END_TEST

START_TEST(one_without_an_interpreter_is_refused)
{
	replace("_PyEval_EvalFrameDefault", "_PyEval_EvalFrameRemoved", 24);
	refuses("its interpreter's code is not understood");
}
END_TEST

/* The notes of the USDT probes are not trusted where they are all that there is. */
START_TEST(a_probe_on_no_nop_is_refused)
{
	struct python_places p = { 0 };
	struct err e = { 0 };

	turn(first(true).off);
	ck_assert_int_eq(python_places_find(harness_file("python", python.s, python.len), "python", &p, &e), 0);
	vec_each(&p.at, it)
		if (PYTHON_COOKIE_IS_RETURN(it->cookie))
			python.s[it->off] = 0x50;
	python_places_release(&p);
	refuses("its USDT probes stand on no nop");
}
END_TEST

START_TEST(code_that_is_not_understood_is_refused)
{
	struct python_places p = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(python_places_find(PYTHON, PYTHON, &p, &e), 0);
	/* In the place of RESUME_QUICK's jump: no block's end, and then no instruction. */
	memset(python.s + p.at.at[p.at.nr - 1].off, 0x06, 16);
	python_places_release(&p);
	refuses("is not understood");
}
END_TEST

/* Wherever it ends, it is refused, and nothing behind the end is read. */
START_TEST(what_is_cut_short_is_refused)
{
	size_t len;

	for (len = 0; len < python.len - 4096; len += python.len / 61) {
		const char *file = harness_file("python", python.s, len);
		struct python_places p = { 0 };
		struct err e = { 0 };

		ck_assert_int_lt(python_places_find(file, "python", &p, &e), 0);
		ck_assert_uint_eq(p.at.nr, 0);
	}
}
END_TEST

/* Symbols stand where the file says, aligned or not: see the sanitizers. */
START_TEST(a_version_stands_anywhere)
{
	static const char names[] = "\0_PyEval_EvalFrameDefault\0Py_Version";
	static const char version[] = "\0\0\0\xf0\0\x0a\x03\0\0\0\0";
	const uint8_t object = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
	struct python_places p = { 0 };
	struct str symbols = { 0 };
	struct elf_image i = { 0 };
	struct err e = { 0 };
	size_t data, strings;

	data = elf_image_section(&i, ".data", SHT_PROGBITS, version, sizeof(version));
	strings = elf_image_section(&i, ".dynstr", SHT_STRTAB, names, sizeof(names));
	elf_image_symbol(&symbols, 0, 0, 0, 0);
	elf_image_symbol(&symbols, 1, object, i.sections.at[data].sh_addr, 1);
	elf_image_symbol(&symbols, 26, object, i.sections.at[data].sh_addr + 3, 8);
	elf_image_symbols(&i, ".dynsym", SHT_DYNSYM, &symbols, strings);
	elf_image_finish(&i);
	ck_assert_int_eq(python_places_find(harness_file("python", i.file.s, i.file.len), "made", &p, &e), -EOPNOTSUPP);
	ck_assert_msg(strstr(e.what, "it is Python 3.10") != NULL, "%s", e.what);
	elf_image_release(&i);
	str_release(&symbols);
}
END_TEST

Suite *check_python_places_suite(void)
{
	Suite *s = suite_create("python_places");
	TCase *tc = tcase_create("made");

	tcase_add_test(tc, a_version_stands_anywhere);
	suite_add_tcase(s, tc);

	if (access(PYTHON, R_OK)) {
		harness_omit(s, "python_places", "there is no " PYTHON);
		return s;
	}
	tc = tcase_create("python_places");
	tcase_add_checked_fixture(tc, read_python, forget_python);
	tcase_add_test(tc, finds_them_all);
	tcase_add_test(tc, what_is_not_understood_is_left_to_usdt);
	tcase_add_test(tc, entries_are_left_to_usdt);
	tcase_add_test(tc, a_test_elsewhere_is_left_to_usdt);
	tcase_add_test(tc, where_code_is_freed_need_not_be_known);
	tcase_add_test(tc, another_program_is_none);
	tcase_add_test(tc, one_without_probes_is_refused);
	tcase_add_test(tc, older_ones_are_refused);
	tcase_add_test(tc, one_without_an_interpreter_is_refused);
	tcase_add_test(tc, a_probe_on_no_nop_is_refused);
	tcase_add_test(tc, code_that_is_not_understood_is_refused);
	tcase_add_test(tc, what_is_cut_short_is_refused);
	suite_add_tcase(s, tc);
	return s;
}
