/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What counts calls, whatever calls they are: the BPF programs' memory (calls.h), and the way from there
 * into the recording. Programs of other objects count and send, too; call_core_join() gives them this
 * memory.
 *
 *	call_core_new(&core, nr_functions, e);
 *	... open an object; call_core_join(core, object); load it ...
 *	call_core_give_rings(core, &sampler, &writer, e);
 *	call_core_start(core);
 *	... call_core_see(core, mark) of each mark, before it is written ...
 *	call_core_stop(core);
 *	... the rings' last records are written ...
 *	call_core_write_rest(core);
 *	call_core_free(core);
 *
 * Needs CAP_BPF and CAP_PERFMON.
 */
#ifndef COLLECTOR_CALL_CORE_H
#define COLLECTOR_CALL_CORE_H

#include "base/str.h"
#include "collector/bpf_object.h"
#include "collector/call_link.h"
#include "collector/calls.h"
#include "collector/sampler.h"
#include "recording/writer.h"

/* Ids of functions from here on are not native ones': who gave one out describes it. */
#define CALL_CORE_OTHER_FUNCTIONS 0x1000000U

struct call_core {
	struct bpf_object *object;
	struct bpf_link *links[2];
	const struct call_node *nodes;		/* the programs', by node */
	struct call_state *state;
	uint64_t *is_described;			/* a bit for each node */
	VEC(struct note_node) describing;	/* scratch */
	const struct sampler *sampler;		/* lent, as is the writer */
	struct writer *writer;
	struct str rest;			/* what threads had left when it was read */
	uint32_t generation;			/* of the probes that count once it is started */
	bool is_single;				/* no uprobe-multi links: call_link_is_of_thread() */
	/* Writes the note of a function with such an id; called once or more before its first row. */
	void (*describe_other)(void *self, uint32_t function, struct writer *w);
	void *self;
};

/* nr_functions: of native ones, whose ids are below. Errors are bpf_object_load()'s. */
int call_core_new(struct call_core **ret_core, uint32_t nr_functions, struct err *e);
/* NULL is a no-op. */
void call_core_free(struct call_core *c);

/*
 * For an object that has calls_flush.bpf.h or calls.bpf.h, opened and not loaded; closed where this
 * fails. c is NULL where no calls are counted.
 */
int call_core_join(const struct call_core *c, struct bpf_object *object, struct err *e);
/* Both are lent. */
int call_core_give_rings(struct call_core *c, const struct sampler *sampler, struct writer *w,
			 struct err *e);

/* Of the process, which is to become the command, nothing counts up to its exec(2). Before the start. */
void call_core_hold(struct call_core *c, uint32_t pid);
/* Nothing counts before; after, what came is told. When the events are enabled. */
void call_core_start(struct call_core *c);
void call_core_stop(struct call_core *c);
/* For good: what has time is counted no more, and up to now it has that time. */
void call_core_stop_time(struct call_core *c);
/* After the stop and before the events are disabled: a thread that ends then has lost nothing. */
void call_core_read_rest(struct call_core *c);
/*
 * For probes that are to take the place of others: those made from here on carry another generation, and
 * count nothing. The second makes them count, and the others not, at one moment.
 */
void call_core_prepare_generation(struct call_core *c);
/* Or those that are made from here on are of the generation that counts, as before. */
void call_core_keep_generation(struct call_core *c);
void call_core_next_generation(struct call_core *c);
/* Those that count. Lent. */
struct call_programs call_core_programs(const struct call_core *c);

/* Of a native function, before it has a probe. */
void call_core_set_extent(struct call_core *c, uint32_t function, const struct call_extent *extent);

/* A mark that is about to be written: what it takes to read it is written before. */
void call_core_see(struct call_core *c, const struct record *mark);
/* Some calls of the thread, up to now, were not counted. */
void call_core_write_partial(struct call_core *c, uint32_t pid, uint32_t tid);
/* Nor will any of this process be, until it runs another program. */
void call_core_write_uncounted(struct call_core *c, uint32_t pid);
/* After the last mark. */
void call_core_write_rest(struct call_core *c);

/* Over all CPUs. */
struct call_totals call_core_totals(const struct call_core *c);
struct call_hits call_core_hits(const struct call_core *c, uint32_t function);
/* Of the functions 1 to nr. */
void call_core_all_hits(const struct call_core *c, uint32_t nr, struct call_hits *ret);

#endif
