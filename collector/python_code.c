/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/python_code.h"

#include <Zydis/Decoder.h>
#include <Zydis/Utils.h>
#include <asm/ptrace.h>
#include <string.h>

enum { CALL_OPCODE = 0xe8, CALL_BYTES = 5, JMP_OPCODE = 0xe9, JCC_OPCODE = 0x80 };
enum { MAX_IMMEDIATE = 1 };	/* bytes of one: 0 in cmpw $0; the semaphores lie 2 bytes apart */

static int by_vaddr(const void *a, const void *b)
{
	const struct python_pointer *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

static void add_relative(struct python_code *c, uint64_t vaddr)
{
	const void *at = python_code_at(c, vaddr, sizeof(uint64_t), 0);
	struct python_pointer p = { .vaddr = vaddr };

	if (!at)
		return;
	memcpy(&p.to, at, sizeof(p.to));
	vec_push(&c->moved, p);
}

/* An address of one, then bits for the 63 words behind, again and again (gABI, "Relative Relocation Table"). */
static void read_packed(struct python_code *c, const Elf_Data *data)
{
	uint64_t at = 0, word, i, bit;

	for (i = 0; data && i + sizeof(word) <= data->d_size; i += sizeof(word)) {
		memcpy(&word, (const char *)data->d_buf + i, sizeof(word));
		if (!(word & 1)) {
			add_relative(c, word);
			at = word + sizeof(word);
			continue;
		}
		for (bit = 1; bit < 64; bit++)
			if (word >> bit & 1)
				add_relative(c, at + (bit - 1) * sizeof(word));
		at += 63 * sizeof(word);
	}
}

static void read_moved(struct python_code *c, Elf *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while ((scn = elf_nextscn(elf, scn))) {
		Elf_Data *data;
		GElf_Rela rela;
		int i;

		if (!gelf_getshdr(scn, &shdr))
			continue;
		if (shdr.sh_type == SHT_RELR)
			read_packed(c, elf_rawdata(scn, NULL));
		if (shdr.sh_type != SHT_RELA)
			continue;
		data = elf_getdata(scn, NULL);
		for (i = 0; data && gelf_getrela(data, i, &rela); i++)
			if (GELF_R_TYPE(rela.r_info) == R_X86_64_RELATIVE)
				vec_push(&c->moved,
					 (struct python_pointer){ rela.r_offset,
								  (uint64_t)rela.r_addend });
	}
	if (c->moved.nr)
		qsort(c->moved.at, c->moved.nr, sizeof(c->moved.at[0]), by_vaddr);
}

bool python_code_open(struct python_code *c, Elf *elf)
{
	size_t nr, i;
	GElf_Phdr p;

	*c = (struct python_code){ .bytes = (const uint8_t *)elf_rawfile(elf, &c->len) };
	elf_rawfile(elf, &c->len);
	if (!c->bytes || elf_getphdrnum(elf, &nr))
		return false;
	for (i = 0; i < nr; i++)
		if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD && p.p_offset <= c->len &&
		    p.p_filesz <= c->len - p.p_offset)
			vec_push(&c->segments, p);
	read_moved(c, elf);
	return true;
}

void python_code_release(struct python_code *c)
{
	vec_release(&c->segments);
	vec_release(&c->moved);
	*c = (struct python_code){ 0 };
}

/* How many bytes of the file stand at an address, and where; 0: none. */
static size_t bytes_at(const struct python_code *c, uint64_t vaddr, uint32_t flags,
		       uint64_t *ret_off)
{
	vec_each(&c->segments, p) {
		if ((p->p_flags & flags) != flags || vaddr < p->p_vaddr ||
		    vaddr - p->p_vaddr >= p->p_filesz)
			continue;
		*ret_off = vaddr - p->p_vaddr + p->p_offset;
		return p->p_filesz - (vaddr - p->p_vaddr);
	}
	return 0;
}

const void *python_code_at(const struct python_code *c, uint64_t vaddr, size_t len, uint32_t flags)
{
	uint64_t off;

	return bytes_at(c, vaddr, flags, &off) < len ? NULL : c->bytes + off;
}

uint64_t python_code_off(const struct python_code *c, uint64_t vaddr)
{
	uint64_t off;

	return bytes_at(c, vaddr, PF_X, &off) ? off : 0;
}

bool python_code_pointer(const struct python_code *c, uint64_t vaddr, uint64_t *ret)
{
	struct python_pointer key = { .vaddr = vaddr }, *moved = NULL;
	const void *at = python_code_at(c, vaddr, sizeof(*ret), 0);

	if (c->moved.nr)
		moved = bsearch(&key, c->moved.at, c->moved.nr, sizeof(key), by_vaddr);
	if (moved)
		*ret = moved->to;
	else if (at)
		memcpy(ret, at, sizeof(*ret));
	return moved || at;
}

size_t python_code_calls(const struct python_code *c, uint64_t low, uint64_t high, uint64_t *ret_highest)
{
	size_t nr = 0;

	vec_each(&c->segments, p) {
		const uint8_t *bytes = p->p_flags & PF_X ? c->bytes + p->p_offset : NULL;
		uint64_t i;

		for (i = 0; bytes && i + CALL_BYTES <= p->p_filesz; i++) {
			uint64_t to;
			int32_t rel;

			if (bytes[i] != CALL_OPCODE)
				continue;
			memcpy(&rel, bytes + i + 1, sizeof(rel));
			to = p->p_vaddr + i + CALL_BYTES + (uint64_t)(int64_t)rel;
			if (to < low || to > high)
				continue;
			nr++;
			if (ret_highest && to > *ret_highest)
				*ret_highest = to;
		}
	}
	return nr;
}

size_t python_code_names(const struct python_code *c, uint64_t vaddr, uint64_t low, uint64_t high)
{
	size_t nr = 0;

	vec_each(&c->segments, p) {
		const uint8_t *bytes = p->p_flags & PF_X ? c->bytes + p->p_offset : NULL;
		uint64_t i, end;
		int32_t rel;

		for (i = 0; bytes && i + sizeof(rel) <= p->p_filesz; i++) {
			if (p->p_vaddr + i < low || p->p_vaddr + i >= high)
				continue;
			memcpy(&rel, bytes + i, sizeof(rel));
			end = vaddr - (uint64_t)(int64_t)rel;
			nr += end - (p->p_vaddr + i + sizeof(rel)) <= MAX_IMMEDIATE;
		}
	}
	return nr;
}

bool python_code_jumps(const struct python_code *c, uint64_t low, uint64_t high)
{
	vec_each(&c->segments, p) {
		const uint8_t *bytes = p->p_flags & PF_X ? c->bytes + p->p_offset : NULL;
		uint64_t i;

		for (i = 1; bytes && i + CALL_BYTES <= p->p_filesz; i++) {
			bool is_jump = bytes[i] == JMP_OPCODE || (bytes[i - 1] == 0x0f && (bytes[i] & 0xf0) == JCC_OPCODE);
			uint64_t to;
			int32_t rel;

			if (!is_jump)
				continue;
			memcpy(&rel, bytes + i + 1, sizeof(rel));
			to = p->p_vaddr + i + CALL_BYTES + (uint64_t)(int64_t)rel;
			if (to >= low && to <= high)
				return true;
		}
	}
	return false;
}

bool python_code_symbol(Elf *elf, const char *name, GElf_Sym *ret)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while ((scn = elf_nextscn(elf, scn))) {
		Elf_Data *data;
		int i;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_DYNSYM)
			continue;
		data = elf_getdata(scn, NULL);
		for (i = 1; data && gelf_getsym(data, i, ret); i++) {
			const char *s = elf_strptr(elf, shdr.sh_link, ret->st_name);

			if (s && ret->st_shndx != SHN_UNDEF && !strcmp(s, name))
				return true;
		}
	}
	return false;
}

bool python_insn_at(const struct python_code *c, uint64_t vaddr, struct python_insn *ret)
{
	ZydisDecoder decoder;
	uint64_t off;
	size_t len = bytes_at(c, vaddr, PF_X, &off);

	if (!len ||
	    ZYAN_FAILED(
		    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    ZYAN_FAILED(
		    ZydisDecoderDecodeFull(&decoder, c->bytes + off, len, &ret->in, ret->operands)))
		return false;
	ret->vaddr = vaddr;
	ret->next = vaddr + ret->in.length;
	return true;
}

uint64_t python_insn_address(const struct python_insn *i)
{
	ZyanU64 to;
	ZyanU8 k;

	for (k = 0; k < i->in.operand_count_visible; k++) {
		const ZydisDecodedOperand *o = &i->operands[k];

		if (o->type == ZYDIS_OPERAND_TYPE_MEMORY || o->imm.is_relative)
			return ZYAN_FAILED(ZydisCalcAbsoluteAddress(&i->in, o, i->vaddr, &to)) ? 0
											       : to;
	}
	return 0;
}

bool python_insn_ends_block(const struct python_insn *i)
{
	return i->in.meta.category == ZYDIS_CATEGORY_COND_BR ||
	       i->in.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	       i->in.meta.category == ZYDIS_CATEGORY_CALL;
}

int python_register_off(ZydisRegister reg)
{
	static const unsigned short offsets[] = {
		offsetof(struct pt_regs, rax), offsetof(struct pt_regs, rcx),
		offsetof(struct pt_regs, rdx), offsetof(struct pt_regs, rbx),
		offsetof(struct pt_regs, rsp), offsetof(struct pt_regs, rbp),
		offsetof(struct pt_regs, rsi), offsetof(struct pt_regs, rdi),
		offsetof(struct pt_regs, r8),  offsetof(struct pt_regs, r9),
		offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
		offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13),
		offsetof(struct pt_regs, r14), offsetof(struct pt_regs, r15),
	};

	if (ZydisRegisterGetClass(reg) != ZYDIS_REGCLASS_GPR64)
		return -1;
	return offsets[ZydisRegisterGetId(reg)];
}
