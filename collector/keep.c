/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "collector/build_id.h"
#include "collector/mapped_file.h"
#include "collector/maps.h"
#include "collector/perf_map.h"
#include "collector/root.h"

/* Larger than any library met so far (libxul is 150 MB); what is larger is not a program. */
#define MAX_FILE_BYTES (512ULL << 20)
#define MAX_PERF_MAP_BYTES (64ULL << 20)

/* Most targets have some dozens of files; those beyond are looked for by their mappings when they have gone. */
enum { HELD_MAX = 1024 };

/* A mapped file, by device, inode and path: all three may come again with another file. */
struct known {
	bool is_found;		/* the file itself was looked at: what follows is its */
	bool is_missed;		/* counted as out of reach */
	bool is_copied;
	bool is_code;		/* no ELF file but bare code, as compilers keep in a memfd */
	bool is_left;		/* at its path, where the report is to find it */
	int fd;			/* of what is left: it can be copied when nothing else leads to it; -1: none */
	struct stat mapped;	/* as it was when it was looked at */
	struct stat at_path;	/* of what is left: what stood there. overlayfs has two inodes for a file */
	struct writer_mmap mapping;	/* the last one, with its build-id; path: lent from seen */
};

struct keep {
	struct writer *writer;
	struct strings seen;	/* device, inode and path of every mapping looked at */
	VEC(struct known) known;	/* by the ids of seen */
	size_t nr_held;
	rlim_t held_below;	/* descriptors are held up to here */
	struct perf_maps perf_maps;
	uint32_t next_id;
	struct keep_stats stats;
};

/* Numbers are given from below: where all that is open takes up half of what may be, the rest is for others. */
static rlim_t half_of_descriptors(void)
{
	struct rlimit files;

	return getrlimit(RLIMIT_NOFILE, &files) ? 0 : files.rlim_cur / 2;
}

struct keep *keep_new(struct writer *w)
{
	struct keep *k = xcalloc(1, sizeof(*k));

	k->writer = w;
	k->held_below = half_of_descriptors();
	strings_id(&k->seen, "");
	return k;
}

/* Takes fd. */
static void hold(struct keep *k, struct known *known, int fd)
{
	if (k->nr_held >= HELD_MAX || (rlim_t)fd >= k->held_below) {
		close(fd);
		return;
	}
	known->fd = fd;
	k->nr_held++;
}

static int take_held(struct keep *k, struct known *known)
{
	int fd = known->fd;

	k->nr_held -= fd >= 0;
	known->fd = -1;
	return fd;
}

static void let_go(struct keep *k, struct known *known)
{
	int fd = take_held(k, known);

	if (fd >= 0)
		close(fd);
}

void keep_free(struct keep *k)
{
	if (!k)
		return;
	vec_each(&k->known, known)
		let_go(k, known);
	strings_release(&k->seen);
	vec_release(&k->known);
	perf_maps_release(&k->perf_maps);
	free(k);
}

static struct known *known_of(struct keep *k, const struct writer_mmap *m)
{
	struct str key = { 0 };
	size_t id;

	str_addf(&key, "%u:%u:%llu %s", m->dev_major, m->dev_minor, (unsigned long long)m->inode,
		 m->path);
	id = strings_id_n(&k->seen, key.s, key.len);
	str_release(&key);
	while (k->known.nr < k->seen.text.nr)
		vec_push(&k->known, (struct known){ .fd = -1 });
	if (!k->known.at[id].mapping.path)
		k->known.at[id].mapping.path = strchr(strings_text(&k->seen, (uint32_t)id), ' ') + 1;
	return &k->known.at[id];
}

static bool is_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_unwritten(const struct stat *before, const struct stat *now)
{
	return before->st_size == now->st_size && is_time(before->st_mtim, now->st_mtim);
}

static bool is_still(const struct known *known, const struct stat *st)
{
	return known->is_found && is_unwritten(&known->mapped, st) &&
	       is_time(known->mapped.st_ctim, st->st_ctim);
}

/* ---- the mapped file ---- */

/* An inode alone may be another file's by now. */
static bool is_same_file(const struct stat *before, const struct stat *now)
{
	return before->st_dev == now->st_dev && before->st_ino == now->st_ino && is_unwritten(before, now);
}

/* The report will find it: the same file is at its path from here, or one of the same build. */
static bool is_at_its_path(struct known *known)
{
	const struct writer_mmap *m = &known->mapping;
	struct build_id id;
	struct stat st;

	if (stat(m->path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (!is_same_file(known->is_left ? &known->at_path : &known->mapped, &st) &&
	    !(m->build_id.len && build_id_of_path(m->path, &id) && build_id_equal(&id, &m->build_id)))
		return false;
	known->at_path = st;
	return true;
}

/* Nobody has written another program into it. */
static bool is_same_program(const struct known *known, const struct stat *st, const struct build_id *id)
{
	const struct build_id *before = &known->mapping.build_id;

	return before->len ? build_id_equal(before, id) : !id->len && is_unwritten(&known->mapped, st);
}

static bool still_reads_it(const struct known *known, int fd)
{
	struct build_id id = { 0 };
	struct stat st;

	if (fstat(fd, &st))
		return false;
	build_id_of_fd(fd, &id);
	return is_same_program(known, &st, &id);
}

/* ---- copies ---- */

/* All of a file, however many reads that takes; the caller frees it. NULL: it cannot be read. */
static uint8_t *read_whole(int fd, size_t size, size_t *ret_len)
{
	uint8_t *bytes = xmalloc(size);
	size_t len = 0;
	ssize_t n = 0;

	while (len < size && (n = read(fd, bytes + len, size - len)) > 0)
		len += (size_t)n;
	*ret_len = len;
	if (len)
		return bytes;
	free(bytes);
	return NULL;
}

/* False: it is empty, too large (-EFBIG in *ret_err), or cannot be read. */
static bool write_file(struct keep *k, int fd, struct note_file *f, uint64_t max_bytes,
		       int *ret_err)
{
	struct stat st;
	uint8_t *bytes;
	size_t len;

	*ret_err = -EIO;
	if (fstat(fd, &st) || st.st_size <= 0)
		return false;
	if ((uint64_t)st.st_size > max_bytes) {
		*ret_err = -EFBIG;
		return false;
	}
	bytes = read_whole(fd, (size_t)st.st_size, &len);
	if (!bytes)
		return false;
	f->id = k->next_id++;
	f->size = len;
	writer_note_file(k->writer, f, bytes);
	k->stats.nr_files++;
	k->stats.nr_bytes += f->size;
	free(bytes);
	return true;
}

static bool copy_program(struct keep *k, int fd, const struct writer_mmap *m)
{
	struct note_file f = { .kind = FILE_ELF,
			       .pid = m->pid,
			       .path = m->path,
			       .build_id = m->build_id };
	int err;

	if (!write_file(k, fd, &f, MAX_FILE_BYTES, &err))
		return false;
	log_verbose("copied %s (%llu bytes): it is deleted, replaced or in a container", m->path,
		    (unsigned long long)f.size);
	return true;
}

static bool is_elf(int fd)
{
	char magic[4];

	return pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && !memcmp(magic, "\177ELF", 4);
}

static void count_missed(struct keep *k, struct known *known, const struct writer_mmap *m)
{
	if (known->is_missed)
		return;
	known->is_missed = true;
	k->stats.nr_unreachable++;
	log_verbose("%s: gone or out of reach, its functions will have no names", m->path);
}

/* It was missed when another process mapped it, and could be had now. */
static void uncount_missed(struct keep *k, struct known *known)
{
	k->stats.nr_unreachable -= known->is_missed;
	known->is_missed = false;
}

static void note_mapping(struct known *known, const struct writer_mmap *m)
{
	const char *path = known->mapping.path;

	known->mapping = *m;
	known->mapping.path = path;
}

/* What was left at its path, and was written over, is nowhere any more. */
static void learn(struct keep *k, struct known *known, const struct writer_mmap *m, const struct stat *st)
{
	bool is_same = known->is_found && is_same_program(known, st, &m->build_id);

	if (known->is_left && !is_same)
		count_missed(k, known, m);
	/* And stays counted, whatever becomes of the file that is there now. */
	known->is_missed &= is_same;
	known->is_copied &= is_same;
	known->is_found = true;
	known->mapped = *st;
	note_mapping(known, m);
	known->is_left = false;
	let_go(k, known);
}

/* fd, which it takes, reads the mapped file. */
static void look_into(struct keep *k, struct known *known, struct writer_mmap *m, int fd,
		      const struct stat *st)
{
	build_id_of_fd(fd, &m->build_id);
	learn(k, known, m, st);
	known->is_code = !is_elf(fd);
	known->is_left = !known->is_code && !known->is_copied && is_at_its_path(known);
	if (known->is_left) {
		hold(k, known, fd);
		return;
	}
	if (!known->is_code && !known->is_copied) {
		known->is_copied = copy_program(k, fd, m);
		if (!known->is_copied)
			count_missed(k, known, m);
	}
	close(fd);
}

/* ---- mappings ---- */

/* Memory that a process writes code into; the kernel's pages, which everyone has, are not. */
static bool is_made_by_process(const char *path)
{
	return strcmp(path, "[vdso]") && strcmp(path, "[vsyscall]") && strcmp(path, "[uprobes]");
}

/* What a mapping of that name was last, where nobody can say any more, is the best that is known. */
static void take_mapped(struct keep *k, struct known *known, struct writer_mmap *m, int found,
			const struct stat *st)
{
	int fd;

	if (known->is_found && (found < 0 || is_still(known, st))) {
		m->build_id = known->mapping.build_id;
		if (found >= 0)
			note_mapping(known, m);
		return;
	}
	fd = found < 0 ? found : root_reopen(found);
	if (fd < 0) {
		count_missed(k, known, m);
		return;
	}
	uncount_missed(k, known);
	look_into(k, known, m, fd, st);
}

void keep_mapping(struct keep *k, struct writer_mmap *m)
{
	bool is_file = m->path[0] == '/' && !str_starts(m->path, "//") &&
		       !str_starts(m->path, "/dev/");
	struct known *known = is_file ? known_of(k, m) : NULL;
	struct stat st;
	int found;

	if (known) {
		found = mapped_file_find(m, &st);
		take_mapped(k, known, m, found, &st);
		if (found >= 0)
			close(found);
	}
	if (known ? known->is_code : is_made_by_process(m->path))
		perf_maps_saw_code(&k->perf_maps, m->pid);
	else if (known)
		perf_maps_saw_file(&k->perf_maps, m->pid);
}

/* To what is not held its mapping leads, as long as its process is there. */
static int find_again(const struct known *known)
{
	struct stat st;
	int found = mapped_file_find(&known->mapping, &st), fd;

	if (found < 0)
		return found;
	fd = root_reopen(found);
	close(found);
	return fd;
}

static void look_again(struct keep *k, struct known *known)
{
	int fd;

	if (is_at_its_path(known))
		return;
	known->is_left = false;
	fd = take_held(k, known);
	if (fd < 0)
		fd = find_again(known);
	known->is_copied = fd >= 0 && still_reads_it(known, fd) && copy_program(k, fd, &known->mapping);
	if (!known->is_copied)
		count_missed(k, known, &known->mapping);
	if (fd >= 0)
		close(fd);
}

void keep_look_again(struct keep *k)
{
	vec_each(&k->known, known)
		if (known->is_left)
			look_again(k, known);
}

void keep_kallsyms(struct keep *k, const struct build_id *kernel, const char *lines, size_t len)
{
	struct note_file f = { .kind = FILE_KALLSYMS,
			       .path = "[kernel.kallsyms]",
			       .build_id = *kernel,
			       .size = len };

	if (!len)
		return;
	f.id = k->next_id++;
	writer_note_file(k->writer, &f, lines);
}

void keep_perf_map(struct keep *k, uint32_t pid)
{
	struct note_file f = { .kind = FILE_PERF_MAP, .pid = pid, .path = "perf.map" };
	int fd = perf_maps_open(&k->perf_maps, pid), err = 0;

	if (fd < 0)
		return;
	if (!write_file(k, fd, &f, MAX_PERF_MAP_BYTES, &err) && err == -EFBIG) {
		k->stats.nr_unreachable++;
		log_warn("process %u: its map of JIT code is larger than %llu MiB and is not recorded: "
			 "that code will have no names",
			 pid, MAX_PERF_MAP_BYTES >> 20);
	}
	close(fd);
}

void keep_vdso(struct keep *k)
{
	uint64_t at = getauxval(AT_SYSINFO_EHDR);
	const struct maps_entry *entry;
	struct maps maps = { 0 };
	struct note_file f = { .kind = FILE_VDSO, .path = "[vdso]" };
	struct err ignored;

	if (at && !maps_read(&maps, getpid(), &ignored) && (entry = maps_find(&maps, at))) {
		f.id = k->next_id++;
		f.size = entry->end - entry->start;
		writer_note_file(k->writer, &f, (const void *)(uintptr_t)entry->start);
	}
	maps_release(&maps);
}

void keep_stats(const struct keep *k, struct keep_stats *ret)
{
	*ret = k->stats;
}
