/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to places: a function or a USDT probe of the target -> (file, offset), ready for a uprobe.
 *
 *	struct locate l = { 0 };
 *	struct probe_sites sites = { 0 };
 *
 *	locate_process(&l, pid, e);		once a process of the target
 *	locate_probe(&l, &spec.begin, &sites, e);
 *	vec_each(&sites.sites, s)
 *		attach(s->open_path, s->off, s->semaphore_off);
 *
 * Which file a mapping is: PATH as the target sees it, where that is the mapped file (same device
 * and inode) for us too; else PATH below the process's root (root.h), held open; else
 * /proc/PID/map_files/START-END, which reaches deleted and replaced files and asks for
 * CAP_CHECKPOINT_RESTORE. The latter two work across mount namespaces. A file that several map is
 * listed once.
 */
#ifndef COLLECTOR_LOCATE_H
#define COLLECTOR_LOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "collector/image.h"
#include "collector/patched.h"
#include "collector/probe_arg.h"
#include "collector/spec.h"

struct locate_file {
	const char *open_path;		/* opens the file from here, in this process */
	int fd;				/* of which open_path is /proc/self/fd's name; else -1 */
	const char *module;		/* its path as the target sees it */
	uint64_t dev, inode;		/* of open_path, as stat(2) says */
	uint32_t pid;			/* the first process found to map it; 0: named by path */
	bool is_main;			/* the program itself, not a library */
	struct image *image;		/* locate_image() */
	bool is_no_image;		/* it was looked at and is none */
};

struct locate {
	VEC(struct locate_file) files;	/* programs before libraries, else in order of discovery */
	size_t nr_unreadable;		/* mapped files that could not be reached */
	bool has_run;			/* set by who knows: what did not run yet when it was added has run */
	struct arena arena;
};

/* What a probe can read where it is hit. */
struct probe_args {
	unsigned int nr;
	struct probe_arg at[PROBE_ARGS_MAX];
	const char *why[PROBE_ARGS_MAX];	/* PROBE_ARG_NONE: why not; else NULL */
};

struct probe_site {
	const char *open_path;	/* for perf_event_attr.uprobe_path, or open(2) */
	uint64_t off;		/* in the file: perf_event_attr.probe_offset */
	uint64_t code_off;	/* of the code that leads there: the function's, or a piece's of it; of a USDT probe off */
	uint64_t semaphore_off;	/* in the file: ref_ctr_offset; 0: none */
	uint64_t dev, inode;	/* of open_path */
	const char *module;	/* path as the target sees it */
	const char *name;	/* symbol as in the file (mangled), or PROVIDER:NAME */
	bool is_return;		/* of the function that begins at off: no place yet, see locate_exits() */
	bool is_go;		/* a function of a program of Go's */
	bool is_exit;		/* an instruction by which a function is left: locate_exits() */
	unsigned char condition;	/* under which a hit counts: EXIT_CONDITION() of probe.h; 0: always */
	struct probe_args args;	/* none for a return */
};

/* Strings are lent from struct locate. Ordered by file, then offset; no two the same. */
struct probe_sites {
	VEC(struct probe_site) sites;
};

/*
 * Adds a file that a process has mapped, and may have unmapped meanwhile. found: what mapped_file_find() gave, which it
 * takes; negative: what the process has at that path now. 1: it is new; 0: it is listed already; -ENOENT: it is not to
 * be had, or no longer.
 */
int locate_mapped(struct locate *l, uint32_t pid, const char *path, int found);
/* Adds the executable files that a process maps. -ESRCH, -EACCES, -EPERM; -EINVAL: a 32-bit program, or none. */
int locate_process(struct locate *l, int pid, struct err *e);
/*
 * Adds a program that does not run yet, of a script its interpreter (of "#!/usr/bin/env python3" both), and the libraries
 * that it begins with, as far as its loader tells.
 */
int locate_program(struct locate *l, const char *path, struct err *e);
/* The same, and of programs that its arguments name: env(1), nice(1) and their like become what they are given. */
int locate_command(struct locate *l, const char *program, char *const *arguments, struct err *e);
void locate_release(struct locate *l);
/* What is in the file, read when first asked for; NULL: not an ELF file that can be read. */
const struct image *locate_image(struct locate_file *f);

/* That of the file that a probe is in. */
const struct image *locate_image_of(struct locate *l, const struct probe_site *site);

/*
 * module: NULL for any, or a glob of a base name or of a whole path, of which what follows a '.' may be left out; or the
 * path of a link to it. The name of a library that has a version, mostly a link, so stands for its file.
 */
bool locate_file_matches(const struct locate_file *f, const char *module);
bool locate_module_matches(const char *path, const char *module);
/*
 * Every definition of the function, or every site of the USDT probe. A C++ function may be named
 * without its parameters while that means one function only.
 * -ENOENT: nothing has that name (the remedy lists the nearest ones, or says that it was inlined);
 * -ENOTUNIQ: several overloads; -EOPNOTSUPP: it is an indirect function (STT_GNU_IFUNC).
 * *ret grows on success only; probe_sites_release() it.
 */
int locate_probe(struct locate *l, const struct probe_name *name, struct probe_sites *ret,
		 struct err *e);
void probe_sites_release(struct probe_sites *s);
/* Whether a place is in both, of whatever name. */
bool probe_sites_share(const struct probe_sites *a, const struct probe_sites *b);

/*
 * Moves the probe on the entry of a function that begins again after a check, as Go's do, to where each call
 * comes by once: call_place_check(). All sites are functions.
 */
void locate_entries(struct locate *l, struct probe_sites *sites);
/*
 * NULL: the function's first byte is passed once in each call, or it was moved behind a check. Else why a probe there would
 * take a loop's rounds for calls; static.
 */
const char *locate_why_repeated(struct locate *l, const struct probe_site *site);
/* One that no probe belongs on in a process (patched.h), of those of one file, and why; NULL: none. */
const struct probe_site *locate_patched(const struct probe_site *sites, size_t nr, uint32_t pid, enum patched *ret_how);
/* See call_place_is_changed(). */
bool locate_is_changed(const struct probe_site *site, bool is_entry);
/* Of a USDT probe's site: call_place_is_nop(), and in no other instruction of its function. */
bool locate_is_nop(struct locate *l, const struct probe_site *site);
/* Go's stacks are small, many lie in one mapping, and they move. */
bool locate_file_is_go(const struct locate_file *f);
/*
 * Puts in the place of each return probes on the function's own exits. Returns how many were not replaced: their function's
 * length is not known, or what its code is: exits_find().
 */
size_t locate_exits(struct locate *l, struct probe_sites *sites);

/*
 * Functions' n-th argument is no wider from now on than debug information says: above an int its register has anything.
 * Without, it is all of the register.
 */
void locate_cut_argument(struct locate *l, struct probe_sites *sites, unsigned int n);

/* The n-th argument, from 1. -EINVAL: there is none, or it cannot be read; the error says why. */
int probe_site_arg(const struct probe_site *s, unsigned int n, struct probe_arg *ret,
		   struct err *e);

/*
 * The error for a name that nothing has: -ENOENT with the nearest names, or with the reason why a
 * function that the source has cannot be found. locate_probe() calls it.
 */
int locate_miss(struct locate *l, const struct probe_name *name, struct err *e);

/* What can be named, for `wperf probes`. Strings are lent from struct locate, or live in it. */
struct probe_listing {
	const char *name;	/* function as a spec takes it, or PROVIDER:NAME */
	const char *symbol;	/* of a function, as in the file */
	const char *module;	/* path as the target sees it */
	unsigned int nr_args;	/* USDT only */
	unsigned int nr_sites;
	bool is_usdt;
	bool is_main;
};

struct probe_listings {
	VEC(struct probe_listing) at;	/* USDT before functions, then by name, then by module */
};

/* libraries: list the functions of libraries too; USDT probes are listed wherever they are. */
void locate_list(struct locate *l, bool libraries, struct probe_listings *ret);
void probe_listings_release(struct probe_listings *s);

#endif
