/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/drain.h"

#include <string.h>
#include <time.h>

#include "base/units.h"
#include "recording/mark.h"
#include "recording/socket_marks.h"

enum {
	/*
	 * A record is written within microseconds of its time, by whoever interrupted the CPU; a virtual
	 * CPU may lose its turn in between.
	 */
	LAG_NS = 2 * 1000 * 1000,
	/*
	 * Small rings fill up within the lag, and one that is full wakes nobody. From where a ring wakes us
	 * (sampler.c) what waits in it is looked at again soon, and from half on it is taken, lag or not.
	 */
	PRESSED_PCT = 25,
	FULL_PCT = 50,
	REWRITTEN_MAX = 64 * 1024,	/* no record is larger */
	REWRITTEN_BYTES = 4 * REWRITTEN_MAX,
};

/* From a loss until the processes are looked at whose ends it may have held: they are gone by then. */
#define LOST_ENDS_NS 1000000000ULL

static void saw_socket_marks(struct drain *d, const struct record *rec)
{
	struct cursor c = cursor_of(rec->sample.raw, rec->sample.raw_len);
	struct socket_mark m;
	const uint8_t *bytes;

	while (socket_marks_next(&c, &m, &bytes))
		d->nr_requests += m.kind == SOCKET_OUT && m.flags & SOCKET_IS_ANSWER;
}

/* An end may come without its begin: of what began before, or through a function that a child returns from after fork(2). */
static void saw_probe_mark(struct drain *d, const struct mark_head *head)
{
	uint64_t *nr_open;

	while (d->nr_open.nr <= head->marker)
		vec_push(&d->nr_open, 0);
	nr_open = &d->nr_open.at[head->marker];
	if (head->kind == MARK_BEGIN) {
		++*nr_open;
	} else if (head->kind == MARK_END && *nr_open) {
		--*nr_open;
		d->nr_requests++;
	}
}

/* False: it was for us only. */
static bool saw_mark(struct drain *d, const struct record *rec)
{
	struct mark_head head;

	if (socket_marks_are_in(rec)) {
		saw_socket_marks(d, rec);
		return true;
	}
	if (rec->sample.raw_len < sizeof(head))
		return true;
	memcpy(&head, rec->sample.raw, sizeof(head));
	if (head.magic != MARK_MAGIC)
		return true;
	saw_probe_mark(d, &head);
	if (d->walker)
		stack_walker_probed(d->walker, rec->pid, rec->sample.ip, head.sp);
	if (head.kind == MARK_CALLED && d->walker)
		stack_walker_called(d->walker, rec->pid, rec->tid, head.sp, head.id);
	return head.kind != MARK_CALLED;
}

static bool saw_sample(struct drain *d, const struct record *rec)
{
	if (rec->event->is_bpf_output) {
		counting_see(d->counting, rec);
		return saw_mark(d, rec);
	}
	d->nr_samples++;
	kernel_names_see(&d->kernel_names, rec);
	return true;
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
	if (d->walker)
		stack_walker_mmap(d->walker, &m);
	d->round_has_records = true;
}

static void saw_exit(struct drain *d, const struct record *rec)
{
	if (rec->pid != rec->tid)
		return;
	vec_push(&d->ended, (struct ended_process){ .pid = rec->pid });
}

/* Its probes, mappings and memory are nobody's any more. */
static void forget_process(struct drain *d, uint32_t pid)
{
	size_t i;

	for (i = 0; i < d->forked.at.nr; i++)
		if (d->forked.at.at[i] == pid)
			vec_remove(&d->forked.at, i--, 1);
	keep_perf_map(d->keep, pid);
	counting_forget(d->counting, pid);
	if (d->walker)
		stack_walker_forget(d->walker, pid);
}

static void saw_fork(struct drain *d, const struct record *rec)
{
	if (!d->follow && rec->pid != rec->task.ppid)
		vec_push(&d->forked.at, rec->pid);
}

/*
 * Whose first thread has ended has a number that others may get: a process that is made, or one of its own threads, by
 * exec(), which ends all others. What hangs at the kernel's struct for the first thread, as probes do, is of no use to these.
 */
static void saw_successor(struct drain *d, const struct record *rec)
{
	bool is_new = rec->type == PERF_RECORD_FORK ? rec->pid != rec->task.ppid
						    : rec->misc & PERF_RECORD_MISC_COMM_EXEC;
	size_t i;

	for (i = 0; is_new && i < d->ended.nr; i++)
		if (d->ended.at[i].pid == rec->pid) {
			vec_remove(&d->ended, i, 1);
			forget_process(d, rec->pid);
			return;
		}
}

/* Records about processes come from everywhere on a CPU: only the target's are kept. */
static bool is_of_target(const struct drain *d, uint32_t pid)
{
	return !d->follow || follow_has(d->follow, pid);
}

/* ---- on the way out ---- */

static void write_parts(struct drain *d)
{
	if (d->nr_parts)
		writer_append(d->writer, d->parts, d->nr_parts);
	d->nr_parts = 0;
	d->nr_rewritten_bytes = 0;
}

/* bytes: whole records, which stay until write_parts(). What is next to the last part becomes one with it. */
static void add_part(struct drain *d, const void *bytes, size_t len)
{
	struct iovec *last = d->nr_parts ? &d->parts[d->nr_parts - 1] : NULL;

	d->round_has_records = true;
	if (last && (const uint8_t *)last->iov_base + last->iov_len == (const uint8_t *)bytes) {
		last->iov_len += len;
		return;
	}
	d->parts[d->nr_parts++] = (struct iovec){ (void *)bytes, len };
}

/* Without its stack's copy, and with the period that it stands for: nothing can be written in a ring. */
static void add_sample(struct drain *d, const struct perf_event_header *sample, const struct record *rec)
{
	uint8_t *out = d->rewritten + d->nr_rewritten_bytes;
	size_t len = sample->size;

	if (!d->walker && !sampler_corrects(d->sampler)) {
		add_part(d, sample, len);
		return;
	}
	if (d->walker)
		len = stack_walker_sample(d->walker, rec, out);
	else
		memcpy(out, sample, len);
	sampler_correct(d->sampler, out);
	d->nr_rewritten_bytes += len;
	add_part(d, out, len);
}

/* ---- one record ---- */

/* False: it is left out, or was written anew. */
static bool is_kept(struct drain *d, const struct record *rec)
{
	switch (rec->type) {
	case PERF_RECORD_SAMPLE:
		return saw_sample(d, rec);
	case PERF_RECORD_MMAP2:
		if (is_of_target(d, rec->pid)) {
			counting_see(d->counting, rec);
			saw_mmap2(d, rec);
		}
		return false;
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		if (!is_of_target(d, rec->pid))
			return false;
		if (rec->type != PERF_RECORD_EXIT)
			saw_successor(d, rec);
		if (rec->type == PERF_RECORD_FORK)
			saw_fork(d, rec);
		counting_see(d->counting, rec);
		if (d->walker)
			stack_walker_record(d->walker, rec);
		if (rec->type == PERF_RECORD_EXIT)
			saw_exit(d, rec);
		return true;
	case PERF_RECORD_LOST:
		d->nr_lost += rec->lost.nr;
		return true;
	case PERF_RECORD_THROTTLE:
		d->nr_throttled++;
		return true;
	default:
		return true;
	}
}

static void take(struct drain *d, const struct merged *it)
{
	struct record rec = { 0 };

	/* The kernel's own records are never short, and of no events but ours. */
	if (!decode_record(&d->events, (const uint8_t *)it->record, &rec) || !rec.event || !is_kept(d, &rec))
		return;
	if (d->nr_parts == DRAIN_PARTS || d->nr_rewritten_bytes + REWRITTEN_MAX > REWRITTEN_BYTES)
		write_parts(d);
	if (rec.type == PERF_RECORD_SAMPLE && !rec.event->is_bpf_output)
		add_sample(d, it->record, &rec);
	else
		add_part(d, it->record, it->record->size);
}

/* ---- one round ---- */

/*
 * A process that ended, once nothing of it can be in any ring: all that is older than its end was taken.
 * Its first thread may end long before the others.
 */
static void forget_ended(struct drain *d)
{
	size_t i, nr = 0;

	for (i = 0; i < d->ended.nr; i++) {
		struct ended_process p = d->ended.at[i];

		if (!p.gone_ns && process_is_gone(p.pid))
			p.gone_ns = monotonic_ns();
		/* The merge's time is that of the round before this one. */
		if (!p.gone_ns || d->merge.until_ns < p.gone_ns) {
			d->ended.at[nr++] = p;
			continue;
		}
		forget_process(d, p.pid);
		if (d->follow)
			follow_forget(d->follow, p.pid);
	}
	d->ended.nr = nr;
}

/*
 * Ends of processes may be among what was lost: who is followed and gone would stay in that set for good. A ring that was
 * full may have lost some, too, and tells of it with its next record only, which may be long in coming.
 */
static void find_lost_ends(struct drain *d, uint64_t now)
{
	uint32_t *pids;
	size_t nr, i;

	if (!d->follow || (d->nr_lost == d->nr_lost_looked_at && !d->may_have_lost))
		return;
	if (!d->lost_ends_due_ns)
		d->lost_ends_due_ns = now + LOST_ENDS_NS;
	if (now < d->lost_ends_due_ns)
		return;
	d->nr_lost_looked_at = d->nr_lost;
	d->may_have_lost = false;
	d->lost_ends_due_ns = 0;
	pids = xreallocarray(NULL, FOLLOW_MAX_PROCESSES, sizeof(*pids));
	nr = follow_list(d->follow, pids, FOLLOW_MAX_PROCESSES);
	for (i = 0; i < nr; i++)
		if (process_is_gone(pids[i]))
			vec_push(&d->ended, (struct ended_process){ pids[i], now });
	free(pids);
}

static void gather(struct drain *d, uint64_t until_ns)
{
	merge_begin(&d->merge, &d->events, until_ns);
	vec_each(&d->sampler->cpus, cpu)
		if (cpu->ring.page)
			merge_add(&d->merge, &cpu->ring);
}

/*
 * Without the lag a record may come one round late, behind younger ones: better than a ring that loses
 * all of them. Readers put that right, since they sort two rounds at a time (FINISHED_ROUND), as long as
 * the next round takes no less: the time up to which records are taken never goes back.
 */
static void gather_settled(struct drain *d)
{
	uint64_t taken_ns = d->merge.until_ns, now = monotonic_ns();

	gather(d, now - LAG_NS > taken_ns ? now - LAG_NS : taken_ns);
	if (merge_waiting_pct(&d->merge) >= FULL_PCT)
		gather(d, monotonic_ns());
}

void drain_settled(struct drain *d, uint64_t from_ns, uint64_t to_ns)
{
	d->waits = true;
	d->settled = (struct settled){ from_ns, to_ns };
	if (!d->due_ns && from_ns > d->finished_ns)
		d->due_ns = to_ns;
}

/*
 * What was written is in order for its reader once the round after it is finished, too: that one must have all
 * that is as old. Records that came late are in the rings once they were settled, and were taken when all was
 * that is as old as that.
 */
static void finish_round(struct drain *d)
{
	uint64_t until_ns = d->merge.until_ns;

	if (!d->round_has_records && !d->last_round_had_records)
		return;
	if (d->waits && (!d->due_ns || until_ns < d->due_ns))
		return;
	writer_finished_round(d->writer);
	writer_flush(d->writer);
	d->last_round_had_records = d->round_has_records;
	d->round_has_records = false;
	d->finished_ns = until_ns;
	d->due_ns = d->settled.from_ns > until_ns ? d->settled.to_ns : 0;
}

void drain_rings(struct drain *d, bool is_last)
{
	find_lost_ends(d, monotonic_ns());
	forget_ended(d);
	if (is_last)
		gather(d, UINT64_MAX);
	else
		gather_settled(d);
	merge_sort(&d->merge);
	vec_each(&d->merge.records, it)
		take(d, it);
	write_parts(d);
	d->is_pressed = merge_waiting_pct(&d->merge) >= PRESSED_PCT;
	d->may_have_lost |= merge_held_pct(&d->merge) >= FULL_PCT;
	merge_end(&d->merge);
	/* The others are in the set of those that are followed, which is looked at as a whole at the end. */
	if (is_last && !d->follow)
		vec_each(&d->ended, p)
			keep_perf_map(d->keep, p->pid);
	finish_round(d);
}

void drain_init(struct drain *d, struct sampler *sampler, struct follow *follow,
		struct writer *writer, struct keep *keep, struct stack_walker *walker)
{
	size_t i;

	*d = (struct drain){
		.sampler = sampler, .follow = follow, .writer = writer, .keep = keep, .walker = walker,
		.rewritten = xmalloc(REWRITTEN_BYTES),
	};
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
	merge_release(&d->merge);
	vec_release(&d->nr_open);
	vec_release(&d->ended);
	pids_release(&d->forked);
	free(d->rewritten);
}
