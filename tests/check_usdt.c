/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/sdt.h>

#include "base/str.h"
#include "collector/usdt.h"

Suite *check_usdt_suite(void);

static void add_u32(struct str *b, uint32_t v)
{
	str_add_bytes(b, &v, sizeof(v));
}

static void add_u64(struct str *b, uint64_t v)
{
	str_add_bytes(b, &v, sizeof(v));
}

static void pad_to_4(struct str *b)
{
	while (b->len % 4)
		str_add_char(b, '\0');
}

/* strings: provider, name and arguments, each with its NUL; len: all of their bytes. */
static void add_note(struct str *b, uint32_t type, const char *owner, uint64_t base,
		     uint64_t semaphore, const char *strings, size_t len)
{
	add_u32(b, (uint32_t)strlen(owner) + 1);
	add_u32(b, (uint32_t)(24 + len));
	add_u32(b, type);
	str_add_bytes(b, owner, strlen(owner) + 1);
	pad_to_4(b);
	add_u64(b, 0x1000);
	add_u64(b, base);
	add_u64(b, semaphore);
	str_add_bytes(b, strings, len);
}

#define STRINGS(s) (s), sizeof(s)	/* the literal's own NUL ends the last one */

static const struct {
	const char *owner;
	uint32_t type;
	uint64_t base, moved_base, semaphore;
	const char *strings;
	size_t len;
	size_t want_sites, want_bad;
	uint64_t want_vaddr, want_semaphore;
} notes[] = {
	{ "stapsdt", 3, 0x9000, 0x9000, 0, STRINGS("p\0n\08@%rax"), 1, 0, 0x1000, 0 },
	{ "stapsdt", 3, 0x9000, 0x9000, 0x7000, STRINGS("p\0n\08@%rax"), 1, 0, 0x1000, 0x7000 },
	{ "stapsdt", 3, 0x9000, 0xa000, 0x7000, STRINGS("p\0n\08@%rax"), 1, 0, 0x2000, 0x8000 },
	{ "stapsdt", 3, 0x9000, 0x8800, 0, STRINGS("p\0n\08@%rax"), 1, 0, 0x800, 0 },
	{ "stapsdt", 3, 0x9000, 0, 0x7000, STRINGS("p\0n\08@%rax"), 1, 0, 0x1000, 0x7000 },
	{ "stapsdt", 3, 0, 0x9000, 0, STRINGS("p\0n\08@%rax"), 1, 0, 0x1000, 0 },
	{ "stapsdt", 2, 0x9000, 0x9000, 0, STRINGS("p\0n\08@%rax"), 0, 0, 0, 0 },
	{ "GNU", 3, 0x9000, 0x9000, 0, STRINGS("p\0n\08@%rax"), 0, 0, 0, 0 },
	{ "stapsdx", 3, 0x9000, 0x9000, 0, STRINGS("p\0n\08@%rax"), 0, 0, 0, 0 },
	{ "stapsdt", 3, 0x9000, 0x9000, 0, "p\0n\08@", 6, 0, 1, 0, 0 },
	{ "stapsdt", 3, 0x9000, 0x9000, 0, "p\0n", 4, 0, 1, 0, 0 },
	{ "stapsdt", 3, 0x9000, 0x9000, 0, "", 0, 0, 1, 0, 0 },
	{ "stapsdt", 3, 0x9000, 0x9000, 0, STRINGS("\0n\08@%rax"), 0, 1, 0, 0 },
	{ "stapsdt", 3, 0x9000, 0x9000, 0, STRINGS("p\0\08@%rax"), 0, 1, 0, 0 },
};

START_TEST(a_note_becomes_a_site)
{
	struct str b = { 0 };
	struct usdt u = { 0 };

	add_note(&b, notes[_i].type, notes[_i].owner, notes[_i].base, notes[_i].semaphore,
		 notes[_i].strings, notes[_i].len);
	usdt_parse_notes(&u, b.s, b.len, notes[_i].moved_base);
	ck_assert_uint_eq(u.sites.nr, notes[_i].want_sites);
	ck_assert_uint_eq(u.nr_bad, notes[_i].want_bad);
	if (u.sites.nr) {
		ck_assert_str_eq(u.sites.at->provider, "p");
		ck_assert_str_eq(u.sites.at->name, "n");
		ck_assert_str_eq(u.sites.at->args, "8@%rax");
		ck_assert_uint_eq(u.sites.at->vaddr, notes[_i].want_vaddr);
		ck_assert_uint_eq(u.sites.at->semaphore_vaddr, notes[_i].want_semaphore);
	}
	usdt_release(&u);
	str_release(&b);
}
END_TEST

/* Of two notes in one section, cut anywhere: the whole ones are there, and nothing is read past. */
START_TEST(any_cut_of_a_section_is_survived)
{
	struct str b = { 0 };
	size_t len, first, second;

	add_note(&b, 3, "stapsdt", 0, 0, STRINGS("p\0one\08@%rax"));
	first = b.len;
	pad_to_4(&b);
	add_note(&b, 3, "stapsdt", 0, 0, STRINGS("p\0two\0"));
	second = b.len;
	for (len = 0; len <= b.len; len++) {
		void *copy = xmemdup(b.s, len);
		struct usdt u = { 0 };

		usdt_parse_notes(&u, copy, len, 0);
		ck_assert_uint_eq(u.sites.nr, (len >= first) + (len >= second));
		usdt_release(&u);
		free(copy);
	}
	str_release(&b);
}
END_TEST

START_TEST(lengths_of_a_liar_are_survived)
{
	static const uint32_t lengths[][2] = { { UINT32_MAX, 8 }, { 8, UINT32_MAX },
					       { UINT32_MAX, UINT32_MAX }, { 0, 0 },
					       { 0x7fffffff, 1 }, { 5, 23 } };
	struct str b = { 0 };
	struct usdt u = { 0 };

	add_u32(&b, lengths[_i][0]);
	add_u32(&b, lengths[_i][1]);
	add_u32(&b, 3);
	str_add_bytes(&b, "stapsdt\0bytes that mean nothing", 28);
	usdt_parse_notes(&u, b.s, b.len, 0);
	ck_assert_uint_eq(u.sites.nr, 0);
	usdt_release(&u);
	str_release(&b);
}
END_TEST

static int read_elf(const char *path, struct usdt *u, int *ret_fd, struct err *e)
{
	Elf *elf;
	int rc;

	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(*ret_fd, 0);
	elf_version(EV_CURRENT);
	elf = elf_begin(*ret_fd, ELF_C_READ_MMAP, NULL);
	rc = usdt_read(u, elf, e);
	elf_end(elf);
	return rc;
}

/* Something to find in this program itself. */
__attribute__((noinline)) static void own_probes(int a, const char *b)
{
	DTRACE_PROBE2(check_usdt, own, a, b);
	DTRACE_PROBE(check_usdt, bare);
}

static const char *const files[] = {
	"/proc/self/exe",
	"/usr/lib/postgresql/15/bin/postgres",
	"/usr/bin/python3.11",
	"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
	"/usr/lib/x86_64-linux-gnu/libc.so.6",
};

static bool has_readelf(void)
{
	return !system("readelf --version >/dev/null 2>&1");
}

/* readelf -n writes every note in four lines; of each the same must be in u, in the same order. */
static size_t compare(const struct usdt *u, FILE *listing)
{
	const struct usdt_site *s = u->sites.at - (u->sites.at ? 1 : 0);
	char line[4096], text[4096];
	size_t nr = 0;

	while (fgets(line, sizeof(line), listing)) {
		unsigned long vaddr, base, semaphore;

		if (sscanf(line, " Provider: %4095s", text) == 1) {
			ck_assert_uint_lt(nr, u->sites.nr);
			s++;
			nr++;
			ck_assert_str_eq(s->provider, text);
		} else if (sscanf(line, " Name: %4095s", text) == 1) {
			ck_assert_str_eq(s->name, text);
		} else if (sscanf(line, " Location: %lx, Base: %lx, Semaphore: %lx", &vaddr, &base,
				  &semaphore) == 3) {
			ck_assert_uint_eq(s->vaddr, vaddr);
			ck_assert_uint_eq(s->semaphore_vaddr, semaphore);
		} else if (strstr(line, "Arguments: ")) {
			line[strcspn(line, "\n")] = '\0';
			ck_assert_str_eq(s->args, strstr(line, "Arguments: ") + 11);
		}
	}
	return nr;
}

START_TEST(readelf_agrees)
{
	char *exe = realpath(files[_i], NULL), *command;
	struct usdt u = { 0 };
	struct err e = { 0 };
	FILE *listing;
	int fd;

	if (!exe || !has_readelf()) {
		printf("usdt: %s or readelf is not here, not compared\n", files[_i]);
		free(exe);
		return;
	}
	command = xasprintf("readelf -n '%s' 2>/dev/null", exe);
	ck_assert_int_eq(read_elf(exe, &u, &fd, &e), 0);
	listing = popen(command, "r");
	ck_assert_ptr_nonnull(listing);
	ck_assert_uint_eq(compare(&u, listing), u.sites.nr);
	pclose(listing);
	ck_assert_uint_eq(u.nr_bad, 0);
	usdt_release(&u);
	close(fd);
	free(command);
	free(exe);
}
END_TEST

/* <sys/sdt.h> puts one nop at the site, and the semaphore starts as 0. */
START_TEST(offsets_lead_to_nops_and_zeroes)
{
	struct usdt u = { 0 };
	struct err e = { 0 };
	int fd;

	if (access(files[_i], R_OK))
		return;
	ck_assert_int_eq(read_elf(files[_i], &u, &fd, &e), 0);
	vec_each(&u.sites, s) {
		unsigned char code = 0;
		uint16_t semaphore = 1;

		ck_assert_int_eq(pread(fd, &code, 1, (off_t)s->off), 1);
		ck_assert_uint_eq(code, 0x90);
		ck_assert(!s->semaphore_vaddr == !s->semaphore_off);
		if (!s->semaphore_off)
			continue;
		ck_assert_int_eq(pread(fd, &semaphore, 2, (off_t)s->semaphore_off), 2);
		ck_assert_uint_eq(semaphore, 0);
	}
	usdt_release(&u);
	close(fd);
}
END_TEST

START_TEST(own_probes_are_found)
{
	struct usdt u = { 0 };
	struct err e = { 0 };
	size_t nr = 0;
	int fd;

	own_probes(1, "x");
	ck_assert_int_eq(read_elf("/proc/self/exe", &u, &fd, &e), 0);
	vec_each(&u.sites, s)
		nr += !strcmp(s->provider, "check_usdt") &&
		      (!strcmp(s->name, "own") || !strcmp(s->name, "bare"));
	ck_assert_uint_eq(nr, 2);
	usdt_release(&u);
	close(fd);
}
END_TEST

START_TEST(other_files_are_refused)
{
	struct usdt u = { 0 };
	struct err e = { 0 };
	int fd;

	ck_assert_int_eq(read_elf("/proc/self/maps", &u, &fd, &e), -ENOEXEC);
	close(fd);
	usdt_release(&u);
}
END_TEST

Suite *check_usdt_suite(void)
{
	Suite *s = suite_create("usdt");
	TCase *tc = tcase_create("usdt");

	tcase_add_loop_test(tc, a_note_becomes_a_site, 0, ARRAY_LEN(notes));
	tcase_add_test(tc, any_cut_of_a_section_is_survived);
	tcase_add_loop_test(tc, lengths_of_a_liar_are_survived, 0, 6);
	tcase_add_loop_test(tc, readelf_agrees, 0, ARRAY_LEN(files));
	tcase_add_loop_test(tc, offsets_lead_to_nops_and_zeroes, 0, ARRAY_LEN(files));
	tcase_add_test(tc, own_probes_are_found);
	tcase_add_test(tc, other_files_are_refused);
	suite_add_tcase(s, tc);
	return s;
}
