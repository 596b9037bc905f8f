/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/python_places.h"

#include <Zydis/Zydis.h>
#include <asm/ptrace.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "collector/call_place.h"
#include "collector/python_calls.h"
#include "collector/python_code.h"
#include "collector/python_enabled.h"
#include "collector/usdt.h"

/* Include/opcode.h of 3.11; they do not change within a version. */
enum { OPCODE_RESUME_QUICK = 150, OPCODE_RESUME = 151, NR_OPCODES = 256 };

enum {
	VERSION_3_11 = 0x030b,		/* Py_Version >> 16 */
	HELPER_BYTES = 128,		/* from the begin of a function to the USDT probe in it */
	LEAST_IN_TABLE = 100,		/* opcodes that there are */
};

struct search {
	struct python_code code;
	Elf *elf;
	const char *module;
	GElf_Sym eval;			/* _PyEval_EvalFrameDefault */
	VEC(uint64_t) targets;		/* of its jumps */
	uint64_t table_vaddr;
};

/* ---- registers ---- */

static bool writes(const struct python_insn *i, ZydisRegister reg)
{
	ZyanU8 k;

	for (k = 0; k < i->in.operand_count; k++) {
		const ZydisDecodedOperand *o = &i->operands[k];

		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, o->reg.value) ==
			    reg)
			return true;
	}
	return false;
}

static bool is_kept_by_calls(ZydisRegister reg)
{
	return reg == ZYDIS_REGISTER_RBX || reg == ZYDIS_REGISTER_RBP ||
	       (reg >= ZYDIS_REGISTER_R12 && reg <= ZYDIS_REGISTER_R15);
}

/* ---- the functions with the USDT probes ---- */

/* The highest place up to vaddr, and near it, that is called from anywhere: where its function begins; 0: none. */
static uint64_t function_start(const struct python_code *c, uint64_t vaddr)
{
	uint64_t highest = 0;

	python_code_calls(c, vaddr > HELPER_BYTES ? vaddr - HELPER_BYTES : 1, vaddr, &highest);
	return highest;
}

/* The register that still has the function's first argument at vaddr; -1: none. */
static int argument_at(const struct python_code *c, uint64_t vaddr)
{
	ZydisRegister kept = ZYDIS_REGISTER_NONE;
	struct python_insn i;
	uint64_t at = function_start(c, vaddr);

	for (; at && at < vaddr; at = i.next) {
		if (!python_insn_at(c, at, &i))
			return -1;
		if (i.in.mnemonic == ZYDIS_MNEMONIC_MOV && kept == ZYDIS_REGISTER_NONE &&
		    i.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    i.operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    i.operands[1].reg.value == ZYDIS_REGISTER_RDI &&
		    is_kept_by_calls(i.operands[0].reg.value))
			kept = i.operands[0].reg.value;
		else if (kept != ZYDIS_REGISTER_NONE && writes(&i, kept))
			return -1;
	}
	return at == vaddr && kept != ZYDIS_REGISTER_NONE ? python_register_off(kept) : -1;
}

/* ---- the code of instructions ---- */

static bool is_code_of_eval(const struct search *s, uint64_t vaddr)
{
	return vaddr >= s->eval.st_value && vaddr - s->eval.st_value < s->eval.st_size;
}

static bool is_table(const struct search *s, uint64_t vaddr)
{
	size_t i, nr = 0;
	uint64_t to;

	for (i = 0; i < NR_OPCODES; i++) {
		if (!python_code_pointer(&s->code, vaddr + 8 * i, &to) ||
		    !python_code_off(&s->code, to))
			return false;
		nr += is_code_of_eval(s, to);
	}
	return nr >= LEAST_IN_TABLE;
}

/* `mov table(,%rax,8)` where the file has a fixed place, else `lea table(%rip)`. */
static uint64_t table_operand(const struct python_insn *i)
{
	ZyanU8 k;

	for (k = 0; k < i->in.operand_count_visible; k++) {
		const ZydisDecodedOperand *o = &i->operands[k];

		if (o->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		if (o->mem.base == ZYDIS_REGISTER_NONE && o->mem.scale == 8)
			return (uint64_t)o->mem.disp.value;
		if (i->in.mnemonic == ZYDIS_MNEMONIC_LEA && o->mem.base == ZYDIS_REGISTER_RIP)
			return python_insn_address(i);
	}
	return 0;
}

/* Finds the table, and where jumps lead. False: not all of it is code. */
static bool read_eval(struct search *s)
{
	uint64_t at = s->eval.st_value, end = at + s->eval.st_size, to;
	struct python_insn i;

	for (; at < end; at = i.next) {
		if (!python_insn_at(&s->code, at, &i))
			return false;
		to = s->table_vaddr ? 0 : table_operand(&i);
		if (to && is_table(s, to))
			s->table_vaddr = to;
		if (i.operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		    i.operands[0].imm.is_relative)
			vec_push(&s->targets, python_insn_address(&i));
	}
	return true;
}

/* `mov %reg, 0x38(%frame)`: the register; -1: the instruction is another one. */
static int frame_register(const struct python_insn *i)
{
	const ZydisDecodedOperand *to = &i->operands[0];

	if (i->in.mnemonic != ZYDIS_MNEMONIC_MOV || to->type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    to->size != 64 || to->mem.index != ZYDIS_REGISTER_NONE ||
	    to->mem.disp.value != PYTHON_FRAME_INSTRUCTION ||
	    i->operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    to->mem.base == ZYDIS_REGISTER_RSP)
		return -1;
	return python_register_off(to->mem.base);
}

/* The first block: its length, and the frame's register there. */
static uint64_t read_block(const struct search *s, uint64_t at, int *ret_reg)
{
	ZydisRegister base = ZYDIS_REGISTER_NONE;
	uint64_t begin = at;
	struct python_insn i;

	*ret_reg = -1;
	do {
		if (!python_insn_at(&s->code, at, &i) || writes(&i, base))
			return 0;
		if (*ret_reg < 0) {
			*ret_reg = frame_register(&i);
			base = *ret_reg < 0 ? base : i.operands[0].mem.base;
		}
		at = i.next;
	} while (!python_insn_ends_block(&i));
	return at - begin;
}

static bool is_jumped_to(const struct search *s, uint64_t from, uint64_t to)
{
	vec_each(&s->targets, target)
		if (*target > from && *target <= to)
			return true;
	return false;
}

/* Whether the code there may be run behind other code for the frame's instruction. */
static bool may_be_again(const struct search *s, uint64_t from, uint64_t to)
{
	return is_jumped_to(s, from - 1, to) || python_code_jumps(&s->code, from, to);
}

/* At vaddr, where what begins at `begin` leads to. */
static void add_place(const struct search *s, struct python_places *ret, uint64_t begin, uint64_t vaddr,
		      struct call_place place)
{
	struct python_insn i;
	uint64_t end = python_insn_at(&s->code, vaddr, &i) ? i.next : vaddr + 1;

	place.off = python_code_off(&s->code, vaddr);
	place.code = (struct patched_range){ .off = python_code_off(&s->code, begin), .end = place.off + (end - vaddr) };
	vec_push(&ret->at, place);
}

static bool add_instruction(struct search *s, unsigned int opcode, struct python_places *ret)
{
	struct call_placement placement;
	uint64_t vaddr, len, cookie;
	const void *code;
	int reg;

	if (!python_code_pointer(&s->code, s->table_vaddr + 8 * opcode, &vaddr))
		return false;
	len = read_block(s, vaddr, &reg);
	code = len ? python_code_at(&s->code, vaddr, len, PF_X) : NULL;
	if (!code || reg < 0)
		return false;
	call_place_find(code, len, NULL, &placement);
	if (placement.kind == CALL_PLACE_NONE || is_jumped_to(s, vaddr, vaddr + placement.off))
		return false;
	cookie = PYTHON_COOKIE(reg, false);
	if (may_be_again(s, vaddr, vaddr + placement.off))
		cookie |= PYTHON_COOKIE_AGAIN;
	add_place(s, ret, vaddr, vaddr + placement.off, (struct call_place){ .cookie = cookie });
	return true;
}

/* ---- all ---- */

static int refuse(const struct search *s, struct err *e, const char *why)
{
	err_set(e, -EOPNOTSUPP, "--calls python: %s: %s", s->module, why);
	return err_remedy(
		e, "It takes CPython 3.11 for x86-64, built --with-dtrace, as Debian's python3 is");
}

static int check_version(const struct search *s, struct err *e)
{
	const void *at;
	uint64_t version = 0;
	char text[64];
	GElf_Sym sym;

	if (!python_code_symbol(s->elf, "Py_Version", &sym))
		return refuse(s, e, "it is older than Python 3.11");
	at = python_code_at(&s->code, sym.st_value, sizeof(version), 0);
	if (at)
		memcpy(&version, at, sizeof(version));
	if (version >> 16 == VERSION_3_11)
		return 0;
	snprintf(text, sizeof(text), "it is Python %u.%u", (unsigned int)(version >> 24),
		 (unsigned int)(version >> 16 & 0xff));
	return refuse(s, e, text);
}

/* Where the interpreter looks whether it is enabled. False: that is not all understood. */
static bool add_tests(struct search *s, const struct usdt_site *u, bool is_return, struct python_places *ret)
{
	struct python_probe probe = { u->semaphore_vaddr, function_start(&s->code, u->vaddr), u->vaddr };
	uint64_t begin = s->eval.st_value;
	struct python_tests tests = { 0 };
	bool found = probe.semaphore &&
		     python_tests_find(&s->code, begin, begin + s->eval.st_size, &probe, &tests) &&
		     (is_return || python_tests_keep_first(&s->code, begin, &tests));

	vec_each(&tests.at, t)
		found = found && !is_jumped_to(s, t->begin, t->jump);
	vec_each(&tests.at, t)
		if (found)
			add_place(s, ret, t->begin, t->jump, (struct call_place){ .cookie = PYTHON_COOKIE(t->reg, is_return) });
	python_tests_release(&tests);
	return found;
}

static size_t bytes_from(const struct python_code *c, const uint8_t *code)
{
	return (size_t)(c->bytes + c->len - code);
}

static int add_probe(struct search *s, const struct usdt_site *u, bool is_return, struct python_places *ret,
		     struct err *e)
{
	const uint8_t *code;
	int reg;

	if (add_tests(s, u, is_return, ret))
		return 0;
	code = python_code_at(&s->code, u->vaddr, 1, PF_X);
	if (!code || !call_place_is_nop(code, bytes_from(&s->code, code)))
		return refuse(s, e, "its USDT probes stand on no nop, or one of five bytes");
	reg = argument_at(&s->code, u->vaddr);
	if (reg < 0)
		return refuse(s, e, "its USDT probes stand in code that is not understood");
	add_place(s, ret, function_start(&s->code, u->vaddr), u->vaddr,
		  (struct call_place){ .semaphore_off = u->semaphore_off,
				       .cookie = PYTHON_COOKIE(reg, is_return) | (is_return ? 0 : PYTHON_COOKIE_USDT) });
	return 0;
}

static int add_probes(struct search *s, struct python_places *ret, struct err *e)
{
	struct usdt usdt = { 0 };
	size_t nr_returns = 0;
	int err = usdt_read(&usdt, s->elf, e);

	vec_each(&usdt.sites, u) {
		bool is_return = !strcmp(u->name, "function__return");

		if (err || strcmp(u->provider, "python") ||
		    (!is_return && strcmp(u->name, "function__entry")))
			continue;
		nr_returns += is_return;
		err = add_probe(s, u, is_return, ret, e);
	}
	usdt_release(&usdt);
	if (err)
		return err;
	return nr_returns ? 0 : refuse(s, e, "it was built without USDT probes");
}

static int add_instructions(struct search *s, struct python_places *ret, struct err *e)
{
	if (s->table_vaddr && add_instruction(s, OPCODE_RESUME, ret) &&
	    add_instruction(s, OPCODE_RESUME_QUICK, ret))
		return 0;
	return refuse(s, e, "its interpreter's code is not understood");
}

/* First: by then nothing is known of code that is freed later. Where no such place is found, what is known is compared. */
static void add_freed(struct search *s, struct python_places *ret)
{
	struct call_place freed;
	const uint8_t *code;
	uint64_t dealloc;
	GElf_Sym type;

	if (!python_code_symbol(s->elf, "PyCode_Type", &type) ||
	    !python_code_pointer(&s->code, type.st_value + PYTHON_TYPE_DEALLOC, &dealloc))
		return;
	code = python_code_at(&s->code, dealloc, 1, PF_X);
	if (!code || !python_code_off(&s->code, dealloc) || call_place_is_changed(code, bytes_from(&s->code, code), true))
		return;
	vec_each(&ret->at, p)
		p->cookie |= PYTHON_COOKIE_WITH_FREED;
	add_place(s, ret, dealloc, dealloc,
		  (struct call_place){ .cookie = PYTHON_COOKIE(offsetof(struct pt_regs, rdi), false) | PYTHON_COOKIE_FREED });
	freed = *vec_last(&ret->at);
	vec_insert(&ret->at, 0, freed);
	ret->at.nr--;
}

static int find(struct search *s, struct python_places *ret, struct err *e)
{
	bool is_read = s->elf && python_code_open(&s->code, s->elf);
	bool has_eval = is_read && python_code_symbol(s->elf, "_PyEval_EvalFrameDefault", &s->eval);
	GElf_Sym before_3_6;
	int err;

	if (!has_eval && !(is_read && python_code_symbol(s->elf, "PyEval_EvalFrameEx", &before_3_6)))
		return err_set(e, -ENOEXEC, "%s: there is no Python in it", s->module);
	err = check_version(s, e);
	if (!err && (!has_eval || !read_eval(s)))
		err = refuse(s, e, "its interpreter's code is not understood");
	if (!err)
		err = add_probes(s, ret, e);
	if (!err)
		err = add_instructions(s, ret, e);
	if (!err)
		add_freed(s, ret);
	return err;
}

int python_places_find(const char *open_path, const char *module, struct python_places *ret,
		       struct err *e)
{
	struct python_places found = { 0 };
	struct search s = { .module = module };
	int fd = open(open_path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return err_set(e, -errno, "cannot open %s: %m", module);
	elf_version(EV_CURRENT);
	s.elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	err = find(&s, &found, e);
	if (err) {
		python_places_release(&found);
	} else {
		vec_each(&found.at, p)
			vec_push(&ret->at, *p);
		vec_release(&found.at);
	}
	python_code_release(&s.code);
	vec_release(&s.targets);
	elf_end(s.elf);
	close(fd);
	return err;
}

void python_places_release(struct python_places *p)
{
	vec_release(&p->at);
}
