/* SPDX-License-Identifier: Apache-2.0 */
/* The probes themselves, on functions of this program: each way to attach them counts each call, and goes whole. */
#include <bpf/bpf.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/call_core.h"
#include "collector/maps.h"
#include "tests/harness.h"

Suite *check_call_link_suite(void);

void check_call_link_first(void);
void check_call_link_second(void);
__asm__(".pushsection .text\n"
	"check_call_link_first:\n"
	"	push %rax\n"
	"	pop %rax\n"
	"	ret\n"
	"check_call_link_second:\n"
	"	mov %rsp, %rax\n"
	"	push %rax\n"
	"	pop %rax\n"
	"	ret\n"
	".popsection\n");

static uint64_t off_of(void (*function)(void))
{
	uint64_t addr = (uintptr_t)function, off = 0;
	struct maps maps = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(maps_read(&maps, getpid(), &e), 0);
	vec_each(&maps.entries, m)
		if (addr >= m->start && addr < m->end)
			off = addr - m->start + m->off;
	maps_release(&maps);
	ck_assert_uint_ne(off, 0);
	return off;
}

static void call(int nr)
{
	while (nr--) {
		check_call_link_first();
		check_call_link_second();
		check_call_link_second();
	}
}

static bool is_whole(void)
{
	return *(volatile uint8_t *)(uintptr_t)check_call_link_first == 0x50 &&
	       ((volatile uint8_t *)(uintptr_t)check_call_link_second)[3] == 0x50;
}

/* 0: by uprobe-multi links where there are some, 1: by perf events. */
START_TEST(each_way_counts_each_call)
{
	struct call_place places[] = { { .off = off_of(check_call_link_first) },
				       { .off = off_of(check_call_link_second) + 3 } };
	struct call_programs programs;
	struct call_link link = { 0 };
	struct call_hits hits[2];
	struct call_core *core;
	struct err e = { 0 };

	ck_assert_msg(!call_core_new(&core, 2, &e), "%s", e.what);
	places[0].cookie = CALLS_COOKIE(1, 0, core->generation);
	places[1].cookie = CALLS_COOKIE(2, 0, core->generation);
	programs = call_core_programs(core);
	if (_i)
		programs.multi_fd = -1;
	ck_assert_msg(!call_link_attach(&link, &programs, "/proc/self/exe", places, 2, (uint32_t)getpid(), &e),
		      "%s", e.what);
	ck_assert(!is_whole());
	call(10);
	ck_assert_uint_eq(call_core_hits(core, 1).nr, 0);
	call_core_start(core);
	call(1000);
	call_core_stop(core);
	call(10);
	ck_assert_uint_eq(call_core_hits(core, 1).nr, 1000);
	ck_assert_uint_eq(call_core_hits(core, 2).nr, 2000);
	call_core_all_hits(core, 2, hits);
	ck_assert_uint_eq(hits[0].nr, 1000);
	ck_assert_uint_eq(hits[1].nr, 2000);
	ck_assert_uint_eq(call_core_hits(core, 1).nr_lost, 0);
	ck_assert_uint_eq(call_core_totals(core).nr_lost, 0);
	call_link_release(&link);
	ck_assert(is_whole());
	call(10);
	call_core_free(core);
}
END_TEST

/* The ones go and the others come while calls are made: each call is counted by one of them. */
START_TEST(generations_follow_each_other)
{
	struct call_place place = { .off = off_of(check_call_link_first) };
	struct call_link links[2] = { 0 };
	struct call_programs programs;
	struct call_core *core;
	struct err e = { 0 };
	int i;

	ck_assert_int_eq(call_core_new(&core, 1, &e), 0);
	programs = call_core_programs(core);
	call_core_start(core);
	for (i = 0; i < 8; i++) {
		place.cookie = CALLS_COOKIE(1, 0, core->generation);
		ck_assert_int_eq(call_link_attach(&links[i & 1], &programs, "/proc/self/exe", &place, 1,
						  (uint32_t)getpid(), &e),
				 0);
		call_core_next_generation(core);
		call(50);
		call_link_release(&links[!(i & 1)]);
		call(50);
		call_core_prepare_generation(core);
	}
	ck_assert_uint_eq(call_core_hits(core, 1).nr, 800);
	call_link_release(&links[1]);
	call_core_free(core);
}
END_TEST

START_TEST(what_cannot_be_probed_is_an_error)
{
	const struct call_place beyond = { .off = 1ULL << 40 };
	struct call_programs programs;
	struct call_link link = { 0 };
	struct call_core *core;
	struct err e = { 0 };

	ck_assert_int_eq(call_core_new(&core, 1, &e), 0);
	programs = call_core_programs(core);
	ck_assert_int_lt(call_link_attach(&link, &programs, "/no/such/file", &beyond, 1, (uint32_t)getpid(), &e), 0);
	ck_assert_uint_eq(link.fds.nr, 0);
	ck_assert_int_lt(call_link_attach(&link, &programs, "/proc/self/exe", &beyond, 1, 0x3fffffff, &e), 0);
	ck_assert_uint_eq(link.fds.nr, 0);
	call_core_free(core);
}
END_TEST

/* As kernels before and after 46ba0e49b642, those without such links, and those that refuse them. */
START_TEST(links_of_threads_are_known_by_what_the_kernel_says)
{
	struct call_core *core;
	struct err e = { 0 };
	int said;

	ck_assert(call_link_is_of_thread(-ESRCH));
	ck_assert(!call_link_is_of_thread(-EINVAL));
	ck_assert(!call_link_is_of_thread(-EPERM));
	ck_assert(!call_link_is_of_thread(0));
	ck_assert_int_eq(call_core_new(&core, 1, &e), 0);
	said = call_link_ask(call_core_programs(core).multi_fd);
	ck_assert_msg(said == -EINVAL || said == -ESRCH || said == -EBADF, "it said %d", said);
	ck_assert_int_eq(call_core_programs(core).multi_fd < 0, call_link_is_of_thread(said) || said == -EBADF);
	call_core_free(core);
}
END_TEST

/* Whose memory another thread sends meanwhile has lost that call: it is not written into what is reset next. */
START_TEST(calls_are_lost_where_others_are_busy)
{
	struct call_place place = { .off = off_of(check_call_link_first) };
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), threads;
	struct call_thread *t = xcalloc(1, sizeof(*t));
	struct call_programs programs;
	struct call_link link = { 0 };
	struct call_core *core;
	struct err e = { 0 };

	ck_assert_int_eq(call_core_new(&core, 1, &e), 0);
	place.cookie = CALLS_COOKIE(1, 0, core->generation);
	programs = call_core_programs(core);
	ck_assert_int_eq(call_link_attach(&link, &programs, "/proc/self/exe", &place, 1, (uint32_t)getpid(), &e), 0);
	call_core_start(core);
	call(10);
	threads = bpf_object__find_map_fd_by_name(core->object, "call_threads");
	t->is_busy = CALLS_BUSY;
	ck_assert_int_eq(bpf_map_update_elem(threads, &pidfd, t, BPF_ANY), 0);
	call(7);
	ck_assert_uint_eq(call_core_hits(core, 1).nr, 17);
	ck_assert_uint_eq(call_core_hits(core, 1).nr_lost, 7);
	ck_assert_uint_eq(call_core_totals(core).nr_lost, 7);
	ck_assert_int_eq(bpf_map_lookup_elem(threads, &pidfd, t), 0);
	ck_assert_uint_eq(t->is_busy, CALLS_BUSY);
	ck_assert_uint_eq(t->head.nr, 0);
	t->is_busy = 0;
	ck_assert_int_eq(bpf_map_update_elem(threads, &pidfd, t, BPF_ANY), 0);
	call(5);
	ck_assert_uint_eq(call_core_hits(core, 1).nr_lost, 7);
	call_link_release(&link);
	call_core_free(core);
	close(pidfd);
	free(t);
}
END_TEST

static TCase *link_tcase(void)
{
	TCase *tc = tcase_create("call_link");

	tcase_add_loop_test(tc, each_way_counts_each_call, 0, 2);
	tcase_add_test(tc, generations_follow_each_other);
	tcase_add_test(tc, what_cannot_be_probed_is_an_error);
	tcase_add_test(tc, calls_are_lost_where_others_are_busy);
	tcase_add_test(tc, links_of_threads_are_known_by_what_the_kernel_says);
	return tc;
}

Suite *check_call_link_suite(void)
{
	Suite *s = suite_create("call_link");

	if (harness_can_or_omit(s, "call_link", CAN_BPF))
		suite_add_tcase(s, link_tcase());
	return s;
}
