/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/units.h"
#include "recording/sink.h"
#include "tests/harness.h"
#include "tests/sketch.h"

Suite *check_sink_suite(void);

static const struct sink_patience for_ever;

static void open_sink(struct sink *s, const char *path)
{
	struct err e;

	ck_assert_msg(!sink_open(s, path, &for_ever, &e), "%s", e.what);
}

static bool write_text(struct sink *s, const char *text)
{
	struct iovec part = { (void *)(uintptr_t)text, strlen(text) };

	return sink_write_whole(s, &part, 1);
}

/* A recording from beginning to end. */
static void write_to(const char *path, const char *text)
{
	struct sink s;

	open_sink(&s, path);
	ck_assert(write_text(&s, text));
	sink_release(&s);
}

static void expect_file(const char *path, const void *bytes, size_t len)
{
	struct str got = { 0 };

	harness_read(path, &got);
	ck_assert_uint_eq(got.len, len);
	if (len)
		ck_assert_mem_eq(got.s, bytes, len);
	str_release(&got);
}

static void expect_text(const char *path, const char *text)
{
	expect_file(path, text, strlen(text));
}

/* ---- names ---- */

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

START_TEST(old_recording_is_kept)
{
	const char *path = harness_path("out.data"), *old = harness_path("out.data.old");

	write_to(path, "first");
	ck_assert(!exists(old));
	write_to(path, "second");
	expect_text(path, "second");
	expect_text(old, "first");
	/* An empty one is nobody's loss. */
	harness_file("out.data", "", 0);
	write_to(path, "third");
	expect_text(path, "third");
	expect_text(old, "first");
}
END_TEST

START_TEST(devices_are_left_where_they_are)
{
	struct stat st;
	struct sink s;
	struct err e;

	open_sink(&s, "/dev/null");
	ck_assert(write_text(&s, "text"));
	sink_write_front(&s, "T", 1);
	ck_assert_int_eq(sink_error(&s, &e), 0);
	sink_release(&s);
	ck_assert(!exists("/dev/null.old"));
	ck_assert_int_eq(stat("/dev/null", &st), 0);
	ck_assert(S_ISCHR(st.st_mode));
}
END_TEST

/* A fifo has no reader here: it is not waited for. */
START_TEST(what_takes_nothing_back_is_refused)
{
	const char *fifo = harness_path("fifo");
	struct sink s;
	struct err e;

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(sink_open(&s, fifo, &for_ever, &e), -ESPIPE);
	ck_assert(strstr(e.what, "it is a pipe") != NULL);
	ck_assert(strstr(e.remedy, "-o -") != NULL);
	ck_assert(exists(fifo));
}
END_TEST

START_TEST(links_to_nowhere_are_not_followed)
{
	const char *link = harness_path("link");
	struct sink s;
	struct err e;

	ck_assert_int_eq(symlink(harness_path("no such file"), link), 0);
	ck_assert_int_eq(sink_open(&s, link, &for_ever, &e), -EEXIST);
	ck_assert_str_eq(e.remedy, "It is a link that leads nowhere.");
	ck_assert(!exists(harness_path("no such file")));
}
END_TEST

/* A folder has the old recording's name: what stands there stays. */
START_TEST(old_recording_that_cannot_be_kept_is_not_lost)
{
	const char *path = harness_file("out.data", "first", 5), *old = harness_path("out.data.old");
	char *want = xasprintf("cannot rename %s to %s: Is a directory", path, old);
	struct sink s;
	struct err e;

	ck_assert_int_eq(mkdir(old, 0700), 0);
	ck_assert_int_eq(sink_open(&s, path, &for_ever, &e), -EISDIR);
	ck_assert_str_eq(e.what, want);
	ck_assert_str_eq(e.remedy, "It is a folder: move it away, or name another file with -o.");
	expect_text(path, "first");
	ck_assert_int_eq(rmdir(old), 0);
	free(want);
}
END_TEST

START_TEST(path_that_cannot_be_written_is_named)
{
	const char *path = harness_path("none/out.data");
	struct sink s;
	struct err e;

	ck_assert_int_eq(sink_open(&s, path, &for_ever, &e), -ENOENT);
	ck_assert_ptr_nonnull(strstr(e.what, path));
	ck_assert_ptr_null(s.path);
}
END_TEST

/* Somebody else's file, where it is as where it is not. */
START_TEST(links_are_not_written_through)
{
	const char *path = harness_path("out.data"), *theirs = harness_path("theirs");
	struct sink s;
	struct err e;

	ck_assert_int_eq(symlink(theirs, path), 0);
	ck_assert_int_eq(sink_open(&s, path, &for_ever, &e), -EEXIST);
	ck_assert(!exists(theirs));
	harness_file("theirs", "theirs", 6);
	write_to(path, "ours");
	expect_text(path, "ours");
	expect_text(theirs, "theirs");
}
END_TEST

START_TEST(links_are_not_lost)
{
	const char *path = harness_path("out.data"), *file = harness_file("file", "", 0);
	char target[PATH_MAX];

	ck_assert_int_eq(symlink(file, path), 0);
	write_to(path, "ours");
	expect_text(path, "ours");
	ck_assert_int_gt(readlink(harness_path("out.data.old"), target, sizeof(target)), 0);
	expect_text(file, "");
}
END_TEST

/* As /dev/stdout is: it would be taken from everybody. */
START_TEST(links_to_descriptors_are_left)
{
	const char *link = harness_path("stdout"), *file = harness_file("file", "text", 4);
	int fd = open(file, O_WRONLY);
	char *descriptor = xasprintf("/proc/self/fd/%d", fd);
	char target[PATH_MAX];
	struct sink s;
	struct err e;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(symlink(descriptor, link), 0);
	ck_assert_int_eq(sink_open(&s, link, &for_ever, &e), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.what, "what a process has open"));
	ck_assert_ptr_nonnull(strstr(e.remedy, "-o -"));
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(sink_open(&s, link, &for_ever, &e), -EINVAL);
	ck_assert_int_eq(readlink(link, target, sizeof(target)), (int)strlen(descriptor));
	ck_assert(!exists(harness_path("stdout.old")));
	free(descriptor);
	/* A folder may be named by such a link. */
	descriptor = xasprintf("/proc/self/root%s", file);
	write_to(descriptor, "first");
	write_to(descriptor, "second");
	expect_text(file, "second");
	free(descriptor);
	close(fd);
}
END_TEST

START_TEST(abandoned_file_leaves_all_as_it_was)
{
	const char *path = harness_path("out.data"), *old = harness_path("out.data.old");
	struct sink s;

	open_sink(&s, path);
	ck_assert(exists(path));
	sink_abandon(&s);
	sink_release(&s);
	ck_assert(!exists(path));
	harness_file("out.data", "before", 6);
	open_sink(&s, path);
	ck_assert(write_text(&s, "new"));
	sink_abandon(&s);
	sink_release(&s);
	expect_text(path, "before");
	ck_assert(!exists(old));
}
END_TEST

START_TEST(file_belongs_to_who_asked_sudo)
{
	const char *path = harness_path("out.data");
	struct stat st;

	setenv("SUDO_UID", "1234", 1);
	setenv("SUDO_GID", "1235", 1);
	write_to(path, "text");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, 1234);
	ck_assert_uint_eq(st.st_gid, 1235);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

/* ---- no room ---- */

enum { RECORD_BYTES = 56, NR_RECORDS = 140 };

static void make_records(struct sketch *records)
{
	int i;

	for (i = 0; i < NR_RECORDS; i++) {
		sketch_begin(records, PERF_RECORD_COMM, 0);
		sketch_u32(records, 17);
		sketch_u32(records, 17);
		sketch_str(records, "name");
		sketch_id(records, 17, 17, (uint64_t)i + 1, 0, SKETCH_ID(0));
		sketch_end(records);
	}
	ck_assert_uint_eq(records->bytes.len, NR_RECORDS * RECORD_BYTES);
}

static struct iovec part_of(const struct sketch *records, int from, int nr)
{
	return (struct iovec){ records->bytes.s + RECORD_BYTES * from, (size_t)RECORD_BYTES * nr };
}

/*
 * No file grows beyond this; writing there fails with EFBIG. libcheck's own file, in which it notes
 * where a test stands, needs a few thousand.
 */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Takes the descriptor. */
static void stdout_becomes(int fd)
{
	ck_assert_int_ge(fd, 0);
	fflush(stdout);
	ck_assert_int_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	close(fd);
}

START_TEST(full_device_is_told)
{
	struct sink s;
	struct err e;

	open_sink(&s, "/dev/full");
	ck_assert_int_eq(sink_error(&s, &e), 0);
	ck_assert(!write_text(&s, "text"));
	ck_assert_int_eq(sink_error(&s, &e), -ENOSPC);
	ck_assert_str_eq(e.what, "cannot write /dev/full: No space left on device");
	sink_release(&s);
}
END_TEST

/*
 * Many records at once, each in two parts as a ring that wraps has them: those that had room stay,
 * to the last one.
 */
START_TEST(whole_records_of_a_write_that_failed_stay)
{
	enum { NR_WITH_ROOM = 100 };
	const char *path = harness_path("out.data");
	size_t want = (size_t)(NR_WITH_ROOM + _i / RECORD_BYTES) * RECORD_BYTES;
	struct sketch records = { 0 };
	struct iovec parts[2 * NR_RECORDS];
	struct sink s;
	struct err e;
	int i;

	make_records(&records);
	for (i = 0; i < NR_RECORDS; i++) {
		char *record = records.bytes.s + RECORD_BYTES * i;

		parts[2 * i] = (struct iovec){ record, 4 };
		parts[2 * i + 1] = (struct iovec){ record + 4, RECORD_BYTES - 4 };
	}
	open_sink(&s, path);
	limit_files((rlim_t)(NR_WITH_ROOM * RECORD_BYTES + _i));
	sink_write_records(&s, parts, 2 * NR_RECORDS);
	ck_assert_int_eq(sink_error(&s, &e), -EFBIG);
	ck_assert_uint_eq(s.nr_bytes, want);
	/* What comes after the error is dropped, room or not: a recording has no gaps. */
	limit_files(RLIM_INFINITY);
	sink_write_records(&s, parts, 2);
	sink_release(&s);
	expect_file(path, records.bytes.s, want);
	sketch_release(&records);
}
END_TEST

/* Not a byte stays of it: that it begins like whole records is chance. */
START_TEST(whole_write_is_all_or_nothing)
{
	const char *path = harness_path("out.data");
	struct sketch records = { 0 };
	struct iovec first, rest;
	struct sink s;
	struct err e;

	make_records(&records);
	first = part_of(&records, 0, 100);
	rest = part_of(&records, 100, 40);
	open_sink(&s, path);
	ck_assert(sink_write_whole(&s, &first, 1));
	limit_files(130 * RECORD_BYTES);
	ck_assert(!sink_write_whole(&s, &rest, 1));
	ck_assert_int_eq(sink_error(&s, &e), -EFBIG);
	ck_assert_uint_eq(s.nr_bytes, first.iov_len);
	sink_release(&s);
	expect_file(path, first.iov_base, first.iov_len);
	sketch_release(&records);
}
END_TEST

/* Taking back a part of a long record has made room: the end stands behind what is left. */
START_TEST(end_follows_the_last_whole_record)
{
	const char *path = harness_path("out.data");
	struct sketch records = { 0 };
	struct iovec all;
	struct sink s;

	make_records(&records);
	all = part_of(&records, 0, NR_RECORDS);
	open_sink(&s, path);
	limit_files(100 * RECORD_BYTES + 20);
	sink_write_records(&s, &all, 1);
	ck_assert(write_text(&s, "the end"));
	sink_release(&s);
	memcpy(records.bytes.s + 100 * RECORD_BYTES, "the end", 7);
	expect_file(path, records.bytes.s, 100 * RECORD_BYTES + 7);
	sketch_release(&records);
}
END_TEST

/* Who opened stdout, and what else stands there, is not for us to know. */
START_TEST(stdout_takes_nothing_back)
{
	enum { ROOM = 100 * RECORD_BYTES + 5 };
	const char *path = harness_path("out.data");
	struct sketch records = { 0 };
	struct iovec all;
	struct sink s;
	struct err e;

	make_records(&records);
	all = part_of(&records, 0, NR_RECORDS);
	stdout_becomes(open(path, O_WRONLY | O_CREAT, 0600));
	open_sink(&s, "-");
	limit_files(ROOM);
	sink_write_records(&s, &all, 1);
	ck_assert_int_eq(sink_error(&s, &e), -EFBIG);
	ck_assert_str_eq(e.what, "cannot write stdout: File too large");
	ck_assert_uint_eq(s.nr_bytes, ROOM);
	sink_release(&s);
	expect_file(path, all.iov_base, ROOM);
	sketch_release(&records);
}
END_TEST

/* After an error too, which stays the one that is told. */
START_TEST(front_is_written_anew)
{
	const char *path = harness_path("out.data");
	struct sketch records = { 0 };
	struct iovec first;
	struct sink s;
	struct err e;

	make_records(&records);
	first = part_of(&records, 0, 100);
	open_sink(&s, path);
	sink_write_records(&s, &first, 1);
	limit_files(first.iov_len + 2);
	ck_assert(!write_text(&s, "no room"));
	sink_write_front(&s, "front", 5);
	ck_assert_int_eq(sink_error(&s, &e), -EFBIG);
	ck_assert_uint_eq(s.nr_bytes, first.iov_len);
	sink_release(&s);
	memcpy(records.bytes.s, "front", 5);
	expect_file(path, first.iov_base, first.iov_len);
	sketch_release(&records);
}
END_TEST

/* Another one has closed it: to us it is a close(2) that fails, as on a disk of somebody else's. */
START_TEST(close_that_fails_is_told)
{
	struct sink s;
	struct err e;

	open_sink(&s, harness_path("out.data"));
	ck_assert(write_text(&s, "text"));
	close(s.fd);
	sink_close(&s);
	ck_assert_int_eq(sink_error(&s, &e), -EBADF);
	sink_release(&s);
}
END_TEST

/* ---- a reader that does not read ---- */

/* A pipe for stdout; returns the end that is read. */
static int pipe_stdout(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	stdout_becomes(ends[1]);
	return ends[0];
}

/* The reader of the pipe has gone: an error like any other, once SIGPIPE is out of the way. */
START_TEST(closed_pipe_is_an_error)
{
	struct sink s;
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	close(pipe_stdout());
	open_sink(&s, "-");
	ck_assert(!write_text(&s, "text"));
	ck_assert_int_eq(sink_error(&s, &e), -EPIPE);
	ck_assert_str_eq(e.what, "cannot write stdout: Broken pipe");
	sink_release(&s);
}
END_TEST

static bool stop_after(void *nr_asked)
{
	return --*(int *)nr_asked < 0;
}

/* Nobody is asked before the pipe is full; then the reader has its time, and that is an error. */
START_TEST(reader_that_stopped_is_given_up)
{
	int reading = pipe_stdout(), wake[2], nr_asked = 1;
	char *much = xcalloc(1, 1 << 20);
	struct sink_patience patience = { stop_after, &nr_asked, -1 };
	uint64_t begin_ns = monotonic_ns();
	struct sink s;
	struct err e;

	ck_assert_int_eq(pipe(wake), 0);
	ck_assert_int_eq(write(wake[1], "", 1), 1);
	patience.wake_fd = wake[0];
	ck_assert_int_eq(sink_open(&s, "-", &patience, &e), 0);
	ck_assert(write_text(&s, "the pipe has room for this"));
	ck_assert_int_eq(nr_asked, 1);
	ck_assert(!sink_write_whole(&s, &(struct iovec){ much, 1 << 20 }, 1));
	ck_assert_int_eq(nr_asked, -1);
	ck_assert_uint_ge(monotonic_ns() - begin_ns, NS_PER_SEC);
	ck_assert_int_eq(sink_error(&s, &e), -ETIMEDOUT);
	ck_assert_str_eq(e.what, "cannot write stdout: its reader has stopped reading");
	/* Others who have that pipe are to block as before. */
	ck_assert_int_eq(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
	close(reading);
	sink_release(&s);
	free(much);
}
END_TEST

static bool never(void *self)
{
	(void)self;
	return false;
}

static bool always(void *self)
{
	(void)self;
	return true;
}

/* The last one says that we stop: a reader that comes back within its second still gets all. */
static const struct sink_patience patiences[] = {
	{ NULL, NULL, -1 },
	{ never, NULL, -1 },
	{ always, NULL, -1 },
};

/* A process that begins late to read, in small pieces. It exits with 0 if it got what we want. */
static pid_t start_slow_reader(int fd, const char *want, size_t len)
{
	pid_t pid = fork();
	char piece[1000];
	size_t at = 0;
	ssize_t got;

	if (pid)
		return pid;
	close(STDOUT_FILENO);
	usleep(100000);
	while ((got = read(fd, piece, sizeof(piece))) > 0) {
		if ((size_t)got > len - at || memcmp(piece, want + at, (size_t)got))
			_exit(1);
		at += (size_t)got;
	}
	_exit(at == len ? 0 : 2);
}

/*
 * Everything arrives, in the pieces that the pipe has room for: parts of all sizes, as many as a
 * write may have, are gone on with where they were left.
 */
START_TEST(slow_reader_gets_all)
{
	enum { LEN = SINK_PARTS_MAX * (SINK_PARTS_MAX - 1) / 2 * 7 };
	int reading = pipe_stdout(), i;
	struct iovec parts[SINK_PARTS_MAX];
	char *bytes = xmalloc(LEN), *next = bytes;
	struct sink s;
	struct err e;
	pid_t reader;

	for (i = 0; i < LEN; i++)
		bytes[i] = (char)(i * 7 + (i >> 8));
	for (i = 0; i < SINK_PARTS_MAX; i++) {
		parts[i] = (struct iovec){ next, (size_t)i * 7 };
		next += i * 7;
	}
	reader = start_slow_reader(reading, bytes, LEN);
	close(reading);
	ck_assert_int_eq(sink_open(&s, "-", &patiences[_i], &e), 0);
	ck_assert(sink_write_whole(&s, parts, SINK_PARTS_MAX));
	ck_assert_uint_eq(s.nr_bytes, LEN);
	sink_release(&s);
	close(STDOUT_FILENO);
	ck_assert_int_eq(harness_wait(reader), 0);
	free(bytes);
}
END_TEST

static TCase *names_tcase(void)
{
	TCase *tc = tcase_create("names");

	tcase_add_test(tc, old_recording_is_kept);
	tcase_add_test(tc, devices_are_left_where_they_are);
	tcase_add_test(tc, what_takes_nothing_back_is_refused);
	tcase_add_test(tc, links_to_nowhere_are_not_followed);
	tcase_add_test(tc, old_recording_that_cannot_be_kept_is_not_lost);
	tcase_add_test(tc, path_that_cannot_be_written_is_named);
	tcase_add_test(tc, links_are_not_written_through);
	tcase_add_test(tc, links_are_not_lost);
	tcase_add_test(tc, links_to_descriptors_are_left);
	tcase_add_test(tc, abandoned_file_leaves_all_as_it_was);
	return tc;
}

static TCase *sudo_tcase(void)
{
	TCase *tc = tcase_create("sudo");

	tcase_add_test(tc, file_belongs_to_who_asked_sudo);
	return tc;
}

static TCase *no_room_tcase(void)
{
	TCase *tc = tcase_create("no room");

	tcase_add_test(tc, full_device_is_told);
	/* The room ends at each byte of a record, and some into the next. */
	tcase_add_loop_test(tc, whole_records_of_a_write_that_failed_stay, 0, RECORD_BYTES + 14);
	tcase_add_test(tc, whole_write_is_all_or_nothing);
	tcase_add_test(tc, end_follows_the_last_whole_record);
	tcase_add_test(tc, stdout_takes_nothing_back);
	tcase_add_test(tc, front_is_written_anew);
	tcase_add_test(tc, close_that_fails_is_told);
	return tc;
}

static TCase *readers_tcase(void)
{
	TCase *tc = tcase_create("readers");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, closed_pipe_is_an_error);
	tcase_add_test(tc, reader_that_stopped_is_given_up);
	tcase_add_loop_test(tc, slow_reader_gets_all, 0, ARRAY_LEN(patiences));
	return tc;
}

Suite *check_sink_suite(void)
{
	Suite *s = suite_create("sink");

	suite_add_tcase(s, names_tcase());
	if (harness_can_or_omit(s, "sudo", CAN_ROOT))
		suite_add_tcase(s, sudo_tcase());
	suite_add_tcase(s, no_room_tcase());
	suite_add_tcase(s, readers_tcase());
	return s;
}
