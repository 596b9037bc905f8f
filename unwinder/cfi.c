/* SPDX-License-Identifier: Apache-2.0 */
#include "unwinder/cfi.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/vec.h"
#include "unwinder/cfi_guard.h"

enum {
	/* From the syscall in clone() and clone3() to the code of the child. */
	GAP_BYTES = 12,
	/* Where a program is entered, up to the jump into what has been made ready: 61 in glibc's ld.so. */
	ENTRY_BYTES = 64,
};

struct segment {		/* a PT_LOAD with code in the file */
	uint64_t off, len, vaddr;
};

struct cfi {
	Elf *elf, *own_elf;	/* own_elf: to be ended with us */
	const struct unwind_arch *arch;
	VEC(struct segment) segments;
	uint64_t entry;			/* vaddr; 0: none */
	Dwarf_CFI *eh_frame, *debug_frame;	/* the latter is the Dwarf's */
	Dwarf *dwarf;
	bool has_looked_for_debug_frame;
	struct arena arena;	/* rules and equations */
	VEC(const struct rule *) rules;
	struct hashidx index;	/* of rules by what they say */
	struct u64map of_vaddr;	/* index in rules */
};

static const struct rule no_rule = { .kind = RULE_NONE }, bad_rule = { .kind = RULE_BAD };

/* ---- the file ---- */

static const struct unwind_arch *arch_of(const GElf_Ehdr *header)
{
	switch (header->e_machine) {
	case EM_X86_64:
		return unwind_arch_find("x86_64");
	case EM_AARCH64:
		return unwind_arch_find("aarch64");
	default:
		return NULL;
	}
}

static void read_segments(struct cfi *c)
{
	size_t nr = 0, i;

	/* The number is the file's word: of headers that are not there it may say 4 billion. */
	elf_getphdrnum(c->elf, &nr);
	for (i = 0; i < nr; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(c->elf, (int)i, &p))
			break;
		if (p.p_type == PT_LOAD && p.p_flags & PF_X)
			vec_push(&c->segments, (struct segment){ p.p_offset, p.p_filesz, p.p_vaddr });
	}
}

static struct cfi *cfi_new(Elf *elf, bool is_own, struct err *e)
{
	struct cfi *c;
	GElf_Ehdr header;

	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) || !arch_of(&header) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
		err_set(e, -ENOEXEC, "no ELF file of a processor that can be unwound here");
		if (is_own)
			elf_end(elf);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->elf = elf;
	c->own_elf = is_own ? elf : NULL;
	c->arch = arch_of(&header);
	c->entry = header.e_entry;
	read_segments(c);
	c->eh_frame = cfi_guard_eh_frame(elf) ? dwarf_getcfi_elf(elf) : NULL;
	return c;
}

/* elfutils reads all sections of debug info to tell whether there is one: it is asked only if so. */
static Dwarf_CFI *debug_frame(struct cfi *c)
{
	if (c->has_looked_for_debug_frame)
		return c->debug_frame;
	c->has_looked_for_debug_frame = true;
	if (cfi_guard_section(c->elf, ".debug_frame"))
		c->dwarf = dwarf_begin_elf(c->elf, DWARF_C_READ, NULL);
	if (c->dwarf && cfi_guard_debug_frame(c->elf))
		c->debug_frame = dwarf_getcfi(c->dwarf);
	return c->debug_frame;
}

struct cfi *cfi_open(int fd, struct err *e)
{
	struct cfi *c;

	elf_version(EV_CURRENT);
	c = cfi_new(elf_begin(fd, ELF_C_READ, NULL), true, e);
	/*
	 * .eh_frame is in memory now; .debug_frame can be had only while the file is open. Many a program
	 * has both: its start-up code the former, itself the latter.
	 */
	if (c) {
		debug_frame(c);
		elf_cntl(c->elf, ELF_C_FDDONE);
	}
	close(fd);
	return c;
}

struct cfi *cfi_open_image(const void *bytes, size_t len, struct err *e)
{
	elf_version(EV_CURRENT);
	/* elf_memory() does not write to what it only reads; it has no const for it. */
	return cfi_new(elf_memory((char *)bytes, len), true, e);
}

struct cfi *cfi_of_elf(Elf *elf, struct err *e)
{
	return cfi_new(elf, false, e);
}

void cfi_free(struct cfi *c)
{
	if (!c)
		return;
	if (c->eh_frame)
		dwarf_cfi_end(c->eh_frame);
	if (c->dwarf)
		dwarf_end(c->dwarf);
	if (c->own_elf)
		elf_end(c->own_elf);
	vec_release(&c->segments);
	vec_release(&c->rules);
	hashidx_release(&c->index);
	u64map_release(&c->of_vaddr);
	arena_release(&c->arena);
	free(c);
}

const struct unwind_arch *cfi_arch(const struct cfi *c)
{
	return c->arch;
}

bool cfi_vaddr(const struct cfi *c, uint64_t off, uint64_t *ret_vaddr)
{
	vec_each(&c->segments, s)
		if (off >= s->off && off - s->off < s->len) {
			*ret_vaddr = s->vaddr + (off - s->off);
			return true;
		}
	return false;
}

/* ---- from elfutils' words to a rule ---- */

/* The forms that dwarf_frame_cfa() and dwarf_frame_register() give, see elfutils/libdw.h. */
enum form {
	FORM_KEPT,		/* same value */
	FORM_LOST,		/* undefined */
	FORM_SAVED,		/* *(cfa + off) */
	FORM_CFA_PLUS,		/* cfa + off */
	FORM_EXPRESSION,
};

struct described {
	enum form form;
	int64_t off;
	struct expression expression;
	bool is_value;		/* FORM_EXPRESSION: of it, not of the word it points to */
};

static void describe_ops(const Dwarf_Op *ops, size_t nr, struct described *ret)
{
	size_t i = 1;

	ret->is_value = ops[nr - 1].atom == DW_OP_stack_value;
	ret->expression = (struct expression){ ops, nr };
	ret->form = FORM_EXPRESSION;
	ret->off = 0;
	if (ops[0].atom != DW_OP_call_frame_cfa)
		return;
	if (i < nr && ops[i].atom == DW_OP_plus_uconst)
		ret->off = (int64_t)ops[i++].number;
	if (i == nr || (i + 1 == nr && ret->is_value))
		ret->form = ret->is_value ? FORM_CFA_PLUS : FORM_SAVED;
}

/* "In register n" of another one is the value of that, as an expression of one operation. */
static void describe_regx(struct cfi *c, const Dwarf_Op *op, struct described *ret)
{
	uint64_t reg = op->atom == DW_OP_regx ? op->number : (uint64_t)(op->atom - DW_OP_reg0);
	Dwarf_Op *own = arena_alloc(&c->arena, sizeof(*own));

	*own = (Dwarf_Op){ .atom = DW_OP_bregx, .number = reg };
	*ret = (struct described){ FORM_EXPRESSION, 0, { own, 1 }, true };
}

static bool is_register(const Dwarf_Op *op)
{
	return op->atom == DW_OP_regx || (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31);
}

/* memory: of 3 operations, to which *ret may point. False: the info makes no sense. */
static bool describe(struct cfi *c, Dwarf_Frame *frame, unsigned int reg, Dwarf_Op *memory,
		     struct described *ret)
{
	Dwarf_Op *ops;
	size_t nr;

	if (dwarf_frame_register(frame, (int)reg, memory, &ops, &nr))
		return false;
	if (!nr)
		ret->form = ops ? FORM_LOST : FORM_KEPT;
	else if (nr == 1 && is_register(&ops[0]))
		describe_regx(c, &ops[0], ret);
	else
		describe_ops(ops, nr, ret);
	return true;
}

/* Expressions with a place of their own in elfutils' cache live as long as it; the others are copied. */
static struct expression keep_expression(struct cfi *c, const struct expression *x, const Dwarf_Op *memory)
{
	Dwarf_Op *own;

	if (x->ops < memory || x->ops >= memory + 3)
		return *x;
	own = arena_alloc(&c->arena, x->nr_ops * sizeof(*own));
	memcpy(own, x->ops, x->nr_ops * sizeof(*own));
	return (struct expression){ own, x->nr_ops };
}

struct draft {
	struct rule rule;
	bool needs_equations;
	VEC(struct equation) equations;
};

static void add_equation(struct draft *d, unsigned int reg, bool is_value, struct expression x)
{
	vec_push(&d->equations, (struct equation){ .reg = (uint8_t)reg,
						   .side = is_value ? EQUATION_VALUE : EQUATION_AT,
						   .expression = x });
}

static void add_register(struct cfi *c, struct draft *d, unsigned int reg, const struct described *how,
			 const Dwarf_Op *memory)
{
	struct rule *rule = &d->rule;
	bool is_simple = how->form == FORM_SAVED && how->off % 8 == 0 && how->off / 8 >= INT16_MIN &&
			 how->off / 8 <= INT16_MAX && rule->nr_saved < RULE_MAX_SAVED;

	/*
	 * elfutils (to 0.192 at least) takes what its table for x86-64 says of rax, by a slip, for what the
	 * ABI says of rbx, so that rbx is lost where nothing is said of it.
	 */
	if (how->form == FORM_KEPT || (how->form == FORM_LOST && c->arch->callee_saved >> reg & 1))
		rule->kept |= 1ULL << reg;
	if (how->form == FORM_KEPT || how->form == FORM_LOST)
		return;
	/* That the caller's stack pointer is the CFA need not be said. */
	if (how->form == FORM_CFA_PLUS && !how->off && reg == c->arch->sp)
		return;
	if (is_simple)
		rule->saved[rule->nr_saved++] = (struct rule_saved){ (int16_t)(how->off / 8), (uint8_t)reg, 0 };
	else
		d->needs_equations = true;
	add_equation(d, reg, how->is_value, keep_expression(c, &how->expression, memory));
}

static bool draft_cfa(struct cfi *c, Dwarf_Frame *frame, struct draft *d, struct expression *ret_cfa)
{
	Dwarf_Op *ops;
	size_t nr;
	int64_t off;

	if (dwarf_frame_cfa(frame, &ops, &nr) || !nr)
		return false;
	/* A register and an offset stand in the frame itself, which will be gone. */
	if (nr == 1 && ops[0].atom == DW_OP_bregx) {
		off = (int64_t)ops[0].number2;
		ops = memcpy(arena_alloc(&c->arena, sizeof(*ops)), ops, sizeof(*ops));
		if (ops[0].number < c->arch->nr_regs && off >= INT32_MIN && off <= INT32_MAX) {
			d->rule.cfa_reg = (uint8_t)ops[0].number;
			d->rule.cfa_off = (int32_t)off;
			*ret_cfa = (struct expression){ ops, 1 };
			return true;
		}
	}
	d->needs_equations = true;
	*ret_cfa = (struct expression){ ops, nr };
	return true;
}

static struct equations *equations_of(struct cfi *c, const struct draft *d, struct expression cfa)
{
	struct equations *all = arena_alloc(&c->arena, sizeof(*all) + d->equations.nr * sizeof(all->at[0]));

	all->cfa = cfa;
	all->nr = d->equations.nr;
	if (all->nr)
		memcpy(all->at, d->equations.at, all->nr * sizeof(all->at[0]));
	return all;
}

/* False: the info makes no sense. */
static bool draft_rule(struct cfi *c, Dwarf_Frame *frame, bool is_guess, struct draft *d)
{
	struct expression cfa = { 0 };
	bool is_signal = false;
	Dwarf_Addr start, end;
	unsigned int reg;
	int ra = dwarf_frame_info(frame, &start, &end, &is_signal);

	if (ra < 0 || ra >= UNWIND_MAX_REGS || !draft_cfa(c, frame, d, &cfa))
		return false;
	d->rule.ra = (uint8_t)ra & 0x3f;
	d->rule.is_signal = is_signal;
	d->rule.is_guess = is_guess;
	for (reg = 0; reg < c->arch->nr_regs; reg++) {
		Dwarf_Op memory[3];
		struct described how = { 0 };

		if (!describe(c, frame, reg, memory, &how))
			return false;
		add_register(c, d, reg, &how, memory);
	}
	d->rule.kind = RULE_CFA;
	if (d->needs_equations) {
		d->rule.kind = RULE_EQUATIONS;
		memset(d->rule.saved, 0, sizeof(d->rule.saved));
		d->rule.nr_saved = 0;
		d->rule.equations = equations_of(c, d, cfa);
	}
	return true;
}

/* ---- the cache ---- */

static uint32_t rule_id(struct cfi *c, const struct rule *rule)
{
	uint64_t hash = hash_bytes(rule, sizeof(*rule));

	hashidx_each(&c->index, hash, id)
		if (!memcmp(c->rules.at[id], rule, sizeof(*rule)))
			return id;
	vec_push(&c->rules, memcpy(arena_alloc(&c->arena, sizeof(*rule)), rule, sizeof(*rule)));
	hashidx_add(&c->index, hash, (uint32_t)c->rules.nr - 1);
	return (uint32_t)c->rules.nr - 1;
}

static Dwarf_Frame *frame_at(struct cfi *c, uint64_t vaddr)
{
	Dwarf_Frame *frame = NULL;

	if (c->eh_frame && !dwarf_cfi_addrframe(c->eh_frame, vaddr, &frame))
		return frame;
	if (debug_frame(c) && !dwarf_cfi_addrframe(c->debug_frame, vaddr, &frame))
		return frame;
	return NULL;
}

/*
 * glibc ends the unwind info of clone() and clone3() before their syscall, since what it says is not so
 * in the child. In the parent, where all samples of a thread's creation are, it still is.
 */
static Dwarf_Frame *frame_shortly_before(struct cfi *c, uint64_t vaddr)
{
	Dwarf_Frame *frame = NULL;
	uint64_t back;

	for (back = 1; !frame && back <= GAP_BYTES && back <= vaddr; back++)
		frame = frame_at(c, vaddr - back);
	return frame;
}

/*
 * ld.so's _start and _dl_start_user have no unwind info, though all around them has, and nobody has called
 * them. Other programs tell where their _start ends; of a file that tells nothing at all, neither this.
 */
static bool is_bare_entry(struct cfi *c, uint64_t vaddr)
{
	Dwarf_Frame *frame;

	if (!c->entry || vaddr - c->entry >= ENTRY_BYTES || (!c->eh_frame && !c->debug_frame))
		return false;
	frame = frame_at(c, c->entry);
	free(frame);
	return !frame;
}

static uint32_t make_rule(struct cfi *c, uint64_t vaddr)
{
	Dwarf_Frame *frame = frame_at(c, vaddr);
	/* Nothing is kept: there is no register that has a return address. */
	const struct rule outermost = { .kind = RULE_CFA, .cfa_reg = c->arch->sp };
	bool is_guess = !frame;
	struct draft d = { 0 };
	uint32_t id;

	if (!frame && is_bare_entry(c, vaddr))
		return rule_id(c, &outermost);
	if (!frame)
		frame = frame_shortly_before(c, vaddr);
	if (!frame)
		return rule_id(c, &no_rule);
	id = rule_id(c, draft_rule(c, frame, is_guess, &d) ? &d.rule : &bad_rule);
	vec_release(&d.equations);
	free(frame);
	return id;
}

const struct rule *cfi_rule(struct cfi *c, uint64_t vaddr)
{
	const uint32_t *known = u64map_get(&c->of_vaddr, vaddr);
	uint32_t id;

	if (known)
		return c->rules.at[*known];
	id = make_rule(c, vaddr);
	u64map_set(&c->of_vaddr, vaddr, id);
	return c->rules.at[id];
}
