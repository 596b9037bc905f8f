/* SPDX-License-Identifier: Apache-2.0 */
/* How wide an argument of a function is, from DWARF. */
#include <dwarf.h>
#include <elfutils/libdw.h>

#include "collector/image.h"

/* How the System V ABI for AMD64 (3.2.3) passes what has a type. */
enum passing {
	PASSED_UNKNOWN,		/* as one or two integers, or in memory */
	PASSED_INTEGER,
	PASSED_FLOAT,
};

static enum passing passing_of_base(Dwarf_Die *type, Dwarf_Word size)
{
	Dwarf_Attribute attr;
	Dwarf_Word encoding;

	if (dwarf_formudata(dwarf_attr(type, DW_AT_encoding, &attr), &encoding))
		return PASSED_UNKNOWN;
	switch (encoding) {
	case DW_ATE_float:
		return PASSED_FLOAT;
	case DW_ATE_boolean:
	case DW_ATE_signed:
	case DW_ATE_signed_char:
	case DW_ATE_unsigned:
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		return size <= sizeof(uint64_t) ? PASSED_INTEGER : PASSED_UNKNOWN;
	default:
		return PASSED_UNKNOWN;
	}
}

/* The type of a parameter, or of what a function returns. */
static enum passing passing_of(Dwarf_Die *die, Dwarf_Word *ret_size)
{
	Dwarf_Attribute attr;
	Dwarf_Die type;

	if (!dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &attr), &type) || dwarf_peel_type(&type, &type))
		return PASSED_UNKNOWN;
	if (dwarf_formudata(dwarf_attr_integrate(&type, DW_AT_byte_size, &attr), ret_size))
		*ret_size = sizeof(uint64_t);
	switch (dwarf_tag(&type)) {
	case DW_TAG_base_type:
		return passing_of_base(&type, *ret_size);
	case DW_TAG_enumeration_type:
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return PASSED_INTEGER;
	default:
		return PASSED_UNKNOWN;
	}
}

struct argument_search {
	Dwarf_Addr pc;
	unsigned int n;
	Dwarf_Word size;
};

/* The place of a large value that is returned is passed ahead of the first argument. */
static bool may_have_hidden(Dwarf_Die *function)
{
	Dwarf_Attribute attr;
	Dwarf_Word ignored;

	return dwarf_attr_integrate(function, DW_AT_type, &attr) && !passing_of(function, &ignored);
}

static void find_argument(Dwarf_Die *function, struct argument_search *s)
{
	unsigned int nr = 0;
	Dwarf_Die child;
	bool is_more;

	if (may_have_hidden(function))
		return;
	for (is_more = !dwarf_child(function, &child); is_more; is_more = !dwarf_siblingof(&child, &child)) {
		enum passing passing;
		Dwarf_Word size;

		if (dwarf_tag(&child) != DW_TAG_formal_parameter)
			continue;
		passing = passing_of(&child, &size);
		if (passing == PASSED_UNKNOWN)
			return;
		nr += passing == PASSED_INTEGER;
		if (nr == s->n) {
			s->size = size;
			return;
		}
	}
}

static int check_function(Dwarf_Die *die, void *arg)
{
	struct argument_search *s = arg;

	if (dwarf_haspc(die, s->pc) <= 0)
		return DWARF_CB_OK;
	find_argument(die, s);
	return DWARF_CB_ABORT;
}

unsigned int image_argument_bytes(const struct image *m, uint64_t vaddr, unsigned int n)
{
	struct argument_search s = { .n = n };
	Dwarf_Die *cu = NULL;
	Dwarf_Addr bias;

	while ((cu = dwfl_module_nextcu(m->module, cu, &bias))) {
		s.pc = vaddr - bias;
		if (dwarf_haspc(cu, s.pc) <= 0)
			continue;
		dwarf_getfuncs(cu, check_function, &s, 0);
		break;
	}
	return s.size == 1 || s.size == 2 || s.size == 4 || s.size == 8 ? (unsigned int)s.size : 0;
}
