#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python's calls as cProfile counts them, in the same process or none; what cannot be counted is said."""
from lib import *

PYTHON = "/usr/bin/python3"
PROGRAM = '''
import cProfile
import gc
import json
import sys
import threading
import time
from greenlet import greenlet

def leaf(n):
    return n

def recursive(n):
    return recursive(n - 1) if n else leaf(1)

def ping(g):
    for i in range(5):
        recursive(3)
        g.switch(i)

def pong(*_):
    main = greenlet.getcurrent().parent
    while True:
        leaf(2)
        recursive(2)
        helper(main)

def helper(main):
    main.switch()

def greenlets():
    g = greenlet(pong)
    ping(g)
    greenlet(lambda: recursive(4)).switch()
    del g  # throws into it

def parked(main):
    return main.switch()

def nested(n, main):
    return nested(n - 1, main) if n else leaf(parked(main))

def crowd():
    # More frames at a time than a thread's own memory holds; who is woken was not the last that went to sleep.
    main = greenlet.getcurrent()
    each = [greenlet(nested) for _ in range(200)]
    for g in each:
        g.switch(9, main)
    for g in each:
        g.switch(1)

def threads():
    # Of other threads the profiler does not know: they are counted where it is not.
    each = [threading.Thread(target=recursive, args=(i,)) for i in range(8)]
    for t in each:
        t.start()
    for t in each:
        t.join()

def deep():
    sys.setrecursionlimit(3000)
    recursive(990)
    recursive(2500)

def contexts():
    made = {"left": []}
    for i in range(40):
        exec("def f%d(n):\\n  for i in 3, 5:\\n    if n: left[(%d * i + n * n) %% 40](n - 1)" % (i, i), made)
        made["left"].append(made["f%d" % i])
    def first():
        made["f0"](16)
    def second():
        made["f1"](16)
    first()
    second()

def reused():
    for i in range(50):
        names = {}
        exec("def made_%d(): pass" % (i % 5), names)
        names["made_%d" % (i % 5)]()

def made_by(thread):
    for i in range(200):
        names = {}
        exec("def %s_%d(): pass\\n%s_%d()" % (thread, i % 4, thread, i % 4), names)

def reused_by_threads():
    # One drops code where another one makes some then.
    sys.setswitchinterval(1e-5)
    each = [threading.Thread(target=made_by, args=(name,)) for name in ("ann", "bob", "cid")]
    for t in each:
        t.start()
    for t in each:
        t.join()

def same_places():
    # Code, its name and its file lie where those of the turn before last did, and differ by what they say alone.
    for i in range(100):
        names = {}
        exec("def same_%05d(): pass\\nsame_%05d()" % (i, i), names)
        names.clear()
        eval(compile("len([])", "<cell %05d>" % i, "eval"))

def same_ends():
    # Likewise, and what differs is far ahead of the end.
    for i in range(100):
        eval(compile("len([])", "/srv/customers/%05d/rules/discounts/expression.py" % i, "eval"))

def odd_names():
    # What is no UTF-8: bytes of a file's name, halves of a pair, NUL.
    for i, odd in enumerate(("\\udce8", "\\udce9", "\\ud800", "\\udc00", "\\ufffd", "\\0", "?")):
        for _ in range(i + 1):
            eval(compile("len([])", "<odd>", "eval").replace(co_filename="<odd " + odd + ">", co_name="odd"))
            eval(compile("len([])", "<odd>", "eval").replace(co_filename="<odd>", co_name="odd " + odd))

class Dropped:
    def __init__(self):
        self.itself = self

    def __del__(self):
        leaf(3)

def with_cell(n):
    return lambda: n

def drop(n):
    # What collects next is the making of a cell: with_cell() has not begun then.
    Dropped()
    return with_cell(n)

def finalized():
    gc.collect()
    gc.set_threshold(1)
    for i in range(50):
        drop(i)
    gc.set_threshold(700)
    gc.collect()

def objects(frame, event, _):
    if event == "return" and frame.f_code.co_name == "objected_to":
        raise KeyError

def objected_to():
    pass

def objections():
    # Leaves by an exception of the function that is told of its return, which takes that function off.
    for turn_on in (sys.setprofile, sys.settrace):
        for i in range(50):
            turn_on(lambda *event: objects(*event) or objects)
            try:
                objected_to()
            except KeyError:
                pass
            leaf(1)
            recursive(1)

def resting():
    time.sleep(0.05)

def busy():
    for _ in range(2000000):
        leaf(1)

def rests():
    for _ in range(4):
        resting()

def brief():
    # Each thread ends with calls that no mark has told of.
    leaf(1)
    for _ in range(300):
        t = threading.Thread(target=leaf, args=(1,))
        t.start()
        t.join()

print("ready", flush=True)
for line in sys.stdin:
    name, how = line.split()
    profile = cProfile.Profile()
    function = globals()[name]
    if how == "traced":
        profile.runcall(function)
        profile.create_stats()
    else:
        function()
    rows = []
    for key, row in getattr(profile, "stats", {}).items():
        rows.append((key, row[:2]))
    print(json.dumps(rows), flush=True)
'''


# Where addresses are not random, what it becomes by exec() has its code where it had its own.
BECOMES = '''
import os
import sys
import time

def %s():
    pass

def calls():
    for i in range(100):
        %s()

def become():
    os.execv(sys.executable, [sys.executable] + sys.argv[2:])

if sys.argv[1:]:
    print("ready", flush=True)
    input()
    calls()
    if sys.argv[1] == "thread":
        import threading
        threading.Thread(target=become).start()
        time.sleep(60)
    become()
calls()
print("become", flush=True)
input()
calls()
print("done", flush=True)
'''
WORKERS = '''
import os
nr, nr_workers = NR
made = {}
exec("\\n".join("def f%d(): pass" % i for i in range(nr)), made)
each = [made["f%d" % i] for i in range(nr)]
def work():
    for f in each:
        f()
to_worker, to_parent = os.pipe(), os.pipe()
for i in range(nr_workers):
    if not os.fork():
        os.read(to_worker[0], 1)
        work()
        os.write(to_parent[1], b"x")
        os._exit(0)
print("ready", flush=True)
input()
for i in range(nr_workers):
    os.write(to_worker[1], b"x")
    os.read(to_parent[0], 1)
print("done", flush=True)
input()
'''

FAMILY = '''
import os
import time

def leaf():
    pass

def child():
    os.read(gate, 1)
    for i in range(10):
        leaf()
    os.write(done, b"x")
    time.sleep(60)

gate, opener = os.pipe()
all_done, done = os.pipe()
print("ready", flush=True)
for i in range(NR):
    if not os.fork():
        child()
    time.sleep(0.01)
print("all are there", flush=True)
input()
os.write(opener, b"x" * NR)
for i in range(NR):
    os.read(all_done, 1)
print("done", flush=True)
time.sleep(60)
'''


NOTHING = """
import time
def nothing(): pass
print("ready", flush=True)
input()
begin = time.thread_time()
for i in range(%d): nothing()
print(time.thread_time() - begin, flush=True)
input()
"""


def counted(file, *args):
    """{function: (calls, primitive, tottime, cumtime)} of the program's own."""
    found = {}
    for g in report(file, *args)["groups"]:
        for f in g["functions"]:
            if f["ncalls"] and (f["file"].endswith("/program.py") or f["file"] == "<string>"):
                found[f["function"]] = f
    return found


def go(name, how, python=PYTHON, **options):
    process = start_target(python, path("program.py"), ready="ready", stdin=subprocess.PIPE, **options)
    recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none")
    process.stdin.write("%s %s\n" % (name, how))
    process.stdin.flush()
    inside = {key[2]: tuple(reversed(row)) for key, row in json.loads(process.stdout.readline())
              if key[0].endswith("/program.py")}
    recording.stop()
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    return inside, counted(recording.file), recording


def numbers(found):
    return {name: (f["ncalls"], f["primitive_calls"]) for name, f in found.items()}


def check_greenlets():
    want, got, _ = go("greenlets", "traced")
    equal("calls of greenlets, traced", numbers(got), want)
    _, got, _ = go("greenlets", "plain")
    equal("calls of greenlets", numbers(got), want)
    step("greenlets: %d functions as cProfile has them" % len(want))


def check_threads():
    _, got, _ = go("threads", "plain")
    equal("calls of 8 threads", numbers(got), {"threads": (1, 1), "recursive": (36, 8), "leaf": (8, 8),
                                            "<listcomp>": (1, 1)})
    step("threads")


def callers(f):
    return {c["function"]: c["ncalls"] for c in f["callers"]}


def check_crowd():
    _, got, _ = go("crowd", "plain")
    equal("calls of 200 greenlets", numbers(got), {"crowd": (1, 1), "<listcomp>": (1, 1), "nested": (2000, 200),
                                                   "parked": (200, 200), "leaf": (200, 200)})
    equal("who calls leaf", callers(got["leaf"]), {"nested": 200})
    equal("who calls nested", callers(got["nested"]), {"nested": 1800})
    step("a crowd of greenlets")


def check_deep():
    _, got, recording = go("deep", "plain")
    equal("deep calls", numbers(got), {"deep": (1, 1), "recursive": (991 + 2501, 2), "leaf": (2, None)})
    equal("who calls leaf", callers(got["leaf"]), {"recursive": 1})
    table = wperf("report", "-i", recording.file, "--root", "deep", "--sort", "calls").stdout
    equal("calls below deep", re.findall(r"(?m)^ *(\d\S*) .*\((\w+)\)$", table),
          [("3492/2", "recursive"), ("2/-", "leaf"), ("1", "deep")])
    has("calls below deep", table, "\n         3495 function calls in ")
    step("deeper than is told apart")


def check_contexts():
    """Beyond the contexts that are told apart who called is not known: what that is missing in is marked."""
    _, got, recording = go("contexts", "plain")
    each = ["f%d" % i for i in range(40)]
    equal("all calls", sum(got[name]["ncalls"] for name in each), 2 * (2 ** 17 - 1))
    equal("functions whose times are whole", [name for name in each if got[name]["exact"]], [])
    profile = report(recording.file, "--root", "second")
    functions = profile["groups"][0]["functions"]
    check(len(functions) > 2, "below second: %r" % functions)
    equal("tables below second that are exact", [g["path"] for g in profile["groups"] if g["exact"]], [])
    equal("rows below second that are exact", [f["function"] for f in functions if f["exact"]], [])
    table = wperf("report", "-i", recording.file, "--root", "second").stdout
    check(re.search(r"(?m)^ *1(/-)? .* ~\d+\.\d+ .*\(second\)$", table), "no row of second in:\n" + table)
    check(re.search(r"(?m)^ *~\d+/- .*\(f7\)$", table), "no row of f7 in:\n" + table)
    step("more contexts than are told apart")


def check_finalized():
    """Who is called by a frame that is about to begin is called by who called that."""
    for how in ("traced", "plain"):
        _, got, _ = go("finalized", how)
        equal("finalizers, " + how, numbers(got)["__del__"], (50, 50))
        equal("calls of finalizers without a caller, " + how, 50 - sum(callers(got["__del__"]).values()), 0)
        check(callers(got["__del__"])["drop"] > 40, "who calls finalizers: %r" % callers(got["__del__"]))
    step("finalizers that the making of a cell calls")


def check_reused():
    """Code that lies where other code lay is another function."""
    _, got, _ = go("reused", "plain")
    equal("calls of what was made", numbers(got),
          {"reused": (1, 1), "<module>": (50, 50), **{"made_%d" % i: (10, 10) for i in range(5)}})
    _, got, recording = go("same_places", "plain")
    equal("calls of what was made in one place", numbers(got),
          {"same_places": (1, 1), "<module>": (100, 100), **{"same_%05d" % i: (1, 1) for i in range(100)}})
    files = {f["file"]: f["ncalls"] for g in report(recording.file)["groups"] for f in g["functions"]
             if f["file"].startswith("<cell ")}
    equal("calls of what was made in one place", files, {"<cell %05d>" % i: 1 for i in range(100)})
    _, _, recording = go("same_ends", "plain")
    files = {f["file"]: f["ncalls"] for g in report(recording.file)["groups"] for f in g["functions"]
             if f["file"].startswith("/srv/customers/")}
    equal("calls of files that end alike", files,
          {"/srv/customers/%05d/rules/discounts/expression.py" % i: 1 for i in range(100)})
    _, got, _ = go("reused_by_threads", "plain")
    made = {"%s_%d" % (name, i): (50, 50) for name in ("ann", "bob", "cid") for i in range(4)}
    equal("calls of what threads made", {name: row for name, row in numbers(got).items() if name in made}, made)
    step("addresses that are used again")


def check_odd_names():
    """Names that differ in what is no UTF-8 are different ones."""
    _, _, recording = go("odd_names", "plain")
    rows = [f for g in report(recording.file)["groups"] for f in g["functions"] if f["file"].startswith("<odd")]
    shown = (r"\xe8", r"\xe9", r"\xed\xa0\x80", r"\xed\xb0\x80", "\ufffd", r"\xc0\x80", "?")
    want = {text % odd: i + 1 for i, odd in enumerate(shown) for text in ("<odd %s>:odd", "<odd>:odd %s")}
    equal("calls of odd names", {"%s:%s" % (f["file"], f["function"]): f["ncalls"] for f in rows}, want)
    step("names that are no UTF-8")


def check_becomes():
    """What a process becomes by exec() has other functions, also where they lie in the same places. A thread that is not the
    first one takes its place, and its probes have to be put in anew: calls until then are in no row, which says so."""
    for name in ("before", "behind"):
        with open(path("%s.py" % name), "w") as f:
            f.write(BECOMES % (name, name))
    for who in ("itself", "thread"):
        process = start_target("setarch", "-R", PYTHON, path("before.py"), who, path("behind.py"), ready="ready", stdin=subprocess.PIPE)
        plain = touched(process.pid)
        recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none")
        for said in ("become\n", "done\n"):
            process.stdin.write("\n")
            process.stdin.flush()
            equal("what the target says", process.stdout.readline(), said)
            if said == "become\n":
                wait_until("what it has become has probes", lambda: touched(process.pid) != plain)
        recording.stop()
        process.stdin.close()
        equal("exit status of the target", process.wait(PATIENCE), 0)
        rows = {f["function"]: f for g in report(recording.file)["groups"] for f in g["functions"]
                if f["function"] in ("before", "behind")}
        equal("files of what was called", {name: f["file"] for name, f in rows.items()},
              {name: path("%s.py" % name) for name in ("before", "behind")})
        equal("calls before exec()", rows["before"]["ncalls"], 100)
        equal("whether those behind it are exact", rows["behind"]["exact"], who == "itself")
        equal("calls behind it", rows["behind"]["ncalls"], 200) if who == "itself" else check(
            100 <= rows["behind"]["ncalls"] <= 200, "calls behind the exec() of a thread: %d" % rows["behind"]["ncalls"])
    step("exec()")


def check_objections():
    """What lies where a frame was that left unseen is another one, also in an interpreter where USDT probes are used."""
    home = {"env": dict(os.environ, PYTHONHOME="/usr")}
    for python, options in ((PYTHON, {}), (other_python(0), home), (other_python(1), home)):
        _, got, _ = go("objections", "plain", python, **options)
        del got["objects"], got["<lambda>"]
        equal("calls behind objections", numbers(got), {"objections": (1, 1), "objected_to": (100, 100), "leaf": (200, 200),
                                                       "recursive": (200, 100)})
        equal("who calls leaf", callers(got["leaf"]), {"objections": 100, "recursive": 100})
    step("frames that are left by an exception of who is told of it")


def check_times():
    """What sleeps, sleeps as long as it says; no time is there twice."""
    begin = time.monotonic()
    _, got, recording = go("rests", "plain")
    took = time.monotonic() - begin
    equal("calls of what rests", numbers(got), {"rests": (1, 1), "resting": (4, 4)})
    check(0.2 <= got["resting"]["tottime"] <= took, "4 times 50 ms: %r" % got["resting"])
    check(got["resting"]["tottime"] <= got["rests"]["cumtime"] <= took, "cumulative time: %r" % got["rests"])
    # What wperf calls itself, to measure what a probe takes, while it records, is nobody's call.
    profile = report(recording.file)
    rows = sum(f["ncalls"] for g in profile["groups"] for f in g["functions"] if f["ncalls"])
    has("the line about the probes", recording.talk, "%d calls of Python's functions; the probes' own " % rows)
    step("times")


def check_own_time():
    """What is taken out of the times is not more than the target had."""
    nr = 100000
    process = start_target(PYTHON, "-c", NOTHING % nr, ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none", "--max-overhead", 100)
    process.stdin.write("\n")
    process.stdin.flush()
    took = float(process.stdout.readline())
    recording.stop()
    process.stdin.close()
    process.wait(PATIENCE)
    own = float(re.search(r"the probes' own [\d.]+ us a hit \(([\d.]+) s", recording.talk)[1])
    check(0 < own < took, "of %.3f s that %d calls of nothing took, %.3f s are taken out" % (took, nr, own))
    step("the probes' own time")


def check_family():
    """Who is forked while wperf attaches is counted, too."""
    nr = 40
    with open(path("family.py"), "w") as f:
        f.write(FAMILY.replace("NR", str(nr)))
    process = start_target(PYTHON, path("family.py"), ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none")
    equal("the family", process.stdout.readline(), "all are there\n")
    time.sleep(0.5)
    each = children(process.pid)
    process.stdin.write("\n")
    process.stdin.flush()
    equal("the family", process.stdout.readline(), "done\n")
    recording.stop()
    for pid in each:
        os.kill(pid, signal.SIGKILL)
    calls = sum(f["ncalls"] or 0 for g in report(recording.file)["groups"] for f in g["functions"] if f["function"] == "leaf")
    equal("calls of %d children" % nr, calls, 10 * nr)
    step("%d children that come while wperf attaches" % nr)


def check_workers():
    """What several processes have is told apart once: together they have more than there is room for."""
    nr, nr_workers = 25000, 3
    with open(path("workers.py"), "w") as f:
        f.write(WORKERS.replace("NR", "%d, %d" % (nr, nr_workers)))
    process = start_target(PYTHON, path("workers.py"), ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none")
    process.stdin.write("\n")
    process.stdin.flush()
    equal("the workers", process.stdout.readline(), "done\n")
    recording.stop()
    stop(process)
    got = counted(recording.file)
    equal("functions", len(got), nr)
    equal("calls of each", {(f["ncalls"], f["exact"]) for f in got.values()}, {(nr_workers, True)})
    equal("who calls each", {tuple(callers(f).items()) for f in got.values()}, {(("work", nr_workers),)})
    tallies = report(recording.file)["tallies"]
    equal("calls that are lost, or without callers", (tallies["calls_lost"], tallies["calls_callerless"]), (0, 0))
    step("%d workers: %d functions, %d calls" % (nr_workers, nr, nr * nr_workers))


def check_beside(without, other):
    """Beside a Python that can be counted another one is none of what is exact: it was there, or comes while recording."""
    process = start_target(PYTHON, path("program.py"), ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", "%d,%d" % (process.pid, other.pid), "--calls", "python", "--marker", "none")
    for each in (process, other):
        each.stdin.write("threads plain\n")
        each.stdin.flush()
        equal("what a target said", each.stdout.readline(), "[]\n")
    recording.stop()
    for each in (process, other):
        each.stdin.close()
        equal("exit status of a target", each.wait(PATIENCE), 0)
    has("what wperf says of the other", recording.talk, "%s: it was built without USDT probes: its calls are not counted" % without)
    alone, together = counted(recording.file, "--by", "process"), counted(recording.file, "--by", "none")
    equal("calls of the one", numbers(alone)["recursive"], (36, 8))
    equal("rows of the one that are not exact", {name for name, f in alone.items() if not f["exact"]}, set())
    equal("rows of both that are exact", {name for name, f in together.items() if f["exact"]}, set())
    equal("whether the table of both is", [g["exact"] for g in report(recording.file, "--by", "none")["groups"]], [False])

    # One that comes while recording.
    begins = "import subprocess; subprocess.run(['%s', '-c', 'input()'])" % without
    recording = Recording("--calls", "python", "--marker", "none", "--", PYTHON, "-c", begins, stdin=subprocess.PIPE,
                          env=dict(os.environ, PYTHONHOME="/usr"))
    said = "%s: it was built without USDT probes: its calls are not counted" % without
    wait_until("wperf says it of the other", lambda: said in recording.read_talk())
    recording.process.stdin.write(b"\n")
    recording.process.stdin.close()
    recording.wait()
    equal("times that it is said", recording.talk.count(said), 1)
    equal("whether the table is exact", [g["exact"] for g in report(recording.file, "--by", "none")["groups"]], [False])


def check_refused():
    other = start("sleep", "60")
    said = wperf("record", "--calls", "python", "-p", str(other.pid), "-o", path("none.data"), status=None)
    equal("exit status without Python", said.returncode, USAGE)
    has("without Python", said.stderr, "--calls python: the target runs no Python")
    # A Python without USDT probes: the note's name is what tells them.
    without = path("python3.11")
    with open(os.path.realpath(PYTHON), "rb") as f:
        bytes = f.read()
    with open(without, "wb") as f:
        f.write(bytes.replace(b"function__return\0", b"function__rexxxx\0"))
    os.chmod(without, 0o755)
    other = start_target(without, path("program.py"), ready="ready", stdin=subprocess.PIPE, env=dict(os.environ, PYTHONHOME="/usr"))
    said = wperf("record", "--calls", "python", "-p", str(other.pid), "-o", path("none.data"), status=None)
    equal("exit status without USDT", said.returncode, USAGE)
    has("without USDT", said.stderr, "it was built without USDT probes")
    has("without USDT", said.stderr, "--with-dtrace")
    check_beside(without, other)
    step("what cannot be counted is said")


def usdt_probes(file):
    """[(of its instruction, of the word that counts its users)] of both probes of functions, as addresses."""
    notes = run("readelf", "-nW", file).stdout
    found = re.findall(r"Name: function__\w+\n +Location: (\w+), Base: \w+, Semaphore: (\w+)", notes)
    equal("USDT probes of functions", len(found), 2)
    return [(int(at, 16), int(users, 16)) for at, users in found]


def touched(pid):
    """The interpreter's code, and the words that USDT probes count their users in, as the process has them."""
    file = os.path.realpath("/proc/%d/exe" % pid)
    vaddr, _, size = Elf(file).function("_PyEval_EvalFrameDefault")
    with open("/proc/%d/mem" % pid, "rb", 0) as f:
        return [os.pread(f.fileno(), nr, at)
                for at, nr in [(vaddr, size)] + [(users, 2) for _, users in usdt_probes(file)]]


def check_killed():
    """Nothing of the probes stays, even when wperf is killed."""
    process = start_target(PYTHON, path("program.py"), ready="ready", stdin=subprocess.PIPE)
    before = touched(process.pid)
    recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none")
    during = touched(process.pid)
    check(during[0] != before[0], "the interpreter's code has no probes")
    equal("users of the USDT probes", during[1:], [b"\0\0", b"\0\0"])
    recording.process.kill()
    recording.process.wait()
    wait_until("the target is as it was", lambda: touched(process.pid) == before)
    process.stdin.write("rests plain\n")
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    step("SIGKILL")


def called_before(elf, vaddr):
    """The highest place up to that address that the interpreter calls: where its function begins."""
    begin, off, size = elf.function("_PyEval_EvalFrameDefault")
    _, _, _, addr, at, nr, *_ = [s for s in elf.sections if s[3] <= begin < s[3] + s[5]][0]
    calls = (addr + i.end() + struct.unpack("<i", i.group(1))[0]
             for i in re.finditer(rb"\xe8(?=(....))", elf.bytes[at:at + nr], re.DOTALL))
    return max(to + 4 for to in calls if to + 4 <= vaddr), begin, off, size


def other_python(which):
    """
    An interpreter in which not all is understood of where it looks whether USDT probes are enabled: here one more call
    of what has the probe at entries (0) or returns (1), that nobody comes by, in the bytes between two functions. Then
    that USDT probe is used. Runs with PYTHONHOME.
    """
    elf = Elf(os.path.realpath(PYTHON))
    function, begin, off, size = called_before(elf, usdt_probes(elf.path)[which][0])
    padding = b"\xc3\x66\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00"  # ret, and a nop that is long enough
    in_code = elf.bytes.find(padding) + 1
    check(in_code, "there is no such padding")
    vaddr = begin + in_code - off
    call = b"\xe8" + struct.pack("<i", function - vaddr - 5)
    other = path("python3.11-other-%d" % which)
    with open(other, "wb") as f:
        f.write(elf.bytes[:in_code] + call + elf.bytes[in_code + len(call):])
    os.chmod(other, 0o755)
    return other


def check_another_way():
    other = other_python(1)
    home = dict(os.environ, PYTHONHOME="/usr")
    want, got, recording = go("greenlets", "traced", other, env=home)
    equal("calls by way of USDT probes", numbers(got), want)
    process = start_target(other, path("program.py"), ready="ready", stdin=subprocess.PIPE, env=home)
    recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none")
    equal("users of the USDT probes", touched(process.pid)[1:], [b"\0\0", b"\1\0"])
    recording.stop()
    equal("users of the USDT probes afterwards", touched(process.pid)[1:], [b"\0\0", b"\0\0"])
    step("another interpreter's code")


def check_overhead():
    """Where it is asked for, what takes too much is not counted any more: that is said, and in the rows."""
    process = start_target(PYTHON, path("program.py"), ready="ready", stdin=subprocess.PIPE)
    before = touched(process.pid)
    recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none", "--max-overhead", "5")
    begin = time.monotonic()
    process.stdin.write("busy plain\n")
    process.stdin.flush()
    equal("what the target said", process.stdout.readline(), "[]\n")
    wait_until("the probes are off", lambda: touched(process.pid) == before)
    until_off = time.monotonic() - begin
    time.sleep(0.5)
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    recording.stop()
    has("what wperf said", recording.talk, "no more calls of Python's functions are counted")
    check(re.search(r"us a hit \([0-9.]+ s, [0-9.]+ % of the target's CPU time\) are taken out", recording.talk),
          "no share in:\n" + recording.talk)
    got = counted(recording.file)
    check(0 < got["leaf"]["ncalls"] < 2000000, "calls of what took too much: %r" % got["leaf"])
    equal("rows that are exact", {name for name, f in got.items() if f["exact"]}, set())
    counted_time = sum(g["time"] for g in report(recording.file)["groups"])
    check(0 < counted_time < until_off, "%.3f s in the tables, of %.3f s until the probes were off" % (counted_time, until_off))
    table = wperf("report", "-i", recording.file).stdout
    check(re.search(r"(?m)^ *~\d+( +~\d+\.\d+){4} .*\(leaf\)$", table) and " in ~" in table, "times that are exact in:\n" + table)
    step("overhead: %d of 2000000 calls" % got["leaf"]["ncalls"])


def check_lost():
    """Threads that end while nobody reads the rings take their calls along: the rows and the tables say so."""
    process = start_target(PYTHON, path("program.py"), ready="ready", stdin=subprocess.PIPE)
    recording = Recording("-p", process.pid, "--calls", "python", "--marker", "none", "-m", 1)
    recording.process.send_signal(signal.SIGSTOP)
    process.stdin.write("brief plain\n")
    process.stdin.flush()
    equal("what the target said", process.stdout.readline(), "[]\n")
    recording.process.send_signal(signal.SIGCONT)
    recording.stop()
    process.stdin.close()
    equal("exit status of the target", process.wait(PATIENCE), 0)
    profile = report(recording.file)
    check(profile["tallies"]["calls_lost"] > 0, "nothing is lost: %r" % profile["tallies"])
    got = counted(recording.file)
    check(1 <= got["leaf"]["ncalls"] < 301, "calls of what was lost: %r" % got["leaf"])
    equal("rows that are exact", {name for name, f in got.items() if f["exact"]}, set())
    equal("tables that are exact", [g["path"] for g in profile["groups"] if g["exact"]], [])
    step("threads that end: %d calls are lost" % profile["tallies"]["calls_lost"])


with open(path("program.py"), "w") as f:
    f.write(PROGRAM)
check_greenlets()
check_crowd()
check_threads()
check_deep()
check_contexts()
check_finalized()
check_reused()
check_odd_names()
check_becomes()
check_objections()
check_times()
check_own_time()
check_family()
check_workers()
check_refused()
check_killed()
check_another_way()
check_overhead()
check_lost()
