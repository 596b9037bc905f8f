/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/module.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/demangle.h"
#include "base/log.h"
#include "base/str.h"
#include "base/units.h"
#include "symbolizer/elf_symbols.h"

#define DELETED " (deleted)"

struct module *module_new(const struct module_key *key, const struct symbolizer_options *options,
			  struct strings *strings, const struct baggage *baggage, struct crew *crew)
{
	struct module *m = xcalloc(1, sizeof(*m));

	m->key = *key;
	m->key.path = xstrdup(key->path ? key->path : "");
	m->key.build_id = key->build_id_len ? xmemdup(key->build_id, key->build_id_len) : NULL;
	m->options = options;
	m->strings = strings;
	m->baggage = baggage;
	m->crew = crew;
	m->path = strings_id(strings, m->key.path);
	/* A recording of ours brings its names along; for another's they will be asked for. */
	if (key->kind == MODULE_KERNEL && !module_is_self_contained(m))
		module_expect_kallsyms(m);
	return m;
}

bool module_is_self_contained(const struct module *m)
{
	vec_each(&m->baggage->self_contained, recording)
		if (*recording == m->key.recording)
			return true;
	return false;
}

void module_expect_kallsyms(struct module *m)
{
	if (!m->kallsyms)
		m->kallsyms = kallsyms_begin(m->crew);
}

void module_forget_kallsyms(struct module *m)
{
	kallsyms_free(m->kallsyms);
	m->kallsyms = NULL;
}

void module_free(struct module *m)
{
	if (!m)
		return;
	module_forget_kallsyms(m);
	symtab_release(&m->symbols);
	debug_info_free(m->debug);
	elf_file_release(&m->file);
	free((char *)m->key.path);
	free((uint8_t *)m->key.build_id);
	free(m);
}

static struct build_id wanted(const struct module *m)
{
	return (struct build_id){ m->key.build_id, m->key.build_id_len };
}

/* By build-id where both have one, else by path. */
static bool is_meant(const struct module *m, const struct travelled *t)
{
	if (!t->path)
		return false;
	if (t->build_id_len && m->key.build_id_len)
		return t->build_id_len == m->key.build_id_len &&
		       !memcmp(t->build_id, m->key.build_id, t->build_id_len);
	return !strcmp(t->path, m->key.path);
}

static const struct travelled *find_travelled(const struct module *m)
{
	vec_each(&m->baggage->items, t)
		if (is_meant(m, t))
			return t;
	return NULL;
}

bool module_may_open_now(struct module *m, const struct travelled *t)
{
	bool was_tried = m->state == MODULE_MISSING || m->state == MODULE_WRONG_BUILD_ID;

	if (!was_tried || !is_meant(m, t))
		return false;
	m->state = MODULE_UNOPENED;
	return true;
}

static int open_travelled(const struct module *m, const char **ret_path)
{
	const struct travelled *t = find_travelled(m);

	*ret_path = m->key.path;
	return t ? elf_file_copy(t->bytes, t->len) : -ENOENT;
}

/* The kernel maps the same vdso into every process of a kind: ours will do if its build-id does. */
static int open_vdso(const struct module *m, const char **ret_path)
{
	const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	Elf64_Ehdr ehdr;

	*ret_path = m->key.path;
	if (!image || strcmp(m->key.path, "[vdso]"))
		return -ENOENT;
	memcpy(&ehdr, image, sizeof(ehdr));
	if (ehdr.e_ident[EI_CLASS] != ELFCLASS64)
		return -ENOENT;
	return elf_file_copy(image, ehdr.e_shoff + (size_t)ehdr.e_shnum * ehdr.e_shentsize);
}

/* Since the recording began: rename(2) leaves the time of the last change of a file's bytes as it is. */
static bool is_newer(const struct module *m, const struct stat *st)
{
	uint64_t begin_ns = m->baggage->begin_epoch_ns;

	return begin_ns && (uint64_t)st->st_ctim.tv_sec * NS_PER_SEC + (uint64_t)st->st_ctim.tv_nsec > begin_ns;
}

/* The file as mapped; a deleted one only if what has its name now is the same build. */
static int open_path(struct module *m, char **ret_path)
{
	size_t len = strlen(m->key.path);
	struct stat st;
	int fd;

	if (m->key.path[0] != '/' || m->key.path[1] == '/')
		return -ENOENT;
	if (str_ends(m->key.path, DELETED)) {
		if (!m->key.build_id)
			return -ENOENT;
		len -= strlen(DELETED);
	}
	*ret_path = xasprintf("%s%.*s", m->options->sysroot ? m->options->sysroot : "", (int)len,
			      m->key.path);
	/* Whatever it is, do not wait for it, nor make it do anything. */
	fd = open(*ret_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
		m->is_newer = is_newer(m, &st);
		return fd;
	}
	close(fd);
	return -ENOENT;
}

/* Takes fd, which may be a negative errno. */
static int try_file(struct module *m, int fd, const char *path, struct err *e)
{
	int ret;

	if (fd < 0)
		return fd;
	ret = elf_file_open(&m->file, fd, path, wanted(m), m->options->sysroot, e);
	if (ret)
		log_debug("%s", e->what);
	return ret;
}

/* 0, or why the best candidate could not be used: e is set but for -ENOENT. */
static int open_elf(struct module *m, struct err *e)
{
	const char *lent = NULL;
	char *path = NULL;
	int fd, ret, by_id;

	fd = open_travelled(m, &lent);
	if (!try_file(m, fd, lent, e))
		return 0;
	fd = open_vdso(m, &lent);
	if (!try_file(m, fd, lent, e))
		return 0;
	fd = open_path(m, &path);
	ret = try_file(m, fd, path, e);
	free(path);
	if (!ret || !m->key.build_id || m->key.path[0] != '/')
		return ret;
	path = NULL;
	fd = elf_file_find(wanted(m), m->options->sysroot, &path);
	by_id = fd < 0 ? fd : elf_file_open(&m->file, fd, path, wanted(m), m->options->sysroot,
					    &(struct err){ 0 });
	free(path);
	return by_id ? ret : 0;
}

static void open_elf_module(struct module *m)
{
	struct err e = { 0 };
	int ret = open_elf(m, &e);

	if (!ret) {
		m->state = MODULE_OPEN;
		if (!m->key.build_id && m->is_newer)
			log_warn("%s has been changed or replaced since the recording began, and no build-id was recorded: "
				 "its functions may have the names of others",
				 m->key.path);
		return;
	}
	m->state = e.code == -ESTALE ? MODULE_WRONG_BUILD_ID : MODULE_MISSING;
	if (e.code)
		log_warn("%s; its functions stay addresses", e.what);
	else
		log_warn("%s: no such file: its functions stay addresses", m->key.path);
}

void module_open(struct module *m)
{
	if (m->state != MODULE_UNOPENED)
		return;
	m->state = MODULE_OPEN;
	if (m->key.kind == MODULE_ELF)
		open_elf_module(m);
}

void module_open_names(struct module *m)
{
	module_open(m);
	if (m->has_names || !m->file.mod)
		return;
	m->has_names = true;
	m->debug = debug_info_new(&m->file, m->crew);
	elf_symbols_read(&m->file, &m->symbols);
}

uint64_t module_vaddr(const struct module *m, uint64_t addr)
{
	uint64_t vaddr;

	return m->file.mod && elf_file_vaddr(&m->file, addr, &vaddr) ? vaddr : addr;
}

uint32_t module_file(struct module *m, struct source_line at)
{
	struct str path = { 0 };
	uint32_t id;

	if (!at.file)
		return 0;
	if (!at.dir)
		return strings_id(m->strings, at.file);
	str_addf(&path, "%s/%s", at.dir, at.file);
	id = strings_id_n(m->strings, path.s, path.len);
	str_release(&path);
	return id;
}

uint32_t module_function(struct module *m, const char *linkage_name)
{
	char *shown = m->options->no_demangle ? NULL : demangle(linkage_name);
	uint32_t id = strings_id(m->strings, shown ? shown : linkage_name);

	free(shown);
	return id;
}

uint32_t module_symbol(struct module *m, const struct symbol *s)
{
	/* memcpy@@GLIBC_2.14: the version is the linker's business. */
	const char *version = s->name[0] == '@' ? NULL : strchr(s->name, '@');
	char *name = xstrndup(s->name, version ? (size_t)(version - s->name) : strlen(s->name));
	uint32_t id = module_function(m, name);
	char *stub;

	free(name);
	if (!s->is_plt)
		return id;
	stub = xasprintf("%s@plt", strings_text(m->strings, id));
	id = strings_id(m->strings, stub);
	free(stub);
	return id;
}
