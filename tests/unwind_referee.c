/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every stack that perf recorded of a program with frames of all kinds: libdwfl, which walks it by code of
 * its own, comes by the same addresses, and knows the same of them for places that were interrupted.
 */
#include "tests/unwind_referee.h"

#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "report/order.h"
#include "report/stack_dumps.h"
#include "tests/harness.h"

enum { STACK_BYTES = 65528, MAX_FRAMES = 1024, NR_REGS = 17, MIN_SAMPLES = 500,
       MIN_FILES = 4 /* the program, its loader, the vdso, libc */ };

struct verdicts {
	unsigned int nr_same, nr_longer, nr_astray, nr_frames, nr_signals;
};

struct file {
	char *path;
	uint64_t base;		/* what was added to the addresses that it was linked for */
};

struct referee {
	struct strings strings;
	struct symbolizer *symbolizer;
	struct session session;
	struct stack_dumps dumps;
	Dwfl *dwfl;
	VEC(struct file) files;
	uint32_t pid;
	const struct record *sample;	/* that libdwfl walks now */
	struct regs regs;
	struct {
		Dwarf_Addr pc;
		bool is_activation;
	} theirs[MAX_FRAMES];
	size_t nr_theirs;
	struct verdicts verdicts;
};

/* ---- libdwfl's side ---- */

static pid_t next_thread(Dwfl *dwfl, void *self, void **ret_self)
{
	struct referee *r = self;

	(void)dwfl;
	if (*ret_self)
		return 0;
	*ret_self = self;
	return (pid_t)r->pid;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *ret_word, void *self)
{
	const struct referee *r = self;
	struct stack_copy stack = { r->regs.value[7], r->sample->sample.user_stack,
				    r->sample->sample.user_stack_len, false };

	(void)dwfl;
	return stack_read(&stack, addr, ret_word) == UNWIND_STOP_ROOT;
}

static bool set_registers(Dwfl_Thread *thread, void *self)
{
	const struct referee *r = self;
	Dwarf_Word words[NR_REGS];
	size_t i;

	for (i = 0; i < NR_REGS - 1; i++)
		words[i] = r->regs.value[i];
	words[NR_REGS - 1] = r->regs.pc;
	return dwfl_thread_state_registers(thread, 0, NR_REGS, words);
}

static int take_frame(Dwfl_Frame *frame, void *self)
{
	struct referee *r = self;
	size_t i = r->nr_theirs;

	if (i == MAX_FRAMES || !dwfl_frame_pc(frame, &r->theirs[i].pc, &r->theirs[i].is_activation))
		return DWARF_CB_ABORT;
	r->nr_theirs++;
	return DWARF_CB_OK;
}

static void attach(struct referee *r)
{
	static const Dwfl_Callbacks callbacks = { .find_elf = dwfl_build_id_find_elf,
						  .find_debuginfo = dwfl_standard_find_debuginfo };
	static const Dwfl_Thread_Callbacks thread_callbacks = { .next_thread = next_thread,
								.memory_read = read_memory,
								.set_initial_registers = set_registers };

	r->dwfl = dwfl_begin(&callbacks);
	dwfl_report_begin(r->dwfl);
	vec_each(&r->files, f)
		ck_assert_ptr_nonnull(dwfl_report_elf(r->dwfl, f->path, f->path, -1, f->base, false));
	dwfl_report_end(r->dwfl, NULL, NULL);
	ck_assert(dwfl_attach_state(r->dwfl, NULL, (pid_t)r->pid, &thread_callbacks, r));
}

/* ---- ours against theirs ---- */

/* Ours, which is every program's: its section headers stand last. */
static const char *write_vdso(void)
{
	const char *path = harness_path("vdso");
	const Elf64_Ehdr *image = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	FILE *out = fopen(path, "we");

	ck_assert_ptr_nonnull(image);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(image, image->e_shoff + image->e_shnum * image->e_shentsize, 1, out), 1);
	ck_assert_int_eq(fclose(out), 0);
	return path;
}

static void take_file(struct referee *r, const struct record *m)
{
	const char *path = m->mmap.path;

	if (!m->mmap.is_exec || m->pid != r->pid)
		return;
	if (!strcmp(path, "[vdso]"))
		vec_push(&r->files, (struct file){ xstrdup(write_vdso()), m->mmap.start });
	else if (path[0] == '/' && path[1] != '/')
		vec_push(&r->files, (struct file){ xstrdup(path), m->mmap.start - m->mmap.off });
}

static void print_difference(const struct referee *r, const struct unwind_frames *ours)
{
	size_t i;

	for (i = 0; i < ours->at.nr || i < r->nr_theirs; i++)
		fprintf(stderr, "%3zu %16" PRIx64 " %d %16" PRIx64 " %d\n", i,
			i < ours->at.nr ? ours->at.at[i].addr : 0, i < ours->at.nr && !ours->at.at[i].is_return,
			i < r->nr_theirs ? (uint64_t)r->theirs[i].pc : 0,
			i < r->nr_theirs && r->theirs[i].is_activation);
}

/* Of the trampoline, below which a signal came in, libdwfl says that it was called. */
static bool is_same_frame(const struct referee *r, const struct unwind_frames *ours, size_t i)
{
	const struct unwind_frame *f = &ours->at.at[i];
	bool is_trampoline = i + 1 < ours->at.nr && i > 0 && !f[1].is_return;

	return f->addr == r->theirs[i].pc && (is_trampoline || f->is_return == !r->theirs[i].is_activation);
}

/*
 * libdwfl loses rbx where nothing is said of it (see add_register() in unwinder/cfi.c), takes a stale one
 * below the lazy PLT's resolver, whose CFA goes by rbx, and ends at once, outside of all code. Ours goes
 * on there, to the outermost frame.
 */
static bool has_gone_astray(struct referee *r, const struct unwind_frames *ours, uint32_t process)
{
	const struct space *space = &r->session.processes.at[process].space;
	Dwarf_Addr last = r->nr_theirs ? r->theirs[r->nr_theirs - 1].pc : 0;

	if (r->nr_theirs < 2 || ours->at.nr <= r->nr_theirs || space_find(space, last))
		return false;
	r->nr_theirs--;
	r->verdicts.nr_astray++;
	return true;
}

/* The same with a stale rbx that points further up the stack: it leaves frames out, and has the rest. */
static bool has_left_out(const struct referee *r, const struct unwind_frames *ours)
{
	size_t nr_first = 0, nr_last = 0, nr = r->nr_theirs;

	while (nr_first < nr && nr_first < ours->at.nr && is_same_frame(r, ours, nr_first))
		nr_first++;
	while (nr_last < nr && nr_last < ours->at.nr &&
	       ours->at.at[ours->at.nr - 1 - nr_last].addr == r->theirs[nr - 1 - nr_last].pc)
		nr_last++;
	return nr < ours->at.nr && nr_first >= 2 && nr_first + nr_last >= nr;
}

static void compare(struct referee *r, const struct unwind_frames *ours, uint32_t process)
{
	struct verdicts *v = &r->verdicts;
	bool is_astray = has_gone_astray(r, ours, process);
	bool is_same = r->nr_theirs <= ours->at.nr;
	size_t i;

	for (i = 0; is_same && i < r->nr_theirs; i++)
		is_same = is_same_frame(r, ours, i);
	if (!is_same && has_left_out(r, ours)) {
		v->nr_astray++;
		return;
	}
	if (!is_same)
		print_difference(r, ours);
	ck_assert_msg(is_same, "frames differ, or libdwfl has more of them: see the table");
	v->nr_frames += (unsigned int)r->nr_theirs;
	v->nr_same += r->nr_theirs == ours->at.nr;
	v->nr_longer += r->nr_theirs != ours->at.nr && !is_astray;
	for (i = 1; i < ours->at.nr; i++)
		v->nr_signals += !ours->at.at[i].is_return && ours->at.at[i - 1].is_return;
}

static void take_sample(struct referee *r, const struct record *sample)
{
	uint32_t thread = session_thread(&r->session, sample->pid, sample->tid);
	uint32_t process = r->session.threads.at[thread].process;
	const struct unwind_frames *ours;

	if (!stack_dumps_can(&r->dumps, &r->session, sample))
		return;
	/* The recorder itself, and the program loader while it maps what will be there. */
	if (sample->pid != r->pid || r->files.nr < MIN_FILES)
		return;
	if (!r->dwfl)
		attach(r);
	r->sample = sample;
	ck_assert(regs_of_perf(r->dumps.arch, sample->sample.user_regs_mask, sample->sample.user_regs,
			       sample->sample.nr_user_regs, &r->regs));
	r->nr_theirs = 0;
	dwfl_getthread_frames(r->dwfl, (pid_t)r->pid, take_frame, r);
	ours = stack_dumps_unwind(&r->dumps, &r->session, process, sample);
	compare(r, ours, process);
}

static void take_record(struct referee *r, const struct record *record)
{
	session_record(&r->session, record);
	if (record->type == PERF_RECORD_COMM && record->comm.is_exec)
		r->pid = record->pid;
	else if (record->type == PERF_RECORD_MMAP || record->type == PERF_RECORD_MMAP2)
		take_file(r, record);
	else if (record->type == PERF_RECORD_SAMPLE && record->event)
		take_sample(r, record);
}

static void replay(struct referee *r, const char *path)
{
	struct reader *reader;
	struct record record;
	struct order order;
	struct err e;

	ck_assert_int_eq(reader_open(path, &reader, &e), 0);
	strings_id(&r->strings, "");
	r->symbolizer = symbolizer_new(&(struct symbolizer_options){ 0 }, &r->strings);
	session_init(&r->session, reader, r->symbolizer, &r->strings);
	order_init(&order, reader);
	while (order_next(&order, &record, &e) > 0)
		take_record(r, &record);
	order_release(&order);
	stack_dumps_release(&r->dumps);
	session_release(&r->session);
	symbolizer_free(r->symbolizer);
	strings_release(&r->strings);
	reader_free(reader);
	dwfl_end(r->dwfl);
	vec_each(&r->files, f)
		free(f->path);
	vec_release(&r->files);
}

static const struct {
	const char *name, *flags;
} builds[] = {
	{ "deep", "-O2 -fomit-frame-pointer" },
	{ "deep.realign", "-O2 -fomit-frame-pointer -mstackrealign" },
	{ "deep.lazy", "-O1 -no-pie -Wl,-z,lazy" },
};

START_TEST(stacks_are_those_of_the_referee)
{
	const char *program = harness_path("deep"), *data = harness_path("perf.data");
	struct referee r = { 0 };
	struct verdicts *v = &r.verdicts;
	struct run run = { 0 };

	run_shell(&run, "gcc %s tests/targets/unwind_deep.c -o %s", builds[_i].flags, program);
	ck_assert_exit(&run, 0);
	run_release(&run);
	/* Rings that hold all of it: seven such stacks fill perf's own, and what is lost may be where libc is. */
	run_shell(&run, "perf record -q -m 128M -e cpu-clock:u --call-graph dwarf,%d -F 5000 -o %s %s 400", STACK_BYTES,
		  data, program);
	ck_assert_exit(&run, 0);
	run_release(&run);
	replay(&r, data);
	printf("%s: %u stacks (%u frames, %u signals) as libdwfl; %u where it gave up earlier, %u where it went astray\n",
	       builds[_i].name, v->nr_same, v->nr_frames, v->nr_signals, v->nr_longer, v->nr_astray);
	ck_assert_uint_ge(v->nr_same, MIN_SAMPLES);
	ck_assert_uint_gt(v->nr_signals, 0);
	/* Moments of a prologue or an epilogue, or of the first call of a function. */
	ck_assert_uint_lt(v->nr_longer + v->nr_astray, v->nr_same / 50);
}
END_TEST

void unwind_referee_add(Suite *s)
{
	TCase *tc = tcase_create("referee");

	if (!harness_can_or_omit(s, "referee", CAN_COMPILE) || !harness_can_or_omit(s, "referee", CAN_PERF) ||
	    !harness_can_or_omit(s, "referee", CAN_SAMPLE))
		return;
	/* The table of libdwfl's registers, and the program's flags, are of that. */
	if (unwind_arch_native() != unwind_arch_find("x86_64")) {
		harness_omit(s, "referee", "not an x86-64");
		return;
	}
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, stacks_are_those_of_the_referee, 0, ARRAY_LEN(builds));
	suite_add_tcase(s, tc);
}
