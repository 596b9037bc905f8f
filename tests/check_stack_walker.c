/* SPDX-License-Identifier: Apache-2.0 */
/* Records as the kernel writes them, of a process whose code has no file: its frames are by frame pointer. */
#include <check.h>
#include <string.h>

#include "collector/stack_walker.h"
#include "recording/perf_format.h"
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

Suite *check_stack_walker_suite(void)
{
	Suite *s = suite_create("stack_walker");
	TCase *tc = tcase_create("stack_walker");

	tcase_add_loop_test(tc, sample_gets_the_users_frames, 0, 2);
	tcase_add_test(tc, sample_without_registers_stays);
	tcase_add_test(tc, processes_fork_exec_and_are_forgotten);
	suite_add_tcase(s, tc);
	return s;
}
