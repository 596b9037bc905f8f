/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sketch.h"

#include <string.h>

#include "base/alloc.h"
#include "recording/note.h"

void sketch_add(struct sketch *s, const void *bytes, size_t len)
{
	str_add_bytes(&s->bytes, bytes, len);
}

void sketch_u8(struct sketch *s, uint8_t v)
{
	sketch_add(s, &v, sizeof(v));
}

void sketch_u16(struct sketch *s, uint16_t v)
{
	sketch_add(s, &v, sizeof(v));
}

void sketch_u32(struct sketch *s, uint32_t v)
{
	sketch_add(s, &v, sizeof(v));
}

void sketch_u64(struct sketch *s, uint64_t v)
{
	sketch_add(s, &v, sizeof(v));
}

void sketch_str(struct sketch *s, const char *text)
{
	sketch_add(s, text, strlen(text) + 1);
}

static size_t attr_bytes(const struct perf_event_attr *attr)
{
	return attr->size ? attr->size : sizeof(*attr);
}

/* An attribute may say that it is longer than today's: then zeros follow. */
static void add_attr(struct sketch *s, const struct perf_event_attr *attr, size_t len)
{
	size_t known = len < sizeof(*attr) ? len : sizeof(*attr);

	sketch_add(s, attr, known);
	for (; known < len; known++)
		sketch_u8(s, 0);
}

void sketch_file(struct sketch *s, const struct perf_event_attr *attrs, size_t nr)
{
	struct file_header h = { .magic = PERF_MAGIC2, .size = sizeof(h) };
	size_t i, len = attr_bytes(&attrs[0]);

	h.attr_size = len + sizeof(struct file_section);
	h.attrs = (struct file_section){ sizeof(h) + nr * 16, nr * h.attr_size };
	h.data.off = h.attrs.off + h.attrs.size;
	sketch_add(s, &h, sizeof(h));
	for (i = 0; i < nr; i++) {
		sketch_u64(s, SKETCH_ID(i));
		sketch_u64(s, SKETCH_ID(i) + 1);
	}
	for (i = 0; i < nr; i++) {
		add_attr(s, &attrs[i], len);
		sketch_u64(s, sizeof(h) + i * 16);
		sketch_u64(s, 16);
	}
	s->data_at = s->bytes.len;
}

void sketch_pipe(struct sketch *s, const struct perf_event_attr *attrs, size_t nr)
{
	size_t i;

	sketch_u64(s, PERF_MAGIC2);
	sketch_u64(s, 16);
	s->data_at = s->bytes.len;
	for (i = 0; i < nr; i++) {
		sketch_begin(s, PERF_RECORD_HEADER_ATTR, 0);
		add_attr(s, &attrs[i], attr_bytes(&attrs[i]));
		sketch_u64(s, SKETCH_ID(i));
		sketch_u64(s, SKETCH_ID(i) + 1);
		sketch_end(s);
	}
}

void sketch_begin(struct sketch *s, uint32_t type, uint16_t misc)
{
	struct perf_event_header header = { .type = type, .misc = misc };

	s->record_at = s->bytes.len;
	sketch_add(s, &header, sizeof(header));
}

void sketch_pad(struct sketch *s)
{
	while ((s->bytes.len - s->record_at) % 8)
		sketch_u8(s, 0);
}

void sketch_end(struct sketch *s)
{
	uint16_t size;

	sketch_pad(s);
	size = (uint16_t)(s->bytes.len - s->record_at);
	memcpy(s->bytes.s + s->record_at + offsetof(struct perf_event_header, size), &size,
	       sizeof(size));
}

void sketch_id(struct sketch *s, uint32_t pid, uint32_t tid, uint64_t time, uint32_t cpu,
	       uint64_t id)
{
	sketch_pad(s);
	sketch_u32(s, pid);
	sketch_u32(s, tid);
	sketch_u64(s, time);
	sketch_u32(s, cpu);
	sketch_u32(s, 0);
	sketch_u64(s, id);
}

void sketch_finish(struct sketch *s, const struct sketch_feature *features, size_t nr)
{
	struct file_header h;
	uint64_t at;
	size_t i;

	memcpy(&h, s->bytes.s, sizeof(h));
	h.data.size = s->bytes.len - s->data_at;
	at = s->bytes.len + nr * sizeof(struct file_section);
	for (i = 0; i < nr; i++) {
		h.features[features[i].number / 64] |= 1ULL << (features[i].number % 64);
		sketch_u64(s, at);
		sketch_u64(s, features[i].len);
		at += features[i].len;
	}
	for (i = 0; i < nr; i++)
		sketch_add(s, features[i].bytes, features[i].len);
	memcpy(s->bytes.s, &h, sizeof(h));
}

void sketch_feature_str(struct str *bytes, const char *text)
{
	static const char zeros[64];
	uint32_t len = (uint32_t)(strlen(text) / 64 + 1) * 64;

	str_add_bytes(bytes, &len, sizeof(len));
	str_add(bytes, text);
	str_add_bytes(bytes, zeros, len - strlen(text));
}

void sketch_release(struct sketch *s)
{
	str_release(&s->bytes);
	*s = (struct sketch){ 0 };
}

struct perf_event_attr sketch_attr(void)
{
	return (struct perf_event_attr){
		.size = sizeof(struct perf_event_attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
			       PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_IDENTIFIER,
		.sample_id_all = 1,
		.sample_freq = 999,
		.freq = 1,
	};
}

/* ---- something of everything ---- */

static void add_process(struct sketch *s, uint32_t pid, uint64_t time)
{
	sketch_begin(s, PERF_RECORD_COMM, 0);
	sketch_u32(s, pid);
	sketch_u32(s, pid);
	sketch_str(s, "server");
	sketch_id(s, pid, pid, time, 0, SKETCH_ID(0));
	sketch_end(s);
	sketch_begin(s, PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER);
	sketch_u32(s, pid);
	sketch_u32(s, pid);
	sketch_u64(s, 0x400000);
	sketch_u64(s, 0x1000);
	sketch_u64(s, 0x1000);
	sketch_u32(s, 8);
	sketch_u32(s, 1);
	sketch_u64(s, 4711);
	sketch_u64(s, 0);
	sketch_u32(s, 5);
	sketch_u32(s, 2);
	sketch_str(s, "/nowhere/server");
	sketch_id(s, pid, pid, time, 0, SKETCH_ID(0));
	sketch_end(s);
}

static void add_sample(struct sketch *s, uint32_t pid, uint64_t time)
{
	sketch_begin(s, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER);
	sketch_u64(s, SKETCH_ID(0));
	sketch_u64(s, 0x400100);
	sketch_u32(s, pid);
	sketch_u32(s, pid);
	sketch_u64(s, time);
	sketch_u32(s, 1);
	sketch_u32(s, 0);
	sketch_u64(s, 1001001);
	sketch_u64(s, 3);
	sketch_u64(s, PERF_CONTEXT_USER);
	sketch_u64(s, 0x400100);
	sketch_u64(s, 0x400200);
	sketch_end(s);
}

static void add_mark(struct sketch *s, uint16_t kind, uint64_t time)
{
	static const char label[] = "GET /user/17";

	sketch_begin(s, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER);
	sketch_u64(s, SKETCH_ID(1));
	sketch_u64(s, 0);
	sketch_u32(s, 17);
	sketch_u32(s, 17);
	sketch_u64(s, time);
	sketch_u32(s, 1);
	sketch_u32(s, 0);
	sketch_u64(s, 1);
	sketch_u32(s, 32 + 12);
	sketch_u32(s, 0x314b4d57);
	sketch_u16(s, kind);
	sketch_u16(s, 2);
	sketch_u32(s, 0);
	sketch_u32(s, 12);
	sketch_u64(s, 0);
	/* A call's end is seen where its return address has been taken off the stack. */
	sketch_u64(s, kind == 1 ? 0x7ffc0000 : 0x7ffc0008);
	sketch_add(s, label, 12);
	sketch_end(s);
}

static void add_notes(struct sketch *s)
{
	sketch_begin(s, PERF_RECORD_EVENT_UPDATE, 0);
	sketch_u64(s, NOTE_UPDATE_TYPE);
	sketch_u64(s, 0);
	sketch_u32(s, NOTE_MARKER);
	sketch_u32(s, 0);
	sketch_u32(s, 0);
	sketch_u32(s, MARKER_HAS_LABEL | MARKER_IS_CALL);
	sketch_str(s, "func:handle,label=arg1:str");
	sketch_str(s, "handle");
	sketch_end(s);
	sketch_begin(s, PERF_RECORD_EVENT_UPDATE, 0);
	sketch_u64(s, NOTE_UPDATE_TYPE);
	sketch_u64(s, 0);
	sketch_u32(s, NOTE_TALLY);
	sketch_u32(s, 0);
	sketch_str(s, "lost");
	sketch_u64(s, 3);
	sketch_u8(s, 0);
	sketch_end(s);
}

void sketch_everything(struct sketch *s, bool is_pipe)
{
	struct perf_event_attr attrs[2] = { sketch_attr(), sketch_attr() };
	struct str host = { 0 };

	attrs[0].sample_type |= PERF_SAMPLE_CALLCHAIN;
	attrs[1].config = PERF_COUNT_SW_BPF_OUTPUT;
	attrs[1].sample_type |= PERF_SAMPLE_RAW;
	if (is_pipe)
		sketch_pipe(s, attrs, ARRAY_LEN(attrs));
	else
		sketch_file(s, attrs, ARRAY_LEN(attrs));
	add_notes(s);
	add_process(s, 17, 100);
	add_process(s, 18, 110);
	add_mark(s, 1, 200);
	add_sample(s, 17, 210);
	add_sample(s, 18, 205);
	add_mark(s, 2, 220);
	sketch_begin(s, PERF_RECORD_LOST, 0);
	sketch_u64(s, SKETCH_ID(0));
	sketch_u64(s, 3);
	sketch_id(s, 17, 17, 230, 0, SKETCH_ID(0));
	sketch_end(s);
	sketch_begin(s, PERF_RECORD_EXIT, 0);
	sketch_u32(s, 18);
	sketch_u32(s, 17);
	sketch_u32(s, 18);
	sketch_u32(s, 17);
	sketch_u64(s, 240);
	sketch_id(s, 18, 18, 240, 0, SKETCH_ID(0));
	sketch_end(s);
	sketch_begin(s, PERF_RECORD_FINISHED_ROUND, 0);
	sketch_end(s);
	if (is_pipe)
		return;
	sketch_feature_str(&host, "example");
	sketch_finish(s, &(struct sketch_feature){ FEATURE_HOSTNAME, host.s, host.len }, 1);
	str_release(&host);
}
