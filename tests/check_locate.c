/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds things in this very process, where the truth is known: where a function is mapped says
 * where in the file it must be found.
 */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#include "base/str.h"
#include "collector/locate.h"
#include "collector/maps.h"
#include "collector/probe.h"

Suite *check_locate_suite(void);

#define BODY __attribute__((noinline, noclone, used))

/* What is to be found. The labels are what g++ and gcc's clones would write. */
extern unsigned short check_locate_twice_semaphore;
unsigned short check_locate_twice_semaphore __attribute__((section(".probes"), used));

int locate_plain(int x);
int locate_overload_int(int x) __asm__("_ZN5check6Server6handleEi");
int locate_overload_text(const char *x) __asm__("_ZN5check6Server6handleEPKc");
int locate_single(int x) __asm__("_ZN5check6Server5closeEi");
int locate_alias(int x) __attribute__((alias("locate_plain")));
BODY static int locate_changed(int x) __asm__("locate_changed.constprop.0");
BODY static int locate_piece(int x) __asm__("locate_piece.part.0");
BODY static int locate_abi0(int x) __asm__("locate.abi.abi0");
int locate_inner(int x) __asm__("locate.both");
int locate_outer(int x) __asm__("locate.both.abi0");

#define KEEP_APART(x) __asm__ volatile("" : "+r"(x))

BODY int locate_plain(int x)
{
	KEEP_APART(x);
	return x;
}

BODY int locate_overload_int(int x)
{
	KEEP_APART(x);
	return x + 1;
}

BODY int locate_overload_text(const char *x)
{
	KEEP_APART(x);
	return *x;
}

BODY int locate_single(int x)
{
	KEEP_APART(x);
	return x + 2;
}

BODY static int locate_changed(int x)
{
	KEEP_APART(x);
	return x + 3;
}

BODY static int locate_piece(int x)
{
	KEEP_APART(x);
	return x + 4;
}

BODY static int locate_abi0(int x)
{
	KEEP_APART(x);
	return x + 5;
}

BODY int locate_inner(int x)
{
	KEEP_APART(x);
	return x + 6;
}

BODY int locate_outer(int x)
{
	KEEP_APART(x);
	return locate_inner(x) + 7;
}

__attribute__((always_inline)) static inline int locate_inlined(int x)
{
	KEEP_APART(x);
	DTRACE_PROBE1(check_locate, twice, x);
	return x * 5;
}

BODY static int locate_static(int x)
{
	x = locate_inlined(x);
	KEEP_APART(x);
	return locate_inlined(x) + locate_piece(x) + locate_changed(x) + locate_abi0(x);
}

struct locate_pair {
	long a, b, c;
};
enum locate_kind { LOCATE_KIND };
typedef volatile unsigned short locate_short;
int locate_mixed(float x, locate_short a, const char *b, double y, bool c, enum locate_kind d, int64_t e);
int locate_behind_struct(char a, struct locate_pair b, int c);
struct locate_pair locate_returns_struct(int a);

BODY int locate_mixed(float x, locate_short a, const char *b, double y, bool c, enum locate_kind d, int64_t e)
{
	KEEP_APART(a);
	return (int)x + a + *b + (int)y + c + (int)d + (int)e;
}

BODY int locate_behind_struct(char a, struct locate_pair b, int c)
{
	KEEP_APART(c);
	return a + (int)b.a + c;
}

BODY struct locate_pair locate_returns_struct(int a)
{
	KEEP_APART(a);
	return (struct locate_pair){ a, 0, 0 };
}

/* They begin with a check and, after a detour, begin again; the second one overwrites its first argument. */
int locate_checked(int x);
int locate_clobbered(int x);
__asm__(".pushsection .text\n"
	".type locate_checked, @function\n"
	"locate_checked:\n"
	"	cmp 0x10(%r14), %rsp\n"
	"	jbe 1f\n"
	"	ret\n"
	"1:	jmp locate_checked\n"
	".size locate_checked, . - locate_checked\n"
	".type locate_clobbered, @function\n"
	"locate_clobbered:\n"
	"	mov %rsp, %rdi\n"
	"	cmp 0x10(%r14), %rdi\n"
	"	jbe 1f\n"
	"	ret\n"
	"1:	jmp locate_clobbered\n"
	".size locate_clobbered, . - locate_clobbered\n"
	".popsection\n");

/* The file offset of mapped code or data, by the kernel's own book. */
static uint64_t truth_off(const void *addr, const char **ret_path)
{
	static struct maps m;
	const struct maps_entry *entry;
	struct err e = { 0 };

	maps_release(&m);
	ck_assert_int_eq(maps_read(&m, getpid(), &e), 0);
	entry = maps_find(&m, (uintptr_t)addr);
	ck_assert_ptr_nonnull(entry);
	if (ret_path)
		*ret_path = entry->path;
	return (uintptr_t)addr - entry->start + entry->off;
}

struct found {
	struct locate l;
	struct probe_sites s;
	struct err e;
	int rc;
};

static void find_in(struct found *f, const char *probe)
{
	struct probe_name name;

	ck_assert_int_eq(probe_name_parse(probe, &name, &f->e), 0);
	f->rc = locate_probe(&f->l, &name, &f->s, &f->e);
	probe_name_release(&name);
}

static struct found find(const char *probe)
{
	struct found f = { 0 };

	ck_assert_int_eq(locate_process(&f.l, getpid(), &f.e), 0);
	ck_assert_uint_gt(f.l.files.nr, 1);
	ck_assert(f.l.files.at[0].is_main);
	ck_assert(!f.l.files.at[1].is_main);
	find_in(&f, probe);
	return f;
}

static void found_release(struct found *f)
{
	probe_sites_release(&f->s);
	locate_release(&f->l);
}

static const struct {
	const char *probe;
	const void *addr;	/* NULL: of the libc function with that name */
	const char *why;	/* part of the reason why argument 1 cannot be read */
	bool is_return;
} functions[] = {
	{ "locate_plain", locate_plain, NULL, false },
	{ "locate_plain%return", locate_plain, "arguments are gone", true },
	{ "locate_alias", locate_plain, NULL, false },
	{ "locate_static", locate_static, NULL, false },
	{ "locate_changed", locate_changed, "compiler changed", false },
	{ "locate.abi", locate_abi0, NULL, false },
	{ "locate.abi.abi0", locate_abi0, NULL, false },
	{ "locate.both", locate_inner, NULL, false },
	{ "locate.both.abi0", locate_outer, NULL, false },
	{ "_ZN5check6Server6handleEi", locate_overload_int, NULL, false },
	{ "check::Server::handle(int)", locate_overload_int, NULL, false },
	{ "check::Server::handle(char const *)", locate_overload_text, NULL, false },
	{ "check::Server::close", locate_single, NULL, false },
	{ "getppid", NULL, NULL, false },
	{ "getppid@libc.so.6", NULL, NULL, false },
	{ "getppid@libc*", NULL, NULL, false },
	{ "getppid@*/libc.so.6", NULL, NULL, false },
};

START_TEST(a_function_is_where_it_is_mapped)
{
	const void *addr = functions[_i].addr ? functions[_i].addr : dlsym(RTLD_NEXT, "getppid");
	struct found f = find(functions[_i].probe);
	uint64_t off, page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct probe_arg arg;
	const char *path;
	struct stat st;

	ck_assert_ptr_nonnull(addr);
	off = truth_off(addr, &path);
	ck_assert_msg(!f.rc, "%s: %s", functions[_i].probe, f.e.what);
	ck_assert_uint_eq(f.s.sites.nr, 1);
	ck_assert_uint_eq(f.s.sites.at->off, off);
	ck_assert_uint_gt(off, page / 2);
	ck_assert_str_eq(f.s.sites.at->module, path);
	ck_assert_int_eq(stat(f.s.sites.at->open_path, &st), 0);
	ck_assert_uint_eq(st.st_ino, f.s.sites.at->inode);
	ck_assert_uint_eq(f.s.sites.at->semaphore_off, 0);
	ck_assert(f.s.sites.at->is_return == functions[_i].is_return);
	if (functions[_i].why) {
		ck_assert_int_eq(probe_site_arg(f.s.sites.at, 1, &arg, &f.e), -EINVAL);
		ck_assert_ptr_nonnull(strstr(f.e.what, functions[_i].why));
	} else {
		ck_assert_int_eq(probe_site_arg(f.s.sites.at, 1, &arg, &f.e), 0);
		ck_assert_uint_eq(arg.kind, PROBE_ARG_REG);
		ck_assert_int_eq(probe_site_arg(f.s.sites.at, 7, &arg, &f.e), -EINVAL);
	}
	found_release(&f);
}
END_TEST

static const struct {
	const char *probe;
	const void *addr;
	uint64_t off;			/* of the probe, in the function */
	const char *why;		/* part of the reason why argument 1 cannot be read */
	unsigned char condition;	/* "above", that the jump is not taken */
} entries[] = {
	{ "locate_plain", locate_plain, 0, NULL, 0 },
	{ "locate_checked", locate_checked, 4, NULL, EXIT_CONDITION(7) },
	{ "locate_checked%return", locate_checked, 0, "arguments are gone", 0 },
	{ "locate_clobbered", locate_clobbered, 7, "overwrites arguments", EXIT_CONDITION(7) },
};

START_TEST(an_entry_that_is_come_by_again_is_passed)
{
	struct found f = find(entries[_i].probe);
	struct probe_arg arg;

	ck_assert_msg(!f.rc, "%s: %s", entries[_i].probe, f.e.what);
	locate_entries(&f.l, &f.s);
	ck_assert_uint_eq(f.s.sites.nr, 1);
	ck_assert_uint_eq(f.s.sites.at->off, truth_off(entries[_i].addr, NULL) + entries[_i].off);
	ck_assert_uint_eq(f.s.sites.at->condition, entries[_i].condition);
	ck_assert_int_eq(probe_site_arg(f.s.sites.at, 1, &arg, &f.e), entries[_i].why ? -EINVAL : 0);
	if (entries[_i].why)
		ck_assert_ptr_nonnull(strstr(f.e.what, entries[_i].why));
	found_release(&f);
}
END_TEST

static const struct {
	const char *probe;
	unsigned int n, bytes;
} widths[] = {
	{ "locate_plain", 1, 4 },
	{ "check::Server::handle(char const *)", 1, 8 },
	{ "locate_mixed", 1, 2 },
	{ "locate_mixed", 2, 8 },
	{ "locate_mixed", 3, 1 },
	{ "locate_mixed", 4, 4 },
	{ "locate_mixed", 5, 8 },
	/* Not known: a register is compared as a whole. */
	{ "locate_plain", 2, 8 },
	{ "locate_behind_struct", 1, 1 },
	{ "locate_behind_struct", 2, 8 },
	{ "locate_returns_struct", 1, 8 },
	{ "locate_checked", 1, 8 },
};

START_TEST(an_argument_is_as_wide_as_its_type)
{
	struct found f = find(widths[_i].probe);
	struct probe_arg arg;

	ck_assert_msg(!f.rc, "%s: %s", widths[_i].probe, f.e.what);
	locate_cut_argument(&f.l, &f.s, widths[_i].n);
	ck_assert_int_eq(probe_site_arg(f.s.sites.at, widths[_i].n, &arg, &f.e), 0);
	ck_assert_uint_eq(arg.size, widths[_i].bytes);
	found_release(&f);
}
END_TEST

static const struct {
	const char *probe;
	int code;
	const char *what, *remedy;	/* parts of them */
} misses[] = {
	{ "locate_plian", -ENOENT, "no function 'locate_plian' in the target", "locate_plain" },
	{ "locate_plain@libc.so.6", -ENOENT, "no function 'locate_plain' in libc.so.6", NULL },
	{ "getppid@libd.so.6", -ENOENT, "no module 'libd.so.6'", "libc.so.6" },
	{ "locate_piece", -ENOENT, "'locate_piece'", NULL },
	{ "locate_piece.part.0", -ENOENT, "'locate_piece.part.0' is a piece", "Name the function" },
	{ "check::f(int) [clone .cold]", -ENOENT, "is a piece", "Name the function" },
	{ "getppid@@GLIBC_2.2.5", -ENOENT, "no module 'GLIBC_2.2.5'", "GLIBC_2.2.5 is the version of a symbol, and is left out: getppid." },
	{ "getppid@GLIBC_2.2.5", -ENOENT, "no module 'GLIBC_2.2.5'", "left out: getppid." },
	{ "getppid@plt", -ENOENT, "no module 'plt'", "getppid@plt is the way to a function of another module: name that, getppid." },
	{ "getppid@LIBZ_x", -ENOENT, "no module 'LIBZ_x'", NULL },
	{ "locate_inlined", -ENOENT, "no body of its own", "noinline" },
	{ "check::Server::handle", -ENOTUNIQ, "2 different ones",
	  "'check::Server::handle(" },
	{ "check::Server::handel", -ENOENT, "no function", "check::Server::handle" },
	{ "check::Server::handle(long)", -ENOENT, "no function",
	  "Nearest: check::Server::handle(int), check::Server::handle(char const*)." },
	{ "handle(long)", -ENOENT, "no function", "" },
	{ "memcpy@libc.so.6", -EOPNOTSUPP, "is indirect", "'*memcpy*'" },
	{ "zzqqxx_never", -ENOENT, "no function", "lists what can be named" },
	{ "usdt:check_locate:twise", -ENOENT, "no USDT probe", "check_locate:twice" },
	{ "usdt:check_locale:twice", -ENOENT, "no USDT probe", "check_locate:twice" },
};

START_TEST(a_miss_says_what_is_near)
{
	struct found f = find(misses[_i].probe);

	ck_assert_int_eq(f.rc, misses[_i].code);
	ck_assert_msg(strstr(f.e.what, misses[_i].what) != NULL, "%s", f.e.what);
	if (misses[_i].remedy)
		ck_assert_msg(strstr(f.e.remedy, misses[_i].remedy) != NULL, "%s", f.e.remedy);
	ck_assert_uint_eq(f.s.sites.nr, 0);
	found_release(&f);
}
END_TEST

static const struct {
	const char *path, *module;
	bool is_meant;
} modules[] = {
	{ "/usr/lib/libz.so.1.2.13", NULL, true },
	{ "/usr/lib/libz.so.1.2.13", "libz.so.1.2.13", true },
	{ "/usr/lib/libz.so.1.2.13", "libz.so.1", true },
	{ "/usr/lib/libz.so.1.2.13", "libz.so", true },
	{ "/usr/lib/libz.so.1.2.13", "libz", true },
	{ "/usr/lib/libz.so.1.2.13", "lib[xz].so", true },
	{ "/usr/lib/libz.so.1.2.13", "*z.so*", true },
	{ "/usr/lib/libz.so.1.2.13", "/usr/lib/libz.so.1", true },
	{ "/usr/lib/libz.so.1.2.13", "/usr/*/libz.so.1", true },
	{ "/usr/lib/libz.so.1.2.13", "*lib/libz.so", true },
	{ "/usr/lib/libz.so.1.2.13", "libz.so.2", false },
	{ "/usr/lib/libz.so.1.2.13", "libz.so.1.2.1", false },
	{ "/usr/lib/libz.so.1.2.13", "lib", false },
	{ "/usr/lib/libz.so.1.2.13", "z", false },
	{ "/usr/lib/libz.so.1.2.13", "", false },
	{ "/usr/lib/libz.so.1.2.13", "/opt/libz.so.1", false },
	{ "/usr/lib/libcrypto.so.3", "libc", false },
	{ "/usr/bin/python3.11", "python3", true },
	{ "/usr/sbin/nginx-debug", "nginx", false },
};

START_TEST(a_module_is_named_by_its_front)
{
	ck_assert_int_eq(locate_module_matches(modules[_i].path, modules[_i].module), modules[_i].is_meant);
}
END_TEST

/* As libraries' names are, and with a name that tells nothing of the file's. */
START_TEST(a_link_stands_for_its_file)
{
	char dir[] = "/tmp/wperf-locate.XXXXXX", file[64], link[64];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/libc-2.31.so", dir);
	snprintf(link, sizeof(link), "%s/libc.so.6", dir);
	ck_assert_int_eq(symlink(file, link), 0);
	ck_assert(!locate_module_matches(file, link));
	close(open(file, O_CREAT | O_WRONLY, 0600));
	ck_assert(locate_module_matches(file, link));
	ck_assert(!locate_module_matches("/other/libc-2.31.so", link));
	unlink(link);
	unlink(file);
	rmdir(dir);
}
END_TEST

START_TEST(a_usdt_probe_has_all_its_sites)
{
	struct found f = find("usdt:check_locate:twice");
	struct probe_arg arg;

	ck_assert_int_eq(locate_static(3), locate_static(3));
	ck_assert_msg(!f.rc, "%s", f.e.what);
	ck_assert_uint_eq(f.s.sites.nr, 2);
	ck_assert_uint_lt(f.s.sites.at[0].off, f.s.sites.at[1].off);
	vec_each(&f.s.sites, site) {
		ck_assert_uint_eq(site->semaphore_off,
				  truth_off(&check_locate_twice_semaphore, NULL));
		ck_assert_str_eq(site->name, "check_locate:twice");
		ck_assert_uint_gt(site->off, truth_off(locate_static, NULL));
		ck_assert_uint_eq(site->args.nr, 1);
		ck_assert_int_eq(probe_site_arg(site, 1, &arg, &f.e), 0);
		ck_assert_uint_eq(arg.size, 4);
		ck_assert_uint_eq(arg.is_signed, 1);
		ck_assert_int_eq(probe_site_arg(site, 2, &arg, &f.e), -EINVAL);
		ck_assert_ptr_nonnull(strstr(f.e.what, "no argument 2, it has 1"));
	}
	found_release(&f);
}
END_TEST

START_TEST(two_searches_add_up)
{
	struct found f = find("locate_plain");

	find_in(&f, "getppid");
	find_in(&f, "nothing_of_that_name");
	ck_assert_uint_eq(f.s.sites.nr, 2);
	found_release(&f);
}
END_TEST

static const struct {
	const char *a, *b;
	bool do_share;
} shared[] = {
	{ "locate_plain", "locate_plain", true },
	{ "locate_plain", "locate_alias", true },
	{ "locate_plain", "locate_plain%return", false },
	{ "locate_plain%return", "locate_alias%return", true },
	{ "locate_plain", "locate_static", false },
	{ "getppid", "getppid@libc.so.6", true },
	{ "getppid", "locate_plain", false },
	{ "usdt:check_locate:twice", "usdt:check_locate:twice", true },
	{ "usdt:check_locate:twice", "locate_plain", false },
};

/* Another look at the files may reach them another way. */
START_TEST(places_are_the_same_by_any_name)
{
	struct found a = find(shared[_i].a), b = find(shared[_i].b);

	ck_assert_msg(!a.rc && !b.rc, "%s%s", a.e.what, b.e.what);
	ck_assert(probe_sites_share(&a.s, &b.s) == shared[_i].do_share);
	ck_assert(probe_sites_share(&b.s, &a.s) == shared[_i].do_share);
	found_release(&a);
	found_release(&b);
}
END_TEST

START_TEST(a_process_twice_is_once)
{
	struct locate l = { 0 };
	struct err e = { 0 };
	size_t nr;

	ck_assert_int_eq(locate_process(&l, getpid(), &e), 0);
	nr = l.files.nr;
	ck_assert_int_eq(locate_process(&l, getpid(), &e), 0);
	ck_assert_uint_eq(l.files.nr, nr);
	locate_release(&l);
}
END_TEST

START_TEST(processes_that_have_nothing)
{
	struct locate l = { 0 };
	struct err e = { 0 };
	siginfo_t info;
	pid_t child;

	ck_assert_int_eq(locate_process(&l, INT32_MAX, &e), -ESRCH);
	child = fork();
	if (!child)
		_exit(0);
	ck_assert_int_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_lt(locate_process(&l, child, &e), 0);
	waitpid(child, NULL, 0);
	locate_release(&l);
}
END_TEST

START_TEST(a_program_that_does_not_run_yet)
{
	struct found f = { 0 };

	ck_assert_int_eq(locate_program(&f.l, "/nothing/here", &f.e), -ENOENT);
	ck_assert_int_eq(locate_program(&f.l, "/proc/self/maps", &f.e), -ENOEXEC);
	ck_assert_uint_eq(f.l.files.nr, 0);
	ck_assert_int_eq(locate_program(&f.l, "/proc/self/exe", &f.e), 0);
	find_in(&f, "locate_plain");
	ck_assert_int_eq(f.rc, 0);
	ck_assert_uint_eq(f.s.sites.at->off, truth_off(locate_plain, NULL));
	ck_assert_ptr_null(strstr(f.s.sites.at->open_path, "/proc/"));
	found_release(&f);
}
END_TEST

/* Each is what is started, and what that becomes: a script of env's has both in one. */
START_TEST(a_command_that_becomes_another)
{
	char script[] = "/tmp/check_locate.XXXXXX", *self = realpath("/proc/self/exe", NULL);
	char *const commands[][4] = { { (char *)"/usr/bin/env", (char *)"A=1", self, NULL },
				      { (char *)"/usr/bin/env", (char *)"/nothing/here", self, NULL },
				      { script, NULL } };
	int fd = mkstemp(script);
	size_t i;

	ck_assert_int_gt(dprintf(fd, "#!/usr/bin/env %s\n", self), 0);
	ck_assert_int_eq(fchmod(fd, 0700), 0);
	close(fd);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct found f = { 0 };

		ck_assert_int_eq(locate_command(&f.l, commands[i][0], commands[i] + 1, &f.e), 0);
		ck_assert(f.l.files.at[0].is_main && f.l.files.at[1].is_main && !f.l.files.at[2].is_main);
		find_in(&f, "locate_plain");
		ck_assert_msg(!f.rc, "%s", f.e.what);
		found_release(&f);
	}
	unlink(script);
	free(self);
}
END_TEST

static bool run(const char *fmt, const char *a, const char *b)
{
	char *command = xasprintf(fmt, a, b);
	int status = system(command);

	free(command);
	return !status;
}

static void copy_own(const char *path)
{
	char *exe = realpath("/proc/self/exe", NULL);

	ck_assert(run("cp '%s' %s", exe, path));
	free(exe);
}

/* objcopy and strip as distributions use them: symbols in a file beside the program. */
START_TEST(a_linked_debug_file_names_static_functions)
{
	char dir[] = "/tmp/check_locate.XXXXXX", *program, *debug;
	struct found f = { 0 };

	if (!run("objcopy --version >/dev/null 2>&1%s%s", "", "")) {
		printf("locate: objcopy is not here, no debug file made\n");
		return;
	}
	ck_assert_ptr_nonnull(mkdtemp(dir));
	program = xasprintf("%s/program", dir);
	debug = xasprintf("%s/program.debug", dir);
	copy_own(program);
	ck_assert(run("objcopy --only-keep-debug %s %s", program, debug));
	ck_assert(run("objcopy --strip-all --add-gnu-debuglink=%s %s", debug, program));

	ck_assert_int_eq(locate_program(&f.l, program, &f.e), 0);
	find_in(&f, "locate_static");
	ck_assert_msg(!f.rc, "%s", f.e.what);
	ck_assert_uint_eq(f.s.sites.at->off, truth_off(locate_static, NULL));
	found_release(&f);

	/* A debug file of another build must not be believed. */
	f = (struct found){ 0 };
	ck_assert(run("printf x >>%s%s", debug, ""));
	ck_assert_int_eq(locate_program(&f.l, program, &f.e), 0);
	find_in(&f, "locate_static");
	ck_assert_int_eq(f.rc, -ENOENT);
	ck_assert_msg(strstr(f.e.remedy, "is stripped") != NULL, "%s", f.e.remedy);
	found_release(&f);

	/* Nor one that libdwfl would unpack, however much that makes. */
	f = (struct found){ 0 };
	copy_own(program);
	ck_assert(run("objcopy --only-keep-debug %s %s", program, debug));
	ck_assert(run("gzip -1 -c <%s >%s.gz", debug, debug));
	ck_assert(run("mv %s.gz %s", debug, debug));
	ck_assert(run("objcopy --strip-all --add-gnu-debuglink=%s %s", debug, program));
	ck_assert_int_eq(locate_program(&f.l, program, &f.e), 0);
	find_in(&f, "locate_static");
	ck_assert_int_eq(f.rc, -ENOENT);
	found_release(&f);
	ck_assert(run("rm -r %s%s", dir, ""));
	free(program);
	free(debug);
}
END_TEST

static long uprobe(const struct probe_site *s)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%u", &attr.type), 1);
	fclose(f);
	attr.uprobe_path = (uintptr_t)s->open_path;
	attr.probe_offset = s->off;
	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* The kernel puts a uprobe where it was told, and it is hit as often as the function is called. */
START_TEST(the_kernel_takes_a_site)
{
	struct found f = find("locate_plain");
	uint64_t count = 0;
	long fd = uprobe(f.s.sites.at);
	int i;

	ck_assert_int_ge(fd, 0);
	for (i = 0; i < 7; i++)
		locate_plain(i);
	ck_assert_int_eq(read((int)fd, &count, sizeof(count)), sizeof(count));
	ck_assert_uint_eq(count, 7);
	close((int)fd);
	found_release(&f);
}
END_TEST

/* A program that was replaced on disk while it runs, as every upgrade does. */
START_TEST(a_deleted_file_is_reached)
{
	char dir[] = "/tmp/check_locate.XXXXXX", *path;
	struct found f = { 0 };
	uint64_t off = truth_off(locate_plain, NULL), page = (uint64_t)sysconf(_SC_PAGESIZE);
	int (*copy)(int x);
	uint64_t count = 0;
	char *bytes;
	long event;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = xasprintf("%s/copy", dir);
	copy_own(path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bytes = mmap(NULL, page * 2, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd,
		     (off_t)(off / page * page));
	ck_assert(bytes != MAP_FAILED);
	close(fd);
	unlink(path);
	copy = (int (*)(int))(bytes + off % page);

	ck_assert_int_eq(locate_process(&f.l, getpid(), &f.e), 0);
	find_in(&f, "locate_plain@copy");
	ck_assert_msg(!f.rc, "%s", f.e.what);
	ck_assert_uint_eq(f.s.sites.nr, 1);
	ck_assert_str_eq(f.s.sites.at->module, path);
	ck_assert_ptr_nonnull(strstr(f.s.sites.at->open_path, "/map_files/"));
	event = uprobe(f.s.sites.at);
	ck_assert_int_ge(event, 0);
	ck_assert_int_eq(copy(5), 5);
	ck_assert_int_eq(read((int)event, &count, sizeof(count)), sizeof(count));
	ck_assert_uint_eq(count, 1);
	close((int)event);
	munmap(bytes, page * 2);
	found_release(&f);
	rmdir(dir);
	free(path);
}
END_TEST

static const struct probe_listing *listing(const struct probe_listings *s, const char *name)
{
	const struct probe_listing *found = NULL;

	vec_each(&s->at, p)
		if (!strcmp(p->name, name)) {
			ck_assert_ptr_null(found);
			found = p;
		}
	return found;
}

START_TEST(everything_is_listed_once_and_in_order)
{
	struct probe_listings s = { 0 };
	struct locate l = { 0 };
	struct err e = { 0 };
	size_t i;

	ck_assert_int_eq(locate_process(&l, getpid(), &e), 0);
	locate_list(&l, false, &s);
	ck_assert_ptr_nonnull(listing(&s, "locate_plain"));
	ck_assert_ptr_nonnull(listing(&s, "locate_alias"));
	ck_assert_ptr_nonnull(listing(&s, "locate_static"));
	ck_assert_ptr_nonnull(listing(&s, "locate_changed"));
	ck_assert_ptr_nonnull(listing(&s, "check::Server::handle(int)"));
	ck_assert_ptr_null(listing(&s, "locate_inlined"));
	ck_assert_ptr_null(listing(&s, "getppid"));
	ck_assert_uint_eq(listing(&s, "check_locate:twice")->nr_sites, 2);
	ck_assert_uint_eq(listing(&s, "check_locate:twice")->nr_args, 1);
	for (i = 1; i < s.at.nr; i++) {
		const struct probe_listing *a = &s.at.at[i - 1], *b = &s.at.at[i];

		ck_assert(a->is_usdt > b->is_usdt ||
			  (a->is_usdt == b->is_usdt && (strcmp(a->name, b->name) < 0 ||
							(!strcmp(a->name, b->name) &&
							 strcmp(a->module, b->module) < 0))));
	}
	probe_listings_release(&s);
	locate_list(&l, true, &s);
	ck_assert_ptr_nonnull(listing(&s, "getppid"));
	probe_listings_release(&s);
	locate_release(&l);
}
END_TEST

Suite *check_locate_suite(void)
{
	Suite *s = suite_create("locate");
	TCase *tc = tcase_create("locate");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_function_is_where_it_is_mapped, 0, ARRAY_LEN(functions));
	tcase_add_loop_test(tc, an_entry_that_is_come_by_again_is_passed, 0, ARRAY_LEN(entries));
	tcase_add_loop_test(tc, an_argument_is_as_wide_as_its_type, 0, ARRAY_LEN(widths));
	tcase_add_loop_test(tc, a_miss_says_what_is_near, 0, ARRAY_LEN(misses));
	tcase_add_loop_test(tc, a_module_is_named_by_its_front, 0, ARRAY_LEN(modules));
	tcase_add_test(tc, a_link_stands_for_its_file);
	tcase_add_test(tc, a_usdt_probe_has_all_its_sites);
	tcase_add_test(tc, two_searches_add_up);
	tcase_add_loop_test(tc, places_are_the_same_by_any_name, 0, ARRAY_LEN(shared));
	tcase_add_test(tc, a_process_twice_is_once);
	tcase_add_test(tc, processes_that_have_nothing);
	tcase_add_test(tc, a_program_that_does_not_run_yet);
	tcase_add_test(tc, a_command_that_becomes_another);
	tcase_add_test(tc, a_linked_debug_file_names_static_functions);
	tcase_add_test(tc, everything_is_listed_once_and_in_order);
	if (!geteuid()) {
		tcase_add_test(tc, the_kernel_takes_a_site);
		tcase_add_test(tc, a_deleted_file_is_reached);
	} else {
		printf("locate: not root, 2 tests omitted\n");
	}
	suite_add_tcase(s, tc);
	return s;
}
