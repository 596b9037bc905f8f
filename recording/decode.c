/* SPDX-License-Identifier: Apache-2.0 */
#include "recording/decode.h"

#include <stdio.h>

#include "base/file_sum.h"
#include "recording/note.h"

/* Names of the kernel's generic events, by perf_event_attr.type and config. */
static const char *const hardware_names[] = {
	"cycles",	 "instructions", "cache-references", "cache-misses",
	"branches",	 "branch-misses", "bus-cycles",	     "stalled-cycles-frontend",
	"stalled-cycles-backend", "ref-cycles",
};
static const char *const software_names[] = {
	"cpu-clock",	    "task-clock",	"page-faults",	"context-switches",
	"cpu-migrations",   "minor-faults",	"major-faults", "alignment-faults",
	"emulation-faults", "dummy",		"bpf-output",	"cgroup-switches",
};

static bool is_software(const struct perf_event_attr *attr, uint64_t config)
{
	return attr->type == PERF_TYPE_SOFTWARE && attr->config == config;
}

static void default_name(struct events *ev, struct event_desc *event)
{
	const struct perf_event_attr *attr = &event->attr;
	char made_up[64];

	if (attr->type == PERF_TYPE_HARDWARE && attr->config < ARRAY_LEN(hardware_names)) {
		event->name = hardware_names[attr->config];
	} else if (attr->type == PERF_TYPE_SOFTWARE && attr->config < ARRAY_LEN(software_names)) {
		event->name = software_names[attr->config];
	} else {
		snprintf(made_up, sizeof(made_up), "event-%u:0x%llx", attr->type,
			 (unsigned long long)attr->config);
		events_set_name(ev, event, made_up);
	}
}

struct event_desc *events_add(struct events *ev, struct cursor attr_bytes)
{
	struct event_desc *event = arena_alloc(&ev->arena, sizeof(*event));
	struct perf_event_attr *attr = &event->attr;
	size_t len = cursor_left(&attr_bytes);

	*event = (struct event_desc){ .index = (uint32_t)ev->list.nr };
	memcpy(attr, attr_bytes.at, len < sizeof(*attr) ? len : sizeof(*attr));
	event->is_clock = is_software(attr, PERF_COUNT_SW_CPU_CLOCK) ||
			  is_software(attr, PERF_COUNT_SW_TASK_CLOCK);
	event->is_bpf_output = is_software(attr, PERF_COUNT_SW_BPF_OUTPUT);
	default_name(ev, event);
	vec_push(&ev->list, event);
	return event;
}

void events_add_id(struct events *ev, uint64_t id, const struct event_desc *event)
{
	u64map_set(&ev->by_id, id, event->index);
}

void events_set_name(struct events *ev, struct event_desc *event, const char *name)
{
	event->name = arena_strndup(&ev->arena, name, strlen(name));
}

struct event_desc *events_find(const struct events *ev, uint64_t id)
{
	const uint32_t *index = u64map_get(&ev->by_id, id);

	return index ? ev->list.at[*index] : NULL;
}

void events_release(struct events *ev)
{
	vec_release(&ev->list);
	u64map_release(&ev->by_id);
	arena_release(&ev->arena);
}

/*
 * Where the id stands is the same in all records of a recording: perf sees to it, and with
 * PERF_SAMPLE_IDENTIFIER it is the first word of a sample and the last one of any other record.
 * Without that flag it has to be counted out from the first event's sample_type.
 */
static const struct event_desc *event_of(const struct events *ev, const struct record *r)
{
	const struct event_desc *first = ev->list.nr ? ev->list.at[0] : NULL;
	uint64_t type = first ? first->attr.sample_type : 0, id;
	size_t body = r->size - sizeof(struct perf_event_header), at;

	if (!first || ev->list.nr == 1)
		return first;
	if (type & PERF_SAMPLE_IDENTIFIER) {
		at = r->type == PERF_RECORD_SAMPLE ? 0 : body - sizeof(id);
	} else if (!(type & PERF_SAMPLE_ID)) {
		return first;
	} else if (r->type == PERF_RECORD_SAMPLE) {
		at = 8 * (size_t)__builtin_popcountll(type & (PERF_SAMPLE_IP | PERF_SAMPLE_TID |
							      PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR));
	} else {
		at = body - 8 * (1 + (size_t)__builtin_popcountll(
				      type & (PERF_SAMPLE_CPU | PERF_SAMPLE_STREAM_ID)));
	}
	if (body < sizeof(id) || at > body - sizeof(id))
		return NULL;
	memcpy(&id, r->body + at, sizeof(id));
	return events_find(ev, id);
}

/* The fields that sample_id_all puts behind every record that is no sample. */
static bool decode_sample_id(struct record *r, struct cursor *body)
{
	const struct perf_event_attr *attr = &r->event->attr;
	uint64_t type = attr->sample_type;
	size_t len = 8 * (size_t)__builtin_popcountll(
			 type & (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID |
				 PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU | PERF_SAMPLE_IDENTIFIER));
	struct cursor c;

	if (!attr->sample_id_all)
		return true;
	if (len > cursor_left(body))
		return false;
	c = cursor_of(body->end - len, len);
	body->end -= len;
	if (type & PERF_SAMPLE_TID) {
		r->pid = cursor_u32(&c);
		r->tid = cursor_u32(&c);
	}
	if (type & PERF_SAMPLE_TIME)
		r->time = cursor_u64(&c);
	if (type & PERF_SAMPLE_ID)
		cursor_skip(&c, 8);
	if (type & PERF_SAMPLE_STREAM_ID)
		cursor_skip(&c, 8);
	if (type & PERF_SAMPLE_CPU)
		r->cpu = cursor_u32(&c);
	return true;
}

static void skip_counters(struct cursor *c, uint64_t format)
{
	size_t times = (size_t)__builtin_popcountll(format & (PERF_FORMAT_TOTAL_TIME_ENABLED |
							      PERF_FORMAT_TOTAL_TIME_RUNNING));
	size_t each = 1 + (size_t)__builtin_popcountll(format & (PERF_FORMAT_ID | PERF_FORMAT_LOST));
	uint64_t nr = 1;

	if (format & PERF_FORMAT_GROUP)
		nr = cursor_u64(c);
	if (nr > cursor_left(c) / (8 * each))
		c->failed = true;
	else
		cursor_skip(c, 8 * (times + (size_t)nr * each));
}

static void take_words(struct cursor *c, uint64_t nr, size_t words_each, const uint8_t **ret)
{
	*ret = c->at;
	if (nr > cursor_left(c) / (8 * words_each))
		c->failed = true;
	else
		cursor_skip(c, (size_t)nr * 8 * words_each);
}

static void decode_user_regs(struct cursor *c, const struct perf_event_attr *attr, struct record *r)
{
	r->sample.user_regs_abi = cursor_u64(c);
	if (r->sample.user_regs_abi == PERF_SAMPLE_REGS_ABI_NONE)
		return;
	r->sample.user_regs_mask = attr->sample_regs_user;
	r->sample.nr_user_regs = (uint32_t)__builtin_popcountll(attr->sample_regs_user);
	take_words(c, r->sample.nr_user_regs, 1, &r->sample.user_regs);
}

static void decode_user_stack(struct cursor *c, struct record *r)
{
	uint64_t size = cursor_u64(c), valid;
	const uint8_t *bytes;

	if (!size)
		return;
	bytes = size <= cursor_left(c) ? cursor_take(c, (size_t)size) : NULL;
	c->failed |= !bytes;
	valid = cursor_u64(c);
	if (c->failed)
		return;
	r->sample.user_stack = bytes;
	r->sample.user_stack_len = valid < size ? valid : size;
	r->sample.is_user_stack_cut = valid >= size;
}

static void skip_branches(struct cursor *c, const struct perf_event_attr *attr)
{
	uint64_t nr = cursor_u64(c);
	const uint8_t *branches;

	if (attr->branch_sample_type & PERF_SAMPLE_BRANCH_HW_INDEX)
		cursor_skip(c, 8);
	take_words(c, nr, 3, &branches);
}

static bool decode_sample(struct record *r, struct cursor c)
{
	const struct perf_event_attr *attr = &r->event->attr;
	uint64_t type = attr->sample_type;

	r->sample.period = attr->freq ? 1 : attr->sample_period;
	if (type & PERF_SAMPLE_IDENTIFIER)
		cursor_skip(&c, 8);
	if (type & PERF_SAMPLE_IP)
		r->sample.ip = cursor_u64(&c);
	if (type & PERF_SAMPLE_TID) {
		r->pid = cursor_u32(&c);
		r->tid = cursor_u32(&c);
	}
	if (type & PERF_SAMPLE_TIME)
		r->time = cursor_u64(&c);
	if (type & PERF_SAMPLE_ADDR)
		r->sample.addr = cursor_u64(&c);
	if (type & PERF_SAMPLE_ID)
		cursor_skip(&c, 8);
	if (type & PERF_SAMPLE_STREAM_ID)
		cursor_skip(&c, 8);
	if (type & PERF_SAMPLE_CPU) {
		r->cpu = cursor_u32(&c);
		cursor_skip(&c, 4);
	}
	if (type & PERF_SAMPLE_PERIOD)
		r->sample.period = cursor_u64(&c);
	if (type & PERF_SAMPLE_READ)
		skip_counters(&c, attr->read_format);
	if (type & PERF_SAMPLE_CALLCHAIN) {
		r->sample.chain.nr = cursor_u64(&c);
		take_words(&c, r->sample.chain.nr, 1, &r->sample.chain.ips);
	}
	if (type & PERF_SAMPLE_RAW) {
		r->sample.raw_len = cursor_u32(&c);
		r->sample.raw = cursor_take(&c, r->sample.raw_len);
	}
	if (type & PERF_SAMPLE_BRANCH_STACK)
		skip_branches(&c, attr);
	if (type & PERF_SAMPLE_REGS_USER)
		decode_user_regs(&c, attr, r);
	if (type & PERF_SAMPLE_STACK_USER)
		decode_user_stack(&c, r);
	return !c.failed;
}

/*
 * The flag alone is not enough: while somebody else on the machine listens with build-ids, kernels
 * (seen: 6.18) set it in the records of listeners that asked for none, and leave device and inode there
 * (kernel/events/core.c, perf_event_mmap_output(): the header's misc is not put back).
 */
static bool has_build_id(const struct record *r, uint8_t len)
{
	return r->misc & PERF_RECORD_MISC_MMAP_BUILD_ID && len <= BUILD_ID_MAX &&
	       (!r->event || r->event->attr.build_id);
}

static void take_sum(struct record *r)
{
	uint64_t generation = r->mmap.inode_generation;

	if (!(generation & FILE_SUM_BIT))
		return;
	r->mmap.build_id = (struct build_id){ .len = sizeof(generation), .is_sum = true };
	memcpy(r->mmap.build_id.bytes, &generation, sizeof(generation));
}

static void decode_identity(struct record *r, struct cursor *c)
{
	uint8_t len = cursor_left(c) ? *c->at : 0;

	if (has_build_id(r, len)) {
		r->mmap.build_id.len = len;
		cursor_skip(c, 4);
		cursor_copy(c, r->mmap.build_id.bytes, BUILD_ID_MAX);
	} else {
		r->mmap.dev_major = cursor_u32(c);
		r->mmap.dev_minor = cursor_u32(c);
		r->mmap.inode = cursor_u64(c);
		r->mmap.inode_generation = cursor_u64(c);
		take_sum(r);
	}
}

static bool decode_mmap(struct record *r, struct cursor c)
{
	r->pid = cursor_u32(&c);
	r->tid = cursor_u32(&c);
	r->mmap.start = cursor_u64(&c);
	r->mmap.len = cursor_u64(&c);
	r->mmap.off = cursor_u64(&c);
	r->mmap.is_exec = !(r->misc & PERF_RECORD_MISC_MMAP_DATA);
	if (r->type == PERF_RECORD_MMAP2) {
		decode_identity(r, &c);
		r->mmap.prot = cursor_u32(&c);
		r->mmap.flags = cursor_u32(&c);
	}
	r->mmap.path = cursor_str(&c);
	return !c.failed;
}

static bool decode_comm(struct record *r, struct cursor c)
{
	r->pid = cursor_u32(&c);
	r->tid = cursor_u32(&c);
	r->comm.name = cursor_str(&c);
	r->comm.is_exec = r->misc & PERF_RECORD_MISC_COMM_EXEC;
	return !c.failed;
}

static bool decode_task(struct record *r, struct cursor c)
{
	r->pid = cursor_u32(&c);
	r->task.ppid = cursor_u32(&c);
	r->tid = cursor_u32(&c);
	r->task.ptid = cursor_u32(&c);
	r->time = cursor_u64(&c);
	return !c.failed;
}

static bool decode_lost(struct record *r, struct cursor c)
{
	if (r->type == PERF_RECORD_LOST)
		cursor_skip(&c, 8);
	r->lost.nr = cursor_u64(&c);
	return !c.failed;
}

static bool decode_ksymbol(struct record *r, struct cursor c)
{
	bool is_gone;

	r->ksymbol.addr = cursor_u64(&c);
	r->ksymbol.len = cursor_u32(&c);
	/* u16 type, u16 flags */
	is_gone = cursor_u32(&c) >> 16 & PERF_RECORD_KSYMBOL_FLAGS_UNREGISTER;
	r->ksymbol.name = cursor_str(&c);
	if (is_gone)
		r->ksymbol.name = NULL;
	return !c.failed;
}

/* An event update is a note where its type is ours; all others are none of the caller's business. */
static bool decode_note(struct record *r, struct cursor c)
{
	if (cursor_u64(&c) != NOTE_UPDATE_TYPE || c.failed)
		return true;
	cursor_skip(&c, 8);
	r->note.kind = cursor_u32(&c);
	cursor_skip(&c, 4);
	r->note.payload = c;
	return !c.failed;
}

bool decode_record(const struct events *ev, const uint8_t *bytes, struct record *r)
{
	struct perf_event_header header;
	struct cursor body;
	bool has_id;

	memcpy(&header, bytes, sizeof(header));
	*r = (struct record){
		.pos = r->pos,
		.type = header.type,
		.misc = header.misc,
		.size = header.size,
		.body = bytes + sizeof(header),
		.pid = UINT32_MAX,
		.tid = UINT32_MAX,
		.cpu = UINT32_MAX,
	};
	body = cursor_of(r->body, header.size - sizeof(header));
	if (header.type >= PERF_RECORD_HEADER_ATTR)
		return header.type == PERF_RECORD_EVENT_UPDATE ? decode_note(r, body) : true;
	r->event = event_of(ev, r);
	if (r->type == PERF_RECORD_SAMPLE)
		return r->event ? decode_sample(r, body) : true;
	has_id = !r->event || decode_sample_id(r, &body);
	switch (r->type) {
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
		return has_id && decode_mmap(r, body);
	case PERF_RECORD_COMM:
		return has_id && decode_comm(r, body);
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		return has_id && decode_task(r, body);
	case PERF_RECORD_LOST:
	case PERF_RECORD_LOST_SAMPLES:
		return has_id && decode_lost(r, body);
	case PERF_RECORD_KSYMBOL:
		return has_id && decode_ksymbol(r, body);
	default:
		/* Records of types to come may have no id: nobody reads them. */
		return true;
	}
}
