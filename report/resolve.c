/* SPDX-License-Identifier: Apache-2.0 */
#include "report/resolve.h"

#include <fnmatch.h>
#include <inttypes.h>

void resolve_init(struct resolve *r, const struct resolve_options *options,
		  const struct stacks *stacks, struct symbolizer *symbolizer,
		  struct profile *profile)
{
	*r = (struct resolve){ .options = options,
			       .stacks = stacks,
			       .symbolizer = symbolizer,
			       .profile = profile };
}

void resolve_release(struct resolve *r)
{
	hashidx_release(&r->function_index);
	hashidx_release(&r->asked_index);
	vec_release(&r->asked);
	vec_release(&r->places);
	vec_release(&r->functions);
	vec_release(&r->is_root);
	vec_release(&r->chain);
	str_release(&r->text);
}

/* ---- functions as shown ---- */

/* A name with '*' in it may be meant as it stands ("operator*"): both readings are tried. */
static bool is_root_name(const struct resolve *r, uint32_t name)
{
	const char *text = strings_text(r->profile->strings, name);

	return r->options->root && (strstr(text, r->options->root) ||
				    !fnmatch(r->options->root, text, FNM_NOESCAPE));
}

/* "file:line(name)", as Lib/pstats.py's func_std_string() writes it. */
static uint32_t std_name_of(struct resolve *r, const struct function *f)
{
	struct strings *strings = r->profile->strings;

	str_clear(&r->text);
	str_add_bytes(&r->text, strings_text(strings, f->file), strings_len(strings, f->file));
	str_addf(&r->text, ":%" PRIu32 "(", f->line);
	str_add_bytes(&r->text, strings_text(strings, f->name), strings_len(strings, f->name));
	str_add_char(&r->text, ')');
	return strings_id_n(strings, r->text.s, r->text.len);
}

static uint32_t function_id(struct resolve *r, struct function *f)
{
	uint64_t hash = hash_mix((uint64_t)f->file << 32 | f->name, f->line);

	hashidx_each(&r->function_index, hash, id) {
		const struct function *old = &r->profile->functions.at[id];

		if (old->file == f->file && old->name == f->name && old->line == f->line)
			return id;
	}
	f->std_name = std_name_of(r, f);
	vec_push(&r->profile->functions, *f);
	vec_push(&r->is_root, is_root_name(r, f->name));
	hashidx_add(&r->function_index, hash, (uint32_t)r->profile->functions.nr - 1);
	return (uint32_t)r->profile->functions.nr - 1;
}

/* "/usr/lib/libc.so.6" -> "libc.so.6"; names that are no paths ("[vdso]", "//anon") stay. */
static const char *module_base_name(const char *path)
{
	const char *slash = *path == '/' && path[1] != '/' ? strrchr(path, '/') : NULL;

	return slash && slash[1] ? slash + 1 : path;
}

static struct function described(struct resolve *r, const struct frame *frame)
{
	struct strings *strings = r->profile->strings;
	struct function f = { .name = frame->function,
			      .file = frame->file,
			      .line = frame->line,
			      .module = frame->module,
			      .is_kernel = frame->is_kernel };
	char hex[24];

	if (!f.name) {
		snprintf(hex, sizeof(hex), "0x%" PRIx64, frame->vaddr);
		f.name = strings_id(strings, hex);
	}
	if (f.is_kernel)
		f.file = f.module = strings_id(strings, "[kernel]");
	else if (!f.file)
		f.file = strings_id(strings, module_base_name(strings_text(strings, f.module)));
	if (f.is_kernel || !frame->file)
		f.line = 0;
	return f;
}

static uint64_t asked_hash(const struct function *f)
{
	return hash_mix((uint64_t)f->file << 32 | f->name, (uint64_t)f->module << 32 | f->line);
}

/* NULL: it goes by the name that it has. */
static const struct asked_name *asked_name_of(const struct resolve *r, const struct function *f)
{
	hashidx_each(&r->asked_index, asked_hash(f), id) {
		const struct asked_name *a = &r->asked.at[id];

		if (a->shown == f->name && a->file == f->file && a->line == f->line && a->module == f->module)
			return a;
	}
	return NULL;
}

/* Samples, too, have the name that counted calls were asked for by: they are in one row. */
static uint32_t function_of_frame(struct resolve *r, const struct frame *frame)
{
	struct function f = described(r, frame);
	const struct asked_name *a = asked_name_of(r, &f);

	if (a)
		f.name = a->name;
	return function_id(r, &f);
}

/* What stands for the kernel where its functions are not wanted. */
static uint32_t function_of_kernel(struct resolve *r)
{
	struct strings *strings = r->profile->strings;
	uint32_t module = strings_id(strings, "[kernel]");

	return function_id(r, &(struct function){ .name = strings_id(strings, "kernel"),
						  .file = module,
						  .module = module,
						  .is_kernel = true });
}

/* The symbolizer knows where the function is defined, and mostly how it is called. */
static struct frame frame_of_entry(struct resolve *r, const struct location *l)
{
	const struct frame *frames;
	struct frame frame;
	size_t nr;

	symbolizer_resolve(r->symbolizer, l->module, (struct code_addr){ .addr = l->addr }, &frames, &nr);
	/* What is inlined at its entry is no part of who it is. */
	frame = frames[nr - 1];
	if (!frame.function)
		frame.function = l->name;
	return frame;
}

static uint32_t function_of_entry(struct resolve *r, const struct location *l)
{
	struct frame frame = frame_of_entry(r, l);

	return function_of_frame(r, &frame);
}

/* Of two names that were asked for, in two recordings, the first. */
static void look_at_name(struct resolve *r, const struct location *l)
{
	struct frame frame = frame_of_entry(r, l);
	struct function f = described(r, &frame);
	uint32_t name = symbolizer_name(r->symbolizer, strings_text(r->profile->strings, l->name));

	if (name == f.name || asked_name_of(r, &f))
		return;
	hashidx_add(&r->asked_index, asked_hash(&f), (uint32_t)r->asked.nr);
	vec_push(&r->asked, (struct asked_name){ f.name, f.file, f.line, f.module, name });
}

static void look_at_names(struct resolve *r)
{
	for (; r->nr_looked_at < r->stacks->locations.nr; r->nr_looked_at++) {
		const struct location *l = &r->stacks->locations.at[r->nr_looked_at];

		if (l->kind == LOCATION_FUNCTION && l->is_aliased)
			look_at_name(r, l);
	}
}

static uint32_t function_of_named(struct resolve *r, const struct location *l)
{
	return function_id(r, &(struct function){ .name = l->name,
						  .file = l->file,
						  .line = (uint32_t)l->addr,
						  .module = l->file });
}

/* ---- chains ---- */

static void add_functions(struct resolve *r, const struct location *l)
{
	const struct frame *frames;
	size_t nr, i;

	switch (l->kind) {
	case LOCATION_FUNCTION:
		vec_push(&r->functions, function_of_entry(r, l));
		break;
	case LOCATION_NAMED:
		vec_push(&r->functions, function_of_named(r, l));
		break;
	case LOCATION_UNKNOWN:
		vec_push(&r->functions, NO_FUNCTION);
		break;
	default:
		symbolizer_resolve(r->symbolizer, l->module, (struct code_addr){ l->addr, l->is_return },
				   &frames, &nr);
		for (i = 0; i < nr; i++)
			vec_push(&r->functions, function_of_frame(r, &frames[i]));
	}
}

struct place resolve_place(struct resolve *r, uint32_t location_id)
{
	struct place place;

	look_at_names(r);
	while (r->places.nr < r->stacks->locations.nr)
		vec_push(&r->places, (struct place){ 0 });
	if (r->places.at[location_id].nr)
		return r->places.at[location_id];
	place.first = (uint32_t)r->functions.nr;
	add_functions(r, &r->stacks->locations.at[location_id]);
	place.nr = (uint32_t)r->functions.nr - place.first;
	r->places.at[location_id] = place;
	return place;
}

void resolve_sampled(struct resolve *r)
{
	for (; r->nr_resolved < r->stacks->locations.nr; r->nr_resolved++) {
		const struct location *l = &r->stacks->locations.at[r->nr_resolved];

		if (l->kind == LOCATION_CODE && !l->is_kernel)
			resolve_place(r, (uint32_t)r->nr_resolved);
	}
}

uint32_t resolve_module(struct resolve *r, uint32_t location)
{
	struct frame frame = frame_of_entry(r, &r->stacks->locations.at[location]);

	return frame.module;
}

static void add_place(struct resolve *r, uint32_t location)
{
	struct place place = resolve_place(r, location);
	uint32_t i;

	for (i = 0; i < place.nr; i++)
		vec_push(&r->chain, r->functions.at[place.first + i]);
}

static bool is_hidden(const struct resolve *r, uint32_t location)
{
	return r->options->kernel != KERNEL_SHOW && r->stacks->locations.at[location].is_kernel;
}

/* The outermost match counts: what it calls under its own name again is below it all the same. */
static bool cut_at_root(struct resolve *r)
{
	size_t i = r->chain.nr;

	if (!r->options->root)
		return true;
	while (i > 0 && (r->chain.at[i - 1] == NO_FUNCTION || !r->is_root.at[r->chain.at[i - 1]]))
		i--;
	if (i)
		r->chain.nr = i;
	return i > 0;
}

static bool is_open(const struct resolve *r)
{
	vec_each(&r->chain, f)
		if (*f == NO_FUNCTION)
			return true;
	return false;
}

bool resolve_chain(struct resolve *r, uint32_t node)
{
	bool has_kernel = false;

	r->chain.nr = 0;
	for (; node; node = r->stacks->nodes.at[node].caller) {
		uint32_t location = r->stacks->nodes.at[node].location;

		if (!is_hidden(r, location)) {
			add_place(r, location);
			continue;
		}
		if (!has_kernel && r->options->kernel == KERNEL_FOLD)
			vec_push(&r->chain, function_of_kernel(r));
		has_kernel = true;
	}
	if (!r->chain.nr)
		vec_push(&r->chain, function_of_kernel(r));
	r->is_open = is_open(r);
	r->is_lone = vec_last(&r->chain)[0] == NO_FUNCTION;
	return cut_at_root(r);
}
