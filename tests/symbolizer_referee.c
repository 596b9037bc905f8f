/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random addresses of real programs: function, file and line of every frame are those that
 * eu-addr2line prints, inlined callers included; see judge() for what is left.
 */
#include "tests/symbolizer_referee.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "tests/harness.h"
#include "tests/symbolizer_rig.h"

/* eu-addr2line takes some 10 ms an address where C++ was inlined: variants get fewer. */
#define NR_FEW	 300
/* Sanitizers look at how files are read, not at what comes of it, and that is as good as before. */
#ifdef __SANITIZE_ADDRESS__
#define NR_ADDRS NR_FEW
#else
#define NR_ADDRS 2000
#endif

static const struct subject {
	const char *path;
	const char *make;		/* NULL: it is there, or was made by rig_make_dir() */
	const char *needs;		/* a file without which the subject is left out */
	size_t nr_addrs;		/* 0: NR_ADDRS */
} subjects[] = {
	{ .path = "c" },
	{ .path = "cxx" },
	{ .path = "c.exec", .make = "gcc -O2 -g -no-pie src/sym_c.c -o c.exec" },
	{ .path = "c.so", .make = "gcc -O2 -g -shared -fPIC src/sym_c.c -o c.so" },
	{ .path = "c.dwarf4", .make = "gcc -O2 -gdwarf-4 src/sym_c.c -o c.dwarf4" },
	{ .path = "cxx.O0", .make = "g++ -O0 -g src/sym_cxx.cc -o cxx.O0", .nr_addrs = NR_FEW },
	{ .path = "c.split", .make = "gcc -O2 -g -gsplit-dwarf src/sym_c.c -o c.split" },
	{ .path = "cxx.lld",
	  .make = "g++ -O2 -g -fuse-ld=lld -ffunction-sections -Wl,--gc-sections "
		  "src/sym_cxx.cc -o cxx.lld",
	  .needs = "/usr/bin/ld.lld",
	  .nr_addrs = NR_FEW },
	/* clang writes no .debug_aranges of its own accord, without which eu-addr2line is lost */
	{ .path = "c.clang",
	  .make = "clang -O2 -g -gdwarf-aranges src/sym_c.c -o c.clang",
	  .needs = "/usr/bin/clang" },
	{ .path = "cxx.clang",
	  .make = "clang++ -O2 -g -gdwarf-aranges src/sym_cxx.cc -o cxx.clang",
	  .needs = "/usr/bin/clang++",
	  .nr_addrs = NR_FEW },
	{ .path = "cxx.lto",
	  .make = "g++ -O2 -g -flto src/sym_cxx.cc -o cxx.lto",
	  .nr_addrs = NR_FEW },
	{ .path = "/proc/self/exe" },
	{ .path = "/usr/bin/python3.11-dbg", .needs = "/usr/bin/python3.11-dbg" },
	{ .path = "/usr/bin/python3.11", .needs = "/usr/bin/python3.11-dbg" },
};

struct verdicts {
	unsigned int nr_same, nr_second, nr_stub, nr_gap, nr_nested, nr_gave_up;
};

/* Takes ":COLUMN" off a line of eu-addr2line's, " (discriminator N)" off one of addr2line's. */
static void trim_position(char *line)
{
	char *end = strstr(line, " (discriminator "), *colon;

	if (end)
		*end = '\0';
	colon = strrchr(line, ':');
	if (!colon)
		return;
	*colon = '\0';
	end = strrchr(line, ':');
	if (!end || !end[1] || strspn(end + 1, "0123456789") != strlen(end + 1))
		*colon = ':';
	if (str_ends(line, ":?"))
		line[strlen(line) - 1] = '0';
}

/* The lines of one address, as rig_frames() writes them: all but the first say who inlined it. */
struct referee {
	FILE *out;
	char *line;
	size_t cap;
	bool has_line;
	struct str verdict;
};

static void referee_start(struct referee *r, const char *name)
{
	*r = (struct referee){ .out = fopen(rig_path(name), "re") };
	ck_assert_ptr_nonnull(r->out);
	r->has_line = getline(&r->line, &r->cap, r->out) > 0;
}

static const char *referee_next(struct referee *r)
{
	static const char more[] = " (inlined by) ";

	str_clear(&r->verdict);
	ck_assert(r->has_line);
	do {
		char *line = r->line + (str_starts(r->line, more) ? strlen(more) : 0);

		line[strcspn(line, "\n")] = '\0';
		trim_position(line);
		str_addf(&r->verdict, "%s\n", !strcmp(line, "?? ??:0") ? "?? at ??:0" : line);
		r->has_line = getline(&r->line, &r->cap, r->out) > 0;
	} while (r->has_line && r->line[0] == ' ');
	return r->verdict.s;
}

static void referee_end(struct referee *r)
{
	ck_assert(!r->has_line);
	fclose(r->out);
	free(r->line);
	str_release(&r->verdict);
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

/* Without parameters and the numbers of lambdas: "a::f(int)::{lambda(int)#1}::g(int)" is "a::f::{lambda}::g". */
static char *without_parameters(const char *name, size_t len)
{
	char *out = xmalloc(len + 1), *to = out;
	size_t i, depth = 0;

	for (i = 0; i < len; i++) {
		bool is_named = i && (isalnum((unsigned char)name[i - 1]) || strchr("_>", name[i - 1]));

		if (name[i] == '(' && (depth || is_named))
			depth++;
		else if (name[i] == ')' && depth)
			depth--;
		else if (!depth && name[i] == '#')
			i += strspn(name + i + 1, "0123456789");
		else if (!depth)
			*to++ = name[i];
	}
	*to = '\0';
	return out;
}

/*
 * Functions that are local to a unit or another function have no linkage name in DWARF. We say the scopes then. b: as
 * the symbol table has it, or without scopes.
 */
static bool same_local_name(const char *a, size_t a_len, const char *b, size_t b_len)
{
	char *name = without_parameters(a, a_len), *plain = xstrndup(name, strcspn(name, "<"));
	char *other = without_parameters(b, b_len), *at = strstr(other, plain);
	bool same = at && (!at[strlen(plain)] || strchr("<.[ ", at[strlen(plain)]));

	same = same || (a_len > b_len + 2 && !strncmp(a + a_len - b_len, b, b_len) &&
			!strncmp(a + a_len - b_len - 2, "::", 2));
	free(other);
	free(plain);
	free(name);
	return same;
}

/* a: as DWARF has it; b: as the symbol table has it. */
static bool same_name(const char *a, const char *b)
{
	size_t a_len = (size_t)(strstr(a, " at ") - a), b_len = (size_t)(strstr(b, " at ") - b);
	const char *rest = b + a_len;

	/* gcc's clones: "f.cold", "f.lto_priv.0", "f() [clone .cold]" */
	if (b_len >= a_len && !strncmp(a, b, a_len) &&
	    (str_starts(rest, " at ") || rest[0] == '.' || str_starts(rest, " [clone")))
		return true;
	return same_local_name(a, a_len, b, b_len);
}

/*
 * Line by line the same positions, and names that mean the same. To a function that is inlined and
 * has no linkage name, binutils gives the name of the symbol that covers it.
 */
static bool agree(const char *ours, const char *theirs)
{
	const char *symbol = outermost_line(ours);

	while (*ours && *theirs) {
		const char *at = strstr(ours, " at "), *their_at = strstr(theirs, " at ");
		size_t len = strcspn(at, "\n") + 1;
		bool same;
		char *line;

		line = xstrndup(theirs, (size_t)(their_at - theirs) + len);
		same = !strncmp(at, their_at, len) &&
		       (same_name(ours, line) || same_name(symbol, line));
		free(line);
		if (!same)
			return false;
		ours = at + len;
		theirs = their_at + len;
	}
	return !*ours && !*theirs;
}

/*
 * To list scopes, libdw's dwarf_getscopes() wants to find the definition of an inlined function in
 * the DIEs around the call. Where it is elsewhere (in another unit under LTO; for clang, in a
 * namespace that its search has left) it answers nothing at all, and eu-addr2line falls back on the
 * symbol's name: one line, of the outermost function, at the line of the innermost one. Or it finds
 * the innermost function, and not who called it.
 */
static bool gave_up(const char *ours, const char *theirs)
{
	const char *at = strstr(ours, " at "), *their_at = strstr(theirs, " at ");

	return is_one_line(theirs) && !strncmp(at, their_at, strcspn(at, "\n") + 1) &&
	       (str_starts(ours, theirs) || same_name(outermost_line(ours), theirs));
}

/*
 * theirs: eu-addr2line's, the referee. Where it differs, second, which is binutils' addr2line with
 * a DWARF reader of its own, decides; and what both get wrong, or do not know of, has its reason
 * here.
 */
static void judge(const char *ours, const char *theirs, const char *second, struct verdicts *v)
{
	if (agree(ours, theirs))
		v->nr_same++;
	else if (agree(ours, second))
		v->nr_second++;
	else if (is_one_line(ours) && strstr(ours, "@plt at ??:0") &&
		 !strcmp(theirs, "?? at ??:0\n"))
		v->nr_stub++;		/* stubs have no symbols */
	else if (!strcmp(ours, "?? at ??:0\n") &&
		 (str_starts(theirs, "?? at ") || !strcmp(theirs, "_init at ??:0\n")))
		v->nr_gap++;		/* between functions: it shows the line of the one before */
	else if (is_one_line(ours) && str_starts(ours, "nested at ") &&
		 str_starts(theirs, "nested.0 at ") &&
		 !strcmp(strchr(ours, ' '), strchr(theirs, ' ')))
		v->nr_nested++;		/* dwarf_getscopes() does not look inside functions */
	else if (gave_up(ours, theirs))
		v->nr_gave_up++;
	else
		ck_abort_msg("ours:\n%.1500s\ntheirs:\n%.1500s\nsecond:\n%.900s", ours, theirs,
			     second);
}

static void write_addrs(const struct text_segment *seg, uint64_t *ret_offs, size_t nr)
{
	FILE *f = fopen(rig_path("addrs.txt"), "we");
	uint64_t random = RIG_SEED;
	size_t i;

	for (i = 0; i < nr; i++) {
		ret_offs[i] = rig_random(&random) % seg->len;
		fprintf(f, "0x%llx\n", (unsigned long long)(seg->vaddr + ret_offs[i]));
		ret_offs[i] += seg->off;
	}
	fclose(f);
}

static void compare_all(const char *path, const uint64_t *offs, size_t nr, struct verdicts *v)
{
	struct referee first, second;
	struct rig s;
	size_t i;

	/* eu-addr2line's status is 1 when it gave up on one of the addresses */
	rig_sh("eu-addr2line -e %s -f -i -C --pretty-print <addrs.txt >first.txt", rig_path(path));
	must_sh("addr2line -e %s -f -i -C -p <addrs.txt >second.txt", rig_path(path));
	referee_start(&first, "first.txt");
	referee_start(&second, "second.txt");
	rig_begin(&s, path);
	for (i = 0; i < nr; i++) {
		char *ours = rig_frames(&s, offs[i]);

		judge(ours, referee_next(&first), referee_next(&second), v);
		free(ours);
	}
	rig_end(&s);
	referee_end(&first);
	referee_end(&second);
}

START_TEST(frames_are_those_of_the_referee)
{
	const struct subject *subject = &subjects[_i];
	const char *path = subject->path;
	size_t nr = subject->nr_addrs ? subject->nr_addrs : NR_ADDRS;
	struct verdicts v = { 0 };
	struct text_segment seg;
	char exe[4096] = "";
	uint64_t *offs;

	if (str_starts(path, "/proc/")) {
		ck_assert_int_gt(readlink(path, exe, sizeof(exe) - 1), 0);
		path = exe;
	}
	if (subject->make)
		must_sh("%s", subject->make);
	seg = rig_text_segment(path);
	offs = xcalloc(nr, sizeof(*offs));
	write_addrs(&seg, offs, nr);
	compare_all(path, offs, nr, &v);
	free(offs);
	printf("%s: seed %u: %u as eu-addr2line, %u as addr2line; %u stubs, %u gaps, %u nested, "
	       "%u given up\n",
	       subject->path, RIG_SEED, v.nr_same, v.nr_second, v.nr_stub, v.nr_gap, v.nr_nested,
	       v.nr_gave_up);
	ck_assert_uint_gt(v.nr_same + v.nr_second + v.nr_gave_up, nr / 2);
	ck_assert_uint_gt(v.nr_same, nr / 10);
}
END_TEST

void symbolizer_referee_add(Suite *s)
{
	TCase *tc = tcase_create("referee");
	int i;

	if (!rig_has("eu-addr2line") || !rig_has("addr2line")) {
		harness_omit(s, "referee", "no eu-addr2line or no addr2line");
		return;
	}
	tcase_add_unchecked_fixture(tc, rig_make_dir, NULL);
	tcase_set_timeout(tc, 60);
	for (i = 0; i < (int)ARRAY_LEN(subjects); i++)
		if (!subjects[i].needs || !access(subjects[i].needs, R_OK))
			tcase_add_loop_test(tc, frames_are_those_of_the_referee, i, i + 1);
		else
			harness_omit(s, subjects[i].path, "it, or its compiler, is not installed");
	suite_add_tcase(s, tc);
}
