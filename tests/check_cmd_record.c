/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "recording/note.h"
#include "recording/reader.h"
#include "tests/harness.h"

Suite *check_cmd_record_suite(void);

/* Long enough for many samples on any machine. */
#define BUSY	     "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
#define UNPRIVILEGED "setpriv --reuid=65534 --clear-groups --inh-caps=-all "

/* ---- what is wrong with the command line ---- */

static const struct {
	const char *args;
	int status;
	const char *says[2];
} wrong[] = {
	{ "", 2, { "nothing to record", "-p PID" } },
	{ "-p", 2, { "record: option -p needs an argument\n" } },
	{ "--frobnicate", 2, { "unknown option --frobnicate\n", "wperf record --help lists" } },
	{ "--durration=3 -- true", 2, { "unknown option --durration\n", "like it: duration" } },
	{ "-Z", 2, { "unknown option -Z\n" } },
	{ "--quiet -Zx", 2, { "record: unknown option -Z\n" } },
	{ "-v=3 -- true", 2, { "record: option -v takes no value\n", "Leave out =3." } },
	{ "--verbose=3 -- true", 2, { "option --verbose takes no value\n", "Leave out =3." } },
	{ "--help=3", 2, { "record: option --help takes no value\n" } },
	{ "--ma=3 -- true", 2, { "option --ma is ambiguous\n", "be: --marker, --max-overhead, --max-size." } },
	{ "--duration", 2, { "option --duration needs an argument\n" } },
	{ "-o -- true", 2, { "option -o needs an argument, and -- is none\n" } },
	{ "--marker -- true", 2, { "option --marker needs an argument, and -- is none\n" } },
	{ "--duration abc -- true", 2, { "--duration abc" } },
	{ "--duration 0 -- true", 2, { "--duration 0" } },
	{ "--duration -1 -- true", 2, { "--duration -1" } },
	{ "-F 0 -- true", 2, { "-F 0" } },
	{ "-F fast -- true", 2, { "-F fast" } },
	{ "-F 99 -c 1000 -- true", 2, { "-F and -c exclude each other" } },
	{ "-c 0 -- true", 2, { "-c 0" } },
	{ "-e cpu-clock -c 9999 -- true", 2, { "-c 9999: a clock", "-c 10000" } },
	{ "-m 0 -- true", 2, { "-m 0" } },
	{ "-m lots -- true", 2, { "-m lots" } },
	{ "--max-size 0 -- true", 2, { "--max-size 0" } },
	{ "--max-size big -- true", 2, { "--max-size big" } },
	{ "--call-graph lbr -- true", 2, { "--call-graph lbr", "auto, fp" } },
	{ "--call-graph dwarf, -- true", 2, { "--call-graph dwarf,", "bytes of the stack" } },
	{ "--call-graph dwarf,x -- true", 2, { "dwarf,x", "bytes of the stack" } },
	{ "--call-graph dwarf,0 -- true", 2, { "dwarf,0", "bytes of the stack" } },
	{ "--call-graph dwarf,65536 -- true", 2, { "dwarf,65536", "64512" } },
	{ "--calls @libc.so.6 -- true", 2, { "--calls @libc.so.6: not a function", "PATTERN[@MODULE]" } },
	{ "--calls 'f@' -- true", 2, { "--calls f@: not a function" } },
	{ "-p seventeen", 2, { "-p seventeen: not a list of process ids" } },
	{ "-p 1,,2", 2, { "-p 1,,2" } },
	{ "-p 1073741824", 2, { "pid 1073741824: No such process" } },
	{ "sleep 1", 2, { "sleep: a command stands behind --" } },
	{ "-e cpuclock -- true", 2, { "no event 'cpuclock'", "nearest: cpu-clock" } },
	{ "-e cylces -- true", 2, { "no event 'cylces'", "nearest: cycles" } },
	{ "-- no-such-program-at-all", 2, { "cannot start no-such-program-at-all: No such file" } },
	{ "-- /etc/passwd", 2, { "cannot start /etc/passwd: Permission denied" } },
	{ "-o none/out.data -- true", 2, { "none/out.data: No such file" } },
	{ "-o /dev/full -- true", 2, { "/dev/full: No space left" } },
	{ "--marker nonsense -- true", 2, { "wperf: marker 'nonsense': unknown kind" } },
	{ "--marker func:f --marker func:f -- true",
	  2,
	  { "--marker func:f: these probes are a marker already\n", "counted twice" } },
	{ "--marker begin=f,end=g --marker end=g,begin=f,label=arg1:str -- true",
	  2,
	  { "these probes are a marker already\n", "leave out this one or --marker begin=f,end=g.\n" } },
	{ "--marker func:f --marker end=f%return,begin=f -- true",
	  2,
	  { "--marker end=f%return,begin=f: these probes are a marker already\n", "counted twice" } },
	{ "--marker func:main --marker 'func:main@*' -- \"$WPERF\" --version",
	  2,
	  { "--marker func:main@*: these probes are a marker already\n", "leave out this one or --marker func:main.\n" } },
	{ "--marker begin=main,end=main@*%return --marker 'func:main@*' -- \"$WPERF\" --version",
	  2,
	  { "--marker func:main@*: these probes are a marker already\n", "counted twice" } },
	{ "--marker none --marker auto -- true", 2, { "record: --marker none and --marker auto exclude each other\n" } },
	{ "--marker func:f --marker none -- true", 2, { "record: --marker none and --marker func:f exclude each other\n" } },
	{ "--marker auto --marker auto -- true",
	  2,
	  { "--marker auto: these connections have a marker already\n", "counted twice" } },
	{ "--marker auto --marker http:80 -- true",
	  2,
	  { "--marker http:80: these connections have a marker already\n",
	    "leave out this one or --marker auto, or name two ports.\n" } },
	{ "--marker socket:80 --marker func:f --marker http:80 -- true",
	  2,
	  { "--marker http:80: these connections have a marker already\n", "or --marker socket:80, or" } },
	{ "-F 1000000000 -- true", 2, { "cannot sample at 1000000000 Hz", "Lower -F" } },
	{ "-m 4G -- true", 2, { "cannot map a ring of 1048576 pages", "Lower -m" } },
	{ "--marker func:no_such_function -- true", 2, { "no function 'no_such_function'" } },
	{ "-o - -- true >&-", 2, { "wperf: -o -: stdout is closed\n" } },
	{ "-e \"$(printf 'a\\nb\\033c')\" -- true", 2, { "no event 'a\\nb\\x1bc'" } },
};

/* One line that says what and why, and a remedy in at most one more; nothing on stdout, no file. */
START_TEST(mistakes_are_told_in_one_line)
{
	struct run r = { .dir = harness_path("") };
	const char *p;
	unsigned int nr_lines = 0;

	run_shell(&r, "exec \"$WPERF\" record %s", wrong[_i].args);
	ck_assert_exit(&r, wrong[_i].status);
	ck_assert_str_eq(str_cstr(&r.out), "");
	ck_assert_has(&r.err, "wperf: ");
	ck_assert_has(&r.err, wrong[_i].says[0]);
	if (wrong[_i].says[1])
		ck_assert_has(&r.err, wrong[_i].says[1]);
	for (p = str_cstr(&r.err); *p; p++)
		nr_lines += *p == '\n';
	ck_assert(str_starts(str_cstr(&r.err), "wperf: "));
	ck_assert_uint_ge(nr_lines, 1);
	ck_assert_uint_le(nr_lines, 2);
	ck_assert_int_ne(access(harness_path("wperf.data"), F_OK), 0);
	run_release(&r);
}
END_TEST

/* A library of that name in which nothing is: as where there is none. Names of perf's do not need it. */
START_TEST(libpfm4_is_needed_for_its_names_only)
{
	struct run r = { 0 };

	run_shell(&r, "cd '%s' && echo 'int nothing;' >none.c && gcc -shared -fPIC -o libpfm.so.4 none.c && "
		      "LD_LIBRARY_PATH=. \"$WPERF\" record -e perf::PERF_COUNT_SW_CPU_CLOCK -o 1 -- true",
		  harness_path(""));
	ck_assert_exit(&r, 2);
	ck_assert_has(&r.err, "./libpfm.so.4: undefined symbol: pfm_");
	ck_assert_has(&r.err, "apt-get install libpfm4");
	run_release(&r);
	run_shell(&r, "cd '%s' && LD_LIBRARY_PATH=. \"$WPERF\" record -e cpu-clock -c 9999 -o 1 -- true",
		  harness_path(""));
	ck_assert_has(&r.err, "-c 9999: a clock");
	run_release(&r);
}
END_TEST

START_TEST(help_is_data)
{
	struct run r = { 0 };

	run_program(&r, harness_wperf(), "record", _i ? "-h" : "--help");
	ck_assert_exit(&r, 0);
	ck_assert_has(&r.out, "Usage: wperf record");
	ck_assert_has(&r.out, "--duration");
	ck_assert_str_eq(str_cstr(&r.err), "");
	run_release(&r);
}
END_TEST

/* ---- recordings ---- */

struct contents {
	unsigned int nr_samples, nr_kernel, nr_pids;
	uint32_t pids[16];
	bool is_truncated, has_tally;
};

static void count_pid(struct contents *c, uint32_t pid)
{
	unsigned int i;

	for (i = 0; i < c->nr_pids; i++)
		if (c->pids[i] == pid)
			return;
	if (c->nr_pids < ARRAY_LEN(c->pids))
		c->pids[c->nr_pids++] = pid;
}

static struct contents read_recording(const char *path)
{
	struct contents c = { 0 };
	struct reader *reader;
	struct err e = { 0 };
	struct record r;
	int more;

	ck_assert_msg(!reader_open(path, &reader, &e), "%s", e.what);
	while ((more = reader_next(reader, &r, &e)) > 0) {
		if (r.type == PERF_RECORD_SAMPLE) {
			c.nr_samples++;
			c.nr_kernel +=
				(r.misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
			count_pid(&c, r.pid);
		}
		c.has_tally |= r.type == PERF_RECORD_EVENT_UPDATE && r.note.kind == NOTE_TALLY;
	}
	ck_assert_msg(more == 0, "%s", e.what);
	c.is_truncated = reader_is_truncated(reader);
	reader_free(reader);
	return c;
}

/* Every recording, however it ended, is a whole one. */
static struct contents expect_whole(const char *path)
{
	struct contents c = read_recording(path);

	ck_assert(!c.is_truncated);
	ck_assert(c.has_tally);
	return c;
}

static pthread_barrier_t barrier;
static int second_tid;

static void *second_thread(void *unused)
{
	(void)unused;
	second_tid = (int)syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	pause();
	return NULL;
}

/* How often the recording begins with the process: once, or its time counts twice. */
static unsigned int nr_snapshots_of(const char *path, uint32_t pid)
{
	struct reader *reader;
	unsigned int nr = 0;
	struct err e = { 0 };
	struct record r;

	ck_assert_msg(!reader_open(path, &reader, &e), "%s", e.what);
	while (reader_next(reader, &r, &e) > 0)
		nr += r.type == PERF_RECORD_COMM && r.pid == pid && r.tid == pid;
	reader_free(reader);
	return nr;
}

START_TEST(process_named_by_its_threads_is_recorded_once)
{
	struct run r = { .dir = harness_path("") };
	pthread_t t;

	pthread_barrier_init(&barrier, NULL, 2);
	ck_assert_int_eq(pthread_create(&t, NULL, second_thread, NULL), 0);
	pthread_barrier_wait(&barrier);
	run_shell(&r, "exec \"$WPERF\" record --duration 0.05 -p %d,%d,%d", getpid(), second_tid,
		  getpid());
	ck_assert_exit(&r, 0);
	ck_assert_uint_eq(nr_snapshots_of(harness_path("wperf.data"), (uint32_t)getpid()), 1);
	run_release(&r);
}
END_TEST

static const char *const argument_sets[] = {
	"",
	"-F 200",
	"-c 1000000",
	"-e cpu-clock",
	"-e task-clock",
	"--call-graph none",
	"--call-graph fp",
	"--call-graph auto",
	"--call-graph dwarf",
	"--call-graph dwarf,4096",
	"--call-graph dwarf,63K",
	"-m 8",
	"-m 64K",
	"--marker none",
	"--marker auto",
	"-v",
	"-vv",
};

START_TEST(command_is_recorded)
{
	struct run r = { .dir = harness_path("") };
	struct contents c;

	run_shell(&r, "exec \"$WPERF\" record %s -- sh -c '" BUSY "'", argument_sets[_i]);
	ck_assert_exit(&r, 0);
	ck_assert_str_eq(str_cstr(&r.out), "");
	ck_assert_has(&r.err, " samples, ");
	ck_assert_has(&r.err, "wperf.data");
	c = expect_whole(harness_path("wperf.data"));
	ck_assert_uint_gt(c.nr_samples, 10);
	ck_assert_uint_eq(c.nr_pids, 1);
	run_release(&r);
}
END_TEST

START_TEST(quiet_is_quiet)
{
	struct run r = { .dir = harness_path("") };

	run_shell(&r, "exec \"$WPERF\" record -q -- true");
	ck_assert_exit(&r, 0);
	ck_assert_str_eq(str_cstr(&r.out), "");
	ck_assert_str_eq(str_cstr(&r.err), "");
	run_release(&r);
}
END_TEST

static const struct {
	const char *command;
	int status;
} statuses[] = {
	{ "exit 0", 0 },
	{ "exit 7", 7 },
	{ "exit 255", 255 },
	{ "kill -TERM $$", 128 + SIGTERM },
	{ "kill -KILL $$", 128 + SIGKILL },
};

START_TEST(status_of_the_command_is_passed_on)
{
	struct run r = { .dir = harness_path("") };

	run_shell(&r, "exec \"$WPERF\" record -- sh -c '%s'", statuses[_i].command);
	ck_assert_exit(&r, statuses[_i].status);
	expect_whole(harness_path("wperf.data"));
	run_release(&r);
}
END_TEST

START_TEST(command_has_our_stdin_and_stdout)
{
	struct run r = { .dir = harness_path(""), .in = harness_file("in", "some input", 10) };

	run_shell(&r, "exec \"$WPERF\" record -- cat");
	ck_assert_exit(&r, 0);
	ck_assert_str_eq(str_cstr(&r.out), "some input");
	run_release(&r);
}
END_TEST

START_TEST(old_recording_is_kept)
{
	struct run r = { .dir = harness_path("") };
	struct str old = { 0 };

	harness_file("wperf.data", "before", 6);
	run_shell(&r, "\"$WPERF\" record -- no-such-program-at-all");
	ck_assert_exit(&r, 2);
	harness_read(harness_path("wperf.data"), &old);
	ck_assert_str_eq(str_cstr(&old), "before");
	run_shell(&r, "\"$WPERF\" record -- true");
	ck_assert_exit(&r, 0);
	harness_read(harness_path("wperf.data.old"), &old);
	ck_assert_str_eq(str_cstr(&old), "before");
	expect_whole(harness_path("wperf.data"));
	str_release(&old);
	run_release(&r);
}
END_TEST

START_TEST(pipe_form_goes_to_stdout)
{
	struct run r = { .dir = harness_path("") };

	run_shell(&r, "\"$WPERF\" record -o - -- sh -c '" BUSY "' > piped");
	ck_assert_exit(&r, 0);
	ck_assert_has(&r.err, ": a stream (");
	ck_assert_uint_gt(expect_whole(harness_path("piped")).nr_samples, 10);
	ck_assert_int_ne(access(harness_path("-"), F_OK), 0);
	run_release(&r);
}
END_TEST

/* What the command says would be damage in the stream; its stdin is ours all the same. */
START_TEST(command_does_not_write_into_the_stream)
{
	struct run r = { .dir = harness_path(""), .in = harness_file("in", "some input", 10) };

	run_shell(&r, "\"$WPERF\" record -q -o - -- sh -c 'cat; echo of the command' > piped");
	ck_assert_exit(&r, 0);
	ck_assert_str_eq(str_cstr(&r.err), "some inputof the command\n");
	expect_whole(harness_path("piped"));
	run_release(&r);
}
END_TEST

/* Whoever reads our pipe may have had enough. */
START_TEST(closed_pipe_is_no_error)
{
	struct run r = { .dir = harness_path("") };

	run_shell(&r,
		  "{ \"$WPERF\" record -o - --duration 30 -p %d; echo $? >status; } | head -c 1000 "
		  ">/dev/null; cat status",
		  getpid());
	ck_assert_str_eq(str_cstr(&r.out), "0\n");
	ck_assert(!strstr(str_cstr(&r.err), "Broken pipe"));
	run_release(&r);
}
END_TEST

START_TEST(duration_and_command_set_the_length)
{
	static const char *const lengths[] = { "--duration 0.3", "--duration 300ms -p $$",
					       "-- sleep 0.3" };
	struct run r = { .dir = harness_path("") };
	pid_t pid = harness_start("busy",
				  (const char *const[]){ "sh", "-c", "while :; do :; done", NULL });

	run_shell(&r, "exec \"$WPERF\" record -p %d %s", (int)pid, lengths[_i]);
	ck_assert_exit(&r, 0);
	ck_assert_uint_gt(expect_whole(harness_path("wperf.data")).nr_samples, 5);
	harness_stop(pid, SIGKILL);
	run_release(&r);
}
END_TEST

static bool is_recording(void *path)
{
	struct stat st;

	return !stat(path, &st) && st.st_size > 0;
}

/* It is being written, so its end may be half a record. */
static bool has_samples(void *path)
{
	return is_recording(path) && read_recording(path).nr_samples > 0;
}

static const int end_signals[] = { SIGINT, SIGTERM, SIGHUP };

START_TEST(signal_ends_a_whole_recording)
{
	const char *out = harness_path("out.data");
	pid_t busy = harness_start(
		"busy", (const char *const[]){ "sh", "-c", "while :; do :; done", NULL });
	char *target = xasprintf("%d", (int)busy);
	pid_t wperf = harness_start("wperf", (const char *const[]){ harness_wperf(), "record", "-p",
								    target, "-o", out, NULL });

	ck_assert(harness_wait_until(has_samples, (void *)out));
	ck_assert_int_eq(harness_stop(wperf, end_signals[_i]), 0);
	ck_assert_uint_gt(expect_whole(out).nr_samples, 0);
	harness_stop(busy, SIGKILL);
	free(target);
}
END_TEST

START_TEST(killed_recorder_leaves_a_readable_recording)
{
	const char *out = harness_path("out.data");
	pid_t busy = harness_start(
		"busy", (const char *const[]){ "sh", "-c", "while :; do :; done", NULL });
	char *target = xasprintf("%d", (int)busy);
	pid_t wperf = harness_start("wperf", (const char *const[]){ harness_wperf(), "record", "-p",
								    target, "-o", out, NULL });
	struct contents c;

	ck_assert(harness_wait_until(has_samples, (void *)out));
	harness_stop(wperf, SIGKILL);
	c = read_recording(out);
	ck_assert(c.is_truncated);
	ck_assert_uint_gt(c.nr_samples, 0);
	harness_stop(busy, SIGKILL);
	free(target);
}
END_TEST

START_TEST(end_of_the_target_ends_the_recording)
{
	struct run r = { .dir = harness_path("") };

	run_shell(&r, "sh -c 'sleep 0.5' & exec \"$WPERF\" record -p $!");
	ck_assert_exit(&r, 0);
	expect_whole(harness_path("wperf.data"));
	run_release(&r);
}
END_TEST

START_TEST(children_are_recorded)
{
	struct run r = { .dir = harness_path("") };
	struct contents c;

	run_shell(&r, "exec \"$WPERF\" record -- sh -c '(" BUSY ") & (" BUSY ") & wait'");
	ck_assert_exit(&r, 0);
	c = expect_whole(harness_path("wperf.data"));
	ck_assert_uint_ge(c.nr_pids, 2);
	run_release(&r);
}
END_TEST

/* As a server does that goes to the background. */
START_TEST(processes_that_outlive_the_command_are_told)
{
	struct run r = { .dir = harness_path("") };

	run_shell(&r, "\"$WPERF\" record -- sh -c 'while [ ! -e stop ]; do sleep 0.05; done >/dev/null 2>&1 &'; "
		      "s=$?; touch stop; exit $s");
	ck_assert_exit(&r, 0);
	ck_assert_has(&r.err, "wperf: sh has ended; what it started goes on, and is recorded no more: see wperf record -p ");
	expect_whole(harness_path("wperf.data"));
	run_release(&r);
}
END_TEST

START_TEST(command_that_does_not_end_is_told)
{
	struct run r = { .dir = harness_path("") };

	run_shell(&r, "\"$WPERF\" record --duration 0.2 -- sh -c 'trap \"\" TERM; "
		      "while [ ! -e stop ]; do sleep 0.05; done'; s=$?; touch stop; exit $s");
	ck_assert_exit(&r, 0);
	ck_assert_has(&r.err, "wperf: sh still runs, as pid ");
	ck_assert_has(&r.err, "it did not end at SIGTERM\n");
	expect_whole(harness_path("wperf.data"));
	run_release(&r);
}
END_TEST

/* Children that were there before the recording, too. */
START_TEST(children_of_a_pid_are_recorded)
{
	struct run r = { .dir = harness_path("") };
	pid_t pid = harness_start(
		"busy", (const char *const[]){ "sh", "-c", "(while :; do :; done) & wait", NULL });
	struct contents c;

	usleep(100000);
	run_shell(&r, "exec \"$WPERF\" record -p %d --duration 0.5", (int)pid);
	ck_assert_exit(&r, 0);
	c = expect_whole(harness_path("wperf.data"));
	ck_assert_uint_gt(c.nr_samples, 5);
	ck_assert_uint_ge(c.nr_pids, 1);
	run_release(&r);
}
END_TEST

START_TEST(size_is_bounded)
{
	struct run r = { .dir = harness_path("") };
	pid_t pid = harness_start("busy",
				  (const char *const[]){ "sh", "-c", "while :; do :; done", NULL });
	struct stat st;

	run_shell(&r, "exec \"$WPERF\" record -p %d --max-size 50K -F 5000 --duration 60",
		  (int)pid);
	ck_assert_exit(&r, 0);
	ck_assert_has(&r.err, ", --max-size reached)\n");
	expect_whole(harness_path("wperf.data"));
	ck_assert_int_eq(stat(harness_path("wperf.data"), &st), 0);
	ck_assert_int_ge(st.st_size, 50 * 1024);
	/* A round of the rings may come on top. */
	ck_assert_int_lt(st.st_size, 5 << 20);
	harness_stop(pid, SIGKILL);
	run_release(&r);
}
END_TEST

/* ulimit -f counts blocks of 512 bytes: 40 KB. */
START_TEST(file_that_may_not_grow_is_readable)
{
	struct run r = { .dir = harness_path("") };
	struct contents c;

	run_shell(&r, "ulimit -f 80; exec \"$WPERF\" record -F 5000 -- sh -c '" BUSY "; " BUSY "'");
	ck_assert_exit(&r, 2);
	ck_assert_has(&r.err, "File too large");
	c = read_recording(harness_path("wperf.data"));
	ck_assert_uint_le(c.nr_pids, 1);
	run_release(&r);
}
END_TEST

START_TEST(perf_reads_it_without_a_word)
{
	static const char *const forms[] = {
		"\"$WPERF\" record -q -- sh -c '" BUSY "' && perf script -i wperf.data",
		"\"$WPERF\" record -q -o - -- sh -c '" BUSY "' | cat | perf script -i -",
		"\"$WPERF\" record -q -- sh -c '" BUSY "' && perf report --stdio -i wperf.data",
	};
	struct run r = { .dir = harness_path("") };

	run_shell(&r, "%s", forms[_i]);
	ck_assert_exit(&r, 0);
	ck_assert_str_eq(str_cstr(&r.err), "");
	ck_assert_has(&r.out, "sh");
	run_release(&r);
}
END_TEST

/* ---- without privileges ---- */

/* A directory that everybody may write to; $WPERF is one that everybody may run. */
static const char *open_dir(void)
{
	const char *dir = harness_path("open");

	setenv("WPERF", harness_open_wperf(), 1);
	ck_assert_int_eq(mkdir(dir, 0777), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	return dir;
}

START_TEST(anybody_records_a_command_of_their_own)
{
	struct run r = { .dir = open_dir() };
	struct contents c;

	run_shell(&r, "exec " UNPRIVILEGED "\"$WPERF\" record -- sh -c '" BUSY "; exit 7'");
	ck_assert_exit(&r, 7);
	ck_assert_has(&r.err, "without privileges");
	ck_assert_has(&r.err, "user space only");
	ck_assert_msg(!strstr(str_cstr(&r.err), "cannot"), "an error that is none: %s",
		      str_cstr(&r.err));
	c = expect_whole(harness_path("open/wperf.data"));
	ck_assert_uint_gt(c.nr_samples, 10);
	ck_assert_uint_eq(c.nr_kernel, 0);
	run_release(&r);
}
END_TEST

START_TEST(anybody_records_a_process_of_their_own)
{
	struct run r = { .dir = open_dir() };

	run_shell(&r, "exec " UNPRIVILEGED "sh -c 'while :; do :; done & \"$WPERF\" record -p $! "
		      "--duration 0.3; s=$?; kill $!; exit $s'");
	ck_assert_exit(&r, 0);
	ck_assert_uint_gt(expect_whole(harness_path("open/wperf.data")).nr_samples, 5);
	run_release(&r);
}
END_TEST

static const struct {
	const char *args, *remedy;
} forbidden[] = {
	{ "-p $$", "root" },
	{ "-o /wperf-check-none.data -- true", "" },
	{ "--marker func:main -- \"$WPERF\" --version", "root" },
};
enum { FORBIDDEN_MARKER = ARRAY_LEN(forbidden) - 1 };

START_TEST(what_is_not_permitted_exits_4)
{
	struct run r = { .dir = open_dir() };

	run_shell(&r, UNPRIVILEGED "\"$WPERF\" record %s", forbidden[_i].args);
	ck_assert_exit(&r, 4);
	ck_assert_has(&r.err, forbidden[_i].remedy);
	ck_assert_int_ne(access(harness_path("open/wperf.data"), F_OK), 0);
	run_release(&r);
}
END_TEST

static TCase *recording_tcase(void)
{
	TCase *tc = tcase_create("recording");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, command_is_recorded, 0, ARRAY_LEN(argument_sets));
	tcase_add_test(tc, process_named_by_its_threads_is_recorded_once);
	tcase_add_test(tc, quiet_is_quiet);
	tcase_add_loop_test(tc, status_of_the_command_is_passed_on, 0, ARRAY_LEN(statuses));
	tcase_add_test(tc, command_has_our_stdin_and_stdout);
	tcase_add_test(tc, old_recording_is_kept);
	tcase_add_test(tc, pipe_form_goes_to_stdout);
	tcase_add_test(tc, command_does_not_write_into_the_stream);
	tcase_add_test(tc, closed_pipe_is_no_error);
	tcase_add_loop_test(tc, duration_and_command_set_the_length, 0, 3);
	tcase_add_loop_test(tc, signal_ends_a_whole_recording, 0, ARRAY_LEN(end_signals));
	tcase_add_test(tc, killed_recorder_leaves_a_readable_recording);
	tcase_add_test(tc, end_of_the_target_ends_the_recording);
	tcase_add_test(tc, children_are_recorded);
	tcase_add_test(tc, command_that_does_not_end_is_told);
	tcase_add_test(tc, children_of_a_pid_are_recorded);
	tcase_add_test(tc, size_is_bounded);
	tcase_add_test(tc, file_that_may_not_grow_is_readable);
	return tc;
}

Suite *check_cmd_record_suite(void)
{
	Suite *s = suite_create("cmd_record");
	TCase *tc = tcase_create("options");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, mistakes_are_told_in_one_line, 0, ARRAY_LEN(wrong));
	tcase_add_loop_test(tc, help_is_data, 0, 2);
	if (harness_can_or_omit(s, "a libpfm4 without anything", CAN_COMPILE))
		tcase_add_test(tc, libpfm4_is_needed_for_its_names_only);
	suite_add_tcase(s, tc);
	if (harness_can_or_omit(s, "recording", CAN_SAMPLE))
		suite_add_tcase(s, recording_tcase());
	/* Without BPF nobody knows what a target forks. */
	if (harness_can_or_omit(s, "processes left", CAN_SAMPLE) && harness_can_or_omit(s, "processes left", CAN_BPF)) {
		tc = tcase_create("processes left");
		tcase_set_timeout(tc, 60);
		tcase_add_test(tc, processes_that_outlive_the_command_are_told);
		suite_add_tcase(s, tc);
	}
	if (harness_can_or_omit(s, "perf reads recordings", CAN_SAMPLE) &&
	    harness_can_or_omit(s, "perf reads recordings", CAN_PERF)) {
		tc = tcase_create("perf reads recordings");
		tcase_set_timeout(tc, 60);
		tcase_add_loop_test(tc, perf_reads_it_without_a_word, 0, 3);
		suite_add_tcase(s, tc);
	}
	if (harness_can_or_omit(s, "unprivileged", CAN_DROP_UID)) {
		tc = tcase_create("unprivileged");
		tcase_set_timeout(tc, 60);
		tcase_add_test(tc, anybody_records_a_command_of_their_own);
		tcase_add_test(tc, anybody_records_a_process_of_their_own);
		tcase_add_loop_test(tc, what_is_not_permitted_exits_4, 0, FORBIDDEN_MARKER);
		suite_add_tcase(s, tc);
	}
	/* Where root has no markers either, it is not for want of privileges. */
	if (harness_can_or_omit(s, "unprivileged marker", CAN_DROP_UID) &&
	    harness_can_or_omit(s, "unprivileged marker", CAN_BPF)) {
		tc = tcase_create("unprivileged marker");
		tcase_set_timeout(tc, 60);
		tcase_add_loop_test(tc, what_is_not_permitted_exits_4, FORBIDDEN_MARKER,
				    ARRAY_LEN(forbidden));
		suite_add_tcase(s, tc);
	}
	return s;
}
