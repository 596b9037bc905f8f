/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "collector/call_jumps.h"
#include "collector/code_extent.h"
#include "collector/exits.h"
#include "collector/locate.h"
#include "collector/probe.h"
#include "collector/retpoline.h"
#include "unwinder/cfi.h"

/*
 * No function that serves requests is longer; it is read whole. Nor has any more parts without a name, or longer ones. For each
 * jump that may leave it, it is looked through: an interpreter's 60 KB for 300, 64 MB take 3 s.
 */
enum { MAX_CODE_BYTES = 1 << 20, EXITS_MAX = PROBE_MAX_SITES / 2, NAMELESS_MAX = 8, NAMELESS_BYTES_MAX = 4096,
       LOOKED_THROUGH_BYTES_MAX = 64 << 20 };

/* Sections of code that catches or cleans up (C++, Rust), and of Go's programs. */
static const char *const unwinding_sections[] = { ".gcc_except_table", ".gopclntab", ".note.go.buildid" };
/*
 * Without such code: who throws, as LuaJIT does for an error of Lua's, and OCaml, whose collector looks up each return
 * address on the stack. Where this name of OCaml's is stripped, so are those of its functions.
 */
static const char *const unwinding_symbols[] = { "_Unwind_RaiseException", "caml_frametable" };
static const char *const go_sections[] = { ".gopclntab", ".note.go.buildid" };

static bool is_among(const char *name, const char *const *names, size_t nr)
{
	size_t i;

	for (i = 0; name && i < nr; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static bool elf_has_section(Elf *elf, const char *const *sections, size_t nr)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (!elf || elf_getshdrstrndx(elf, &names))
		return false;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) &&
		    is_among(elf_strptr(elf, names, header.sh_name), sections, nr))
			return true;
	}
	return false;
}

static bool section_has_symbol(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const char *const *names,
			       size_t nr_names)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t i, nr = header->sh_entsize ? header->sh_size / header->sh_entsize : 0;

	for (i = 0; data && i < nr; i++) {
		const char *is;
		GElf_Sym sym;

		is = gelf_getsym(data, (int)i, &sym) ? elf_strptr(elf, header->sh_link, sym.st_name) : NULL;
		if (is_among(is, names, nr_names))
			return true;
	}
	return false;
}

/* One that it takes from others, or has from a static library. */
static bool elf_has_symbol(Elf *elf, const char *const *names, size_t nr)
{
	Elf_Scn *section = NULL;

	while (elf && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) &&
		    (header.sh_type == SHT_DYNSYM || header.sh_type == SHT_SYMTAB) &&
		    section_has_symbol(elf, section, &header, names, nr))
			return true;
	}
	return false;
}

/* One that cannot be read may do anything. */
static bool elf_unwinds(Elf *elf)
{
	return !elf || elf_has_section(elf, unwinding_sections, ARRAY_LEN(unwinding_sections)) ||
	       elf_has_symbol(elf, unwinding_symbols, ARRAY_LEN(unwinding_symbols));
}

static bool elf_is_go(Elf *elf)
{
	return elf_has_section(elf, go_sections, ARRAY_LEN(go_sections));
}

static bool file_is(const struct locate_file *f, bool (*is)(Elf *elf))
{
	int fd = open(f->open_path, O_RDONLY | O_CLOEXEC);
	bool is_known = elf_version(EV_CURRENT) != EV_NONE && fd >= 0;
	Elf *elf = is_known ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	bool found = is(elf);

	elf_end(elf);
	if (fd >= 0)
		close(fd);
	return found;
}

bool locate_file_is_go(const struct locate_file *f)
{
	return file_is(f, elf_is_go);
}

/* Of one function, and what else is known of it. */
struct pieces {
	VEC(struct exits_piece) at;
	const struct image *image;
	const struct probe_site *site;
	const struct image_symbol *function;
	int fd;
	struct cfi *cfi;
	struct call_code code;	/* code_of() */
};

/* Unwind info is there for all of it, as compilers write it. */
static bool is_compiled(const struct pieces *pieces, uint64_t vaddr, uint64_t size)
{
	uint64_t at;

	if (pieces->site->is_go)
		return true;
	for (at = 0; pieces->cfi && at < size; at++) {
		const struct rule *rule = cfi_rule(pieces->cfi, vaddr + at);

		if ((rule->kind != RULE_CFA && rule->kind != RULE_EQUATIONS) || rule->is_guess)
			return false;
	}
	return pieces->cfi;
}

/* False: it is too long, or cannot be read. The code is the caller's. */
static bool read_piece(struct pieces *pieces, const struct image_symbol *sym, struct exits_piece *ret)
{
	uint8_t *code;

	if (sym->size > MAX_CODE_BYTES)
		return false;
	ret->code = code = xmalloc(sym->size);
	ret->len = sym->size;
	ret->off = sym->off;
	ret->vaddr = pieces->image->is_fixed ? sym->vaddr : 0;
	ret->is_compiled = is_compiled(pieces, sym->vaddr, sym->size);
	if (pread(pieces->fd, code, sym->size, (off_t)sym->off) == (ssize_t)sym->size)
		return true;
	free(code);
	return false;
}

static bool add_function(struct pieces *pieces)
{
	struct exits_piece p;

	vec_each(&pieces->image->symbols, sym) {
		if (sym->off != pieces->site->off || !sym->size)
			continue;
		if (!read_piece(pieces, sym, &p))
			return false;
		vec_push(&pieces->at, p);
		pieces->function = sym;
		return true;
	}
	return false;
}

/* A part that the compiler moved out of the way of a function with one of the names that this one has: NAME.cold. */
static bool is_cold(const struct pieces *pieces, const struct image_symbol *sym)
{
	const struct image_symbol *begin = pieces->image->symbols.at;
	const struct image_symbol *last = image_symbol_before(pieces->image, pieces->site->off), *f;

	for (f = last; f && f >= begin && f->off == last->off && sym->size; f--) {
		size_t len = strcspn(f->name, "@");

		if (!strncmp(sym->name, f->name, len) && str_starts(sym->name + len, ".cold"))
			return true;
	}
	return false;
}

/* *ret_any: there is another function of that name. True: the part is such a one's. */
static bool is_of_namesake(struct pieces *pieces, const struct exits_piece *cold, bool *ret_any)
{
	struct exits_piece p;
	bool found = false;

	*ret_any = false;
	vec_each(&pieces->image->symbols, sym) {
		if (found || sym->off == pieces->site->off || !sym->size || strcmp(sym->name, pieces->site->name))
			continue;
		*ret_any = true;
		if (!read_piece(pieces, sym, &p))
			continue;
		found = exits_are_joined(&p, cold);
		free((void *)p.code);
	}
	return found;
}

/* Static functions of one name are told apart by jumps. False: whose it is is not known; exceptions alone lead there. */
static bool find_owner(struct pieces *pieces, const struct exits_piece *cold, bool *ret_is_mine)
{
	bool has_namesake, is_others;

	*ret_is_mine = exits_are_joined(&pieces->at.at[0], cold);
	if (*ret_is_mine)
		return true;
	is_others = is_of_namesake(pieces, cold, &has_namesake);
	*ret_is_mine = !has_namesake;
	return is_others || !has_namesake;
}

/* The function itself first. */
static bool add_pieces(struct pieces *pieces)
{
	bool is_known = add_function(pieces), is_mine;
	uint64_t last_off = 0;
	struct exits_piece p;

	vec_each(&pieces->image->symbols, sym) {
		if (!is_known || sym->off == last_off || !is_cold(pieces, sym))
			continue;
		last_off = sym->off;
		is_known = read_piece(pieces, sym, &p);
		if (!is_known)
			break;
		is_known = find_owner(pieces, &p, &is_mine);
		if (is_mine)
			vec_push(&pieces->at, p);
		else
			free((void *)p.code);
	}
	return is_known;
}

static void pieces_release(struct pieces *pieces)
{
	vec_each(&pieces->at, p)
		free((void *)p->code);
	vec_release(&pieces->at);
	cfi_free(pieces->cfi);
	call_code_release(&pieces->code);
	if (pieces->fd >= 0)
		close(pieces->fd);
}

static bool is_in_function(const struct image *m, uint64_t off)
{
	const struct image_symbol *sym = image_symbol_before(m, off);

	return sym && (sym->off == off || off - sym->off < sym->size);
}

/* Opened when first needed. */
static struct call_code *code_of(struct pieces *pieces)
{
	if (!pieces->code.image)
		call_code_open(&pieces->code, pieces->image, pieces->fd);
	return &pieces->code;
}

static enum exits_thunk thunk_at(void *data, uint64_t off)
{
	struct pieces *pieces = data;
	const struct python_code *bytes = &code_of(pieces)->bytes;
	uint64_t vaddr = pieces->function->vaddr + (off - pieces->function->off);
	ZydisRegister by;

	if (retpoline_returns_at(bytes, vaddr))
		return EXITS_RETURNS;
	if (!retpoline_at(bytes, vaddr, &by))
		return EXITS_NO_THUNK;
	return by ? EXITS_THUNK : EXITS_RETURNS;
}

/* A tail call's stack pointer is what it was at the entry. An interpreter's jump to its next instruction has a frame. */
static bool has_frame(const struct pieces *pieces, const struct exit *exit)
{
	const struct rule *rule;
	uint64_t vaddr;

	if (!pieces->cfi || !cfi_vaddr(pieces->cfi, exit->off, &vaddr))
		return false;
	rule = cfi_rule(pieces->cfi, vaddr);
	return rule->kind == RULE_CFA && !rule->is_guess &&
	       (rule->cfa_reg != cfi_arch(pieces->cfi)->sp || rule->cfa_off != sizeof(uint64_t));
}

/* *bytes: so many of the code have been looked through. */
static enum call_jumps_way way_of(struct pieces *pieces, const struct exit *exit, uint64_t *bytes)
{
	if (!exit->is_tail_call || exit->to)
		return CALL_JUMPS_LEAVES;
	if (has_frame(pieces, exit))
		return CALL_JUMPS_STAYS;
	*bytes += pieces->function->size;
	if (*bytes > LOOKED_THROUGH_BYTES_MAX)
		return CALL_JUMPS_UNKNOWN;
	return call_jumps_way(code_of(pieces), pieces->function, exit->off);
}

/* False: whether a jump leads out of the function or on in it is not known. */
static bool drop_inner_jumps(struct exits *x, struct pieces *pieces)
{
	enum call_jumps_way way = CALL_JUMPS_LEAVES;
	uint64_t bytes = 0;
	size_t i = 0;

	while (i < x->at.nr && way != CALL_JUMPS_UNKNOWN) {
		way = way_of(pieces, &x->at.at[i], &bytes);
		if (way == CALL_JUMPS_STAYS)
			vec_remove(&x->at, i, 1);
		else
			i++;
	}
	return way != CALL_JUMPS_UNKNOWN;
}

/*
 * Where symbols are stripped, cold parts have none: a conditional jump to code that nobody knows leads there, and seldom
 * elsewhere. If it is a call of another function, that one's returns are this one's.
 */
static bool find_nameless(const struct exits *x, const struct pieces *pieces, uint64_t *ret_off)
{
	vec_each(&x->at, exit)
		if (exit->condition && exit->to && pieces->image->is_stripped && !is_in_function(pieces->image, exit->to)) {
			*ret_off = exit->to;
			return true;
		}
	return false;
}

/* Without unwind info, up to the next symbol. */
static bool add_nameless(struct pieces *pieces, uint64_t off)
{
	const struct image_symbol *before = image_symbol_before(pieces->image, off);
	const struct image_symbol *next = before ? before + 1 : pieces->image->symbols.at;
	struct image_symbol code = { .off = off, .size = NAMELESS_BYTES_MAX };
	Elf *elf = elf_begin(pieces->fd, ELF_C_READ_MMAP, NULL);
	struct code_extent extent;
	struct exits_piece p;

	if (next < pieces->image->symbols.at + pieces->image->symbols.nr && next->off - off < code.size)
		code.size = next->off - off;
	if (!pieces->cfi || !cfi_vaddr(pieces->cfi, off, &code.vaddr))
		code.size = 0;
	else if (code_extent_find(elf, code.vaddr, &extent))
		code = (struct image_symbol){ .off = off - (code.vaddr - extent.vaddr), .vaddr = extent.vaddr, .size = extent.len };
	elf_end(elf);
	if (!code.size || !read_piece(pieces, &code, &p))
		return false;
	vec_push(&pieces->at, p);
	return true;
}

static bool find_in_pieces(struct exits *x, struct pieces *pieces, bool unwinds)
{
	size_t nr = pieces->at.nr + NAMELESS_MAX;
	uint64_t off;

	while (exits_find(x, pieces->at.at, pieces->at.nr, unwinds, thunk_at, pieces)) {
		if (!find_nameless(x, pieces, &off))
			return true;
		vec_release(&x->at);
		if (pieces->at.nr == nr || !add_nameless(pieces, off))
			return false;
	}
	return false;
}

/* False: the function's length is not known, or what its code is, or there are too many. One that never returns has none. */
static bool find_exits(struct exits *x, struct locate_file *f, const struct probe_site *site)
{
	struct pieces pieces = { .image = locate_image(f), .site = site };
	int fd = open(site->open_path, O_RDONLY | O_CLOEXEC);
	struct err ignored;
	bool found;

	if (fd < 0)
		return false;
	pieces.fd = open(site->open_path, O_RDONLY | O_CLOEXEC);
	pieces.cfi = cfi_open(fd, &ignored);
	found = add_pieces(&pieces) && find_in_pieces(x, &pieces, file_is(f, elf_unwinds)) && drop_inner_jumps(x, &pieces);
	pieces_release(&pieces);
	return found && x->at.nr <= EXITS_MAX;
}

static size_t nr_tail_calls(const struct exits *x)
{
	size_t nr = 0;

	vec_each(&x->at, exit)
		nr += exit->is_tail_call;
	return nr;
}

static void warn_of_tail_calls(const struct exits *x, const char *name)
{
	size_t nr = nr_tail_calls(x);

	if (nr)
		log_warn("%s leaves %zu times by calling another function last: what that does is not "
			 "part of the request",
			 name, nr);
}

/* NULL: none that can be read. */
static struct locate_file *file_of(struct locate *l, const struct probe_site *site)
{
	vec_each(&l->files, f)
		if (f->open_path == site->open_path)
			return locate_image(f) ? f : NULL;
	return NULL;
}

size_t locate_exits(struct locate *l, struct probe_sites *sites)
{
	struct probe_sites out = { 0 };
	size_t nr_left = 0;

	vec_each(&sites->sites, site) {
		struct locate_file *f = site->is_return ? file_of(l, site) : NULL;
		struct exits x = { 0 };

		if (f && find_exits(&x, f, site)) {
			vec_each(&x.at, exit) {
				vec_push(&out.sites, *site);
				vec_last(&out.sites)->off = exit->off;
				vec_last(&out.sites)->code_off = exit->code_off;
				vec_last(&out.sites)->is_return = false;
				vec_last(&out.sites)->is_exit = true;
				vec_last(&out.sites)->condition = exit->condition;
			}
			warn_of_tail_calls(&x, site->name);
		} else {
			nr_left += site->is_return;
			vec_push(&out.sites, *site);
		}
		exits_release(&x);
	}
	probe_sites_release(sites);
	*sites = out;
	return nr_left;
}
