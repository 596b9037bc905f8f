/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/counting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "collector/call_cost.h"

/* Code that was not known. */
struct mapped {
	uint32_t pid;
	char *path;
};

struct counting {
	struct call_core *core;
	struct call_native *native;
	struct call_cost cost;
	struct writer *writer;		/* lent */
	struct pids to_follow;		/* processes that have come, or run another program */
	VEC(struct mapped) mapped;
};

int counting_prepare(struct counting **ret_counting, const struct counting_config *config,
		     const struct marker_target *target, struct err *e)
{
	const char *const *specs = config->specs;
	struct counting *c;
	size_t nr = 0;
	int err = 0;

	for (; specs && specs[nr]; nr++)
		if (!strcmp(specs[nr], "python"))
			return err_set(e, -ENOTSUP, "--calls python: it is not in this version");
	if (!nr)
		return 0;
	c = xcalloc(1, sizeof(*c));
	c->cost.max_share = config->max_overhead_pct / 100;
	err = call_native_prepare(&c->native, specs, nr, target, e);
	if (err)
		counting_free(c);
	else
		*ret_counting = c;
	return err;
}

int counting_load(struct counting *c, struct err *e)
{
	int err = c ? call_core_new(&c->core, (uint32_t)c->native->nr_functions_max, e) : 0;

	if (c && !err)
		call_cost_measure(&c->cost, c->core);
	return err;
}

int counting_attach(struct counting *c, const struct pids *pids, const struct sampler *sampler,
		    struct writer *w, struct err *e)
{
	int err;

	if (!c)
		return 0;
	c->writer = w;
	err = call_core_give_rings(c->core, sampler, w, e);
	return err ? err : call_native_attach(c->native, c->core, pids, w, e);
}

const struct call_core *counting_core(const struct counting *c)
{
	return c ? c->core : NULL;
}

void counting_start(struct counting *c)
{
	if (c)
		call_core_start(c->core);
}

static void follow(struct counting *c, uint32_t pid)
{
	if (!pids_has(&c->to_follow, pid))
		vec_push(&c->to_follow.at, pid);
}

static void note_mapping(struct counting *c, uint32_t pid, const char *path)
{
	vec_each(&c->mapped, m)
		if (!strcmp(m->path, path))
			return;
	vec_push(&c->mapped, (struct mapped){ pid, xstrdup(path) });
}

static void forget_mappings(struct counting *c)
{
	vec_each(&c->mapped, m)
		free(m->path);
	c->mapped.nr = 0;
}

void counting_see(struct counting *c, const struct record *rec)
{
	if (!c)
		return;
	switch (rec->type) {
	case PERF_RECORD_SAMPLE:
		call_core_see(c->core, rec);
		break;
	case PERF_RECORD_FORK:
		if (rec->pid != rec->task.ppid)
			follow(c, rec->pid);
		break;
	case PERF_RECORD_COMM:
		if (rec->misc & PERF_RECORD_MISC_COMM_EXEC)
			follow(c, rec->pid);
		break;
	case PERF_RECORD_MMAP2:
		if (rec->mmap.prot & PROT_EXEC && !call_native_knows(c->native, rec->mmap.path))
			note_mapping(c, rec->pid, rec->mmap.path);
		break;
	}
}

void counting_forget(struct counting *c, uint32_t pid)
{
	if (c)
		call_native_forget(c->native, pid);
}

void counting_tick(struct counting *c, uint64_t now_ns)
{
	if (!c)
		return;
	vec_each(&c->to_follow.at, pid)
		call_native_follow(c->native, *pid);
	c->to_follow.at.nr = 0;
	vec_each(&c->mapped, m)
		call_native_map(c->native, m->pid, m->path);
	forget_mappings(c);
	call_cost_tick(&c->cost, c->native, now_ns);
}

void counting_stop(struct counting *c)
{
	if (c)
		call_core_stop(c->core);
}

void counting_finish(struct counting *c)
{
	struct call_totals totals;
	struct tally tallies[2];

	if (!c)
		return;
	call_core_write_rest(c->core);
	call_native_mark_lost(c->native);
	totals = call_core_totals(c->core);
	tallies[0] = (struct tally){ "calls_lost", totals.nr_lost };
	tallies[1] = (struct tally){ "calls_callerless", totals.nr_callerless };
	writer_note_tally(c->writer, tallies, ARRAY_LEN(tallies));
	call_cost_tell(&c->cost, c->native);
}

void counting_free(struct counting *c)
{
	if (!c)
		return;
	call_native_free(c->native);
	call_core_free(c->core);
	call_cost_release(&c->cost);
	forget_mappings(c);
	vec_release(&c->mapped);
	pids_release(&c->to_follow);
	free(c);
}
