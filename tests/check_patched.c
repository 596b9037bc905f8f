/* SPDX-License-Identifier: Apache-2.0 */
/* A file that this very process maps, and writes to its copy of. */
#include <check.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collector/patched.h"
#include "collector/target.h"
#include "tests/harness.h"

Suite *check_patched_suite(void);

enum { PAGE = 4096, PAGES = 3, LEN = PAGES * PAGE - 100, NOP5_AT = PAGE + 64 };

struct mapped {
	const char *path;
	uint8_t *at;	/* from the file's second page on */
	struct patched_file file;
};

static uint8_t *map_again(const char *path, int flags, struct stat *ret_st)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t *at = mmap(NULL, (PAGES - 1) * PAGE, PROT_READ | PROT_WRITE, flags, fd, PAGE);

	ck_assert_ptr_ne(at, MAP_FAILED);
	ck_assert_int_eq(fstat(fd, ret_st), 0);
	close(fd);
	return at;
}

static struct mapped map(int flags)
{
	struct mapped m = { 0 };
	uint8_t bytes[LEN];
	struct stat st;
	int i;

	for (i = 0; i < LEN; i++)
		bytes[i] = (uint8_t)(i % 151);
	memcpy(bytes + NOP5_AT, "\x0f\x1f\x44\0\0", 5);
	m.path = harness_file("code", bytes, LEN);
	m.at = map_again(m.path, flags, &st);
	m.file = (struct patched_file){ m.path, st.st_dev, st.st_ino };
	return m;
}

/* What is written where, in the file's offsets, and which range has it then. */
static const struct {
	const char *what;
	uint64_t at;
	uint8_t bytes[5];
	size_t nr;
	struct patched_range range;
} cases[] = {
	{ "nothing", 0, { 0 }, 0, { PAGE, LEN, PATCHED_NOT } },
	{ "its first byte", PAGE + 8, { 0xe9 }, 1, { PAGE + 8, PAGE + 9, PATCHED_CHANGED } },
	{ "the byte before", PAGE + 7, { 0xe9 }, 1, { PAGE + 8, PAGE + 40, PATCHED_NOT } },
	{ "its last byte", PAGE + 39, { 0xe9 }, 1, { PAGE + 8, PAGE + 40, PATCHED_CHANGED } },
	{ "the byte behind", PAGE + 40, { 0xe9 }, 1, { PAGE + 8, PAGE + 40, PATCHED_NOT } },
	{ "what is there", PAGE + 8, { (PAGE + 8) % 151 }, 1, { PAGE, LEN, PATCHED_NOT } },
	{ "a breakpoint", PAGE + 8, { 0xcc }, 1, { PAGE, LEN, PATCHED_NOT } },
	{ "a jump to a hook", PAGE + 8, { 0xe9, 1, 2, 3, 4 }, 5, { PAGE + 8, PAGE + 13, PATCHED_CHANGED } },
	{ "on its second page", 2 * PAGE, { 0xe9 }, 1, { PAGE + 8, 2 * PAGE + 1, PATCHED_CHANGED } },
	{ "on the page behind", 2 * PAGE, { 0xe9 }, 1, { PAGE + 8, 2 * PAGE, PATCHED_NOT } },
	{ "behind the file's end", LEN, { 0xe9 }, 1, { LEN - 8, LEN, PATCHED_NOT } },
	{ "before what is mapped", 0, { 0 }, 0, { 0, PAGE + 8, PATCHED_NOT } },
	/* a call to where the kernel has nothing */
	{ "a call for a nop", NOP5_AT, { 0xe8, 0, 0, 0, 0 }, 5, { NOP5_AT, NOP5_AT + 5, PATCHED_CHANGED } },
	{ "a breakpoint for a nop", NOP5_AT, { 0xcc, 0x1f, 0x44, 0, 0 }, 5, { NOP5_AT, NOP5_AT + 5, PATCHED_NOT } },
};

START_TEST(what_is_written_is_found)
{
	struct mapped m = map(MAP_PRIVATE);
	struct patched_range r = cases[_i].range;
	enum patched want = r.is;

	r.is = PATCHED_NOT;
	if (cases[_i].nr)
		memcpy(m.at + cases[_i].at - PAGE, cases[_i].bytes, cases[_i].nr);
	ck_assert_int_eq(patched_find((uint32_t)getpid(), &m.file, &r, 1), want != PATCHED_NOT);
	ck_assert_msg(r.is == want, "%s", cases[_i].what);
	munmap(m.at, (PAGES - 1) * PAGE);
}
END_TEST

/* In whichever of several mappings it is. */
START_TEST(each_range_is_marked_once)
{
	struct mapped m = map(MAP_PRIVATE);
	struct patched_range r[] = { { PAGE, PAGE + 4, PATCHED_NOT }, { PAGE + 8, PAGE + 12, PATCHED_NOT }, { 2 * PAGE, LEN, PATCHED_NOT } };
	struct stat st;
	uint8_t *again = map_again(m.path, MAP_PRIVATE, &st);

	m.at[9] = again[9] = 0xe9;
	again[PAGE] = 0xe9;
	ck_assert_int_eq(patched_find((uint32_t)getpid(), &m.file, r, ARRAY_LEN(r)), 2);
	ck_assert(!r[0].is && r[1].is && r[2].is);
	ck_assert_int_eq(patched_find((uint32_t)getpid(), &m.file, r, ARRAY_LEN(r)), 0);
	munmap(m.at, (PAGES - 1) * PAGE);
	munmap(again, (PAGES - 1) * PAGE);
}
END_TEST

/* A shared mapping has what the file has, and no process's probes. */
START_TEST(others_have_nothing)
{
	struct mapped m = map(MAP_SHARED);
	struct patched_range r = { PAGE, LEN, PATCHED_NOT };

	m.at[9] = 0xe9;
	ck_assert_int_eq(patched_find((uint32_t)getpid(), &m.file, &r, 1), 0);
	ck_assert_int_eq(patched_find(INT32_MAX, &m.file, &r, 1), 0);
	munmap(m.at, (PAGES - 1) * PAGE);
}
END_TEST

/* How code is mapped that is as in the file. */
static const struct {
	int flags, prot;
	enum patched want;
} mappings[] = {
	{ MAP_PRIVATE, PROT_READ | PROT_EXEC, PATCHED_NOT },
	{ MAP_PRIVATE, PROT_READ | PROT_WRITE, PATCHED_NOT },
	{ MAP_PRIVATE, PROT_READ | PROT_WRITE | PROT_EXEC, PATCHED_UNPROBED },
	{ MAP_SHARED, PROT_READ, PATCHED_NOT },
	{ MAP_SHARED, PROT_READ | PROT_EXEC, PATCHED_UNPROBED },
};

START_TEST(where_the_kernel_puts_no_probes_is_found)
{
	struct mapped m = map(mappings[_i].flags);
	struct patched_range r = { PAGE, LEN, PATCHED_NOT };

	ck_assert_int_eq(mprotect(m.at, (PAGES - 1) * PAGE, mappings[_i].prot), 0);
	ck_assert_int_eq(patched_find((uint32_t)getpid(), &m.file, &r, 1), mappings[_i].want != PATCHED_NOT);
	ck_assert_int_eq(r.is, mappings[_i].want);
	munmap(m.at, (PAGES - 1) * PAGE);
}
END_TEST

/* The file's second and third page are code, a page further on in memory than in the file. */
static struct mapped map_elf(void)
{
	struct mapped m = map(MAP_SHARED);
	Elf64_Ehdr head = { .e_ident = ELFMAG, .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			    .e_phoff = sizeof(head), .e_ehsize = sizeof(head), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2 };
	Elf64_Phdr segments[] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = PAGE },
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = PAGE, .p_vaddr = 2 * PAGE, .p_filesz = LEN - PAGE },
	};
	int fd = open(m.path, O_RDWR | O_CLOEXEC);

	head.e_ident[EI_CLASS] = ELFCLASS64;
	head.e_ident[EI_DATA] = ELFDATA2LSB;
	head.e_ident[EI_VERSION] = EV_CURRENT;
	ck_assert_int_eq(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	ck_assert_int_eq(pwrite(fd, segments, sizeof(segments), sizeof(head)), sizeof(segments));
	munmap(m.at, (PAGES - 1) * PAGE);
	m.at = mmap(NULL, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(mmap(m.at, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0), MAP_FAILED);
	ck_assert_ptr_ne(mmap(m.at + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, PAGE), MAP_FAILED);
	close(fd);
	return m;
}

/* In the place of the code's first page. */
static const struct {
	const char *what;
	int flags, prot, add;	/* add: to a byte of it */
	bool is_other;		/* it is moved elsewhere, too: nothing is at its place */
	enum patched want;
} moves[] = {
	{ "the same code", MAP_PRIVATE, PROT_READ | PROT_EXEC, 0, false, PATCHED_MOVED },
	{ "the same code, shared", MAP_SHARED, PROT_READ | PROT_EXEC, 0, false, PATCHED_MOVED },
	{ "a breakpoint", MAP_PRIVATE, PROT_READ | PROT_EXEC, 0xcc - (PAGE + 303) % 151, false, PATCHED_MOVED },
	{ "other code", MAP_PRIVATE, PROT_READ | PROT_EXEC, 1, false, PATCHED_NOT },
	{ "data", MAP_PRIVATE, PROT_READ, 0, false, PATCHED_NOT },
	{ "nothing", MAP_PRIVATE, PROT_READ | PROT_EXEC, 0, true, PATCHED_NOT },
};

START_TEST(what_was_moved_is_found)
{
	struct mapped m = map_elf();
	struct patched_range r[] = { { PAGE + 302, PAGE + 320, PATCHED_NOT }, { 2 * PAGE + 8, LEN, PATCHED_NOT } };
	uint8_t *code = m.at + 2 * PAGE, *copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | moves[_i].flags, -1, 0);

	memcpy(copy, code, PAGE);
	copy[303] = (uint8_t)(copy[303] + moves[_i].add);
	ck_assert_int_eq(mprotect(copy, PAGE, moves[_i].prot), 0);
	if (moves[_i].is_other)
		munmap(code, PAGE);
	else
		ck_assert_ptr_eq(mremap(copy, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, code), code);
	ck_assert_int_eq(patched_find((uint32_t)getpid(), &m.file, r, ARRAY_LEN(r)), moves[_i].want != PATCHED_NOT);
	ck_assert_msg(r[0].is == moves[_i].want && !r[1].is, "%s", moves[_i].what);
	munmap(m.at, (PAGES + 1) * PAGE);
}
END_TEST

/* So that who opens it for reading waits for us. */
static void wait_until_asleep(pid_t pid)
{
	char path[32], text[64], state = 'R';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (state != 'S') {
		usleep(1000);
		f = fopen(path, "re");
		if (fgets(text, sizeof(text), f))
			state = strrchr(text, ')')[2];
		fclose(f);
	}
}

/* While it is looked at: its file is a pipe, whose opening waits until the process is gone. */
START_TEST(who_ends_has_changed_nothing)
{
	struct mapped m = map(MAP_PRIVATE);
	struct patched_range r = { PAGE, LEN, PATCHED_NOT };
	const char *pipe_path = harness_file("pipe", "", 0);
	pid_t target = fork(), helper;

	if (!target)
		for (;;)
			pause();
	ck_assert(!unlink(pipe_path) && !mkfifo(pipe_path, 0600));
	m.file.open_path = pipe_path;
	helper = fork();
	if (!helper) {
		wait_until_asleep(getppid());
		kill(target, SIGKILL);
		while (!kill(target, 0) && !process_is_gone((uint32_t)target))
			usleep(1000);
		_exit(open(pipe_path, O_WRONLY | O_CLOEXEC) < 0);
	}
	ck_assert_int_eq(patched_find((uint32_t)target, &m.file, &r, 1), 0);
	ck_assert(!r.is);
	waitpid(target, NULL, 0);
	waitpid(helper, NULL, 0);
	munmap(m.at, (PAGES - 1) * PAGE);
}
END_TEST

static const struct {
	const char *path;
	int prot;
	enum patched want;
} seconds[] = {
	{ "/bin/true", PROT_READ | PROT_EXEC, PATCHED_TRANSLATED },
	{ "/bin/true", PROT_READ, PATCHED_NOT },
	{ "/proc/self/exe", PROT_READ | PROT_EXEC, PATCHED_NOT },
	{ NULL, PROT_READ | PROT_EXEC, PATCHED_NOT },	/* libc, which names an interpreter, too */
};

/* As where valgrind runs a program. */
START_TEST(beside_a_second_program_all_is_translated)
{
	struct mapped m = map(MAP_PRIVATE);
	struct patched_range r = { PAGE, LEN, PATCHED_NOT };
	Dl_info libc;
	void *second;
	int fd;

	ck_assert(dladdr(dlsym(RTLD_NEXT, "getppid"), &libc));
	fd = open(seconds[_i].path ? seconds[_i].path : libc.dli_fname, O_RDONLY | O_CLOEXEC);
	second = mmap(NULL, PAGE, seconds[_i].prot, MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne(second, MAP_FAILED);
	close(fd);
	ck_assert_int_eq(patched_find((uint32_t)getpid(), &m.file, &r, 1), seconds[_i].want != PATCHED_NOT);
	ck_assert_int_eq(r.is, seconds[_i].want);
	munmap(second, PAGE);
	munmap(m.at, (PAGES - 1) * PAGE);
}
END_TEST

Suite *check_patched_suite(void)
{
	Suite *s = suite_create("patched");
	TCase *tc = tcase_create("find");

	tcase_add_loop_test(tc, what_is_written_is_found, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, each_range_is_marked_once);
	tcase_add_test(tc, others_have_nothing);
	tcase_add_loop_test(tc, where_the_kernel_puts_no_probes_is_found, 0, ARRAY_LEN(mappings));
	tcase_add_loop_test(tc, what_was_moved_is_found, 0, ARRAY_LEN(moves));
	tcase_add_loop_test(tc, beside_a_second_program_all_is_translated, 0, ARRAY_LEN(seconds));
	tcase_add_test(tc, who_ends_has_changed_nothing);
	suite_add_tcase(s, tc);
	return s;
}
