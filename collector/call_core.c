/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_core.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/units.h"
#include "collector/call_link.h"
#include "collector/marker.h"

BPF_OBJECT(calls);

/* Shared by name; an object need not have them all. */
static const char *const shared_maps[] = { "call_threads", "call_totals", "call_children",
					   "call_nodes", "call_state" };

static int map_fd(const struct call_core *c, const char *name)
{
	return bpf_object__find_map_fd_by_name(c->object, name);
}

static int program_fd(const struct call_core *c, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(c->object, name));
}

/* ---- the programs' memory ---- */

static int set_constant(struct bpf_object *object)
{
	struct bpf_map *constants = bpf_object__find_map_by_name(object, ".rodata.calls");
	const uint32_t yes = 1;

	return bpf_map__set_initial_value(constants, &yes, sizeof(yes));
}

/* A kernel that does not know uprobe-multi links may refuse a program that is for them. */
static int set_multi(struct bpf_object *object, bool has_multi)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, "calls_hit_multi");

	return has_multi ? bpf_program__set_expected_attach_type(program, CALL_LINK_MULTI_TYPE) :
			   bpf_program__set_autoload(program, false);
}

static int load(struct call_core *c, uint32_t nr_functions, bool has_multi, struct err *e)
{
	struct bpf_object *object;
	int err;

	err = bpf_object_open_embedded("calls", bpf_object_calls, bpf_object_calls_end, NULL, &object,
				       e);
	if (err)
		return err;
	/* Ids begin at 1. */
	err = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "call_hits"),
				       nr_functions + 1);
	if (!err)
		err = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "call_extents"), nr_functions + 1);
	if (!err)
		err = set_constant(object);
	if (!err)
		err = set_multi(object, has_multi);
	if (err) {
		bpf_object__close(object);
		return err_set(e, err, "cannot set the BPF program 'calls' up: %m");
	}
	err = bpf_object_load("calls", object, e);
	if (!err)
		c->object = object;
	return err;
}

/* Maps of one page or more, which the kernel rounds up to. */
static void *map_memory(const struct call_core *c, const char *name, size_t len)
{
	int prot = PROT_READ | PROT_WRITE;
	void *at = mmap(NULL, len, prot, MAP_SHARED, map_fd(c, name), 0);

	return at == MAP_FAILED ? NULL : at;
}

static int attach_ends(struct call_core *c, struct err *e)
{
	static const char *const names[] = { "calls_exit", "calls_exec" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		c->links[i] = bpf_program__attach(bpf_object__find_program_by_name(c->object, names[i]));
		if (!c->links[i])
			return bpf_object_cannot_attach(names[i], -errno, e);
	}
	return 0;
}

#define NODES_BYTES (CALLS_MAX_NODES * sizeof(struct call_node))

int call_core_new(struct call_core **ret_core, uint32_t nr_functions, struct err *e)
{
	struct call_core *c = xcalloc(1, sizeof(*c));
	int err = load(c, nr_functions, true, e);

	if (err == -EOPNOTSUPP)
		err = load(c, nr_functions, false, e);
	if (!err) {
		c->nodes = map_memory(c, "call_nodes", NODES_BYTES);
		c->state = map_memory(c, "call_state", sizeof(*c->state));
		if (!c->nodes || !c->state)
			err = err_set(e, -errno, "cannot map the memory of a BPF program: %m");
	}
	if (!err)
		c->is_single = call_link_is_of_thread(call_link_ask(program_fd(c, "calls_hit_multi")));
	if (!err)
		err = attach_ends(c, e);
	if (err) {
		call_core_free(c);
		return err;
	}
	c->is_described = xcalloc(CALLS_MAX_NODES / 64, sizeof(*c->is_described));
	c->generation = 1;
	*ret_core = c;
	return 0;
}

void call_core_free(struct call_core *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < ARRAY_LEN(c->links); i++)
		bpf_link__destroy(c->links[i]);
	if (c->nodes)
		munmap((void *)c->nodes, NODES_BYTES);
	if (c->state)
		munmap(c->state, sizeof(*c->state));
	bpf_object__close(c->object);
	vec_release(&c->describing);
	str_release(&c->rest);
	free(c->is_described);
	free(c);
}

/* Where nothing is counted the maps are not made: the verifier takes out what would use them. */
int call_core_join(const struct call_core *c, struct bpf_object *object, struct err *e)
{
	size_t i;
	int err = 0;

	for (i = 0; i < ARRAY_LEN(shared_maps) && !err; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, shared_maps[i]);

		if (map)
			err = c ? bpf_map__reuse_fd(map, map_fd(c, shared_maps[i])) :
				  bpf_map__set_autocreate(map, false);
	}
	if (!err && c)
		err = set_constant(object);
	if (!err)
		return 0;
	bpf_object__close(object);
	return err_set(e, err, "cannot share the memory of a BPF program: %m");
}

int call_core_give_rings(struct call_core *c, const struct sampler *sampler, struct writer *w,
			 struct err *e)
{
	c->sampler = sampler;
	c->writer = w;
	return marker_give_rings(c->object, sampler, e);
}

/* ---- begin and end ---- */

static void set_generation(struct call_core *c, uint32_t generation)
{
	__atomic_store_n(&c->state->generation, generation, __ATOMIC_RELEASE);
}

void call_core_hold(struct call_core *c, uint32_t pid)
{
	c->state->command = pid;
}

void call_core_start(struct call_core *c)
{
	set_generation(c, c->generation);
}

void call_core_stop(struct call_core *c)
{
	set_generation(c, 0);
}

void call_core_stop_time(struct call_core *c)
{
	__atomic_store_n(&c->state->untimed_ns, monotonic_ns(), __ATOMIC_RELEASE);
}

/* 16 bits of a cookie; 0 is none. */
void call_core_prepare_generation(struct call_core *c)
{
	c->generation = c->generation == 0xffff ? 1 : c->generation + 1;
}

void call_core_keep_generation(struct call_core *c)
{
	c->generation = c->state->generation;
}

void call_core_next_generation(struct call_core *c)
{
	if (c->state->generation)
		set_generation(c, c->generation);
}

struct call_programs call_core_programs(const struct call_core *c)
{
	return (struct call_programs){ c->is_single ? -1 : program_fd(c, "calls_hit_multi"), program_fd(c, "calls_hit") };
}

void call_core_set_extent(struct call_core *c, uint32_t function, const struct call_extent *extent)
{
	bpf_map_update_elem(map_fd(c, "call_extents"), &function, extent, BPF_ANY);
}

/* ---- nodes ---- */

static bool is_new(struct call_core *c, uint32_t node)
{
	uint64_t bit = 1ULL << node % 64;
	bool is_known = c->is_described[node / 64] & bit;

	c->is_described[node / 64] |= bit;
	return !is_known;
}

static void describe_function(struct call_core *c, uint32_t function)
{
	if (function >= CALL_CORE_OTHER_FUNCTIONS && c->describe_other)
		c->describe_other(c->self, function, c->writer);
}

/* The node, and those above it, that were not described yet. */
static void describe(struct call_core *c, uint32_t node)
{
	while (!(node & CALL_LONE) && node && node < CALLS_MAX_NODES && is_new(c, node)) {
		struct call_node n = c->nodes[node];

		describe_function(c, n.function);
		vec_push(&c->describing, (struct note_node){ node, n.parent, n.function });
		node = n.parent;
	}
	if (node & CALL_LONE)
		describe_function(c, node & ~CALL_LONE);
}

static void describe_rows(struct call_core *c, struct cursor bytes)
{
	struct call_counts head;
	struct call_row row;
	unsigned int i;

	cursor_copy(&bytes, &head, sizeof(head));
	for (i = 0; !bytes.failed && i < head.nr; i++) {
		cursor_copy(&bytes, &row, sizeof(row));
		if (!bytes.failed)
			describe(c, row.node);
	}
	if (c->describing.nr)
		writer_note_nodes(c->writer, c->describing.at, c->describing.nr);
	c->describing.nr = 0;
}

void call_core_see(struct call_core *c, const struct record *mark)
{
	struct cursor bytes = cursor_of(mark->sample.raw, mark->sample.raw_len);

	if (cursor_u32(&bytes) == CALL_MARK_MAGIC)
		describe_rows(c, cursor_of(mark->sample.raw, mark->sample.raw_len));
}

/* ---- what is written here ---- */

static void write_mark(struct call_core *c, uint32_t pid, uint32_t tid, const void *bytes, size_t len)
{
	writer_mark(c->writer, EVENT_MARKS,
		    &(struct writer_mark){ .pid = pid, .tid = tid, .time = monotonic_ns(), .bytes = bytes, .len = len });
}

static void write_flags(struct call_core *c, uint32_t pid, uint32_t tid, unsigned short flags)
{
	const struct call_counts head = { .magic = CALL_MARK_MAGIC, .flags = flags };

	write_mark(c, pid, tid, &head, sizeof(head));
}

void call_core_write_partial(struct call_core *c, uint32_t pid, uint32_t tid)
{
	write_flags(c, pid, tid, CALL_IS_PARTIAL);
}

void call_core_write_uncounted(struct call_core *c, uint32_t pid)
{
	write_flags(c, pid, pid, CALL_IS_PARTIAL | CALL_IS_UNCOUNTED);
}

/* Threads that an iterator told of, one after the other. */
static void write_threads(struct call_core *c, struct cursor told)
{
	struct call_counts head;
	struct call_rest rest;
	struct cursor rows;

	for (;;) {
		cursor_copy(&told, &rest, sizeof(rest));
		rows = told;
		cursor_copy(&told, &head, sizeof(head));
		if (told.failed)
			return;
		cursor_skip(&told, head.nr * sizeof(struct call_row));
		if (told.failed)
			return;
		describe_rows(c, rows);
		write_mark(c, rest.pid, rest.tid, rows.at, sizeof(head) + head.nr * sizeof(struct call_row));
	}
}

/* All of it, before any is written: the kernel gives it out piece by piece. */
static int read_rest(struct call_core *c, struct str *ret)
{
	struct bpf_link *link;
	char piece[65536];
	ssize_t len = -1;
	int fd;

	link = bpf_program__attach_iter(bpf_object__find_program_by_name(c->object, "calls_rest"), NULL);
	fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	while (fd >= 0 && (len = read(fd, piece, sizeof(piece))) != 0)
		if (len > 0)
			str_add_bytes(ret, piece, (size_t)len);
		else if (errno != EAGAIN && errno != EINTR)
			break;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return len ? -1 : 0;
}

void call_core_read_rest(struct call_core *c)
{
	if (read_rest(c, &c->rest))
		log_warn("the calls that threads made last could not be read: %m");
}

void call_core_write_rest(struct call_core *c)
{
	call_core_read_rest(c);
	write_threads(c, cursor_of(c->rest.s, c->rest.len));
	writer_finished_round(c->writer);
	str_clear(&c->rest);
}

/* ---- totals ---- */

/* The values of all CPUs, added up word by word: that is what they are made of. */
static void sum_by_cpu(const struct call_core *c, const char *map, uint32_t key, uint64_t *ret, size_t nr)
{
	int nr_cpus = libbpf_num_possible_cpus(), cpu;
	uint64_t *each = xcalloc((size_t)(nr_cpus > 0 ? nr_cpus : 1) * nr, sizeof(*each));
	size_t i;

	memset(ret, 0, nr * sizeof(*ret));
	if (!bpf_map_lookup_elem(map_fd(c, map), &key, each))
		for (cpu = 0; cpu < nr_cpus; cpu++)
			for (i = 0; i < nr; i++)
				ret[i] += each[(size_t)cpu * nr + i];
	free(each);
}

struct call_totals call_core_totals(const struct call_core *c)
{
	struct call_totals sum;

	sum_by_cpu(c, "call_totals", 0, (uint64_t *)&sum, sizeof(sum) / sizeof(uint64_t));
	return sum;
}

/* One call for all: with thousands of functions, one each would take percents of a CPU. */
void call_core_all_hits(const struct call_core *c, uint32_t nr, struct call_hits *ret)
{
	int nr_cpus = libbpf_num_possible_cpus(), cpu;
	uint32_t *keys = xcalloc(nr + 1, sizeof(*keys)), got = nr + 1, next = 0, i;
	struct call_hits *each = xcalloc((size_t)(nr + 1) * (size_t)(nr_cpus > 0 ? nr_cpus : 1), sizeof(*each));
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	int err = bpf_map_lookup_batch(map_fd(c, "call_hits"), NULL, &next, keys, each, &got, &options);

	for (i = 0; i < nr; i++) {
		ret[i] = (struct call_hits){ 0 };
		if ((err && err != -ENOENT) || got <= i + 1) {
			ret[i] = call_core_hits(c, i + 1);
			continue;
		}
		for (cpu = 0; cpu < nr_cpus; cpu++) {
			const struct call_hits *one = &each[(size_t)(i + 1) * (size_t)nr_cpus + (size_t)cpu];

			ret[i].nr += one->nr;
			ret[i].nr_lost += one->nr_lost;
			ret[i].nr_looks += one->nr_looks;
		}
	}
	free(keys);
	free(each);
}

struct call_hits call_core_hits(const struct call_core *c, uint32_t function)
{
	struct call_hits sum;

	sum_by_cpu(c, "call_hits", function, (uint64_t *)&sum, sizeof(sum) / sizeof(uint64_t));
	return sum;
}
