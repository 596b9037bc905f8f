/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
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

/* A mapped file, by device, inode and path: all three may come again with another file. */
struct known {
	bool is_found;		/* the file itself was looked at: what follows is its */
	bool is_missed;		/* counted as out of reach */
	bool is_copied;
	bool is_code;		/* no ELF file but bare code, as compilers keep in a memfd */
	off_t size;
	struct timespec mtime, ctime;
	struct build_id build_id;	/* length 0: it has none */
};

struct keep {
	struct writer *writer;
	struct strings seen;	/* device, inode and path of every mapping looked at */
	VEC(struct known) known;	/* by the ids of seen */
	struct perf_maps perf_maps;
	uint32_t next_id;
	struct keep_stats stats;
};

struct keep *keep_new(struct writer *w)
{
	struct keep *k = xcalloc(1, sizeof(*k));

	k->writer = w;
	strings_id(&k->seen, "");
	return k;
}

void keep_free(struct keep *k)
{
	if (!k)
		return;
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
		vec_push(&k->known, (struct known){ 0 });
	return &k->known.at[id];
}

static bool is_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_still(const struct known *known, const struct stat *st)
{
	return known->is_found && known->size == st->st_size && is_time(known->mtime, st->st_mtim) &&
	       is_time(known->ctime, st->st_ctim);
}

/* ---- the mapped file ---- */

/* The report will find it: the same file is at its path from here, or one of the same build. */
static bool is_at_its_path(const struct writer_mmap *m, const struct stat *mapped)
{
	struct build_id id;
	struct stat st;

	if (stat(m->path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (st.st_dev == mapped->st_dev && st.st_ino == mapped->st_ino)
		return true;
	return m->build_id.len && build_id_of_path(m->path, &id) &&
	       build_id_equal(&id, &m->build_id);
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

static void learn(struct known *known, const struct stat *st, const struct build_id *id)
{
	bool is_same_build = known->is_found && id->len && build_id_equal(&known->build_id, id);

	known->is_found = true;
	known->is_copied &= is_same_build;
	known->size = st->st_size;
	known->mtime = st->st_mtim;
	known->ctime = st->st_ctim;
	known->build_id = *id;
}

/* fd reads the mapped file. */
static void look_into(struct keep *k, struct known *known, struct writer_mmap *m, int fd,
		      const struct stat *st)
{
	build_id_of_fd(fd, &m->build_id);
	learn(known, st, &m->build_id);
	known->is_code = !is_elf(fd);
	if (known->is_code || known->is_copied || is_at_its_path(m, st))
		return;
	known->is_copied = copy_program(k, fd, m);
	if (!known->is_copied)
		count_missed(k, known, m);
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
		m->build_id = known->build_id;
		return;
	}
	fd = found < 0 ? found : root_reopen(found);
	if (fd < 0) {
		count_missed(k, known, m);
		return;
	}
	uncount_missed(k, known);
	look_into(k, known, m, fd, st);
	close(fd);
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
