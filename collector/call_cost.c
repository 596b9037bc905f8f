/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_cost.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/units.h"
#include "collector/maps.h"

/* ---- what a hit takes ---- */

enum {
	NR_CALLS = 500,		/* timed together: with 16 us each they take 8 ms */
	NR_ROUNDS = 4,		/* the fastest counts: others may have had the CPU's caches */
	NR_LOOKS = 16,		/* of a hit below so many, by a function that is not counted */
	FUNCTION = 0,		/* nobody's id */
};

void call_cost_emulated(void);
void call_cost_stepped(void);
/* Calls itself nr times, and then the other one. */
void call_cost_nested(uint32_t nr, void (*innermost)(void *), void *arg);
__asm__(".pushsection .text\n"
	"call_cost_emulated:\n"
	"	push %rax\n"
	"	pop %rax\n"
	"	ret\n"
	"call_cost_stepped:\n"
	"	mov %rsp, %rax\n"
	"	ret\n"
	"call_cost_nested:\n"
	"	push %rax\n"
	"	sub $1, %edi\n"
	"	jb 1f\n"
	"	call call_cost_nested\n"
	"	pop %rax\n"
	"	ret\n"
	"1:	mov %rdx, %rdi\n"
	"	call *%rsi\n"
	"	pop %rax\n"
	"	ret\n"
	".popsection\n");

static uint64_t thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

static double ns_of_call(void (*function)(void))
{
	double least = 0;
	int round, i;

	for (round = 0; round < NR_ROUNDS; round++) {
		uint64_t begin = thread_cpu_ns();
		double ns;

		for (i = 0; i < NR_CALLS; i++)
			function();
		ns = (double)(thread_cpu_ns() - begin) / NR_CALLS;
		least = !round || ns < least ? ns : least;
	}
	return least;
}

/* 0: it cannot be had. */
static double ns_of_hit(const struct call_core *core, void (*function)(void))
{
	const struct call_programs programs = call_core_programs(core);
	struct call_place place = { .cookie = CALLS_COOKIE(FUNCTION, 0, core->generation) };
	struct call_link link = { 0 };
	struct err ignored;
	double without = ns_of_call(function), with;

	if (maps_own_off((uintptr_t)function, &place.off) ||
	    call_link_attach(&link, &programs, "/proc/self/exe", &place, 1, (uint32_t)getpid(), &ignored))
		return 0;
	with = ns_of_call(function);
	call_link_release(&link);
	return with > without ? with - without : 0;
}

static void note_ns_of_call(void *arg)
{
	*(double *)arg = ns_of_call(call_cost_emulated);
}

/* 0: it cannot be had. */
static double ns_of_look(const struct call_core *core)
{
	const struct call_programs programs = call_core_programs(core);
	const uint64_t cookie = CALLS_COOKIE(FUNCTION, 0, core->generation);
	struct call_place places[] = { { .cookie = cookie }, { .cookie = cookie } };
	double flat, nested = 0;
	struct call_link link = { 0 };
	struct err ignored;

	if (maps_own_off((uintptr_t)call_cost_emulated, &places[0].off) ||
	    maps_own_off((uintptr_t)call_cost_nested, &places[1].off) ||
	    call_link_attach(&link, &programs, "/proc/self/exe", places, 2, (uint32_t)getpid(), &ignored))
		return 0;
	flat = ns_of_call(call_cost_emulated);
	call_cost_nested(NR_LOOKS - 1, note_ns_of_call, &nested);
	call_link_release(&link);
	return nested > flat ? (nested - flat) / NR_LOOKS : 0;
}

/* What our own thread has counted is nobody's. */
static void forget_own_calls(const struct call_core *core)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0)
		return;
	bpf_map_delete_elem(bpf_object__find_map_fd_by_name(core->object, "call_threads"), &fd);
	close(fd);
}

void call_cost_measure(struct call_cost *c, struct call_core *core)
{
	call_core_start(core);
	c->ns_emulated = ns_of_hit(core, call_cost_emulated);
	c->ns_stepped = ns_of_hit(core, call_cost_stepped);
	c->ns_looked = ns_of_look(core);
	call_core_stop(core);
	forget_own_calls(core);
	log_verbose("a hit of a probe takes %.2f us, or %.2f us where its instruction is not emulated, and %.0f ns for each of up "
		    "to %d calls that it is in",
		    c->ns_emulated / 1000, c->ns_stepped / 1000, c->ns_looked, NR_LOOKS);
}

/* ---- looks ---- */

static double ns_of(const struct call_cost *c, const struct call_function *f, struct call_hits hits)
{
	double each = f->placement.kind == CALL_PLACE_EMULATED ? c->ns_emulated : c->ns_stepped;

	return each * (double)hits.nr + c->ns_looked * (double)hits.nr_looks;
}

/* What probes took since the last look. */
struct taken {
	double ns, on_ns;	/* all of them; those that are on */
};

/* Sets that of each function, too. */
static struct taken look(struct call_cost *c, struct call_native *n)
{
	struct call_hits *hits = xcalloc(n->functions.nr + 1, sizeof(*hits));
	struct taken sum = { 0 };
	size_t i;

	call_core_all_hits(n->core, (uint32_t)n->functions.nr, hits);
	while (c->functions.nr < n->functions.nr)
		vec_push(&c->functions, (struct call_cost_function){ 0 });
	for (i = 0; i < n->functions.nr; i++) {
		struct call_cost_function *f = &c->functions.at[i];

		f->ns = ns_of(c, &n->functions.at[i], hits[i]) - ns_of(c, &n->functions.at[i], f->hits);
		f->hits = hits[i];
		sum.ns += f->ns;
		sum.on_ns += n->functions.at[i].is_off ? 0 : f->ns;
	}
	free(hits);
	return sum;
}

static int by_cost(const void *a, const void *b, void *cost)
{
	const struct call_cost *c = cost;
	double x = c->functions.at[*(const size_t *)a].ns, y = c->functions.at[*(const size_t *)b].ns;

	return (x < y) - (x > y);
}

static void say_taken_off(const struct call_native *n, const size_t *functions, size_t nr, double share)
{
	struct str names = { 0 };
	size_t i;

	for (i = 0; i < nr && i < 8; i++)
		str_addf(&names, "%s%s", i ? ", " : "", n->functions.at[functions[i]].name);
	log_warn("counting takes %.1f %% of the target's CPU time: no more calls of %s%s are counted", 100 * share,
		 str_cstr(&names), nr > i ? " and others" : "");
	str_release(&names);
}

/* The fewest that have to go, so that what is left takes no more than it may. */
static void take_hottest_off(struct call_cost *c, struct call_native *n, double ns, double most_ns, double share)
{
	VEC(size_t) all = { 0 };
	size_t i, nr = 0;

	for (i = 0; i < n->functions.nr; i++)
		if (!n->functions.at[i].is_off)
			vec_push(&all, i);
	if (all.nr)
		qsort_r(all.at, all.nr, sizeof(*all.at), by_cost, c);
	while (nr < all.nr && ns > most_ns)
		ns -= c->functions.at[all.at[nr++]].ns;
	if (nr) {
		say_taken_off(n, all.at, nr, share);
		call_native_take_off(n, all.at, nr);
		c->is_unsettled = true;
	}
	vec_release(&all);
}

void call_cost_tick(struct call_cost *c, struct call_native *n, uint64_t now_ns)
{
	bool was_unsettled = c->is_unsettled, is_too_much;
	struct taken taken;
	uint64_t took_ns;
	double most_ns;

	if (!call_share_look(&c->share, &n->pids, now_ns, &took_ns))
		return;
	taken = look(c, n);
	if (!took_ns)
		return;
	c->is_unsettled = false;
	is_too_much = !call_share_add(&c->share, took_ns, taken.ns);
	most_ns = c->share.most * (double)took_ns;
	if (is_too_much && !was_unsettled && taken.on_ns > most_ns)
		take_hottest_off(c, n, taken.on_ns, most_ns, call_share_part(took_ns, taken.ns));
}

void call_cost_tell(struct call_cost *c, struct call_native *n)
{
	double ns = 0, each;
	uint64_t nr_hits = 0;
	size_t i;

	look(c, n);
	for (i = 0; i < n->functions.nr; i++) {
		nr_hits += c->functions.at[i].hits.nr;
		ns += ns_of(c, &n->functions.at[i], c->functions.at[i].hits);
	}
	each = nr_hits ? ns / (double)nr_hits : 0;
	if (!ns)
		log_info("%llu calls counted", (unsigned long long)nr_hits);
	else if (c->share.seen_cpu_ns)
		log_info("%llu calls counted, %.2f us each: %.1f %% of the target's CPU time",
			 (unsigned long long)nr_hits, each / 1000, 100 * c->share.seen_ns / (double)c->share.seen_cpu_ns);
	else
		log_info("%llu calls counted, %.2f us each: %.3f s of the target's CPU time",
			 (unsigned long long)nr_hits, each / 1000, ns / (double)NS_PER_SEC);
}

void call_cost_release(struct call_cost *c)
{
	vec_release(&c->functions);
	call_share_release(&c->share);
}
