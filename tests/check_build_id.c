/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collector/build_id.h"
#include "tests/harness.h"

Suite *check_build_id_suite(void);

#define ID "0123456789abcdefghij"

static void add_note(struct str *b, uint32_t type, const char *name, uint32_t name_len,
		     const char *desc, uint32_t desc_len)
{
	const Elf64_Nhdr head = { name_len, desc_len, type };

	str_add_bytes(b, &head, sizeof(head));
	str_add_bytes(b, name, name_len);
	str_add_bytes(b, "\0\0\0", (4 - name_len % 4) % 4);
	str_add_bytes(b, desc, desc_len);
	str_add_bytes(b, "\0\0\0", (4 - desc_len % 4) % 4);
}

/* From memory that ends where the notes do. */
static bool find(const struct str *b, size_t len, struct build_id *ret_id)
{
	uint8_t *copy = xmemdup(str_cstr(b), len);
	bool found = build_id_of_notes(copy, len, ret_id);

	free(copy);
	return found;
}

static const struct {
	uint32_t type;
	const char *name;
	uint32_t name_len, desc_len;
	uint8_t want;
} notes[] = {
	{ NT_GNU_BUILD_ID, "GNU", 4, 20, 20 }, { NT_GNU_BUILD_ID, "GNU", 4, 16, 16 },
	{ NT_GNU_BUILD_ID, "GNU", 4, 7, 7 },   { NT_GNU_BUILD_ID, "GNU", 4, 1, 1 },
	{ NT_GNU_BUILD_ID, "GNU", 4, 0, 0 },   { NT_GNU_BUILD_ID, "GNU", 4, 21, 0 },
	{ NT_GNU_ABI_TAG, "GNU", 4, 16, 0 },   { NT_GNU_BUILD_ID, "Go", 3, 20, 0 },
	{ NT_GNU_BUILD_ID, "GNU", 3, 20, 0 },
};

/* Alone, and behind and before others whose lengths are no multiples of 4. */
START_TEST(build_id_is_found_among_notes)
{
	struct build_id id = { .len = 77 };
	struct str b = { 0 };

	add_note(&b, 5, "stapsdt", 8, "some text", 9);
	add_note(&b, notes[_i].type, notes[_i].name, notes[_i].name_len, ID "k",
		 notes[_i].desc_len);
	add_note(&b, NT_GNU_ABI_TAG, "GNU", 4, "\0\0\0\0\3\0\0\0\2\0\0\0\0\0\0", 16);
	ck_assert(find(&b, b.len, &id) == (notes[_i].want > 0));
	if (notes[_i].want) {
		ck_assert_uint_eq(id.len, notes[_i].want);
		ck_assert_mem_eq(id.bytes, ID, notes[_i].want);
	}
	str_release(&b);
}
END_TEST

START_TEST(cut_notes_have_none)
{
	struct build_id id;
	struct str b = { 0 };
	size_t len;

	add_note(&b, 5, "stapsdt", 8, "some text", 9);
	add_note(&b, NT_GNU_BUILD_ID, "GNU", 4, ID, 20);
	for (len = 0; len < b.len; len++)
		ck_assert_msg(!find(&b, len, &id), "%zu of %zu bytes were enough", len, b.len);
	ck_assert(find(&b, b.len, &id));
	str_release(&b);
}
END_TEST

static const uint32_t lengths[][2] = {
	{ UINT32_MAX, 20 },    { 4, UINT32_MAX },     { UINT32_MAX, UINT32_MAX },
	{ 4, UINT32_MAX - 3 }, { UINT32_MAX - 2, 0 },
};

START_TEST(impossible_lengths_have_none)
{
	const Elf64_Nhdr head = { lengths[_i][0], lengths[_i][1], NT_GNU_BUILD_ID };
	struct build_id id;
	struct str b = { 0 };

	str_add_bytes(&b, &head, sizeof(head));
	str_add_bytes(&b, "GNU\0" ID, 24);
	ck_assert(!find(&b, b.len, &id));
	str_release(&b);
}
END_TEST

/* An ELF file of either class whose only segments are notes. */
static const char *elf_file(bool is_64, uint32_t phdr_type)
{
	Elf64_Ehdr e64 = { .e_phoff = sizeof(e64),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 2 };
	Elf32_Ehdr e32 = { .e_phoff = sizeof(e32),
			   .e_phentsize = sizeof(Elf32_Phdr),
			   .e_phnum = 2 };
	Elf64_Phdr p64[2] = { { .p_type = PT_LOAD }, { .p_type = phdr_type } };
	Elf32_Phdr p32[2] = { { .p_type = PT_LOAD }, { .p_type = phdr_type } };
	struct str b = { 0 }, note = { 0 };
	const char *path;

	add_note(&note, NT_GNU_BUILD_ID, "GNU", 4, ID, 20);
	memcpy(e64.e_ident, ELFMAG, SELFMAG);
	memcpy(e32.e_ident, ELFMAG, SELFMAG);
	e64.e_ident[EI_CLASS] = ELFCLASS64;
	e32.e_ident[EI_CLASS] = ELFCLASS32;
	p64[1].p_offset = sizeof(e64) + sizeof(p64);
	p32[1].p_offset = sizeof(e32) + sizeof(p32);
	p64[1].p_filesz = p32[1].p_filesz = (uint32_t)note.len;
	if (is_64) {
		str_add_bytes(&b, &e64, sizeof(e64));
		str_add_bytes(&b, p64, sizeof(p64));
	} else {
		str_add_bytes(&b, &e32, sizeof(e32));
		str_add_bytes(&b, p32, sizeof(p32));
	}
	str_add_bytes(&b, note.s, note.len);
	path = harness_file("a.out", b.s, b.len);
	str_release(&b);
	str_release(&note);
	return path;
}

START_TEST(both_classes_are_read)
{
	struct build_id id;

	ck_assert(build_id_of_path(elf_file(_i == 1, PT_NOTE), &id));
	ck_assert_uint_eq(id.len, 20);
	ck_assert_mem_eq(id.bytes, ID, 20);
	ck_assert(!id.is_sum);
}
END_TEST

/* The same of the same bytes, wherever they are, and another one of others. */
START_TEST(file_without_one_is_known_by_its_bytes)
{
	struct build_id id, same, other;
	struct str b = { 0 };

	harness_read(elf_file(_i == 1, PT_LOAD), &b);
	ck_assert(build_id_of_path(harness_file("a.out", b.s, b.len), &id));
	ck_assert(id.is_sum);
	ck_assert_uint_eq(id.len, 8);
	ck_assert(build_id_of_path(harness_file("copy", b.s, b.len), &same));
	ck_assert(build_id_equal(&id, &same));
	b.s[b.len - 1]++;
	ck_assert(build_id_of_path(harness_file("a.out", b.s, b.len), &other));
	ck_assert(!build_id_equal(&id, &other));
	str_release(&b);
}
END_TEST

/* Every length of the file, and every byte of it changed: an id, a checksum or none, and nothing worse. */
START_TEST(damaged_files_are_survived)
{
	struct build_id id;
	struct str b = { 0 };
	size_t i;

	harness_read(elf_file(_i == 1, PT_NOTE), &b);
	for (i = 0; i < b.len; i++) {
		ck_assert(!build_id_of_path(harness_file("cut", b.s, i), &id) || id.is_sum);
		b.s[i] = (char)~b.s[i];
		build_id_of_path(harness_file("changed", b.s, b.len), &id);
		ck_assert_uint_le(id.len, BUILD_ID_MAX);
		b.s[i] = (char)~b.s[i];
	}
	str_release(&b);
}
END_TEST

static const char *const no_elf[] = { "/dev/null", "/proc/self/none", "/", "/proc/self/status" };

START_TEST(other_files_have_none)
{
	struct build_id id = { .len = 9 };

	ck_assert(!build_id_of_path(no_elf[_i], &id));
	ck_assert_uint_eq(id.len, 0);
}
END_TEST

START_TEST(equal_ids_have_equal_lengths)
{
	const struct build_id a = { .len = 8, .bytes = "abcdefgh" }, b = { .len = 7, .bytes = "abcdefgh" },
			      c = { .len = 8, .bytes = "abcdefgH" };

	ck_assert(build_id_equal(&a, &a));
	ck_assert(!build_id_equal(&a, &b));
	ck_assert(!build_id_equal(&a, &c));
}
END_TEST

/* Another reader agrees, on a program of another's making. */
START_TEST(readelf_says_the_same)
{
	struct build_id id;
	struct str hex = { 0 };
	struct run r = { 0 };
	uint8_t i;

	ck_assert(build_id_of_path("/proc/self/exe", &id));
	for (i = 0; i < id.len; i++)
		str_addf(&hex, "%02x", id.bytes[i]);
	run_shell(&r, "readelf -n /proc/%d/exe", getpid());
	ck_assert_exit(&r, 0);
	ck_assert_has(&r.out, str_cstr(&hex));
	run_release(&r);
	str_release(&hex);
}
END_TEST

Suite *check_build_id_suite(void)
{
	Suite *s = suite_create("build_id");
	TCase *tc = tcase_create("build_id");

	tcase_add_loop_test(tc, build_id_is_found_among_notes, 0, ARRAY_LEN(notes));
	tcase_add_test(tc, cut_notes_have_none);
	tcase_add_loop_test(tc, impossible_lengths_have_none, 0, ARRAY_LEN(lengths));
	tcase_add_loop_test(tc, both_classes_are_read, 0, 2);
	tcase_add_loop_test(tc, file_without_one_is_known_by_its_bytes, 0, 2);
	tcase_add_loop_test(tc, damaged_files_are_survived, 0, 2);
	tcase_add_loop_test(tc, other_files_have_none, 0, ARRAY_LEN(no_elf));
	tcase_add_test(tc, equal_ids_have_equal_lengths);
	tcase_add_test(tc, readelf_says_the_same);
	suite_add_tcase(s, tc);
	return s;
}
