/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collector/call_jumps.h"
#include "collector/call_place.h"
#include "collector/locate.h"
#include "collector/probe.h"

/* Longer functions are taken as they are. Of a symbol without a size no more bytes are looked at. */
enum { MAX_CODE_BYTES = 1 << 20, UNKNOWN_SIZE_BYTES = 4096, INSTRUCTION_BYTES_MAX = 15 };

static uint64_t size_of_function(const struct image *m, uint64_t off)
{
	vec_each(&m->symbols, sym)
		if (sym->off == off && sym->is_function && sym->size)
			return sym->size;
	return 0;
}

static bool find_check(const struct probe_site *site, uint64_t size, struct call_check *ret)
{
	int fd = open(site->open_path, O_RDONLY | O_CLOEXEC);
	uint8_t *code;
	bool found;

	if (fd < 0)
		return false;
	code = xmalloc(size);
	found = pread(fd, code, size, (off_t)site->off) == (ssize_t)size && call_place_check(code, size, ret);
	free(code);
	close(fd);
	return found;
}

static void lose_arguments(struct probe_args *args)
{
	unsigned int i;

	for (i = 0; i < args->nr; i++) {
		args->at[i] = (struct probe_arg){ 0 };
		args->why[i] = "the function begins with a check of its stack, which overwrites arguments";
	}
}

void locate_entries(struct locate *l, struct probe_sites *sites)
{
	vec_each(&sites->sites, site) {
		const struct image *m = site->is_return ? NULL : locate_image_of(l, site);
		uint64_t size = m ? size_of_function(m, site->off) : 0;
		struct call_check check;

		if (!size || size > MAX_CODE_BYTES || !find_check(site, size, &check))
			continue;
		site->off += check.jump;
		/* Not taken: the lowest bit of a condition negates it. */
		site->condition = EXIT_CONDITION(check.condition ^ 1);
		if (!check.keeps_arguments)
			lose_arguments(&site->args);
	}
}

static const char *why_repeated(const struct image *m, const struct image_symbol *sym, int fd)
{
	uint64_t len = image_symbol_size(m, sym, sym->size ? MAX_CODE_BYTES : UNKNOWN_SIZE_BYTES);
	uint8_t *bytes = xmalloc(len);
	ssize_t got = pread(fd, bytes, len, (off_t)sym->off);
	const char *why = got > 0 ? call_place_why_repeated(bytes, (size_t)got, &call_jumps_anywhere) : NULL;
	struct call_code code = { 0 };
	struct call_jumps jumps;

	if (why) {
		call_code_open(&code, m, fd);
		call_jumps_find(&code, sym, (uint64_t)got, &jumps);
		why = call_place_why_repeated(bytes, (size_t)got, &jumps);
		call_code_release(&code);
	}
	free(bytes);
	return why;
}

const char *locate_why_repeated(struct locate *l, const struct probe_site *site)
{
	const struct image *m = locate_image_of(l, site);
	const struct image_symbol *sym = m ? image_symbol_before(m, site->code_off) : NULL;
	int fd = open(site->open_path, O_RDONLY | O_CLOEXEC);
	const char *why = NULL;

	if (fd >= 0 && sym && sym->off == site->code_off)
		why = why_repeated(m, sym, fd);
	if (fd >= 0)
		close(fd);
	return why;
}

/* The bytes at the probe, as many as an instruction may have. */
static size_t read_instruction(const struct probe_site *site, uint8_t code[INSTRUCTION_BYTES_MAX])
{
	int fd = open(site->open_path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : pread(fd, code, INSTRUCTION_BYTES_MAX, (off_t)site->off);

	if (fd >= 0)
		close(fd);
	return len > 0 ? (size_t)len : 0;
}

bool locate_is_changed(const struct probe_site *site, bool is_entry)
{
	uint8_t code[INSTRUCTION_BYTES_MAX];
	size_t len = read_instruction(site, code);

	return len && call_place_is_changed(code, len, is_entry);
}

/* What is no code before it, or has no symbol, tells nothing. */
static bool is_inside(struct locate *l, const struct probe_site *site)
{
	const struct image *m = locate_image_of(l, site);
	const struct image_symbol *sym = m ? image_symbol_before(m, site->off) : NULL;
	uint64_t before = sym ? site->off - sym->off : 0;
	int fd = open(site->open_path, O_RDONLY | O_CLOEXEC);
	bool yes = false;
	uint8_t *code;
	ssize_t len;

	if (fd >= 0 && before && before < sym->size && before <= MAX_CODE_BYTES) {
		code = xmalloc(before + INSTRUCTION_BYTES_MAX);
		len = pread(fd, code, before + INSTRUCTION_BYTES_MAX, (off_t)sym->off);
		yes = len > 0 && (uint64_t)len > before && call_place_is_inside(code, (size_t)len, before);
		free(code);
	}
	if (fd >= 0)
		close(fd);
	return yes;
}

bool locate_is_nop(struct locate *l, const struct probe_site *site)
{
	uint8_t code[INSTRUCTION_BYTES_MAX];

	return call_place_is_nop(code, read_instruction(site, code)) && !is_inside(l, site);
}

const struct probe_site *locate_patched(const struct probe_site *sites, size_t nr, uint32_t pid, enum patched *ret_how)
{
	const struct patched_file file = { sites->open_path, sites->dev, sites->inode };
	VEC(struct patched_range) ranges = { 0 };
	const struct probe_site *found = NULL;
	size_t i;

	for (i = 0; i < nr; i++) {
		uint8_t code[INSTRUCTION_BYTES_MAX];
		size_t len = call_place_length(code, read_instruction(&sites[i], code));

		vec_push(&ranges, (struct patched_range){ .off = sites[i].code_off, .end = sites[i].off + (len ? len : 1) });
	}
	/* Without a descriptor there are no probes either. */
	if (patched_find(pid, &file, ranges.at, nr) > 0)
		for (i = 0; i < nr && !found; i++) {
			found = ranges.at[i].is ? &sites[i] : NULL;
			*ret_how = ranges.at[i].is;
		}
	vec_release(&ranges);
	return found;
}
