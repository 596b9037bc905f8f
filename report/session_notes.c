/* SPDX-License-Identifier: Apache-2.0 */
#include "report/session_notes.h"

#include <elf.h>

#include "base/units.h"

/* ---- markers ---- */

static void take_marker(struct session *s, struct cursor payload)
{
	struct note_marker note;
	struct marker m;
	const uint32_t *known;

	if (!note_parse_marker(payload, &note))
		return;
	m = (struct marker){ .id = note.id,
			     .flags = note.flags,
			     .name = strings_id(s->strings, note.name),
			     .spec = strings_id(s->strings, note.spec) };
	known = u64map_get(&s->marker_of_id, note.id);
	if (known) {
		s->markers.at[*known] = m;
	} else {
		vec_push(&s->markers, m);
		u64map_set(&s->marker_of_id, m.id, (uint32_t)s->markers.nr - 1);
	}
}

/* ---- files ---- */

static void give_file(struct session *s, struct file_copy *f)
{
	if (!s->symbolizer)
		f->is_given = true;
	if (f->is_given)
		return;
	f->is_given = true;
	if (f->head.kind == FILE_PERF_MAP)
		symbolizer_add_perf_map(s->symbolizer, f->head.pid, str_cstr(&f->bytes),
					f->bytes.len);
	else if (f->head.kind == FILE_KALLSYMS)
		symbolizer_add_kallsyms(s->symbolizer, f->head.build_id.bytes,
					f->head.build_id.len, str_cstr(&f->bytes), f->bytes.len);
	else
		symbolizer_add_elf(s->symbolizer, f->head.path,
				   f->head.build_id.len ? f->head.build_id.bytes : NULL,
				   f->head.build_id.len, str_cstr(&f->bytes), f->bytes.len);
	str_release(&f->bytes);
}

static struct file_copy *file_of(struct session *s, const struct note_file *note)
{
	const uint32_t *known = u64map_get(&s->file_of_id, note->id);

	if (known)
		return &s->files.at[*known];
	u64map_set(&s->file_of_id, note->id, (uint32_t)s->files.nr);
	vec_push(&s->files, (struct file_copy){ .head = *note });
	vec_last(&s->files)->head.path = xstrdup(note->path);
	vec_last(&s->files)->head.chunk = NULL;
	return vec_last(&s->files);
}

/* Memory grows with the chunks that are there, never with the size that the first one promises. */
static void take_file(struct session *s, struct cursor payload)
{
	struct note_file note;
	struct file_copy *f;

	if (!note_parse_file(payload, &note) || note.kind < FILE_ELF || note.kind > FILE_KALLSYMS)
		return;
	f = file_of(s, &note);
	if (f->is_given || note.off != f->bytes.len || note.size != f->head.size)
		return;
	str_add_bytes(&f->bytes, note.chunk, note.chunk_len);
	f->is_elf = f->bytes.len >= SELFMAG && !memcmp(f->bytes.s, ELFMAG, SELFMAG);
	if (f->bytes.len == f->head.size)
		give_file(s, f);
}

/* A perf map is lines of text: what is there of it serves. Half an ELF image does not. */
void session_give_cut_files(struct session *s)
{
	vec_each(&s->files, f) {
		if (f->is_given)
			continue;
		s->nr_cut_files++;
		if (f->head.kind == FILE_PERF_MAP)
			give_file(s, f);
	}
}

/* ---- times and counts ---- */

/* What a CPU may do in a second. Beyond that, times could be no numbers any more. */
#define RATE_MIN 1e6
#define RATE_MAX 1e12

/* A decimal number, or 0. */
static double parse_rate(const char *text)
{
	char *end;
	double rate = strtod(text, &end);

	return end != text && !*end && rate >= RATE_MIN && rate <= RATE_MAX ? rate : 0;
}

/* 0: no time. */
static uint64_t parse_time(const char *text)
{
	uint64_t ns;

	return parse_u64(text, 1, INT64_MAX, &ns) ? ns : 0;
}

static void take_info(struct session *s, struct cursor payload)
{
	uint64_t begin_epoch_ns = 0, set_ns = 0, set_epoch_ns = 0;
	const char *key, *value;

	/* Only wperf writes notes, and it brought the maps of its processes along. */
	if (s->symbolizer)
		symbolizer_set_self_contained(s->symbolizer);
	while (note_next_info(&payload, &key, &value))
		if (!strcmp(key, "marker"))
			s->marker_info = strings_id(s->strings, value);
		else if (!strcmp(key, "cycles_per_second"))
			s->cycles_per_second = parse_rate(value);
		else if (!strcmp(key, "begin_ns"))
			s->begin_ns = parse_time(value);
		else if (!strcmp(key, "begin_epoch_ns"))
			begin_epoch_ns = parse_time(value);
		else if (!strcmp(key, "set_ns"))
			set_ns = parse_time(value);
		else if (!strcmp(key, "set_epoch_ns"))
			set_epoch_ns = parse_time(value);
		else if (!strcmp(key, "end_ns"))
			s->end_ns = parse_time(value);
	if (s->symbolizer && begin_epoch_ns)
		symbolizer_set_begin(s->symbolizer, begin_epoch_ns);
	wall_clock_set(&s->wall_clock, s->begin_ns, begin_epoch_ns);
	wall_clock_set(&s->wall_clock, set_ns, set_epoch_ns);
}

/* The last note wins: it is counted on from the one before. */
static void take_tally(struct session *s, struct cursor payload)
{
	const struct {
		const char *key;
		uint64_t *count;
	} ours[] = {
		{ "lost", &s->nr_lost_told },
		{ "marks_unsent", &s->nr_marks_unsent },
		{ "calls_lost", &s->nr_calls_lost },
		{ "calls_callerless", &s->nr_calls_callerless },
		{ "calls_unseen", &s->nr_calls_unseen },
		{ "threads_32_bit", &s->nr_threads_32_bit },
		{ "datagram_sockets", &s->nr_datagram_sockets },
		{ "io_uring", &s->nr_calls_unseen },	/* its name before there were others */
		{ "processes_not_followed", &s->nr_processes_not_followed },
		{ "files_unreachable", &s->nr_files_unreachable },
	};
	const char *key;
	uint64_t count;
	size_t i;

	while (note_next_tally(&payload, &key, &count)) {
		unwind_tally_set(&s->stacks, key, count);
		for (i = 0; i < ARRAY_LEN(ours); i++)
			if (!strcmp(key, ours[i].key))
				*ours[i].count = count;
	}
}

void session_take_note(struct session *s, const struct record *r)
{
	switch (r->note.kind) {
	case NOTE_INFO:
		take_info(s, r->note.payload);
		break;
	case NOTE_MARKER:
		take_marker(s, r->note.payload);
		break;
	case NOTE_FILE:
		take_file(s, r->note.payload);
		break;
	case NOTE_TALLY:
		take_tally(s, r->note.payload);
		break;
	}
}
