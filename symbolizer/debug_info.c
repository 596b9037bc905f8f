/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/debug_info.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <string.h>

#include "base/hash.h"
#include "symbolizer/ranges.h"

/*
 * How deep trees are followed: compilers nest blocks some dozens deep, and what nests deeper was
 * made to overflow the stack.
 */
#define MAX_DEPTH 256

/*
 * Attributes may take no byte of an entry, so that a small file can have a million entries with a
 * hundred thousand attributes each. Compilers give an entry up to some thirty.
 */
#define MAX_ATTRIBUTES 256
#define NR_KNOWN_GOOD  256

/* A block or an inlined call; the function itself is [0]. In the order of the tree. */
struct node {
	Dwarf_Die die;
	uint32_t parent;		/* the nearest one around it that is a function */
	uint32_t after;			/* the next node that is not inside this one */
	uint32_t first_piece, nr_pieces;
	bool is_function;
};

struct piece {
	uint64_t start, end;
};

struct function {
	Dwarf_Die die;
	bool is_read;
	VEC(struct node) nodes;
	VEC(struct piece) pieces;
};

struct unit {
	Dwarf_Die die;		/* the root of its functions: in the .dwo where there is one */
	Dwarf_Die line_die;	/* what the line table belongs to */
	enum { UNIT_UNREAD, UNIT_SHALLOW, UNIT_DEEP } state;
	struct ranges functions_at;
	VEC(struct function) functions;
};

struct debug_info {
	const struct elf_file *file;
	Dwarf *dw;
	uint64_t bias;		/* vaddr in the main file - vaddr in the DWARF */
	struct ranges units_at;
	VEC(struct unit) units;
	struct source_lines lines;
	uint64_t work_left;
	const Dwarf_Abbrev *known_good[NR_KNOWN_GOOD];	/* by a hash of their address */
};

/*
 * Links in malformed DWARF can lead in circles, or over the same bytes again and again. Every step
 * of a walk is paid for, and who has walked the file many times over gets no further.
 */
static bool spend(struct debug_info *d, uint64_t work)
{
	if (d->work_left < work) {
		d->work_left = 0;
		return false;
	}
	d->work_left -= work;
	return true;
}

static bool has_sane_attributes(struct debug_info *d, Dwarf_Die *die)
{
	const Dwarf_Abbrev **known;
	size_t nr;

	known = &d->known_good[hash_u64((uintptr_t)die->abbrev) % NR_KNOWN_GOOD];
	if (die->abbrev && *known == die->abbrev)
		return true;
	if (!die->abbrev || dwarf_getattrcnt(die->abbrev, &nr) || nr > MAX_ATTRIBUTES)
		return false;
	*known = die->abbrev;
	return true;
}

int debug_info_visit(struct debug_info *d, Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	/* 0, DW_TAG_invalid: there is no such abbreviation, and .abbrev is no pointer then. */
	if (tag <= 0 || !spend(d, 1))
		return -1;
	if (has_sane_attributes(d, die))
		return tag;
	d->work_left = 0;
	return -1;
}

/* The linker leaves functions that it dropped at address 0 or -1: they must not win over code. */
static bool is_text(const struct debug_info *d, uint64_t start, uint64_t end)
{
	return start < end && elf_file_text(d->file, start + d->bias);
}

static size_t add_ranges(struct debug_info *d, struct ranges *to, Dwarf_Die *die, uint32_t id)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;
	size_t nr = 0;

	while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0 && spend(d, 1))
		if (is_text(d, start, end)) {
			ranges_add(to, start, end, id);
			nr++;
		}
	return nr;
}

/* For units whose root names no addresses, as some assemblers leave it. */
static void add_aranges(struct debug_info *d, const struct u64map *rootless)
{
	Dwarf_Aranges *aranges;
	size_t nr, i;

	if (!rootless->pairs.nr || dwarf_getaranges(d->dw, &aranges, &nr))
		return;
	for (i = 0; i < nr && spend(d, 1); i++) {
		Dwarf_Addr start;
		Dwarf_Word len;
		Dwarf_Off off;
		const uint32_t *unit;

		if (dwarf_getarangeinfo(dwarf_onearange(aranges, i), &start, &len, &off))
			continue;
		unit = u64map_get(rootless, off);
		if (unit && start + len > start && is_text(d, start, start + len))
			ranges_add(&d->units_at, start, start + len, *unit);
	}
}

static bool has_code(uint8_t unit_type)
{
	return unit_type == DW_UT_compile || unit_type == DW_UT_skeleton ||
	       unit_type == DW_UT_split_compile;
}

static void read_units(struct debug_info *d)
{
	struct u64map rootless = { 0 };
	Dwarf_CU *cu = NULL;
	Dwarf_Die die, split;
	uint8_t type;

	while (!dwarf_get_units(d->dw, cu, &cu, NULL, &type, &die, &split) && spend(d, 1)) {
		uint32_t id = (uint32_t)d->units.nr;

		if (!has_code(type) || !die.addr || debug_info_visit(d, &die) < 0)
			continue;
		if (!add_ranges(d, &d->units_at, &die, id))
			u64map_set(&rootless, dwarf_dieoffset(&die), id);
		vec_push(&d->units, (struct unit){ .die = die, .line_die = die });
		if (type == DW_UT_skeleton && split.addr)
			vec_last(&d->units)->die = split;
	}
	add_aranges(d, &rootless);
	u64map_release(&rootless);
	ranges_flatten(&d->units_at, RANGES_INNERMOST);
}

struct debug_info *debug_info_new(struct elf_file *file, struct crew *crew)
{
	struct debug_info *d;
	Dwarf_Addr bias;
	Dwarf *dw = elf_file_dwarf(file, crew, &bias);
	size_t nr_bytes = 0;

	if (!dw)
		return NULL;
	elf_rawfile(dwarf_getelf(dw), &nr_bytes);
	d = xcalloc(1, sizeof(*d));
	d->file = file;
	d->dw = dw;
	d->bias = bias;
	d->work_left = (4 << 20) + 16 * (uint64_t)nr_bytes;
	source_lines_init(&d->lines, dw);
	read_units(d);
	return d;
}

void debug_info_free(struct debug_info *d)
{
	if (!d)
		return;
	vec_each(&d->units, u) {
		vec_each(&u->functions, f) {
			vec_release(&f->nodes);
			vec_release(&f->pieces);
		}
		vec_release(&u->functions);
		ranges_release(&u->functions_at);
	}
	vec_release(&d->units);
	ranges_release(&d->units_at);
	source_lines_release(&d->lines);
	free(d);
}

static struct unit *find_unit(struct debug_info *d, uint64_t addr)
{
	uint32_t id;

	return ranges_find(&d->units_at, addr, &id) ? &d->units.at[id] : NULL;
}

struct source_line debug_info_line(struct debug_info *d, uint64_t vaddr)
{
	struct unit *u = find_unit(d, vaddr - d->bias);

	return u ? source_lines_at(&d->lines, &u->line_die, vaddr - d->bias) : (struct source_line){ 0 };
}

/* Where functions with code are usually found, and where else they can be. */
static bool may_hold_functions(int tag, bool is_deep)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
		return true;
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
		return is_deep;
	default:
		return false;
	}
}

/* is_known: the shallow walk has seen parent's children, and only what is inside them is new. */
static void read_functions(struct debug_info *d, struct unit *u, Dwarf_Die *parent, bool is_deep,
			   bool is_known, unsigned int depth)
{
	Dwarf_Die die;

	if (depth > MAX_DEPTH || dwarf_child(parent, &die))
		return;
	do {
		int tag = debug_info_visit(d, &die);

		if (tag < 0)
			return;
		if (tag == DW_TAG_subprogram && !is_known &&
		    add_ranges(d, &u->functions_at, &die, (uint32_t)u->functions.nr))
			vec_push(&u->functions, (struct function){ .die = die });
		if (may_hold_functions(tag, is_deep))
			read_functions(d, u, &die, is_deep,
				       is_known && may_hold_functions(tag, false), depth + 1);
	} while (!dwarf_siblingof(&die, &die));
}

/*
 * Nearly all functions are children of the unit or of a namespace. Only when an address of the unit
 * is in none of them, functions are looked for inside functions and types (nested functions of GNU
 * C, Fortran, Rust), which costs a walk over the whole tree.
 */
static struct function *find_function(struct debug_info *d, struct unit *u, uint64_t addr)
{
	uint32_t id;

	if (u->state == UNIT_UNREAD) {
		read_functions(d, u, &u->die, false, false, 0);
		ranges_flatten(&u->functions_at, RANGES_INNERMOST);
		u->state = UNIT_SHALLOW;
	}
	if (ranges_find(&u->functions_at, addr, &id))
		return &u->functions.at[id];
	if (u->state == UNIT_DEEP)
		return NULL;
	read_functions(d, u, &u->die, true, true, 0);
	ranges_flatten(&u->functions_at, RANGES_INNERMOST);
	u->state = UNIT_DEEP;
	return ranges_find(&u->functions_at, addr, &id) ? &u->functions.at[id] : NULL;
}

static bool add_node(struct debug_info *d, struct function *f, Dwarf_Die *die, uint32_t parent)
{
	struct node node = { .die = *die, .parent = parent };
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	node.first_piece = (uint32_t)f->pieces.nr;
	while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0 && spend(d, 1))
		if (start < end)
			vec_push(&f->pieces, (struct piece){ start, end });
	node.nr_pieces = (uint32_t)f->pieces.nr - node.first_piece;
	if (!node.nr_pieces)
		return false;
	vec_push(&f->nodes, node);
	return true;
}

/* Blocks without code are left out with all that is in them, as libdw's dwarf_getscopes() does. */
static void read_nodes(struct debug_info *d, struct function *f, Dwarf_Die *parent,
		       uint32_t parent_node, unsigned int depth)
{
	Dwarf_Die die;

	if (depth > MAX_DEPTH || dwarf_child(parent, &die))
		return;
	do {
		int tag = debug_info_visit(d, &die);
		bool is_function = tag == DW_TAG_inlined_subroutine;
		uint32_t id = (uint32_t)f->nodes.nr;

		if (tag < 0)
			return;
		if (!is_function && tag != DW_TAG_lexical_block && tag != DW_TAG_try_block &&
		    tag != DW_TAG_catch_block && tag != DW_TAG_with_stmt)
			continue;
		if (!add_node(d, f, &die, parent_node))
			continue;
		f->nodes.at[id].is_function = is_function;
		read_nodes(d, f, &die, is_function ? id : parent_node, depth + 1);
		f->nodes.at[id].after = (uint32_t)f->nodes.nr;
	} while (!dwarf_siblingof(&die, &die));
}

static void read_function(struct debug_info *d, struct function *f)
{
	vec_push(&f->nodes, (struct node){ .die = f->die, .is_function = true });
	read_nodes(d, f, &f->die, 0, 0);
	f->nodes.at[0].after = (uint32_t)f->nodes.nr;
	f->is_read = true;
}

static bool node_covers(const struct function *f, const struct node *n, uint64_t addr)
{
	const struct piece *p = &f->pieces.at[n->first_piece];
	uint32_t i;

	for (i = 0; i < n->nr_pieces; i++)
		if (p[i].start <= addr && addr < p[i].end)
			return true;
	return false;
}

/* The innermost function at addr. */
static uint32_t find_node(struct debug_info *d, const struct function *f, uint64_t addr)
{
	uint32_t i = 1, best = 0, end = f->nodes.at[0].after, nr_visited = 0;

	while (i < end && d->work_left) {
		const struct node *n = &f->nodes.at[i];

		nr_visited++;
		if (!node_covers(f, n, addr)) {
			i = n->after;
			continue;
		}
		if (n->is_function)
			best = i;
		end = n->after;
		i++;
	}
	spend(d, nr_visited / 16);	/* each is that much cheaper than a step in the file */
	return best;
}

static uint32_t line_number(Dwarf_Attribute *attr)
{
	Dwarf_Word value;

	return !dwarf_formudata(attr, &value) && value <= INT32_MAX ? (uint32_t)value : 0;
}

static struct source_line call_site(struct debug_info *d, struct unit *u, Dwarf_Die *die)
{
	Dwarf_Attribute file, line;

	return source_lines_file(&d->lines, &u->die, dwarf_attr(die, DW_AT_call_file, &file),
				 line_number(dwarf_attr(die, DW_AT_call_line, &line)));
}

size_t debug_info_scopes(struct debug_info *d, uint64_t vaddr, struct scope *scopes, size_t max)
{
	struct unit *u = find_unit(d, vaddr - d->bias);
	struct function *f = u ? find_function(d, u, vaddr - d->bias) : NULL;
	size_t nr = 0;
	uint32_t i;

	if (!f)
		return 0;
	if (!f->is_read)
		read_function(d, f);
	for (i = find_node(d, f, vaddr - d->bias); i && nr + 1 < max; i = f->nodes.at[i].parent) {
		struct node *n = &f->nodes.at[i];

		scopes[nr++] = (struct scope){ n->die, call_site(d, u, &n->die) };
	}
	scopes[nr++] = (struct scope){ .die = f->die };
	return nr;
}

const void *debug_info_origin(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Die origin;

	if (dwarf_tag(die) == DW_TAG_inlined_subroutine &&
	    dwarf_formref_die(dwarf_attr(die, DW_AT_abstract_origin, &attr), &origin))
		return origin.addr;
	return die->addr;
}

const char *debug_info_linkage_name(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attr));

	return name ? name : dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr));
}

struct source_line debug_info_decl(struct debug_info *d, Dwarf_Die *die)
{
	Dwarf_Attribute file, attr;
	uint32_t line = line_number(dwarf_attr_integrate(die, DW_AT_decl_line, &attr));
	Dwarf_Die unit;

	/* An inlined function may come from another unit: its file is that one's. */
	if (!dwarf_attr_integrate(die, DW_AT_decl_file, &file) ||
	    !dwarf_cu_die(file.cu, &unit, NULL, NULL, NULL, NULL, NULL, NULL))
		return (struct source_line){ .line = line };
	return source_lines_file(&d->lines, &unit, &file, line);
}

static bool is_same_file(struct source_line x, struct source_line y)
{
	return x.file && y.file && !strcmp(x.file, y.file) &&
	       (x.dir == y.dir || (x.dir && y.dir && !strcmp(x.dir, y.dir)));
}

struct source_line debug_info_definition(struct debug_info *d, Dwarf_Die *die)
{
	struct source_line decl = debug_info_decl(d, die), first;
	uint64_t entry;

	if (decl.line || !decl.file || dwarf_tag(die) != DW_TAG_subprogram ||
	    !debug_info_entry(d, die, &entry))
		return decl;
	first = debug_info_line(d, entry);
	return is_same_file(decl, first) ? first : decl;
}

/* Of a function in several pieces gcc and clang write the one first that is called. */
bool debug_info_entry(const struct debug_info *d, Dwarf_Die *die, uint64_t *ret_vaddr)
{
	Dwarf_Addr base, start, end;

	if (dwarf_ranges(die, 0, &base, &start, &end) <= 0)
		return false;
	*ret_vaddr = start + d->bias;
	return true;
}
