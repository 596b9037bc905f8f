/* SPDX-License-Identifier: Apache-2.0 */
/* Counted calls, from a recording's rows to the tables'. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "collector/maps.h"
#include "tests/harness.h"
#include "tests/report_rig.h"

Suite *check_calls_suite(void);

#define MS BUILDER_PERIOD_NS

/*
 * A script is a recording, one word a record, at times 1, 2, 3 ...:
 *
 *	F1:fib		function 1 is fib, in app.py at line 1
 *	T1:fib		the same, and its time is counted, too
 *	I1:fib		some of its calls are in no row
 *	M1:fib		likewise, and may be missing in any table
 *	N2<1:3		node 2 is function 3, called by node 1 (0: by none; ?: not known by whom)
 *	C11:2*5		thread 11 called node 2 5 times; C11:2*5+7: and spent 7 ms in it
 *	Z11:2*5		the same, late
 *	P11		thread 11 had calls that were not counted
 *	U11		nor will any of its process be, until K11: it runs another program
 *	B11:/a E11	a request begins and ends on thread 11; B11:/a#7 E12#7: with an id; B11:/a@64: with that stack pointer
 *	S11		a sample on thread 11, 1 ms, of app.so
 *	X12		the thread ends
 *	R		what came so far is taken in, before what comes next is read
 *	G H		the recorder's first word, and its last one
 *
 * In C and Z, L3 instead of a node is function 3, whoever called. Threads are those of process 10.
 */
static void add_function(struct recording_builder *b, uint32_t flags, const char *word)
{
	struct note_function f = { .flags = FUNCTION_IS_NAMED | flags, .pid = 10, .file = "app.py" };

	f.id = f.line = (uint32_t)strtoul(word, NULL, 10);
	f.name = strchr(word, ':') + 1;
	builder_function(b, &f);
}

static void add_node(struct recording_builder *b, const char *word)
{
	const char *caller = strchr(word, '<') + 1, *function = strchr(word, ':') + 1;
	const struct note_node n = {
		.node = (uint32_t)strtoul(word, NULL, 10),
		.parent = *caller == '?' ? CALL_UNKNOWN : (uint32_t)strtoul(caller, NULL, 10),
		.function = (uint32_t)strtoul(function, NULL, 10),
	};

	builder_nodes(b, &n, 1);
}

static void add_row(struct recording_builder *b, uint64_t time, uint32_t tid, unsigned int flags,
		    const char *word)
{
	const char *node = strchr(word, ':') + 1, *self = strchr(word, '+');
	struct call_row row = { 0 };

	row.node = *node == 'L' ? CALL_LONE | (unsigned int)strtoul(node + 1, NULL, 10) :
				  (unsigned int)strtoul(node, NULL, 10);
	row.ncalls = strtoull(strchr(word, '*') + 1, NULL, 10);
	row.self_ns = self ? strtoull(self + 1, NULL, 10) * MS : 0;
	builder_calls(b, time, 10, tid, flags, &row, 1);
}

static void add_mark(struct recording_builder *b, uint64_t time, uint32_t tid, const char *word)
{
	const char *label = strchr(word, '/'), *id = strchr(word, '#'), *sp = strchr(word, '@');
	struct mark_head m = { .kind = *word == 'B' ? MARK_BEGIN : MARK_END, .marker = id ? 2 : 1 };
	char *text = label ? xstrndup(label, strcspn(label, "#@")) : NULL;

	m.flags = id ? MARK_HAS_ID : 0;
	m.id = id ? strtoull(id + 1, NULL, 10) : 0;
	m.sp = sp ? strtoull(sp + 1, NULL, 10) : 0;
	builder_mark(b, time, 10, tid, m, text);
	free(text);
}

static void build_word(struct recording_builder *b, uint64_t time, const char *word)
{
	uint32_t tid = (uint32_t)strtoul(word + 1, NULL, 10);

	switch (*word) {
	case 'F':
		add_function(b, 0, word + 1);
		break;
	case 'T':
		add_function(b, FUNCTION_IS_TIMED, word + 1);
		break;
	case 'I':
		add_function(b, FUNCTION_IS_INEXACT, word + 1);
		break;
	case 'M':
		add_function(b, FUNCTION_IS_INEXACT | FUNCTION_IS_AMISS, word + 1);
		break;
	case 'N':
		add_node(b, word + 1);
		break;
	case 'C':
	case 'Z':
		add_row(b, time, tid, *word == 'Z' ? CALL_IS_LATE : 0, word);
		break;
	case 'P':
		builder_calls(b, time, 10, tid, CALL_IS_PARTIAL, NULL, 0);
		break;
	case 'U':
		builder_calls(b, time, 10, tid, CALL_IS_PARTIAL | CALL_IS_UNCOUNTED, NULL, 0);
		break;
	case 'K':
		builder_comm(b, time, 10, tid, "server", true);
		break;
	case 'S':
		builder_sample(b, time, 10, tid, (uint64_t[]){ 0x1010 }, 1);
		break;
	case 'X':
		builder_exit(b, time, 10, tid);
		break;
	case 'R':
		builder_round(b);
		break;
	case 'G':
		builder_note(b, NOTE_INFO, "begin_ns\0" "1\0", sizeof("begin_ns\0" "1\0"));
		break;
	case 'H':
		builder_note(b, NOTE_INFO, "end_ns\0" "99\0", sizeof("end_ns\0" "99\0"));
		break;
	default:
		add_mark(b, time, tid, word);
	}
}

static void setup(struct report_rig *f)
{
	*f = (struct report_rig){ 0 };
	log_set_level(LOG_QUIET);
	builder_init(&f->b, NULL);
	builder_comm(&f->b, 0, 10, 10, "server", false);
	builder_mmap(&f->b, 0, 10, 0x1000, 0x1000, 0, "/no/such/app.so");
	builder_marker(&f->b, 1, 0, "handle");
	builder_marker(&f->b, 2, MARKER_HAS_ID, "task");
	f->options.resolve.wants_callers = true;
}

static void build(struct report_rig *f, const char *script)
{
	char *words = xstrdup(script), *rest = words, *word;
	uint64_t time = 0;

	while ((word = strsep(&rest, " ")) != NULL)
		build_word(&f->b, ++time, word);
	free(words);
}

static const char *name_of(const struct report_rig *f, uint32_t function)
{
	return strings_text(&f->strings, f->p->functions.at[function].name);
}

static void add_calls(struct str *b, uint64_t ncalls, uint64_t primitive, bool is_inexact)
{
	if (ncalls == COUNT_UNKNOWN) {
		str_add_char(b, '-');
		return;
	}
	str_addf(b, "%s%" PRIu64, is_inexact ? "~" : "", ncalls);
	if (primitive == COUNT_UNKNOWN)
		str_add(b, "/?");
	else if (primitive != ncalls)
		str_addf(b, "/%" PRIu64, primitive);
}

/*
 * "/a ~14/5 9ms: fib 13/4 7 9 (main 1, fib 12/3), main 1 2 9 ()": calls, time; and of each function its
 * calls, ms of its own and below, and callers. What there is nothing of is left out.
 */
static const char *text_of(struct report_rig *f)
{
	str_clear(&f->text);
	vec_each(&f->p->groups, g) {
		str_addf(&f->text, "%s%s ", f->text.len ? " | " : "", strings_text(&f->strings, g->path));
		add_calls(&f->text, g->calls, g->primitive_calls, g->is_inexact);
		if (g->weight)
			str_addf(&f->text, " %" PRIu64 "ms", g->weight / MS);
		vec_each(&g->functions, s) {
			str_addf(&f->text, "%s%s ", s == g->functions.at ? ": " : ", ", name_of(f, s->function));
			add_calls(&f->text, s->ncalls, s->primitive_calls, s->is_inexact);
			if (s->has_no_time)
				str_add(&f->text, " ? ?");
			else if (s->cum)
				str_addf(&f->text, " %" PRIu64 " %s%" PRIu64, s->self / MS,
					 s->is_cum_inexact ? "~" : "", s->cum / MS);
			vec_each(&s->callers, c) {
				str_addf(&f->text, "%s%s ", c == s->callers.at ? " (" : ", ", name_of(f, c->caller));
				add_calls(&f->text, c->ncalls, c->primitive_calls, false);
			}
			if (s->callers.nr)
				str_add_char(&f->text, ')');
		}
	}
	return str_cstr(&f->text);
}

#define TREE "F1:main F2:fib F3:leaf N1<0:1 N2<1:2 N3<2:2 N4<3:2 N5<3:3 "

static const struct {
	const char *script, *root, *want;
	uint64_t nr_nameless, nr_late, nr_partial;
} cases[] = {
	/* calls belong to what the thread works on when they are told */
	{ "F1:f N1<0:1 C11:1*2 B11:/a C11:1*3 E11 C11:1*4", NULL,
	  "/a 3: f 3 | (outside) 6: f 6", 0, 0, 0 },
	{ "F1:f N1<0:1 B11:/a B12:/b C12:1*3 C11:1*1 C13:1*9 E11 E12", NULL,
	  "/a 1: f 1 | /b 3: f 3 | (outside) 9: f 9", 0, 0, 0 },
	/* several rows are added up */
	{ "F1:f N1<0:1 B11:/a C11:1*3 C11:1*4 E11 B11:/a C11:1*5 E11", NULL, "/a 12: f 12", 0, 0, 0 },
	/* recursion: a call is primitive where the function is not called already */
	{ TREE "B11:/a C11:1*1 C11:2*2 C11:3*5 C11:4*7 C11:5*11 E11", NULL,
	  "/a 26/14: main 1, fib 14/2 (main 2, fib 12/5), leaf 11 (fib 11)", 0, 0, 0 },
	/* what was called before and runs still has no calls, and is there for what it calls */
	{ TREE "C11:1*1 B11:/a C11:5*2 E11", NULL,
	  "/a 2: main 0, fib 0 (main 0, fib 0), leaf 2 (fib 2) | (outside) 1: main 1", 0, 0, 0 },
	/* below a function: of the outermost one's callers nothing is left */
	{ TREE "B11:/a C11:1*1 C11:2*2 C11:3*5 C11:5*11 E11", "fib",
	  "/a 18/13: fib 7/2 (fib 5), leaf 11 (fib 11)", 0, 0, 0 },
	{ TREE "B11:/a C11:1*1 E11 B11:/b C11:2*1 E11", "fib", "/b 1: fib 1", 0, 0, 0 },
	/* who called is not known: the total is right, and nothing else is said */
	{ "F1:f F2:g N1<?:1 N2<1:2 B11:/a C11:1*3 C11:2*4 E11", NULL, "/a 7/?: f 3/?, g 4/? (f 4/?)", 0, 0, 0 },
	{ "F1:f F2:g N1<0:1 B11:/a C11:L2*3 C11:1*1 E11", NULL, "/a 4/?: f 1, g 3/?", 0, 0, 0 },
	{ "F1:f F2:g N1<9:1 N2<1:2 B11:/a C11:1*3 C11:2*2 E11", NULL, "/a 5/?: f 3/?, g 2/? (f 2/?)", 0, 0, 0 },
	/* then it may be below a function, or not: those of it that are known to be are not all */
	{ TREE "B11:/a C11:2*2 C11:3*5 C11:L2*7 C11:L3*11 E11", "fib",
	  "/a ~14/?: fib 14/? (fib 5), leaf ~0/?", 0, 0, 0 },
	{ "F1:f F2:g F3:h N1<?:1 N2<1:2 N3<2:3 N4<0:3 B11:/a C11:1*3 C11:2*4 C11:3*5 C11:4*6 E11 B11:/b C11:4*1 E11", "g",
	  "/a ~9/?: f ~0/?, g 4/?, h 5/? (g 5/?)", 0, 0, 0 },
	/* so may all that are not below a counted one, where that means a function whose calls are not counted, too */
	{ "F1:f F2:g N1<0:1 N2<0:2 B11:/a C11:1*2 C11:2*1 S11 E11", "0x10", "/a ~0/? 1ms: f ~0/?, g ~0/?, 0x10 - 1 1", 0, 0, 0 },
	{ "F1:f F2:g N1<0:1 N2<0:2 B11:/a C11:1*2 C11:2*1 S11 E11", "*[f0]*", "/a ~2/? 1ms: f 2, g ~0/?, 0x10 - 1 1", 0, 0, 0 },
	/* so may the time of what it calls be missing in that of others, other than those that are on all such stacks */
	{ "T1:f T2:g T3:h N1<0:1 N2<0:2 B11:/a C11:1*1+1 C11:2*1+2 C11:L3*1+4 E11 B11:/b C11:1*1+1 E11", NULL,
	  "/a 3/? 7ms: f 1 1 ~1, g 1 2 ~2, h 1/? 4 4 | /b 1 1ms: f 1 1 1", 0, 0, 0 },
	{ "T1:f T2:g T3:h N1<0:1 N2<0:2 B11:/a C11:1*1+1 C11:2*1+2 C11:L3*1+4 E11", "f",
	  "/a ~1/? 1ms: f 1 1 ~1, h ~0/?", 0, 0, 0 },
	/* of several that are between, who called the first is known: what they call is below that one */
	{ "T1:f T2:g T3:h T4:k N1<0:1 N2<1:0 N3<2:3 N4<2:1 N5<0:2 N6<2:4 N7<5:4 B11:/a C11:1*1+1 C11:3*2+2 C11:4*1+3 C11:5*1+1 "
	  "C11:6*1+1 C11:7*1+1 E11", NULL, "/a 7/? 9ms: f 2/1 4 7, g 1 1 2, h 2/? 2 ~2, k 2/? 2 ~2 (g 1)", 0, 0, 0 },
	{ "T1:f T3:h N1<0:1 N2<1:0 N3<2:3 N4<0:3 B11:/a C11:1*1+1 C11:3*2+2 C11:4*9+9 E11", "f",
	  "/a 3/? 3ms: f 1 1 3, h 2/? 2 2", 0, 0, 0 },
	/* nobody knows whose calls these are */
	{ "F1:f N1<0:1 N2<1:7 B11:/a C11:1*3 C11:2*4 C11:9*5 C11:L9*1 E11", NULL, "/a 3: f 3", 10, 0, 0 },
	/* a parent that is no older than its child would be a loop */
	{ "F1:f N1<2:1 N2<1:1 B11:/a C11:2*3 C11:1*1 E11", NULL, "/a 4/?: f 4/? (f 3/?)", 0, 0, 0 },
	{ "F1:f N5<5:1 B11:/a C11:5*3 E11", NULL, "/a 3/?: f 3/?", 0, 0, 0 },
	/* nothing was called */
	{ "F1:f N1<0:1", NULL, "", 0, 0, 0 },
	{ "F1:f N1<0:1 B11:/a S11 E11", NULL, "/a - 1ms: 0x10 - 1 1", 0, 0, 0 },
	/* a function becomes known behind a row below it */
	{ "F2:fib N1<0:1 N2<1:2 B11:/a C11:2*5 R S11 R F1:main C11:1*1 C11:2*2 R E11", NULL,
	  "/a 8/? 1ms: main 1, fib 7/?, 0x10 - 1 1", 0, 0, 0 },
	/* the same note again changes nothing */
	{ "F1:f F1:g N1<0:1 N1<0:7 B11:/a C11:1*3 E11", NULL, "/a 3: f 3", 0, 0, 0 },

	/* calls are missing, and it is known of which function: at any time */
	{ "F1:f F2:g N1<0:1 N2<0:2 B11:/a C11:1*3 C11:2*2 I1:f E11", NULL, "/a ~5: f ~3, g 2", 0, 0, 0 },
	{ "I1:f F2:g N1<0:1 N2<0:2 B11:/a C11:1*3 E11 B11:/b C11:2*2 E11", NULL,
	  "/a ~3: f ~3 | /b 2: g 2", 0, 0, 0 },
	/* also in a table that has none of it */
	{ "F1:f F2:g N1<0:1 N2<0:2 B11:/a C11:1*3 E11 B11:/b C11:2*2 E11 B11:/c S11 E11 M1:f", NULL,
	  "/c - 1ms: 0x10 - 1 1 | /a ~3: f ~3 | /b ~2: g 2", 0, 0, 0 },
	{ "F1:f F2:g N2<0:2 B11:/b C11:2*2 E11 M1:f", NULL, "/b ~2: g 2", 0, 0, 0 },
	/* ... that none was counted is no count then */
	{ "F1:main F2:f N1<0:1 N2<1:2 B11:/a C11:1*3 C11:2*1 E11 B11:/b C11:2*2 E11 I1:main", NULL,
	  "/a ~4: main ~3, f 1 (main 1) | /b ~2: main -, f 2 (main 2)", 0, 0, 0 },
	{ "F1:main F2:f N1<0:1 N2<1:2 B11:/a C11:2*2 E11 I1:main I2:f", "main", "/a ~2: main -, f ~2 (main 2)", 0, 0, 0 },
	{ "I1:f N1<0:1 B11:/a C11:1*0 E11", NULL, "/a -: f -", 0, 0, 0 },
	/* or in which time */
	{ "F1:f F2:g N1<0:1 N2<0:2 B11:/a C11:1*3 P11 C11:2*2 E11 B11:/b C11:1*1 E11", NULL,
	  "/a ~5: f ~3, g ~2 | /b 1: f 1", 0, 0, 1 },
	{ "F1:f N1<0:1 P11 C11:1*1 B11:/b C11:1*1 E11", NULL, "/b 1: f 1 | (outside) ~1: f ~1", 0, 0, 1 },
	/* or of which process, whatever it does */
	{ "F1:f N1<0:1 B11:/a C11:1*1 E11 U11 B11:/a C11:1*3 E11 B11:/b C11:1*4 E11 C11:1*5", NULL,
	  "/a ~4: f ~4 | /b ~4: f ~4 | (outside) ~5: f ~5", 0, 0, 1 },
	{ "F1:f N1<0:1 B11:/b U12 C11:1*2 E11 C11:1*1", NULL, "/b ~2: f ~2 | (outside) ~1: f ~1", 0, 0, 1 },
	{ "F1:f N1<0:1 U11 B11:/a C11:1*3 E11 K11 B11:/b C11:1*4 E11 B11:/c S11 C11:1*1 E11", NULL,
	  "/c 1 1ms: 0x1010 - 1 1, f 1 | /a ~3: f ~3 | /b 4: f 4", 0, 0, 1 },
	/* they came late, and may be another request's: so may others of that function be */
	{ "F1:f F2:g N1<0:1 N2<0:2 B11:/a C11:1*3 C11:2*1 E11 B11:/b Z11:1*3 E11", NULL,
	  "/a ~4: f ~3, g 1 | /b ~3: f ~3", 0, 1, 0 },
	/* somebody else ended the request that the thread had worked on */
	{ "F1:f N1<0:1 B11:/a#7 C11:1*1 E12#7 C11:1*2", NULL, "/a ~1: f ~1 | (outside) ~2: f ~2", 0, 1, 0 },
	{ "F1:f N1<0:1 B11:/a#7 E12#7 B11:/b C11:1*2 E11", NULL, "/a - | /b 2: f 2", 0, 0, 0 },
	/* nobody knows when it was left: what is called behind that may be its own, or nobody's; not what ended, nor others' */
	{ "F1:f N1<0:1 B11:/a@64 C11:1*1 E11 B11:/b@64 C11:1*2 B11:/a@64 C11:1*3 E11 C11:1*4", NULL,
	  "/a 4: f 4 | /b ~2: f ~2 | (outside) ~4: f ~4", 0, 0, 0 },
	{ "F1:f N1<0:1 B11:/b C11:1*2 X11 C12:1*4", NULL, "/b ~2: f ~2 | (outside) ~4: f ~4", 0, 0, 0 },
	/* ... or what is around it */
	{ "F1:f N1<0:1 B11:/o@96 C11:1*1 B11:/b@64 C11:1*2 B11:/a@64 C11:1*3 E11 C11:1*4 E11 C11:1*5", NULL,
	  "/a 3: f 3 | /b ~2: f ~2 | /o ~5: f ~5 | (outside) 5: f 5", 0, 0, 0 },
	/* what is underway when the recording ends may not have been left: others were not */
	{ "F1:f N1<0:1 B11:/a C11:1*1 E11 B11:/b C11:1*2", NULL, "/a 1: f 1 | /b 2: f 2", 0, 0, 0 },

	/* where time is counted, samples are no part of it */
	{ "T1:main T2:fib N1<0:1 N2<1:2 N3<2:2 B11:/a C11:1*1+2 C11:2*1+3 C11:3*4+4 S11 E11", NULL,
	  "/a 6/2 9ms: main 1 2 9, fib 5/1 7 7 (main 1, fib 4)", 0, 0, 0 },
	{ "T1:main T2:fib N1<0:1 N2<1:2 B11:/a C11:1*0+2 C11:2*1+3 E11", "fib",
	  "/a 1 3ms: fib 1 3 3", 0, 0, 0 },
	/* of what is counted without its time, none is known, whatever it calls */
	{ "T1:main F2:leaf T3:back N1<0:1 N2<1:2 N3<2:3 B11:/a C11:1*1+2 C11:2*5 C11:3*1+4 E11", NULL,
	  "/a 7 6ms: main 1 2 6, leaf 5 ? ? (main 5), back 1 4 4 (leaf 1)", 0, 0, 0 },
	/* where it is not, they are all of it */
	{ "F1:f N1<0:1 B11:/a C11:1*2 S11 S11 E11", NULL, "/a 2 2ms: f 2, 0x10 - 2 2", 0, 0, 0 },
};

START_TEST(calls_are_summed)
{
	struct report_rig f;

	setup(&f);
	build(&f, cases[_i].script);
	f.options.resolve.root = cases[_i].root;
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), cases[_i].want);
	ck_assert_uint_eq(f.p->tallies.nr_calls_nameless, cases[_i].nr_nameless);
	ck_assert_uint_eq(f.p->tallies.nr_calls_late, cases[_i].nr_late);
	ck_assert_uint_eq(f.p->tallies.nr_calls_partial, cases[_i].nr_partial);
	report_rig_release(&f);
}
END_TEST

static const struct {
	const char *script;
	uint64_t nr;
} told[] = {
	{ "F1:f N1<0:1 B11:/a C11:1*3 E11", 0 },
	{ "F1:f F2:g N1<0:1 N2<0:2 B11:/a C11:1*3 C11:2*2 I1:f E11", 1 },
	/* each once, also one that nobody called */
	{ "I1:f F1:f M1:f I2:g F3:h N1<0:1 B11:/a C11:1*3 E11", 2 },
};

START_TEST(functions_that_were_not_counted_all_the_time_are_told)
{
	struct report_rig f;

	setup(&f);
	build(&f, told[_i].script);
	report_rig_run(&f);
	ck_assert_uint_eq(f.p->tallies.nr_calls_inexact, told[_i].nr);
	report_rig_release(&f);
}
END_TEST

#define KERNEL_AT 0xffffffff81000010

static const struct {
	const char *root, *path, *want;
	uint64_t nr;
} roots[] = {
	{ NULL, NULL, "/b - 1ms: 0xffffffff81000010 - 1 1, 0x10 - 0 1 | /a 2: main 2", 0 },
	{ "main", NULL, "/a 2: main 2", 0 },
	{ "0x10", NULL, "/b - 1ms: 0xffffffff81000010 - 1 1, 0x10 - 0 1 | /a ~0/?: main ~0/?", 1 },
	/* whichever tables are asked for */
	{ "0x10", "^/a", "/a ~0/?: main ~0/?", 1 },
	{ "0x10", "^/b", "/b - 1ms: 0xffffffff81000010 - 1 1, 0x10 - 0 1", 0 },
	/* what the kernel does calls nothing of the program's */
	{ "0xffffffff8", NULL, "/b - 1ms: 0xffffffff81000010 - 1 1", 0 },
};

START_TEST(uncounted_functions_of_root_are_told_where_rows_are_marked)
{
	struct report_rig f;

	setup(&f);
	build(&f, "F1:main N1<0:1 B11:/a C11:1*2 E11 B11:/b");
	builder_sample(&f.b, 10, 10, 11, (uint64_t[]){ PERF_CONTEXT_KERNEL, KERNEL_AT, PERF_CONTEXT_USER, 0x1010 }, 4);
	f.options.resolve.root = roots[_i].root;
	f.options.resolve.wants_callers = false;
	if (roots[_i].path)
		vec_push(&f.selection_options.path, roots[_i].path);
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), roots[_i].want);
	ck_assert_uint_eq(f.p->tallies.nr_roots_uncounted, roots[_i].nr);
	report_rig_release(&f);
}
END_TEST

/*
 * Its first request had ended before the probes were in it, the second one was underway: on a thread that the mark of that
 * is not of. The third one has all of its calls.
 */
START_TEST(newcomers_requests_before_their_probes_are_marked)
{
	static const struct call_row row = { .node = 1, .ncalls = 1 };
	const struct mark_head begin = { .kind = MARK_BEGIN, .marker = 1 }, end = { .kind = MARK_END, .marker = 1 };
	struct report_rig f;

	setup(&f);
	build(&f, "F1:f N1<0:1");
	builder_fork(&f.b, 10, 20, 20, 10, 10);
	builder_fork(&f.b, 11, 20, 21, 20, 20);
	builder_mark(&f.b, 12, 20, 21, begin, "/before");
	builder_mark(&f.b, 13, 20, 21, end, NULL);
	builder_mark(&f.b, 14, 20, 21, begin, "/during");
	builder_calls(&f.b, 15, 20, 20, CALL_IS_PARTIAL, NULL, 0);
	builder_calls(&f.b, 16, 20, 21, 0, &row, 1);
	builder_mark(&f.b, 17, 20, 21, end, NULL);
	builder_mark(&f.b, 18, 20, 21, begin, "/behind");
	builder_calls(&f.b, 19, 20, 21, 0, &row, 1);
	builder_mark(&f.b, 20, 20, 21, end, NULL);
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), "/before - | /behind 1: f 1 | /during ~1: f ~1");
	report_rig_release(&f);
}
END_TEST

static const struct {
	enum group_by by;
	const char *want;
} newcomers[] = {
	{ BY_ENDPOINT, "/a ~1: f ~1 | (outside) ~15: f ~15" },
	{ BY_NONE, "(all) ~16: f ~16" },
	{ BY_PROCESS, "server/10 1: f 1 | server/20 ~15: f ~15" },
	{ BY_THREAD, "server/10 1: f 1 | server/20 ~3: f ~3 | server/21 ~4: f ~4 | server/22 8: f 8" },
};

/* What it did before its request, in which the probes came. Its third thread has all of its calls. */
START_TEST(newcomers_time_outside_before_their_probes_is_marked)
{
	const struct mark_head begin = { .kind = MARK_BEGIN, .marker = 1 }, end = { .kind = MARK_END, .marker = 1 };
	struct call_row row = { .node = 1, .ncalls = 1 };
	struct report_rig f;
	uint32_t tid;

	setup(&f);
	build(&f, "F1:f N1<0:1");
	builder_calls(&f.b, 9, 10, 10, 0, &row, 1);
	builder_fork(&f.b, 10, 20, 20, 10, 10);
	builder_fork(&f.b, 11, 20, 21, 20, 20);
	builder_mark(&f.b, 12, 20, 20, begin, "/a");
	builder_calls(&f.b, 13, 20, 20, CALL_IS_PARTIAL, NULL, 0);
	builder_calls(&f.b, 14, 20, 20, 0, &row, 1);
	builder_mark(&f.b, 15, 20, 20, end, NULL);
	builder_fork(&f.b, 16, 20, 22, 20, 20);
	for (tid = 20; tid <= 22; tid++) {
		row.ncalls = 2U << (tid - 20);
		builder_calls(&f.b, 17, 20, tid, 0, &row, 1);
	}
	f.options.by = newcomers[_i].by;
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), newcomers[_i].want);
	report_rig_release(&f);
}
END_TEST

/* As Python's are: told of when the first one has a row. */
START_TEST(newcomers_requests_before_any_function_is_known_are_marked)
{
	const struct mark_head begin = { .kind = MARK_BEGIN, .marker = 1 }, end = { .kind = MARK_END, .marker = 1 };
	struct report_rig f;

	setup(&f);
	builder_fork(&f.b, 1, 20, 20, 10, 10);
	builder_mark(&f.b, 2, 20, 20, begin, "/a");
	builder_mark(&f.b, 3, 20, 20, end, NULL);
	builder_round(&f.b);
	builder_calls(&f.b, 4, 20, 20, CALL_IS_PARTIAL, NULL, 0);
	build(&f, "R F1:f N1<0:1");
	builder_mark(&f.b, 6, 10, 10, begin, "/a");
	builder_calls(&f.b, 7, 10, 10, 0, &(struct call_row){ .node = 1, .ncalls = 1 }, 1);
	builder_mark(&f.b, 8, 10, 10, end, NULL);
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), "/a ~1: f ~1");
	report_rig_release(&f);
}
END_TEST

/* --native: both, in seconds. */
START_TEST(sampled_rows_stand_beside_timed_ones)
{
	struct report_rig f;

	setup(&f);
	build(&f, "T1:f N1<0:1 B11:/a C11:1*2+5 S11 S11 E11");
	f.options.resolve.is_native = true;
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), "/a 2 7ms: f 2 5 5, 0x10 - 2 2");
	ck_assert(!f.p->groups.at[0].has_no_samples);
	ck_assert_str_eq(f.p->unit, "seconds");
	report_rig_release(&f);
}
END_TEST

static const struct {
	const char *script, *want;
	enum group_by by;
	uint64_t nr_left_out;
} beside[] = {
	/* whose calls have no time, as another server's of the same recording have none */
	{ "T1:f N1<0:1 B11:/a B12:/b C11:1*2+5 S11 S12 S12 E11 E12", "/a 2 5ms: f 2 5 5 | /b - 2ms: 0x10 - 2 2",
	  BY_ENDPOINT, 1 },
	{ "T1:f N1<0:1 B11:/a B12:/b C11:1*2+5 S11 S12 S12 E11 E12",
	  "server/11 2 5ms: f 2 5 5 | server/12 - 2ms: 0x10 - 2 2",
	  BY_THREAD, 1 },
	{ "T1:f F2:g N1<0:1 N2<0:2 B11:/a B12:/b C11:1*2+5 C12:2*3 S12 E11 E12",
	  "/a 2 5ms: f 2 5 5 | /b 3 1ms: g 3, 0x10 - 1 1",
	  BY_ENDPOINT, 0 },
	/* together they are not told apart */
	{ "T1:f N1<0:1 B11:/a B12:/b C11:1*2+5 S11 S12 S12 E11 E12", "(all) 2 5ms: f 2 5 5", BY_NONE, 3 },
};

START_TEST(tables_without_timed_calls_have_their_samples)
{
	struct report_rig f;

	setup(&f);
	build(&f, beside[_i].script);
	f.options.by = beside[_i].by;
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), beside[_i].want);
	ck_assert(f.p->groups.at[0].has_no_samples);
	vec_each(&f.p->groups, g)
		ck_assert(!g->has_no_samples || !g->nr_samples);
	if (f.p->groups.nr > 1)
		ck_assert(!vec_last(&f.p->groups)->has_no_samples);
	ck_assert_uint_eq(f.p->tallies.nr_beside_calls, beside[_i].nr_left_out);
	ck_assert_uint_eq(f.p->tallies.nr_filtered, 0);
	report_rig_release(&f);
}
END_TEST

static void add_transfer(struct recording_builder *b, uint64_t time, uint32_t tid, uint16_t kind, uint64_t conn,
			 const char *bytes)
{
	struct socket_mark m = { .kind = kind, .conn = conn, .ns = time, .bytes = strlen(bytes) };

	builder_socket_mark(b, time, 10, tid, m, bytes, strlen(bytes));
}

/* One process reads it; a new one, which has ended when its probes would come, answers. */
START_TEST(requests_that_newcomers_answer_before_their_probes_are_marked)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct socket_mark m = { .kind = SOCKET_OUT, .conn = 5, .ns = 14, .bytes = strlen(answer) };
	struct report_rig f;

	setup(&f);
	builder_marker(&f.b, 0, MARKER_IS_SOCKETS, "");
	build(&f, "F1:f N1<0:1");
	add_transfer(&f.b, 10, 10, SOCKET_IN, 5, "GET /a HTTP/1.1\r\n\r\n");
	builder_fork(&f.b, 11, 20, 20, 10, 10);
	builder_calls(&f.b, 12, 10, 10, 0, &(struct call_row){ .node = 1, .ncalls = 3 }, 1);
	add_transfer(&f.b, 13, 10, SOCKET_WAIT, 0, "");
	builder_socket_mark(&f.b, 14, 20, 20, m, answer, strlen(answer));
	builder_exit(&f.b, 15, 20, 20);
	builder_calls(&f.b, 16, 20, 20, CALL_IS_PARTIAL, NULL, 0);
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), "/a ~3: f ~3");
	report_rig_release(&f);
}
END_TEST

static const struct {
	enum group_by by;
	const char *path, *want;
} answered[] = {
	{ BY_ENDPOINT, NULL, "/a ~3: f ~3" },
	{ BY_THREAD, NULL, "server/11 1: f 1 | server/12 ~2: f ~2" },
	/* a request's are known when it has ended, of all that worked on it */
	{ BY_THREAD, "^/a", "server/11 ~1: f ~1 | server/12 ~2: f ~2" },
};

/* One thread reads it, another one answers: calls of that one are missing. */
START_TEST(missing_calls_are_the_threads_that_made_them)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct call_row row = { .node = 1, .ncalls = 1 };
	struct report_rig f;

	setup(&f);
	builder_marker(&f.b, 0, MARKER_IS_SOCKETS, "");
	build(&f, "F1:f N1<0:1");
	add_transfer(&f.b, 9, 12, SOCKET_WAIT, 0, "");
	add_transfer(&f.b, 10, 11, SOCKET_IN, 5, "GET /a HTTP/1.1\r\n\r\n");
	builder_calls(&f.b, 11, 10, 11, 0, &row, 1);
	row.ncalls = 2;
	builder_calls(&f.b, 12, 10, 12, CALL_IS_PARTIAL, &row, 1);
	add_transfer(&f.b, 13, 12, SOCKET_OUT, 5, answer);
	f.options.by = answered[_i].by;
	if (answered[_i].path)
		vec_push(&f.selection_options.path, answered[_i].path);
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), answered[_i].want);
	report_rig_release(&f);
}
END_TEST

static const struct {
	const char *paths[2], *want;
	enum group_by by;
	const char *path;	/* asked for */
	uint64_t nr_doubtful;
	const char *timed;	/* in place of a function without times; calls come before the second answer alone */
} doubts[] = {
	/* of one endpoint: only a request's table may have another one's */
	{ { "/a", "/a" }, "/a 3: f 3", BY_ENDPOINT, NULL, 0, NULL },
	{ { "/a", "/a" }, "/a ~1: f ~1 | /a ~2: f ~2", BY_REQUEST, NULL, 2, NULL },
	{ { "/a", "/b" }, "/a ~1: f ~1 | /b ~2: f ~2", BY_ENDPOINT, NULL, 2, NULL },
	{ { "/a", "/b" }, "/b ~2: f ~2", BY_ENDPOINT, "^/b", 1, NULL },
	{ { "/a", "/b" }, "(all) 3: f 3", BY_NONE, NULL, 0, NULL },
	{ { "/a", "/b" }, "server/11 - | server/12 3: f 3", BY_THREAD, NULL, 0, NULL },
	/* one has no row that could say so: its sum does, where such calls alone make the table */
	{ { "/a", "/b" }, "/b ~2 5ms: f ~2 5 ~5 | /a ~0", BY_ENDPOINT, NULL, 2, "T1:f N1<0:1" },
};

/* One thread reads two requests, and another one answers them: what it does behind the first answer may be for either. */
START_TEST(doubts_are_told_of_where_rows_are_marked)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct report_rig f;
	char ask[64];
	uint64_t i;

	setup(&f);
	builder_marker(&f.b, 0, MARKER_IS_SOCKETS, "");
	build(&f, doubts[_i].timed ? doubts[_i].timed : "F1:f N1<0:1");
	add_transfer(&f.b, 9, 12, SOCKET_WAIT, 0, "");
	for (i = 0; i < 2; i++) {
		snprintf(ask, sizeof(ask), "GET %s HTTP/1.1\r\n\r\n", doubts[_i].paths[i]);
		add_transfer(&f.b, 10 + i, 11, SOCKET_IN, 5 + i, ask);
	}
	for (i = 0; i < 2; i++) {
		struct call_row row = { .node = 1, .ncalls = 1 + i, .self_ns = doubts[_i].timed ? 5 * MS : 0 };

		if (i || !doubts[_i].timed)
			builder_calls(&f.b, 20 + 2 * i, 10, 12, 0, &row, 1);
		add_transfer(&f.b, 21 + 2 * i, 12, SOCKET_OUT, 5 + i, answer);
	}
	add_transfer(&f.b, 30, 12, SOCKET_WAIT, 0, "");
	f.options.by = doubts[_i].by;
	if (doubts[_i].path)
		vec_push(&f.selection_options.path, doubts[_i].path);
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), doubts[_i].want);
	ck_assert_uint_eq(f.p->tallies.nr_calls_doubtful, doubts[_i].nr_doubtful);
	report_rig_release(&f);
}
END_TEST

/* "main 2 (fib 3 (fib 4))": ms of each node, and what it called. */
static void add_tree(struct report_rig *f, const struct stack_tree *t, uint32_t caller)
{
	const char *separator = "";
	size_t i;

	for (i = 1; i < t->nodes.nr; i++) {
		const struct tree_node *n = &t->nodes.at[i];

		if (n->caller != caller)
			continue;
		str_addf(&f->text, "%s%s %" PRIu64 " (", separator, name_of(f, n->function), n->self / MS);
		add_tree(f, t, (uint32_t)i);
		str_add_char(&f->text, ')');
		separator = ", ";
	}
}

/* For renderers that draw stacks: where the time of calls was counted, it is theirs. */
START_TEST(timed_calls_are_stacks)
{
	struct report_rig f;

	setup(&f);
	build(&f, "T1:main T2:fib N1<0:1 N2<1:2 N3<2:2 N4<?:2 B11:/a C11:1*1+2 C11:2*1+3 C11:3*4+4 C11:4*1+1 S11 E11");
	f.options.resolve.wants_trees = true;
	report_rig_run(&f);
	add_tree(&f, &f.p->groups.at[0].tree, 0);
	ck_assert_str_eq(str_cstr(&f.text), "main 2 (fib 3 (fib 4 ())), fib 1 ()");
	report_rig_release(&f);
}
END_TEST

static const struct {
	enum group_by by;
	const char *path, *slowest, *want;
} group_cases[] = {
	{ BY_ENDPOINT, NULL, NULL, "/a 1: f 1 | /b 2: f 2 | (outside) 4: f 4" },
	{ BY_REQUEST, NULL, NULL, "/a 1: f 1 | /b 2: f 2 | (outside) 4: f 4" },
	{ BY_NONE, NULL, NULL, "(all) 7: f 7" },
	{ BY_THREAD, NULL, NULL, "server/11 5: f 5 | server/12 2: f 2" },
	{ BY_PROCESS, NULL, NULL, "server/10 7: f 7" },
	/* what is outside of requests is not among those that were asked for */
	{ BY_ENDPOINT, "a", NULL, "/a 1: f 1" },
	{ BY_ENDPOINT, NULL, "1", "/b 2: f 2" },
};

/*
 * Its last word is missing, and so are the counts of what goes on. What had ended two rounds before has all of its own;
 * behind that, others' records may be missing that are older.
 */
#define ENDED "F1:f N1<0:1 B11:/a C11:1*3 E11 R C11:1*2 R "

static const struct {
	const char *script;
	enum group_by by;
	const char *path, *want;
	uint64_t nr_cut;
} cut_cases[] = {
	{ "G " ENDED "B11:/b C11:1*1", BY_ENDPOINT, NULL, "/a 3: f 3 | /b ~1: f ~1 | (outside) ~2: f ~2", 1 },
	{ "G " ENDED "B11:/b C11:1*1 E11", BY_ENDPOINT, NULL, "/a 3: f 3 | /b ~1: f ~1 | (outside) ~2: f ~2", 1 },
	{ "G " ENDED "B11:/a C11:1*1", BY_ENDPOINT, NULL, "/a ~4: f ~4 | (outside) ~2: f ~2", 1 },
	{ "G " ENDED "B11:/a C11:1*1", BY_REQUEST, NULL, "/a 3: f 3 | /a ~1: f ~1 | (outside) ~2: f ~2", 1 },
	{ "G " ENDED "B11:/b C11:1*1", BY_ENDPOINT, "^/a", "/a 3: f 3", 1 },
	{ "G " ENDED "C12:1*4", BY_THREAD, NULL, "server/11 ~5: f ~5 | server/12 ~4: f ~4", 1 },
	{ "G " ENDED "C12:1*4", BY_PROCESS, NULL, "server/10 ~9: f ~9", 1 },
	{ "G " ENDED "C12:1*4", BY_NONE, NULL, "(all) ~9: f ~9", 1 },
	{ "G F1:f N1<0:1 B11:/a C11:1*3 E11 R", BY_ENDPOINT, NULL, "/a ~3: f ~3", 1 },
	/* none is no count then */
	{ "G " ENDED "B11:/b C11:1*0 S11", BY_REQUEST, NULL,
	  "/b - 1ms: f -, 0x10 - 1 1 | /a 3: f 3 | (outside) ~2: f ~2", 1 },
	{ "G T1:f N1<0:1 B11:/a C11:1*3+5 E11 R S11 R B11:/b S11", BY_ENDPOINT, NULL,
	  "/a 3 5ms: f 3 5 5 | /b - 1ms: 0x10 - 1 1 | (outside) - 1ms: 0x10 - 1 1", 1 },
	/* it has its end, or had none to write, or nothing was counted */
	{ "G " ENDED "B11:/b C11:1*1 H", BY_ENDPOINT, NULL, "/a 3: f 3 | /b 1: f 1 | (outside) 2: f 2", 0 },
	{ ENDED "B11:/b C11:1*1", BY_ENDPOINT, NULL, "/a 3: f 3 | /b 1: f 1 | (outside) 2: f 2", 0 },
	{ "G B11:/b S11", BY_ENDPOINT, NULL, "/b - 1ms: 0x10 - 1 1", 0 },
};

START_TEST(counts_that_a_cut_recording_lacks_are_marked)
{
	struct report_rig f;

	setup(&f);
	build(&f, cut_cases[_i].script);
	f.options.by = cut_cases[_i].by;
	if (cut_cases[_i].path)
		vec_push(&f.selection_options.path, cut_cases[_i].path);
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), cut_cases[_i].want);
	ck_assert_uint_eq(f.p->tallies.nr_calls_cut, cut_cases[_i].nr_cut);
	report_rig_release(&f);
}
END_TEST

START_TEST(calls_are_where_samples_would_be)
{
	struct report_rig f;

	setup(&f);
	build(&f, "F1:f N1<0:1 B11:/a B12:/b C11:1*1 E11 C12:1*2 C11:1*4 E12");
	f.options.by = group_cases[_i].by;
	f.options.resolve.wants_callers = false;
	if (group_cases[_i].path)
		vec_push(&f.selection_options.path, group_cases[_i].path);
	f.selection_options.slowest = group_cases[_i].slowest;
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), group_cases[_i].want);
	report_rig_release(&f);
}
END_TEST

/* Where a mapping of this program is that holds an address. */
static struct maps_entry mapping_of(const struct maps *maps, uint64_t addr)
{
	vec_each(&maps->entries, m)
		if (addr >= m->start && addr < m->end)
			return *m;
	ck_abort_msg("no mapping at %" PRIx64, addr);
}

/* Not static, so that its symbol is there. */
void check_calls_counted(void);
void check_calls_counted(void)
{
	__asm__ volatile("nop");
}

/* The samples of a function and its calls are found by address, one by one: they are one row. */
START_TEST(counted_and_sampled_is_one_row)
{
	uint64_t addr = (uint64_t)(uintptr_t)check_calls_counted;
	struct note_function note = { .id = 1, .name = "counted" };
	const struct note_node node = { .node = 1, .function = 1 };
	const struct call_row row = { .node = 1, .ncalls = 7 };
	struct maps maps = { 0 };
	struct maps_entry m;
	struct err e = { 0 };
	struct report_rig f;

	ck_assert_int_eq(maps_read(&maps, getpid(), &e), 0);
	m = mapping_of(&maps, addr);
	setup(&f);
	builder_mmap(&f.b, 0, 10, m.start, m.end - m.start, m.off, m.path);
	builder_sample(&f.b, 1, 10, 10, (uint64_t[]){ addr + 1 }, 1);
	note.file = m.path;
	note.off = addr - m.start + m.off;
	builder_function(&f.b, &note);
	builder_nodes(&f.b, &node, 1);
	builder_calls(&f.b, 2, 10, 10, 0, &row, 1);
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), "(outside) 7 1ms: check_calls_counted 7 1 1");
	report_rig_release(&f);
	maps_release(&maps);
}
END_TEST

/* Of a file that is not there any more the name is the one that the recording has. */
START_TEST(counted_without_a_file_has_its_name)
{
	const struct note_function note = { .id = 1, .file = "/no/such/app.so", .off = 0x20, .name = "work" };
	const struct note_node node = { .node = 1, .function = 1 };
	const struct call_row row = { .node = 1, .ncalls = 7 };
	struct report_rig f;

	setup(&f);
	builder_function(&f.b, &note);
	builder_nodes(&f.b, &node, 1);
	builder_calls(&f.b, 2, 10, 10, 0, &row, 1);
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), "(outside) 7: work 7");
	ck_assert_str_eq(strings_text(&f.strings, f.p->functions.at[0].std_name), "app.so:0(work)");
	report_rig_release(&f);
}
END_TEST

/* A record that says more rows than it has, and one that is no head. */
START_TEST(cut_counts_are_left_out)
{
	const struct note_function note = { .id = 1, .flags = FUNCTION_IS_NAMED, .file = "f", .name = "f" };
	const struct note_node node = { .node = 1, .function = 1 };
	const struct call_row row = { .node = 1, .ncalls = 7 };
	struct report_rig f;
	char *head;

	setup(&f);
	builder_function(&f.b, &note);
	builder_nodes(&f.b, &node, 1);
	builder_calls(&f.b, 2, 10, 10, 0, &row, 1);
	/* Behind the head are a row and 4 bytes of padding. */
	head = f.b.bytes.s + f.b.bytes.len - 4 - sizeof(row) - sizeof(struct call_counts);
	head[offsetof(struct call_counts, nr)] = 9;
	builder_calls(&f.b, 3, 10, 10, 0, &row, 1);
	report_rig_run(&f);
	ck_assert_str_eq(text_of(&f), "(outside) 14: f 14");
	report_rig_release(&f);
}
END_TEST

/* Whatever is counted: what is in the groups is what was told, each call once. */
START_TEST(calls_are_conserved)
{
	uint64_t state = (uint64_t)_i + 1, nr_calls = 0, in_groups = 0, in_functions = 0;
	struct str script = { 0 };
	struct report_rig f;
	int i;

	str_add(&script, TREE "N6<5:1 N7<6:3");
	for (i = 0; i < 300; i++) {
		unsigned int tid, node, n;

		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		tid = 11 + (unsigned int)(state >> 33) % 3;
		node = 1 + (unsigned int)(state >> 40) % 7;
		n = (unsigned int)(state >> 50) % 100;
		switch (state >> 60 & 7) {
		case 0:
			str_addf(&script, " B%u:/%c", tid, 'a' + (int)(n % 3));
			break;
		case 1:
			str_addf(&script, " E%u", tid);
			break;
		case 2:
			str_addf(&script, " S%u", tid);
			break;
		default:
			str_addf(&script, " C%u:%u*%u", tid, node, n);
			nr_calls += n;
		}
	}
	setup(&f);
	build(&f, str_cstr(&script));
	f.options.by = (enum group_by)(_i % NR_GROUP_BYS);
	report_rig_run(&f);
	vec_each(&f.p->groups, g) {
		in_groups += g->calls == COUNT_UNKNOWN ? 0 : g->calls;
		vec_each(&g->functions, s) {
			uint64_t of_callers = 0;

			in_functions += s->ncalls == COUNT_UNKNOWN ? 0 : s->ncalls;
			vec_each(&s->callers, c)
				of_callers += c->ncalls;
			ck_assert_uint_le(of_callers, s->ncalls);
		}
	}
	ck_assert_uint_eq(in_groups, nr_calls);
	ck_assert_uint_eq(in_functions, nr_calls);
	report_rig_release(&f);
	str_release(&script);
}
END_TEST

/* Notes may be missing, come late, again, and make loops: calls have a place or are told of. */
START_TEST(nothing_of_notes_is_trusted)
{
	uint64_t state = (uint64_t)_i + 77, nr_calls = 0, in_groups = 0;
	struct str script = { 0 };
	struct report_rig f;
	int i;

	str_add(&script, "B11:/a");
	for (i = 0; i < 300; i++) {
		unsigned int a, b, c;

		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		a = (unsigned int)(state >> 33) % 12;
		b = (unsigned int)(state >> 40) % 12;
		c = (unsigned int)(state >> 50) % 12;
		if (state >> 56 & 1)
			str_add(&script, " R");
		switch (state >> 60 & 7) {
		case 0:
			str_addf(&script, " F%u:f%u", a, b);
			break;
		case 1:
		case 2:
			str_addf(&script, " N%u<%u:%u", a, b, c);
			break;
		case 3:
			str_addf(&script, " C11:L%u*%u", a, b);
			nr_calls += b;
			break;
		default:
			str_addf(&script, " C11:%u*%u", a, b);
			nr_calls += b;
		}
	}
	setup(&f);
	build(&f, str_cstr(&script));
	report_rig_run(&f);
	vec_each(&f.p->groups, g)
		in_groups += g->calls == COUNT_UNKNOWN ? 0 : g->calls;
	ck_assert_uint_eq(in_groups + f.p->tallies.nr_calls_nameless, nr_calls);
	ck_assert_uint_gt(in_groups, 0);
	report_rig_release(&f);
	str_release(&script);
}
END_TEST

Suite *check_calls_suite(void)
{
	Suite *s = suite_create("calls");
	TCase *tc = tcase_create("calls");

	tcase_add_loop_test(tc, calls_are_summed, 0, ARRAY_LEN(cases));
	tcase_add_loop_test(tc, functions_that_were_not_counted_all_the_time_are_told, 0, ARRAY_LEN(told));
	tcase_add_loop_test(tc, uncounted_functions_of_root_are_told_where_rows_are_marked, 0, ARRAY_LEN(roots));
	tcase_add_test(tc, newcomers_requests_before_their_probes_are_marked);
	tcase_add_loop_test(tc, newcomers_time_outside_before_their_probes_is_marked, 0, ARRAY_LEN(newcomers));
	tcase_add_test(tc, newcomers_requests_before_any_function_is_known_are_marked);
	tcase_add_test(tc, requests_that_newcomers_answer_before_their_probes_are_marked);
	tcase_add_loop_test(tc, missing_calls_are_the_threads_that_made_them, 0, ARRAY_LEN(answered));
	tcase_add_test(tc, sampled_rows_stand_beside_timed_ones);
	tcase_add_loop_test(tc, tables_without_timed_calls_have_their_samples, 0, ARRAY_LEN(beside));
	tcase_add_loop_test(tc, doubts_are_told_of_where_rows_are_marked, 0, ARRAY_LEN(doubts));
	tcase_add_test(tc, timed_calls_are_stacks);
	tcase_add_loop_test(tc, counts_that_a_cut_recording_lacks_are_marked, 0, ARRAY_LEN(cut_cases));
	tcase_add_loop_test(tc, calls_are_where_samples_would_be, 0, ARRAY_LEN(group_cases));
	tcase_add_test(tc, counted_and_sampled_is_one_row);
	tcase_add_test(tc, counted_without_a_file_has_its_name);
	tcase_add_test(tc, cut_counts_are_left_out);
	tcase_add_loop_test(tc, calls_are_conserved, 0, 14);
	tcase_add_loop_test(tc, nothing_of_notes_is_trusted, 0, 40);
	suite_add_tcase(s, tc);
	return s;
}
