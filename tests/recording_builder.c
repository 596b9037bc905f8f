/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/recording_builder.h"

#include <stdio.h>

#define ID_OF_SAMPLES 11
#define ID_OF_MARKS 12
#define ID_OF_CLOCK 13
#define COMMON_TYPE (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU)

static void add(struct recording_builder *b, const void *bytes, size_t len)
{
	str_add_bytes(&b->bytes, bytes, len);
}

static void add_u64(struct recording_builder *b, uint64_t v)
{
	add(b, &v, sizeof(v));
}

static void add_u32(struct recording_builder *b, uint32_t v)
{
	add(b, &v, sizeof(v));
}

/* NUL-terminated and padded: records are multiples of 8 bytes. */
static void add_text(struct recording_builder *b, const char *text)
{
	add(b, text, strlen(text) + 1);
	while (b->bytes.len % 8)
		str_add_char(&b->bytes, 0);
}

static void add_attr(struct recording_builder *b, struct perf_event_attr *attr, uint64_t ids_off)
{
	struct file_section ids = { ids_off, sizeof(uint64_t) };

	attr->size = sizeof(*attr);
	attr->sample_id_all = 1;
	add(b, attr, sizeof(*attr));
	add(b, &ids, sizeof(ids));
}

void builder_init(struct recording_builder *b, const struct perf_event_attr *sampling)
{
	struct perf_event_attr samples = { .type = PERF_TYPE_SOFTWARE,
					   .config = PERF_COUNT_SW_CPU_CLOCK,
					   .freq = 1,
					   .sample_freq = 1000 };
	struct perf_event_attr marks = { .type = PERF_TYPE_SOFTWARE,
					 .config = PERF_COUNT_SW_BPF_OUTPUT,
					 .sample_period = 1 };
	struct file_header h = { .magic = PERF_MAGIC2, .size = sizeof(h) };
	struct perf_event_attr clock = { .type = PERF_TYPE_SOFTWARE,
					 .config = PERF_COUNT_SW_DUMMY,
					 .sample_period = BUILDER_PERIOD_NS };
	const uint64_t ids[] = { ID_OF_SAMPLES, ID_OF_MARKS, ID_OF_CLOCK };

	*b = (struct recording_builder){ .period = BUILDER_PERIOD_NS, .id = ID_OF_SAMPLES };
	if (sampling)
		samples = *sampling;
	samples.sample_type = COMMON_TYPE | PERF_SAMPLE_IP | PERF_SAMPLE_PERIOD |
			      PERF_SAMPLE_CALLCHAIN;
	clock.sample_type = samples.sample_type;
	marks.sample_type = COMMON_TYPE | PERF_SAMPLE_RAW;
	h.attr_size = sizeof(struct perf_event_attr) + sizeof(struct file_section);
	h.attrs.off = sizeof(h) + sizeof(ids);
	h.attrs.size = 3 * h.attr_size;
	h.data.off = h.attrs.off + h.attrs.size;
	add(b, &h, sizeof(h));
	add(b, ids, sizeof(ids));
	add_attr(b, &samples, sizeof(h));
	add_attr(b, &marks, sizeof(h) + sizeof(ids[0]));
	b->clock_off = b->bytes.len;
	add_attr(b, &clock, sizeof(h) + 2 * sizeof(ids[0]));
	b->data_off = h.data.off;
}

void builder_add_clock(struct recording_builder *b)
{
	uint64_t config = PERF_COUNT_SW_CPU_CLOCK;

	memcpy(b->bytes.s + b->clock_off + offsetof(struct perf_event_attr, config), &config,
	       sizeof(config));
	b->id = ID_OF_CLOCK;
}

void builder_release(struct recording_builder *b)
{
	str_release(&b->bytes);
}

/* ---- records ---- */

static size_t begin_record(struct recording_builder *b, uint32_t type, uint16_t misc)
{
	struct perf_event_header header = { .type = type, .misc = misc };
	size_t at = b->bytes.len;

	add(b, &header, sizeof(header));
	return at;
}

static void end_record(struct recording_builder *b, size_t at)
{
	uint16_t size = (uint16_t)(b->bytes.len - at);

	memcpy(b->bytes.s + at + offsetof(struct perf_event_header, size), &size, sizeof(size));
}

/* The order of sample_id_all: TID, TIME, CPU, IDENTIFIER. */
static void end_record_with_id(struct recording_builder *b, size_t at, uint32_t pid, uint32_t tid,
			       uint64_t time)
{
	add_u32(b, pid);
	add_u32(b, tid);
	add_u64(b, time);
	add_u64(b, 0);
	add_u64(b, ID_OF_SAMPLES);
	end_record(b, at);
}

static void add_mmap(struct recording_builder *b, uint16_t misc, uint64_t time, uint32_t pid,
		     const uint64_t range[3], const char *path)
{
	size_t at = begin_record(b, PERF_RECORD_MMAP, misc);

	add_u32(b, pid);
	add_u32(b, pid);
	add(b, range, 3 * sizeof(range[0]));
	add_text(b, path);
	end_record_with_id(b, at, pid, pid, time);
}

void builder_mmap(struct recording_builder *b, uint64_t time, uint32_t pid, uint64_t start,
		  uint64_t len, uint64_t off, const char *path)
{
	add_mmap(b, PERF_RECORD_MISC_USER, time, pid, (uint64_t[]){ start, len, off }, path);
}

void builder_kernel_mmap(struct recording_builder *b, uint64_t start, uint64_t len)
{
	add_mmap(b, PERF_RECORD_MISC_KERNEL, 0, UINT32_MAX, (uint64_t[]){ start, len, start },
		 "[kernel.kallsyms]_text");
}

void builder_comm(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		  const char *name, bool is_exec)
{
	size_t at = begin_record(b, PERF_RECORD_COMM, is_exec ? PERF_RECORD_MISC_COMM_EXEC : 0);

	add_u32(b, pid);
	add_u32(b, tid);
	add_text(b, name);
	end_record_with_id(b, at, pid, tid, time);
}

static void add_task(struct recording_builder *b, uint32_t type, uint64_t time,
		     const uint32_t ids[4])
{
	size_t at = begin_record(b, type, 0);

	add(b, ids, 4 * sizeof(ids[0]));
	add_u64(b, time);
	end_record_with_id(b, at, ids[0], ids[2], time);
}

void builder_fork(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		  uint32_t ppid, uint32_t ptid)
{
	add_task(b, PERF_RECORD_FORK, time, (uint32_t[]){ pid, ppid, tid, ptid });
}

void builder_exit(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid)
{
	add_task(b, PERF_RECORD_EXIT, time, (uint32_t[]){ pid, pid, tid, tid });
}

void builder_lost(struct recording_builder *b, uint64_t time, uint64_t nr)
{
	size_t at = begin_record(b, PERF_RECORD_LOST, 0);

	add_u64(b, ID_OF_SAMPLES);
	add_u64(b, nr);
	end_record_with_id(b, at, 0, 0, time);
}

void builder_round(struct recording_builder *b)
{
	end_record(b, begin_record(b, PERF_RECORD_FINISHED_ROUND, 0));
}

/* IDENTIFIER, IP, TID, TIME, CPU, PERIOD, CALLCHAIN. */
void builder_raw_sample(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
			uint16_t cpumode, const uint64_t *chain, size_t nr)
{
	size_t at = begin_record(b, PERF_RECORD_SAMPLE, cpumode), i;
	uint64_t ip = 0;

	for (i = nr; i-- > 0;)
		ip = chain[i] < PERF_CONTEXT_MAX ? chain[i] : ip;
	add_u64(b, b->id);
	add_u64(b, ip);
	add_u32(b, pid);
	add_u32(b, tid);
	add_u64(b, time);
	add_u64(b, 0);
	add_u64(b, b->period);
	add_u64(b, nr);
	if (nr)
		add(b, chain, nr * sizeof(*chain));
	end_record(b, at);
}

void builder_sample(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		    const uint64_t *ips, size_t nr_ips)
{
	uint64_t *chain = xcalloc(nr_ips + 1, sizeof(*chain));

	chain[0] = PERF_CONTEXT_USER;
	memcpy(chain + 1, ips, nr_ips * sizeof(*ips));
	builder_raw_sample(b, time, pid, tid, PERF_RECORD_MISC_USER, chain, nr_ips + 1);
	free(chain);
}

/* ---- notes and marks ---- */

void builder_note(struct recording_builder *b, enum note_kind kind, const void *payload, size_t len)
{
	size_t at = begin_record(b, PERF_RECORD_EVENT_UPDATE, 0);

	add_u64(b, NOTE_UPDATE_TYPE);
	add_u64(b, 0);
	add_u32(b, kind);
	add_u32(b, 0);
	add(b, payload, len);
	while (b->bytes.len % 8)
		str_add_char(&b->bytes, 0);
	end_record(b, at);
}

void builder_marker(struct recording_builder *b, uint32_t id, uint32_t flags, const char *name)
{
	struct str p = { 0 };

	str_add_bytes(&p, &id, sizeof(id));
	str_add_bytes(&p, &flags, sizeof(flags));
	str_addf(&p, "func:%s", name);
	str_add_char(&p, 0);
	str_add_bytes(&p, name, strlen(name) + 1);
	builder_note(b, NOTE_MARKER, p.s, p.len);
	str_release(&p);
}

void builder_perf_map(struct recording_builder *b, uint32_t pid, const char *text)
{
	uint32_t head[] = { ++b->nr_files, FILE_PERF_MAP, pid }, len = (uint32_t)strlen(text);
	uint64_t size[] = { len, 0 };
	struct str p = { 0 };

	str_add_bytes(&p, head, sizeof(head));
	str_add_bytes(&p, size, sizeof(size));
	str_add_char(&p, 0);
	str_add_bytes(&p, "perf.map", sizeof("perf.map"));
	str_add_bytes(&p, &len, sizeof(len));
	str_add_bytes(&p, text, len);
	builder_note(b, NOTE_FILE, p.s, p.len);
	str_release(&p);
}

void builder_function(struct recording_builder *b, const struct note_function *f)
{
	const uint32_t head[] = { f->id, f->flags, f->pid, f->line };
	struct str p = { 0 };

	str_add_bytes(&p, head, sizeof(head));
	str_add_bytes(&p, &f->off, sizeof(f->off));
	str_add_bytes(&p, &f->build_id.len, sizeof(f->build_id.len));
	str_add_bytes(&p, f->build_id.bytes, f->build_id.len);
	str_add_bytes(&p, f->file, strlen(f->file) + 1);
	str_add_bytes(&p, f->name, strlen(f->name) + 1);
	builder_note(b, NOTE_FUNCTION, p.s, p.len);
	str_release(&p);
}

void builder_nodes(struct recording_builder *b, const struct note_node *nodes, size_t nr)
{
	const uint32_t end = 0;
	struct str p = { 0 };

	str_add_bytes(&p, nodes, nr * sizeof(*nodes));
	str_add_bytes(&p, &end, sizeof(end));
	builder_note(b, NOTE_NODES, p.s, p.len);
	str_release(&p);
}

/* IDENTIFIER, TID, TIME, CPU, RAW: u32 length, bytes, padded so that both are a multiple of 8. */
static void add_mark(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		     const void *head, size_t head_len, const void *bytes, size_t len)
{
	size_t at = begin_record(b, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER);
	size_t raw = (head_len + len + sizeof(uint32_t) + 7) / 8 * 8 - sizeof(uint32_t);

	add_u64(b, ID_OF_MARKS);
	add_u32(b, pid);
	add_u32(b, tid);
	add_u64(b, time);
	add_u64(b, 0);
	add_u32(b, (uint32_t)raw);
	add(b, head, head_len);
	add(b, bytes, len);
	while (b->bytes.len % 8)
		str_add_char(&b->bytes, 0);
	end_record(b, at);
}

void builder_mark(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		  struct mark_head m, const char *label)
{
	m.magic = MARK_MAGIC;
	m.label_len = label ? (uint32_t)strlen(label) : 0;
	m.flags |= label ? MARK_HAS_LABEL : 0;
	add_mark(b, time, pid, tid, &m, sizeof(m), label, m.label_len);
}

void builder_calls(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		   unsigned int flags, const struct call_row *rows, size_t nr)
{
	struct call_counts head = { .magic = CALL_MARK_MAGIC,
				    .flags = (unsigned short)flags,
				    .nr = (unsigned short)nr };

	add_mark(b, time, pid, tid, &head, sizeof(head), rows, nr * sizeof(*rows));
}

void builder_socket_mark(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
			 struct socket_mark m, const void *bytes, size_t len)
{
	m.magic = SOCKET_MARK_MAGIC;
	m.pid = pid;
	m.tid = tid;
	m.len = m.room = (uint32_t)len;
	add_mark(b, time, pid, tid, &m, sizeof(m), bytes, len);
}

void builder_socket_marks(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
			  const void *marks, size_t len)
{
	add_mark(b, time, pid, tid, marks, len, NULL, 0);
}

void builder_begin(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		   uint32_t marker, const char *label)
{
	builder_mark(b, time, pid, tid, (struct mark_head){ .kind = MARK_BEGIN, .marker = marker },
		     label);
}

void builder_end(struct recording_builder *b, uint64_t time, uint32_t pid, uint32_t tid,
		 uint32_t marker)
{
	builder_mark(b, time, pid, tid, (struct mark_head){ .kind = MARK_END, .marker = marker },
		     NULL);
}

/* ---- the file ---- */

const void *builder_finish(struct recording_builder *b, size_t *ret_len)
{
	uint64_t size = b->bytes.len - b->data_off;

	memcpy(b->bytes.s + offsetof(struct file_header, data.size), &size, sizeof(size));
	*ret_len = b->bytes.len;
	return b->bytes.s;
}

void builder_write(struct recording_builder *b, const char *path)
{
	FILE *out = fopen(path, "w");
	const void *bytes;
	size_t len;

	bytes = builder_finish(b, &len);
	if (!out || fwrite(bytes, 1, len, out) != len || fclose(out)) {
		perror(path);
		exit(1);
	}
}
