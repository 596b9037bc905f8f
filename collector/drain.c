/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/drain.h"

#include "recording/decode.h"

static void saw_sample(void *ctx, uint64_t id)
{
	struct drain *d = ctx;

	if (d->mark_ids.pairs.nr && u64map_get(&d->mark_ids, id))
		d->nr_marks++;
	else
		d->nr_samples++;
}

/* Mappings that come while we record: files that will be gone are copied while they are there. */
static void saw_mmap2(struct drain *d, const struct record *rec)
{
	struct writer_mmap m = {
		.pid = rec->pid,
		.tid = rec->tid,
		.start = rec->mmap.start,
		.len = rec->mmap.len,
		.off = rec->mmap.off,
		.dev_major = rec->mmap.dev_major,
		.dev_minor = rec->mmap.dev_minor,
		.inode = rec->mmap.inode,
		.build_id = rec->mmap.build_id,
		.path = rec->mmap.path,
	};

	keep_mapping(d->keep, &m);
}

static void saw_exit(struct drain *d, const struct record *rec)
{
	if (rec->pid != rec->tid)
		return;
	keep_perf_map(d->keep, rec->pid);
	vec_push(&d->ended.at, rec->pid);
}

/* Records about processes come from everywhere on a CPU: only the target's are kept. */
static bool is_of_target(const struct drain *d, uint32_t pid)
{
	return !d->follow || follow_has(d->follow, pid);
}

static bool saw_other(void *ctx, const struct perf_event_header *header)
{
	static const struct events no_events;
	struct drain *d = ctx;
	struct record rec = { 0 };

	/* The kernel's own records are never short; whose event they are does not matter here. */
	if (!decode_record(&no_events, (const uint8_t *)header, &rec))
		return false;
	switch (header->type) {
	case PERF_RECORD_MMAP2:
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		if (!is_of_target(d, rec.pid))
			return false;
		if (header->type == PERF_RECORD_MMAP2)
			saw_mmap2(d, &rec);
		else if (header->type == PERF_RECORD_EXIT)
			saw_exit(d, &rec);
		return true;
	case PERF_RECORD_LOST:
		d->nr_lost += rec.lost.nr;
		return true;
	case PERF_RECORD_THROTTLE:
		d->nr_throttled++;
		return true;
	default:
		return true;
	}
}

static void saw_kept(void *ctx, const struct iovec *parts, int nr_parts)
{
	struct drain *d = ctx;

	d->round_has_records = true;
	writer_append(d->writer, parts, nr_parts);
}

/* A process that ended a round ago, with nothing of it left in any ring. */
static void forget_ended(struct drain *d)
{
	vec_each(&d->ended.at, pid)
		if (d->follow && process_is_gone(*pid))
			follow_forget(d->follow, *pid);
	d->ended.at.nr = 0;
}

void drain_rings(struct drain *d)
{
	const struct ring_visitor visitor = { d, saw_sample, saw_other, saw_kept };

	d->round_has_records = false;
	forget_ended(d);
	vec_each(&d->sampler->cpus, cpu)
		if (cpu->ring.page)
			ring_drain(&cpu->ring, &visitor);
	if (d->round_has_records) {
		writer_finished_round(d->writer);
		writer_flush(d->writer);
	}
}

void drain_init(struct drain *d, struct sampler *sampler, struct follow *follow,
		struct writer *writer, struct keep *keep)
{
	*d = (struct drain){ .sampler = sampler, .follow = follow, .writer = writer, .keep = keep };
	vec_each(&sampler->events[EVENT_MARKS].ids, id)
		u64map_set(&d->mark_ids, *id, 1);
}

void drain_release(struct drain *d)
{
	u64map_release(&d->mark_ids);
	pids_release(&d->ended);
}
