#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests of odd shapes: begun here and ended there, labels of any bytes and any number, calls that
are left in every way that there is."""
import resource

from lib import *

target = build("e2e_ids.cc")


def record(what, *markers, program=None, **options):
    process = start_target(program or target, what, ready="ready", stdin=subprocess.PIPE)
    args = [arg for marker in markers for arg in ("--marker", marker)]
    recording = Recording("-p", process.pid, *args, **options)
    process.stdin.write("go\n")
    process.stdin.flush()
    recording.wait()
    equal("the target's exit status", process.wait(PATIENCE), 0)
    return recording.file


def shape(profile):
    """(requests with an end, without, ends without a begin)"""
    groups = profile["groups"]
    return (sum(g["requests"] for g in groups), sum(g["unfinished"] for g in groups),
            profile["tallies"]["unmatched_ends"])


def check_pairs():
    file = record("pairs", "begin=request_begin,end=request_end,id=arg2,label=arg3:str")
    profile = report(file)
    equal("requests by label", requests_by_path(profile), {"/odd": 100, "/even": 100})
    equal("ends, open, unmatched", shape(profile), (200, 0, 0))
    rows = [json.loads(line) for line in
            wperf("requests", "-i", file, "--format", "jsonl").stdout.splitlines()]
    length = profile["recording"]["duration"]
    for row in rows:
        check(0 < row["elapsed"] < length, "a request of %s s in %s s" % (row["elapsed"], length))
    # Begins come one after another, and 50 are in flight: so a request spans many begins.
    begins = sorted(row["begin"] for row in rows)
    spans = [sum(row["begin"] < b < row["begin"] + row["elapsed"] for b in begins) for row in rows]
    check(sorted(spans)[100] > 20, "half of the requests span fewer than 20 begins: %s" % spans)
    step("200 ids, begun on one thread and ended on another")


def check_labels():
    file = record("labels", "func:labelled,label=arg1:str")
    profile = report(file, "--path-raw")
    want = {'quote " backslash \\ </script>': 5, "gr\u00fc\u00dfe": 5}
    got = requests_by_path(profile)
    for label, nr in want.items():
        equal("requests of " + label, got.get(label), nr)
    equal("requests", sum(got.values()), 35)
    for label in got:
        check(len(label) < 5000, "a label of %d characters" % len(label))
    bad = [label for label in got if label.startswith("bad ")]
    equal("invalid UTF-8, escaped", bad, ["bad \\xff\\xfe utf-8 \\xc3("])
    red = [label for label in got if label.startswith("tab")]
    equal("control bytes in JSON", red, ["tab\there\nbell\a\x1b[31mred"])
    equal("labels cut", profile["tallies"]["labels_cut"], 5)
    equal("labels that cannot be read", profile["tallies"]["label_faults"], 5)
    has("talk", profile["talk"], "5 labels cut short")
    table = wperf("report", "-i", file, "--path-raw").stdout
    check(not set(table) & set(map(chr, list(range(10)) + list(range(11, 32)) + [127])),
          "the table has control bytes")
    table.encode("utf-8")  # surrogates, which stand for what is no UTF-8, do not pass
    requests = wperf("requests", "-i", file).stdout
    check("\x1b" not in requests and "\a" not in requests, "wperf requests has control bytes")
    equal("its lines are whole", requests.count("red"), 5)
    step("labels with control bytes, bad UTF-8, of a megabyte, none")


def check_many():
    file = record("many", "func:labelled,label=arg1:str")
    profile = report(file)
    counts = requests_by_path(profile)
    equal("labels", len(counts), 10000)
    equal("requests of each", set(counts.values()), {2})
    equal("lost", profile["lost"], 0)
    # Of the largest child so far: the compiler is among them.
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    check(peak_kib < 400 << 10, "wperf report took %d MiB" % (peak_kib >> 10))
    step("10,000 labels, the largest process had %d MiB" % (peak_kib >> 10))


def check_calls():
    # 50 calls of depth 1, 2, 3, 4, 1, 2 ...
    calls = sum(1 + i % 4 for i in range(50))
    equal("recursion", shape(report(record("recursion", "func:recurse"))), (calls, 0, 0))
    equal("longjmp", shape(report(record("longjmp", "func:jumps"))), (200, 100, 0))
    equal("throw, by entries", shape(report(record("throw", "begin=throws,end=is_done"))), (200, 100, 0))
    # A return probe would end the target here: the exception would meet the kernel's return address.
    equal("throw, by exits", shape(report(record("throw", "func:throws"))), (200, 100, 0))
    profile = report(record("nested", "func:outer", "func:inner"))
    equal("nested", requests_by_path(profile), {"outer": 100, "inner": 300})
    equal("nested", shape(profile), (400, 0, 0))
    equal("two stacks", shape(report(record("coroutines", "func:yields"))), (100, 0, 0))
    equal("thread ends inside", shape(report(record("exits", "func:exits"))), (0, 20, 0))
    stripped = build("e2e_ids.cc", "-rdynamic", "-s", output="stripped")
    for program in (target, stripped):
        equal("a cold part of " + program, shape(report(record("split", "func:split", program=program))),
              (100, 0, 0))
    conditions = "o no b ae e ne be a s ns p np l ge le g".split()
    profile = report(record("conditional", *("func:left_" + cc for cc in conditions)))
    equal("left by conditional jumps", requests_by_path(profile), {"left_" + cc: 64 for cc in conditions})
    equal("left by conditional jumps", shape(profile), (16 * 64, 0, 0))
    step("recursion, longjmp, exceptions, nesting, coroutines, threads that end inside, odd exits")


TWINS = r"""
#include <cstdio>
#include <stdexcept>
extern volatile int sink;
__attribute__((cold, noinline)) void rare(int n);
static __attribute__((noinline)) int handle(int n)
{
	if (__builtin_expect(n % 4 == 3, 0)) {
		rare(n);
		rare(n + 1);
	}
	sink = sink + n;
	return n + 1;
}
int ENTRY(int n) { return handle(n); }
#ifdef MAIN
volatile int sink;
int other(int);
void rare(int n) { sink = sink + n; if (sink == -1) throw std::runtime_error("rare"); }
int main()
{
	puts("ready");
	fflush(stdout);
	getchar();
	for (int i = 0; i < 100; i++) {
		ENTRY(i);
		other(i);
	}
}
#endif
"""


def check_twins():
    """Two static functions of one name, and a cold part of each: whose it is tell jumps."""
    with open(path("twins.cc"), "w") as f:
        f.write(TWINS)
    for name, *defines in (("one", "-DENTRY=one", "-DMAIN"), ("other", "-DENTRY=other")):
        run("g++", "-O2", "-c", *defines, "-o", path(name + ".o"), path("twins.cc"))
    run("g++", "-o", path("twins"), path("one.o"), path("other.o"))
    for marker in ("func:handle", "begin=handle,end=handle%return"):
        equal("twins, " + marker, shape(report(record("", marker, program=path("twins")))), (200, 0, 0))
    step("two functions of one name")


NARROW = r"""
#include <stdio.h>
volatile long sink;
__attribute__((noipa)) void begins(const char *at, int id) { sink += at[0] + id; }
__attribute__((noipa)) void ends(unsigned short kind, unsigned id) { sink -= kind + id; }
__attribute__((noipa)) void calls_begins(const char *at, long id) { begins(at, (int)id); }
__attribute__((noipa)) void calls_ends(long kind, long id) { ends((unsigned short)kind, (unsigned)id); }
int main(void)
{
	puts("ready");
	fflush(stdout);
	getchar();
	for (long i = -50; i < 50; i++) {
		calls_begins("", (i & 0xffffffff) | i << 40);
		calls_ends(i, i & 0xffffffff);
	}
}
"""


def check_narrow():
    """The upper half of a register that has an int is anything: optimizers leave there what was."""
    with open(path("narrow.c"), "w") as f:
        f.write(NARROW)
    run("gcc", "-O2", "-g", "-o", path("narrow"), path("narrow.c"))
    file = record("", "begin=begins,end=ends,id=arg2", program=path("narrow"))
    equal("ids that are ints", shape(report(file)), (100, 0, 0))
    step("ids that are narrower than a register")


TAIL_CALLS = r"""
#include <stdio.h>
volatile int sink;
int leaf(int n) { sink += n; return n; }
int (*volatile calls)(int) = leaf;
int back(int n);
__attribute__((noipa)) int there(int n) { sink++; return n ? back(n) : calls(n); }
__attribute__((noipa)) int back(int n) { sink--; return n == 7 ? calls(n) : there(n - 1); }
int main(void)
{
	puts("ready");
	fflush(stdout);
	getchar();
	for (int i = 0; i < 100; i++)
		sink += there(3) + 1;
}
"""


def check_tail_calls():
    """A function that comes back to itself in one place of the stack: its calls all return at once."""
    with open(path("tail_calls.c"), "w") as f:
        f.write(TAIL_CALLS)
    run("gcc", "-O2", "-o", path("tail_calls"), path("tail_calls.c"))
    for markers, nr in ((["func:there"], 400), (["func:there", "func:back"], 700)):
        file = record("", *markers, program=path("tail_calls"))
        equal("calls that come back by tail calls", shape(report(file)), (nr, 0, 0))
    step("tail calls that come back")


FORKS = r"""
#include <sys/wait.h>
#include <unistd.h>
int children;
__attribute__((noipa)) int handle(void)
{
	int pid = fork();
	if (pid)
		waitpid(pid, 0, 0);
	return pid;
}
int main(void)
{
	for (int i = 0; i < 20; i++)
		if (!handle())
			_exit(0);
}
"""


def check_forked():
    """Of a child that returns from where its parent called fork(2) there is an end, and no begin."""
    with open(path("forked.c"), "w") as f:
        f.write(FORKS)
    run("gcc", "-O2", "-o", path("forked"), path("forked.c"))
    talk = wperf("record", "-o", path("forked.data"), "--marker", "func:handle", "--", path("forked")).stderr
    equal("ends, open, unmatched", shape(report(path("forked.data"))), (20, 0, 20))
    has("what record says", talk, " samples, 20 requests, ")
    step("children that return through the function that forks")


DEEP = r"""
#include <setjmp.h>
volatile int sink;
jmp_buf out;
int leaf(int n) { sink += n; return n; }
int (*volatile calls)(int) = leaf;
__attribute__((noipa)) int deep(int n, int jumps)
{
	if (n)
		sink += deep(n - 1, jumps);
	else if (jumps)
		longjmp(out, 1);
	return calls(n);
}
int main(void)
{
	deep(69, 0);
	if (!setjmp(out))
		deep(63, 1);
	for (int i = 0; i < 10; i++)
		deep(0, 0);
}
"""


def check_deep():
    """The kernel waits for 64 returns in a thread; exits have no such end."""
    with open(path("deep.c"), "w") as f:
        f.write(DEEP)
    run("gcc", "-O2", "-o", path("deep"), path("deep.c"))
    wperf("record", "-o", path("deep.data"), "--marker", "func:deep", "--", path("deep"))
    equal("ends, open, unmatched", shape(report(path("deep.data"))), (70 + 10, 64, 0))
    step("more calls in each other than the kernel waits for returns")


check_narrow()
check_deep()
check_forked()
check_tail_calls()
check_twins()
check_pairs()
check_labels()
check_many()
check_calls()
