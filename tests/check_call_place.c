/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/alloc.h"
#include "collector/call_place.h"

Suite *check_call_place_suite(void);

/* Code as gas writes it, where its probe goes, and how deep the stack pointer is there. */
static const struct {
	const char *what;
	uint8_t code[40];
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
	/* vector instructions with opcodes that the kernel takes for others: jg, ja, ret, call */
	{ "vmovdqu %ymm0,(%rdi); ret", { 0xc5, 0xfe, 0x7f, 0x07, 0xc3 }, 5, CALL_PLACE_STEPPED, 4, 0 },
	{ "vzeroupper; ret", { 0xc5, 0xf8, 0x77, 0xc3 }, 4, CALL_PLACE_STEPPED, 3, 0 },
	{ "vcmpltps; ret", { 0xc5, 0xf8, 0xc2, 0xc1, 1, 0xc3 }, 6, CALL_PLACE_STEPPED, 5, 0 },
	{ "vpsubsb; jmp *%rax", { 0xc5, 0xf9, 0xe8, 0xc1, 0xff, 0xe0 }, 6, CALL_PLACE_STEPPED, 4, 0 },
	{ "vpbroadcastb %esi,%ymm17; mov; ret", { 0x62, 0xe2, 0x7d, 0x28, 0x7a, 0xce, 0x89, 0xf8, 0xc3 }, 9, CALL_PLACE_STEPPED, 6, 0 },
	{ "vxorps; ret", { 0xc5, 0xf8, 0x57, 0xc0, 0xc3 }, 5, CALL_PLACE_STEPPED, 0, 0 },
	{ "lea; ret", { 0x8d, 0x47, 1, 0xc3 }, 4, CALL_PLACE_STEPPED, 0, 0 },
	{ "jmp *%rax; push %rbp", { 0xff, 0xe0, 0x55, 0xc3 }, 4, CALL_PLACE_STEPPED, 0, 0 },
	/* what comes out else: the trap flag stored, the copy's address in %rcx; "xchg %rax,%r8" for a nop; cmov misread */
	{ "pushfq; pop %rax; ret", { 0x9c, 0x58, 0xc3 }, 3, CALL_PLACE_STEPPED, 1, 8 },
	{ "pushfw; ret", { 0x66, 0x9c, 0xc3 }, 3, CALL_PLACE_NONE, 0, 0 },
	{ "syscall; push %rbp", { 0x0f, 0x05, 0x55, 0xc3 }, 4, CALL_PLACE_NONE, 0, 0 },
	{ "mov; syscall; push %rbp", { 0x89, 0xf8, 0x0f, 0x05, 0x55, 0xc3 }, 6, CALL_PLACE_STEPPED, 0, 0 },
	{ "xbegin behind; ret", { 0xc7, 0xf8, 0, 0, 0, 0, 0xc3 }, 7, CALL_PLACE_NONE, 0, 0 },
	{ "xchg %rax,%r8; ret", { 0x49, 0x90, 0xc3 }, 3, CALL_PLACE_STEPPED, 2, 0 },
	{ "xchg %rax,%rcx; ret", { 0x48, 0x91, 0xc3 }, 3, CALL_PLACE_STEPPED, 0, 0 },
	{ "rep cmovz 0(%rip),%eax; ret", { 0xf3, 0x0f, 0x44, 0x05, 0, 0, 0, 0, 0xc3 }, 9, CALL_PLACE_STEPPED, 8, 0 },
	{ "cmovz 0(%rip),%eax; ret", { 0x0f, 0x44, 0x05, 0, 0, 0, 0, 0xc3 }, 8, CALL_PLACE_STEPPED, 0, 0 },
	/* the step ends in each round */
	{ "rep movsb; ret", { 0xf3, 0xa4, 0xc3 }, 3, CALL_PLACE_STEPPED, 2, 0 },
	{ "rep stosq; push", { 0xf3, 0x48, 0xab, 0x55, 0xc3 }, 5, CALL_PLACE_EMULATED, 3, 0 },
	{ "repne scasb; jne begin", { 0xf2, 0xae, 0x75, 0xfc, 0xc3 }, 5, CALL_PLACE_NONE, 0, 0 },
	{ "repz cmpsb; dec; jne dec; ret", { 0xf3, 0xa6, 0xff, 0xcf, 0x75, 0xfc, 0xc3 }, 7, CALL_PLACE_NONE, 0, 0 },
	{ "movsb; ret", { 0xa4, 0xc3 }, 2, CALL_PLACE_STEPPED, 1, 0 },
	{ "repz ret", { 0xf3, 0xc3 }, 2, CALL_PLACE_STEPPED, 0, 0 },
	{ "loop behind; push", { 0xe2, 1, 0x55, 0xc3 }, 4, CALL_PLACE_STEPPED, 0, 0 },
	/* a fault that is mended makes it come by again */
	{ "mov %rsi,(%rdi); lea; ret", { 0x48, 0x89, 0x37, 0x8d, 0x47, 1, 0xc3 }, 7, CALL_PLACE_STEPPED, 3, 0 },
	{ "mov %eax,8(%rsp); mov (%rdi),%eax; ret", { 0x89, 0x44, 0x24, 8, 0x8b, 0x07, 0xc3 }, 7, CALL_PLACE_STEPPED, 0, 0 },
	{ "mov %fs:0x28,%rax; ret", { 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, 0xc3 }, 10, CALL_PLACE_STEPPED, 0, 0 },
	{ "mov (%rdi),%eax; test; jne", { 0x8b, 0x07, 0x85, 0xc0, 0x75, 0, 0xc3 }, 7, CALL_PLACE_EMULATED, 4, 0 },
	{ "mov (%rdi),%eax; jmp *(%rsi)", { 0x8b, 0x07, 0xff, 0x26 }, 4, CALL_PLACE_STEPPED, 0, 0 },
	/* a 16 bit push is not emulated */
	{ "push %ax; ret", { 0x66, 0x50, 0xc3 }, 3, CALL_PLACE_STEPPED, 0, 0 },
	/* a loop comes by more often than calls */
	{ "mov; push %rbp; ..., jne push", { 0x89, 0xf8, 0x55, 0x75, 0xfd, 0xc3 }, 6, CALL_PLACE_STEPPED, 0, 0 },
	{ "mov; dec; jne dec", { 0x89, 0xf8, 0xff, 0xc8, 0x75, 0xfc, 0xc3 }, 7, CALL_PLACE_STEPPED, 0, 0 },
	{ "push; mov; jne mov", { 0x55, 0x89, 0xf8, 0x75, 0xfc, 0xc3 }, 6, CALL_PLACE_EMULATED, 0, 0 },
	{ "push; jne push", { 0x55, 0x75, 0xfd, 0xc3 }, 4, CALL_PLACE_NONE, 0, 0 },
	{ "jmp to itself", { 0xeb, 0xfe }, 2, CALL_PLACE_NONE, 0, 0 },
	/* Go's check of its stack: behind it, if each call passes it once */
	{ "cmp; jbe detour; sub $8,%rsp; call; add; ret; detour: call; jmp begin",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 14, 0x48, 0x83, 0xec, 8, 0xe8, 0, 0, 0, 0, 0x48, 0x83, 0xc4, 8, 0xc3,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xe5 }, 27, CALL_PLACE_EMULATED, 10, 8 },
	{ "cmp; jbe detour; sub $8,%rsp; mov; add; ret; detour: call; jmp begin",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 11, 0x48, 0x83, 0xec, 8, 0x89, 0xf8, 0x48, 0x83, 0xc4, 8, 0xc3,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xe8 }, 24, CALL_PLACE_STEPPED, 6, 0 },
	{ "cmp; jbe detour; sub $8,%rsp; call what panics; nop; detour: call; jmp begin",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 10, 0x48, 0x83, 0xec, 8, 0xe8, 0, 0, 0, 0, 0x90,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xe9 }, 23, CALL_PLACE_EMULATED, 10, 8 },
	{ "mov %rsp,%r12; sub $4096,%r12; jb detour; cmp; jbe detour; sub $4096,%rsp; call; ret; detour",
	  { 0x49, 0x89, 0xe4, 0x49, 0x81, 0xec, 0, 0x10, 0, 0, 0x72, 19, 0x4d, 0x3b, 0x66, 0x10, 0x76, 13,
	    0x48, 0x81, 0xec, 0, 0x10, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xda }, 38, CALL_PLACE_EMULATED, 25, 4096 },
	{ "a loop to the place behind",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 5, 0x89, 0xf8, 0x75, 0xfc, 0xc3, 0xe8, 0, 0, 0, 0, 0xeb, 0xee }, 18,
	  CALL_PLACE_NONE, 0, 0 },
	{ "a jump from behind the check to the begin",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 13, 0x48, 0x83, 0xec, 8, 0x89, 0xf8, 0x48, 0x83, 0xc4, 8, 0x75, 0xee, 0xc3,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xe6 }, 26, CALL_PLACE_NONE, 0, 0 },
	{ "one into the check",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 13, 0x48, 0x83, 0xec, 8, 0x89, 0xf8, 0x48, 0x83, 0xc4, 8, 0x75, 0xf2, 0xc3,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xe6 }, 26, CALL_PLACE_NONE, 0, 0 },
	{ "one to the detour",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 13, 0x48, 0x83, 0xec, 8, 0x89, 0xf8, 0x48, 0x83, 0xc4, 8, 0x75, 1, 0xc3,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xe6 }, 26, CALL_PLACE_NONE, 0, 0 },
	{ "code that runs on into the detour",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 10, 0x48, 0x83, 0xec, 8, 0x89, 0xf8, 0x48, 0x83, 0xc4, 8,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xe9 }, 23, CALL_PLACE_NONE, 0, 0 },
	{ "a call without a frame that does",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 5, 0xe8, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xeb, 0xee }, 18,
	  CALL_PLACE_NONE, 0, 0 },
	{ "a detour with a choice",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 1, 0xc3, 0x74, 2, 0xeb, 0xf5, 0xc3 }, 12, CALL_PLACE_NONE, 0, 0 },
	{ "push; cmp; jbe detour; ret; detour: jmp begin",
	  { 0x55, 0x49, 0x3b, 0x66, 0x10, 0x76, 1, 0xc3, 0xeb, 0xf6 }, 10, CALL_PLACE_NONE, 0, 0 },
	/* recursion is a call */
	{ "push; call itself", { 0x55, 0xe8, 0xfa, 0xff, 0xff, 0xff, 0xc3 }, 7, CALL_PLACE_EMULATED, 0, 0 },
	/* what the kernel takes no probe on */
	{ "lock incl (%rdi); ret", { 0xf0, 0xff, 0x07, 0xc3 }, 4, CALL_PLACE_STEPPED, 3, 0 },
	{ "lock incl (%rdi); push", { 0xf0, 0xff, 0x07, 0x50, 0xc3 }, 5, CALL_PLACE_EMULATED, 3, 0 },
	{ "cs jmp; ret", { 0x2e, 0xe9, 0, 0, 0, 0, 0xc3 }, 7, CALL_PLACE_NONE, 0, 0 },
	{ "mov; cs jmp", { 0x89, 0xf0, 0x2e, 0xe9, 9, 0, 0, 0 }, 8, CALL_PLACE_STEPPED, 0, 0 },
	{ "sub $8,%rsp; cs call; ret", { 0x48, 0x83, 0xec, 8, 0x2e, 0xe8, 0, 0, 0, 0, 0xc3 }, 11, CALL_PLACE_STEPPED, 0, 0 },
	{ "mov; je,pt; ret", { 0x89, 0xf0, 0x3e, 0x74, 0, 0xc3 }, 6, CALL_PLACE_STEPPED, 0, 0 },
	{ "mov; je,pn; ret", { 0x89, 0xf0, 0x2e, 0x0f, 0x84, 0, 0, 0, 0, 0xc3 }, 10, CALL_PLACE_STEPPED, 0, 0 },
	{ "notrack jmp *%rax", { 0x3e, 0xff, 0xe0 }, 3, CALL_PLACE_NONE, 0, 0 },
	{ "notrack jmp *0(%rip)", { 0x3e, 0xff, 0x25, 0, 0, 0, 0 }, 7, CALL_PLACE_NONE, 0, 0 },
	{ "es push; ss nop; push", { 0x26, 0x50, 0x36, 0x90, 0x51, 0xc3 }, 6, CALL_PLACE_EMULATED, 4, 8 },
	{ "data16 cs nopw 0(%rax,%rax); ret", { 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0xc3 }, 11, CALL_PLACE_STEPPED, 10, 0 },
	{ "fs cs mov %fs:0x28,%rax; push", { 0x64, 0x2e, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, 0x50, 0xc3 }, 12, CALL_PLACE_EMULATED, 10, 0 },
	{ "data16 data16 rex.W call; ret", { 0x66, 0x66, 0x48, 0xe8, 0, 0, 0, 0, 0xc3 }, 9, CALL_PLACE_NONE, 0, 0 },
	{ "bnd jmp", { 0xf2, 0xe9, 9, 0, 0, 0 }, 6, CALL_PLACE_EMULATED, 0, 0 },
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

	call_place_find(cases[_i].code, cases[_i].len, NULL, &p);
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

static const struct {
	uint8_t code[8];
	size_t len;
	uint32_t sp_after;
} moves[] = {
	{ { 0x8d, 0x47, 1, 0xc3 }, 4, 0 },	/* lea; ret */
	{ { 0x48, 0x83, 0xec, 24, 0x8d, 0x47, 1, 0xc3 }, 8, 24 },	/* sub $24,%rsp; lea; ret */
	{ { 0x6a, 5, 0x8d, 0x47, 1, 0xc3 }, 6, 8 },	/* pushq $5; lea; ret */
	{ { 0x55, 0xc3 }, 2, 8 },	/* push %rbp; ret */
	{ { 0x48, 0x83, 0xe4, 0xf0, 0xc3 }, 5, CALL_PLACE_NO_SP },	/* and $-16,%rsp; ret */
	{ { 0xff, 0xe0 }, 2, CALL_PLACE_NO_SP },	/* jmp *%rax */
};

START_TEST(what_a_probed_instruction_takes_from_the_stack_is_known)
{
	struct call_placement p;

	call_place_find(moves[_i].code, moves[_i].len, NULL, &p);
	ck_assert_uint_eq(p.off, 0);
	ck_assert_uint_eq(p.sp_add, 0);
	ck_assert_uint_eq(p.sp_after, moves[_i].sp_after);
}
END_TEST

/* As Go 1.19 compiles them; then with what is not so. */
static const struct {
	const char *what;
	uint8_t code[40];
	size_t len;
	bool is_check;
	struct call_check want;
} checks[] = {
	{ "cmp; jbe detour; ret; detour: call; jmp begin",
	  { 0x49, 0x3b, 0x66, 0x10, 0x76, 1, 0xc3, 0xe8, 0, 0, 0, 0, 0xeb, 0xf2 }, 14, true,
	  { .jump = 4, .behind = 6, .condition = 6, .keeps_arguments = true } },
	{ "lea -0x10(%rsp),%r12; cmp; jbe detour, four bytes away; ret; detour: call; jmp begin",
	  { 0x4c, 0x8d, 0x64, 0x24, 0xf0, 0x4d, 0x3b, 0x66, 0x10, 0x0f, 0x86, 1, 0, 0, 0, 0xc3,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xe9 }, 23, true,
	  { .jump = 9, .behind = 15, .condition = 6, .keeps_arguments = true } },
	{ "mov %rsp,%r12; sub $4096,%r12; jb detour; cmp; jbe detour; ret; detour: call; jmp begin",
	  { 0x49, 0x89, 0xe4, 0x49, 0x81, 0xec, 0, 0x10, 0, 0, 0x72, 7, 0x4d, 0x3b, 0x66, 0x10, 0x76, 1, 0xc3,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xe6 }, 26, true,
	  { .jump = 16, .behind = 18, .condition = 6, .keeps_arguments = true } },
	{ "mov %fs:-8,%rcx; cmp 0x10(%rcx),%rsp; jbe detour; ret; detour: call; jmp begin",
	  { 0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff, 0x48, 0x3b, 0x61, 0x10, 0x76, 1, 0xc3,
	    0xe8, 0, 0, 0, 0, 0xeb, 0xe9 }, 23, true,
	  { .jump = 13, .behind = 15, .condition = 6, .keeps_arguments = false } },
	{ "push; ret", { 0x55, 0xc3 }, 2, false, { 0 } },
	{ "cmp; jbe down; ret; down: ret", { 0x49, 0x3b, 0x66, 0x10, 0x76, 1, 0xc3, 0xc3 }, 8, false, { 0 } },
	{ "jrcxz detour; ret; detour: jmp begin", { 0xe3, 1, 0xc3, 0xeb, 0xfb }, 5, false, { 0 } },
	{ "cmp; jbe out of the function", { 0x49, 0x3b, 0x66, 0x10, 0x76, 9, 0xc3 }, 7, false, { 0 } },
	{ "nothing", { 0 }, 0, false, { 0 } },
};

START_TEST(what_begins_again_is_known)
{
	struct call_check c = { 0 };

	ck_assert_msg(call_place_check(checks[_i].code, checks[_i].len, &c) == checks[_i].is_check, "%s",
		      checks[_i].what);
	ck_assert_msg(c.jump == checks[_i].want.jump && c.behind == checks[_i].want.behind,
		      "%s: from %u to %u", checks[_i].what, c.jump, c.behind);
	ck_assert_uint_eq(c.condition, checks[_i].want.condition);
	ck_assert_int_eq(c.keeps_arguments, checks[_i].want.keeps_arguments);
}
END_TEST

static const struct {
	uint8_t code[9];
	size_t len;	/* of the instruction; 0: none */
	bool is_nop;
} nops[] = {
	{ { 0x90 }, 1, true },
	{ { 0x66, 0x90 }, 2, true },
	{ { 0x0f, 0x1f, 0x40, 0 }, 4, true },
	{ { 0x0f, 0x1f, 0x44, 0, 0 }, 5, false },	/* which 6.18 makes a call of */
	{ { 0x66, 0x0f, 0x1f, 0x44, 0, 0 }, 6, true },
	{ { 0x50 }, 1, false },
	{ { 0xcc }, 1, false },
	{ { 0xb8, 0x90, 0x90, 0x90, 0x90 }, 5, false },
	{ { 0xf3, 0x0f, 0x1e, 0xfa }, 4, false },
	{ { 0x06 }, 0, false },
};

START_TEST(a_repeated_instruction_is_no_begin)
{
	static const uint8_t repeated[] = { 0xf3, 0xa4, 0xc3 }, once[] = { 0xa4, 0xf3, 0xa4, 0xc3 };

	ck_assert_ptr_nonnull(call_place_why_repeated(repeated, sizeof(repeated), NULL));
	ck_assert_ptr_null(call_place_why_repeated(once, sizeof(once), NULL));
}
END_TEST

START_TEST(the_midst_of_an_instruction_is_none)
{
	static const uint8_t code[] = { 0x55, 0xb8, 0x90, 0x90, 0x90, 0x90, 0xc3 }, none[] = { 0x06, 0x90 };
	size_t at;

	for (at = 0; at <= sizeof(code); at++)
		ck_assert_msg(call_place_is_inside(code, sizeof(code), at) == (at > 1 && at < 6), "at %zu", at);
	ck_assert(!call_place_is_inside(none, sizeof(none), 1));
}
END_TEST

START_TEST(a_nop_is_told_from_others)
{
	ck_assert_int_eq(call_place_is_nop(nops[_i].code, sizeof(nops[_i].code)), nops[_i].is_nop);
	ck_assert_uint_eq(call_place_length(nops[_i].code, sizeof(nops[_i].code)), nops[_i].len);
	ck_assert(!call_place_is_nop(nops[_i].code, 0));
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
		call_place_find(code, len, NULL, &p);
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
	tcase_add_loop_test(tc, what_a_probed_instruction_takes_from_the_stack_is_known, 0, ARRAY_LEN(moves));
	tcase_add_test(tc, a_repeated_instruction_is_no_begin);
	tcase_add_test(tc, the_midst_of_an_instruction_is_none);
	tcase_add_loop_test(tc, a_nop_is_told_from_others, 0, ARRAY_LEN(nops));
	tcase_add_loop_test(tc, what_begins_again_is_known, 0, sizeof(checks) / sizeof(checks[0]));
	tcase_add_loop_test(tc, any_bytes_will_do, 0, 20);
	suite_add_tcase(s, tc);
	return s;
}
