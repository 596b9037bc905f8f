/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/vec.h"

enum { OTHER_UID = 65534 };

static struct {
	char *root; /* of all tests' directories */
	char *dir;  /* of the test that runs in process `pid` */
	pid_t pid;
	char *start_dir; /* where the tests were started */
	char *wperf;
	VEC(char *) lent; /* paths that were given out */
	VEC(char *) omissions;
} harness;

static const char *lend(char *s)
{
	vec_push(&harness.lent, s);
	return s;
}

/* ---- directories and files ---- */

void harness_init(void)
{
	const char *tmp = getenv("TMPDIR"), *wperf = getenv("WPERF");

	harness.start_dir = getcwd(NULL, 0);
	harness.root = xasprintf("%s/wperf-check.XXXXXX", tmp ? tmp : "/tmp");
	/* Other users' programs are run in there too. */
	if (!harness.start_dir || !mkdtemp(harness.root) || chmod(harness.root, 0755)) {
		perror(harness.root);
		exit(1);
	}
	wperf = wperf ? wperf : "./wperf";
	harness.wperf =
		wperf[0] == '/' ? xstrdup(wperf) : xasprintf("%s/%s", harness.start_dir, wperf);
	setenv("WPERF", harness.wperf, 1);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void harness_release(void)
{
	nftw(harness.root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	vec_each(&harness.lent, s)
		free(*s);
	vec_each(&harness.omissions, s)
		free(*s);
	vec_release(&harness.lent);
	vec_release(&harness.omissions);
	free(harness.dir);
	free(harness.start_dir);
	free(harness.wperf);
	free(harness.root);
}

const char *harness_path(const char *name)
{
	if (harness.pid != getpid()) {
		harness.pid = getpid();
		free(harness.dir);
		harness.dir = xasprintf("%s/%d", harness.root, (int)harness.pid);
		/* A pid may come again; its files do not. */
		if (mkdir(harness.dir, 0755) && errno == EEXIST) {
			nftw(harness.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
			mkdir(harness.dir, 0755);
		}
	}
	return lend(*name ? xasprintf("%s/%s", harness.dir, name) : xstrdup(harness.dir));
}

const char *harness_file(const char *name, const void *bytes, size_t len)
{
	const char *path = harness_path(name);
	FILE *f = fopen(path, "we");

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	return path;
}

/* False where the file cannot be read. */
static bool read_whole(const char *path, struct str *ret)
{
	FILE *f = fopen(path, "re");
	char piece[4096];
	size_t len;

	str_clear(ret);
	if (!f)
		return false;
	while ((len = fread(piece, 1, sizeof(piece), f)))
		str_add_bytes(ret, piece, len);
	fclose(f);
	return true;
}

void harness_read(const char *path, struct str *ret)
{
	ck_assert_msg(read_whole(path, ret), "%s: %s", path, strerror(errno));
}

const char *harness_wperf(void)
{
	return harness.wperf;
}

const char *harness_open_wperf(void)
{
	const char *path = harness_path("wperf");
	struct run r = { 0 };

	run_program(&r, "install", "-m", "755", harness_wperf(), path);
	run_release(&r);
	return path;
}

const char *harness_built(const char *file)
{
	const char *build = BUILD_DIR;

	return lend(build[0] == '/' ? xasprintf("%s/%s", build, file)
				    : xasprintf("%s/%s/%s", harness.start_dir, build, file));
}

void harness_golden(const char *path, const void *bytes, size_t len)
{
	struct str want = { 0 };
	size_t i;

	if (getenv("WPERF_GOLDEN")) {
		FILE *f = fopen(path, "we");

		ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
		ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
		ck_assert_int_eq(fclose(f), 0);
		return;
	}
	harness_read(path, &want);
	for (i = 0; i < len && i < want.len && want.s[i] == ((const char *)bytes)[i]; i++)
		;
	ck_assert_msg(i == len && i == want.len, "%s differs from byte %zu on; now it is:\n%.*s",
		      path, i, (int)len, (const char *)bytes);
	str_release(&want);
}

/* ---- programs ---- */

static void become(const char *const argv[], const char *in, const char *out, const char *err,
		   const char *dir)
{
	int fd = open(in ? in : "/dev/null", O_RDONLY);

	if (fd < 0 || dup2(fd, 0) < 0)
		_exit(126);
	fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0 || dup2(fd, 1) < 0)
		_exit(126);
	fd = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0 || dup2(fd, 2) < 0 || (dir && chdir(dir)))
		_exit(126);
	closefrom(3);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

int harness_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int harness_stop(pid_t pid, int signal)
{
	kill(pid, signal);
	return harness_wait(pid);
}

/* Who closes a socket with something unread in it resets the connection. */
int harness_reset_socket(const void *bytes, size_t len)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(write(ends[0], "", 1), 1);
	ck_assert_int_eq(write(ends[1], bytes, len), (ssize_t)len);
	close(ends[1]);
	return ends[0];
}

pid_t harness_start(const char *name, const char *const argv[])
{
	char *file = xasprintf("%s.out", name);
	const char *out = harness_path(file), *err;
	pid_t pid;

	free(file);
	file = xasprintf("%s.err", name);
	err = harness_path(file);
	free(file);
	fflush(NULL);
	pid = fork();
	if (!pid)
		become(argv, NULL, out, err, NULL);
	return pid;
}

void run_argv(struct run *r, const char *const argv[])
{
	const char *out = harness_path("run.out"), *err = harness_path("run.err");
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		become(argv, r->in, out, err, r->dir);
	r->status = pid < 0 ? -1 : harness_wait(pid);
	read_whole(out, &r->out);
	read_whole(err, &r->err);
}

void run_shell(struct run *r, const char *fmt, ...)
{
	va_list ap;
	char *line;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		abort();
	va_end(ap);
	run_program(r, "sh", "-c", line);
	free(line);
}

void run_release(struct run *r)
{
	str_release(&r->out);
	str_release(&r->err);
}

bool harness_wait_until(bool (*holds)(void *ctx), void *ctx)
{
	const struct timespec nap = { .tv_nsec = 20 * 1000 * 1000 };
	int i;

	for (i = 0; i < 500; i++) {
		if (holds(ctx))
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

/* ---- what the host can do ---- */

static bool is_root(void)
{
	return geteuid() == 0;
}

static bool works(const char *line)
{
	struct run r = { 0 };

	run_shell(&r, "%s", line);
	run_release(&r);
	return r.status == 0;
}

/*
 * Without privileges wperf samples too, and says so: a talk of its own, which is looked for here.
 */
static bool can_sample_all(void)
{
	return is_root() &&
	       works("\"$WPERF\" record -o /dev/null -- true 2>&1 | (! grep -q 'without "
		     "privileges')") &&
	       works("\"$WPERF\" record -o /dev/null -- true");
}

/* Nothing less than a marker tells: root may sample all and still have none (pid namespaces). */
static bool can_bpf(void)
{
	return can_sample_all() && works("\"$WPERF\" record -o /dev/null --marker func:main -- "
					 "\"$WPERF\" --version");
}

static bool can_sample(void)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
		.disabled = 1,
		.exclude_kernel = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Some kernels (Debian's, by default) let nobody but root sample. */
static bool can_others_sample(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(setresuid(OTHER_UID, OTHER_UID, OTHER_UID) || !can_sample());
	return harness_wait(pid) == 0;
}

/*
 * By way of a shell: setpriv itself still has root's capabilities, and enters every directory.
 */
static bool can_drop_uid(void)
{
	struct run r = { 0 };

	if (!is_root() || !can_others_sample())
		return false;
	run_shell(&r,
		  "setpriv --reuid=%d --clear-groups --inh-caps=-all sh -c '\"$0\" --version' '%s'",
		  OTHER_UID, harness_open_wperf());
	run_release(&r);
	return r.status == 0;
}

static bool can_unshare(void)
{
	return is_root() && works("unshare -m true");
}

static bool can_perf(void)
{
	return works("perf --version");
}

static bool can_compile(void)
{
	return works("gcc --version");
}

static const struct {
	const char *lack;
	bool (*ask)(void);
} abilities[NR_ABILITIES] = {
	[CAN_ROOT] = { "not root", is_root },
	[CAN_BPF] = { "no markers: not root, in a pid namespace of its own, or a kernel without "
		      "BPF and uprobes",
		      can_bpf },
	[CAN_SAMPLE_ALL] = { "not root, or no more than own processes can be sampled",
			     can_sample_all },
	[CAN_SAMPLE] = { "perf_event_open(2) of an own process is not allowed", can_sample },
	[CAN_DROP_UID] = { "not root, no setpriv(1), or other users cannot reach the temporary "
			   "directory or sample (kernel.perf_event_paranoid)",
			   can_drop_uid },
	[CAN_UNSHARE] = { "unshare(1) makes no mount namespace: not root, or in a plain chroot",
			  can_unshare },
	[CAN_PERF] = { "perf(1) is not installed, or does not run", can_perf },
	[CAN_COMPILE] = { "gcc is not installed", can_compile },
};

bool harness_can(enum ability ability)
{
	static struct {
		bool is_asked, can;
	} known[NR_ABILITIES];

	if (!known[ability].is_asked) {
		known[ability].can = abilities[ability].ask();
		known[ability].is_asked = true;
	}
	return known[ability].can;
}

START_TEST(omissions_are_forbidden)
{
	ck_abort_msg("left out although WPERF_FORBID_OMISSIONS is set: %s",
		     harness.omissions.at[_i]);
}
END_TEST

void harness_omit(Suite *s, const char *tcase, const char *why)
{
	const char *forbid = getenv("WPERF_FORBID_OMISSIONS");
	int i = (int)harness.omissions.nr;
	TCase *tc;

	vec_push(&harness.omissions, xasprintf("%s: %s", tcase, why));
	if (!forbid || !strcmp(forbid, "0"))
		return;
	tc = tcase_create(tcase);
	tcase_add_loop_test(tc, omissions_are_forbidden, i, i + 1);
	suite_add_tcase(s, tc);
}

bool harness_can_or_omit(Suite *s, const char *tcase, enum ability ability)
{
	if (harness_can(ability))
		return true;
	harness_omit(s, tcase, abilities[ability].lack);
	return false;
}

void harness_print_omissions(void)
{
	if (!harness.omissions.nr)
		return;
	printf("Left out: %zu test cases that cannot run here\n", harness.omissions.nr);
	vec_each(&harness.omissions, s)
		printf("  %s\n", *s);
}
