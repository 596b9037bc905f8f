/* SPDX-License-Identifier: Apache-2.0 */
#include "recording/writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "recording/feature_write.h"
#include "recording/sink.h"

/* A record's size is a u16 and a multiple of 8; a chunk leaves room for the longest path. */
enum {
	RECORD_MAX = 65528,
	FILE_CHUNK_BYTES = 56 * 1024,
	NODES_PER_NOTE = 4096,
	PIPE_IDS_MAX = 8000,
};

struct writer {
	const struct writer_config *config;
	struct sink sink;	/* the pipe form goes to stdout, the file form to a file */
	struct str pending;	/* records of our own, not written yet */
	struct file_header header;
};

void writer_append(struct writer *w, const struct iovec *parts, int nr_parts)
{
	struct iovec all[SINK_PARTS_MAX];

	assert(nr_parts < SINK_PARTS_MAX);
	all[0] = (struct iovec){ w->pending.s, w->pending.len };
	if (nr_parts)
		memcpy(all + 1, parts, (size_t)nr_parts * sizeof(*parts));
	sink_write_records(&w->sink, all, nr_parts + 1);
	str_clear(&w->pending);
}

void writer_flush(struct writer *w)
{
	if (w->pending.len)
		writer_append(w, NULL, 0);
}

/* ---- records of our own ---- */

static void add(struct writer *w, const void *bytes, size_t len)
{
	str_add_bytes(&w->pending, bytes, len);
}

static void add_u8(struct writer *w, uint8_t v)
{
	add(w, &v, sizeof(v));
}

static void add_u32(struct writer *w, uint32_t v)
{
	add(w, &v, sizeof(v));
}

static void add_u64(struct writer *w, uint64_t v)
{
	add(w, &v, sizeof(v));
}

static void pad_to_8(struct writer *w, size_t begin)
{
	static const char zeros[8];

	add(w, zeros, (8 - (w->pending.len - begin) % 8) % 8);
}

/* Returns where the record begins in the pending bytes, for record_end(). */
static size_t record_begin(struct writer *w, uint32_t type, uint16_t misc)
{
	struct perf_event_header header = { .type = type, .misc = misc };
	size_t begin = w->pending.len;

	add(w, &header, sizeof(header));
	return begin;
}

static void record_end(struct writer *w, size_t begin)
{
	struct perf_event_header header;
	size_t size;

	pad_to_8(w, begin);
	size = w->pending.len - begin;
	assert(size <= RECORD_MAX);
	memcpy(&header, w->pending.s + begin, sizeof(header));
	header.size = (uint16_t)size;
	memcpy(w->pending.s + begin, &header, sizeof(header));
}

/* What sample_id_all promises behind every record: TID, TIME, CPU, IDENTIFIER. Time 0: no moment. */
static void add_timed_sample_id(struct writer *w, size_t begin, uint32_t pid, uint32_t tid,
				uint64_t time, uint32_t cpu)
{
	const struct writer_event *first = &w->config->events[0];

	pad_to_8(w, begin);
	add_u32(w, pid);
	add_u32(w, tid);
	add_u64(w, time);
	add_u32(w, cpu);
	add_u32(w, 0);
	add_u64(w, first->ids.nr ? first->ids.at[0] : 0);
}

static void add_sample_id(struct writer *w, size_t begin, uint32_t pid, uint32_t tid)
{
	add_timed_sample_id(w, begin, pid, tid, 0, UINT32_MAX);
}

/* A string that fits a record with everything else in it: paths end at PATH_MAX anyway. */
static void add_bounded_str(struct writer *w, const char *s)
{
	add(w, s, strnlen(s, 4096));
	add_u8(w, 0);
}

void writer_comm(struct writer *w, uint32_t pid, uint32_t tid, const char *name)
{
	size_t begin = record_begin(w, PERF_RECORD_COMM, 0);

	add_u32(w, pid);
	add_u32(w, tid);
	add_bounded_str(w, name);
	add_sample_id(w, begin, pid, tid);
	record_end(w, begin);
}

void writer_fork(struct writer *w, uint32_t pid, uint32_t tid, uint32_t ppid, uint32_t ptid)
{
	size_t begin = record_begin(w, PERF_RECORD_FORK, 0);

	add_u32(w, pid);
	add_u32(w, ppid);
	add_u32(w, tid);
	add_u32(w, ptid);
	add_u64(w, 0);
	add_sample_id(w, begin, pid, tid);
	record_end(w, begin);
}

void writer_mmap(struct writer *w, const struct writer_mmap *m)
{
	uint16_t misc = m->is_kernel ? PERF_RECORD_MISC_KERNEL : PERF_RECORD_MISC_USER;
	bool has_build_id = m->build_id.len && !m->build_id.is_sum;
	uint64_t generation = 0;
	size_t begin;

	if (m->build_id.is_sum)
		memcpy(&generation, m->build_id.bytes, sizeof(generation));
	if (has_build_id)
		misc |= PERF_RECORD_MISC_MMAP_BUILD_ID;
	begin = record_begin(w, PERF_RECORD_MMAP2, misc);
	add_u32(w, m->pid);
	add_u32(w, m->tid);
	add_u64(w, m->start);
	add_u64(w, m->len);
	add_u64(w, m->off);
	if (has_build_id) {
		add_u32(w, m->build_id.len);
		add(w, m->build_id.bytes, BUILD_ID_MAX);
	} else {
		add_u32(w, m->dev_major);
		add_u32(w, m->dev_minor);
		add_u64(w, m->inode);
		add_u64(w, generation);
	}
	add_u32(w, m->prot);
	add_u32(w, m->flags);
	add_bounded_str(w, m->path);
	add_timed_sample_id(w, begin, m->pid, m->tid, m->time, m->time ? m->cpu : UINT32_MAX);
	record_end(w, begin);
}

/* In the order of perf_event_open(2); the length of the raw part makes the record a multiple of 8. */
void writer_mark(struct writer *w, size_t event, const struct writer_mark *m)
{
	const struct writer_event *of = &w->config->events[event];
	size_t begin = record_begin(w, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER);
	uint64_t asked = of->attr.sample_type;

	add_u64(w, of->ids.nr ? of->ids.at[0] : 0);
	if (asked & PERF_SAMPLE_IP)
		add_u64(w, 0);
	add_u32(w, m->pid);
	add_u32(w, m->tid);
	add_u64(w, m->time);
	add_u64(w, 0);
	if (asked & PERF_SAMPLE_PERIOD)
		add_u64(w, 1);
	add_u32(w, (uint32_t)((m->len + sizeof(uint32_t) + 7) / 8 * 8 - sizeof(uint32_t)));
	add(w, m->bytes, m->len);
	record_end(w, begin);
}

void writer_lost(struct writer *w, uint64_t nr_lost)
{
	const struct writer_event *first = &w->config->events[0];
	size_t begin = record_begin(w, PERF_RECORD_LOST, 0);

	add_u64(w, first->ids.nr ? first->ids.at[0] : 0);
	add_u64(w, nr_lost);
	add_sample_id(w, begin, UINT32_MAX, UINT32_MAX);
	record_end(w, begin);
}

void writer_finished_round(struct writer *w)
{
	record_end(w, record_begin(w, PERF_RECORD_FINISHED_ROUND, 0));
}

static size_t note_begin(struct writer *w, enum note_kind kind)
{
	size_t begin = record_begin(w, PERF_RECORD_EVENT_UPDATE, 0);

	add_u64(w, NOTE_UPDATE_TYPE);
	add_u64(w, 0);
	add_u32(w, kind);
	add_u32(w, 0);
	return begin;
}

void writer_note_info(struct writer *w, const char *const *pairs)
{
	size_t begin = note_begin(w, NOTE_INFO), i;

	for (i = 0; pairs[i]; i++)
		add_bounded_str(w, pairs[i]);
	add_u8(w, 0);
	record_end(w, begin);
}

void writer_note_marker(struct writer *w, const struct note_marker *m)
{
	size_t begin = note_begin(w, NOTE_MARKER);

	add_u32(w, m->id);
	add_u32(w, m->flags);
	add_bounded_str(w, m->spec);
	add_bounded_str(w, m->name);
	record_end(w, begin);
}

void writer_note_file(struct writer *w, const struct note_file *f, const void *bytes)
{
	uint64_t off = 0;

	do {
		uint64_t left = f->size - off;
		uint32_t len = (uint32_t)(left < FILE_CHUNK_BYTES ? left : FILE_CHUNK_BYTES);
		size_t begin = note_begin(w, NOTE_FILE);

		add_u32(w, f->id);
		add_u32(w, f->kind);
		add_u32(w, f->pid);
		add_u64(w, f->size);
		add_u64(w, off);
		add_u8(w, f->build_id.len);
		add(w, f->build_id.bytes, f->build_id.len);
		add_bounded_str(w, f->path);
		add_u32(w, len);
		add(w, (const uint8_t *)bytes + off, len);
		record_end(w, begin);
		writer_flush(w);
		off += len;
	} while (off < f->size);
}

void writer_note_tally(struct writer *w, const struct tally *tallies, size_t nr)
{
	size_t begin = note_begin(w, NOTE_TALLY), i;

	for (i = 0; i < nr; i++) {
		add_bounded_str(w, tallies[i].key);
		add_u64(w, tallies[i].count);
	}
	add_u8(w, 0);
	record_end(w, begin);
}

void writer_note_function(struct writer *w, const struct note_function *f)
{
	size_t begin = note_begin(w, NOTE_FUNCTION);

	add_u32(w, f->id);
	add_u32(w, f->flags);
	add_u32(w, f->pid);
	add_u32(w, f->line);
	add_u64(w, f->off);
	add_u8(w, f->build_id.len);
	add(w, f->build_id.bytes, f->build_id.len);
	add_bounded_str(w, f->file);
	add_bounded_str(w, f->name);
	record_end(w, begin);
}

void writer_note_nodes(struct writer *w, const struct note_node *nodes, size_t nr)
{
	size_t i, begin = 0;

	for (i = 0; i < nr; i++) {
		if (i % NODES_PER_NOTE == 0)
			begin = note_begin(w, NOTE_NODES);
		add_u32(w, nodes[i].node);
		add_u32(w, nodes[i].parent);
		add_u32(w, nodes[i].function);
		if (i % NODES_PER_NOTE == NODES_PER_NOTE - 1 || i == nr - 1) {
			add_u32(w, 0);
			record_end(w, begin);
		}
	}
}

/* Where they find no room, the header names none. */
static void write_feature_sections(struct writer *w)
{
	VEC(struct file_section) where = { 0 };
	size_t nr = feature_write_nr(), i;
	uint64_t base = w->sink.nr_bytes + nr * sizeof(where.at[0]);
	struct iovec parts[2];

	for (i = 0; i < nr; i++) {
		enum perf_feature feature = feature_write_number(i);
		uint64_t begin = w->pending.len;

		feature_write(i, w->config, false, &w->pending);
		vec_push(&where, (struct file_section){ base + begin, w->pending.len - begin });
		w->header.features[feature / 64] |= 1ULL << (feature % 64);
	}
	parts[0] = (struct iovec){ where.at, nr * sizeof(where.at[0]) };
	parts[1] = (struct iovec){ w->pending.s, w->pending.len };
	if (!sink_write_whole(&w->sink, parts, 2))
		memset(w->header.features, 0, sizeof(w->header.features));
	str_clear(&w->pending);
	vec_release(&where);
}

/* ---- the two forms' beginnings ---- */

static void begin_pipe_form(struct writer *w)
{
	struct pipe_header header = { PERF_MAGIC2, sizeof(header) };
	size_t i, begin;

	add(w, &header, sizeof(header));
	for (i = 0; i < w->config->nr_events; i++) {
		const struct writer_event *ev = &w->config->events[i];
		/* More than a record holds come only from events opened per thread: those are of
		 * one kind, and then nobody asks for ids. */
		size_t nr_ids = ev->ids.nr < PIPE_IDS_MAX ? ev->ids.nr : PIPE_IDS_MAX;

		begin = record_begin(w, PERF_RECORD_HEADER_ATTR, 0);
		writer_add_attr(&w->pending, ev);
		add(w, ev->ids.at, nr_ids * sizeof(uint64_t));
		record_end(w, begin);
		if (!ev->ids.nr)
			continue;
		begin = record_begin(w, PERF_RECORD_EVENT_UPDATE, 0);
		add_u64(w, EVENT_UPDATE_NAME);
		add_u64(w, ev->ids.at[0]);
		add_bounded_str(w, ev->name);
		record_end(w, begin);
	}
	for (i = 0; i < feature_write_nr(); i++) {
		begin = record_begin(w, PERF_RECORD_HEADER_FEATURE, 0);
		add_u64(w, feature_write_number(i));
		feature_write(i, w->config, true, &w->pending);
		record_end(w, begin);
	}
}

static void begin_file_form(struct writer *w)
{
	uint64_t ids_off = sizeof(w->header), attrs_size;
	size_t nr_ids = 0, i;

	for (i = 0; i < w->config->nr_events; i++)
		nr_ids += w->config->events[i].ids.nr;
	attrs_size = w->config->nr_events *
		     (sizeof(struct perf_event_attr) + sizeof(struct file_section));
	w->header = (struct file_header){
		.magic = PERF_MAGIC2,
		.size = sizeof(w->header),
		.attr_size = sizeof(struct perf_event_attr) + sizeof(struct file_section),
		.attrs = { ids_off + nr_ids * sizeof(uint64_t), attrs_size },
	};
	w->header.data.off = w->header.attrs.off + attrs_size;
	add(w, &w->header, sizeof(w->header));
	for (i = 0; i < w->config->nr_events; i++)
		add(w, w->config->events[i].ids.at, w->config->events[i].ids.nr * sizeof(uint64_t));
	for (i = 0; i < w->config->nr_events; i++) {
		const struct writer_event *ev = &w->config->events[i];

		writer_add_attr(&w->pending, ev);
		add_u64(w, ids_off);
		add_u64(w, ev->ids.nr * sizeof(uint64_t));
		ids_off += ev->ids.nr * sizeof(uint64_t);
	}
}

/* ---- opening and closing ---- */

int writer_open(const char *path, const struct writer_config *config, struct writer **ret_writer,
		struct err *e)
{
	struct sink_patience patience = { config->is_stopping, config->self, config->wake_fd };
	struct writer *w = xcalloc(1, sizeof(*w));
	int err;

	w->config = config;
	err = sink_open(&w->sink, path, &patience, e);
	if (err)
		goto fail;
	if (w->sink.is_stdout)
		begin_pipe_form(w);
	else
		begin_file_form(w);
	sink_write_whole(&w->sink, &(struct iovec){ w->pending.s, w->pending.len }, 1);
	str_clear(&w->pending);
	err = writer_error(w, e);
	if (err)
		goto fail;
	*ret_writer = w;
	return 0;
fail:
	writer_abandon(w);
	writer_free(w);
	return err;
}

uint64_t writer_nr_bytes(const struct writer *w)
{
	return w->sink.nr_bytes + w->pending.len;
}

int writer_error(const struct writer *w, struct err *e)
{
	return sink_error(&w->sink, e);
}

int writer_finish(struct writer *w, struct err *e)
{
	writer_flush(w);
	if (!w->sink.is_stdout) {
		/* The length is known by now, also on a disk that has no room for the features. */
		w->header.data.size = w->sink.nr_bytes - w->header.data.off;
		write_feature_sections(w);
		sink_write_front(&w->sink, &w->header, sizeof(w->header));
	}
	sink_close(&w->sink);
	return writer_error(w, e);
}

void writer_abandon(struct writer *w)
{
	sink_abandon(&w->sink);
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	sink_release(&w->sink);
	str_release(&w->pending);
	free(w);
}
