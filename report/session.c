/* SPDX-License-Identifier: Apache-2.0 */
#include "report/session.h"

#include <elf.h>
#include <math.h>

#include "base/units.h"

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
	struct process p = { .pid = pid };
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

static uint32_t thread_add(struct session *s, uint32_t pid, uint32_t tid)
{
	struct thread t = { .pid = pid, .tid = tid };
	uint32_t index = (uint32_t)s->threads.nr;

	t.process = process_of(s, pid);
	set_name(s, &t.name, s->processes.at[t.process].name);
	if (s->free_threads.nr) {
		index = *vec_last(&s->free_threads);
		s->free_threads.nr--;
		s->threads.at[index] = t;
	} else {
		vec_push(&s->threads, t);
	}
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
	if (r->comm.is_exec)
		space_clear(&p->space);
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

/* ---- notes ---- */

static void take_marker(struct session *s, struct cursor payload)
{
	struct note_marker note;
	struct marker m;
	const uint32_t *known;

	if (!note_parse_marker(payload, &note))
		return;
	m = (struct marker){ .id = note.id,
			     .flags = note.flags,
			     .name = strings_id(s->strings, note.name),
			     .spec = strings_id(s->strings, note.spec) };
	known = u64map_get(&s->marker_of_id, note.id);
	if (known) {
		s->markers.at[*known] = m;
	} else {
		vec_push(&s->markers, m);
		u64map_set(&s->marker_of_id, m.id, (uint32_t)s->markers.nr - 1);
	}
}

const struct marker *session_marker(const struct session *s, uint32_t id)
{
	const uint32_t *index = u64map_get(&s->marker_of_id, id);

	return index ? &s->markers.at[*index] : NULL;
}

static void give_file(struct session *s, struct file_copy *f)
{
	if (!s->symbolizer)
		f->is_given = true;
	if (f->is_given)
		return;
	f->is_given = true;
	if (f->head.kind == FILE_PERF_MAP)
		symbolizer_add_perf_map(s->symbolizer, f->head.pid, str_cstr(&f->bytes),
					f->bytes.len);
	else if (f->head.kind == FILE_KALLSYMS)
		symbolizer_add_kallsyms(s->symbolizer, f->head.build_id.bytes,
					f->head.build_id.len, str_cstr(&f->bytes), f->bytes.len);
	else
		symbolizer_add_elf(s->symbolizer, f->head.path,
				   f->head.build_id.len ? f->head.build_id.bytes : NULL,
				   f->head.build_id.len, str_cstr(&f->bytes), f->bytes.len);
	str_release(&f->bytes);
}

static struct file_copy *file_of(struct session *s, const struct note_file *note)
{
	const uint32_t *known = u64map_get(&s->file_of_id, note->id);

	if (known)
		return &s->files.at[*known];
	u64map_set(&s->file_of_id, note->id, (uint32_t)s->files.nr);
	vec_push(&s->files, (struct file_copy){ .head = *note });
	vec_last(&s->files)->head.path = xstrdup(note->path);
	vec_last(&s->files)->head.chunk = NULL;
	return vec_last(&s->files);
}

/* Memory grows with the chunks that are there, never with the size that the first one promises. */
static void take_file(struct session *s, struct cursor payload)
{
	struct note_file note;
	struct file_copy *f;

	if (!note_parse_file(payload, &note) || note.kind < FILE_ELF || note.kind > FILE_KALLSYMS)
		return;
	f = file_of(s, &note);
	if (f->is_given || note.off != f->bytes.len || note.size != f->head.size)
		return;
	str_add_bytes(&f->bytes, note.chunk, note.chunk_len);
	f->is_elf = f->bytes.len >= SELFMAG && !memcmp(f->bytes.s, ELFMAG, SELFMAG);
	if (f->bytes.len == f->head.size)
		give_file(s, f);
}

/* A decimal number above 0, or 0. */
static double parse_rate(const char *text)
{
	char *end;
	double rate = strtod(text, &end);

	return end != text && !*end && isfinite(rate) && rate > 0 ? rate : 0;
}

/* 0: no time. */
static uint64_t parse_time(const char *text)
{
	uint64_t ns;

	return parse_u64(text, 1, INT64_MAX, &ns) ? ns : 0;
}

static void take_info(struct session *s, struct cursor payload)
{
	uint64_t begin_epoch_ns = 0, set_ns = 0, set_epoch_ns = 0;
	const char *key, *value;

	/* Only wperf writes notes, and it brought the maps of its processes along. */
	if (s->symbolizer)
		symbolizer_set_self_contained(s->symbolizer);
	while (note_next_info(&payload, &key, &value))
		if (!strcmp(key, "marker"))
			s->marker_info = strings_id(s->strings, value);
		else if (!strcmp(key, "cycles_per_second"))
			s->cycles_per_second = parse_rate(value);
		else if (!strcmp(key, "begin_ns"))
			s->begin_ns = parse_time(value);
		else if (!strcmp(key, "begin_epoch_ns"))
			begin_epoch_ns = parse_time(value);
		else if (!strcmp(key, "set_ns"))
			set_ns = parse_time(value);
		else if (!strcmp(key, "set_epoch_ns"))
			set_epoch_ns = parse_time(value);
		else if (!strcmp(key, "end_ns"))
			s->end_ns = parse_time(value);
	wall_clock_set(&s->wall_clock, s->begin_ns, begin_epoch_ns);
	wall_clock_set(&s->wall_clock, set_ns, set_epoch_ns);
}

/* Our own recordings say it at their begin, where one that is cut short has it too. */
uint64_t session_epoch_ns(const struct session *s, uint64_t ns)
{
	struct wall_clock perfs = { 0 };
	uint64_t wall_ns, clock_ns;

	if (s->wall_clock.nr)
		return wall_clock_at(&s->wall_clock, ns);
	if (reader_wall_clock(s->reader, &wall_ns, &clock_ns))
		wall_clock_set(&perfs, clock_ns, wall_ns);
	return wall_clock_at(&perfs, ns);
}

/* The last note wins: it is counted on from the one before. */
static void take_tally(struct session *s, struct cursor payload)
{
	const struct {
		const char *key;
		uint64_t *count;
	} ours[] = {
		{ "lost", &s->nr_lost_told },
		{ "marks_unsent", &s->nr_marks_unsent },
		{ "calls_lost", &s->nr_calls_lost },
		{ "calls_callerless", &s->nr_calls_callerless },
		{ "io_uring", &s->nr_io_uring },
		{ "processes_not_followed", &s->nr_processes_not_followed },
		{ "files_unreachable", &s->nr_files_unreachable },
	};
	const char *key;
	uint64_t count;
	size_t i;

	while (note_next_tally(&payload, &key, &count)) {
		unwind_tally_set(&s->stacks, key, count);
		for (i = 0; i < ARRAY_LEN(ours); i++)
			if (!strcmp(key, ours[i].key))
				*ours[i].count = count;
	}
}

static void take_note(struct session *s, const struct record *r)
{
	switch (r->note.kind) {
	case NOTE_INFO:
		take_info(s, r->note.payload);
		break;
	case NOTE_MARKER:
		take_marker(s, r->note.payload);
		break;
	case NOTE_FILE:
		take_file(s, r->note.payload);
		break;
	case NOTE_TALLY:
		take_tally(s, r->note.payload);
		break;
	}
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
		take_note(s, r);
		break;
	}
}

/* A perf map is lines of text: what is there of it serves. Half an ELF image does not. */
void session_finish(struct session *s)
{
	/* The records of a loss may be lost as well. */
	if (s->nr_lost_told > s->nr_lost)
		s->nr_lost = s->nr_lost_told;
	vec_each(&s->files, f) {
		if (f->is_given)
			continue;
		s->nr_cut_files++;
		if (f->head.kind == FILE_PERF_MAP)
			give_file(s, f);
	}
}
