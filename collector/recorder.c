/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/recorder.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/units.h"
#include "collector/attach.h"
#include "collector/build_id.h"
#include "collector/drain.h"
#include "collector/progress.h"
#include "collector/signals.h"

/*
 * How long a record may lie in a ring that is not a quarter full: the report's memory grows with it,
 * and so does what a SIGKILL of wperf loses. Events of threads tell of their end by a hang-up, after
 * which nothing can be waited for on them: then the clock has to do.
 */
enum {
	TICK_MS = 500,
	/*
	 * Of a stream, whose reader may read it as it comes: a record is in order for it when the round
	 * after its own is finished, and that one waits for what is settled: 0.1 to 0.25 s after its time.
	 */
	TICK_MS_OF_STREAM = 50,
	TICK_MS_WITHOUT_WAKEUPS = 50,
	TICK_MS_WITHOUT_WAKEUPS_WITH_STACKS = 10,
	TICK_MS_PRESSED = 1,
	/*
	 * Where calls are counted: until then those of a process or a library that has come are not. Most come at
	 * the beginning, a program's libraries in its first milliseconds.
	 */
	TICK_MS_COUNTING = 50,
	TICKS_COUNTING = 8,	/* in what has passed since the beginning, as long as they are shorter */
	/* Of a stream: its reader may ask for the names in a file before the recording ends. */
	LOOK_AT_FILES_MS = 1000,
	OWN_NICE = -20,
	WALL_CLOCK_MOVED_NS = 100000,	/* less is what it takes to read two clocks */
};

struct recorder {
	const struct recorder_config *config;
	struct signals signals;
	struct attachment attachment;
	struct drain drain;
	struct progress progress;
	VEC(struct pollfd) polled;	/* signals, processes given with -p, rings, stdout; -1: ended */
	bool is_reader_gone;		/* stdout is a pipe, and nobody is at its other end */
	uint64_t begin_ns, begin_epoch_ns, end_ns;
	uint64_t set_ns, set_epoch_ns;	/* when the wall clock was last seen to have been set */
	uint64_t looked_at_files_ns;
	bool is_full;			/* --max-size is reached */
	bool is_without_wakeups;
};

/* ---- the beginning ---- */

/* The end is not known at the beginning; nor, to a reader of the beginning, if we are killed. */
static void write_times(struct recorder *r)
{
	char begin_ns[24], begin_epoch_ns[24], end_ns[24];

	snprintf(begin_ns, sizeof(begin_ns), "%llu", (unsigned long long)r->begin_ns);
	snprintf(begin_epoch_ns, sizeof(begin_epoch_ns), "%llu", (unsigned long long)r->begin_epoch_ns);
	snprintf(end_ns, sizeof(end_ns), "%llu", (unsigned long long)r->end_ns);
	writer_note_info(r->attachment.writer,
			 (const char *const[]){ "begin_ns", begin_ns, "begin_epoch_ns",
						begin_epoch_ns, r->end_ns ? "end_ns" : NULL, end_ns,
						NULL });
}

/* Whoever wants to find a request in a server's log goes by the wall clock as it was then. */
static void look_at_wall_clock(struct recorder *r)
{
	char set_ns[24], set_epoch_ns[24];
	uint64_t now_ns, epoch_ns;
	int64_t moved;

	clocks_ns(&now_ns, &epoch_ns);
	moved = (int64_t)((epoch_ns - r->set_epoch_ns) - (now_ns - r->set_ns));
	if (llabs(moved) < WALL_CLOCK_MOVED_NS)
		return;
	r->set_ns = now_ns;
	r->set_epoch_ns = epoch_ns;
	snprintf(set_ns, sizeof(set_ns), "%llu", (unsigned long long)now_ns);
	snprintf(set_epoch_ns, sizeof(set_epoch_ns), "%llu", (unsigned long long)epoch_ns);
	writer_note_info(r->attachment.writer,
			 (const char *const[]){ "set_ns", set_ns, "set_epoch_ns", set_epoch_ns, NULL });
}

static int start(struct recorder *r, struct err *e)
{
	struct attachment *a = &r->attachment;
	int err = attachment_open(a, r->config, &r->signals, e);

	if (err)
		return err;
	drain_init(&r->drain, &a->sampler, a->follow, a->writer, a->keep, a->walker);
	r->drain.counting = a->counting;
	clocks_ns(&r->begin_ns, &r->begin_epoch_ns);
	r->set_ns = r->begin_ns;
	r->set_epoch_ns = r->begin_epoch_ns;
	write_times(r);
	return attachment_begin(a, e);
}

/* ---- the middle ---- */

static bool is_stream(const struct recorder *r)
{
	return !strcmp(r->config->output, "-");
}

static void build_poll_set(struct recorder *r)
{
	vec_push(&r->polled, (struct pollfd){ .fd = r->signals.fd, .events = POLLIN });
	vec_each(&r->attachment.pidfds, fd)
		vec_push(&r->polled, (struct pollfd){ .fd = *fd, .events = POLLIN });
	vec_each(&r->attachment.sampler.cpus, cpu)
		vec_push(&r->polled, (struct pollfd){ .fd = cpu->ring_fd, .events = POLLIN });
	/* Asked for no event: what it tells is its reader's end, however little there is to write. */
	vec_push(&r->polled, (struct pollfd){ .fd = is_stream(r) ? STDOUT_FILENO : -1 });
}

/* What ended is not asked again: poll(2) would return at once for ever. */
static void look_at_polled(struct recorder *r)
{
	size_t i;

	r->is_reader_gone |= vec_last(&r->polled)->revents & POLLERR;
	for (i = 1; i + 1 < r->polled.nr; i++) {
		struct pollfd *p = &r->polled.at[i];

		if (i <= r->attachment.pidfds.nr && p->revents) {
			p->fd = -1;
		} else if (p->revents & (POLLHUP | POLLERR | POLLNVAL)) {
			p->fd = -1;
			r->is_without_wakeups = true;
		}
	}
}

/* The processes that are followed, as far as they are known to be there; lent until the next call. */
static size_t list_followed(const struct recorder *r, const uint32_t **ret_pids)
{
	static uint32_t pids[FOLLOW_MAX_PROCESSES];

	*ret_pids = pids;
	return r->attachment.follow ? follow_list(r->attachment.follow, pids, ARRAY_LEN(pids)) : 0;
}

/* One that is followed and goes on, but for the command; 0: none. */
static uint32_t find_heir(const struct recorder *r)
{
	const uint32_t *pids;
	size_t nr = list_followed(r, &pids), i;

	for (i = 0; i < nr; i++)
		if (pids[i] != r->attachment.workload.pid && !process_is_gone(pids[i]))
			return pids[i];
	return 0;
}

static bool target_has_ended(struct recorder *r)
{
	struct attachment *a = &r->attachment;
	size_t i;

	if (a->workload.pid && workload_has_ended(&a->workload))
		return true;
	for (i = 1; i <= a->pidfds.nr; i++)
		if (r->polled.at[i].fd >= 0)
			return false;
	/* What they have started is the target's, too: a server that was upgraded goes on under another pid. */
	return a->pidfds.nr > 0 && !find_heir(r);
}

static void tend_markers(struct recorder *r)
{
	vec_each(&r->attachment.markers, m)
		if (m->source->tend)
			m->source->tend(m->self);
}

/*
 * Where marks wait for their time, rounds wait for them. A marker that cannot bring all of them now can the next time:
 * what keeps it is a program that was interrupted, or a ring without room.
 */
static void settle_markers(struct recorder *r)
{
	uint64_t begin_ns = monotonic_ns();
	bool can_wait = false, has_all = true;

	vec_each(&r->attachment.markers, m)
		if (m->source->settle) {
			can_wait = true;
			has_all &= m->source->settle(m->self);
		}
	if (can_wait)
		drain_settled(&r->drain, has_all ? begin_ns : 0, monotonic_ns());
}

/* A file's reader has all of it, so that what is gone by its end is early enough. */
static void look_at_files(struct recorder *r, uint64_t now)
{
	if (!is_stream(r) || now - r->looked_at_files_ns < LOOK_AT_FILES_MS * 1000000ULL)
		return;
	r->looked_at_files_ns = now;
	keep_look_again(r->attachment.keep);
}

static int counting_tick_ms(const struct recorder *r, uint64_t now)
{
	uint64_t ms = (now - r->begin_ns) / TICKS_COUNTING / 1000000 + 1;

	return ms < TICK_MS_COUNTING ? (int)ms : TICK_MS_COUNTING;
}

static int wait_ms(const struct recorder *r, uint64_t now)
{
	int slow = r->attachment.walker ? TICK_MS_WITHOUT_WAKEUPS_WITH_STACKS :
					  TICK_MS_WITHOUT_WAKEUPS;
	int tick = is_stream(r) ? TICK_MS_OF_STREAM : TICK_MS;
	uint64_t left;

	if (r->is_without_wakeups)
		tick = slow;
	if (r->attachment.counting && tick > counting_tick_ms(r, now))
		tick = counting_tick_ms(r, now);
	if (r->drain.is_pressed)
		tick = TICK_MS_PRESSED;
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
	const struct writer *w = r->attachment.writer;
	struct err ignored;

	r->is_full = c->max_bytes && writer_nr_bytes(w) >= c->max_bytes;
	return r->is_full || r->is_reader_gone || signals_take(&r->signals) || target_has_ended(r) ||
	       writer_error(w, &ignored) || (c->duration_ns && now >= r->begin_ns + c->duration_ns);
}

static void record(struct recorder *r)
{
	uint64_t now = monotonic_ns();
	bool is_estimate = false;

	/* Rings fill up while others have the CPU, and we need next to none of it. */
	setpriority(PRIO_PROCESS, 0, OWN_NICE);
	vec_each(&r->attachment.markers, m)
		is_estimate |= m->spec.kind == MARKER_SPEC_AUTO || m->spec.kind == MARKER_SPEC_SOCKET;
	r->progress = (struct progress){
		.drain = &r->drain,
		.begin_ns = r->begin_ns,
		.has_markers = r->attachment.markers.nr,
		.is_estimate = is_estimate,
		.is_on_terminal = !r->config->has_no_progress && !r->config->is_quiet &&
				  isatty(STDERR_FILENO),
	};
	progress_begin(&r->progress);
	build_poll_set(r);
	while (!is_over(r, now)) {
		if (poll(r->polled.at, r->polled.nr, wait_ms(r, now)) > 0)
			look_at_polled(r);
		look_at_wall_clock(r);
		settle_markers(r);
		drain_rings(&r->drain, false);
		now = monotonic_ns();
		sampler_pace(&r->attachment.sampler, now);
		counting_tick(r->attachment.counting, now);
		tend_markers(r);
		look_at_files(r, now);
		progress_show(&r->progress, now);
	}
	/* And they end first. */
	vec_each(&r->attachment.markers, m)
		m->source->record(m->self, false);
	counting_end(r->attachment.counting);
	r->end_ns = monotonic_ns();
	progress_end(&r->progress, now);
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

	vec_each(&r->attachment.sampler.fds, fd)
		if (read(*fd, &counter, sizeof(counter)) == sizeof(counter))
			sum += counter.lost;
	if (sum > r->drain.nr_lost) {
		/* It has no time: readers take it ahead of all that is no two rounds old, and may look for a request's end in it. */
		writer_finished_round(r->attachment.writer);
		writer_finished_round(r->attachment.writer);
		writer_lost(r->attachment.writer, sum - r->drain.nr_lost);
		r->drain.nr_lost = sum;
	}
}

/* Before the events are disabled: what a probe tries to send after that is lost to nobody. */
static struct marker_counts count_marks(const struct recorder *r)
{
	struct marker_counts sum = { 0 };

	vec_each(&r->attachment.markers, m) {
		struct marker_counts counts;

		m->source->counts(m->self, &counts);
		sum.nr_unsent += counts.nr_unsent;
		sum.nr_calls_unseen += counts.nr_calls_unseen;
		sum.nr_threads_32_bit += counts.nr_threads_32_bit;
		sum.nr_datagram_sockets += counts.nr_datagram_sockets;
		sum.nr_ends_unseen += counts.nr_ends_unseen;
		if (m->spec.kind == MARKER_SPEC_AUTO)
			continue;
		if (!counts.nr_begins)
			log_warn("marker never hit: %s", m->spec.text);
		else if (!counts.nr_ends)
			log_warn("marker %s: %llu begins and no end", m->spec.text,
				 (unsigned long long)counts.nr_begins);
	}
	return sum;
}

static void write_stack_tallies(struct recorder *r)
{
	const struct unwind_tally *stacks = stack_walker_tally(r->attachment.walker);
	struct tally tallies[UNWIND_NR_TALLIES];
	size_t i;

	for (i = 0; i < UNWIND_NR_TALLIES; i++)
		tallies[i].count = unwind_tally_get(stacks, i, &tallies[i].key);
	writer_note_tally(r->attachment.writer, tallies, ARRAY_LEN(tallies));
}

static void tell(uint64_t nr, const char *one, const char *many)
{
	if (nr)
		log_warn("%llu %s", (unsigned long long)nr, nr == 1 ? one : many);
}

static void tell_of_marks(const struct marker_counts *marks)
{
	tell(marks->nr_unsent, "mark found no room in a ring: requests may be missing, or wrong",
	     "marks found no room in a ring: requests may be missing, or wrong");
	tell(marks->nr_calls_unseen,
	     "call whose transfers are not looked at (io_uring's, io_submit, or another): requests may be missing",
	     "calls whose transfers are not looked at (io_uring's, io_submit, or others): requests may be missing");
	tell(marks->nr_threads_32_bit,
	     "thread of a 32-bit program, whose connections are not looked at: requests are not seen",
	     "threads of 32-bit programs, whose connections are not looked at: requests are not seen");
	tell(marks->nr_datagram_sockets, "socket took datagrams (UDP) at the attach: requests in them are not seen",
	     "sockets took datagrams (UDP) at the attach: requests in them are not seen");
	tell(marks->nr_ends_unseen,
	     "connection of a Unix socket, whose end was not seen: an answer that lasts until then has no end. "
	     "With WPERF_SOCKETS=calls in the environment it has",
	     "connections of Unix sockets, whose ends were not seen: answers that last until then have no end. "
	     "With WPERF_SOCKETS=calls in the environment they have");
}

static void write_tallies(struct recorder *r, const struct marker_counts *marks)
{
	const struct attachment *a = &r->attachment;
	uint64_t nr_not_followed = a->follow ? follow_seen(a->follow).nr_not_followed : 0;
	struct keep_stats kept;

	keep_stats(a->keep, &kept);
	const struct tally tallies[] = {
		{ "lost", r->drain.nr_lost },
		{ "marks_unsent", marks->nr_unsent },
		{ "calls_unseen", marks->nr_calls_unseen },
		{ "threads_32_bit", marks->nr_threads_32_bit },
		{ "datagram_sockets", marks->nr_datagram_sockets },
		{ "processes_not_followed", nr_not_followed },
		{ "files_unreachable", kept.nr_unreachable },
	};
	writer_note_tally(a->writer, tallies, ARRAY_LEN(tallies));
	if (a->walker)
		write_stack_tallies(r);
	tell(sampler_nr_new_cpus(&a->sampler),
	     "CPU came online while it recorded: what ran on it was not sampled, and its requests may be missing",
	     "CPUs came online while it recorded: what ran on them was not sampled, and its requests may be missing");
	tell_of_marks(marks);
	tell(nr_not_followed, "process was not followed: there were too many at a time",
	     "processes were not followed: there were too many at a time");
	tell(kept.nr_unreachable, "file could not be copied: its functions may stay addresses",
	     "files could not be copied: their functions may stay addresses");
}

static void keep_unfollowed_perf_maps(struct recorder *r)
{
	const struct attachment *a = &r->attachment;

	vec_each(&a->processes.at, pid)
		keep_perf_map(a->keep, *pid);
	vec_each(&r->drain.forked.at, pid)
		if (!pids_has(&a->processes, *pid))
			keep_perf_map(a->keep, *pid);
}

/* Every process that is still there may have left a map of its JIT code. */
static void keep_perf_maps(struct recorder *r)
{
	const struct attachment *a = &r->attachment;
	const uint32_t *pids;
	size_t nr, i;

	if (!a->follow) {
		keep_unfollowed_perf_maps(r);
		return;
	}
	nr = list_followed(r, &pids);
	for (i = 0; i < nr; i++)
		keep_perf_map(a->keep, pids[i]);
}

static void keep_kernel_names(struct recorder *r)
{
	struct build_id kernel = { 0 };
	struct str lines = { 0 };

	build_id_of_kernel(&kernel);
	kernel_names_read(&r->drain.kernel_names, &lines);
	keep_kallsyms(r->attachment.keep, &kernel, str_cstr(&lines), lines.len);
	str_release(&lines);
}

/* Markers are read before they are detached; the recording is complete whatever went wrong. */
static int finish(struct recorder *r, struct err *e)
{
	const struct marker_counts marks = count_marks(r);
	uint64_t nr_bytes;
	struct attachment *a = &r->attachment;
	int err;

	settle_markers(r);
	counting_read_rest(a->counting);
	sampler_disable(&a->sampler);
	drain_rings(&r->drain, true);
	counting_finish(a->counting);
	count_untold_losses(r);
	keep_look_again(a->keep);
	keep_perf_maps(r);
	keep_kernel_names(r);
	write_tallies(r, &marks);
	r->progress.is_estimate |= marks.nr_unsent > 0;
	write_times(r);
	nr_bytes = writer_nr_bytes(a->writer);
	err = writer_finish(a->writer, e);
	progress_summarize(&r->progress, r->config->output, nr_bytes, r->is_full, err && err != -EPIPE);
	if (err != -EPIPE)
		return err;
	/* Whoever read our pipe has had enough. */
	e->code = 0;
	return 0;
}

static bool has_probes(const struct attachment *a)
{
	vec_each(&a->markers, m)
		if (m->source == &marker_probe)
			return true;
	return a->counting;
}

/* Whether it was a copy of a breakpoint that it met, nobody knows by now. */
static void tell_of_trapped(const struct attachment *a)
{
	uint32_t pid = a->follow && has_probes(a) ? (uint32_t)follow_seen(a->follow).trapped : 0;

	if (pid)
		log_warn("process %u was ended by SIGTRAP while probes were in it, maybe by them: a program that copies its code, as "
			 "for huge pages (node --use-largepages=on, PHP's opcache.huge_code_pages=1), runs their breakpoints as its "
			 "own, and so does valgrind. Switch that off, or record without --calls and with --marker none or auto",
			 pid);
}

/* What does not end when it is asked to is left to who started it. */
static void end_workload(struct recorder *r)
{
	struct workload *w = &r->attachment.workload;

	workload_end(w);
	if (w->pid && w->is_running)
		log_warn("%s still runs, as pid %u: it did not end at SIGTERM",
			 r->config->command[0], w->pid);
}

/* A command is recorded to its own end: a server that goes to the background ends when it has begun. */
static void tell_of_those_left(const struct recorder *r)
{
	const struct workload *w = &r->attachment.workload;
	uint32_t heir;

	if (!r->config->command_is_target || w->is_running || w->was_ended)
		return;
	heir = find_heir(r);
	if (heir)
		log_warn("%s has ended; what it started goes on, and is recorded no more: see wperf record -p %u",
			 r->config->command[0], heir);
}

static void release(struct recorder *r)
{
	drain_release(&r->drain);
	attachment_release(&r->attachment);
	signals_release(&r->signals);
	vec_release(&r->polled);
}

int recorder_run(const struct recorder_config *config, struct err *e)
{
	struct recorder r = { .config = config };
	int err, status;

	e->code = 0;
	signals_open(&r.signals);
	/* libbpf takes the kernel's 6 MB of BTF in, several times: each time the same memory will do. */
	alloc_expect_much();
	err = start(&r, e);
	if (!err) {
		alloc_expect_little();
		record(&r);
		err = finish(&r, e);
		tell_of_trapped(&r.attachment);
		end_workload(&r);
		tell_of_those_left(&r);
	} else if (r.attachment.writer) {
		writer_abandon(r.attachment.writer);
	}
	/* The stream's reader had gone before there was anything to read. */
	if (err == -EPIPE && is_stream(&r))
		err = 0;
	/* A way that was tried and not needed (no BPF, a closed pipe) left its error behind. */
	if (!err)
		e->code = 0;
	status = err ? (int)err_exit_status(e) : workload_exit_status(&r.attachment.workload);
	release(&r);
	return status;
}
