/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --calls PATTERN[@MODULE]: which native functions those are, and the probes on them.
 *
 *	call_native_prepare(&n, &patterns, &target, e);
 *	... nr_functions = n->functions.nr + CALL_NATIVE_SPARE; the core is made ...
 *	call_native_attach(n, core, &pids, walker, w, e);
 *	... call_native_follow(), call_native_map() when a process has come or has mapped a file ...
 *	call_native_free(n);
 */
#ifndef COLLECTOR_CALL_NATIVE_H
#define COLLECTOR_CALL_NATIVE_H

#include "collector/call_core.h"
#include "collector/call_link.h"
#include "collector/call_place.h"
#include "collector/locate.h"
#include "collector/marker.h"
#include "collector/signature.h"
#include "collector/stack_walker.h"

/* Room for functions of files that are mapped later. */
#define CALL_NATIVE_SPARE 4096

struct call_pattern {
	const char *text;	/* as given */
	char *name;		/* glob */
	char *module;		/* glob; NULL: any */
	struct wanted wanted;	/* the name, made ready */
	VEC(size_t) functions;	/* that it means: indexes in call_native.functions */
	const char *why_refused;	/* of one that has no place for a probe; NULL: there is none */
	bool is_indirect;	/* it means an indirect function, which has no calls by that name */
	bool is_meant;		/* scratch: of the symbol that is looked at */
};

/* One that was searched: as struct locate_file has it, whose place among others may change. */
struct call_file {
	const char *module;
	int fd;		/* while another one may take its path; -1: none of its functions is counted */
	uint64_t dev, inode;
	struct build_id build_id;
	bool is_go;
	bool is_unprobed;	/* while recording a process has mapped it such that it may have no probes: it was said */
};

struct call_function {
	size_t file;		/* index in call_native.files */
	uint64_t off;
	uint64_t vaddr, size;	/* size 0: not known */
	const char *name;	/* as in the file, of several one that was asked for */
	bool is_aliased;	/* there are several */
	struct call_placement placement;
	bool is_off;		/* its probe was taken away, or could not be placed */
	bool is_left_out;	/* in one of the processes, for what that did with its code: it was said */
};

struct call_native {
	VEC(struct call_pattern) patterns;
	struct locate locate;
	VEC(struct call_file) files;		/* those that were searched */
	VEC(struct call_function) functions;	/* the id of the i-th is i + 1 */
	size_t nr_functions_max;
	size_t nr_left_out;			/* that there was no room for */
	bool has_newcomers;			/* some began, or were found, after their first calls */
	bool has_told_failure;			/* probes that came late could not be attached */
	struct call_attachments attached;	/* by their files' indexes in files */
	struct pids pids;			/* where they are attached */
	struct call_core *core;			/* lent, as are the next two */
	struct stack_walker *walker;		/* NULL: nobody walks stacks */
	struct writer *writer;
	struct call_programs programs;
};

/*
 * -ENOENT: no function of a running target has such a name, or it has no body since it is inlined
 * wherever it is called: the error says which. Of a program that does not run yet its own functions are
 * known, and those of the libraries that it begins with; others are looked for when they are there.
 */
int call_native_prepare(struct call_native **ret_native, const char *const *specs, size_t nr_specs,
			const struct marker_target *target, struct err *e);
/* Finds the functions of files that were not searched yet: call_native_search.c. */
void call_native_search(struct call_native *n);
/* Probes in these processes, and a note of each function. They count when the core is started. */
int call_native_attach(struct call_native *n, struct call_core *core, const struct pids *pids,
		       struct stack_walker *walker, struct writer *w, struct err *e);
/* A new process, or another program in it: what is missing is attached. */
void call_native_follow(struct call_native *n, uint32_t pid);
/* That file was searched. */
bool call_native_knows(const struct call_native *n, const struct writer_mmap *m);
/* A process has mapped code. False: the file cannot be had, or no longer. */
bool call_native_map(struct call_native *n, const struct writer_mmap *m);
/* That file was not searched: others had that path before, or another process has, and their rows are not all. */
void call_native_miss(struct call_native *n, const char *path);
/* A process has mapped code, or changed how, such that the kernel puts no more probes in: patched.h. */
void call_native_map_unprobed(struct call_native *n, uint32_t pid, const char *path);
/* Some probes hang at that thread: call_link.h. */
bool call_native_hangs_at(const struct call_native *n, uint32_t task);
/* Rows of what is counted in that process say that calls may be missing. */
void call_native_doubt(struct call_native *n, uint32_t pid);
/* The same; and its probes hang at another thread from now on, since the one where they hung has ended. */
void call_native_attach_again(struct call_native *n, uint32_t pid);
void call_native_forget(struct call_native *n, uint32_t pid);
/* Takes probes of functions, by index, away for good: their rows say so. */
void call_native_take_off(struct call_native *n, const size_t *functions, size_t nr);
/* At the end: functions of which calls were lost have rows that say so. */
void call_native_mark_lost(struct call_native *n);
/* A pattern may mean functions of a file of that path. */
bool call_native_wants(const struct call_native *n, const char *path);
/*
 * At the end, a line for each pattern that no function was named like, and one with those whose functions
 * nobody called. is_all: there was no file that could not be searched.
 */
void call_native_tell_unmet(struct call_native *n, bool is_all);
/* NULL is a no-op. */
void call_native_free(struct call_native *n);

#endif
