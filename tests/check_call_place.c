/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "collector/call_place.h"

Suite *check_call_place_suite(void);

/* Code as gas writes it, where its probe goes, and how deep the stack pointer is there. */
static const struct {
	const char *what;
	uint8_t code[32];
	size_t len;
	enum call_place_kind kind;
	uint32_t off, sp_add;
} cases[] = {
	{ "push %rbp; ret", { 0x55, 0xc3 }, 2, CALL_PLACE_EMULATED, 0, 0 },
	{ "push %r15; ret", { 0x41, 0x57, 0xc3 }, 3, CALL_PLACE_EMULATED, 0, 0 },
	{ "endbr64; push %rbp", { 0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0xc3 }, 6, CALL_PLACE_EMULATED, 4, 0 },
	{ "nop; ret", { 0x90, 0xc3 }, 2, CALL_PLACE_EMULATED, 0, 0 },
	{ "nopl 0(%rax), three bytes", { 0x0f, 0x1f, 0x00, 0xc3 }, 4, CALL_PLACE_EMULATED, 0, 0 },
	/* which 6.18 makes a call of */
	{ "nopl of five bytes; push %rbp", { 0x0f, 0x1f, 0x44, 0, 0, 0x55, 0xc3 }, 7, CALL_PLACE_EMULATED, 5, 0 },
	{ "nopl of five bytes; mov; ret", { 0x0f, 0x1f, 0x44, 0, 0, 0x89, 0xf8, 0xc3 }, 8, CALL_PLACE_STEPPED, 5, 0 },
	/* the stack pointer is followed */
	{ "sub $0x18,%rsp; mov; call", { 0x48, 0x83, 0xec, 0x18, 0x89, 0xf8, 0xe8, 0, 0, 0, 0 }, 11,
	  CALL_PLACE_EMULATED, 6, 0x18 },
	{ "mov %rbx,8(%rsp); sub $8,%rsp; je behind",
	  { 0x48, 0x89, 0x5c, 0x24, 8, 0x48, 0x83, 0xec, 8, 0x74, 1, 0xc3, 0xc3 }, 13,
	  CALL_PLACE_EMULATED, 9, 8 },
	{ "pushq $5; call", { 0x6a, 5, 0xe8, 0, 0, 0, 0 }, 7, CALL_PLACE_EMULATED, 2, 8 },
	{ "and $-16,%rsp; push %rbp", { 0x48, 0x83, 0xe4, 0xf0, 0x55, 0xc3 }, 6, CALL_PLACE_STEPPED, 0, 0 },
	{ "pop %rax; push %rax", { 0x58, 0x50, 0xc3 }, 3, CALL_PLACE_STEPPED, 0, 0 },
	/* to the end of the block, and no further */
	{ "mov; jmp", { 0x89, 0xf8, 0xeb, 0x10 }, 4, CALL_PLACE_EMULATED, 2, 0 },
	{ "lea; ret", { 0x8d, 0x47, 1, 0xc3 }, 4, CALL_PLACE_STEPPED, 0, 0 },
	{ "jmp *%rax; push %rbp", { 0xff, 0xe0, 0x55, 0xc3 }, 4, CALL_PLACE_STEPPED, 0, 0 },
	{ "syscall; push %rbp", { 0x0f, 0x05, 0x55, 0xc3 }, 4, CALL_PLACE_STEPPED, 0, 0 },
	{ "loop behind; push", { 0xe2, 1, 0x55, 0xc3 }, 4, CALL_PLACE_STEPPED, 0, 0 },
	/* a 16 bit push is not emulated */
	{ "push %ax; ret", { 0x66, 0x50, 0xc3 }, 3, CALL_PLACE_STEPPED, 0, 0 },
	/* a loop comes by more often than calls */
	{ "mov; push %rbp; ..., jne push", { 0x89, 0xf8, 0x55, 0x75, 0xfd, 0xc3 }, 6, CALL_PLACE_STEPPED, 0, 0 },
	{ "mov; dec; jne dec", { 0x89, 0xf8, 0xff, 0xc8, 0x75, 0xfc, 0xc3 }, 7, CALL_PLACE_STEPPED, 0, 0 },
	{ "push; mov; jne mov", { 0x55, 0x89, 0xf8, 0x75, 0xfc, 0xc3 }, 6, CALL_PLACE_EMULATED, 0, 0 },
	{ "push; jne push", { 0x55, 0x75, 0xfd, 0xc3 }, 4, CALL_PLACE_NONE, 0, 0 },
	{ "jmp to itself", { 0xeb, 0xfe }, 2, CALL_PLACE_NONE, 0, 0 },
	/* recursion is a call */
	{ "push; call itself", { 0x55, 0xe8, 0xfa, 0xff, 0xff, 0xff, 0xc3 }, 7, CALL_PLACE_EMULATED, 0, 0 },
	/* what the kernel takes no probe on */
	{ "lock incl (%rdi); ret", { 0xf0, 0xff, 0x07, 0xc3 }, 4, CALL_PLACE_STEPPED, 3, 0 },
	{ "lock incl (%rdi); push", { 0xf0, 0xff, 0x07, 0x50, 0xc3 }, 5, CALL_PLACE_EMULATED, 3, 0 },
	{ "hlt", { 0xf4 }, 1, CALL_PLACE_NONE, 0, 0 },
	{ "ud2", { 0x0f, 0x0b }, 2, CALL_PLACE_NONE, 0, 0 },
	{ "int3", { 0xcc }, 1, CALL_PLACE_NONE, 0, 0 },
	/* bytes that are none */
	{ "06: no instruction", { 0x06, 0x55 }, 2, CALL_PLACE_NONE, 0, 0 },
	{ "push; mov; data", { 0x55, 0x89, 0xf8, 0xc3, 0x06, 0x06 }, 6, CALL_PLACE_EMULATED, 0, 0 },
	{ "mov; push; data", { 0x89, 0xf8, 0x55, 0xc3, 0x06, 0x06 }, 6, CALL_PLACE_STEPPED, 0, 0 },
	{ "the first half of an instruction", { 0x48, 0x83 }, 2, CALL_PLACE_NONE, 0, 0 },
	{ "nothing", { 0 }, 0, CALL_PLACE_NONE, 0, 0 },
};

START_TEST(probes_go_where_each_call_comes_by_once)
{
	struct call_placement p;

	call_place_find(cases[_i].code, cases[_i].len, &p);
	ck_assert_msg(p.kind == cases[_i].kind, "%s: kind %d, not %d", cases[_i].what, p.kind, cases[_i].kind);
	ck_assert((p.why != NULL) == (p.kind != CALL_PLACE_EMULATED));
	if (p.kind == CALL_PLACE_NONE)
		return;
	ck_assert_msg(p.off == cases[_i].off, "%s: at %u, not %u", cases[_i].what, p.off, cases[_i].off);
	ck_assert_msg(p.sp_add == cases[_i].sp_add, "%s: sp + %u, not %u", cases[_i].what, p.sp_add,
		      cases[_i].sp_add);
	ck_assert_uint_gt(strlen(p.text), 0);
}
END_TEST

/* Whatever the bytes are: the probe lies in them. */
START_TEST(any_bytes_will_do)
{
	uint64_t state = (uint64_t)_i + 1;
	struct call_placement p;
	uint8_t code[64];
	size_t len, i;
	int round;

	for (round = 0; round < 1000; round++) {
		for (i = 0; i < sizeof(code); i++) {
			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			code[i] = (uint8_t)(state >> 56);
		}
		len = (state >> 32) % (sizeof(code) + 1);
		call_place_find(code, len, &p);
		ck_assert(p.kind == CALL_PLACE_NONE || p.off < len);
	}
}
END_TEST

Suite *check_call_place_suite(void)
{
	Suite *s = suite_create("call_place");
	TCase *tc = tcase_create("call_place");

	tcase_add_loop_test(tc, probes_go_where_each_call_comes_by_once, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(tc, any_bytes_will_do, 0, 20);
	suite_add_tcase(s, tc);
	return s;
}
