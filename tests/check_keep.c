/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/build_id.h"
#include "collector/keep.h"
#include "collector/maps.h"
#include "recording/reader.h"
#include "tests/harness.h"
#include "tests/sketch.h"

Suite *check_keep_suite(void);

/* A recording that only keeps, and what it kept, put together from its chunks. */
struct keeping {
	struct writer_event event;
	struct writer_config config;
	struct writer *w;
	struct keep *k;
	struct err e;
	struct note_file file; /* the last one; path in `path` */
	struct str path, bytes;
	unsigned int nr_files;
};

static void setup(struct keeping *x)
{
	*x = (struct keeping){ 0 };
	x->event = (struct writer_event){ .attr = sketch_attr(), .name = "cpu-clock" };
	vec_push(&x->event.ids, 1);
	x->config = (struct writer_config){ .events = &x->event, .nr_events = 1 };
	ck_assert_int_eq(writer_open(harness_path("out.data"), &x->config, &x->w, &x->e), 0);
	x->k = keep_new(x->w);
}

static void take_chunk(struct keeping *x, const struct note_file *f)
{
	if (!f->off) {
		x->nr_files++;
		str_clear(&x->bytes);
		str_clear(&x->path);
		str_add(&x->path, f->path);
	}
	ck_assert_uint_eq(f->off, x->bytes.len);
	str_add_bytes(&x->bytes, f->chunk, f->chunk_len);
	x->file = *f;
}

/* Finishes the recording and reads it again. */
static void read_back(struct keeping *x)
{
	struct reader *reader;
	struct note_file f;
	struct record r;

	ck_assert_int_eq(writer_finish(x->w, &x->e), 0);
	ck_assert_int_eq(reader_open(harness_path("out.data"), &reader, &x->e), 0);
	while (reader_next(reader, &r, &x->e) > 0)
		if (r.type == PERF_RECORD_EVENT_UPDATE && r.note.kind == NOTE_FILE) {
			ck_assert(note_parse_file(r.note.payload, &f));
			take_chunk(x, &f);
		}
	ck_assert_uint_eq(x->bytes.len, x->nr_files ? x->file.size : 0);
	reader_free(reader);
}

static void release(struct keeping *x)
{
	keep_free(x->k);
	writer_free(x->w);
	vec_release(&x->event.ids);
	str_release(&x->path);
	str_release(&x->bytes);
}

/* Maps a file into this process and says what the kernel would have said of it. */
static void *map_file(const char *path, struct writer_mmap *m)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert(at != MAP_FAILED);
	close(fd);
	*m = (struct writer_mmap){ .pid = (uint32_t)getpid(),
				   .tid = (uint32_t)getpid(),
				   .start = (uintptr_t)at,
				   .len = 4096,
				   .prot = PROT_READ,
				   .dev_major = major(st.st_dev),
				   .dev_minor = minor(st.st_dev),
				   .inode = st.st_ino,
				   .path = path };
	return at;
}

/* A copy of this program under another name. */
static const char *program_copy(const char *name)
{
	struct str bytes = { 0 };
	const char *path;

	harness_read("/proc/self/exe", &bytes);
	path = harness_file(name, bytes.s, bytes.len);
	str_release(&bytes);
	return path;
}

START_TEST(file_at_its_path_is_not_copied)
{
	const char *path = program_copy("program");
	struct build_id id;
	struct keep_stats stats;
	struct writer_mmap m;
	struct keeping x;

	setup(&x);
	map_file(path, &m);
	keep_mapping(x.k, &m);
	ck_assert(build_id_of_path(path, &id));
	ck_assert_msg(build_id_equal(&m.build_id, &id), "the build-id was not filled in");
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(stats.nr_files + stats.nr_unreachable, 0);
	read_back(&x);
	ck_assert_uint_eq(x.nr_files, 0);
	release(&x);
}
END_TEST

/* The file was there when it was mapped, and is gone, or another, now. */
static const char *const fates[] = { "deleted", "replaced by another program", "replaced by text" };

static void let_go(const char *path, int fate)
{
	ck_assert_int_eq(unlink(path), 0);
	if (fate == 1) {
		struct str other = { 0 };

		harness_read("/bin/true", &other);
		harness_file("program", other.s, other.len);
		str_release(&other);
	} else if (fate == 2) {
		harness_file("program", "text", 4);
	}
}

START_TEST(file_that_is_gone_is_copied_once)
{
	const char *path = program_copy("program");
	struct build_id id;
	struct keep_stats stats;
	struct str want = { 0 };
	struct writer_mmap m;
	struct keeping x;

	setup(&x);
	ck_assert(build_id_of_path(path, &id));
	map_file(path, &m);
	harness_read(path, &want);
	let_go(path, _i);
	keep_mapping(x.k, &m);
	keep_mapping(x.k, &m);
	keep_stats(x.k, &stats);
	ck_assert_msg(stats.nr_files == 1, "%s: %d files", fates[_i], (int)stats.nr_files);
	ck_assert_uint_eq(stats.nr_bytes, want.len);
	ck_assert_uint_eq(stats.nr_unreachable, 0);
	read_back(&x);
	ck_assert_uint_eq(x.nr_files, 1);
	ck_assert_uint_eq(x.file.kind, FILE_ELF);
	ck_assert_str_eq(str_cstr(&x.path), path);
	ck_assert(build_id_equal(&x.file.build_id, &id));
	ck_assert_uint_eq(x.bytes.len, want.len);
	ck_assert(!memcmp(x.bytes.s, want.s, want.len));
	str_release(&want);
	release(&x);
}
END_TEST

static void check_copied(struct keeping *x, const char *path, const struct str *want)
{
	struct keep_stats stats;

	keep_stats(x->k, &stats);
	ck_assert_uint_eq(stats.nr_files, 1);
	ck_assert_uint_eq(stats.nr_unreachable, 0);
	read_back(x);
	ck_assert_uint_eq(x->nr_files, 1);
	ck_assert_str_eq(str_cstr(&x->path), path);
	ck_assert_uint_eq(x->bytes.len, want->len);
	ck_assert(!memcmp(x->bytes.s, want->s, want->len));
}

/* It was there when it was mapped; it goes, and so does the process, before the recording ends. */
START_TEST(file_that_goes_later_is_copied_once)
{
	const char *path = program_copy("program");
	struct str want = { 0 };
	struct keep_stats stats;
	struct writer_mmap m;
	struct keeping x;
	void *at;

	setup(&x);
	harness_read(path, &want);
	at = map_file(path, &m);
	keep_mapping(x.k, &m);
	keep_look_again(x.k);
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(stats.nr_files + stats.nr_unreachable, 0);
	munmap(at, 4096);
	let_go(path, _i);
	keep_look_again(x.k);
	keep_look_again(x.k);
	check_copied(&x, path, &want);
	str_release(&want);
	release(&x);
}
END_TEST

/* Another name is another file to the report; to who comes back under the first one nothing is missing. */
START_TEST(file_that_is_moved_is_copied)
{
	const char *path = program_copy("program");
	struct str want = { 0 };
	struct writer_mmap m;
	struct keeping x;

	setup(&x);
	harness_read(path, &want);
	map_file(path, &m);
	keep_mapping(x.k, &m);
	ck_assert_int_eq(rename(path, harness_path("program.old")), 0);
	keep_look_again(x.k);
	ck_assert_int_eq(rename(harness_path("program.old"), path), 0);
	keep_mapping(x.k, &m);
	keep_look_again(x.k);
	check_copied(&x, path, &want);
	str_release(&want);
	release(&x);
}
END_TEST

/* As cp over it: nobody has the old program any more, whether the new one is mapped, too, or not. */
START_TEST(file_that_is_written_over_is_counted)
{
	const char *path = program_copy("program");
	struct str other = { 0 };
	struct keep_stats stats;
	struct writer_mmap m;
	struct keeping x;

	setup(&x);
	map_file(path, &m);
	keep_mapping(x.k, &m);
	harness_read("/bin/true", &other);
	harness_file("program", other.s, other.len);
	if (_i) {
		map_file(path, &m);
		keep_mapping(x.k, &m);
	}
	keep_look_again(x.k);
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(stats.nr_files, 0);
	ck_assert_uint_eq(stats.nr_unreachable, 1);
	read_back(&x);
	str_release(&other);
	release(&x);
}
END_TEST

/* Where no descriptor may be held, what still maps the file leads to it. */
START_TEST(file_that_is_not_held_is_found_or_counted)
{
	const char *path = program_copy("program");
	struct rlimit before, few;
	struct keep_stats stats;
	struct writer_mmap m;
	struct keeping x;
	void *at;

	setup(&x);
	keep_free(x.k);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ .rlim_cur = 3, .rlim_max = before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	x.k = keep_new(x.w);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	at = map_file(path, &m);
	keep_mapping(x.k, &m);
	ck_assert_int_eq(unlink(path), 0);
	if (_i)
		munmap(at, 4096);
	keep_look_again(x.k);
	keep_look_again(x.k);
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(stats.nr_files, !_i);
	ck_assert_uint_eq(stats.nr_unreachable, _i);
	read_back(&x);
	release(&x);
}
END_TEST

START_TEST(file_out_of_reach_is_counted)
{
	const char *path = program_copy("program");
	struct keep_stats stats;
	struct writer_mmap m;
	struct keeping x;

	setup(&x);
	munmap(map_file(path, &m), 4096);
	ck_assert(build_id_of_path(path, &m.build_id));
	ck_assert_int_eq(unlink(path), 0);
	keep_mapping(x.k, &m);
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(stats.nr_files, 0);
	ck_assert_uint_eq(stats.nr_unreachable, 1);
	read_back(&x);
	release(&x);
}
END_TEST

/* As cp over it: path, device and inode are the same, the program is another. */
START_TEST(file_that_was_written_to_is_another)
{
	const char *path = program_copy("program");
	struct build_id id;
	struct writer_mmap m;
	struct str other = { 0 };
	struct keeping x;

	setup(&x);
	map_file(path, &m);
	keep_mapping(x.k, &m);
	harness_read("/bin/true", &other);
	harness_file("program", other.s, other.len);
	map_file(path, &m);
	keep_mapping(x.k, &m);
	ck_assert(build_id_of_path("/bin/true", &id));
	ck_assert_msg(build_id_equal(&m.build_id, &id), "it has the old program's build-id");
	read_back(&x);
	str_release(&other);
	release(&x);
}
END_TEST

/* The first who maps a file is gone before it can be looked at: the next one is asked. */
START_TEST(file_that_was_missed_is_tried_again)
{
	const char *path = program_copy("program");
	uint32_t nobody = 1U << 30;
	struct keep_stats stats;
	struct writer_mmap m;
	struct build_id id;
	struct keeping x;
	int i;

	setup(&x);
	ck_assert(build_id_of_path(path, &id));
	map_file(path, &m);
	ck_assert_int_eq(unlink(path), 0);
	for (i = 0; i < 2; i++) {
		m.pid = nobody;
		keep_mapping(x.k, &m);
		keep_stats(x.k, &stats);
		ck_assert_uint_eq(stats.nr_unreachable, 1);
		ck_assert_uint_eq(m.build_id.len, 0);
	}
	m.pid = (uint32_t)getpid();
	keep_mapping(x.k, &m);
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(stats.nr_files, 1);
	ck_assert_uint_eq(stats.nr_unreachable, 0);
	ck_assert(build_id_equal(&m.build_id, &id));
	/* And then it is known of those who are gone as well. */
	m.build_id = (struct build_id){ 0 };
	m.pid = nobody;
	keep_mapping(x.k, &m);
	ck_assert(build_id_equal(&m.build_id, &id));
	read_back(&x);
	ck_assert_uint_eq(x.nr_files, 1);
	release(&x);
}
END_TEST

/* What stands between those addresses now is another file: an exec to a program at the same ones. */
START_TEST(another_file_at_the_same_addresses_is_not_taken)
{
	const char *path = program_copy("program");
	struct keep_stats stats;
	struct writer_mmap m;
	struct keeping x;

	setup(&x);
	map_file(path, &m);
	m.inode++;
	m.path = "/nowhere/program";
	keep_mapping(x.k, &m);
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(m.build_id.len, 0);
	ck_assert_uint_eq(stats.nr_files, 0);
	ck_assert_uint_eq(stats.nr_unreachable, 1);
	release(&x);
}
END_TEST

/* Memory of a compiler's that has a file descriptor, a program that was put into one. */
START_TEST(only_programs_are_copied)
{
	struct str bytes = { 0 };
	struct keep_stats stats;
	struct writer_mmap m;
	struct keeping x;
	char *path;
	int fd = memfd_create("jit", MFD_CLOEXEC);

	if (_i)
		harness_read("/bin/true", &bytes);
	else
		str_add_bytes(&bytes, "\xff\xcf\x75\xfc\xc3", 5);
	ck_assert_int_eq(write(fd, bytes.s, bytes.len), (ssize_t)bytes.len);
	setup(&x);
	path = xasprintf("/proc/self/fd/%d", fd);
	map_file(path, &m);
	m.path = "/memfd:jit (deleted)";
	keep_mapping(x.k, &m);
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(stats.nr_files, _i);
	ck_assert_uint_eq(stats.nr_unreachable, 0);
	read_back(&x);
	release(&x);
	str_release(&bytes);
	free(path);
	close(fd);
}
END_TEST

static const char *const no_files[] = { "//anon",    "[heap]",	       "[vdso]",
					"/dev/zero", "anon_inode:[x]", "" };

START_TEST(mappings_of_no_file_are_left)
{
	struct writer_mmap m = { .pid = 1, .path = no_files[_i] };
	struct keep_stats stats;
	struct keeping x;

	setup(&x);
	keep_mapping(x.k, &m);
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(stats.nr_files + stats.nr_unreachable, 0);
	ck_assert_uint_eq(m.build_id.len, 0);
	release(&x);
}
END_TEST

START_TEST(map_of_jit_code_is_copied)
{
	static const char text[] = "7f0000001000 40 jitted_function\n";
	char *path = xasprintf("/tmp/perf-%d.map", getpid());
	FILE *f = fopen(path, "we");
	struct keep_stats stats;
	struct keeping x;

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	setup(&x);
	keep_perf_map(x.k, (uint32_t)getpid());
	unlink(path);
	keep_perf_map(x.k, (uint32_t)getpid());
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(stats.nr_files, 1);
	ck_assert_uint_eq(stats.nr_unreachable, 0);
	read_back(&x);
	ck_assert_uint_eq(x.file.kind, FILE_PERF_MAP);
	ck_assert_uint_eq(x.file.pid, (uint32_t)getpid());
	ck_assert_str_eq(str_cstr(&x.bytes), text);
	release(&x);
	free(path);
}
END_TEST

static char *perf_map_path(void)
{
	return xasprintf("/tmp/perf-%d.map", getpid());
}

/* Anyone may write in /tmp, and what is recorded is read by others than the target's user. */
static const char *const others[] = { "a link", "a hard link", "another user's", "a fifo" };

static void put_other(int kind, const char *path)
{
	const char *secret = harness_file("secret", "secret", 6);

	if (kind == 0) {
		ck_assert_int_eq(symlink(secret, path), 0);
	} else if (kind == 1) {
		ck_assert_int_eq(link(secret, path), 0);
	} else if (kind == 2) {
		ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
		ck_assert_int_eq(truncate(path, 10), 0);
		ck_assert_int_eq(chown(path, 12345, (gid_t)-1), 0);
	} else {
		ck_assert_int_eq(mkfifo(path, 0600), 0);
	}
}

START_TEST(map_of_someone_else_is_left)
{
	char *path = perf_map_path();
	struct keep_stats stats;
	struct keeping x;

	setup(&x);
	put_other(_i, path);
	keep_perf_map(x.k, (uint32_t)getpid());
	unlink(path);
	keep_stats(x.k, &stats);
	ck_assert_msg(stats.nr_files == 0, "%s was copied", others[_i]);
	release(&x);
	free(path);
}
END_TEST

START_TEST(map_that_is_too_large_is_told)
{
	char *path = perf_map_path();
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	struct keep_stats stats;
	struct keeping x;

	setup(&x);
	ck_assert_int_eq(ftruncate(fd, (64 << 20) + 1), 0);
	close(fd);
	keep_perf_map(x.k, (uint32_t)getpid());
	unlink(path);
	keep_stats(x.k, &stats);
	ck_assert_uint_eq(stats.nr_files, 0);
	ck_assert_uint_eq(stats.nr_unreachable, 1);
	release(&x);
	free(path);
}
END_TEST

/* A process with a /tmp of its own writes a map there, and ends before it is asked for. */
struct boxed {
	pid_t pid;
	int told, go;
};

static struct boxed start_boxed(void)
{
	const char *tmp = harness_path("tmp");
	int told[2], go[2];
	struct boxed b;
	char byte;

	ck_assert_int_eq(mkdir(tmp, 0777), 0);
	ck_assert_int_eq(pipe(told) || pipe(go), 0);
	b = (struct boxed){ .told = told[0], .go = go[1] };
	b.pid = fork();
	if (!b.pid) {
		char *path = perf_map_path();
		FILE *f;

		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount(tmp, "/tmp", NULL, MS_BIND, NULL) || !(f = fopen(path, "we")))
			_exit(1);
		fputs("1000 10 boxed\n", f);
		fclose(f);
		_exit(write(told[1], "", 1) != 1 || read(go[0], &byte, 1) != 1);
	}
	close(told[1]);
	ck_assert_int_eq(read(b.told, &byte, 1), 1);
	return b;
}

static void end_boxed(const struct boxed *b)
{
	ck_assert_int_eq(write(b->go, "", 1), 1);
	ck_assert_int_eq(harness_wait(b->pid), 0);
}

/* 0: asked while it lives, 1: after it ended, with its /tmp known, 2: or with nothing known. */
START_TEST(map_in_a_tmp_of_its_own_is_copied)
{
	struct writer_mmap m = { .path = "//anon" };
	struct boxed b = start_boxed();
	char *decoy = xasprintf("/tmp/perf-%d.map", b.pid);
	FILE *f = fopen(decoy, "we");
	struct keeping x;

	ck_assert_ptr_nonnull(f);
	fputs("1000 10 stranger\n", f);
	fclose(f);
	setup(&x);
	m.pid = (uint32_t)b.pid;
	if (_i < 2)
		keep_mapping(x.k, &m);
	if (_i)
		end_boxed(&b);
	keep_perf_map(x.k, (uint32_t)b.pid);
	/* Forgotten, and our /tmp is nobody's who is not known. */
	if (_i == 1)
		keep_perf_map(x.k, (uint32_t)b.pid);
	unlink(decoy);
	if (!_i)
		end_boxed(&b);
	read_back(&x);
	ck_assert_uint_eq(x.nr_files, 1);
	ck_assert_str_eq(str_cstr(&x.bytes), _i < 2 ? "1000 10 boxed\n" : "1000 10 stranger\n");
	release(&x);
	free(decoy);
}
END_TEST

/* A process that has code of its own as root, becomes nobody, writes its map and ends. */
static pid_t start_renounced(int *ret_told, int *ret_go)
{
	int told[2], go[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(told) || pipe(go), 0);
	pid = fork();
	if (!pid) {
		char *path = perf_map_path();
		FILE *f;

		if (read(go[0], &byte, 1) != 1 || setuid(65534) || !(f = fopen(path, "we")))
			_exit(1);
		fputs("1000 10 renounced\n", f);
		fclose(f);
		_exit(write(told[1], "", 1) != 1 || read(go[0], &byte, 1) != 1);
	}
	*ret_told = told[0];
	*ret_go = go[1];
	return pid;
}

/* 0: nobody has waited for it yet, 1: it is no more, but made more code as nobody. */
START_TEST(map_of_who_became_another_user_is_copied)
{
	struct writer_mmap m = { .path = "//anon" };
	siginfo_t info;
	struct keeping x;
	int told, go;
	pid_t pid = start_renounced(&told, &go);
	char *path = xasprintf("/tmp/perf-%d.map", pid), byte;

	setup(&x);
	m.pid = (uint32_t)pid;
	keep_mapping(x.k, &m);
	ck_assert_int_eq(write(go, "", 1), 1);
	ck_assert_int_eq(read(told, &byte, 1), 1);
	if (_i)
		keep_mapping(x.k, &m);
	ck_assert_int_eq(write(go, "", 1), 1);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | (_i ? 0 : WNOWAIT)), 0);
	keep_perf_map(x.k, m.pid);
	unlink(path);
	read_back(&x);
	ck_assert_uint_eq(x.nr_files, 1);
	ck_assert_str_eq(str_cstr(&x.bytes), "1000 10 renounced\n");
	release(&x);
	free(path);
}
END_TEST

/* Bytes of the vdso in which an ELF image can be read. */
START_TEST(vdso_is_copied)
{
	struct keeping x;

	if (!getauxval(AT_SYSINFO_EHDR))
		return;
	setup(&x);
	keep_vdso(x.k);
	read_back(&x);
	ck_assert_uint_eq(x.nr_files, 1);
	ck_assert_uint_eq(x.file.kind, FILE_VDSO);
	ck_assert_str_eq(str_cstr(&x.path), "[vdso]");
	ck_assert_mem_eq(x.bytes.s, "\177ELF", 4);
	release(&x);
}
END_TEST

Suite *check_keep_suite(void)
{
	Suite *s = suite_create("keep");
	TCase *tc = tcase_create("keep"), *gone;

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, file_at_its_path_is_not_copied);
	tcase_add_loop_test(tc, file_that_goes_later_is_copied_once, 0, ARRAY_LEN(fates));
	tcase_add_test(tc, file_that_is_moved_is_copied);
	tcase_add_loop_test(tc, file_that_is_written_over_is_counted, 0, 2);
	tcase_add_test(tc, file_out_of_reach_is_counted);
	tcase_add_loop_test(tc, mappings_of_no_file_are_left, 0, ARRAY_LEN(no_files));
	tcase_add_test(tc, file_that_was_written_to_is_another);
	tcase_add_test(tc, map_of_jit_code_is_copied);
	tcase_add_test(tc, map_that_is_too_large_is_told);
	tcase_add_test(tc, vdso_is_copied);
	suite_add_tcase(s, tc);
	/* The mapping itself is the only road left, and /proc/PID/map_files is root's. */
	if (harness_can_or_omit(s, "gone files", CAN_ROOT)) {
		gone = tcase_create("gone files");
		tcase_set_timeout(gone, 20);
		tcase_add_loop_test(gone, file_that_is_gone_is_copied_once, 0, ARRAY_LEN(fates));
		tcase_add_test(gone, file_that_was_missed_is_tried_again);
		tcase_add_loop_test(gone, file_that_is_not_held_is_found_or_counted, 0, 2);
		tcase_add_test(gone, another_file_at_the_same_addresses_is_not_taken);
		tcase_add_loop_test(gone, only_programs_are_copied, 0, 2);
		tcase_add_loop_test(gone, map_of_someone_else_is_left, 0, ARRAY_LEN(others));
		tcase_add_loop_test(gone, map_in_a_tmp_of_its_own_is_copied, 0, 3);
		tcase_add_loop_test(gone, map_of_who_became_another_user_is_copied, 0, 2);
		suite_add_tcase(s, gone);
	}
	return s;
}
