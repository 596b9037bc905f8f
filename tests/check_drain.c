/* SPDX-License-Identifier: Apache-2.0 */
/* Two rings in memory, filled as the kernel fills them, and drained into a recording. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "collector/drain.h"
#include "recording/reader.h"
#include "tests/harness.h"
#include "tests/sketch.h"

Suite *check_drain_suite(void);

enum { NR_RINGS = 2, RING_BYTES = 16384 };
#define FAR_AHEAD_NS (3600ULL * 1000000000)

struct rig {
	struct perf_event_mmap_page pages[NR_RINGS];
	_Alignas(8) uint8_t bytes[NR_RINGS][RING_BYTES];
	struct sampler sampler;
	struct writer_config config;
	struct writer *writer;
	struct keep *keep;
	struct drain drain;
};

static void set_up(struct rig *rig)
{
	struct writer_event *event = &rig->sampler.events[EVENT_SAMPLES];
	struct err e;
	int i;

	memset(rig, 0, sizeof(*rig));
	*event = (struct writer_event){ .attr = sketch_attr(), .name = "cpu-clock" };
	vec_push(&event->ids, SKETCH_ID(0));
	for (i = 0; i < NR_RINGS; i++) {
		struct sampler_cpu cpu = { .cpu = i };

		cpu.ring = (struct ring){ &rig->pages[i], rig->bytes[i], RING_BYTES };
		vec_push(&rig->sampler.cpus, cpu);
	}
	rig->config = (struct writer_config){ .events = event, .nr_events = 1 };
	ck_assert_int_eq(writer_open(harness_path("out.data"), &rig->config, &rig->writer, &e), 0);
	rig->keep = keep_new(rig->writer);
	drain_init(&rig->drain, &rig->sampler, NULL, rig->writer, rig->keep, NULL);
}

static void tear_down(struct rig *rig)
{
	drain_release(&rig->drain);
	keep_free(rig->keep);
	writer_free(rig->writer);
	vec_release(&rig->sampler.events[EVENT_SAMPLES].ids);
	vec_release(&rig->sampler.cpus);
}

/* Takes the record. */
static void put(struct rig *rig, int ring, struct sketch *record)
{
	struct perf_event_mmap_page *page = &rig->pages[ring];
	size_t i;

	for (i = 0; i < record->bytes.len; i++)
		rig->bytes[ring][(page->data_head + i) % RING_BYTES] = (uint8_t)record->bytes.s[i];
	page->data_head += record->bytes.len;
	sketch_release(record);
}

/* In the order of sketch_attr()'s sample_type. */
static void put_sample(struct rig *rig, int ring, uint64_t time)
{
	struct sketch s = { 0 };

	sketch_begin(&s, PERF_RECORD_SAMPLE, 0);
	sketch_u64(&s, SKETCH_ID(0));
	sketch_u64(&s, 0x1000);
	sketch_u32(&s, 1);
	sketch_u32(&s, 1);
	sketch_u64(&s, time);
	sketch_u32(&s, (uint32_t)ring);
	sketch_u32(&s, 0);
	sketch_u64(&s, 1);
	sketch_end(&s);
	put(rig, ring, &s);
}

static void put_exit(struct rig *rig, uint32_t pid, uint64_t time)
{
	struct sketch s = { 0 };

	sketch_begin(&s, PERF_RECORD_EXIT, 0);
	sketch_u32(&s, pid);
	sketch_u32(&s, 1);
	sketch_u32(&s, pid);
	sketch_u32(&s, 1);
	sketch_u64(&s, time);
	sketch_id(&s, pid, pid, time, 0, SKETCH_ID(0));
	sketch_end(&s);
	put(rig, 0, &s);
}

static unsigned int fill(struct rig *rig, int ring, unsigned int pct, uint64_t time)
{
	unsigned int nr = 0;

	for (; rig->pages[ring].data_head - rig->pages[ring].data_tail < RING_BYTES * pct / 100; nr++)
		put_sample(rig, ring, time);
	return nr;
}

static const struct {
	unsigned int pct;
	bool is_pressed;
} cases[] = { { 0, false }, { 20, false }, { 30, true }, { 90, true } };

/* Samples that are far ahead in time stay for any lag: how full a ring is, is what counts. */
START_TEST(what_waits_presses)
{
	static struct rig rig;

	set_up(&rig);
	fill(&rig, 1, cases[_i].pct, monotonic_ns() + FAR_AHEAD_NS);
	drain_rings(&rig.drain, false);
	ck_assert_uint_eq(rig.drain.nr_samples, 0);
	ck_assert_int_eq(rig.drain.is_pressed, cases[_i].is_pressed);
	drain_rings(&rig.drain, true);
	ck_assert(!rig.drain.is_pressed);
	tear_down(&rig);
}
END_TEST

/*
 * A ring that is half full of what was just written is taken from; and so is, the next time, what is no
 * younger and came late.
 */
START_TEST(a_full_ring_does_not_wait)
{
	static struct rig rig;
	uint64_t now;
	unsigned int nr;

	set_up(&rig);
	now = monotonic_ns();
	nr = fill(&rig, 0, 60, now);
	drain_rings(&rig.drain, false);
	ck_assert_uint_eq(rig.drain.nr_samples, nr);
	ck_assert(!rig.drain.is_pressed);
	put_sample(&rig, 1, now);
	drain_rings(&rig.drain, false);
	ck_assert_uint_eq(rig.drain.nr_samples, nr + 1);
	tear_down(&rig);
}
END_TEST

static void *stay(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* A process whose first thread has ended, and another has not. */
static pid_t start_headless(void)
{
	pid_t pid = fork();
	pthread_t other;

	if (!pid) {
		pthread_create(&other, NULL, stay, NULL);
		syscall(SYS_exit, 0);
	}
	return pid;
}

static bool is_headless(void *pid)
{
	uint32_t task = process_live_task(*(uint32_t *)pid);

	return task && task != *(uint32_t *)pid;
}

static bool has_forgotten(void *drain)
{
	struct drain *d = drain;

	drain_rings(d, false);
	return !d->ended.nr;
}

/*
 * What its last thread did may still lie in a ring when it is seen to be gone, however long ago the first
 * one ended.
 */
START_TEST(a_process_is_forgotten_behind_its_last_record)
{
	static struct rig rig;
	uint32_t pid = (uint32_t)start_headless();
	uint64_t gone_ns;
	int i;

	ck_assert(harness_wait_until(is_headless, &pid));
	set_up(&rig);
	put_exit(&rig, pid, 1);
	for (i = 0; i < 4; i++) {
		drain_rings(&rig.drain, false);
		ck_assert_uint_eq(rig.drain.ended.nr, 1);
	}
	ck_assert_int_eq(harness_stop((pid_t)pid, SIGKILL), 128 + SIGKILL);
	gone_ns = monotonic_ns();
	drain_rings(&rig.drain, false);
	ck_assert_uint_eq(rig.drain.ended.nr, 1);
	ck_assert(harness_wait_until(has_forgotten, &rig.drain));
	ck_assert_uint_ge(rig.drain.merge.until_ns, gone_ns);
	tear_down(&rig);
}
END_TEST

static void put_fork(struct rig *rig, uint32_t pid, uint32_t parent, uint64_t time)
{
	struct sketch s = { 0 };

	sketch_begin(&s, PERF_RECORD_FORK, 0);
	sketch_u32(&s, pid);
	sketch_u32(&s, parent);
	sketch_u32(&s, pid);
	sketch_u32(&s, parent);
	sketch_u64(&s, time);
	sketch_id(&s, pid, pid, time, 0, SKETCH_ID(0));
	sketch_end(&s);
	put(rig, 0, &s);
}

static void put_comm(struct rig *rig, uint32_t pid, uint16_t misc, uint64_t time)
{
	struct sketch s = { 0 };

	sketch_begin(&s, PERF_RECORD_COMM, misc);
	sketch_u32(&s, pid);
	sketch_u32(&s, pid);
	sketch_str(&s, "name");
	sketch_pad(&s);
	sketch_id(&s, pid, pid, time, 0, SKETCH_ID(0));
	sketch_end(&s);
	put(rig, 0, &s);
}

/*
 * Its number is alive, so that it would not be seen to be gone: another process has it, or a thread of its own that ran
 * exec(), and their ends are still to come.
 */
START_TEST(who_has_a_number_again_is_another_one)
{
	static struct rig rig;
	uint32_t pid = (uint32_t)getpid();

	set_up(&rig);
	put_exit(&rig, pid, 1);
	put_fork(&rig, pid + 1, pid, 2);
	put_fork(&rig, pid, pid, 3);
	put_comm(&rig, pid, 0, 4);
	drain_rings(&rig.drain, false);
	ck_assert_uint_eq(rig.drain.ended.nr, 1);
	put_fork(&rig, pid, pid + 1, 5);
	drain_rings(&rig.drain, false);
	ck_assert_uint_eq(rig.drain.ended.nr, 0);
	put_exit(&rig, pid, 6);
	drain_rings(&rig.drain, false);
	ck_assert_uint_eq(rig.drain.ended.nr, 1);
	put_comm(&rig, pid, PERF_RECORD_MISC_COMM_EXEC, 7);
	drain_rings(&rig.drain, false);
	ck_assert_uint_eq(rig.drain.ended.nr, 0);
	tear_down(&rig);
}
END_TEST

/* How many rounds were finished in some drains that are further apart than records wait for others. */
static unsigned int nr_finished(struct rig *rig, unsigned int nr_drains, uint64_t from_ns, uint64_t to_ns)
{
	const struct timespec apart = { .tv_nsec = 3000000 };
	uint64_t finished_ns = rig->drain.finished_ns;
	unsigned int nr = 0;

	for (; nr_drains; nr_drains--) {
		put_sample(rig, 0, monotonic_ns());
		nanosleep(&apart, NULL);
		drain_settled(&rig->drain, from_ns, to_ns);
		drain_rings(&rig->drain, false);
		nr += rig->drain.finished_ns != finished_ns;
		finished_ns = rig->drain.finished_ns;
	}
	return nr;
}

static unsigned int nr_rounds_written(struct rig *rig)
{
	struct record rec = { 0 };
	struct reader *reader;
	unsigned int nr = 0;
	struct err e;

	ck_assert_int_eq(writer_finish(rig->writer, &e), 0);
	ck_assert_int_eq(reader_open(harness_path("out.data"), &reader, &e), 0);
	while (reader_next(reader, &rec, &e) > 0)
		nr += rec.type == PERF_RECORD_FINISHED_ROUND;
	reader_free(reader);
	return nr;
}

/*
 * Records that are sent late are in order for a reader if what is as old as the round before was in the rings
 * when it was settled, and what was put there then was taken.
 */
START_TEST(rounds_wait_for_what_is_settled)
{
	static struct rig rig;
	uint64_t now = monotonic_ns();

	set_up(&rig);
	/* Something is still missing. */
	ck_assert_uint_eq(nr_finished(&rig, 3, 0, now), 0);
	ck_assert_uint_eq(nr_finished(&rig, 1, now, now), 1);
	/* That was before records were taken that were younger, */
	ck_assert_uint_eq(nr_finished(&rig, 3, now, now), 0);
	ck_assert_uint_eq(nr_finished(&rig, 3, rig.drain.finished_ns, now), 0);
	now = monotonic_ns();
	ck_assert_uint_eq(nr_finished(&rig, 1, rig.drain.finished_ns + 1, now), 1);
	/* and here what was put into a ring is not yet taken. */
	ck_assert_uint_eq(nr_finished(&rig, 3, now + FAR_AHEAD_NS, now + FAR_AHEAD_NS), 0);
	ck_assert_uint_eq(rig.drain.nr_samples, 14);
	ck_assert_uint_eq(nr_rounds_written(&rig), 2);
	tear_down(&rig);
}
END_TEST

/* What came in a drain that finished none is in order behind two that are, though nothing else comes. */
START_TEST(rounds_go_on_until_all_is_in_order)
{
	const struct timespec apart = { .tv_nsec = 3000000 };
	static struct rig rig;
	int i;

	set_up(&rig);
	put_sample(&rig, 0, monotonic_ns());
	nanosleep(&apart, NULL);
	drain_settled(&rig.drain, 0, monotonic_ns());
	drain_rings(&rig.drain, false);
	ck_assert_uint_eq(rig.drain.nr_samples, 1);
	ck_assert_uint_eq(rig.drain.finished_ns, 0);
	for (i = 0; i < 10; i++) {
		drain_settled(&rig.drain, monotonic_ns(), monotonic_ns());
		nanosleep(&apart, NULL);
		drain_rings(&rig.drain, false);
	}
	ck_assert_uint_eq(nr_rounds_written(&rig), 2);
	tear_down(&rig);
}
END_TEST

START_TEST(each_round_is_finished_where_nothing_is_late)
{
	const struct timespec apart = { .tv_nsec = 3000000 };
	static struct rig rig;
	int i;

	set_up(&rig);
	for (i = 0; i < 3; i++) {
		put_sample(&rig, 0, monotonic_ns());
		nanosleep(&apart, NULL);
		drain_rings(&rig.drain, false);
	}
	/* One more is for what came in the third. */
	drain_rings(&rig.drain, false);
	drain_rings(&rig.drain, false);
	ck_assert_uint_eq(nr_rounds_written(&rig), 4);
	tear_down(&rig);
}
END_TEST

Suite *check_drain_suite(void)
{
	Suite *s = suite_create("drain");
	TCase *tc = tcase_create("drain");

	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, what_waits_presses, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, a_full_ring_does_not_wait);
	tcase_add_test(tc, rounds_wait_for_what_is_settled);
	tcase_add_test(tc, rounds_go_on_until_all_is_in_order);
	tcase_add_test(tc, each_round_is_finished_where_nothing_is_late);
	tcase_add_test(tc, a_process_is_forgotten_behind_its_last_record);
	tcase_add_test(tc, who_has_a_number_again_is_another_one);
	suite_add_tcase(s, tc);
	return s;
}
