/* SPDX-License-Identifier: Apache-2.0 */
#include "recording/feature.h"

#include "base/str.h"

/* misc bit of a build-id entry: the byte behind the 20 says how long the id is (perf 5.12 on). */
#define MISC_BUILD_ID_SIZE (1 << 15)

/* u32 length with padding, the bytes, NUL-padded. Copied to the arena; NULL when cut short. */
static const char *take_string(struct features *f, struct cursor *c)
{
	uint32_t len = cursor_u32(c);
	const char *s = cursor_take(c, len);

	return s ? arena_strndup(&f->arena, s, strnlen(s, len)) : NULL;
}

static bool parse_cmdline(struct features *f, struct cursor c)
{
	uint32_t nr = cursor_u32(&c), i;
	struct str line = { 0 };

	for (i = 0; i < nr && !c.failed; i++) {
		const char *arg = take_string(f, &c);

		if (!arg)
			break;
		if (i)
			str_add_char(&line, ' ');
		str_add(&line, arg);
	}
	f->cmdline = arena_strndup(&f->arena, str_cstr(&line), line.len);
	str_release(&line);
	return !c.failed;
}

/* u32 events, u32 attr size, and for each event: attr, u32 ids, name, ids. */
static bool parse_event_desc(struct features *f, struct events *ev, struct cursor c)
{
	uint32_t nr = cursor_u32(&c), attr_size = cursor_u32(&c), i, j;

	for (i = 0; i < nr && !c.failed; i++) {
		struct event_desc *event = i < ev->list.nr ? ev->list.at[i] : NULL;
		uint32_t nr_ids;
		const char *name;

		cursor_skip(&c, attr_size);
		nr_ids = cursor_u32(&c);
		name = take_string(f, &c);
		for (j = 0; j < nr_ids && !c.failed; j++) {
			struct event_desc *by_id = events_find(ev, cursor_u64(&c));

			event = by_id ? by_id : event;
		}
		if (event && name && *name)
			events_set_name(ev, event, name);
	}
	return !c.failed;
}

bool feature_parse_build_id(struct features *f, struct cursor c)
{
	struct perf_event_header header;
	struct build_id_entry entry = { 0 };
	uint8_t id[24];
	const char *path;
	size_t room;

	cursor_copy(&c, &header, sizeof(header));
	cursor_skip(&c, sizeof(int32_t));	/* pid: -1 for user space, nothing we need */
	cursor_copy(&c, id, sizeof(id));
	room = cursor_left(&c);
	path = cursor_take(&c, room);
	if (c.failed)
		return false;
	entry.id.len = header.misc & MISC_BUILD_ID_SIZE ? id[BUILD_ID_MAX] : BUILD_ID_MAX;
	if (entry.id.len > BUILD_ID_MAX)
		return false;
	memcpy(entry.id.bytes, id, entry.id.len);
	entry.path = arena_strndup(&f->arena, path, strnlen(path, room));
	vec_push(&f->build_ids, entry);
	return true;
}

static bool parse_build_ids(struct features *f, struct cursor c)
{
	while (cursor_left(&c)) {
		struct cursor peek = c;
		struct perf_event_header header;
		const void *record;

		cursor_copy(&peek, &header, sizeof(header));
		record = cursor_take(&c, header.size);
		if (peek.failed || !record ||
		    !feature_parse_build_id(f, cursor_of(record, header.size)))
			return false;
	}
	return true;
}

/* u32 version, u32 clock, u64 wall clock, u64 that clock: perf record -k. */
static bool parse_clock_data(struct features *f, struct cursor c)
{
	uint64_t wall_ns, clock_ns;

	cursor_skip(&c, 2 * sizeof(uint32_t));
	wall_ns = cursor_u64(&c);
	clock_ns = cursor_u64(&c);
	if (c.failed)
		return false;
	f->wall_ns = wall_ns;
	f->clock_ns = clock_ns;
	return true;
}

bool feature_parse(struct features *f, struct events *ev, unsigned int feature, struct cursor c)
{
	switch (feature) {
	case FEATURE_HOSTNAME:
		f->hostname = take_string(f, &c);
		return !c.failed;
	case FEATURE_OSRELEASE:
		f->os_release = take_string(f, &c);
		return !c.failed;
	case FEATURE_ARCH:
		f->arch = take_string(f, &c);
		return !c.failed;
	case FEATURE_CMDLINE:
		return parse_cmdline(f, c);
	case FEATURE_EVENT_DESC:
		return parse_event_desc(f, ev, c);
	case FEATURE_CLOCK_DATA:
		return parse_clock_data(f, c);
	case FEATURE_BUILD_ID:
		return parse_build_ids(f, c);
	default:
		return true;
	}
}

void features_release(struct features *f)
{
	vec_release(&f->build_ids);
	arena_release(&f->arena);
}
