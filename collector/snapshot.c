/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "collector/build_id.h"
#include "collector/maps.h"
#include "collector/target.h"

static void write_mapping(struct writer *w, struct keep *k, struct stack_walker *walker, uint32_t pid,
			  const struct maps_entry *entry)
{
	struct writer_mmap m = {
		.pid = pid,
		.tid = pid,
		.start = entry->start,
		.len = entry->end - entry->start,
		.off = entry->off,
		.prot = (uint32_t)entry->prot,
		.flags = entry->is_shared ? MAP_SHARED : MAP_PRIVATE,
		.dev_major = entry->dev_major,
		.dev_minor = entry->dev_minor,
		.inode = entry->inode,
		.path = *entry->path ? entry->path : "//anon",
	};

	keep_mapping(k, &m);
	writer_mmap(w, &m);
	if (walker)
		stack_walker_mmap(walker, &m);
}

void snapshot_process(struct writer *w, struct keep *k, struct stack_walker *walker, uint32_t pid)
{
	struct maps maps = { 0 };
	struct pids tids = { 0 };
	struct err ignored;

	writer_comm(w, pid, pid, thread_name(pid, pid).text);
	process_threads(pid, &tids);
	vec_each(&tids.at, tid) {
		if (*tid == pid)
			continue;
		writer_fork(w, pid, *tid, pid, pid);
		writer_comm(w, pid, *tid, thread_name(pid, *tid).text);
	}
	/* The kernel's own records are about executable mappings too. */
	maps_read(&maps, (int)pid, &ignored);
	vec_each(&maps.entries, entry)
		if (entry->prot & PROT_EXEC)
			write_mapping(w, k, walker, pid, entry);
	writer_flush(w);
	maps_release(&maps);
	pids_release(&tids);
}

/* "  01000000-02276f47 : Kernel code": bytes from _text to _etext; 0: only root is told (arch/x86/kernel/setup.c). */
static uint64_t size_of_kernel_code(void)
{
	FILE *f = fopen("/proc/iomem", "re");
	uint64_t start, last, size = 0;
	char line[256];

	while (f && !size && fgets(line, sizeof(line), f))
		if (strstr(line, " : Kernel code") &&
		    sscanf(line, " %" SCNx64 "-%" SCNx64, &start, &last) == 2 && last > start)
			size = last - start + 1;
	if (f)
		fclose(f);
	return size;
}

/*
 * Addresses of _stext and _etext; 0 where the kernel hides them (kptr_restrict) or has none. To find the latter in
 * kallsyms takes the kernel 50 ms, so it is worked out where its distance is known.
 */
static void kernel_text(uint64_t *ret_start, uint64_t *ret_end)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	uint64_t addr, size = size_of_kernel_code();
	char line[512], name[256];

	*ret_start = *ret_end = 0;
	while (f && (!*ret_start || !*ret_end) && fgets(line, sizeof(line), f)) {
		/* A hundred thousand lines: only the wanted ones are worth a scanf. */
		if (!strstr(line, "text\n") || sscanf(line, "%" SCNx64 " %*c %255s", &addr, name) != 2)
			continue;
		if (!strcmp(name, "_stext"))
			*ret_start = addr;
		else if (!strcmp(name, "_text") && size && addr)
			*ret_end = addr + size;
		else if (!strcmp(name, "_etext"))
			*ret_end = addr;
	}
	if (f)
		fclose(f);
}

/* name size references users state address: Documentation/filesystems/proc.rst. */
static void snapshot_modules(struct writer *w)
{
	FILE *f = fopen("/proc/modules", "re");
	char line[4096], name[128], path[160];
	uint64_t size, addr;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%127s %" SCNu64 " %*s %*s %*s %" SCNx64, name, &size, &addr) != 3 ||
		    !addr)
			continue;
		snprintf(path, sizeof(path), "[%s]", name);
		writer_mmap(w, &(struct writer_mmap){ .pid = UINT32_MAX, .tid = 0, .start = addr,
						      .len = size, .path = path, .is_kernel = true });
	}
	if (f)
		fclose(f);
}

/*
 * As perf names it: "[kernel.kallsyms]_stext", the offset being the address of the symbol that tells
 * how far this boot moved the kernel (tools/perf/util/synthetic-events.c).
 */
void snapshot_kernel(struct writer *w)
{
	struct writer_mmap m = { .pid = UINT32_MAX,
				 .tid = 0,
				 .prot = PROT_EXEC,
				 .path = "[kernel.kallsyms]_stext",
				 .is_kernel = true };
	uint64_t end;

	kernel_text(&m.start, &end);
	if (!m.start || end <= m.start)
		return;
	m.len = end - m.start;
	m.off = m.start;
	build_id_of_kernel(&m.build_id);
	writer_mmap(w, &m);
	snapshot_modules(w);
}
