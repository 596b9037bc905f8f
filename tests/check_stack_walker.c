/* SPDX-License-Identifier: Apache-2.0 */
/* Records as the kernel writes them, of a process whose code has no file: its frames are by frame pointer. */
#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collector/call_place.h"
#include "collector/stack_walker.h"
#include "collector/target.h"
#include "recording/perf_format.h"
#include "tests/cfi_image.h"
#include "tests/harness.h"
#include "tests/walk_referee.h"
#include "unwinder/arch.h"

Suite *check_stack_walker_suite(void);

enum { PID = 4194305, CHILD = 4194306, CODE = 0x400000, CODE_BYTES = 0x10000, STACK = 0x7000, NR_WORDS = 16 };
enum { NR_KERNEL = 3, IP = 0x400010 };

/* Header, ip, the kernel's chain, as stack_walker.h draws them; registers and the stack stand apart. */
struct sample {
	struct {
		struct perf_event_header header;
		uint64_t ip, nr, chain[NR_KERNEL];
	} bytes;
	uint64_t regs[64], words[NR_WORDS];
	struct record record;
};

struct world {
	struct stack_walker *walker;
	const struct unwind_arch *arch;
	struct sample sample;
	_Alignas(8) uint8_t out[STACK_WALKER_SAMPLE_MAX];
};

static void set_up(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->walker = stack_walker_new();
	w->arch = unwind_arch_native();
	ck_assert_ptr_nonnull(w->walker);
}

static void map(struct world *w, uint32_t pid, const char *path)
{
	stack_walker_mmap(w->walker, &(struct writer_mmap){ .pid = pid, .start = CODE, .len = CODE_BYTES, .path = path });
}

/* A frame at the stack's beginning, one 32 bytes above it, and the end of the list. */
static void fill(struct world *w, uint32_t pid)
{
	struct sample *s = &w->sample;
	unsigned int perf, nr = 0;

	memset(s, 0, sizeof(*s));
	s->bytes.header = (struct perf_event_header){ PERF_RECORD_SAMPLE, 0, sizeof(s->bytes) };
	s->bytes.ip = IP;
	s->bytes.nr = NR_KERNEL;
	s->bytes.chain[0] = PERF_CONTEXT_KERNEL;
	s->bytes.chain[1] = 0xffffffff81000010;
	s->bytes.chain[2] = 0xffffffff81000020;
	for (perf = 0; perf < 64; perf++) {
		uint8_t reg;

		if (!(w->arch->perf_mask >> perf & 1))
			continue;
		reg = w->arch->perf_to_dwarf[perf];
		s->regs[nr++] = reg == UNWIND_PC ? IP : reg == w->arch->sp || reg == w->arch->fp ? STACK : 0;
	}
	s->words[0] = STACK + 32;
	s->words[1] = CODE + 0x100;
	s->words[5] = CODE + 0x200;
	s->record = (struct record){ .type = PERF_RECORD_SAMPLE,
				     .body = (const uint8_t *)&s->bytes + sizeof(s->bytes.header),
				     .pid = pid,
				     .tid = pid };
	s->record.sample.chain.nr = NR_KERNEL;
	s->record.sample.chain.ips = (const uint8_t *)s->bytes.chain;
	s->record.sample.user_regs = (const uint8_t *)s->regs;
	s->record.sample.nr_user_regs = nr;
	s->record.sample.user_regs_mask = w->arch->perf_mask;
	s->record.sample.user_regs_abi = PERF_SAMPLE_REGS_ABI_64;
	s->record.sample.user_stack = (const uint8_t *)s->words;
	s->record.sample.user_stack_len = sizeof(s->words);
}

/* The rewritten record: what was before the chain, the kernel's part, the mark, want. */
static void expect(struct world *w, const uint64_t *want, size_t nr)
{
	size_t size = stack_walker_sample(w->walker, &w->sample.record, w->out);
	size_t nr_chain = NR_KERNEL + (nr ? 1 + nr : 0);
	struct perf_event_header header;
	uint64_t words[2 + NR_KERNEL + 1 + NR_WORDS];

	ck_assert_uint_eq(size, sizeof(header) + 8 * (2 + nr_chain));
	memcpy(&header, w->out, sizeof(header));
	memcpy(words, w->out + sizeof(header), size - sizeof(header));
	ck_assert_uint_eq(header.type, PERF_RECORD_SAMPLE);
	ck_assert_uint_eq(header.size, size);
	ck_assert_uint_eq(words[0], IP);
	ck_assert_uint_eq(words[1], nr_chain);
	ck_assert_mem_eq(&words[2], w->sample.bytes.chain, sizeof(w->sample.bytes.chain));
	if (!nr)
		return;
	ck_assert_uint_eq(words[2 + NR_KERNEL], PERF_CONTEXT_USER);
	ck_assert_mem_eq(&words[3 + NR_KERNEL], want, 8 * nr);
}

static const uint64_t whole[] = { IP, CODE + 0x100, CODE + 0x200 }, alone[] = { IP };

START_TEST(sample_gets_the_users_frames)
{
	struct world w;

	set_up(&w);
	/* memory of no file; a file that is gone */
	map(&w, PID, _i ? "/nowhere/gone" : "//anon");
	fill(&w, PID);
	expect(&w, whole, 3);
	ck_assert_uint_eq(stack_walker_tally(w.walker)->nr_stops[UNWIND_STOP_ROOT], 1);
	ck_assert_uint_eq(stack_walker_tally(w.walker)->nr_guessed, 2);
	stack_walker_free(w.walker);
}
END_TEST

START_TEST(sample_without_registers_stays)
{
	struct world w;

	set_up(&w);
	map(&w, PID, "//anon");
	fill(&w, PID);
	w.sample.record.sample.user_regs_abi = PERF_SAMPLE_REGS_ABI_NONE;
	expect(&w, NULL, 0);
	ck_assert_uint_eq(stack_walker_tally(w.walker)->nr_stops[UNWIND_STOP_NO_REGS], 0);
	w.sample.record.sample.user_regs_abi = PERF_SAMPLE_REGS_ABI_32;
	expect(&w, NULL, 0);
	ck_assert_uint_eq(stack_walker_tally(w.walker)->nr_stops[UNWIND_STOP_NO_REGS], 1);
	stack_walker_free(w.walker);
}
END_TEST

START_TEST(processes_fork_exec_and_are_forgotten)
{
	struct record fork = { .type = PERF_RECORD_FORK, .pid = CHILD, .tid = CHILD };
	struct record exec = { .type = PERF_RECORD_COMM, .pid = PID, .tid = PID };
	struct world w;

	set_up(&w);
	map(&w, PID, "//anon");
	fork.task.ppid = fork.task.ptid = PID;
	exec.comm.is_exec = true;
	stack_walker_record(w.walker, &fork);
	fill(&w, CHILD);
	expect(&w, whole, 3);
	stack_walker_record(w.walker, &exec);
	expect(&w, whole, 3);
	fill(&w, PID);
	expect(&w, alone, 1);
	fill(&w, CHILD);
	stack_walker_forget(w.walker, CHILD);
	stack_walker_forget(w.walker, CHILD);
	expect(&w, alone, 1);
	map(&w, CHILD, "//anon");
	expect(&w, whole, 3);
	stack_walker_free(w.walker);
}
END_TEST

/* ---- return probes ---- */

/* The kernel's page, and the slots of fill()'s two return addresses. */
enum { PAGE = 0x7fff0000, PAGE_BYTES = 0x1000, SLOT = STACK + 8, OUTER_SLOT = STACK + 40 };

static void map_page(struct world *w)
{
	stack_walker_mmap(w->walker, &(struct writer_mmap){
					     .pid = PID, .start = PAGE, .len = PAGE_BYTES, .path = "[uprobes]" });
}

/* Return addresses that are the kernel's; is_mapped: the walker has seen its page come. */
static void set_up_probed(struct world *w, bool is_mapped)
{
	set_up(w);
	map(w, PID, "//anon");
	if (is_mapped)
		map_page(w);
	fill(w, PID);
	w->sample.words[1] = PAGE;
}

static void set_reg(struct world *w, unsigned int want, uint64_t value)
{
	unsigned int perf, nr = 0;

	for (perf = 0; perf < 64; perf++)
		if (w->arch->perf_mask >> perf & 1) {
			if (w->arch->perf_to_dwarf[perf] == want)
				w->sample.regs[nr] = value;
			nr++;
		}
}

START_TEST(return_probes_hide_return_addresses)
{
	struct world w;

	set_up_probed(&w, _i);
	expect(&w, alone, 1);
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x100);
	expect(&w, whole, 3);
	/* of another thread nothing is known */
	w.sample.record.tid = CHILD;
	expect(&w, alone, 1);
	ck_assert_uint_eq(stack_walker_tally(w.walker)->nr_stops[UNWIND_STOP_NO_RULE], 2);
	stack_walker_free(w.walker);
}
END_TEST

START_TEST(recursion_has_a_slot_each)
{
	struct world w;

	set_up_probed(&w, _i);
	w.sample.words[5] = PAGE;
	stack_walker_called(w.walker, PID, PID, OUTER_SLOT, CODE + 0x200);
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x80);
	/* it returned, and was called again from elsewhere */
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x100);
	expect(&w, whole, 3);
	/* both have returned, if there is a call as far up as that */
	stack_walker_called(w.walker, PID, PID, OUTER_SLOT, CODE + 0x300);
	expect(&w, alone, 1);
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x100);
	expect(&w, (const uint64_t[]){ IP, CODE + 0x100, CODE + 0x300 }, 3);
	stack_walker_free(w.walker);
}
END_TEST

/* A function that is jumped to, with a probe of its own, finds the kernel's address on the stack. */
START_TEST(tail_calls_return_for_each_other)
{
	struct world w;

	set_up_probed(&w, _i);
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x100);
	stack_walker_called(w.walker, PID, PID, SLOT, PAGE);
	expect(&w, whole, 3);
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x180);
	stack_walker_called(w.walker, PID, PID, SLOT, PAGE);
	stack_walker_called(w.walker, PID, PID, SLOT, PAGE);
	expect(&w, (const uint64_t[]){ IP, CODE + 0x180, CODE + 0x200 }, 3);
	stack_walker_free(w.walker);
}
END_TEST

/* Code that comes to stand where the page ends makes no code of the page. */
START_TEST(page_is_no_code)
{
	struct world w;

	set_up_probed(&w, true);
	stack_walker_mmap(w.walker, &(struct writer_mmap){
					    .pid = PID, .start = PAGE - 0x1000, .len = 0x1000, .path = "[uprobes]" });
	expect(&w, alone, 1);
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x100);
	expect(&w, whole, 3);
	stack_walker_free(w.walker);
}
END_TEST

START_TEST(calls_end_with_their_thread)
{
	struct record end = { .type = PERF_RECORD_EXIT, .pid = PID, .tid = PID };
	struct record exec = { .type = PERF_RECORD_COMM, .pid = PID, .tid = PID };
	struct record clone = { .type = PERF_RECORD_FORK, .pid = PID, .tid = PID };
	struct world w;

	exec.comm.is_exec = true;
	clone.task.ppid = PID;
	clone.task.ptid = CHILD;
	set_up_probed(&w, true);
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x100);
	stack_walker_called(w.walker, PID, CHILD, SLOT, CODE + 0x180);
	stack_walker_record(w.walker, _i == 0 ? &end : _i == 1 ? &exec : &clone);
	if (_i == 1) {
		map(&w, PID, "//anon");
		map_page(&w);
	}
	expect(&w, alone, 1);
	/* one that knew nothing may end, too */
	stack_walker_record(w.walker, &end);
	w.sample.record.tid = CHILD;
	expect(&w, (const uint64_t[]){ IP, CODE + 0x180, CODE + 0x200 }, 3);
	/* its number is used again */
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x100);
	w.sample.record.tid = PID;
	expect(&w, whole, 3);
	stack_walker_free(w.walker);
}
END_TEST

START_TEST(child_goes_on_in_its_parents_calls)
{
	struct record fork = { .type = PERF_RECORD_FORK, .pid = CHILD, .tid = CHILD };
	struct record end = { .type = PERF_RECORD_EXIT, .pid = PID, .tid = PID };
	struct world w;

	set_up_probed(&w, true);
	fork.task.ppid = fork.task.ptid = PID;
	/* what is left of one that had the child's number before */
	stack_walker_called(w.walker, CHILD, CHILD, SLOT, CODE + 0x300);
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x100);
	stack_walker_record(w.walker, &fork);
	stack_walker_record(w.walker, &end);
	w.sample.record.pid = w.sample.record.tid = CHILD;
	expect(&w, whole, 3);
	w.sample.record.pid = w.sample.record.tid = PID;
	expect(&w, alone, 1);
	stack_walker_free(w.walker);
}
END_TEST

/*
 * Where a thread stands in the kernel's page, and what the stack pointer is there, from the slot of the call
 * that returns; and whether that is behind a call.
 */
static const struct in_page {
	unsigned int off;
	int sp;
	bool returns;
} in_page[] = {
	{ 0x0, 8, true },	/* push %rax */
	{ 0x1, 0, true },	/* push %rcx */
	{ 0x2, -8, true },	/* push %r11 */
	{ 0x4, -16, true },	/* mov $335, %rax */
	{ 0xd, -16, true },	/* behind the syscall: pop %r11 */
	{ 0xf, -8, true },	/* pop %rcx */
	{ 0x10, 0, true },	/* ret */
	{ 0x1, 8, true },	/* behind int3, as it was before Linux 6.11 */
	{ 0x0, 16, false },	/* the call has returned already */
	{ 0x0, -24, false },	/* another call, which is not known, is deeper */
	{ 0x80, 0, true },	/* a copy of a function's first instruction */
	{ 0x83, -8, false },	/* behind one that has moved the stack pointer */
	{ 0x80, -16, false },	/* one in a function that was called from there */
};

START_TEST(thread_in_the_kernels_page_is_behind_the_call)
{
	const struct in_page *c = &in_page[_i];
	struct world w;

	set_up_probed(&w, true);
	stack_walker_called(w.walker, PID, PID, SLOT, CODE + 0x100);
	set_reg(&w, UNWIND_PC, PAGE + c->off);
	set_reg(&w, w.arch->sp, (uint64_t)((int64_t)SLOT + c->sp));
	set_reg(&w, w.arch->fp, 0);
	expect(&w, (const uint64_t[]){ c->returns ? CODE + 0x100 : PAGE + c->off }, 1);
	stack_walker_free(w.walker);
}
END_TEST

/* The kernel has not looked yet whose breakpoint it was, or has done the instruction but not gone behind it. */
START_TEST(breakpoint_is_where_it_stands)
{
	struct world w;

	set_up_probed(&w, true);
	set_reg(&w, w.arch->fp, 0);
	set_reg(&w, w.arch->sp, SLOT);
	set_reg(&w, UNWIND_PC, IP + 1);
	expect(&w, (const uint64_t[]){ IP + 1 }, 1);
	/* hit in the middle of a function, then on its first byte */
	stack_walker_probed(w.walker, PID, IP, SLOT + 8);
	expect(&w, (const uint64_t[]){ IP + 1 }, 1);
	stack_walker_probed(w.walker, PID, IP, SLOT);
	stack_walker_probed(w.walker, PID, IP, SLOT);
	expect(&w, (const uint64_t[]){ IP }, 1);
	/* the push is over */
	set_reg(&w, w.arch->sp, SLOT - 8);
	expect(&w, (const uint64_t[]){ IP + 1 }, 1);
	/* of another process nothing is known */
	set_reg(&w, w.arch->sp, SLOT);
	map(&w, CHILD, "//anon");
	w.sample.record.pid = CHILD;
	expect(&w, (const uint64_t[]){ IP + 1 }, 1);
	stack_walker_forget(w.walker, PID);
	w.sample.record.pid = PID;
	expect(&w, (const uint64_t[]){ IP + 1 }, 1);
	stack_walker_free(w.walker);
}
END_TEST

enum { CALLER = CODE + 0x100, OTHER = CODE + 0x300, DATA = 7, RBX = 3 };

/* Where a copy may leave the thread, and how far from there the return address is: at one place, at several, somewhere. */
static const struct { uint32_t copy_off, sp_add; } steps[] = {
	{ 0, 0 }, { 3, 0 }, { 4, 0 }, { 4, 24 }, { 5, 0 }, { 5, 16 }, { 6, 0 }, { 6, CALL_PLACE_NO_SP },
};

static const struct in_copy {
	uint64_t off;		/* in the page */
	uint64_t sp;
	uint64_t words[4];
	uint64_t caller;	/* 0: not known */
} in_copies[] = {
	{ 0x80, SLOT, { CALLER }, CALLER },
	{ 0x83, SLOT, { CALLER }, CALLER },
	{ 0x103, SLOT, { CALLER }, CALLER },
	/* called by what calls no function of others, with or without a frame */
	{ 0x83, SLOT - 8, { CALLER }, CALLER },
	{ 0x83, SLOT - 8, { CALLER, OTHER }, CALLER },
	{ 0x83, SLOT, { DATA, CALLER }, 0 },
	{ 0x84, SLOT, { CALLER, DATA, DATA, OTHER }, CALLER },
	/* sub $24,%rsp is done; a call before left what is below */
	{ 0x84, SLOT - 8, { OTHER, DATA, DATA, CALLER }, CALLER },
	{ 0x84, SLOT - 8, { CALLER }, 0 },
	{ 0x85, SLOT, { CALLER, DATA, OTHER }, 0 },
	{ 0x86, SLOT, { CALLER }, CALLER },
	{ 0x86, SLOT - 8, { CALLER }, 0 },
	/* nobody's that is known; what return probes return to, of a call that is not known */
	{ 0x87, SLOT, { CALLER }, 0 },
	{ 0x3, SLOT, { CALLER }, 0 },
	/* behind a return probe */
	{ 0x83, SLOT, { PAGE }, 0 },
	{ 0x84, SLOT - 24, { DATA, DATA, DATA, PAGE }, CALLER },
};

/* The frame pointer is the caller's, as a function's first instruction finds it. */
START_TEST(copied_instruction_has_its_functions_caller)
{
	const struct in_copy *c = &in_copies[_i];
	uint64_t *words;
	struct world w;
	size_t i;

	set_up_probed(&w, true);
	for (i = 0; i < 2 * ARRAY_LEN(steps); i++)
		stack_walker_stepped(w.walker, steps[i / 2].copy_off, steps[i / 2].sp_add);
	if (_i == ARRAY_LEN(in_copies) - 1)
		stack_walker_called(w.walker, PID, PID, c->sp + 24, CALLER);
	words = w.sample.words;
	memset(words, 0, sizeof(w.sample.words));
	memcpy(words, c->words, sizeof(c->words));
	words[7] = CODE + 0x200;
	set_reg(&w, UNWIND_PC, PAGE + c->off);
	set_reg(&w, w.arch->sp, c->sp);
	set_reg(&w, w.arch->fp, c->sp + 6 * 8);
	expect(&w, (const uint64_t[]){ PAGE + c->off, c->caller, CODE + 0x200 }, c->caller ? 3 : 1);
	ck_assert_uint_eq(stack_walker_tally(w.walker)->nr_stops[UNWIND_STOP_ROOT], !!c->caller);
	stack_walker_free(w.walker);
}
END_TEST

/* By its unwind info the return address is on top of the stack in all of its first 64 bytes. */
static const char *leaf_file(void)
{
	struct cfi_image i = { .machine = EM_X86_64 };
	const char *path;

	cfi_image_cie(&i, "zR", "\x0c\7\x08\x90\x01", 5);
	cfi_image_fde(&i, CFI_IMAGE_TEXT, 64, "", 0);
	cfi_image_finish(&i);
	path = harness_file("module", i.file.s, i.file.len);
	cfi_image_release(&i);
	return path;
}

/* Where a probe of that sp_add is at IP: the stack pointer from the return address's place, and what is there. */
static const struct at_place {
	uint64_t pc;
	uint32_t sp_add;
	int sp;
	uint64_t words[3];
	uint64_t want[2];	/* 0: no caller */
	uint64_t rbx;
} at_places[] = {
	/* behind the breakpoint, with nothing done */
	{ IP + 1, 0, 0, { CALLER, DATA }, { IP, CALLER }, 0 },
	{ IP + 1, 0, 0, { CALLER, CALLER }, { IP, CALLER }, 0 },
	/* as what calls no function of others may be called */
	{ IP + 1, 0, -8, { CALLER, DATA }, { IP, CALLER }, 0 },
	{ IP + 1, 0, -8, { CALLER, OTHER }, { IP, CALLER }, 0 },
	/* the push is over, whatever was pushed */
	{ IP + 1, 0, -8, { DATA, CALLER }, { IP + 1, 0 }, DATA },
	{ IP + 1, 0, -8, { OTHER, CALLER }, { IP + 1, OTHER }, OTHER },
	/* it stands behind another push */
	{ IP + 1, 8, -8, { DATA, CALLER }, { IP, 0 }, 0 },
	{ IP + 1, 8, -16, { DATA, DATA, CALLER }, { IP + 1, 0 }, 0 },
	/* the push is done, and the thread not yet behind it */
	{ IP, 0, -8, { DATA, CALLER }, { IP, CALLER }, DATA },
	{ IP, 0, -8, { OTHER, CALLER }, { IP, CALLER }, OTHER },
	{ IP, 0, 0, { DATA, CALLER, OTHER }, { IP, CALLER }, DATA },
	{ IP, 0, 0, { OTHER, CALLER }, { IP, CALLER }, OTHER },
	{ IP, 0, 0, { CALLER, DATA }, { IP, CALLER }, 0 },
	{ IP, 0, 0, { CALLER, OTHER }, { IP, CALLER }, OTHER },
	{ IP, 0, 0, { DATA, DATA }, { IP, 0 }, 0 },
	/* a call is done, and the thread not yet where it leads */
	{ IP + 5, 0, -8, { IP + 5, CALLER }, { IP, CALLER }, 0 },
	{ IP + 5, 8, -16, { IP + 5, DATA, CALLER }, { IP, 0 }, 0 },
	{ IP + 5, 0, 0, { CALLER, DATA }, { IP + 5, CALLER }, 0 },
	{ IP + 6, 0, -8, { IP + 6, DATA }, { IP + 6, IP + 6 }, 0 },
	/* elsewhere */
	{ IP + 2, 0, 0, { CALLER, DATA }, { IP + 2, CALLER }, 0 },
};

static void set_at(struct world *w, const struct at_place *c)
{
	fill(w, PID);
	memset(w->sample.words, 0, sizeof(w->sample.words));
	memcpy(w->sample.words, c->words, sizeof(c->words));
	set_reg(w, UNWIND_PC, c->pc);
	set_reg(w, w->arch->fp, 0);
	set_reg(w, RBX, c->rbx);
	set_reg(w, w->arch->sp, (uint64_t)((int64_t)SLOT + c->sp));
}

START_TEST(probe_that_sends_no_marks_is_known_by_its_file)
{
	const struct at_place *c = &at_places[_i];
	const char *path = leaf_file();
	struct stat st;
	struct world w;

	set_up(&w);
	ck_assert_int_eq(stat(path, &st), 0);
	stack_walker_mmap(w.walker, &(struct writer_mmap){ .pid = PID, .start = CODE, .len = CODE_BYTES, .off = CFI_IMAGE_OFF,
							   .dev_major = major(st.st_dev), .dev_minor = minor(st.st_dev),
							   .inode = st.st_ino, .path = path });
	/* in another file, and elsewhere in this one */
	stack_walker_probed_file(w.walker, st.st_dev, st.st_ino + 1, CFI_IMAGE_OFF + IP - CODE, c->sp_add);
	stack_walker_probed_file(w.walker, st.st_dev, st.st_ino, IP - CODE, c->sp_add);
	set_at(&w, &at_places[0]);
	expect(&w, (const uint64_t[]){ IP + 1, CALLER }, 2);
	stack_walker_probed_file(w.walker, st.st_dev, st.st_ino, CFI_IMAGE_OFF + IP - CODE, c->sp_add);
	set_at(&w, c);
	expect(&w, c->want, c->want[1] ? 2 : 1);
	stack_walker_free(w.walker);
}
END_TEST

static TCase *probes_tcase(void)
{
	TCase *tc = tcase_create("return probes");

	tcase_add_loop_test(tc, return_probes_hide_return_addresses, 0, 2);
	tcase_add_loop_test(tc, recursion_has_a_slot_each, 0, 2);
	tcase_add_loop_test(tc, tail_calls_return_for_each_other, 0, 2);
	tcase_add_test(tc, page_is_no_code);
	tcase_add_loop_test(tc, calls_end_with_their_thread, 0, 3);
	tcase_add_test(tc, child_goes_on_in_its_parents_calls);
	tcase_add_loop_test(tc, thread_in_the_kernels_page_is_behind_the_call, 0, ARRAY_LEN(in_page));
	tcase_add_loop_test(tc, copied_instruction_has_its_functions_caller, 0, ARRAY_LEN(in_copies));
	tcase_add_test(tc, breakpoint_is_where_it_stands);
	tcase_add_loop_test(tc, probe_that_sends_no_marks_is_known_by_its_file, 0, ARRAY_LEN(at_places));
	return tc;
}

/* ---- a process whose first thread has ended ---- */

static void *stay(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* It maps the file where samples are. */
static pid_t start_headless(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	pid_t pid = fork();
	pthread_t other;

	if (!pid) {
		if (mmap((void *)(uintptr_t)CODE, CODE_BYTES, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
			 CFI_IMAGE_OFF) == MAP_FAILED)
			_exit(1);
		pthread_create(&other, NULL, stay, NULL);
		syscall(SYS_exit, 0);
	}
	close(fd);
	return pid;
}

static bool is_headless(void *pid)
{
	uint32_t task = process_live_task(*(uint32_t *)pid);

	return task && task != *(uint32_t *)pid;
}

/* Unwind info by which the code at IP has no caller. */
static const char *outermost_file(void)
{
	bool is_x86 = !strcmp(unwind_arch_native()->name, "x86_64");
	struct cfi_image i = { .machine = is_x86 ? EM_X86_64 : EM_AARCH64 };
	const char *path;

	cfi_image_cie(&i, "zR", is_x86 ? "\x0c\7\x08" : "\x0c\x1f\x08", 3);
	cfi_image_fde(&i, CFI_IMAGE_TEXT, 64, is_x86 ? "\7\x10" : "\7\x1e", 2);
	cfi_image_finish(&i);
	path = harness_file("module", i.file.s, i.file.len);
	cfi_image_release(&i);
	return path;
}

/* A file that is deleted, and can be had through the other thread alone. */
START_TEST(files_are_opened_when_the_first_thread_has_ended)
{
	const char *path = outermost_file();
	uint32_t pid = (uint32_t)start_headless(path);
	struct stat st;
	struct world w;

	ck_assert(harness_wait_until(is_headless, &pid));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(unlink(path), 0);
	set_up(&w);
	stack_walker_mmap(w.walker, &(struct writer_mmap){ .pid = pid, .start = CODE, .len = CODE_BYTES,
							   .off = CFI_IMAGE_OFF, .inode = st.st_ino, .path = path });
	fill(&w, pid);
	expect(&w, alone, 1);
	ck_assert_uint_eq(stack_walker_tally(w.walker)->nr_stops[UNWIND_STOP_ROOT], 1);
	stack_walker_free(w.walker);
	harness_stop((pid_t)pid, SIGKILL);
}
END_TEST

Suite *check_stack_walker_suite(void)
{
	Suite *s = suite_create("stack_walker");
	TCase *tc = tcase_create("stack_walker"), *headless;

	tcase_add_loop_test(tc, sample_gets_the_users_frames, 0, 2);
	tcase_add_test(tc, sample_without_registers_stays);
	tcase_add_test(tc, processes_fork_exec_and_are_forgotten);
	suite_add_tcase(s, tc);
	/* Elsewhere calls put no return address on the stack. */
	if (unwind_arch_native() && unwind_arch_native()->pushes_return)
		suite_add_tcase(s, probes_tcase());
	else
		harness_omit(s, "return probes", "not an x86-64");
	walk_referee_add(s);
	/* The mapping itself is the only road left, and /proc/PID/map_files is root's. */
	if (harness_can_or_omit(s, "headless", CAN_ROOT)) {
		headless = tcase_create("headless");
		tcase_set_timeout(headless, 20);
		tcase_add_test(headless, files_are_opened_when_the_first_thread_has_ended);
		suite_add_tcase(s, headless);
	}
	return s;
}
