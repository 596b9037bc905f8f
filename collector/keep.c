/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "collector/build_id.h"
#include "collector/maps.h"
#include "collector/target.h"

/* Larger than any library met so far (libxul is 150 MB); what is larger is not a program. */
#define MAX_FILE_BYTES (512ULL << 20)
#define MAX_PERF_MAP_BYTES (64ULL << 20)

struct keep {
	struct writer *writer;
	struct strings seen;	/* device, inode and path of every mapping looked at */
	VEC(struct build_id) build_ids;	/* of them; length 0 where there is none */
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
	vec_release(&k->build_ids);
	free(k);
}

/* True: never seen before. *ret_known is the place of the mapping's build-id, for as long as k lives. */
static bool is_first_sight(struct keep *k, const struct writer_mmap *m, size_t *ret_known)
{
	struct str key = { 0 };
	size_t before = k->seen.text.nr;

	str_addf(&key, "%u:%u:%llu %s", m->dev_major, m->dev_minor, (unsigned long long)m->inode,
		 m->path);
	*ret_known = strings_id_n(&k->seen, key.s, key.len);
	str_release(&key);
	while (k->build_ids.nr < k->seen.text.nr)
		vec_push(&k->build_ids, (struct build_id){ 0 });
	return k->seen.text.nr != before;
}

static bool is_same_file(const struct stat *st, const struct writer_mmap *m)
{
	return st->st_ino == m->inode && major(st->st_dev) == m->dev_major &&
	       minor(st->st_dev) == m->dev_minor;
}

/*
 * True: path, opened from here, is the file that was mapped. Device and inode may differ for the same
 * file (overlayfs, btrfs), so the build-id decides where there is one.
 */
static bool opens_mapped_file(const char *path, const struct writer_mmap *m)
{
	struct build_id id;
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (m->build_id.len)
		return build_id_of_path(path, &id) && build_id_equal(&id, &m->build_id);
	return is_same_file(&st, m);
}

/* A file that is kept whole while its bytes go out; false: it cannot be had. */
static bool write_file(struct keep *k, const char *open_path, struct note_file *f, uint64_t max_bytes)
{
	int fd = open(open_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st = { 0 };
	uint8_t *bytes;
	ssize_t len = -1;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uint64_t)st.st_size <= max_bytes) {
		bytes = xmalloc((size_t)st.st_size);
		len = read(fd, bytes, (size_t)st.st_size);
		if (len > 0) {
			f->id = k->next_id++;
			f->size = (uint64_t)len;
			writer_note_file(k->writer, f, bytes);
			k->stats.nr_files++;
			k->stats.nr_bytes += f->size;
		}
		free(bytes);
	}
	close(fd);
	return len > 0;
}

static bool copy_from(struct keep *k, const char *open_path, const struct writer_mmap *m)
{
	struct note_file f = { .kind = FILE_ELF,
			       .pid = m->pid,
			       .path = m->path,
			       .build_id = m->build_id };

	if (!write_file(k, open_path, &f, MAX_FILE_BYTES))
		return false;
	log_verbose("copied %s (%llu bytes): it is deleted, replaced or in a container", m->path,
		    (unsigned long long)f.size);
	return true;
}

/* Roads to a mapped file, from the one that stays to the one that only the mapping itself is. */
static void roads_to(const struct writer_mmap *m, char *root, char *map_file, size_t room)
{
	snprintf(root, room, "/proc/%u/root%s", m->pid, m->path);
	snprintf(map_file, room, "/proc/%u/map_files/%llx-%llx", m->pid, (unsigned long long)m->start,
		 (unsigned long long)(m->start + m->len));
}

/* The mapping itself tells best; where it cannot be opened, its path, if that is the same file still. */
static bool read_build_id(const struct writer_mmap *m, const char *root, const char *map_file,
			  struct build_id *ret_id)
{
	const char *const roads[] = { root, m->path };
	struct stat st;
	size_t i;

	if (build_id_of_path(map_file, ret_id))
		return true;
	for (i = 0; i < ARRAY_LEN(roads); i++)
		if (!stat(roads[i], &st) && is_same_file(&st, m))
			return build_id_of_path(roads[i], ret_id);
	return false;
}

void keep_mapping(struct keep *k, struct writer_mmap *m)
{
	char root[4352], map_file[4352];
	bool is_first;
	size_t known;

	if (m->path[0] != '/' || str_starts(m->path, "//") || str_starts(m->path, "/dev/"))
		return;
	is_first = is_first_sight(k, m, &known);
	m->build_id = k->build_ids.at[known];
	if (!is_first)
		return;
	roads_to(m, root, map_file, sizeof(root));
	if (read_build_id(m, root, map_file, &m->build_id))
		k->build_ids.at[known] = m->build_id;
	if (opens_mapped_file(m->path, m) || (opens_mapped_file(root, m) && copy_from(k, root, m)) ||
	    copy_from(k, map_file, m))
		return;
	k->stats.nr_unreachable++;
	log_verbose("%s: gone or out of reach, its functions will have no names", m->path);
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
	char path[128];

	snprintf(path, sizeof(path), "/proc/%u/root/tmp/perf-%u.map", pid, process_inner_pid(pid));
	if (write_file(k, path, &f, MAX_PERF_MAP_BYTES))
		return;
	snprintf(path, sizeof(path), "/tmp/perf-%u.map", pid);
	write_file(k, path, &f, MAX_PERF_MAP_BYTES);
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
