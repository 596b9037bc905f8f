/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/operand.h"

#include <asm/ptrace.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/*
 * The names of a register by width, and its place in struct pt_regs. The user-space struct of
 * <asm/ptrace.h> has the layout of the kernel's own (arch/x86/include/asm/ptrace.h), which is what
 * a uprobe's program is given.
 */
static const struct reg {
	const char *names[4];	/* 64, 32, 16 and 8 bits */
	const char *high;	/* bits 8 to 15 */
	unsigned short off;
} regs[] = {
	{ { "rax", "eax", "ax", "al" }, "ah", offsetof(struct pt_regs, rax) },
	{ { "rbx", "ebx", "bx", "bl" }, "bh", offsetof(struct pt_regs, rbx) },
	{ { "rcx", "ecx", "cx", "cl" }, "ch", offsetof(struct pt_regs, rcx) },
	{ { "rdx", "edx", "dx", "dl" }, "dh", offsetof(struct pt_regs, rdx) },
	{ { "rsi", "esi", "si", "sil" }, NULL, offsetof(struct pt_regs, rsi) },
	{ { "rdi", "edi", "di", "dil" }, NULL, offsetof(struct pt_regs, rdi) },
	{ { "rbp", "ebp", "bp", "bpl" }, NULL, offsetof(struct pt_regs, rbp) },
	{ { "rsp", "esp", "sp", "spl" }, NULL, offsetof(struct pt_regs, rsp) },
	{ { "r8", "r8d", "r8w", "r8b" }, NULL, offsetof(struct pt_regs, r8) },
	{ { "r9", "r9d", "r9w", "r9b" }, NULL, offsetof(struct pt_regs, r9) },
	{ { "r10", "r10d", "r10w", "r10b" }, NULL, offsetof(struct pt_regs, r10) },
	{ { "r11", "r11d", "r11w", "r11b" }, NULL, offsetof(struct pt_regs, r11) },
	{ { "r12", "r12d", "r12w", "r12b" }, NULL, offsetof(struct pt_regs, r12) },
	{ { "r13", "r13d", "r13w", "r13b" }, NULL, offsetof(struct pt_regs, r13) },
	{ { "r14", "r14d", "r14w", "r14b" }, NULL, offsetof(struct pt_regs, r14) },
	{ { "r15", "r15d", "r15w", "r15b" }, NULL, offsetof(struct pt_regs, r15) },
	{ { "rip", NULL, NULL, NULL }, NULL, offsetof(struct pt_regs, rip) },
};

static const char why_syntax[] = "its operand is of an unknown form";
static const char why_float[] = "it is floating point";
static const char why_symbol[] = "its symbol is not known";
static const char why_moves[] = "it is relative to an address that is not fixed";

/* What is left of one operand. */
struct text {
	const char *at, *end;
};

/* A sum of numbers and at most one symbol. */
struct sum {
	uint64_t value;
	bool has_symbol;
};

static bool take(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

static bool is_name(const char *name, const char *s, size_t len)
{
	return name && strlen(name) == len && !memcmp(name, s, len);
}

/* "%eax", the percent sign not yet taken. */
static bool take_reg(struct text *t, unsigned short *ret_off, unsigned char *ret_bit)
{
	const char *s;
	size_t len = 0, i, width;

	if (!take(t, '%'))
		return false;
	s = t->at;
	while (t->at < t->end && isalnum((unsigned char)*t->at))
		t->at++;
	len = (size_t)(t->at - s);
	for (i = 0; i < ARRAY_LEN(regs); i++) {
		bool found = is_name(regs[i].high, s, len);

		*ret_bit = found ? 8 : 0;
		for (width = 0; width < ARRAY_LEN(regs[i].names); width++)
			found |= is_name(regs[i].names[width], s, len);
		*ret_off = regs[i].off;
		if (found)
			return true;
	}
	return false;
}

/* Decimal or 0x: no octal, compilers write none. Wraps as the assembler's arithmetic does. */
static bool take_number(struct text *t, uint64_t *ret)
{
	unsigned int base = 10;
	const char *start;

	if (t->end - t->at > 2 && t->at[0] == '0' && t->at[1] == 'x') {
		base = 16;
		t->at += 2;
	}
	start = t->at;
	for (*ret = 0; t->at < t->end; t->at++) {
		unsigned char c = (unsigned char)*t->at;

		if (base == 16 ? !isxdigit(c) : !isdigit(c))
			break;
		*ret = *ret * base + (unsigned int)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
	}
	return t->at > start;
}

static bool is_symbol_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '$';
}

static const char *take_symbol(struct text *t, const struct operand_scope *scope, struct sum *sum)
{
	const char *s = t->at;
	uint64_t vaddr;

	while (t->at < t->end && is_symbol_char(*t->at))
		t->at++;
	if (t->at == s || sum->has_symbol)
		return why_syntax;
	if (t->at < t->end && *t->at == '@')
		return "its symbol is reached through a table of the loader";
	if (!scope->symbol || !scope->symbol(scope->self, s, (size_t)(t->at - s), &vaddr))
		return why_symbol;
	sum->value += vaddr;
	sum->has_symbol = true;
	return NULL;
}

/* "-8", "counters+16", "4+counters". */
static const char *take_sum(struct text *t, const struct operand_scope *scope, struct sum *ret)
{
	bool negative = take(t, '-');

	*ret = (struct sum){ 0 };
	for (;;) {
		if (t->at < t->end && isdigit((unsigned char)*t->at)) {
			uint64_t number;

			if (!take_number(t, &number))
				return why_syntax;
			ret->value += negative ? -number : number;
		} else {
			const char *why = negative ? why_syntax : take_symbol(t, scope, ret);

			if (why)
				return why;
		}
		negative = take(t, '-');
		if (!negative && !take(t, '+'))
			return NULL;
	}
}

/* ",%rdx" and ",%rdx,8" of "(%rax,%rdx,8)". */
static bool take_index(struct text *t, struct probe_arg *a)
{
	unsigned char bit;

	if (!take(t, ','))
		return true;
	if (!take_reg(t, &a->index, &bit) || bit)
		return false;
	if (!take(t, ','))
		return true;
	a->shift = t->at == t->end ? 0 :
		   *t->at == '1' ? 0 : *t->at == '2' ? 1 : *t->at == '4' ? 2 : 3;
	return take(t, (char)('0' + (1 << a->shift)));
}

static const char *parse_mem(struct text *t, const struct operand_scope *scope,
			     struct probe_arg *a)
{
	unsigned short ip = offsetof(struct pt_regs, rip);
	struct sum sum = { 0 };
	unsigned char bit = 0;
	const char *why;

	a->kind = PROBE_ARG_MEM;
	if (t->at < t->end && *t->at == '%')
		return "it lies in a segment (thread-local memory)";
	if (t->at < t->end && *t->at != '(') {
		why = take_sum(t, scope, &sum);
		if (why)
			return why;
	}
	if (take(t, '(')) {
		if (t->at < t->end && *t->at == '%' && (!take_reg(t, &a->reg, &bit) || bit))
			return why_syntax;
		if (!take_index(t, a) || !take(t, ')'))
			return why_syntax;
	} else {
		a->reg = ip;
	}
	if (a->index == ip || (a->reg == PROBE_NO_REG && a->index == PROBE_NO_REG))
		return why_syntax;
	/* "8(%rip)" counts from the next instruction, whose length the note does not tell. */
	if (a->reg == ip && !sum.has_symbol)
		return why_moves;
	if (a->reg != ip && sum.has_symbol && !scope->is_fixed)
		return why_moves;
	a->value = (long long)(a->reg == ip ? sum.value - scope->vaddr : sum.value);
	return NULL;
}

static const char *parse_const(struct text *t, const struct operand_scope *scope,
			       struct probe_arg *a)
{
	struct sum sum;
	const char *why = take_sum(t, scope, &sum);

	if (why)
		return why;
	if (sum.has_symbol && !scope->is_fixed)
		return why_moves;
	a->kind = PROBE_ARG_CONST;
	a->value = (long long)sum.value;
	return NULL;
}

static const char *parse_operand(struct text *t, const struct operand_scope *scope,
				 struct probe_arg *a)
{
	struct text reg = *t;
	const char *why = NULL;

	if (t->at == t->end) {
		why = why_syntax;
	} else if (take(t, '$')) {
		why = parse_const(t, scope, a);
	} else if (take_reg(&reg, &a->reg, &a->bit) && reg.at == reg.end) {
		a->kind = PROBE_ARG_REG;
		*t = reg;
	} else if (t->end - t->at > 4 && (!memcmp(t->at, "%xmm", 4) || !memcmp(t->at, "%ymm", 4))) {
		return why_float;
	} else {
		a->reg = PROBE_NO_REG;
		a->bit = 0;
		why = parse_mem(t, scope, a);
	}
	return why ? why : t->at == t->end ? NULL : why_syntax;
}

static const char *parse_sized(struct text t, const struct operand_scope *scope,
			       struct probe_arg *a)
{
	uint64_t size;

	a->is_signed = take(&t, '-');
	if (!take_number(&t, &size))
		return why_syntax;
	if (take(&t, 'f'))
		return why_float;
	if (!take(&t, '@'))
		return why_syntax;
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return "it is not of 1, 2, 4 or 8 bytes";
	a->size = (unsigned char)size;
	return parse_operand(&t, scope, a);
}

/* The next argument of a list; blanks within parentheses or brackets do not part arguments. */
static bool next_arg(const char **list, struct text *ret)
{
	const char *s = *list + strspn(*list, " \t");
	unsigned int depth = 0;

	ret->at = s;
	for (; *s && (depth || (*s != ' ' && *s != '\t')); s++) {
		if (*s == '(' || *s == '[')
			depth++;
		else if (depth && (*s == ')' || *s == ']'))
			depth--;
	}
	ret->end = *list = s;
	return ret->at < ret->end;
}

unsigned int operand_count(const char *list)
{
	unsigned int nr = 0;
	struct text t;

	while (next_arg(&list, &t))
		nr++;
	return nr;
}

const char *operand_parse(const char *list, unsigned int n, const struct operand_scope *scope,
			  struct probe_arg *ret)
{
	struct probe_arg a = { .reg = PROBE_NO_REG, .index = PROBE_NO_REG };
	struct text t = { list, list };
	const char *why = NULL;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!next_arg(&list, &t))
			why = "there is no such argument";
	if (!why)
		why = n ? parse_sized(t, scope, &a) : "there is no such argument";
	*ret = why ? (struct probe_arg){ .reg = PROBE_NO_REG, .index = PROBE_NO_REG } : a;
	return why;
}

const char *operand_of_function(unsigned int n, struct probe_arg *ret)
{
	static const unsigned short order[FUNCTION_ARGS_MAX] = {
		offsetof(struct pt_regs, rdi), offsetof(struct pt_regs, rsi),
		offsetof(struct pt_regs, rdx), offsetof(struct pt_regs, rcx),
		offsetof(struct pt_regs, r8),  offsetof(struct pt_regs, r9),
	};

	*ret = (struct probe_arg){ .reg = PROBE_NO_REG, .index = PROBE_NO_REG };
	if (!n || n > FUNCTION_ARGS_MAX)
		return "only the first six arguments of a function are in registers";
	ret->kind = PROBE_ARG_REG;
	ret->size = 8;
	ret->reg = order[n - 1];
	return NULL;
}
