/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/translated.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_pie(Elf *elf, const GElf_Phdr *dynamic)
{
	Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)dynamic->p_offset, dynamic->p_filesz, ELF_T_DYN);
	GElf_Dyn d;
	int i;

	for (i = 0; data && gelf_getdyn(data, i, &d) && d.d_tag != DT_NULL; i++)
		if (d.d_tag == DT_FLAGS_1 && d.d_un.d_val & DF_1_PIE)
			return true;
	return false;
}

/* An interpreter does not tell: some libraries name one, too, as libc does, and pam_cap.so. */
static bool elf_is_program(Elf *elf)
{
	bool is_program = false;
	size_t nr = 0, i;
	GElf_Ehdr header;
	GElf_Phdr p;

	if (!gelf_getehdr(elf, &header) || elf_getphdrnum(elf, &nr))
		return false;
	for (i = 0; i < nr; i++)
		is_program |= gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_DYNAMIC && is_pie(elf, &p);
	return is_program || header.e_type == ET_EXEC;
}

static bool is_program(int fd)
{
	Elf *elf = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	bool is = elf && elf_is_program(elf);

	elf_end(elf);
	return is;
}

/* Without the privilege for map_files, by its path. */
static int open_mapped(uint32_t task, const struct maps_entry *m)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", task, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%u/root%s", task, m->path);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static bool is_other_program(uint32_t task, const struct maps_entry *m, const struct stat *own)
{
	int fd = open_mapped(task, m);
	struct stat st;
	bool is;

	if (fd < 0)
		return false;
	is = !fstat(fd, &st) && S_ISREG(st.st_mode) && (st.st_dev != own->st_dev || st.st_ino != own->st_ino) && is_program(fd);
	close(fd);
	return is;
}

bool translated_is(uint32_t task, const struct maps *maps)
{
	struct stat own;
	bool is = false;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/exe", task);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	is = !fstat(fd, &own) && is_program(fd);
	close(fd);
	if (!is)
		return false;
	vec_each(&maps->entries, m)
		if (m->prot & PROT_EXEC && maps_entry_is_file(m) && is_other_program(task, m, &own))
			return true;
	return false;
}
