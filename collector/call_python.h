/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --calls python: the probes on the interpreters of the target, and what their functions are called.
 *
 *	call_python_prepare(&p, &target, e);
 *	... the core is made ...
 *	call_python_load(p, core, e);
 *	call_python_attach(p, &pids, &sampler, w, e);
 *	... call_python_follow(), call_python_map() when a process has come or has mapped a file ...
 *	call_python_free(p);
 */
#ifndef COLLECTOR_CALL_PYTHON_H
#define COLLECTOR_CALL_PYTHON_H

#include "collector/call_core.h"
#include "collector/call_share.h"
#include "collector/locate.h"
#include "collector/marker.h"
#include "collector/python_calls.h"
#include "collector/python_places.h"

struct python_file {
	const char *module;
	int fd;				/* while another one may take its path; -1: it has no places */
	uint64_t dev, inode;
	struct python_places places;	/* none: it was looked at, and is no Python that can be counted */
	char *why_refused;		/* of a Python that cannot be; else NULL */
};

struct call_python {
	struct locate locate;
	VEC(struct python_file) files;	/* that were looked at */
	size_t nr_usable;		/* of them, that have places */
	struct call_attachments attached;	/* by their files' indexes in files */
	struct pids pids;		/* that were looked at */
	struct call_core *core;		/* lent, as is the writer */
	struct writer *writer;
	struct bpf_object *object;
	struct bpf_link *links[2];	/* at exec() and at the end of processes */
	struct call_programs programs;
	struct python_config *config;	/* the programs' */
	struct python_meter *meter;	/* of what a hit takes; NULL: it could not be had */
	struct python_hits own_hits;	/* of the meter */
	struct call_share share;	/* what the probes took */
	uint64_t nr_hits;		/* of both, at the last look */
	bool is_off, is_inexact;
	bool has_told_failure;		/* probes that came late could not be attached */
};

/*
 * -ENOENT: nobody there runs Python; -EOPNOTSUPP: a Python that cannot be counted, and why. Of a program
 * that does not run yet and is no Python, such as a shell, one is looked for in what comes.
 */
int call_python_prepare(struct call_python **ret_python, const struct marker_target *target, struct err *e);
/* Measures what a probe takes, too. Errors are bpf_object_load()'s. */
int call_python_load(struct call_python *p, struct call_core *core, struct err *e);
int call_python_attach(struct call_python *p, const struct pids *pids, const struct sampler *sampler,
		       struct writer *w, struct err *e);
/* A new process, or another program in it. */
void call_python_follow(struct call_python *p, uint32_t pid);
/* A process has mapped code. False: the file may be Python, and cannot be had, or no longer. */
bool call_python_map(struct call_python *p, const struct writer_mmap *m);
/* That file is a Python that cannot be counted: whoever maps it is to be followed. */
bool call_python_refuses(const struct call_python *p, const char *path);
/* That file cannot be Python, or was looked at. */
bool call_python_knows(const struct call_python *p, const struct writer_mmap *m);
/* By the name of the file. */
bool call_python_wants(const char *path);
/* As of native functions: call_native.h. */
bool call_python_hangs_at(const struct call_python *p, uint32_t task);
/* Of none of its functions is anything exact. */
void call_python_doubt(struct call_python *p);
void call_python_attach_again(struct call_python *p, uint32_t pid);
void call_python_forget(struct call_python *p, uint32_t pid);
/* For good: of none of its functions anything is exact that is told from now on. */
void call_python_take_off(struct call_python *p);
/* At the end: where calls were lost that no record tells of, all functions are inexact. */
void call_python_mark_lost(struct call_python *p);
struct python_hits call_python_hits(const struct call_python *p);
/* NULL is a no-op. */
void call_python_free(struct call_python *p);

/*
 * Has the programs know what a hit takes of the time that is measured: measured on frames of our own. The core counts
 * nothing yet. Where it cannot be had nothing is taken out.
 */
void python_cost_begin(struct call_python *p);
/* What the core has counted of it, which is nobody's. Where nothing is counted any more. */
void python_cost_forget(struct call_python *p);
void python_cost_end(struct call_python *p);
/* Measures it again, and takes the probes off where they take more than they may. */
void python_cost_tick(struct call_python *p, uint64_t now_ns);
/* One line: calls, what the probes took of each, and of the target's time. */
void python_cost_tell(const struct call_python *p);

#endif
