/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first stages in their order: reader, order, session, attribute. What comes out is one call a
 * sample and one a request; several recordings are fed one after the other.
 *
 *	feed_init(&f, strings, symbolizer, &endpoint_options, &listener);
 *	feed_input(&f, "wperf.data", &e);
 *	...
 *	feed_describe(&f, &profile);
 *	feed_release(&f);
 *
 * Time is taken from one event of a recording: its clock, or else the first that has a sample. What
 * the others counted cannot be added to it; they are left out with a warning that names them.
 */
#ifndef REPORT_FEED_H
#define REPORT_FEED_H

#include "report/attribute.h"
#include "report/depth.h"
#include "report/dying.h"
#include "report/feed_calls.h"
#include "report/profile.h"

struct feed_sample {
	struct session *session;
	uint32_t thread;			/* index in the session */
	const struct open_request *request;	/* NULL: outside; or is_held, see held_given */
	const struct record *record;
	uint64_t weight;			/* see feed_seconds_per_weight() */
};

/* Any of them may be NULL. What they are given is lent for the call. */
struct feed_listener {
	void *self;
	void (*input_begins)(void *self, const struct session *session);
	void (*sample)(void *self, const struct feed_sample *s);
	/* Samples and calls that came with this one as their request are this request's; NULL: they are outside. */
	void (*held_given)(void *self, const struct session *session, const struct open_request *held,
			   const struct open_request *to);
	/* False: the recording does not say whose calls these are. */
	bool (*calls)(void *self, const struct feed_calls *c);
	void (*request_ended)(void *self, const struct session *session,
			      const struct open_request *r);
	void (*input_ended)(void *self, struct session *session, struct call_tree *calls);
};

struct feed {
	struct strings *strings;		/* lent */
	struct symbolizer *symbolizer;		/* lent; NULL: nothing is to be located */
	const struct endpoint_options *endpoints;	/* lent */
	struct feed_listener listener;
	bool forgets_ended;			/* see session.h; to be set before the first input */
	struct arena arena;
	/* of the input at hand */
	struct session session;
	struct attribute attribute;
	struct call_tree calls;
	struct dying dying;
	const struct event_desc *event;		/* that time is taken from */
	VEC(uint64_t) ignored;			/* samples by index of the event */
	VEC(uint64_t) worked_on;		/* by thread: its request after its last mark; 0: none */
	uint64_t nr_read;			/* samples and marks */
	bool is_cut;				/* counted calls of what ends from now on may be missing: see feed_calls_are_cut() */
	uint64_t input_weight;
	uint64_t input_begin_ns, input_end_ns;
	struct depth depth;
	/* of all */
	uint32_t nr_inputs;
	struct tallies tallies;
	uint64_t weight;
	double seconds;				/* what the weight stands for, as far as known */
	bool is_no_time;			/* not known of all of it */
	uint64_t begin_ns;			/* the earliest */
	uint64_t duration_ns;			/* the sum */
	uint64_t nr_requests;
	uint64_t last_id;	/* of a request */
	uint64_t nr_served;	/* connections that were served */
	bool has_sockets;	/* they were looked at; */
	bool is_restricted;	/* not all of them: a port's alone, or HTTP */
	bool has_markers, is_truncated, has_event, is_clock;
	bool has_call_times;
	struct err unread;	/* of the first input that could not be read to its end */
	double freq_hz;
	const char *input, *event_name, *unit, *hostname, *os_release, *arch, *cmdline, *marker;
};

void feed_init(struct feed *f, struct strings *strings, struct symbolizer *symbolizer,
	       const struct endpoint_options *endpoints, const struct feed_listener *listener);
void feed_release(struct feed *f);
/*
 * What can be read of a recording that is cut or corrupt is fed, with a warning; of one whose end cannot
 * be read, with an error that feed_unread() keeps. Errors:
 * reader_open()'s, those of a recording of which nothing could be read, and -EINVAL for an event
 * that is not the one of the inputs before.
 */
int feed_input(struct feed *f, const char *path, struct err *e);
/* The same for a reader that is open; name is what messages call it. */
int feed_reader(struct feed *f, struct reader *reader, const char *name, struct err *e);
/* 0, or the negative errno of a read that failed while inputs were fed: what they say is not all. */
int feed_unread(const struct feed *f, struct err *e);
/* The earliest so far; 0: nothing was fed. */
uint64_t feed_begin_ns(const struct feed *f);
/*
 * Clocks weigh in nanoseconds, all other events in counts of their own: then 1, and the unit is the
 * event's name. Only of cycles a recording may say how many a CPU that works has in a second (an
 * INFO note's cycles_per_second), which makes them seconds; over several recordings it is the mean.
 * A frequency makes no time of anything: the kernel adjusts the period by the wall clock, so that a
 * CPU that is busy for a third of the time gets as many samples as one that always is.
 */
double feed_seconds_per_weight(const struct feed *f, const char **ret_unit);
/*
 * Fills what the profile says of the recording. While an input is fed, the tallies are those of the
 * inputs before it; begin and weights are those of all that came so far.
 */
void feed_describe(const struct feed *f, struct profile *p);

#endif
