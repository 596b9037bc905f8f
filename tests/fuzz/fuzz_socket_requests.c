/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any marks are requests: each that is opened is closed once, nobody works on a closed one, the time on
 * the CPU that requests have is no more than the threads had, and each sample is given out once.
 *
 * A step: kind, thread, connection, flags, length, and that many bytes. A kind beyond a mark's is a loss, an
 * exit, or the bytes as a sample's raw part as they stand. Some take 60 ms.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recording/socket_mark.h"
#include "report/socket_requests.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOSS = SOCKET_RETURNED + 1, END_OF_THREAD, RAW, NR_STEPS, NR_THREADS = 4, MAX_BYTES = 255 };
enum { LONG_NS = 60 * 1000 * 1000 };

struct state {
	struct strings strings;
	struct session session;
	struct open_requests open;
	struct socket_requests requests;
	struct endpoint_options endpoints;
	uint64_t time, nr_ended, cpu_ns;
	uint64_t nr_held, nr_given, nr_in_requests;	/* samples */
};

static void ended(void *self, const struct open_request *r)
{
	struct state *s = self;

	assert(!r->nr_workers);
	assert(r->request.is_unfinished || r->request.end_ns >= r->request.begin_ns);
	s->nr_ended++;
	s->cpu_ns += r->request.cpu_ns;
	s->nr_in_requests += r->request.nr_samples;
}

static void given(void *self, const struct open_request *held, const struct open_request *to)
{
	struct state *s = self;

	assert(held->is_held && (!to || to->is_open || to->is_held));
	/* What a request that is withdrawn had was given to it. */
	if (!held->request.id && (!to || !to->is_held))
		s->nr_given += held->request.nr_samples;
}

static void send_mark(struct state *s, struct record *rec, const uint8_t *step, const uint8_t *bytes)
{
	struct {
		struct socket_mark mark;
		uint8_t bytes[MAX_BYTES];
	} raw = { .mark = { .magic = SOCKET_MARK_MAGIC,
			    .kind = step[0] % NR_STEPS,
			    .flags = step[3] & 15,
			    .conn = step[2],
			    .bytes = step[4] + (step[3] & 16 ? 1000 : 0),
			    .cpu_ns = s->time,
			    .ns = s->time,
			    .more_in_bytes = step[3] & 32 ? 99 : 0,
			    .len = step[4],
			    .room = step[4] } };

	/* Of the same process: who is woken has been on its CPU all the time, too. */
	if (raw.mark.kind >= SOCKET_HANDED) {
		raw.mark.conn = rec->pid == 10 ? 10 + step[2] % 2 : rec->tid;
		raw.mark.bytes = s->time;
	}
	memcpy(raw.bytes, bytes, step[4]);
	rec->sample.raw = (const uint8_t *)&raw;
	rec->sample.raw_len = (uint32_t)(sizeof(raw.mark) + step[4]);
	socket_requests_mark(&s->requests, rec);
}

/* One sample of that thread: whose it turns out to be, or, where nothing is held, of what it works on. */
static void hold_sample(struct state *s, uint32_t thread)
{
	uint32_t slot = socket_requests_hold(&s->requests, thread);
	struct open_request *r;

	if (slot == NO_SLOT)
		return;
	r = &s->open.slots.at[slot];
	assert(r->is_held != r->is_open);
	r->request.nr_samples++;
	s->nr_held++;
	s->nr_given += r->is_open;
}

static void take_step(struct state *s, const uint8_t *step, const uint8_t *bytes)
{
	struct record rec = { .type = PERF_RECORD_SAMPLE };
	uint32_t kind = step[0] % NR_STEPS, slot;

	/* Each thread is on its CPU all the time; two are of one process. */
	s->time += step[3] & 64 ? LONG_NS : 1;
	rec.time = s->time;
	rec.tid = 10 + step[1] % NR_THREADS;
	rec.pid = rec.tid == 11 ? 10 : rec.tid;
	if (kind == LOSS || kind == END_OF_THREAD) {
		rec.type = kind == LOSS ? PERF_RECORD_LOST : PERF_RECORD_EXIT;
		socket_requests_record(&s->requests, &rec);
		session_record(&s->session, &rec);
	} else if (kind == RAW) {
		rec.sample.raw = bytes;
		rec.sample.raw_len = step[4];
		socket_requests_mark(&s->requests, &rec);
	} else {
		send_mark(s, &rec, step, bytes);
	}
	if (step[3] & 128)
		socket_requests_hold_calls(&s->requests, session_thread(&s->session, rec.pid, rec.tid));
	hold_sample(s, session_thread(&s->session, rec.pid, rec.tid));
	slot = socket_requests_of(&s->requests, session_thread(&s->session, rec.pid, rec.tid));
	assert(slot == NO_SLOT || (s->open.slots.at[slot].is_open && s->open.slots.at[slot].nr_workers));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state s = { 0 };
	const struct request_listener listener = { .self = &s, .ended = ended, .given = given };

	strings_id(&s.strings, "");
	session_init(&s.session, NULL, NULL, &s.strings);
	/* So that no reader is asked for the wall clock. */
	s.session.begin_ns = 1;
	wall_clock_set(&s.session.wall_clock, 1, 1);
	open_requests_init(&s.open, &listener, 0);
	socket_requests_init(&s.requests, &s.session, &s.endpoints, &s.open);
	while (size >= 5 && size - 5 >= data[4]) {
		take_step(&s, data, data + 5);
		size -= 5u + data[4];
		data += 5u + data[4];
	}
	socket_requests_finish(&s.requests);
	assert(s.nr_ended + s.open.nr_withdrawn == s.open.nr_requests);
	assert(s.nr_held == s.nr_given && s.nr_in_requests <= s.nr_given);
	assert(s.cpu_ns <= s.time * NR_THREADS);
	socket_requests_release(&s.requests);
	open_requests_release(&s.open);
	session_release(&s.session);
	strings_release(&s.strings);
	return 0;
}
