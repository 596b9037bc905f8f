/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/image.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
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
#include "base/str.h"

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

static int open_linked(const char *path, GElf_Word crc, char **ret_path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && crc_agrees(fd, crc)) {
		*ret_path = xstrdup(path);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The three places of GDB's manual, "Debugging Information in Separate Files", in each of dirs. */
static int find_linked(const char *dirs, const char *link, GElf_Word crc, char **ret_path)
{
	char *list = xstrdup(dirs), *rest = list, *dir;
	int fd = -1;

	while (fd < 0 && (dir = strsep(&rest, ":"))) {
		char *path = xasprintf("%s/%s", dir, link);

		fd = open_linked(path, crc, ret_path);
		free(path);
	}
	free(list);
	return fd;
}

static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc, char **ret_path)
{
	int fd = dwfl_build_id_find_debuginfo(mod, userdata, name, base, file_name, link, crc,
					      ret_path);

	/* A link is the name of a file, not a way out of the directories above. */
	if (fd >= 0 || !link || strchr(link, '/'))
		return fd;
	return find_linked(*userdata, link, crc, ret_path);
}

static void set_debug_dirs(struct image *m, const char *root, const char *module)
{
	const char *slash = strrchr(module, '/');
	int len = slash ? (int)(slash - module) : 0;

	m->debug_path = xasprintf(":/usr/lib/debug:%s/usr/lib/debug", root);
	m->linked_path = xasprintf("%s%.*s:%s%.*s/.debug:%s/usr/lib/debug%.*s:/usr/lib/debug%.*s",
				   root, len, module, root, len, module, root, len, module, len,
				   module);
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

	for (i = 1; i < nr; i++) {
		struct image_symbol s = { 0 };
		GElf_Addr addr;
		GElf_Word shndx;
		GElf_Sym sym;
		int type;

		s.name = dwfl_module_getsym_info(m->module, i, &sym, &addr, &shndx, NULL, NULL);
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
	m->is_stripped = is_stripped(m, elf);
	return 0;
}

int image_open(struct image *m, const char *open_path, const char *root, const char *module,
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
	set_debug_dirs(m, root, module);
	m->dwfl = dwfl_begin(&m->callbacks);
	if (!m->dwfl)
		rc = err_set(e, -ENOMEM, "%s: %s", open_path, dwfl_errmsg(-1));
	else
		rc = report_file(m, open_path, e);
	if (!rc) {
		dwfl_module_info(m->module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
		*userdata = m->linked_path;
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
	free(m->debug_path);
	free(m->linked_path);
	*m = (struct image){ 0 };
}

bool image_symbol_vaddr(const struct image *m, const char *name, size_t len, uint64_t *ret_vaddr)
{
	int nr = dwfl_module_getsymtab(m->module), i;
	GElf_Addr bias, addr;

	if (!dwfl_module_getelf(m->module, &bias))
		return false;
	for (i = 1; i < nr; i++) {
		GElf_Word shndx;
		GElf_Sym sym;
		const char *s = dwfl_module_getsym_info(m->module, i, &sym, &addr, &shndx, NULL,
							NULL);

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
	const char *name;
	bool found;
};

static int check_function(Dwarf_Die *die, void *arg)
{
	struct dwarf_search *s = arg;
	const char *name = dwarf_diename(die);

	if (!name || strcmp(name, s->name) || dwarf_hasattr(die, DW_AT_declaration))
		return DWARF_CB_OK;
	s->found = true;
	return DWARF_CB_ABORT;
}

bool image_has_source(const struct image *m, const char *name)
{
	struct dwarf_search s = { .name = name };
	Dwarf_Die *cu = NULL;
	Dwarf_Addr bias;

	while (!s.found && (cu = dwfl_module_nextcu(m->module, cu, &bias)))
		dwarf_getfuncs(cu, check_function, &s, 0);
	return s.found;
}
