/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake_profile.h"

#include <check.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/units.h"

void fake_profile_init(struct fake_profile *f)
{
	*f = (struct fake_profile){ 0 };
	f->p.unit = "seconds";
	f->p.seconds_per_weight = 1e-9;
	f->p.begin_ns = 5 * NS_PER_SEC;
	f->p.duration_ns = NS_PER_SEC;
}

void fake_profile_release(struct fake_profile *f)
{
	f->p.strings = NULL;
	profile_release(&f->p);
	strings_release(&f->strings);
}

uint32_t fake_function(struct fake_profile *f, const char *file, uint32_t line, const char *name,
		       const char *std_name)
{
	struct str std = { 0 };
	struct function function = {
		.name = strings_id(&f->strings, name),
		.file = strings_id(&f->strings, file),
		.line = line,
		.module = strings_id(&f->strings, file),
	};

	if (std_name)
		str_add(&std, std_name);
	else
		str_addf(&std, "%s:%u(%s)", file, line, name);
	function.std_name = strings_id(&f->strings, str_cstr(&std));
	str_release(&std);
	vec_push(&f->p.functions, function);
	return (uint32_t)(f->p.functions.nr - 1);
}

struct group *fake_group(struct fake_profile *f, enum group_by by, const char *path,
			 const char *method)
{
	vec_push(&f->p.groups, (struct group){
				       .by = by,
				       .path = strings_id(&f->strings, path),
				       .method = strings_id(&f->strings, method),
				       .calls = COUNT_UNKNOWN,
				       .primitive_calls = COUNT_UNKNOWN,
			       });
	return vec_last(&f->p.groups);
}

void fake_elapsed(struct group *g, uint64_t ns)
{
	durations_release(&g->elapsed);
	g->elapsed = (struct durations){ 0 };
	durations_add(&g->elapsed, ns);
	durations_settle(&g->elapsed);
}

void fake_requests(struct group *g, uint64_t nr, uint32_t status)
{
	uint64_t first_ms = g->elapsed.nr + 1, i;

	for (i = 0; i < nr; i++)
		durations_add(&g->elapsed, (first_ms + i) * 1000000);
	durations_settle(&g->elapsed);
	g->nr_requests += nr;
	if (status)
		vec_push(&g->status, (struct status_count){ status, nr });
}

struct function_sums *fake_sums(struct group *g, uint32_t function, uint64_t self, uint64_t cum)
{
	vec_push(&g->functions, (struct function_sums){
					.function = function,
					.ncalls = COUNT_UNKNOWN,
					.primitive_calls = COUNT_UNKNOWN,
					.nr_samples = self / 1000000,
					.nr_cum_samples = cum / 1000000,
					.self = self,
					.cum = cum,
				});
	g->weight += self;
	g->nr_samples += self / 1000000;
	return vec_last(&g->functions);
}

void fake_stack(struct group *g, const uint32_t *functions, size_t nr, uint64_t weight)
{
	stack_tree_add(&g->tree, functions, nr, weight / 1000000, weight);
}

void fake_calls(struct group *g, struct function_sums *s, uint64_t ncalls, uint64_t primitive)
{
	if (g->calls == COUNT_UNKNOWN)
		g->calls = g->primitive_calls = 0;
	s->ncalls = ncalls;
	s->primitive_calls = primitive;
	g->calls += ncalls;
	g->primitive_calls += primitive;
}

char *fake_render(const struct fake_profile *f, const struct renderer *r,
		  const struct table_options *options, size_t *ret_len)
{
	struct profile p = f->p;	/* lends the strings where they are now */
	struct table_plan *plan;
	struct err e = { 0 };
	char *text;
	FILE *out = open_memstream(&text, ret_len);

	p.strings = (struct strings *)&f->strings;
	ck_assert_msg(!table_plan_new(options, &plan, &e), "%s", e.what);
	ck_assert_int_eq(r->write(&p, plan, out, &e), 0);
	fclose(out);
	table_plan_free(plan);
	return text;
}
