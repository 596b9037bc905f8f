/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/drain.h"

#include "recording/mark.h"

static bool is_end(const struct record *rec)
{
	struct mark_head head;

	if (rec->sample.raw_len < sizeof(head))
		return false;
	memcpy(&head, rec->sample.raw, sizeof(head));
	return head.magic == MARK_MAGIC && head.kind == MARK_END;
}

static void saw_sample(struct drain *d, const struct record *rec)
{
	if (rec->event->is_bpf_output) {
		d->nr_ends += is_end(rec);
		return;
	}
	d->nr_samples++;
	kernel_names_see(&d->kernel_names, rec);
}

/*
 * Mappings that come while we record. Files that will be gone are copied while they are there; and the
 * record is written anew, with the file's build-id. The kernel would put that in (attr.build_id), but
 * spoils the records of everyone else who listens then: see decode.c, has_build_id().
 */
static void saw_mmap2(struct drain *d, const struct record *rec)
{
	struct writer_mmap m = {
		.pid = rec->pid,
		.tid = rec->tid,
		.cpu = rec->cpu,
		.time = rec->time,
		.start = rec->mmap.start,
		.len = rec->mmap.len,
		.off = rec->mmap.off,
		.prot = rec->mmap.prot,
		.flags = rec->mmap.flags,
		.dev_major = rec->mmap.dev_major,
		.dev_minor = rec->mmap.dev_minor,
		.inode = rec->mmap.inode,
		.path = rec->mmap.path,
	};

	keep_mapping(d->keep, &m);
	writer_mmap(d->writer, &m);
	d->round_has_records = true;
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

static bool saw(void *ctx, const struct perf_event_header *header)
{
	struct drain *d = ctx;
	struct record rec = { 0 };

	/* The kernel's own records are never short, and of no events but ours. */
	if (!decode_record(&d->events, (const uint8_t *)header, &rec) || !rec.event)
		return false;
	switch (header->type) {
	case PERF_RECORD_SAMPLE:
		saw_sample(d, &rec);
		return true;
	case PERF_RECORD_MMAP2:
		if (is_of_target(d, rec.pid))
			saw_mmap2(d, &rec);
		return false;
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		if (!is_of_target(d, rec.pid))
			return false;
		if (header->type == PERF_RECORD_EXIT)
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
	const struct ring_visitor visitor = { d, saw, saw_kept };

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
	size_t i;

	*d = (struct drain){ .sampler = sampler, .follow = follow, .writer = writer, .keep = keep };
	for (i = 0; i < sampler_nr_events(sampler); i++) {
		const struct writer_event *from = &sampler->events[i];
		const struct event_desc *event =
			events_add(&d->events, cursor_of(&from->attr, sizeof(from->attr)));

		vec_each(&from->ids, id)
			events_add_id(&d->events, *id, event);
	}
}

void drain_release(struct drain *d)
{
	events_release(&d->events);
	kernel_names_release(&d->kernel_names);
	pids_release(&d->ended);
}
