/* SPDX-License-Identifier: Apache-2.0 */
#include "report/stacks.h"

enum {
	/*
	 * Places for two each, as many as there are chains, up to a bound (3 MB) whatever the recording holds. With
	 * one for each, 7 % of 20,000 distinct stacks in 2^17 places were in each other's way; a
	 * miss costs about 1 us.
	 */
	MIN_KNOWN_CHAINS = 1 << 10,
	MAX_KNOWN_CHAINS = 1 << 16,
	NR_KNOWN_CODE = 1 << 14,
};

/* The one that came last stands first. */
struct known_chain {
	struct {
		uint64_t hash[2];
		uint32_t node;	/* 0: free, since node 0 is no chain's */
	} at[2];
};

struct known_code {
	uint64_t ip;
	uint32_t process, generation;
	uint32_t location_plus_1;	/* 0: free */
	uint16_t cpumode;
	bool is_return;
};

void stacks_init(struct stacks *s)
{
	*s = (struct stacks){ 0 };
	s->nr_places = MIN_KNOWN_CHAINS;
	s->known_chains = xcalloc(s->nr_places, sizeof(*s->known_chains));
	s->known_code = xcalloc(NR_KNOWN_CODE, sizeof(*s->known_code));
	vec_push(&s->nodes, (struct stack_node){ 0 });
}

void stacks_release(struct stacks *s)
{
	vec_release(&s->locations);
	vec_release(&s->nodes);
	vec_release(&s->frames);
	hashidx_release(&s->location_index);
	hashidx_release(&s->node_index);
	free(s->known_chains);
	free(s->known_code);
	stack_dumps_release(&s->dumps);
}

void stacks_forget_processes(struct stacks *s)
{
	stack_dumps_forget_processes(&s->dumps);
	memset(s->known_chains, 0, s->nr_places * sizeof(*s->known_chains));
	s->nr_remembered = 0;
	memset(s->known_code, 0, NR_KNOWN_CODE * sizeof(*s->known_code));
}

/* ---- from the record to frames ---- */

static uint16_t mode_of_context(uint64_t mark)
{
	switch (mark) {
	case PERF_CONTEXT_KERNEL:
		return PERF_RECORD_MISC_KERNEL;
	case PERF_CONTEXT_USER:
		return PERF_RECORD_MISC_USER;
	case PERF_CONTEXT_GUEST_KERNEL:
		return PERF_RECORD_MISC_GUEST_KERNEL;
	case PERF_CONTEXT_GUEST:
	case PERF_CONTEXT_GUEST_USER:
		return PERF_RECORD_MISC_GUEST_USER;
	case PERF_CONTEXT_HV:
		return PERF_RECORD_MISC_HYPERVISOR;
	default:
		return PERF_RECORD_MISC_CPUMODE_UNKNOWN;
	}
}

static bool chain_has_user(const struct callchain *chain)
{
	uint64_t i;

	for (i = 0; i < chain->nr; i++)
		if (callchain_at(chain, i) == PERF_CONTEXT_USER)
			return i + 1 < chain->nr;
	return false;
}

/* The user's frames, where the chain has none and the sample what it takes to find them; or NULL. */
static const struct unwind_frames *unwound(struct stacks *s, struct session *session, uint32_t process,
					   const struct record *r)
{
	if (!stack_dumps_can(&s->dumps, session, r) || chain_has_user(&r->sample.chain))
		return NULL;
	return stack_dumps_unwind(&s->dumps, session, process, r);
}

/* A chain's first address after a context mark is where code stood, all others are returns. */
static void read_frames(struct stacks *s, const struct record *r, const struct unwind_frames *user)
{
	const struct callchain *chain = &r->sample.chain;
	uint16_t mode = r->misc & PERF_RECORD_MISC_CPUMODE_MASK;
	bool is_first = true;
	uint64_t i;

	s->frames.nr = 0;
	for (i = 0; i < chain->nr; i++) {
		uint64_t ip = callchain_at(chain, i);

		if (ip >= PERF_CONTEXT_MAX) {
			mode = mode_of_context(ip);
			is_first = true;
			continue;
		}
		vec_push(&s->frames, (struct chain_frame){ ip, mode, !is_first });
		is_first = false;
	}
	if (user)
		vec_each(&user->at, f)
			vec_push(&s->frames, (struct chain_frame){ f->addr, PERF_RECORD_MISC_USER, f->is_return });
	/* No chain, or nothing but context marks. */
	if (!s->frames.nr)
		vec_push(&s->frames, (struct chain_frame){ r->sample.ip, mode, false });
}

/* ---- from frames to the tree ---- */

static bool same_location(const struct location *a, const struct location *b)
{
	return a->addr == b->addr && a->module == b->module && a->is_return == b->is_return &&
	       a->kind == b->kind && a->name == b->name && a->file == b->file;
}

uint32_t stacks_location(struct stacks *s, const struct location *l)
{
	uint64_t hash = hash_mix(l->addr, (uint64_t)(l->module ^ l->name) << 1 | l->is_return);

	hashidx_each(&s->location_index, hash, id)
		if (same_location(&s->locations.at[id], l))
			return id;
	vec_push(&s->locations, *l);
	hashidx_add(&s->location_index, hash, (uint32_t)s->locations.nr - 1);
	return (uint32_t)s->locations.nr - 1;
}

static uint32_t locate(struct stacks *s, struct session *session, uint32_t process,
		       const struct chain_frame *f)
{
	uint32_t generation = session->processes.at[process].space.generation;
	uint64_t place = hash_mix(f->ip, (uint64_t)process << 1 | f->is_return);
	struct known_code *known = &s->known_code[place % NR_KNOWN_CODE];
	struct code code;
	uint32_t id;

	if (known->location_plus_1 && known->ip == f->ip && known->process == process &&
	    known->generation == generation && known->cpumode == f->cpumode &&
	    known->is_return == f->is_return)
		return known->location_plus_1 - 1;
	code = session_locate(session, process, f->cpumode, f->ip);
	id = stacks_location(s, &(struct location){ .addr = code.addr,
						    .module = code.module,
						    .is_return = f->is_return,
						    .is_kernel = code.is_kernel });
	*known = (struct known_code){ f->ip,  process,	  generation,
				      id + 1, f->cpumode, f->is_return };
	return id;
}

uint32_t stacks_node_below(struct stacks *s, uint32_t caller, uint32_t location)
{
	uint64_t hash = hash_mix(caller, location);

	hashidx_each(&s->node_index, hash, id)
		if (s->nodes.at[id].caller == caller && s->nodes.at[id].location == location)
			return id;
	vec_push(&s->nodes, (struct stack_node){ caller, location });
	hashidx_add(&s->node_index, hash, (uint32_t)s->nodes.nr - 1);
	return (uint32_t)s->nodes.nr - 1;
}

static uint32_t walk(struct stacks *s, struct session *session, uint32_t process)
{
	uint32_t node = 0;
	size_t i;

	for (i = s->frames.nr; i-- > 0;)
		node = stacks_node_below(s, node, locate(s, session, process, &s->frames.at[i]));
	return node;
}

/* Two folded 64x64 bit products a word, with different odd constants: two independent hashes. */
static inline void hash_word(uint64_t hash[2], uint64_t word)
{
	unsigned __int128 a = (unsigned __int128)(hash[0] ^ word) * 0x9e3779b97f4a7c15ULL;
	unsigned __int128 b = (unsigned __int128)(hash[1] + word) * 0xc2b2ae3d27d4eb4fULL;

	hash[0] = (uint64_t)a ^ (uint64_t)(a >> 64) ^ hash[1];
	hash[1] = (uint64_t)b ^ (uint64_t)(b >> 64);
}

static void hash_chain(const struct record *r, uint32_t process, uint32_t generation,
		       const struct unwind_frames *user, uint64_t ret_hash[2])
{
	uint64_t i;

	ret_hash[0] = r->misc & PERF_RECORD_MISC_CPUMODE_MASK;
	ret_hash[1] = r->sample.chain.nr;
	hash_word(ret_hash, (uint64_t)process << 32 | generation);
	hash_word(ret_hash, r->sample.ip);
	for (i = 0; i < r->sample.chain.nr; i++)
		hash_word(ret_hash, callchain_at(&r->sample.chain, i));
	if (user)
		vec_each(&user->at, f)
			hash_word(ret_hash, f->addr << 1 | f->is_return);
	ret_hash[0] = hash_u64(ret_hash[0]);
}

/* The node of a chain seen before, or 0. */
static uint32_t recall(const struct stacks *s, const uint64_t hash[2])
{
	const struct known_chain *known = &s->known_chains[hash[0] % s->nr_places];
	size_t i;

	for (i = 0; i < ARRAY_LEN(known->at); i++)
		if (known->at[i].hash[0] == hash[0] && known->at[i].hash[1] == hash[1])
			return known->at[i].node;
	return 0;
}

static void place(struct stacks *s, const uint64_t hash[2], uint32_t node)
{
	struct known_chain *known = &s->known_chains[hash[0] % s->nr_places];

	known->at[1] = known->at[0];
	known->at[0].hash[0] = hash[0];
	known->at[0].hash[1] = hash[1];
	known->at[0].node = node;
}

static void make_places(struct stacks *s)
{
	struct known_chain *old = s->known_chains;
	size_t nr_old = s->nr_places, i, n;

	s->nr_places *= 4;
	s->known_chains = xcalloc(s->nr_places, sizeof(*s->known_chains));
	for (i = 0; i < nr_old; i++)
		for (n = ARRAY_LEN(old->at); n-- > 0;)
			if (old[i].at[n].node)
				place(s, old[i].at[n].hash, old[i].at[n].node);
	free(old);
}

static void remember(struct stacks *s, const uint64_t hash[2], uint32_t node)
{
	if (s->nr_remembered++ >= s->nr_places && s->nr_places < MAX_KNOWN_CHAINS)
		make_places(s);
	place(s, hash, node);
}

uint32_t stacks_node(struct stacks *s, struct session *session, uint32_t process,
		     const struct record *sample)
{
	uint32_t generation = session->processes.at[process].space.generation, node;
	const struct unwind_frames *user = unwound(s, session, process, sample);
	uint64_t hash[2];

	hash_chain(sample, process, generation, user, hash);
	node = recall(s, hash);
	if (node)
		return node;
	read_frames(s, sample, user);
	node = walk(s, session, process);
	remember(s, hash, node);
	return node;
}
