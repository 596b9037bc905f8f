/* SPDX-License-Identifier: Apache-2.0 */
#include "report/dying.h"

enum {
	/* Linux has no more (NR_CPUS of x86-64); what a file says else is none. */
	NR_CPUS_MAX = 8192,
	/* Threads wait some milliseconds for their turn. */
	DYING_NS = 10 * 1000 * 1000,
};

void dying_release(struct dying *d)
{
	vec_release(&d->by_cpu);
}

static struct ending *ending_on(struct dying *d, uint32_t cpu)
{
	while (d->by_cpu.nr <= cpu)
		vec_push(&d->by_cpu, (struct ending){ 0 });
	return &d->by_cpu.at[cpu];
}

/* Who it is about runs on that CPU, which a thread that is waited for there does not. */
static bool is_of_running(const struct record *r)
{
	switch (r->type) {
	case PERF_RECORD_SAMPLE:
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
		return r->tid != UINT32_MAX;
	default:
		return false;
	}
}

void dying_record(struct dying *d, const struct record *r)
{
	struct ending *e;

	if (r->type == PERF_RECORD_LOST)
		d->by_cpu.nr = 0;
	if (r->cpu >= NR_CPUS_MAX || !r->time)
		return;
	e = ending_on(d, r->cpu);
	/* Interrupts leave marks of the thread that they find there. */
	if (r->type == PERF_RECORD_EXIT)
		*e = (struct ending){ r->pid, r->tid, r->time };
	else if (is_of_running(r) && r->tid != e->tid)
		e->ns = 0;
}

bool dying_find(const struct dying *d, const struct record *r, uint32_t *ret_pid, uint32_t *ret_tid)
{
	const struct ending *e = r->cpu < d->by_cpu.nr ? &d->by_cpu.at[r->cpu] : NULL;

	if (!e || !e->ns || r->time - e->ns > DYING_NS || (r->pid != UINT32_MAX && r->pid != e->pid))
		return false;
	*ret_pid = e->pid;
	*ret_tid = e->tid;
	return true;
}
