/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/attach.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "collector/descriptors.h"
#include "collector/privileges.h"
#include "collector/snapshot.h"

enum {
	/* Rings without privileges are of half a MiB. What 8 KiB are short of is counted and told. */
	STACK_BYTES_UNPRIVILEGED_MAX = 8 * 1024,
	MIN_SAMPLES_IN_RING = 16,
};

/* ---- how stacks are taken ---- */

/*
 * A ring has to have room for some samples: what the user wants of its size is obeyed, the stack is
 * cut.
 */
static void fit_stacks_into_ring(struct attachment *a)
{
	struct sampler_config *c = &a->sampler_config;
	size_t ring_bytes = c->mmap_pages * (size_t)sysconf(_SC_PAGESIZE);
	uint32_t most = (uint32_t)(ring_bytes / MIN_SAMPLES_IN_RING) & ~7U;

	if (!c->mmap_pages || c->stack_bytes <= most)
		return;
	c->stack_bytes = a->stack_bytes_cut_to = most;
}

/*
 * Stacks are unwound where this processor's rules are known; else the kernel follows frame pointers.
 */
static void choose_chains(struct attachment *a)
{
	struct sampler_config *c = &a->sampler_config;

	*c = a->config->sampler;
	if (!c->stack_bytes)
		return;
	c->walker = a->walker = stack_walker_new();
	fit_stacks_into_ring(a);
	if (a->walker)
		return;
	a->has_no_unwinding = true;
	c->has_chains = true;
	c->stack_bytes = 0;
}

/* ---- the target ----
 *
 * Only /proc knows the children that a process has, and they come and go while it is read. So with -p
 * it is looked at three times, and no look can stand for another:
 *
 *	list_processes()	for the markers, which are looked up in the files of every process.
 *				And a grandchild is found only as long as its parent lives: one that
 *				is found here may be orphaned while BPF programs are loaded, and is
 *				recorded still.
 *	follow_processes(),	what was forked meanwhile, when nobody was followed yet. From here
 *	open_per_thread()	on the kernel sees to children: the BPF program puts them into its
 *				set, or they inherit their parents' events.
 *	snapshot_processes()	what was forked before the events were enabled: it is followed, but
 *				no record tells of its begin, so it is written as it stands. Of whom
 *				has lost his parents by now only the kernel's set tells.
 */

/* Until a look finds nobody new: who is forked during one may be missed by it, not by the next. */
static void add_descendants(struct attachment *a)
{
	/* It is held before its exec(2), and has forked nobody. */
	if (a->config->command_is_target)
		return;
	while (pids_add_descendants(&a->processes))
		;
}

static void list_processes(struct attachment *a)
{
	if (a->config->command_is_target)
		vec_push(&a->processes.at, a->workload.pid);
	vec_each(&a->config->pids.at, pid)
		vec_push(&a->processes.at, *pid);
	add_descendants(a);
}

static int hold_command(struct attachment *a, struct err *e)
{
	if (!a->config->command)
		return 0;
	a->workload.has_no_stdout = !strcmp(a->config->output, "-");
	a->workload.signals = a->signals;
	return workload_prepare(&a->workload, a->config->command, e);
}

static int open_pidfds(struct attachment *a, struct err *e)
{
	vec_each(&a->config->pids.at, pid) {
		int fd = (int)syscall(SYS_pidfd_open, *pid, 0);

		if (fd < 0)
			return err_set(e, -errno, "pid %u: %m", *pid);
		vec_push(&a->pidfds, fd);
	}
	return 0;
}

/* ---- events ---- */

/*
 * The processes and all they have forked, with no gap: when all that are known are followed, a last
 * look finds nobody new. Who was forked before that look would be in it, and who is forked later is
 * the child of one that is followed.
 */
static int follow_processes(struct attachment *a, struct err *e)
{
	size_t done = 0;
	int err;

	do {
		for (; done < a->processes.at.nr; done++) {
			err = follow_add(a->follow, a->processes.at.at[done], a->config->command_is_target, e);
			if (err)
				return err;
		}
	} while (pids_add_descendants(&a->processes));
	return 0;
}

static int open_per_cpu(struct attachment *a, struct err *e)
{
	int err;

	if (!in_first_pid_namespace())
		return err_set(e, -EPERM, "in a pid namespace of its own");
	err = follow_new(&a->follow, e);
	if (!err)
		err = follow_processes(a, e);
	if (!err)
		err = sampler_open_cpus(&a->sampler, &a->sampler_config, a->follow, e);
	if (!err)
		return 0;
	sampler_release(&a->sampler);
	a->sampler = (struct sampler){ 0 };
	follow_free(a->follow);
	a->follow = NULL;
	return err;
}

/* With a gap: a child made between the look and the opening of its parent's events has none. */
static int open_per_thread(struct attachment *a, struct err *e)
{
	struct sampler_config *c = &a->sampler_config;

	add_descendants(a);
	if (c->stack_bytes > STACK_BYTES_UNPRIVILEGED_MAX)
		c->stack_bytes = STACK_BYTES_UNPRIVILEGED_MAX;
	return sampler_open_threads(&a->sampler, c, &a->processes, e);
}

/* Errors that less privilege does not mend: what was asked for is wrong, not who asked. */
static bool is_about_request(int error)
{
	return error == -EINVAL || error == -ENOENT || error == -ENODEV;
}

/* What nobody asked for by name may be missing. */
static bool are_markers_optional(const struct attachment *a)
{
	if (a->counting)
		return false;
	vec_each(&a->markers, m)
		if (m->spec.kind != MARKER_SPEC_AUTO)
			return false;
	return true;
}

static void drop_markers(struct attachment *a, const struct err *why)
{
	if (a->markers.nr)
		a->why_no_markers = *why;
	vec_each(&a->markers, m)
		marker_release(m);
	a->markers.nr = 0;
	a->sampler_config.has_marks = a->counting != NULL;
}

/* *e says why there are no events per CPU. */
static int refuse_markers(const struct attachment *a, struct err *e)
{
	const struct err why = *e;
	const char *remedy = why.remedy[0] ? why.remedy : PRIVILEGES_REMEDY;
	const char *without = a->counting ? "without --calls it samples" : "--marker none samples without";
	int len = (int)strlen(remedy) - str_ends(remedy, ".");

	err_set(e, why.code, "%s BPF and events per CPU: %s",
		a->counting ? "counting calls needs" : "markers need", why.what);
	if (!in_first_pid_namespace())
		return err_remedy(e, "Run it on the host, or in a container that shares its pids "
				     "(--pid=host); %s.", without);
	return err_remedy(e, "%.*s; %s.", len, remedy, without);
}

static int open_sampler(struct attachment *a, struct err *e)
{
	int err = open_per_cpu(a, e);

	if (!err || is_about_request(err))
		return err;
	if (!are_markers_optional(a))
		return refuse_markers(a, e);
	drop_markers(a, e);
	log_verbose("events per CPU: %s", e->what);
	return open_per_thread(a, e);
}

/* ---- markers ---- */

static int parse_markers(struct attachment *a, struct err *e)
{
	const char *const *text;
	int err;

	for (text = a->config->marker_specs; *text; text++) {
		vec_push(&a->markers, (struct marker){ 0 });
		err = marker_spec_parse(*text, &vec_last(&a->markers)->spec, e);
		if (err)
			return err;
	}
	return 0;
}

static int prepare_markers(struct attachment *a, struct err *e)
{
	const struct recorder_config *c = a->config;
	char *program = c->command_is_target ? workload_find_program(c->command[0]) : NULL;
	const struct marker_target target = { &a->processes, program, program ? c->command + 1 : NULL };
	int err = parse_markers(a, e);
	size_t i;

	/* The sources keep pointers to the specs: the array does not grow any more. */
	for (i = 0; !err && i < a->markers.nr; i++) {
		err = marker_prepare(&a->markers.at[i], (uint32_t)i, &target, e);
		if (!err)
			err = marker_check_repeat(a->markers.at, i + 1, e);
	}
	if (!err)
		err = counting_prepare(&a->counting, &c->counting, &target, e);
	free(program);
	return err;
}

static int attach_markers(struct attachment *a, struct err *e)
{
	const struct marker_ways ways = { a->follow, &a->processes, &a->sampler, a->writer,
					  counting_core(a->counting) };
	int err;

	vec_each(&a->markers, m) {
		err = m->source->attach(m->self, &ways, e);
		if (err && !are_markers_optional(a))
			return err;
		if (err) {
			drop_markers(a, e);
			break;
		}
	}
	return 0;
}

/* ---- the file ---- */

static bool is_stopping(void *self)
{
	return signals_take(self);
}

static void note_markers(struct attachment *a)
{
	struct str specs = { 0 };

	vec_each(&a->markers, m)
		str_addf(&specs, "%s%s", specs.len ? " " : "", m->spec.text);
	writer_note_info(a->writer, (const char *const[]){ "version", WPERF_VERSION, "marker",
							   specs.len ? specs.s : "none", NULL });
	str_release(&specs);
}

static int open_writer(struct attachment *a, struct signals *signals, struct err *e)
{
	int err;

	memcpy(a->written_events, a->sampler.events, sizeof(a->written_events));
	if (a->walker)
		stack_walker_describe(&a->written_events[EVENT_SAMPLES].attr);
	a->writer_config = (struct writer_config){
		.events = a->written_events,
		.nr_events = sampler_nr_events(&a->sampler),
		.argc = a->config->argc,
		.argv = a->config->argv,
		.is_stopping = is_stopping,
		.self = signals,
		.wake_fd = signals->fd,
	};
	err = writer_open(a->config->output, &a->writer_config, &a->writer, e);
	if (err)
		return err;
	a->keep = keep_new(a->writer);
	note_markers(a);
	return 0;
}

/* ---- the whole ---- */

/* What failed because a process has ended meanwhile says so. */
static int tell_of_ended(const struct attachment *a, struct err *e)
{
	const struct err why = *e;

	vec_each(&a->config->pids.at, pid)
		if (process_is_gone(*pid))
			return err_set(e, why.code, "pid %u has ended: %s", *pid, why.what);
	return e->code;
}

int attachment_open(struct attachment *a, const struct recorder_config *config,
		    struct signals *signals, struct err *e)
{
	int err;

	a->config = config;
	a->signals = signals;
	choose_chains(a);
	err = hold_command(a, e);
	/* A command has the limits that it would have without us. */
	if (!err)
		err = descriptors_raise(e);
	if (err)
		return err;
	list_processes(a);
	err = open_pidfds(a, e);
	if (!err)
		err = prepare_markers(a, e);
	if (!err)
		err = open_sampler(a, e);
	if (!err)
		err = open_writer(a, signals, e);
	if (!err)
		err = counting_load(a->counting, e);
	if (!err)
		err = counting_attach(a->counting, &a->processes, &a->sampler, a->walker, a->writer, e);
	if (!err)
		err = attach_markers(a, e);
	return err ? tell_of_ended(a, e) : 0;
}

static void add_followed(struct attachment *a)
{
	uint32_t *pids;
	size_t nr, i;

	if (!a->follow)
		return;
	pids = xreallocarray(NULL, FOLLOW_MAX_PROCESSES, sizeof(*pids));
	nr = follow_list(a->follow, pids, FOLLOW_MAX_PROCESSES);
	for (i = 0; i < nr; i++)
		if (!pids_has(&a->processes, pids[i]) && !process_is_gone(pids[i]))
			vec_push(&a->processes.at, pids[i]);
	free(pids);
}

/* A command brings records of its own of all that it maps and makes. */
static void snapshot_processes(struct attachment *a)
{
	size_t i = a->processes.at.nr;

	if (a->config->command_is_target)
		return;
	add_descendants(a);
	add_followed(a);
	for (; i < a->processes.at.nr; i++)
		counting_follow(a->counting, a->processes.at.at[i]);
	vec_each(&a->processes.at, pid)
		snapshot_process(a->writer, a->keep, a->walker, *pid);
	writer_flush(a->writer);
}

/* What was decided: said when all is attached, so that an error before that stands alone. */
static void say_how(const struct attachment *a)
{
	const struct sampler_config *c = &a->sampler_config;

	if (a->config->is_default_event)
		log_info(c->event.type == PERF_TYPE_HARDWARE ?
				 "sampling %s" :
				 "sampling %s: this machine counts no cycles for us",
			 c->event_name);
	if (a->has_no_unwinding)
		log_info("no unwinding on this processor yet: chains follow frame pointers");
	if (a->stack_bytes_cut_to)
		log_warn("rings that small have room for %u bytes of stack a sample only: see -m",
			 a->stack_bytes_cut_to);
	if (a->sampler.is_user_only)
		log_info("sampling without privileges: your own processes, user space only, no requests; "
			 "root, or cap_perfmon and cap_bpf, add the kernel's part and requests");
	else if (a->why_no_markers.code)
		log_warn("no requests: %s", a->why_no_markers.what);
	log_verbose("attached");
}

int attachment_begin(struct attachment *a, struct err *e)
{
	int err = 0;

	/* Marks come last: what begins with one has its samples and its calls. */
	sampler_enable(&a->sampler);
	counting_start(a->counting, a->config->command_is_target ? a->workload.pid : 0);
	vec_each(&a->markers, m)
		m->source->record(m->self, true);
	snapshot_kernel(a->writer);
	keep_vdso(a->keep);
	snapshot_processes(a);
	if (a->config->command)
		err = workload_start(&a->workload, a->config->command, e);
	if (!err)
		say_how(a);
	return err;
}

void attachment_release(struct attachment *a)
{
	vec_each(&a->markers, m)
		marker_release(m);
	counting_free(a->counting);
	sampler_release(&a->sampler);
	follow_free(a->follow);
	keep_free(a->keep);
	stack_walker_free(a->walker);
	writer_free(a->writer);
	workload_release(&a->workload);
	vec_each(&a->pidfds, fd)
		close(*fd);
	vec_release(&a->markers);
	vec_release(&a->pidfds);
	pids_release(&a->processes);
	*a = (struct attachment){ 0 };
}
