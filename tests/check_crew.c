/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/crew.h"

Suite *check_crew_suite(void);

enum { NR_JOBS = 200 };

struct work {
	struct job job;
	pthread_t by;		/* who did it */
	bool is_held;		/* it goes no further */
	bool has_begun;
	unsigned int nr_done, place;
};

/* What all jobs of a test share. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int nr_done;

static void do_work(void *arg)
{
	struct work *w = arg;

	pthread_mutex_lock(&lock);
	w->has_begun = true;
	pthread_cond_broadcast(&changed);
	while (w->is_held)
		pthread_cond_wait(&changed, &lock);
	w->nr_done++;
	w->by = pthread_self();
	w->place = nr_done++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void let_go(struct work *w)
{
	pthread_mutex_lock(&lock);
	w->is_held = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void await_beginning(struct work *w)
{
	pthread_mutex_lock(&lock);
	while (!w->has_begun)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void await_all(unsigned int nr)
{
	pthread_mutex_lock(&lock);
	while (nr_done < nr)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void begin(struct crew *c, unsigned int max_threads, struct work *works, size_t nr)
{
	size_t i;

	crew_init(c);
	c->max_threads = max_threads;
	nr_done = 0;
	for (i = 0; i < nr; i++)
		works[i] = (struct work){ .job = { .run = do_work, .arg = &works[i] } };
}

START_TEST(each_job_is_done_once)
{
	static struct work works[NR_JOBS];
	struct crew c;
	size_t i;

	begin(&c, (unsigned int)_i, works, NR_JOBS);
	for (i = 0; i < NR_JOBS; i++)
		crew_give(&c, &works[i].job);
	for (i = NR_JOBS; i-- > 0;)
		crew_wait(&c, &works[i].job);
	for (i = 0; i < NR_JOBS; i++) {
		crew_wait(&c, &works[i].job);
		crew_drop(&c, &works[i].job);
		ck_assert_uint_eq(works[i].nr_done, 1);
	}
	crew_release(&c);
}
END_TEST

START_TEST(jobs_are_done_in_the_order_that_they_were_given_in)
{
	struct work works[5];
	struct crew c;
	size_t i;

	begin(&c, 1, works, 5);
	works[0].is_held = true;
	for (i = 0; i < 5; i++)
		crew_give(&c, &works[i].job);
	let_go(&works[0]);
	await_all(5);
	for (i = 0; i < 5; i++) {
		crew_wait(&c, &works[i].job);
		ck_assert_uint_eq(works[i].place, i);
		ck_assert(!pthread_equal(works[i].by, pthread_self()));
	}
	crew_release(&c);
}
END_TEST

START_TEST(who_waits_does_what_nobody_has_begun)
{
	struct work works[3];
	struct crew c;

	begin(&c, (unsigned int)_i, works, 3);
	/* the crew's only thread, if it has one, is held up, and does not have to be waited for */
	works[0].is_held = _i;
	crew_give(&c, &works[0].job);
	if (_i)
		await_beginning(&works[0]);
	crew_give(&c, &works[1].job);
	crew_wait(&c, &works[1].job);
	ck_assert(pthread_equal(works[1].by, pthread_self()));
	/* nor for a job that was never given */
	crew_wait(&c, &works[2].job);
	ck_assert(pthread_equal(works[2].by, pthread_self()));
	let_go(&works[0]);
	crew_wait(&c, &works[0].job);
	ck_assert(pthread_equal(works[0].by, pthread_self()) == !_i);
	crew_release(&c);
}
END_TEST

static void do_and_let_go(void *arg)
{
	struct work *w = arg;

	do_work(w);
	let_go(w - 1);
}

/* What is waited for ends only once the job behind it was done. */
START_TEST(who_waits_does_other_jobs_meanwhile)
{
	struct work works[2];
	struct crew c;

	begin(&c, 1, works, 2);
	works[0].is_held = true;
	works[1].job.run = do_and_let_go;
	crew_give(&c, &works[0].job);
	await_beginning(&works[0]);
	crew_give(&c, &works[1].job);
	crew_wait(&c, &works[0].job);
	ck_assert_uint_eq(works[0].nr_done, 1);
	ck_assert(pthread_equal(works[1].by, pthread_self()));
	crew_wait(&c, &works[1].job);
	ck_assert_uint_eq(works[1].nr_done, 1);
	crew_release(&c);
}
END_TEST

START_TEST(what_is_dropped_is_not_begun)
{
	struct work works[4];
	struct crew c;

	begin(&c, (unsigned int)_i, works, 4);
	works[0].is_held = true;
	crew_give(&c, &works[0].job);
	if (_i)
		await_beginning(&works[0]);
	crew_give(&c, &works[1].job);
	crew_give(&c, &works[2].job);
	crew_drop(&c, &works[2].job);
	crew_give(&c, &works[3].job);
	crew_drop(&c, &works[1].job);
	crew_drop(&c, &works[3].job);
	let_go(&works[0]);
	crew_drop(&c, &works[0].job);
	crew_release(&c);
	ck_assert_uint_eq(works[0].nr_done, (unsigned int)_i);
	ck_assert_uint_eq(works[1].nr_done + works[2].nr_done + works[3].nr_done, 0);
}
END_TEST

Suite *check_crew_suite(void)
{
	Suite *s = suite_create("crew");
	TCase *tc = tcase_create("crew");

	tcase_add_loop_test(tc, each_job_is_done_once, 0, CREW_MAX_THREADS + 1);
	tcase_add_test(tc, jobs_are_done_in_the_order_that_they_were_given_in);
	tcase_add_loop_test(tc, who_waits_does_what_nobody_has_begun, 0, 2);
	tcase_add_test(tc, who_waits_does_other_jobs_meanwhile);
	tcase_add_loop_test(tc, what_is_dropped_is_not_begun, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
