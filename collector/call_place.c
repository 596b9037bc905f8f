/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/call_place.h"

#include <Zydis/Decoder.h>
#include <Zydis/Formatter.h>
#include <string.h>

#include "collector/call_jumps.h"

enum { NOP5_BYTES = 5 };

struct instruction {
	ZydisDecodedInstruction in;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static bool decode(const ZydisDecoder *decoder, const uint8_t *code, size_t len, struct instruction *i)
{
	return !ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, code, len, &i->in, i->operands));
}

static bool writes(const struct instruction *i, ZydisRegister r)
{
	ZyanU8 k;

	for (k = 0; k < i->in.operand_count; k++) {
		const ZydisDecodedOperand *o = &i->operands[k];

		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, o->reg.value) == r)
			return true;
	}
	return false;
}

static bool is_jump(const struct instruction *i)
{
	return i->in.meta.category == ZYDIS_CATEGORY_COND_BR ||
	       i->in.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
}

static bool ends_block(const struct instruction *i)
{
	return is_jump(i) || i->in.meta.category == ZYDIS_CATEGORY_CALL ||
	       i->in.meta.category == ZYDIS_CATEGORY_RET ||
	       i->in.meta.category == ZYDIS_CATEGORY_SYSCALL ||
	       i->in.meta.category == ZYDIS_CATEGORY_INTERRUPT;
}

static bool is_relative(const struct instruction *i)
{
	return i->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i->operands[0].imm.is_relative;
}

/*
 * A prefix that the kernel takes no probe with, whatever it means there: gcc's -mindirect-branch-cs-prefix, hints of branches
 * and notrack are such (is_prefix_bad(); branch_setup_xol_ops() for one of size before a branch, as calls of
 * __tls_get_addr() have it).
 */
static bool is_refused(const struct instruction *i)
{
	ZyanU8 k;

	for (k = 0; k < i->in.raw.prefix_count; k++) {
		switch (i->in.raw.prefixes[k].value) {
		case 0x26: case 0x2e: case 0x36: case 0x3e:	/* es, cs, ss, ds */
		case 0xf0:					/* lock */
			return true;
		case 0x66:
			if (is_relative(i))
				return true;
			break;
		}
	}
	return false;
}

static bool is_emulated(const struct instruction *i)
{
	const ZydisDecodedOperand *to = &i->operands[0];

	/* With a prefix of its size the kernel does not know it. */
	if (is_refused(i) || i->in.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE)
		return false;
	switch (i->in.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		return to->type == ZYDIS_OPERAND_TYPE_REGISTER && to->size == 64 &&
		       i->in.opcode >= 0x50 && i->in.opcode <= 0x57;
	case ZYDIS_MNEMONIC_NOP:
		return i->in.length != NOP5_BYTES && (i->in.opcode == 0x90 || i->in.opcode == 0x1f);
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_JMP:
		return is_relative(i);
	default:
		/* Not those by a counter. */
		return i->in.meta.category == ZYDIS_CATEGORY_COND_BR && is_relative(i) &&
		       (i->in.opcode_map == ZYDIS_OPCODE_MAP_0F || i->in.opcode >> 4 == 7);
	}
}

/*
 * The kernel goes by the opcode's first byte, whatever prefix stands before it: it takes "vmovdqu %ymm0, (%rdi)", VEX 7F,
 * for a jg, and goes on behind it with nothing moved. So with all that has the opcode of what it emulates, or of what it
 * mends the instruction pointer or the stack after (branch_setup_xol_ops(), arch_uprobe_analyze_insn()). What has a newer
 * prefix than VEX is not known to be understood at all.
 */
static bool is_mistaken(const struct instruction *i)
{
	if (i->in.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX)
		return i->in.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
		       i->in.encoding != ZYDIS_INSTRUCTION_ENCODING_3DNOW;
	switch (i->in.opcode) {
	case 0x90:			/* nop */
	case 0x9a: case 0xe8: case 0xff:	/* call */
	case 0xe9: case 0xea: case 0xeb:	/* jmp */
	case 0xc2: case 0xc3: case 0xca: case 0xcb:	/* ret */
	case 0x9d:			/* popf */
		return true;
	default:
		return i->in.opcode >> 4 == 7;	/* jcc */
	}
}

/* The kernel's decoder knows other instructions by these prefixes, and does not see the operand in memory. */
static bool has_stray_prefix(const struct instruction *i)
{
	ZyanU8 k;

	if (i->in.meta.category != ZYDIS_CATEGORY_CMOV && i->in.meta.category != ZYDIS_CATEGORY_SETCC)
		return false;
	for (k = 0; k < i->in.raw.prefix_count; k++)
		if (i->in.raw.prefixes[k].value == 0xf2 || i->in.raw.prefixes[k].value == 0xf3)
			return true;
	return false;
}

/*
 * What comes out else with a probe on it. Stepped over, out of line, with the trap flag set: pushf stores that flag, and
 * the popf that belongs to it ends the program by SIGTRAP; syscall leaves the address of the copy in rcx, a thread or
 * process that it makes begins there, and one that waits in it keeps one of the 32 places that there are for copies; xbegin
 * never begins. Of "xchg %rax, %r8", 90 with a prefix, Linux up to 6.18 at least makes a nop.
 */
static bool is_changed(const struct instruction *i)
{
	if (is_mistaken(i) || has_stray_prefix(i))
		return true;
	switch (i->in.mnemonic) {
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFD:
	case ZYDIS_MNEMONIC_PUSHFQ:
	case ZYDIS_MNEMONIC_SYSCALL:
	case ZYDIS_MNEMONIC_XBEGIN:
		return true;
	case ZYDIS_MNEMONIC_XCHG:
		return i->in.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && i->in.opcode == 0x90;
	default:
		return false;
	}
}

static bool is_nop5(const struct instruction *i)
{
	return i->in.mnemonic == ZYDIS_MNEMONIC_NOP && i->in.length == NOP5_BYTES;
}

/* A string instruction with a prefix: the step ends behind each round, and the probe is hit again before the next. */
static bool is_repeated(const struct instruction *i)
{
	return i->in.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

/*
 * The kernel steps over it; what else it refuses (good_insns_64, good_2byte_insns), as far as functions have it, is not.
 */
static bool is_stepped(const struct instruction *i)
{
	if (is_changed(i) || is_nop5(i) || is_repeated(i) || is_refused(i))
		return false;
	switch (i->in.meta.category) {
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_IO:
	case ZYDIS_CATEGORY_IOSTRINGOP:
	case ZYDIS_CATEGORY_SYSTEM:
	case ZYDIS_CATEGORY_SYSRET:
		return false;
	default:
		return i->in.mnemonic != ZYDIS_MNEMONIC_HLT && i->in.mnemonic != ZYDIS_MNEMONIC_UD2;
	}
}

/*
 * It reads or writes where a pointer says. A fault there that a signal handler mends makes the target come by once more. The
 * stack, a thread's own data and variables are there.
 */
static bool may_fault(const struct instruction *i)
{
	ZyanU8 k;

	for (k = 0; k < i->in.operand_count; k++) {
		const ZydisDecodedOperand *o = &i->operands[k];

		if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
		    o->mem.segment != ZYDIS_REGISTER_FS && o->mem.base != ZYDIS_REGISTER_NONE && o->mem.base != ZYDIS_REGISTER_RSP &&
		    o->mem.base != ZYDIS_REGISTER_RBP && o->mem.base != ZYDIS_REGISTER_RIP)
			return true;
	}
	return false;
}

static bool is_stepped_once(const struct instruction *i)
{
	return is_stepped(i) && !may_fault(i);
}

/*
 * What an instruction takes from the stack pointer, added to *sp_add. False: that is not known, or it
 * leaves the stack.
 */
static bool follow_sp(const struct instruction *i, uint32_t *sp_add)
{
	const ZydisDecodedOperand *to = &i->operands[0], *from = &i->operands[1];

	if ((i->in.mnemonic == ZYDIS_MNEMONIC_PUSH && i->in.operand_width == 64) ||
	    i->in.mnemonic == ZYDIS_MNEMONIC_PUSHFQ) {
		*sp_add += 8;
		return true;
	}
	if (i->in.mnemonic == ZYDIS_MNEMONIC_SUB && to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    to->reg.value == ZYDIS_REGISTER_RSP && from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
	    from->imm.value.s >= 0 && from->imm.value.s < 0x8000) {
		*sp_add += (uint32_t)from->imm.value.s;
		return *sp_add < 0x8000;
	}
	return !writes(i, ZYDIS_REGISTER_RSP);
}

/* The lowest place in the function that a jump in it leads to. *ret_is_code: all of it is. */
static size_t first_target(const ZydisDecoder *decoder, const uint8_t *code, size_t len, bool *ret_is_code)
{
	size_t at, first = len;

	*ret_is_code = true;
	for (at = 0; at < len;) {
		struct instruction i;
		uint64_t to;

		if (!decode(decoder, code + at, len - at, &i)) {
			*ret_is_code = false;
			at++;
			continue;
		}
		at += i.in.length;
		if (!is_jump(&i) || !is_relative(&i))
			continue;
		to = at + (uint64_t)i.operands[0].imm.value.s;
		if (to < first)
			first = to;
	}
	return first;
}

static void describe(const struct instruction *i, struct call_placement *p)
{
	ZydisFormatter formatter;

	if (ZYAN_FAILED(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT)) ||
	    ZYAN_FAILED(ZydisFormatterFormatInstruction(&formatter, &i->in, i->operands,
							i->in.operand_count_visible, p->text,
							sizeof(p->text), ZYDIS_RUNTIME_ADDRESS_NONE,
							NULL)))
		p->text[0] = '\0';
}

/* From `begin` to the end of that block, or where a jump leads to: the first that is fit. */
static bool find_fit(const ZydisDecoder *decoder, const uint8_t *code, size_t len, size_t begin, size_t end,
		     bool (*is_fit)(const struct instruction *i), struct call_placement *p)
{
	uint32_t sp_add = 0;
	size_t at;

	for (at = begin; at < end && at - begin < CALL_PLACE_BYTES_MAX;) {
		struct instruction i;

		if (!decode(decoder, code + at, len - at, &i))
			return false;
		if (is_fit(&i)) {
			p->off = (uint32_t)at;
			p->end = (uint32_t)at + i.in.length;
			p->sp_add = p->sp_after = sp_add;
			if (ends_block(&i) || !follow_sp(&i, &p->sp_after))
				p->sp_after = CALL_PLACE_NO_SP;
			describe(&i, p);
			return true;
		}
		if (ends_block(&i) || !follow_sp(&i, &sp_add))
			return false;
		at += i.in.length;
	}
	return false;
}

/* ---- functions that begin with a check and, after a detour, begin again ---- */

struct check {
	size_t begin, end;	/* the detour; a jump to the function's first byte is its end */
	size_t target;		/* the lowest place behind the check that another jump leads to */
	bool is_framed;		/* behind the check the stack pointer changes */
	struct call_check known;
};

static size_t target_of(const struct instruction *i, size_t at)
{
	return at + i->in.length + (size_t)i->operands[0].imm.value.s;
}

/* Jcc rel8, rel32: 70+cc, 0F 80+cc (Intel SDM 2, appendix B.1.4.7). */
static bool is_by_flags(const struct instruction *i)
{
	return (i->in.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && i->in.opcode >> 4 == 7) ||
	       (i->in.opcode_map == ZYDIS_OPCODE_MAP_0F && i->in.opcode >> 4 == 8);
}

static bool writes_argument(const struct instruction *i)
{
	return writes(i, ZYDIS_REGISTER_RDI) || writes(i, ZYDIS_REGISTER_RSI) ||
	       writes(i, ZYDIS_REGISTER_RDX) || writes(i, ZYDIS_REGISTER_RCX) ||
	       writes(i, ZYDIS_REGISTER_R8) || writes(i, ZYDIS_REGISTER_R9);
}

/* Conditional jumps, all to one place further down, and nothing else that jumps or moves the stack. */
static bool find_check(const ZydisDecoder *decoder, const uint8_t *code, size_t len, struct check *c)
{
	bool keeps_arguments = true;
	struct instruction i;
	size_t at;

	*c = (struct check){ .begin = len };
	for (at = 0; at < CALL_PLACE_BYTES_MAX && decode(decoder, code + at, len - at, &i); at += i.in.length) {
		size_t to = is_relative(&i) ? target_of(&i, at) : len;

		c->is_framed = !ends_block(&i) && writes(&i, ZYDIS_REGISTER_RSP);
		if (c->is_framed)
			break;
		keeps_arguments &= !writes_argument(&i);
		if (!ends_block(&i))
			continue;
		if (i.in.meta.category != ZYDIS_CATEGORY_COND_BR || !is_by_flags(&i) || to <= at ||
		    to >= len || (c->known.behind && to != c->begin))
			break;
		c->begin = to;
		c->known = (struct call_check){ .jump = (uint32_t)at,
						.behind = (uint32_t)(at + i.in.length),
						.condition = i.in.opcode & 15,
						.keeps_arguments = keeps_arguments };
	}
	return c->known.behind && c->begin >= c->known.behind;
}

/* A straight line, with calls, to the function's first byte. */
static bool find_detour(const ZydisDecoder *decoder, const uint8_t *code, size_t len, struct check *c)
{
	struct instruction i;
	size_t at;

	for (at = c->begin; decode(decoder, code + at, len - at, &i); at += i.in.length) {
		if (!ends_block(&i) || i.in.meta.category == ZYDIS_CATEGORY_CALL)
			continue;
		c->end = at + i.in.length;
		return i.in.mnemonic == ZYDIS_MNEMONIC_JMP && is_relative(&i) && !target_of(&i, at);
	}
	return false;
}

/*
 * Does code run on into the detour behind it? A call with a frame does not return there: the detour is
 * without one. Go's calls of what panics stand there.
 */
static bool runs_on(const struct instruction *i, const struct check *c)
{
	switch (i->in.meta.category) {
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_INTERRUPT:
		return false;
	case ZYDIS_CATEGORY_CALL:
		return !c->is_framed;
	default:
		return i->in.mnemonic != ZYDIS_MNEMONIC_UD2 && i->in.mnemonic != ZYDIS_MNEMONIC_HLT;
	}
}

/* Only the check leads to the detour, and only that leads back before the check's end. */
static bool is_passed_once(const ZydisDecoder *decoder, const uint8_t *code, size_t len, struct check *c)
{
	bool goes_on = true;
	size_t at = 0;

	c->target = c->begin;
	while (at < len) {
		struct instruction i;
		size_t to;

		if ((at == c->begin && goes_on) || !decode(decoder, code + at, len - at, &i))
			return false;
		to = is_jump(&i) && is_relative(&i) ? target_of(&i, at) : len;
		if (at >= c->known.behind && to >= c->begin && to < c->end)
			return false;
		if (to < c->known.behind && (to || at < c->begin || at >= c->end))
			return false;
		if (to >= c->known.behind && to < c->target)
			c->target = to;
		if (i.in.mnemonic != ZYDIS_MNEMONIC_NOP)
			goes_on = runs_on(&i, c);
		at += i.in.length;
		/* The detour begins in the midst of an instruction. */
		if (at > c->begin && at - i.in.length < c->begin)
			return false;
	}
	return true;
}

static bool is_checked(const ZydisDecoder *decoder, const uint8_t *code, size_t len, struct check *c)
{
	return find_check(decoder, code, len, c) && find_detour(decoder, code, len, c) &&
	       is_passed_once(decoder, code, len, c);
}

bool call_place_check(const uint8_t *code, size_t len, struct call_check *ret)
{
	ZydisDecoder decoder;
	struct check c;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    !is_checked(&decoder, code, len, &c))
		return false;
	*ret = c.known;
	return true;
}

/* ---- the place ---- */

bool call_place_is_changed(const uint8_t *code, size_t len, bool is_entry)
{
	struct instruction i;
	ZydisDecoder decoder;

	return !ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) &&
	       decode(&decoder, code, len, &i) && (is_changed(&i) || (!is_entry && is_nop5(&i)));
}

bool call_place_is_nop(const uint8_t *code, size_t len)
{
	struct instruction i;
	ZydisDecoder decoder;

	return !ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) &&
	       decode(&decoder, code, len, &i) && i.in.mnemonic == ZYDIS_MNEMONIC_NOP && !is_nop5(&i);
}

bool call_place_is_inside(const uint8_t *code, size_t len, size_t at)
{
	struct instruction i = { .in = { .length = 0 } };
	ZydisDecoder decoder;
	size_t off;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return false;
	for (off = 0; off < at; off += i.in.length)
		if (!decode(&decoder, code + off, len - off, &i))
			return false;
	return off != at;
}

size_t call_place_length(const uint8_t *code, size_t len)
{
	struct instruction i;
	ZydisDecoder decoder;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    !decode(&decoder, code, len, &i))
		return 0;
	return i.in.length;
}

static void refuse(struct call_placement *p, const char *why)
{
	p->kind = CALL_PLACE_NONE;
	p->why = why;
}

/* Where each call comes by once: from begin on, up to end. */
struct span {
	size_t begin, end;
};

/* From begin up to behind what moves the stack pointer first, if the block does. */
static size_t behind_push(const ZydisDecoder *decoder, const uint8_t *code, size_t len, size_t begin)
{
	struct instruction i;
	uint32_t sp_add = 0;
	size_t at;

	for (at = begin; at < len && decode(decoder, code + at, len - at, &i); at += i.in.length) {
		if (ends_block(&i) || !follow_sp(&i, &sp_add))
			break;
		if (sp_add)
			return at + i.in.length;
	}
	return begin;
}

/* What is wrong with its first instruction; NULL: nothing. *ret_doubt: why the span is short; NULL: it is not. */
static const char *find_span(const ZydisDecoder *decoder, const uint8_t *code, size_t len, const struct call_jumps *jumps,
			     struct span *ret, const char **ret_doubt)
{
	struct check check = { .begin = 0 };
	uint64_t first;
	bool is_code;

	*ret = (struct span){ 0, first_target(decoder, code, len, &is_code) };
	*ret_doubt = is_code ? NULL : "it has bytes that are no code";
	if (!ret->end && is_code && is_checked(decoder, code, len, &check))
		*ret = (struct span){ check.known.behind, check.target };
	if (!ret->end)
		return "a loop leads back to its first instruction";
	/* Jumps may lead anywhere but, most likely, to the entry. */
	if (!is_code)
		ret->end = 1;
	first = behind_push(decoder, code, len, ret->begin);
	if (jumps && jumps->first > first)
		first = jumps->first;
	if (jumps && first < ret->end) {
		ret->end = first;
		*ret_doubt = "a jump from elsewhere or by a table may lead there";
	}
	if (jumps && jumps->entered && jumps->entered < ret->end) {
		ret->end = jumps->entered;
		*ret_doubt = "another function goes on behind its first instruction";
	}
	if (ret->end <= ret->begin)
		return "a jump from elsewhere or by a table may lead back to its first instruction";
	return NULL;
}

const char *call_place_why_repeated(const uint8_t *code, size_t len, const struct call_jumps *jumps)
{
	struct instruction first;
	ZydisDecoder decoder;
	const char *doubt;
	struct span span;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return NULL;
	if (decode(&decoder, code, len, &first) && is_repeated(&first))
		return "its first instruction is repeated, and a probe there is hit in each round";
	return find_span(&decoder, code, len, jumps, &span, &doubt);
}

void call_place_find(const uint8_t *code, size_t len, const struct call_jumps *jumps, struct call_placement *ret)
{
	struct instruction first;
	ZydisDecoder decoder;
	struct span s = { 0, 0 };
	const char *why;

	*ret = (struct call_placement){ .kind = CALL_PLACE_NONE };
	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    !decode(&decoder, code, len, &first)) {
		refuse(ret, "its first byte begins no instruction");
		return;
	}
	why = find_span(&decoder, code, len, jumps, &s, &ret->why);
	if (why) {
		refuse(ret, why);
	} else if (find_fit(&decoder, code, len, s.begin, s.end, is_emulated, ret)) {
		ret->kind = CALL_PLACE_EMULATED;
		ret->why = NULL;
	} else if (find_fit(&decoder, code, len, s.begin, s.end, is_stepped_once, ret) ||
		   find_fit(&decoder, code, len, s.begin, s.end, is_stepped, ret)) {
		ret->kind = CALL_PLACE_STEPPED;
		ret->why = ret->why ? ret->why : "nothing in its entry block is emulated";
	} else {
		refuse(ret, "the kernel takes no probe on what it begins with");
	}
}
