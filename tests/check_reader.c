/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "recording/note.h"
#include "recording/reader.h"
#include "tests/harness.h"
#include "tests/sketch.h"

Suite *check_reader_suite(void);

/* What sketch_everything() holds, in order; the pipe form's own records do not come out. */
static const struct {
	uint32_t type, pid;
	uint64_t time;
} everything[] = {
	{ PERF_RECORD_EVENT_UPDATE, UINT32_MAX, 0 },
	{ PERF_RECORD_EVENT_UPDATE, UINT32_MAX, 0 },
	{ PERF_RECORD_COMM, 17, 100 },
	{ PERF_RECORD_MMAP2, 17, 100 },
	{ PERF_RECORD_COMM, 18, 110 },
	{ PERF_RECORD_MMAP2, 18, 110 },
	{ PERF_RECORD_SAMPLE, 17, 200 },
	{ PERF_RECORD_SAMPLE, 17, 210 },
	{ PERF_RECORD_SAMPLE, 18, 205 },
	{ PERF_RECORD_SAMPLE, 17, 220 },
	{ PERF_RECORD_LOST, 17, 230 },
	{ PERF_RECORD_EXIT, 18, 240 },
	{ PERF_RECORD_FINISHED_ROUND, UINT32_MAX, 0 },
};

/* The recording in memory that ends where it does, so that a byte too far is seen. */
struct opened {
	struct reader *reader;
	uint8_t *copy;
	struct record r;
	struct err e;
};

static int open_copy(struct opened *o, const struct sketch *s, size_t len)
{
	*o = (struct opened){ 0 };
	o->copy = xmemdup(s->bytes.s, len);
	return reader_open_bytes(o->copy, len, &o->reader, &o->e);
}

static int next(struct opened *o)
{
	return reader_next(o->reader, &o->r, &o->e);
}

static void release(struct opened *o)
{
	reader_free(o->reader);
	free(o->copy);
}

static void expect_everything(struct reader *reader)
{
	struct record r;
	struct err e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(everything); i++) {
		ck_assert_int_eq(reader_next(reader, &r, &e), 1);
		ck_assert_uint_eq(r.type, everything[i].type);
		ck_assert_uint_eq(r.pid, everything[i].pid);
		ck_assert_uint_eq(r.time, everything[i].time);
	}
	ck_assert_int_eq(reader_next(reader, &r, &e), 0);
	ck_assert(!reader_is_truncated(reader));
	ck_assert_uint_eq(reader_nr_unknown(reader), 0);
	ck_assert_uint_eq(reader_nr_events(reader), 2);
	ck_assert_str_eq(reader_event(reader, 0)->name, "cpu-clock");
	ck_assert(reader_event(reader, 0)->is_clock);
	ck_assert(reader_event(reader, 1)->is_bpf_output);
}

/* ---- the two forms, from everywhere ---- */

START_TEST(memory_is_read)
{
	struct sketch s = { 0 };
	struct opened o;

	sketch_everything(&s, _i == 1);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	expect_everything(o.reader);
	if (!_i)
		ck_assert_str_eq(reader_hostname(o.reader), "example");
	ck_assert_ptr_null(reader_arch(o.reader));
	release(&o);
	sketch_release(&s);
}
END_TEST

START_TEST(file_is_read)
{
	struct sketch s = { 0 };
	struct reader *reader;
	struct err e;
	const char *path;

	sketch_everything(&s, _i == 1);
	path = harness_file("in.data", s.bytes.s, s.bytes.len);
	ck_assert_int_eq(reader_open(path, &reader, &e), 0);
	expect_everything(reader);
	reader_free(reader);
	sketch_release(&s);
}
END_TEST

/* A child that writes the bytes into fd, a few at a time, and ends. */
static pid_t write_slowly(int fd, const char *bytes, size_t len, size_t piece)
{
	pid_t pid = fork();
	size_t at = 0;

	if (pid)
		return pid;
	while (at < len) {
		size_t n = len - at < piece ? len - at : piece;

		if (write(fd, bytes + at, n) != (ssize_t)n)
			_exit(1);
		at += n;
	}
	_exit(0);
}

static const size_t pieces[] = { 1, 7, 4096 };

START_TEST(stdin_is_read)
{
	struct sketch s = { 0 };
	struct reader *reader;
	struct err e;
	int ends[2];
	pid_t pid;

	sketch_everything(&s, true);
	ck_assert_int_eq(pipe(ends), 0);
	pid = write_slowly(ends[1], s.bytes.s, s.bytes.len, pieces[_i]);
	close(ends[1]);
	ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	ck_assert_int_eq(reader_open("-", &reader, &e), 0);
	expect_everything(reader);
	reader_free(reader);
	ck_assert_int_eq(harness_wait(pid), 0);
	sketch_release(&s);
}
END_TEST

START_TEST(fifo_is_read)
{
	const char *path = harness_path("fifo");
	struct sketch s = { 0 };
	struct reader *reader;
	struct err e;
	pid_t pid;

	sketch_everything(&s, true);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	pid = fork();
	if (!pid) {
		int fd = open(path, O_WRONLY);

		_exit(harness_wait(write_slowly(fd, s.bytes.s, s.bytes.len, 64)));
	}
	ck_assert_int_eq(reader_open(path, &reader, &e), 0);
	expect_everything(reader);
	reader_free(reader);
	ck_assert_int_eq(harness_wait(pid), 0);
	sketch_release(&s);
}
END_TEST

/* Who waits for other things, too, may have set stdin so: there is more to come all the same. */
START_TEST(stdin_that_does_not_wait_is_waited_for)
{
	struct sketch s = { 0 };
	struct reader *reader;
	struct err e;
	int ends[2];
	pid_t pid;

	sketch_everything(&s, true);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	pid = write_slowly(ends[1], s.bytes.s, s.bytes.len, 64);
	close(ends[1]);
	ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	ck_assert_int_eq(reader_open("-", &reader, &e), 0);
	expect_everything(reader);
	reader_free(reader);
	ck_assert_int_eq(harness_wait(pid), 0);
	sketch_release(&s);
}
END_TEST

/* What came before it is read; it is no recording that was cut short. */
START_TEST(read_that_fails_is_no_end)
{
	struct sketch s = { 0 };
	struct reader *reader;
	struct record r;
	struct err e;
	int nr = 0, more;

	sketch_everything(&s, true);
	ck_assert_int_eq(reader_open_pipe(harness_reset_socket(s.bytes.s, s.bytes.len - 4), "in", &reader, &e), 0);
	while ((more = reader_next(reader, &r, &e)) > 0)
		nr++;
	ck_assert_int_eq(more, -ECONNRESET);
	ck_assert_int_eq(reader_error(reader), -ECONNRESET);
	ck_assert(strstr(e.what, "cannot be read from offset"));
	ck_assert_int_eq(nr, ARRAY_LEN(everything) - 1);
	ck_assert(!reader_is_truncated(reader));
	reader_free(reader);

	ck_assert_int_eq(reader_open_pipe(harness_reset_socket("PERF", 4), "in", &reader, &e), -ECONNRESET);
	ck_assert_str_eq(e.what, "in: cannot be read from offset 4 on: Connection reset by peer");
	sketch_release(&s);
}
END_TEST

static void add_comm(struct sketch *s, uint32_t pid, uint64_t time)
{
	sketch_begin(s, PERF_RECORD_COMM, 0);
	sketch_u32(s, pid);
	sketch_u32(s, pid);
	sketch_str(s, "a name");
	sketch_id(s, pid, pid, time, 0, SKETCH_ID(0));
	sketch_end(s);
}

/*
 * Longer than what the reader reads at once, several times: what was asked to stay is there, and
 * what was given back is not missed.
 */
START_TEST(long_stream_is_read_with_a_window)
{
	enum { NR = 60000, WINDOW = 100 };
	struct perf_event_attr attr = sketch_attr();
	uint64_t window[WINDOW];
	struct sketch s = { 0 };
	struct reader *reader;
	struct record r;
	struct err e;
	int ends[2];
	uint32_t i;
	pid_t pid;

	sketch_pipe(&s, &attr, 1);
	for (i = 0; i < NR; i++)
		add_comm(&s, i, i + 1);
	ck_assert_int_eq(pipe(ends), 0);
	pid = write_slowly(ends[1], s.bytes.s, s.bytes.len, 50000);
	close(ends[1]);
	ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	ck_assert_int_eq(reader_open("-", &reader, &e), 0);
	for (i = 0; i < NR; i++) {
		if (reader_next(reader, &r, &e) != 1 || r.pid != i)
			ck_abort_msg("record %u", i);
		window[i % WINDOW] = r.pos;
		if (i < WINDOW)
			continue;
		reader_at(reader, window[(i + 1) % WINDOW], &r);
		if (r.pid != i + 1 - WINDOW || r.time != i + 2 - WINDOW ||
		    strcmp(r.comm.name, "a name"))
			ck_abort_msg("record %u is gone at %u", i + 1 - WINDOW, i);
		reader_discard(reader, window[(i + 1) % WINDOW]);
	}
	ck_assert_int_eq(reader_next(reader, &r, &e), 0);
	reader_free(reader);
	ck_assert_int_eq(harness_wait(pid), 0);
	sketch_release(&s);
}
END_TEST

/* A file gives memory back too, and the record that it was given back up to is still there. */
START_TEST(discarded_part_of_a_file_changes_nothing_ahead)
{
	struct perf_event_attr attr = sketch_attr();
	struct sketch s = { 0 };
	struct reader *reader;
	struct record r;
	struct err e;
	uint32_t i, nr = 160000;

	sketch_file(&s, &attr, 1);
	for (i = 0; i < nr; i++)
		add_comm(&s, i, i + 1);
	sketch_finish(&s, NULL, 0);
	ck_assert_int_eq(reader_open(harness_file("in.data", s.bytes.s, s.bytes.len), &reader, &e),
			 0);
	for (i = 0; i < nr; i++) {
		if (reader_next(reader, &r, &e) != 1 || r.pid != i)
			ck_abort_msg("record %u", i);
		reader_discard(reader, r.pos);
		reader_at(reader, r.pos, &r);
		if (r.pid != i)
			ck_abort_msg("record %u after discard", i);
	}
	ck_assert_int_eq(reader_next(reader, &r, &e), 0);
	reader_free(reader);
	sketch_release(&s);
}
END_TEST

/* More than the reader would copy: 80 MB between two records, and nothing is given back before that. */
START_TEST(file_of_which_nothing_is_discarded_is_mapped)
{
	enum { NR = 1000, BETWEEN = 80 << 20 };
	struct perf_event_attr attr = sketch_attr();
	char *between = xcalloc(1, BETWEEN);
	struct sketch s = { 0 };
	struct reader *reader;
	uint64_t at[NR];
	struct record r;
	struct err e;
	uint32_t i;

	sketch_file(&s, &attr, 1);
	for (i = 0; i < NR; i++) {
		add_comm(&s, i, i + 1);
		if (i != NR / 2)
			continue;
		sketch_begin(&s, PERF_RECORD_AUXTRACE, 0);
		sketch_u64(&s, BETWEEN);
		sketch_add(&s, "offset, reference and so on.....", 32);
		sketch_end(&s);
		sketch_add(&s, between, BETWEEN);
	}
	sketch_finish(&s, NULL, 0);
	ck_assert_int_eq(reader_open(harness_file("in.data", s.bytes.s, s.bytes.len), &reader, &e), 0);
	for (i = 0; i < NR; i++) {
		do
			ck_assert_int_eq(reader_next(reader, &r, &e), 1);
		while (r.type == PERF_RECORD_AUXTRACE);
		at[i] = r.pos;
	}
	for (i = 0; i < NR; i++) {
		reader_at(reader, at[i], &r);
		ck_assert_uint_eq(r.pid, i);
		reader_discard(reader, at[i]);
	}
	ck_assert_int_eq(reader_next(reader, &r, &e), 0);
	ck_assert(!reader_is_truncated(reader));
	reader_free(reader);
	sketch_release(&s);
	free(between);
}
END_TEST

/* ---- cut short ---- */

/* Where records of the whole recording begin. */
static size_t positions(const struct sketch *s, uint64_t *ret_at, size_t room, uint64_t *ret_end)
{
	struct opened o;
	size_t nr = 0;

	ck_assert_int_eq(open_copy(&o, s, s->bytes.len), 0);
	while (next(&o) > 0) {
		ck_assert_uint_lt(nr, room);
		ret_at[nr++] = o.r.pos;
		*ret_end = o.r.pos + o.r.size;
	}
	release(&o);
	return nr;
}

/* Every length: a prefix of the records, no more, and it is said that something is missing. */
static void cut_everywhere(const struct sketch *s, bool is_pipe)
{
	uint64_t at[ARRAY_LEN(everything)], data_end = 0;
	size_t nr = positions(s, at, ARRAY_LEN(at), &data_end), len;
	bool has_opened = false;

	ck_assert_uint_eq(nr, ARRAY_LEN(everything));
	for (len = 0; len < s->bytes.len; len++) {
		size_t want = 0, got = 0;
		struct opened o;
		int more;

		if (open_copy(&o, s, len)) {
			ck_assert_msg(!has_opened && o.e.code < 0 && o.e.what[0], "length %zu",
				      len);
			release(&o);
			continue;
		}
		has_opened = true;
		while (want < nr && (want + 1 < nr ? at[want + 1] : data_end) <= len)
			want++;
		while ((more = next(&o)) > 0) {
			ck_assert_msg(got < want && o.r.pos == at[got] &&
					      o.r.type == everything[got].type,
				      "length %zu, record %zu", len, got);
			got++;
		}
		ck_assert_msg(more == 0, "length %zu: %s", len, o.e.what);
		ck_assert_msg(got == want, "length %zu: %zu records, not %zu", len, got, want);
		/* A pipe that ends between two records may well be whole. */
		if (!is_pipe)
			ck_assert_msg(reader_is_truncated(o.reader), "length %zu", len);
		else if (want < nr && len > at[want])
			ck_assert_msg(reader_is_truncated(o.reader), "length %zu", len);
		release(&o);
	}
	ck_assert(has_opened);
}

START_TEST(cut_at_every_byte)
{
	struct sketch s = { 0 };

	sketch_everything(&s, _i == 1);
	cut_everywhere(&s, _i == 1);
	sketch_release(&s);
}
END_TEST

/* The writer was killed: the length was never filled in. */
START_TEST(unfinished_file_is_read_to_its_end)
{
	struct perf_event_attr attr = sketch_attr();
	struct sketch s = { 0 };
	struct opened o;
	unsigned int nr = 0;

	sketch_file(&s, &attr, 1);
	add_comm(&s, 1, 1);
	add_comm(&s, 2, 2);
	if (_i)
		sketch_add(&s, "\3\0\0\0\0\0\x30\0half a record", 20);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	while (next(&o) > 0)
		nr++;
	ck_assert_uint_eq(nr, 2);
	ck_assert(reader_is_truncated(o.reader));
	release(&o);
	sketch_release(&s);
}
END_TEST

/* A crash may leave zeros behind the last record that was written. */
START_TEST(hole_at_the_end_is_the_end)
{
	static const char hole[4096];
	struct perf_event_attr attr = sketch_attr();
	struct sketch s = { 0 };
	struct opened o;
	unsigned int nr = 0;

	sketch_file(&s, &attr, 1);
	add_comm(&s, 1, 1);
	sketch_add(&s, hole, (size_t)_i);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	while (next(&o) > 0)
		nr++;
	ck_assert_int_eq(o.e.code, 0);
	ck_assert_uint_eq(nr, 1);
	ck_assert(reader_is_truncated(o.reader));
	release(&o);
	sketch_release(&s);
}
END_TEST

/* ---- wrong bytes ---- */

static void put_u16(struct sketch *s, size_t at, uint16_t v)
{
	memcpy(s->bytes.s + at, &v, sizeof(v));
}

static void put_u64(struct sketch *s, size_t at, uint64_t v)
{
	memcpy(s->bytes.s + at, &v, sizeof(v));
}

/* The second of three records gets this size. */
static const struct {
	uint16_t size;
	int want; /* what reader_next() returns for it */
} record_sizes[] = {
	{ 0, -EINVAL },	 { 1, -EINVAL },
	{ 7, -EINVAL },	 { 8, -EINVAL }, /* too short for what it holds */
	{ 32, -EINVAL }, { 65535, 0 },	 /* goes past the end */
};

START_TEST(impossible_sizes_are_told_with_their_offset)
{
	struct perf_event_attr attr = sketch_attr();
	char where[64];
	struct sketch s = { 0 };
	struct opened o;
	size_t at;

	sketch_file(&s, &attr, 1);
	add_comm(&s, 1, 1);
	at = s.bytes.len;
	add_comm(&s, 2, 2);
	add_comm(&s, 3, 3);
	sketch_finish(&s, NULL, 0);
	put_u16(&s, at + 6, record_sizes[_i].size);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	ck_assert_int_eq(next(&o), 1);
	ck_assert_int_eq(next(&o), record_sizes[_i].want);
	if (record_sizes[_i].want) {
		snprintf(where, sizeof(where), "offset %zu", at);
		ck_assert_msg(strstr(o.e.what, where) != NULL, "%s", o.e.what);
		/* Asked again, it says the same. */
		ck_assert_int_eq(next(&o), record_sizes[_i].want);
	} else {
		ck_assert(reader_is_truncated(o.reader));
	}
	release(&o);
	sketch_release(&s);
}
END_TEST

static const uint32_t unknown_types[] = { 0, 33, 63, 100, 0x7fffffff, UINT32_MAX };

/* A body too short for the sample id that known records carry must not matter. */
START_TEST(unknown_types_are_skipped_and_counted)
{
	struct perf_event_attr attr = sketch_attr();
	struct sketch s = { 0 };
	struct opened o;

	sketch_file(&s, &attr, 1);
	add_comm(&s, 1, 1);
	sketch_begin(&s, unknown_types[_i], 0);
	sketch_end(&s);
	sketch_begin(&s, unknown_types[_i], 0);
	sketch_add(&s, "some bytes of some kind that is not known", 42);
	sketch_end(&s);
	add_comm(&s, 2, 2);
	sketch_finish(&s, NULL, 0);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	ck_assert_int_eq(next(&o), 1);
	ck_assert_int_eq(next(&o), 1);
	ck_assert_uint_eq(o.r.pid, 2);
	ck_assert_int_eq(next(&o), 0);
	ck_assert_uint_eq(reader_nr_unknown(o.reader), 2);
	release(&o);
	sketch_release(&s);
}
END_TEST

START_TEST(compressed_is_refused_by_name)
{
	struct perf_event_attr attr = sketch_attr();
	struct sketch s = { 0 };
	struct opened o;

	sketch_file(&s, &attr, 1);
	sketch_begin(&s, _i ? PERF_RECORD_COMPRESSED2 : PERF_RECORD_COMPRESSED, 0);
	sketch_add(&s, "\x28\xb5\x2f\xfd", 4);
	sketch_end(&s);
	sketch_finish(&s, NULL, 0);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	ck_assert_int_eq(next(&o), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(o.e.what, "compressed"));
	release(&o);
	sketch_release(&s);
}
END_TEST

/* AUXTRACE and TRACING_DATA bring bytes that their size does not count. */
static const struct {
	uint32_t type;
	bool is_long; /* the length is a u64 */
	uint64_t len;
	size_t there; /* bytes that really follow */
	bool is_cut;
} followed[] = {
	{ PERF_RECORD_AUXTRACE, true, 0, 0, false },
	{ PERF_RECORD_AUXTRACE, true, 1000, 1000, false },
	{ PERF_RECORD_AUXTRACE, true, 1 << 20, 1000, true },
	{ PERF_RECORD_AUXTRACE, true, UINT64_MAX, 1000, true },
	{ PERF_RECORD_AUXTRACE, true, UINT64_MAX - 200, 1000, true },
	{ PERF_RECORD_HEADER_TRACING_DATA, false, 16, 16, false },
	{ PERF_RECORD_HEADER_TRACING_DATA, false, 13, 16, false },
	{ PERF_RECORD_HEADER_TRACING_DATA, false, UINT32_MAX, 16, true },
};

START_TEST(bytes_behind_a_record_are_skipped)
{
	struct perf_event_attr attr = sketch_attr();
	struct sketch s = { 0 };
	struct opened o;
	size_t i;

	sketch_file(&s, &attr, 1);
	sketch_begin(&s, followed[_i].type, 0);
	if (followed[_i].is_long)
		sketch_u64(&s, followed[_i].len);
	else
		sketch_u32(&s, (uint32_t)followed[_i].len);
	sketch_add(&s, "offset, reference and so on.....", 32);
	sketch_end(&s);
	for (i = 0; i < followed[_i].there; i++)
		sketch_u8(&s, 0xff);
	add_comm(&s, 5, 5);
	sketch_finish(&s, NULL, 0);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	if (followed[_i].is_cut) {
		ck_assert_int_eq(next(&o), 0);
		ck_assert(reader_is_truncated(o.reader));
	} else {
		ck_assert_int_eq(next(&o), 1);
		ck_assert_uint_eq(o.r.type, followed[_i].type);
		ck_assert_int_eq(next(&o), 1);
		ck_assert_uint_eq(o.r.pid, 5);
		ck_assert_int_eq(next(&o), 0);
		ck_assert(!reader_is_truncated(o.reader));
	}
	release(&o);
	sketch_release(&s);
}
END_TEST

/* Headers that are no recording of ours. at: which u64 of the file is changed. */
static const struct {
	size_t at;
	uint64_t value;
	int want;
	const char *says;
} headers[] = {
	{ 0, 0x50455246494c4532ULL, -ENOTSUP, "byte order" },
	{ 0, 0x454c4946ULL, -EINVAL, "offset 0" },
	{ 0, 0, -EINVAL, "offset 0" },
	{ 8, 96, -ENOTSUP, "96 bytes" },
	{ 8, 0, -ENOTSUP, "0 bytes" },
	{ 16, 0, -EINVAL, "size" },
	{ 16, 79, -EINVAL, "size" },
	{ 16, UINT64_MAX, -EINVAL, "size" },
	{ 24, UINT64_MAX, -EINVAL, "outside" },
	{ 24, 1 << 20, -EINVAL, "outside" },
	{ 32, 0, -EINVAL, "no event" },
	{ 32, UINT64_MAX, -EINVAL, "outside" },
	{ 40, 0, -EINVAL, "outside" },
	{ 40, 100, -EINVAL, "outside" },
	{ 40, UINT64_MAX, -EINVAL, "outside" },
	{ 40, 1 << 20, -EINVAL, "outside" },
};

START_TEST(impossible_headers_are_refused)
{
	struct sketch s = { 0 };
	struct opened o;

	sketch_everything(&s, false);
	put_u64(&s, headers[_i].at, headers[_i].value);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), headers[_i].want);
	ck_assert_msg(strstr(o.e.what, headers[_i].says) != NULL, "%s", o.e.what);
	release(&o);
	sketch_release(&s);
}
END_TEST

START_TEST(event_ids_outside_of_the_file_are_refused)
{
	struct perf_event_attr attr = sketch_attr();
	struct sketch s = { 0 };
	struct opened o;
	size_t where = sizeof(struct file_header) + 16 + sizeof(attr);

	sketch_file(&s, &attr, 1);
	sketch_finish(&s, NULL, 0);
	put_u64(&s, where + (_i ? 8 : 0), UINT64_MAX - 4);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), -EINVAL);
	ck_assert_ptr_nonnull(strstr(o.e.what, "event ids"));
	release(&o);
	sketch_release(&s);
}
END_TEST

static const uint32_t attr_sizes[] = { PERF_ATTR_SIZE_VER0, PERF_ATTR_SIZE_VER5,
				       sizeof(struct perf_event_attr), 200 };

START_TEST(attributes_of_older_and_newer_perfs_are_read)
{
	struct perf_event_attr attrs[2] = { sketch_attr(), sketch_attr() };
	struct sketch s = { 0 };
	struct opened o;

	attrs[0].size = attrs[1].size = attr_sizes[_i / 2];
	attrs[1].config = PERF_COUNT_SW_TASK_CLOCK;
	if (_i % 2)
		sketch_pipe(&s, attrs, 2);
	else
		sketch_file(&s, attrs, 2);
	add_comm(&s, 1, 11);
	if (_i % 2 == 0)
		sketch_finish(&s, NULL, 0);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	ck_assert_int_eq(next(&o), 1);
	ck_assert_uint_eq(o.r.time, 11);
	ck_assert_uint_eq(reader_nr_events(o.reader), 2);
	ck_assert_str_eq(reader_event(o.reader, 1)->name, "task-clock");
	release(&o);
	sketch_release(&s);
}
END_TEST

/* The pipe form's own records, with less in them than there must be. */
static const struct {
	uint32_t type;
	size_t len;
} described[] = {
	{ PERF_RECORD_HEADER_ATTR, 0 },	     { PERF_RECORD_HEADER_ATTR, 56 },
	{ PERF_RECORD_HEADER_ATTR, 64 },     { PERF_RECORD_HEADER_FEATURE, 0 },
	{ PERF_RECORD_HEADER_FEATURE, 8 },   { PERF_RECORD_HEADER_BUILD_ID, 0 },
	{ PERF_RECORD_HEADER_BUILD_ID, 24 }, { PERF_RECORD_AUXTRACE, 0 },
};

START_TEST(descriptions_that_are_cut_are_corrupt)
{
	struct perf_event_attr attr = sketch_attr();
	struct sketch s = { 0 };
	struct opened o;
	size_t i;

	sketch_pipe(&s, &attr, 1);
	sketch_begin(&s, described[_i].type, 0);
	for (i = 0; i < described[_i].len; i++)
		sketch_u8(&s, i ? 0 : FEATURE_HOSTNAME);
	sketch_end(&s);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	ck_assert_int_eq(next(&o), -EINVAL);
	ck_assert_ptr_nonnull(strstr(o.e.what, "offset"));
	release(&o);
	sketch_release(&s);
}
END_TEST

/* What was given out has to decode the same way again: the events stand before all else. */
START_TEST(late_event_is_corrupt)
{
	struct perf_event_attr attr = sketch_attr();
	struct sketch s = { 0 };
	struct opened o;

	sketch_pipe(&s, &attr, 1);
	add_comm(&s, 1, 1);
	sketch_begin(&s, PERF_RECORD_HEADER_ATTR, 0);
	sketch_add(&s, &attr, sizeof(attr));
	sketch_u64(&s, SKETCH_ID(0));
	sketch_end(&s);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	ck_assert_int_eq(next(&o), 1);
	ck_assert_int_eq(next(&o), -EINVAL);
	ck_assert_uint_eq(reader_nr_events(o.reader), 1);
	release(&o);
	sketch_release(&s);
}
END_TEST

/* ---- what describes the recording ---- */

START_TEST(pipe_form_names_events_and_machine)
{
	struct perf_event_attr attrs[2] = { sketch_attr(), sketch_attr() };
	struct str host = { 0 };
	struct build_id id;
	struct sketch s = { 0 };
	struct opened o;

	sketch_pipe(&s, attrs, 2);
	sketch_begin(&s, PERF_RECORD_EVENT_UPDATE, 0);
	sketch_u64(&s, EVENT_UPDATE_NAME);
	sketch_u64(&s, SKETCH_ID(1) + 1);
	sketch_str(&s, "wperf:mark");
	sketch_end(&s);
	sketch_feature_str(&host, "example");
	sketch_begin(&s, PERF_RECORD_HEADER_FEATURE, 0);
	sketch_u64(&s, FEATURE_HOSTNAME);
	sketch_add(&s, host.s, host.len);
	sketch_end(&s);
	sketch_begin(&s, PERF_RECORD_HEADER_BUILD_ID, 0);
	sketch_u32(&s, UINT32_MAX);
	sketch_add(&s, "0123456789abcdefghij\0\0\0\0", 24);
	sketch_str(&s, "/usr/bin/server");
	sketch_end(&s);
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	ck_assert_int_eq(next(&o), 0);
	ck_assert(!reader_is_truncated(o.reader));
	ck_assert_str_eq(reader_event(o.reader, 0)->name, "cpu-clock");
	ck_assert_str_eq(reader_event(o.reader, 1)->name, "wperf:mark");
	ck_assert_str_eq(reader_hostname(o.reader), "example");
	ck_assert(reader_find_build_id(o.reader, "/usr/bin/server", &id));
	ck_assert_mem_eq(id.bytes, "0123456789abcdefghij", 20);
	release(&o);
	str_release(&host);
	sketch_release(&s);
}
END_TEST

START_TEST(file_form_names_events_and_machine)
{
	struct perf_event_attr attr = sketch_attr();
	struct str text[4] = { 0 }, ids = { 0 };
	struct sketch_feature features[] = {
		{ FEATURE_BUILD_ID, NULL, 0 },	{ FEATURE_HOSTNAME, NULL, 0 },
		{ FEATURE_OSRELEASE, NULL, 0 }, { FEATURE_ARCH, NULL, 0 },
		{ FEATURE_CMDLINE, NULL, 0 },
	};
	struct perf_event_header header = { .size = 8 + 4 + 24 + 16 };
	struct build_id id;
	struct sketch s = { 0 };
	uint32_t pid = UINT32_MAX, nr = 1;
	struct opened o;
	size_t i;

	str_add_bytes(&ids, &header, sizeof(header));
	str_add_bytes(&ids, &pid, sizeof(pid));
	str_add_bytes(&ids, "0123456789abcdefghij\0\0\0\0", 24);
	str_add_bytes(&ids, "/usr/bin/server", 16);
	sketch_feature_str(&text[0], "example");
	sketch_feature_str(&text[1], "6.1.0");
	sketch_feature_str(&text[2], "x86_64");
	str_add_bytes(&text[3], &nr, sizeof(nr));
	sketch_feature_str(&text[3], "perf");
	features[0].bytes = ids.s;
	features[0].len = ids.len;
	for (i = 0; i < 4; i++) {
		features[i + 1].bytes = text[i].s;
		features[i + 1].len = text[i].len;
	}
	sketch_file(&s, &attr, 1);
	sketch_finish(&s, features, ARRAY_LEN(features));
	/* A recording in which nothing was recorded looks like one that was not finished. */
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	release(&o);
	sketch_release(&s);
	sketch_file(&s, &attr, 1);
	add_comm(&s, 1, 1);
	sketch_finish(&s, features, ARRAY_LEN(features));
	ck_assert_int_eq(open_copy(&o, &s, s.bytes.len), 0);
	ck_assert_str_eq(reader_hostname(o.reader), "example");
	ck_assert_str_eq(reader_os_release(o.reader), "6.1.0");
	ck_assert_str_eq(reader_arch(o.reader), "x86_64");
	ck_assert_str_eq(reader_cmdline(o.reader), "perf");
	ck_assert(reader_find_build_id(o.reader, "/usr/bin/server", &id));
	ck_assert_uint_eq(id.len, 20);
	ck_assert_mem_eq(id.bytes, "0123456789abcdefghij", 20);
	ck_assert(!reader_find_build_id(o.reader, "/usr/bin/serve", &id));
	release(&o);
	for (i = 0; i < 4; i++)
		str_release(&text[i]);
	str_release(&ids);
	sketch_release(&s);
}
END_TEST

/* ---- what cannot be opened ---- */

START_TEST(missing_file_comes_with_a_remedy)
{
	struct reader *reader;
	struct err e = { 0 };

	ck_assert_int_eq(reader_open(harness_path("none"), &reader, &e), -ENOENT);
	ck_assert_ptr_nonnull(strstr(e.what, "none: No such file"));
	ck_assert_ptr_nonnull(strstr(e.remedy, "wperf record"));
}
END_TEST

START_TEST(directory_is_refused)
{
	struct reader *reader;
	struct err e = { 0 };

	ck_assert_int_eq(reader_open(harness_path(""), &reader, &e), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(e.what, "director"));
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *says;
} files[] = {
	{ "", 0, "empty" },
	{ "PERFILE2", 8, "only 8 bytes" },
	{ "#!/bin/sh\necho this is no recording\n", 36, "not a recording" },
};

START_TEST(other_files_are_refused_by_name)
{
	const char *path = harness_file("some.file", files[_i].bytes, files[_i].len);
	struct reader *reader;
	struct err e = { 0 };

	ck_assert_int_eq(reader_open(path, &reader, &e), -EINVAL);
	ck_assert_msg(strstr(e.what, "some.file: ") && strstr(e.what, files[_i].says), "%s",
		      e.what);
}
END_TEST

/* The file form has its lengths at the front, where a pipe cannot have them. */
START_TEST(file_form_cannot_come_through_a_pipe)
{
	struct sketch s = { 0 };
	struct reader *reader;
	struct err e;
	int ends[2];
	pid_t pid;

	sketch_everything(&s, false);
	ck_assert_int_eq(pipe(ends), 0);
	pid = write_slowly(ends[1], s.bytes.s, s.bytes.len, 4096);
	close(ends[1]);
	ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	ck_assert_int_eq(reader_open("-", &reader, &e), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(e.what, "stdin"));
	ck_assert_int_eq(harness_wait(pid), 0);
	sketch_release(&s);
}
END_TEST

static TCase *forms_tcase(void)
{
	TCase *tc = tcase_create("forms");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, memory_is_read, 0, 2);
	tcase_add_loop_test(tc, file_is_read, 0, 2);
	tcase_add_loop_test(tc, stdin_is_read, 0, ARRAY_LEN(pieces));
	tcase_add_test(tc, fifo_is_read);
	tcase_add_test(tc, stdin_that_does_not_wait_is_waited_for);
	tcase_add_test(tc, read_that_fails_is_no_end);
	tcase_add_test(tc, long_stream_is_read_with_a_window);
	tcase_add_test(tc, file_of_which_nothing_is_discarded_is_mapped);
	tcase_add_test(tc, discarded_part_of_a_file_changes_nothing_ahead);
	tcase_add_loop_test(tc, attributes_of_older_and_newer_perfs_are_read, 0,
			    2 * ARRAY_LEN(attr_sizes));
	tcase_add_test(tc, pipe_form_names_events_and_machine);
	tcase_add_test(tc, file_form_names_events_and_machine);
	return tc;
}

static TCase *cut_tcase(void)
{
	TCase *tc = tcase_create("cut");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, cut_at_every_byte, 0, 2);
	tcase_add_loop_test(tc, unfinished_file_is_read_to_its_end, 0, 2);
	tcase_add_loop_test(tc, hole_at_the_end_is_the_end, 1, 17);
	tcase_add_loop_test(tc, hole_at_the_end_is_the_end, 4096, 4097);
	return tc;
}

static TCase *wrong_tcase(void)
{
	TCase *tc = tcase_create("wrong");

	tcase_add_loop_test(tc, impossible_sizes_are_told_with_their_offset, 0,
			    ARRAY_LEN(record_sizes));
	tcase_add_loop_test(tc, unknown_types_are_skipped_and_counted, 0, ARRAY_LEN(unknown_types));
	tcase_add_loop_test(tc, compressed_is_refused_by_name, 0, 2);
	tcase_add_loop_test(tc, bytes_behind_a_record_are_skipped, 0, ARRAY_LEN(followed));
	tcase_add_loop_test(tc, impossible_headers_are_refused, 0, ARRAY_LEN(headers));
	tcase_add_loop_test(tc, event_ids_outside_of_the_file_are_refused, 0, 2);
	tcase_add_loop_test(tc, descriptions_that_are_cut_are_corrupt, 0, ARRAY_LEN(described));
	tcase_add_test(tc, late_event_is_corrupt);
	tcase_add_test(tc, missing_file_comes_with_a_remedy);
	tcase_add_test(tc, directory_is_refused);
	tcase_add_loop_test(tc, other_files_are_refused_by_name, 0, ARRAY_LEN(files));
	tcase_add_test(tc, file_form_cannot_come_through_a_pipe);
	return tc;
}

Suite *check_reader_suite(void)
{
	Suite *s = suite_create("reader");

	suite_add_tcase(s, forms_tcase());
	suite_add_tcase(s, cut_tcase());
	suite_add_tcase(s, wrong_tcase());
	return s;
}
