/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in, from window.c. Out: records, decoded by decode.c. The reader keeps for itself what describes
 * the stream: attributes, names, features.
 */
#include "recording/reader.h"

#include <errno.h>
#include <stdlib.h>

#include "recording/decode.h"
#include "recording/feature.h"
#include "recording/window.h"

struct reader {
	struct window w;
	uint64_t next;		/* position of the next record */
	uint64_t end;		/* of the data; UINT64_MAX: not known before the stream ends */
	bool is_truncated;
	bool has_begun;		/* a record was given out: the events are settled */
	uint64_t nr_unknown;
	struct events events;
	struct features features;
};

static struct reader *reader_new(void)
{
	struct reader *r = xcalloc(1, sizeof(*r));

	r->end = UINT64_MAX;
	return r;
}

/* Of the data: what stands behind it is no record. */
static bool reader_has(struct reader *r, uint64_t pos, size_t want)
{
	return (r->end == UINT64_MAX || (pos <= r->end && want <= r->end - pos)) && window_has(&r->w, pos, want);
}

static int bad(struct err *e, const char *what, uint64_t pos)
{
	return err_set(e, -EINVAL, "the recording is corrupt: %s at offset %llu", what,
		       (unsigned long long)pos);
}

static int cannot_read(const struct reader *r, struct err *e)
{
	return err_set(e, r->w.error, "cannot be read from offset %llu on: %m", (unsigned long long)window_end(&r->w));
}

/* ---- the file form ---- */

static struct cursor section_cursor(const struct reader *r, struct file_section s)
{
	return window_section(&r->w, s.off, s.size);
}

static int read_attrs(struct reader *r, const struct file_header *h, struct err *e)
{
	struct cursor c = section_cursor(r, h->attrs);
	size_t attr_len;

	if (c.failed)
		return bad(e, "the table of events lies outside of the file", h->attrs.off);
	if (h->attr_size < PERF_ATTR_SIZE_VER0 + sizeof(struct file_section) ||
	    h->attr_size > cursor_left(&c))
		return bad(e, "no event, or one of impossible size,", h->attrs.off);
	attr_len = (size_t)h->attr_size - sizeof(struct file_section);
	while (cursor_left(&c) >= h->attr_size) {
		const void *attr = cursor_take(&c, attr_len);
		struct event_desc *event = events_add(&r->events, cursor_of(attr, attr_len));
		struct file_section where;
		struct cursor ids;

		cursor_copy(&c, &where, sizeof(where));
		ids = section_cursor(r, where);
		if (ids.failed)
			return bad(e, "event ids lie outside of the file", where.off);
		while (cursor_left(&ids) >= sizeof(uint64_t))
			events_add_id(&r->events, cursor_u64(&ids), event);
	}
	return 0;
}

/* What stands behind the data helps, but nothing depends on it: a part that is cut is left out. */
static void read_features(struct reader *r, const struct file_header *h)
{
	uint64_t at = h->data.off + h->data.size;
	unsigned int feature;

	for (feature = 0; feature < 256; feature++) {
		struct file_section where;
		struct cursor c;

		if (!(h->features[feature / 64] >> (feature % 64) & 1))
			continue;
		c = section_cursor(r, (struct file_section){ at, sizeof(where) });
		cursor_copy(&c, &where, sizeof(where));
		at += sizeof(where);
		c = section_cursor(r, where);
		if (c.failed || !feature_parse(&r->features, &r->events, feature, c))
			r->is_truncated = true;
	}
}

static int open_file_form(struct reader *r, struct err *e)
{
	struct file_header h;
	int err;

	if (r->w.len < sizeof(h))
		return bad(e, "the header is cut short", r->w.len);
	memcpy(&h, r->w.bytes, sizeof(h));
	if (h.size != sizeof(h))
		return err_set(e, -ENOTSUP, "cannot read this perf.data: its header has %llu bytes, not %zu",
			       (unsigned long long)h.size, sizeof(h));
	err = read_attrs(r, &h, e);
	if (err)
		return err;
	if (h.data.off < sizeof(h) || h.data.off > r->w.len)
		return bad(e, "the data begins outside of the file", h.data.off);
	r->next = h.data.off;
	if (!h.data.size || h.data.size > r->w.len - h.data.off) {
		r->is_truncated = true;
		r->end = r->w.len;
	} else {
		r->end = h.data.off + h.data.size;
		read_features(r, &h);
	}
	return 0;
}

/* ---- both forms ---- */

/* The stream's first bytes say which form it is. */
static int read_header(struct reader *r, struct err *e)
{
	uint64_t magic, size;

	if (!reader_has(r, 0, sizeof(struct pipe_header)))
		return r->w.error ? cannot_read(r, e) :
				    err_set(e, -EINVAL, r->w.len ? "not a recording: only %zu bytes" :
								   "the recording is empty (%zu bytes)",
					    r->w.len);
	memcpy(&magic, r->w.bytes, sizeof(magic));
	memcpy(&size, r->w.bytes + sizeof(magic), sizeof(size));
	if (magic == __builtin_bswap64(PERF_MAGIC2))
		return err_set(e, -ENOTSUP, "the recording comes from a machine of the other byte order");
	if (magic != PERF_MAGIC2)
		return err_set(e, -EINVAL, "not a recording: no PERFILE2 at offset 0");
	if (size != sizeof(struct pipe_header) && r->w.origin != FROM_PIPE)
		return open_file_form(r, e);
	if (size != sizeof(struct pipe_header))
		return err_set(e, -ENOTSUP, "a recording of the file form cannot be read from a pipe");
	r->next = size;
	r->end = r->w.origin == FROM_PIPE ? UINT64_MAX : r->w.len;
	return 0;
}

int reader_open(const char *path, struct reader **ret_reader, struct err *e)
{
	struct reader *r = reader_new();
	int err = window_open(&r->w, path, e);

	if (!err && read_header(r, e))
		err = err_of_input(e, path);
	if (err) {
		reader_free(r);
		return err;
	}
	/* The header was read, and what describes the data: from here on it is one record after the other. */
	window_begin_at(&r->w, r->next);
	*ret_reader = r;
	return 0;
}

int reader_open_pipe(int fd, const char *name, struct reader **ret_reader, struct err *e)
{
	struct reader *r = reader_new();
	int err;

	window_open_pipe(&r->w, fd);
	err = read_header(r, e);
	if (err) {
		err_of_input(e, name);
		reader_free(r);
	} else {
		*ret_reader = r;
	}
	return err;
}

int reader_open_bytes(const void *bytes, size_t len, struct reader **ret_reader, struct err *e)
{
	struct reader *r = reader_new();
	int err;

	window_open_bytes(&r->w, bytes, len);
	err = read_header(r, e);
	if (err)
		reader_free(r);
	else
		*ret_reader = r;
	return err;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	window_release(&r->w);
	events_release(&r->events);
	features_release(&r->features);
	free(r);
}

/* ---- records ---- */

static bool is_known_type(uint32_t type)
{
	return (type > 0 && type <= 32) ||
	       (type >= PERF_RECORD_HEADER_ATTR && type <= PERF_RECORD_COMPRESSED2 + 4);
}

/* u32 attr ..., u64 ids: the pipe form's way to introduce an event. */
static bool take_attr(struct reader *r, const struct record *rec)
{
	struct cursor c = cursor_of(rec->body, rec->size - sizeof(struct perf_event_header)), ids;
	struct event_desc *event;
	uint32_t attr_size;

	/* A late event would change how reader_at() decodes what was given out before it. */
	if (r->has_begun || cursor_left(&c) < PERF_ATTR_SIZE_VER0)
		return false;
	memcpy(&attr_size, c.at + offsetof(struct perf_event_attr, size), sizeof(attr_size));
	if (attr_size < PERF_ATTR_SIZE_VER0 || attr_size > cursor_left(&c))
		return false;
	event = events_add(&r->events, cursor_of(c.at, attr_size));
	ids = cursor_of(c.at + attr_size, cursor_left(&c) - attr_size);
	while (cursor_left(&ids) >= sizeof(uint64_t))
		events_add_id(&r->events, cursor_u64(&ids), event);
	return true;
}

static bool take_feature(struct reader *r, const struct record *rec)
{
	struct cursor c = cursor_of(rec->body, rec->size - sizeof(struct perf_event_header));
	uint64_t feature = cursor_u64(&c);

	return !c.failed && feature < 256 &&
	       feature_parse(&r->features, &r->events, (unsigned int)feature, c);
}

/* EVENT_UPDATE: u64 type, u64 id, name. Ours (note.h) goes on to the caller. */
static bool take_name(struct reader *r, const struct record *rec)
{
	struct cursor c = cursor_of(rec->body, rec->size - sizeof(struct perf_event_header));
	uint64_t type = cursor_u64(&c), id = cursor_u64(&c);
	struct event_desc *event = events_find(&r->events, id);
	const char *name;

	if (type != EVENT_UPDATE_NAME || !event)
		return true;
	name = cursor_str(&c);
	if (!c.failed)
		events_set_name(&r->events, event, name);
	return !c.failed;
}

/* Bytes that follow a record without being counted in its size; they are of no use here. */
static bool trailing_bytes(const struct record *rec, uint64_t *ret_len)
{
	struct cursor c = cursor_of(rec->body, rec->size - sizeof(struct perf_event_header));

	*ret_len = 0;
	if (rec->type == PERF_RECORD_AUXTRACE)
		*ret_len = cursor_u64(&c);
	else if (rec->type == PERF_RECORD_HEADER_TRACING_DATA)
		*ret_len = (cursor_u32(&c) + 7ULL) & ~7ULL;
	return !c.failed;
}

/* True: the record was for the reader. */
static bool take_inside(struct reader *r, const struct record *rec, bool *ret_bad)
{
	switch (rec->type) {
	case PERF_RECORD_HEADER_ATTR:
		*ret_bad = !take_attr(r, rec);
		return true;
	case PERF_RECORD_HEADER_FEATURE:
		*ret_bad = !take_feature(r, rec);
		return true;
	case PERF_RECORD_HEADER_BUILD_ID:
		*ret_bad = !feature_parse_build_id(&r->features, cursor_of(rec->body - 8, rec->size));
		return true;
	case PERF_RECORD_EVENT_UPDATE:
		*ret_bad = !take_name(r, rec);
		return *ret_bad || !rec->note.kind;
	default:
		r->nr_unknown += !is_known_type(rec->type);
		return !is_known_type(rec->type);
	}
}

/* What was asked for is not there: the end, or a read that failed. */
static int end_stream(struct reader *r, bool is_cut, struct err *e)
{
	if (r->w.error)
		return cannot_read(r, e);
	r->is_truncated |= is_cut;
	return 0;
}

/* 1: a whole record stands at r->next. 0: the stream ends. */
static int find_record(struct reader *r, struct perf_event_header *ret_header, struct err *e)
{
	if (!reader_has(r, r->next, sizeof(*ret_header))) {
		uint64_t end = r->end == UINT64_MAX ? window_end(&r->w) : r->end;

		return end_stream(r, r->next < end, e);
	}
	memcpy(ret_header, window_at(&r->w, r->next), sizeof(*ret_header));
	/* A file that was not finished may end in a hole, as full disks and crashes leave it. */
	if (r->is_truncated && !ret_header->type && !ret_header->size)
		return 0;
	if (ret_header->size < sizeof(*ret_header))
		return bad(e, "a record of impossible size", r->next);
	if (!reader_has(r, r->next, ret_header->size)) {
		/* A cut leaves the beginning of a record; this is something else. */
		if (!r->w.error && !is_known_type(ret_header->type))
			return bad(e, "no record", r->next);
		return end_stream(r, true, e);
	}
	return 1;
}

int reader_next(struct reader *r, struct record *rec, struct err *e)
{
	for (;;) {
		struct perf_event_header header;
		bool is_bad = false, is_mine;
		uint64_t behind;
		int more = find_record(r, &header, e);

		if (more <= 0)
			return more;
		rec->pos = r->next;
		if (!decode_record(&r->events, window_at(&r->w, r->next), rec) ||
		    !trailing_bytes(rec, &behind))
			return bad(e, "a record that is shorter than its contents", r->next);
		if (header.type == PERF_RECORD_COMPRESSED || header.type == PERF_RECORD_COMPRESSED2) {
			err_set(e, -ENOTSUP, "the recording is compressed");
			return err_remedy(e, "perf record makes one that is not, without -z.");
		}
		is_mine = take_inside(r, rec, &is_bad);
		if (is_bad)
			return bad(e, "a record that describes the recording makes no sense", r->next);
		r->next += header.size;
		if (behind && !reader_has(r, r->next, (size_t)behind))
			return end_stream(r, true, e);
		r->next += behind;
		if (!is_mine) {
			r->has_begun = true;
			return 1;
		}
	}
}

void reader_at(struct reader *r, uint64_t pos, struct record *rec)
{
	rec->pos = pos;
	if (decode_record(&r->events, window_at(&r->w, pos), rec))
		return;
	/* Somebody changed the file under us: a record of no type is of no interest. */
	rec->type = 0;
	rec->event = NULL;
}

void reader_discard(struct reader *r, uint64_t pos)
{
	window_discard(&r->w, pos);
}

bool reader_is_truncated(const struct reader *r)
{
	return r->is_truncated;
}

int reader_error(const struct reader *r)
{
	return r->w.error;
}

uint64_t reader_nr_unknown(const struct reader *r)
{
	return r->nr_unknown;
}

size_t reader_nr_events(const struct reader *r)
{
	return r->events.list.nr;
}

const struct event_desc *reader_event(const struct reader *r, size_t index)
{
	return r->events.list.at[index];
}

const char *reader_hostname(const struct reader *r)
{
	return r->features.hostname;
}

const char *reader_os_release(const struct reader *r)
{
	return r->features.os_release;
}

const char *reader_arch(const struct reader *r)
{
	return r->features.arch;
}

const char *reader_cmdline(const struct reader *r)
{
	return r->features.cmdline;
}

bool reader_wall_clock(const struct reader *r, uint64_t *ret_wall_ns, uint64_t *ret_clock_ns)
{
	if (!r->features.wall_ns)
		return false;
	*ret_wall_ns = r->features.wall_ns;
	*ret_clock_ns = r->features.clock_ns;
	return true;
}

bool reader_find_build_id(const struct reader *r, const char *path, struct build_id *ret_id)
{
	vec_each(&r->features.build_ids, entry)
		if (!strcmp(entry->path, path)) {
			*ret_id = entry->id;
			return true;
		}
	return false;
}
