/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/sampler.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/units.h"
#include "collector/cpus.h"
#include "collector/event.h"
#include "collector/kernel_number.h"
#include "collector/pace.h"
#include "collector/privileges.h"

enum {
	/*
	 * 4 MiB a ring where memory locks are no matter: at 20 kHz a CPU fills about 5 MB/s, so the
	 * collector may be kept from running for most of a second. Without CAP_IPC_LOCK the kernel
	 * grants 516 KiB a CPU (kernel.perf_event_mlock_kb): 128 pages and the first one.
	 */
	RING_PAGES = 1024,
	RING_PAGES_UNPRIVILEGED = 128,
	/* With stack copies the same second of samples is larger: room for a third of it, up to a bound. */
	RING_PAGES_MAX = 8192,
	RING_PAGES_OF_ALL = 65536,	/* 256 MiB: up to so many they are made larger */
	SAMPLE_BYTES_BESIDE_STACK = 512,
	MAX_LISTINGS = 20,
	/* Behind the header: what identifies it, its address, thread, time and CPU (perf_event_open(2)). */
	SAMPLE_PERIOD_AT = sizeof(struct perf_event_header) + 5 * sizeof(uint64_t),
};

static long perf_event_open(struct perf_event_attr *attr, int pid, int cpu)
{
	return syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static struct perf_event_attr sampling_attr(const struct sampler_config *c)
{
	struct perf_event_attr attr = c->event;

	attr.size = sizeof(attr);
	attr.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
			   PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD;
	if (c->has_chains)
		attr.sample_type |= PERF_SAMPLE_CALLCHAIN;
	if (c->walker)
		stack_walker_ask(c->walker, c->stack_bytes, &attr);
	attr.freq = c->freq_hz > 0;
	if (attr.freq)
		attr.sample_freq = c->freq_hz;
	else
		attr.sample_period = c->period;
	attr.disabled = 1;
	/* Idle time is nobody's. Hardware counters stop then by themselves, and some refuse the bit. */
	attr.exclude_idle = attr.type == PERF_TYPE_SOFTWARE;
	attr.exclude_guest = 1;
	attr.mmap = attr.mmap2 = 1;
	attr.comm = attr.comm_exec = attr.task = 1;
	attr.sample_id_all = 1;
	attr.read_format = PERF_FORMAT_LOST;
	attr.use_clockid = 1;
	attr.clockid = CLOCK_MONOTONIC;
	return attr;
}

static struct perf_event_attr marks_attr(void)
{
	return (struct perf_event_attr){
		.size = sizeof(struct perf_event_attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
			       PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD |
			       PERF_SAMPLE_RAW,
		.sample_period = 1,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
}

/* ---- what the kernel said no to ---- */

static int explain_permission(int error, struct err *e)
{
	long paranoid = kernel_number("/proc/sys/kernel/perf_event_paranoid", 2);

	err_set(e, error, "cannot sample: %m (kernel.perf_event_paranoid is %ld)", paranoid);
	if (paranoid > 2)
		return err_remedy(e, "Run it as root, or: sudo sysctl kernel.perf_event_paranoid=2 for "
				     "processes of your own.");
	return err_remedy(e, PRIVILEGES_REMEDY);
}

static int explain(const struct sampler_config *c, int error, struct err *e)
{
	long max_hz = kernel_number(KERNEL_SAMPLE_RATE_MAX, 0);
	struct rlimit files = { 0 };

	switch (error) {
	case -EPERM:
	case -EACCES:
		return explain_permission(error, e);
	case -EMFILE:
		getrlimit(RLIMIT_NOFILE, &files);
		err_set(e, error, "cannot sample: %m (the limit is %llu)",
			(unsigned long long)files.rlim_cur);
		return err_remedy(e, "Raise the limit (ulimit -n), or run as root: then descriptors "
				     "grow with CPUs only.");
	case -EINVAL:
		if (c->freq_hz && max_hz && c->freq_hz > (uint64_t)max_hz) {
			err_set(e, error, "cannot sample at %llu Hz: the kernel allows %ld",
				(unsigned long long)c->freq_hz, max_hz);
			return err_remedy(e, "Lower -F, or: sysctl kernel.perf_event_max_sample_rate=%llu",
					  (unsigned long long)c->freq_hz);
		}
		return err_set(e, error, "cannot sample with %s: %m", c->event_name);
	case -ENOENT:
	case -EOPNOTSUPP:
	case -ENODEV:
		err_set(e, error, "this machine cannot sample %s: %m", c->event_name);
		return err_remedy(e, "cpu-clock works everywhere: -e cpu-clock");
	default:
		return err_set(e, error, "cannot sample with %s: %m", c->event_name);
	}
}

/* ---- clocks ---- */

/* Those of threads stand still while these sleep: they need no pace. */
static bool is_paced(const struct sampler_config *c)
{
	return event_is_clock(&c->event) && c->freq_hz >= PACE_MIN_HZ;
}

/* As a frequency the kernel would set each clock's period itself. */
static struct perf_event_attr paced_attr(const struct sampler_config *c, struct perf_event_attr attr)
{
	attr.freq = 0;
	attr.sample_period = NS_PER_SEC / c->freq_hz;
	return attr;
}

bool sampler_corrects(const struct sampler *s)
{
	return s->pace_hz;
}

/* What a sample stands for is not the period of its clock, which is one of several. */
void sampler_correct(const struct sampler *s, void *sample)
{
	uint64_t ns;

	if (!sampler_corrects(s))
		return;
	ns = NS_PER_SEC / s->pace_hz;
	memcpy((uint8_t *)sample + SAMPLE_PERIOD_AT, &ns, sizeof(ns));
}

/* What the kernel says to such a frequency it does not say to a period. */
static int check_pace(struct sampler *s, const struct sampler_config *c, struct err *e)
{
	uint64_t max_hz = event_max_freq_hz();

	s->pace_hz = c->freq_hz;
	return max_hz && c->freq_hz > max_hz ? explain(c, -EINVAL, e) : 0;
}

void sampler_pace(struct sampler *s, uint64_t now_ns)
{
	uint64_t periods_ns[PACE_CLOCKS] = { 0 };
	size_t i;

	if (!s->clocks.nr || (s->paced_ns && now_ns < s->paced_ns + pace_keep_ns(s->pace_hz)))
		return;
	for (i = 0; i < s->clocks.nr; i++) {
		if (i % PACE_CLOCKS == 0)
			pace_draw(s->pace_hz, periods_ns);
		ioctl(s->clocks.at[i], PERF_EVENT_IOC_PERIOD, &periods_ns[i % PACE_CLOCKS]);
	}
	s->paced_ns = now_ns;
}

/* ---- the rings' size ---- */

/* Samples a second, where that can be told; else what people ask for. */
static double samples_per_second(const struct sampler_config *c)
{
	if (c->freq_hz)
		return (double)c->freq_hz;
	return event_is_clock(&c->event) && c->period ? 1e9 / (double)c->period : 1000;
}

/* Of a ring: what was asked for, or the default, or more where each sample brings a stack along. */
static size_t ring_pages(const struct sampler_config *c, size_t default_pages)
{
	double bytes = samples_per_second(c) * (c->stack_bytes + SAMPLE_BYTES_BESIDE_STACK) / 3;
	size_t pages = default_pages, nr_cpus = (size_t)sysconf(_SC_NPROCESSORS_ONLN);

	if (c->mmap_pages)
		return c->mmap_pages;
	while (c->walker && default_pages == RING_PAGES && pages < RING_PAGES_MAX &&
	       2 * pages * nr_cpus <= RING_PAGES_OF_ALL && (double)pages * (double)sysconf(_SC_PAGESIZE) < bytes)
		pages *= 2;
	return pages;
}

/* ---- opening ---- */

/*
 * What older kernels do not know is left out: counts of lost records (before 6.0). An EINVAL for
 * another reason leaves the attributes as they were.
 */
static int open_event(struct perf_event_attr *attr, int pid, int cpu)
{
	struct perf_event_attr tried = *attr;
	long fd = perf_event_open(&tried, pid, cpu);

	if (fd < 0 && errno == EINVAL && tried.read_format) {
		tried.read_format = 0;
		fd = perf_event_open(&tried, pid, cpu);
	}
	if (fd < 0)
		return -errno;
	*attr = tried;
	return (int)fd;
}

static void keep_fd(struct sampler *s, int which, int fd)
{
	uint64_t id;

	vec_push(&s->fds, fd);
	if (!ioctl(fd, PERF_EVENT_IOC_ID, &id))
		vec_push(&s->events[which].ids, id);
}

static int map_ring(struct sampler_cpu *cpu, const struct sampler_config *c, size_t default_pages,
		    struct err *e)
{
	size_t pages = ring_pages(c, default_pages);
	int err = ring_map(&cpu->ring, cpu->ring_fd, pages);

	/* A default is ours to lower; what the user asked for is not. */
	while (err == -EPERM && !c->mmap_pages && pages > 16) {
		pages /= 2;
		err = ring_map(&cpu->ring, cpu->ring_fd, pages);
	}
	if (!err)
		return 0;
	err_set(e, err, "cannot map a ring of %zu pages: %m", pages);
	if (err == -EPERM)
		return err_remedy(e, "Lower -m, or raise kernel.perf_event_mlock_kb.");
	return c->mmap_pages ? err_remedy(e, "Lower -m.") : err;
}

static uint32_t wakeup_bytes(const struct sampler_config *c, size_t default_pages)
{
	size_t pages = ring_pages(c, default_pages);

	return (uint32_t)(pages * (size_t)sysconf(_SC_PAGESIZE) / 4);
}

/* The event that marks come through writes to the ring of the CPU's sampling event. */
static int open_marks(struct sampler *s, struct sampler_cpu *cpu,
		      const struct perf_event_attr *samples, struct err *e)
{
	struct perf_event_attr attr = marks_attr();
	long fd;

	/* perf wants one read_format in a recording. */
	attr.read_format = samples->read_format;
	fd = perf_event_open(&attr, -1, cpu->cpu);

	if (fd < 0)
		return err_set(e, -errno, "cannot open the event for marks: %m");
	keep_fd(s, EVENT_MARKS, (int)fd);
	cpu->mark_fd = (int)fd;
	s->events[EVENT_MARKS].attr = attr;
	if (ioctl(cpu->mark_fd, PERF_EVENT_IOC_SET_OUTPUT, cpu->ring_fd))
		return err_set(e, -errno, "cannot let marks share the samples' ring: %m");
	return 0;
}

/* Its descriptor, filtered; -ENODEV: the CPU went offline meanwhile. */
static int open_samples(struct sampler *s, const struct sampler_config *c, struct perf_event_attr *attr, int cpu_nr,
			struct follow *f, struct err *e)
{
	int fd = open_event(attr, -1, cpu_nr), err;

	if (fd < 0)
		return fd == -ENODEV ? fd : explain(c, fd, e);
	keep_fd(s, EVENT_SAMPLES, fd);
	if (s->pace_hz)
		vec_push(&s->clocks, fd);
	err = follow_filter(f, fd);
	return err ? err_set(e, err, "cannot filter samples in the kernel: %m") : fd;
}

/* The first one, which is there, tells what processes do, too. They tick alike until they are paced for the first time. */
static int open_more_clocks(struct sampler *s, const struct sampler_config *c, const struct perf_event_attr *attr,
			    const struct sampler_cpu *cpu, struct follow *f, struct err *e)
{
	struct perf_event_attr own = *attr;
	int fd, i;

	own.mmap = own.mmap2 = own.comm = own.comm_exec = own.task = 0;
	for (i = 1; i < PACE_CLOCKS; i++) {
		fd = open_samples(s, c, &own, cpu->cpu, f, e);
		/* It keeps its place all the same. */
		if (fd == -ENODEV)
			vec_push(&s->clocks, -1);
		else if (fd < 0)
			return fd;
		else if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, cpu->ring_fd))
			return err_set(e, -errno, "cannot let clocks share a ring: %m");
	}
	return 0;
}

static int open_cpu(struct sampler *s, const struct sampler_config *c, struct perf_event_attr *attr,
		    int cpu_nr, struct follow *f, struct err *e)
{
	struct sampler_cpu cpu = { .cpu = cpu_nr, .mark_fd = -1 };
	int err;

	cpu.ring_fd = open_samples(s, c, attr, cpu_nr, f, e);
	if (cpu.ring_fd < 0)
		return cpu.ring_fd == -ENODEV ? 0 : cpu.ring_fd;
	err = map_ring(&cpu, c, RING_PAGES, e);
	if (err)
		return err;
	vec_push(&s->cpus, cpu);
	err = s->pace_hz ? open_more_clocks(s, c, attr, &cpu, f, e) : 0;
	if (err)
		return err;
	return c->has_marks ? open_marks(s, vec_last(&s->cpus), attr, e) : 0;
}

static void name_events(struct sampler *s, const struct sampler_config *c,
			const struct perf_event_attr *attr)
{
	s->events[EVENT_SAMPLES].attr = *attr;
	/* Clocks that are paced are one to who reads the recording. */
	if (s->pace_hz) {
		s->events[EVENT_SAMPLES].attr.freq = 1;
		s->events[EVENT_SAMPLES].attr.sample_freq = s->pace_hz;
	}
	s->events[EVENT_SAMPLES].name = c->event_name;
	s->events[EVENT_MARKS].name = "wperf:mark";
}

int sampler_open_cpus(struct sampler *s, const struct sampler_config *c, struct follow *f,
		      struct err *e)
{
	struct perf_event_attr attr = sampling_attr(c);
	struct pids cpus = { 0 };
	int err = 0;

	if (is_paced(c)) {
		attr = paced_attr(c, attr);
		err = check_pace(s, c, e);
	}
	if (err)
		return err;
	s->is_per_cpu = true;
	s->is_unwound = c->walker;
	attr.watermark = 1;
	attr.wakeup_watermark = wakeup_bytes(c, RING_PAGES);
	cpus_online(&cpus);
	vec_each(&cpus.at, cpu) {
		err = open_cpu(s, c, &attr, (int)*cpu, f, e);
		if (err)
			break;
	}
	name_events(s, c, &attr);
	pids_release(&cpus);
	return err;
}

/* One event for (thread, CPU): the CPU's first one has the ring, the others write to it. */
static int open_thread_on_cpu(struct sampler *s, const struct sampler_config *c,
			      struct perf_event_attr *attr, int tid, struct sampler_cpu *cpu,
			      struct err *e)
{
	int fd = open_event(attr, tid, cpu->cpu);

	if (fd == -ESRCH)
		return 0; /* it ended meanwhile */
	if (fd < 0)
		return explain(c, fd, e);
	keep_fd(s, EVENT_SAMPLES, fd);
	if (cpu->ring.page) {
		if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, cpu->ring_fd))
			return err_set(e, -errno, "cannot let threads share a ring: %m");
		return 0;
	}
	cpu->ring_fd = fd;
	return map_ring(cpu, c, RING_PAGES_UNPRIVILEGED, e);
}

static int open_listed(struct sampler *s, const struct sampler_config *c,
		       struct perf_event_attr *attr, const struct pids *tids, struct err *e)
{
	int err;

	vec_each(&tids->at, tid)
		vec_each(&s->cpus, cpu) {
			err = open_thread_on_cpu(s, c, attr, (int)*tid, cpu, e);
			if (err)
				return err;
		}
	return 0;
}

static void list_threads(const struct pids *processes, struct pids *ret_tids)
{
	ret_tids->at.nr = 0;
	vec_each(&processes->at, pid)
		process_threads(*pid, ret_tids);
}

/* Are all of these among those? */
static bool has_all(const struct pids *those, const struct pids *these)
{
	vec_each(&these->at, tid)
		if (!pids_has(those, *tid))
			return false;
	return true;
}

static void close_events(struct sampler *s)
{
	size_t i;

	vec_each(&s->cpus, cpu)
		ring_unmap(&cpu->ring);
	vec_each(&s->fds, fd)
		close(*fd);
	s->fds.nr = s->clocks.nr = 0;
	s->pace_hz = 0;
	for (i = 0; i < NR_SAMPLER_EVENTS; i++)
		s->events[i].ids.nr = 0;
}

/*
 * A thread that is made by one whose events are open inherits them, one made by a thread that is not
 * opened yet has none; which was which cannot be told. So when new ones came meanwhile, all is opened
 * anew. Nothing is lost by that, since nothing is enabled yet.
 */
static int open_threads(struct sampler *s, const struct sampler_config *c,
			struct perf_event_attr *attr, const struct pids *processes, struct err *e)
{
	struct pids tids = { 0 }, now = { 0 };
	int nr_tries = 0, err;

	for (;;) {
		list_threads(processes, &tids);
		err = open_listed(s, c, attr, &tids, e);
		list_threads(processes, &now);
		if (err || has_all(&tids, &now))
			break;
		if (++nr_tries == MAX_LISTINGS) {
			log_warn("threads come faster than they can be listed: some are not sampled");
			break;
		}
		close_events(s);
	}
	pids_release(&tids);
	pids_release(&now);
	return err;
}

/* Without the privilege to look into the kernel, an event must not ask to. */
static bool may_see_kernel(const struct sampler_config *c, int pid)
{
	struct perf_event_attr attr = sampling_attr(c);
	int fd = open_event(&attr, pid, -1);

	if (fd >= 0)
		close(fd);
	return fd != -EACCES && fd != -EPERM;
}

int sampler_open_threads(struct sampler *s, const struct sampler_config *c,
			 const struct pids *processes, struct err *e)
{
	struct perf_event_attr attr = sampling_attr(c);
	struct pids cpus = { 0 };
	int err;

	if (processes->at.nr && !may_see_kernel(c, (int)processes->at.at[0])) {
		/* Of what was asked for nothing would be left. */
		if (attr.exclude_user)
			return explain_permission(-EACCES, e);
		attr.exclude_kernel = attr.exclude_hv = attr.exclude_callchain_kernel = 1;
		s->is_user_only = true;
	}
	attr.inherit = 1;
	attr.watermark = 1;
	attr.wakeup_watermark = wakeup_bytes(c, RING_PAGES_UNPRIVILEGED);
	cpus_online(&cpus);
	vec_each(&cpus.at, cpu)
		vec_push(&s->cpus, (struct sampler_cpu){ .cpu = (int)*cpu, .ring_fd = -1, .mark_fd = -1 });
	err = open_threads(s, c, &attr, processes, e);
	if (!err && !s->fds.nr)
		err = err_set(e, -ESRCH, "cannot sample: the target has ended");
	name_events(s, c, &attr);
	pids_release(&cpus);
	return err;
}

static void each_fd(struct sampler *s, unsigned long request)
{
	vec_each(&s->fds, fd)
		ioctl(*fd, request, 0);
}

void sampler_enable(struct sampler *s)
{
	sampler_pace(s, monotonic_ns());
	each_fd(s, PERF_EVENT_IOC_ENABLE);
}

void sampler_disable(struct sampler *s)
{
	each_fd(s, PERF_EVENT_IOC_DISABLE);
}

size_t sampler_nr_new_cpus(const struct sampler *s)
{
	struct pids sampled = { 0 }, online = { 0 };
	size_t nr = 0;

	vec_each(&s->cpus, cpu)
		vec_push(&sampled.at, (uint32_t)cpu->cpu);
	if (cpus_online(&online))
		nr = cpus_nr_beside(&online, &sampled);
	pids_release(&sampled);
	pids_release(&online);
	return nr;
}

void sampler_release(struct sampler *s)
{
	size_t i;

	close_events(s);
	vec_release(&s->cpus);
	vec_release(&s->fds);
	vec_release(&s->clocks);
	for (i = 0; i < NR_SAMPLER_EVENTS; i++)
		vec_release(&s->events[i].ids);
}

size_t sampler_nr_events(const struct sampler *s)
{
	return s->events[EVENT_MARKS].ids.nr ? 2 : 1;
}
