/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/maps as structs. One line a mapping (proc_pid_maps(5); fs/proc/task_mmu.c):
 *
 *	7f1c2a000000-7f1c2a022000 r-xp 00001000 08:01 1835117      /usr/lib/libx.so (deleted)
 *	start        end          prot off      dev   inode        path, to the end of the line
 *
 * The kernel writes a newline in a path as \012 and escapes nothing else, not even the backslash.
 */
#ifndef COLLECTOR_MAPS_H
#define COLLECTOR_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

struct maps_entry {
	uint64_t start, end;	/* runtime addresses, end exclusive */
	uint64_t off;		/* of start in the file, bytes */
	uint64_t inode;		/* 0: no file */
	uint32_t dev_major, dev_minor;
	int prot;		/* PROT_READ | PROT_WRITE | PROT_EXEC */
	bool is_shared;
	bool is_deleted;	/* unlinked, or replaced by another file */
	const char *path;	/* "" for anonymous memory; "[heap]" and the like as written */
};

struct maps {
	VEC(struct maps_entry) entries;	/* ascending, as the kernel writes them */
	size_t nr_bad_lines;		/* not in the format above: left out */
	struct arena arena;
};

/* Pure: text need not end in NUL or newline. Adds to *m, which is valid when zeroed. */
void maps_parse(struct maps *m, const char *text, size_t len);
/* Adds the mappings of a process. -ESRCH: there is none; -EACCES, -EPERM: it is someone else's. */
int maps_read(struct maps *m, int pid, struct err *e);
void maps_release(struct maps *m);
/* The mapping that covers addr, or NULL. */
const struct maps_entry *maps_find(const struct maps *m, uint64_t addr);
/* Where in its file an address of our own process lies. -ENOENT: no mapping covers it. */
int maps_own_off(uint64_t addr, uint64_t *ret_off);
/* It maps bytes of a file (not heap, stack, vdso or a pseudo file of the kernel's). */
bool maps_entry_is_file(const struct maps_entry *m);

#endif
