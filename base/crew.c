/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crew.h"

#include <assert.h>
#include <sched.h>
#include <stddef.h>

void crew_init(struct crew *c)
{
	cpu_set_t cpus;
	int nr_cpus = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);

	*c = (struct crew){ .max_threads = (unsigned int)(nr_cpus - 1) };
	if (c->max_threads > CREW_MAX_THREADS)
		c->max_threads = CREW_MAX_THREADS;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
}

/* Takes it out of the queue. False: it is not in it any more. The lock is held. */
static bool take(struct crew *c, struct job *wanted)
{
	struct job **link = &c->first, *before = NULL;

	if (wanted->state != JOB_WAITS)
		return false;
	while (*link != wanted) {
		before = *link;
		link = &before->next;
	}
	*link = wanted->next;
	if (c->last == wanted)
		c->last = before;
	return true;
}

/* The lock is held, but not while it runs. */
static void do_job(struct crew *c, struct job *j)
{
	j->state = JOB_RUNS;
	pthread_mutex_unlock(&c->lock);
	j->run(j->arg);
	pthread_mutex_lock(&c->lock);
	j->state = JOB_DONE;
	pthread_cond_broadcast(&c->changed);
}

static void *work(void *arg)
{
	struct crew *c = arg;

	pthread_mutex_lock(&c->lock);
	while (!c->is_ending) {
		struct job *j = c->first;

		if (j && take(c, j)) {
			do_job(c, j);
			continue;
		}
		c->nr_idle++;
		pthread_cond_wait(&c->changed, &c->lock);
		c->nr_idle--;
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

void crew_give(struct crew *c, struct job *j)
{
	assert(j->state == JOB_NEW);
	pthread_mutex_lock(&c->lock);
	j->state = JOB_WAITS;
	j->next = NULL;
	*(c->first ? &c->last->next : &c->first) = j;
	c->last = j;
	/* Without a thread it is done when it is waited for. */
	if (!c->nr_idle && c->nr_threads < c->max_threads &&
	    !pthread_create(&c->threads[c->nr_threads], NULL, work, c))
		c->nr_threads++;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

void crew_wait(struct crew *c, struct job *j)
{
	pthread_mutex_lock(&c->lock);
	if (j->state == JOB_NEW || take(c, j))
		do_job(c, j);
	while (j->state != JOB_DONE) {
		struct job *other = c->first;

		if (other && take(c, other))
			do_job(c, other);
		else
			pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
}

void crew_drop(struct crew *c, struct job *j)
{
	pthread_mutex_lock(&c->lock);
	if (take(c, j))
		j->state = JOB_NEW;
	while (j->state == JOB_RUNS)
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void crew_release(struct crew *c)
{
	unsigned int i;

	assert(!c->first);
	pthread_mutex_lock(&c->lock);
	c->is_ending = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	for (i = 0; i < c->nr_threads; i++)
		pthread_join(c->threads[i], NULL);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
}
