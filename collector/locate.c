/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/locate.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/nearest.h"
#include "base/str.h"
#include "collector/loader.h"
#include "collector/maps.h"
#include "collector/operand.h"
#include "collector/root.h"
#include "collector/signature.h"
#include "collector/target.h"
#include "collector/workload.h"

/* Programs among a command's arguments that are looked at: env nice timeout PROGRAM has three; a list of files has many. */
enum { NAMED_MAX = 4 };

static const char *arena_text(struct arena *a, char *text)
{
	const char *s = arena_strndup(a, text, strlen(text));

	free(text);
	return s;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* A process and what is looked at of it: see process_live_task() for why that is not its pid. */
struct looked_at {
	uint32_t pid, task;
	int root;		/* negative: out of reach */
	struct stat program;	/* st_ino 0: not known */
};

/*
 * The mapped file itself. Without the privilege for map_files the path is taken where its inode is
 * the mapped one; the device cannot be compared, overlayfs and btrfs show stat(2) another one.
 */
static bool stat_mapped(const struct maps_entry *m, const char *map_file, int in_root,
			struct stat *ret)
{
	if (stat(map_file, ret))
		if (m->is_deleted || in_root < 0 || fstat(in_root, ret) || ret->st_ino != m->inode)
			return false;
	return S_ISREG(ret->st_mode);
}

/* Sets how the file is opened; *in_root, of the file by its path in the process's root, is taken. */
static void choose_road(struct locate *l, struct locate_file *file, const char *path,
			const char *map_file, int *in_root, const struct stat *mapped)
{
	struct stat st;

	file->fd = -1;
	if (!stat(path, &st) && same_file(&st, mapped)) {
		file->open_path = arena_strndup(&l->arena, path, strlen(path));
	} else if (*in_root >= 0 && !fstat(*in_root, &st) && same_file(&st, mapped)) {
		file->fd = *in_root;
		*in_root = -1;
		file->open_path = arena_text(&l->arena, xasprintf("/proc/self/fd/%d", file->fd));
	} else {
		file->open_path = arena_strndup(&l->arena, map_file, strlen(map_file));
	}
}

static bool is_listed(const struct locate *l, const struct stat *mapped)
{
	vec_each(&l->files, f)
		if (f->dev == mapped->st_dev && f->inode == mapped->st_ino)
			return true;
	return false;
}

/* Programs stand before libraries. */
static void add_file(struct locate *l, struct locate_file file)
{
	size_t at = l->files.nr;

	for (at = 0; file.is_main && at < l->files.nr; at++)
		if (!l->files.at[at].is_main)
			break;
	vec_insert(&l->files, file.is_main ? at : l->files.nr, file);
}

static void add_mapping(struct locate *l, const struct looked_at *p, const struct maps_entry *m)
{
	char *map_file = xasprintf("/proc/%u/map_files/%llx-%llx", p->task,
				   (unsigned long long)m->start, (unsigned long long)m->end);
	int in_root = p->root < 0 ? -1 : root_find_file(p->root, m->path);
	struct locate_file file = { .pid = p->pid };
	struct stat mapped;

	if (!stat_mapped(m, map_file, in_root, &mapped)) {
		l->nr_unreadable++;
	} else if (!is_listed(l, &mapped)) {
		choose_road(l, &file, m->path, map_file, &in_root, &mapped);
		file.module = arena_strndup(&l->arena, m->path, strlen(m->path));
		file.dev = mapped.st_dev;
		file.inode = mapped.st_ino;
		file.is_main = same_file(&mapped, &p->program);
		add_file(l, file);
	}
	if (in_root >= 0)
		close(in_root);
	free(map_file);
}

static struct looked_at look_at(uint32_t pid)
{
	struct looked_at p = { .pid = pid, .task = process_live_task(pid) };
	char *exe;

	p.root = root_of_process(pid);
	p.task = p.task ? p.task : pid;
	exe = xasprintf("/proc/%u/exe", p.task);
	if (stat(exe, &p.program))
		p.program.st_ino = 0;
	free(exe);
	return p;
}

static size_t add_mappings(struct locate *l, uint32_t pid, const struct maps *maps)
{
	struct looked_at p = look_at(pid);
	size_t nr_code = 0;

	vec_each(&maps->entries, m) {
		if (!(m->prot & PROT_EXEC) || !maps_entry_is_file(m))
			continue;
		add_mapping(l, &p, m);
		nr_code++;
	}
	if (p.root >= 0)
		close(p.root);
	return nr_code;
}

int locate_process(struct locate *l, int pid, struct err *e)
{
	size_t nr_code, before = l->nr_unreadable;
	struct maps maps = { 0 };
	int rc;

	if (process_is_32_bit((uint32_t)pid))
		return err_set(e, -EINVAL, "process %d: a 32-bit program: probes take 64-bit ones", pid);
	rc = maps_read(&maps, pid, e);
	if (rc)
		return rc;
	nr_code = add_mappings(l, (uint32_t)pid, &maps);
	if (!maps.entries.nr) {
		rc = err_set(e, -EINVAL,
			     "process %d: it has no program (a kernel thread, or it ended)",
			     pid);
	} else if (nr_code && l->nr_unreadable - before == nr_code) {
		err_set(e, -EACCES, "process %d: none of its program files can be reached", pid);
		rc = err_remedy(e, "Run as root, or as the user that the process runs as.");
	}
	maps_release(&maps);
	return rc;
}

static int find_at_path(uint32_t pid, const char *path)
{
	int root = root_of_process(pid), found = root < 0 ? -1 : root_find_file(root, path);

	if (root >= 0)
		close(root);
	return found;
}

int locate_mapped(struct locate *l, uint32_t pid, const char *path, int found)
{
	int in_root = found < 0 ? find_at_path(pid, path) : found;
	struct locate_file file = { .pid = pid };
	int is_new = -ENOENT;
	struct stat st;

	if (in_root >= 0 && !fstat(in_root, &st) && S_ISREG(st.st_mode))
		is_new = !is_listed(l, &st);
	if (is_new > 0) {
		choose_road(l, &file, path, path, &in_root, &st);
		file.module = arena_strndup(&l->arena, path, strlen(path));
		file.dev = st.st_dev;
		file.inode = st.st_ino;
		add_file(l, file);
	}
	if (in_root >= 0)
		close(in_root);
	return is_new;
}

/* A library that a program will begin with: it is opened by its path, whoever maps it. */
static void add_library(struct locate *l, const char *path)
{
	struct locate_file file = { .fd = -1 };
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode) || is_listed(l, &st))
		return;
	file.module = file.open_path = arena_strndup(&l->arena, path, strlen(path));
	file.dev = st.st_dev;
	file.inode = st.st_ino;
	vec_push(&l->files, file);
}

static void add_libraries(struct locate *l, const char *program)
{
	struct loader_libraries found = { 0 };
	int err = loader_list(program, &found);

	if (err)
		log_verbose("%s: its libraries are not known before it runs: %s", program, strerror(-err));
	vec_each(&found.paths, path)
		add_library(l, *path);
	loader_libraries_release(&found);
}

static int add_program(struct locate *l, const char *program, const char *path, struct err *e)
{
	struct locate_file file = { .is_main = true, .fd = -1 };
	char *real = realpath(program, NULL);
	struct stat st;

	if (!real || stat(real, &st)) {
		free(real);
		return err_set(e, -errno, "%s: %m", path);
	}
	file.module = file.open_path = arena_text(&l->arena, real);
	file.dev = st.st_dev;
	file.inode = st.st_ino;
	if (is_listed(l, &st))
		return 0;
	if (!locate_image(&file))
		return err_set(e, -ENOEXEC, "%s: not a program for x86-64 that can be read", path);
	add_file(l, file);
	add_libraries(l, file.open_path);
	return 0;
}

int locate_program(struct locate *l, const char *path, struct err *e)
{
	char *argument, *program = loader_program(path, &argument);
	char *named = argument ? workload_find_program(argument) : NULL;
	int err = add_program(l, program, path, e);

	if (!err && named)
		add_program(l, named, named, &(struct err){ 0 });
	free(program);
	free(argument);
	free(named);
	return err;
}

int locate_command(struct locate *l, const char *program, char *const *arguments, struct err *e)
{
	int err = locate_program(l, program, e), nr = 0;

	for (; !err && *arguments && nr < NAMED_MAX; arguments++) {
		char *named = workload_find_program(*arguments);

		if (named && !locate_program(l, named, &(struct err){ 0 }))
			nr++;
		free(named);
	}
	return err;
}

void locate_release(struct locate *l)
{
	vec_each(&l->files, f) {
		if (f->image)
			image_release(f->image);
		free(f->image);
		if (f->fd >= 0)
			close(f->fd);
	}
	vec_release(&l->files);
	arena_release(&l->arena);
	l->nr_unreadable = 0;
}

const struct image *locate_image(struct locate_file *f)
{
	struct err e = { 0 };

	if (f->image || f->is_no_image)
		return f->image;
	f->image = xcalloc(1, sizeof(*f->image));
	if (image_open(f->image, f->open_path, f->pid, f->module, &e)) {
		log_verbose("%s holds no probes: %s", f->module, e.what);
		free(f->image);
		f->image = NULL;
		f->is_no_image = true;
	}
	return f->image;
}

const struct image *locate_image_of(struct locate *l, const struct probe_site *site)
{
	vec_each(&l->files, f)
		if (f->open_path == site->open_path)
			return locate_image(f);
	return NULL;
}

/* As a whole, or up to a '.' of it: libz, libz.so and libz.so.1 are libz.so.1.2.13, and python3 is python3.11. */
static bool is_named(const char *name, const char *pattern)
{
	char *front;
	bool is_front;

	if (!fnmatch(pattern, name, 0))
		return true;
	front = xasprintf("%s.*", pattern);
	is_front = !fnmatch(front, name, 0);
	free(front);
	return is_front;
}

/* The path is of a file, or of a link to it, as ldd(1) has them. */
static bool leads_to(const char *pattern, const char *path)
{
	char *real = realpath(pattern, NULL);
	bool is_it = real && !strcmp(real, path);

	free(real);
	return is_it;
}

bool locate_module_matches(const char *path, const char *module)
{
	const char *slash = strrchr(path, '/');

	if (!module || is_named(path, module) || is_named(slash ? slash + 1 : path, module))
		return true;
	return strchr(module, '/') && leads_to(module, path);
}

bool locate_file_matches(const struct locate_file *f, const char *module)
{
	return locate_module_matches(f->module, module);
}

/* One search, and what it has found so far. */
struct search {
	const struct probe_name *name;
	struct locate *l;
	struct probe_sites found;
	VEC(char *) signatures;			/* the different functions among what was found */
	struct locate_file *indirect_file;	/* has an indirect function of that name */
};

static struct probe_site *add_site(struct search *s, const struct locate_file *f, uint64_t off,
				   const char *name)
{
	struct probe_site site = { .open_path = f->open_path,
				   .off = off,
				   .code_off = off,
				   .dev = f->dev,
				   .inode = f->inode,
				   .module = f->module,
				   .name = name,
				   .is_go = s->name->function && locate_file_is_go(f),
				   .is_return = s->name->is_return };

	vec_push(&s->found.sites, site);
	return vec_last(&s->found.sites);
}

static void set_function_args(struct probe_args *args, bool is_changed)
{
	unsigned int i;

	args->nr = FUNCTION_ARGS_MAX;
	for (i = 0; i < args->nr; i++) {
		args->why[i] = operand_of_function(i + 1, &args->at[i]);
		if (is_changed) {
			args->at[i] = (struct probe_arg){ 0 };
			args->why[i] = "the compiler changed what this copy of the function takes";
		}
	}
}

static void note_signature(struct search *s, const char *full)
{
	vec_each(&s->signatures, known)
		if (!strcmp(*known, full))
			return;
	vec_push(&s->signatures, xstrdup(full));
}

static void search_functions(struct search *s, struct locate_file *f, const struct image *m,
			     const struct wanted *w)
{
	uint64_t last_off = 0;

	vec_each(&m->symbols, sym) {
		struct signature sig;

		if (sym->off == last_off || !wanted_matches(w, sym->name, &sig))
			continue;
		if ((!sym->is_function || sym->is_other_abi) && strcmp(sym->name, w->text)) {
			signature_release(&sig);
			continue;
		}
		last_off = sym->off;
		note_signature(s, sig.full);
		if (sym->is_indirect)
			s->indirect_file = f;
		else
			set_function_args(&add_site(s, f, sym->off, sym->name)->args,
					  sig.is_changed);
		signature_release(&sig);
	}
}

static bool scope_symbol(void *self, const char *name, size_t len, uint64_t *ret_vaddr)
{
	return image_symbol_vaddr(self, name, len, ret_vaddr);
}

static void set_usdt_args(struct probe_args *args, const struct usdt_site *u, const struct image *m)
{
	struct operand_scope scope = { .vaddr = u->vaddr,
				       .is_fixed = m->is_fixed,
				       .symbol = scope_symbol,
				       .self = (void *)m };
	unsigned int i;

	args->nr = operand_count(u->args);
	if (args->nr > PROBE_ARGS_MAX)
		args->nr = PROBE_ARGS_MAX;
	for (i = 0; i < args->nr; i++)
		args->why[i] = operand_parse(u->args, i + 1, &scope, &args->at[i]);
}

static int by_site(const void *va, const void *vb)
{
	const struct probe_site *a = va, *b = vb;

	return a->off < b->off ? -1 : a->off > b->off;
}

static void search_usdt(struct search *s, const struct locate_file *f, const struct image *m)
{
	size_t first = s->found.sites.nr, i;

	vec_each(&m->usdt.sites, u) {
		struct probe_site *site;

		if (strcmp(u->provider, s->name->provider) || strcmp(u->name, s->name->name))
			continue;
		site = add_site(s, f, u->off, NULL);
		site->name = arena_text(&s->l->arena, xasprintf("%s:%s", u->provider, u->name));
		site->semaphore_off = u->semaphore_off;
		set_usdt_args(&site->args, u, m);
	}
	if (s->found.sites.nr == first)
		return;
	qsort(s->found.sites.at + first, s->found.sites.nr - first, sizeof(struct probe_site),
	      by_site);
	for (i = s->found.sites.nr - 1; i > first; i--)
		if (s->found.sites.at[i].off == s->found.sites.at[i - 1].off)
			vec_remove(&s->found.sites, i, 1);
}

static int refuse_indirect(struct search *s, struct err *e)
{
	err_set(e, -EOPNOTSUPP, "function '%s' in %s is indirect: at load one of several is chosen",
		s->name->function, s->indirect_file->module);
	return err_remedy(e, "Name the one that runs: wperf probes -p %d '*%s*' lists candidates.",
			  (int)s->indirect_file->pid, s->name->function);
}

static int refuse_ambiguous(struct search *s, struct err *e)
{
	struct str names = { 0 };
	size_t nr = 0;

	err_set(e, -ENOTUNIQ, "function '%s' is %zu different ones in the target",
		s->name->function, s->signatures.nr);
	vec_each(&s->signatures, full) {
		if (nr++ == NEAREST_MAX)
			break;
		str_add(&names, nr > 1 ? ", '" : "'");
		str_add_escaped(&names, *full, strlen(*full));
		str_add_char(&names, '\'');
	}
	err_remedy(e, "Name one with its parameters: %s%s.", str_cstr(&names),
		   s->signatures.nr > NEAREST_MAX ? " ..." : "");
	str_release(&names);
	return e->code;
}

static int check_found(struct search *s, struct err *e)
{
	if (s->indirect_file)
		return refuse_indirect(s, e);
	if (s->signatures.nr > 1)
		return refuse_ambiguous(s, e);
	if (!s->found.sites.nr)
		return locate_miss(s->l, s->name, e);
	return 0;
}

int locate_probe(struct locate *l, const struct probe_name *name, struct probe_sites *ret,
		 struct err *e)
{
	struct search s = { .name = name, .l = l };
	struct wanted w = { 0 };
	int rc;

	if (name->function)
		wanted_init(&w, name->function);
	vec_each(&l->files, f) {
		const struct image *m = NULL;

		if (locate_file_matches(f, name->module))
			m = locate_image(f);
		if (m && name->function)
			search_functions(&s, f, m, &w);
		else if (m)
			search_usdt(&s, f, m);
	}
	rc = check_found(&s, e);
	if (!rc)
		vec_each(&s.found.sites, site)
			vec_push(&ret->sites, *site);
	vec_each(&s.signatures, full)
		free(*full);
	vec_release(&s.signatures);
	probe_sites_release(&s.found);
	wanted_release(&w);
	return rc;
}

void probe_sites_release(struct probe_sites *s)
{
	vec_release(&s->sites);
}

static bool is_same_place(const struct probe_site *a, const struct probe_site *b)
{
	return a->dev == b->dev && a->inode == b->inode && a->off == b->off && a->is_return == b->is_return;
}

bool probe_sites_share(const struct probe_sites *a, const struct probe_sites *b)
{
	vec_each(&a->sites, x)
		vec_each(&b->sites, y)
			if (is_same_place(x, y))
				return true;
	return false;
}

void locate_cut_argument(struct locate *l, struct probe_sites *sites, unsigned int n)
{
	vec_each(&sites->sites, site) {
		const struct image *m = locate_image_of(l, site);
		const struct image_symbol *sym = m ? image_symbol_before(m, site->code_off) : NULL;
		unsigned int bytes = sym && sym->off == site->code_off ? image_argument_bytes(m, sym->vaddr, n) : 0;

		if (bytes && n <= site->args.nr)
			site->args.at[n - 1].size = (unsigned char)bytes;
	}
}

int probe_site_arg(const struct probe_site *s, unsigned int n, struct probe_arg *ret, struct err *e)
{
	if (s->is_return || s->is_exit)
		return err_set(e, -EINVAL, "%s: at its return the arguments are gone", s->name);
	if (!n || n > s->args.nr)
		return err_set(e, -EINVAL, "%s: there is no argument %u, it has %u", s->name, n,
			       s->args.nr);
	if (s->args.why[n - 1])
		return err_set(e, -EINVAL, "%s: argument %u cannot be read: %s", s->name, n,
			       s->args.why[n - 1]);
	*ret = s->args.at[n - 1];
	return 0;
}
