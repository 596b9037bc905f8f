/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "base/alloc.h"
#include "collector/retpoline.h"

Suite *check_retpoline_suite(void);

enum { BASE = 0x1000 };

/* endbr64; nop; lfence; call 1f; 2: jmp 2b; 1: ... */
#define ENDBR 0xf3, 0x0f, 0x1e, 0xfa
#define NOP 0x90
#define LFENCE 0x0f, 0xae, 0xe8
#define CALL 0xe8, 2, 0, 0, 0, 0xeb, 0xfe
#define MOV 0x48, 0x89, 0x04, 0x24
#define LEA 0x48, 0x8d, 0x64, 0x24, 8
#define RET 0xc3

static const struct {
	const char *what;
	uint8_t code[24];
	bool is_one;
	ZydisRegister by;
} cases[] = {
	{ "call; mov %rax,(%rsp); ret", { CALL, MOV, RET }, true, ZYDIS_REGISTER_RAX },
	{ "call; lea 8(%rsp),%rsp; ret", { CALL, LEA, RET }, true, ZYDIS_REGISTER_NONE },
	{ "endbr64 before it", { ENDBR, CALL, MOV, RET }, true, ZYDIS_REGISTER_RAX },
	{ "nops before it, lfence before the ret", { NOP, NOP, NOP, CALL, MOV, LFENCE, RET }, true, ZYDIS_REGISTER_RAX },
	{ "lfence; jmp *%r11", { LFENCE, 0x41, 0xff, 0xe3 }, true, ZYDIS_REGISTER_R11 },
	{ "jmp *%rax", { 0xff, 0xe0 }, true, ZYDIS_REGISTER_RAX },
	{ "push %rbx; ret", { 0x53, RET }, true, ZYDIS_REGISTER_RBX },
	{ "endbr64; push %rbx; lfence; ret", { ENDBR, 0x53, LFENCE, RET }, true, ZYDIS_REGISTER_RBX },
	{ "jmp *(%rax)", { 0xff, 0x20 }, false, ZYDIS_REGISTER_NONE },
	{ "a PLT's jmp *0(%rip)", { ENDBR, 0xff, 0x25, 0, 0, 0, 0 }, false, ZYDIS_REGISTER_NONE },
	{ "push $5; ret", { 0x6a, 5, RET }, false, ZYDIS_REGISTER_NONE },
	{ "push %rbx; pop %rbx; ret", { 0x53, 0x5b, RET }, false, ZYDIS_REGISTER_NONE },
	{ "call; push %rbx; ret", { CALL, 0x53, RET }, false, ZYDIS_REGISTER_NONE },
	{ "mov %rax,(%rsp); ret", { MOV, RET }, false, ZYDIS_REGISTER_NONE },
	{ "call; mov %rax,8(%rsp); ret", { CALL, 0x48, 0x89, 0x44, 0x24, 8, RET }, false, ZYDIS_REGISTER_NONE },
	{ "call *%rax", { 0xff, 0xd0, RET }, false, ZYDIS_REGISTER_NONE },
	{ "mov; jmp *%rax", { 0x89, 0xf8, 0xff, 0xe0 }, false, ZYDIS_REGISTER_NONE },
	{ "ret", { RET }, false, ZYDIS_REGISTER_NONE },
	{ "nops to the end", { NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP },
	  false, ZYDIS_REGISTER_NONE },
};

static void be_code(struct python_code *c, const uint8_t *code, size_t len)
{
	*c = (struct python_code){ .bytes = code, .len = len };
	vec_push(&c->segments, (GElf_Phdr){ .p_flags = PF_R | PF_X, .p_vaddr = BASE, .p_filesz = len });
}

START_TEST(thunks_are_known_by_their_code)
{
	struct python_code c;
	ZydisRegister by = ZYDIS_REGISTER_NONE;

	be_code(&c, cases[_i].code, sizeof(cases[_i].code));
	ck_assert_msg(retpoline_at(&c, BASE, &by) == cases[_i].is_one, "%s", cases[_i].what);
	ck_assert_msg(by == cases[_i].by, "%s", cases[_i].what);
	python_code_release(&c);
}
END_TEST

static bool returns(const uint8_t *code, size_t len)
{
	struct python_code c;
	bool ret;

	be_code(&c, code, len);
	ret = retpoline_returns_at(&c, BASE);
	python_code_release(&c);
	return ret;
}

START_TEST(what_only_returns_is_known)
{
	static const uint8_t linux_thunk[] = { RET, 0xcc }, filled[] = { ENDBR, NOP, LFENCE, RET }, with_bytes[] = { 0xc2, 8, 0 },
			     pushes[] = { 0x53, RET }, calls[] = { CALL, LEA, RET }, works[] = { 0x89, 0xf8, RET };

	ck_assert(returns(linux_thunk, sizeof(linux_thunk)));
	ck_assert(returns(filled, sizeof(filled)));
	ck_assert(returns(with_bytes, sizeof(with_bytes)));
	ck_assert(!returns(pushes, sizeof(pushes)));
	ck_assert(!returns(calls, sizeof(calls)));
	ck_assert(!returns(works, sizeof(works)));
}
END_TEST

Suite *check_retpoline_suite(void)
{
	Suite *s = suite_create("retpoline");
	TCase *tc = tcase_create("retpoline");

	tcase_add_loop_test(tc, thunks_are_known_by_their_code, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, what_only_returns_is_known);
	suite_add_tcase(s, tc);
	return s;
}
