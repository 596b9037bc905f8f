/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/patched.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collector/maps.h"
#include "collector/target.h"
#include "collector/translated.h"

enum {
	PAGE_BYTES = 4096,
	NR_FLAGS = 512,		/* of pages, read together */
	BREAKPOINT = 0xcc,
	CALL = 0xe8,
	NOP5_BYTES = 5,
};

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGE_IS_FILES (1ULL << 61)
#define PAGE_IS_SWAPPED (1ULL << 62)
#define PAGE_IS_PRESENT (1ULL << 63)

struct segment {	/* a PT_LOAD, from the beginning of its first page */
	uint64_t off, end;	/* in the file */
	uint64_t vaddr;
	bool is_code;
};

struct segments {
	VEC(struct segment) at;
};

struct view {	/* of a process's memory, and of the file that is mapped there */
	const struct maps *maps;
	struct segments segments;
	uint32_t task;
	int pagemap_fd, file_fd;
	uint64_t first_flag;	/* number of the page */
	size_t nr_flags;
	uint64_t flags[NR_FLAGS];
	uint64_t page, page_off;	/* address of the one below, 0: none; where it is in the file */
	bool is_read;
	bool is_translated;	/* none of it is run */
	bool is_gone;		/* the task has ended meanwhile, or begun another program */
	uint8_t memory[PAGE_BYTES], file[PAGE_BYTES];
};

/*
 * The process has its own copy of the page, since it, or who debugs or probes it, has written there. All others are the
 * file's. True where that is not told.
 */
static bool is_own_page(struct view *v, uint64_t addr)
{
	uint64_t number = addr / PAGE_BYTES, flags;
	ssize_t len;

	if (number < v->first_flag || number - v->first_flag >= v->nr_flags) {
		len = pread(v->pagemap_fd, v->flags, sizeof(v->flags), (off_t)(number * sizeof(uint64_t)));
		v->first_flag = number;
		v->nr_flags = len > 0 ? (size_t)len / sizeof(uint64_t) : 0;
		v->is_gone |= !len;
		if (!v->nr_flags)
			return true;
	}
	flags = v->flags[number - v->first_flag];
	return (flags & PAGE_IS_SWAPPED) || (flags & (PAGE_IS_PRESENT | PAGE_IS_FILES)) == PAGE_IS_PRESENT;
}

/* Behind the file's end a page is empty. */
static bool read_page(struct view *v, uint64_t addr, uint64_t off)
{
	struct iovec to = { v->memory, PAGE_BYTES }, from = { (void *)(uintptr_t)addr, PAGE_BYTES };

	if (v->page == addr && v->page_off == off)
		return v->is_read;
	v->page = addr;
	v->page_off = off;
	memset(v->file, 0, PAGE_BYTES);
	v->is_read = process_vm_readv((pid_t)v->task, &to, 1, &from, 1, 0) == PAGE_BYTES;
	v->is_gone |= !v->is_read && errno == ESRCH;
	v->is_read &= pread(v->file_fd, v->file, PAGE_BYTES, (off_t)off) >= 0;
	return v->is_read;
}

/* Linux 6.18: arch/x86/kernel/uprobes.c, arch_uprobe_optimize(). */
static bool is_call_of_probe(const struct view *v, size_t at)
{
	static const uint8_t nop5[NOP5_BYTES] = { 0x0f, 0x1f, 0x44, 0, 0 };
	const struct maps_entry *m;
	int32_t distance;

	if (at + NOP5_BYTES > PAGE_BYTES || v->memory[at] != CALL || memcmp(v->file + at, nop5, NOP5_BYTES))
		return false;
	memcpy(&distance, v->memory + at + 1, sizeof(distance));
	m = maps_find(v->maps, v->page + at + NOP5_BYTES + (uint64_t)(int64_t)distance);
	return m && !strcmp(m->path, "[uprobes-trampoline]");
}

static bool is_page_changed(struct view *v, size_t from, size_t to)
{
	size_t i;

	for (i = from; i < to; i++) {
		if (v->memory[i] == v->file[i] || v->memory[i] == BREAKPOINT)
			continue;
		if (!is_call_of_probe(v, i))
			return true;
		i += NOP5_BYTES - 1;
	}
	return false;
}

/* The piece from `off` up to `end` of a mapping's file. */
static bool is_changed(struct view *v, const struct maps_entry *m, uint64_t off, uint64_t end)
{
	while (off < end) {
		uint64_t page_off = off - off % PAGE_BYTES, page = m->start + (page_off - m->off);
		uint64_t page_end = page_off + PAGE_BYTES < end ? page_off + PAGE_BYTES : end;

		if (is_own_page(v, page) &&
		    (!read_page(v, page, page_off) || is_page_changed(v, off - page_off, page_end - page_off)))
			return !v->is_gone;
		off = page_end;
	}
	return false;
}

bool patched_is_unprobed(int prot, bool is_shared)
{
	return prot & PROT_EXEC && (is_shared || prot & PROT_WRITE);
}

static enum patched what_is(struct view *v, const struct maps_entry *m, uint64_t off, uint64_t end)
{
	if (!m->is_shared && is_changed(v, m, off, end))
		return PATCHED_CHANGED;
	if (v->is_translated)
		return PATCHED_TRANSLATED;
	return patched_is_unprobed(m->prot, m->is_shared) && !v->is_gone ? PATCHED_UNPROBED : PATCHED_NOT;
}

static size_t mark_in_mapping(struct view *v, const struct maps_entry *m, struct patched_range *ranges, size_t nr)
{
	uint64_t m_end = m->off + (m->end - m->start);
	size_t i, nr_marked = 0;

	for (i = 0; i < nr; i++) {
		struct patched_range *r = &ranges[i];
		uint64_t off = r->off > m->off ? r->off : m->off, end = r->end < m_end ? r->end : m_end;

		if (r->is || off >= end)
			continue;
		r->is = what_is(v, m, off, end);
		nr_marked += r->is != PATCHED_NOT;
	}
	return nr_marked;
}

/* Without the privilege for map_files the inode tells: see locate.c. */
static bool is_of_file(const struct maps_entry *m, uint32_t task, const struct patched_file *file)
{
	char path[64];
	struct stat st;

	if (!m->inode)
		return false;
	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", task, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	if (stat(path, &st))
		return m->inode == file->inode;
	return st.st_dev == file->dev && st.st_ino == file->inode;
}

/* ---- what was moved ---- */

/* A file that is no ELF has none. */
static void read_segments(int fd, struct segments *ret)
{
	size_t nr = 0, i;
	GElf_Phdr p;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf_getphdrnum(elf, &nr))
		nr = 0;
	for (i = 0; i < nr; i++)
		if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD)
			vec_push(&ret->at, (struct segment){ .off = p.p_offset - p.p_offset % PAGE_BYTES,
							.end = p.p_offset + p.p_filesz,
							.vaddr = p.p_vaddr - p.p_offset % PAGE_BYTES,
							.is_code = p.p_flags & PF_X });
	elf_end(elf);
}

/* Where the file is loaded such that vaddr 0 is at `base`, code that ends there in the file does so here, or 0. */
static uint64_t code_end(const struct segments *segments, uint64_t base, uint64_t end)
{
	vec_each(&segments->at, s)
		if (s->is_code && end > s->off && end <= s->end)
			return base + s->vaddr + (end - s->off);
	return 0;
}

/* From `off` on in the file, at `addr` in memory. */
static bool is_same(struct view *v, uint64_t addr, uint64_t off, uint64_t end)
{
	while (off < end) {
		uint64_t in_page = off % PAGE_BYTES, len = PAGE_BYTES - in_page;

		if (len > end - off)
			len = end - off;
		if (!read_page(v, addr - in_page, off - in_page) || is_page_changed(v, in_page, in_page + len))
			return false;
		addr += len;
		off += len;
	}
	return true;
}

/* Other memory in the place of the file's proves nothing: the same code in it does. */
static size_t mark_moved(struct view *v, uint64_t base, const bool *is_files, struct patched_range *ranges, size_t nr)
{
	size_t nr_marked = 0, i;

	for (i = 0; i < nr; i++) {
		struct patched_range *r = &ranges[i];
		uint64_t addr = code_end(&v->segments, base, r->end);
		const struct maps_entry *m = addr && !r->is ? maps_find(v->maps, addr - 1) : NULL;

		if (!m || !(m->prot & PROT_EXEC) || is_files[m - v->maps->entries.at] ||
		    !is_same(v, addr - (r->end - r->off), r->off, r->end))
			continue;
		r->is = PATCHED_MOVED;
		nr_marked++;
	}
	return nr_marked;
}

/* What is left of the file's mappings says where it is loaded. */
static size_t mark_moved_by(struct view *v, const struct maps_entry *m, const bool *is_files, struct patched_range *ranges,
			    size_t nr)
{
	size_t nr_marked = 0;

	vec_each(&v->segments.at, s)
		if (m->off >= s->off && m->off < s->end)
			nr_marked += mark_moved(v, m->start - (m->off - s->off) - s->vaddr, is_files, ranges, nr);
	return nr_marked;
}

/* ---- one process ---- */

static bool is_short_of_descriptors(int error)
{
	return error == -EMFILE || error == -ENFILE;
}

static int open_view(struct view *v, const char *path)
{
	char pagemap[64];
	int err;

	snprintf(pagemap, sizeof(pagemap), "/proc/%u/pagemap", v->task);
	v->pagemap_fd = open(pagemap, O_RDONLY | O_CLOEXEC);
	err = v->pagemap_fd < 0 ? -errno : 0;
	v->file_fd = is_short_of_descriptors(err) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (!is_short_of_descriptors(err) && v->file_fd < 0)
		err = -errno;
	return is_short_of_descriptors(err) ? err : 0;
}

static void close_view(const struct view *v)
{
	if (v->pagemap_fd >= 0)
		close(v->pagemap_fd);
	if (v->file_fd >= 0)
		close(v->file_fd);
}

/* The kernel writes breakpoints into all private mappings of the file, executable or not: valid_vma() of uprobes.c. */
static size_t mark(struct view *v, const struct patched_file *file, struct patched_range *ranges, size_t nr)
{
	const struct maps_entry *entries = v->maps->entries.at;
	size_t nr_entries = v->maps->entries.nr, nr_marked = 0, i;
	bool *is_files = xcalloc(nr_entries, sizeof(*is_files));

	for (i = 0; i < nr_entries; i++) {
		is_files[i] = is_of_file(&entries[i], v->task, file);
		if (is_files[i])
			nr_marked += mark_in_mapping(v, &entries[i], ranges, nr);
	}
	read_segments(v->file_fd, &v->segments);
	for (i = 0; i < nr_entries; i++)
		if (is_files[i])
			nr_marked += mark_moved_by(v, &entries[i], is_files, ranges, nr);
	vec_release(&v->segments.at);
	free(is_files);
	return nr_marked;
}

static int find_in_task(struct view *v, uint32_t pid, const struct patched_file *file, struct patched_range *ranges, size_t nr)
{
	struct maps maps = { 0 };
	struct err e = { 0 };
	int err = maps_read(&maps, (int)pid, &e);
	size_t nr_marked = 0;

	if (err)
		return is_short_of_descriptors(err) ? err : 0;
	v->maps = &maps;
	v->is_translated = translated_is(v->task, &maps);
	err = open_view(v, file->open_path);
	if (!err)
		nr_marked = mark(v, file, ranges, nr);
	close_view(v);
	maps_release(&maps);
	return err ? err : (int)nr_marked;
}

int patched_find(uint32_t pid, const struct patched_file *file, struct patched_range *ranges, size_t nr)
{
	struct view v = { .is_gone = true };
	int nr_marked = 0, found;

	while (v.is_gone && (v.task = process_live_task(pid))) {
		v = (struct view){ .task = v.task };
		found = find_in_task(&v, pid, file, ranges, nr);
		if (found < 0)
			return found;
		nr_marked += found;
	}
	return nr_marked;
}

const char *patched_text(enum patched is)
{
	static const char *const texts[NR_PATCHED] = {
		[PATCHED_CHANGED] = "has changed in its memory (a hook, a live patch)",
		[PATCHED_UNPROBED] = "maps shared or writable, where the kernel puts no probes",
		[PATCHED_MOVED] = "has moved to other memory, as for huge pages, where the kernel puts no probes",
		[PATCHED_TRANSLATED] = "does not run but translates, probes along with it (valgrind): a second program is mapped",
	};

	return texts[is];
}
