/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symbolizer on real files: programs of tests/targets/sym_* compiled here in many ways, this
 * test program itself, and Python where its debug symbols are installed. What cannot be done on a
 * host (no clang, no debug symbols, /proc/kallsyms hidden) is left out, and said.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_sum.h"
#include "base/str.h"
#include "tests/elf_image.h"
#include "tests/harness.h"
#include "tests/symbolizer_referee.h"
#include "tests/symbolizer_rig.h"

Suite *check_symbolizer_suite(void);

/* The first line of a target's source with that text in it. */
static uint32_t line_of(const char *file, const char *wanted)
{
	char line[512];
	uint32_t nr = 0;
	FILE *f = fopen(rig_path(file), "re");

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		nr++;
		if (strstr(line, wanted)) {
			fclose(f);
			return nr;
		}
	}
	ck_abort_msg("%s: no line with %s", file, wanted);
}

/* ---- what one frame says ---- */

START_TEST(inlined_chain_is_innermost_first)
{
	const uint32_t inner = line_of("src/sym_c.c", "int innermost(int x)");
	const uint32_t middle = line_of("src/sym_c.c", "int middle(int x)");
	const uint32_t outer = line_of("src/sym_c.c", "static int outermost(int x)");
	const uint32_t call = line_of("src/sym_c.c", "sum += middle(i);");
	uint64_t len, off = rig_symbol_off("c", "outermost", &len), i;
	const struct frame *f = NULL;
	struct rig r;
	size_t nr = 0;

	rig_begin(&r, "c");
	for (i = 0; i < len && nr != 3; i++)
		nr = rig_resolve(&r, off + i, &f);
	ck_assert_uint_eq(nr, 3);
	ck_assert_str_eq(rig_text(&r, f[0].function), "innermost");
	ck_assert_str_eq(rig_text(&r, f[1].function), "middle");
	ck_assert_str_eq(rig_text(&r, f[2].function), "outermost");
	ck_assert_uint_eq(f[0].line, inner);
	ck_assert_uint_eq(f[1].line, middle);
	ck_assert_uint_eq(f[2].line, outer);
	ck_assert_uint_gt(f[0].at_line, inner);
	ck_assert_uint_lt(f[0].at_line, middle);
	ck_assert_uint_gt(f[1].at_line, middle);
	ck_assert_uint_lt(f[1].at_line, outer);
	ck_assert_uint_eq(f[2].at_line, call);
	ck_assert(f[0].is_inlined && f[1].is_inlined && !f[2].is_inlined);
	ck_assert(str_ends(rig_text(&r, f[2].file), "/sym_c.c"));
	ck_assert_str_eq(rig_text(&r, f[2].module), rig_path("c"));
	rig_end(&r);
}
END_TEST

START_TEST(no_inline_leaves_the_function_that_the_linker_knows)
{
	const struct symbolizer_options options = { .no_inline = true };
	uint64_t len, off = rig_symbol_off("c", "outermost", &len), i;
	const struct frame *f;
	struct rig r;

	rig_begin_with(&r, &(struct module_key){ .kind = MODULE_ELF, .path = rig_path("c") },
		       &options);
	for (i = 0; i < len; i++) {
		ck_assert_uint_eq(rig_resolve(&r, off + i, &f), 1);
		ck_assert_str_eq(rig_text(&r, f->function), "outermost");
		ck_assert(!f->is_inlined);
		ck_assert_uint_ge(f->at_line, f->line);
		ck_assert_uint_lt(f->at_line, f->line + 8);
	}
	rig_end(&r);
}
END_TEST

START_TEST(same_address_is_resolved_once)
{
	struct module_key key = { .kind = MODULE_ELF, .path = rig_path("c") };
	uint64_t off = rig_symbol_off("c", "outermost", NULL);
	const struct frame *a, *b, *c;
	struct symbolizer_stats stats;
	struct rig r;
	size_t nr;

	rig_begin(&r, "c");
	ck_assert_uint_eq(symbolizer_module(r.symbolizer, &key), r.module);
	key.path = "/nowhere";
	ck_assert_uint_ne(symbolizer_module(r.symbolizer, &key), r.module);
	rig_resolve(&r, off, &a);
	rig_resolve(&r, off, &b);
	/* a return address is looked up inside the call before it */
	symbolizer_resolve(r.symbolizer, r.module, (struct code_addr){ off + 1, true }, &c, &nr);
	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_eq(a, c);
	symbolizer_stats(r.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_resolved, 1);
	ck_assert_uint_eq(stats.nr_no_symbol, 0);
	rig_end(&r);
}
END_TEST

START_TEST(names_are_demangled_unless_asked_not_to)
{
	static const char symbol[] = "_ZN4shop6basket3addERKNS_4itemE";
	const struct symbolizer_options raw = { .no_demangle = true };
	struct module_key key = { .kind = MODULE_ELF, .path = rig_path("cxx") };
	uint64_t off = rig_symbol_off("cxx", symbol, NULL);
	struct rig r;

	rig_begin_with(&r, &key, NULL);
	ck_assert_str_eq(rig_function(&r, off), "shop::basket::add(shop::item const&)");
	rig_end(&r);
	rig_begin_with(&r, &key, &raw);
	ck_assert_str_eq(rig_function(&r, off), symbol);
	rig_end(&r);
}
END_TEST

/* The second instruction of each is asked for: the line is the declared one, or that of the first. */
static const struct {
	const char *symbol;
	uint32_t line;
} lineless[] = {
	{ "_start", 42 },
	{ "declared", 51 },
	{ "borrower", 0 },
};

START_TEST(line_of_a_definition_without_one_is_that_of_its_entry)
{
	const struct frame *f;
	struct rig r;
	uint64_t off;

	must_sh("gcc -nostdlib -static src/sym_lineless.s -o lineless");
	off = rig_symbol_off("lineless", lineless[_i].symbol, NULL);
	rig_begin(&r, "lineless");
	ck_assert_uint_eq(rig_resolve(&r, off + 1, &f), 1);
	ck_assert_str_eq(rig_text(&r, f->function), lineless[_i].symbol);
	ck_assert(str_ends(rig_text(&r, f->file), "lineless.go"));
	ck_assert_uint_eq(f->line, lineless[_i].line);
	rig_end(&r);
}
END_TEST

/* gcc leaves out their linkage names: DWARF says where they are declared, and the symbol table is the referee. */
static const struct {
	const char *symbol, *want;
} scoped[] = {
	{ " shop_c_name", "shop_c_name" },
	{ " shop::shop_static(int)", "shop::shop_static" },
	{ "::till<int>::ring(int)", "shop::(anonymous namespace)::till<int>::ring" },
	{ "::till<int>::drawer::open(int)", "shop::(anonymous namespace)::till<int>::drawer::open" },
	{ " shop::day(int)\n", "shop::day(int)" },
	{ " shop::day(int)::local::twice(int)", "shop::day::local::twice" },
	{ " shop::day(int)::{lambda(int)#1}::operator()(int) const", "shop::day::{lambda}::operator()" },
	{ " main", "main" },
};

START_TEST(cxx_functions_have_their_scopes)
{
	uint64_t off = 0;
	char line[4096];
	struct rig r;
	FILE *f;

	must_sh("g++ -O2 -g src/sym_scopes.cc -o scopes && nm -C scopes >scopes.names");
	f = fopen(rig_path("scopes.names"), "re");
	ck_assert_ptr_nonnull(f);
	while (!off && fgets(line, sizeof(line), f))
		if (strstr(line, scoped[_i].symbol))
			off = strtoull(line, NULL, 16);
	fclose(f);
	ck_assert_uint_ne(off, 0);
	rig_begin(&r, "scopes");
	ck_assert_str_eq(rig_function(&r, off), scoped[_i].want);
	rig_end(&r);
}
END_TEST

/* gcc says of a lambda where its class is, and nothing of the function. */
START_TEST(lambdas_are_where_they_stand)
{
	char line[4096] = "";
	const struct frame *f;
	struct rig r;
	FILE *names;

	must_sh("g++ -O2 -g src/sym_scopes.cc -o scopes && nm -C scopes | grep 'operator()' >scopes.lambda");
	names = fopen(rig_path("scopes.lambda"), "re");
	ck_assert_ptr_nonnull(names);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), names));
	fclose(names);
	rig_begin(&r, "scopes");
	ck_assert_uint_ge(rig_resolve(&r, strtoull(line, NULL, 16), &f), 1);
	ck_assert(str_ends(rig_text(&r, f->file), "sym_scopes.cc"));
	ck_assert_uint_eq(f->line, 41);
	rig_end(&r);
}
END_TEST

/* The names that a profile of std::sort() with a lambda shows. */
START_TEST(algorithms_with_lambdas_are_stds)
{
	char line[4096] = "";
	struct rig r;
	FILE *f;

	must_sh("nm -C cxx | grep std::__introsort_loop >cxx.sort");
	f = fopen(rig_path("cxx.sort"), "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	fclose(f);
	rig_begin(&r, "cxx");
	ck_assert(str_starts(rig_function(&r, strtoull(line, NULL, 16)), "std::__introsort_loop<"));
	rig_end(&r);
}
END_TEST

START_TEST(cold_parts_belong_to_their_function)
{
	struct rig r;
	uint64_t off;

	off = rig_symbol_off("c", "with_cold.cold", NULL);
	rig_begin(&r, "c");
	ck_assert_str_eq(rig_function(&r, off), "with_cold");
	rig_end(&r);
	/* without DWARF the symbol is all there is to say */
	must_sh("strip -g -o c.nodebug c");
	rig_begin(&r, "c.nodebug");
	ck_assert_str_eq(rig_function(&r, off), "with_cold.cold");
	rig_end(&r);
}
END_TEST

static const struct {
	const char *symbol, *with_dwarf, *without;
} aliases[] = {
	{ "sym_public", "sym_public", "sym_public" },
	{ "sym_plain", "sym_plain", "sym_plain_by_another_name" },
	{ "sym_strong", "sym_strong", "sym_strong" },
};

START_TEST(one_of_several_names_is_chosen)
{
	struct rig r;
	uint64_t off;

	must_sh("gcc -O2 -g src/sym_alias.c -o alias && strip -g -o alias.nodebug alias");
	off = rig_symbol_off("alias", aliases[_i].symbol, NULL);
	rig_begin(&r, "alias");
	ck_assert_str_eq(rig_function(&r, off), aliases[_i].with_dwarf);
	rig_end(&r);
	rig_begin(&r, "alias.nodebug");
	ck_assert_str_eq(rig_function(&r, off), aliases[_i].without);
	rig_end(&r);
}
END_TEST

static const struct {
	const char *name, *make;
} linkings[] = {
	{ "p.pie", "gcc -O2 src/sym_c.c -o p.pie" },
	{ "p.exec", "gcc -O2 -no-pie src/sym_c.c -o p.exec" },
	{ "p.lazy", "gcc -O2 -Wl,-z,lazy src/sym_c.c -o p.lazy" },
	{ "p.ibt", "gcc -O2 -fcf-protection -Wl,-z,ibtplt src/sym_c.c -o p.ibt" },
	{ "p.so", "gcc -O2 -shared -fPIC src/sym_c.c -o p.so" },
	{ "p.stripped", "gcc -O2 -s src/sym_c.c -o p.stripped" },
};

START_TEST(stubs_have_the_name_of_what_they_call)
{
	static const char *const wanted[] = { "qsort@plt", "strtol@plt", "abort@plt" };
	struct text_segment seg;
	struct rig r;
	size_t i;
	uint64_t off;

	must_sh("%s", linkings[_i].make);
	seg = rig_text_segment(linkings[_i].name);
	rig_begin(&r, linkings[_i].name);
	for (i = 0; i < ARRAY_LEN(wanted); i++) {
		unsigned int nr = 0;

		for (off = seg.off; off < seg.off + seg.len; off++)
			nr += !strcmp(rig_function(&r, off), wanted[i]);
		ck_assert_uint_ge(nr, 8);
		ck_assert_uint_le(nr, 16);
	}
	rig_end(&r);
}
END_TEST

/* ---- where files and their debug info are found ---- */

/* Made from base, or with the same code: every byte gives the same frames. */
static const struct {
	const char *name, *make;
	const char *base;	/* NULL: "c" */
} variants[] = {
	{ "v.link",
	  "objcopy --only-keep-debug c v.debug && strip -o v.link c && "
	  "objcopy --add-gnu-debuglink=v.debug v.link",
	  NULL },
	{ "v.dotdebug",
	  "mkdir -p .debug && objcopy --only-keep-debug c .debug/w.debug && "
	  "strip -o v.dotdebug c && objcopy --add-gnu-debuglink=.debug/w.debug v.dotdebug",
	  NULL },
	{ "v.zlib", "objcopy --compress-debug-sections=zlib c v.zlib", NULL },
	{ "v.zlib-gnu", "objcopy --compress-debug-sections=zlib-gnu c v.zlib-gnu", NULL },
	{ "v.gz", "gcc -O2 -g -gz -fPIE -pie src/sym_c.c -o v.gz", NULL },
	{ "v.types", "g++ -O2 -g -fdebug-types-section -fPIE -pie src/sym_cxx.cc -o v.types",
	  "cxx" },
	/* of its own accord clang writes no .debug_aranges */
	{ "v.noaranges",
	  "cp c v.clang; cp c v.noaranges; command -v clang >/dev/null || exit 0; "
	  "clang -O2 -g -gdwarf-aranges src/sym_c.c -o v.clang && "
	  "clang -O2 -g src/sym_c.c -o v.noaranges",
	  "v.clang" },
};

static void expect_same_frames(const char *base, struct rig *a, struct rig *b)
{
	struct text_segment seg = rig_text_segment(base);
	uint64_t off;

	for (off = seg.off; off < seg.off + seg.len; off++) {
		char *x = rig_frames(a, off), *y = rig_frames(b, off);

		ck_assert_str_eq(x, y);
		free(x);
		free(y);
	}
}

START_TEST(debug_info_is_found_wherever_it_is)
{
	const char *base = variants[_i].base ? variants[_i].base : "c";
	struct rig plain, variant;

	must_sh("%s", variants[_i].make);
	rig_begin(&plain, base);
	rig_begin(&variant, variants[_i].name);
	expect_same_frames(base, &plain, &variant);
	rig_end(&plain);
	rig_end(&variant);
}
END_TEST

START_TEST(debug_info_is_found_by_build_id)
{
	const struct symbolizer_options options = { .sysroot = rig_dir() };
	struct rig plain, variant;

	must_sh("id=$(readelf -n c | sed -n 's/.*Build ID: //p') && "
		"d=usr/lib/debug/.build-id/$(echo $id | cut -c1-2) && mkdir -p $d bin && "
		"objcopy --only-keep-debug c $d/$(echo $id | cut -c3-).debug && "
		"strip -o bin/byid c");
	rig_begin(&plain, "c");
	rig_begin_with(&variant, &(struct module_key){ .kind = MODULE_ELF, .path = "/bin/byid" },
		       &options);
	expect_same_frames("c", &plain, &variant);
	rig_end(&plain);
	rig_end(&variant);
}
END_TEST

/* Its thirty libraries take longer to load than most reports. */
START_TEST(without_a_server_debuginfods_client_is_not_loaded)
{
	struct str maps = { 0 };
	struct rig r;

	unsetenv("DEBUGINFOD_URLS");
	must_sh("gcc -O2 src/sym_c.c -o nodebug");
	rig_begin(&r, "nodebug");
	rig_function(&r, rig_symbol_off("nodebug", "outermost", NULL));
	r.module = symbolizer_module(r.symbolizer,
				     &(struct module_key){ .kind = MODULE_ELF, .path = "[vdso]" });
	rig_function(&r, 0x800);
	harness_read("/proc/self/maps", &maps);
	ck_assert_ptr_null(strstr(maps.s, "libdebuginfod"));
	str_release(&maps);
	rig_end(&r);
}
END_TEST

START_TEST(stripped_files_keep_what_they_export)
{
	uint64_t exported, hidden;
	struct rig r;
	const struct frame *f;
	struct symbolizer_stats stats;

	must_sh("gcc -O2 -shared -fPIC src/sym_c.c -o d.so && strip -o d.stripped d.so");
	exported = rig_symbol_off("d.so", "sym_exported", NULL);
	hidden = rig_symbol_off("d.so", "outermost", NULL);
	rig_begin(&r, "d.stripped");
	ck_assert_str_eq(rig_function(&r, exported), "sym_exported");
	ck_assert_str_eq(rig_function(&r, hidden), "");
	rig_resolve(&r, hidden, &f);
	ck_assert_uint_ne(f->vaddr, 0);
	symbolizer_stats(r.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_no_symbol, 1);
	rig_end(&r);
}
END_TEST

/* As Fedora makes it: a symbol table of what .dynsym lacks, xz-ed, in .gnu_debugdata. */
START_TEST(mini_debug_info_names_static_functions)
{
	struct rig r;
	uint64_t off;

	must_sh("gcc -O2 -shared -fPIC src/sym_c.c -o m.so && "
		"objcopy --only-keep-debug m.so m.debug && echo outermost >keep.txt && "
		"objcopy -S --remove-section .comment --keep-symbols=keep.txt m.debug m.mini && "
		"xz -f m.mini && strip -o m.stripped m.so && "
		"objcopy --add-section .gnu_debugdata=m.mini.xz m.stripped");
	off = rig_symbol_off("m.so", "outermost", NULL);
	rig_begin(&r, "m.stripped");
	ck_assert_str_eq(rig_function(&r, off), "outermost");
	rig_end(&r);
}
END_TEST

static size_t build_id_of(const char *path, uint8_t id[64])
{
	unsigned int byte;
	size_t len = 0;
	FILE *f;

	must_sh("readelf -n %s | sed -n 's/.*Build ID: //p' | head -1 >id.txt", rig_path(path));
	f = fopen(rig_path("id.txt"), "re");
	while (len < 64 && fscanf(f, "%2x", &byte) == 1)
		id[len++] = (uint8_t)byte;
	fclose(f);
	ck_assert_uint_ge(len, 8);
	return len;
}

/* Debug info that two programs share; that of another build has other names in the same places. */
START_TEST(shared_debug_info_of_another_build_is_never_used)
{
	struct rig r;
	char *frames;
	uint64_t off;

	must_sh("for i in 1 2; do gcc -O2 -g src/sym_c.c -o dwz$i; done && dwz -m shared dwz1 dwz2 && "
		"gcc -O2 -g src/sym_c.c -o other");
	off = rig_symbol_off("dwz1", "outermost", NULL);
	rig_begin(&r, "dwz1");
	frames = rig_frames(&r, off);
	ck_assert_ptr_nonnull(strstr(frames, "sym_c.c:"));
	free(frames);
	rig_end(&r);
	must_sh("mv other shared");
	rig_begin(&r, "dwz1");
	frames = rig_frames(&r, off);
	ck_assert_ptr_null(strstr(frames, "sym_c.c:"));
	ck_assert_str_eq(rig_function(&r, off), "outermost");
	free(frames);
	rig_end(&r);
}
END_TEST

START_TEST(another_build_is_never_used)
{
	uint64_t off = rig_symbol_off("c", "outermost", NULL);
	uint8_t id[64];
	struct module_key key = { .kind = MODULE_ELF, .build_id = id };
	struct symbolizer_stats stats;
	const struct frame *f;
	struct rig r;

	key.path = strdup(rig_path("c"));
	key.build_id_len = build_id_of("c", id);
	rig_begin_with(&r, &key, NULL);
	ck_assert_str_eq(rig_function(&r, off), "outermost");
	/* padded with zeros, as perf may record it */
	memset(id + key.build_id_len, 0, 4);
	key.build_id_len += 4;
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_str_eq(rig_function(&r, off), "outermost");
	id[3] ^= 1;
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_uint_eq(rig_resolve(&r, off, &f), 1);
	ck_assert_str_eq(rig_text(&r, f->function), "");
	ck_assert_uint_eq(f->vaddr, off);
	ck_assert_uint_eq(f->at_line, 0);
	symbolizer_stats(r.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_wrong_build_id, 1);
	ck_assert_uint_eq(stats.nr_missing_files, 0);
	rig_end(&r);
	free((char *)key.path);
}
END_TEST

static void checksum_of(const char *path, uint64_t *ret_sum)
{
	int fd = open(rig_path(path), O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert(file_sum(fd, ret_sum));
	close(fd);
}

/* Where linkers write no build-ids a checksum stands in its place: of a file that has one all the same, too. */
START_TEST(another_file_without_build_id_is_never_used)
{
	const char *file = _i ? "without" : "c";
	struct module_key key = { .kind = MODULE_ELF };
	uint64_t off, sum;
	struct rig r;

	must_sh("gcc -O2 -Wl,--build-id=none src/sym_c.c -o without");
	off = rig_symbol_off(file, "outermost", NULL);
	key.path = strdup(rig_path(file));
	key.build_id = (const uint8_t *)&sum;
	key.build_id_len = sizeof(sum);
	checksum_of(file, &sum);
	rig_begin_with(&r, &key, NULL);
	ck_assert_str_eq(rig_function(&r, off), "outermost");
	sum ^= 1;
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_str_eq(rig_function(&r, off), "");
	rig_end(&r);
	free((char *)key.path);
}
END_TEST

static void *read_file(const char *name, size_t *ret_len)
{
	FILE *f = fopen(rig_path(name), "re");
	struct stat st;
	void *bytes;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	bytes = xmalloc((size_t)st.st_size);
	ck_assert_uint_eq(fread(bytes, 1, (size_t)st.st_size, f), (size_t)st.st_size);
	fclose(f);
	*ret_len = (size_t)st.st_size;
	return bytes;
}

START_TEST(a_file_that_travelled_needs_no_other)
{
	uint64_t off = rig_symbol_off("c", "outermost", NULL);
	uint8_t id[64];
	size_t len, id_len = build_id_of("c", id);
	void *bytes = read_file("c", &len);
	struct module_key key = { .kind = MODULE_ELF, .path = "/gone/prog (deleted)" };
	struct rig r;

	rig_begin_with(&r, &key, NULL);
	symbolizer_add_elf(r.symbolizer, key.path, NULL, 0, bytes, len);
	symbolizer_add_elf(r.symbolizer, "/another/name", id, id_len, bytes, len);
	ck_assert_str_eq(rig_function(&r, off), "outermost");
	/* by build-id, whatever it is called */
	key.path = "/gone/too";
	key.build_id = id;
	key.build_id_len = id_len;
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_str_eq(rig_function(&r, off), "outermost");
	/* not what it says it is */
	id[0] ^= 1;
	symbolizer_add_elf(r.symbolizer, "/a/liar", id, id_len, bytes, len);
	key.path = "/a/liar";
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_str_eq(rig_function(&r, off), "");
	rig_end(&r);
	free(bytes);
}
END_TEST

/* Two containers' programs: neither has a build-id, and both are called the same. */
START_TEST(files_at_one_path_are_told_apart)
{
	static const char *const files[] = { "without", "without_too" };
	struct module_key key = { .kind = MODULE_ELF, .path = "/app" };
	uint64_t sums[2], off[2];
	struct rig r;
	int i;

	must_sh("gcc -O2 -Wl,--build-id=none src/sym_c.c -o without");
	must_sh("gcc -O2 -Wl,--build-id=none -Dsym_exported=sym_other src/sym_c.c -o without_too");
	rig_begin_with(&r, &key, NULL);
	for (i = 0; i < 2; i++) {
		size_t len;
		void *bytes = read_file(files[i], &len);

		off[i] = rig_symbol_off(files[i], i ? "sym_other" : "sym_exported", NULL);
		checksum_of(files[i], &sums[i]);
		symbolizer_add_elf(r.symbolizer, key.path, (const uint8_t *)&sums[i], sizeof(sums[i]), bytes, len);
		free(bytes);
	}
	key.build_id_len = sizeof(sums[0]);
	for (i = 0; i < 2; i++) {
		key.build_id = (const uint8_t *)&sums[i];
		r.module = symbolizer_module(r.symbolizer, &key);
		ck_assert_str_eq(rig_function(&r, off[i]), i ? "sym_other" : "sym_exported");
	}
	rig_end(&r);
}
END_TEST

/* In a stream its file is deleted while it is read, and the copy is on its way. 1: another file stands there. */
START_TEST(a_file_that_travels_late_serves_from_then_on)
{
	uint64_t off = rig_symbol_off("c", "outermost", NULL), other = rig_symbol_off("c", "sym_exported", NULL);
	uint8_t id[64];
	size_t len, id_len = build_id_of("c", id);
	void *bytes = read_file("c", &len);
	char *path = xstrdup(_i ? rig_path("nodebug") : "/gone/prog");
	struct module_key key = { .kind = MODULE_ELF, .path = path,
				  .build_id = id, .build_id_len = id_len };
	struct symbolizer_stats stats;
	struct rig r;

	must_sh("gcc -O2 src/sym_c.c -o nodebug");
	rig_begin_with(&r, &key, NULL);
	ck_assert_str_eq(rig_function(&r, off), "");
	symbolizer_add_elf(r.symbolizer, "/another/prog", NULL, 0, bytes, len);
	ck_assert_str_eq(rig_function(&r, off + 1), "");
	symbolizer_add_elf(r.symbolizer, key.path, id, id_len, bytes, len);
	ck_assert_str_eq(rig_function(&r, other), "sym_exported");
	/* As it was answered. */
	ck_assert_str_eq(rig_function(&r, off), "");
	symbolizer_stats(r.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_missing_files + stats.nr_wrong_build_id, 0);
	rig_end(&r);
	free(bytes);
	free(path);
}
END_TEST

START_TEST(deleted_files_are_found_again_by_build_id_only)
{
	uint64_t off = rig_symbol_off("c", "outermost", NULL);
	char *path = xasprintf("%s (deleted)", rig_path("c"));
	struct module_key key = { .kind = MODULE_ELF, .path = path };
	struct symbolizer_stats stats;
	struct rig r;
	uint8_t id[64];

	rig_begin_with(&r, &key, NULL);
	ck_assert_str_eq(rig_function(&r, off), "");
	key.build_id_len = build_id_of("c", id);
	key.build_id = id;
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_str_eq(rig_function(&r, off), "outermost");
	symbolizer_stats(r.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_missing_files, 1);
	rig_end(&r);
	free(path);
}
END_TEST

static const char *const nowhere[] = {
	"/no/such/file", "/dev/zero", "/dev/null", "/tmp", "[heap]", "[stack]", "//anon", "",
	"relative",
};

START_TEST(what_is_no_file_stays_hex)
{
	const struct frame *f;
	struct rig r;

	rig_begin_with(&r, &(struct module_key){ .kind = MODULE_ELF, .path = nowhere[_i] }, NULL);
	ck_assert_uint_eq(rig_resolve(&r, 0x1234, &f), 1);
	ck_assert_uint_eq(f->function, 0);
	ck_assert_uint_eq(f->vaddr, 0x1234);
	ck_assert_str_eq(rig_text(&r, f->module), nowhere[_i]);
	rig_end(&r);
}
END_TEST

START_TEST(vdso_is_that_of_this_process)
{
	const struct module_key key = { .kind = MODULE_ELF, .path = "[vdso]" };
	unsigned int nr = 0;
	struct rig r;
	uint64_t off;

	rig_begin_with(&r, &key, NULL);
	for (off = 0; off < 0x2000; off++)
		nr += !!strstr(rig_function(&r, off), "clock_gettime");
	ck_assert_uint_gt(nr, 0);
	rig_end(&r);
}
END_TEST

/* ---- what is in no file ---- */

static const char jit_text[] =
	"1000 100 first\n"
	"1040 20 LazyCompile:*fib /srv/app.js:12:5\n"
	"2000 80 old\n"
	"0x2040 0x80 new one\r\n"
	"3000 10 py::fib:/srv/app.py\n"
	"3010 10 _ZN4shop6basket3addERKNS_4itemE\n"
	"3020 10 JS:~ /srv/app.js:1:1\n"
	"3030 10 LazyCompile:*fib /srv/app.js:3\n"
	"3040 10 Function:^emit node:events:461\n"
	"3050 10 GET: localhost:80\n"
	"zzz\n"
	"4000\n"
	"4000 10\n"
	"fffffffffffffff0 100 wraps\n"
	"11112222333344445 10 too long\n"
	"5000 10 no newline";

static const struct {
	uint64_t addr;
	const char *function, *file;
	uint32_t line;
} jit_cases[] = {
	{ 0x1000, "first", "", 0 },
	{ 0x103f, "first", "", 0 },
	{ 0x1040, "fib", "/srv/app.js", 12 },
	{ 0x1060, "first", "", 0 },
	{ 0x1100, "", "", 0 },
	{ 0x203f, "old", "", 0 },
	{ 0x2040, "new one", "", 0 },
	{ 0x207f, "new one", "", 0 },
	{ 0x2080, "new one", "", 0 },
	{ 0x20c0, "", "", 0 },
	{ 0x3000, "fib", "/srv/app.py", 0 },
	{ 0x3010, "shop::basket::add(shop::item const&)", "", 0 },
	{ 0x3020, "<anonymous>", "/srv/app.js", 1 },
	{ 0x3030, "fib", "/srv/app.js", 3 },
	{ 0x3040, "emit", "node:events", 461 },
	{ 0x3050, "GET: localhost:80", "", 0 },
	{ 0x4000, "", "", 0 },
	{ 0x5000, "no newline", "", 0 },
	{ 0xfffffffffffffff1, "", "", 0 },
};

START_TEST(jit_code_is_named_by_its_map)
{
	const struct module_key key = { .kind = MODULE_JIT, .path = "//anon", .pid = 4194303 };
	const struct frame *f;
	struct rig r;

	rig_begin_with(&r, &key, NULL);
	symbolizer_add_perf_map(r.symbolizer, 1, "5000 10 of another process", 26);
	symbolizer_add_perf_map(r.symbolizer, key.pid, jit_text, strlen(jit_text));
	ck_assert_uint_eq(rig_resolve(&r, jit_cases[_i].addr, &f), 1);
	ck_assert_str_eq(rig_text(&r, f->function), jit_cases[_i].function);
	ck_assert_str_eq(rig_text(&r, f->file), jit_cases[_i].file);
	ck_assert_uint_eq(f->line, jit_cases[_i].line);
	ck_assert_uint_eq(f->vaddr, jit_cases[_i].addr);
	rig_end(&r);
}
END_TEST

/* perf leaves the maps where they are; wperf's recordings bring them, and the number is reused. */
START_TEST(jit_map_of_this_machine_is_for_others_recordings)
{
	const struct module_key key = { .kind = MODULE_JIT, .path = "//anon", .pid = (uint32_t)getpid() };
	char *path = xasprintf("/tmp/perf-%d.map", getpid());
	FILE *f = fopen(path, "we");
	struct rig r;

	ck_assert_ptr_nonnull(f);
	fputs("1000 10 stranger\n", f);
	fclose(f);
	rig_begin_with(&r, &key, NULL);
	if (_i)
		symbolizer_set_self_contained(r.symbolizer);
	ck_assert_str_eq(rig_function(&r, 0x1000), _i ? "" : "stranger");
	symbolizer_next_recording(r.symbolizer);
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_str_eq(rig_function(&r, 0x1000), "stranger");
	rig_end(&r);
	unlink(path);
	free(path);
}
END_TEST

START_TEST(jit_map_may_grow)
{
	const struct module_key key = { .kind = MODULE_JIT, .path = "//anon", .pid = 4194303 };
	struct rig r;

	rig_begin_with(&r, &key, NULL);
	symbolizer_add_perf_map(r.symbolizer, key.pid, "1000 10 a\n", 10);
	ck_assert_str_eq(rig_function(&r, 0x1000), "a");
	symbolizer_add_perf_map(r.symbolizer, key.pid, "1000 10 b\n2000 10 c\n", 20);
	ck_assert_str_eq(rig_function(&r, 0x2000), "c");
	ck_assert_str_eq(rig_function(&r, 0x1001), "b");
	rig_end(&r);
}
END_TEST

/* What the running kernel says of itself. */
struct kernel_facts {
	uint8_t build_id[20];
	uint64_t start, symbol;
};

static bool read_kernel_facts(struct kernel_facts *k)
{
	char line[512], name[256];
	unsigned long long addr;
	uint8_t notes[4096];
	FILE *f = fopen("/sys/kernel/notes", "re");
	size_t len, i;

	*k = (struct kernel_facts){ 0 };
	if (!f)
		return false;
	len = fread(notes, 1, sizeof(notes), f);
	fclose(f);
	for (i = 0; i + 36 <= len; i += 4)
		if (!memcmp(notes + i, "\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU", 16))
			memcpy(k->build_id, notes + i + 16, 20);
	f = fopen("/proc/kallsyms", "re");
	while (f && fgets(line, sizeof(line), f) && !(k->start && k->symbol)) {
		if (sscanf(line, "%llx %*c %255s", &addr, name) != 2)
			continue;
		if (!strcmp(name, "_text"))
			k->start = addr;
		if (!strcmp(name, "vfs_read"))
			k->symbol = addr;
	}
	if (f)
		fclose(f);
	return k->start && k->symbol;
}

START_TEST(kernel_is_named_if_it_is_the_recorded_one)
{
	struct kernel_facts k;
	struct module_key key = { .kind = MODULE_KERNEL, .path = "[kernel]" };
	struct symbolizer_stats stats;
	const struct frame *f;
	struct rig r;

	ck_assert(read_kernel_facts(&k));
	key.build_id = k.build_id;
	key.build_id_len = 20;
	key.kernel_start = k.start;
	rig_begin_with(&r, &key, NULL);
	rig_resolve(&r, k.symbol + 1, &f);
	ck_assert_str_eq(rig_text(&r, f->function), "vfs_read");
	ck_assert_str_eq(rig_text(&r, f->module), "[kernel]");
	ck_assert(f->is_kernel);
	/* the same kernel, loaded elsewhere when it was recorded */
	key.kernel_start += 0x600000;
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_str_eq(rig_function(&r, k.symbol + 0x600001), "vfs_read");
	k.build_id[7] ^= 1;
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_str_eq(rig_function(&r, k.symbol + 0x600001), "");
	/* without a build-id only the place can tell */
	key.build_id = NULL;
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_str_eq(rig_function(&r, k.symbol + 1), "");
	key.kernel_start = k.start;
	r.module = symbolizer_module(r.symbolizer, &key);
	ck_assert_str_eq(rig_function(&r, k.symbol + 1), "vfs_read");
	symbolizer_stats(r.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_wrong_build_id, 1);
	rig_end(&r);
}
END_TEST

/* ---- hostile files ---- */

START_TEST(damaged_files_do_no_harm)
{
	size_t len, i;
	uint8_t *bytes = read_file("c", &len);
	uint64_t random = RIG_SEED + (uint64_t)_i, off;
	struct rig r;

	for (i = 0; i < 1 + (size_t)_i * 4; i++)
		bytes[rig_random(&random) % len] = (uint8_t)rig_random(&random);
	if (_i % 3 == 1)
		len = rig_random(&random) % len;
	rig_begin_with(&r, &(struct module_key){ .kind = MODULE_ELF, .path = "damaged" }, NULL);
	symbolizer_add_elf(r.symbolizer, "damaged", NULL, 0, bytes, len);
	for (off = 0x1000; off < 0x1400; off++)
		free(rig_frames(&r, off));
	rig_end(&r);
	free(bytes);
}
END_TEST

START_TEST(a_name_is_not_read_past_the_files_end)
{
	static const char strings[] = "\0first\0second";
	const uint8_t function = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
	struct str symbols = { 0 };
	struct elf_image i = { 0 };
	struct rig r;
	size_t table;

	table = elf_image_section(&i, ".strtab", SHT_STRTAB, strings, sizeof(strings) - 1);
	elf_image_symbol(&symbols, 0, 0, 0, 0);
	elf_image_symbol(&symbols, 1, function, ELF_IMAGE_VADDR + 64, 8);
	elf_image_symbol(&symbols, 7, function, ELF_IMAGE_VADDR + 72, 8);
	elf_image_symbols(&i, ".symtab", SHT_SYMTAB, &symbols, table);
	elf_image_finish(&i);
	elf_image_put_last(&i, table);

	rig_begin_with(&r, &(struct module_key){ .kind = MODULE_ELF, .path = "unended" }, NULL);
	symbolizer_add_elf(r.symbolizer, "unended", NULL, 0, i.file.s, i.file.len);
	ck_assert_str_eq(rig_function(&r, 65), "first");
	ck_assert_str_eq(rig_function(&r, 73), "");
	rig_end(&r);
	elf_image_release(&i);
	str_release(&symbols);
}
END_TEST

START_TEST(a_bomb_does_not_go_off)
{
	struct rig r;
	uint64_t off;

	must_sh("gcc -nostdlib -static src/sym_bomb.s -o bomb");
	off = rig_symbol_off("bomb", "_start", NULL);
	rig_begin(&r, "bomb");
	ck_assert_str_eq(rig_function(&r, off), "_start");
	rig_end(&r);
}
END_TEST

static void add_file_tests(Suite *s)
{
	TCase *tc = tcase_create("files");

	tcase_add_unchecked_fixture(tc, rig_make_dir, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, inlined_chain_is_innermost_first);
	tcase_add_test(tc, no_inline_leaves_the_function_that_the_linker_knows);
	tcase_add_test(tc, same_address_is_resolved_once);
	tcase_add_test(tc, names_are_demangled_unless_asked_not_to);
	tcase_add_loop_test(tc, line_of_a_definition_without_one_is_that_of_its_entry, 0,
			    ARRAY_LEN(lineless));
	tcase_add_loop_test(tc, cxx_functions_have_their_scopes, 0, ARRAY_LEN(scoped));
	tcase_add_test(tc, lambdas_are_where_they_stand);
	tcase_add_test(tc, algorithms_with_lambdas_are_stds);
	tcase_add_test(tc, cold_parts_belong_to_their_function);
	tcase_add_loop_test(tc, one_of_several_names_is_chosen, 0, ARRAY_LEN(aliases));
	tcase_add_loop_test(tc, stubs_have_the_name_of_what_they_call, 0, ARRAY_LEN(linkings));
	tcase_add_loop_test(tc, debug_info_is_found_wherever_it_is, 0, ARRAY_LEN(variants));
	tcase_add_test(tc, debug_info_is_found_by_build_id);
	tcase_add_test(tc, without_a_server_debuginfods_client_is_not_loaded);
	tcase_add_test(tc, stripped_files_keep_what_they_export);
	if (rig_has("xz"))
		tcase_add_test(tc, mini_debug_info_names_static_functions);
	else
		harness_omit(s, "MiniDebugInfo", "no xz");
	tcase_add_test(tc, another_build_is_never_used);
	if (rig_has("dwz"))
		tcase_add_test(tc, shared_debug_info_of_another_build_is_never_used);
	else
		harness_omit(s, "shared debug info", "no dwz");
	tcase_add_loop_test(tc, another_file_without_build_id_is_never_used, 0, 2);
	tcase_add_test(tc, a_file_that_travelled_needs_no_other);
	tcase_add_test(tc, files_at_one_path_are_told_apart);
	tcase_add_test(tc, deleted_files_are_found_again_by_build_id_only);
	tcase_add_loop_test(tc, a_file_that_travels_late_serves_from_then_on, 0, 2);
	tcase_add_loop_test(tc, damaged_files_do_no_harm, 0, 60);
	tcase_add_test(tc, a_name_is_not_read_past_the_files_end);
	tcase_add_test(tc, a_bomb_does_not_go_off);
	suite_add_tcase(s, tc);
}

Suite *check_symbolizer_suite(void)
{
	Suite *s = suite_create("symbolizer");
	TCase *tc = tcase_create("no files");
	struct kernel_facts kernel;

	tcase_add_loop_test(tc, what_is_no_file_stays_hex, 0, ARRAY_LEN(nowhere));
	tcase_add_loop_test(tc, jit_code_is_named_by_its_map, 0, ARRAY_LEN(jit_cases));
	tcase_add_test(tc, jit_map_may_grow);
	tcase_add_loop_test(tc, jit_map_of_this_machine_is_for_others_recordings, 0, 2);
	if (getauxval(AT_SYSINFO_EHDR))
		tcase_add_test(tc, vdso_is_that_of_this_process);
	else
		harness_omit(s, "vdso", "the kernel gives none");
	if (read_kernel_facts(&kernel))
		tcase_add_test(tc, kernel_is_named_if_it_is_the_recorded_one);
	else
		harness_omit(s, "kernel", "/proc/kallsyms hides the addresses");
	suite_add_tcase(s, tc);
	if (harness_can_or_omit(s, "files", CAN_COMPILE)) {
		add_file_tests(s);
		symbolizer_referee_add(s);
	}
	return s;
}
