/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "symbolizer/inflate.h"
#include "tests/elf_image.h"
#include "tests/harness.h"

Suite *check_inflate_suite(void);

static const char source[] = "struct s { int a, b; }; int f(struct s *p) { return p->a + p->b; }\n"
			     "int main(int argc, char **argv) { struct s x = { argc, 2 }; return f(&x) + !argv; }\n";

/* One program, linked as flags say; its path. Lent until the test's end. */
static const char *compile(const char *name, const char *flags)
{
	const char *file = harness_file("p.c", source, strlen(source)), *out = harness_path(name);
	char command[4096];

	snprintf(command, sizeof(command), "gcc -g -O1 %s -o '%s' '%s'", flags, out, file);
	ck_assert_int_eq(system(command), 0);
	return out;
}

static bool inflate_path(const char *path, struct inflated *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool done = inflate_debug_file(fd, ret);

	close(fd);
	return done;
}

/* The bytes of a section of an ELF file in memory; NULL: it has none. */
static const char *section(const char *elf, const char *name, size_t *ret_len)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)elf;
	const char *headers = elf + e->e_shoff;
	Elf64_Shdr s;
	uint64_t names_off;
	size_t i;

	memcpy(&s, headers + e->e_shstrndx * sizeof(s), sizeof(s));
	names_off = s.sh_offset;
	for (i = 0; i < e->e_shnum; i++) {
		memcpy(&s, headers + i * sizeof(s), sizeof(s));
		if (strcmp(elf + names_off + s.sh_name, name) || s.sh_type == SHT_NOBITS)
			continue;
		ck_assert(!(s.sh_flags & SHF_COMPRESSED));
		*ret_len = s.sh_size;
		return elf + s.sh_offset;
	}
	return NULL;
}

/* objcopy(1) is the referee. */
START_TEST(sections_are_as_objcopy_inflates_them)
{
	static const char *const wanted[] = { ".debug_info", ".debug_abbrev", ".debug_line", ".debug_str" };
	struct str plain = { 0 };
	struct inflated i = { 0 };
	const char *packed = compile("packed", "-gz=zlib");
	char command[4096];
	size_t n, len, want_len;

	snprintf(command, sizeof(command), "objcopy --decompress-debug-sections '%s' '%s.plain'", packed, packed);
	ck_assert_int_eq(system(command), 0);
	harness_read(harness_path("packed.plain"), &plain);
	ck_assert(inflate_path(packed, &i));
	for (n = 0; n < ARRAY_LEN(wanted); n++) {
		const char *want = section(plain.s, wanted[n], &want_len);
		const char *got = section(i.bytes, wanted[n], &len);

		ck_assert_ptr_nonnull(want);
		ck_assert_ptr_nonnull(got);
		ck_assert_uint_eq(len, want_len);
		ck_assert(!memcmp(got, want, len));
	}
	inflated_release(&i);
	str_release(&plain);
}
END_TEST

/* The same file with its section headers moved behind all else, to that many bytes off a multiple of 8. */
static const char *move_headers(const char *path, size_t off)
{
	struct str file = { 0 };
	Elf64_Ehdr e;
	size_t len;
	char *headers;

	harness_read(path, &file);
	memcpy(&e, file.s, sizeof(e));
	len = e.e_shnum * sizeof(Elf64_Shdr);
	headers = xmalloc(len);
	memcpy(headers, file.s + e.e_shoff, len);
	while (file.len % 8 != off)
		str_add_bytes(&file, "", 1);
	e.e_shoff = file.len;
	memcpy(file.s, &e, sizeof(e));
	str_add_bytes(&file, headers, len);
	free(headers);
	path = harness_file("moved", file.s, file.len);
	str_release(&file);
	return path;
}

/* No header is read where it stands: see the sanitizers. */
START_TEST(section_headers_stand_anywhere)
{
	struct inflated want = { 0 }, got = { 0 };
	const char *packed = compile("packed", "-gz=zlib"), *info, *moved;
	size_t want_len, len;

	ck_assert(inflate_path(packed, &want));
	ck_assert(inflate_path(move_headers(packed, (size_t)_i), &got));
	info = section(want.bytes, ".debug_info", &want_len);
	moved = section(got.bytes, ".debug_info", &len);
	ck_assert_ptr_nonnull(moved);
	ck_assert_uint_eq(len, want_len);
	ck_assert(!memcmp(moved, info, len));
	inflated_release(&want);
	inflated_release(&got);
}
END_TEST

START_TEST(what_is_not_compressed_is_left_alone)
{
	struct inflated i = { 0 };

	ck_assert(!inflate_path(compile("plain", "-gz=none"), &i));
	ck_assert(!inflate_path(harness_file("text", "no ELF file", 11), &i));
	ck_assert(!inflate_path("/dev/null", &i));
	ck_assert_ptr_null(i.bytes);
}
END_TEST

/* Any byte of the file changed: refused, or something is inflated; never more than the file can hold. */
START_TEST(damaged_files_end)
{
	struct str packed = { 0 };
	size_t at;

	harness_read(compile("packed", "-gz=zlib"), &packed);
	for (at = (size_t)_i; at < packed.len; at += 61) {
		struct inflated i = { 0 };
		char old = packed.s[at];

		packed.s[at] = (char)~old;
		if (inflate_path(harness_file("damaged", packed.s, packed.len), &i))
			ck_assert_uint_lt(i.len, 1 << 30);
		inflated_release(&i);
		packed.s[at] = old;
	}
	str_release(&packed);
}
END_TEST

/* A section that lies behind the file's end, where the file that was made of it has room. */
START_TEST(every_section_can_be_read)
{
	static const char text[] = "DWARF DWARF DWARF DWARF DWARF DWARF DWARF";
	const Elf64_Chdr header = { .ch_type = ELFCOMPRESS_ZLIB, .ch_size = sizeof(text), .ch_addralign = 1 };
	unsigned char packed[128];
	uLongf packed_len = sizeof(packed);
	struct elf_image i = { 0 };
	struct inflated out = { 0 };
	struct str b = { 0 };
	size_t info, beyond, k, len = 0;
	Elf_Data *data;
	Elf *elf;

	ck_assert_int_eq(compress(packed, &packed_len, (const unsigned char *)text, sizeof(text)), Z_OK);
	str_add_bytes(&b, &header, sizeof(header));
	str_add_bytes(&b, packed, packed_len);
	info = elf_image_section(&i, ".debug_info", SHT_PROGBITS, b.s, b.len);
	i.sections.at[info].sh_flags = SHF_COMPRESSED;
	beyond = elf_image_section(&i, ".debug_str", SHT_PROGBITS, "x", 1);
	i.sections.at[beyond].sh_offset = 3 * ELF_IMAGE_PAGE;
	i.sections.at[beyond].sh_size = ELF_IMAGE_PAGE;
	elf_image_finish(&i);
	ck_assert(inflate_path(harness_file("beyond", i.file.s, i.file.len), &out));
	ck_assert_str_eq(section(out.bytes, ".debug_info", &len), text);
	elf = elf_memory(out.bytes, out.len);
	data = elf_rawdata(elf_getscn(elf, beyond), NULL);
	ck_assert_ptr_nonnull(data);
	ck_assert_uint_eq(data->d_size, ELF_IMAGE_PAGE);
	for (k = 0; k < data->d_size; k++)
		ck_assert_int_eq(((const char *)data->d_buf)[k], 0);
	elf_end(elf);
	inflated_release(&out);
	elf_image_release(&i);
	str_release(&b);
}
END_TEST

Suite *check_inflate_suite(void)
{
	Suite *s = suite_create("inflate");
	TCase *tc = tcase_create("inflate");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, sections_are_as_objcopy_inflates_them);
	tcase_add_loop_test(tc, section_headers_stand_anywhere, 0, 2);
	tcase_add_test(tc, what_is_not_compressed_is_left_alone);
	tcase_add_loop_test(tc, damaged_files_end, 0, 4);
	tcase_add_test(tc, every_section_can_be_read);
	if (harness_can_or_omit(s, "inflate", CAN_COMPILE))
		suite_add_tcase(s, tc);
	return s;
}
