/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which of Python's functions a code object is, what it is called, and when another one lies where it lay. */
#ifndef COLLECTOR_PYTHON_FUNCTIONS_BPF_H
#define COLLECTOR_PYTHON_FUNCTIONS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "collector/python_calls.h"

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

/* A hash of a function -> its id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PYTHON_MAX_FUNCTIONS);
	__type(key, __u64);
	__type(value, __u32);
} python_ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct python_config);
} python_config SEC(".maps");

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

static __noinline void read_function(struct python_function *ret, const struct code_head *code)
{
	__builtin_memset(ret, 0, sizeof(*ret));
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

static __noinline __u64 hash_of(const struct python_function *f)
{
	const __u64 *words = (const __u64 *)f;
	__u64 hash = 0;
	__u32 i;

	for (i = 0; i < sizeof(*f) / sizeof(*words); i++)
		hash = ((hash ^ hash >> 29) + words[i]) * PYTHON_MIX;
	return hash ^ hash >> 32;
}

/* 0: there is no room for another one. */
static __noinline __u32 make_id(const struct python_function *f, __u64 hash)
{
	struct python_config *config;
	__u32 zero = 0, id;

	config = bpf_map_lookup_elem(&python_config, &zero);
	if (!config)
		return 0;
	id = config->first_function + __sync_fetch_and_add(&config->next_function, 1);
	if (bpf_map_update_elem(&python_functions, &id, f, BPF_ANY))
		return 0;
	bpf_map_update_elem(&python_ids, &hash, &id, BPF_ANY);
	return id;
}

/* As it was read. 0: there is no room for another one. */
static __noinline __u32 make_function(const struct python_function *f, const struct python_code_key *key,
				      const struct code_head *code, __u64 process)
{
	struct python_code_seen seen = { .process = process,
					 .file = code->file,
					 .name = code->name,
					 .line = code->line };
	__u64 hash = hash_of(f);
	__u32 *known = bpf_map_lookup_elem(&python_ids, &hash);

	seen.id = known && is_function(f, *known) ? *known : make_id(f, hash);
	/* Where there is no room, it is looked at each time. */
	if (seen.id)
		bpf_map_update_elem(&python_codes, key, &seen, BPF_ANY);
	return seen.id;
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
	read_function(f, &code);
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

struct bpf_map;

static long forget_code(struct bpf_map *map, struct python_code_key *key, struct python_code_seen *seen, __u32 *pid)
{
	if (key->pid == *pid)
		bpf_map_delete_elem(map, key);
	return 0;
}

/* The current process ends. */
static __always_inline void forget_codes(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	bpf_for_each_map_elem(&python_codes, forget_code, &pid, 0);
}

#endif
