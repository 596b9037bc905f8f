/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions from symbol tables, and stubs of the PLT. Code that DWARF knows only lines of, such as
 * assembly, gets them here.
 */
#include "symbolizer/source.h"

static bool symtab_open(struct module *m, void **ret_self)
{
	*ret_self = m;
	return m->file.mod;
}

static int symtab_resolve(void *arg, uint64_t vaddr, struct frames *out)
{
	struct module *m = arg;
	struct symbol *s = symtab_find(&m->symbols, vaddr);
	struct source_line at = { 0 }, start = { 0 };

	if (!s)
		return 0;
	if (!s->shown)
		s->shown = module_symbol(m, s);
	if (m->debug) {
		at = debug_info_line(m->debug, vaddr);
		start = debug_info_line(m->debug, s->start);
	}
	vec_push(&out->list, (struct frame){
		.function = s->shown,
		.file = module_file(m, start),
		.line = start.line,
		.at_file = module_file(m, at),
		.at_line = at.line,
	});
	return 1;
}

const struct frame_source source_symtab = {
	.name = "symtab",
	.open = symtab_open,
	.resolve = symtab_resolve,
};
