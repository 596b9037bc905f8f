/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/recorder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/units.h"
#include "collector/build_id.h"
#include "collector/drain.h"
#include "collector/keep.h"
#include "collector/privileges.h"
#include "collector/snapshot.h"
#include "collector/workload.h"

/*
 * How long a record may lie in a ring that is not a quarter full: the report's memory grows with it,
 * and so does what a SIGKILL of wperf loses. Events of threads tell of their end by a hang-up, after
 * which nothing can be waited for on them: then the clock has to do.
 */
enum {
	TICK_MS = 500,
	TICK_MS_WITHOUT_WAKEUPS = 50,
	TICK_MS_WITHOUT_WAKEUPS_WITH_STACKS = 10,
	OWN_NICE = -20,
	/* Rings without privileges are of half a MiB. What 8 KiB are short of is counted and told. */
	STACK_BYTES_UNPRIVILEGED_MAX = 8 * 1024,
	MIN_SAMPLES_IN_RING = 16,
};

struct recorder {
	const struct recorder_config *config;
	struct sampler sampler;
	struct sampler_config sampler_config;
	struct stack_walker *walker;	/* NULL: chains are as the kernel writes them */
	struct writer_event written_events[NR_SAMPLER_EVENTS];	/* the sampler's, as they are written */
	struct follow *follow;		/* NULL: threads one by one */
	struct writer *writer;
	struct writer_config writer_config;
	struct keep *keep;
	struct drain drain;
	struct workload workload;
	VEC(struct marker) markers;
	VEC(int) pidfds;		/* of the processes given with -p; -1: ended */
	VEC(struct pollfd) polled;
	int signal_fd;
	bool was_interrupted;
	bool is_full;			/* --max-size is reached */
	bool is_without_wakeups;
	bool has_no_unwinding;		/* it was asked for, and frame pointers have to do */
	uint32_t stack_bytes_cut_to;	/* by the size of the rings; 0: they were not */
	uint64_t begin_ns, end_ns;
	double own_cpu_at_begin;	/* seconds: attaching is not recording, */
	double own_cpu_at_end;		/* and neither is finishing */
	uint64_t next_progress_ns;
	bool is_on_terminal;
};

/* ---- the beginning ---- */

/* The processes and all they have forked, with no gap: forks are followed before the first look. */
static int follow_target(struct recorder *r, struct pids *pids, struct err *e)
{
	size_t done = 0;
	int err;

	do {
		for (; done < pids->at.nr; done++) {
			err = follow_add(r->follow, pids->at.at[done], e);
			if (err)
				return err;
		}
	} while (pids_add_descendants(pids));
	return 0;
}

static int open_per_cpu(struct recorder *r, struct pids *pids, struct err *e)
{
	int err;

	if (!in_first_pid_namespace())
		return err_set(e, -EOPNOTSUPP, "in a pid namespace of its own");
	err = follow_new(&r->follow, e);
	if (!err)
		err = follow_target(r, pids, e);
	if (!err)
		err = sampler_open_cpus(&r->sampler, &r->sampler_config, r->follow, e);
	if (!err)
		return 0;
	sampler_release(&r->sampler);
	r->sampler = (struct sampler){ 0 };
	follow_free(r->follow);
	r->follow = NULL;
	return err;
}

/* Errors that less privilege does not mend: what was asked for is wrong, not who asked. */
static bool is_about_request(int error)
{
	return error == -EINVAL || error == -ENOENT || error == -ENODEV;
}

static int open_sampler(struct recorder *r, struct pids *pids, struct err *e)
{
	bool wants_marks = r->config->sampler.has_marks;
	int err = open_per_cpu(r, pids, e);

	if (!err || is_about_request(err))
		return err;
	if (wants_marks) {
		struct err why = *e;

		err_set(e, why.code, "markers need BPF and events per CPU: %s", why.what);
		if (!in_first_pid_namespace())
			return err_remedy(e, "Run it on the host, or in a container that shares its pids "
					     "(--pid=host); --marker none samples without.");
		return err_remedy(e, PRIVILEGES_REMEDY "; --marker none samples without.");
	}
	log_verbose("events per CPU: %s", e->what);
	while (pids_add_descendants(pids))
		;
	if (r->sampler_config.stack_bytes > STACK_BYTES_UNPRIVILEGED_MAX)
		r->sampler_config.stack_bytes = STACK_BYTES_UNPRIVILEGED_MAX;
	return sampler_open_threads(&r->sampler, &r->sampler_config, pids, r->workload.pid, e);
}

/* What was decided: said when all is attached, so that an error before that stands alone. */
static void say_how(const struct recorder *r)
{
	const struct sampler_config *c = &r->sampler_config;

	if (r->config->is_default_event)
		log_info(c->event.type == PERF_TYPE_HARDWARE ?
				 "sampling %s" :
				 "sampling %s: this machine counts no cycles for us",
			 c->event_name);
	if (r->has_no_unwinding)
		log_info("no unwinding on this processor yet: chains follow frame pointers");
	if (r->stack_bytes_cut_to)
		log_warn("rings that small have room for %u bytes of stack a sample only: see -m",
			 r->stack_bytes_cut_to);
	if (r->sampler.is_user_only)
		log_info("sampling without privileges: your own processes, user space only, no markers; "
			 "root, or cap_perfmon and cap_bpf, add the kernel's part, cap_sys_admin requests");
}

static int open_pidfds(struct recorder *r, struct err *e)
{
	vec_each(&r->config->pids.at, pid) {
		int fd = (int)syscall(SYS_pidfd_open, *pid, 0);

		if (fd < 0)
			return err_set(e, -errno, "pid %u: %m", *pid);
		vec_push(&r->pidfds, fd);
	}
	return 0;
}

/* What the one who started us ignores (nohup, jobs in the background of a script) stays ignored. */
static void add_unless_ignored(sigset_t *set, int signal_nr)
{
	struct sigaction now;

	if (!sigaction(signal_nr, NULL, &now) && now.sa_handler != SIG_IGN)
		sigaddset(set, signal_nr);
}

static void open_signals(struct recorder *r)
{
	sigset_t set;

	sigemptyset(&set);
	add_unless_ignored(&set, SIGINT);
	add_unless_ignored(&set, SIGTERM);
	add_unless_ignored(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A reader that went away and a file that may not grow are errors of write(2). */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int prepare_markers(struct recorder *r, const struct pids *pids, const char *program,
			   struct err *e)
{
	const struct marker_target target = { pids, program };
	const char *const *text;
	int err;

	for (text = r->config->marker_specs; *text; text++) {
		vec_push(&r->markers, (struct marker){ 0 });
		err = marker_spec_parse(*text, &vec_last(&r->markers)->spec, e);
		if (err)
			return err;
	}
	/* The sources keep pointers to the specs: the array does not grow any more. */
	vec_each(&r->markers, m) {
		err = marker_prepare(m, (uint32_t)(m - r->markers.at), &target, e);
		if (err)
			return err;
	}
	return 0;
}

static int attach_markers(struct recorder *r, struct err *e)
{
	int err;

	vec_each(&r->markers, m) {
		err = m->source->attach(m->self, r->follow, &r->sampler, r->writer, e);
		if (err)
			return err;
	}
	return 0;
}

/* True once we were told to end. */
static bool take_signals(struct recorder *r)
{
	struct signalfd_siginfo info;

	while (read(r->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			r->was_interrupted = true;
	return r->was_interrupted;
}

static bool is_stopping(void *self)
{
	return take_signals(self);
}

static int open_writer(struct recorder *r, struct err *e)
{
	struct str specs = { 0 };
	int err;

	memcpy(r->written_events, r->sampler.events, sizeof(r->written_events));
	if (r->walker)
		stack_walker_describe(&r->written_events[EVENT_SAMPLES].attr);
	r->writer_config = (struct writer_config){
		.events = r->written_events,
		.nr_events = sampler_nr_events(&r->sampler),
		.argc = r->config->argc,
		.argv = r->config->argv,
		.is_stopping = is_stopping,
		.self = r,
		.wake_fd = r->signal_fd,
	};
	err = writer_open(r->config->output, &r->writer_config, &r->writer, e);
	if (err)
		return err;
	r->keep = keep_new(r->writer);
	drain_init(&r->drain, &r->sampler, r->follow, r->writer, r->keep, r->walker);
	vec_each(&r->markers, m)
		str_addf(&specs, "%s%s", specs.len ? " " : "", m->spec.text);
	writer_note_info(r->writer, (const char *const[]){ "version", WPERF_VERSION, "marker",
							   specs.len ? specs.s : "none", NULL });
	str_release(&specs);
	return 0;
}

/* The end is not known at the beginning; nor, to a reader of the beginning, if we are killed. */
static void write_times(struct recorder *r)
{
	char begin_ns[24], end_ns[24];

	snprintf(begin_ns, sizeof(begin_ns), "%llu", (unsigned long long)r->begin_ns);
	snprintf(end_ns, sizeof(end_ns), "%llu", (unsigned long long)r->end_ns);
	writer_note_info(r->writer,
			 (const char *const[]){ "begin_ns", begin_ns, r->end_ns ? "end_ns" : NULL,
						end_ns, NULL });
}

/* Samples come from here on; what was there before them is written as it is found. */
static void begin(struct recorder *r, struct pids *pids)
{
	r->begin_ns = monotonic_ns();
	write_times(r);
	sampler_enable(&r->sampler);
	snapshot_kernel(r->writer);
	keep_vdso(r->keep);
	if (r->config->command_is_target)
		return;
	/* What was forked since the processes were listed had no event to tell of it. */
	while (pids_add_descendants(pids))
		;
	vec_each(&pids->at, pid)
		snapshot_process(r->writer, r->keep, r->walker, *pid);
	writer_flush(r->writer);
}

static int start(struct recorder *r, struct err *e)
{
	const struct recorder_config *c = r->config;
	struct pids pids = { 0 };
	char *program = NULL;
	int err = 0;

	if (c->command) {
		program = workload_find_program(c->command[0]);
		r->workload.has_no_stdout = !strcmp(c->output, "-");
		err = workload_prepare(&r->workload, c->command, e);
	}
	if (err)
		goto out;
	if (c->command_is_target)
		vec_push(&pids.at, r->workload.pid);
	vec_each(&c->pids.at, pid)
		vec_push(&pids.at, *pid);
	while (pids_add_descendants(&pids))
		;
	err = open_pidfds(r, e);
	if (!err)
		err = prepare_markers(r, &pids, c->command_is_target ? program : NULL, e);
	if (!err)
		err = open_sampler(r, &pids, e);
	if (!err)
		err = open_writer(r, e);
	if (!err)
		err = attach_markers(r, e);
	if (err)
		goto out;
	begin(r, &pids);
	if (c->command)
		err = workload_start(&r->workload, c->command, e);
	if (err)
		goto out;
	say_how(r);
	log_verbose("attached");
out:
	free(program);
	pids_release(&pids);
	return err;
}

/* ---- the middle ---- */

static double seconds_of(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static double own_cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

/* User and system time since everything was attached, in percent of one CPU. */
static double own_cpu_pct(const struct recorder *r, double cpu_seconds, uint64_t now)
{
	return 100 * (cpu_seconds - r->own_cpu_at_begin) / ((double)(now - r->begin_ns + 1) / 1e9);
}

static void show_progress(struct recorder *r, uint64_t now)
{
	if (!r->is_on_terminal || now < r->next_progress_ns)
		return;
	r->next_progress_ns = now + NS_PER_SEC;
	fprintf(stderr, "\r\033[K%.0f s, %llu samples, ", (double)(now - r->begin_ns) / 1e9,
		(unsigned long long)r->drain.nr_samples);
	if (r->markers.nr)
		fprintf(stderr, "%llu requests, ", (unsigned long long)r->drain.nr_ends);
	fprintf(stderr, "%llu lost, own CPU %.1f %%", (unsigned long long)r->drain.nr_lost,
		own_cpu_pct(r, own_cpu_seconds(), now));
	fflush(stderr);
}

static bool target_has_ended(struct recorder *r)
{
	if (r->workload.pid && workload_has_ended(&r->workload))
		return true;
	vec_each(&r->pidfds, fd)
		if (*fd >= 0)
			return false;
	return r->pidfds.nr > 0;
}

static void build_poll_set(struct recorder *r)
{
	vec_push(&r->polled, (struct pollfd){ .fd = r->signal_fd, .events = POLLIN });
	vec_each(&r->pidfds, fd)
		vec_push(&r->polled, (struct pollfd){ .fd = *fd, .events = POLLIN });
	vec_each(&r->sampler.cpus, cpu)
		vec_push(&r->polled, (struct pollfd){ .fd = cpu->ring_fd, .events = POLLIN });
}

/* What ended is not asked again: poll(2) would return at once for ever. */
static void look_at_polled(struct recorder *r)
{
	size_t i;

	for (i = 1; i < r->polled.nr; i++) {
		struct pollfd *p = &r->polled.at[i];

		if (i <= r->pidfds.nr && p->revents) {
			r->pidfds.at[i - 1] = p->fd = -1;
		} else if (p->revents & (POLLHUP | POLLERR | POLLNVAL)) {
			p->fd = -1;
			r->is_without_wakeups = true;
		}
	}
}

static int wait_ms(const struct recorder *r, uint64_t now)
{
	int slow = r->walker ? TICK_MS_WITHOUT_WAKEUPS_WITH_STACKS : TICK_MS_WITHOUT_WAKEUPS;
	int tick = r->is_without_wakeups ? slow : TICK_MS;
	uint64_t left;

	if (!r->config->duration_ns)
		return tick;
	if (now >= r->begin_ns + r->config->duration_ns)
		return 0;
	left = (r->begin_ns + r->config->duration_ns - now) / 1000000 + 1;
	return left < (uint64_t)tick ? (int)left : tick;
}

static bool is_over(struct recorder *r, uint64_t now)
{
	const struct recorder_config *c = r->config;
	struct err ignored;

	r->is_full = c->max_bytes && writer_nr_bytes(r->writer) >= c->max_bytes;
	return r->is_full || take_signals(r) || target_has_ended(r) ||
	       writer_error(r->writer, &ignored) ||
	       (c->duration_ns && now >= r->begin_ns + c->duration_ns);
}

static void record(struct recorder *r)
{
	uint64_t now = monotonic_ns();

	/* Rings fill up while others have the CPU, and we need next to none of it. */
	setpriority(PRIO_PROCESS, 0, OWN_NICE);
	r->own_cpu_at_begin = own_cpu_seconds();
	build_poll_set(r);
	while (!is_over(r, now)) {
		if (poll(r->polled.at, r->polled.nr, wait_ms(r, now)) > 0)
			look_at_polled(r);
		drain_rings(&r->drain, false);
		now = monotonic_ns();
		show_progress(r, now);
	}
	r->end_ns = now;
	r->own_cpu_at_end = own_cpu_seconds();
}

/* ---- the end ---- */

/*
 * A ring tells of a loss with the next record that finds room, so the last losses may go untold. The
 * events' own counters know them (PERF_FORMAT_LOST, Linux 6.0): what is missing is added.
 */
static void count_untold_losses(struct recorder *r)
{
	struct {
		uint64_t value, lost;
	} counter;
	uint64_t sum = 0;

	vec_each(&r->sampler.fds, fd)
		if (read(*fd, &counter, sizeof(counter)) == sizeof(counter))
			sum += counter.lost;
	if (sum > r->drain.nr_lost) {
		writer_lost(r->writer, sum - r->drain.nr_lost);
		r->drain.nr_lost = sum;
	}
}

/* Before the events are disabled: what a probe tries to send after that is lost to nobody. */
static uint64_t count_marks(const struct recorder *r)
{
	uint64_t nr_unsent = 0;

	vec_each(&r->markers, m) {
		struct marker_counts counts;

		m->source->counts(m->self, &counts);
		nr_unsent += counts.nr_unsent;
		if (!counts.nr_begins)
			log_warn("marker never hit: %s", m->spec.text);
		else if (!counts.nr_ends)
			log_warn("marker %s: %llu begins and no end", m->spec.text,
				 (unsigned long long)counts.nr_begins);
	}
	return nr_unsent;
}

static void write_stack_tallies(struct recorder *r)
{
	const struct unwind_tally *stacks = stack_walker_tally(r->walker);
	struct tally tallies[UNWIND_NR_TALLIES];
	size_t i;

	for (i = 0; i < UNWIND_NR_TALLIES; i++)
		tallies[i].count = unwind_tally_get(stacks, i, &tallies[i].key);
	writer_note_tally(r->writer, tallies, ARRAY_LEN(tallies));
}

static void tell(uint64_t nr, const char *what)
{
	if (nr)
		log_warn("%llu %s", (unsigned long long)nr, what);
}

static void write_tallies(struct recorder *r, uint64_t nr_unsent)
{
	uint64_t nr_not_followed = r->follow ? follow_nr_lost(r->follow) : 0;
	struct keep_stats kept;

	keep_stats(r->keep, &kept);
	const struct tally tallies[] = {
		{ "lost", r->drain.nr_lost },
		{ "marks_unsent", nr_unsent },
		{ "processes_not_followed", nr_not_followed },
		{ "files_unreachable", kept.nr_unreachable },
	};
	writer_note_tally(r->writer, tallies, ARRAY_LEN(tallies));
	if (r->walker)
		write_stack_tallies(r);
	tell(nr_unsent, "marks found no room in a ring: requests may be missing, or wrong");
	tell(nr_not_followed, "processes were not followed: there were too many at a time");
	tell(kept.nr_unreachable, "files could not be copied: their functions may stay addresses");
}

/* Every process that is still there may have left a map of its JIT code. */
static void keep_perf_maps(struct recorder *r)
{
	static uint32_t pids[FOLLOW_MAX_PROCESSES];
	size_t nr, i;

	if (!r->follow) {
		vec_each(&r->config->pids.at, pid)
			keep_perf_map(r->keep, *pid);
		return;
	}
	nr = follow_list(r->follow, pids, ARRAY_LEN(pids));
	for (i = 0; i < nr; i++)
		keep_perf_map(r->keep, pids[i]);
}

static void keep_kernel_names(struct recorder *r)
{
	struct build_id kernel = { 0 };
	struct str lines = { 0 };

	build_id_of_kernel(&kernel);
	kernel_names_read(&r->drain.kernel_names, &lines);
	keep_kallsyms(r->keep, &kernel, str_cstr(&lines), lines.len);
	str_release(&lines);
}

static void summarize(const struct recorder *r, uint64_t nr_bytes)
{
	struct str size = { 0 }, requests = { 0 };

	if (r->is_on_terminal)
		fputs("\r\033[K", stderr);
	str_add_bytes_size(&size, nr_bytes);
	if (r->is_full)
		str_add(&size, ", --max-size reached");
	if (r->markers.nr)
		str_addf(&requests, "%llu requests, ", (unsigned long long)r->drain.nr_ends);
	log_info("%llu samples, %s%llu lost in %.1f s, own CPU %.1f %%: %s (%s)",
		 (unsigned long long)r->drain.nr_samples, str_cstr(&requests),
		 (unsigned long long)r->drain.nr_lost, (double)(r->end_ns - r->begin_ns) / 1e9,
		 own_cpu_pct(r, r->own_cpu_at_end, r->end_ns), strcmp(r->config->output, "-") ? r->config->output : "stdout",
		 str_cstr(&size));
	if (r->drain.nr_throttled)
		log_warn("the kernel throttled sampling %llu times: lower -F, or see "
			 "kernel.perf_cpu_time_max_percent",
			 (unsigned long long)r->drain.nr_throttled);
	str_release(&size);
	str_release(&requests);
}

/* Markers are read before they are detached; the recording is complete whatever went wrong. */
static int finish(struct recorder *r, struct err *e)
{
	uint64_t nr_unsent = count_marks(r), nr_bytes;
	int err;

	sampler_disable(&r->sampler);
	drain_rings(&r->drain, true);
	count_untold_losses(r);
	keep_perf_maps(r);
	keep_kernel_names(r);
	write_tallies(r, nr_unsent);
	write_times(r);
	nr_bytes = writer_nr_bytes(r->writer);
	err = writer_finish(r->writer, e);
	summarize(r, nr_bytes);
	if (err != -EPIPE)
		return err;
	/* Whoever read our pipe has had enough. */
	e->code = 0;
	return 0;
}

static void release(struct recorder *r)
{
	vec_each(&r->markers, m)
		marker_release(m);
	sampler_release(&r->sampler);
	follow_free(r->follow);
	keep_free(r->keep);
	stack_walker_free(r->walker);
	writer_free(r->writer);
	workload_release(&r->workload);
	vec_each(&r->pidfds, fd)
		if (*fd >= 0)
			close(*fd);
	if (r->signal_fd >= 0)
		close(r->signal_fd);
	vec_release(&r->markers);
	vec_release(&r->pidfds);
	vec_release(&r->polled);
	drain_release(&r->drain);
}

/* A ring has to have room for some samples: what the user wants of its size is obeyed, the stack is cut. */
static void fit_stacks_into_ring(struct recorder *r)
{
	struct sampler_config *c = &r->sampler_config;
	size_t ring_bytes = c->mmap_pages * (size_t)sysconf(_SC_PAGESIZE);
	uint32_t most = (uint32_t)(ring_bytes / MIN_SAMPLES_IN_RING) & ~7U;

	if (!c->mmap_pages || c->stack_bytes <= most)
		return;
	c->stack_bytes = r->stack_bytes_cut_to = most;
}

/* Stacks are unwound where this processor's rules are known; else the kernel follows frame pointers. */
static void choose_chains(struct recorder *r)
{
	r->sampler_config = r->config->sampler;
	if (!r->config->sampler.stack_bytes)
		return;
	r->walker = stack_walker_new();
	r->sampler_config.walker = r->walker;
	fit_stacks_into_ring(r);
	if (r->walker)
		return;
	r->has_no_unwinding = true;
	r->sampler_config.has_chains = true;
	r->sampler_config.stack_bytes = 0;
}

/* What does not end when it is asked to is left to who started it. */
static void end_workload(struct recorder *r)
{
	workload_end(&r->workload);
	if (r->workload.pid && r->workload.is_running)
		log_warn("%s still runs, as pid %u: it did not end at SIGTERM",
			 r->config->command[0], r->workload.pid);
}

int recorder_run(const struct recorder_config *config, struct err *e)
{
	struct recorder r = { .config = config, .is_on_terminal = !config->is_quiet && isatty(2) };
	int err, status;

	e->code = 0;
	choose_chains(&r);
	open_signals(&r);
	err = start(&r, e);
	if (!err) {
		record(&r);
		err = finish(&r, e);
		end_workload(&r);
	} else if (r.writer) {
		writer_abandon(r.writer);
	}
	/* A way that was tried and not needed (no BPF, a closed pipe) left its error behind. */
	if (!err)
		e->code = 0;
	status = err ? (int)err_exit_status(e) : workload_exit_status(&r.workload);
	release(&r);
	return status;
}
