/* SPDX-License-Identifier: Apache-2.0 */
#include "report/feed.h"

#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "base/units.h"
#include "report/event_weight.h"
#include "report/feed_calls.h"
#include "report/interrupt.h"
#include "report/order.h"

void feed_init(struct feed *f, struct strings *strings, struct symbolizer *symbolizer,
	       const struct endpoint_options *endpoints, const struct feed_listener *listener)
{
	*f = (struct feed){ .strings = strings,
			    .symbolizer = symbolizer,
			    .endpoints = endpoints,
			    .listener = *listener };
}

void feed_release(struct feed *f)
{
	arena_release(&f->arena);
	vec_release(&f->ignored);
	vec_release(&f->worked_on);
}

/* ---- weights ---- */

/* The seconds of the input's samples; 0 where nothing says them. */
static double seconds_of_input(const struct feed *f)
{
	double rate = f->session.cycles_per_second;

	if (f->is_clock)
		return (double)f->input_weight / (double)NS_PER_SEC;
	return rate > 0 && event_is_cycles(f->event) && event_has_period(f->event) ?
		       (double)f->input_weight / rate : 0;
}

static void end_weights(struct feed *f)
{
	double seconds;

	if (!f->input_weight)
		return;
	seconds = seconds_of_input(f);
	f->is_no_time |= !seconds;
	f->seconds += seconds;
	f->weight += f->input_weight;
	f->input_weight = 0;
}

double feed_seconds_per_weight(const struct feed *f, const char **ret_unit)
{
	uint64_t weight = f->weight + f->input_weight;
	double seconds = f->input_weight ? seconds_of_input(f) : 0;
	bool is_no_time = f->is_no_time || (f->input_weight && !seconds);

	*ret_unit = "seconds";
	if (f->is_clock || !weight)
		return 1.0 / (double)NS_PER_SEC;
	if (!is_no_time)
		return (f->seconds + seconds) / (double)weight;
	*ret_unit = f->unit;
	return 1;
}

/* ---- depth ---- */

static void end_depth(struct feed *f)
{
	uint64_t nr_cut = depth_nr_cut(&f->depth, &f->session.stacks);

	f->tallies.nr_cut_stacks += nr_cut;
	if (nr_cut)
		f->tallies.cut_at_frames = depth_limit(f->event);
	f->depth = (struct depth){ 0 };
}

/* ---- samples ---- */

static void note_time(struct feed *f, uint64_t time)
{
	if (!time)
		return;
	if (!f->input_begin_ns || time < f->input_begin_ns)
		f->input_begin_ns = time;
	if (time > f->input_end_ns)
		f->input_end_ns = time;
}

/* From the recorder's own begin to its end; where it says neither, as long as there are records. */
static void end_times(struct feed *f)
{
	note_time(f, f->session.begin_ns);
	note_time(f, f->session.end_ns);
	if (!f->input_begin_ns)
		return;
	if (!f->begin_ns || f->input_begin_ns < f->begin_ns)
		f->begin_ns = f->input_begin_ns;
	f->duration_ns += f->input_end_ns - f->input_begin_ns;
	f->input_begin_ns = f->input_end_ns = 0;
}

uint64_t feed_begin_ns(const struct feed *f)
{
	uint64_t now = f->input_begin_ns, said = f->session.begin_ns;

	if (!f->input_begin_ns)
		return f->begin_ns;
	if (said && said < now)
		now = said;
	return f->begin_ns && f->begin_ns < now ? f->begin_ns : now;
}

static const char *keep(struct feed *f, const char *text)
{
	return text && *text ? arena_strndup(&f->arena, text, strlen(text)) : NULL;
}

/* A clock's periods are time; without one, what the first sample counted has to do. */
static const struct event_desc *clock_or(const struct reader *r, const struct event_desc *of_sample)
{
	size_t i;

	for (i = 0; i < reader_nr_events(r); i++)
		if (reader_event(r, i)->is_clock)
			return reader_event(r, i);
	return of_sample;
}

static void name_event(struct feed *f, const struct event_desc *event)
{
	f->event_name = keep(f, event->name);
	f->freq_hz = event_hz(event);
}

/* Weights of two events cannot be added, but those of two clocks can. */
static int choose_event(struct feed *f, const struct event_desc *of_sample, const char *path,
			struct err *e)
{
	const struct event_desc *event = clock_or(f->session.reader, of_sample);

	if (f->has_event && (f->is_clock != event->is_clock ||
			     (!event->is_clock && strcmp(f->event_name, event->name)))) {
		err_set(e, -EINVAL, "%s: its event is %s, the one of the input before is %s", path,
			event->name, f->event_name);
		return err_remedy(e, "Report on recordings of different events one by one.");
	}
	if (!f->has_event) {
		name_event(f, event);
		f->unit = event_has_period(event) ? f->event_name : "samples";
	}
	f->event = event;
	f->has_event = true;
	f->is_clock = event->is_clock;
	return 0;
}

static void ignore_sample(struct feed *f, const struct event_desc *event)
{
	while (f->ignored.nr <= event->index)
		vec_push(&f->ignored, 0);
	f->ignored.at[event->index]++;
}

static void count_samples(struct feed *f, uint64_t nr, const struct open_request *request)
{
	f->tallies.nr_samples += nr;
	*(request ? &f->tallies.nr_in_requests : &f->tallies.nr_outside) += nr;
}

static uint32_t thread_of_dying(struct feed *f, const struct record *r)
{
	uint32_t pid, tid, thread = UINT32_MAX;

	if (dying_find(&f->dying, r, &pid, &tid))
		thread = session_find_thread(&f->session, pid, tid);
	return thread != UINT32_MAX ? thread : session_unknown_thread(&f->session, r->pid);
}

/* A thread's requests, and what it may have worked on, are behind it when it ends. */
static void find_owner(struct feed *f, struct feed_sample *s)
{
	const struct record *r = s->record;

	if (r->tid == UINT32_MAX) {
		s->thread = thread_of_dying(f, r);
		return;
	}
	s->thread = session_thread(&f->session, r->pid, r->tid);
	s->request = attribute_sample(&f->attribute, s->thread, s->weight);
}

static void feed_sample(struct feed *f, const struct record *r)
{
	struct feed_sample s = { .session = &f->session, .record = r };

	s.weight = event_weight(f->event, r);
	find_owner(f, &s);
	if (!s.request || !s.request->is_held)
		count_samples(f, 1, s.request);
	f->input_weight += s.weight;
	depth_note(&f->depth, f->event, &r->sample.chain);
	if (f->listener.sample)
		f->listener.sample(f->listener.self, &s);
	feed_calls_tell_uncounted(f, s.thread, s.request);
}

/* ---- records ---- */

static void note_thread(struct feed *f, const struct record *r)
{
	uint32_t parent = UINT32_MAX, thread = session_thread(&f->session, r->pid, r->tid);

	if (r->task.ppid == r->pid)
		parent = session_find_thread(&f->session, r->task.ppid, r->task.ptid);
	attribute_thread_began(&f->attribute, thread, parent, r->time);
	feed_calls_thread_began(f, thread);
}

static int feed_record(struct feed *f, const struct record *r, const char *path, struct err *e)
{
	int err = 0;

	dying_record(&f->dying, r);
	if (feed_calls_recognize(r)) {
		f->attribute.nr_unreadable_marks += !feed_calls_take(f, r);
		f->nr_read++;
		note_time(f, r->time);
		return 0;
	}
	if (r->type == PERF_RECORD_SAMPLE && r->event && r->event->is_bpf_output)
		feed_calls_before_mark(f, r);
	attribute_record(&f->attribute, r);
	session_record(&f->session, r);
	if (r->type == PERF_RECORD_FORK)
		note_thread(f, r);
	if (r->type == PERF_RECORD_EVENT_UPDATE)
		call_tree_note(&f->calls, &f->session, r);
	if (r->type != PERF_RECORD_SAMPLE || !r->event)
		return 0;
	f->nr_read++;
	note_time(f, r->time);
	if (r->event->is_bpf_output) {
		feed_calls_note_mark(f, r);
		return 0;
	}
	if (!f->event)
		err = choose_event(f, r->event, path, e);
	if (err)
		return err;
	if (f->event == r->event)
		feed_sample(f, r);
	else
		ignore_sample(f, r->event);
	return 0;
}

/* ---- one input ---- */

static void request_ended(void *self, const struct open_request *r)
{
	struct feed *f = self;

	feed_calls_request_ended(f, r);
	if (f->listener.request_ended)
		f->listener.request_ended(f->listener.self, &f->session, r);
}

static void held_given(void *self, const struct open_request *held, const struct open_request *to)
{
	struct feed *f = self;

	/* Withdrawn: they were counted as its own. */
	if (held->request.id) {
		f->tallies.nr_samples -= held->request.nr_samples;
		f->tallies.nr_in_requests -= held->request.nr_samples;
	}
	if (!to || !to->is_held)
		count_samples(f, held->request.nr_samples, to);
	if (f->listener.held_given)
		f->listener.held_given(f->listener.self, &f->session, held, to);
}

static void begin_input(struct feed *f, struct reader *reader)
{
	struct request_listener listener = { .self = f, .ended = request_ended, .given = held_given };

	session_init(&f->session, reader, f->symbolizer, f->strings);
	f->session.input = f->nr_inputs++;
	f->session.forgets_ended = f->forgets_ended;
	attribute_init(&f->attribute, &f->session, f->endpoints, &listener, f->last_id);
	call_tree_init(&f->calls);
	f->dying = (struct dying){ 0 };
	f->event = NULL;
	f->ignored.nr = 0;
	f->worked_on.nr = 0;
	f->nr_read = 0;
	f->is_cut = false;
	if (f->listener.input_begins)
		f->listener.input_begins(f->listener.self, &f->session);
}

/* "a.data, b.data" */
static const char *input_with(struct feed *f, const char *path)
{
	char *both = f->input ? xasprintf("%s, %s", f->input, path) : NULL;
	const char *kept = keep(f, both ? both : path);

	free(both);
	return kept;
}

static bool is_sampled(const struct event_desc *event)
{
	bool is_dummy = event->attr.type == PERF_TYPE_SOFTWARE && event->attr.config == PERF_COUNT_SW_DUMMY;

	return !event->is_bpf_output && !is_dummy;
}

/* Of an input without a sample. */
static void name_unsampled(struct feed *f, const struct reader *r)
{
	size_t i;

	for (i = 0; i < reader_nr_events(r) && !f->event_name; i++)
		if (is_sampled(reader_event(r, i)))
			name_event(f, reader_event(r, i));
}

/* What the first input that says it says, stands for all of them; but for their names. */
static void describe_input(struct feed *f, const char *path, const struct reader *r)
{
	const char *marker = strings_text(f->strings, f->session.marker_info);

	if (!*marker && f->session.markers.nr)
		marker = strings_text(f->strings, f->session.markers.at[0].spec);
	f->input = input_with(f, path);
	f->hostname = f->hostname ? f->hostname : keep(f, reader_hostname(r));
	f->os_release = f->os_release ? f->os_release : keep(f, reader_os_release(r));
	f->arch = f->arch ? f->arch : keep(f, reader_arch(r));
	f->cmdline = f->cmdline ? f->cmdline : keep(f, reader_cmdline(r));
	f->marker = f->marker ? f->marker : keep(f, marker);
	name_unsampled(f, r);
}

static void warn_of_input(const struct feed *f, const char *path, const struct reader *r,
			  const struct order *o)
{
	size_t i;

	for (i = 0; i < f->ignored.nr; i++)
		if (f->ignored.at[i])
			log_warn("%s: %" PRIu64 " samples of %s are left out: time is %s's", path,
				 f->ignored.at[i], reader_event(r, i)->name, f->event->name);
	if (f->attribute.nr_unreadable_marks)
		log_warn("%s: %" PRIu64 " marks that cannot be read are left out", path,
			 f->attribute.nr_unreadable_marks);
	if (f->session.nr_cut_files)
		log_warn("%s: %" PRIu64 " of the files in it are incomplete", path,
			 f->session.nr_cut_files);
	if (o->nr_late)
		log_verbose("%s: %" PRIu64 " records came later than their round", path,
			    o->nr_late);
	if (reader_nr_unknown(r))
		log_verbose("%s: %" PRIu64 " records of unknown type", path, reader_nr_unknown(r));
}

static void end_input(struct feed *f)
{
	const struct attribute *a = &f->attribute;
	struct session *s = &f->session;

	session_finish(&f->session);
	f->is_cut = feed_calls_are_cut(f);
	attribute_finish(&f->attribute);
	if (f->is_cut)
		feed_calls_tell_cut(f);
	f->has_call_times |= f->calls.is_timed;
	if (f->listener.input_ended)
		f->listener.input_ended(f->listener.self, s, &f->calls);
	end_times(f);
	end_weights(f);
	end_depth(f);
	f->nr_requests += a->open.nr_requests - f->last_id - a->open.nr_withdrawn;
	f->last_id = a->open.nr_requests;
	f->nr_served += a->by_bytes.nr_served;
	vec_each(&s->markers, m)
		if (m->flags & MARKER_IS_SOCKETS) {
			const char *spec = strings_text(f->strings, m->spec);

			f->has_sockets = true;
			f->is_restricted |= strcmp(spec, "auto") && strcmp(spec, "socket");
		}
	f->has_markers |= s->markers.nr || a->nr_marks;
	f->tallies.nr_lost += s->nr_lost;
	f->tallies.nr_throttled += s->nr_throttled;
	f->tallies.nr_marks_unsent += s->nr_marks_unsent;
	f->tallies.nr_calls_lost += s->nr_calls_lost;
	f->tallies.nr_calls_callerless += s->nr_calls_callerless;
	f->tallies.nr_calls_inexact += f->calls.nr_inexact;
	f->tallies.nr_processes_not_followed += s->nr_processes_not_followed;
	f->tallies.nr_files_unreachable += s->nr_files_unreachable;
	f->tallies.nr_calls_unseen += s->nr_calls_unseen;
	f->tallies.nr_threads_32_bit += s->nr_threads_32_bit;
	f->tallies.nr_datagram_sockets += s->nr_datagram_sockets;
	f->tallies.nr_bytes_missing += a->by_bytes.nr_data_lost;
	f->tallies.nr_bytes_skipped += a->by_bytes.nr_skipped_bytes;
	f->tallies.nr_status_unseen += a->by_bytes.nr_status_unseen;
	f->tallies.nr_tls += a->by_bytes.nr_tls;
	f->tallies.nr_http2 += a->by_bytes.nr_http2;
	f->tallies.nr_switched += a->by_bytes.nr_switched;
	unwind_tally_add(&f->tallies.stacks, &s->stacks);
	f->tallies.nr_marks += a->nr_marks;
	f->tallies.nr_unmatched_ends += a->by_marks.nr_unmatched_ends;
	f->tallies.nr_unfinished += a->open.nr_unfinished;
	f->tallies.nr_returns_unseen += a->by_marks.nr_returns_unseen;
	f->tallies.nr_label_faults += a->by_marks.nr_label_faults;
	f->tallies.nr_labels_cut += a->by_marks.nr_labels_cut;
}

static void keep_unread(struct feed *f, const struct err *e)
{
	if (!f->unread.code)
		err_set(&f->unread, e->code, "%s; this is about what stands before", e->what);
}

static int feed_records(struct feed *f, struct order *o, const char *path, struct err *e)
{
	struct record r;
	int more = 0, err = 0;

	while (!err && (more = order_next(o, &r, e)) > 0) {
		/* Behind the last round older records may be missing, too. */
		f->is_cut = o->is_at_end && feed_calls_are_cut(f);
		err = feed_record(f, &r, path, e);
	}
	if (err || more >= 0)
		return err;
	err_of_input(e, path);
	/* Names and mappings alone say nothing: that would be an empty report of a wreck. */
	if (!f->nr_read)
		return e->code;
	if (reader_error(o->reader)) {
		keep_unread(f, e);
		return 0;
	}
	log_warn("%s; this is about what stands before", e->what);
	f->is_truncated = true;
	return 0;
}

/* Its recorder was killed, or found no room: what it says as its last word is missing. */
static bool lacks_end(const struct feed *f)
{
	return f->session.begin_ns && !f->session.end_ns && !f->unread.code;
}

int feed_reader(struct feed *f, struct reader *reader, const char *name, struct err *e)
{
	struct order order;
	int err;

	order_init(&order, reader);
	begin_input(f, reader);
	err = feed_records(f, &order, name, e);
	end_input(f);
	f->is_truncated |= reader_is_truncated(reader) || (!err && lacks_end(f));
	if (!err)
		warn_of_input(f, name, reader, &order);
	describe_input(f, name, reader);
	dying_release(&f->dying);
	call_tree_release(&f->calls);
	attribute_release(&f->attribute);
	session_release(&f->session);
	order_release(&order);
	return err;
}

int feed_input(struct feed *f, const char *path, struct err *e)
{
	struct interrupt saved;
	struct reader *reader;
	int err;

	interrupt_outlast(path, &saved);
	err = reader_open(path, &reader, e);
	if (!err) {
		err = feed_reader(f, reader, path, e);
		reader_free(reader);
	}
	interrupt_restore(&saved);
	return err;
}

int feed_unread(const struct feed *f, struct err *e)
{
	if (f->unread.code)
		*e = f->unread;
	return f->unread.code;
}

void feed_describe(const struct feed *f, struct profile *p)
{
	p->tallies = f->tallies;
	p->begin_ns = feed_begin_ns(f);
	p->duration_ns = f->duration_ns;
	p->has_markers = f->has_markers;
	p->is_truncated = f->is_truncated;
	p->is_unread = f->unread.code;
	p->freq_hz = f->freq_hz;
	p->seconds_per_weight = feed_seconds_per_weight(f, &p->unit);
	p->has_call_times = f->has_call_times || f->calls.is_timed;
	p->seconds_per_sample_weight = strcmp(p->unit, "seconds") ? 0 : p->seconds_per_weight;
	if (p->has_call_times) {
		p->unit = "seconds";
		p->seconds_per_weight = 1.0 / (double)NS_PER_SEC;
	}
	p->input = f->input;
	p->event = f->event_name;
	p->hostname = f->hostname;
	p->os_release = f->os_release;
	p->arch = f->arch;
	p->cmdline = f->cmdline;
	p->marker = f->marker;
}
