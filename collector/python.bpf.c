// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Python's calls, and the time between them. There is a probe where the interpreter begins to run a
 * frame, or runs it on, and one where it leaves it: by return, yield, or an exception.
 *
 * Time is the wall clock's, and belongs to the innermost function of the thread. What the probes take
 * of it themselves is taken off each piece; where a piece was shorter, the rest is taken off the next one
 * (last_ns lies ahead then).
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} rings SEC(".maps");

#include "collector/calls.bpf.h"
#include "collector/python_calls.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct python_thread);
} python_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PYTHON_MORE_FRAMES);
	__type(key, struct python_more_key);
	__type(value, struct python_running);
} python_more SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PYTHON_MAX_FUNCTIONS);
	__type(key, struct python_code_key);
	__type(value, struct python_code_seen);
} python_codes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PYTHON_MAX_FUNCTIONS);
	__type(key, __u32);
	__type(value, struct python_function);
} python_functions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct python_config);
} python_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct python_hits);
} python_hits SEC(".maps");

#define PYTHON_MIX 0x9e3779b97f4a7c15ULL

struct task_struct {
	struct task_struct *group_leader;
	__u64 start_time;
	__u32 self_exec_id;	/* counts exec() */
} __attribute__((preserve_access_index));

/* ---- functions ---- */

static __always_inline __u64 read_word(__u64 addr)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)addr);
	return word;
}

/* Where a string object has its characters: from `off` on, nr_bytes, and one of that kind (their size) that is 0. */
struct text_place {
	__u32 kind;
	__u32 off, nr_bytes;
};

/* False: it cannot be read, or is longer than any name, or is not compact, as nobody makes them any more. */
static __noinline int find_text(__u64 addr, struct text_place *ret)
{
	__u64 head[5] = { 0 }, nr;
	__u32 state;

	if (bpf_probe_read_user(head, sizeof(head), (void *)addr))
		return 0;
	state = head[PYTHON_TEXT_STATE / 8];
	nr = head[PYTHON_TEXT_LENGTH / 8] * PYTHON_TEXT_KIND(state);
	if (!PYTHON_TEXT_IS_COMPACT(state) || nr > 0xffff)
		return 0;
	ret->kind = PYTHON_TEXT_KIND(state);
	ret->off = PYTHON_TEXT_IS_ASCII(state) ? PYTHON_TEXT_ASCII : PYTHON_TEXT_WIDE;
	ret->nr_bytes = nr;
	return 1;
}

static __noinline void read_text(__u64 addr, struct python_text *text, unsigned char *to,
				 __u32 room)
{
	struct text_place place = { 0 };
	__u64 at, nr;

	if (!find_text(addr, &place))
		return;
	at = addr + place.off;
	text->nr_bytes = nr = place.nr_bytes;
	if (nr > room)
		nr = room;
	if (nr > PYTHON_FILE_BYTES)
		nr = PYTHON_FILE_BYTES;
	barrier_var(nr);
	if (room == PYTHON_FILE_BYTES) {
		if (nr <= PYTHON_FILE_BYTES && !bpf_probe_read_user(to, nr, (void *)at))
			text->kind = place.kind;
	} else if (nr <= PYTHON_NAME_BYTES && !bpf_probe_read_user(to, nr, (void *)at)) {
		text->kind = place.kind;
	}
}

/* What is read of a code object at once: from the first line to the name. */
struct code_head {
	__u32 line, zero[9];
	__u64 file, name;
};

_Static_assert(sizeof(struct code_head) == PYTHON_CODE_NAME + 8 - PYTHON_CODE_FIRST_LINE,
	       "as it lies there");

static __always_inline struct python_code_key code_key(__u64 code_addr)
{
	return (struct python_code_key){ .code = code_addr, .pid = bpf_get_current_pid_tgid() >> 32 };
}

static __noinline void read_function(struct python_function *ret, const struct python_code_key *key,
				     const struct code_head *code)
{
	__builtin_memset(ret, 0, sizeof(*ret));
	ret->pid = key->pid;
	ret->line = code->line;
	read_text(code->file, &ret->file, ret->file_bytes, sizeof(ret->file_bytes));
	read_text(code->name, &ret->name, ret->name_bytes, sizeof(ret->name_bytes));
}

static __noinline int is_function(const struct python_function *f, __u32 id)
{
	const struct python_function *known = bpf_map_lookup_elem(&python_functions, &id);
	const __u64 *a = (const __u64 *)f, *b = (const __u64 *)known;
	__u32 i;

	if (!known)
		return 0;
	for (i = 0; i < sizeof(*f) / sizeof(*a); i++)
		if (a[i] != b[i])
			return 0;
	return 1;
}

/* As it was read. 0: there is no room for another one. */
static __noinline __u32 make_function(const struct python_function *f, const struct python_code_key *key,
				      const struct code_head *code, __u64 process)
{
	struct python_code_seen seen = { .process = process,
					 .file = code->file,
					 .name = code->name,
					 .line = code->line };
	struct python_config *config;
	__u32 zero = 0;

	config = bpf_map_lookup_elem(&python_config, &zero);
	if (!config)
		return 0;
	seen.id = config->first_function + __sync_fetch_and_add(&config->next_function, 1);
	if (bpf_map_update_elem(&python_functions, &seen.id, f, BPF_ANY))
		return 0;
	return bpf_map_update_elem(&python_codes, key, &seen, BPF_ANY) ? 0 : seen.id;
}

/*
 * Reads what lies there now. process: where what is freed is seen, else 0. Names that cannot be read now may be next time.
 * 0: it cannot be known.
 */
static __noinline __u32 look_at_function(struct python_function *f, const struct python_code_key *key, __u64 process)
{
	struct python_code_seen *seen;
	struct code_head code = { 0 };

	if (bpf_probe_read_user(&code, sizeof(code), (void *)(key->code + PYTHON_CODE_FIRST_LINE)))
		return 0;
	seen = bpf_map_lookup_elem(&python_codes, key);
	if (seen && (seen->line != code.line || seen->file != code.file || seen->name != code.name))
		seen = 0;
	read_function(f, key, &code);
	if (!f->file.kind || !f->name.kind)
		return seen ? seen->id : make_function(f, key, &code, 0);
	if (!seen || !is_function(f, seen->id))
		return make_function(f, key, &code, process);
	seen->process = process;
	return seen->id;
}

/* 0: it cannot be known. */
static __always_inline __u32 function_of(struct python_thread *p, __u64 code_addr, int is_freed_seen)
{
	struct python_code_key key = code_key(code_addr);
	struct python_code_seen *seen = is_freed_seen ? bpf_map_lookup_elem(&python_codes, &key) : 0;

	if (seen && seen->process == p->process)
		return seen->id;
	return look_at_function(&p->read, &key, is_freed_seen ? p->process : 0);
}

static __always_inline void free_code(__u64 code_addr)
{
	struct python_code_key key = code_key(code_addr);
	struct python_code_seen *seen = bpf_map_lookup_elem(&python_codes, &key);

	if (seen)
		seen->process = 0;
}

/* ---- the frames that a thread is in ---- */

static __always_inline struct python_bucket *bucket_of(struct python_thread *p, __u64 frame)
{
	__u64 i = frame * PYTHON_MIX >> 32 & (PYTHON_BUCKETS - 1);

	/* What is masked is what is used, for the verifier to see. */
	barrier_var(i);
	return &p->buckets[i & (PYTHON_BUCKETS - 1)];
}

static __always_inline struct python_more_key more_key(__u64 frame)
{
	return (struct python_more_key){ .frame = frame, .pid = bpf_get_current_pid_tgid() >> 32 };
}

/* Whether the thread is in it. */
static __noinline int find_frame(struct python_thread *p, __u64 frame, struct python_running *ret)
{
	struct python_bucket *b = bucket_of(p, frame);
	struct python_more_key key = more_key(frame);
	struct python_running *more;
	__u32 i;

	for (i = 0; i < PYTHON_BUCKET_FRAMES; i++)
		if (b->frames[i] == frame) {
			ret->node = b->nodes[i];
			ret->depth = b->depths[i];
			return 1;
		}
	more = p->nr_more ? bpf_map_lookup_elem(&python_more, &key) : 0;
	if (more)
		*ret = *more;
	return !!more;
}

static __noinline void keep_frame(struct python_thread *p, __u64 frame, const struct python_running *r)
{
	struct python_bucket *b = bucket_of(p, frame);
	struct python_more_key key = more_key(frame);
	__u32 i;

	for (i = 0; i < PYTHON_BUCKET_FRAMES; i++)
		if (!b->frames[i] || b->frames[i] == frame) {
			b->frames[i] = frame;
			b->nodes[i] = r->node;
			b->depths[i] = r->depth;
			return;
		}
	if (bpf_map_update_elem(&python_more, &key, r, BPF_ANY))
		p->nr_untold++;
	else
		p->nr_more++;
}

/* 0: the thread was not in it, or there was no room to know. */
static __noinline int forget_frame(struct python_thread *p, __u64 frame)
{
	struct python_bucket *b = bucket_of(p, frame);
	struct python_more_key key = more_key(frame);
	__u32 i;

	for (i = 0; i < PYTHON_BUCKET_FRAMES; i++)
		if (b->frames[i] == frame) {
			b->frames[i] = 0;
			return 1;
		}
	if (p->nr_more && !bpf_map_delete_elem(&python_more, &key)) {
		p->nr_more--;
		return 1;
	}
	if (p->nr_untold)
		p->nr_untold--;
	return 0;
}

/* What is read of a frame at once: from the code on. */
struct frame_head {
	__u64 code, object, previous, instruction, state;
};

_Static_assert(sizeof(struct frame_head) == PYTHON_FRAME_STATE + 8 - PYTHON_FRAME_CODE,
	       "as it lies there");

static __always_inline void read_frame(__u64 frame, struct frame_head *ret)
{
	bpf_probe_read_user(ret, sizeof(*ret), (void *)(frame + PYTHON_FRAME_CODE));
}

/* The way from a frame, by those that it returns to, to the first that the thread is known to be in. */
struct way {
	struct python_thread *p;
	__u64 at;
	__u64 resumed, code;		/* the first that goes on unseen; 0: none */
	__u32 is_called_alone;		/* what `at` called, or waits for, did not begin in its own loop */
	__u32 is_known;
	struct python_running known;
};

/*
 * It makes its cells, or its generator, or is shown to who traces, and that has called somebody: the garbage collector
 * calls finalizers.
 */
static __always_inline int is_about_to_begin(const struct frame_head *f)
{
	__u32 nr_before = read_word(f->code + PYTHON_CODE_NR_BEFORE);

	return f->instruction <= f->code + PYTHON_CODE_INSTRUCTIONS + nr_before * PYTHON_INSTRUCTION_BYTES;
}

/*
 * Frames that the thread is in, and did not come by where frames begin, are about to do that, or are generators'. Such
 * a one waits for another generator, that an exception was thrown into by way of it: it does not run, and is passed.
 * Or the other one has ended by that: then it goes on, behind the RESUME where it waited.
 */
static long go_up(__u32 i, void *self)
{
	struct frame_head f = { 0 };
	struct way *w = self;
	int is_generator;

	if (find_frame(w->p, w->at, &w->known)) {
		w->is_known = 1;
		return 1;
	}
	read_frame(w->at, &f);
	is_generator = PYTHON_STATE_OWNER(f.state) == PYTHON_OWNER_GENERATOR;
	if (!f.previous || (!is_generator && !is_about_to_begin(&f)))
		return 1;
	if (is_generator && !w->resumed && (!w->is_called_alone || PYTHON_STATE_RUNS(f.state))) {
		w->resumed = w->at;
		w->code = f.code;
	}
	w->is_called_alone = PYTHON_STATE_IS_ENTRY(f.state);
	w->at = f.previous;
	return 0;
}

static __always_inline void find_way(struct way *w)
{
	if (w->at && find_frame(w->p, w->at, &w->known))
		w->is_known = 1;
	else if (w->at && !w->p->nr_untold)
		bpf_loop(PYTHON_MAX_DEPTH, go_up, w, 0);
}

/* r: what calls it, or none; afterwards what it is itself. */
static __noinline void enter_frame(struct python_thread *p, __u64 frame, __u32 function,
				   struct python_running *r)
{
	if (r->depth >= PYTHON_MAX_DEPTH || (!r->depth && p->nr_untold)) {
		r->node = calls_without_caller(function);
	} else {
		r->node = calls_child(r->node, function);
		r->depth++;
	}
	keep_frame(p, frame, r);
}

static __always_inline void run_frame(struct python_thread *p, __u64 frame, __u64 previous)
{
	p->innermost = frame;
	p->previous = previous;
}

static __always_inline __u64 previous_of(const struct python_thread *p, __u64 frame)
{
	if (frame == p->innermost && p->previous)
		return p->previous;
	return read_word(frame + PYTHON_FRAME_PREVIOUS);
}

/* The node of what goes on then; CALL_ROOT: it is not known. */
static __always_inline __u32 leave_function(struct python_thread *p, __u64 frame)
{
	struct way w = { .p = p, .at = previous_of(p, frame), .is_called_alone = 1 };

	find_way(&w);
	run_frame(p, w.known.depth ? w.at : 0, 0);
	return w.known.node;
}

/* ---- time ---- */

/* More is not owed: it would be an error of the measurement, and would be taken from others. */
enum { OWED_HITS = 64 };

struct hit {
	__u64 now, frame;
	__u64 probe_ns;
	__u32 is_freed_seen;
};

static __always_inline void pass_time(void *ctx, struct call_thread *t, const struct hit *hit)
{
	__s64 ns = hit->now - t->last_ns - hit->probe_ns;

	if (!t->last_ns)
		return;
	if (ns < 0) {
		if (ns < -(__s64)(OWED_HITS * hit->probe_ns))
			ns = -(__s64)(OWED_HITS * hit->probe_ns);
		t->last_ns = hit->now - ns;
		return;
	}
	calls_add(ctx, t, t->running, 0, ns);
	t->last_ns = hit->now;
}

/* ---- the probes ---- */

/* A call of whose function nothing could be read, or for whose name there is no room. */
static __always_inline void lose(struct call_thread *t)
{
	t->flags |= CALL_IS_PARTIAL;
	calls_lost(1);
}

/* Generators that go on unseen: that is a call, too, and the time since the last hit is theirs. */
static __noinline void see_resumed(struct pt_regs *ctx, struct call_thread *t, struct way *w, int is_freed_seen)
{
	__u32 function;

	if (!w->resumed || !w->is_known)
		return;
	function = function_of(w->p, w->code, is_freed_seen);
	if (!function) {
		lose(t);
		return;
	}
	enter_frame(w->p, w->resumed, function, &w->known);
	calls_add(ctx, t, w->known.node, 1, 0);
	t->running = w->known.node;
}

static __noinline void entered(struct pt_regs *ctx, struct call_thread *t, struct python_thread *p,
			       const struct hit *hit)
{
	struct frame_head f = { 0 };
	struct way w = { .p = p };
	__u32 function;

	read_frame(hit->frame, &f);
	function = function_of(p, f.code, hit->is_freed_seen);
	if (!function) {
		lose(t);
		return;
	}
	w.at = f.previous;
	w.is_called_alone = PYTHON_STATE_IS_ENTRY(f.state);
	find_way(&w);
	see_resumed(ctx, t, &w, hit->is_freed_seen);
	pass_time(ctx, t, hit);
	enter_frame(p, hit->frame, function, &w.known);
	run_frame(p, hit->frame, f.previous);
	calls_add(ctx, t, w.known.node, 1, 0);
	t->running = w.known.node;
	if (!t->last_ns)
		t->last_ns = hit->now;
}

static __noinline void leave_unseen(struct pt_regs *ctx, struct call_thread *t, struct python_thread *p,
				    const struct hit *hit)
{
	struct way w = { .p = p, .at = hit->frame };

	find_way(&w);
	see_resumed(ctx, t, &w, hit->is_freed_seen);
	if (w.resumed && w.is_known)
		forget_frame(p, hit->frame);
}

static __noinline void left(struct pt_regs *ctx, struct call_thread *t, struct python_thread *p,
			    const struct hit *hit)
{
	__u32 nr_untold = p->nr_untold;

	if (!forget_frame(p, hit->frame) && !nr_untold)
		leave_unseen(ctx, t, p, hit);
	pass_time(ctx, t, hit);
	t->running = leave_function(p, hit->frame);
	if (t->running == CALL_ROOT)
		t->last_ns = 0;
	else if (!t->last_ns)
		t->last_ns = hit->now;
}

/* Not 0. */
static __always_inline __u64 process_of(const struct task_struct *task)
{
	return (task->group_leader->start_time + task->self_exec_id * PYTHON_MIX) | 1;
}

static __always_inline struct python_thread *begin(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct python_thread *p = bpf_task_storage_get(&python_threads, task, 0, 0);

	if (p)
		return p;
	p = bpf_task_storage_get(&python_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (p)
		p->process = process_of(task);
	return p;
}

/*
 * Whether the innermost frame comes by once more. Else it is another one that lies there: the one before was left unseen,
 * by an exception of the function that profiles or traces the thread, when told of the return.
 */
static __always_inline int is_again(const struct python_thread *p, __u64 frame, __u64 cookie)
{
	return p->innermost == frame && (p->announced == frame || PYTHON_COOKIE_MAY_BE_AGAIN(cookie));
}

/* is_everywhere: at each place hits of all the process's threads are seen, from the first one on. */
static __always_inline int see(struct pt_regs *ctx, int is_everywhere)
{
	struct hit hit = { .now = bpf_ktime_get_ns() };
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u16 reg = PYTHON_COOKIE_REG(cookie);
	struct python_config *config;
	struct python_thread *p;
	struct python_hits *hits;
	struct call_state *state;
	struct call_thread *t;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&call_state, &zero);
	config = bpf_map_lookup_elem(&python_config, &zero);
	hits = bpf_map_lookup_elem(&python_hits, &zero);
	if (!state || !config || !hits || reg > sizeof(*ctx) - sizeof(hit.frame))
		return 0;
	bpf_probe_read_kernel(&hit.frame, sizeof(hit.frame), (void *)ctx + reg);
	if (PYTHON_COOKIE_IS_FREED(cookie)) {
		free_code(hit.frame);
		return 0;
	}
	if (!state->generation)
		return 0;
	hit.probe_ns = config->probe_ns;
	hit.is_freed_seen = is_everywhere && PYTHON_COOKIE_IS_WITH_FREED(cookie);
	t = calls_begin();
	p = begin();
	if (!t || !p) {
		hits->nr_lost++;
		calls_lost(!PYTHON_COOKIE_IS_RETURN(cookie));
	} else if (PYTHON_COOKIE_IS_RETURN(cookie)) {
		hits->nr_returns++;
		left(ctx, t, p, &hit);
	} else if (!is_again(p, hit.frame, cookie)) {
		hits->nr_entries++;
		entered(ctx, t, p, &hit);
	}
	if (p)
		p->announced = PYTHON_COOKIE_IS_USDT(cookie) ? hit.frame : 0;
	if (t)
		calls_end(t);
	return 0;
}

SEC("uprobe")
int python_hit(struct pt_regs *ctx)
{
	return see(ctx, 0);
}

/* The same, loaded for uprobe-multi links. */
SEC("uprobe")
int python_hit_multi(struct pt_regs *ctx)
{
	return see(ctx, 1);
}

/* Nothing of what ran is there any more. calls_exec() sees to the time. */
SEC("raw_tp/sched_process_exec")
int python_exec(void *ctx)
{
	bpf_task_storage_delete(&python_threads, bpf_get_current_task_btf());
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
