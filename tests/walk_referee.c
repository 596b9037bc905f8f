/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test takes its own registers and a copy of its own stack, where a sample would: below functions of a file
 * that it has compiled and mapped, in signal handlers on either stack, deep in a recursion. libgcc's unwinder,
 * which reads all of the stack, says what should be found.
 */
#include "tests/walk_referee.h"

#ifdef __x86_64__

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "base/alloc.h"
#include "collector/maps.h"
#include "collector/stack_walker.h"
#include "recording/perf_format.h"
#include "tests/harness.h"
#include "unwinder/arch.h"

enum {
	STACK_BYTES = 24 * 1024,
	MAX_FRAMES = 4096,
	NOBODY = 4194305,	/* no process has that pid */
	ALT_BYTES = 128 * 1024,
	TAKE_BYTES = 1024,	/* more than take() has on the stack */
};

/* A place, as a sample has it, and the referee's frames from there. */
static struct capture {
	ucontext_t at;
	uint8_t bytes[STACK_BYTES];
	size_t len;
	uint64_t frames[MAX_FRAMES];
	size_t nr_frames;
} capture;

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *frame, void *unused)
{
	uint64_t addr = _Unwind_GetIP(frame);

	(void)unused;
	if (addr && capture.nr_frames < MAX_FRAMES)	/* 0: above _start */
		capture.frames[capture.nr_frames++] = addr;
	return _URC_NO_REASON;
}

/* Like the kernel's copy, it ends where the memory does. The first frame is of this function in both lists. */
__attribute__((noinline)) static void take(void *unused)
{
	struct capture *c = &capture;
	struct iovec from = { .iov_len = sizeof(c->bytes) }, to = { c->bytes, sizeof(c->bytes) };
	ssize_t len;

	(void)unused;
	ck_assert_int_eq(getcontext(&c->at), 0);
	from.iov_base = (void *)c->at.uc_mcontext.gregs[REG_RSP];
	len = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	ck_assert_int_gt(len, 0);
	c->len = (size_t)len;
	_Unwind_Backtrace(add_frame, NULL);
}

/* ---- the walk ---- */

/* The registers that are asked for, lowest bit first: arch.c has the order. */
static size_t registers(const struct unwind_arch *arch, uint64_t *words)
{
	static const int of_dwarf[] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
					REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
	size_t nr = 0;
	unsigned int perf;

	for (perf = 0; perf < 64; perf++)
		if (arch->perf_mask >> perf & 1) {
			uint8_t reg = arch->perf_to_dwarf[perf];

			words[nr++] = (uint64_t)capture.at.uc_mcontext
					      .gregs[reg == UNWIND_PC ? REG_RIP : of_dwarf[reg]];
		}
	return nr;
}

/* Everything that this process has mapped, as pid's. */
static void map_all(struct stack_walker *walker, uint32_t pid, const char *only, uint64_t add_to_inode)
{
	struct maps maps = { 0 };
	struct err e;

	ck_assert_int_eq(maps_read(&maps, getpid(), &e), 0);
	vec_each(&maps.entries, m)
		if (m->prot & PROT_EXEC)
			stack_walker_mmap(walker, &(struct writer_mmap){
						     .pid = pid,
						     .start = m->start,
						     .len = m->end - m->start,
						     .off = m->off,
						     .dev_major = m->dev_major,
						     .dev_minor = m->dev_minor,
						     .inode = m->inode + (strcmp(m->path, only) ? 0 : add_to_inode),
						     .path = *m->path ? m->path : "//anon" });
	maps_release(&maps);
}

/* Large, and not to be on the stack that is copied. */
static struct walk {
	uint64_t frames[MAX_FRAMES];
	size_t nr;
	struct unwind_tally tally;
} w;

static void read_chain(const uint64_t *chain)
{
	ck_assert_uint_ge(chain[0], 2);
	ck_assert_uint_eq(chain[1], PERF_CONTEXT_USER);
	w.nr = chain[0] - 1;
	memcpy(w.frames, chain + 2, w.nr * sizeof(uint64_t));
}

static void walk_with(struct stack_walker *walker, uint32_t pid)
{
	static _Alignas(8) uint8_t out[STACK_WALKER_SAMPLE_MAX];
	struct {
		struct perf_event_header header;
		uint64_t nr;
	} bytes = { { PERF_RECORD_SAMPLE, 0, sizeof(bytes) }, 0 };
	const struct unwind_arch *arch = unwind_arch_native();
	uint64_t words[64];
	struct record r = { .type = PERF_RECORD_SAMPLE, .pid = pid, .tid = pid };

	r.body = (const uint8_t *)&bytes + sizeof(bytes.header);
	r.sample.chain.ips = (const uint8_t *)(&bytes.nr + 1);
	r.sample.nr_user_regs = (uint32_t)registers(arch, words);
	r.sample.user_regs = (const uint8_t *)words;
	r.sample.user_regs_mask = arch->perf_mask;
	r.sample.user_regs_abi = PERF_SAMPLE_REGS_ABI_64;
	r.sample.user_stack = capture.bytes;
	r.sample.user_stack_len = capture.len;
	r.sample.is_user_stack_cut = capture.len == sizeof(capture.bytes);
	stack_walker_sample(walker, &r, out);
	read_chain((const uint64_t *)(out + sizeof(bytes.header)));
	w.tally = *stack_walker_tally(walker);
	stack_walker_free(walker);
}

static void walk(void)
{
	struct stack_walker *walker = stack_walker_new();

	map_all(walker, (uint32_t)getpid(), "", 0);
	walk_with(walker, (uint32_t)getpid());
}

/* All of ours are the referee's, in its order. What no call has led to is written with one added. */
static void expect_beginning(size_t nr_not_called)
{
	size_t i, nr = 0;

	ck_assert_uint_le(w.nr, capture.nr_frames);
	ck_assert_uint_eq(w.frames[0], (uint64_t)capture.at.uc_mcontext.gregs[REG_RIP]);
	for (i = 1; i < w.nr; i++) {
		uint64_t more = w.frames[i] - capture.frames[i];

		ck_assert_msg(more <= 1, "frame %zu of %zu: %llx, not %llx", i, w.nr,
			      (unsigned long long)w.frames[i], (unsigned long long)capture.frames[i]);
		nr += more;
	}
	ck_assert_uint_eq(nr, nr_not_called);
	ck_assert_uint_eq(w.tally.nr_guessed, 0);
}

static void expect_whole(size_t nr_not_called)
{
	expect_beginning(nr_not_called);
	ck_assert_uint_eq(w.nr, capture.nr_frames);
	ck_assert_uint_eq(w.tally.nr_stops[UNWIND_STOP_ROOT], 1);
}

/* ---- a mapped file ---- */

struct frames_file {
	const char *path;
	void (*pushes)(void (*back)(void *), void *ctx);
	long (*saves)(void (*back)(void *), void *ctx, long a, long b);
	long (*recurses)(void (*back)(void *), void *ctx, long depth, size_t *ret_frame_bytes);
};

static void load(struct frames_file *f)
{
	struct run run = { 0 };
	void *self;

	f->path = harness_path("frames.so");
	run_shell(&run, "gcc -O2 -fPIC -shared -fomit-frame-pointer -fno-optimize-sibling-calls "
			"tests/targets/walk_frames.c -o %s", f->path);
	ck_assert_exit(&run, 0);
	run_release(&run);
	self = dlopen(f->path, RTLD_NOW);
	ck_assert_msg(self, "%s", dlerror());
	f->pushes = (void (*)(void (*)(void *), void *))dlsym(self, "walk_pushes");
	f->saves = (long (*)(void (*)(void *), void *, long, long))dlsym(self, "walk_saves");
	f->recurses = (long (*)(void (*)(void *), void *, long, size_t *))dlsym(self, "walk_recurses");
	ck_assert(f->pushes && f->saves && f->recurses);
}

START_TEST(rules_are_those_of_the_mapped_file)
{
	struct frames_file f;

	load(&f);
	f.saves(take, NULL, 3, 4);
	walk();
	expect_whole(0);
}
END_TEST

/* Its path leads to another one by now, to which the mapping does not belong. */
START_TEST(rules_are_not_those_of_the_path)
{
	struct frames_file f;

	load(&f);
	ck_assert_int_eq(unlink(f.path), 0);
	ck_assert_str_eq(harness_file("frames.so", "none", 4), f.path);
	f.saves(take, NULL, 3, 4);
	walk();
	expect_whole(0);
}
END_TEST

/* Where the mapping cannot be asked, the path is, for the inode that was mapped. */
START_TEST(path_has_to_have_the_inode)
{
	struct stack_walker *walker = stack_walker_new();
	struct frames_file f;

	load(&f);
	f.saves(take, NULL, 3, 4);
	map_all(walker, NOBODY, f.path, _i ? 1 : 0);
	walk_with(walker, NOBODY);
	if (!_i) {
		expect_whole(0);
		return;
	}
	ck_assert_uint_eq(w.frames[1], capture.frames[1]);
	ck_assert_uint_ge(w.tally.nr_guessed + w.tally.nr_stops[UNWIND_STOP_NO_RULE], 1);
}
END_TEST

/* Where the return address is in the copy. */
static size_t off_of(uint64_t return_addr)
{
	size_t off;

	for (off = 0; off + 8 <= capture.len; off += 8)
		if (!memcmp(capture.bytes + off, &return_addr, sizeof(return_addr)))
			return off;
	ck_abort_msg("the return address is not in the copy");
}

/*
 * At a function with a return probe: the breakpoint was hit, and the kernel has not looked; it has made the call
 * return to its page; it has done the push, and not gone behind it.
 */
static const struct {
	uint64_t pc;	/* from the function's beginning */
	uint64_t sp;	/* from where the return address is */
	bool is_hidden;
} at_probe[] = {
	{ 1, 0, false },
	{ 0, 0, true },
	{ 0, -8ULL, true },
	{ 1, -8ULL, true },
};

START_TEST(probed_function_has_its_caller)
{
	enum { PAGE = 0x1000 };
	struct stack_walker *walker = stack_walker_new();
	greg_t *regs = capture.at.uc_mcontext.gregs;
	uint64_t entry, caller, slot, page = PAGE;
	struct frames_file f;
	size_t off;

	load(&f);
	f.pushes(take, NULL);
	entry = (uint64_t)(uintptr_t)f.pushes;
	caller = capture.frames[2];
	off = off_of(caller);
	slot = (uint64_t)regs[REG_RSP] + off;
	map_all(walker, NOBODY, "", 0);
	stack_walker_mmap(walker, &(struct writer_mmap){
					  .pid = NOBODY, .start = PAGE, .len = 0x1000, .path = "[uprobes]" });
	/* Of the call before this one, it knows where the probe is. */
	stack_walker_probed(walker, NOBODY, entry, slot);
	if (at_probe[_i].is_hidden) {
		stack_walker_called(walker, NOBODY, NOBODY, slot, caller);
		memcpy(capture.bytes + off, &page, sizeof(page));
	}
	regs[REG_RIP] = (greg_t)(entry + at_probe[_i].pc);
	regs[REG_RSP] = (greg_t)(slot + at_probe[_i].sp);
	capture.len -= off + at_probe[_i].sp;
	memmove(capture.bytes, capture.bytes + off + at_probe[_i].sp, capture.len);
	walk_with(walker, NOBODY);
	ck_assert_uint_ge(w.nr, 2);
	ck_assert_uint_eq(w.frames[0], entry + (at_probe[_i].sp ? at_probe[_i].pc : 0));
	ck_assert_uint_eq(w.frames[1], caller);
}
END_TEST

/* ---- more stack than is copied ---- */

START_TEST(deep_recursion_ends_with_the_copy)
{
	size_t frame_bytes = 0;
	struct frames_file f;

	load(&f);
	f.recurses(take, NULL, 1000, &frame_bytes);
	ck_assert_uint_gt(frame_bytes * 1000, STACK_BYTES);
	ck_assert_uint_gt(capture.nr_frames, 1000);
	walk();
	expect_beginning(0);
	ck_assert_uint_eq(w.tally.nr_stops[UNWIND_STOP_SHORT], 1);
	/* All that the copy has is used: what is over is less than a frame, and what take() has. */
	ck_assert_uint_lt((w.nr - 2) * frame_bytes, STACK_BYTES);
	ck_assert_uint_gt((w.nr + 2) * frame_bytes + TAKE_BYTES, STACK_BYTES);
}
END_TEST

/* ---- signals ---- */

static volatile int nr_handled;

static void handle(int signal)
{
	take(NULL);
	nr_handled += signal == SIGUSR1;	/* so that take() is called, not jumped to */
}

static void interrupt(void *flags)
{
	struct sigaction a = { .sa_handler = handle, .sa_flags = *(const int *)flags };

	ck_assert_int_eq(sigaction(SIGUSR1, &a, NULL), 0);
	ck_assert_int_eq(raise(SIGUSR1), 0);
}

START_TEST(handler_on_the_threads_stack_is_whole)
{
	int flags = SA_RESTART;
	struct frames_file f;

	load(&f);
	f.saves(interrupt, &flags, 3, 4);
	walk();
	/* the trampoline that the handler returns to, and what was interrupted */
	expect_whole(2);
}
END_TEST

struct layout {
	size_t bytes_above;	/* of memory behind the alternate stack */
	bool is_above;		/* the thread's own stack is below it */
	enum unwind_stop stop;
};

static const struct layout layouts[] = {
	{ STACK_BYTES, false, UNWIND_STOP_SHORT },
	{ 0, false, UNWIND_STOP_BAD_STACK },
	{ STACK_BYTES, true, UNWIND_STOP_BAD_STACK },
	{ 0, true, UNWIND_STOP_BAD_STACK },
};

/* A thread's stack, nothing, the alternate stack and more, nothing; or the other way round. */
struct stacks {
	struct frames_file file;
	uint8_t *thread, *alternate;
};

enum { THREAD_BYTES = 512 * 1024, HOLE_BYTES = 64 * 1024 };

static void lay_out(const struct layout *l, struct stacks *s)
{
	size_t alt_bytes = ALT_BYTES + l->bytes_above, len = THREAD_BYTES + alt_bytes + 2 * HOLE_BYTES;
	uint8_t *at = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(at, MAP_FAILED);
	s->thread = l->is_above ? at : at + alt_bytes + HOLE_BYTES;
	s->alternate = l->is_above ? at + THREAD_BYTES + HOLE_BYTES : at;
	ck_assert_int_eq(mprotect(s->thread, THREAD_BYTES, PROT_READ | PROT_WRITE), 0);
	ck_assert_int_eq(mprotect(s->alternate, alt_bytes, PROT_READ | PROT_WRITE), 0);
}

static void *run_on_alternate(void *self)
{
	const struct stacks *s = self;
	const stack_t stack = { .ss_sp = s->alternate, .ss_size = ALT_BYTES };
	int flags = SA_ONSTACK;

	ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
	s->file.saves(interrupt, &flags, 3, 4);
	return NULL;
}

START_TEST(handler_on_another_stack_ends_where_it_came_in)
{
	const struct layout *l = &layouts[_i];
	pthread_attr_t attr;
	struct stacks s;
	pthread_t thread;

	load(&s.file);
	lay_out(l, &s);
	pthread_attr_init(&attr);
	ck_assert_int_eq(pthread_attr_setstack(&attr, s.thread, THREAD_BYTES), 0);
	ck_assert_int_eq(pthread_create(&thread, &attr, run_on_alternate, &s), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	walk();
	expect_beginning(2);
	/* take(), handle(), the trampoline, what was interrupted; not its caller, of which the referee knows */
	ck_assert_uint_eq(w.nr, 4);
	ck_assert_uint_gt(capture.nr_frames, 6);
	ck_assert_uint_eq(w.tally.nr_stops[l->stop], 1);
}
END_TEST

void walk_referee_add(Suite *s)
{
	TCase *tc = tcase_create("own stack");

	if (!harness_can_or_omit(s, "own stack", CAN_COMPILE))
		return;
	tcase_add_test(tc, rules_are_those_of_the_mapped_file);
	/* /proc/PID/map_files is root's */
	if (harness_can_or_omit(s, "mapped file whose path is another's", CAN_ROOT))
		tcase_add_test(tc, rules_are_not_those_of_the_path);
	tcase_add_loop_test(tc, path_has_to_have_the_inode, 0, 2);
	tcase_add_loop_test(tc, probed_function_has_its_caller, 0, ARRAY_LEN(at_probe));
	tcase_add_test(tc, deep_recursion_ends_with_the_copy);
	tcase_add_test(tc, handler_on_the_threads_stack_is_whole);
	tcase_add_loop_test(tc, handler_on_another_stack_ends_where_it_came_in, 0, ARRAY_LEN(layouts));
	suite_add_tcase(s, tc);
}

#else

#include "tests/harness.h"

void walk_referee_add(Suite *s)
{
	harness_omit(s, "own stack", "not an x86-64");
}

#endif
