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
	if (l->files.nr && !l->files.at[0].pid && !l->has_run)
		str_add(remedy, "Of a command that does not run yet its own file is looked at, those of programs that its arguments "
				"name, and the libraries that they begin with.");
	if (remedy->len && remedy->s[remedy->len - 1] == ' ')
		remedy->s[--remedy->len] = '\0';
	if (remedy->len)
		err_remedy(e, "%s", remedy->s);
	str_release(remedy);
	return e->code;
}

/* GLIBC_2.2.5, OPENSSL_3.0.0: as nm(1) has it behind a symbol's name. */
static bool is_version(const char *module)
{
	size_t len = strspn(module, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

	return len && module[len] == '_' && module[len + 1] && !module[len + 1 + strspn(module + len + 1, "0123456789.")];
}

static void add_what_it_is(struct str *remedy, const struct probe_name *name)
{
	char *function = xstrndup(name->function, strcspn(name->function, "@"));

	if (is_version(name->module))
		str_addf(remedy, "%s is the version of a symbol, and is left out: %s. ", name->module, function);
	else if (!strcmp(name->module, "plt"))
		str_addf(remedy, "%s@plt is the way to a function of another module: name that, %s. ", function, function);
	free(function);
}

static int no_module(struct locate *l, const struct probe_name *name, struct err *e)
{
	const char *module = name->module;
	struct nearest n = { .want = module };
	struct str remedy = { 0 };

	err_set(e, -ENOENT, "no module '%s' in the target", module);
	if (name->function)
		add_what_it_is(&remedy, name);
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

/* What the compiler cut off is jumped to, or called in the place of a part of the calls. */
static int no_piece(const struct probe_name *name, struct err *e)
{
	err_set(e, -ENOENT, "'%s' is a piece that the compiler cut off a function, no function", name->function);
	return err_remedy(e, "Name the function that it is a piece of.");
}

static int no_function(struct locate *l, const struct probe_name *name, struct err *e)
{
	const struct locate_file *inlined = NULL;
	struct str remedy = { 0 };
	struct wanted w;

	wanted_init(&w, name->function);
	if (wanted_is_piece(&w)) {
		wanted_release(&w);
		return no_piece(name, e);
	}
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
		return no_module(l, name, e);
	return name->function ? no_function(l, name, e) : no_usdt(l, name, e);
}
