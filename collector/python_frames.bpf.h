/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The frames of Python's that a thread is in: what each is in the tree of calls, and how the innermost one's callers are
 * found by what frames return to.
 */
#ifndef COLLECTOR_PYTHON_FRAMES_BPF_H
#define COLLECTOR_PYTHON_FRAMES_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "collector/calls.bpf.h"
#include "collector/python_calls.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PYTHON_MORE_FRAMES);
	__type(key, struct python_more_key);
	__type(value, struct python_running);
} python_more SEC(".maps");

static __always_inline __u64 read_word(__u64 addr)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)addr);
	return word;
}

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
	if (!r->depth && p->nr_untold) {
		r->node = calls_without_caller(function);
	} else if (r->depth >= PYTHON_MAX_DEPTH) {
		r->node = calls_child_of_several(r->depth > PYTHON_MAX_DEPTH ?
							 calls_parent(r->node) :
							 calls_find_child(r->node, CALL_SEVERAL),
						 function);
		r->depth = PYTHON_MAX_DEPTH + 1;
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

#endif
