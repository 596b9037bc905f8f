/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions --calls means, and where in each its probe goes. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "collector/build_id.h"
#include "collector/call_jumps.h"
#include "collector/call_midst.h"
#include "collector/call_native.h"
#include "collector/signature.h"

/* Of a symbol without a size no more bytes are looked at; longer functions are not read whole. */
enum { UNKNOWN_SIZE_BYTES = 4096, MAX_CODE_BYTES = 1 << 20 };

/* ---- patterns ---- */

/* A function's name may have an "@" only as the begin of its version, which nobody writes here. */
static int add_pattern(struct call_native *n, const char *text, struct err *e)
{
	const char *at = strrchr(text, '@');
	struct call_pattern p = { .text = text };

	if (!*text || at == text || (at && !at[1])) {
		err_set(e, -EINVAL, "--calls %s: not a function", text);
		return err_remedy(e, "It takes PATTERN[@MODULE]: 'parse_*', 'malloc@libc.so*'");
	}
	p.name = at ? xstrndup(text, (size_t)(at - text)) : xstrdup(text);
	p.module = at ? xstrdup(at + 1) : NULL;
	wanted_init(&p.wanted, p.name);
	vec_push(&n->patterns, p);
	return 0;
}

static bool is_glob(const char *s)
{
	return strpbrk(s, "*?[") != NULL;
}

/* Of two functions for one of Go's the other one has its name. */
static bool is_named(const struct call_pattern *p, const struct image_symbol *sym, const struct signature *sig)
{
	return sym->is_other_abi ? !fnmatch(p->name, sym->name, 0) : wanted_is_like(&p->wanted, sym->name, sig);
}

/* Sets which patterns mean it. */
static bool is_wanted(struct call_native *n, const struct locate_file *f, const struct image_symbol *sym)
{
	struct signature sig;
	bool yes = false;

	signature_of(sym->name, &sig);
	vec_each(&n->patterns, p) {
		p->is_meant = sig.name && locate_file_matches(f, p->module) && is_named(p, sym, &sig);
		yes |= p->is_meant;
	}
	signature_release(&sig);
	return yes;
}

/* ---- places ---- */

static void say_placement(const struct call_function *f, const struct call_file *file)
{
	const struct call_placement *p = &f->placement;

	if (p->kind == CALL_PLACE_NONE)
		log_warn("calls of %s in %s are not counted: %s", f->name, file->module, p->why);
	else if (p->kind == CALL_PLACE_EMULATED)
		log_verbose("counts %s in %s at +%u: %s", f->name, file->module, p->off, p->text);
	else
		log_verbose("counts %s in %s at +%u, stepped: %s: %s", f->name, file->module, p->off,
			    p->text, p->why);
}

/* At the first byte nobody comes by but who calls. */
static bool is_sure(const struct call_placement *p)
{
	return p->kind == CALL_PLACE_EMULATED && !p->off;
}

/* The file is mapped when the first function needs it: code is zeroed until then. */
static void place(struct call_function *f, struct call_code *code, const struct image *m, const struct image_symbol *sym, int fd)
{
	uint64_t len = image_symbol_size(m, sym, sym->size ? MAX_CODE_BYTES : UNKNOWN_SIZE_BYTES);
	uint8_t *bytes = xmalloc(len);
	ssize_t got = pread(fd, bytes, len, (off_t)f->off);
	struct call_jumps jumps;
	uint64_t entered = 0;

	len = got > 0 ? (uint64_t)got : 0;
	/* What is emulated stands where nothing of the function's leads, wherever its jumps go. */
	call_place_find(bytes, len, &call_jumps_anywhere, &f->placement);
	if (!is_sure(&f->placement)) {
		if (!code->image)
			call_code_open(code, m, fd);
		entered = call_midst_find(code, sym, len);
	}
	if (f->placement.kind != CALL_PLACE_EMULATED || (entered && entered <= f->placement.off)) {
		call_jumps_find(code, sym, len, &jumps);
		jumps.entered = entered;
		call_place_find(bytes, len, &jumps, &f->placement);
	}
	free(bytes);
}

/* What the patterns that mean it have found. */
static void note_found(struct call_native *n, const struct call_function *f)
{
	vec_each(&n->patterns, p) {
		if (p->is_meant && f->placement.kind == CALL_PLACE_NONE)
			p->why_refused = f->placement.why;
		else if (p->is_meant && (!p->functions.nr || *vec_last(&p->functions) != n->functions.nr - 1))
			vec_push(&p->functions, n->functions.nr - 1);
	}
}

static bool has_same_name(const struct image_symbol *a, const struct image_symbol *b)
{
	struct signature as, bs;
	bool yes;

	signature_of(a->name, &as);
	signature_of(b->name, &bs);
	yes = !as.name || !bs.name || !strcmp(as.name, bs.name);
	signature_release(&as);
	signature_release(&bs);
	return yes;
}

/* open, open64, __libc_open; or two functions of which the compiler or the linker made one. */
static bool is_aliased(const struct image *m, const struct image_symbol *sym)
{
	const struct image_symbol *s = sym, *end = m->symbols.at + m->symbols.nr;

	while (s > m->symbols.at && s[-1].off == sym->off)
		s--;
	for (; s < end && s->off == sym->off; s++)
		if (s != sym && s->is_function && !has_same_name(s, sym))
			return true;
	return false;
}

/* Of what a glob means: free rather than __libc_free, and than cfree. */
static bool is_better_name(const char *name, const char *than)
{
	size_t a = strspn(name, "_"), b = strspn(than, "_");

	return a < b || (a == b && strcspn(name, "@") < strcspn(than, "@"));
}

static void add_function(struct call_native *n, struct call_function *f, struct call_code *code, const struct image *m,
			 const struct image_symbol *sym, int fd)
{
	*f = (struct call_function){
		.file = n->files.nr - 1,
		.off = sym->off,
		.vaddr = sym->vaddr,
		.size = sym->size,
		.name = sym->name,
		.is_aliased = is_aliased(m, sym),
	};
	place(f, code, m, sym, fd);
	say_placement(f, &n->files.at[f->file]);
	if (f->placement.kind != CALL_PLACE_NONE)
		vec_push(&n->functions, *f);
}

static bool has_room(const struct call_native *n)
{
	return !n->nr_functions_max || n->functions.nr < n->nr_functions_max;
}

static void leave_out(struct call_native *n)
{
	n->nr_left_out++;
	vec_each(&n->patterns, p)
		if (p->is_meant)
			p->why_refused = "there is no room for it";
}

/* A glob that means it may mean the one that was chosen, too. */
static void note_indirect(struct call_native *n, const struct image_symbol *sym, const char *module)
{
	const char *text = "%s in %s is indirect: the one that is chosen for this processor has a name of its own, and "
			   "is counted by that";
	bool is_named = false;

	vec_each(&n->patterns, p)
		if (p->is_meant) {
			p->why_refused = "it is indirect, one of several is chosen for this processor";
			p->is_indirect = true;
			is_named |= !is_glob(p->name);
		}
	if (is_named)
		log_warn(text, sym->name, module);
	else
		log_verbose(text, sym->name, module);
}

/* Symbols come by their place: a function goes by one of its names that are wanted. */
static void search_symbols(struct call_native *n, const struct locate_file *f, const struct image *m, int fd)
{
	struct call_function last = { 0 };
	struct call_code code = { 0 };
	uint64_t last_indirect = 0;

	vec_each(&m->symbols, sym) {
		if (!sym->is_function || !is_wanted(n, f, sym))
			continue;
		if (sym->is_indirect) {
			if (sym->off != last_indirect)
				note_indirect(n, sym, f->module);
			last_indirect = sym->off;
			continue;
		}
		if (sym->off == last.off) {
			note_found(n, &last);
			if (last.placement.kind != CALL_PLACE_NONE && is_better_name(sym->name, last.name))
				vec_last(&n->functions)->name = last.name = sym->name;
		} else if (has_room(n)) {
			add_function(n, &last, &code, m, sym, fd);
			note_found(n, &last);
		} else {
			leave_out(n);
		}
	}
	call_code_release(&code);
}

static bool is_same_file(const struct locate_file *f, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == f->dev && st.st_ino == f->inode;
}

static void search_file(struct call_native *n, const struct locate_file *f, const struct image *m)
{
	int fd = open(f->open_path, O_RDONLY | O_CLOEXEC);
	size_t nr = n->functions.nr;

	if (fd < 0 || !is_same_file(f, fd))
		log_warn("calls in %s are not counted: %s", f->module, fd < 0 ? strerror(errno) : "it was replaced meanwhile");
	else
		search_symbols(n, f, m, fd);
	if (n->functions.nr > nr)
		vec_last(&n->files)->fd = fd;
	else if (fd >= 0)
		close(fd);
}

/* ---- what was inlined ---- */

/* So many are named in a line each; what a glob of all of a library means may be hundreds. */
enum { INLINED_LINES = 8 };

#define INLINED "calls of %s in %s cannot be counted: it was inlined wherever it is called"

struct inlined_name {
	char *text;
	bool has_body;		/* whose symbol has another name: C++'s symbols number lambdas, DWARF does not */
};

struct inlined {
	const struct call_native *n;
	const struct locate_file *file;
	VEC(char *) bodies;	/* names of the source that symbols have, sorted */
	VEC(struct inlined_name) names;	/* that no symbol has */
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_bodies(struct inlined *i)
{
	vec_each(&i->file->image->symbols, sym) {
		struct signature sig;

		if (!sym->is_function)
			continue;
		signature_of(sym->name, &sig);
		if (sig.name)
			vec_push(&i->bodies, xstrdup(sig.name));
		signature_release(&sig);
	}
	if (i->bodies.nr)
		qsort(i->bodies.at, i->bodies.nr, sizeof(*i->bodies.at), by_text);
}

/* Of a name without a glob the search's error says it, or there is a body. "*" would name all that there is. */
static bool may_say(const struct inlined *i, const struct call_pattern *p)
{
	return is_glob(p->name) && strcmp(p->name, "*") && locate_file_matches(i->file, p->module) &&
	       (p->module || i->file->is_main);
}

static bool is_asked(const struct inlined *i, const char *symbol, const struct signature *sig)
{
	vec_each(&i->n->patterns, p)
		if (may_say(i, p) && wanted_is_like(&p->wanted, symbol, sig))
			return true;
	return false;
}

static bool has_symbol(const struct inlined *i, const char *name)
{
	return i->bodies.nr && bsearch(&name, i->bodies.at, i->bodies.nr, sizeof(*i->bodies.at), by_text);
}

/* And no piece of one, which is left where the rest was inlined. */
static bool is_function_at(const struct image *m, uint64_t vaddr)
{
	vec_each(&m->symbols, sym) {
		struct signature sig = { 0 };
		bool yes;

		if (sym->vaddr == vaddr && sym->is_function)
			signature_of(sym->name, &sig);
		yes = sig.name;
		signature_release(&sig);
		if (yes)
			return true;
	}
	return false;
}

static void note_name(struct inlined *i, const char *name, uint64_t code)
{
	bool has_body = code && is_function_at(i->file->image, code);

	vec_each(&i->names, known)
		if (!strcmp(known->text, name)) {
			known->has_body |= has_body;
			return;
		}
	vec_push(&i->names, (struct inlined_name){ xstrdup(name), has_body });
}

static bool note_inlined(void *self, const char *name, const char *symbol, uint64_t code)
{
	struct inlined *i = self;
	struct signature sig;

	symbol = symbol ? symbol : name;
	signature_of(symbol, &sig);
	if (sig.name && is_asked(i, symbol, &sig)) {
		if (!i->bodies.nr)
			read_bodies(i);
		if (!has_symbol(i, sig.name))
			note_name(i, sig.name, code);
	}
	signature_release(&sig);
	return true;
}

static void say_names(const struct inlined *i)
{
	const char *module = i->file->module;
	size_t k = 0;

	vec_each(&i->names, name) {
		if (name->has_body)
			continue;
		if (k++ < INLINED_LINES)
			log_warn(INLINED, name->text, module);
		else
			log_verbose(INLINED, name->text, module);
	}
	if (k > INLINED_LINES)
		log_warn("nor can those of %zu more functions in %s that were inlined: -v names them", k - INLINED_LINES,
			 module);
}

static void say_inlined(const struct call_native *n, const struct locate_file *f)
{
	struct inlined i = { .n = n, .file = f };
	bool is_any = false;

	vec_each(&n->patterns, p)
		is_any |= may_say(&i, p);
	if (is_any)
		image_each_source(f->image, note_inlined, &i);
	say_names(&i);
	vec_each(&i.bodies, name)
		free(*name);
	vec_release(&i.bodies);
	vec_each(&i.names, name)
		free(name->text);
	vec_release(&i.names);
}

/* ---- the whole ---- */

static bool is_searched(const struct call_native *n, const struct locate_file *f)
{
	vec_each(&n->files, known)
		if (known->dev == f->dev && known->inode == f->inode)
			return true;
	return false;
}

bool call_native_wants(const struct call_native *n, const char *path)
{
	vec_each(&n->patterns, p)
		if (locate_module_matches(path, p->module))
			return true;
	return false;
}

void call_native_search(struct call_native *n)
{
	size_t i;

	for (i = 0; i < n->locate.files.nr; i++) {
		struct locate_file *f = &n->locate.files.at[i];
		struct call_file file = {
			.module = f->module, .fd = -1, .dev = f->dev, .inode = f->inode
		};

		if (is_searched(n, f))
			continue;
		file.is_go = locate_file_is_go(f);
		vec_push(&n->files, file);
		if (!call_native_wants(n, f->module) || !locate_image(f))
			continue;
		build_id_of_path(f->open_path, &vec_last(&n->files)->build_id);
		search_file(n, f, f->image);
		say_inlined(n, f);
	}
}

static int find_files(struct call_native *n, const struct marker_target *target, struct err *e)
{
	size_t nr_found = 0;
	int err = 0;

	if (target->program)
		return locate_command(&n->locate, target->program, target->arguments, e);
	vec_each(&target->pids->at, pid) {
		err = locate_process(&n->locate, (int)*pid, e);
		nr_found += !err;
	}
	return nr_found ? 0 : err;
}

/* Names of C++ have a '*' of their own: with parameters or arguments of a template they are no mere glob. */
static bool is_mere_glob(const char *name)
{
	return is_glob(name) && !strpbrk(name, "(<");
}

static int explain_miss(struct call_native *n, const struct call_pattern *p, struct err *e)
{
	const struct probe_name name = { .function = p->name, .module = p->module };

	return locate_miss(&n->locate, &name, e);
}

static int explain_nothing(struct call_native *n, const struct call_pattern *p, struct err *e)
{
	if (p->why_refused) {
		err_set(e, -EOPNOTSUPP, "--calls %s: its calls cannot be counted: %s", p->text, p->why_refused);
		return p->is_indirect ? err_remedy(e, "'*%s*' means all that there are.", p->name) : e->code;
	}
	if (!is_mere_glob(p->name))
		return explain_miss(n, p, e);
	err_set(e, -ENOENT, "--calls %s: no function is named like that", p->text);
	if (n->locate.files.nr)
		err_remedy(e, "wperf probes -p %u '*' lists what can be named.", n->locate.files.at[0].pid);
	return e->code;
}

/* What a program that does not run yet will load itself is not known: call_native_tell_unmet() says what that lacked. */
static int check_found(struct call_native *n, const struct marker_target *target, struct err *e)
{
	if (target->program)
		return 0;
	vec_each(&n->patterns, p)
		if (!p->functions.nr)
			return explain_nothing(n, p, e);
	return 0;
}

static bool is_called(const struct call_native *n, const struct call_pattern *p)
{
	vec_each(&p->functions, i)
		if (call_core_hits(n->core, (uint32_t)*i + 1).nr)
			return true;
	return false;
}

/* What could not be placed was said when it was found. */
void call_native_tell_unmet(struct call_native *n, bool is_all)
{
	struct str uncalled = { 0 };

	n->locate.has_run = true;
	vec_each(&n->patterns, p) {
		struct err e = { 0 };

		if (p->functions.nr && !is_called(n, p)) {
			str_addf(&uncalled, "%s%s", uncalled.len ? ", " : "", p->text);
		} else if (!p->functions.nr && !p->why_refused && (is_mere_glob(p->name) || !is_all)) {
			log_warn("--calls %s: no function was named like that%s", p->text,
				 is_all ? "" : " in what could be searched");
		} else if (!p->functions.nr && !p->why_refused) {
			explain_miss(n, p, &e);
			log_warn("--calls %s: %s", p->text, e.what);
			if (e.remedy[0])
				log_info("%s", e.remedy);
		}
	}
	if (n->nr_left_out)
		log_warn("calls of %zu functions are not counted: there was room for %d that come while recording",
			 n->nr_left_out, CALL_NATIVE_SPARE);
	if (uncalled.len)
		log_info("no call was counted of what these mean: %s", uncalled.s);
	if (uncalled.len && n->has_newcomers)
		log_info("what began while recording is counted from a while after: its first calls are not");
	str_release(&uncalled);
}

int call_native_prepare(struct call_native **ret_native, const char *const *specs, size_t nr_specs,
			const struct marker_target *target, struct err *e)
{
	struct call_native *n = xcalloc(1, sizeof(*n));
	size_t i;
	int err = 0;

	for (i = 0; i < nr_specs && !err; i++)
		err = add_pattern(n, specs[i], e);
	if (!err)
		err = find_files(n, target, e);
	if (!err) {
		call_native_search(n);
		err = check_found(n, target, e);
	}
	if (!err && n->functions.nr > CALLS_MAX_FUNCTIONS)
		err = err_set(e, -E2BIG, "--calls: %zu functions, more than %d", n->functions.nr,
			      CALLS_MAX_FUNCTIONS);
	if (err) {
		call_native_free(n);
		return err;
	}
	n->nr_functions_max = n->functions.nr + CALL_NATIVE_SPARE;
	*ret_native = n;
	return 0;
}
