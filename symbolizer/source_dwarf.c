/* SPDX-License-Identifier: Apache-2.0 */
/* Functions, definitions, lines and inlined calls from DWARF. */
#include <dwarf.h>
#include <string.h>

#include "base/str.h"
#include "symbolizer/die_scopes.h"
#include "symbolizer/source.h"

/* Chains of inlined calls are some ten deep; what is deeper loses its middle. */
#define MAX_SCOPES 128

struct decl {
	uint32_t function, file, line;
};

struct dwarf {
	struct module *module;
	struct u64map ids;	/* address of the DIE -> index of its decl */
	VEC(struct decl) decls;
	struct die_scopes scopes;
};

static bool dwarf_open(struct module *m, void **ret_self)
{
	struct dwarf *self;

	if (!m->debug)
		return false;
	self = xcalloc(1, sizeof(*self));
	self->module = m;
	*ret_self = self;
	return true;
}

/* Of a function without linkage name, which would say it all. */
static uint32_t name_with_scopes(struct dwarf *self, Dwarf_Die *die, const char *name)
{
	struct module *m = self->module;
	struct str whole = { 0 };
	uint32_t id;

	if (!m->options->no_demangle)
		die_scopes_of(&self->scopes, m->debug, die, &whole);
	if (whole.len) {
		str_add(&whole, name);
		id = strings_id_n(m->strings, whole.s, whole.len);
	} else {
		id = module_function(m, name);
	}
	str_release(&whole);
	return id;
}

/*
 * A function that the symbol table has under several names goes by the one that perf prefers:
 * malloc, not __GI___libc_malloc, which is what glibc's DWARF calls it. But compilers make one of
 * functions that turn out equal, too, and then another name would not be that of the definition:
 * only names that are reserved to the implementation, or have no definition, give way, and any does
 * to a name that is exported as the current version of a function.
 */
static uint32_t function_name(struct dwarf *self, Dwarf_Die *die, uint32_t line)
{
	struct module *m = self->module;
	const char *linkage_name = debug_info_linkage_name(die), *name = linkage_name;
	const struct symbol *alias = NULL;
	uint64_t entry;

	if (!name)
		name = dwarf_diename(die);
	if (!name)
		return 0;
	if (dwarf_tag(die) == DW_TAG_subprogram && debug_info_entry(m->debug, die, &entry))
		alias = symtab_alias(&m->symbols, entry, name);
	if (alias && line && !str_starts(name, "__") && !strstr(alias->name, "@@"))
		alias = NULL;
	if (alias)
		return module_symbol(m, alias);
	return linkage_name ? module_function(m, name) : name_with_scopes(self, die, name);
}

/* gcc does not say where functions are that nobody declared: a lambda's is where its class is, as implicit ones are. */
static struct source_line definition_of(struct dwarf *self, Dwarf_Die *die)
{
	struct debug_info *debug = self->module->debug;
	struct source_line at = debug_info_definition(debug, die);
	Dwarf_Die class;

	if (!at.file && !at.line && die_scopes_class(&self->scopes, debug, die, &class))
		return debug_info_decl(debug, &class);
	return at;
}

static struct decl decl_of(struct dwarf *self, Dwarf_Die *die)
{
	uint64_t key = (uintptr_t)debug_info_origin(die);
	const uint32_t *known = u64map_get(&self->ids, key);
	struct debug_info *debug = self->module->debug;
	struct source_line at;

	if (known)
		return self->decls.at[*known];
	at = definition_of(self, die);
	vec_push(&self->decls, (struct decl){
		.function = function_name(self, die, debug_info_decl(debug, die).line),
		.file = module_file(self->module, at),
		.line = at.line,
	});
	u64map_set(&self->ids, key, (uint32_t)self->decls.nr - 1);
	return *vec_last(&self->decls);
}

static int dwarf_resolve(void *arg, uint64_t vaddr, struct frames *out)
{
	struct dwarf *self = arg;
	struct scope scopes[MAX_SCOPES];
	size_t nr = debug_info_scopes(self->module->debug, vaddr, scopes, MAX_SCOPES), i;
	struct source_line at;

	/* A function without a name is left to the symbol table. */
	if (!nr || !decl_of(self, &scopes[nr - 1].die).function)
		return 0;
	at = debug_info_line(self->module->debug, vaddr);
	for (i = 0; i < nr; i++) {
		struct decl decl = decl_of(self, &scopes[i].die);

		vec_push(&out->list, (struct frame){
			.function = decl.function,
			.file = decl.file,
			.line = decl.line,
			.at_file = module_file(self->module, at),
			.at_line = at.line,
			.is_inlined = i + 1 < nr,
		});
		at = scopes[i].called_at;
	}
	return (int)nr;
}

static void dwarf_close(void *arg)
{
	struct dwarf *self = arg;

	u64map_release(&self->ids);
	vec_release(&self->decls);
	die_scopes_release(&self->scopes);
	free(self);
}

const struct frame_source source_dwarf = {
	.name = "dwarf",
	.open = dwarf_open,
	.resolve = dwarf_resolve,
	.close = dwarf_close,
};
