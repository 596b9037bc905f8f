/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The perf events of a recording, and one ring per CPU that all of them write to.
 *
 * With privileges, one event a CPU, or a few clocks (pace.h), sees every process and a BPF program lets the target's samples
 * through (follow.h): descriptors grow with CPUs only. Without, one event a thread and CPU, inherited
 * by what the thread creates: descriptors grow with threads times CPUs, and only user space is seen.
 */
#ifndef COLLECTOR_SAMPLER_H
#define COLLECTOR_SAMPLER_H

#include "base/vec.h"
#include "collector/follow.h"
#include "collector/ring.h"
#include "collector/stack_walker.h"
#include "collector/target.h"
#include "recording/writer.h"

struct sampler_config {
	struct perf_event_attr event;	/* what event_parse() or event_default() set */
	const char *event_name;
	uint64_t freq_hz;	/* 0: period counts */
	uint64_t period;	/* events a sample */
	bool has_chains;	/* frame pointers, by the kernel */
	struct stack_walker *walker;	/* else, unless NULL: what it takes to unwind */
	uint32_t stack_bytes;	/* of stack that are copied then; a multiple of 8 */
	bool has_marks;		/* also open the event that marks come through; per CPU only */
	size_t mmap_pages;	/* a ring's; 0: the default */
};

struct sampler_cpu {
	int cpu;
	int ring_fd;		/* whose ring it is: to poll */
	int mark_fd;		/* the BPF output event, or -1 */
	struct ring ring;
};

enum { EVENT_SAMPLES, EVENT_MARKS, NR_SAMPLER_EVENTS };

struct sampler {
	VEC(struct sampler_cpu) cpus;
	VEC(int) fds;		/* every descriptor */
	VEC(int) clocks;	/* of them, those that are paced (pace.h); none: the event is no clock, say */
	uint64_t pace_hz, paced_ns;	/* paced_ns: when they were set; 0: not yet */
	struct writer_event events[NR_SAMPLER_EVENTS];	/* for the recording; MARKS only with has_marks */
	bool is_per_cpu;
	bool is_user_only;
	bool is_unwound;	/* samples bring registers and a stack copy */
};

/*
 * Opened disabled; sampler_release() in any case. -EPERM/-EACCES: not permitted, with the remedy;
 * -EMFILE: descriptors; -EINVAL: a frequency that the kernel does not allow.
 */
int sampler_open_cpus(struct sampler *s, const struct sampler_config *c, struct follow *f,
		      struct err *e);
/* The processes and all their threads. */
int sampler_open_threads(struct sampler *s, const struct sampler_config *c,
			 const struct pids *processes, struct err *e);
void sampler_enable(struct sampler *s);
void sampler_disable(struct sampler *s);
/* Now and then, at the latest when half a second is over: sets anew what is due. now_ns: monotonic_ns(). */
void sampler_pace(struct sampler *s, uint64_t now_ns);
/* Do samples say another period than they stand for? */
bool sampler_corrects(const struct sampler *s);
/* Sets that right in one that is ours. Where they do not: nothing. */
void sampler_correct(const struct sampler *s, void *sample);
/* CPUs that are online now and have no event: on them nothing is seen. */
size_t sampler_nr_new_cpus(const struct sampler *s);
void sampler_release(struct sampler *s);
size_t sampler_nr_events(const struct sampler *s);

#endif
