/* SPDX-License-Identifier: Apache-2.0 */
#include "report/session.h"

#include "report/session_notes.h"

/* Linux 5.17; in older headers missing. */
#ifndef PERF_RECORD_MISC_FORK_EXEC
#define PERF_RECORD_MISC_FORK_EXEC (1 << 13)
#endif

void session_init(struct session *s, struct reader *reader, struct symbolizer *symbolizer,
		  struct strings *strings)
{
	*s = (struct session){ .reader = reader, .symbolizer = symbolizer, .strings = strings };
	strings_id(strings, "");
	if (symbolizer)
		symbolizer_next_recording(symbolizer);
}

void session_release(struct session *s)
{
	vec_each(&s->processes, p)
		space_release(&p->space);
	vec_each(&s->files, f) {
		free((char *)f->head.path);
		str_release(&f->bytes);
	}
	vec_release(&s->processes);
	vec_release(&s->threads);
	vec_release(&s->free_processes);
	vec_release(&s->free_threads);
	vec_release(&s->markers);
	vec_release(&s->files);
	u64map_release(&s->process_of_pid);
	u64map_release(&s->thread_of_ids);
	u64map_release(&s->marker_of_id);
	u64map_release(&s->file_of_id);
	u64map_release(&s->module_of_path);
}

/* ---- processes and threads ---- */

static void set_name(struct session *s, uint32_t *name, uint32_t id)
{
	strings_hold(s->strings, id);
	strings_drop(s->strings, *name);
	*name = id;
}

static uint32_t process_add(struct session *s, uint32_t pid)
{
	struct process p = { .pid = pid, .unknown = UINT32_MAX };
	uint32_t index = (uint32_t)s->processes.nr;

	if (s->free_processes.nr) {
		index = *vec_last(&s->free_processes);
		s->free_processes.nr--;
		/* Empty; its generation goes on. */
		p.space = s->processes.at[index].space;
		s->processes.at[index] = p;
	} else {
		vec_push(&s->processes, p);
	}
	u64map_set(&s->process_of_pid, pid, index);
	return index;
}

static uint32_t process_of(struct session *s, uint32_t pid)
{
	const uint32_t *index = u64map_get(&s->process_of_pid, pid);

	return index ? *index : process_add(s, pid);
}

static uint64_t thread_key(uint32_t pid, uint32_t tid)
{
	return (uint64_t)pid << 32 | tid;
}

static uint32_t thread_place(struct session *s, struct thread t)
{
	uint32_t index = (uint32_t)s->threads.nr;

	if (!s->free_threads.nr) {
		vec_push(&s->threads, t);
		return index;
	}
	index = *vec_last(&s->free_threads);
	s->free_threads.nr--;
	s->threads.at[index] = t;
	return index;
}

static uint32_t thread_add(struct session *s, uint32_t pid, uint32_t tid)
{
	struct thread t = { .pid = pid, .tid = tid };
	uint32_t index;

	t.process = process_of(s, pid);
	set_name(s, &t.name, s->processes.at[t.process].name);
	index = thread_place(s, t);
	s->processes.at[t.process].nr_threads++;
	s->processes.at[t.process].nr_kept++;
	u64map_set(&s->thread_of_ids, thread_key(pid, tid), index);
	return index;
}

uint32_t session_find_thread(const struct session *s, uint32_t pid, uint32_t tid)
{
	const uint32_t *index = u64map_get(&s->thread_of_ids, thread_key(pid, tid));

	return index ? *index : UINT32_MAX;
}

uint32_t session_thread(struct session *s, uint32_t pid, uint32_t tid)
{
	uint32_t index = session_find_thread(s, pid, tid);

	return index != UINT32_MAX ? index : thread_add(s, pid, tid);
}

uint32_t session_unknown_thread(struct session *s, uint32_t pid)
{
	struct thread t = { .pid = pid, .tid = UINT32_MAX, .process = process_of(s, pid) };
	uint32_t known = s->processes.at[t.process].unknown;

	if (known != UINT32_MAX)
		return known;
	known = thread_place(s, t);
	s->processes.at[t.process].unknown = known;
	return known;
}

/* The ids may stand for another one by now. */
static void forget_ids(struct u64map *m, uint64_t key, uint32_t index)
{
	const uint32_t *known = u64map_get(m, key);

	if (known && *known == index)
		u64map_remove(m, key);
}

static void forget_process(struct session *s, uint32_t process)
{
	struct process *p = &s->processes.at[process];

	forget_ids(&s->process_of_pid, p->pid, process);
	space_clear(&p->space);
	strings_drop(s->strings, p->name);
	if (p->unknown != UINT32_MAX)
		vec_push(&s->free_threads, p->unknown);
	vec_push(&s->free_processes, process);
}

static void forget_thread(struct session *s, uint32_t thread)
{
	struct thread *t = &s->threads.at[thread];

	forget_ids(&s->thread_of_ids, thread_key(t->pid, t->tid), thread);
	strings_drop(s->strings, t->name);
	vec_push(&s->free_threads, thread);
	if (!--s->processes.at[t->process].nr_kept)
		forget_process(s, t->process);
}

static void thread_end(struct session *s, uint32_t thread)
{
	struct thread *t = &s->threads.at[thread];
	uint32_t *oldest = &s->ended[s->nr_ended % SESSION_ENDED_KEPT];

	if (t->is_ended)
		return;
	t->is_ended = true;
	s->processes.at[t->process].nr_threads--;
	if (!s->forgets_ended)
		return;
	if (s->nr_ended >= SESSION_ENDED_KEPT)
		forget_thread(s, *oldest);
	*oldest = thread;
	s->nr_ended++;
}

bool session_is_last_thread(const struct session *s, uint32_t thread)
{
	const struct thread *t = &s->threads.at[thread];

	return !t->is_ended && s->processes.at[t->process].nr_threads == 1;
}

/*
 * A new process sees what its parent saw. perf makes up forks for processes that it found running,
 * and flags them: their mappings are made up as well, and the parent's may be those of another
 * program.
 */
static void take_new_process(struct session *s, const struct record *r)
{
	const uint32_t *parent = u64map_get(&s->process_of_pid, r->task.ppid);
	const uint32_t *known = u64map_get(&s->process_of_pid, r->pid);
	uint32_t from = parent ? *parent : UINT32_MAX, child;

	if (r->misc & PERF_RECORD_MISC_FORK_EXEC) {
		process_of(s, r->pid);
		return;
	}
	/* Its own mappings, where it has some, are more than a parent that nothing is known of. */
	if (!parent && known)
		return;
	child = process_add(s, r->pid);
	s->processes.at[child].is_newcomer = true;
	if (from == UINT32_MAX)
		return;
	space_fork(&s->processes.at[child].space, &s->processes.at[from].space);
	set_name(s, &s->processes.at[child].name, s->processes.at[from].name);
}

static void take_exit(struct session *s, const struct record *r)
{
	uint32_t thread = session_find_thread(s, r->pid, r->tid);

	if (thread != UINT32_MAX)
		thread_end(s, thread);
}

static void take_fork(struct session *s, const struct record *r)
{
	uint32_t parent, thread;

	/* Ids that are used again: the EXIT between was lost. */
	take_exit(s, r);

	if (r->task.ppid != r->pid)
		take_new_process(s, r);
	parent = session_find_thread(s, r->task.ppid, r->task.ptid);
	thread = thread_add(s, r->pid, r->tid);
	if (parent != UINT32_MAX)
		set_name(s, &s->threads.at[thread].name, s->threads.at[parent].name);
}

static void take_comm(struct session *s, const struct record *r)
{
	uint32_t index = session_thread(s, r->pid, r->tid);
	struct thread *t = &s->threads.at[index];
	struct process *p = &s->processes.at[t->process];
	uint32_t name;

	name = strings_hold_n(s->strings, r->comm.name, strlen(r->comm.name));
	set_name(s, &t->name, name);
	if (r->pid == r->tid || r->comm.is_exec)
		set_name(s, &p->name, name);
	strings_drop(s->strings, name);
	if (r->comm.is_exec) {
		space_clear(&p->space);
		p->is_uncounted = false;
	}
}

/* ---- mappings ---- */

/* Of memory that was made at run time there may be a copy too, but its code is no file's. */
static bool is_embedded(const struct session *s, const char *path)
{
	vec_each(&s->files, f)
		if (f->head.kind == FILE_ELF && f->is_elf && !strcmp(f->head.path, path))
			return true;
	return false;
}

/*
 * Memory without a file behind it: what runs there was made at run time. The kernel's names for it:
 * fs/proc/task_mmu.c and mm/; shared ones have a file that no path reaches.
 */
static bool is_jit_path(const struct session *s, const char *path)
{
	static const char *const prefixes[] = {
		"[", "//anon", "anon_inode:", "/anon_hugepage", "/dev/zero", "/memfd:", "/SYSV"
	};
	size_t i;

	if (!*path)
		return true;
	if (!strcmp(path, "[vdso]"))
		return false;
	for (i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(path, prefixes[i]))
			return !is_embedded(s, path);
	return false;
}

uint32_t session_module(struct session *s, const char *path, const struct build_id *recorded)
{
	struct module_key key = { .kind = MODULE_ELF, .path = path };
	uint32_t path_id = strings_id(s->strings, path), module;
	const uint32_t *known = recorded->len ? NULL : u64map_get(&s->module_of_path, path_id);
	struct build_id id = *recorded;

	if (known)
		return *known;
	if (id.len || reader_find_build_id(s->reader, path, &id)) {
		key.build_id = id.bytes;
		key.build_id_len = id.len;
	}
	module = symbolizer_module(s->symbolizer, &key);
	if (!recorded->len)
		u64map_set(&s->module_of_path, path_id, module);
	return module;
}

static uint32_t module_of_jit(struct session *s, const char *path, uint32_t pid)
{
	struct module_key key = { .kind = MODULE_JIT, .path = path, .pid = pid };

	return symbolizer_module(s->symbolizer, &key);
}

static bool is_kernel_record(const struct record *r)
{
	return r->pid == UINT32_MAX ||
	       (r->misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
}

/*
 * Of the kernel's own mappings only where it begins matters: "[kernel.kallsyms]_stext" or _text,
 * the symbol that the recorder measured it by. All of the kernel is one module, found by its
 * addresses.
 */
static void take_kernel_mmap(struct session *s, const struct record *r)
{
	if (!str_starts(r->mmap.path, "[kernel.kallsyms]") || s->kernel_start)
		return;
	s->kernel_start = r->mmap.start;
	s->kernel_build_id = r->mmap.build_id;
}

static void take_mmap(struct session *s, const struct record *r)
{
	struct mapping m = { .start = r->mmap.start, .end = r->mmap.start + r->mmap.len };
	uint32_t process;

	if (is_kernel_record(r)) {
		take_kernel_mmap(s, r);
		return;
	}
	if (!s->symbolizer)
		return;
	if (is_jit_path(s, r->mmap.path)) {
		m.off = m.start;
		m.module = module_of_jit(s, r->mmap.path, r->pid);
	} else {
		m.off = r->mmap.off;
		m.module = session_module(s, r->mmap.path, &r->mmap.build_id);
	}
	process = process_of(s, r->pid);
	space_map(&s->processes.at[process].space, m);
}

static struct code kernel_code(struct session *s, uint64_t addr)
{
	if (!s->has_kernel_module) {
		struct build_id id = s->kernel_build_id;
		struct module_key key = { .kind = MODULE_KERNEL,
					  .path = "[kernel]",
					  .kernel_start = s->kernel_start };

		if (id.len || reader_find_build_id(s->reader, "[kernel.kallsyms]", &id)) {
			key.build_id = id.bytes;
			key.build_id_len = id.len;
		}
		s->kernel_module = symbolizer_module(s->symbolizer, &key);
		s->has_kernel_module = true;
	}
	return (struct code){ .module = s->kernel_module, .is_kernel = true, .addr = addr };
}

static struct code unknown_code(struct session *s, uint64_t addr)
{
	if (!s->has_unknown_module) {
		struct module_key key = { .kind = MODULE_UNKNOWN, .path = "[unknown]" };

		s->unknown_module = symbolizer_module(s->symbolizer, &key);
		s->has_unknown_module = true;
	}
	return (struct code){ .module = s->unknown_module, .addr = addr };
}

struct code session_locate(struct session *s, uint32_t process, unsigned int cpumode, uint64_t addr)
{
	const struct mapping *m;

	if (cpumode == PERF_RECORD_MISC_KERNEL)
		return kernel_code(s, addr);
	m = cpumode == PERF_RECORD_MISC_USER ? space_find(&s->processes.at[process].space, addr) :
					       NULL;
	if (!m)
		return unknown_code(s, addr);
	return (struct code){ .module = m->module, .addr = addr - m->start + m->off };
}

/* ---- what notes said ---- */

const struct marker *session_marker(const struct session *s, uint32_t id)
{
	const uint32_t *index = u64map_get(&s->marker_of_id, id);

	return index ? &s->markers.at[*index] : NULL;
}

/* Our own recordings say it at their begin, where one that is cut short has it too. */
uint64_t session_epoch_ns(struct session *s, uint64_t ns)
{
	uint64_t wall_ns, clock_ns;

	if (!s->wall_clock.nr && reader_wall_clock(s->reader, &wall_ns, &clock_ns))
		wall_clock_set(&s->wall_clock, clock_ns, wall_ns);
	return wall_clock_at(&s->wall_clock, ns);
}

/* ---- the whole ---- */

void session_record(struct session *s, const struct record *r)
{
	switch (r->type) {
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
		take_mmap(s, r);
		break;
	case PERF_RECORD_COMM:
		take_comm(s, r);
		break;
	case PERF_RECORD_FORK:
		take_fork(s, r);
		break;
	case PERF_RECORD_EXIT:
		take_exit(s, r);
		break;
	case PERF_RECORD_LOST:
	case PERF_RECORD_LOST_SAMPLES:
		s->nr_lost += r->lost.nr;
		break;
	case PERF_RECORD_KSYMBOL:
		if (s->symbolizer && r->ksymbol.name)
			symbolizer_add_kernel_code(s->symbolizer, r->ksymbol.addr, r->ksymbol.len, r->ksymbol.name);
		break;
	case PERF_RECORD_THROTTLE:
		s->nr_throttled++;
		break;
	case PERF_RECORD_EVENT_UPDATE:
		session_take_note(s, r);
		break;
	}
}

void session_finish(struct session *s)
{
	/* The records of a loss may be lost as well. */
	if (s->nr_lost_told > s->nr_lost)
		s->nr_lost = s->nr_lost_told;
	session_give_cut_files(s);
}
