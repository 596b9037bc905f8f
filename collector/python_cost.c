/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a probe on Python's functions takes: the same programs see functions of our own, with frames in our
 * own memory that look as the interpreter's do. What CPython does itself where a USDT probe has to be enabled, the
 * line number for one, is not part of it.
 *
 * It is measured again and again while it records, a few times a second. The least counts: neighbours on the same
 * core, or a hypervisor's other guests, make all that runs slower by half for seconds at a time, and what is taken
 * out of the times should never be more than the probes took.
 */
#include <asm/ptrace.h>
#include <bpf/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/units.h"
#include "collector/call_python.h"
#include "collector/maps.h"

enum {
	NR_CALLS = 256,		/* timed together, half of them entries: 0.2 ms */
	NR_ROUNDS = 16,		/* at the beginning; the fastest counts: others may have had the CPU's caches */
	NR_ROUNDS_AGAIN = 2,	/* while it records */
	NR_FUNCTIONS = 8,	/* that call each other */
	OFTEN_MS = 50, RARELY_MS = 500,
	NR_OFTEN = 40,		/* times, at the beginning */
};

/* Bytes as python_calls.h says; each is long enough for what is read of it. */
struct frame_bytes {
	uint64_t words[16];
};

static void set(struct frame_bytes *f, size_t off, uint64_t value)
{
	f->words[off / sizeof(uint64_t)] = value;
}

struct fake_python {
	struct frame_bytes text, codes[NR_FUNCTIONS], frames[NR_FUNCTIONS];
};

/*
 * Enters each of the frames, and leaves them again. As in the interpreter, nothing returns right behind a probe: what the
 * kernel does in between makes the CPU mistake the next return, which takes half as long again as a hit.
 */
void python_cost_run(struct frame_bytes *const *frames, size_t nr);
extern const char python_cost_enter[], python_cost_leave[];
__asm__(".pushsection .text\n"
	"python_cost_run:\n"
	"	mov %rdi, %r8\n"
	"	xor %ecx, %ecx\n"
	"1:	mov (%r8, %rcx, 8), %rdi\n"
	"python_cost_enter:\n"
	"	nop\n"
	"	inc %rcx\n"
	"	cmp %rsi, %rcx\n"
	"	jb 1b\n"
	"2:	dec %rcx\n"
	"	mov (%r8, %rcx, 8), %rdi\n"
	"python_cost_leave:\n"
	"	nop\n"
	"	jnz 2b\n"
	"	ret\n"
	".popsection\n");

static void make_python(struct fake_python *f)
{
	size_t i;

	set(&f->text, PYTHON_TEXT_LENGTH, 1);
	/* Compact, ASCII, a byte a character. */
	set(&f->text, PYTHON_TEXT_STATE, 1 << 2 | 1 << 5 | 1 << 6);
	set(&f->text, PYTHON_TEXT_ASCII, 'f');
	for (i = 0; i < NR_FUNCTIONS; i++) {
		set(&f->codes[i], PYTHON_CODE_FIRST_LINE, i + 1);
		set(&f->codes[i], PYTHON_CODE_FILE, (uintptr_t)&f->text);
		set(&f->codes[i], PYTHON_CODE_NAME, (uintptr_t)&f->text);
		set(&f->frames[i], PYTHON_FRAME_CODE, (uintptr_t)&f->codes[i]);
		set(&f->frames[i], PYTHON_FRAME_PREVIOUS, i ? (uintptr_t)&f->frames[i - 1] : 0);
	}
}

/* Of the CPU: others that run meanwhile do not count. */
static uint64_t thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* The time of one call of either function. */
static double ns_of_call(struct fake_python *f, int nr_rounds)
{
	struct frame_bytes *frames[NR_FUNCTIONS];
	double least = 0;
	int round, call;
	size_t i;

	for (i = 0; i < NR_FUNCTIONS; i++)
		frames[i] = &f->frames[i];
	for (round = 0; round < nr_rounds; round++) {
		uint64_t begin = thread_ns();
		double ns;

		for (call = 0; call < NR_CALLS; call += 2 * NR_FUNCTIONS)
			python_cost_run(frames, NR_FUNCTIONS);
		ns = (double)(thread_ns() - begin) / call;
		least = !round || ns < least ? ns : least;
	}
	return least;
}

static void forget_own(const struct bpf_object *object, const char *map)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0)
		return;
	bpf_map_delete_elem(bpf_object__find_map_fd_by_name(object, map), &fd);
	close(fd);
}

struct python_meter {
	struct fake_python python;	/* of which the programs keep what they have seen: it stays where it is */
	struct call_link link;
	double without_ns;		/* what a call takes that no probe sees */
	double least_ns;		/* what a hit has taken; 0: it could not be had */
	uint64_t next_ns;
	int nr_again;			/* times that it was measured, up to NR_OFTEN */
};

static void measure(struct call_python *p, int nr_rounds)
{
	struct python_meter *m = p->meter;
	double ns = ns_of_call(&m->python, nr_rounds) - m->without_ns;

	p->own_hits.nr_entries += (uint64_t)nr_rounds * NR_CALLS / 2;
	p->own_hits.nr_returns += (uint64_t)nr_rounds * NR_CALLS / 2;
	if (ns > 0 && (!m->least_ns || ns < m->least_ns))
		m->least_ns = ns;
	p->config->probe_ns = (uint32_t)(m->least_ns + 0.5);
}

void python_cost_begin(struct call_python *p)
{
	struct call_place places[] = {
		{ .cookie = PYTHON_COOKIE(offsetof(struct pt_regs, rdi), false) | PYTHON_COOKIE_WITH_FREED },
		{ .cookie = PYTHON_COOKIE(offsetof(struct pt_regs, rdi), true) | PYTHON_COOKIE_WITH_FREED }
	};
	struct python_meter *m = xcalloc(1, sizeof(*m));
	struct err ignored;

	make_python(&m->python);
	m->without_ns = ns_of_call(&m->python, NR_ROUNDS);
	if (maps_own_off((uintptr_t)python_cost_enter, &places[0].off) ||
	    maps_own_off((uintptr_t)python_cost_leave, &places[1].off) ||
	    call_link_attach(&m->link, &p->programs, "/proc/self/exe", places, 2, (uint32_t)getpid(),
			     &ignored)) {
		free(m);
		return;
	}
	p->meter = m;
	call_core_start(p->core);
	measure(p, NR_ROUNDS);
	call_core_stop(p->core);
}

/*
 * Not each time that is measured: who is interrupted while the kernel takes it away keeps it from making any for others on
 * that CPU, whose calls are lost.
 */
void python_cost_forget(struct call_python *p)
{
	if (!p->meter)
		return;
	forget_own(p->core->object, "call_threads");
	forget_own(p->object, "python_threads");
}

void python_cost_end(struct call_python *p)
{
	if (p->meter)
		call_link_release(&p->meter->link);
	python_cost_forget(p);
	free(p->meter);
	p->meter = NULL;
}

/* ---- while it records ---- */

static void measure_again(struct call_python *p, uint64_t now_ns)
{
	struct python_meter *m = p->meter;

	if (!m || now_ns < m->next_ns)
		return;
	measure(p, NR_ROUNDS_AGAIN);
	m->nr_again += m->nr_again < NR_OFTEN;
	m->next_ns = now_ns + (m->nr_again < NR_OFTEN ? OFTEN_MS : RARELY_MS) * 1000000ULL;
}

void python_cost_tick(struct call_python *p, uint64_t now_ns)
{
	struct python_hits hits;
	uint64_t took_ns, nr_hits;
	double ns;

	if (p->is_off)
		return;
	measure_again(p, now_ns);
	if (!call_share_look(&p->share, &p->pids, now_ns, &took_ns))
		return;
	hits = call_python_hits(p);
	nr_hits = hits.nr_entries + hits.nr_returns;
	ns = (double)(nr_hits - p->nr_hits) * p->config->probe_ns;
	p->nr_hits = nr_hits;
	if (!took_ns || call_share_add(&p->share, took_ns, ns))
		return;
	log_warn("counting takes %.1f %% of the target's CPU time: no more calls of Python's functions are counted",
		 100 * call_share_part(took_ns, ns));
	call_python_take_off(p);
}

void python_cost_tell(const struct call_python *p)
{
	struct python_hits hits = call_python_hits(p);
	double us = p->config->probe_ns / 1000.0;
	char share[64] = "";

	if (p->share.seen_cpu_ns)
		snprintf(share, sizeof(share), ", %.1f %% of the target's CPU time",
			 100 * p->share.seen_ns / (double)p->share.seen_cpu_ns);
	log_info("%llu calls of Python's functions; the probes' own %.2f us a hit (%.3f s%s) are taken out of the times",
		 (unsigned long long)hits.nr_entries, us,
		 (double)(hits.nr_entries + hits.nr_returns) * us / 1e6, share);
}
