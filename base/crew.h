/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that do jobs before anybody waits for them, in the order in which they were given:
 *
 *	struct job j = { .run = inflate, .arg = file };
 *
 *	crew_give(&crew, &j);
 *	...
 *	crew_wait(&crew, &j);
 *	use(file);
 *
 * One job after the other, not all at once: what is needed first is given first, and is not to share the
 * processor with what comes later. There is a thread for each processor but the caller's own; where that is the
 * only one, jobs are done when they are waited for. Only one thread gives and waits.
 */
#ifndef BASE_CREW_H
#define BASE_CREW_H

#include <pthread.h>
#include <stdbool.h>

enum { CREW_MAX_THREADS = 4 };

/* Owned by who gives it, who sets run and arg; to stay put until it was waited for or dropped. */
struct job {
	void (*run)(void *arg);
	void *arg;
	enum { JOB_NEW, JOB_WAITS, JOB_RUNS, JOB_DONE } state;
	struct job *next;
};

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* a job came, was done, or the end */
	struct job *first, *last;	/* that wait */
	unsigned int nr_threads, nr_idle, max_threads;
	pthread_t threads[CREW_MAX_THREADS];
	bool is_ending;
};

void crew_init(struct crew *c);
/* No job may be left that was given and neither waited for nor dropped. */
void crew_release(struct crew *c);

void crew_give(struct crew *c, struct job *j);
/*
 * Until it is done; the caller does it, if nobody has begun, and else whatever waits, one job after the other. Of a
 * job that was never given, too.
 */
void crew_wait(struct crew *c, struct job *j);
/* It is not needed any more: it is not begun, or its end is waited for. Of a new or done one: nothing. */
void crew_drop(struct crew *c, struct job *j);

#endif
