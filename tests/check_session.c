/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>

#include "base/units.h"
#include "report/session.h"
#include "tests/recording_builder.h"

Suite *check_session_suite(void);

/* A session over the records that a test builds. Files that are mapped need not exist. */
struct fixture {
	struct recording_builder b;
	struct strings strings;
	struct symbolizer *symbolizer;
	struct reader *reader;
	struct session session;
	bool forgets_ended;
};

static void setup(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	builder_init(&f->b, NULL);
}

/* Takes all records in. */
static void take(struct fixture *f)
{
	static const struct symbolizer_options options;
	struct err e = { 0 };
	struct record r;
	const void *bytes;
	size_t len;

	bytes = builder_finish(&f->b, &len);
	ck_assert_int_eq(reader_open_bytes(bytes, len, &f->reader, &e), 0);
	f->symbolizer = symbolizer_new(&options, &f->strings);
	session_init(&f->session, f->reader, f->symbolizer, &f->strings);
	f->session.forgets_ended = f->forgets_ended;
	while (reader_next(f->reader, &r, &e) > 0)
		session_record(&f->session, &r);
	session_finish(&f->session);
	ck_assert_int_eq(e.code, 0);
}

static void teardown(struct fixture *f)
{
	session_release(&f->session);
	symbolizer_free(f->symbolizer);
	reader_free(f->reader);
	strings_release(&f->strings);
	builder_release(&f->b);
}

static struct code user_code(struct fixture *f, uint32_t pid, uint64_t addr)
{
	uint32_t thread = session_thread(&f->session, pid, pid);

	return session_locate(&f->session, f->session.threads.at[thread].process,
			      PERF_RECORD_MISC_USER, addr);
}

/* "path+offset" of the code there, as the symbolizer's last resort shows it. */
static const char *module_of(struct fixture *f, struct code code)
{
	const struct frame *frames;
	size_t nr;

	symbolizer_resolve(f->symbolizer, code.module, (struct code_addr){ code.addr, false },
			   &frames, &nr);
	ck_assert_uint_ge(nr, 1);
	return strings_text(&f->strings, frames[0].module);
}

static const char *function_at(struct fixture *f, uint32_t pid, uint64_t addr)
{
	struct code code = user_code(f, pid, addr);
	const struct frame *frames;
	size_t nr;

	symbolizer_resolve(f->symbolizer, code.module, (struct code_addr){ code.addr, false },
			   &frames, &nr);
	return strings_text(&f->strings, frames[0].function);
}

static const char *thread_name(struct fixture *f, uint32_t pid, uint32_t tid)
{
	uint32_t thread = session_thread(&f->session, pid, tid);

	return strings_text(&f->strings, f->session.threads.at[thread].name);
}

START_TEST(session_finds_code_by_process)
{
	struct fixture f;
	struct code a, b, none;

	setup(&f);
	builder_mmap(&f.b, 0, 10, 0x1000, 0x1000, 0x400, "/no/such/a");
	builder_mmap(&f.b, 0, 20, 0x1000, 0x1000, 0, "/no/such/b");
	take(&f);
	a = user_code(&f, 10, 0x1234);
	b = user_code(&f, 20, 0x1234);
	none = user_code(&f, 10, 0x2000);
	ck_assert_uint_eq(a.addr, 0x634);
	ck_assert_uint_eq(b.addr, 0x234);
	ck_assert_uint_ne(a.module, b.module);
	ck_assert_str_eq(module_of(&f, a), "/no/such/a");
	ck_assert_str_eq(module_of(&f, b), "/no/such/b");
	ck_assert_uint_eq(none.addr, 0x2000);
	ck_assert_str_eq(module_of(&f, none), "[unknown]");
	teardown(&f);
}
END_TEST

START_TEST(session_replaces_what_a_new_mapping_covers)
{
	struct fixture f;

	setup(&f);
	builder_mmap(&f.b, 0, 10, 0x1000, 0x3000, 0, "/no/such/old");
	builder_mmap(&f.b, 5, 10, 0x2000, 0x1000, 0, "/no/such/new");
	take(&f);
	ck_assert_str_eq(module_of(&f, user_code(&f, 10, 0x1fff)), "/no/such/old");
	ck_assert_str_eq(module_of(&f, user_code(&f, 10, 0x2000)), "/no/such/new");
	ck_assert_str_eq(module_of(&f, user_code(&f, 10, 0x3000)), "/no/such/old");
	ck_assert_uint_eq(user_code(&f, 10, 0x3000).addr, 0x2000);
	teardown(&f);
}
END_TEST

START_TEST(session_forks_and_execs)
{
	struct fixture f;

	setup(&f);
	builder_comm(&f.b, 0, 10, 10, "server", false);
	builder_mmap(&f.b, 0, 10, 0x1000, 0x1000, 0, "/no/such/server");
	builder_fork(&f.b, 1, 20, 20, 10, 10);
	builder_fork(&f.b, 2, 30, 30, 10, 10);
	builder_comm(&f.b, 3, 30, 30, "date", true);
	builder_mmap(&f.b, 4, 30, 0x5000, 0x1000, 0, "/no/such/date");
	builder_mmap(&f.b, 5, 20, 0x8000, 0x1000, 0, "/no/such/plugin");
	take(&f);
	ck_assert_str_eq(module_of(&f, user_code(&f, 20, 0x1000)), "/no/such/server");
	ck_assert_str_eq(module_of(&f, user_code(&f, 20, 0x8000)), "/no/such/plugin");
	ck_assert_str_eq(module_of(&f, user_code(&f, 10, 0x8000)), "[unknown]");
	ck_assert_str_eq(module_of(&f, user_code(&f, 30, 0x1000)), "[unknown]");
	ck_assert_str_eq(module_of(&f, user_code(&f, 30, 0x5000)), "/no/such/date");
	ck_assert_str_eq(thread_name(&f, 20, 20), "server");
	ck_assert_str_eq(thread_name(&f, 30, 30), "date");
	teardown(&f);
}
END_TEST

START_TEST(session_tells_threads_from_processes)
{
	struct fixture f;

	setup(&f);
	builder_comm(&f.b, 0, 10, 10, "server", false);
	builder_mmap(&f.b, 0, 10, 0x1000, 0x1000, 0, "/no/such/server");
	builder_fork(&f.b, 1, 10, 11, 10, 10);
	builder_fork(&f.b, 1, 10, 12, 10, 10);
	builder_comm(&f.b, 2, 10, 12, "worker", false);
	take(&f);
	ck_assert_uint_eq(f.session.processes.nr, 1);
	ck_assert_str_eq(thread_name(&f, 10, 11), "server");
	ck_assert_str_eq(thread_name(&f, 10, 12), "worker");
	ck_assert_str_eq(strings_text(&f.strings, f.session.processes.at[0].name), "server");
	ck_assert_str_eq(module_of(&f, user_code(&f, 10, 0x1000)), "/no/such/server");
	teardown(&f);
}
END_TEST

/* The pid's second process has nothing of the first but the same parent's mappings. */
START_TEST(session_takes_a_pid_that_is_used_again_for_another)
{
	uint32_t first;
	struct fixture f;

	setup(&f);
	builder_mmap(&f.b, 0, 10, 0x1000, 0x1000, 0, "/no/such/shell");
	builder_fork(&f.b, 1, 20, 20, 10, 10);
	builder_mmap(&f.b, 2, 20, 0x5000, 0x1000, 0, "/no/such/first");
	builder_exit(&f.b, 3, 20, 20);
	builder_fork(&f.b, 4, 20, 20, 10, 10);
	take(&f);
	first = 1;
	ck_assert_uint_eq(f.session.processes.nr, 3);
	ck_assert_uint_eq(f.session.processes.at[first].pid, 20);
	ck_assert_str_eq(module_of(&f, user_code(&f, 20, 0x5000)), "[unknown]");
	ck_assert_str_eq(module_of(&f, user_code(&f, 20, 0x1000)), "/no/such/shell");
	teardown(&f);
}
END_TEST

/* A fork from a parent that is not known must not take away what was said of the child. */
START_TEST(session_keeps_mappings_where_the_parent_is_unknown)
{
	struct fixture f;

	setup(&f);
	builder_mmap(&f.b, 0, 20, 0x1000, 0x1000, 0, "/no/such/child");
	builder_fork(&f.b, 1, 20, 20, 1, 1);
	take(&f);
	ck_assert_str_eq(module_of(&f, user_code(&f, 20, 0x1000)), "/no/such/child");
	teardown(&f);
}
END_TEST

START_TEST(session_knows_the_kernel)
{
	struct fixture f;
	struct code code;

	setup(&f);
	builder_kernel_mmap(&f.b, 0xffffffff81000000, 0x1000000);
	take(&f);
	ck_assert_uint_eq(f.session.kernel_start, 0xffffffff81000000);
	ck_assert_uint_eq(f.session.processes.nr, 0);
	user_code(&f, 10, 0);
	code = session_locate(&f.session, 0, PERF_RECORD_MISC_KERNEL, 0xffffffffc0001234);
	ck_assert(code.is_kernel);
	ck_assert_uint_eq(code.addr, 0xffffffffc0001234);
	code = session_locate(&f.session, 0, PERF_RECORD_MISC_GUEST_USER, 0x1234);
	ck_assert(!code.is_kernel);
	ck_assert_str_eq(module_of(&f, code), "[unknown]");
	teardown(&f);
}
END_TEST

/* Memory without a file: its code is named by the process's perf map, and by nobody else's. */
static const char *const jit_paths[] = { "//anon",     "[heap]",	"[stack]",
					 "anon_inode:[io_uring]", "/memfd:jit (deleted)",
					 "/dev/zero (deleted)", "/SYSV00000000 (deleted)",
					 "[anon:v8]", "" };

START_TEST(session_names_code_made_at_run_time)
{
	struct fixture f;

	setup(&f);
	builder_mmap(&f.b, 0, 10, 0x100000, 0x1000, 0, jit_paths[_i]);
	builder_mmap(&f.b, 0, 20, 0x100000, 0x1000, 0, jit_paths[_i]);
	builder_perf_map(&f.b, 10, "100000 100 first\n100100 80 second\n");
	builder_perf_map(&f.b, 20, "100000 1000 other\n");
	take(&f);
	ck_assert_uint_eq(user_code(&f, 10, 0x100110).addr, 0x100110);
	ck_assert_str_eq(function_at(&f, 10, 0x100000), "first");
	ck_assert_str_eq(function_at(&f, 10, 0x100110), "second");
	ck_assert_str_eq(function_at(&f, 20, 0x100110), "other");
	ck_assert_uint_eq(f.session.nr_cut_files, 0);
	teardown(&f);
}
END_TEST

/* One FILE note of the kind, the whole file in it. */
static void add_copy(struct fixture *f, uint32_t id, const char *path, const char *bytes,
		     uint32_t len)
{
	uint32_t head[] = { id, FILE_ELF, 10 };
	uint64_t sizes[] = { len, 0 };
	struct str p = { 0 };

	str_add_bytes(&p, head, sizeof(head));
	str_add_bytes(&p, sizes, sizeof(sizes));
	str_add_char(&p, 0);
	str_add_bytes(&p, path, strlen(path) + 1);
	str_add_bytes(&p, &len, sizeof(len));
	str_add_bytes(&p, bytes, len);
	builder_note(&f->b, NOTE_FILE, p.s, p.len);
	str_release(&p);
}

/* What is copied of a memfd is a program's file, or what a JIT compiler wrote there. */
START_TEST(session_tells_files_from_code_made_at_run_time)
{
	struct fixture f;

	setup(&f);
	add_copy(&f, 101, "/memfd:program (deleted)", "\177ELF and more", 13);
	add_copy(&f, 102, "/memfd:code (deleted)", "\x55\x48\x89\xe5 and more", 13);
	builder_mmap(&f.b, 1, 10, 0x1000, 0x1000, 0x400, "/memfd:program (deleted)");
	builder_mmap(&f.b, 1, 10, 0x5000, 0x1000, 0x400, "/memfd:code (deleted)");
	builder_perf_map(&f.b, 10, "5000 100 compiled\n");
	take(&f);
	ck_assert_uint_eq(user_code(&f, 10, 0x1010).addr, 0x410);
	ck_assert_uint_eq(user_code(&f, 10, 0x5010).addr, 0x5010);
	ck_assert_str_eq(function_at(&f, 10, 0x5010), "compiled");
	teardown(&f);
}
END_TEST

static void add_chunk(struct fixture *f, uint64_t size, uint64_t off, const char *chunk)
{
	uint32_t head[] = { 7, FILE_PERF_MAP, 10 }, len = (uint32_t)strlen(chunk);
	uint64_t sizes[] = { size, off };
	struct str p = { 0 };

	str_add_bytes(&p, head, sizeof(head));
	str_add_bytes(&p, sizes, sizeof(sizes));
	str_add_char(&p, 0);
	str_add_bytes(&p, "map", sizeof("map"));
	str_add_bytes(&p, &len, sizeof(len));
	str_add_bytes(&p, chunk, len);
	builder_note(&f->b, NOTE_FILE, p.s, p.len);
	str_release(&p);
}

static const struct {
	uint64_t size, second_off;
	bool is_cut, has_second;
} chunk_cases[] = {
	{ 36, 18, false, true },	/* two chunks, the whole file */
	{ 50, 18, true, true },		/* the third one is missing: the lines that came serve */
	{ 36, 19, true, false },	/* a chunk that does not follow is no part of it */
	{ UINT64_MAX, 18, true, true },	/* the size that is promised costs nothing */
};

START_TEST(session_assembles_files)
{
	struct fixture f;

	setup(&f);
	builder_mmap(&f.b, 0, 10, 0x100000, 0x1000, 0, "//anon");
	add_chunk(&f, chunk_cases[_i].size, 0, "100000 100 first1\n");
	add_chunk(&f, chunk_cases[_i].size, chunk_cases[_i].second_off, "100100 100 secon2\n");
	take(&f);
	ck_assert_str_eq(function_at(&f, 10, 0x100000), "first1");
	ck_assert_str_eq(function_at(&f, 10, 0x100100), chunk_cases[_i].has_second ? "secon2" : "");
	ck_assert_uint_eq(f.session.nr_cut_files, chunk_cases[_i].is_cut);
	teardown(&f);
}
END_TEST

START_TEST(session_keeps_markers_and_counts_losses)
{
	struct fixture f;
	const struct marker *m;

	setup(&f);
	builder_marker(&f.b, 3, MARKER_IS_CALL, "old");
	builder_marker(&f.b, 3, MARKER_HAS_ID, "new");
	builder_note(&f.b, NOTE_MARKER, "short", 5);
	builder_note(&f.b, NOTE_INFO, "marker\0auto\0", 12);
	builder_note(&f.b, (enum note_kind)99, "future", 6);
	builder_lost(&f.b, 1, 5);
	builder_lost(&f.b, 2, 7);
	take(&f);
	m = session_marker(&f.session, 3);
	ck_assert_ptr_nonnull(m);
	ck_assert_str_eq(strings_text(&f.strings, m->name), "new");
	ck_assert_uint_eq(m->flags, MARKER_HAS_ID);
	ck_assert_uint_eq(f.session.markers.nr, 1);
	ck_assert_ptr_null(session_marker(&f.session, 4));
	ck_assert_str_eq(strings_text(&f.strings, f.session.marker_info), "auto");
	ck_assert_uint_eq(f.session.nr_lost, 12);
	teardown(&f);
}
END_TEST

/* Of our own recordings, by the note at their begin. */
START_TEST(session_knows_the_wall_clock)
{
	static const char both[] = "begin_ns\0" "5000\0begin_epoch_ns\0" "1700000000000000000\0";
	static const char late[] = "begin_epoch_ns\0" "9223372036854775807\0";
	struct fixture f;

	setup(&f);
	builder_note(&f.b, NOTE_INFO, both, sizeof(both));
	take(&f);
	ck_assert_uint_eq(session_epoch_ns(&f.session, 5000), 1700000000000000000);
	ck_assert_uint_eq(session_epoch_ns(&f.session, 5001), 1700000000000000001);
	ck_assert_uint_eq(session_epoch_ns(&f.session, 4998), 1699999999999999998);
	teardown(&f);
	setup(&f);
	builder_note(&f.b, NOTE_INFO, both, sizeof(both));
	builder_note(&f.b, NOTE_INFO, late, sizeof(late));
	take(&f);
	ck_assert_uint_eq(session_epoch_ns(&f.session, 5001), 0);
	teardown(&f);
	setup(&f);
	builder_note(&f.b, NOTE_INFO, both, 5 + sizeof("begin_ns"));
	take(&f);
	ck_assert_uint_eq(session_epoch_ns(&f.session, 5001), 0);
	teardown(&f);
}
END_TEST

/* It was set back by 100 at 6000; the note at the end says the times of the beginning again. */
START_TEST(session_knows_that_the_wall_clock_was_set)
{
	static const char begin[] = "begin_ns\0" "5000\0begin_epoch_ns\0" "1700000000000000000\0";
	static const char set[] = "set_ns\0" "6000\0set_epoch_ns\0" "1700000000000000900\0";
	struct fixture f;

	setup(&f);
	builder_note(&f.b, NOTE_INFO, begin, sizeof(begin));
	builder_note(&f.b, NOTE_INFO, set, sizeof(set));
	builder_note(&f.b, NOTE_INFO, begin, sizeof(begin));
	take(&f);
	ck_assert_uint_eq(session_epoch_ns(&f.session, 4999), 1699999999999999999);
	ck_assert_uint_eq(session_epoch_ns(&f.session, 5999), 1700000000000000999);
	ck_assert_uint_eq(session_epoch_ns(&f.session, 6000), 1700000000000000900);
	ck_assert_uint_eq(session_epoch_ns(&f.session, 7000), 1700000000000001900);
	teardown(&f);
}
END_TEST

/* How often it was set takes no memory: what is forgotten goes by the oldest that is known. */
START_TEST(wall_clock_forgets)
{
	struct wall_clock c = { 0 };
	uint64_t i;

	ck_assert_uint_eq(wall_clock_at(&c, 5), 0);
	wall_clock_set(&c, 0, 5);
	wall_clock_set(&c, 5, 0);
	ck_assert_uint_eq(wall_clock_at(&c, 5), 0);
	/* Each time a second is put in. */
	for (i = 1; i <= 3 * WALL_CLOCK_KEPT; i++)
		wall_clock_set(&c, i * 1000, i * 1000 + i * NS_PER_SEC);
	for (i = 1; i <= 3 * WALL_CLOCK_KEPT; i++) {
		uint64_t by = i <= 2 * WALL_CLOCK_KEPT ? 2 * WALL_CLOCK_KEPT + 1 : i;

		ck_assert_uint_eq(wall_clock_at(&c, i * 1000 + 999), i * 1000 + 999 + by * NS_PER_SEC);
	}
}
END_TEST

static void add_tally(struct fixture *f, const char *key, uint64_t count)
{
	struct str p = { 0 };

	str_add_bytes(&p, key, strlen(key) + 1);
	str_add_bytes(&p, &count, sizeof(count));
	builder_note(&f->b, NOTE_TALLY, p.s, p.len);
	str_release(&p);
}

/* The recorder counts on from its last note: the last one of a key is all of it. */
START_TEST(session_takes_what_the_recorder_counted)
{
	struct fixture f;

	setup(&f);
	builder_lost(&f.b, 1, 5);
	add_tally(&f, "lost", _i ? 7 : 3);
	add_tally(&f, "marks_unsent", 1);
	add_tally(&f, "marks_unsent", 2);
	add_tally(&f, "processes_not_followed", 4);
	add_tally(&f, "files_unreachable", 6);
	add_tally(&f, "stacks_root", 8);
	add_tally(&f, "io_uring", 10);
	add_tally(&f, "threads_32_bit", 11);
	add_tally(&f, "from_the_future", 9);
	take(&f);
	/* Records of a loss can be lost too. */
	ck_assert_uint_eq(f.session.nr_lost, _i ? 7 : 5);
	ck_assert_uint_eq(f.session.nr_marks_unsent, 2);
	ck_assert_uint_eq(f.session.nr_processes_not_followed, 4);
	ck_assert_uint_eq(f.session.nr_files_unreachable, 6);
	ck_assert_uint_eq(f.session.nr_calls_unseen, 10);
	ck_assert_uint_eq(f.session.nr_threads_32_bit, 11);
	ck_assert_uint_eq(f.session.stacks.nr_stops[UNWIND_STOP_ROOT], 8);
	teardown(&f);
}
END_TEST

START_TEST(session_knows_the_last_thread_of_a_process)
{
	uint32_t first, second, other;
	struct fixture f;

	setup(&f);
	builder_comm(&f.b, 0, 10, 10, "server", false);
	builder_fork(&f.b, 1, 10, 11, 10, 10);
	builder_fork(&f.b, 2, 20, 20, 10, 10);
	/* 12 ends twice, and 11 is used again without having ended. */
	builder_fork(&f.b, 3, 10, 12, 10, 10);
	builder_exit(&f.b, 4, 10, 12);
	builder_exit(&f.b, 5, 10, 12);
	builder_fork(&f.b, 6, 10, 11, 10, 10);
	if (_i)
		builder_exit(&f.b, 7, 10, 10);
	take(&f);
	first = session_thread(&f.session, 10, 10);
	second = session_thread(&f.session, 10, 11);
	other = session_thread(&f.session, 20, 20);
	ck_assert_uint_eq(f.session.processes.at[0].nr_threads, _i ? 1 : 2);
	ck_assert(!session_is_last_thread(&f.session, first));
	ck_assert_int_eq(session_is_last_thread(&f.session, second), _i);
	ck_assert(session_is_last_thread(&f.session, other));
	session_unknown_thread(&f.session, 20);
	ck_assert_msg(session_is_last_thread(&f.session, other), "it is none that could be the last");
	teardown(&f);
}
END_TEST

/* Threads and processes come and go, each with a name of its own; those that stay keep theirs. */
static void add_generations(struct fixture *f, uint32_t nr)
{
	uint64_t time = 10;
	uint32_t i;

	builder_comm(&f->b, 0, 10, 10, "server", false);
	builder_mmap(&f->b, 0, 10, 0x1000, 0x1000, 0, "/no/such/server");
	builder_fork(&f->b, 1, 10, 11, 10, 10);
	builder_comm(&f->b, 2, 10, 11, "stays", false);
	for (i = 0; i < nr; i++) {
		uint32_t tid = 1000 + i % 30000, pid = 40000 + i % 20000;
		char name[16];

		snprintf(name, sizeof(name), "t%u", i);
		builder_fork(&f->b, time++, 10, tid, 10, 10);
		builder_comm(&f->b, time++, 10, tid, name, false);
		builder_fork(&f->b, time++, pid, pid, 10, 10);
		builder_mmap(&f->b, time++, pid, 0x5000 + 0x1000 * (i % 2), 0x1000, 0, "/no/such/child");
		builder_exit(&f->b, time++, 10, tid);
		builder_exit(&f->b, time++, pid, pid);
	}
}

START_TEST(session_forgets_who_has_ended)
{
	enum { NR = 50000 };
	struct fixture f;
	uint32_t last = NR - 1, last_pid = 40000 + last % 20000;

	setup(&f);
	f.forgets_ended = true;
	add_generations(&f, NR);
	take(&f);
	ck_assert_uint_le(f.session.threads.nr, SESSION_ENDED_KEPT + 5);
	ck_assert_uint_le(f.session.processes.nr, SESSION_ENDED_KEPT + 5);
	ck_assert_uint_le(f.session.thread_of_ids.pairs.nr, SESSION_ENDED_KEPT + 5);
	ck_assert_uint_le(f.session.process_of_pid.pairs.nr, SESSION_ENDED_KEPT + 5);
	ck_assert_uint_le(f.strings.text.nr, SESSION_ENDED_KEPT + 20);
	ck_assert_str_eq(thread_name(&f, 10, 10), "server");
	ck_assert_str_eq(thread_name(&f, 10, 11), "stays");
	ck_assert_str_eq(module_of(&f, user_code(&f, 10, 0x1000)), "/no/such/server");
	ck_assert_str_eq(module_of(&f, user_code(&f, 10, 0x5000)), "[unknown]");
	/* Whose end was just now is still known, and has nothing of who had its index before. */
	ck_assert_str_eq(module_of(&f, user_code(&f, last_pid, 0x1000)), "/no/such/server");
	ck_assert_str_eq(module_of(&f, user_code(&f, last_pid, 0x6000)), "/no/such/child");
	ck_assert_str_eq(module_of(&f, user_code(&f, last_pid, 0x5000)), "[unknown]");
	/* Who ended long ago is not, and may be met again. */
	ck_assert_str_eq(module_of(&f, user_code(&f, 40000, 0x1000)), "[unknown]");
	teardown(&f);
}
END_TEST

/* 1000 children of a process share its mappings with it. */
START_TEST(session_copies_no_mappings_for_a_fork)
{
	struct fixture f;
	uint32_t i;

	setup(&f);
	builder_mmap(&f.b, 0, 10, 0x1000, 0x1000, 0, "/no/such/server");
	for (i = 0; i < 1000; i++) {
		builder_fork(&f.b, 2 * i + 1, 1000 + i, 1000 + i, 10, 10);
		builder_exit(&f.b, 2 * i + 2, 1000 + i, 1000 + i);
	}
	take(&f);
	ck_assert_uint_eq(f.session.processes.nr, 1001);
	vec_each(&f.session.processes, p)
		ck_assert_ptr_eq(p->space.maps, f.session.processes.at[0].space.maps);
	ck_assert_str_eq(module_of(&f, user_code(&f, 1500, 0x1000)), "/no/such/server");
	teardown(&f);
}
END_TEST

Suite *check_session_suite(void)
{
	Suite *s = suite_create("session");
	TCase *tc = tcase_create("session");

	tcase_add_test(tc, session_finds_code_by_process);
	tcase_add_test(tc, session_replaces_what_a_new_mapping_covers);
	tcase_add_test(tc, session_forks_and_execs);
	tcase_add_test(tc, session_tells_threads_from_processes);
	tcase_add_test(tc, session_takes_a_pid_that_is_used_again_for_another);
	tcase_add_test(tc, session_keeps_mappings_where_the_parent_is_unknown);
	tcase_add_test(tc, session_knows_the_kernel);
	tcase_add_loop_test(tc, session_names_code_made_at_run_time, 0, ARRAY_LEN(jit_paths));
	tcase_add_test(tc, session_tells_files_from_code_made_at_run_time);
	tcase_add_loop_test(tc, session_takes_what_the_recorder_counted, 0, 2);
	tcase_add_loop_test(tc, session_knows_the_last_thread_of_a_process, 0, 2);
	tcase_add_test(tc, session_forgets_who_has_ended);
	tcase_add_test(tc, session_copies_no_mappings_for_a_fork);
	tcase_add_loop_test(tc, session_assembles_files, 0, ARRAY_LEN(chunk_cases));
	tcase_add_test(tc, session_keeps_markers_and_counts_losses);
	tcase_add_test(tc, session_knows_the_wall_clock);
	tcase_add_test(tc, session_knows_that_the_wall_clock_was_set);
	tcase_add_test(tc, wall_clock_forgets);
	suite_add_tcase(s, tc);
	return s;
}
