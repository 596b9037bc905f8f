/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/symbolizer_rig.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "tests/harness.h"

static const char *dir;

__attribute__((format(printf, 1, 2))) int rig_sh(const char *fmt, ...)
{
	struct str cmd = { 0 };
	char *text;
	va_list ap;
	int ret;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	str_addf(&cmd, "cd %s && { %s ; } 2>err.txt", dir, text);
	ret = system(cmd.s);
	str_release(&cmd);
	free(text);
	return ret;
}

const char *rig_path(const char *name)
{
	static char paths[8][4096];
	static unsigned int turn;
	char *path = paths[turn++ % ARRAY_LEN(paths)];

	snprintf(path, sizeof(paths[0]), "%s%s%s", name[0] == '/' ? "" : dir,
		 name[0] == '/' ? "" : "/", name);
	return path;
}

void rig_make_dir(void)
{
	char *here;

	if (dir)
		return;
	here = getcwd(NULL, 0);
	dir = harness_path("symbolizer");
	unsetenv("DEBUGINFOD_URLS");
	if (!here || mkdir(dir, 0755) || rig_sh("ln -s %s/tests/targets src", here) ||
	    rig_sh("gcc -O2 -g -fPIE -pie src/sym_c.c -o c") ||
	    rig_sh("g++ -O2 -g -fPIE -pie src/sym_cxx.cc -o cxx"))
		abort();
	free(here);
}

void rig_begin_with(struct rig *s, const struct module_key *key,
		       const struct symbolizer_options *options)
{
	static const struct symbolizer_options none;

	*s = (struct rig){ 0 };
	s->symbolizer = symbolizer_new(options ? options : &none, &s->strings);
	s->module = symbolizer_module(s->symbolizer, key);
}

void rig_begin(struct rig *s, const char *path)
{
	rig_begin_with(s, &(struct module_key){ .kind = MODULE_ELF, .path = rig_path(path) }, NULL);
}

void rig_end(struct rig *s)
{
	symbolizer_free(s->symbolizer);
	strings_release(&s->strings);
}

size_t rig_resolve(struct rig *s, uint64_t addr, const struct frame **ret_frames)
{
	size_t nr;

	symbolizer_resolve(s->symbolizer, s->module, (struct code_addr){ addr, false }, ret_frames,
			   &nr);
	ck_assert_uint_ge(nr, 1);
	return nr;
}

const char *rig_text(const struct rig *s, uint32_t id)
{
	return strings_text(&s->strings, id);
}

const char *rig_function(struct rig *s, uint64_t addr)
{
	const struct frame *f;
	size_t nr = rig_resolve(s, addr, &f);

	return rig_text(s, f[nr - 1].function);
}

char *rig_frames(struct rig *s, uint64_t addr)
{
	const struct frame *f;
	size_t nr = rig_resolve(s, addr, &f), i;
	struct str out = { 0 };

	for (i = 0; i < nr; i++) {
		const char *function = rig_text(s, f[i].function),
			   *file = rig_text(s, f[i].at_file);

		ck_assert_int_eq(f[i].is_inlined, i + 1 < nr);
		str_addf(&out, "%s at %s:%u\n", *function ? function : "??",
			 *file ? file : "??", f[i].at_line);
	}
	return str_take(&out);
}

struct text_segment rig_text_segment(const char *path)
{
	struct text_segment s = { 0 };
	int fd = open(rig_path(path), O_RDONLY | O_CLOEXEC);
	size_t nr = 0, i;
	GElf_Phdr ph;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	elf_getphdrnum(elf, &nr);
	for (i = 0; i < nr; i++)
		if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_LOAD && (ph.p_flags & PF_X))
			s = (struct text_segment){ ph.p_offset, ph.p_vaddr, ph.p_filesz };
	elf_end(elf);
	close(fd);
	ck_assert_uint_gt(s.len, 0);
	return s;
}

uint64_t rig_symbol_off(const char *path, const char *symbol, uint64_t *ret_len)
{
	struct text_segment s = rig_text_segment(path);
	unsigned long long vaddr = 0, len = 0;
	FILE *f;

	must_sh("nm -S %s | awk '$4 == \"%s\" { print $1, $2; exit }' >nm.txt", rig_path(path),
		symbol);
	f = fopen(rig_path("nm.txt"), "re");
	ck_assert_int_eq(fscanf(f, "%llx %llx", &vaddr, &len), 2);
	fclose(f);
	if (ret_len)
		*ret_len = len;
	return vaddr - s.vaddr + s.off;
}

const char *rig_dir(void)
{
	return dir;
}

uint64_t rig_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

bool rig_has(const char *program)
{
	char *cmd = xasprintf("command -v %s >/dev/null", program);
	int status = system(cmd);

	free(cmd);
	return !status;
}
