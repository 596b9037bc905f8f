/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who can say "a request begins here, ends here". Every source makes the same records: struct
 * mark_head, down the CPU's ring. A new source is one file and one line in marker.c's table.
 *
 * Two steps, so that a name that does not exist is found out before a recording is begun:
 * prepare() looks things up, attach() begins.
 */
#ifndef COLLECTOR_MARKER_H
#define COLLECTOR_MARKER_H

#include "collector/bpf_object.h"
#include "collector/follow.h"
#include "collector/sampler.h"
#include "collector/spec.h"
#include "collector/target.h"
#include "recording/writer.h"

/* What prepare() may look at; lent for that call. */
struct marker_target {
	const struct pids *pids;	/* running processes */
	const char *program;		/* or a program that does not run yet; NULL: none */
	char *const *arguments;		/* of it; ends with NULL */
};

struct call_core;

/* What marks come from and go to; lent while the marker is attached. */
struct marker_ways {
	struct follow *follow;
	const struct pids *pids;	/* the processes that were followed first */
	const struct sampler *sampler;
	struct writer *writer;
	const struct call_core *calls;	/* whose counts go ahead of marks; NULL: none are counted */
};

struct marker_counts {
	uint64_t nr_begins, nr_ends;
	uint64_t nr_unsent;	/* marks that are not in the recording: most are in its count of lost records, too */
	uint64_t nr_calls_unseen;	/* calls that may move bytes which no mark tells of */
	uint64_t nr_threads_32_bit;	/* whose calls are not looked at */
	uint64_t nr_datagram_sockets;	/* at which the target might be asked by UDP when it was attached to */
	uint64_t nr_ends_unseen;	/* connections of Unix sockets, by tracepoints */
};

struct marker_source {
	bool (*takes)(const struct marker_spec *spec);
	int (*prepare)(const struct marker_spec *spec, uint32_t id, const struct marker_target *target,
		       void **ret_self, struct err *e);
	/* Whether both, prepared, would see the same requests; NULL: marker_spec_repeats() tells. */
	bool (*repeats)(const void *self, const void *earlier);
	int (*attach)(void *self, const struct marker_ways *ways, struct err *e);
	void (*counts)(const void *self, struct marker_counts *ret);
	/* True: marks are made from here on. False: no more. */
	void (*record)(void *self, bool is_recording);
	/* Now and then while it records; NULL: nothing has to be done. */
	void (*tend)(void *self);
	/* Brings marks that wait somewhere into the rings; NULL: none do. False: some may still wait. */
	bool (*settle)(void *self);
	/* Detaches; NULL is a no-op. */
	void (*release)(void *self);
};

struct marker {
	const struct marker_source *source;
	struct marker_spec spec;
	void *self;
};

/* -EOPNOTSUPP: no source takes the spec. marker_release() in any case. */
int marker_prepare(struct marker *m, uint32_t id, const struct marker_target *target, struct err *e);
void marker_release(struct marker *m);
/* Of prepared ones: -EINVAL where the last of nr would count requests that one before it counts. */
int marker_check_repeat(const struct marker *markers, size_t nr, struct err *e);

/* Lets the object's programs send marks: fills its map `rings` with the sampler's events by CPU. */
int marker_give_rings(struct bpf_object *object, const struct sampler *sampler, struct err *e);

/* Has the object's programs make marks, or not; see marks.bpf.h. One that has not been loaded, or is NULL, makes none. */
void marker_set_recording(struct bpf_object *object, bool is_recording);

extern const struct marker_source marker_probe;
extern const struct marker_source marker_socket;

#endif
