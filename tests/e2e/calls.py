#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counted calls are all the calls there were: of a program that counts for itself, whatever way its functions
are left in, and whatever processes it makes."""
from calls_lib import *


def record_mode(mode, n, *args, options=()):
    """One run of a mode while it is counted: what the program says, and what the report does."""
    process = start_target(target, mode, str(n), *args, ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--marker", "none", "--max-overhead", "100", *options, *ASKED)
    want, others = go(process)
    recording.stop()
    again, _ = go(process)
    check(set(again) >= set(want), "the target is not what it was: %r" % again)
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    got, inexact = counted(report(recording.file))
    return want, got, inexact, others, recording


def check_ways():
    for mode, n in (("recursion", 1000), ("longjmp", 1000), ("signals", 500), ("sigaltstack", 500),
                    ("contexts", 1000), ("threads", 50), ("left", 1000)):
        want, got, inexact, *_ = record_mode(mode, n)
        equal("calls, " + mode, got, want)
        equal("inexact rows, " + mode, inexact, set())
        step("%s: %d calls" % (mode, sum(calls for calls, _ in want.values())))


def check_part():
    """Where functions are not counted, they are between those that are, and in the places that those leave."""
    for names in (("leaf", "middle"), ("leaf", "outer"), ("middle",)):
        process = start_target(target, "recursion", "2000", ready="ready", stdin=subprocess.PIPE)
        recording = Recording("-p", process.pid, "--marker", "none", "--max-overhead", "100",
                              *(word for name in names for word in ("--calls", name)))
        want, _ = go(process)
        recording.stop()
        got, _ = counted(report(recording.file))
        equal("calls of some", got, {name: n for name, n in want.items() if name in names})
    step("some of them: %d calls" % sum(calls for calls, _ in got.values()))


def check_depth():
    """Below what is told apart the number is still right, and it is known below whom that is."""
    want, got, _, _, recording = record_mode("deep", 5)
    equal("deep calls", got["deep"], want["deep"])
    # 480 of each descent of 400, 500 ... 800 are told apart.
    equal("calls without callers", report(recording.file)["tallies"]["calls_callerless"], 20 + 120 + 220 + 320)
    has("the table", wperf("report", "-i", recording.file, "--root", "deep").stdout, " %d/%d " % want["deep"])
    step("deeper than is told apart: %d calls" % want["deep"][0])


def check_processes():
    """Children have the probes' bytes, and may have counts of their own: the parent's are its own."""
    for mode in ("fork", "vfork"):
        process = start_target(target, mode, "100", ready="ready", stdin=subprocess.PIPE)
        recording = Recording("-p", process.pid, "--marker", "none", "--max-overhead", "100", *ASKED)
        want, others = go(process)
        equal("what went wrong in children, " + mode, others, [])
        recording.stop()
        groups = [g for g in report(recording.file, "--by", "process")["groups"]
                  if g["path"].endswith("/%d" % process.pid)]
        got, inexact = counted({"groups": groups})
        equal("calls of the parent, " + mode, (got, inexact), (want, set()))
        # Children are gone before anybody can follow them: together, some are missing.
        _, inexact = counted(report(recording.file))
        equal("rows of all processes that are inexact, " + mode, inexact, set(want))
        step("%s: %d calls of the parent" % (mode, sum(calls for calls, _ in want.values())))

    process = start_target(target, "exec", "500", ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--marker", "none", "--max-overhead", "100", *ASKED)
    before, _ = go(process)
    equal("after exec", process.stdout.readline(), "ready\n")
    after, _ = go(process)
    recording.stop()
    got, _ = counted(report(recording.file))
    equal("calls before and after exec", got,
          {name: (n + before[name][0], p + before[name][1]) for name, (n, p) in after.items()})
    step("exec: %d calls" % sum(calls for calls, _ in got.values()))


def check_worker():
    """A process that is made while others are counted is counted, too, from a while after."""
    process = start_target("sh", "-c", "echo up; read line; exec 3<&0; %s spin 3 <&3" % target, ready="up",
                           stdin=subprocess.PIPE)
    process.stdin.write("go\n")
    process.stdin.flush()
    child = wait_until("the child", lambda: children(process.pid))[0]
    check(child, "no child")
    equal("the child", process.stdout.readline(), "ready\n")
    recording = Recording("-p", process.pid, "--marker", "none", "--max-overhead", "100", "--calls", "middle", "--calls", "leaf")
    want, _ = go(process)
    process.stdin.close()
    recording.stop() if recording.process.poll() is None else recording.wait()
    got, inexact = counted(report(recording.file))
    check((got, inexact) == (want, set()), "calls of a child that was there: %r, %r, not %r; wperf said:\n%s" %
          (got, inexact, want, recording.talk))
    step("a child that was there: %d calls" % want["leaf"][0])


def check_libraries():
    """Of a command, also of a script, those that it begins with are counted from its first call on; they may be requests."""
    script = path("calls_getppid")
    with open(script, "w") as f:
        f.write("#!/usr/bin/python3\nimport os\n[os.getppid() for _ in range(1000)]\n")
    os.chmod(script, 0o755)
    for module in ("", "@libc.so.6", "@libc"):
        file = path("libraries.data")
        wperf("record", "-o", file, "--marker", "func:getppid" + module, "--calls", "getppid" + module, "--", script)
        got = [(g["requests"], g["calls"], g["exact"]) for g in report(file)["groups"] if g["calls"]]
        equal("requests and calls of getppid" + module, got, [(1000, 1000, True)])
    os.mkdir(path("near"))
    source = "int work(int n) { return n; }"
    run("gcc", "-O1", "-shared", "-fPIC", "-x", "c", "-", "-o", path("near/libnear.so"), input=source, stdin=None)
    main = "int work(int); int main(void) { for (int i = 0; i < 1000; i++) work(i); }"
    # What is linked with a path is looked for by that; the other one by its name.
    for name, linked, where in (("by_path", ["near/libnear.so"], {}), ("by_name", ["-Lnear", "-lnear"], {"LD_LIBRARY_PATH": "near"})):
        run("gcc", "-O1", "-x", "c", "-", "-x", "none", "-o", name, *linked, input=main, stdin=None, cwd=scratch)
        wperf("record", "-o", file, "--marker", "none", "--calls", "work", "--", "./" + name, cwd=scratch, env=dict(os.environ, **where))
        got = [(g["calls"], g["exact"]) for g in report(file)["groups"] if g["calls"]]
        equal("calls of a library found " + name, got, [(1000, True)])
    step("a command's libraries: 1000 calls")


SKIPPING = """
#include <alloca.h>
void leaf(void);
void seven(int, int, int, int, int, int, int);
static volatile int bytes = 4000;
__attribute__((noipa)) static void by_arguments(void) { leaf(); seven(1, 2, 3, 4, 5, 6, 7); __asm__ volatile(""); }
__attribute__((noipa)) static void by_room(void)
{
	leaf();
	*(volatile char *)alloca(bytes) = 0;
	seven(1, 2, 3, 4, 5, 6, 7);
	__asm__ volatile("");
}
int main(void) { for (int i = 0; i < 1000; i++) { by_arguments(); by_room(); } }
"""
SKIPPED = """
__attribute__((noipa)) void leaf(void) { __asm__ volatile("" ::: "memory"); }
__attribute__((noipa)) void seven(int a, int b, int c, int d, int e, int f, int g) { leaf(); __asm__ volatile(""); }
"""


def check_skipped():
    """Who has returned is no caller where the next call is made further down and leaves its return address as it was."""
    file = path("skipped.data")
    for name, own, linked in (("in one file", SKIPPED + SKIPPING, []), ("in a library", SKIPPING, ["./libskipped.so"])):
        run("gcc", "-O1", "-shared", "-fPIC", "-x", "c", "-", "-o", path("libskipped.so"), input=SKIPPED, stdin=None)
        run("gcc", "-O1", "-x", "c", "-", "-x", "none", "-o", "skipping", *linked, input=own, stdin=None, cwd=scratch)
        asked = ("leaf@*skip*", "seven@*skip*", "by_*@skipping")
        wperf("record", "-o", file, "--marker", "none", "--max-overhead", "100",
              *(word for name in asked for word in ("--calls", name)), "--", "./skipping", cwd=scratch)
        got = {f["function"]: (f["ncalls"], f["primitive_calls"], {c["function"]: c["ncalls"] for c in f["callers"] if c["ncalls"]})
               for g in report(file)["groups"] for f in g["functions"] if f["ncalls"]}
        equal("calls, primitive calls, callers, " + name, got, {
            "by_arguments": (1000, 1000, {}), "by_room": (1000, 1000, {}),
            "seven": (2000, 2000, {"by_arguments": 1000, "by_room": 1000}),
            "leaf": (4000, 4000, {"by_arguments": 1000, "by_room": 1000, "seven": 2000})})
    step("calls past words of the stack: 4000 calls")


def check_wrappers():
    """What a command becomes by exec, and what a wrapper starts, is known before it runs: of the one all calls are
    counted, of both all are requests."""
    program = path("wrapped")
    with open(program + ".c", "w") as f:
        f.write("__attribute__((noipa)) int work(int n) { return n; }\n"
                "int main(void) { for (int i = 0; i < 1000; i++) work(i); }\n")
    run("gcc", "-O1", "-g", "-o", program, program + ".c")
    script = path("by_env")
    with open(script, "w") as f:
        f.write("#!/usr/bin/env %s\n" % program)
    os.chmod(script, 0o755)
    file = path("wrapped.data")
    for command in ([script], ["env", "A=1", program], ["nice", "-n", "1", "env", program]):
        wperf("record", "-o", file, "--marker", "func:work@wrapped", "--calls", "work", "--", *command)
        got = [(g["requests"], g["calls"], g["exact"]) for g in report(file)["groups"] if g["calls"]]
        equal("requests and calls, " + command[0], got, [(1000, 1000, True)])
    done = wperf("record", "-o", file, "--marker", "func:work@wrapped", "--calls", "work", "--", "timeout", "9", program)
    equal("requests of what is forked", requests_by_path(report(file)), {"work@wrapped": 1000})
    if "no call was counted" in done.stderr:
        has("why none was counted", done.stderr, "what began while recording is counted from a while after")
    step("what a command becomes: 1000 calls")


def check_newcomer():
    """One that begins while others are counted is counted from a while after, and its rows say so."""
    first = "(sleep 10 | %s spin 1 >/dev/null) & sleep 0.5; echo up; read line; " % target
    later = "(sleep 2; echo go; sleep 0.5; echo go) | %s spin 2" % target
    process = start_target("sh", "-c", first + later, ready="up", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--marker", "none", "--max-overhead", "100", "--calls", "*@e2e_calls")
    process.stdin.write("go\n")
    process.stdin.flush()
    equal("the child", process.stdout.readline(), "ready\n")
    counts_of(process)
    want, _ = counts_of(process)
    recording.wait()
    got, inexact = counted(report(recording.file))
    equal("calls of a child that came", got, want)
    check({"middle", "leaf"} <= inexact, "rows of a child that came are not marked: %r" % inexact)
    step("a child that came: %d calls" % want["leaf"][0])


for one in (check_ways, check_part, check_depth, check_processes, check_worker, check_libraries, check_skipped, check_wrappers, check_newcomer):
    if len(sys.argv) < 2 or one.__name__ in sys.argv[1:]:
        one()
