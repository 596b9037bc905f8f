/* SPDX-License-Identifier: Apache-2.0 */
/* Why a name was not found, and what the user may have meant. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/nearest.h"
#include "base/str.h"
#include "collector/locate.h"
#include "collector/signature.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool any_file_matches(const struct locate *l, const char *module)
{
	vec_each(&l->files, f)
		if (locate_file_matches(f, module))
			return true;
	return false;
}

static void add_nearest(struct str *remedy, const struct nearest *n)
{
	if (!n->nr)
		return;
	str_add(remedy, "Nearest: ");
	nearest_text(n, remedy);
	str_add(remedy, ". ");
}

/* Whatever hints there are become the remedy; without any, where to look. */
static int finish(const struct locate *l, struct str *remedy, struct err *e)
{
	if (!remedy->len && l->files.nr && l->files.at[0].pid)
		str_addf(remedy, "wperf probes -p %d '*' lists what can be named.",
			 l->files.at[0].pid);
	if (l->files.nr && !l->files.at[0].pid)
		str_add(remedy, "Of a command that does not run yet its own file is looked at, those of programs that its arguments "
				"name, and the libraries that they begin with.");
	if (remedy->len && remedy->s[remedy->len - 1] == ' ')
		remedy->s[--remedy->len] = '\0';
	if (remedy->len)
		err_remedy(e, "%s", remedy->s);
	str_release(remedy);
	return e->code;
}

static int no_module(struct locate *l, const char *module, struct err *e)
{
	struct nearest n = { .want = module };
	struct str remedy = { 0 };

	err_set(e, -ENOENT, "no module '%s' in the target", module);
	vec_each(&l->files, f)
		nearest_offer(&n, strchr(module, '/') ? f->module : base_name(f->module));
	add_nearest(&remedy, &n);
	nearest_release(&n);
	return finish(l, &remedy, e);
}

/*
 * The file whose debug information has the function inlined, or NULL. Reading all of it takes
 * seconds for a big program, so libraries are asked only if the user named them.
 */
static const struct locate_file *inlined_in(struct locate *l, const struct probe_name *name,
					    const struct wanted *w)
{
	vec_each(&l->files, f) {
		if (!(name->module ? locate_file_matches(f, name->module) : f->is_main))
			continue;
		if (locate_image(f) && image_has_source(f->image, w->last))
			return f;
	}
	return NULL;
}

/* What a file has, with parameters where the user gave some. True: a function of that last name. */
static bool offer_functions(struct nearest *n, const struct image *m, const struct wanted *w)
{
	bool has_params = strchr(w->text, '(') != NULL, namesake = false;

	vec_each(&m->symbols, sym) {
		struct signature sig;

		if (!sym->is_function || sym->is_indirect)
			continue;
		signature_of(sym->name, &sig);
		if (sig.name) {
			nearest_offer(n, has_params ? sig.full : sig.name);
			namesake |= wanted_has_namesake(w, &sig);
		}
		signature_release(&sig);
	}
	return namesake;
}

/* The nearest names, and which file would have shown more. True: there is a namesake. */
static bool add_hints(struct locate *l, const struct probe_name *name, const struct wanted *w,
		      struct str *remedy)
{
	char *plain = xstrndup(w->text, strcspn(w->text, "("));
	const struct locate_file *stripped = NULL;
	struct nearest n = { .want = plain };
	bool namesake = false;

	vec_each(&l->files, f) {
		if (!locate_file_matches(f, name->module) || !locate_image(f))
			continue;
		namesake |= offer_functions(&n, f->image, w);
		if (f->image->is_stripped && !stripped && (f->is_main || name->module))
			stripped = f;
	}
	add_nearest(remedy, &n);
	nearest_release(&n);
	free(plain);
	if (stripped)
		str_addf(remedy,
			 "%s is stripped, so that only its exported names are visible: install its "
			 "debug symbols. ",
			 stripped->module);
	return namesake;
}

static int no_function(struct locate *l, const struct probe_name *name, struct err *e)
{
	const struct locate_file *inlined = NULL;
	struct str remedy = { 0 };
	struct wanted w;

	wanted_init(&w, name->function);
	if (!add_hints(l, name, &w, &remedy))
		inlined = inlined_in(l, name, &w);
	wanted_release(&w);
	if (inlined) {
		str_clear(&remedy);
		str_add(&remedy, "Name a function that calls it, or build it as noinline.");
		err_set(e, -ENOENT, "function '%s' has no body of its own in %s: it was inlined",
			name->function, inlined->module);
	} else {
		err_set(e, -ENOENT, "no function '%s' in %s", name->function,
			name->module ? name->module : "the target");
	}
	return finish(l, &remedy, e);
}

static int no_usdt(struct locate *l, const struct probe_name *name, struct err *e)
{
	struct nearest n = { 0 };
	struct str remedy = { 0 }, want = { 0 }, candidate = { 0 };
	size_t nr_sites = 0;

	str_addf(&want, "%s:%s", name->provider, name->name);
	n.want = want.s;
	vec_each(&l->files, f) {
		if (!locate_image(f))
			continue;
		nr_sites += f->image->usdt.sites.nr;
		vec_each(&f->image->usdt.sites, u) {
			str_clear(&candidate);
			str_addf(&candidate, "%s:%s", u->provider, u->name);
			nearest_offer(&n, candidate.s);
		}
	}
	err_set(e, -ENOENT, "no USDT probe '%s' in the target", want.s);
	add_nearest(&remedy, &n);
	if (!nr_sites)
		str_add(&remedy, "It has none at all: its build may have an option for them.");
	nearest_release(&n);
	str_release(&want);
	str_release(&candidate);
	return finish(l, &remedy, e);
}

int locate_miss(struct locate *l, const struct probe_name *name, struct err *e)
{
	if (!any_file_matches(l, name->module))
		return no_module(l, name->module, e);
	return name->function ? no_function(l, name, e) : no_usdt(l, name, e);
}
