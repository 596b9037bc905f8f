/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symbolizer on real files: programs of tests/targets/sym_* compiled here in many ways, this test
 * program itself, and Python where its debug symbols are installed. What cannot be done on a host
 * (no clang, no debug symbols, /proc/kallsyms hidden) is left out, and said.
 */
#include <check.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "symbolizer/symbolizer.h"

Suite *check_symbolizer_suite(void);

#define SEED 20240229u

static char dir[] = "/tmp/wperf-symbolizer-XXXXXX";

/* Runs in the temporary directory. */
__attribute__((format(printf, 1, 2))) static int sh(const char *fmt, ...)
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

#define must_sh(...) ck_assert_int_eq(sh(__VA_ARGS__), 0)

/* Lent until it was called eight times more. Absolute names stay. */
static const char *in_dir(const char *name)
{
	static char paths[8][4096];
	static unsigned int turn;
	char *path = paths[turn++ % ARRAY_LEN(paths)];

	snprintf(path, sizeof(paths[0]), "%s%s%s", name[0] == '/' ? "" : dir,
		 name[0] == '/' ? "" : "/", name);
	return path;
}

static void make_dir(void)
{
	char *here = getcwd(NULL, 0);

	if (!mkdtemp(dir) || !here)
		abort();
	unsetenv("DEBUGINFOD_URLS");
	if (sh("ln -s %s/tests/targets src", here) ||
	    sh("gcc -O2 -g -fPIE -pie src/sym_c.c -o c") ||
	    sh("g++ -O2 -g -fPIE -pie src/sym_cxx.cc -o cxx"))
		abort();
	free(here);
}

static void remove_dir(void)
{
	char *cmd = xasprintf("rm -rf %s", dir);

	if (system(cmd))
		fprintf(stderr, "%s is left\n", dir);
	free(cmd);
}

/* One module of one symbolizer. */
struct session {
	struct strings strings;
	struct symbolizer *symbolizer;
	uint32_t module;
};

static void begin_with(struct session *s, const struct module_key *key,
		       const struct symbolizer_options *options)
{
	static const struct symbolizer_options none;

	*s = (struct session){ 0 };
	s->symbolizer = symbolizer_new(options ? options : &none, &s->strings);
	s->module = symbolizer_module(s->symbolizer, key);
}

static void begin(struct session *s, const char *path)
{
	begin_with(s, &(struct module_key){ .kind = MODULE_ELF, .path = in_dir(path) }, NULL);
}

static void end(struct session *s)
{
	symbolizer_free(s->symbolizer);
	strings_release(&s->strings);
}

static size_t resolve(struct session *s, uint64_t addr, const struct frame **ret_frames)
{
	size_t nr;

	symbolizer_resolve(s->symbolizer, s->module, (struct code_addr){ addr, false }, ret_frames,
			   &nr);
	ck_assert_uint_ge(nr, 1);
	return nr;
}

static const char *text(const struct session *s, uint32_t id)
{
	return strings_text(&s->strings, id);
}

static const char *function_at(struct session *s, uint64_t addr)
{
	const struct frame *f;
	size_t nr = resolve(s, addr, &f);

	return text(s, f[nr - 1].function);
}

/* One line a frame: "FUNCTION at FILE:LINE", as eu-addr2line --pretty-print writes them. */
static char *frames_text(struct session *s, uint64_t addr)
{
	const struct frame *f;
	size_t nr = resolve(s, addr, &f), i;
	struct str out = { 0 };

	for (i = 0; i < nr; i++) {
		const char *function = text(s, f[i].function), *file = text(s, f[i].at_file);

		ck_assert_int_eq(f[i].is_inlined, i + 1 < nr);
		str_addf(&out, "%s at %s:%u\n", *function ? function : "??",
			 *file ? file : "??", f[i].at_line);
	}
	return str_take(&out);
}

struct text_segment {
	uint64_t off, vaddr, len;
};

static struct text_segment text_segment(const char *path)
{
	struct text_segment s = { 0 };
	int fd = open(in_dir(path), O_RDONLY | O_CLOEXEC);
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

/* The offset in the file of a symbol, by nm: its name is all of a line's third word. */
static uint64_t symbol_off(const char *path, const char *symbol, uint64_t *ret_len)
{
	struct text_segment s = text_segment(path);
	unsigned long long vaddr = 0, len = 0;
	FILE *f;

	must_sh("nm -S %s | awk '$4 == \"%s\" { print $1, $2; exit }' >nm.txt", in_dir(path), symbol);
	f = fopen(in_dir("nm.txt"), "re");
	ck_assert_int_eq(fscanf(f, "%llx %llx", &vaddr, &len), 2);
	fclose(f);
	if (ret_len)
		*ret_len = len;
	return vaddr - s.vaddr + s.off;
}

/* The first line of a target's source with that text in it. */
static uint32_t line_of(const char *file, const char *wanted)
{
	char line[512];
	uint32_t nr = 0;
	FILE *f = fopen(in_dir(file), "re");

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

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

/* ---- the referee: eu-addr2line on random addresses ---- */

#define NR_ADDRS 2000

static const struct subject {
	const char *path, *make;	/* make: NULL where the file is there, or was made by make_dir() */
	const char *needs;		/* a file without which the subject is left out */
	bool may_give_up;		/* see gave_up() */
} subjects[] = {
	{ .path = "c" },
	{ .path = "cxx", .may_give_up = true },
	{ .path = "c.exec", .make = "gcc -O2 -g -no-pie src/sym_c.c -o c.exec" },
	{ .path = "c.so", .make = "gcc -O2 -g -shared -fPIC src/sym_c.c -o c.so" },
	{ .path = "c.dwarf4", .make = "gcc -O2 -gdwarf-4 src/sym_c.c -o c.dwarf4" },
	{ .path = "cxx.O0", .make = "g++ -O0 -g src/sym_cxx.cc -o cxx.O0",
	  .may_give_up = true },
	{ .path = "c.split", .make = "gcc -O2 -g -gsplit-dwarf src/sym_c.c -o c.split" },
	{ .path = "cxx.lld", .make = "g++ -O2 -g -fuse-ld=lld -ffunction-sections -Wl,--gc-sections "
				     "src/sym_cxx.cc -o cxx.lld", .needs = "/usr/bin/ld.lld",
	  .may_give_up = true },
	/* clang writes no .debug_aranges of its own accord, without which eu-addr2line is lost */
	{ .path = "c.clang", .make = "clang -O2 -g -gdwarf-aranges src/sym_c.c -o c.clang",
	  .needs = "/usr/bin/clang", .may_give_up = true },
	{ .path = "cxx.clang", .make = "clang++ -O2 -g -gdwarf-aranges src/sym_cxx.cc -o cxx.clang",
	  .needs = "/usr/bin/clang++", .may_give_up = true },
	{ .path = "cxx.lto", .make = "g++ -O2 -g -flto src/sym_cxx.cc -o cxx.lto",
	  .may_give_up = true },
	{ .path = "/proc/self/exe", .may_give_up = false },
	{ .path = "/usr/bin/python3.11-dbg", .needs = "/usr/bin/python3.11-dbg" },
	{ .path = "/usr/bin/python3.11", .needs = "/usr/bin/python3.11-dbg", .may_give_up = true },
};

struct verdicts {
	unsigned int nr_same, nr_stub, nr_gap, nr_gave_up, nr_nested;
};

/* Takes ":COLUMN" off the line, and reads it as frames_text() writes. False: an inlined caller. */
static bool read_verdict(char *line, struct str *out)
{
	static const char more[] = " (inlined by) ";
	bool is_first = !str_starts(line, more);
	char *end_of_line, *colon;

	line[strcspn(line, "\n")] = '\0';
	if (!is_first)
		line += strlen(more);
	if (!strcmp(line, "?? ??:0"))
		line = "?? at ??:0";
	colon = strrchr(line, ':');
	if (colon) {
		*colon = '\0';
		end_of_line = strrchr(line, ':');
		if (!end_of_line || strspn(end_of_line + 1, "0123456789") != strlen(end_of_line + 1))
			*colon = ':';
	}
	str_addf(out, "%s\n", line);
	return is_first;
}

static bool is_one_line(const char *s)
{
	return strchr(s, '\n') == s + strlen(s) - 1;
}

/* The last line, which is that of the function that the others are inlined into. */
static const char *outermost_line(const char *frames)
{
	const char *line = frames, *nl;

	while ((nl = strchr(line, '\n')) && nl[1])
		line = nl + 1;
	return line;
}

/* a: as DWARF has it; b: as the symbol table has it. */
static bool same_name(const char *a, const char *b)
{
	char *name = xstrndup(a, (size_t)(strstr(a, " at ") - a));
	char *local = xasprintf("::%s(", name);
	const char *rest = b + strlen(name);
	bool same;

	/* gcc's clones: "f.cold", "f.lto_priv.0", "f() [clone .cold]" in the symbol table */
	same = str_starts(b, name) &&
	       (str_starts(rest, " at ") || rest[0] == '.' || str_starts(rest, " [clone"));
	/* local functions of C++ have no linkage name in DWARF */
	same = same || strstr(b, local);
	free(local);
	free(name);
	return same;
}

/*
 * To list scopes, libdw's dwarf_getscopes() wants to find the definition of an inlined function in
 * the DIEs around the call. Where it is elsewhere (in another unit under LTO; for clang, in a
 * namespace that its search has left) it answers nothing at all, and eu-addr2line falls back on the
 * symbol's name: one line, of the outermost function, at the line of the innermost one. Or it finds
 * the innermost function and then not who called it.
 */
static bool gave_up(const char *ours, const char *theirs)
{
	const char *at = strstr(ours, " at "), *their_at = strstr(theirs, " at ");

	return is_one_line(theirs) && !strncmp(at, their_at, strcspn(at, "\n") + 1) &&
	       (str_starts(ours, theirs) || same_name(outermost_line(ours), theirs));
}

static void judge(const char *ours, const char *theirs, bool may_give_up, struct verdicts *v)
{
	if (!strcmp(ours, theirs))
		v->nr_same++;
	else if (is_one_line(ours) && strstr(ours, "@plt at ??:0") && !strcmp(theirs, "?? at ??:0\n"))
		v->nr_stub++;		/* stubs have no symbols */
	else if (!strcmp(ours, "?? at ??:0\n") &&
		 (str_starts(theirs, "?? at ") || !strcmp(theirs, "_init at ??:0\n")))
		v->nr_gap++;		/* between functions: it shows the line of the one before */
	else if (is_one_line(ours) && str_starts(ours, "nested at ") &&
		 str_starts(theirs, "nested.0 at ") &&
		 !strcmp(strchr(ours, ' '), strchr(theirs, ' ')))
		v->nr_nested++;		/* dwarf_getscopes() does not look inside functions */
	else if (may_give_up && gave_up(ours, theirs))
		v->nr_gave_up++;
	else
		ck_abort_msg("ours:\n%.1500s\ntheirs:\n%.1500s", ours, theirs);
}

static void write_addrs(const struct text_segment *seg, uint64_t *ret_offs)
{
	FILE *f = fopen(in_dir("addrs.txt"), "we");
	uint64_t random = SEED;
	size_t i;

	for (i = 0; i < NR_ADDRS; i++) {
		ret_offs[i] = next_random(&random) % seg->len;
		fprintf(f, "0x%llx\n", (unsigned long long)(seg->vaddr + ret_offs[i]));
		ret_offs[i] += seg->off;
	}
	fclose(f);
}

static void compare_all(const struct subject *subject, const uint64_t *offs, FILE *theirs,
			struct verdicts *v)
{
	struct session s;
	struct str verdict = { 0 };
	char *line = NULL;
	size_t cap = 0, nr = 0;
	bool more = getline(&line, &cap, theirs) > 0;

	begin(&s, subject->path);
	while (more) {
		char *ours;

		str_clear(&verdict);
		read_verdict(line, &verdict);
		while ((more = getline(&line, &cap, theirs) > 0) && line[0] == ' ')
			read_verdict(line, &verdict);
		ck_assert_uint_lt(nr, NR_ADDRS);
		ours = frames_text(&s, offs[nr++]);
		judge(ours, verdict.s, subject->may_give_up, v);
		free(ours);
	}
	ck_assert_uint_eq(nr, NR_ADDRS);
	end(&s);
	str_release(&verdict);
	free(line);
}

START_TEST(frames_are_those_of_the_referee)
{
	const struct subject *subject = &subjects[_i];
	struct verdicts v = { 0 };
	struct text_segment seg;
	char exe[4096] = "";
	struct subject real = *subject;
	uint64_t *offs;
	FILE *f;

	if (subject->needs && access(subject->needs, R_OK)) {
		fprintf(stderr, "omitted: %s: no %s\n", subject->path, subject->needs);
		return;
	}
	if (str_starts(subject->path, "/proc/")) {
		ck_assert_int_gt(readlink(subject->path, exe, sizeof(exe) - 1), 0);
		real.path = exe;
	}
	if (subject->make)
		must_sh("%s", subject->make);
	seg = text_segment(real.path);
	offs = xcalloc(NR_ADDRS, sizeof(*offs));
	write_addrs(&seg, offs);
	/* its status is 1 when it gave up on one of the addresses */
	sh("eu-addr2line -e %s -f -i -C --pretty-print <addrs.txt >verdicts.txt",
	   in_dir(real.path));
	f = fopen(in_dir("verdicts.txt"), "re");
	ck_assert_ptr_nonnull(f);
	compare_all(&real, offs, f, &v);
	fclose(f);
	free(offs);
	printf("%s: seed %u: %u same, %u stubs, %u gaps, %u given up, %u nested\n", subject->path, SEED,
	       v.nr_same, v.nr_stub, v.nr_gap, v.nr_gave_up, v.nr_nested);
	ck_assert(subject->may_give_up || v.nr_same > NR_ADDRS / 2);
}
END_TEST

/* ---- what one frame says ---- */

START_TEST(inlined_chain_is_innermost_first)
{
	const uint32_t inner = line_of("src/sym_c.c", "int innermost(int x)");
	const uint32_t middle = line_of("src/sym_c.c", "int middle(int x)");
	const uint32_t outer = line_of("src/sym_c.c", "static int outermost(int x)");
	const uint32_t call = line_of("src/sym_c.c", "sum += middle(i);");
	uint64_t len, off = symbol_off("c", "outermost", &len), i;
	const struct frame *f = NULL;
	struct session s;
	size_t nr = 0;

	begin(&s, "c");
	for (i = 0; i < len && nr != 3; i++)
		nr = resolve(&s, off + i, &f);
	ck_assert_uint_eq(nr, 3);
	ck_assert_str_eq(text(&s, f[0].function), "innermost");
	ck_assert_str_eq(text(&s, f[1].function), "middle");
	ck_assert_str_eq(text(&s, f[2].function), "outermost");
	ck_assert_uint_eq(f[0].line, inner);
	ck_assert_uint_eq(f[1].line, middle);
	ck_assert_uint_eq(f[2].line, outer);
	ck_assert_uint_gt(f[0].at_line, inner);
	ck_assert_uint_lt(f[0].at_line, middle);
	ck_assert_uint_gt(f[1].at_line, middle);
	ck_assert_uint_lt(f[1].at_line, outer);
	ck_assert_uint_eq(f[2].at_line, call);
	ck_assert(f[0].is_inlined && f[1].is_inlined && !f[2].is_inlined);
	ck_assert(str_ends(text(&s, f[2].file), "/sym_c.c"));
	ck_assert_str_eq(text(&s, f[2].module), in_dir("c"));
	end(&s);
}
END_TEST

START_TEST(no_inline_leaves_the_function_that_the_linker_knows)
{
	const struct symbolizer_options options = { .no_inline = true };
	uint64_t len, off = symbol_off("c", "outermost", &len), i;
	const struct frame *f;
	struct session s;

	begin_with(&s, &(struct module_key){ .kind = MODULE_ELF, .path = in_dir("c") }, &options);
	for (i = 0; i < len; i++) {
		ck_assert_uint_eq(resolve(&s, off + i, &f), 1);
		ck_assert_str_eq(text(&s, f->function), "outermost");
		ck_assert(!f->is_inlined);
		ck_assert_uint_ge(f->at_line, f->line);
		ck_assert_uint_lt(f->at_line, f->line + 8);
	}
	end(&s);
}
END_TEST

START_TEST(same_address_is_resolved_once)
{
	struct module_key key = { .kind = MODULE_ELF, .path = in_dir("c") };
	uint64_t off = symbol_off("c", "outermost", NULL);
	const struct frame *a, *b, *c;
	struct symbolizer_stats stats;
	struct session s;
	size_t nr;

	begin(&s, "c");
	ck_assert_uint_eq(symbolizer_module(s.symbolizer, &key), s.module);
	key.path = "/nowhere";
	ck_assert_uint_ne(symbolizer_module(s.symbolizer, &key), s.module);
	resolve(&s, off, &a);
	resolve(&s, off, &b);
	/* a return address is looked up inside the call before it */
	symbolizer_resolve(s.symbolizer, s.module, (struct code_addr){ off + 1, true }, &c, &nr);
	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_eq(a, c);
	symbolizer_stats(s.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_resolved, 1);
	ck_assert_uint_eq(stats.nr_no_symbol, 0);
	end(&s);
}
END_TEST

START_TEST(names_are_demangled_unless_asked_not_to)
{
	static const char symbol[] = "_ZN4shop6basket3addERKNS_4itemE";
	const struct symbolizer_options raw = { .no_demangle = true };
	struct module_key key = { .kind = MODULE_ELF, .path = in_dir("cxx") };
	uint64_t off = symbol_off("cxx", symbol, NULL);
	struct session s;

	begin_with(&s, &key, NULL);
	ck_assert_str_eq(function_at(&s, off), "shop::basket::add(shop::item const&)");
	end(&s);
	begin_with(&s, &key, &raw);
	ck_assert_str_eq(function_at(&s, off), symbol);
	end(&s);
}
END_TEST

START_TEST(cold_parts_belong_to_their_function)
{
	struct session s;
	uint64_t off;

	off = symbol_off("c", "with_cold.cold", NULL);
	begin(&s, "c");
	ck_assert_str_eq(function_at(&s, off), "with_cold");
	end(&s);
	/* without DWARF the symbol is all there is to say */
	must_sh("strip -g -o c.nodebug c");
	begin(&s, "c.nodebug");
	ck_assert_str_eq(function_at(&s, off), "with_cold.cold");
	end(&s);
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
	struct session s;
	size_t i;
	uint64_t off;

	must_sh("%s", linkings[_i].make);
	seg = text_segment(linkings[_i].name);
	begin(&s, linkings[_i].name);
	for (i = 0; i < ARRAY_LEN(wanted); i++) {
		unsigned int nr = 0;

		for (off = seg.off; off < seg.off + seg.len; off++)
			nr += !strcmp(function_at(&s, off), wanted[i]);
		ck_assert_uint_ge(nr, 8);
		ck_assert_uint_le(nr, 16);
	}
	end(&s);
}
END_TEST

/* ---- where files and their debug info are found ---- */

/* made from "c" (or with its code): it must give the same frames */
static const struct {
	const char *name, *make;
} variants[] = {
	{ "v.link", "objcopy --only-keep-debug c v.debug && strip -o v.link c && "
		    "objcopy --add-gnu-debuglink=v.debug v.link" },
	{ "v.dotdebug", "mkdir -p .debug && objcopy --only-keep-debug c .debug/w.debug && "
			"strip -o v.dotdebug c && objcopy --add-gnu-debuglink=.debug/w.debug v.dotdebug" },
	{ "v.zlib", "objcopy --compress-debug-sections=zlib c v.zlib" },
	{ "v.zlib-gnu", "objcopy --compress-debug-sections=zlib-gnu c v.zlib-gnu" },
	{ "v.gz", "gcc -O2 -g -gz -fPIE -pie src/sym_c.c -o v.gz" },
	{ "v.types", "gcc -O2 -g -fdebug-types-section -fPIE -pie src/sym_c.c -o v.types" },
};

static void expect_same_frames(struct session *a, struct session *b)
{
	struct text_segment seg = text_segment("c");
	uint64_t off;

	for (off = seg.off; off < seg.off + seg.len; off++) {
		char *x = frames_text(a, off), *y = frames_text(b, off);

		ck_assert_str_eq(x, y);
		free(x);
		free(y);
	}
}

START_TEST(debug_info_is_found_wherever_it_is)
{
	struct session plain, variant;

	must_sh("%s", variants[_i].make);
	begin(&plain, "c");
	begin(&variant, variants[_i].name);
	expect_same_frames(&plain, &variant);
	end(&plain);
	end(&variant);
}
END_TEST

START_TEST(debug_info_is_found_by_build_id)
{
	const struct symbolizer_options options = { .sysroot = dir };
	struct session plain, variant;

	must_sh("id=$(readelf -n c | sed -n 's/.*Build ID: //p') && "
		"d=usr/lib/debug/.build-id/$(echo $id | cut -c1-2) && mkdir -p $d bin && "
		"objcopy --only-keep-debug c $d/$(echo $id | cut -c3-).debug && strip -o bin/byid c");
	begin(&plain, "c");
	begin_with(&variant, &(struct module_key){ .kind = MODULE_ELF, .path = "/bin/byid" }, &options);
	expect_same_frames(&plain, &variant);
	end(&plain);
	end(&variant);
}
END_TEST

START_TEST(stripped_files_keep_what_they_export)
{
	uint64_t exported, hidden;
	struct session s;
	const struct frame *f;
	struct symbolizer_stats stats;

	must_sh("gcc -O2 -shared -fPIC src/sym_c.c -o d.so && strip -o d.stripped d.so");
	exported = symbol_off("d.so", "sym_exported", NULL);
	hidden = symbol_off("d.so", "outermost", NULL);
	begin(&s, "d.stripped");
	ck_assert_str_eq(function_at(&s, exported), "sym_exported");
	ck_assert_str_eq(function_at(&s, hidden), "");
	resolve(&s, hidden, &f);
	ck_assert_uint_ne(f->vaddr, 0);
	symbolizer_stats(s.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_no_symbol, 1);
	end(&s);
}
END_TEST

/* As Fedora makes it: a symbol table of the functions that .dynsym lacks, xz-ed, in .gnu_debugdata. */
START_TEST(mini_debug_info_names_static_functions)
{
	struct session s;
	uint64_t off;

	if (sh("command -v xz")) {
		fprintf(stderr, "omitted: MiniDebugInfo: no xz\n");
		return;
	}
	must_sh("gcc -O2 -shared -fPIC src/sym_c.c -o m.so && "
		"objcopy --only-keep-debug m.so m.debug && echo outermost >keep.txt && "
		"objcopy -S --remove-section .comment --keep-symbols=keep.txt m.debug m.mini && "
		"xz -f m.mini && strip -o m.stripped m.so && "
		"objcopy --add-section .gnu_debugdata=m.mini.xz m.stripped");
	off = symbol_off("m.so", "outermost", NULL);
	begin(&s, "m.stripped");
	ck_assert_str_eq(function_at(&s, off), "outermost");
	end(&s);
}
END_TEST

static size_t build_id_of(const char *path, uint8_t id[64])
{
	unsigned int byte;
	size_t len = 0;
	FILE *f;

	must_sh("readelf -n %s | sed -n 's/.*Build ID: //p' | head -1 >id.txt", in_dir(path));
	f = fopen(in_dir("id.txt"), "re");
	while (len < 64 && fscanf(f, "%2x", &byte) == 1)
		id[len++] = (uint8_t)byte;
	fclose(f);
	ck_assert_uint_ge(len, 8);
	return len;
}

START_TEST(another_build_is_never_used)
{
	uint64_t off = symbol_off("c", "outermost", NULL);
	uint8_t id[64];
	struct module_key key = { .kind = MODULE_ELF, .build_id = id };
	struct symbolizer_stats stats;
	const struct frame *f;
	struct session s;

	key.path = strdup(in_dir("c"));
	key.build_id_len = build_id_of("c", id);
	begin_with(&s, &key, NULL);
	ck_assert_str_eq(function_at(&s, off), "outermost");
	/* padded with zeros, as perf may record it */
	memset(id + key.build_id_len, 0, 4);
	key.build_id_len += 4;
	s.module = symbolizer_module(s.symbolizer, &key);
	ck_assert_str_eq(function_at(&s, off), "outermost");
	id[3] ^= 1;
	s.module = symbolizer_module(s.symbolizer, &key);
	ck_assert_uint_eq(resolve(&s, off, &f), 1);
	ck_assert_str_eq(text(&s, f->function), "");
	ck_assert_uint_eq(f->vaddr, off);
	ck_assert_uint_eq(f->at_line, 0);
	symbolizer_stats(s.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_wrong_build_id, 1);
	ck_assert_uint_eq(stats.nr_missing_files, 0);
	end(&s);
	free((char *)key.path);
}
END_TEST

static void *read_file(const char *name, size_t *ret_len)
{
	FILE *f = fopen(in_dir(name), "re");
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
	uint64_t off = symbol_off("c", "outermost", NULL);
	uint8_t id[64];
	size_t len, id_len = build_id_of("c", id);
	void *bytes = read_file("c", &len);
	struct module_key key = { .kind = MODULE_ELF, .path = "/gone/prog (deleted)" };
	struct session s;

	begin_with(&s, &key, NULL);
	symbolizer_add_elf(s.symbolizer, key.path, NULL, 0, bytes, len);
	symbolizer_add_elf(s.symbolizer, "/another/name", id, id_len, bytes, len);
	ck_assert_str_eq(function_at(&s, off), "outermost");
	/* by build-id, whatever it is called */
	key.path = "/gone/too";
	key.build_id = id;
	key.build_id_len = id_len;
	s.module = symbolizer_module(s.symbolizer, &key);
	ck_assert_str_eq(function_at(&s, off), "outermost");
	/* not what it says it is */
	id[0] ^= 1;
	symbolizer_add_elf(s.symbolizer, "/a/liar", id, id_len, bytes, len);
	key.path = "/a/liar";
	s.module = symbolizer_module(s.symbolizer, &key);
	ck_assert_str_eq(function_at(&s, off), "");
	end(&s);
	free(bytes);
}
END_TEST

START_TEST(deleted_files_are_found_again_by_build_id_only)
{
	uint64_t off = symbol_off("c", "outermost", NULL);
	char *path = xasprintf("%s (deleted)", in_dir("c"));
	struct module_key key = { .kind = MODULE_ELF, .path = path };
	struct symbolizer_stats stats;
	struct session s;
	uint8_t id[64];

	begin_with(&s, &key, NULL);
	ck_assert_str_eq(function_at(&s, off), "");
	key.build_id_len = build_id_of("c", id);
	key.build_id = id;
	s.module = symbolizer_module(s.symbolizer, &key);
	ck_assert_str_eq(function_at(&s, off), "outermost");
	symbolizer_stats(s.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_missing_files, 1);
	end(&s);
	free(path);
}
END_TEST

static const char *const nowhere[] = {
	"/no/such/file", "/dev/zero", "/tmp", "[heap]", "[stack]", "//anon", "", "/dev/null", "relative",
};

START_TEST(what_is_no_file_stays_hex)
{
	const struct frame *f;
	struct session s;

	begin_with(&s, &(struct module_key){ .kind = MODULE_ELF, .path = nowhere[_i] }, NULL);
	ck_assert_uint_eq(resolve(&s, 0x1234, &f), 1);
	ck_assert_uint_eq(f->function, 0);
	ck_assert_uint_eq(f->vaddr, 0x1234);
	ck_assert_str_eq(text(&s, f->module), nowhere[_i]);
	end(&s);
}
END_TEST

START_TEST(vdso_is_that_of_this_process)
{
	const struct module_key key = { .kind = MODULE_ELF, .path = "[vdso]" };
	unsigned int nr = 0;
	struct session s;
	uint64_t off;

	if (!getauxval(AT_SYSINFO_EHDR)) {
		fprintf(stderr, "omitted: [vdso]: there is none\n");
		return;
	}
	begin_with(&s, &key, NULL);
	for (off = 0; off < 0x2000; off++)
		nr += !!strstr(function_at(&s, off), "clock_gettime");
	ck_assert_uint_gt(nr, 0);
	end(&s);
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
	{ 0x3020, "JS:~ /srv/app.js:1:1", "", 0 },
	{ 0x4000, "", "", 0 },
	{ 0x5000, "no newline", "", 0 },
	{ 0xfffffffffffffff1, "", "", 0 },
};

START_TEST(jit_code_is_named_by_its_map)
{
	const struct module_key key = { .kind = MODULE_JIT, .path = "//anon", .pid = 4194303 };
	const struct frame *f;
	struct session s;

	begin_with(&s, &key, NULL);
	symbolizer_add_perf_map(s.symbolizer, 1, "5000 10 of another process", 26);
	symbolizer_add_perf_map(s.symbolizer, key.pid, jit_text, strlen(jit_text));
	ck_assert_uint_eq(resolve(&s, jit_cases[_i].addr, &f), 1);
	ck_assert_str_eq(text(&s, f->function), jit_cases[_i].function);
	ck_assert_str_eq(text(&s, f->file), jit_cases[_i].file);
	ck_assert_uint_eq(f->line, jit_cases[_i].line);
	ck_assert_uint_eq(f->vaddr, jit_cases[_i].addr);
	end(&s);
}
END_TEST

START_TEST(jit_map_may_grow)
{
	const struct module_key key = { .kind = MODULE_JIT, .path = "//anon", .pid = 4194303 };
	struct session s;

	begin_with(&s, &key, NULL);
	symbolizer_add_perf_map(s.symbolizer, key.pid, "1000 10 a\n", 10);
	ck_assert_str_eq(function_at(&s, 0x1000), "a");
	symbolizer_add_perf_map(s.symbolizer, key.pid, "1000 10 b\n2000 10 c\n", 20);
	ck_assert_str_eq(function_at(&s, 0x2000), "c");
	ck_assert_str_eq(function_at(&s, 0x1001), "b");
	end(&s);
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
	struct session s;

	if (!read_kernel_facts(&k)) {
		fprintf(stderr, "omitted: kernel: /proc/kallsyms is hidden\n");
		return;
	}
	key.build_id = k.build_id;
	key.build_id_len = 20;
	key.kernel_start = k.start;
	begin_with(&s, &key, NULL);
	resolve(&s, k.symbol + 1, &f);
	ck_assert_str_eq(text(&s, f->function), "vfs_read");
	ck_assert_str_eq(text(&s, f->module), "[kernel]");
	ck_assert(f->is_kernel);
	/* the same kernel, loaded elsewhere when it was recorded */
	key.kernel_start += 0x600000;
	s.module = symbolizer_module(s.symbolizer, &key);
	ck_assert_str_eq(function_at(&s, k.symbol + 0x600001), "vfs_read");
	k.build_id[7] ^= 1;
	s.module = symbolizer_module(s.symbolizer, &key);
	ck_assert_str_eq(function_at(&s, k.symbol + 0x600001), "");
	/* without a build-id only the place can tell */
	key.build_id = NULL;
	s.module = symbolizer_module(s.symbolizer, &key);
	ck_assert_str_eq(function_at(&s, k.symbol + 1), "");
	key.kernel_start = k.start;
	s.module = symbolizer_module(s.symbolizer, &key);
	ck_assert_str_eq(function_at(&s, k.symbol + 1), "vfs_read");
	symbolizer_stats(s.symbolizer, &stats);
	ck_assert_uint_eq(stats.nr_wrong_build_id, 1);
	end(&s);
}
END_TEST

/* ---- hostile files ---- */

START_TEST(damaged_files_do_no_harm)
{
	size_t len, i;
	uint8_t *bytes = read_file("c", &len);
	uint64_t random = SEED + (uint64_t)_i, off;
	struct session s;

	for (i = 0; i < 1 + (size_t)_i * 4; i++)
		bytes[next_random(&random) % len] = (uint8_t)next_random(&random);
	if (_i % 3 == 1)
		len = next_random(&random) % len;
	begin_with(&s, &(struct module_key){ .kind = MODULE_ELF, .path = "damaged" }, NULL);
	symbolizer_add_elf(s.symbolizer, "damaged", NULL, 0, bytes, len);
	for (off = 0x1000; off < 0x1400; off++)
		free(frames_text(&s, off));
	end(&s);
	free(bytes);
}
END_TEST

static void add_file_tests(Suite *s)
{
	TCase *tc = tcase_create("files");

	tcase_add_unchecked_fixture(tc, make_dir, remove_dir);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, inlined_chain_is_innermost_first);
	tcase_add_test(tc, no_inline_leaves_the_function_that_the_linker_knows);
	tcase_add_test(tc, same_address_is_resolved_once);
	tcase_add_test(tc, names_are_demangled_unless_asked_not_to);
	tcase_add_test(tc, cold_parts_belong_to_their_function);
	tcase_add_loop_test(tc, stubs_have_the_name_of_what_they_call, 0, ARRAY_LEN(linkings));
	tcase_add_loop_test(tc, debug_info_is_found_wherever_it_is, 0, ARRAY_LEN(variants));
	tcase_add_test(tc, debug_info_is_found_by_build_id);
	tcase_add_test(tc, stripped_files_keep_what_they_export);
	tcase_add_test(tc, mini_debug_info_names_static_functions);
	tcase_add_test(tc, another_build_is_never_used);
	tcase_add_test(tc, a_file_that_travelled_needs_no_other);
	tcase_add_test(tc, deleted_files_are_found_again_by_build_id_only);
	tcase_add_loop_test(tc, damaged_files_do_no_harm, 0, 60);
	tcase_add_loop_test(tc, frames_are_those_of_the_referee, 0, ARRAY_LEN(subjects));
	suite_add_tcase(s, tc);
}

Suite *check_symbolizer_suite(void)
{
	Suite *s = suite_create("symbolizer");
	TCase *tc = tcase_create("no files");

	tcase_add_loop_test(tc, what_is_no_file_stays_hex, 0, ARRAY_LEN(nowhere));
	tcase_add_test(tc, vdso_is_that_of_this_process);
	tcase_add_loop_test(tc, jit_code_is_named_by_its_map, 0, ARRAY_LEN(jit_cases));
	tcase_add_test(tc, jit_map_may_grow);
	tcase_add_test(tc, kernel_is_named_if_it_is_the_recorded_one);
	suite_add_tcase(s, tc);
	add_file_tests(s);
	return s;
}
