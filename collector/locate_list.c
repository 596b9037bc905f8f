/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that can be named in the target. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "collector/locate.h"
#include "collector/operand.h"
#include "collector/signature.h"

static int by_listing(const void *va, const void *vb)
{
	const struct probe_listing *a = va, *b = vb;
	int order = strcmp(a->name, b->name);

	if (a->is_usdt != b->is_usdt)
		return a->is_usdt ? -1 : 1;
	return order ? order : strcmp(a->module, b->module);
}

static void list_usdt(struct locate *l, const struct locate_file *f, struct probe_listings *ret)
{
	vec_each(&f->image->usdt.sites, u) {
		struct probe_listing p = { .module = f->module,
					   .nr_args = operand_count(u->args),
					   .nr_sites = 1,
					   .is_usdt = true,
					   .is_main = f->is_main };
		char *name = xasprintf("%s:%s", u->provider, u->name);

		p.name = arena_strndup(&l->arena, name, strlen(name));
		free(name);
		vec_push(&ret->at, p);
	}
}

static void list_functions(struct locate *l, const struct locate_file *f,
			   struct probe_listings *ret)
{
	uint64_t last_off = 0;
	const char *last_name = "";

	vec_each(&f->image->symbols, sym) {
		struct probe_listing p = { .module = f->module,
					   .nr_sites = 1,
					   .is_main = f->is_main };
		struct signature sig;

		if (!sym->is_function || sym->is_indirect)
			continue;
		signature_of(sym->name, &sig);
		/* One place, one name, however many symbols say so ("f", "f@@V1"). */
		if (sig.full && !(sym->off == last_off && !strcmp(last_name, sig.full))) {
			p.name = arena_strndup(&l->arena, sig.full, strlen(sig.full));
			p.symbol = sym->name;
			vec_push(&ret->at, p);
			last_off = sym->off;
			last_name = p.name;
		}
		signature_release(&sig);
	}
}

static void merge_same(struct probe_listings *s)
{
	size_t i, kept = 0;

	if (s->at.nr)
		qsort(s->at.at, s->at.nr, sizeof(s->at.at[0]), by_listing);
	for (i = 0; i < s->at.nr; i++) {
		if (kept && !by_listing(&s->at.at[kept - 1], &s->at.at[i]))
			s->at.at[kept - 1].nr_sites += s->at.at[i].nr_sites;
		else
			s->at.at[kept++] = s->at.at[i];
	}
	s->at.nr = kept;
}

void locate_list(struct locate *l, bool libraries, struct probe_listings *ret)
{
	vec_each(&l->files, f) {
		if (!locate_image(f))
			continue;
		list_usdt(l, f, ret);
		if (f->is_main || libraries)
			list_functions(l, f, ret);
	}
	merge_same(ret);
}

void probe_listings_release(struct probe_listings *s)
{
	vec_release(&s->at);
}
