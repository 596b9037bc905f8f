/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "collector/build_id.h"
#include "collector/maps.h"
#include "collector/snapshot.h"
#include "recording/reader.h"
#include "recording/writer.h"
#include "tests/harness.h"
#include "tests/sketch.h"

Suite *check_writer_suite(void);

enum { SAMPLE_ID = 1001, MARK_ID = 2001 };
/*
 * Beyond PID_MAX_LIMIT, 2^22: where there is a process of that number, perf looks for files as that
 * process would find them.
 */
enum { SERVER = (1 << 22) + 17, CHILD };

/* The events of a recording, and a writer of it. */
struct writing {
	struct writer_event events[2];
	struct writer_config config;
	struct writer *w;
	struct err e;
};

static char *arguments[] = { "record", "-p", "17", NULL };

static void setup(struct writing *x)
{
	*x = (struct writing){ 0 };
	x->events[0].attr = sketch_attr();
	x->events[0].attr.use_clockid = 1;
	x->events[0].attr.clockid = CLOCK_MONOTONIC;
	/* As the samples are. Else perf asks for a map of the kernel, which not everybody has. */
	x->events[0].attr.exclude_kernel = 1;
	x->events[0].attr.sample_type |= PERF_SAMPLE_CALLCHAIN;
	x->events[0].name = "cpu-clock";
	vec_push(&x->events[0].ids, SAMPLE_ID);
	vec_push(&x->events[0].ids, SAMPLE_ID + 1);
	x->events[1].attr = x->events[0].attr;
	x->events[1].attr.config = PERF_COUNT_SW_BPF_OUTPUT;
	x->events[1].attr.sample_type ^= PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_RAW;
	x->events[1].attr.freq = 0;
	x->events[1].attr.sample_period = 1;
	x->events[1].name = "wperf:mark";
	vec_push(&x->events[1].ids, MARK_ID);
	x->config = (struct writer_config){
		.events = x->events, .nr_events = 2, .argc = 3, .argv = arguments
	};
}

static void release(struct writing *x)
{
	writer_free(x->w);
	vec_release(&x->events[0].ids);
	vec_release(&x->events[1].ids);
}

/* Samples as the kernel would write them, at an address of this very program. */
static void append_sample(struct writing *x, uint32_t pid, uint64_t time, uint64_t ip)
{
	struct sketch s = { 0 };
	struct iovec parts[2];

	sketch_begin(&s, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER);
	sketch_u64(&s, SAMPLE_ID);
	sketch_u64(&s, ip);
	sketch_u32(&s, pid);
	sketch_u32(&s, pid);
	sketch_u64(&s, time);
	sketch_u32(&s, 0);
	sketch_u32(&s, 0);
	sketch_u64(&s, 1001001);
	sketch_u64(&s, 2);
	sketch_u64(&s, PERF_CONTEXT_USER);
	sketch_u64(&s, ip);
	sketch_end(&s);
	/* In two parts, as a ring that wraps has it. */
	parts[0] = (struct iovec){ s.bytes.s, 24 };
	parts[1] = (struct iovec){ s.bytes.s + 24, s.bytes.len - 24 };
	writer_append(x->w, parts, 2);
	sketch_release(&s);
}

static const struct note_marker marker = { 0, MARKER_IS_CALL, "func:main", "main" };

static const struct note_function function = {
	.id = 7,
	.flags = FUNCTION_IS_TIMED,
	.pid = SERVER,
	.line = 4,
	.off = 0x1234,
	.build_id = { .len = 20, .bytes = "0123456789abcdefghi" },
	.file = "/usr/bin/none",
	.name = "work",
};

/* More than fit one record. */
enum { NR_NODES = 10000 };

static void write_nodes(struct writer *w)
{
	struct note_node *nodes = xcalloc(NR_NODES, sizeof(*nodes));
	uint32_t i;

	for (i = 0; i < NR_NODES; i++)
		nodes[i] = (struct note_node){ i + 1, i, 3 * i };
	writer_note_nodes(w, nodes, NR_NODES);
	free(nodes);
}

/* Something of every record but losses, of which perf would speak. */
static void write_without_losses(struct writing *x)
{
	static const char *const info[] = { "version", "0.1", "marker", "func:main", NULL };
	static const struct tally tallies[] = { { "lost", 3 }, { "marks_unsent", 0 } };
	struct note_file file = {
		.kind = FILE_PERF_MAP, .pid = SERVER, .size = 5, .path = "perf.map"
	};
	struct writer_mmap m = { .pid = SERVER,
				 .tid = SERVER,
				 .start = 0x400000,
				 .len = 0x2000,
				 .off = 0x1000,
				 .prot = PROT_READ | PROT_EXEC,
				 .flags = MAP_PRIVATE,
				 .dev_major = 8,
				 .dev_minor = 1,
				 .inode = 4711,
				 .path = "/usr/bin/none" };

	writer_note_info(x->w, info);
	writer_note_marker(x->w, &marker);
	writer_note_file(x->w, &file, "file!");
	writer_note_function(x->w, &function);
	write_nodes(x->w);
	writer_comm(x->w, SERVER, SERVER, "server");
	writer_fork(x->w, SERVER, CHILD, SERVER, SERVER);
	writer_mmap(x->w, &m);
	m.start += 0x10000;
	m.build_id = (struct build_id){ .len = 20, .bytes = "0123456789abcdefghi" };
	writer_mmap(x->w, &m);
	m.start += 0x10000;
	m.build_id = (struct build_id){ .len = 8, .bytes = "a check\x80", .is_sum = true };
	writer_mmap(x->w, &m);
	append_sample(x, SERVER, 5000, 0x400100);
	writer_mark(x->w, 1, &(struct writer_mark){ SERVER, CHILD, 6000, "marks!", 6 });
	writer_finished_round(x->w);
	writer_note_tally(x->w, tallies, ARRAY_LEN(tallies));
}

static void write_everything(struct writing *x)
{
	write_without_losses(x);
	writer_lost(x->w, 3);
}

static void expect_notes(struct reader *reader)
{
	const char *key, *value;
	struct note_marker m;
	struct note_file f;
	struct record r;
	struct err e;

	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.note.kind, NOTE_INFO);
	ck_assert(note_next_info(&r.note.payload, &key, &value));
	ck_assert_str_eq(key, "version");
	ck_assert_str_eq(value, "0.1");
	ck_assert(note_next_info(&r.note.payload, &key, &value));
	ck_assert_str_eq(value, "func:main");
	ck_assert(!note_next_info(&r.note.payload, &key, &value));
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.note.kind, NOTE_MARKER);
	ck_assert(note_parse_marker(r.note.payload, &m));
	ck_assert_str_eq(m.spec, marker.spec);
	ck_assert_str_eq(m.name, marker.name);
	ck_assert_uint_eq(m.flags, marker.flags);
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.note.kind, NOTE_FILE);
	ck_assert(note_parse_file(r.note.payload, &f));
	ck_assert_uint_eq(f.size, 5);
	ck_assert_uint_eq(f.chunk_len, 5);
	ck_assert_mem_eq(f.chunk, "file!", 5);
	ck_assert_str_eq(f.path, "perf.map");
}

static void expect_calls(struct reader *reader)
{
	struct note_function f;
	struct note_node n;
	struct record r;
	struct err e;
	uint32_t i = 0;

	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.note.kind, NOTE_FUNCTION);
	ck_assert(note_parse_function(r.note.payload, &f));
	ck_assert_uint_eq(f.id, function.id);
	ck_assert_uint_eq(f.flags, function.flags);
	ck_assert_uint_eq(f.pid, function.pid);
	ck_assert_uint_eq(f.line, function.line);
	ck_assert_uint_eq(f.off, function.off);
	ck_assert_mem_eq(&f.build_id, &function.build_id, sizeof(f.build_id));
	ck_assert_str_eq(f.file, function.file);
	ck_assert_str_eq(f.name, function.name);
	while (i < NR_NODES) {
		ck_assert_int_eq(reader_next(reader, &r, &e), 1);
		ck_assert_uint_eq(r.note.kind, NOTE_NODES);
		for (; note_next_node(&r.note.payload, &n); i++) {
			ck_assert_uint_eq(n.node, i + 1);
			ck_assert_uint_eq(n.parent, i);
			ck_assert_uint_eq(n.function, 3 * i);
		}
	}
}

static void expect_mmaps(struct reader *reader)
{
	struct record r;
	struct err e;

	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.type, PERF_RECORD_MMAP2);
	ck_assert_uint_eq(r.mmap.start, 0x400000);
	ck_assert_uint_eq(r.mmap.len, 0x2000);
	ck_assert_uint_eq(r.mmap.off, 0x1000);
	ck_assert_uint_eq(r.mmap.prot, PROT_READ | PROT_EXEC);
	ck_assert_uint_eq(r.mmap.flags, MAP_PRIVATE);
	ck_assert_uint_eq(r.mmap.inode, 4711);
	ck_assert_uint_eq(r.mmap.build_id.len, 0);
	ck_assert_str_eq(r.mmap.path, "/usr/bin/none");
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.mmap.start, 0x410000);
	ck_assert_uint_eq(r.mmap.build_id.len, 20);
	ck_assert_mem_eq(r.mmap.build_id.bytes, "0123456789abcdefghi", 20);
	ck_assert_str_eq(r.mmap.path, "/usr/bin/none");
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.mmap.start, 0x420000);
	ck_assert_uint_eq(r.misc & PERF_RECORD_MISC_MMAP_BUILD_ID, 0);
	ck_assert_uint_eq(r.mmap.inode, 4711);
	ck_assert_uint_eq(r.mmap.build_id.len, 8);
	ck_assert(r.mmap.build_id.is_sum);
	ck_assert_mem_eq(r.mmap.build_id.bytes, "a check\x80", 8);
}

static void expect_everything(struct reader *reader)
{
	struct utsname machine;
	const char *key;
	uint64_t count;
	struct record r;
	struct err e;

	expect_notes(reader);
	expect_calls(reader);
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.type, PERF_RECORD_COMM);
	ck_assert_uint_eq(r.pid, SERVER);
	ck_assert_uint_eq(r.time, 0);
	ck_assert_str_eq(r.comm.name, "server");
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.type, PERF_RECORD_FORK);
	ck_assert_uint_eq(r.tid, CHILD);
	ck_assert_uint_eq(r.task.ppid, SERVER);
	expect_mmaps(reader);
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.type, PERF_RECORD_SAMPLE);
	ck_assert_uint_eq(r.time, 5000);
	ck_assert_uint_eq(r.sample.ip, 0x400100);
	ck_assert_uint_eq(r.sample.chain.nr, 2);
	ck_assert_ptr_eq(r.event, reader_event(reader, 0));
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.type, PERF_RECORD_SAMPLE);
	ck_assert_uint_eq(r.pid, SERVER);
	ck_assert_uint_eq(r.tid, CHILD);
	ck_assert_uint_eq(r.time, 6000);
	ck_assert_ptr_eq(r.event, reader_event(reader, 1));
	ck_assert_uint_ge(r.sample.raw_len, 6);
	ck_assert_mem_eq(r.sample.raw, "marks!", 6);
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.type, PERF_RECORD_FINISHED_ROUND);
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.note.kind, NOTE_TALLY);
	ck_assert(note_next_tally(&r.note.payload, &key, &count));
	ck_assert_str_eq(key, "lost");
	ck_assert_uint_eq(count, 3);
	ck_assert_int_eq(reader_next(reader, &r, &e), 1);
	ck_assert_uint_eq(r.type, PERF_RECORD_LOST);
	ck_assert_uint_eq(r.lost.nr, 3);
	ck_assert_int_eq(reader_next(reader, &r, &e), 0);
	ck_assert(!reader_is_truncated(reader));
	ck_assert_uint_eq(reader_nr_events(reader), 2);
	ck_assert_str_eq(reader_event(reader, 0)->name, "cpu-clock");
	ck_assert_str_eq(reader_event(reader, 1)->name, "wperf:mark");
	ck_assert_str_eq(reader_cmdline(reader), "record -p 17");
	ck_assert_int_eq(uname(&machine), 0);
	ck_assert_str_eq(reader_hostname(reader), machine.nodename);
	ck_assert_str_eq(reader_os_release(reader), machine.release);
	ck_assert_str_eq(reader_arch(reader), machine.machine);
}

/* The file form at path. */
static void write_file(const char *path)
{
	struct writing x;

	setup(&x);
	ck_assert_int_eq(writer_open(path, &x.config, &x.w, &x.e), 0);
	write_everything(&x);
	ck_assert_int_eq(writer_finish(x.w, &x.e), 0);
	release(&x);
}

/* What fill() writes, in the pipe form, to path: a child whose stdout it is. */
static void write_pipe(const char *path, void (*fill)(struct writing *x))
{
	pid_t pid = fork();
	struct writing x;

	if (!pid) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		setup(&x);
		if (dup2(fd, STDOUT_FILENO) < 0 || writer_open("-", &x.config, &x.w, &x.e))
			_exit(1);
		fill(&x);
		_exit(writer_finish(x.w, &x.e) ? 2 : 0);
	}
	ck_assert_int_eq(harness_wait(pid), 0);
}

START_TEST(reader_reads_what_is_written)
{
	const char *path = harness_path("out.data");
	struct reader *reader;
	struct err e;

	if (_i)
		write_pipe(path, write_everything);
	else
		write_file(path);
	ck_assert_int_eq(reader_open(path, &reader, &e), 0);
	expect_everything(reader);
	reader_free(reader);
}
END_TEST

START_TEST(bytes_are_counted)
{
	const char *path = harness_path("out.data");
	struct writing x;
	struct stat st;

	setup(&x);
	ck_assert_int_eq(writer_open(path, &x.config, &x.w, &x.e), 0);
	write_everything(&x);
	writer_flush(x.w);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(writer_nr_bytes(x.w), st.st_size);
	ck_assert_int_eq(st.st_mode & 077, 0);
	release(&x);
}
END_TEST

/* Before its errors are told: they may show only then. */
START_TEST(finished_file_is_closed)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct writing x;

	setup(&x);
	close(fd);
	ck_assert_int_eq(writer_open(harness_path("out.data"), &x.config, &x.w, &x.e), 0);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(writer_finish(x.w, &x.e), 0);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
	release(&x);
}
END_TEST

/* Nothing was finished: what had been written is there. */
START_TEST(file_without_an_end_is_readable)
{
	const char *path = harness_path("out.data");
	unsigned int nr = 0;
	struct reader *reader;
	struct writing x;
	struct record r;

	setup(&x);
	ck_assert_int_eq(writer_open(path, &x.config, &x.w, &x.e), 0);
	write_everything(&x);
	writer_flush(x.w);
	release(&x);
	ck_assert_int_eq(reader_open(path, &reader, &x.e), 0);
	while (reader_next(reader, &r, &x.e) > 0)
		nr++;
	ck_assert_uint_eq(nr, 17);
	ck_assert(reader_is_truncated(reader));
	reader_free(reader);
}
END_TEST

/* Sizes around that of a chunk, and paths as long as they get. */
static const struct {
	uint64_t size;
	size_t path_len;
} files[] = {
	{ 0, 10 },
	{ 1, 10 },
	{ 56 * 1024 - 1, 10 },
	{ 56 * 1024, 10 },
	{ 56 * 1024 + 1, 10 },
	{ 65528, 10 },
	{ 65536, 10 },
	{ 200000, 10 },
	{ 200000, 4095 },
	{ 200000, 5000 },
};

START_TEST(files_of_any_size_come_in_chunks)
{
	const char *out = harness_path("out.data");
	uint8_t *bytes = xmalloc(files[_i].size + 1);
	char *path = xmalloc(files[_i].path_len + 1);
	struct note_file file = { .kind = FILE_ELF,
				  .id = 7,
				  .size = files[_i].size,
				  .path = path,
				  .build_id = { .len = 20, .bytes = "0123456789abcdefghi" } },
			 got;
	struct reader *reader;
	struct writing x;
	struct record r;
	uint64_t i, at = 0;

	for (i = 0; i < file.size; i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	memset(path, 'p', files[_i].path_len);
	path[files[_i].path_len] = '\0';
	setup(&x);
	ck_assert_int_eq(writer_open(out, &x.config, &x.w, &x.e), 0);
	writer_note_file(x.w, &file, bytes);
	ck_assert_int_eq(writer_finish(x.w, &x.e), 0);
	release(&x);
	ck_assert_int_eq(reader_open(out, &reader, &x.e), 0);
	while (reader_next(reader, &r, &x.e) > 0) {
		ck_assert(note_parse_file(r.note.payload, &got));
		ck_assert_uint_eq(got.id, 7);
		ck_assert_uint_eq(got.size, file.size);
		ck_assert_uint_eq(got.off, at);
		ck_assert_uint_eq(strlen(got.path),
				  files[_i].path_len < 4096 ? files[_i].path_len : 4096);
		ck_assert_mem_eq(got.chunk, bytes + at, got.chunk_len);
		at += got.chunk_len;
	}
	ck_assert_int_eq(x.e.code, 0);
	ck_assert_uint_eq(at, file.size);
	reader_free(reader);
	free(bytes);
	free(path);
}
END_TEST

/* ---- no room ---- */

static const struct {
	const char *path;	/* one that is not absolute is in the test's own directory */
	int want;
	const char *want_why;
} unwritables[] = {
	{ "/dev/full", -ENOSPC, "/dev/full: No space left" },
	{ "none/out.data", -ENOENT, "none/out.data: No such file" },
};

START_TEST(what_cannot_be_written_is_told_at_once)
{
	const char *path = unwritables[_i].path;
	struct writing x;

	setup(&x);
	if (*path != '/')
		path = harness_path(path);
	ck_assert_int_eq(writer_open(path, &x.config, &x.w, &x.e), unwritables[_i].want);
	ck_assert_ptr_nonnull(strstr(x.e.what, unwritables[_i].want_why));
	ck_assert_ptr_null(x.w);
	release(&x);
}
END_TEST

/*
 * Writes until there is no room; then the recording has whole records, in order, and some of them.
 */
static void fill(const char *path, int want_error)
{
	enum { NR = 20000 };
	struct reader *reader;
	struct writing x;
	struct record r;
	uint64_t i, nr = 0;

	setup(&x);
	ck_assert_int_eq(writer_open(path, &x.config, &x.w, &x.e), 0);
	for (i = 0; i < NR; i++) {
		append_sample(&x, SERVER, i + 1, 0x400100);
		if (i % 100 == 0)
			writer_comm(x.w, SERVER, SERVER, "again");
	}
	ck_assert_int_eq(writer_error(x.w, &x.e), want_error);
	ck_assert_int_eq(writer_finish(x.w, &x.e), want_error);
	ck_assert_ptr_nonnull(strstr(x.e.what, path));
	release(&x);
	ck_assert_int_eq(reader_open(path, &reader, &x.e), 0);
	x.e.code = 0;
	while (reader_next(reader, &r, &x.e) > 0)
		if (r.type == PERF_RECORD_SAMPLE)
			ck_assert_uint_eq(r.time, ++nr);
	ck_assert_int_eq(x.e.code, 0);
	ck_assert_uint_gt(nr, 100);
	ck_assert_uint_lt(nr, NR);
	/* What was written of the record that found no room has been taken back. */
	ck_assert(!reader_is_truncated(reader));
	reader_free(reader);
}

static const rlim_t limits[] = { 65536, 65537, 100000, 1 << 20 };

START_TEST(file_size_limit_leaves_whole_records)
{
	const struct rlimit limit = { limits[_i], limits[_i] };

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fill(harness_path("out.data"), -EFBIG);
}
END_TEST

/*
 * False: mounts are not allowed here. In a mount namespace of its own, which goes with the process.
 */
static bool mount_tiny(const char *path)
{
	return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("tmpfs", path, "tmpfs", 0, "size=256k");
}

static bool can_mount(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(mount_tiny("/tmp") ? 0 : 1);
	return harness_wait(pid) == 0;
}

START_TEST(full_disk_leaves_whole_records)
{
	const char *path = harness_path("disk/out.data");

	ck_assert_int_eq(mkdir(harness_path("disk"), 0700), 0);
	ck_assert(mount_tiny(harness_path("disk")));
	fill(path, -ENOSPC);
	umount(harness_path("disk"));
}
END_TEST

static bool always(void *self)
{
	*(bool *)self = true;
	return true;
}

/* How long a reader that does not read is waited for, the sink knows from the writer's config. */
START_TEST(config_says_when_to_stop_waiting)
{
	bool was_asked = false;
	struct writing x;
	int ends[2], i;

	ck_assert_int_eq(pipe(ends), 0);
	fflush(stdout);
	ck_assert_int_eq(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	close(ends[1]);
	setup(&x);
	x.config.is_stopping = always;
	x.config.self = &was_asked;
	x.config.wake_fd = -1;
	ck_assert_int_eq(writer_open("-", &x.config, &x.w, &x.e), 0);
	for (i = 0; i < 20000 && !writer_error(x.w, &x.e); i++)
		append_sample(&x, SERVER, 1, 0x400100);
	ck_assert(was_asked);
	ck_assert_int_eq(writer_finish(x.w, &x.e), -ETIMEDOUT);
	close(ends[0]);
	release(&x);
}
END_TEST

/* ---- what perf reads ---- */

__attribute__((noinline)) void check_writer_sampled_function(void);
void check_writer_sampled_function(void)
{
	__asm__ volatile("");
}

/* A process that ran this program, sampled in a function of it. */
static void write_for_perf(struct writing *x)
{
	struct maps maps = { 0 };
	const struct maps_entry *entry;
	struct writer_mmap m;
	struct err ignored;
	uint64_t i;

	if (maps_read(&maps, getpid(), &ignored))
		return;
	entry = maps_find(&maps, (uintptr_t)check_writer_sampled_function);
	m = (struct writer_mmap){ .pid = SERVER,
				  .tid = SERVER,
				  .start = entry->start,
				  .len = entry->end - entry->start,
				  .off = entry->off,
				  .prot = PROT_READ | PROT_EXEC,
				  .flags = MAP_PRIVATE,
				  .path = entry->path };
	build_id_of_path(entry->path, &m.build_id);
	write_without_losses(x);
	snapshot_kernel(x->w);
	writer_comm(x->w, SERVER, SERVER, "sampled");
	writer_mmap(x->w, &m);
	for (i = 0; i < 5; i++)
		append_sample(x, SERVER, 1000000 * (6 + i),
			      (uintptr_t)check_writer_sampled_function);
	writer_finished_round(x->w);
	writer_flush(x->w);
	maps_release(&maps);
}

static const char *perf_input(bool is_pipe)
{
	const char *path = harness_path("out.data");
	struct writing x;

	if (is_pipe) {
		write_pipe(path, write_for_perf);
		return path;
	}
	setup(&x);
	ck_assert_int_eq(writer_open(path, &x.config, &x.w, &x.e), 0);
	write_for_perf(&x);
	ck_assert_int_eq(writer_finish(x.w, &x.e), 0);
	release(&x);
	return path;
}

/* perf's output, after it said nothing on stderr. */
static void run_perf(struct run *r, const char *command, bool is_pipe)
{
	const char *path = perf_input(is_pipe);

	if (is_pipe)
		run_shell(r, "cat '%s' | perf %s -i -", path, command);
	else
		run_shell(r, "perf %s -i '%s'", command, path);
	ck_assert_exit(r, 0);
	ck_assert_str_eq(str_cstr(&r->err), "");
}

START_TEST(perf_script_shows_the_samples)
{
	const char *p;
	struct run r = { 0 };
	unsigned int nr = 0;

	run_perf(&r, "script -F comm,pid,tid,time,event,ip,sym", _i == 1);
	for (p = str_cstr(&r.out); (p = strstr(p, "check_writer_sampled_function")); p++)
		nr++;
	ck_assert_msg(nr == 5, "%u samples of the function in: %s", nr, str_cstr(&r.out));
	ck_assert_has(&r.out, "sampled");
	ck_assert_has(&r.out, "4194321/4194321");
	ck_assert_has(&r.out, "cpu-clock");
	ck_assert_has(&r.out, "0.006000");
	run_release(&r);
}
END_TEST

START_TEST(perf_report_counts_the_samples)
{
	struct run r = { 0 };

	run_perf(&r, "report --stdio --no-children -g none", _i == 1);
	ck_assert_has(&r.out, "check_writer_sampled_function");
	ck_assert_has(&r.out, "Samples: 6");
	ck_assert_has(&r.out, "cpu-clock");
	run_release(&r);
}
END_TEST

START_TEST(perf_knows_where_it_was_recorded)
{
	struct utsname machine;
	struct run r = { 0 };

	ck_assert_int_eq(uname(&machine), 0);
	run_perf(&r, "report --header-only", false);
	ck_assert_has(&r.out, machine.nodename);
	ck_assert_has(&r.out, machine.release);
	ck_assert_has(&r.out, "record -p 17");
	ck_assert_has(&r.out, "wperf:mark");
	ck_assert_has(&r.out, "clockid: monotonic");
	run_release(&r);
}
END_TEST

static TCase *perf_tcase(void)
{
	TCase *tc = tcase_create("perf reads it");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, perf_script_shows_the_samples, 0, 2);
	tcase_add_loop_test(tc, perf_report_counts_the_samples, 0, 2);
	tcase_add_test(tc, perf_knows_where_it_was_recorded);
	return tc;
}

Suite *check_writer_suite(void)
{
	Suite *s = suite_create("writer");
	TCase *tc = tcase_create("writer"), *full = tcase_create("no room"), *mounts;

	tcase_add_loop_test(tc, reader_reads_what_is_written, 0, 2);
	tcase_add_test(tc, bytes_are_counted);
	tcase_add_test(tc, finished_file_is_closed);
	tcase_add_test(tc, file_without_an_end_is_readable);
	tcase_add_loop_test(tc, files_of_any_size_come_in_chunks, 0, ARRAY_LEN(files));
	suite_add_tcase(s, tc);
	tcase_set_timeout(full, 20);
	tcase_add_loop_test(full, what_cannot_be_written_is_told_at_once, 0,
			    ARRAY_LEN(unwritables));
	tcase_add_loop_test(full, file_size_limit_leaves_whole_records, 0, ARRAY_LEN(limits));
	tcase_add_test(full, config_says_when_to_stop_waiting);
	suite_add_tcase(s, full);
	if (can_mount()) {
		mounts = tcase_create("full disk");
		tcase_add_test(mounts, full_disk_leaves_whole_records);
		suite_add_tcase(s, mounts);
	} else {
		harness_omit(s, "full disk", "mount(2) of a tmpfs is not allowed");
	}
	if (harness_can_or_omit(s, "perf reads it", CAN_PERF))
		suite_add_tcase(s, perf_tcase());
	return s;
}
