/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/die_scopes.h"

#include <dwarf.h>

/* Links from a copy to its declaration; functions around functions; scopes around one: as deep as anybody goes. */
enum { MAX_LINKS = 8, MAX_FUNCTIONS = 8, MAX_DEPTH = 64 };

/* Where it was declared: its parents there are its scopes. */
static Dwarf_Die declaration(Dwarf_Die die)
{
	Dwarf_Attribute attr;
	Dwarf_Die next;
	int i;

	for (i = 0; i < MAX_LINKS; i++) {
		if (!dwarf_formref_die(dwarf_attr(&die, DW_AT_abstract_origin, &attr), &next) &&
		    !dwarf_formref_die(dwarf_attr(&die, DW_AT_specification, &attr), &next))
			break;
		die = next;
	}
	return die;
}

static bool is_cxx(Dwarf_Die *unit)
{
	switch (dwarf_srclang(unit)) {
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
	case 0x2b:	/* DW_LANG_C_plus_plus_17, of DWARF 6 */
	case 0x2c:	/* _20 */
		return true;
	default:
		return false;
	}
}

static void read_children(struct die_scope_list *list, struct debug_info *d, Dwarf_Die *parent)
{
	bool is_open = false;
	Dwarf_Die die;

	if (dwarf_child(parent, &die))
		return;
	do {
		if (is_open)
			vec_last(&list->at)->end = (uintptr_t)die.addr;
		/* In order, as they stand in the file: what leads back was made to. */
		if ((list->at.nr && (uintptr_t)die.addr <= (uintptr_t)vec_last(&list->at)->die.addr) ||
		    debug_info_visit(d, &die) < 0)
			return;
		is_open = dwarf_haschildren(&die) > 0;
		if (is_open)
			vec_push(&list->at, (struct die_scope){ die, UINTPTR_MAX });
	} while (!dwarf_siblingof(&die, &die));
}

static const struct die_scope_list *children_of(struct die_scopes *s, struct debug_info *d, Dwarf_Die *parent)
{
	const uint32_t *known = u64map_get(&s->by_parent, (uintptr_t)parent->addr);

	if (known)
		return &s->lists.at[*known];
	u64map_set(&s->by_parent, (uintptr_t)parent->addr, (uint32_t)s->lists.nr);
	vec_push(&s->lists, (struct die_scope_list){ 0 });
	read_children(vec_last(&s->lists), d, parent);
	return vec_last(&s->lists);
}

/* Which child has that address in it; false: none. */
static bool child_with(const struct die_scope_list *list, uintptr_t addr, Dwarf_Die *ret)
{
	size_t low = 0, high = list->at.nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if ((uintptr_t)list->at.at[mid].die.addr < addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || addr >= list->at.at[low - 1].end)
		return false;
	*ret = list->at.at[low - 1].die;
	return true;
}

static void add_function(struct die_scopes *s, struct debug_info *d, Dwarf_Die die, struct str *ret, int depth);

static void add_scope(struct die_scopes *s, struct debug_info *d, Dwarf_Die *die, bool is_call, struct str *ret,
		      int depth)
{
	const char *name = dwarf_diename(die);

	switch (dwarf_tag(die)) {
	case DW_TAG_namespace:
		str_add(ret, name ? name : "(anonymous namespace)");
		break;
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		str_add(ret, name ? name : is_call ? "{lambda}" : "{unnamed type}");
		break;
	case DW_TAG_subprogram:
		/* With scopes of its own, whatever it stands in. */
		str_clear(ret);
		add_function(s, d, *die, ret, depth + 1);
		if (!name)
			return;
		str_add(ret, name);
		break;
	default:
		return;
	}
	str_add(ret, "::");
}

/* The scopes of a function, from the unit down. */
static void add_function(struct die_scopes *s, struct debug_info *d, Dwarf_Die die, struct str *ret, int depth)
{
	Dwarf_Die decl = declaration(die), at, next;
	const char *name = dwarf_diename(&decl);
	bool is_call = name && str_starts(name, "operator()");
	uintptr_t addr = (uintptr_t)decl.addr;
	int i;

	if (depth > MAX_FUNCTIONS || !dwarf_diecu(&decl, &at, NULL, NULL) || !is_cxx(&at))
		return;
	for (i = 0; i < MAX_DEPTH && child_with(children_of(s, d, &at), addr, &next); i++) {
		add_scope(s, d, &next, is_call, ret, depth);
		at = next;
	}
}

void die_scopes_of(struct die_scopes *s, struct debug_info *d, Dwarf_Die *die, struct str *ret)
{
	Dwarf_Attribute attr;

	str_clear(ret);
	if (!dwarf_attr_integrate(die, DW_AT_external, &attr))
		add_function(s, d, *die, ret, 0);
}

bool die_scopes_class(struct die_scopes *s, struct debug_info *d, Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Die decl = declaration(*die), at, next;
	uintptr_t addr = (uintptr_t)decl.addr;
	int i;

	if (!dwarf_diecu(&decl, &at, NULL, NULL) || !is_cxx(&at))
		return false;
	for (i = 0; i < MAX_DEPTH && child_with(children_of(s, d, &at), addr, &next); i++)
		at = next;
	if (dwarf_tag(&at) != DW_TAG_class_type && dwarf_tag(&at) != DW_TAG_structure_type)
		return false;
	*ret = at;
	return true;
}

void die_scopes_release(struct die_scopes *s)
{
	vec_each(&s->lists, list)
		vec_release(&list->at);
	vec_release(&s->lists);
	u64map_release(&s->by_parent);
}
