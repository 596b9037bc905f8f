/* SPDX-License-Identifier: Apache-2.0 */
/* The modules, the frames of every address that was asked for, and who names them. */
#include "symbolizer/symbolizer.h"

#include <assert.h>
#include <string.h>

#include "base/demangle.h"
#include "symbolizer/module.h"
#include "symbolizer/source.h"

/* First taker wins. */
static const struct frame_source *const sources[] = {
	&source_dwarf, &source_symtab, &source_kernel, &source_jitmap, &source_hex,
};

struct namer {			/* a source at work on one module */
	const struct frame_source *source;
	void *self;
};

struct registered {
	struct module *module;
	struct namer namers[ARRAY_LEN(sources)];
	size_t nr_namers;
	bool is_open;
};

struct answer {
	uint64_t addr;
	uint32_t module;
	uint32_t nr;
	const struct frame *frames;	/* in the arena */
};

struct symbolizer {
	struct symbolizer_options options;
	struct strings *strings;
	struct baggage baggage;
	struct crew crew;
	VEC(struct registered) modules;
	struct hashidx modules_by_key;
	VEC(struct answer) answers;
	struct hashidx answers_by_addr;
	struct arena arena;
	uint32_t recording;	/* see symbolizer_next_recording() */
	struct frames scratch;
	uint64_t nr_no_symbol;
};

struct symbolizer *symbolizer_new(const struct symbolizer_options *options, struct strings *strings)
{
	struct symbolizer *s = xcalloc(1, sizeof(*s));

	s->options = *options;
	s->options.sysroot = options->sysroot ? xstrdup(options->sysroot) : NULL;
	s->strings = strings;
	crew_init(&s->crew);
	strings_id(strings, "");	/* else the first text would get 0, which means "" */
	return s;
}

static void close_namers(struct registered *r)
{
	size_t i;

	for (i = 0; i < r->nr_namers; i++)
		if (r->namers[i].source->close)
			r->namers[i].source->close(r->namers[i].self);
	r->nr_namers = 0;
	r->is_open = false;
}

void symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return;
	vec_each(&s->modules, r) {
		close_namers(r);
		module_free(r->module);
	}
	crew_release(&s->crew);
	vec_each(&s->baggage.items, t) {
		free(t->path);
		free(t->build_id);
		free(t->bytes);
	}
	vec_release(&s->modules);
	vec_release(&s->baggage.items);
	vec_each(&s->baggage.kernel_code, code)
		free(code->name);
	vec_release(&s->baggage.kernel_code);
	vec_release(&s->baggage.self_contained);
	vec_release(&s->answers);
	vec_release(&s->scratch.list);
	hashidx_release(&s->modules_by_key);
	hashidx_release(&s->answers_by_addr);
	arena_release(&s->arena);
	free((char *)s->options.sysroot);
	free(s);
}

static uint64_t key_hash(const struct module_key *key)
{
	uint64_t h = hash_bytes(key->path, strlen(key->path));

	h = hash_mix(h, key->build_id_len ? hash_bytes(key->build_id, key->build_id_len) : 0);
	h = hash_mix(hash_mix(hash_mix(h, key->kind), key->pid), key->kernel_start);
	return hash_mix(h, key->recording);
}

static bool same_key(const struct module_key *a, const struct module_key *b)
{
	return a->kind == b->kind && a->pid == b->pid && a->recording == b->recording &&
	       a->kernel_start == b->kernel_start &&
	       a->build_id_len == b->build_id_len && !strcmp(a->path, b->path) &&
	       (!a->build_id_len || !memcmp(a->build_id, b->build_id, a->build_id_len));
}

void symbolizer_next_recording(struct symbolizer *s)
{
	s->recording++;
}

void symbolizer_set_self_contained(struct symbolizer *s)
{
	vec_push(&s->baggage.self_contained, s->recording);
}

void symbolizer_set_begin(struct symbolizer *s, uint64_t epoch_ns)
{
	if (!s->baggage.begin_epoch_ns || epoch_ns < s->baggage.begin_epoch_ns)
		s->baggage.begin_epoch_ns = epoch_ns;
}

uint32_t symbolizer_module(struct symbolizer *s, const struct module_key *key)
{
	struct module_key whole = *key;
	uint64_t hash;

	whole.path = key->path ? key->path : "";
	whole.build_id_len = key->build_id ? key->build_id_len : 0;
	whole.recording = key->kind == MODULE_KERNEL || key->kind == MODULE_JIT ? s->recording : 0;
	hash = key_hash(&whole);
	hashidx_each(&s->modules_by_key, hash, id)
		if (same_key(&s->modules.at[id].module->key, &whole))
			return id;
	vec_push(&s->modules, (struct registered){
		.module = module_new(&whole, &s->options, s->strings, &s->baggage, &s->crew) });
	hashidx_add(&s->modules_by_key, hash, (uint32_t)s->modules.nr - 1);
	return (uint32_t)s->modules.nr - 1;
}

void symbolizer_add_elf(struct symbolizer *s, const char *path, const uint8_t *build_id,
			size_t build_id_len, const void *bytes, size_t len)
{
	size_t id_len = build_id ? build_id_len : 0;

	vec_push(&s->baggage.items, (struct travelled){
		.path = xstrdup(path),
		.build_id = id_len ? xmemdup(build_id, id_len) : NULL,
		.build_id_len = id_len,
		.bytes = xmemdup(bytes, len),
		.len = len,
	});
	vec_each(&s->modules, r)
		if (module_may_open_now(r->module, vec_last(&s->baggage.items)))
			close_namers(r);
}

void symbolizer_add_kallsyms(struct symbolizer *s, const uint8_t *build_id, size_t build_id_len,
			     const char *text, size_t len)
{
	vec_push(&s->baggage.items, (struct travelled){
		.is_kallsyms = true,
		.recording = s->recording,
		.build_id = xmemdup(build_id, build_id_len),
		.build_id_len = build_id_len,
		.bytes = xmemdup(text, len),
		.len = len,
	});
}

void symbolizer_add_kernel_code(struct symbolizer *s, uint64_t addr, uint32_t len, const char *name)
{
	vec_push(&s->baggage.kernel_code,
		 (struct kernel_code){ .recording = s->recording, .len = len, .addr = addr, .name = xstrdup(name) });
}

static struct travelled *find_perf_map(struct symbolizer *s, uint32_t pid)
{
	vec_each(&s->baggage.items, t)
		if (!t->path && !t->is_kallsyms && t->pid == pid && t->recording == s->recording)
			return t;
	return NULL;
}

void symbolizer_add_perf_map(struct symbolizer *s, uint32_t pid, const void *text, size_t len)
{
	struct travelled *old = find_perf_map(s, pid);
	struct travelled map = {
		.pid = pid, .recording = s->recording, .bytes = xmemdup(text, len), .len = len
	};

	/* A live process's map grows: what is asked from now on is looked up in the new one. */
	vec_each(&s->modules, r)
		if (r->module->key.kind == MODULE_JIT && r->module->key.pid == pid &&
		    r->module->key.recording == s->recording)
			close_namers(r);
	if (old) {
		free(old->bytes);
		*old = map;
	} else {
		vec_push(&s->baggage.items, map);
	}
}

static void open_namers(struct registered *r)
{
	size_t i;

	module_open_names(r->module);
	for (i = 0; i < ARRAY_LEN(sources); i++) {
		void *self;

		if (sources[i]->open(r->module, &self))
			r->namers[r->nr_namers++] = (struct namer){ sources[i], self };
	}
	r->is_open = true;
}

/* What all frames of an address have in common, and one frame of them where that was asked for. */
static void finish_frames(struct symbolizer *s, const struct module *m, uint64_t vaddr)
{
	struct frames *f = &s->scratch;

	if (s->options.no_inline && f->list.nr > 1) {
		f->list.at[0] = *vec_last(&f->list);
		f->list.nr = 1;
	}
	vec_each(&f->list, frame) {
		if (!frame->module)
			frame->module = m->path;
		frame->vaddr = vaddr;
		frame->is_kernel = m->key.kind == MODULE_KERNEL;
	}
}

static void resolve(struct symbolizer *s, struct registered *r, uint64_t addr)
{
	uint64_t vaddr;
	size_t i;

	if (!r->is_open)
		open_namers(r);
	s->scratch.list.nr = 0;
	vaddr = module_vaddr(r->module, addr);
	for (i = 0; i < r->nr_namers; i++)
		if (r->namers[i].source->resolve(r->namers[i].self, vaddr, &s->scratch))
			break;
	assert(i < r->nr_namers && s->scratch.list.nr);
	s->nr_no_symbol += r->namers[i].source == &source_hex;
	finish_frames(s, r->module, vaddr);
}

void symbolizer_resolve(struct symbolizer *s, uint32_t module, struct code_addr at,
			const struct frame **ret_frames, size_t *ret_nr)
{
	uint64_t addr = code_addr_lookup(at), hash = hash_mix(module, addr);
	struct answer answer = { .addr = addr, .module = module };

	assert(module < s->modules.nr);
	hashidx_each(&s->answers_by_addr, hash, id) {
		const struct answer *a = &s->answers.at[id];

		if (a->addr == addr && a->module == module) {
			*ret_frames = a->frames;
			*ret_nr = a->nr;
			return;
		}
	}
	resolve(s, &s->modules.at[module], addr);
	answer.nr = (uint32_t)s->scratch.list.nr;
	answer.frames = arena_dup(&s->arena, s->scratch.list.at,
				  answer.nr * sizeof(s->scratch.list.at[0]));
	vec_push(&s->answers, answer);
	hashidx_add(&s->answers_by_addr, hash, (uint32_t)s->answers.nr - 1);
	*ret_frames = answer.frames;
	*ret_nr = answer.nr;
}

uint32_t symbolizer_name(struct symbolizer *s, const char *symbol)
{
	char *name = xstrndup(symbol, *symbol ? strcspn(symbol + 1, "@") + 1 : 0);
	char *shown = s->options.no_demangle ? NULL : demangle(name);
	uint32_t id = strings_id(s->strings, shown ? shown : name);

	free(name);
	free(shown);
	return id;
}

Elf *symbolizer_elf(struct symbolizer *s, uint32_t module)
{
	struct module *m;

	assert(module < s->modules.nr);
	m = s->modules.at[module].module;
	module_open(m);
	if (!m->has_names)
		elf_file_expect_debug(&m->file, &s->crew);
	return m->file.elf;
}

void symbolizer_stats(const struct symbolizer *s, struct symbolizer_stats *ret)
{
	*ret = (struct symbolizer_stats){ .nr_resolved = s->answers.nr,
					  .nr_no_symbol = s->nr_no_symbol };
	vec_each(&s->modules, r) {
		ret->nr_missing_files += r->module->state == MODULE_MISSING;
		ret->nr_wrong_build_id += r->module->state == MODULE_WRONG_BUILD_ID;
	}
}
