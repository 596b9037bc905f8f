/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request, as attribution found it. Strings are ids in the session's `struct strings`, which
 * holds the three of a request for whoever is told of its end: they stay until that one drops them.
 */
#ifndef REPORT_REQUEST_H
#define REPORT_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

struct request {
	uint64_t id;		/* dense, from 1; within a recording in the order of begin */
	uint32_t method;	/* "" where the marks do not say */
	uint32_t path;		/* the endpoint's: pattern applied (endpoint.h) */
	uint32_t raw_path;	/* as the label had it; the marker's name where there was none */
	uint32_t status;	/* 0: unknown */
	uint32_t begin_pid, begin_tid;
	uint64_t begin_ns, end_ns;	/* the recording's clock; end_ns is 0 while it is open */
	uint64_t begin_epoch_ns;	/* the wall clock at begin_ns; 0: not known */
	uint64_t nr_samples;
	uint64_t weight;	/* sum of its samples' weights, in the unit of profile.h */
	uint64_t cpu_ns;	/* on-CPU time of the threads while they worked on it; valid with has_cpu */
	bool has_cpu;
	bool is_cpu_shared;	/* it waited with requests of other endpoints: cpu_ns is not all of it, or more */
	bool is_cpu_joint;	/* it was worked on together with others of its endpoint: theirs is right in sum */
	bool is_unfinished;	/* no end was seen: its samples count, its elapsed time does not */
	bool is_end_unseen;	/* one of these, but it was answered: cpu_ns is valid */
};

static inline uint64_t request_elapsed_ns(const struct request *r)
{
	return r->end_ns > r->begin_ns ? r->end_ns - r->begin_ns : 0;
}

/* Of an unfinished one no more is known than what came before its last mark. Valid with has_cpu. */
static inline bool request_is_cpu_known(const struct request *r)
{
	return (!r->is_unfinished || r->is_end_unseen) && !r->is_cpu_shared && !r->is_cpu_joint;
}

/* What a table of endpoints stands for. */
static inline bool request_is_of_endpoint(const struct request *a, const struct request *b)
{
	return a->path == b->path && a->method == b->method;
}

/* Once more, for who keeps a copy of it. */
static inline void request_hold_strings(const struct request *r, struct strings *strings)
{
	strings_hold(strings, r->path);
	strings_hold(strings, r->raw_path);
	strings_hold(strings, r->method);
}

static inline void request_drop_paths(const struct request *r, struct strings *strings)
{
	strings_drop(strings, r->path);
	strings_drop(strings, r->raw_path);
}

/* After its end, by who keeps no request. */
static inline void request_drop_strings(const struct request *r, struct strings *strings)
{
	request_drop_paths(r, strings);
	strings_drop(strings, r->method);
}

#endif
