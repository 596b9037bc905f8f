/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/elf_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/elf_names.h"
#include "base/file_sum.h"
#include "base/log.h"
#include "base/str.h"
#include "symbolizer/debug_path.h"
#include "symbolizer/inflate.h"

/*
 * perf records build-ids in a field of 20 bytes, and some versions do not say how many of them
 * count: shorter ids come padded with zeros.
 */
static bool same_build_id(struct build_id a, struct build_id b)
{
	struct build_id longer = a.len >= b.len ? a : b, shorter = a.len >= b.len ? b : a;
	size_t i;

	if (!shorter.len || memcmp(a.bytes, b.bytes, shorter.len))
		return false;
	for (i = shorter.len; i < longer.len; i++)
		if (longer.bytes[i])
			return false;
	return true;
}

static void add_hex(struct str *s, struct build_id id)
{
	size_t i;

	for (i = 0; i < id.len && i < 64; i++)
		str_addf(s, "%02x", id.bytes[i]);
}

static int check_build_id(Elf *elf, int fd, const char *path, struct build_id want, struct err *e)
{
	const char *kind = "build-id";
	struct str text = { 0 };
	const void *bytes = NULL;
	ssize_t len;
	struct build_id has;
	uint64_t sum;
	int ret;

	if (!want.bytes || !want.len)
		return 0;
	len = dwelf_elf_gnu_build_id(elf, &bytes);
	has = (struct build_id){ bytes, len > 0 ? (size_t)len : 0 };
	/* Also where it has one: the recorder does not take all that elfutils takes. */
	if (want.len == sizeof(sum) && has.len != want.len && file_sum(fd, &sum)) {
		has = (struct build_id){ (const uint8_t *)&sum, sizeof(sum) };
		kind = "checksum";
	}
	if (has.len && same_build_id(has, want))
		return 0;
	add_hex(&text, want);
	str_add(&text,
		has.len ? " was recorded, the file has " : " was recorded, the file has none");
	add_hex(&text, has);
	ret = err_set(e, -ESTALE, "%s is not the file that ran: %s %s", path, kind, str_cstr(&text));
	str_release(&text);
	return ret;
}

/* Looks at the file with a handle of its own, before dwfl gets to see it. */
static int check_file(int fd, const char *path, struct build_id want, struct err *e)
{
	Elf *elf;
	int ret;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	if (elf_is_program(elf))
		ret = check_build_id(elf, fd, path, want, e);
	else
		ret = err_set(e, -ENOEXEC, "%s: not an ELF program or library, or a damaged one",
			      path);
	elf_end(elf);
	return ret;
}

/* ---- debug info that was compressed ---- */

/* A file below a debug directory, under its build-id. False: none, or it is to be used as it is. */
static bool find_inflated_below(const char *root, struct build_id id, struct inflated *ret)
{
	struct str hex = { 0 };
	char *path;
	struct err e;
	bool found = false;
	int fd;

	add_hex(&hex, id);
	path = xasprintf("%s/usr/lib/debug/.build-id/%.2s/%s.debug", root, str_cstr(&hex), str_cstr(&hex) + 2);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0)
		found = !check_file(fd, path, id, &e) && inflate_debug_file(fd, ret);
	if (fd >= 0)
		close(fd);
	free(path);
	str_release(&hex);
	return found;
}

/* Looked for beside what else there is to do with the file. */
struct elf_file_ahead {
	struct crew *crew;
	struct job job;
	struct build_id id;
	const char *sysroot;
	struct inflated found;
};

/* It shares nothing with anybody but the file's build-id, which does not change any more. */
static void find_ahead(void *arg)
{
	struct elf_file_ahead *a = arg;

	if (!a->sysroot || !find_inflated_below(a->sysroot, a->id, &a->found))
		find_inflated_below("", a->id, &a->found);
}

void elf_file_expect_debug(struct elf_file *f, struct crew *crew)
{
	struct elf_file_ahead *a;
	GElf_Addr ignored;
	int len;

	if (f->ahead || !f->mod)
		return;
	f->ahead = a = xcalloc(1, sizeof(*a));
	a->crew = crew;
	a->sysroot = f->sysroot;
	a->job = (struct job){ .run = find_ahead, .arg = a };
	len = dwfl_module_build_id(f->mod, &a->id.bytes, &ignored);
	if (len < 2)
		return;
	a->id.len = (size_t)len;
	crew_give(crew, &a->job);
}

/* Are two files linked to the same place? What a debug file says of addresses then needs no change. */
static bool same_place(Elf *a, Elf *b)
{
	size_t nr_a = 0, nr_b = 0, i;
	GElf_Phdr pa, pb;

	if (elf_getphdrnum(a, &nr_a) || elf_getphdrnum(b, &nr_b) || nr_a != nr_b)
		return false;
	for (i = 0; i < nr_a; i++)
		if (!gelf_getphdr(a, (int)i, &pa) || !gelf_getphdr(b, (int)i, &pb) || pa.p_type != pb.p_type ||
		    (pa.p_type == PT_LOAD && pa.p_vaddr != pb.p_vaddr))
			return false;
	return true;
}

static Dwarf *inflated_dwarf(struct elf_file *f, struct crew *crew)
{
	struct inflated *found;

	elf_file_expect_debug(f, crew);
	if (!f->ahead->id.len)
		return NULL;
	crew_wait(crew, &f->ahead->job);
	found = &f->ahead->found;
	if (!found->bytes)
		return NULL;
	f->debug_elf = elf_memory(found->bytes, found->len);
	if (f->debug_elf && same_place(f->elf, f->debug_elf))
		f->dwarf = dwarf_begin_elf(f->debug_elf, DWARF_C_READ, NULL);
	return f->dwarf;
}

/*
 * What DWARF refers to may stand in a file that it shares with others' (dwz). libdw takes any of that name
 * (dwarf_getalt()), and out of another build's come the names of anything.
 */
static bool has_own_alt(Dwarf *dwarf)
{
	const void *want = NULL, *has = NULL;
	const char *name;
	ssize_t len = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &want);
	Dwarf *alt = len > 0 ? dwarf_getalt(dwarf) : NULL;

	return !alt || (dwelf_elf_gnu_build_id(dwarf_getelf(alt), &has) == len && !memcmp(has, want, (size_t)len));
}

Dwarf *elf_file_dwarf(struct elf_file *f, struct crew *crew, Dwarf_Addr *ret_bias)
{
	Dwarf *dwarf;

	*ret_bias = 0;
	if (f->dwarf || inflated_dwarf(f, crew))
		return f->dwarf;
	dwarf = dwfl_module_getdwarf(f->mod, ret_bias);
	return dwarf && has_own_alt(dwarf) ? dwarf : NULL;
}

static void release_ahead(struct elf_file *f)
{
	if (f->dwarf)
		dwarf_end(f->dwarf);
	if (f->debug_elf)
		elf_end(f->debug_elf);
	if (!f->ahead)
		return;
	crew_drop(f->ahead->crew, &f->ahead->job);
	inflated_release(&f->ahead->found);
	free(f->ahead);
}

/* ---- opening ---- */

/* False: dwfl_standard_find_debuginfo() would find nothing. */
static bool may_find_debuginfo(const struct elf_file *f, Dwfl_Module *mod, const char *file, const char *link)
{
	const unsigned char *id = NULL;
	GElf_Addr ignored;
	int len = dwfl_module_build_id(mod, &id, &ignored);

	return debug_path_has_servers() ||
	       (len > 0 && debug_path_has_id(f->debug_path, id, (size_t)len, ".debug")) ||
	       debug_path_has_name(f->debug_path, file, link);
}

/* dwfl_standard_find_debuginfo(), with the file that it finds checked like any other. */
static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file, const char *link, GElf_Word crc, char **ret_path)
{
	struct elf_file *f = *userdata;
	struct err e;
	int fd;

	if (!may_find_debuginfo(f, mod, file, link))
		return -1;
	fd = dwfl_standard_find_debuginfo(mod, userdata, name, base, file, link, crc, ret_path);
	if (fd < 0)
		log_verbose("%s: %s is not there, or another build's", name, link ? link : "its debug file");
	if (fd < 0 || !check_file(fd, "", (struct build_id){ 0 }, &e))
		return fd;
	close(fd);
	free(*ret_path);
	*ret_path = NULL;
	return -1;
}

static Dwfl *begin(struct elf_file *f, const char *sysroot)
{
	f->callbacks = (Dwfl_Callbacks){
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = find_debuginfo,
		.section_address = dwfl_offline_section_address,
		.debuginfo_path = &f->debug_path,
	};
	if (sysroot)
		f->debug_path = xasprintf(":.debug:%s/usr/lib/debug:/usr/lib/debug", sysroot);
	f->dwfl = dwfl_begin(&f->callbacks);
	return f->dwfl;
}

static bool read_segments(struct elf_file *f)
{
	size_t nr, i;
	GElf_Phdr ph;

	if (elf_getphdrnum(f->elf, &nr))
		return false;
	for (i = 0; i < nr; i++) {
		if (!gelf_getphdr(f->elf, (int)i, &ph))
			return false;
		if (ph.p_type != PT_LOAD || ph.p_vaddr + ph.p_memsz < ph.p_vaddr)
			continue;
		vec_push(&f->segments, (struct segment){ ph.p_offset, ph.p_filesz, ph.p_vaddr,
							 ph.p_memsz, ph.p_flags & PF_X });
	}
	return true;
}

int elf_file_open(struct elf_file *f, int fd, const char *path, struct build_id want,
		  const char *sysroot, struct err *e)
{
	int ret = check_file(fd, path, want, e);
	void **userdata;
	GElf_Addr bias;
	struct stat st;

	if (ret) {
		close(fd);
		return ret;
	}
	if (!fstat(fd, &st))
		f->nr_bytes = (uint64_t)st.st_size;
	if (begin(f, sysroot)) {
		dwfl_report_begin(f->dwfl);
		f->mod = dwfl_report_elf(f->dwfl, path, path, fd, 0, true);
		dwfl_report_end(f->dwfl, NULL, NULL);
	}
	if (!f->mod) {
		ret = err_set(e, -ENOEXEC, "%s: %s", path, dwfl_errmsg(-1));
		close(fd);
		elf_file_release(f);
		return ret;
	}
	dwfl_module_info(f->mod, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
	*userdata = f;
	f->sysroot = sysroot;
	f->elf = dwfl_module_getelf(f->mod, &bias);
	if (f->elf && !bias && read_segments(f))
		return 0;
	elf_file_release(f);
	return err_set(e, -ENOEXEC, "%s: damaged program headers", path);
}

void elf_file_release(struct elf_file *f)
{
	release_ahead(f);
	if (f->dwfl)
		dwfl_end(f->dwfl);
	free(f->debug_path);
	vec_release(&f->segments);
	*f = (struct elf_file){ 0 };
}

/*
 * A page at the border of two segments is mapped twice, and then the same byte has two addresses:
 * code is what is asked for.
 */
bool elf_file_vaddr(const struct elf_file *f, uint64_t off, uint64_t *ret_vaddr)
{
	bool found = false;

	vec_each(&f->segments, s) {
		if (off < s->off || off - s->off >= s->file_size || (found && !s->is_exec))
			continue;
		*ret_vaddr = s->vaddr + (off - s->off);
		found = true;
		if (s->is_exec)
			break;
	}
	return found;
}

const struct segment *elf_file_text(const struct elf_file *f, uint64_t vaddr)
{
	vec_each(&f->segments, s)
		if (s->is_exec && vaddr >= s->vaddr && vaddr - s->vaddr < s->mem_size)
			return s;
	return NULL;
}

int elf_file_copy(const void *bytes, size_t len)
{
	const char *p = bytes;
	int fd = memfd_create("wperf-elf", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n <= 0) {
			int ret = n < 0 ? -errno : -EIO;

			close(fd);
			return ret;
		}
		p += n;
		len -= (size_t)n;
	}
	return fd;
}

int elf_file_find(struct build_id id, const char *sysroot, char **ret_path)
{
	struct elf_file f = { 0 };
	Dwfl_Module *mod = NULL;
	Elf *elf = NULL;
	char *path = NULL;
	int fd = -1;

	if (begin(&f, sysroot) &&
	    (debug_path_has_servers() || debug_path_has_id(f.debug_path, id.bytes, id.len, ""))) {
		dwfl_report_begin(f.dwfl);
		mod = dwfl_report_module(f.dwfl, "wanted", 0, 1);
		dwfl_report_end(f.dwfl, NULL, NULL);
	}
	if (mod && !dwfl_module_report_build_id(mod, id.bytes, id.len, 0))
		fd = dwfl_build_id_find_elf(mod, NULL, "wanted", 0, &path, &elf);
	elf_end(elf);
	elf_file_release(&f);
	if (fd < 0) {
		free(path);
		return -ENOENT;
	}
	*ret_path = path ? path : xstrdup("");
	return fd;
}
