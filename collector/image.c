/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/image.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/elf_names.h"
#include "base/str.h"
#include "collector/plt_stub.h"
#include "collector/root.h"
#include "collector/signature.h"
#include "collector/thunk.h"

/* A handle of its own: libdwfl opens the file in its way. */
static bool is_program(int fd)
{
	bool yes;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	yes = elf_is_program(elf);
	elf_end(elf);
	return yes;
}

static bool crc_agrees(int fd, GElf_Word want)
{
	struct stat st;
	uint32_t crc;
	void *bytes;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size)
		return false;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	crc = (uint32_t)crc32_z(0, bytes, (size_t)st.st_size);
	munmap(bytes, (size_t)st.st_size);
	return crc == want;
}

/* The three places of GDB's manual, "Debugging Information in Separate Files". */
static const char *const linked_places[] = { "%s/%s", "%s/.debug/%s", "/usr/lib/debug%s/%s" };

/* A link is the name of a file, not a way out of these directories. */
static int find_linked(int root, const char *dir, const char *link, GElf_Word crc, char **ret_path)
{
	size_t i;

	for (i = 0; link && !strchr(link, '/') && i < ARRAY_LEN(linked_places); i++) {
		char *path = xasprintf(linked_places[i], dir, link);
		int fd = root_open_file(root, path);

		if (fd >= 0 && is_program(fd) && crc_agrees(fd, crc)) {
			*ret_path = path;
			return fd;
		}
		if (fd >= 0)
			close(fd);
		free(path);
	}
	return -1;
}

static bool has_build_id(int fd, const uint8_t *id, size_t len)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	const void *found;
	ssize_t found_len = elf_is_program(elf) ? dwelf_elf_gnu_build_id(elf, &found) : -1;
	bool is_same = found_len == (ssize_t)len && !memcmp(found, id, len);

	elf_end(elf);
	return is_same;
}

/* What dwfl_build_id_find_debuginfo() does in our own root. */
static int find_by_build_id(int root, Dwfl_Module *mod, char **ret_path)
{
	struct str path = { 0 };
	const uint8_t *id;
	GElf_Addr ignored;
	int len = dwfl_module_build_id(mod, &id, &ignored), i, fd;

	if (len < 2)
		return -1;
	str_addf(&path, "/usr/lib/debug/.build-id/%02x/", id[0]);
	for (i = 1; i < len; i++)
		str_addf(&path, "%02x", id[i]);
	str_add(&path, ".debug");
	fd = root_open_file(root, path.s);
	if (fd >= 0 && !has_build_id(fd, id, (size_t)len)) {
		close(fd);
		fd = -1;
	}
	if (fd >= 0)
		*ret_path = str_take(&path);
	str_release(&path);
	return fd < 0 ? -1 : fd;
}

static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc, char **ret_path)
{
	const struct image *m = *userdata;
	int fd = dwfl_build_id_find_debuginfo(mod, userdata, name, base, file_name, link, crc,
					      ret_path);

	if (fd < 0 && m->root >= 0)
		fd = find_by_build_id(m->root, mod, ret_path);
	if (fd < 0 && m->root >= 0)
		fd = find_linked(m->root, m->dir, link, crc, ret_path);
	return fd < 0 ? find_linked(ROOT_OURS, m->dir, link, crc, ret_path) : fd;
}

static void set_debug_dirs(struct image *m, uint32_t pid, const char *module)
{
	const char *slash = strrchr(module, '/');

	m->debug_path = xstrdup(":/usr/lib/debug");
	m->dir = xstrndup(module, slash ? (size_t)(slash - module) : 0);
	m->root = pid ? root_of_process(pid) : -1;
}

/* The file offset of code at vaddr, or 0. */
static uint64_t code_off(Elf *elf, uint64_t vaddr)
{
	size_t nr, i;
	GElf_Phdr p;

	if (elf_getphdrnum(elf, &nr))
		return 0;
	for (i = 0; i < nr; i++)
		if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD && (p.p_flags & PF_X) &&
		    vaddr >= p.p_vaddr && vaddr - p.p_vaddr < p.p_filesz)
			return vaddr - p.p_vaddr + p.p_offset;
	return 0;
}

static int by_off(const void *va, const void *vb)
{
	const struct image_symbol *a = va, *b = vb;

	if (a->off != b->off)
		return a->off < b->off ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void read_symbols(struct image *m, Elf *elf, GElf_Addr bias)
{
	int nr = dwfl_module_getsymtab(m->module), i;
	struct elf_names names = { 0 };

	for (i = 1; i < nr; i++) {
		struct image_symbol s = { 0 };
		GElf_Addr addr;
		GElf_Word shndx;
		GElf_Sym sym;
		int type;

		s.name = elf_names_symbol(&names, m->module, i, &sym, &addr, &shndx);
		type = s.name ? GELF_ST_TYPE(sym.st_info) : STT_FILE;
		s.is_indirect = type == STT_GNU_IFUNC;
		s.is_function = type == STT_FUNC || s.is_indirect;
		if ((!s.is_function && type != STT_NOTYPE) || shndx == SHN_UNDEF || !s.name[0])
			continue;
		s.vaddr = addr - bias;
		s.size = sym.st_size;
		s.off = code_off(elf, s.vaddr);
		if (s.off)
			vec_push(&m->symbols, s);
	}
	if (m->symbols.nr)
		qsort(m->symbols.at, m->symbols.nr, sizeof(m->symbols.at[0]), by_off);
}

static bool has_symbol(const struct image *m, const char *name, size_t len)
{
	vec_each(&m->symbols, sym)
		if (!strncmp(sym->name, name, len) && !sym->name[len])
			return true;
	return false;
}

static void mark_other_abi(struct image *m)
{
	vec_each(&m->symbols, sym)
		sym->is_other_abi = str_ends(sym->name, GO_ABI0_SUFFIX) &&
				    has_symbol(m, sym->name, strlen(sym->name) - strlen(GO_ABI0_SUFFIX));
}

/* A function of that symbol, without its "_Z", begins there, or another thunk of it. */
static bool is_function_at(const struct image *m, uint64_t off, const char *name)
{
	size_t low = 0, high = m->symbols.nr, len = strcspn(name, "@");

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->symbols.at[middle].off < off)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < m->symbols.nr && m->symbols.at[low].off == off; low++) {
		const char *s = m->symbols.at[low].name, *function = thunk_function(s);

		if (!function && str_starts(s, "_Z"))
			function = s + 2;
		if (function && !strncmp(function, name, len) && (!function[len] || function[len] == '@'))
			return true;
	}
	return false;
}

/* What is in libraries is called by way of stubs where others may have it in their place. */
static bool is_stub_of(Elf *elf, int fd, uint64_t off, uint64_t vaddr, const char *function)
{
	uint8_t code[PLT_STUB_BYTES];
	ssize_t got = pread(fd, code, sizeof(code), (off_t)off);
	const char *symbol = got > 0 ? plt_stub_function(elf, code, (size_t)got, vaddr) : NULL;
	size_t len = strcspn(function, "@");

	return symbol && str_starts(symbol, "_Z") && !strncmp(symbol + 2, function, len) && !symbol[2 + len];
}

struct thunk {
	const struct image *m;
	Elf *elf;
	int fd;
	const struct image_symbol *sym;
	const char *function;
};

static bool is_function_of(const void *data, uint64_t off)
{
	const struct thunk *t = data;

	return is_function_at(t->m, off, t->function) ||
	       is_stub_of(t->elf, t->fd, off, t->sym->vaddr + (off - t->sym->off), t->function);
}

static bool is_passed_on(const struct image *m, Elf *elf, int fd, const struct image_symbol *sym)
{
	struct thunk t = { m, elf, fd, sym, sym->is_function ? thunk_function(sym->name) : NULL };
	size_t len = sym->size && sym->size < THUNK_BYTES ? sym->size : THUNK_BYTES;
	uint8_t code[THUNK_BYTES];
	ssize_t got = t.function ? pread(fd, code, len, (off_t)sym->off) : -1;

	return got > 0 && thunk_passes_on(code, (size_t)got, sym->off, is_function_of, &t);
}

/* What they pass on is a call of the function, which is among the symbols itself. */
static void leave_thunks_out(struct image *m, Elf *elf, const char *open_path)
{
	int fd = open(open_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	VEC(struct image_symbol) kept = { 0 };

	if (fd < 0)
		return;
	vec_each(&m->symbols, sym)
		if (!is_passed_on(m, elf, fd, sym))
			vec_push(&kept, *sym);
	close(fd);
	vec_release(&m->symbols);
	memcpy(&m->symbols, &kept, sizeof(kept));
}

static bool has_symtab(Elf *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_SYMTAB)
			return true;
	return false;
}

/* Local functions are known from .symtab alone, the file's own or the debug file's. */
static bool is_stripped(struct image *m, Elf *elf)
{
	const char *debug = NULL;

	dwfl_module_info(m->module, NULL, NULL, NULL, NULL, NULL, NULL, &debug);
	return !debug && !has_symtab(elf);
}

static int report_file(struct image *m, const char *open_path, struct err *e)
{
	int fd = open(open_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_set(e, -errno, "%s: %m", open_path);
	if (!is_program(fd)) {
		close(fd);
		return err_set(e, -ENOEXEC, "%s: not an ELF program or library", open_path);
	}
	/* The base is 0, so that what libdwfl calls an address is the link-time one. */
	m->module = dwfl_report_elf(m->dwfl, open_path, open_path, fd, 0, true);
	if (!m->module) {
		close(fd);
		return err_set(e, -ENOEXEC, "%s: %s", open_path, dwfl_errmsg(-1));
	}
	dwfl_report_end(m->dwfl, NULL, NULL);
	return 0;
}

static int read_file(struct image *m, const char *open_path, struct err *e)
{
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(m->module, &bias);
	GElf_Ehdr ehdr;
	int rc;

	if (!elf || !gelf_getehdr(elf, &ehdr))
		return err_set(e, -ENOEXEC, "%s: %s", open_path, dwfl_errmsg(-1));
	rc = usdt_read(&m->usdt, elf, e);
	if (rc)
		return err_set(e, rc, "%s: not an ELF file for x86-64", open_path);
	m->is_fixed = ehdr.e_type == ET_EXEC;
	read_symbols(m, elf, bias);
	leave_thunks_out(m, elf, open_path);
	mark_other_abi(m);
	m->is_stripped = is_stripped(m, elf);
	return 0;
}

int image_open(struct image *m, const char *open_path, uint32_t pid, const char *module,
	       struct err *e)
{
	void **userdata;
	int rc;

	*m = (struct image){
		.callbacks = {
			.find_elf = dwfl_build_id_find_elf,
			.find_debuginfo = find_debuginfo,
			.section_address = dwfl_offline_section_address,
			.debuginfo_path = &m->debug_path,
		},
	};
	set_debug_dirs(m, pid, module);
	m->dwfl = dwfl_begin(&m->callbacks);
	if (!m->dwfl)
		rc = err_set(e, -ENOMEM, "%s: %s", open_path, dwfl_errmsg(-1));
	else
		rc = report_file(m, open_path, e);
	if (!rc) {
		dwfl_module_info(m->module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
		*userdata = m;
		rc = read_file(m, open_path, e);
	}
	if (rc)
		image_release(m);
	return rc;
}

void image_release(struct image *m)
{
	vec_release(&m->symbols);
	usdt_release(&m->usdt);
	if (m->dwfl)
		dwfl_end(m->dwfl);
	if (m->root >= 0 && m->dir)
		close(m->root);
	free(m->debug_path);
	free(m->dir);
	*m = (struct image){ 0 };
}

const struct image_symbol *image_symbol_before(const struct image *m, uint64_t off)
{
	size_t low = 0, high = m->symbols.nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->symbols.at[mid].off <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &m->symbols.at[low - 1] : NULL;
}

uint64_t image_symbol_size(const struct image *m, const struct image_symbol *sym, uint64_t max)
{
	const struct image_symbol *next = sym, *end = m->symbols.at + m->symbols.nr;
	uint64_t size = sym->size;

	while (!size && next < end && next->off == sym->off)
		next++;
	if (!size && next < end)
		size = next->off - sym->off;
	return size && size < max ? size : max;
}

bool image_symbol_vaddr(const struct image *m, const char *name, size_t len, uint64_t *ret_vaddr)
{
	int nr = dwfl_module_getsymtab(m->module), i;
	struct elf_names names = { 0 };
	GElf_Addr bias, addr;

	if (!dwfl_module_getelf(m->module, &bias))
		return false;
	for (i = 1; i < nr; i++) {
		GElf_Word shndx;
		GElf_Sym sym;
		const char *s = elf_names_symbol(&names, m->module, i, &sym, &addr, &shndx);

		if (!s || strncmp(s, name, len) || (s[len] && s[len] != '@'))
			continue;
		if (shndx == SHN_UNDEF || GELF_ST_TYPE(sym.st_info) == STT_TLS)
			continue;
		*ret_vaddr = addr - bias;
		return true;
	}
	return false;
}

struct dwarf_search {
	bool (*take)(void *self, const char *name, const char *symbol, uint64_t code);
	void *self;
	Dwarf_Addr bias;
	bool is_over;
};

/*
 * Whether it is one elsewhere, as an LTO program has what it calls of libraries: there the entry that says so is another
 * one's abstract origin. C++'s definitions name a declaration, too, as their specification, and are none.
 */
static bool is_declaration(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Die origin;

	if (dwarf_hasattr(die, DW_AT_declaration))
		return true;
	return dwarf_formref_die(dwarf_attr(die, DW_AT_abstract_origin, &attr), &origin) &&
	       dwarf_hasattr(&origin, DW_AT_declaration);
}

/* Linkers put 0, 1 or -1 in the place of an address of what they left out. */
static uint64_t code_of(Dwarf_Die *die, Dwarf_Addr bias)
{
	Dwarf_Addr base, begin, end;
	bool has_code = dwarf_ranges(die, 0, &base, &begin, &end) > 0 && begin > 1 && begin < end;

	return has_code ? begin + bias : 0;
}

static int check_function(Dwarf_Die *die, void *arg)
{
	struct dwarf_search *s = arg;
	const char *name = dwarf_diename(die), *symbol;
	Dwarf_Attribute attr;

	if (!name || is_declaration(die))
		return DWARF_CB_OK;
	symbol = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attr));
	s->is_over = !s->take(s->self, name, symbol, code_of(die, s->bias));
	return s->is_over ? DWARF_CB_ABORT : DWARF_CB_OK;
}

void image_each_source(const struct image *m,
		       bool (*take)(void *self, const char *name, const char *symbol, uint64_t code), void *self)
{
	struct dwarf_search s = { .take = take, .self = self };
	Dwarf_Die *cu = NULL;

	while (!s.is_over && (cu = dwfl_module_nextcu(m->module, cu, &s.bias)))
		dwarf_getfuncs(cu, check_function, &s, 0);
}

struct name_search {
	const char *name;
	bool found;
};

static bool is_other_name(void *self, const char *name, const char *symbol, uint64_t code)
{
	struct name_search *s = self;

	(void)symbol;
	(void)code;
	s->found = !strcmp(name, s->name);
	return !s->found;
}

bool image_has_source(const struct image *m, const char *name)
{
	struct name_search s = { .name = name };

	image_each_source(m, is_other_name, &s);
	return s.found;
}
