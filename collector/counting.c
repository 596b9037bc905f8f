/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/counting.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "collector/call_cost.h"
#include "collector/call_python.h"

/* Code that was not looked at. */
struct mapped {
	size_t file;	/* in counting.files */
	struct writer_mmap at;	/* path: lent from there */
};

/* A thread at which probes hang. */
struct ended_thread {
	uint32_t pid, tid;
	uint64_t time_ns;
};

/* So long after it its process is gone, too, if it ends as a whole. */
enum { ALL_END_MS = 100 };

struct counting {
	struct call_core *core;
	struct call_native *native;	/* NULL: none are counted */
	struct call_python *python;	/* likewise */
	struct call_cost cost;
	struct writer *writer;		/* lent */
	struct pids to_follow;		/* processes that have come, or run another program */
	struct strings files;		/* device, inode, its generation and path of code that was mapped */
	VEC(bool) is_known;		/* by their ids: it was looked at */
	VEC(struct mapped) mapped;	/* what is to be looked at, once for each process */
	VEC(struct ended_thread) ended;
	VEC(char *) missed;		/* paths of code that was gone before it could be searched */
};

static bool is_python(const char *spec)
{
	return !strcmp(spec, "python");
}

static int prepare(struct counting *c, const char *const *specs, const struct marker_target *target,
		   struct err *e)
{
	VEC(const char *) native = { 0 };
	bool has_python = false;
	int err = 0;

	for (; *specs; specs++) {
		has_python |= is_python(*specs);
		if (!is_python(*specs))
			vec_push(&native, *specs);
	}
	if (native.nr)
		err = call_native_prepare(&c->native, native.at, native.nr, target, e);
	if (!err && has_python)
		err = call_python_prepare(&c->python, target, e);
	vec_release(&native);
	return err;
}

int counting_prepare(struct counting **ret_counting, const struct counting_config *config,
		     const struct marker_target *target, struct err *e)
{
	struct counting *c;
	int err;

	if (!config->specs || !*config->specs)
		return 0;
	c = xcalloc(1, sizeof(*c));
	c->cost.share.most = config->max_overhead_pct / 100;
	err = prepare(c, config->specs, target, e);
	if (c->python)
		c->python->share.most = config->max_python_overhead_pct / 100;
	if (err)
		counting_free(c);
	else
		*ret_counting = c;
	return err;
}

int counting_load(struct counting *c, struct err *e)
{
	int err;

	if (!c)
		return 0;
	err = call_core_new(&c->core, c->native ? (uint32_t)c->native->nr_functions_max : 0, e);
	if (!err && c->native)
		call_cost_measure(&c->cost, c->core);
	if (!err && c->python)
		err = call_python_load(c->python, c->core, e);
	return err;
}

int counting_attach(struct counting *c, const struct pids *pids, const struct sampler *sampler,
		    struct stack_walker *walker, struct writer *w, struct err *e)
{
	int err;

	if (!c)
		return 0;
	c->writer = w;
	err = call_core_give_rings(c->core, sampler, w, e);
	if (!err && c->native)
		err = call_native_attach(c->native, c->core, pids, walker, w, e);
	if (!err && c->python)
		err = call_python_attach(c->python, pids, sampler, w, e);
	return err;
}

const struct call_core *counting_core(const struct counting *c)
{
	return c ? c->core : NULL;
}

void counting_follow(struct counting *c, uint32_t pid)
{
	if (c && !pids_has(&c->to_follow, pid))
		vec_push(&c->to_follow.at, pid);
}

static bool hangs_at(const struct counting *c, uint32_t task)
{
	return (c->native && call_native_hangs_at(c->native, task)) || (c->python && call_python_hangs_at(c->python, task));
}

static void note_end(struct counting *c, uint32_t pid, uint32_t tid, uint64_t time_ns)
{
	if (hangs_at(c, tid))
		vec_push(&c->ended, (struct ended_thread){ pid, tid, time_ns });
}

/* No record tells of one that has ended before the events were enabled: no longer is it the first that lives. */
static void look_at_threads(struct counting *c, const struct call_attachments *attached)
{
	vec_each(&attached->at, a)
		if (process_live_task(a->pid) != a->link.task)
			note_end(c, a->pid, a->link.task, 0);
}

void counting_start(struct counting *c, uint32_t command)
{
	if (!c)
		return;
	call_core_hold(c->core, command);
	call_core_start(c->core);
	if (c->native)
		look_at_threads(c, &c->native->attached);
	if (c->python)
		look_at_threads(c, &c->python->attached);
}

/* As the kernel writes what has no path. */
static bool is_no_file(const char *path)
{
	static const char *const begins[] = { "//anon", "/anon_hugepage", "/memfd:", "/dev/", "/SYSV" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(begins); i++)
		if (str_starts(path, begins[i]))
			return true;
	return *path != '/';
}

/* By all four: another file may come to have the path, and later the inode. */
static size_t file_of(struct counting *c, const struct record *rec)
{
	struct str key = { 0 };
	size_t id;

	str_addf(&key, "%u:%u:%llu:%llu %s", rec->mmap.dev_major, rec->mmap.dev_minor, (unsigned long long)rec->mmap.inode,
		 (unsigned long long)rec->mmap.inode_generation, rec->mmap.path);
	id = strings_id_n(&c->files, key.s, key.len);
	str_release(&key);
	while (c->is_known.nr < c->files.text.nr)
		vec_push(&c->is_known, false);
	return id;
}

/* Those that the target had from the beginning. */
static bool knows(const struct counting *c, const struct writer_mmap *m)
{
	return (!c->native || call_native_knows(c->native, m)) && (!c->python || call_python_knows(c->python, m));
}

static void note_mapping(struct counting *c, const struct record *rec)
{
	size_t file = file_of(c, rec);
	const struct writer_mmap at = {
		.pid = rec->pid, .start = rec->mmap.start, .len = rec->mmap.len, .off = rec->mmap.off,
		.dev_major = rec->mmap.dev_major, .dev_minor = rec->mmap.dev_minor, .inode = rec->mmap.inode,
		.path = strchr(strings_text(&c->files, (uint32_t)file), ' ') + 1
	};

	c->is_known.at[file] |= knows(c, &at);
	if (c->native && patched_is_unprobed((int)rec->mmap.prot, rec->mmap.flags & MAP_SHARED))
		call_native_map_unprobed(c->native, rec->pid, at.path);
	if (c->is_known.at[file])
		return;
	vec_each(&c->mapped, m)
		if (m->file == file && m->at.pid == rec->pid)
			return;
	vec_push(&c->mapped, (struct mapped){ file, at });
}

static bool wants(const struct counting *c, const char *path)
{
	return (c->native && call_native_wants(c->native, path)) || (c->python && call_python_wants(path));
}

static void note_missed(struct counting *c, const char *path)
{
	if (!wants(c, path))
		return;
	vec_each(&c->missed, it)
		if (!strcmp(*it, path))
			return;
	vec_push(&c->missed, xstrdup(path));
	if (c->native)
		call_native_miss(c->native, path);
}

static void tell_missed(const struct counting *c)
{
	struct str names = { 0 };
	size_t i;

	for (i = 0; i < c->missed.nr && i < 4; i++)
		str_addf(&names, "%s%s", i ? ", " : "", c->missed.at[i]);
	if (i < c->missed.nr)
		str_addf(&names, " and %zu more", c->missed.nr - i);
	if (i)
		log_warn("calls in %s are not counted: the file, or its process, was gone before it could be searched", names.s);
	str_release(&names);
}

static void miss_unknown(struct counting *c)
{
	vec_each(&c->mapped, m)
		if (!c->is_known.at[m->file])
			note_missed(c, m->at.path);
	c->mapped.nr = 0;
}

/* What came after the last look. */
static void write_missed(struct counting *c)
{
	miss_unknown(c);
	vec_each(&c->to_follow.at, pid)
		if ((c->native && !pids_has(&c->native->pids, *pid)) ||
		    (c->python && !pids_has(&c->python->pids, *pid)))
			call_core_write_partial(c->core, *pid, *pid);
}

void counting_see(struct counting *c, const struct record *rec)
{
	if (!c)
		return;
	switch (rec->type) {
	case PERF_RECORD_SAMPLE:
		call_core_see(c->core, rec);
		break;
	case PERF_RECORD_FORK:
		if (rec->pid != rec->task.ppid)
			counting_follow(c, rec->pid);
		break;
	case PERF_RECORD_COMM:
		if (rec->misc & PERF_RECORD_MISC_COMM_EXEC)
			counting_follow(c, rec->pid);
		break;
	case PERF_RECORD_EXIT:
		note_end(c, rec->pid, rec->tid, rec->time);
		break;
	case PERF_RECORD_MMAP2:
		if (rec->mmap.prot & PROT_EXEC && !is_no_file(rec->mmap.path))
			note_mapping(c, rec);
		if (c->python && call_python_refuses(c->python, rec->mmap.path))
			counting_follow(c, rec->pid);
		break;
	}
}

void counting_forget(struct counting *c, uint32_t pid)
{
	size_t i;

	for (i = 0; c && i < c->ended.nr; i++)
		if (c->ended.at[i].pid == pid)
			vec_remove(&c->ended, i--, 1);
	if (c && c->native)
		call_native_forget(c->native, pid);
	if (c && c->python)
		call_python_forget(c->python, pid);
}

static void attach_again(struct counting *c, uint32_t pid, uint32_t task)
{
	if (c->native)
		call_native_attach_again(c->native, pid);
	if (c->python)
		call_python_attach_again(c->python, pid);
	log_warn("process %u: thread %u has ended, by which its calls were counted, and others go on: some may be missing", pid,
		 task);
}

/* The kernel takes probes out that hang at what has ended, or puts none into what is mapped from then on. */
static void look_at_ended(struct counting *c, uint64_t now_ns)
{
	size_t i, nr = 0;

	for (i = 0; i < c->ended.nr; i++) {
		struct ended_thread t = c->ended.at[i];
		uint32_t task = process_live_task(t.pid);

		if (task == t.tid || now_ns < t.time_ns + ALL_END_MS * 1000000ULL)
			c->ended.at[nr++] = t;
		else if (task && hangs_at(c, t.tid))
			attach_again(c, t.pid, t.tid);
	}
	c->ended.nr = nr;
}

/* Whose probes were not attached again. */
static void doubt_ended(struct counting *c)
{
	vec_each(&c->ended, t) {
		uint32_t task = process_live_task(t->pid);

		if (!task || task == t->tid)
			continue;
		if (c->native)
			call_native_doubt(c->native, t->pid);
		if (c->python && call_python_hangs_at(c->python, t->tid))
			call_python_doubt(c->python);
	}
}

/* What one process has no more, another one may have. */
static void look_at_mapped(struct counting *c)
{
	vec_each(&c->mapped, m) {
		bool is_had = true;

		if (c->is_known.at[m->file])
			continue;
		if (c->native)
			is_had &= call_native_map(c->native, &m->at);
		if (c->python)
			is_had &= call_python_map(c->python, &m->at);
		c->is_known.at[m->file] = is_had;
	}
	miss_unknown(c);
}

static void follow(struct counting *c)
{
	vec_each(&c->to_follow.at, pid) {
		if (c->native)
			call_native_follow(c->native, *pid);
		if (c->python)
			call_python_follow(c->python, *pid);
	}
	c->to_follow.at.nr = 0;
}

void counting_tick(struct counting *c, uint64_t now_ns)
{
	if (!c)
		return;
	look_at_ended(c, now_ns);
	follow(c);
	look_at_mapped(c);
	if (c->native)
		call_cost_tick(&c->cost, c->native, now_ns);
	if (c->python)
		python_cost_tick(c->python, now_ns);
}

void counting_end(struct counting *c)
{
	if (c)
		call_core_stop(c->core);
}

void counting_read_rest(struct counting *c)
{
	if (!c)
		return;
	/* Of its own thread nothing is to be read. */
	if (c->python)
		python_cost_forget(c->python);
	call_core_read_rest(c->core);
}

void counting_finish(struct counting *c)
{
	struct call_totals totals;
	struct tally tallies[2];

	if (!c)
		return;
	doubt_ended(c);
	write_missed(c);
	call_core_write_rest(c->core);
	tell_missed(c);
	if (c->native)
		call_native_mark_lost(c->native);
	if (c->python)
		call_python_mark_lost(c->python);
	totals = call_core_totals(c->core);
	tallies[0] = (struct tally){ "calls_lost", totals.nr_lost };
	tallies[1] = (struct tally){ "calls_callerless", totals.nr_callerless };
	writer_note_tally(c->writer, tallies, ARRAY_LEN(tallies));
	if (c->native) {
		call_cost_tell(&c->cost, c->native);
		call_native_tell_unmet(c->native, !c->missed.nr);
	}
	if (c->python && c->python->nr_usable)
		python_cost_tell(c->python);
	else if (c->python)
		log_warn("--calls python: the target ran no Python that can be counted");
}

void counting_free(struct counting *c)
{
	if (!c)
		return;
	call_native_free(c->native);
	call_python_free(c->python);
	call_core_free(c->core);
	call_cost_release(&c->cost);
	vec_release(&c->mapped);
	vec_release(&c->is_known);
	strings_release(&c->files);
	vec_release(&c->ended);
	vec_each(&c->missed, path)
		free(*path);
	vec_release(&c->missed);
	pids_release(&c->to_follow);
	free(c);
}
