/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of real files: at every address the CFA, the registers that calls keep and the return address are
 * what `readelf --debug-dump=frames-interp` says, which reads unwind info by code of its own.
 *
 *	00000018 0000000000000024 0000001c FDE cie=00000000 pc=0000000000026000..0000000000026360
 *	   LOC           CFA      rbx   ra
 *	0000000000026000 rsp+16   u     c-8
 *	0000000000026010 exp      c-16  c-8
 */
#include "tests/cfi_referee.h"

#include <dwarf.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "tests/harness.h"
#include "tests/symbolizer_rig.h"
#include "unwinder/cfi.h"

enum {
	NR_ADDRS = 2000,
	ALL_BYTES = 32 * 1024,	/* of code, up to which every address is looked at */
	GAP_BYTES = 12,		/* as in unwinder/cfi.c, both */
	ENTRY_BYTES = 64,
	MAX_CELLS = 40,
	CELL_BYTES = 16,
};

static const struct subject {
	const char *path;
	const char *make;	/* NULL: it is there */
	const char *needs;	/* a file without which the subject is left out */
	bool has_no_info;	/* readelf says nothing of it */
	bool has_bare_entry;	/* and nothing of where it is entered */
} subjects[] = {
	{ .path = "/lib/x86_64-linux-gnu/libc.so.6", .needs = "/lib/x86_64-linux-gnu/libc.so.6" },
	{ .path = "/lib/aarch64-linux-gnu/libc.so.6", .needs = "/lib/aarch64-linux-gnu/libc.so.6" },
	/* Where it is entered it says nothing. */
	{ .path = "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
	  .needs = "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
	  .has_bare_entry = true },
	{ .path = "/usr/bin/python3.11", .needs = "/usr/bin/python3.11" },
	{ .path = "/bin/bash", .needs = "/bin/bash" },
	{ .path = "/usr/sbin/nginx", .needs = "/usr/sbin/nginx" },
	{ .path = "/proc/self/exe" },
	{ .path = "f.gcc", .make = "gcc -O2 src/cfi_shapes.c -o f.gcc" },
	{ .path = "f.fp", .make = "gcc -O1 -fno-omit-frame-pointer src/cfi_shapes.c -o f.fp" },
	{ .path = "f.so", .make = "gcc -O2 -shared -fPIC src/cfi_shapes.c -o f.so" },
	{ .path = "f.debug_frame",
	  .make = "gcc -O2 -g -fno-asynchronous-unwind-tables src/cfi_shapes.c -o f.debug_frame" },
	{ .path = "f.debug_frame_only",
	  .make = "gcc -O2 -g -fno-asynchronous-unwind-tables -nostdlib -Wl,-e,frame_leaf -DNO_LIBC "
		  "-Wl,--unresolved-symbols=ignore-all -static src/cfi_shapes.c -o f.debug_frame_only" },
	{ .path = "f.compressed",
	  .make = "gcc -O2 -g -gz -fno-asynchronous-unwind-tables src/cfi_shapes.c -o f.compressed" },
	{ .path = "f.lld", .make = "gcc -O2 -fuse-ld=lld src/cfi_shapes.c -o f.lld", .needs = "/usr/bin/ld.lld" },
	{ .path = "f.clang", .make = "clang -O2 src/cfi_shapes.c -o f.clang", .needs = "/usr/bin/clang" },
	{ .path = "f.cxx.clang",
	  .make = "clang++ -O2 -fuse-ld=lld src/sym_cxx.cc -o f.cxx.clang",
	  .needs = "/usr/bin/ld.lld" },
	{ .path = "f.cxx", .make = "g++ -O2 src/sym_cxx.cc -o f.cxx" },
	{ .path = "f.none",
	  .make = "gcc -O2 -g0 -fno-asynchronous-unwind-tables -nostdlib -Wl,-e,frame_leaf -DNO_LIBC "
		  "-Wl,--unresolved-symbols=ignore-all -static src/cfi_shapes.c -o f.none",
	  .has_no_info = true },
};

/* ---- what readelf says ---- */

typedef char cell[CELL_BYTES];

struct row {
	uint64_t loc;
	cell cells[MAX_CELLS];	/* the CFA, then the registers */
	int nr_cells;
};

struct entry {
	uint64_t start, end;	/* a CIE: 0 */
	uint64_t off, cie;	/* where it stands, and where its CIE does */
	int section;		/* 0: .eh_frame, 1: .debug_frame */
	cell names[MAX_CELLS];
	int nr_names;
	VEC(struct row) rows;
};

struct book {
	VEC(struct entry) entries;
	uint64_t entered_at;
	int section;
};

/* Another register has its name behind it: "r1 (rdx)". */
static int split(char *line, cell *ret_words)
{
	int nr = 0;
	char *save, *word;

	for (word = strtok_r(line, " \n", &save); word && nr < MAX_CELLS; word = strtok_r(NULL, " \n", &save))
		if (nr && word[0] == '(')
			snprintf(ret_words[nr - 1], CELL_BYTES, "%.*s", (int)strcspn(word + 1, ")"), word + 1);
		else
			snprintf(ret_words[nr++], CELL_BYTES, "%s", word);
	return nr;
}

static void read_row(struct entry *e, char *line)
{
	struct row r = { .loc = strtoull(line, NULL, 16) };

	r.nr_cells = split(strchr(line, ' '), r.cells);
	vec_push(&e->rows, r);
}

static void read_line(struct book *b, char *line)
{
	unsigned long long off, cie, start, end;

	if (strstr(line, "Contents of the ")) {
		b->section = strstr(line, "debug_frame") != NULL;
	} else if (sscanf(line, "%llx %*x %*x FDE cie=%llx pc=%llx..%llx", &off, &cie, &start, &end) == 4) {
		vec_push(&b->entries, (struct entry){ .start = start, .end = end, .off = off, .cie = cie,
						      .section = b->section });
	} else if (strstr(line, " CIE \"")) {
		vec_push(&b->entries, (struct entry){ .off = strtoull(line, NULL, 16), .section = b->section });
	} else if (strstr(line, "LOC ") && b->entries.nr) {
		char *names = strstr(line, "CFA");

		vec_last(&b->entries)->nr_names = split(names, vec_last(&b->entries)->names);
	} else if (line[0] != '\n' && line[0] != ' ' && b->entries.nr && strspn(line, "0123456789abcdef") == 16) {
		read_row(vec_last(&b->entries), line);
	}
}

static uint64_t entry_of(const char *path)
{
	FILE *f = fopen(rig_path(path), "re");
	Elf64_Ehdr header;

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(&header, sizeof(header), 1, f), 1);
	fclose(f);
	return header.e_entry;
}

static void book_open(struct book *b, const char *path)
{
	char *line = NULL;
	size_t cap = 0;
	FILE *f;

	*b = (struct book){ .entered_at = entry_of(path) };
	must_sh("readelf -W --debug-dump=frames-interp --debug-dump=no-follow-links %s >frames.txt",
		rig_path(path));
	f = fopen(rig_path("frames.txt"), "re");
	ck_assert_ptr_nonnull(f);
	while (getline(&line, &cap, f) > 0)
		read_line(b, line);
	fclose(f);
	free(line);
}

static void book_release(struct book *b)
{
	vec_each(&b->entries, e)
		vec_release(&e->rows);
	vec_release(&b->entries);
}

static const struct entry *book_find(const struct book *b, uint64_t vaddr)
{
	int section;

	for (section = 0; section < 2; section++)
		vec_each(&b->entries, e)
			if (e->section == section && vaddr >= e->start && vaddr < e->end)
				return e;
	return NULL;
}

static const struct entry *book_cie(const struct book *b, const struct entry *fde)
{
	vec_each(&b->entries, e)
		if (!e->end && e->section == fde->section && e->off == fde->cie)
			return e;
	ck_abort_msg("no CIE at %llx", (unsigned long long)fde->cie);
}

/* ---- ours against theirs ---- */

static const char *const x86_64_names[] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
					    "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip" };

static void name_of(const struct cfi *c, unsigned int reg, cell ret)
{
	if (!strcmp(cfi_arch(c)->name, "x86_64"))
		snprintf(ret, CELL_BYTES, "%s", reg < ARRAY_LEN(x86_64_names) ? x86_64_names[reg] : "?");
	else
		snprintf(ret, CELL_BYTES, reg == 31 ? "sp" : "x%u", reg);
}

/* As readelf writes it. */
static void write_cfa(const struct cfi *c, const struct rule *rule, cell ret)
{
	const struct expression *x = rule->kind == RULE_CFA ? NULL : &rule->equations->cfa;
	cell name;

	if (!x) {
		name_of(c, rule->cfa_reg, name);
		snprintf(ret, CELL_BYTES, "%.8s+%d", name, rule->cfa_off);
	} else if (x->nr_ops == 1 && x->ops[0].atom == DW_OP_bregx) {
		name_of(c, (unsigned int)x->ops[0].number, name);
		snprintf(ret, CELL_BYTES, "%.8s+%d", name, (int)x->ops[0].number2);
	} else {
		snprintf(ret, CELL_BYTES, "exp");
	}
}

static void write_equation(const struct cfi *c, const struct equation *q, cell ret)
{
	const Dwarf_Op *ops = q->expression.ops;
	size_t nr = q->expression.nr_ops - (q->side == EQUATION_VALUE && q->expression.nr_ops > 1);
	const char *kind = q->side == EQUATION_VALUE ? "v" : "c";

	if (ops[0].atom == DW_OP_bregx && nr == 1)
		name_of(c, (unsigned int)ops[0].number, ret);
	else if (ops[0].atom == DW_OP_call_frame_cfa && nr == 1)
		snprintf(ret, CELL_BYTES, "%s+0", kind);
	else if (ops[0].atom == DW_OP_call_frame_cfa && nr == 2 && ops[1].atom == DW_OP_plus_uconst)
		snprintf(ret, CELL_BYTES, "%s%+d", kind, (int)ops[1].number);
	else
		snprintf(ret, CELL_BYTES, "%s", q->side == EQUATION_VALUE ? "vexp" : "exp");
}

/* "u" is both what is undefined and what nothing is said of; what calls keep is kept then. */
static void write_register(const struct cfi *c, const struct rule *rule, unsigned int reg, cell ret)
{
	size_t i;

	snprintf(ret, CELL_BYTES, "%s", rule->kept >> reg & 1 ? "kept" : "u");
	for (i = 0; rule->kind == RULE_CFA && i < rule->nr_saved; i++)
		if (rule->saved[i].reg == reg)
			snprintf(ret, CELL_BYTES, "c%+d", 8 * rule->saved[i].word);
	for (i = 0; rule->kind == RULE_EQUATIONS && i < rule->equations->nr; i++)
		if (rule->equations->at[i].reg == reg)
			write_equation(c, &rule->equations->at[i], ret);
}

static const char *cell_of(const struct entry *e, const struct row *row, const char *name)
{
	int i;

	for (i = 1; i < e->nr_names; i++)
		if (!strcmp(e->names[i], name))
			return row->cells[i];
	return "u";
}

static bool is_kept_by_calls(const struct cfi *c, unsigned int reg)
{
	return cfi_arch(c)->callee_saved >> reg & 1;
}

static void compare_register(const struct cfi *c, const struct rule *rule, const struct entry *names,
			     const struct row *row, uint64_t vaddr, unsigned int reg)
{
	cell name, ours;
	const char *theirs;

	name_of(c, reg, name);
	theirs = cell_of(names, row, reg == rule->ra ? "ra" : name);
	write_register(c, rule, reg, ours);
	/* The stack pointer is the CFA where nothing is said of it. Nobody asks for the others that calls clobber. */
	if (!strcmp(theirs, "u") && reg != rule->ra && !is_kept_by_calls(c, reg))
		return;
	if (reg != rule->ra && (!strcmp(theirs, "u") || !strcmp(theirs, "s")))
		theirs = "kept";
	ck_assert_msg(!strcmp(ours, theirs), "%llx: %s is %s, not %s", (unsigned long long)vaddr, name, ours,
		      theirs);
}

struct count {
	unsigned int nr_rules, nr_cells, nr_expressions, nr_gaps, nr_guesses, nr_entered;
};

static void compare_row(struct cfi *c, const struct rule *rule, const struct entry *names,
			const struct row *row, uint64_t vaddr, struct count *count)
{
	unsigned int reg;
	cell cfa;

	ck_assert_msg(rule->kind == RULE_CFA || rule->kind == RULE_EQUATIONS, "%llx: kind %d",
		      (unsigned long long)vaddr, rule->kind);
	ck_assert(!rule->is_guess);
	write_cfa(c, rule, cfa);
	ck_assert_msg(!strcmp(cfa, row->cells[0]), "%llx: CFA is %s, not %s", (unsigned long long)vaddr, cfa,
		      row->cells[0]);
	for (reg = 0; reg < cfi_arch(c)->nr_regs; reg++)
		compare_register(c, rule, names, row, vaddr, reg);
	count->nr_rules++;
	count->nr_cells += cfi_arch(c)->nr_regs + 1u;
	count->nr_expressions += rule->kind == RULE_EQUATIONS;
}

static void compare_gap(const struct book *b, const struct rule *rule, uint64_t vaddr, struct count *count)
{
	bool is_near = false;
	uint64_t back;

	count->nr_gaps++;
	if (b->entries.nr && !book_find(b, b->entered_at) && vaddr - b->entered_at < ENTRY_BYTES) {
		ck_assert_msg(rule->kind == RULE_CFA && !rule->kept && !rule->nr_saved && !rule->is_guess,
			      "%llx: not the outermost", (unsigned long long)vaddr);
		count->nr_entered++;
		return;
	}
	for (back = 1; back <= GAP_BYTES; back++)
		is_near |= book_find(b, vaddr - back) != NULL;
	ck_assert_msg(rule->is_guess == is_near, "%llx: guessed %d", (unsigned long long)vaddr, rule->is_guess);
	ck_assert_int_eq(rule->kind == RULE_NONE, !is_near);
	count->nr_guesses += is_near;
}

static void compare(struct cfi *c, const struct book *b, uint64_t vaddr, struct count *count)
{
	const struct rule *rule = cfi_rule(c, vaddr);
	const struct entry *fde = book_find(b, vaddr), *names = fde;
	const struct row *row = NULL;

	if (!fde) {
		compare_gap(b, rule, vaddr, count);
		return;
	}
	/* An entry that says nothing of its own has no table. */
	if (!fde->rows.nr)
		names = book_cie(b, fde);
	vec_each(&names->rows, r)
		if (names != fde || r->loc <= vaddr)
			row = r;
	ck_assert_ptr_nonnull(row);
	compare_row(c, rule, names, row, vaddr, count);
}

static void compare_addresses(struct cfi *c, const struct book *b, struct text_segment text,
			      struct count *count)
{
	uint64_t random = RIG_SEED, i, vaddr;

	for (i = 0; i < (text.len <= ALL_BYTES ? text.len : NR_ADDRS); i++) {
		ck_assert(cfi_vaddr(c, text.off + (text.len <= ALL_BYTES ? i : rig_random(&random) % text.len),
				    &vaddr));
		compare(c, b, vaddr, count);
	}
}

static struct cfi *open_cfi(const char *path)
{
	struct err e;
	struct cfi *c = cfi_open(open(rig_path(path), O_RDONLY | O_CLOEXEC), &e);

	ck_assert_ptr_nonnull(c);
	return c;
}

START_TEST(rules_are_those_of_the_referee)
{
	const struct subject *subject = &subjects[_i];
	const char *path = subject->path;
	struct count count = { 0 };
	char exe[4096] = "";
	struct book book;
	struct cfi *c;

	if (str_starts(path, "/proc/")) {
		ck_assert_int_gt(readlink(path, exe, sizeof(exe) - 1), 0);
		path = exe;
	}
	if (subject->make)
		must_sh("%s", subject->make);
	book_open(&book, path);
	c = open_cfi(path);
	compare_addresses(c, &book, rig_text_segment(path), &count);
	if (subject->has_bare_entry)
		compare(c, &book, book.entered_at, &count);
	cfi_free(c);
	book_release(&book);
	printf("%s: seed %u: %u rules (%u cells) as readelf, %u of them expressions; %u gaps, %u guessed\n",
	       subject->path, RIG_SEED, count.nr_rules, count.nr_cells, count.nr_expressions, count.nr_gaps,
	       count.nr_guesses);
	ck_assert_int_eq(count.nr_rules == 0, subject->has_no_info);
	ck_assert_uint_gt(count.nr_rules + count.nr_gaps, 0);
	ck_assert_int_eq(count.nr_entered > 0, subject->has_bare_entry);
}
END_TEST

void cfi_referee_add(Suite *s)
{
	TCase *tc = tcase_create("referee");
	int i;

	if (!rig_has("readelf")) {
		harness_omit(s, "referee", "no readelf");
		return;
	}
	tcase_add_unchecked_fixture(tc, rig_make_dir, NULL);
	tcase_set_timeout(tc, 60);
	for (i = 0; i < (int)ARRAY_LEN(subjects); i++)
		if (!subjects[i].needs || !access(subjects[i].needs, R_OK))
			tcase_add_loop_test(tc, rules_are_those_of_the_referee, i, i + 1);
		else if (!strstr(subjects[i].needs, "-linux-gnu/"))
			harness_omit(s, subjects[i].path, "it, or its compiler, is not installed");
	suite_add_tcase(s, tc);
}
