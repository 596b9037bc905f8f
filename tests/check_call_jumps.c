/* SPDX-License-Identifier: Apache-2.0 */
/* A file of one segment: two functions, what was moved out of the first one, and its tables. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "collector/call_jumps.h"
#include "collector/call_midst.h"
#include "collector/call_place.h"

Suite *check_call_jumps_suite(void);

enum { BASE = 0x1000, FUNCTION = 0x1000, OTHER = 0x1040, COLD = 0x1060, TABLE = 0x1080, LEN = 0x100, OFF = 0x40 };

/* lea TABLE(%rip),%rdx behind `at` bytes of the function; movslq (%rdx,%rax,4),%rax; add %rdx,%rax; jmp *%rax */
#define LEA_TABLE(at) 0x48, 0x8d, 0x15, TABLE - FUNCTION - (at) - 7, 0, 0, 0
#define BY_SUM 0x48, 0x63, 0x04, 0x82, 0x48, 0x01, 0xd0, 0xff, 0xe0
/* jmp *(%rdx,%rax,8); jmp *8(%rdx,%rax,8); jmp *TABLE(,%rax,8) */
#define BY_ADDRESS 0xff, 0x24, 0xc2
#define BY_ADDRESS_BEHIND 0xff, 0x64, 0xc2, 8
#define BY_ADDRESS_HERE 0xff, 0x24, 0xc5, 0x80, 0x10, 0, 0
#define BY_ADDRESS_BEFORE 0xff, 0x64, 0xc2, 0xf0
/* mov -1(%rdx,%rsi),%rax; jmp *%rax */
#define BY_MEMBER 0x48, 0x8b, 0x44, 0x32, 0xff, 0xff, 0xe0
/* jmp *TABLE+8(%rdx); mov (%rdx,%rax,8),%rax; jmp *%rax; the same without an index; lea behind(%rip),%rax; jmp *TABLE(%rip) */
#define BY_ADDRESS_OF_MEMBER 0xff, 0xa2, 0x88, 0x10, 0, 0
#define BY_REGISTER 0x48, 0x8b, 0x04, 0xc2, 0xff, 0xe0
#define BY_POINTER 0x48, 0x8b, 0x02, 0xff, 0xe0
#define NOP 0x90
#define LABEL_BEHIND 0x48, 0x8d, 0x05, 0, 0, 0, 0
#define BY_VARIABLE(at) 0xff, 0x25, TABLE - FUNCTION - (at) - 6, 0, 0, 0
/* lea FUNCTION + to(%rip),%rax, as the first; movdqa TABLE(%rip),%xmm0; jmp *-24(%rsp,%rax,8) */
#define LABEL(to) 0x48, 0x8d, 0x05, (uint8_t)((to) - 7), 0xff, 0xff, 0xff
#define MOV_TABLE(at) 0x66, 0x0f, 0x6f, 0x05, TABLE - FUNCTION - (at) - 8, 0, 0, 0
#define BY_STACK 0xff, 0x64, 0xc4, 0xe8
/* mov (%rdi),%rdx; mov 8(%rsp),%rdx; jmp *(%rsi,%rax,8) */
#define MOV_TABLE_OF_ARGUMENT 0x48, 0x8b, 0x17
#define MOV_KEPT_TABLE 0x48, 0x8b, 0x54, 0x24, 8
#define BY_ANOTHER_ADDRESS 0xff, 0x24, 0xc6
/* jmp *%rax; cmove %rcx,%rax; sub %rdx,%rax; lea FUNCTION(%rip),%rcx behind `at` bytes; mov $FUNCTION + to,%eax */
#define BY_RAX 0xff, 0xe0
#define OR_RCX 0x48, 0x0f, 0x44, 0xc1
#define SUB_RDX 0x48, 0x29, 0xd0
#define LEA_BEGIN(at) 0x48, 0x8d, 0x0d, (uint8_t)(-(at) - 7), 0xff, 0xff, 0xff
#define NUMBER(to) 0xb8, (to), 0x10, 0, 0
/* movslq (%rdx,%rax,4),%rax; add %rcx,%rax; jmp *%rax; the same by mov (%rdx,%rax,4),%eax; cltq */
#define BY_OTHER_SUM 0x48, 0x63, 0x04, 0x82, 0x48, 0x01, 0xc8, 0xff, 0xe0
#define BY_SUM_CLTQ 0x8b, 0x04, 0x82, 0x48, 0x98, 0x48, 0x01, 0xd0, 0xff, 0xe0
/* lea TABLE + 8(%rip),%rdx, behind a nop; shl $4,%rax; mov (%rdx,%rax),%rax */
#define LEA_TABLE_END 0x48, 0x8d, 0x15, TABLE - FUNCTION, 0, 0, 0
#define OF_STRUCT 0x48, 0xc1, 0xe0, 4, 0x48, 0x8b, 0x04, 0x02
/* jmp COLD, behind `at` bytes, and what stands there: call 1f; 2: jmp 2b; 1: mov %rax,(%rsp); ret; or 1: lea 8(%rsp),%rsp; ret */
#define JMP_COLD(at) 0xe9, COLD - FUNCTION - (at) - 5, 0, 0, 0
#define THUNK 0xe8, 2, 0, 0, 0, 0xeb, 0xfe, 0x48, 0x89, 0x04, 0x24, 0xc3
#define THUNK_OF_PUSHED 0xe8, 2, 0, 0, 0, 0xeb, 0xfe, 0x48, 0x8d, 0x64, 0x24, 8, 0xc3
/* je, jmp COLD, behind `at` bytes of the function; jmp to there from the begin of COLD */
#define JE_COLD(at) 0x0f, 0x84, COLD - FUNCTION - (at) - 6, 0, 0, 0
#define JMP_BACK(to) 0xeb, (uint8_t)(FUNCTION + (to) - COLD - 2)

static const struct a_case {
	const char *what;
	uint8_t function[32], cold[16];
	int32_t distances[4];	/* from TABLE; 0: none */
	uint64_t addresses[4];
	bool is_moved;		/* the dynamic linker makes them */
	bool is_fixed;
	bool is_stripped;	/* what was moved away has no name */
	uint64_t cold_size;	/* 0: as long as it is */
	uint64_t first;
} cases[] = {
	{ .what = "a jump in it is none from elsewhere", .function = { 0x90, 0xeb, 0xfd }, .first = UINT64_MAX },
	{ .what = "the cold part goes back", .function = { 0x85, 0xc0, JE_COLD(2), 0xc3 }, .cold = { JMP_BACK(0) }, .first = 0 },
	{ .what = "not to its begin", .function = { 0x85, 0xc0, JE_COLD(2), 0xc3 }, .cold = { JMP_BACK(2) }, .first = 2 },
	{ .what = "nothing but an exception leads there", .function = { 0xc3 }, .cold = { JMP_BACK(8) }, .first = 8 },
	{ .what = "it would have no end", .function = { 0xc3 }, .cold = { JMP_BACK(8) }, .cold_size = UINT64_MAX / 2, .first = UINT64_MAX },
	{ .what = "it has no name", .function = { 0x85, 0xc0, JE_COLD(2), 0xc3 }, .cold = { 0x90, 0xeb, 0x9d }, .is_stripped = true,
	  .first = 0 },
	{ .what = "nameless, a call before", .function = { 0x85, 0xc0, JE_COLD(2), 0xc3 },
	  .cold = { 0xe8, 0, 1, 0, 0, 0xeb, 0x9b }, .is_stripped = true, .first = 2 },
	{ .what = "another function goes on here", .function = { 0x85, 0xc0, 0x74, OTHER - FUNCTION - 4, 0xc3 }, .first = UINT64_MAX },
	{ .what = "a switch", .function = { LEA_TABLE(0), BY_SUM }, .distances = { -0x70, -0x80 + 12, -0x80 + 7, 0x1000 }, .first = 7 },
	{ .what = "a switch of a loop", .function = { LEA_TABLE(0), BY_SUM }, .distances = { -0x70, -0x80, 0x1000 }, .first = 0 },
	{ .what = "one that has a part in the cold", .function = { LEA_TABLE(0), BY_SUM }, .distances = { COLD - TABLE, -0x80 + 3, 0x1000 },
	  .first = 3 },
	{ .what = "not a table", .function = { LEA_TABLE(0), BY_SUM }, .distances = { 0x1000 }, .first = 0 },
	{ .what = "the address is not known", .function = { BY_SUM }, .distances = { -0x70 }, .first = 0 },
	{ .what = "labels", .function = { LEA_TABLE(0), BY_ADDRESS }, .addresses = { FUNCTION + 9, FUNCTION + 7 }, .first = 7 },
	{ .what = "labels in a PIE", .function = { LEA_TABLE(0), BY_ADDRESS }, .addresses = { FUNCTION + 9, FUNCTION + 7 }, .is_moved = true,
	  .first = 7 },
	{ .what = "labels, an absolute table", .function = { BY_ADDRESS_HERE }, .addresses = { FUNCTION + 3 }, .first = 3 },
	{ .what = "functions", .function = { LEA_TABLE(0), BY_ADDRESS }, .addresses = { OTHER }, .first = UINT64_MAX },
	{ .what = "functions in structs", .function = { LEA_TABLE(0), BY_ADDRESS_BEHIND }, .addresses = { 1, OTHER }, .first = UINT64_MAX },
	{ .what = "labels, nothing in front of them", .function = { LEA_TABLE(0), BY_ADDRESS_BEHIND }, .addresses = { 0, FUNCTION + 7 }, .first = 7 },
	{ .what = "labels, from the third on", .function = { LEA_TABLE(0), BY_ADDRESS_BEFORE }, .addresses = { FUNCTION + 7 }, .first = 7 },
	{ .what = "labels, on the stack", .function = { LABEL(4), BY_STACK }, .first = 4 },
	{ .what = "labels, from a constant to the stack", .function = { MOV_TABLE(0), BY_STACK }, .addresses = { FUNCTION + 8 },
	  .first = 8 },
	{ .what = "its own address, which it does not jump by", .function = { LABEL(0), 0xff, 0xe0 }, .first = UINT64_MAX },
	{ .what = "labels, one by one", .function = { LEA_TABLE(0), BY_POINTER }, .addresses = { FUNCTION + 9, FUNCTION + 7 }, .first = 7 },
	{ .what = "its begin is one of them", .function = { LEA_TABLE(0), BY_POINTER }, .addresses = { FUNCTION, FUNCTION + 7 }, .first = 0 },
	{ .what = "functions, itself among them", .function = { LEA_TABLE(0), BY_ADDRESS }, .addresses = { FUNCTION, OTHER }, .first = UINT64_MAX },
	{ .what = "functions, filled in at run time", .function = { LEA_TABLE(0), BY_ADDRESS }, .first = UINT64_MAX },
	{ .what = "functions, a table that it is given", .function = { BY_ADDRESS }, .addresses = { FUNCTION }, .first = UINT64_MAX },
	{ .what = "a member function", .function = { LEA_TABLE(0), BY_MEMBER }, .first = UINT64_MAX },
	{ .what = "a vtable", .function = { 0xff, 0x60, 0x10 }, .first = UINT64_MAX },
	{ .what = "a pointer", .function = { 0x48, 0x8b, 0x07, 0xff, 0xe0 }, .first = UINT64_MAX },
	{ .what = "a label, or what was in rcx", .function = { LABEL(4), OR_RCX, BY_RAX }, .first = 0 },
	{ .what = "a label, or the begin", .function = { LABEL(4), LEA_BEGIN(7), OR_RCX, BY_RAX }, .first = 0 },
	{ .what = "a pointer in an unknown register", .function = { BY_RAX }, .first = UINT64_MAX },
	{ .what = "the same, its own address is taken", .function = { LEA_BEGIN(0), 0xe8, 0, 1, 0, 0, BY_RAX }, .first = 0 },
	{ .what = "a label, less something", .function = { LABEL(4), SUB_RDX, BY_RAX }, .first = 0 },
	{ .what = "a label as a number", .function = { NUMBER(9), OR_RCX, BY_RAX }, .is_fixed = true, .first = 0 },
	{ .what = "distances from another place", .function = { LEA_TABLE(0), LEA_BEGIN(7), BY_OTHER_SUM }, .distances = { -0x70, 0x1000 }, .first = 0 },
	{ .what = "a switch, not optimized", .function = { LEA_TABLE(0), 0x8b, 0x04, 0x82, 0x48, 0x98, LEA_TABLE(12), 0x48, 0x01, 0xd0, BY_RAX },
	  .distances = { -0x70, 0x1000 }, .first = 16 },
	{ .what = "a switch, extended on its own", .function = { LEA_TABLE(0), BY_SUM_CLTQ }, .distances = { -0x70, 0x1000 }, .first = 16 },
	{ .what = "labels in structs", .function = { LEA_TABLE(0), OF_STRUCT, BY_RAX }, .addresses = { FUNCTION, 0, FUNCTION + 17 },
	  .is_moved = true, .first = 0 },
	{ .what = "labels in structs, at fixed addresses", .function = { LEA_TABLE(0), OF_STRUCT, BY_RAX },
	  .addresses = { FUNCTION + 16, 0, FUNCTION + 7 }, .is_fixed = true, .first = 7 },
	{ .what = "labels, from the last on", .function = { NOP, LEA_TABLE_END, BY_POINTER }, .addresses = { FUNCTION + 7, FUNCTION + 9 }, .is_moved = true,
	  .first = 7 },
	{ .what = "labels, by a thunk", .function = { LEA_TABLE(0), 0x48, 0x8b, 0x04, 0xc2, JMP_COLD(11) }, .cold = { THUNK }, .is_stripped = true,
	  .addresses = { FUNCTION + 9 }, .first = 9 },
	{ .what = "labels, pushed for one", .function = { LEA_TABLE(0), 0xff, 0x34, 0xc2, JMP_COLD(10) }, .cold = { THUNK_OF_PUSHED },
	  .is_stripped = true, .addresses = { FUNCTION + 9 }, .first = 9 },
	{ .what = "a return by one, next to a label", .function = { LABEL_BEHIND, JMP_COLD(7), LABEL(7) }, .cold = { THUNK_OF_PUSHED },
	  .is_stripped = true, .first = UINT64_MAX },
	{ .what = "labels, the thunk inside", .function = { LEA_TABLE(0), 0x48, 0x8b, 0x04, 0xc2, THUNK }, .addresses = { FUNCTION + 9 }, .first = 9 },
	{ .what = "a vtable, by a thunk", .function = { 0x48, 0x8b, 0x07, 0x48, 0x8b, 0x40, 0x10, JMP_COLD(7) }, .cold = { THUNK }, .is_stripped = true,
	  .first = UINT64_MAX },
};

/* How one jump goes on. In front of the function's code stands a nop. */
static const struct {
	const char *what;
	struct a_case is;
	uint8_t jump;	/* behind the nop */
	bool is_fixed;
	enum call_jumps_way way;
} ways[] = {
	{ "labels", { .function = { NOP, LEA_TABLE(1), BY_ADDRESS }, .addresses = { FUNCTION + 8 } }, 8, false, CALL_JUMPS_STAYS },
	{ "labels, by a register", { .function = { NOP, LEA_TABLE(1), BY_REGISTER }, .addresses = { FUNCTION + 8 } }, 12, false, CALL_JUMPS_STAYS },
	{ "labels, in a PIE", { .function = { NOP, LEA_TABLE(1), BY_REGISTER }, .addresses = { FUNCTION + 8 }, .is_moved = true }, 12, false,
	  CALL_JUMPS_STAYS },
	{ "labels, the begin first", { .function = { NOP, LEA_TABLE(1), BY_REGISTER }, .addresses = { FUNCTION, FUNCTION + 8 } }, 12, false,
	  CALL_JUMPS_STAYS },
	{ "labels, an absolute table", { .function = { NOP, BY_ADDRESS_HERE }, .addresses = { FUNCTION + 1 } }, 1, true, CALL_JUMPS_STAYS },
	{ "the same, the begin first", { .function = { NOP, BY_ADDRESS_HERE }, .addresses = { FUNCTION, FUNCTION + 1 } }, 1, true, CALL_JUMPS_STAYS },
	{ "labels, counted from 2", { .function = { NOP, BY_ADDRESS_HERE }, .addresses = { 5, 0, FUNCTION + 1 } }, 1, true, CALL_JUMPS_STAYS },
	{ "labels in structs", { .function = { NOP, BY_ADDRESS_OF_MEMBER }, .addresses = { 1, FUNCTION + 1 } }, 1, true, CALL_JUMPS_STAYS },
	{ "labels in the cold", { .function = { NOP, LEA_TABLE(1), BY_REGISTER }, .addresses = { COLD } }, 12, false, CALL_JUMPS_STAYS },
	{ "labels, one by one", { .function = { NOP, LEA_TABLE(1), BY_POINTER }, .addresses = { FUNCTION + 8 } }, 11, false, CALL_JUMPS_UNKNOWN },
	{ "a label in a variable", { .function = { NOP, BY_VARIABLE(1) }, .addresses = { FUNCTION + 1 } }, 1, false, CALL_JUMPS_UNKNOWN },
	{ "a label, by whatever it was given", { .function = { NOP, LABEL_BEHIND, BY_POINTER } }, 11, false,
	  CALL_JUMPS_UNKNOWN },
	{ "a label that was pushed for OCaml's exceptions", { .function = { NOP, LABEL_BEHIND, 0x50, 0x58, BY_POINTER } }, 13, false,
	  CALL_JUMPS_LEAVES },
	{ "functions", { .function = { NOP, LEA_TABLE(1), BY_REGISTER }, .addresses = { OTHER } }, 12, false, CALL_JUMPS_LEAVES },
	{ "functions, itself first", { .function = { NOP, LEA_TABLE(1), BY_REGISTER }, .addresses = { FUNCTION, OTHER } }, 12, false, CALL_JUMPS_LEAVES },
	{ "functions, an absolute table", { .function = { NOP, BY_ADDRESS_HERE }, .addresses = { OTHER, FUNCTION } }, 1, true, CALL_JUMPS_LEAVES },
	{ "functions, filled in at run time", { .function = { NOP, BY_ADDRESS_HERE } }, 1, true, CALL_JUMPS_LEAVES },
	{ "functions, before labels", { .function = { NOP, BY_ADDRESS_HERE }, .addresses = { OTHER, FUNCTION + 1 } }, 1, true, CALL_JUMPS_UNKNOWN },
	{ "functions, or labels by another jump", { .function = { NOP, LEA_TABLE(1), BY_REGISTER, BY_ADDRESS_BEHIND }, .addresses = { OTHER, FUNCTION + 8 } }, 12,
	  false, CALL_JUMPS_UNKNOWN },
	{ "labels, the table kept in the register", { .function = { NOP, LEA_TABLE(1), BY_ADDRESS, BY_ADDRESS }, .addresses = { FUNCTION + 8 } }, 11,
	  false, CALL_JUMPS_STAYS },
	{ "labels, the table's address kept on the stack", { .function = { NOP, LEA_TABLE(1), BY_ADDRESS, MOV_KEPT_TABLE, BY_REGISTER },
	  .addresses = { FUNCTION + 8 } }, 20, false, CALL_JUMPS_STAYS },
	{ "labels, a table on the stack", { .function = { NOP, LABEL_BEHIND, BY_STACK } }, 8, false, CALL_JUMPS_STAYS },
	{ "labels, and a table that it reads", { .function = { NOP, LEA_TABLE(1), BY_ADDRESS, MOV_TABLE_OF_ARGUMENT, BY_ADDRESS },
	  .addresses = { FUNCTION + 8 } }, 14, false, CALL_JUMPS_UNKNOWN },
	{ "the same, by a register", { .function = { NOP, LEA_TABLE(1), BY_ADDRESS, MOV_TABLE_OF_ARGUMENT, BY_REGISTER },
	  .addresses = { FUNCTION + 8 } }, 18, false, CALL_JUMPS_UNKNOWN },
	{ "labels, and a table that it is given", { .function = { NOP, LEA_TABLE(1), BY_ADDRESS, BY_ANOTHER_ADDRESS },
	  .addresses = { FUNCTION + 8 } }, 11, false, CALL_JUMPS_UNKNOWN },
	{ "labels, and a table that is filled in at run time", { .function = { NOP, LABEL_BEHIND, LEA_TABLE(8), BY_ADDRESS } }, 15, false,
	  CALL_JUMPS_UNKNOWN },
	{ "the same, an absolute table", { .function = { NOP, BY_ADDRESS_HERE, LABEL_BEHIND } }, 1, true, CALL_JUMPS_UNKNOWN },
	{ "a vtable, next to a switch", { .function = { NOP, BY_ADDRESS_HERE, 0xff, 0x60, 0x10 }, .addresses = { FUNCTION + 1 } }, 8, true,
	  CALL_JUMPS_LEAVES },
	{ "a pointer, next to one", { .function = { NOP, BY_ADDRESS_HERE, 0x48, 0x8b, 0x07, 0xff, 0xe0 }, .addresses = { FUNCTION + 1 } }, 11, true,
	  CALL_JUMPS_LEAVES },
	{ "a label, or what was in rcx", { .function = { NOP, LABEL_BEHIND, OR_RCX, BY_RAX } }, 12, false, CALL_JUMPS_UNKNOWN },
	{ "a distance from its begin", { .function = { NOP, LEA_BEGIN(1), 0x48, 0x29, 0xc1, 0xff, 0xe1 } }, 11, false, CALL_JUMPS_UNKNOWN },
	{ "a pointer in an unknown register", { .function = { NOP, BY_RAX } }, 1, false, CALL_JUMPS_LEAVES },
	{ "labels, from the last on", { .function = { NOP, LEA_TABLE_END, BY_POINTER }, .addresses = { FUNCTION + 8, OTHER }, .is_moved = true }, 11, false,
	  CALL_JUMPS_UNKNOWN },
	{ "a vtable, by a thunk", { .function = { NOP, 0x48, 0x8b, 0x07, 0x48, 0x8b, 0x40, 0x10, JMP_COLD(8) }, .cold = { THUNK } }, 8, false,
	  CALL_JUMPS_LEAVES },
	{ "a label, by a thunk", { .function = { NOP, LABEL_BEHIND, OR_RCX, JMP_COLD(12) }, .cold = { THUNK } }, 12, false, CALL_JUMPS_UNKNOWN },
	{ "a function in a variable", { .function = { NOP, BY_VARIABLE(1) }, .addresses = { OTHER, FUNCTION + 1 } }, 1, false, CALL_JUMPS_LEAVES },
};

static void write_file(const struct a_case *is, uint8_t file[LEN], struct call_code *c)
{
	size_t i;

	memset(file, 0x06, LEN);	/* no instruction */
	memcpy(file, is->function, sizeof(is->function));
	memcpy(file + OTHER - BASE, "\xeb\xbe", 2);	/* jmp FUNCTION */
	memcpy(file + COLD - BASE, is->cold, sizeof(is->cold));
	memset(file + TABLE - BASE, 0, LEN - (TABLE - BASE));
	if (is->distances[0])
		memcpy(file + TABLE - BASE, is->distances, sizeof(is->distances));
	for (i = 0; i < ARRAY_LEN(is->addresses); i++) {
		uint64_t at = TABLE + i * sizeof(uint64_t), to = is->addresses[i];

		if (to && is->is_moved)
			vec_push(&c->bytes.moved, (struct python_pointer){ at, to });
		else if (to)
			memcpy(file + at - BASE, &to, sizeof(to));
	}
}

START_TEST(jumps_from_elsewhere_are_found)
{
	struct image_symbol symbols[] = { { "f", FUNCTION, 0, 32, true, false, false }, { "other", OTHER, OTHER - BASE, 2, true, false, false },
					  { "f.cold", COLD, COLD - BASE, 8, true, false, false } };
	struct image image = { .symbols = { symbols, cases[_i].is_stripped ? 2 : 3, 0 }, .is_fixed = cases[_i].is_fixed };
	struct call_code c = { .image = &image };
	struct image_symbol *cold = &symbols[2];
	struct call_jumps jumps;
	uint8_t file[LEN];

	if (cases[_i].cold_size)
		cold->size = cases[_i].cold_size;
	write_file(&cases[_i], file, &c);
	c.bytes.bytes = file;
	c.bytes.len = LEN;
	vec_push(&c.bytes.segments, (GElf_Phdr){ .p_flags = PF_R | PF_X, .p_vaddr = BASE, .p_filesz = LEN });
	if (!cases[_i].is_stripped)
		vec_push(&c.cold, cold);
	call_jumps_find(&c, &symbols[0], 32, &jumps);
	ck_assert_msg(jumps.first == cases[_i].first, "%s: to %llx", cases[_i].what, (unsigned long long)jumps.first);
	call_code_release(&c);
}
END_TEST

START_TEST(one_jump_leaves_or_stays)
{
	struct image_symbol symbols[] = { { "f", FUNCTION, OFF, 32, true, false, false }, { "other", OTHER, OFF + OTHER - BASE, 2, true, false, false },
					  { "f.cold", COLD, OFF + COLD - BASE, 8, true, false, false } };
	struct image image = { .symbols = { symbols, 3, 0 }, .is_fixed = ways[_i].is_fixed };
	struct call_code c = { .image = &image };
	uint8_t file[OFF + LEN] = { 0 };

	write_file(&ways[_i].is, file + OFF, &c);
	c.bytes.bytes = file;
	c.bytes.len = sizeof(file);
	vec_push(&c.bytes.segments, (GElf_Phdr){ .p_flags = PF_R | PF_X, .p_offset = OFF, .p_vaddr = BASE, .p_filesz = LEN });
	vec_push(&c.cold, &symbols[2]);
	ck_assert_msg(call_jumps_way(&c, &symbols[0], OFF + ways[_i].jump) == ways[_i].way, "%s", ways[_i].what);
	call_code_release(&c);
}
END_TEST

/* So many times "je block", then as many blocks: the first jumps back to the function, the others return. */
static uint64_t with_blocks(size_t nr)
{
	enum { JUMP = 6, BLOCK = 8 };
	struct image_symbol symbol = { "f", FUNCTION, 0, nr * JUMP + 1, true, false, false };
	struct image image = { .symbols = { &symbol, 1, 0 } };
	struct call_code c = { .image = &image };
	size_t len = nr * JUMP + BLOCK + nr * BLOCK, i;
	uint8_t *file = xcalloc(len, 1);
	struct call_jumps jumps;

	for (i = 0; i < nr; i++) {
		size_t at = nr * JUMP + BLOCK + i * BLOCK;
		int32_t to = (int32_t)(at - (i + 1) * JUMP), back = 1 - (int32_t)(at + 5);

		memcpy(file + i * JUMP, "\x0f\x84", 2);
		memcpy(file + i * JUMP + 2, &to, sizeof(to));
		file[at] = i ? 0xc3 : 0xe9;
		memcpy(file + at + 1, &back, sizeof(back));
	}
	file[nr * JUMP] = 0xc3;
	c.bytes.bytes = file;
	c.bytes.len = len;
	vec_push(&c.bytes.segments, (GElf_Phdr){ .p_flags = PF_R | PF_X, .p_vaddr = BASE, .p_filesz = len });
	call_jumps_find(&c, &symbol, symbol.size, &jumps);
	call_code_release(&c);
	free(file);
	return jumps.first;
}

START_TEST(code_that_is_not_followed_may_lead_anywhere)
{
	ck_assert_uint_eq(with_blocks(3), 1);
	ck_assert_uint_eq(with_blocks(200), 1);
	ck_assert_uint_eq(with_blocks(300), 0);
}
END_TEST

/* So many parts over the same nops. */
static uint64_t with_parts(size_t nr, size_t part_bytes)
{
	struct image_symbol *symbols = xcalloc(nr + 1, sizeof(*symbols));
	struct image image = { .symbols = { symbols, nr + 1, 0 } };
	struct call_code c = { .image = &image };
	size_t len = part_bytes + nr + 1, i;
	uint8_t *file = xmalloc(len);
	struct call_jumps jumps;

	memset(file, 0x90, len);
	symbols[0] = (struct image_symbol){ "f", FUNCTION, 0, 1, true, false, false };
	for (i = 1; i <= nr; i++) {
		symbols[i] = (struct image_symbol){ "f.cold", BASE + i, i, part_bytes, true, false, false };
		vec_push(&c.cold, &symbols[i]);
	}
	c.bytes.bytes = file;
	c.bytes.len = len;
	vec_push(&c.bytes.segments, (GElf_Phdr){ .p_flags = PF_R | PF_X, .p_vaddr = BASE, .p_filesz = len });
	call_jumps_find(&c, &symbols[0], 1, &jumps);
	call_code_release(&c);
	free(file);
	free(symbols);
	return jumps.first;
}

/* So many times "mov in front of all(%rip),%eax", and "jmp *n(%rbx,%rax,8)" with another n each time. */
static uint64_t with_pairs(size_t nr_reads, size_t nr_jumps)
{
	enum { READ = 6, JUMP = 7 };
	struct image_symbol symbol = { "f", FUNCTION, 0, nr_reads * READ + nr_jumps * JUMP, true, false, false };
	struct image image = { .symbols = { &symbol, 1, 0 } };
	struct call_code c = { .image = &image };
	uint8_t *file = xmalloc(symbol.size);
	struct call_jumps jumps;
	size_t i;

	for (i = 0; i < nr_reads; i++) {
		int32_t disp = -(int32_t)((i + 1) * READ) - 16;

		memcpy(file + i * READ, "\x8b\x05", 2);
		memcpy(file + i * READ + 2, &disp, sizeof(disp));
	}
	for (i = 0; i < nr_jumps; i++) {
		uint8_t *at = file + nr_reads * READ + i * JUMP;
		int32_t disp = (int32_t)(1 << 30) + (int32_t)i * 8;

		memcpy(at, "\xff\xa4\xc3", 3);
		memcpy(at + 3, &disp, sizeof(disp));
	}
	c.bytes.bytes = file;
	c.bytes.len = symbol.size;
	vec_push(&c.bytes.segments, (GElf_Phdr){ .p_flags = PF_R | PF_X, .p_vaddr = BASE, .p_filesz = symbol.size });
	call_jumps_find(&c, &symbol, symbol.size, &jumps);
	call_code_release(&c);
	free(file);
	return jumps.first;
}

START_TEST(there_is_an_end_of_looking)
{
	enum { LONG = (1 << 20) - 16 };

	ck_assert(with_parts(3, LONG) == UINT64_MAX);
	ck_assert_uint_eq(with_parts(8, LONG), 0);
	ck_assert(with_parts(200, 16) == UINT64_MAX);
	ck_assert_uint_eq(with_parts(300, 16), 0);
	ck_assert(with_pairs(100, 50) == UINT64_MAX);
	ck_assert_uint_eq(with_pairs(100, 100), 0);
	ck_assert_uint_eq(with_pairs(40000, 50), 0);
}
END_TEST

/* f() and the functions around it: at BASE, OTHER and COLD. */
static const struct {
	const char *what;
	uint8_t before[8], f[8], behind[8];
	uint64_t label;		/* a symbol behind so many bytes of it; 0: none */
	uint64_t midst;
} ways_in[] = {
	{ .what = "nobody", .midst = 0 },
	{ .what = "jmp", .before = { 0xe9, 0x3e, 0, 0, 0 }, .midst = 3 },
	{ .what = "je", .before = { 0x0f, 0x84, 0x3d, 0, 0, 0 }, .midst = 3 },
	{ .what = "call", .before = { 0xe8, 0x3e, 0, 0, 0 }, .midst = 3 },
	{ .what = "a short jmp down", .before = { 0x90, 0xeb, 0x40 }, .midst = 3 },
	{ .what = "a short jmp up", .behind = { 0x90, 0xeb, 0xe1 }, .midst = 4 },
	{ .what = "the lowest of both", .before = { 0xe9, 0x3f, 0, 0, 0 }, .behind = { 0x72, 0xe1 }, .midst = 3 },
	{ .what = "calls of it", .before = { 0xe8, 0x3b, 0, 0, 0 }, .behind = { 0xeb, 0xde }, .midst = 0 },
	{ .what = "its own", .f = { 0x90, 0x90, 0x90, 0xeb, 0xfd }, .midst = 0 },
	{ .what = "an entry of its own", .label = 5, .midst = 5 },
};

START_TEST(who_goes_on_in_a_function_is_seen)
{
	struct image_symbol symbols[] = { { "before", BASE, OFF, 0x40, true, false, false },
					  { "f", OTHER, OFF + OTHER - BASE, 16, true, false, false },
					  { "label", OTHER, OFF + OTHER - BASE, 0, false, false, false },
					  { "behind", COLD, OFF + COLD - BASE, 8, true, false, false } };
	struct image image = { .symbols = { symbols, ARRAY_LEN(symbols), 0 } };
	struct call_code c = { .image = &image };
	uint8_t file[OFF + LEN];

	memset(file, 0x06, sizeof(file));	/* no instruction */
	memcpy(file + OFF, ways_in[_i].before, sizeof(ways_in[_i].before));
	memcpy(file + OFF + OTHER - BASE, ways_in[_i].f, sizeof(ways_in[_i].f));
	memcpy(file + OFF + COLD - BASE, ways_in[_i].behind, sizeof(ways_in[_i].behind));
	symbols[2].off += ways_in[_i].label;
	symbols[2].vaddr += ways_in[_i].label;
	c.bytes.bytes = file;
	c.bytes.len = sizeof(file);
	vec_push(&c.bytes.segments, (GElf_Phdr){ .p_flags = PF_R | PF_X, .p_offset = OFF, .p_vaddr = BASE, .p_filesz = LEN });
	ck_assert_msg(call_midst_find(&c, &symbols[1], 16) == ways_in[_i].midst, "%s", ways_in[_i].what);
	call_code_release(&c);
}
END_TEST

/* What may lead into the entry block, and where the probe goes then. */
static const struct {
	const char *what;
	uint8_t code[16];
	size_t len;
	uint64_t first;
	enum call_place_kind kind;
	uint32_t off;
	uint64_t entered;
} places[] = {
	{ "mov; push; ret: behind the push", { 0x89, 0xf8, 0x55, 0xc3 }, 4, 3, CALL_PLACE_EMULATED, 2, 0 },
	{ "mov; push; ret: to the begin, so it is no loop", { 0x89, 0xf8, 0x55, 0xc3 }, 4, 0, CALL_PLACE_EMULATED, 2, 0 },
	{ "sub $8,%rsp; mov; call: to the mov", { 0x48, 0x83, 0xec, 8, 0x89, 0xf8, 0xe8, 0, 0, 0, 0 }, 11, 4, CALL_PLACE_STEPPED, 0, 0 },
	{ "sub $8,%rsp; mov; call: anywhere", { 0x48, 0x83, 0xec, 8, 0x89, 0xf8, 0xe8, 0, 0, 0, 0 }, 11, 0, CALL_PLACE_STEPPED, 0, 0 },
	{ "mov; je: behind", { 0x89, 0xf8, 0x74, 0, 0xc3 }, 5, 4, CALL_PLACE_EMULATED, 2, 0 },
	{ "mov; je: to the je", { 0x89, 0xf8, 0x74, 0, 0xc3 }, 5, 2, CALL_PLACE_STEPPED, 0, 0 },
	{ "mov; je: anywhere", { 0x89, 0xf8, 0x74, 0, 0xc3 }, 5, 0, CALL_PLACE_NONE, 0, 0 },
	{ "mov; je: another function goes on there", { 0x89, 0xf8, 0x74, 0, 0xc3 }, 5, 5, CALL_PLACE_STEPPED, 0, 2 },
	{ "mov; push: another function goes on behind", { 0x89, 0xf8, 0x55, 0xc3 }, 4, 4, CALL_PLACE_EMULATED, 2, 3 },
	{ "push; jne push: it is seen here", { 0x55, 0x75, 0xfd, 0xc3 }, 4, UINT64_MAX, CALL_PLACE_NONE, 0, 0 },
	{ "dec; jne dec; data", { 0xff, 0xcf, 0x75, 0xfc, 0xc3, 0x06, 0x06 }, 7, UINT64_MAX, CALL_PLACE_NONE, 0, 0 },
	{ "dec; jmp behind the data; data; jne dec", { 0xff, 0xcf, 0xeb, 2, 0x06, 0x06, 0x75, 0xf8, 0xc3 }, 9, UINT64_MAX, CALL_PLACE_NONE, 0, 0 },
};

START_TEST(no_probe_goes_where_they_lead)
{
	const struct call_jumps jumps = { .first = places[_i].first, .entered = places[_i].entered };
	struct call_placement p;

	call_place_find(places[_i].code, places[_i].len, &jumps, &p);
	ck_assert_msg(p.kind == places[_i].kind && p.off == places[_i].off, "%s: kind %d at %u", places[_i].what, p.kind, p.off);
	ck_assert_msg((call_place_why_repeated(places[_i].code, places[_i].len, &jumps) != NULL) == (p.kind == CALL_PLACE_NONE), "%s",
		      places[_i].what);
}
END_TEST

Suite *check_call_jumps_suite(void)
{
	Suite *s = suite_create("call_jumps");
	TCase *tc = tcase_create("call_jumps");

	tcase_add_loop_test(tc, jumps_from_elsewhere_are_found, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, who_goes_on_in_a_function_is_seen, 0, ARRAY_LEN(ways_in));
	tcase_add_loop_test(tc, one_jump_leaves_or_stays, 0, ARRAY_LEN(ways));
	tcase_add_test(tc, code_that_is_not_followed_may_lead_anywhere);
	tcase_add_test(tc, there_is_an_end_of_looking);
	tcase_add_loop_test(tc, no_probe_goes_where_they_lead, 0, ARRAY_LEN(places));
	suite_add_tcase(s, tc);
	return s;
}
